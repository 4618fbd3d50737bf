import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmr_viewer.evaluate import figures as figures_module
from cmr_viewer.evaluate.comparison import NamedRun, comparison_of
from cmr_viewer.evaluate.figures import (
    RUN_COLOURS,
    bland_altman_figure,
    confusion_figure,
    curves_figure,
    curves_of_runs_figure,
    dice_figure,
    draw_comparison,
    draw_run,
    errors_figure,
    gains_figure,
    lowest_of,
    run_colour,
    save,
)
from cmr_viewer.evaluate.report import report_of
from cmr_viewer.evaluate.runs import Run
from cmr_viewer.evaluate.summaries import POINTS
from tests.evaluate.made_runs import made_run


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    return report_of(made_run())


def test_every_picture_is_there_as_svg_and_png(tmp_path: Path, figures: dict[str, Any]) -> None:
    drawn = draw_run(tmp_path, made_run(), figures)
    names = {
        f"{stem}.{kind}" for stem in ("curves", "dice-by-region", "regions", "bland-altman") for kind in ("svg", "png")
    }
    assert {path.name for path in drawn} == {path.name for path in tmp_path.iterdir()} == names
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "curves.svg").read_bytes()[:2000]


def test_a_run_without_anything_can_be_drawn() -> None:
    nothing = report_of(Run())
    assert len(curves_figure(nothing["curves"]).axes) == len(dice_figure(Run()).axes) == 3
    assert len(confusion_figure(nothing["regions"]).axes) == 1
    assert len(bland_altman_figure((), nothing["volumes"]).axes) == 8


def test_the_same_figures_give_the_same_picture(tmp_path: Path, figures: dict[str, Any]) -> None:
    for name in ("a", "b"):
        save(tmp_path / name, confusion_figure(figures["regions"]))
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_curves_are_drawn_in_percent_from_base_to_apex(figures: dict[str, Any]) -> None:
    axes = curves_figure(figures["curves"]).axes
    assert [one.get_title() for one in axes] == [
        "LV blood pool (n = 12 stacks)",
        "LV myocardium (n = 12 stacks)",
        "RV blood pool (n = 12 stacks)",
    ]
    line = axes[0].get_lines()[0]
    assert np.asarray(line.get_xdata())[[0, -1]].tolist() == [0, 100]
    assert np.asarray(line.get_ydata())[[0, -1]] == pytest.approx([80.0, 55.0])
    assert axes[0].get_ylabel() == "Dice (%)"


def test_points_that_one_stack_reaches_are_not_drawn(figures: dict[str, Any]) -> None:
    curves = report_of(made_run(groups=("acdc",), patients=1))["curves"]
    # Two stacks at both phases together, one at each.
    lines = curves_figure(curves).axes[0].get_lines()
    assert np.isfinite(np.asarray(lines[0].get_ydata(), dtype=float)).all()
    assert np.isnan(np.asarray(lines[1].get_ydata(), dtype=float)).all()


def test_the_axis_begins_below_the_lowest_mean() -> None:
    assert lowest_of([{"mean": [0.95, None, 0.75]}]) == 60
    assert lowest_of([{"mean": [0.05]}]) == 0
    assert lowest_of([{"mean": [None] * POINTS}]) == 0


def test_ways_of_finding_regions_that_differ_are_shown_side_by_side(figures: dict[str, Any]) -> None:
    regions = figures["regions"]
    assert [one.get_title() for one in confusion_figure(regions).axes] == [
        "100.0 % of 72 frames correct",
        "83.3 % of 72 frames correct",
    ]
    assert len(confusion_figure({"a": regions["predicted"], "b": regions["predicted"]}).axes) == 1


def test_the_number_of_frames_stands_over_each_box() -> None:
    told = [text.get_text() for text in dice_figure(made_run()).axes[0].texts]
    assert told == ["n = 12", "n = 24", "n = 12"]


def test_bias_and_limits_stand_in_the_picture(figures: dict[str, Any]) -> None:
    run = made_run()
    axes = bland_altman_figure(run.volumes, figures["volumes"]).axes
    ef = axes[2]
    assert ef.get_title() == "LV EF, points"
    heights = {round(float(np.asarray(line.get_ydata())[0]), 3) for line in ef.get_lines()}
    found = figures["volumes"]["lv_ef_percent"]
    assert heights == {0.0, 11.0, round(found["lower"], 3), round(found["upper"], 3)}
    assert any("spacing not known" in text.get_text() for text in axes[3].texts)


def imports_of(path: Path) -> set[str]:
    """Modules that a file imports when it is imported itself."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_matplotlib_is_loaded_only_by_what_draws_and_that_only_when_it_draws() -> None:
    root = Path(figures_module.__file__).parents[1]
    imports = {path: imports_of(path) for path in root.rglob("*.py")}
    drawing = {path.name for path, found in imports.items() if any(m.startswith("matplotlib") for m in found)}
    assert drawing == {"figures.py"}
    assert not [path for path, found in imports.items() if "cmr_viewer.evaluate.figures" in found]


RUNS = [NamedRun("Baseline", made_run()), NamedRun("Better", made_run(0.02))]
FIGURES = comparison_of(RUNS[0], RUNS[1:])


def test_every_picture_of_a_comparison_is_there_as_svg_and_png(tmp_path: Path) -> None:
    drawn = draw_comparison(tmp_path, RUNS, FIGURES)
    assert sorted(path.name for path in drawn) == sorted(
        f"{stem}.{kind}" for stem in ("curves", "gains", "volume-errors") for kind in ("svg", "png")
    )
    assert all(path.stat().st_size > 1000 for path in drawn)


def test_all_runs_are_in_one_picture_a_label() -> None:
    figure = curves_of_runs_figure(FIGURES["curves"])
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
