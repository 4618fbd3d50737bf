import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.change import Patch
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.edit import clear_label, discs_of_ball, paint_line, patch_between

MAPS = npst.arrays(np.uint8, (17, 13), elements=st.integers(0, 3))
COORDINATES = st.floats(-6, 22, width=32)
POINTS = st.tuples(COORDINATES, COORDINATES)
RADII = st.floats(0.125, 9, width=32)
LABELS = st.sampled_from(Label)


def distance_to_segment(point: tuple[float, float], start: tuple[float, float], end: tuple[float, float]) -> float:
    """By the definition, in complex numbers: independent of the code under test."""
    p, a, b = complex(*point), complex(*start), complex(*end)
    if a == b:
        return abs(p - a)
    along = ((p - a) / (b - a)).real
    return abs(p - a) if along <= 0 else abs(p - b) if along >= 1 else abs(((p - a) / (b - a)).imag) * abs(b - a)


def applied(labels: np.ndarray, patch: Patch) -> np.ndarray:
    result = labels.copy()
    patch.apply(result)
    return result


@settings(deadline=None)
@given(MAPS, POINTS, POINTS, RADII, LABELS)
def test_a_pixel_changes_if_and_only_if_the_moved_disc_covers_its_centre(labels, start, end, radius, label):
    under = {(math.floor(row + 0.5), math.floor(col + 0.5)) for row, col in (start, end)}
    expected = labels.copy()
    for row in range(labels.shape[0]):
        for col in range(labels.shape[1]):
            distance = distance_to_segment((row, col), start, end)
            assume(abs(distance - radius) > 1e-6)
            if distance <= radius or (row, col) in under:
                expected[row, col] = label
    patch = paint_line(labels, start, end, radius, label)
    np.testing.assert_array_equal(applied(labels, patch), expected)


@settings(deadline=None)
@given(MAPS, st.lists(st.tuples(POINTS, POINTS, RADII, LABELS), max_size=6))
def test_patches_are_taken_back_exactly(labels, strokes):
    states, patches = [labels.copy()], []
    now = labels.copy()
    for start, end, radius, label in strokes:
        patches.append(paint_line(now, start, end, radius, label))
        patches[-1].apply(now)
        states.append(now.copy())
    whole = patch_between(states[0], states[-1])
    for patch, before in zip(reversed(patches), reversed(states[:-1]), strict=True):
        patch.revert(now)
        np.testing.assert_array_equal(now, before)
    np.testing.assert_array_equal(applied(labels, whole), states[-1])


@settings(deadline=None)
@given(MAPS, POINTS, POINTS, RADII, LABELS)
def test_a_patch_is_no_larger_than_what_changes(labels, start, end, radius, label):
    patch = paint_line(labels, start, end, radius, label)
    changed = np.argwhere(applied(labels, patch) != labels)
    if changed.size == 0:
        assert patch.is_empty
        assert patch.box is None
        return
    (row0, col0), (row1, col1) = changed.min(axis=0), changed.max(axis=0) + 1
    assert patch.box == (row0, row1, col0, col1)


def test_a_disc_of_radius_one_is_a_cross_with_its_rim() -> None:
    labels = np.zeros((5, 5), np.uint8)
    painted = applied(labels, paint_line(labels, (2, 2), (2, 2), 1.0, Label.LVM))
    np.testing.assert_array_equal(painted[1:4, 1:4], [[0, 2, 0], [2, 2, 2], [0, 2, 0]])
    assert painted.sum() == 10


@pytest.mark.parametrize("point", [(2.0, 2.0), (2.49, 1.51), (1.5, 2.49), (2.4, 2.4)])
def test_the_smallest_brush_paints_the_pixel_under_the_point(point: tuple[float, float]) -> None:
    labels = np.zeros((5, 5), np.uint8)
    painted = applied(labels, paint_line(labels, point, point, 0.5, Label.RVBP))
    assert painted[2, 2] == Label.RVBP


