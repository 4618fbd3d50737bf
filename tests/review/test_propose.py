import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Prediction, ReviewStatus
from cmr_viewer.review.propose import Offer, Replace, decide

SHOWN = np.zeros((3, 3), np.uint8)
NEW = Prediction(np.eye(3, dtype=np.uint8), "apex-1", Region.APEX, "The region is Apex.")
SAME = Prediction(SHOWN.copy(), "apex-1", Region.APEX, "The region is Apex.")


def test_the_first_prediction_of_a_frame_is_shown() -> None:
    assert decide(NEW, shown=None, edited=False) == Replace("First label map of this frame. The region is Apex.")


@pytest.mark.parametrize("status", [None, ReviewStatus.DRAFT])
def test_what_nobody_edited_is_replaced(status: ReviewStatus | None) -> None:
    decision = decide(NEW, shown=SHOWN, edited=False, status=status)
    assert decision == Replace("This frame has no edits. The region is Apex.")


@pytest.mark.parametrize("status", [None, ReviewStatus.DRAFT])
def test_what_a_reader_edited_stays_and_the_prediction_is_offered(status: ReviewStatus | None) -> None:
    decision = decide(NEW, shown=SHOWN, edited=True, status=status)
    assert decision == Offer(
        "You edited this frame; the new prediction differs in 3 pixels and is shown as a suggestion.", 3
    )


@pytest.mark.parametrize("edited", [False, True])
def test_what_a_reader_accepted_stays_whether_edited_or_not(edited: bool) -> None:
    decision = decide(NEW, shown=SHOWN, edited=edited, status=ReviewStatus.ACCEPTED)
    assert isinstance(decision, Offer)
    assert decision.reason.startswith("You accepted this frame")


def test_a_prediction_that_is_the_same_has_nothing_to_offer() -> None:
    assert decide(SAME, shown=SHOWN, edited=True) == Offer("You edited this frame; the new prediction is the same.", 0)
