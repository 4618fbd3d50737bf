from types import SimpleNamespace

import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.compare_reads import LabelDifference
from cmr_viewer.ui.features.second_read.difference_plot import DifferencePlot


def frame(slice_index, mean_ml, ml, lacking=False):
    difference = LabelDifference(0.9, 1.0, 2.0, ml, mean_ml)
    return SimpleNamespace(frame=FrameIndex(0, slice_index), lacking=lacking, labels={Label.LVBP: difference})


@pytest.fixture
def plot(app, qtbot):
    made = DifferencePlot()
    qtbot.addWidget(made)
    frames = [frame(0, 10.0, 1.0), frame(1, 8.0, 3.0), frame(2, 6.0, 9.0, lacking=True)]
    made.show_comparison(SimpleNamespace(frames=frames))
    return made


def test_bias_and_limits_are_those_of_bland_and_altman(plot):
    # mean of 1 and 3 is 2; their standard deviation is sqrt(2), times 1.96 is 2.77
    bias, limit = plot.agreement
    assert bias == 2.0 and limit == pytest.approx(1.96 * 2**0.5, rel=1e-3)
    assert plot.words.startswith("Volume in a slice, second read minus first: +2.00 ± 2.77 ml")


def test_a_frame_that_one_read_lacks_is_no_difference(plot):
    assert [spot.frame.slice_index for spot in plot.spots] == [0, 1]
    assert plot.place.as_csv().decode().splitlines()[1] == "1,1,LVBP,10.0,1.0"


def test_without_frames_a_sentence_takes_its_place(plot):
    plot.show_comparison(None)
    assert plot.place.text and plot.words == ""
