import json
from typing import Any

import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.evaluate.report import grid, markdown, p_text, region_tables, report_of, stack_summaries
from cmr_viewer.evaluate.runs import Run
from tests.evaluate.made_runs import made_run


def test_the_report_is_plain_json_without_nan() -> None:
    for run in (made_run(), Run()):
        report = report_of(run)
        assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_numbers_and_dice_are_those_of_the_scores() -> None:
    report = report_of(made_run())
    assert (report["patients"], report["frames"]) == (6, 72)
    # Base: 0.80 in all 12 stacks; apex: 0.60, 0.55 and 0.50, each in 4 stacks.
    assert report["dice"]["LVBP"]["base"] == {"mean": pytest.approx(0.8), "sd": pytest.approx(0, abs=1e-9), "n": 12}
    assert report["dice"]["LVBP"]["apex"]["mean"] == pytest.approx(0.55)
    assert report["by_phase"]["ED"]["LVBP"]["apex"]["dice"]["n"] == 6
    assert report["by_phase"]["all"]["LVM"]["non_cardiac"]["both_empty"] == 24
    assert report["by_phase"]["all"]["LVM"]["all"]["frames"] == 72
    assert report["stack_dice"]["RVBP"]["mean"] == pytest.approx(0.9)
    assert report["stacks"]["ES"]["RVBP"]["hd95_mm"]["n"] == 6
    assert report["curves"]["ED"]["LVBP"]["stacks"] == 6


def test_ends_are_tested_against_the_middle_over_frames_and_over_patients() -> None:
    tests = report_of(made_run())["significance"]["LVBP"]
    assert (tests["base"]["frames_welch"]["n_first"], tests["base"]["frames_welch"]["n_second"]) == (12, 24)
    assert tests["base"]["patients_paired"]["n_first"] == 6
    # Middle 0.90, 0.91, 0.92 (by patient) and 0.91 besides: 0.905, 0.91, 0.915; base 0.80.
    assert tests["base"]["patients_paired"]["difference"] == pytest.approx(-0.11)
    assert tests["base"]["frames_welch"]["significant"]


def test_regions_are_reported_by_the_way_they_were_found() -> None:
    report = report_of(made_run())
    assert report["region_accuracy"] == 1.0
    # Frame by frame each base slice, one of six, was taken for the middle.
    assert report["regions"]["argmax"]["accuracy"] == pytest.approx(5 / 6)
    assert report["confusion"]["base"]["base"] == 12
    assert report["regions"]["argmax"]["confusion"]["base"]["middle"] == 12


def test_each_data_set_is_reported_by_itself() -> None:
    report = report_of(made_run())
    assert list(report["by_group"]) == ["acdc", "mnms"]
    assert report["by_group"]["acdc"]["patients"] == 3
    assert set(report["by_group"]["mnms"]["volumes"]) == {"lv_ef_percent", "rv_ef_percent"}
    assert report["volumes"]["lv_ef_percent"]["n"] == 6
    assert report["volumes"]["lv_ef_percent"]["bias"] == pytest.approx(11.0)


def test_stacks_are_summarised_by_phase() -> None:
    stacks = made_run().stacks
    assert stack_summaries(stacks, Label.LVBP, "all")["dice"]["n"] == 12
    assert stack_summaries(stacks, Label.LVBP, "ED")["assd_mm"] == {"mean": 1.5, "sd": 0.0, "n": 6}


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
        "| ACDC | LVM | 80.00* (0.00) | 91.00 (0.60) | 55.00* (4.47) |",  # by data set
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


def test_a_grid_is_a_markdown_table() -> None:
    assert grid(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_small_probabilities_are_not_told_as_zero() -> None:
    assert (p_text(0.00001), p_text(0.0312)) == ("< 0.0001", "0.0312")
