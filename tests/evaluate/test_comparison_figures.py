from pathlib import Path

import numpy as np
import pytest

from cmr_viewer.evaluate.comparison import NamedRun, comparison_of
from cmr_viewer.evaluate.comparison_figures import (
    RUN_COLOURS,
    curves_figure,
    draw_comparison,
    errors_figure,
    gains_figure,
    run_colour,
)
from tests.evaluate.made_runs import made_run

RUNS = [NamedRun("Baseline", made_run()), NamedRun("Better", made_run(0.02))]
FIGURES = comparison_of(RUNS[0], RUNS[1:])


def test_every_picture_is_there_as_svg_and_png(tmp_path: Path) -> None:
    drawn = draw_comparison(tmp_path, RUNS, FIGURES)
    assert sorted(path.name for path in drawn) == sorted(
        f"{stem}.{kind}" for stem in ("curves", "gains", "volume-errors") for kind in ("svg", "png")
    )
    assert all(path.stat().st_size > 1000 for path in drawn)


def test_all_runs_are_in_one_picture_a_label() -> None:
    figure = curves_figure(FIGURES["curves"])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["Baseline (band: SD)", "Better"]
    first, second = (np.asarray(line.get_ydata())[0] for line in figure.axes[1].get_lines()[:2])
    assert (first, second) == (pytest.approx(80.0), pytest.approx(84.0))


def test_gains_are_in_points_with_an_interval_over_patients() -> None:
    axes = gains_figure(FIGURES["gains"]["all"]).axes[0]
    assert axes.get_ylabel() == "Gain of the mean Dice (points)"
    means = [float(np.asarray(bars.lines[0].get_ydata())[0]) for bars in axes.containers]
    assert means == pytest.approx([4.0, 4.0, 4.0])


def test_a_run_that_changes_nothing_has_no_interval() -> None:
    same = comparison_of(RUNS[0], [NamedRun("Same", RUNS[0].run)])
    axes = gains_figure(same["gains"]["all"]).axes[0]
    assert [float(np.asarray(bars.lines[0].get_ydata())[0]) for bars in axes.containers] == [0.0, 0.0, 0.0]


def test_each_measure_has_its_panel_of_errors() -> None:
    titles = [axes.get_title() for axes in errors_figure(RUNS).axes]
    assert titles[:4] == ["LV EDV, ml", "LV ESV, ml", "LV EF, points", "LV mass, g"]


def test_the_baseline_is_blue_and_colours_begin_again() -> None:
    assert run_colour(0) == "#0072b2"
    assert run_colour(len(RUN_COLOURS)) == run_colour(0)
