"""Clicks on the phantom, whose label maps are known."""

import numpy as np
import pytest
from scipy import ndimage

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import dice
from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.click import REACH_MM, random_walk, segment_clicks
from cmr_viewer.review.correction import Click
from cmr_viewer.review.outlines import has_closed_ring
from tests.phantom import sax_cine

SPACING = (1.8, 1.8)
PHANTOM = sax_cine(phases=1, slices=7, rows=88, cols=88)
PIXELS, TRUTH = PHANTOM.stack.pixels[0, 3], PHANTOM.labels[0, 3]
LV = tuple(float(each) for each in np.argwhere(TRUTH == Label.LVBP).mean(axis=0))


def rv_middle():
    places = np.argwhere(TRUTH == Label.RVBP)
    row, col = places[np.abs(places - places.mean(axis=0)).sum(axis=1).argmin()]
    return float(row), float(col)


def certain(labels, surely=0.9):
    found = np.full((4, *labels.shape), (1 - surely) / 3)
    for label in Label:
        found[int(label)][labels == int(label)] = surely
    return found.astype(np.float16)


def test_without_clicks_nothing_changes():
    assert np.array_equal(segment_clicks(PIXELS, TRUTH, [], SPACING), TRUTH)


def deepest(wrong):
    """The pixel of a mask that is farthest from its rim."""
    row, col = np.unravel_index(int(ndimage.distance_transform_edt(wrong).argmax()), wrong.shape)
    return float(row), float(col)


def test_a_few_clicks_inside_bring_a_ventricle_that_is_missing_from_the_image_alone():
    drawn = np.where(TRUTH == Label.RVBP, 0, TRUTH).astype(np.uint8)
    clicks, found = [], drawn
    for _ in range(4):
        clicks.append(Click(deepest((TRUTH == Label.RVBP) & (found != Label.RVBP)), Label.RVBP, True))
        found = segment_clicks(PIXELS, drawn, clicks, SPACING)
    agreed = dice(found, TRUTH, Label.RVBP)
    assert agreed is not None and agreed > 0.85
    assert dice(found, TRUTH, Label.LVBP) == 1.0


def test_one_click_inside_brings_the_half_of_a_ventricle_that_is_missing():
    drawn = TRUTH.copy()
    drawn[: round(LV[0])][TRUTH[: round(LV[0])] == Label.RVBP] = Label.BACKGROUND
    before = dice(drawn, TRUTH, Label.RVBP)
    missing = (TRUTH == Label.RVBP) & (drawn != Label.RVBP)
    found = segment_clicks(PIXELS, drawn, [Click(deepest(missing), Label.RVBP, True)], SPACING)
    agreed = dice(found, TRUTH, Label.RVBP)
    assert before is not None and before < 0.75
    assert agreed is not None and agreed > 0.8


def test_one_click_outside_takes_a_piece_away():
    drawn = TRUTH.copy()
    drawn[4:14, 4:14] = Label.RVBP
    found = segment_clicks(PIXELS, drawn, [Click((8.0, 8.0), Label.RVBP, False)], SPACING)
    assert not (found[4:14, 4:14] == Label.RVBP).any()
    assert np.array_equal(found[30:], TRUTH[30:])


def test_a_click_lets_the_model_have_its_way_where_it_doubted():
    drawn = np.where(TRUTH == Label.RVBP, 0, TRUTH).astype(np.uint8)
    doubts = certain(drawn).astype(np.float32)
    doubts[int(Label.BACKGROUND)][TRUTH == Label.RVBP] = 0.6
    doubts[int(Label.RVBP)][TRUTH == Label.RVBP] = 0.35
    found = segment_clicks(PIXELS, drawn, [Click(rv_middle(), Label.RVBP, True)], SPACING, probabilities=doubts)
    agreed = dice(found, TRUTH, Label.RVBP)
    assert agreed is not None and agreed > 0.85


def test_the_clicked_pixel_has_the_label_of_the_click():
    for label in (Label.LVBP, Label.LVM, Label.RVBP):
        for inside in (True, False):
            for point in (LV, rv_middle(), (3.0, 3.0)):
                found = segment_clicks(PIXELS, TRUTH, [Click(point, label, inside)], SPACING)
                at = found[round(point[0]), round(point[1])]
                opened = label is Label.LVM and not inside
                if has_closed_ring(found) or opened or label is not Label.LVBP:
                    assert (at == int(label)) == inside, (label, inside, point)


def test_nothing_changes_beyond_the_reach_of_a_click():
    point = (10.0, 10.0)
    found = segment_clicks(PIXELS, TRUTH, [Click(point, Label.RVBP, True)], SPACING)
    rows, cols = np.indices(TRUTH.shape)
    away = np.hypot(rows - point[0], cols - point[1]) * SPACING[0]
    far = away > 2 * REACH_MM[1] + SPACING[0]
    assert np.array_equal(found[far], TRUTH[far])


