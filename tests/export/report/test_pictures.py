import numpy as np
import pytest
from numpy.testing import assert_array_equal
from reportlab.graphics.shapes import Path

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.export.report.contents import Curve
from cmr_viewer.export.report.figures import curve_drawing, frame_drawing, outlines
from cmr_viewer.export.report.pictures import MARGIN_MM, box_of, pictures_of
from tests.export.report.made import phantom


def test_the_part_that_is_shown_holds_all_labels_with_a_margin():
    heart = phantom()
    row0, row1, col0, col1 = box_of(heart.stack, list(heart.labels[0]))
    rows, cols = np.nonzero(heart.labels[0].any(axis=0))
    margin = round(MARGIN_MM / 2.0)  # pixels of 2 mm
    assert (row0, col0) == (max(0, rows.min() - margin), max(0, cols.min() - margin))
    assert (row1, col1) == (min(64, rows.max() + 1 + margin), min(60, cols.max() + 1 + margin))


def test_without_labels_the_whole_frame_is_shown():
    heart = phantom()
    assert box_of(heart.stack, [None, None]) == (0, 64, 0, 60)


def test_pictures_are_cut_alike_and_keep_their_labels():
    heart = phantom()
    maps = {FrameIndex(p, s): heart.labels[p, s] for p in range(8) for s in range(6)}
    pictures = pictures_of(heart.stack, maps, {"ED": 0, "ES": 4}, {})
    row0, row1, col0, col1 = box_of(heart.stack, [heart.labels[p, s] for p in (0, 4) for s in range(6)])
    for picture in pictures:
        assert picture.grey.dtype == np.uint8
        assert_array_equal(picture.labels, maps[picture.frame][row0:row1, col0:col1])


def test_an_outline_runs_half_way_between_pixels():
    mask = np.zeros((5, 6), bool)
    mask[2, 3] = True
    (line,) = outlines(mask)
    assert sorted(map(tuple, line)) == [(1.5, 3.0), (2.0, 2.5), (2.0, 3.5), (2.5, 3.0)]


def test_a_drawing_has_the_shape_of_the_frame_in_mm():
    heart = phantom()
    (picture, *_) = pictures_of(heart.stack, {}, {"ED": 0}, {})
    drawing = frame_drawing(picture, 120.0)
    assert drawing.height / drawing.width == 64 / 60


@pytest.mark.parametrize("most", [0.0, 1e-9, 0.7, 100.0, 437.0])
def test_the_axis_of_volumes_begins_at_nothing_and_reaches_beyond_the_largest(most):
    volumes = np.array([most, most / 2, np.nan])
    drawing = curve_drawing(Curve(None, {"LV": volumes}, "ml", 0, 1), 500, 170)
    drawn = [part for part in drawing.contents if isinstance(part, Path)]
    assert drawn
    for path in drawn:
        assert 26.0 <= min(path.points[1::2]) <= max(path.points[1::2]) <= 150.0  # between the foot and the head
