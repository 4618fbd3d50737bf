import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import dice
from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.outlines import has_closed_ring
from cmr_viewer.review.shape import grow, nudge
from cmr_viewer.review.snap import snap_to_edge, snapped
from tests.review.hearts import heart

SPACING = (1.3, 1.3)
CENTRE = (60.3, 71.7)


def away(shape=(128, 128), centre=CENTRE):
    rows, cols = np.indices(shape)
    return np.hypot(rows - centre[0], cols - centre[1])


def disc(radius, *, centre=CENTRE, noise=0.0, inside=180.0, outside=60.0):
    """A disc with partial pixels at its rim, blurred by 1.5 pixels."""
    share = np.clip(radius - away(centre=centre) + 0.5, 0.0, 1.0)
    image = ndimage.gaussian_filter(outside + (inside - outside) * share, 1.5)
    return image + np.random.default_rng(7).normal(0.0, noise, image.shape)


def circle(radius, centre=CENTRE):
    angle = np.arange(120) / 120 * 2 * np.pi
    return np.stack([centre[0] + radius * np.sin(angle), centre[1] + radius * np.cos(angle)], axis=1)


@pytest.mark.parametrize("off", [-2.0, 2.0])
@pytest.mark.parametrize(("radius", "noise"), [(12.0, 0.0), (20.0, 0.0), (20.0, 4.0), (40.0, 4.0)])
def test_a_contour_two_pixels_off_comes_to_the_edge(radius, noise, off):
    line = snapped(circle(radius + off), disc(radius, noise=noise), SPACING, bright_inside=True)
    assert np.abs(np.hypot(*(line - CENTRE).T) - radius).max() < 0.5


def test_a_contour_that_was_moved_to_the_side_comes_back():
    line = snapped(circle(20.0, (CENTRE[0] + 1.5, CENTRE[1] - 1.0)), disc(20.0), SPACING, bright_inside=True)
    assert np.abs(np.hypot(*(line - CENTRE).T) - 20.0).max() < 0.5


def test_the_direction_in_which_the_line_runs_does_not_matter():
    image = disc(20.0, noise=4.0)
    one, other = (snapped(line, image, SPACING, bright_inside=True) for line in (circle(22.0), circle(22.0)[::-1]))
    for line in (one, other):
        assert np.abs(np.hypot(*(line - CENTRE).T) - 20.0).max() < 0.5


def test_the_contour_of_a_blood_pool_stays_where_the_edge_is_dark_inside():
    line = snapped(circle(22.0), disc(20.0, inside=60.0, outside=180.0), SPACING, bright_inside=True)
    np.testing.assert_allclose(np.hypot(*(line - CENTRE).T), 22.0, atol=0.1)


def test_an_image_without_edges_changes_nothing():
    line = snapped(circle(20.0), np.full((128, 128), 7, np.int16), SPACING)
    np.testing.assert_allclose(np.hypot(*(line - CENTRE).T), 20.0, atol=0.05)


@settings(deadline=None, max_examples=25)
@given(
    row=st.floats(-3, 67), col=st.floats(-3, 67), radius=st.floats(4, 30), seed=st.integers(0, 99), bright=st.booleans()
)
def test_a_line_never_leaves_the_frame_and_is_the_same_each_time(row, col, radius, seed, bright):
    image = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(64, 64)), 2.0)
    line = np.clip(circle(radius, (row, col)), 0.0, 63.0)
    one, again = (snapped(line, image, SPACING, bright_inside=bright) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert one.min() >= 0.0
    assert one.max() <= 63.0


def grey_of(labels):
    return ndimage.gaussian_filter(np.choose(labels, [70.0, 200.0, 40.0, 180.0]), 1.0)


@pytest.mark.parametrize("label", [Label.LVBP, Label.LVM, Label.RVBP])
@pytest.mark.parametrize("by_mm", [1.5, -1.5])
def test_a_structure_that_was_drawn_too_large_or_too_small_comes_nearer_to_the_image(label, by_mm):
    labels = heart()
    drawn = grow(labels, label, by_mm, SPACING)
    after = snap_to_edge(drawn, label, grey_of(labels), SPACING)
    assert dice(after, labels, label) > dice(drawn, labels, label)
    assert has_closed_ring(after)


def test_what_was_drawn_and_what_is_not_there_stay_as_they_were():
    labels = heart()
    drawn = nudge(labels, Label.RVBP, 1, 1)
    before = drawn.copy()
    after = snap_to_edge(drawn, Label.RVBP, grey_of(labels), SPACING)
    np.testing.assert_array_equal(drawn, before)
    assert after is not drawn
    empty = np.zeros_like(labels)
    np.testing.assert_array_equal(snap_to_edge(empty, Label.LVBP, grey_of(labels), SPACING), empty)


def test_a_frame_of_another_size_is_refused():
    with pytest.raises(LabelMapError, match="does not fit"):
        snap_to_edge(heart(), Label.LVBP, np.zeros((3, 4)), SPACING)
