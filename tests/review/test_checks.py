import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.checks import Check, check_frame, check_frames, enclosed_fraction

FRAME = FrameIndex(1, 2)


def closed_ring() -> np.ndarray:
    """4 x 4 blood pool in a wall one pixel thick, and an RV beside it."""
    labels = np.zeros((12, 12), np.uint8)
    labels[2:8, 2:8] = Label.LVM
    labels[3:7, 3:7] = Label.LVBP
    labels[3:7, 9:11] = Label.RVBP
    return labels


def found(labels: np.ndarray, region: Region | None) -> list[tuple[Check, bool]]:
    return [(one.check, one.is_note) for one in check_frame(FRAME, labels, region)]


@pytest.mark.parametrize("region", [Region.MIDDLE, Region.APEX, None])
def test_a_closed_ring_with_an_rv_has_no_findings(region: Region | None) -> None:
    assert enclosed_fraction(closed_ring()) == 1.0
    assert check_frame(FRAME, closed_ring(), region) == []


def test_the_open_part_of_the_ring_is_counted_along_the_border() -> None:
    labels = closed_ring()
    labels[3:7, 7] = Label.BACKGROUND  # one of the four sides, 4 of 16 edges
    assert enclosed_fraction(labels) == 12 / 16
    (finding,) = check_frame(FRAME, labels, Region.MIDDLE)
    assert finding.check is Check.OPEN_RING
    assert finding.frame == FRAME
    assert finding.text == "The myocardium is not closed: it surrounds 75 % of the LV blood pool."


def test_blood_pools_that_touch_leave_the_ring_open() -> None:
    labels = closed_ring()
    labels[4, 7] = Label.RVBP
    labels[4, 8] = Label.RVBP
    assert enclosed_fraction(labels) == 15 / 16
    assert (Check.OPEN_RING, False) in found(labels, Region.APEX)


def test_a_blood_pool_at_the_edge_of_the_frame_is_open_there() -> None:
    assert enclosed_fraction(np.full((2, 2), Label.LVBP, np.uint8)) == 0.0
    assert enclosed_fraction(np.zeros((2, 2), np.uint8)) is None


def test_at_the_base_the_fraction_is_reported_and_is_wrong_below_one_half_only() -> None:
    labels = closed_ring()
    assert found(labels, Region.BASE) == [(Check.BASE_RING, True)]
    labels[3:8, 7] = labels[7, 3:8] = Label.BACKGROUND
    (finding,) = check_frame(FRAME, labels, Region.BASE)
    assert finding.text == (
        "Myocardium surrounds 50 % of the LV blood pool, so the slice counts as left ventricle (at least 50 %)."
    )
    labels[3:8, 2] = Label.BACKGROUND
    (finding,) = check_frame(FRAME, labels, Region.BASE)
    assert not finding.is_note
    assert "25 % of the LV blood pool, too little" in finding.text


def test_islands_are_reported_with_their_sizes_and_touching_corners_are_one_piece() -> None:
    labels = closed_ring()
    labels[7, 11] = Label.RVBP  # touches the RV's corner at (6, 10)
    assert found(labels, Region.MIDDLE) == []
    labels[0, 0] = labels[11, 0] = labels[11, 1] = Label.RVBP
    (finding,) = check_frame(FRAME, labels, Region.MIDDLE)
    assert finding.check is Check.ISLANDS
    assert finding.text == "RV blood pool is in 3 pieces; the smaller ones have 2, 1 pixels."


def test_background_that_is_shut_in_is_a_hole_and_open_background_is_none() -> None:
    labels = closed_ring()
    labels[4:6, 4:6] = Label.BACKGROUND
    findings = check_frame(FRAME, labels, None)
    assert [(one.check, one.text) for one in findings] == [
        (Check.HOLES, "1 hole inside the heart: 4 pixels without a label.")
    ]
    assert found(np.zeros((5, 5), np.uint8), None) == []
    assert found(np.ones((5, 5), np.uint8), None) == []


def test_the_rv_is_missed_at_base_and_middle_but_not_at_the_apex() -> None:
    labels = closed_ring()
    labels[labels == Label.RVBP] = 0
    assert (Check.NO_RV, True) in found(labels, Region.BASE)
    (finding,) = check_frame(FRAME, labels, Region.MIDDLE)
    assert finding.text == "No RV blood pool, although the region is Middle."
    assert found(labels, Region.APEX) == []
    assert found(np.zeros((5, 5), np.uint8), Region.MIDDLE) == []


def test_labels_in_a_non_cardiac_frame_are_reported() -> None:
    labels = np.zeros((5, 5), np.uint8)
    assert found(labels, Region.NON_CARDIAC) == []
    labels[1, 1:4] = Label.LVM
    (finding,) = check_frame(FRAME, labels, Region.NON_CARDIAC)
    assert finding.text == "3 pixels have a label, although the region is Non-cardiac."


def test_frames_are_checked_in_order() -> None:
    labels = {FrameIndex(1, 0): np.ones((3, 3), np.uint8), FrameIndex(0, 1): np.ones((3, 3), np.uint8)}
    findings = check_frames(labels, {FrameIndex(1, 0): Region.NON_CARDIAC, FrameIndex(0, 1): Region.APEX})
    assert [one.frame for one in findings] == [FrameIndex(0, 1), FrameIndex(1, 0)]


def test_a_small_gap_between_the_ventricles_is_no_hole_and_a_large_one_is() -> None:
    labels = np.zeros((14, 22), np.uint8)
    labels[1:13, 1:13] = Label.LVM
    labels[3:11, 3:11] = Label.LVBP
    labels[1:13, 13:21] = Label.RVBP
    for length, is_hole in ((11, False), (12, True)):
        gap = labels.copy()
        gap[1 : 1 + length, 13] = Label.BACKGROUND
        gap[0, 12:15] = gap[13, 12:15] = Label.RVBP  # both ends of the gap are shut
        holes = [one for one in check_frame(FRAME, gap, Region.MIDDLE) if one.check is Check.HOLES]
        assert bool(holes) is is_hole
        assert not holes or holes[0].pixels == length


def test_findings_state_by_how_many_pixels() -> None:
    labels = closed_ring()
    labels[0, 0:3] = Label.LVM
    (finding,) = check_frame(FRAME, labels, Region.MIDDLE)
    assert (finding.check, finding.pixels) == (Check.ISLANDS, 3)


@given(
    labels=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.integers(0, 3)),
    around=st.tuples(*[st.integers(0, 4)] * 4),
    region=st.sampled_from([None, *Region]),
)
def test_how_much_background_lies_around_the_labels_changes_nothing(
    labels: np.ndarray, around: tuple[int, int, int, int], region: Region | None
) -> None:
    above, below, left, right = around
    wide = np.pad(labels, ((above, below), (left, right)))
    assert check_frame(FRAME, wide, region) == check_frame(FRAME, labels, region)
    assert enclosed_fraction(wide) == enclosed_fraction(labels)
