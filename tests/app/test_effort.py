from typing import Any

from sqlalchemy import func, select

from cmr_viewer.app.session import Session
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.tables import effort
from tests.app.test_session import MIDDLE, kept, open_whole


def rows(session: Session) -> int:
    with session.workspace.read() as connection:
        return int(connection.execute(select(func.count()).select_from(effort)).scalar_one())


def test_asking_for_the_effort_again_and_again_writes_nothing_and_what_was_told_is_kept_in_the_end(
    qtbot: Any, session: Session
) -> None:
    open_whole(qtbot, session)
    session.study.look_at(MIDDLE)
    for _ in range(50):
        session.study.note_input()
        told = session.study.effort().of_frame(MIDDLE).active_s
    kept(qtbot, session)
    assert told > 0 and rows(session) == 0
    stack_id = session.study.stack.stack_id
    session.close_study()
    kept(qtbot, session)
    (row,) = [one for one in session.saved.effort.rows(stack_id) if one.frame == MIDDLE]
    assert rows(session) == 1 and row.effort.active_s >= told


def test_a_change_takes_the_time_before_it_along(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    session.study.look_at(MIDDLE)
    session.study.note_input()
    told = session.study.effort().of_frame(MIDDLE).active_s
    session.study.set_ed(1)
    kept(qtbot, session)
    (row,) = session.saved.effort.rows(session.study.stack.stack_id)
    assert row.frame == MIDDLE and row.effort.edits == 1 and row.effort.active_s >= told


def test_frames_are_told_apart(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    for frame in (MIDDLE, FrameIndex(0, 0)):
        session.study.look_at(frame)
        session.study.note_input()
        session.study.effort()
    session.close_study()
    kept(qtbot, session)
    assert rows(session) == 2


def test_an_acceptance_counts_once_and_accepting_what_is_accepted_does_not(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    session.study.look_at(MIDDLE)
    for _ in range(3):
        session.study.accept(MIDDLE)
        kept(qtbot, session)
    assert session.study.effort().total.edits == 1
