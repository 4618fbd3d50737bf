"""All figures of a run, as JSON values."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES, Label, Region
from cmr_viewer.evaluate.by_region import CONVENTION, counted, dice_by_region, select, summary_of
from cmr_viewer.evaluate.classification import classification, ways_of
from cmr_viewer.evaluate.curve import curve_of
from cmr_viewer.evaluate.detection import detection
from cmr_viewer.evaluate.runs import Run
from cmr_viewer.evaluate.scores import FrameScore, StackScore
from cmr_viewer.evaluate.significance import LEVEL, dice_by_patient, paired, welch
from cmr_viewer.evaluate.summary import summarise
from cmr_viewer.evaluate.volumes import agreements

PHASE_NAMES = ("ED", "ES")
ALL = "all"


def report_of(run: Run) -> dict[str, Any]:
    """All figures of a run, and under "by_group" those of each data set by itself.

    Keys:
        patients, frames: Numbers.
        dice: label -> region -> mean, sd, n over frames.
        stack_dice: label -> mean, sd, n over stacks (3D).
        region_accuracy, confusion: Of the regions that route.
        by_phase: "all", "ED", "ES" -> label -> "all" or region -> `RegionSummary`.
        stacks: "all", "ED", "ES" -> label -> dice, hd95_mm, assd_mm.
        curves: "all", "ED", "ES" -> label -> `Curve`.
        significance: label -> "base", "apex" -> tests against the middle.
        regions: way -> `Classification`.
        detection: Frames wrongly marked and missed.
        volumes: measure -> `VolumeAgreement`.
    """
    report = _report(run)
    report["conventions"] = {
        "dice": CONVENTION,
        "hd95_mm": "The larger of the 95th percentiles of the distances between the borders, both ways.",
        "assd_mm": "Mean of the distances between the borders, both ways together.",
        "curves": "101 points from the first to the last slice with any label; mean and SD over stacks.",
        "significance": f"Marked at p < {LEVEL}. Frames of a patient are not independent: see patients_paired.",
        "volumes": "Predicted minus reference, at the reference's ED and ES; ml and g where the spacing is known.",
    }
    report["by_group"] = {group: _report(run.of_group(group)) for group in run.patients}
    return report


def _report(run: Run) -> dict[str, Any]:
    by_region = dice_by_region(run.scores)
    regions = {way: classification(run.regions, way).as_json() for way in ways_of(run.regions)}
    predicted = regions.get("predicted") or classification([]).as_json()
    return {
        "patients": sum(run.patients.values()),
        "frames": len(run.regions),
        "dice": {
            label.name: {region.value: asdict(by_region[label, region]) for region in REGIONS} for label in STRUCTURES
        },
        "stack_dice": {label.name: stack_summaries(run.stacks, label, ALL)["dice"] for label in STRUCTURES},
        "region_accuracy": predicted["accuracy"],
        "confusion": predicted["confusion"],
        "by_phase": {name: _by_region(run.scores, name) for name in (ALL, *PHASE_NAMES)},
        "stacks": {
            name: {label.name: stack_summaries(run.stacks, label, name) for label in STRUCTURES}
            for name in (ALL, *PHASE_NAMES)
        },
        "curves": {
            name: {label.name: curve_of(_of_phase(run.scores, name), label).as_json() for label in STRUCTURES}
            for name in (ALL, *PHASE_NAMES)
        },
        "significance": {label.name: _against_middle(run.scores, label) for label in STRUCTURES},
        "regions": regions,
        "detection": detection(run.scores).as_json(),
        "volumes": {name: asdict(found) for name, found in agreements(run.volumes).items()},
    }


def _of_phase(scores: Sequence[FrameScore], name: str) -> list[FrameScore]:
    return select(scores, phase_name=None if name == ALL else name)


def _by_region(scores: Sequence[FrameScore], name: str) -> dict[str, Any]:
    of_phase = _of_phase(scores, name)
    table: dict[str, Any] = {}
    for label in STRUCTURES:
        of_label = select(of_phase, label=label)
        table[label.name] = {
            ALL: asdict(summary_of(of_label)),
            **{region.value: asdict(summary_of(select(of_label, region=region))) for region in REGIONS},
        }
    return table


def stack_summaries(stacks: Sequence[StackScore], label: Label, name: str) -> dict[str, Any]:
    """Dice and distances of one label over stacks of a phase, "all", "ED" or "ES"."""
    taken = [s for s in stacks if s.label is label and name in (ALL, s.phase_name)]
    return {
        "dice": asdict(summarise(s.dice for s in taken)),
        "hd95_mm": asdict(summarise(s.hd95_mm for s in taken)),
        "assd_mm": asdict(summarise(s.assd_mm for s in taken)),
    }


def _against_middle(scores: Sequence[FrameScore], label: Label) -> Mapping[str, Any]:
    """Base and apex against the middle: over frames as in the paper, and over the means of patients that have both."""
    middle = counted(select(scores, label=label, region=Region.MIDDLE))
    middle_of = dice_by_patient(middle)
    tests: dict[str, Any] = {}
    for region in (Region.BASE, Region.APEX):
        end = counted(select(scores, label=label, region=region))
        end_of = dice_by_patient(end)
        patients = sorted(set(end_of) & set(middle_of))
        tests[region.value] = {
            "frames_welch": welch(_dice(end), _dice(middle)).as_json(),
            "patients_paired": paired([end_of[p] for p in patients], [middle_of[p] for p in patients]).as_json(),
        }
    return tests


def _dice(scores: Sequence[FrameScore]) -> list[float]:
    return [score.dice for score in scores if score.dice is not None]