@settings(deadline=None)
@given(POINTS, POINTS)
def test_the_thinnest_line_has_no_gaps(start: tuple[float, float], end: tuple[float, float]) -> None:
    labels = np.zeros((40, 40), np.uint8)
    start, end = (start[0] + 10, start[1] + 10), (end[0] + 10, end[1] + 10)
    pixels = {tuple(one) for one in np.argwhere(applied(labels, paint_line(labels, start, end, 0.5, Label.LVBP)))}
    reached, front = set(), {min(pixels)}
    while front:
        reached |= front
        near = {(r + dr, c + dc) for r, c in front for dr in (-1, 0, 1) for dc in (-1, 0, 1)}
        front = (near & pixels) - reached
    assert reached == pixels


def test_painting_outside_the_frame_changes_nothing() -> None:
    labels = np.ones((4, 4), np.uint8)
    assert paint_line(labels, (-10, 2), (-10, 2), 3, Label.LVM).is_empty
    assert paint_line(labels, (0, 30), (3, 30), 3, Label.LVM).is_empty
    patch = paint_line(labels, (-10, 2), (-10, 2), 3, Label.LVM)
    np.testing.assert_array_equal(applied(labels, patch), labels)


def test_painting_what_is_there_already_changes_nothing() -> None:
    labels = np.full((4, 4), Label.LVM, np.uint8)
    assert paint_line(labels, (2, 2), (2, 2), 2, Label.LVM).is_empty


@pytest.mark.parametrize(
    ("start", "radius"), [((0.0, 0.0), 0.0), ((0.0, 0.0), -1.0), ((math.nan, 0.0), 1.0), ((math.inf, 0.0), 1.0)]
)
def test_a_brush_that_cannot_be_is_refused(start: tuple[float, float], radius: float) -> None:
    with pytest.raises(LabelMapError, match="with radius"):
        paint_line(np.zeros((3, 3), np.uint8), start, (1, 1), radius, Label.LVM)


def test_a_patch_does_not_go_onto_a_label_map_that_has_changed_meanwhile() -> None:
    labels = np.zeros((5, 5), np.uint8)
    patch = paint_line(labels, (2, 2), (2, 2), 1, Label.LVM)
    with pytest.raises(LabelMapError, match="changed in the meantime"):
        patch.revert(labels)
    patch.apply(labels)
    labels[2, 2] = Label.RVBP
    before = labels.copy()
    with pytest.raises(LabelMapError, match="changed in the meantime"):
        patch.revert(labels)
    np.testing.assert_array_equal(labels, before)


def test_a_patch_has_copies_of_its_own() -> None:
    labels = np.zeros((5, 5), np.uint8)
    patch = paint_line(labels, (2, 2), (2, 2), 1, Label.LVM)
    patch.apply(labels)
    labels[:] = 3
    assert patch.before.max() == 0
    assert not patch.before.flags.writeable
    assert not patch.after.flags.writeable


@settings(deadline=None)
@given(MAPS, MAPS)
def test_copying_a_label_map_makes_the_target_equal(source: np.ndarray, target: np.ndarray) -> None:
    np.testing.assert_array_equal(applied(target, patch_between(target, source)), source)


def test_label_maps_of_different_shapes_are_not_copied() -> None:
    with pytest.raises(LabelMapError, match="Could not copy"):
        patch_between(np.zeros((2, 3), np.uint8), np.zeros((2, 2), np.uint8))


def test_clearing_a_label_leaves_the_others() -> None:
    labels = np.array([[1, 2, 3], [2, 0, 1]], np.uint8)
    np.testing.assert_array_equal(applied(labels, clear_label(labels, Label.LVM)), [[1, 0, 3], [0, 0, 1]])


SHAPE = (48, 40)


def stack(positions, spacing=(1.0, 1.0)):
    return Geometry(*SHAPE, spacing, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), tuple(positions))


