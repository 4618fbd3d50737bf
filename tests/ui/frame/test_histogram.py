import numpy as np
import pytest

from cmr_viewer.ui.frame.histogram import Histogram


@pytest.fixture
def histogram(app, qtbot):
    made = Histogram()
    qtbot.addWidget(made)
    made.resize(280, 90)
    pixels = np.zeros((10, 10), np.int16)
    pixels[0] = 50
    made.show_frame(pixels)
    made.show_window(40.0, 20.0, 0.0, 96.0)
    made.show()
    qtbot.waitExposed(made)
    qtbot.waitUntil(lambda: made.place.layout_widget is not None)
    return made


def test_pixels_are_counted_by_grey_value(histogram):
    counts, edges = histogram.counts
    assert (counts[0], counts[50], counts.sum()) == (90, 10, 100)
    assert (edges[0], edges[-1]) == (0.0, 96.0)


def test_the_edges_show_the_window_and_a_drag_of_one_sets_it(histogram):
    dragged = []
    histogram.window_dragged.connect(lambda centre, width: dragged.append((centre, width)))
    assert histogram._region.getRegion() == (30.0, 50.0)
    assert dragged == [], "what the window shows by itself is no drag"
    histogram._region.lines[1].setValue(70.0)
    assert dragged == [(50.0, 40.0)]


def test_without_a_frame_a_sentence_takes_its_place(histogram):
    histogram.show_frame(None)
    assert histogram.place.text == "The histogram appears with a study"
