"""All figures of a run, as JSON values and as Markdown tables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES, Label, Region
from cmr_viewer.evaluate.regions import classification, detection, methods_of
from cmr_viewer.evaluate.runs import Run
from cmr_viewer.evaluate.scores import FrameScore, StackScore
from cmr_viewer.evaluate.significance import LEVEL, dice_by_patient, paired, welch
from cmr_viewer.evaluate.summaries import CONVENTION, counted, curve_of, select, summarise, summary_of
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
        curves: "all", "ED", "ES" -> label -> `DiceCurve`.
        significance: label -> "base", "apex" -> tests against the middle.
        regions: method -> `Classification`.
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
    names = (ALL, *PHASE_NAMES)
    by_phase = {name: _by_region(run.scores, name) for name in names}
    stacks = {name: {label.name: stack_summaries(run.stacks, label, name) for label in STRUCTURES} for name in names}
    regions = {method: classification(run.regions, method).as_json() for method in methods_of(run.regions)}
    predicted = regions.get("predicted") or classification([]).as_json()
    return {
        "patients": sum(run.patients.values()),
        "frames": len(run.regions),
        "dice": {
            label: {region.value: of_label[region.value]["dice"] for region in REGIONS}
            for label, of_label in by_phase[ALL].items()
        },
        "stack_dice": {label: of_label["dice"] for label, of_label in stacks[ALL].items()},
        "region_accuracy": predicted["accuracy"],
        "confusion": predicted["confusion"],
        "by_phase": by_phase,
        "stacks": stacks,
        "curves": {
            name: {label.name: asdict(curve_of(_of_phase(run.scores, name), label)) for label in STRUCTURES}
            for name in names
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
    taken = [s for s in stacks if s.label is label and name in (ALL, s.place.phase_name)]
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


Figures = Mapping[str, Any]

HEART: tuple[Region, ...] = (Region.BASE, Region.MIDDLE, Region.APEX)
GROUP_NAMES: Mapping[str, str] = {"acdc": "ACDC", "mnms": "M&Ms", "scd": "Sunnybrook", "dsb2": "DSB2"}
MEASURE_TEXTS: Mapping[str, str] = {
    "lv_edv_ml": "LV EDV, ml",
    "lv_esv_ml": "LV ESV, ml",
    "lv_sv_ml": "LV SV, ml",
    "lv_ef_percent": "LV EF, points",
    "lv_mass_g": "LV mass, g",
    "rv_edv_ml": "RV EDV, ml",
    "rv_esv_ml": "RV ESV, ml",
    "rv_sv_ml": "RV SV, ml",
    "rv_ef_percent": "RV EF, points",
}
METHOD_TEXTS: Mapping[str, str] = {
    "predicted": "As the program classifies them",
    "argmax": "Each frame by itself (argmax)",
}
"""Ways to classify regions, for a reader."""


def markdown(figures: Figures) -> str:
    """All tables of a run.

    Args:
        figures: What `report_of` gives, with "routing" and "split".
    """
    groups = figures["by_group"]
    of_groups = ", ".join(f"{GROUP_NAMES.get(g, g)} {of['patients']}" for g, of in groups.items())
    parts = [
        f"{figures['patients']} patients ({of_groups}), {figures['frames']} frames, part of the split: "
        f"{figures['split']}, routing: {figures['routing']}",
        "## Dice by region\n\nDice of frames, % mean (SD), n. " + figures["conventions"]["dice"],
        dice_table(figures),
        *(f"{name}:\n\n{phase_table(figures, name)}" for name in ("ED", "ES")),
        "Counts:\n\n" + counts_table(figures),
        "## Distances\n\nBorders in the frame (stack: in space), mm mean (SD), n; where both have the label and the "
        "spacing is known.",
        *(f"{text}:\n\n{distance_table(figures, key)}" for key, text in (("hd95_mm", "HD95"), ("assd_mm", "ASSD"))),
        "## Base and apex compared with the middle\n\n" + significance_table(figures),
        "## By data set\n\nDice of frames, % mean (SD); * differs from the middle, p < 0.01 "
        "(Welch over frames).\n\n" + group_table(groups),
        "## Regions\n\n" + "\n\n".join(region_tables(figures["regions"])),
        "## Frames wrongly marked, and missed\n\n" + detection_table({"all": figures, **groups}),
        "## Volumes, ejection fraction and mass\n\nPredicted minus reference.\n\n"
        + volume_table({"all": figures, **groups} if len(groups) > 1 else groups),
    ]
    return "\n\n".join(parts) + "\n"


def dice_table(figures: Figures) -> str:
    """Dice by label and region, and over whole stacks."""
    return _by_region_table(figures["dice"], figures["stack_dice"], percent)


def phase_table(figures: Figures, name: str) -> str:
    """Dice by label and region at one phase, "ED" or "ES"."""
    return _by_region_table(figures["by_phase"][name], figures["stacks"][name], lambda of: percent(of["dice"]))


def distance_table(figures: Figures, key: str) -> str:
    """Distances of borders by label and region; `key` is "hd95_mm" or "assd_mm"."""
    return _by_region_table(figures["by_phase"]["all"], figures["stacks"]["all"], lambda of: _plain(of[key]))


def _by_region_table(frames: Figures, stacks: Figures, cell: Callable[[Figures], str]) -> str:
    rows = (
        (label.name, *(cell(frames[label.name][r.value]) for r in HEART), cell(stacks[label.name]))
        for label in STRUCTURES
    )
    return grid(("label", *(r.value for r in HEART), "whole stack (3D)"), rows)


def counts_table(figures: Figures) -> str:
    """Dice over the frames where either has the label, and how often a label is missed or wrongly marked."""
    rows = []
    for label in STRUCTURES:
        for region in REGIONS:
            of = figures["by_phase"]["all"][label.name][region.value]
            counts = (of["frames"], of["missed"], of["wrongly_marked"], of["both_empty"])
            rows.append((label.name, region.value, percent(of["dice_either"]), *(str(count) for count in counts)))
    return grid(("label", "region", "Dice, either has it", "frames", "missed", "wrongly marked", "both empty"), rows)


def significance_table(figures: Figures) -> str:
    """Tests of base and apex against the middle."""
    rows = []
    for label in STRUCTURES:
        for region in (Region.BASE, Region.APEX):
            tests = figures["significance"][label.name][region.value]
            rows.append((label.name, region.value, *_test(tests["frames_welch"]), *_test(tests["patients_paired"])))
    return grid(
        ("label", "region", "difference, frames", "p (Welch)", "df", "difference, patients", "p (paired)", "df"), rows
    )


def group_table(groups: Mapping[str, Figures]) -> str:
    """Dice by data set, label and region, as table 1 of the paper has it.

    Args:
        groups: Figures by data set, `report_of(...)["by_group"]`.
    """
    rows = []
    for group, figures in groups.items():
        for label in STRUCTURES:
            cells = []
            for region in HEART:
                summary = figures["dice"][label.name][region.value]
                test = figures["significance"][label.name].get(region.value)
                cells.append(_starred(summary, test is not None and test["frames_welch"]["significant"]))
            rows.append((GROUP_NAMES.get(group, group), label.name, *cells))
    return grid(("data set", "label", *(r.value for r in HEART)), rows)


def region_tables(regions: Mapping[str, Figures]) -> list[str]:
    """Scores of the classifier; methods to classify regions that agree in all frames appear once."""
    texts: list[str] = []
    shown: list[Figures] = []
    for method, found in regions.items():
        if found in shown:
            continue
        shown.append(found)
        if found["accuracy"] is None:
            texts.append("No frame was classified.")
            continue
        texts.append(
            f"{METHOD_TEXTS.get(method, method)}: {100 * found['accuracy']:.1f} % of frames correct, "
            f"{100 * found['accuracy_within_one_slice']:.1f} % within one slice."
        )
        rows = [(name, found["classes"][name]) for name in (r.value for r in REGIONS)]
        texts.append(
            grid(
                ("region", "precision, %", "recall, %", "F1, %", "frames"),
                (
                    (name, *(share_text(of[key]) for key in ("precision", "recall", "f1")), str(of["n"]))
                    for name, of in (*rows, ("weighted average", found["weighted"]))
                ),
            )
        )
        texts.append(
            grid(
                (f"reference \\ {method}", *(r.value for r in REGIONS)),
                ((r.value, *(str(found["confusion"][r.value][p.value]) for p in REGIONS)) for r in REGIONS),
            )
        )
    return texts


def detection_table(sets: Mapping[str, Figures]) -> str:
    """Frames wrongly marked above the base and below the apex, and cardiac frames missed, by set of patients."""
    keys = ("above_base", "below_apex", "wrongly_marked", "missed")
    return grid(
        ("", "marked above the base", "marked below the apex", "marked, both", "cardiac frames missed"),
        ((GROUP_NAMES.get(name, name), *(count_text(f["detection"][key]) for key in keys)) for name, f in sets.items()),
    )


def volume_table(sets: Mapping[str, Figures]) -> str:
    """Errors of volumes, ejection fractions and mass, by set of patients."""
    rows = []
    for name, figures in sets.items():
        for measure, of in figures["volumes"].items():
            limits = "-" if of["lower"] is None else f"{of['lower']:.1f} to {of['upper']:.1f}"
            numbers = (_number(of[key]) for key in ("mean_absolute_error", "median_absolute_error", "bias", "sd"))
            correlation = "-" if of["correlation"] is None else f"{of['correlation']:.3f}"
            n = f"{of['n']}" + (f" ({of['failed']} failed)" if of["failed"] else "")
            rows.append((GROUP_NAMES.get(name, name), MEASURE_TEXTS[measure], *numbers, limits, correlation, n))
    head = ("", "measure", "mean abs. error", "median abs. error", "bias", "SD", "95 % limits of agreement", "r", "n")
    return grid(head, rows)


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def percent(summary: Figures, *, n: bool = True) -> str:
    """Mean and SD in percent, with the number of values unless `n` is false."""
    if summary["mean"] is None:
        return "-"
    sd = "-" if summary["sd"] is None else f"{100 * summary['sd']:.1f}"
    return f"{100 * summary['mean']:.1f} ({sd})" + (f", {summary['n']}" if n else "")


def _plain(summary: Mapping[str, Any]) -> str:
    if summary["mean"] is None:
        return "-"
    sd = "-" if summary["sd"] is None else f"{summary['sd']:.2f}"
    return f"{summary['mean']:.2f} ({sd}), {summary['n']}"


def _starred(summary: Mapping[str, Any], starred: bool) -> str:
    if summary["mean"] is None:
        return "-"
    sd = "-" if summary["sd"] is None else f"{100 * summary['sd']:.2f}"
    return f"{100 * summary['mean']:.2f}{'*' if starred else ''} ({sd})"


def _test(test: Mapping[str, Any]) -> tuple[str, str, str]:
    """Difference in points, p and degrees of freedom of a test."""
    difference = "-" if test["difference"] is None else f"{100 * test['difference']:+.1f}"
    if test["p"] is None:
        return difference, "-", "-"
    return difference + ("*" if test["significant"] else ""), p_text(test["p"]), f"{test['df']:.0f}"


def p_text(p: float) -> str:
    """A probability for a reader."""
    return "< 0.0001" if p < 1e-4 else f"{p:.4f}"


def share_text(value: float | None) -> str:
    """A share in percent."""
    return "-" if value is None else f"{100 * value:.1f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def count_text(share: Figures, of: str = " of ") -> str:
    """A share of frames in percent and in numbers."""
    if share["share"] is None:
        return "-"
    return f"{100 * share['share']:.1f} % ({share['count']}{of}{share['of']})"
