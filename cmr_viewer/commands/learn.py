"""`cmr-viewer learn`: learn from the corrections of a workspace without a window, such as every night."""

import json
import logging
import sys
import time
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from cmr_viewer import NOTICE, PROGRAM
from cmr_viewer.analyse import Models, own_flow
from cmr_viewer.commands.import_labels import Imported, import_labels
from cmr_viewer.commands.train import new_model_id, text_progress
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import StoreError, TrainingError, in_one_line
from cmr_viewer.learn import retrain
from cmr_viewer.networks.device import use_threads
from cmr_viewer.pipeline import load_active_models
from cmr_viewer.progress import Cancelled
from cmr_viewer.promote.gains import Change
from cmr_viewer.promote.records import End, Outcome, Records, RetrainingRun, Trained
from cmr_viewer.store.atomic import write_atomically
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.model_registry import ModelRegistry

READER = "cmr-viewer learn"

VERDICTS = {
    End.PROMOTED: "promoted",
    End.NOT_PROMOTED: "not promoted",
    End.REFUSED: "not trained",
    End.FAILED: "failed",
    End.CANCELLED: "cancelled",
}

_log = logging.getLogger(__name__)


def run(arguments: Namespace) -> int:
    """Import label maps if asked to, then train, judge and promote each role.

    Returns:
        Exit code: 0 also where nothing was promoted; 1 where a training failed or a case could not be read.

    Raises:
        CmrViewerError: The workspace is in use or cannot be written; there are no models.
    """
    if arguments.threads is not None:
        use_threads(arguments.threads)
    progress = text_progress()
    imported: Imported | None = None
    with open_workspace(arguments.workspace, reader=READER) as workspace:
        if text := workspace.recovery.text():
            print(f"cmr-viewer learn: {text}", file=sys.stderr)
        registry = ModelRegistry(arguments.models, workspace)
        if arguments.import_labels is not None:
            models = cast(Models, load_active_models(own_flow(), registry, arguments.device))
            imported = import_labels(workspace, arguments.import_labels, arguments.codes, models, progress)
            for problem in imported.problems:
                print(f"cmr-viewer learn: {problem}", file=sys.stderr)
        records = Records(workspace, registry)
        results = {role: learn_role(records, Role(role), arguments) for role in arguments.roles}
        in_use = {role.value: entry.model_id for role, entry in registry.active_all().items()}
    values = {
        "program": PROGRAM,
        "notice": NOTICE,
        "workspace": str(arguments.workspace),
        "units": "gain and interval in points (Dice or accuracy x 100); seconds",
        "imported": None if imported is None else vars(imported),
        "roles": results,
        "models": in_use,
    }
    for role, result in results.items():
        print(f"{role}: {result['verdict']}. {result['reason']}", flush=True)
    if arguments.json is not None:
        write_atomically(arguments.json, (json.dumps(values, indent=1) + "\n").encode())
    if arguments.report is not None:
        write_atomically(arguments.report, report(values).encode())
    failed = any(result["verdict"] == VERDICTS[End.FAILED] for result in results.values())
    return 1 if failed or (imported is not None and imported.problems) else 0


def learn_role(records: Records, role: Role, arguments: Namespace) -> dict[str, Any]:
    """Train, judge and perhaps promote one role; what came of it, as JSON values."""
    began = time.monotonic()
    try:
        begun = records.begin(role)
    except TrainingError as error:
        return result_of(role, Outcome(role, End.REFUSED, str(error)), time.monotonic() - began)
    except StoreError as error:
        return result_of(role, Outcome(role, End.FAILED, str(error)), time.monotonic() - began)
    curve: list[tuple[int, float]] = []

    def note(name: str, batch: int, value: float) -> None:
        if name == "loss":
            curve.append((batch, value))

    trained = _trained(records, begun, arguments, note)
    seconds = time.monotonic() - began
    try:
        outcome = records.conclude(begun, replace(trained, curve=curve, seconds=seconds))
    except StoreError as error:
        outcome = Outcome(role, End.FAILED, str(error))
    if trained.cancelled:
        raise KeyboardInterrupt
    return result_of(role, outcome, seconds)


