"""Training runs as a workspace has them, and the folders of their models."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.promote.judge import CHANGES_FILE
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.model_registry import ModelRegistry, TrainingRuns

PATIENTS = tuple(f"{number:016x}" for number in range(8))


def change(before: float, gain: float, *, half: float = 0.01, patients: int = 8, frames: int = 24) -> dict[str, Any]:
    """A `gains.Change` in JSON."""
    values = {"before": before, "after": before + gain, "gain": gain, "low": gain - half, "high": gain + half}
    return {**values, "patients": patients, "frames": frames}


def decision(gain: float, *, promote: bool) -> dict[str, Any]:
    """A `Decision` in JSON: LVBP gains half, LVM as much, RVBP one and a half as much."""
    return {
        "promote": promote,
        "reason": reason_of(promote=promote),
        "look": 8,
        "p": 0.004 if promote else 0.31,
        "level": 0.02,
        "clipped_gain": gain,
        "total": change(0.80, gain),
        "by_label": {
            "LVBP": change(0.88, gain / 2),
            "LVM": change(0.76, gain),
            "RVBP": change(0.71, 1.5 * gain, patients=1, frames=2),
        },
        "by_region": {"base": change(0.80, gain)},
        "false_ml": [2.1, 0.8],
    }


def reason_of(*, promote: bool) -> str:
    """As the gate writes it."""
    if promote:
        return "Promoted: Dice 80.0 to 84.0, +4.0 points (95 % interval +3.0 to +5.0), in 24 frames of 8 patients."
    return (
        "No change: the current model stays. The new model is not measurably better (p = 0.31, and 0.02 or less is "
        "needed). Dice 80.0 to 80.3, +0.3 points (95 % interval -0.7 to +1.3), in 24 frames of 8 patients."
    )


def write_candidate(workspace: Workspace, model_id: str, role: Role, *, changes: bool = True, seed: int = 7) -> Path:
    """A complete model folder in the making, with changed frames."""
    registry = ModelRegistry(workspace.folder / "none", workspace)
    staging = registry.staging_folder()
    spec = {"seed": seed, "iterations": 100, "batch": 8, "learning_rate": 0.0002, "average": 0.97}
    plan = {
        "format": 1,
        "model_id": model_id,
        "role": role.value,
        "architecture": "unet2d",
        "options": {"inputs": 3},
        "spacing_mm": 1.5,
        "rows": 128,
        "cols": 128,
        "created_at": "2026-12-01T02:00:00+00:00",
        "training": {"spec": spec},
    }
    (staging / "plan.json").write_text(json.dumps(plan))
    (staging / "weights.safetensors").write_bytes(b"0")
    if changes:
        write_changed_frames(staging, "stack", [-0.08, 0.02, 0.31])
    return staging


def write_changed_frames(
    folder: Path,
    stack_id: str,
    gains: Sequence[float],
    *,
    maps: Sequence[tuple[Any, Any, Any, Any]] | None = None,
    regions: Sequence[tuple[Region, Region]] | None = None,
) -> None:
    """The changed frames of a candidate, as `judge.write_changes` writes them.

    Args:
        folder: Of the candidate.
        stack_id: Their stack.
        gains: A frame each, the worst first.
        maps: (pixels, reference, before, after) of each; None for small ones.
        regions: Regions before and after, for a classifier.
    """
    arrays, about = {}, []
    for number, gain in enumerate(gains):
        if maps is None:
            reference = np.zeros((40, 32), np.uint8)
            reference[14:26, 10:22], reference[16:24, 12:20] = 2, 1
            pixels, before, after = reference * 100, np.roll(reference, 3, axis=0), np.roll(reference, 1, axis=0)
        else:
            pixels, reference, before, after = maps[number]
        for name, array in (("pixels", pixels), ("reference", reference), ("before", before), ("after", after)):
            arrays[f"{name}_{number}"] = array
        found = (None, None) if regions is None else tuple(region.value for region in regions[number])
        about.append(
            {
                "stack_id": stack_id,
                **FrameIndex(0, number)._asdict(),
                "region": Region.BASE.value,
                "gain": gain,
                "region_before": found[0],
                "region_after": found[1],
            }
        )
    with (folder / CHANGES_FILE).open("wb") as file:
        np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)


def add_run(
    workspace: Workspace,
    registry: ModelRegistry,
    role: Role,
    outcome: str | None,
    *,
    parent: str,
    model_id: str | None = None,
    gain: float = 0.04,
    more: Mapping[str, Any] | None = None,
    changes: bool = True,
) -> int:
    """A run from its beginning to its end as `Records` writes it; outcome None leaves it running."""
    runs = TrainingRuns(workspace)
    begun = {
        "parent": parent,
        "corrections": 24,
        "corrected_patients": len(PATIENTS),
        "fingerprint": "0123456789abcdef",
    }
    run_id = runs.start(role, begun)
    if outcome is None:
        return run_id
    detail: dict[str, Any] = {"reason": "", "model_id": model_id, "seconds": 130.4}
    detail["curve"] = [[batch, round(1.0 / (1 + batch / 20), 4)] for batch in range(5, 505, 5)]
    if model_id is not None:
        promote = outcome == "promoted"
        registry.adopt(write_candidate(workspace, model_id, role, changes=changes))
        reason = reason_of(promote=promote)
        if promote:
            registry.promote(role, model_id, reason)
        else:
            registry.decline(role, model_id, reason)
        guard = {"name": "earlier corrections", "patients": 6, "frames": 20, "active": 0.881, "candidate": 0.879}
        detail |= {"reason": reason, "decision": decision(gain, promote=promote), "guards": [guard]}
    runs.finish(run_id, outcome, {**detail, **(more or {})})
    return run_id
