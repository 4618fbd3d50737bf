"""Runs beside a baseline, on the same frames: all figures as JSON values, and as Markdown tables."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cmr_viewer.domain.anatomy import STRUCTURES, Label, Region
from cmr_viewer.errors import LoadError
from cmr_viewer.evaluate.regions import classification, detection, methods_of
from cmr_viewer.evaluate.report import (
    ALL,
    GROUP_NAMES,
    HEART,
    MEASURE_TEXTS,
    PHASE_NAMES,
    Figures,
    count_text,
    grid,
    p_text,
    percent,
    share_text,
    stack_summaries,
)
from cmr_viewer.evaluate.runs import Run
from cmr_viewer.evaluate.scores import FramePlace, FrameScore
from cmr_viewer.evaluate.significance import dice_by_patient, paired
from cmr_viewer.evaluate.summaries import Summary, counted, curve_of, select, summarise
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
        curves: name -> label -> `DiceCurve`.
        regions: name -> method -> `Classification`.
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
        "curves": {r.name: {label.name: asdict(curve_of(r.run.scores, label)) for label in STRUCTURES} for r in runs},
        "regions": {
            r.name: {method: classification(r.run.regions, method).as_json() for method in methods_of(r.run.regions)}
            for r in runs
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
        LoadError: They were not; the message names the frames.
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


GAINS_TEXT = (
    "Change of the mean Dice of frames (and of its SD) against the baseline, points; positive is better: a higher "
    "mean, a lower SD. * the means differ, p < 0.01 (paired t-test over frames, as in the paper); ° p < 0.01 over the "
    "means of patients, which, unlike the frames of one patient, are independent. The largest gain of a column is bold."
)


def comparison_markdown(figures: Figures) -> str:
    """All tables of a comparison.

    Args:
        figures: What `comparison_of` gives.
    """
    patients = ", ".join(f"{GROUP_NAMES.get(g, g)} {n}" for g, n in figures["patients"].items())
    names = ", ".join(figures["runs"])
    parts = [
        f"Baseline: {figures['baseline']}. Compared with it: {names}. "
        f"{sum(figures['patients'].values())} patients ({patients}), {figures['frames']} frames.",
        f"## Dice by region\n\nDice of frames, % mean (SD).\n\n{dice_table(figures)}",
        f"Dice of whole stacks (3D), % mean (SD), n:\n\n{stacks_table(figures)}",
        f"## Gains over the baseline\n\n{GAINS_TEXT}\n\n{gains_table(figures)}",
        f"Tests of the differences:\n\n{tests_table(figures)}",
        "## Regions\n\nWeighted averages over the regions, %.\n\n" + regions_table(figures["regions"]),
        "## Frames wrongly marked, and missed\n\n" + detection_table(figures),
        "## Volumes, ejection fraction and mass\n\nPredicted minus reference. Change: by how much the mean "
        "absolute error is smaller than that of the baseline, over the patients with a value from both; positive is "
        "better; * p < 0.01 (paired t-test over patients).\n\n" + volumes_table(figures),
    ]
    return "\n\n".join(parts) + "\n"


def dice_table(figures: Figures) -> str:
    """Mean and SD of all runs."""
    rows = []
    for of, runs in _sets(figures["dice"]).items():
        for name, labels in runs.items():
            cells = [percent(labels[label.name][r.value], n=False) for label in STRUCTURES for r in HEART]
            rows.append((_set_name(of), name, *cells))
    return grid(("data set", "run", *_columns(HEART)), rows)


def stacks_table(figures: Figures) -> str:
    """Dice of whole stacks of all runs, at ED and ES."""
    rows = []
    for of, runs in _sets(figures["stacks"]).items():
        for name, phases in runs.items():
            cells = [percent(phases[p][label.name]) for label in STRUCTURES for p in PHASE_NAMES]
            rows.append((_set_name(of), name, *cells))
    columns = [f"{label.name} {phase}" for label in STRUCTURES for phase in PHASE_NAMES]
    return grid(("data set", "run", *columns), rows)


def gains_table(figures: Figures) -> str:
    """Gains of mean and SD over the baseline, as in table 3 of the paper, with the middle beside base and apex."""
    rows = []
    for of, runs in _sets(figures["gains"]).items():
        best = {
            (label, region): max((labels[label.name][region.value]["mean_gain"] or 0.0) for labels in runs.values())
            for label in STRUCTURES
            for region in HEART
        }
        for name, labels in runs.items():
            cells = []
            for label in STRUCTURES:
                for region in HEART:
                    gain = labels[label.name][region.value]
                    bold = len(runs) > 1 and gain["mean_gain"] == best[label, region] > 0
                    cells.append(_gain_cell(gain, bold=bold))
            rows.append((_set_name(of), name, *cells))
    return grid(("data set", "run", *_columns(HEART)), rows)


def tests_table(figures: Figures) -> str:
    """Both paired tests of every difference of all patients."""
    rows = []
    for name, labels in figures["gains"]["all"].items():
        for label in STRUCTURES:
            for region in HEART:
                gain = labels[label.name][region.value]
                frames, patients = gain["frames_paired"], gain["patients_paired"]
                rows.append((name, label.name, region.value, *_test(frames), *_test(patients)))
    head = ("run", "label", "region", "frames", "difference", "p", "patients", "difference (95 % CI)", "p")
    return grid(head, rows)


def regions_table(regions: Mapping[str, Figures]) -> str:
    """Precision and recall of the region classifiers of several runs, as in table 2 of the paper."""
    rows = []
    for name, methods in regions.items():
        for method, found in methods.items():
            if method != "predicted" and found == methods["predicted"]:
                continue
            of = found["weighted"]
            shares = (of["precision"], of["recall"], of["f1"], found["accuracy"], found["accuracy_within_one_slice"])
            rows.append((name, method, *(share_text(share) for share in shares)))
    return grid(("run", "regions", "precision", "recall", "F1", "accuracy", "within one slice"), rows)


def detection_table(figures: Figures) -> str:
    """Frames wrongly marked and cardiac frames missed, of all runs."""
    keys = ("above_base", "below_apex", "wrongly_marked", "missed")
    rows = []
    for of, runs in _sets(figures["detection"]).items():
        for name, found in runs.items():
            rows.append((_set_name(of), name, *(count_text(found[key], "/") for key in keys)))
    return grid(("data set", "run", "marked above the base", "below the apex", "both", "cardiac frames missed"), rows)


def volumes_table(figures: Figures) -> str:
    """Errors of volumes, ejection fractions and mass of all runs."""
    rows = []
    for of, runs in _sets(figures["volumes"]).items():
        for measure in runs[figures["baseline"]]:
            for name, measures in runs.items():
                found = measures[measure]
                gain = figures["volume_gains"][of].get(name, {}).get(measure)
                change = "-"
                if gain is not None and gain["error_gain"] is not None:
                    change = f"{gain['error_gain']:+.2f}{'*' if gain['patients_paired']['significant'] else ''}"
                numbers = (
                    "-" if found[k] is None else f"{found[k]:.1f}" for k in ("mean_absolute_error", "bias", "sd")
                )
                failed = f" ({found['failed']} failed)" if found["failed"] else ""
                rows.append((_set_name(of), MEASURE_TEXTS[measure], name, *numbers, change, f"{found['n']}{failed}"))
    return grid(("data set", "measure", "run", "mean abs. error", "bias", "SD", "change", "n"), rows)


def _sets(by_set: Mapping[str, Figures]) -> Mapping[str, Figures]:
    """Figures by data set; those of all together only where there are several."""
    return {of: found for of, found in by_set.items() if of != "all"} if len(by_set) == 2 else by_set


def _set_name(of: str) -> str:
    return GROUP_NAMES.get(of, of)


def _columns(regions: tuple[Region, ...]) -> list[str]:
    return [f"{label.name} {region.value}" for label in STRUCTURES for region in regions]


def _gain_cell(gain: Figures, *, bold: bool) -> str:
    if gain["mean_gain"] is None:
        return "-"
    marks = "*" if gain["frames_paired"]["significant"] else ""
    marks += "°" if gain["patients_paired"]["significant"] else ""
    mean = f"{100 * gain['mean_gain']:+.2f}"
    sd = "-" if gain["sd_gain"] is None else f"{100 * gain['sd_gain']:+.2f}"
    mean = f"**{mean}**" if bold else mean
    # A star would otherwise begin emphasis in Markdown.
    return f"{mean}{marks.replace('*', chr(92) + '*')} ({sd})"


def _test(test: Figures) -> tuple[str, str, str]:
    difference = "-" if test["difference"] is None else f"{100 * test['difference']:+.2f}"
    if test["p"] is None:
        return str(test["n_first"]), difference, "-"
    interval = f" ({100 * test['low']:+.2f} to {100 * test['high']:+.2f})"
    return str(test["n_first"]), difference + interval, p_text(test["p"])
