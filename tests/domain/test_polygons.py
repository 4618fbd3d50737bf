import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cmr_viewer.domain.polygons import fill_polygon, fill_polygons, trace
from tests.phantom_contours import circle, square


def filled(points, shape):
    return fill_polygon(np.array(points), shape)


def test_pixels_whose_centre_is_inside_are_filled():
    inside = filled(square(0.5, 3.5), (5, 6))
    assert inside.sum() == 9
    assert inside[1:4, 1:4].all()


def test_of_centres_on_the_outline_the_left_and_upper_belong():
    assert np.argwhere(filled(square(1.0, 3.0), (5, 5))).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_contours_that_share_an_outline_share_no_pixel_and_leave_none_out():
    left, right = [(0, 0), (4, 0), (2, 6), (0, 6)], [(4, 0), (8, 0), (8, 6), (2, 6)]
    both = filled(left, (8, 10)).astype(int) + filled(right, (8, 10))
    assert both.max() == 1
    np.testing.assert_array_equal(both > 0, filled([(0, 0), (8, 0), (8, 6), (0, 6)], (8, 10)))


def test_x_counts_columns_and_y_rows():
    inside = filled([(0.5, 0.5), (4.5, 0.5), (4.5, 1.5), (0.5, 1.5)], (6, 6))
    assert np.argwhere(inside).tolist() == [[1, 1], [1, 2], [1, 3], [1, 4]]


def test_what_is_outside_the_frame_is_cut_off():
    assert filled(square(-5.0, 50.0), (4, 4)).all()
    assert not filled(square(10.0, 50.0), (4, 4)).any()


def test_a_concave_outline_is_not_filled_in_its_notch():
    u_shape = [(0.5, 0.5), (6.5, 0.5), (6.5, 4.5), (4.5, 4.5), (4.5, 2.5), (2.5, 2.5), (2.5, 4.5), (0.5, 4.5)]
    inside = filled(u_shape, (6, 8))
    assert not inside[3:, 3:5].any()
    assert inside.sum() == 6 * 2 + 2 * 2 * 2


def test_both_halves_of_a_figure_of_eight_are_inside():
    inside = filled([(0.5, 0.5), (8.5, 4.5), (8.5, 0.5), (0.5, 4.5)], (6, 10))
    assert inside[2, 1]
    assert inside[2, 8]
    assert not inside[1, 4]


def test_where_a_contour_winds_round_twice_is_outside():
    twice = filled([*square(0.5, 8.5), *square(2.5, 6.5)], (10, 10))
    assert not twice[4, 4]
    assert twice[1, 1]


def test_a_contour_inside_another_is_a_hole_and_one_beside_it_adds_up():
    inside = fill_polygons(
        [np.array(square(0.5, 8.5)), np.array(square(2.5, 6.5)), np.array(square(9.5, 11.5))], (12, 12)
    )
    assert inside.sum() == 64 - 16 + 4


def test_contours_that_enclose_no_centre_are_empty():
    assert not filled([(1.1, 1.1), (1.4, 1.1), (1.2, 1.6)], (4, 4)).any()
    assert not filled([(0, 0), (9, 0), (4, 0)], (4, 4)).any()
    assert not filled([(2, 2)] * 5, (4, 4)).any()


@settings(deadline=None, max_examples=40)
@given(st.floats(2, 14), st.floats(15, 25), st.floats(15, 25))
def test_a_disc_has_the_area_of_a_disc_whichever_way_it_is_drawn(radius, x, y):
    points = np.array(circle(x, y, radius, 400))
    inside = fill_polygon(points, (40, 40))
    assert inside.sum() == pytest.approx(np.pi * radius**2, abs=2 * np.pi * radius)
    assert (inside != fill_polygon(points[::-1], (40, 40))).sum() <= 4


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(*[st.integers(-20, 50)] * 2), min_size=3, max_size=12))
def test_every_polygon_agrees_with_counting_edges_to_the_left_of_each_centre(points):
    # Coordinates of quarters are exact in floating point, so both countings must agree on outlines too.
    corners = np.array(points) / 4
    expected = np.zeros((8, 8), dtype=bool)
    for row in range(8):
        for col in range(8):
            crossed = 0
            for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
                if (y0 <= row) != (y1 <= row):
                    (xl, yl), (xh, yh) = ((x0, y0), (x1, y1)) if y0 < y1 else ((x1, y1), (x0, y0))
                    # The centre is at or right of the edge.
                    crossed += (col - xl) * (yh - yl) - (row - yl) * (xh - xl) >= 0
            expected[row, col] = crossed % 2 == 1
    np.testing.assert_array_equal(fill_polygon(corners, (8, 8)), expected)


def test_a_million_points_are_filled_as_the_disc_that_they_are():
    angle = np.linspace(0, 2 * np.pi, 1_000_000, endpoint=False)
    points = np.stack([60 + 40.25 * np.cos(angle), 60 + 40.25 * np.sin(angle)], axis=1)
    inside = fill_polygon(points, (128, 128))
    y, x = np.mgrid[:128, :128]
    np.testing.assert_array_equal(inside, np.hypot(y - 60, x - 60) < 40.25)


def test_a_hundred_thousand_crossings_of_every_row_are_counted():
    # Up and down between the same two columns, an even number of times, then once: what remains is one rectangle.
    zigzag = [(2.5, -1.0), (2.5, 20.0)] * 50_000
    inside = filled([*zigzag, (6.5, 20.0), (6.5, -1.0)], (16, 16))
    np.testing.assert_array_equal(np.flatnonzero(inside.any(axis=0)), [3, 4, 5, 6])


def area(corners):
    """Shoelace formula, signed."""
    row, col = corners[:, 0], corners[:, 1]
    return 0.5 * float(np.sum(row * np.roll(col, -1) - col * np.roll(row, -1)))


def test_the_outline_of_one_pixel_is_its_square():
    mask = np.zeros((5, 5), bool)
    mask[2, 3] = True
    (corners,) = trace(mask)
    assert {tuple(corner) for corner in corners.tolist()} == {(1.5, 2.5), (1.5, 3.5), (2.5, 3.5), (2.5, 2.5)}


def test_nothing_has_no_outline():
    assert trace(np.zeros((4, 4), bool)) == []


def test_a_hole_is_walked_the_other_way_round():
    mask = np.ones((5, 5), bool)
    mask[2, 2] = False
    areas = sorted(area(corners) for corners in trace(mask))
    assert [abs(each) for each in areas] in ([25, 1], [1, 25])
    assert areas[0] < 0 < areas[1]


def test_pixels_that_touch_at_a_corner_have_outlines_of_their_own():
    assert [len(corners) for corners in trace(np.eye(3, dtype=bool))] == [4, 4, 4]


@settings(deadline=None, max_examples=80)
@given(arrays(bool, st.tuples(st.integers(1, 10), st.integers(1, 10))))
def test_what_is_traced_is_filled_again_pixel_for_pixel(mask):
    corners = trace(mask)
    np.testing.assert_array_equal(fill_polygons([each[:, ::-1] for each in corners], mask.shape), mask)
    assert abs(sum(area(each) for each in corners)) == mask.sum()
    for each in corners:
        np.testing.assert_array_equal(np.abs(each - np.roll(each, -1, axis=0)).sum(axis=1), 1.0)
