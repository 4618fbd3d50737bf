"""Runs beside a baseline, on the same frames."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cmr_viewer.domain.anatomy import STRUCTURES, Label, Region
from cmr_viewer.errors import LoadError
from cmr_viewer.evaluate.by_region import counted, select
from cmr_viewer.evaluate.classification import classification, ways_of
from cmr_viewer.evaluate.curve import curve_of
from cmr_viewer.evaluate.detection import detection
from cmr_viewer.evaluate.report import ALL, PHASE_NAMES, stack_summaries
from cmr_viewer.evaluate.runs import Run
from cmr_viewer.evaluate.scores import FramePlace, FrameScore
from cmr_viewer.evaluate.significance import dice_by_patient, paired
from cmr_viewer.evaluate.summary import Summary, summarise
from cmr_viewer.evaluate.tables import HEART
from cmr_viewer.evaluate.volumes import VolumePair, agreement_of, agreements

ScoreKey = tuple[str, str, int, int, Label]


@dataclass(frozen=True, eq=False)
class NamedRun:
    """A run and what it is called in tables and pictures."""

    name: str
    run: Run


def comparison_of(baseline: NamedRun, others: Sequence[NamedRun]) -> dict[str, Any]:
    """All figures of runs beside a baseline, as JSON values.

    Gains are positive where a run is better: a higher mean Dice, a lower SD, a smaller error.

    Keys:
        baseline, runs: Names.
        patients: Number of patients by data set.
        frames: Number of frames.
        dice: "all" or data set -> name -> label -> "base", "middle", "apex" -> mean, sd, n.
        stacks: "all" or data set -> name -> "ED", "ES" -> label -> mean, sd, n of the 3D Dice.
        gains: "all" or data set -> name of a run -> label -> region -> mean_gain, sd_gain and the tests.
        curves: name -> label -> `Curve`.
        regions: name -> way -> `Classification`.
        detection: "all" or data set -> name -> `Detection`.
        volumes: "all" or data set -> name -> measure -> `VolumeAgreement`.
        volume_gains: "all" or data set -> name of a run -> measure -> error_gain, sd_gain and the test.

    Raises:
        LoadError: A run was not measured on the baseline's frames.

    Source:
        Mariscal-Harana et al. 2021, table 3 (gains of mean and SD, paired t-test) and figure 2 (curves).
    """
    for other in others:
        check_same_frames(baseline, other)
    runs = (baseline, *others)
    groups = list(baseline.run.patients)
    sets = {ALL: list(runs)} | {g: [NamedRun(r.name, r.run.of_group(g)) for r in runs] for g in groups}
    return {
        "baseline": baseline.name,
        "runs": [other.name for other in others],
        "patients": dict(baseline.run.patients),
        "frames": len(baseline.run.regions),
        "dice": {of: {r.name: _dice(r.run) for r in taken} for of, taken in sets.items()},
        "stacks": {of: {r.name: _stacks(r.run) for r in taken} for of, taken in sets.items()},
        "gains": {of: {r.name: _gains(taken[0].run, r.run) for r in taken[1:]} for of, taken in sets.items()},
        "curves": {r.name: {label.name: curve_of(r.run.scores, label).as_json() for label in STRUCTURES} for r in runs},
        "regions": {
            r.name: {way: classification(r.run.regions, way).as_json() for way in ways_of(r.run.regions)} for r in runs
        },
        "detection": {of: {r.name: detection(r.run.scores).as_json() for r in taken} for of, taken in sets.items()},
        "volumes": {
            of: {r.name: {m: asdict(a) for m, a in agreements(r.run.volumes).items()} for r in taken}
            for of, taken in sets.items()
        },
        "volume_gains": {
            of: {r.name: _volume_gains(taken[0].run, r.run) for r in taken[1:]} for of, taken in sets.items()
        },
    }


def check_same_frames(baseline: NamedRun, other: NamedRun) -> None:
    """See that two runs were measured on the same frames, against the same reference.

    Raises:
        LoadError: They were not; says which frames.
    """
    first, second = _references(baseline.run), _references(other.run)
    sides = ((first, second, baseline, other), (second, first, other, baseline))
    problems = [
        f"Frames of {one.name} that {two.name} lacks: {_frames([key for key in here if key not in there])}"
        for here, there, one, two in sides
        if here.keys() - there.keys()
    ]
    changed = [key for key in first if key in second and first[key] != second[key]]
    if changed:
        problems.append(f"Frames whose reference label maps differ: {_frames(changed)}")
    if problems:
        raise LoadError(
            f"{baseline.name} and {other.name} cannot be compared. {'. '.join(problems)}. "
            "Evaluate both on the same data with the same --split and --split-file."
        )


def _references(run: Run) -> Mapping[ScoreKey, tuple[Region, int]]:
    """The reference of each frame, and of each label in it where the frame was segmented."""
    found: dict[ScoreKey, tuple[Region, int]] = {}
    for regions in run.regions:
        found[_key(regions.place, Label.BACKGROUND)] = regions.place.region, 0
    for score in run.scores:
        found[_key(score.place, score.label)] = score.place.region, score.reference_pixels
    return found


def _key(place: FramePlace, label: Label) -> ScoreKey:
    return place.group, place.patient, place.phase, place.slice_index, label


def _frames(keys: Sequence[ScoreKey]) -> str:
    """How many frames, and which is the first."""
    _, patient, phase, slice_index, _ = keys[0]
    return f"{len({key[:4] for key in keys})}, the first {patient}, phase {phase}, slice {slice_index}"


def _dice(run: Run) -> dict[str, Any]:
    return {
        label.name: {region.value: asdict(_summary(_of(run.scores, label, region))) for region in HEART}
        for label in STRUCTURES
    }


def _stacks(run: Run) -> dict[str, Any]:
    return {
        name: {label.name: stack_summaries(run.stacks, label, name)["dice"] for label in STRUCTURES}
        for name in PHASE_NAMES
    }


def _of(scores: Sequence[FrameScore], label: Label, region: Region) -> list[FrameScore]:
    """Scores that count, in an order that is that of every run on the same frames."""
    taken = counted(select(scores, label=label, region=region))
    return sorted(taken, key=lambda s: (s.place.group, s.place.patient, s.place.phase, s.place.slice_index))


def _summary(scores: Sequence[FrameScore]) -> Summary:
    return summarise(score.dice for score in scores)


def _gains(baseline: Run, run: Run) -> dict[str, Any]:
    """Gains by label and region; tested over frames as in the paper, and over the means of patients."""
    return {
        label.name: {
            region.value: _gain(_of(baseline.scores, label, region), _of(run.scores, label, region)) for region in HEART
        }
        for label in STRUCTURES
    }


def _gain(baseline: Sequence[FrameScore], run: Sequence[FrameScore]) -> dict[str, Any]:
    before, after = _summary(baseline), _summary(run)
    before_of, after_of = dice_by_patient(baseline), dice_by_patient(run)
    patients = sorted(before_of)
    frames = paired([s.dice or 0.0 for s in run], [s.dice or 0.0 for s in baseline])
    return {
        "mean_gain": _difference(after.mean, before.mean),
        "sd_gain": _difference(before.sd, after.sd),
        "frames_paired": frames.as_json(),
        "patients_paired": paired([after_of[p] for p in patients], [before_of[p] for p in patients]).as_json(),
    }


def _difference(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first - second


def _volume_gains(baseline: Run, run: Run) -> dict[str, Any]:
    """By measure: how much smaller the errors are, over the patients for whom both give a value."""
    found = {(pair.measure, pair.patient): pair for pair in run.volumes if pair.error is not None}
    gains: dict[str, Any] = {}
    for measure in agreements(baseline.volumes):
        of_baseline = [p for p in baseline.volumes if p.measure == measure and p.error is not None]
        before = [pair for pair in of_baseline if (measure, pair.patient) in found]
        after = [found[measure, pair.patient] for pair in before]
        one, two = agreement_of(before), agreement_of(after)
        gains[measure] = {
            "error_gain": _difference(one.mean_absolute_error, two.mean_absolute_error),
            "sd_gain": _difference(one.sd, two.sd),
            "patients_paired": paired(_errors(before), _errors(after)).as_json(),
        }
    return gains


def _errors(pairs: Sequence[VolumePair]) -> list[float]:
    return [abs(pair.error) for pair in pairs if pair.error is not None]
