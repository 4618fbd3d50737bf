import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.measures.insertion_points import (
    InsertionOrigin,
    InsertionPoints,
    find_insertion_points,
    insertion_points_of_slices,
    seen_from_apex,
)
from cmr_viewer.domain.measures.wall import angle_of, lv_outline
from tests.domain.measures.rings import CENTRE, ring
from tests.phantom import sax_cine
from tests.phantom_heart import Anatomy

SPACING = (1.2, 1.2)


def degrees(point, centre=CENTRE, spacing=SPACING):
    return float(np.rad2deg(angle_of(point, centre, spacing)))


@pytest.mark.parametrize("between", [(120.0, 240.0), (95.0, 200.0), (150.0, 290.0)])
def test_insertion_points_are_the_ends_of_the_contact_with_the_rv(between):
    points = find_insertion_points(ring(rv_deg=between), SPACING)
    # From the apex, with the RV on the left, anterior is up: at the end of the contact with the clock.
    assert degrees(points.anterior) == pytest.approx(between[1], abs=2.5)
    assert degrees(points.inferior) == pytest.approx(between[0], abs=2.5)
    for point in (points.anterior, points.inferior):
        assert np.hypot(*(np.subtract(point, CENTRE) * SPACING)) == pytest.approx(34.0, abs=0.7)
    assert points.origin is InsertionOrigin.FOUND


def test_seen_from_the_base_anterior_is_at_the_other_end():
    points = find_insertion_points(ring(rv_deg=(120.0, 240.0)), SPACING, from_apex=False)
    assert degrees(points.anterior) == pytest.approx(120.0, abs=2.5)


def test_a_stretch_across_the_right_side_is_one_stretch():
    labels = ring(rv_deg=(310.0, 360.0))
    labels[ring(rv_deg=(0.0, 40.0)) == Label.RVBP] = Label.RVBP
    points = find_insertion_points(labels, SPACING)
    assert degrees(points.inferior) == pytest.approx(310.0, abs=2.5)
    assert degrees(points.anterior) == pytest.approx(40.0, abs=2.5)


def test_a_small_gap_in_the_contact_lies_within_the_septum():
    labels = ring(rv_deg=(120.0, 240.0))
    rows, cols = np.nonzero(labels == Label.RVBP)
    angles = np.rad2deg(np.arctan2(rows - CENTRE[0], cols - CENTRE[1])) % 360
    gap = (angles > 170) & (angles < 182)
    labels[rows[gap], cols[gap]] = Label.BACKGROUND
    points = find_insertion_points(labels, SPACING)
    assert degrees(points.anterior) == pytest.approx(240.0, abs=2.5)
    assert degrees(points.inferior) == pytest.approx(120.0, abs=2.5)


@pytest.mark.parametrize(
    "labels",
    [ring(), ring(rv_deg=(170.0, 185.0)), np.zeros((40, 40), np.uint8)],
    ids=["no RV", "hardly any contact", "nothing"],
)
def test_without_contact_there_are_no_insertion_points(labels):
    assert find_insertion_points(labels, SPACING) is None


@pytest.mark.parametrize("rotation", [0.0, 70.0, -130.0])
def test_the_phantom_s_septum_reaches_60_degrees_to_both_sides_however_it_is_turned(rotation):
    phantom = sax_cine(phases=1, rotation_deg=rotation)
    g = phantom.stack.geometry
    assert seen_from_apex(g)
    found = insertion_points_of_slices(phantom.labels[0], g.pixel_spacing_mm, from_apex=True)
    for index in (1, 2, 3, 4):
        outline = lv_outline(phantom.labels[0, index], g.pixel_spacing_mm)
        anterior, inferior = (outline.angle_of(p) for p in (found[index].anterior, found[index].inferior))
        assert np.rad2deg((anterior - inferior) % (2 * np.pi)) == pytest.approx(120.0, abs=5.0)
        # Without rotation the anterior point is up and the inferior one down in the frame.
        turned = np.deg2rad(rotation)
        middle = inferior + ((anterior - inferior) % (2 * np.pi)) / 2
        assert np.cos(middle - np.pi - turned) > 0.99


