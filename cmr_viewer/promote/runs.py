"""The training runs of a workspace as the page of learning shows them; read off the window's thread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError
from cmr_viewer.prepare.plan import Plan, read_plan
from cmr_viewer.promote.records import End, Records
from cmr_viewer.store.model_registry import INTERRUPTED, ModelEntry, PromotionRow, TrainingRun

MINUS = "\N{MINUS SIGN}"

_ENDINGS = {
    End.NOT_PROMOTED.value: "Not better",
    End.CANCELLED.value: "Cancelled",
    End.FAILED.value: "Failed",
    INTERRUPTED: "Interrupted",
}


@dataclass(frozen=True)
class GainLine:
    """A line of the table of gains.

    Attributes:
        name: What of: "All frames", a label or a region.
        before: Score of the model that was in use, 0.0 to 1.0.
        after: Score of the new model.
        gain: Their difference.
        low: Lower end of its 95 % interval; None for a single patient.
        high: Upper end; None for a single patient.
        patients: Patients that judged.
        frames: Their frames.
    """

    name: str
    before: float
    after: float
    gain: float
    low: float | None
    high: float | None
    patients: int
    frames: int

    @property
    def gain_text(self) -> str:
        """The gain in points."""
        return points(self.gain)

    @property
    def interval_text(self) -> str:
        """The interval in points; empty for a single patient."""
        return "" if self.low is None or self.high is None else f"{points(self.low)} to {points(self.high)}"


def points(value: float) -> str:
    """A difference of scores in points, with its sign."""
    rounded = round(100 * value, 1)
    return f"{abs(rounded):.1f}" if rounded == 0 else f"{rounded:+.1f}".replace("-", MINUS)


@dataclass(frozen=True)
class LearningRun:
    """A training run, with what became of its model.

    Attributes:
        run: As it is recorded.
        lineage: The models from the one that came with the program to the new one; the last is the new model.
        in_use: Whether the new model is in use now.
        served: Whether it was in use at some time.
        folder: Folder of the new model; None where there is none, or none any more.
        plan: How it was trained; None where that cannot be read.
        decisions: What was decided about it, oldest first.
    """

    run: TrainingRun
    lineage: tuple[str, ...] = ()
    in_use: bool = False
    served: bool = False
    folder: Path | None = None
    plan: Plan | None = None
    decisions: tuple[PromotionRow, ...] = ()

    @property
    def role(self) -> Role:
        """What was trained."""
        return self.run.role

    @property
    def model_id(self) -> str | None:
        """The new model; None where the run made none."""
        found = self.run.detail.get("model_id")
        return found if isinstance(found, str) else None

    @property
    def is_running(self) -> bool:
        """Whether it still trains."""
        return self.run.finished_at is None

    @property
    def is_removed(self) -> bool:
        """Whether there was a new model, which was removed from the disk since."""
        return self.model_id is not None and self.folder is None and not self.is_running

    @property
    def can_be_used(self) -> bool:
        """Whether the new model can be put in use by the reader."""
        return self.folder is not None and not self.in_use and not self.is_running

    @property
    def ending(self) -> str:
        """How it ended, in a word or two."""
        if self.is_running:
            return "Training now"
        if self.in_use:
            last = next(row for row in reversed(self.decisions) if row.kind != "keep")
            return "In use" if last.kind == "roll_back" or was_promoted(last) else "In use, chosen by a reader"
        if self.served:
            return "No longer in use"
        return _ENDINGS.get(str(self.run.outcome), str(self.run.outcome))

    @property
    def total(self) -> GainLine | None:
        """The gain over all frames; None where nothing was judged."""
        return _line("All frames", _decision(self.run).get("total"))

    @property
    def lines(self) -> tuple[GainLine, ...]:
        """The gains over all frames, by label and by region."""
        decision = _decision(self.run)
        labels, regions = _mapping(decision.get("by_label")), _mapping(decision.get("by_region"))
        found = [
            _line("All frames", decision.get("total")),
            *(_line(Label[name].text, labels[name]) for name in Label.__members__ if name in labels),
            *(_line(f"Region {region.text.lower()}", regions[region.value]) for region in Region if region in regions),
        ]
        return tuple(line for line in found if line is not None)

    @property
    def sentence(self) -> str:
        """The verdict, for a reader."""
        reason = str(self.run.detail.get("reason") or _decision(self.run).get("reason") or "")
        if self.is_running:
            return f"The {self.role.text.lower()} is being trained."
        if self.run.outcome == INTERRUPTED and not reason:
            return "The program ended before the training did. The models in use are unchanged. You can train again."
        return reason.replace("Promoted:", "The new model is better:", 1)

    @property
    def guards(self) -> tuple[str, ...]:
        """What was forgotten, a sentence for each set of frames that guards against it."""
        texts = []
        for one in self.run.detail.get("guards") or ():
            try:
                before, after, patients = float(one["active"]), float(one["candidate"]), int(one["patients"])
                name = str(one["name"])
            except (KeyError, TypeError, ValueError):
                continue
            if patients:
                count = "1 patient" if patients == 1 else f"{patients} patients"
                scores = f"{100 * before:.1f} before, {100 * after:.1f} after ({points(after - before)} points)"
                texts.append(f"On {name} ({count}): {scores}.")
        return tuple(texts)

    @property
    def false_text(self) -> str:
        """How much is drawn for labels that the reference does not have; empty where that is not known."""
        found = _decision(self.run).get("false_ml")
        if not isinstance(found, Sequence) or len(found) != 2 or self.role is Role.CLASSIFIER:
            return ""
        before, after = (float(ml) for ml in found)
        return f"Drawn where your label maps have nothing: {before:.1f} ml a frame before, {after:.1f} ml after."

    @property
    def curve(self) -> list[tuple[int, float]]:
        """(batches done, loss)."""
        return [(int(batch), float(loss)) for batch, loss in self.run.detail.get("curve") or ()]

    @property
    def learned_text(self) -> str:
        """From how many corrections of how many patients it learned; empty where that is not known."""
        corrections, patients = self.run.detail.get("corrections"), self.run.detail.get("corrected_patients")
        if not isinstance(corrections, int) or not isinstance(patients, int):
            return ""
        return f"{corrections} in 1 patient" if patients == 1 else f"{corrections} in {patients} patients"

    @property
    def duration_text(self) -> str:
        """How long it took; empty where that is not known."""
        seconds = self.run.detail.get("seconds")
        if not isinstance(seconds, int | float) or not seconds:
            return ""
        return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"

    @property
    def recipe_text(self) -> str:
        """Seed and settings of the training; empty where they cannot be read."""
        spec = _mapping(None if self.plan is None else self.plan.training.get("spec"))
        known = (
            ("seed", "Seed {}"),
            ("iterations", "{} batches"),
            ("batch", "{} frames a batch"),
            ("learning_rate", "learning rate {:g}"),
            ("average", "average of weights {:g}"),
        )
        return ", ".join(text.format(spec[name]) for name, text in known if isinstance(spec.get(name), int | float))


def was_promoted(row: PromotionRow) -> bool:
    """Whether the gate put the model in use, and no reader."""
    return row.kind == "promote" and row.reason.startswith("Promoted:")


def _decision(run: TrainingRun) -> Mapping[str, Any]:
    return _mapping(run.detail.get("decision"))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _line(name: str, change: object) -> GainLine | None:
    values = _mapping(change)
    try:
        before, after, gain, low, high = (float(values[key]) for key in ("before", "after", "gain", "low", "high"))
        patients, frames = int(values["patients"]), int(values["frames"])
    except (KeyError, TypeError, ValueError):
        return None
    if not frames:
        return None
    one = patients < 2
    return GainLine(name, before, after, gain, None if one else low, None if one else high, patients, frames)


def learning_runs(records: Records) -> list[LearningRun]:
    """All runs, the newest first.

    Raises:
        StoreError: The workspace cannot be read.
    """
    runs, models = records.runs.runs(), {entry.model_id: entry for entry in records.registry.models()}
    active = {entry.model_id for entry in models.values() if entry.active}
    parents = {run.detail["model_id"]: run.detail.get("parent") for run in runs if run.detail.get("model_id")}
    histories = {role: records.registry.history(role) for role in {run.role for run in runs}}
    return [_described(run, models, active, parents, histories[run.role]) for run in reversed(runs)]


def _described(
    run: TrainingRun,
    models: Mapping[str, ModelEntry],
    active: set[str],
    parents: Mapping[str, str | None],
    history: Sequence[PromotionRow],
) -> LearningRun:
    model_id = run.detail.get("model_id")
    lineage = [model_id] if model_id else []
    before = run.detail.get("parent")
    while before is not None and before not in lineage:
        lineage.insert(0, before)
        before = parents.get(before)
    if not model_id:
        return LearningRun(run, tuple(lineage))
    about = tuple(row for row in history if row.model_id == model_id)
    entry = models.get(model_id)
    folder = None if entry is None else entry.folder
    return LearningRun(
        run,
        tuple(lineage),
        in_use=model_id in active,
        served=any(row.kind != "keep" for row in about),
        folder=folder,
        plan=None if folder is None else _plan_of(folder),
        decisions=tuple(
            row
            for row in history
            if model_id == row.model_id or (row.kind != "keep" and model_id == row.previous_model_id)
        ),
    )


def _plan_of(folder: Path) -> Plan | None:
    try:
        return read_plan(folder)
    except ModelError:
        return None
