import json

import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.evaluate.report import report_of, stack_summaries
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