def test_a_crescent_is_met_at_75_degrees_to_both_sides():
    phantom = sax_cine(phases=1, pixel_spacing_mm=(1.2, 1.2), rows=140, cols=130, anatomy=Anatomy(crescent=True))
    labels = phantom.labels[0, 2]
    outline = lv_outline(labels, (1.2, 1.2))
    points = find_insertion_points(labels, (1.2, 1.2))
    # The crescent tapers to nothing at 75 degrees, so that pixels end a little before.
    assert np.rad2deg(outline.angle_of(points.anterior)) == pytest.approx(255.0, abs=9.0)
    assert np.rad2deg(outline.angle_of(points.inferior)) == pytest.approx(105.0, abs=9.0)


def test_slices_without_an_rv_take_the_angles_of_the_nearest_slice():
    labels = np.stack(
        [ring(rv_deg=(100.0, 220.0)), ring(rv_deg=(120.0, 240.0)), ring(28.0, 18.0), np.zeros((128, 128))]
    )
    found = insertion_points_of_slices(labels.astype(np.uint8), SPACING)
    assert sorted(found) == [0, 1, 2]
    assert found[2].origin is InsertionOrigin.NEIGHBOUR
    assert degrees(found[2].anterior) == pytest.approx(240.0, abs=2.5)
    assert np.hypot(*(np.subtract(found[2].anterior, CENTRE) * SPACING)) == pytest.approx(28.0, abs=0.7)


def test_narrow_contact_at_the_tip_of_the_rv_does_not_show_where_the_septum_is():
    labels = np.stack([ring(rv_deg=(120.0, 240.0)), ring(rv_deg=(110.0, 150.0))])
    assert degrees(find_insertion_points(labels[1], SPACING).anterior) == pytest.approx(150.0, abs=2.5)
    found = insertion_points_of_slices(labels, SPACING)
    assert degrees(found[1].anterior) == pytest.approx(240.0, abs=2.5)
    assert found[1].origin is InsertionOrigin.NEIGHBOUR
    alone = insertion_points_of_slices(labels[1:], SPACING)
    assert degrees(alone[0].anterior) == pytest.approx(150.0, abs=2.5), "where there is nothing wider it is used"


def test_narrow_points_of_a_reader_stay():
    labels = np.stack([ring(rv_deg=(120.0, 240.0)), ring(rv_deg=(110.0, 150.0))])
    own = find_insertion_points(labels[1], SPACING).moved()
    assert insertion_points_of_slices(labels, SPACING, by_reader={1: own})[1] == own


def test_points_of_a_reader_are_used_as_they_are_and_for_neighbours():
    labels = np.stack([ring(rv_deg=(120.0, 240.0)), ring()])
    own = find_insertion_points(labels[0], SPACING).moved(anterior=(30.0, 45.0))
    found = insertion_points_of_slices(labels, SPACING, by_reader={0: own})
    assert found[0] == own
    assert own.origin is InsertionOrigin.READER
    assert degrees(found[1].anterior) == pytest.approx(degrees((30.0, 45.0)), abs=0.5)
    assert degrees(found[1].inferior) == pytest.approx(120.0, abs=2.5)


def test_where_no_slice_has_an_rv_there_are_none():
    assert insertion_points_of_slices(np.stack([ring(), ring()]), SPACING) == {}


def test_moving_one_point_leaves_the_other():
    points = InsertionPoints((1.0, 2.0), (3.0, 4.0), from_apex=False)
    moved = points.moved(inferior=(5.0, 6.0))
    assert moved == InsertionPoints((1.0, 2.0), (5.0, 6.0), False, InsertionOrigin.READER)


def grid(row, col, to_base):
    positions = ((0.0, 0.0, 0.0), tuple(-10.0 * np.asarray(to_base)))
    return Geometry(4, 4, (1.0, 1.0), row, col, positions)


def test_frames_are_seen_from_the_apex_where_row_x_column_points_to_the_base():
    row, col = (0.6, 0.8, 0.0), (0.8 * 0.6, -0.6 * 0.6, -0.8)
    normal = np.cross(row, col)
    assert seen_from_apex(grid(row, col, normal))
    assert not seen_from_apex(grid(row, col, -normal))


def test_an_orientation_that_was_lost_counts_as_seen_from_the_apex():
    assert seen_from_apex(grid((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0)))
    single = Geometry(4, 4, (1.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), ((0.0, 0.0, 0.0),))
    assert seen_from_apex(single)
