import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.frame.thumbnails import Thumbnails, moving_box, usual_window
from tests.phantom import sax_cine


def test_the_box_is_square_in_millimetres_and_holds_the_left_ventricle(phantom):
    row0, row1, col0, col1 = moving_box(phantom.stack)
    down, across = phantom.stack.geometry.pixel_spacing_mm
    assert (row1 - row0) * down == pytest.approx((col1 - col0) * across, abs=max(down, across))
    rows, cols = np.nonzero(phantom.labels[0, 3] == int(Label.LVBP))
    assert row0 <= rows.min()
    assert rows.max() < row1
    assert col0 <= cols.min()
    assert cols.max() < col1


def test_a_stack_without_time_is_shown_from_its_middle():
    stack = sax_cine(phases=1, slices=3, rows=60, cols=60).stack
    row0, row1, col0, col1 = moving_box(stack)
    assert abs(row0 + row1 - 60) <= 1
    assert (row0, row1) == (col0, col1)


def test_the_window_leaves_out_the_darkest_and_brightest_hundredth(phantom):
    centre, width = usual_window(phantom.stack)
    pixels = phantom.stack.pixels
    inside = np.abs(pixels.astype(float) - centre) <= width / 2
    assert 0.9 < inside.mean() < 1.0


def test_a_thumbnail_is_kept_until_its_frame_changes(app, phantom):
    stack = phantom.stack
    thumbnails = Thumbnails(stack, moving_box(stack), usual_window(stack), lambda f: phantom.labels[f])
    thumbnails.set_side(48)
    made = thumbnails.make(FrameIndex(0, 3))
    assert (made.width(), made.height()) == (48, 48)
    assert thumbnails.made(FrameIndex(0, 3)) is made
    thumbnails.forget(FrameIndex(0, 3))
    assert thumbnails.made(FrameIndex(0, 3)) is None
    assert thumbnails.before(FrameIndex(0, 3)) is made


def test_what_a_thumbnail_was_before_goes_when_it_is_made_again_or_all_has_changed(app, phantom):
    stack, frame = phantom.stack, FrameIndex(0, 3)
    thumbnails = Thumbnails(stack, moving_box(stack), usual_window(stack), lambda f: phantom.labels[f])
    thumbnails.set_side(48)
    thumbnails.make(frame)
    thumbnails.forget(frame)
    thumbnails.make(frame)
    assert thumbnails.before(frame) is None
    thumbnails.forget(frame)
    thumbnails.forget_all()
    assert thumbnails.before(frame) is None
