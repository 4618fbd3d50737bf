"""Pictures of a run, and of runs beside a baseline, each as SVG and PNG.

matplotlib is slow to import: whoever draws imports this module late. Drawn without pyplot, so that no window system
and no state of the process is touched.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES, Label, Region
from cmr_viewer.evaluate.comparison import NamedRun
from cmr_viewer.evaluate.report import GROUP_NAMES, HEART, MEASURE_TEXTS
from cmr_viewer.evaluate.runs import Run
from cmr_viewer.evaluate.summaries import POINTS, counted, select
from cmr_viewer.evaluate.volumes import VolumePair

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#5a6472",
    "axes.labelcolor": "#20262e",
    "text.color": "#20262e",
    "xtick.color": "#3a424d",
    "ytick.color": "#3a424d",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e7ec",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.09,
    "figure.constrained_layout.h_pad": 0.07,
    "figure.constrained_layout.wspace": 0.03,
    "figure.constrained_layout.hspace": 0.04,
    "svg.hashsalt": "cmr-viewer",
}

LABEL_COLOURS: Mapping[Label, str] = {Label.LVBP: "#c8323c", Label.LVM: "#009e73", Label.RVBP: "#d99a00"}
"""The window's red, green and yellow, in hues and lightnesses that are visible on white and that colour-blind readers
distinguish (green towards blue, after Okabe and Ito 2008)."""

REGION_COLOURS: Mapping[Region, str] = {
    Region.BASE: "#e69f00",
    Region.MIDDLE: "#56b4e9",
    Region.APEX: "#0072b2",
    Region.NON_CARDIAC: "#999999",
}
"""As in the window (Okabe and Ito 2008)."""

GROUP_MARKS: Mapping[str, tuple[str, str]] = {
    "acdc": ("o", "#0072b2"),
    "mnms": ("^", "#d55e00"),
    "scd": ("s", "#cc79a7"),
    "dsb2": ("D", "#009e73"),
}

WIDTH_IN = 9.6
RESOLUTION_DPI = 150

BLAND_ALTMAN = ("lv_edv_ml", "lv_esv_ml", "lv_ef_percent", "lv_mass_g", "rv_edv_ml", "rv_esv_ml", "rv_ef_percent")


def draw_run(folder: Path, run: Run, figures: Mapping[str, Any]) -> list[Path]:
    """Draw all pictures of a run.

    Args:
        folder: Where they go, as NAME.svg and NAME.png.
        run: What was measured.
        figures: What `report_of` makes of it.

    Returns:
        The files.
    """
    with mpl.rc_context(STYLE):
        return [
            *save(folder / "curves", curves_figure(figures["curves"])),
            *save(folder / "dice-by-region", dice_figure(run)),
            *save(folder / "regions", confusion_figure(figures["regions"])),
            *save(folder / "bland-altman", bland_altman_figure(run.volumes, figures["volumes"])),
        ]


def save(stem: Path, figure: Figure) -> list[Path]:
    """Write a picture as SVG and PNG; the same picture gives the same bytes."""
    vector, pixels = stem.with_name(stem.name + ".svg"), stem.with_name(stem.name + ".png")
    with mpl.rc_context(STYLE):
        FigureCanvasSVG(figure).print_figure(vector, metadata={"Date": None})
        FigureCanvasAgg(figure).print_figure(pixels, dpi=RESOLUTION_DPI, metadata={"Software": None})
    return [vector, pixels]


def panels(rows: int, columns: int, height_in: float, *, share: bool = True) -> tuple[Figure, list[Axes]]:
    """A picture of panels, row by row."""
    figure = Figure(figsize=(WIDTH_IN, height_in))
    axes = figure.subplots(rows, columns, sharex=share, sharey=share, squeeze=False)
    return figure, [one for row in axes for one in row]


def lowest_of(curves: Iterable[Mapping[str, Any]]) -> float:
    """Where the axis of Dice begins, %: a whole 20 a little below the lowest mean."""
    means = [100 * value for curve in curves for value in curve["mean"] if value is not None]
    return max(0.0, 20.0 * ((min(means, default=0.0) - 10.0) // 20.0))


def heart_axis(axes: Axes, lowest: float) -> None:
    """The axis along the heart, with the borders of the regions, and that of Dice from `lowest` % on."""
    for border in (20, 80):
        axes.axvline(border, color="#9aa4b0", linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    for centre, region in ((10, Region.BASE), (50, Region.MIDDLE), (90, Region.APEX)):
        bottom = axes.get_xaxis_transform()
        axes.text(centre, 0.025, region.value, ha="center", fontsize=9, color="#5a6472", transform=bottom)
    axes.set_xlim(0, 100)
    axes.set_ylim(lowest, 102)
    axes.set_xticks([0, 20, 40, 60, 80, 100])
    axes.set_xlabel("Position along the heart (%)")


def draw_curve(
    axes: Axes, curve: Mapping[str, Any], colour: str, *, name: str, band: bool, line: Any = "-", width: float = 2.2
) -> None:
    """A mean along the heart, with the band of one SD; points that fewer than two stacks reach are left out."""
    enough = np.array([n >= 2 for n in curve["n"]])
    mean = np.array([100 * value if value is not None else np.nan for value in curve["mean"]])
    sd = np.array([100 * value if value is not None else np.nan for value in curve["sd"]])
    mean[~enough] = np.nan
    at = np.linspace(0, 100, POINTS)
    if band:
        low, high = np.clip(mean - sd, 0, 100), np.clip(mean + sd, 0, 100)
        axes.fill_between(at, low, high, color=colour, alpha=0.16, linewidth=0)
    axes.plot(at, mean, color=colour, linewidth=width, linestyle=line, label=name)


def curves_figure(curves: Mapping[str, Any]) -> Figure:
    """Dice from base to apex, one panel a label: mean and SD over stacks, and the means at ED and ES."""
    figure, axes = panels(1, len(STRUCTURES), 3.5)
    lowest = lowest_of(of for by_label in curves.values() for of in by_label.values())
    for one, label in zip(axes, STRUCTURES, strict=True):
        of_all, colour = curves["all"][label.name], LABEL_COLOURS[label]
        draw_curve(one, of_all, colour, name="mean, band: SD", band=True)
        for name, line in (("ED", (0, (5, 2))), ("ES", (0, (1.2, 1.4)))):
            draw_curve(one, curves[name][label.name], "#20262e", name=name, band=False, line=line, width=1.1)
        heart_axis(one, lowest)
        one.set_title(f"{label.text} (n = {of_all['stacks']} stacks)")
        one.legend(loc="lower center", bbox_to_anchor=(0.5, 0.1), fontsize=9)
    axes[0].set_ylabel("Dice (%)")
    return figure


def dice_figure(run: Run) -> Figure:
    """Dice of frames by label and region: quartiles, whiskers at the 5th and 95th percentile, mean."""
    figure, axes = panels(1, len(STRUCTURES), 3.6)
    for one, label in zip(axes, STRUCTURES, strict=True):
        for at, region in enumerate(HEART):
            scores = counted(select(run.scores, label=label, region=region))
            values = [100 * score.dice for score in scores if score.dice is not None]
            if values:
                draw_box(one, values, at, REGION_COLOURS[region])
        one.set_xticks(range(len(HEART)), [region.value for region in HEART])
        one.set_xlim(-0.6, len(HEART) - 0.4)
        one.set_ylim(-2, 104)
        one.set_title(label.text)
        one.grid(visible=False, axis="x")
        for at, region in enumerate(HEART):
            n = len(counted(select(run.scores, label=label, region=region)))
            one.text(at, 102, f"n = {n}", ha="center", va="center", fontsize=8.5, color="#5a6472")
    axes[0].set_ylabel("Dice of frames (%)")
    return figure


def draw_box(axes: Axes, values: Sequence[float], at: float, colour: str, width: float = 0.5) -> None:
    """A box plot at one place; what lies outside the whiskers is shown as points, the mean as a white diamond."""
    axes.boxplot(
        [values],
        positions=[at],
        widths=width,
        whis=(5, 95),
        patch_artist=True,
        showmeans=True,
        manage_ticks=False,
        boxprops={"facecolor": colour, "alpha": 0.75, "edgecolor": "#20262e", "linewidth": 0.9},
        medianprops={"color": "#20262e", "linewidth": 1.6},
        whiskerprops={"color": "#20262e", "linewidth": 0.9},
        capprops={"color": "#20262e", "linewidth": 0.9},
        meanprops={"marker": "D", "markerfacecolor": "white", "markeredgecolor": "#20262e", "markersize": 4.5},
        flierprops={"marker": ".", "markersize": 6, "markerfacecolor": colour, "markeredgecolor": "none", "alpha": 0.8},
    )


def confusion_figure(regions: Mapping[str, Any]) -> Figure:
    """Reference against predicted regions, one panel for each method of finding them that differs from the others."""
    shown: dict[str, Any] = {}
    for method, found in regions.items():
        if found not in shown.values():
            shown[method] = found
    count = max(1, len(shown))
    figure = Figure(figsize=(4.6 * count, 4.2))
    axes = figure.subplots(1, count, squeeze=False)[0]
    names = [region.text for region in REGIONS]
    for one, (method, found) in zip(axes, shown.items(), strict=False):
        table = np.array([[found["confusion"][r.value][p.value] for p in REGIONS] for r in REGIONS], dtype=float)
        rows = table.sum(axis=1, keepdims=True)
        shares = np.divide(table, rows, out=np.zeros_like(table), where=rows > 0)
        one.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (r, p), share in np.ndenumerate(shares):
            ink = "white" if share > 0.55 else "#20262e"
            text = f"{table[r, p]:.0f}\n{100 * share:.0f} %" if table[r, p] else "0"
            one.text(p, r, text, ha="center", va="center", color=ink, fontsize=10)
        one.set_xticks(range(len(names)), names)
        one.set_yticks(range(len(names)), names)
        one.set_xlabel("Predicted region" if method == "predicted" else f"Predicted region ({method})")
        one.set_ylabel("Reference region")
        right = "-" if found["accuracy"] is None else f"{100 * found['accuracy']:.1f} %"
        one.set_title(f"{right} of {table.sum():.0f} frames correct")
        one.grid(visible=False)
        one.spines[:].set_visible(False)
        one.tick_params(length=0)
    return figure


def bland_altman_figure(pairs: Sequence[VolumePair], agreements: Mapping[str, Any]) -> Figure:
    """Difference against mean of predicted and reference, one panel a measure: bias and 95 % limits of agreement."""
    figure, axes = panels(2, 4, 5.6, share=False)
    for one, measure in zip(axes, BLAND_ALTMAN, strict=False):
        one.set_title(MEASURE_TEXTS[measure])
        of_measure = [pair for pair in pairs if pair.measure == measure and pair.predicted is not None]
        if not of_measure:
            one.text(0.5, 0.5, "spacing not known", ha="center", va="center", transform=one.transAxes, color="#5a6472")
            one.set_xticks([])
            one.set_yticks([])
            continue
        _draw_differences(one, of_measure, agreements[measure])
    figure.supxlabel("Mean of predicted and reference", fontsize=10)
    figure.supylabel("Predicted minus reference", fontsize=10)
    _group_legend(axes[-1], pairs)
    return figure


def _draw_differences(axes: Axes, pairs: Sequence[VolumePair], agreement: Mapping[str, Any]) -> None:
    reference = np.array([pair.reference for pair in pairs])
    predicted = np.array([pair.predicted for pair in pairs], dtype=np.float64)
    for group, (mark, colour) in GROUP_MARKS.items():
        of = np.array([pair.group == group for pair in pairs])
        mean, difference = (reference[of] + predicted[of]) / 2, predicted[of] - reference[of]
        axes.scatter(mean, difference, marker=mark, s=22, color=colour, alpha=0.75, linewidths=0)
    axes.axhline(0, color="#9aa4b0", linewidth=0.8)
    axes.axhline(agreement["bias"], color="#20262e", linewidth=1.5)
    text = f"bias {agreement['bias']:+.1f}"
    if agreement["sd"] is not None:
        for limit in (agreement["lower"], agreement["upper"]):
            axes.axhline(limit, color="#20262e", linewidth=1.0, linestyle=(0, (4, 3)))
        text += f" ± {1.96 * agreement['sd']:.1f}"
    reach = 1.25 * max(np.abs(predicted - reference).max(), *(abs(agreement[k] or 0.0) for k in ("lower", "upper")))
    axes.set_ylim(-max(reach, 1e-6), 1.35 * max(reach, 1e-6))
    axes.margins(x=0.08)
    axes.text(0.5, 0.98, text, ha="center", va="top", fontsize=9, transform=axes.transAxes)


def _group_legend(axes: Axes, pairs: Sequence[VolumePair]) -> None:
    """The last panel is the legend of marks and lines."""
    axes.set_axis_off()
    for group, (mark, colour) in GROUP_MARKS.items():
        n = len({pair.patient for pair in pairs if pair.group == group})
        if n:
            name = f"{GROUP_NAMES[group]} (n = {n})"
            axes.scatter([], [], marker=mark, s=30, color=colour, alpha=0.75, linewidths=0, label=name)
    axes.plot([], [], color="#20262e", linewidth=1.5, label="bias")
    axes.plot([], [], color="#20262e", linewidth=1.0, linestyle=(0, (4, 3)), label="bias ± 1.96 SD")
    axes.legend(loc="center", fontsize=10)


RUN_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#6b7480", "#b8a800")
"""Of the palette that colour-blind readers distinguish (Okabe and Ito 2008); the first four in the order of figure 2 of
the paper: baseline, approach 1, approach 2, upper bound. Further runs begin again."""

_INTERVAL = ("difference", "low", "high")

RUN_LINES: tuple[Any, ...] = ("-", (0, (6, 2)), "-", (0, (2, 1.3)), (0, (6, 2, 1.5, 2)), (0, (1, 1)), "-", (0, (4, 4)))


def draw_comparison(folder: Path, runs: Sequence[NamedRun], figures: Mapping[str, Any]) -> list[Path]:
    """Draw all pictures of a comparison.

    Args:
        folder: Where they go, as NAME.svg and NAME.png.
        runs: The baseline and the runs beside it.
        figures: What `comparison_of` makes of them.

    Returns:
        The files.
    """
    with mpl.rc_context(STYLE):
        return [
            *save(folder / "curves", curves_of_runs_figure(figures["curves"])),
            *save(folder / "gains", gains_figure(figures["gains"]["all"])),
            *save(folder / "volume-errors", errors_figure(runs)),
        ]


def curves_of_runs_figure(curves: Mapping[str, Any]) -> Figure:
    """Mean Dice from base to apex of all runs, one panel a label, as figure 2 of the paper; a band for the baseline."""
    figure, axes = panels(1, len(STRUCTURES), 3.9)
    lowest = lowest_of(of for by_label in curves.values() for of in by_label.values())
    for one, label in zip(axes, STRUCTURES, strict=True):
        for number, (name, of) in enumerate(curves.items()):
            draw_curve(
                one,
                of[label.name],
                run_colour(number),
                name=f"{name} (band: SD)" if number == 0 else name,
                band=number == 0,
                line=RUN_LINES[number % len(RUN_LINES)],
                width=1.9,
            )
        heart_axis(one, lowest)
        stacks = next(iter(curves.values()))[label.name]["stacks"]
        one.set_title(f"{label.text} (n = {stacks} stacks)")
    axes[0].set_ylabel("Dice (%)")
    _legend_below(figure, *axes[0].get_legend_handles_labels())
    return figure


def gains_figure(gains: Mapping[str, Any]) -> Figure:
    """Gain of the mean Dice over the baseline, one panel a label: mean and 95 % interval over patients."""
    figure, axes = panels(1, len(STRUCTURES), 3.7)
    step = min(0.2, 0.7 / max(1, len(gains)))
    for one, label in zip(axes, STRUCTURES, strict=True):
        one.axhline(0, color="#5a6472", linewidth=1.0)
        for number, (name, of) in enumerate(gains.items()):
            colour = run_colour(number + 1)
            for at, region in enumerate(HEART):
                test = of[label.name][region.value]["patients_paired"]
                if test["difference"] is None:
                    continue
                place = at + step * (number - (len(gains) - 1) / 2)
                mean, low, high = (100 * (test["difference"] if test[k] is None else test[k]) for k in _INTERVAL)
                one.errorbar([place], [mean], yerr=[[mean - low], [high - mean]], fmt="o", capsize=3, color=colour)
            one.plot([], [], "o", color=colour, label=name)
        one.set_xticks(range(len(HEART)), [region.value for region in HEART])
        one.set_xlim(-0.6, len(HEART) - 0.4)
        one.set_title(label.text)
        one.grid(visible=False, axis="x")
    axes[0].set_ylabel("Gain of the mean Dice (points)")
    _legend_below(figure, *axes[0].get_legend_handles_labels())
    return figure


def errors_figure(runs: Sequence[NamedRun]) -> Figure:
    """Absolute errors of volumes, ejection fractions and mass, one panel a measure, one box a run."""
    figure, axes = panels(2, 4, 5.6, share=False)
    for one, measure in zip(axes, BLAND_ALTMAN, strict=False):
        one.set_title(MEASURE_TEXTS[measure])
        one.grid(visible=False, axis="x")
        one.set_xticks([])
        for number, named in enumerate(runs):
            pairs = [pair for pair in named.run.volumes if pair.measure == measure]
            errors = [abs(pair.error) for pair in pairs if pair.error is not None]
            if errors:
                draw_box(one, errors, number, run_colour(number), width=0.6)
        one.set_xlim(-0.7, len(runs) - 0.3)
        one.set_ylim(bottom=0)
    for number, named in enumerate(runs):
        axes[-1].bar([0], [0], color=run_colour(number), alpha=0.75, label=named.name)
    axes[-1].set_axis_off()
    axes[-1].legend(loc="center", fontsize=10)
    figure.supylabel("Absolute error", fontsize=10)
    return figure


def run_colour(number: int) -> str:
    """Colour of a run; 0 is the baseline."""
    return RUN_COLOURS[number % len(RUN_COLOURS)]


def _legend_below(figure: Figure, handles: Sequence[Any], names: Sequence[str]) -> None:
    figure.legend(handles, names, loc="outside lower center", ncols=min(4, max(1, len(names))), fontsize=10)
