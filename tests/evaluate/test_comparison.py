import json
from dataclasses import replace

import numpy as np
import pytest

from cmr_viewer.errors import LoadError
from cmr_viewer.evaluate.comparison import (
    NamedRun,
    check_same_frames,
    comparison_markdown,
    comparison_of,
    gains_table,
)
from cmr_viewer.evaluate.runs import Run
from tests.evaluate.made_runs import made_run

BASELINE = NamedRun("Baseline", made_run())
BETTER = NamedRun("Better", made_run(0.02))


def test_gains_are_positive_where_a_run_is_better() -> None:
    figures = comparison_of(BASELINE, [BETTER])
    gain = figures["gains"]["all"]["Better"]["LVBP"]["apex"]
    # Gains of 0.02, 0.04 and 0.06 by patient; before 0.60, 0.55, 0.50 and after 0.62, 0.59, 0.56.
    assert gain["mean_gain"] == pytest.approx(0.04)
    before, after = np.repeat([0.60, 0.55, 0.50], 4), np.repeat([0.62, 0.59, 0.56], 4)
    assert gain["sd_gain"] == pytest.approx(np.std(before, ddof=1) - np.std(after, ddof=1))
    assert gain["sd_gain"] > 0


def test_gains_are_tested_over_frames_and_over_patients() -> None:
    gain = comparison_of(BASELINE, [BETTER])["gains"]["acdc"]["Better"]["LVM"]["base"]
    frames, patients = gain["frames_paired"], gain["patients_paired"]
    # Three patients, two phases: differences 0.02, 0.04, 0.06, each twice over frames.
    assert (frames["n_first"], frames["df"]) == (6, 5)
    assert frames["t"] == pytest.approx(0.04 / (np.sqrt(0.0016 / 5) / np.sqrt(6)))
    assert (patients["n_first"], patients["df"]) == (3, 2)
    assert patients["t"] == pytest.approx(0.04 / (0.02 / np.sqrt(3)))


def test_smaller_errors_of_volumes_are_a_gain() -> None:
    figures = comparison_of(BASELINE, [BETTER])
    # Errors 10, 11, 12 became 9, 9.9, 10.8.
    gain = figures["volume_gains"]["acdc"]["Better"]["lv_edv_ml"]
    assert gain["error_gain"] == pytest.approx(1.1)
    assert gain["sd_gain"] == pytest.approx(0.1)
    assert gain["patients_paired"]["n_first"] == 3
    assert figures["volumes"]["acdc"]["Better"]["lv_edv_ml"]["bias"] == pytest.approx(9.9)


def test_errors_are_compared_over_patients_that_both_give() -> None:
    failing = made_run(0.02)
    first, *rest = failing.volumes
    lost = NamedRun("Lost", replace(failing, volumes=(replace(first, predicted=None), *rest)))
    gain = comparison_of(BASELINE, [lost])["volume_gains"]["acdc"]["Lost"][first.measure]
    assert gain["patients_paired"]["n_first"] == 2
    assert gain["error_gain"] == pytest.approx((11 + 12 - 9.9 - 10.8) / 2)


def test_every_run_has_its_curve_regions_and_frames_missed() -> None:
    figures = comparison_of(BASELINE, [BETTER])
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert (figures["baseline"], figures["runs"]) == ("Baseline", ["Better"])
    assert (figures["patients"], figures["frames"]) == ({"acdc": 3, "mnms": 3}, 72)
    assert figures["curves"]["Better"]["LVBP"]["mean"][0] == pytest.approx(0.84)
    assert figures["curves"]["Baseline"]["LVBP"]["mean"][0] == pytest.approx(0.80)
    assert figures["regions"]["Better"]["argmax"]["accuracy"] == pytest.approx(5 / 6)
    assert figures["detection"]["mnms"]["Better"]["missed"]["of"] == 24
    assert figures["stacks"]["all"]["Better"]["ED"]["LVM"]["mean"] == pytest.approx(0.92)
    assert figures["dice"]["all"]["Baseline"]["LVBP"]["base"]["n"] == 12


