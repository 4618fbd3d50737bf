import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.measures.insertion_points import InsertionPoints, find_insertion_points
from cmr_viewer.domain.measures.segments_aha import (
    APICAL_CAP,
    NO_CAP_REASON,
    SEGMENT_NAMES,
    PhaseSegments,
    SegmentRule,
    segment_thicknesses,
    segments_at,
)
from tests.domain.measures.rings import CENTRE, ring

SPACING = (1.2, 1.2)
AT = np.deg2rad(np.arange(0.0, 360.0, 1.0))


def at_degrees(*degrees):
    """Points on a circle around the rings' centre."""
    return [(CENTRE[0] + 28.0 * np.sin(np.deg2rad(one)), CENTRE[1] + 28.0 * np.cos(np.deg2rad(one))) for one in degrees]


def points(anterior_deg=240.0, inferior_deg=120.0, *, from_apex=True):
    return InsertionPoints(*at_degrees(anterior_deg, inferior_deg), from_apex)


def number_at(degrees, region, rule=SegmentRule.INSERTIONS, at=None):
    return int(segments_at(np.deg2rad([degrees]), at or points(), CENTRE, region, SPACING, rule)[0])


@pytest.mark.parametrize("rule", SegmentRule)
def test_basal_segments_lie_where_the_standard_puts_them(rule):
    # Septum on the left between 120 (inferior, below) and 240 (anterior, above); angles with the clock from the right.
    # The septum spans 120 degrees, so both rules agree.
    found = [number_at(d, Region.BASE, rule) for d in (270, 210, 150, 90, 30, 330)]
    assert found == [1, 2, 3, 4, 5, 6]
    assert [SEGMENT_NAMES[n] for n in found] == [
        "basal anterior",
        "basal anteroseptal",
        "basal inferoseptal",
        "basal inferior",
        "basal inferolateral",
        "basal anterolateral",
    ]


def test_mid_segments_are_numbered_as_the_basal_ones_plus_six():
    assert [number_at(d, Region.MIDDLE) for d in (270, 210, 150, 90, 30, 330)] == [7, 8, 9, 10, 11, 12]


def test_apical_segments_are_quarters_around_the_middle_of_the_septum():
    assert [number_at(d, Region.APEX) for d in (270, 180, 90, 0)] == [13, 14, 15, 16]
    assert [number_at(d, Region.APEX) for d in (136, 224, 226, 134)] == [14, 14, 13, 15]


def test_frames_seen_from_the_base_are_numbered_the_other_way_round():
    # Mirrored: anterior is below where the frame is seen from the base with the RV on the left.
    mirrored = points(120.0, 240.0, from_apex=False)
    assert [number_at(d, Region.BASE, at=mirrored) for d in (90, 150, 210, 270, 330, 30)] == [1, 2, 3, 4, 5, 6]


def test_by_insertions_the_septum_is_halved_and_the_rest_quartered():
    # Against the clock from the anterior insertion at 220 degrees to the inferior one at 140.
    numbers = segments_at(np.deg2rad(np.arange(360.0) + 0.5), points(220.0, 140.0), CENTRE, Region.BASE, SPACING)
    assert np.bincount(numbers)[1:].tolist() == [70, 40, 40, 70, 70, 70]
    assert numbers[[219, 220, 140, 139]].tolist() == [2, 1, 3, 4]


def test_by_equal_angles_each_is_60_degrees_from_the_anterior_insertion():
    around = np.deg2rad(np.arange(360.0) + 0.5)
    numbers = segments_at(around, points(220.0, 140.0), CENTRE, Region.BASE, SPACING, SegmentRule.EQUAL)
    assert np.bincount(numbers)[1:].tolist() == [60] * 6
    assert numbers[[219, 220]].tolist() == [2, 1]


def test_non_cardiac_slices_have_no_segments():
    assert not segments_at(AT, points(), CENTRE, Region.NON_CARDIAC, SPACING).any()


