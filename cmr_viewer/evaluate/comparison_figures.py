"""Pictures of a comparison, each as SVG and PNG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from cmr_viewer.domain.anatomy import STRUCTURES
from cmr_viewer.evaluate.comparison import NamedRun
from cmr_viewer.evaluate.figures import BLAND_ALTMAN, STYLE, draw_box, draw_curve, heart_axis, lowest_of, panels, save
from cmr_viewer.evaluate.tables import HEART, MEASURE_TEXTS

RUN_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#6b7480", "#b8a800")
"""Of the palette that colour-blind readers tell apart (Okabe and Ito 2008); the first four in the order of figure 2 of
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
            *save(folder / "curves", curves_figure(figures["curves"])),
            *save(folder / "gains", gains_figure(figures["gains"]["all"])),
            *save(folder / "volume-errors", errors_figure(runs)),
        ]


def curves_figure(curves: Mapping[str, Any]) -> Figure:
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