def test_the_order_of_the_frames_does_not_matter() -> None:
    run = BETTER.run
    turned = NamedRun("Turned", replace(run, scores=run.scores[::-1], volumes=run.volumes[::-1]))
    straight, reverse = comparison_of(BASELINE, [BETTER]), comparison_of(BASELINE, [turned])
    assert reverse["gains"]["all"]["Turned"]["LVBP"]["apex"] == {
        key: pytest.approx(value) for key, value in straight["gains"]["all"]["Better"]["LVBP"]["apex"].items()
    }
    assert reverse["volume_gains"]["all"]["Turned"]["lv_edv_ml"]["error_gain"] == pytest.approx(1.1)


def test_runs_on_other_frames_are_refused() -> None:
    fewer = NamedRun("Fewer", made_run(patients=2))
    lacks = (
        r"Frames of Baseline that Fewer lacks: 24, the first acdc2, phase 0, slice 0\. Evaluate both on the same data"
    )
    with pytest.raises(LoadError, match=lacks):
        check_same_frames(BASELINE, fewer)
    with pytest.raises(LoadError, match=lacks):
        comparison_of(fewer, [BASELINE])


def test_runs_of_regions_alone_are_compared_by_their_regions() -> None:
    first, second = (NamedRun(name, Run(regions=BASELINE.run.regions)) for name in ("AlexNet", "VGG"))
    figures = comparison_of(first, [second])
    assert figures["regions"]["VGG"]["argmax"]["accuracy"] == pytest.approx(5 / 6)
    assert figures["gains"]["all"]["VGG"]["LVBP"]["base"]["mean_gain"] is None
    shorter = NamedRun("Shorter", Run(regions=BASELINE.run.regions[1:]))
    with pytest.raises(LoadError, match="Frames of AlexNet that Shorter lacks: 1, the first acdc0, phase 0, slice 0"):
        check_same_frames(first, shorter)


def test_runs_against_another_reference_are_refused() -> None:
    first, second, *rest = BASELINE.run.scores
    other = NamedRun("Other", replace(BASELINE.run, scores=(first, replace(second, reference_pixels=11), *rest)))
    with pytest.raises(LoadError, match="reference label maps differ: 1, the first acdc0, phase 0, slice 1"):
        check_same_frames(BASELINE, other)


BASELINE, BETTER, WORSE = (NamedRun(n, made_run(g)) for n, g in (("Baseline", 0.0), ("Better", 0.02), ("Worse", -0.02)))


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return comparison_markdown(comparison_of(BASELINE, [BETTER, WORSE])).splitlines()


def test_the_first_line_names_the_runs(lines: list[str]) -> None:
    assert lines[0] == "Baseline: Baseline. Compared with it: Better, Worse. 6 patients (ACDC 3, M&Ms 3), 72 frames."


@pytest.mark.parametrize(
    "start",
    [
        "| all | Baseline | 80.0 (0.0) | 91.0 (0.6) | 55.0 (4.3) |",
        "| all | Better | 92.0 (0.0), 6 | 92.0 (0.0), 6 |",  # 3D
        "| all | Better | **+4.00**\\*° (-1.71) |",
        "| all | Worse | -4.00\\*° (-1.71) |",
        "| Better | LVBP | base | 12 | +4.00 (+2.92 to +5.08) | < 0.0001 | 6 | +4.00 (+2.12 to +5.88) | 0.0028 |",
        "| Better | argmax | ",
        "| ACDC | Worse | 0.0 % (0/6) | 0.0 % (0/6) | 0.0 % (0/12) | 0.0 % (0/24) |",
        "| ACDC | LV EDV, ml | Baseline | 11.0 | 11.0 | 1.0 | - | 3 |",
        "| ACDC | LV EDV, ml | Better | 9.9 | 9.9 | 0.9 | +1.10* | 3 |",
    ],
)
def test_tables_show_what_was_found(lines: list[str], start: str) -> None:
    assert any(line.startswith(start) for line in lines)


def test_one_data_set_is_told_once() -> None:
    runs = [NamedRun(n, made_run(g, groups=("acdc",))) for n, g in (("Baseline", 0.0), ("Better", 0.02))]
    rows = gains_table(comparison_of(runs[0], runs[1:])).splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == ["| ACDC"]


def test_a_run_that_changes_nothing_has_no_marks() -> None:
    (row, *_) = gains_table(comparison_of(BASELINE, [NamedRun("Same", BASELINE.run)])).splitlines()[2:]
    assert row == "| all | Same | " + " | ".join(["+0.00 (+0.00)"] * 9) + " |"
