from typing import Any

import numpy as np
import pytest

from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.edit import paint_line
from cmr_viewer.ui.window.desk import BallStroke
from tests.app.test_session import kept, labels_of, open_whole

FRAME = FrameIndex(1, 1)
RADIUS_PX = 6.0  # 12 mm, slices 10 mm apart: sqrt(144 - 100) = 6.633 mm = 3.317 pixels in the neighbours
BESIDE_PX = 44**0.5 / 2


def painted(labels: Any, radius: float, start: Any, end: Any, label: Label) -> Any:
    after = labels.copy()
    paint_line(labels, start, end, radius, label).apply(after)
    return after


def test_a_stroke_paints_the_neighbours_by_pythagoras_and_is_one_undo_step(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    assert session.study.stack is not None
    before = {frame: labels_of(session, frame) for frame in session.study.stack.frame_indices}
    stroke = BallStroke(session, FRAME, Label.RVBP, RADIUS_PX)
    stroke.begin((10.0, 8.0))
    stroke.extend((14.0, 12.0))
    assert set(stroke.end()) == {FrameIndex(1, 0), FRAME, FrameIndex(1, 2)}
    for frame, labels in before.items():
        radius = {1: RADIUS_PX, 0: BESIDE_PX, 2: BESIDE_PX}.get(frame.slice_index) if frame.phase == 1 else None
        expected = labels if radius is None else painted(labels, radius, (10, 8), (14, 12), Label.RVBP)
        np.testing.assert_array_equal(labels_of(session, frame), expected)
    assert session.study.undo_text == "paint RV blood pool through slices"
    session.study.undo()
    assert not session.study.can_undo
    assert all(np.array_equal(labels_of(session, f), before[f]) for f in before)
    session.study.redo()
    assert (labels_of(session, FrameIndex(1, 0)) == Label.RVBP).any()


def test_the_shown_frame_follows_while_the_stroke_lasts(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    before = labels_of(session, FRAME)
    stroke = BallStroke(session, FRAME, Label.LVM, RADIUS_PX)
    assert stroke.begin((12.0, 10.0)) == (6, 19, 4, 17)
    np.testing.assert_array_equal(labels_of(session, FRAME), painted(before, RADIUS_PX, (12, 10), (12, 10), Label.LVM))
    assert not (labels_of(session, FrameIndex(1, 0)) == Label.LVM).any()
    stroke.cancel()
    np.testing.assert_array_equal(labels_of(session, FRAME), before)
    assert not session.study.can_undo
    assert not session.study.frame_state(FRAME).edited


def test_the_eraser_goes_through_slices(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    everything = BallStroke(session, FRAME, Label.BACKGROUND, 40.0)
    assert everything.text == "erase through slices"
    assert sorted(everything.frames) == [FrameIndex(1, each) for each in range(4)]
    everything.begin((12.0, 10.0))
    everything.end()
    assert not any(labels_of(session, FrameIndex(1, each)).any() for each in range(4))


def test_a_stroke_whose_study_was_closed_leaves_no_trace(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    stroke = BallStroke(session, FRAME, Label.LVM, RADIUS_PX)
    stroke.begin((12.0, 10.0))
    session.close_study()
    assert stroke.extend((13.0, 10.0)) is None
    assert stroke.end() == ()
    kept(qtbot, session)


def test_without_a_study_there_is_no_stroke(session: Session) -> None:
    with pytest.raises(RuntimeError):
        BallStroke(session, FRAME, Label.LVM, RADIUS_PX)