def _trained(records: Records, begun: RetrainingRun, arguments: Namespace, follow: Any) -> Trained:
    changes = {} if arguments.iterations is None else {"iterations": arguments.iterations}
    try:
        assessment = retrain(
            records.workspace.folder,
            begun.role,
            begun.staging,
            model_id=new_model_id(begun.role, records.workspace.folder),
            shipped=arguments.models,
            device=arguments.device,
            changes=changes,
            progress=text_progress(),
            follow=follow,
        )
    except (KeyboardInterrupt, Cancelled):
        return Trained(cancelled=True)
    except Exception as error:  # noqa: BLE001 - each role is a job of its own, and its run must be concluded
        _log.debug("learning failed", exc_info=True)
        return Trained(reason=in_one_line(error))
    return Trained(assessment.as_json())


def result_of(role: Role, outcome: Outcome, seconds: float) -> dict[str, Any]:
    """What came of a role, as JSON values; gains in points."""
    decision = outcome.decision
    found: dict[str, Any] = {
        "patients": 0,
        "frames": 0,
        "gain": None,
        "interval": None,
        "p": None,
        "verdict": VERDICTS[outcome.end],
        "reason": outcome.reason,
        "seconds": round(seconds, 1),
        "model_id": outcome.model_id,
        "measure": "accuracy" if role is Role.CLASSIFIER else "Dice",
    }
    if decision is not None:
        found |= {
            **_change(decision.total),
            "p": decision.p,
            "level": decision.level,
            "look": decision.look,
            "clipped_gain": None if decision.clipped_gain is None else _points(decision.clipped_gain),
            "wrongly_drawn_ml": [round(ml, 3) for ml in decision.false_ml],
            "by_label": {name: _change(change) for name, change in decision.by_label.items()},
            "by_region": {name: _change(change) for name, change in decision.by_region.items()},
        }
    return found


def _points(share: float) -> float:
    return round(100 * share, 2)


def _change(change: Change) -> dict[str, Any]:
    return {
        "patients": change.patients,
        "frames": change.frames,
        "before": _points(change.before),
        "after": _points(change.after),
        "gain": _points(change.gain),
        "interval": [_points(change.low), _points(change.high)],
    }


def report(values: Mapping[str, Any]) -> str:
    """What was learned, as a page of Markdown.

    Args:
        values: As the JSON file has them.
    """
    imported = values["imported"]
    lines = ["# What the models learned", "", f"**{values['notice']}** {values['program']}.", ""]
    if imported is not None:
        lines += [
            f"Imported {imported['patients']} patients: {imported['corrected']} corrected frames, "
            f"{imported['accepted']} as predicted, {imported['regions']} corrected regions, {imported['known']} known.",
            "",
            *(f"- Not read: {problem}" for problem in imported["problems"]),
        ]
    lines += [
        "| model | verdict | patients | frames | before | after | gain | 95 % interval | p | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_row(role, one) for role, one in values["roles"].items()),
        "",
    ]
    for role, one in values["roles"].items():
        lines += [f"## {Role(role).text}", "", one["reason"], ""]
        parts = {**one.get("by_label", {}), **one.get("by_region", {})}
        if parts:
            lines += ["| | patients | frames | before | after | gain | 95 % interval |", "|---|" + 6 * "---|"]
            lines += [*(f"| {name} | {_cells(change)} |" for name, change in parts.items()), ""]
    lines += ["Models in use: " + ", ".join(values["models"].values()) + ".", ""]
    return "\n".join(lines)


def _row(role: str, one: Mapping[str, Any]) -> str:
    if one["gain"] is None:
        return f"| {Role(role).text} | {one['verdict']} | - | - | - | - | - | - | - | {one['seconds']:.0f} |"
    p = "-" if one["p"] is None else f"{one['p']:.3f}"
    return f"| {Role(role).text} | {one['verdict']} | {_cells(one)} | {p} | {one['seconds']:.0f} |"


def _cells(one: Mapping[str, Any]) -> str:
    low, high = one["interval"]
    return (
        f"{one['patients']} | {one['frames']} | {one['before']:.1f} | {one['after']:.1f} | {one['gain']:+.1f} | "
        f"{low:+.1f} to {high:+.1f}"
    )
