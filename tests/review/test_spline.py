import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.spline import (
    MOST_KNOTS,
    STEP_PX,
    Contour,
    contour_along,
    contour_drawn,
    contour_through,
    knot_added,
    knot_moved,
    knot_removed,
    nearest_point,
    pulled,
    redrawn,
    spaced,
)

CENTRE = np.array([50.0, 60.0])


def circle(radius: float, points: int = 400, begin: float = 0.0, end: float = 2 * np.pi, closed: bool = True):
    angle = np.linspace(begin, end, points, endpoint=not closed)
    return CENTRE + radius * np.stack([np.sin(angle), np.cos(angle)], axis=1)


def radii(contour: Contour):
    return np.hypot(*(contour.points - CENTRE).T)


def angles(contour: Contour):
    return np.degrees(np.arctan2(*(contour.points - CENTRE).T)) % 360


shapes = st.builds(
    lambda radius, waves, phase, knots: contour_along(
        CENTRE
        + (radius * (1 + 0.15 * np.sin(waves * np.linspace(0, 2 * np.pi, 300, endpoint=False) + phase)))[:, None]
        * np.stack(
            [
                np.sin(np.linspace(0, 2 * np.pi, 300, endpoint=False)),
                np.cos(np.linspace(0, 2 * np.pi, 300, endpoint=False)),
            ],
            axis=1,
        )
    ),
    st.floats(6, 40),
    st.integers(0, 5),
    st.floats(0, 6),
    st.none(),
)
steps = st.tuples(st.floats(-12, 12), st.floats(-12, 12))


def test_a_contour_along_a_line_is_that_line_with_few_knots_on_it():
    line = circle(30)
    contour = contour_along(line)
    np.testing.assert_array_equal(contour.points, line)
    assert 4 <= len(contour.knots) <= 8
    assert contour.length_px == pytest.approx(2 * np.pi * 30, rel=1e-3)


def test_a_line_with_corners_gets_knots_at_them():
    corners = np.array([(0.0, 0.0), (0.0, 40.0), (40.0, 40.0), (40.0, 0.0)])
    contour = contour_along(corners)
    assert len(contour.knots) <= MOST_KNOTS
    for corner in corners:
        assert np.hypot(*(contour.knot_points - corner).T).min() < 2.0


def test_the_contour_through_clicks_on_a_circle_is_nearly_the_circle():
    contour = contour_through(circle(30, points=6))
    np.testing.assert_allclose(contour.knot_points, circle(30, points=6))
    assert np.abs(radii(contour) - 30).max() < 0.5


def test_the_hand_may_tremble_when_a_contour_is_drawn():
    tremor = np.random.default_rng(1).normal(0, 0.3, (200, 2))
    contour = contour_drawn(circle(30, points=200) + tremor)
    assert np.abs(radii(contour) - 30).max() < 0.6
    assert len(contour.knots) <= 12


@settings(deadline=None, max_examples=40)
@given(shapes, steps, st.data())
def test_a_moved_knot_goes_where_it_is_dragged_and_the_line_beyond_the_second_knot_stays(contour, by, data):
    count = len(contour.knots)
    knot = data.draw(st.integers(0, count - 1))
    to = contour.knot_points[knot] + by
    moved = knot_moved(contour, knot, (to[0], to[1]))
    np.testing.assert_allclose(moved.knot_points[knot], to, atol=1e-9)
    others = np.delete(np.arange(count), knot)
    np.testing.assert_allclose(moved.knot_points[others], contour.knot_points[others], atol=1e-9)
    if count >= 6:
        first, last = contour.knots[(knot - 2) % count], contour.knots[(knot + 2) % count]
        places = np.arange(len(contour.points))
        within = (places > first) & (places < last) if first < last else (places > first) | (places < last)
        np.testing.assert_array_equal(moved.points[~within], contour.points[~within])


