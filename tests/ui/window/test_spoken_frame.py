from dataclasses import replace

import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import Prediction, RegionPrediction, ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.frames import FrameState
from cmr_viewer.ui.window.shell import spoken_frame

FRAME = FrameIndex(2, 3)


@pytest.fixture
def state(open_window) -> FrameState:
    """A frame that is segmented and not looked at."""
    return open_window.session.study.frame_state(FRAME)


def said(phantom, state, ed=0, es=None):
    return spoken_frame(phantom.stack, FRAME, state, ed, es)


def test_place_region_labels_and_status_are_said(phantom, state):
    assert said(phantom, state) == (
        "Slice 4 of 7, phase 3 of 6. Region middle, 85 percent. "
        "Drawn: LV blood pool, LV myocardium, RV blood pool. Not reviewed."
    )


def test_marks_of_the_heart_are_said(phantom, state):
    assert "phase 3 of 6, end-diastole." in said(phantom, state, ed=2)
    assert "phase 3 of 6, end-systole." in said(phantom, state, es=2)


def test_what_is_not_known_yet_is_said(phantom, state):
    bare = replace(state, region=None, region_prediction=None, labels=None)
    assert "Region not known yet. No label map yet." in said(phantom, bare)


def test_only_what_is_drawn_is_named(phantom, state):
    labels = np.zeros_like(state.labels)
    assert "The label map is empty." in said(phantom, replace(state, labels=labels))
    labels[3, 3] = Label.RVBP
    assert "Drawn: RV blood pool." in said(phantom, replace(state, labels=labels))


def test_what_the_reader_did_is_said(phantom, state):
    by_reader = replace(state, region=Region.APEX, region_by="reader", edited=True)
    assert "Region apex, set by the reader." in said(phantom, by_reader)
    assert "Corrected, not accepted." in said(phantom, by_reader)
    assert said(phantom, replace(state, status=ReviewStatus.ACCEPTED)).endswith("Accepted.")


def test_an_offer_is_said(phantom, state):
    offer = Prediction(state.labels, "other-1", Region.APEX, "Because.")
    assert said(phantom, replace(state, proposal=offer)).endswith("A new prediction is available.")


def test_how_certain_the_classifier_is_is_said_in_percent(phantom, state):
    sure = RegionPrediction((0.01, 0.99, 0.0, 0.0), "classifier-1")
    assert "99 percent" in said(phantom, replace(state, region_prediction=sure))
