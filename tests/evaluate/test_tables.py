from typing import Any

import pytest

from cmr_viewer.evaluate.report import report_of
from cmr_viewer.evaluate.runs import Run
from cmr_viewer.evaluate.tables import grid, markdown, p_text, region_tables, table_1
from tests.evaluate.made_runs import made_run


def figures_of(run: Run) -> dict[str, Any]:
    return {**report_of(run), "split": "test", "routing": "predicted"}


@pytest.fixture(scope="module")
def text() -> str:
    return markdown(figures_of(made_run()))


def test_the_first_line_says_what_was_measured(text: str) -> None:
    assert text.splitlines()[0] == (
        "6 patients (ACDC 3, M&Ms 3), 72 frames, part of the split: test, routing: predicted"
    )


@pytest.mark.parametrize(
    "line",
    [
        "| LVBP | 80.0 (0.0), 12 | 91.0 (0.6), 24 | 55.0 (4.3), 12 | 90.0 (0.0), 12 |",  # Dice
        "| RVBP | 80.0 (0.0), 6 | 91.0 (0.6), 12 | 55.0 (4.5), 6 | 90.0 (0.0), 6 |",  # at ED and at ES
        "| LVM | non_cardiac | - | 24 | 0 | 0 | 24 |",  # counts
        "| LVBP | 2.00 (0.00), 12 | 2.00 (0.00), 24 | 2.00 (0.00), 12 | 6.00 (0.00), 12 |",  # HD95
        "| ACDC | here | LVM | 80.00* (0.00) | 91.00 (0.60) | 55.00* (4.47) |",  # table 1
        "| ACDC | paper, baseline | LVBP | 94.42 (7.76) | 94.28 (6.87) | 82.86* (23.47) |",
        "| base | 100.0 | 100.0 | 100.0 | 12 |",  # regions
        "| all | 0.0 % (0 of 12) | 0.0 % (0 of 12) | 0.0 % (0 of 24) | 0.0 % (0 of 48) |",  # detection
        "| all | LV EF, points | 11.0 | 11.0 | 11.0 | 0.9 | 9.2 to 12.8 | 1.000 | 6 |",  # volumes
    ],
)
def test_tables_show_what_was_found(text: str, line: str) -> None:
    assert line in text.splitlines()


def test_differences_from_the_middle_are_marked(text: str) -> None:
    (line,) = [line for line in text.splitlines() if line.startswith("| LVM | base | -11.0*")]
    assert line.count("< 0.0001") == 2


def test_ways_that_found_the_same_regions_are_told_once() -> None:
    regions = report_of(made_run())["regions"]
    assert sum("% of frames correct" in part for part in region_tables(regions)) == 2
    same = {"predicted": regions["predicted"], "argmax": regions["predicted"]}
    assert sum("% of frames correct" in part for part in region_tables(same)) == 1


def test_tables_show_a_dash_where_there_is_nothing() -> None:
    text = markdown(figures_of(Run()))
    assert "| LVBP | - | - | - | - |" in text.splitlines()


def test_data_sets_of_the_paper_that_were_measured_come_first() -> None:
    lines = table_1(report_of(made_run(groups=("acdc", "scd")))["by_group"]).splitlines()[2:]
    assert [line.split(" | ")[0].strip("| ") for line in lines[::3]] == ["ACDC", "Sunnybrook", "ACDC", "NHS", "M&Ms"]


def test_a_grid_is_a_markdown_table() -> None:
    assert grid(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_small_probabilities_are_not_told_as_zero() -> None:
    assert (p_text(0.00001), p_text(0.0312)) == ("< 0.0001", "0.0312")