@settings(deadline=None, max_examples=40)
@given(shapes, st.data())
def test_a_knot_that_is_brought_back_leaves_the_line_as_it_was(contour, data):
    knot = data.draw(st.integers(0, len(contour.knots) - 1))
    row, col = contour.knot_points[knot]
    np.testing.assert_allclose(knot_moved(contour, knot, (row, col)).points, contour.points, atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(shapes, steps, st.floats(3, 30), st.data())
def test_a_pull_takes_hold_of_one_point_and_moves_nothing_by_more_or_beyond_its_reach(contour, by, reach, data):
    at = data.draw(st.integers(0, len(contour.points) - 1))
    to = contour.points[at] + by
    moved = pulled(contour, at, (to[0], to[1]), reach)
    np.testing.assert_allclose(moved.points[at], to, atol=1e-9)
    shift = np.hypot(*(moved.points - contour.points).T)
    assert shift.max() <= np.hypot(*by) + 1e-9
    along = np.concatenate([[0], np.cumsum(np.hypot(*(np.roll(contour.points, -1, axis=0) - contour.points).T))])
    apart = np.abs(along[:-1] - along[at])
    apart = np.minimum(apart, along[-1] - apart)
    assert shift[apart > max(reach, 1.5 * np.hypot(*by)) + 1e-9].max(initial=0.0) == 0.0


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("begin", "end"), [(0.5, 1.8), (5.5, 7.5), (1.0, 5.5)])
def test_a_stroke_replaces_the_part_that_it_runs_along(begin, end, backwards):
    stroke = circle(35, points=80, begin=begin, end=end, closed=False)
    contour = redrawn(contour_along(circle(30)), stroke[::-1] if backwards else stroke)
    inside = ((angles(contour) - np.degrees(begin)) % 360) < np.degrees(end - begin)
    margin = 4.0
    deep = ((angles(contour) - np.degrees(begin) - margin) % 360) < np.degrees(end - begin) - 2 * margin
    np.testing.assert_allclose(radii(contour)[deep], 35, atol=0.2)
    outer = ((angles(contour) - np.degrees(begin) + margin) % 360) >= np.degrees(end - begin) + 2 * margin
    np.testing.assert_allclose(radii(contour)[outer], 30, atol=0.1)
    assert inside.any()
    assert np.all(np.diff(contour.knots) > 0)


def test_a_stroke_all_the_way_round_replaces_all():
    contour = redrawn(contour_along(circle(30)), circle(24, points=300, begin=0.3, end=2 * np.pi + 0.6, closed=False))
    np.testing.assert_allclose(radii(contour), 24, atol=0.3)


def test_a_stroke_along_a_crescent_whose_middle_lies_outside_replaces_that_part():
    outer = circle(30, points=120, begin=-2.0, end=2.0, closed=False)
    inner = circle(22, points=90, begin=2.0, end=-2.0, closed=False)
    contour = contour_along(np.concatenate([outer, inner]))
    changed = redrawn(contour, circle(34, points=60, begin=-0.6, end=0.6, closed=False))
    far = radii(changed)[np.abs((angles(changed) + 180) % 360 - 180) < 25]
    assert far.max() == pytest.approx(34, abs=0.2)
    assert far[far < 28] == pytest.approx(22, abs=0.2)


def test_a_new_knot_leaves_the_line_and_a_removed_one_leaves_it_smooth():
    contour = contour_along(circle(30))
    more = knot_added(contour, 33)
    assert len(more.knots) == len(contour.knots) + 1
    np.testing.assert_array_equal(more.points, contour.points)
    bump = pulled(contour, 33, (contour.points[33][0] + 6, contour.points[33][1] + 6), 8.0)
    bump = knot_added(bump, 33)
    place = int(np.flatnonzero(bump.knots == 33)[0])
    less = knot_removed(bump, place)
    assert np.abs(radii(less) - 30).max() < 2.0 < np.abs(radii(bump) - 30).max()


def test_three_knots_are_the_fewest():
    contour = contour_through(circle(10, points=3))
    with pytest.raises(LabelMapError, match="three knots"):
        knot_removed(contour, 0)


def test_a_stretched_line_gets_points_again():
    contour = contour_along(circle(30))
    stretched = pulled(contour, 0, (50.0, 140.0), 20.0)
    again = spaced(stretched)
    steps = np.hypot(*(np.roll(again.points, -1, axis=0) - again.points).T)
    assert steps.max() <= STEP_PX + 1e-9
    np.testing.assert_allclose(again.knot_points, stretched.knot_points, atol=1e-9)


def test_the_nearest_point_and_knot_are_found():
    contour = contour_along(circle(30))
    point, away = nearest_point(contour, (50.0, 95.0))
    np.testing.assert_allclose(contour.points[point], (50.0, 90.0))
    assert away == pytest.approx(5.0)


@pytest.mark.parametrize("points", [np.zeros((0, 2)), np.ones((5, 2)), np.array([(0, 0), (1, np.nan), (2, 2)])])
def test_what_cannot_be_a_contour_is_refused(points):
    for make in (contour_along, contour_through, contour_drawn):
        with pytest.raises(LabelMapError):
            make(np.asarray(points, dtype=float))