@given(
    st.floats(0.0, 359.9),
    st.floats(20.0, 300.0),
    st.booleans(),
    st.sampled_from((Region.BASE, Region.MIDDLE, Region.APEX)),
    st.sampled_from(SegmentRule),
)
@settings(deadline=None, max_examples=60)
def test_segments_part_the_circle_in_their_order(anterior, septum, from_apex, region, rule):
    inferior = anterior - septum if from_apex else anterior + septum
    where = points(anterior, inferior, from_apex=from_apex)
    numbers = segments_at(AT, where, CENTRE, region, SPACING, rule)
    expected = {Region.BASE: range(1, 7), Region.MIDDLE: range(7, 13), Region.APEX: range(13, 17)}[region]
    assert set(np.unique(numbers)) == set(expected)
    assert (numbers != np.roll(numbers, 1)).sum() == len(expected), "each is in one piece"


def test_the_septum_s_segments_touch_the_rv_and_the_others_do_not():
    labels = ring(rv_deg=(120.0, 240.0))
    beside = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        for step in (1, -1):
            beside |= np.roll(labels == Label.RVBP, step, axis)
    touching = np.argwhere(beside & (labels == Label.LVM)) - CENTRE
    angles = np.arctan2(*(touching * SPACING).T) % (2 * np.pi)
    found = segments_at(angles, find_insertion_points(labels, SPACING), CENTRE, Region.BASE, SPACING)
    assert np.isin(found, (2, 3)).mean() > 0.95


def phase(thickness_mm, *, endo=22.0, slices=5):
    """Slices with walls of the given thickness, base to apex."""
    labels = np.stack([ring(endo + thickness_mm, endo, rv_deg=(120.0, 240.0))] * slices)
    regions = [Region.BASE, Region.MIDDLE, Region.MIDDLE, Region.APEX, Region.NON_CARDIAC][:slices]
    found = {i: find_insertion_points(labels[i], SPACING) for i in range(slices)}
    return PhaseSegments(labels, regions, found)


def test_even_rings_give_every_segment_their_thickness_and_thickening():
    found = segment_thicknesses(phase(8.0), phase(12.0, endo=16.0), SPACING)
    assert [one.number for one in found] == list(range(1, 18))
    for one in found[:-1]:
        assert one.ed_mean_mm == pytest.approx(8.0, abs=0.35)
        assert one.es_mean_mm == pytest.approx(12.0, abs=0.35)
        assert 8.0 <= one.ed_max_mm + 0.2 < 9.4
        assert one.thickening_percent == pytest.approx(50.0, abs=7.0)
        assert one.reason == ""
    assert [one.slices for one in (found[0], found[7], found[12])] == [(0,), (1, 2), (3,)]


def test_the_apical_cap_is_not_measurable():
    cap = segment_thicknesses(phase(8.0), None, SPACING)[-1]
    assert (cap.number, cap.ed_mean_mm, cap.reason) == (APICAL_CAP, None, NO_CAP_REASON)


def test_a_thick_septum_shows_in_its_segments_alone():
    labels = np.where(ring(34.0, 25.0, rv_deg=(120.0, 240.0)) > 0, ring(34.0, 25.0, rv_deg=(120.0, 240.0)), 0)
    thick = ring(34.0, 19.0)
    rows, cols = np.indices(labels.shape)
    angle = np.rad2deg(np.arctan2(rows - CENTRE[0], cols - CENTRE[1])) % 360
    septum = (angle > 120) & (angle < 240)
    labels = np.where(septum & (thick == Label.LVM), Label.LVM, labels).astype(np.uint8)
    # The blood pool's centroid is where its outline is measured from; the insertion points stay where the RV is.
    one = PhaseSegments(labels[None], [Region.BASE], {0: find_insertion_points(labels, SPACING)})
    found = {s.number: s.ed_mean_mm for s in segment_thicknesses(one, None, SPACING)}
    assert found[2] == pytest.approx(15.0, abs=1.0)
    assert found[3] == pytest.approx(15.0, abs=1.0)
    assert [found[n] for n in (5, 6)] == pytest.approx([9.0, 9.0], abs=0.6)


def test_segments_of_levels_that_have_no_slice_give_the_reason():
    only_base = phase(8.0, slices=1)
    found = segment_thicknesses(only_base, None, SPACING)
    assert found[0].ed_mean_mm is not None
    assert found[0].thickening_percent is None
    assert "end-systole" in found[0].reason
    assert found[8].ed_mean_mm is None
    assert "end-diastole and end-systole" in found[8].reason


def test_slices_without_insertion_points_are_passed_over():
    one = phase(8.0)
    without = PhaseSegments(one.labels, one.regions, {})
    assert all(s.ed_mean_mm is None for s in segment_thicknesses(without, None, SPACING))
