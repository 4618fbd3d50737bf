"""The figures of a comparison as Markdown tables."""

from collections.abc import Mapping
from typing import Any

from cmr_viewer.domain.anatomy import STRUCTURES, Region
from cmr_viewer.evaluate.paper_tables import APPROACHES, DATASETS, TABLE_2, TABLE_3
from cmr_viewer.evaluate.report import PHASE_NAMES
from cmr_viewer.evaluate.tables import GROUP_NAMES, HEART, MEASURE_TEXTS, grid, p_text

Figures = Mapping[str, Any]

TABLE_3_TEXT = (
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
        f"## Gains over the baseline\n\n{TABLE_3_TEXT}\n\n{table_3(figures)}",
        f"Table 3 of the paper:\n\n{paper_table_3()}",
        f"Tests of the differences:\n\n{tests_table(figures)}",
        "## Regions\n\nWeighted averages over the regions, %.\n\n" + table_2(figures["regions"]),
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
            cells = [_percent(labels[label.name][r.value]) for label in STRUCTURES for r in HEART]
            rows.append((_set_name(of), name, *cells))
    return grid(("data set", "run", *_columns(HEART)), rows)


def stacks_table(figures: Figures) -> str:
    """Dice of whole stacks of all runs, at ED and ES."""
    rows = []
    for of, runs in _sets(figures["stacks"]).items():
        for name, phases in runs.items():
            cells = [_percent(phases[p][label.name], n=True) for label in STRUCTURES for p in PHASE_NAMES]
            rows.append((_set_name(of), name, *cells))
    columns = [f"{label.name} {phase}" for label in STRUCTURES for phase in PHASE_NAMES]
    return grid(("data set", "run", *columns), rows)


def table_3(figures: Figures) -> str:
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
                    cells.append(_gain(gain, bold=bold))
            rows.append((_set_name(of), name, *cells))
    return grid(("data set", "run", *_columns(HEART)), rows)


def paper_table_3() -> str:
    """Table 3 of the paper."""
    ends = (Region.BASE, Region.APEX)
    rows = []
    for dataset in DATASETS:
        for approach in APPROACHES:
            cells = []
            for label in STRUCTURES:
                for region in ends:
                    cell = TABLE_3[dataset, approach, label][region]
                    cells.append(f"{cell.mean:+.2f}{'*' if cell.starred else ''} ({cell.sd:+.2f})")
            rows.append((dataset, approach, *cells))
    return grid(("data set", "approach", *_columns(ends)), rows)


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


def table_2(regions: Mapping[str, Figures]) -> str:
    """Precision and recall of the region classifiers of several runs, as in table 2 of the paper, and the paper's."""
    rows = []
    for name, ways in regions.items():
        for way, found in ways.items():
            if way != "predicted" and found == ways["predicted"]:
                continue
            of = found["weighted"]
            shares = (of["precision"], of["recall"], of["f1"], found["accuracy"], found["accuracy_within_one_slice"])
            rows.append((name, way, *(_share(share) for share in shares)))
    for name, (precision, recall) in TABLE_2.items():
        rows.append((f"{name}, paper (NHS)", "argmax", f"{precision:.1f}", f"{recall:.1f}", "-", "-", "-"))
    return grid(("run", "regions", "precision", "recall", "F1", "accuracy", "within one slice"), rows)


def detection_table(figures: Figures) -> str:
    """Frames wrongly marked and cardiac frames missed, of all runs."""
    keys = ("above_base", "below_apex", "wrongly_marked", "missed")
    rows = []
    for of, runs in _sets(figures["detection"]).items():
        for name, found in runs.items():
            cells = []
            for key in keys:
                share = found[key]
                told = (
                    "-" if share["share"] is None else f"{100 * share['share']:.1f} % ({share['count']}/{share['of']})"
                )
                cells.append(told)
            rows.append((_set_name(of), name, *cells))
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


def _percent(summary: Figures, *, n: bool = False) -> str:
    if summary["mean"] is None:
        return "-"
    sd = "-" if summary["sd"] is None else f"{100 * summary['sd']:.1f}"
    return f"{100 * summary['mean']:.1f} ({sd})" + (f", {summary['n']}" if n else "")


def _gain(gain: Figures, *, bold: bool) -> str:
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


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
