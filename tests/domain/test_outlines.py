import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.outlines import outline_polygons, outlines_of


def area(polygons):
    """Shoelace formula; outlines of holes run the other way round and count negative."""
    total = 0.0
    for points in polygons:
        row, col = points[:, 0], points[:, 1]
        total += 0.5 * float(np.sum(row * np.roll(col, -1) - col * np.roll(row, -1)))
    return abs(total)


def test_the_exact_outline_of_one_pixel_is_its_square():
    mask = np.zeros((5, 5), bool)
    mask[2, 3] = True
    (square,) = outline_polygons(mask, exact=True)
    assert {tuple(p) for p in square.tolist()} == {(1.5, 2.5), (1.5, 3.5), (2.5, 3.5), (2.5, 2.5)}


def test_a_ring_has_two_outlines():
    mask = np.ones((5, 5), bool)
    mask[2, 2] = False
    assert sorted(len(p) for p in outline_polygons(mask, exact=True)) == [4, 20]


def test_pixels_that_touch_at_a_corner_have_outlines_of_their_own():
    mask = np.eye(3, dtype=bool)
    assert [len(p) for p in outline_polygons(mask, exact=True)] == [4, 4, 4]


def test_nothing_has_no_outline():
    assert outline_polygons(np.zeros((4, 4), bool)) == ()


@settings(deadline=None, max_examples=60)
@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_exact_outlines_enclose_as_many_pixels_as_the_mask_has(mask):
    assert area(outline_polygons(mask, exact=True)) == mask.sum()


@settings(deadline=None, max_examples=30)
@given(st.floats(4, 25), st.floats(4, 25), st.floats(-0.5, 0.5), st.floats(0, 3.2))
def test_smooth_outlines_stay_within_a_pixel_of_the_exact_ones_and_keep_the_area(a, b, shift, turn):
    y, x = np.mgrid[:64, :64] - 31.5 + shift
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    mask = (u / a) ** 2 + (v / b) ** 2 < 1
    (smooth,), (exact,) = outline_polygons(mask), outline_polygons(mask, exact=True)
    distance = np.sqrt(((smooth[:, None, :] - exact[None, :, :]) ** 2).sum(axis=2)).min(axis=1)
    assert distance.max() < 1.0
    assert abs(area([smooth]) - mask.sum()) < 0.05 * mask.sum() + 1.0


def test_the_epicardium_bounds_blood_pool_and_myocardium_together():
    labels = np.zeros((9, 9), np.uint8)
    labels[2:7, 2:7] = Label.LVM
    labels[4, 4] = Label.LVBP
    labels[8, :] = Label.RVBP
    outlines = outlines_of(labels, exact=True)
    assert area(outlines.of(Label.LVM)) == 25
    assert area(outlines.of(Label.LVBP)) == 1
    assert area(outlines.of(Label.RVBP)) == 9


def test_a_blood_pool_without_myocardium_has_no_epicardium():
    labels = np.zeros((9, 9), np.uint8)
    labels[2:7, 2:7] = Label.LVBP
    outlines = outlines_of(labels)
    assert outlines.of(Label.LVM) == ()
    assert len(outlines.of(Label.LVBP)) == 1


def test_a_smooth_outline_is_drawn_with_few_points():
    y, x = np.mgrid[:200, :200]
    ((few,), (all_of_them,)) = (
        outline_polygons(np.hypot(y - 100, x - 100) < 60, exact=exact) for exact in (False, True)
    )
    assert len(few) < len(all_of_them) / 2
    assert np.abs(np.hypot(*(few - 100).T) - 60).max() < 1.0
