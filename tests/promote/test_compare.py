import numpy as np
import pytest
from numpy.typing import NDArray

from cmr_viewer.domain.role import Role
from cmr_viewer.promote.compare import FrameScores, assessment_of, dice_by_label
from cmr_viewer.promote.gate import Assessment


def row(text: str) -> NDArray[np.uint8]:
    """A label map of one row."""
    return np.array([[int(c) for c in text]], np.uint8)


def assess(
    reference: list[str], candidate: list[str], active: list[str], patients: list[str] | None = None
) -> Assessment:
    def scores(made: list[str]) -> list[FrameScores]:
        return [dice_by_label(row(one), row(right)) for one, right in zip(made, reference, strict=True)]

    return assessment_of(
        Role.APEX,
        candidate_id="new",
        active_id="old",
        patients=patients or ["p"] * len(reference),
        candidate=scores(candidate),
        active=scores(active),
    )


def test_dice_by_label_and_gains_by_frame() -> None:
    made = assess(["1122", "1100"], ["1122", "1000"], ["1222", "0000"], ["p", "q"])
    # candidate: frame 1 LVBP 1, LVM 1; frame 2 LVBP 2*1/(1+2) = 2/3
    # active: frame 1 LVBP 2/3, LVM 2*2/5 = 0.8; frame 2 LVBP 0
    assert made.candidate == pytest.approx({"LVBP": 5 / 6, "LVM": 1.0})
    assert made.active == pytest.approx({"LVBP": 1 / 3, "LVM": 0.8})
    assert made.frame_gains == pytest.approx((1 - (2 / 3 + 0.8) / 2, 2 / 3))
    assert (made.role, made.candidate_id, made.active_id) == (Role.APEX, "new", "old")
    assert (made.patients, made.frames, made.measure) == (2, 2, "Dice")


def test_an_empty_frame_that_is_left_empty_counts_as_right() -> None:
    made = assess(["0000"], ["0000"], ["0300"])
    assert made.candidate == {"empty": 1.0}
    assert made.active == {"RVBP": 0.0}
    assert made.frame_gains == (1.0,)


def test_a_label_that_is_invented_pulls_the_frame_down() -> None:
    made = assess(["1100"], ["1133"], ["1100"])
    assert made.candidate == {"LVBP": 1.0, "RVBP": 0.0}
    assert made.frame_gains == (-0.5,)


def test_nothing_held_out_gives_no_figures() -> None:
    made = assess([], [], [])
    assert (made.patients, made.frames, made.active, made.candidate, made.frame_gains) == (0, 0, {}, {}, ())


def test_patients_are_counted_once() -> None:
    assert assess(["1", "1", "1"], ["1", "1", "1"], ["1", "1", "1"], ["p", "q", "p"]).patients == 2


def test_classifiers_are_compared_by_the_share_of_regions_found() -> None:
    made = assessment_of(
        Role.CLASSIFIER,
        candidate_id="new",
        active_id="old",
        patients=["p", "p", "q", "q"],
        candidate=[{"all": right} for right in (1.0, 1.0, 1.0, 0.0)],
        active=[{"all": right} for right in (1.0, 0.0, 0.0, 1.0)],
    )
    assert made.candidate == {"all": 0.75}
    assert made.active == {"all": 0.5}
    assert made.frame_gains == (0.0, 1.0, 1.0, -1.0)
    assert (made.role, made.measure, made.patients) == (Role.CLASSIFIER, "accuracy", 2)
