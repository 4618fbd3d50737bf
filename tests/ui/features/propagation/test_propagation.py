from typing import Any

import numpy as np
import pytest

from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.annotation import Provenance
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.features.propagation.feature import PROPAGATION_KEY, Propagation
from tests.app.test_session import kept, labels_of, open_whole
from tests.reading.small import PHASES

FRAME = FrameIndex(1, 2)


class Told(list[tuple[str, str]]):
    """What a reader was told."""

    def take(self, severity: str, text: str) -> None:
        self.append((severity, text))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def propagation(qtbot: Any, session: Session, told: Told) -> Propagation:
    """On an open study, everything computed."""
    made = Propagation(session, session)
    made.message.connect(told.take)
    session.study.opened.connect(made.forget)
    session.study.closed.connect(made.forget)
    open_whole(qtbot, session)
    return made


def correct(session: Session, frame: FrameIndex, at: tuple[float, float] = (12, 10)) -> None:
    session.study.begin_stroke(frame, Label.LVM, 3.0, at)
    session.study.end_stroke()


def phases(slice_index: int = 2) -> list[FrameIndex]:
    return [FrameIndex(phase, slice_index) for phase in range(PHASES)]


def test_phases_that_are_not_corrected_are_offered_and_nothing_changes_before_it_is_taken(
    qtbot: Any, session: Session, propagation: Propagation
) -> None:
    correct(session, FRAME)
    before = {frame: labels_of(session, frame) for frame in phases()}
    propagation.propagate(FrameIndex(0, 2))
    kept(qtbot, session)
    assert session.study.offer is not None
    assert set(session.study.offer.label_maps) == set(phases()) - {FRAME}
    assert all((labels == Label.LVM).any() for labels in session.study.offer.label_maps.values())
    assert all(np.array_equal(labels_of(session, frame), before[frame]) for frame in phases())
    taken = session.study.take_offer()
    assert set(taken) == set(phases()) - {FRAME}
    assert session.study.undo_text == "propagate through the phases of slice 3"
    assert session.study.frame_state(taken[0]).provenance is Provenance.SEMIAUTOMATIC
    session.study.undo()
    assert all(np.array_equal(labels_of(session, frame), before[frame]) for frame in phases())


def test_what_was_taken_is_offered_anew_after_another_correction_and_what_the_reader_drew_is_not(
    qtbot: Any, session: Session, propagation: Propagation
) -> None:
    correct(session, FRAME)
    propagation.propagate(FRAME)
    kept(qtbot, session)
    session.study.take_offer()
    correct(session, FrameIndex(2, 2), (6, 6))
    assert [frame for frame in phases() if propagation.is_corrected(frame)] == [FRAME, FrameIndex(2, 2)]
    propagation.propagate(FRAME)
    kept(qtbot, session)
    assert session.study.offer is not None
    assert set(session.study.offer.label_maps) <= {FrameIndex(0, 2)}


def test_where_nothing_is_corrected_the_frame_on_show_is_taken(
    qtbot: Any, session: Session, propagation: Propagation
) -> None:
    propagation.propagate(FRAME)
    kept(qtbot, session)
    assert session.study.offer is None or FRAME not in session.study.offer


def test_one_frame_goes_over_corrected_phases_only_when_that_is_asked_for(
    qtbot: Any, session: Session, propagation: Propagation, told: Told
) -> None:
    for number, frame in enumerate(phases()):
        correct(session, frame, (8.0 + 3 * number, 10.0))
    propagation.propagate(FRAME)
    kept(qtbot, session)
    assert session.study.offer is None
    assert "corrected already" in told[-1][1]
    propagation.propagate_over(FRAME)
    kept(qtbot, session)
    assert session.study.offer is not None
    assert set(session.study.offer.label_maps) == set(phases()) - {FRAME}


def test_an_empty_frame_cannot_be_propagated_or_copied(session: Session, propagation: Propagation, told: Told) -> None:
    session.study.clear_label(FRAME)
    propagation.propagate_over(FRAME)
    assert told[-1] == ("info", "Nothing to propagate. Draw or correct this frame first.")
    propagation.copy_refined(FrameIndex(1, 1), FRAME)
    assert told[-1] == ("info", "Slice 3 has no label map to copy.")
    assert not session.jobs.is_busy(PROPAGATION_KEY)


def test_a_refined_copy_is_offered_for_one_frame(qtbot: Any, session: Session, propagation: Propagation) -> None:
    correct(session, FRAME)
    target = FrameIndex(1, 3)
    propagation.copy_refined(target, FRAME)
    kept(qtbot, session)
    assert session.study.offer is not None
    assert set(session.study.offer.label_maps) == {target}
    assert session.study.offer.text == "copy from slice 3, refined"
    assert (session.study.offer.label_maps[target] == Label.LVM).any()


def test_cancelling_or_closing_leaves_no_offer(qtbot: Any, session: Session, propagation: Propagation) -> None:
    correct(session, FRAME)
    propagation.propagate(FRAME)
    session.jobs.cancel(PROPAGATION_KEY)
    kept(qtbot, session)
    assert session.study.offer is None
    propagation.propagate(FRAME)
    session.close_study()
    kept(qtbot, session)
    assert session.study.offer is None


def test_a_second_offer_waits_until_the_first_is_made(
    qtbot: Any, session: Session, propagation: Propagation, told: Told
) -> None:
    correct(session, FRAME)
    propagation.propagate(FRAME)
    propagation.propagate_over(FRAME)
    assert "still being calculated" in told[-1][1]
    kept(qtbot, session)
