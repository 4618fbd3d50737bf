import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.review import ring, shape
from cmr_viewer.review.correct import corrected
from cmr_viewer.review.correction import Correction, Tool
from tests.review.hearts import HEARTS, SCRIBBLES, heart, roughened

SPACING = (1.2, 1.5)
ROUGH = roughened(heart(), 7)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Correction(Tool.FILL_HOLES, Label.LVBP), shape.fill_holes(ROUGH, Label.LVBP)),
        (Correction(Tool.SMOOTH), shape.smooth(ROUGH, None, SPACING)),
        (Correction(Tool.GROW, Label.RVBP, by_mm=2.0), shape.grow(ROUGH, Label.RVBP, 2.0, SPACING)),
        (Correction(Tool.SHRINK, Label.RVBP, by_mm=2.0), shape.grow(ROUGH, Label.RVBP, -2.0, SPACING)),
        (Correction(Tool.NUDGE, None, rows=2, cols=-3), np.roll(ROUGH, (2, -3), axis=(0, 1))),
        (Correction(Tool.KEEP_LARGEST, Label.LVM), shape.keep_largest(ROUGH, Label.LVM)),
        (Correction(Tool.REMOVE, Label.LVM), np.where(ROUGH == Label.LVM, 0, ROUGH)),
        (Correction(Tool.RING, by_mm=7.0), ring.ring_of_thickness(ROUGH, 7.0, SPACING)),
        (Correction(Tool.CLOSE_RING), ring.close_ring(ROUGH, SPACING)),
        (Correction(Tool.PAPILLARIES), ring.include_papillaries(ROUGH)),
    ],
)
def test_each_tool_does_what_it_is_called(wanted, expected):
    np.testing.assert_array_equal(corrected(ROUGH, wanted, SPACING), expected)


@settings(deadline=None, max_examples=60)
@given(st.one_of(SCRIBBLES, HEARTS), st.sampled_from(Tool), st.sampled_from([None, *STRUCTURES]))
def test_any_tool_gives_a_label_map_of_its_own_from_any_label_map(labels, tool, label):
    before = labels.copy()
    after = corrected(labels, Correction(tool, label, by_mm=3.0, rows=1, cols=-1), SPACING)
    np.testing.assert_array_equal(labels, before)
    assert after.shape == labels.shape
    assert after.dtype == np.uint8
    assert set(np.unique(after)) <= {0, 1, 2, 3}
    assert not np.shares_memory(after, labels)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (Correction(Tool.SMOOTH, Label.LVM), "smooth LV myocardium"),
        (Correction(Tool.FILL_HOLES), "fill holes of all labels"),
        (Correction(Tool.RING, by_mm=7.5), "draw a ring of LV myocardium of 7.5 mm"),
        (Correction(Tool.PAPILLARIES, Label.LVBP), "include papillary muscles"),
    ],
)
def test_what_is_done_is_said_in_words(wanted, text):
    assert wanted.text == text


@pytest.mark.parametrize("tool", Tool)
@pytest.mark.parametrize("label", [None, Label.RVBP])
def test_where_there_is_nothing_to_do_a_sentence_says_why(tool, label):
    said = Correction(tool, label).nothing
    assert said.endswith(".")
    assert len(said) > 20
