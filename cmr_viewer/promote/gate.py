"""The gate: whether a candidate replaces the active model, decided over patients that neither model learned from.

Judging again and again as corrections come in would let every candidate in at some point. So there are four looks,
which share one small chance of a false promotion. At each look one test asks whether the mean gain over patients
(`promote/gains.py`) is above zero; what a candidate loses can veto.

The rule and its numbers are chosen by simulation: `benchmarks/gate_curves.py`, `docs/results/gate.md`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError
from cmr_viewer.promote.gains import Change, Scores, clip_of, p_value

LOOKS = (4, 8, 16, 32)
"""Numbers of patients at which a candidate may be judged."""

SPENT: Mapping[int, float] = {4: 0.02, 8: 0.04, 16: 0.09, 32: 0.10}
"""Chance of a false promotion that is spent up to and including each look. Most of it is for 16 patients, where a gain
like those measured can be seen; at 4 patients only a large and even gain passes."""

POINTS_PER_ML = 0.01
"""What 1 ml costs a frame that is drawn for a label which the reference does not have: 1 point. It is about what 1 ml
too much costs where the label is there: 3 Dice points of a structure of 15 ml, and 1 point of the mean of three."""

LEAST_GAIN = 0.005
"""The least mean clipped gain for a promotion; about the difference of two trainings with other seeds."""

LOSS_LEVEL = 0.05
"""A label or a region loses if the same test, turned around, has this p or less and the mean loss is `LEAST_GAIN` or
more."""

GUARD_MARGIN = 0.01
"""No guard may lose more than this."""

NO_CHANGE = "No change: the current model stays."
"""Begins the reason, for the reader, where the candidate is not promoted."""

_MEASURES = ("Dice", "accuracy")


@dataclass(frozen=True)
class JudgedFrame:
    """Both models on one frame of a patient that neither of them learned from.

    Attributes:
        patient: Opaque id, the same for all frames of a patient in an assessment.
        stack_id: The frame's stack.
        phase: Phase index.
        slice_index: 0 is the most basal.
        region: Region of the frame in the reference.
        active: Score of the active model for every label that the reference has: Dice, 0.0 to 1.0, and 0.0 where the
            model drew none. For a classifier: {"region": 1.0 or 0.0}.
        candidate: The same of the candidate, with the same keys.
        active_ml: Millilitres that the active model drew for every label that the reference does not have.
        candidate_ml: The same of the candidate, with the same keys.
    """

    patient: str
    stack_id: str
    phase: int
    slice_index: int
    region: Region
    active: Mapping[str, float]
    candidate: Mapping[str, float]
    active_ml: Mapping[str, float]
    candidate_ml: Mapping[str, float]


@dataclass(frozen=True)
class GuardScore:
    """Both models on frames that must not be forgotten.

    Attributes:
        name: "other scanners" or "earlier corrections".
        patients: Number of patients; with 0 there is nothing to guard.
        frames: Number of their frames.
        active: Mean score over the patients, 0.0 to 1.0.
        candidate: The same of the candidate.
    """

    name: str
    patients: int
    frames: int
    active: float
    candidate: float


@dataclass(frozen=True)
class Assessment:
    """Both models' figures on the same frames.

    Attributes:
        role: The role they compete for.
        candidate_id: The newly trained model.
        active_id: The model in service.
        measure: What the scores are: "Dice" or "accuracy".
        frames: Each judged by models that never saw its patient.
        guards: What must not be forgotten.
        taught: Keys of all patients that the candidate learned from, also of those that do not judge.
    """

    role: Role
    candidate_id: str
    active_id: str
    measure: str
    frames: tuple[JudgedFrame, ...]
    guards: tuple[GuardScore, ...]
    taught: tuple[str, ...] = ()

    @property
    def patients(self) -> int:
        """Number of patients that judge."""
        return len({frame.patient for frame in self.frames})

    def as_json(self) -> dict[str, Any]:
        """JSON values that `from_json` takes."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> "Assessment":
        """An assessment from JSON values.

        Raises:
            ModelError: Something is missing, of the wrong kind, out of range or not finite.
        """
        try:
            measure = _text(values["measure"])
            if measure not in _MEASURES:
                raise ValueError(f"unknown measure {measure!r}")
            return Assessment(
                role=Role(values["role"]),
                candidate_id=_text(values["candidate_id"]),
                active_id=_text(values["active_id"]),
                measure=measure,
                frames=tuple(_frame(frame) for frame in values["frames"]),
                guards=tuple(_guard(guard) for guard in values["guards"]),
                taught=tuple(_text(patient) for patient in values["taught"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(
                f"Could not read the figures of the new model: {error!r}. {NO_CHANGE} Train again."
            ) from error


@dataclass(frozen=True)
class Decision:
    """The decision on a candidate.

    Attributes:
        promote: Whether to put it in use.
        reason: Why, with the figures, for a reader.
        look: Patients of the look that was used; None where no look was due.
        p: One-sided p of the clipped gain over patients; None without a look.
        level: What p must not exceed; None without a look.
        clipped_gain: Mean over patients of the clipped gain; None without a look.
        total: Over all frames. The score of a frame is the mean of its labels, less `POINTS_PER_ML` for what is drawn
            wrongly; a frame without any label in the reference starts from 1.
        by_label: Dice alone, over the frames whose reference has the label.
        by_region: As `total`, by the frames' region.
        false_ml: Mean millilitres drawn per frame for labels that the reference does not have, before and after.
    """

    promote: bool
    reason: str
    look: int | None
    p: float | None
    level: float | None
    clipped_gain: float | None
    total: Change
    by_label: Mapping[str, Change]
    by_region: Mapping[str, Change]
    false_ml: tuple[float, float]

    def as_json(self) -> dict[str, Any]:
        """JSON values, for records and pages."""
        return asdict(self)


def due_look(patients: int, earlier: Sequence[int]) -> int | None:
    """The look that so many patients allow and that is not used up; None if there is none.

    Args:
        patients: Patients with corrected frames of the role.
        earlier: Looks that were used against the same active model.
    """
    return max((look for look in _looks_left(earlier) if look <= patients), default=None)


def missing_patients(patients: int, earlier: Sequence[int]) -> int | None:
    """How many more patients the next look takes: 0 if one is due, None if no look is left."""
    left = _looks_left(earlier)
    return max(0, left[0] - patients) if left else None


def level_of(look: int, earlier: Sequence[int]) -> float:
    """What p must not exceed at a look: all that may be spent up to it, less what earlier looks spent.

    The share of a look that was skipped is thus not lost. The levels of any series of looks add up to what is spent,
    so the chance of a false promotion stays below it however the looks depend on one another.
    """
    used = [spent for at, spent in SPENT.items() if at <= max(earlier, default=0)]
    return round(SPENT[look] - max(used, default=0.0), 6)


def decide(assessment: Assessment, earlier: Sequence[int]) -> Decision:
    """Decide by the figures.

    A candidate is promoted if a look is due, p is at most the look's level, the mean clipped gain is `LEAST_GAIN` or
    more, the mean gain without clipping is above zero, no label and no region loses, and no guard loses more than
    `GUARD_MARGIN`. Otherwise the active model stays.

    Args:
        assessment: The figures; all of its patients are judged, also where they are more than the look needs.
        earlier: Looks that were used against the same active model.
    """
    whole = _of_frames(assessment.frames)
    labels = _of_labels(assessment.frames)
    regions = {
        region.value: _of_frames([frame for frame in assessment.frames if frame.region is region])
        for region in dict.fromkeys(frame.region for frame in assessment.frames)
    }
    total = whole.change()
    look = due_look(total.patients, earlier)
    p, level, clipped_gain = None, None, None
    if look is None:
        objection: str | None = _not_due(total.patients, earlier)
    else:
        gains = whole.clipped_gains(assessment.role)
        p, clipped_gain = float(p_value(gains, clip_of(assessment.role))), float(gains.mean())
        level = level_of(look, earlier)
        objection = (
            _too_little(p, level, clipped_gain, total.gain)
            or _loss(labels, regions, assessment.role)
            or _forgotten(assessment.guards)
        )
    figures = "" if total.frames == 0 else f" {_figures(total, assessment.measure)}."
    reason = f"Promoted:{figures}" if objection is None else f"{NO_CHANGE} {objection}{figures}"
    return Decision(
        promote=objection is None,
        reason=reason,
        look=look,
        p=p,
        level=level,
        clipped_gain=clipped_gain,
        total=total,
        by_label={name: scores.change() for name, scores in labels.items()},
        by_region={name: scores.change() for name, scores in regions.items()},
        false_ml=_false_ml(assessment.frames),
    )


def _of_frames(frames: Sequence[JudgedFrame]) -> Scores:
    return Scores(
        tuple(frame.patient for frame in frames),
        np.array([_score(frame.active, frame.active_ml) for frame in frames]),
        np.array([_score(frame.candidate, frame.candidate_ml) for frame in frames]),
    )


def _score(labels: Mapping[str, float], wrong_ml: Mapping[str, float]) -> float:
    mean = sum(labels.values()) / len(labels) if labels else 1.0
    return mean - POINTS_PER_ML * sum(wrong_ml.values())


def _of_labels(frames: Sequence[JudgedFrame]) -> dict[str, Scores]:
    found = {}
    for name in dict.fromkeys(name for frame in frames for name in frame.active):
        having = [frame for frame in frames if name in frame.active]
        found[name] = Scores(
            tuple(frame.patient for frame in having),
            np.array([frame.active[name] for frame in having]),
            np.array([frame.candidate[name] for frame in having]),
        )
    return found


def _false_ml(frames: Sequence[JudgedFrame]) -> tuple[float, float]:
    count = max(1, len(frames))
    before = sum(sum(frame.active_ml.values()) for frame in frames)
    after = sum(sum(frame.candidate_ml.values()) for frame in frames)
    return before / count, after / count


def _looks_left(earlier: Sequence[int]) -> list[int]:
    return [look for look in LOOKS if look > max(earlier, default=0)]


def _not_due(patients: int, earlier: Sequence[int]) -> str:
    left = _looks_left(earlier)
    if not left:
        return f"It was judged at {_count(max(earlier), 'patient')}, which was the last time."
    return f"Too few patients to decide: {patients}, and {left[0]} are needed."


def _too_little(p: float, level: float, clipped_gain: float, gain: float) -> str | None:
    if not p <= level:
        return f"The new model is not measurably better ({_p_text(p)}, and {level:.2f} or less is needed)."
    if not clipped_gain >= LEAST_GAIN:
        return (
            f"The gain is too small: {100 * clipped_gain:.1f} points after large changes are limited, and "
            f"{100 * LEAST_GAIN:.1f} are needed."
        )
    return None if gain > 0 else "Most frames gain, but a few lose more than the others gain."


def _loss(labels: Mapping[str, Scores], regions: Mapping[str, Scores], role: Role) -> str | None:
    parts = [(f"The {_label_text(name)}", scores) for name, scores in labels.items()]
    parts += [(f"The {Region(name).text.lower()} region", scores) for name, scores in regions.items()]
    for name, scores in parts:
        if _loses(scores, role):
            change = scores.change()
            return f"{name} gets worse: {_range(change)}, over {_count(change.patients, 'patient')}."
    return None


def _loses(scores: Scores, role: Role) -> bool:
    losses = -scores.clipped_gains(role)
    return bool(losses.mean() >= LEAST_GAIN and p_value(losses, clip_of(role)) <= LOSS_LEVEL)


def _forgotten(guards: Iterable[GuardScore]) -> str | None:
    for guard in guards:
        loss = guard.active - guard.candidate
        if guard.patients > 0 and not loss <= GUARD_MARGIN:
            return (
                f"The new model forgets: {100 * loss:.1f} points are lost on {guard.name} "
                f"({_count(guard.patients, 'patient')}), and at most {100 * GUARD_MARGIN:.1f} may be."
            )
    return None


def _figures(total: Change, measure: str) -> str:
    where = f"{_count(total.frames, 'frame')} of {_count(total.patients, 'patient')}"
    if total.patients < 2:
        return f"{measure} {100 * total.before:.1f} to {100 * total.after:.1f} in {where}"
    return f"{measure} {_range(total)}, in {where}"


def _range(change: Change) -> str:
    return (
        f"{100 * change.before:.1f} to {100 * change.after:.1f}, {100 * change.gain:+.1f} points "
        f"(95 % interval {100 * change.low:+.1f} to {100 * change.high:+.1f})"
    )


def _label_text(name: str) -> str:
    text = Label[name].text if name in Label.__members__ else name
    return text if text.startswith(("LV", "RV")) else text.lower()


def _p_text(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _frame(values: Mapping[str, Any]) -> JudgedFrame:
    read = JudgedFrame(
        patient=_text(values["patient"]),
        stack_id=_text(values["stack_id"]),
        phase=_index(values["phase"]),
        slice_index=_index(values["slice_index"]),
        region=Region(values["region"]),
        active={_text(name): _share(score) for name, score in values["active"].items()},
        candidate={_text(name): _share(score) for name, score in values["candidate"].items()},
        active_ml={_text(name): _amount(ml) for name, ml in values["active_ml"].items()},
        candidate_ml={_text(name): _amount(ml) for name, ml in values["candidate_ml"].items()},
    )
    if read.active.keys() != read.candidate.keys() or read.active_ml.keys() != read.candidate_ml.keys():
        raise ValueError("the two models are not judged on the same labels")
    return read


def _guard(values: Mapping[str, Any]) -> GuardScore:
    return GuardScore(
        name=_text(values["name"]),
        patients=_index(values["patients"]),
        frames=_index(values["frames"]),
        active=_share(values["active"]),
        candidate=_share(values["candidate"]),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _index(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no count")
    return value


def _amount(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or value < 0:
        raise ValueError(f"{value!r} is no number from 0")
    return float(value)


def _share(value: Any) -> float:
    if _amount(value) > 1:
        raise ValueError(f"{value!r} is no number from 0 to 1")
    return float(value)
