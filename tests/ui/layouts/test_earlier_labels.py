from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.layouts.before_after import Earlier, EarlierLabels
from tests.app.test_session import kept, labels_of, open_whole, paint
from tests.reading.small import model_labels

FRAME = FrameIndex(0, 1)


@pytest.fixture
def earlier(session: Session) -> EarlierLabels:
    return EarlierLabels(session)


def reopened(qtbot: Any, session: Session) -> None:
    session.close_study()
    with qtbot.waitSignal(session.study.analysed):
        session.opening.open_path(Path("/nowhere/alpha"))
    kept(qtbot, session)


def test_without_a_study_there_is_nothing(earlier: EarlierLabels) -> None:
    assert all(earlier.of(FRAME, which) is None for which in Earlier)


def test_the_prediction_stays_what_it_was_while_the_reader_paints(
    qtbot: Any, session: Session, earlier: EarlierLabels
) -> None:
    open_whole(qtbot, session)
    paint(session, FRAME)
    assert (labels_of(session, FRAME) == Label.LVM).any()
    np.testing.assert_array_equal(earlier.of(FRAME, Earlier.PREDICTION), model_labels("middle-1", FRAME))


def test_the_prediction_is_that_of_the_model_of_the_readers_region(
    qtbot: Any, session: Session, earlier: EarlierLabels
) -> None:
    open_whole(qtbot, session)
    paint(session, FRAME)
    session.study.set_region(FRAME, Region.APEX)
    kept(qtbot, session)
    np.testing.assert_array_equal(earlier.of(FRAME, Earlier.PREDICTION), model_labels("apex-1", FRAME))


def test_the_version_at_opening_of_a_new_study_is_what_the_models_made_first(
    qtbot: Any, session: Session, earlier: EarlierLabels
) -> None:
    open_whole(qtbot, session)
    before = labels_of(session, FRAME)
    paint(session, FRAME)
    np.testing.assert_array_equal(earlier.of(FRAME, Earlier.OPENING), before)


def test_the_version_at_opening_of_a_study_seen_before_is_what_the_reader_had_left(
    qtbot: Any, session: Session, earlier: EarlierLabels
) -> None:
    open_whole(qtbot, session)
    paint(session, FRAME)
    kept(qtbot, session)
    left = labels_of(session, FRAME)
    reopened(qtbot, session)
    paint(session, FRAME, Label.RVBP, at=(4, 12))
    assert (labels_of(session, FRAME) != left).any()
    np.testing.assert_array_equal(earlier.of(FRAME, Earlier.OPENING), left)


def test_the_accepted_version_stays_when_a_draft_comes_after_it(
    qtbot: Any, session: Session, earlier: EarlierLabels
) -> None:
    open_whole(qtbot, session)
    assert earlier.of(FRAME, Earlier.ACCEPTED) is None
    paint(session, FRAME)
    session.study.accept(FRAME)
    kept(qtbot, session)
    accepted = labels_of(session, FRAME)
    paint(session, FRAME, Label.RVBP, at=(4, 12))
    kept(qtbot, session)
    assert session.study.frame_state(FRAME).status is ReviewStatus.DRAFT
    np.testing.assert_array_equal(earlier.of(FRAME, Earlier.ACCEPTED), accepted)


def test_accepted_versions_of_earlier_are_read_when_they_are_asked_for(
    qtbot: Any, session: Session, earlier: EarlierLabels
) -> None:
    open_whole(qtbot, session)
    paint(session, FRAME)
    session.study.accept(FRAME)
    kept(qtbot, session)
    accepted = labels_of(session, FRAME)
    paint(session, FRAME, Label.RVBP, at=(4, 12))
    kept(qtbot, session)
    reopened(qtbot, session)
    with qtbot.waitSignal(earlier.changed):
        assert earlier.of(FRAME, Earlier.ACCEPTED) is None
    np.testing.assert_array_equal(earlier.of(FRAME, Earlier.ACCEPTED), accepted)
    assert earlier.of(FrameIndex(2, 2), Earlier.ACCEPTED) is None


def test_another_study_has_nothing_of_the_last(qtbot: Any, session: Session, earlier: EarlierLabels) -> None:
    open_whole(qtbot, session)
    session.study.accept(FRAME)
    kept(qtbot, session)
    assert earlier.of(FRAME, Earlier.ACCEPTED) is not None
    session.close_study()
    assert all(earlier.of(FRAME, which) is None for which in Earlier)