def test_a_later_click_goes_before_an_earlier_one_at_the_same_place():
    point = rv_middle()
    clicks = [Click(point, Label.RVBP, False), Click(point, Label.RVBP, True)]
    found = segment_clicks(PIXELS, TRUTH, clicks, SPACING)
    assert found[round(point[0]), round(point[1])] == Label.RVBP


def test_a_closed_ring_stays_closed():
    wall = np.argwhere(TRUTH == Label.LVM)
    row, col = wall[wall[:, 1].argmax()]
    found = segment_clicks(PIXELS, TRUTH, [Click((float(row), float(col)), Label.LVBP, True)], SPACING)
    assert has_closed_ring(found)


def test_what_cannot_be_is_refused():
    with pytest.raises(LabelMapError, match="background"):
        segment_clicks(PIXELS, TRUTH, [Click(LV, Label.BACKGROUND, True)], SPACING)
    with pytest.raises(LabelMapError, match="outside the frame"):
        segment_clicks(PIXELS, TRUTH, [Click((-1.0, 5.0), Label.LVM, True)], SPACING)
    with pytest.raises(LabelMapError, match="match"):
        segment_clicks(PIXELS[:-1], TRUTH, [Click(LV, Label.LVM, True)], SPACING)
    with pytest.raises(LabelMapError, match="match"):
        segment_clicks(PIXELS, TRUTH, [Click(LV, Label.LVM, True)], SPACING, probabilities=np.zeros((3, 88, 88)))


def test_a_click_leaves_no_hole_in_what_it_brings_unless_one_is_clicked():
    rows, cols = np.indices((60, 60))
    bright = np.hypot(rows - 30, cols - 30) < 10
    pixels = np.where(bright, 500.0, 100.0)
    pixels[30, 34] = 100.0
    drawn = np.where(bright & (cols < 30), int(Label.LVBP), 0).astype(np.uint8)
    inside = Click((30.0, 37.0), Label.LVBP, True)
    found = segment_clicks(pixels, drawn, [inside], (1.5, 1.5))
    assert found[30, 34] == Label.LVBP
    clicked = segment_clicks(pixels, drawn, [inside, Click((30.0, 34.0), Label.LVBP, False)], (1.5, 1.5))
    assert clicked[30, 34] != Label.LVBP


def even(kinds, shape):
    return np.full((kinds, *shape), 1.0 / kinds, np.float32)


def walk(grey, marks, prior=None, belief=1e-6):
    prior = even(int(marks.max()) + 1, grey.shape) if prior is None else prior
    return random_walk(grey, marks, prior, edge=0.1, belief=np.full(grey.shape, belief, np.float32))


def test_between_two_marks_of_an_even_line_chances_fall_evenly():
    """The walk of a gambler: from place k of n the chance to come first to the far end is k / n."""
    grey, marks = np.zeros((1, 11), np.float32), np.full((1, 11), -1, np.int8)
    marks[0, 0], marks[0, 10] = 0, 1
    assert walk(grey, marks)[1, 0] == pytest.approx(np.arange(11) / 10, abs=1e-3)


def test_chances_add_up_to_one_and_marks_are_certain():
    rng = np.random.default_rng(1)
    grey, marks = rng.random((12, 9)).astype(np.float32), np.full((12, 9), -1, np.int8)
    marks[2, 2], marks[9, 3], marks[5, 7] = 0, 1, 2
    found = walk(grey, marks)
    assert found.sum(axis=0) == pytest.approx(np.ones((12, 9)), abs=1e-5)
    assert found[1, 9, 3] == 1.0 and found[2, 2, 2] == 0.0


def test_an_edge_keeps_the_marks_apart():
    grey = np.zeros((15, 15), np.float32)
    grey[:, 10:] = 1.0
    marks = np.full((15, 15), -1, np.int8)
    marks[7, 8], marks[7, 14] = 0, 1
    found = walk(grey, marks).argmax(axis=0)
    assert not found[:, :10].any() and found[:, 10:].all()


def test_with_much_belief_what_was_believed_remains():
    prior = np.stack([np.full((6, 6), 0.3), np.full((6, 6), 0.7)]).astype(np.float32)
    marks = np.full((6, 6), -1, np.int8)
    marks[0, 0] = 0
    found = walk(np.zeros((6, 6), np.float32), marks, prior, belief=1e4)
    assert found[1, 3, 3] == pytest.approx(0.7, abs=1e-3)
    assert found[1, 0, 0] == 0.0


def test_marks_everywhere_leave_nothing_to_decide():
    marks = np.zeros((3, 3), np.int8)
    assert walk(np.zeros((3, 3), np.float32), marks, even(2, (3, 3)))[0].min() == 1.0