def straight(count, apart, spacing=(1.0, 1.0)):
    return stack([(0.0, 0.0, -apart * each) for each in range(count)], spacing)


def test_a_ball_cuts_discs_by_pythagoras():
    discs = discs_of_ball(straight(7, 3.0), 3, 5.0)
    assert sorted(discs) == [2, 3, 4]
    assert discs[3].radius_px == 5.0
    assert discs[2].radius_px == discs[4].radius_px == pytest.approx(4.0)
    assert all(each.shift == (0.0, 0.0) for each in discs.values())


def test_the_radius_in_mm_follows_from_the_pixel_spacing():
    discs = discs_of_ball(straight(3, 8.0, (2.0, 2.0)), 1, 5.0)
    assert discs[0].radius_px == pytest.approx(math.sqrt(10.0**2 - 8.0**2) / 2.0)


def test_a_slice_that_is_only_touched_or_beyond_is_left_alone():
    assert sorted(discs_of_ball(straight(5, 5.0), 2, 5.0)) == [2]
    assert sorted(discs_of_ball(straight(5, 10.0), 0, 5.0)) == [0]


def test_slices_that_lie_askew_get_the_disc_beneath_the_point():
    discs = discs_of_ball(stack([(0.0, 0.0, 0.0), (4.0, -6.0, 3.0)], (2.0, 1.0)), 0, 5.0)
    assert discs[1].shift == pytest.approx((3.0, -4.0))


@settings(deadline=None, max_examples=30)
@given(
    st.floats(0.5, 12),
    st.floats(1, 12),
    st.tuples(st.floats(10, 36), st.floats(10, 30)),
    st.sampled_from([(1.0, 1.0), (1.5, 1.5)]),
)
def test_exactly_what_lies_within_the_ball_is_painted(radius, apart, point, spacing):
    geometry = straight(5, apart, spacing)
    rows, cols = np.indices(SHAPE)
    beside = np.hypot(rows - point[0], cols - point[1]) * spacing[0]
    painted = discs_of_ball(geometry, 2, radius)
    for each in range(5):
        labels = np.zeros(SHAPE, np.uint8)
        if each in painted:
            painted[each].paint(labels, point, point, Label.RVBP).apply(labels)
        distance = np.hypot(beside, apart * (each - 2))
        clear = np.abs(distance - radius * spacing[0]) > 1e-5
        under = np.hypot(rows - point[0], cols - point[1]) < 0.75  # the pixel under the point is always painted
        np.testing.assert_array_equal((labels > 0)[clear & ~under], (distance < radius * spacing[0])[clear & ~under])


def test_the_ball_moves_along_a_line():
    labels = np.full(SHAPE, Label.LVM, np.uint8)
    disc = discs_of_ball(straight(3, 3.0), 1, 5.0)[0]
    after = labels.copy()
    disc.paint(labels, (20.0, 10.0), (20.0, 30.0), Label.BACKGROUND).apply(after)
    assert (after[16:25, 10:31] == Label.BACKGROUND).all()
    assert (after[15] == labels[15]).all()


def test_in_its_own_slice_it_is_the_round_brush():
    labels = np.zeros(SHAPE, np.uint8)
    ball, round_brush = labels.copy(), labels.copy()
    discs_of_ball(straight(3, 8.0, (1.2, 1.5)), 1, 6.5)[1].paint(labels, (20.2, 18.7), (20.2, 18.7), Label.LVM).apply(
        ball
    )
    paint_line(labels, (20.2, 18.7), (20.2, 18.7), 6.5, Label.LVM).apply(round_brush)
    np.testing.assert_array_equal(ball, round_brush)


@pytest.mark.parametrize(("slice_index", "radius"), [(-1, 2.0), (3, 2.0), (1, 0.0), (1, -1.0), (1, math.nan)])
def test_a_ball_that_cannot_be_is_refused(slice_index, radius):
    with pytest.raises(LabelMapError, match="positive radius"):
        discs_of_ball(straight(3, 8.0), slice_index, radius)
