"""Undo and redo over changing and reopening studies and over a restart, acceptances, facts and the reader's effort."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.reading.effort import StudyEffort
from cmr_viewer.store.annotations import AnnotationStore, Work
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.reviewed import read_reviewed
from cmr_viewer.store.versions import Version
from cmr_viewer.ui.window.desk import BallStroke
from tests.app.conftest import make_session, write_model
from tests.app.test_session import BASAL, MIDDLE, kept, open_whole, paint
from tests.reading.small import PHASES, SLICES, FormulaFlow, model_labels

APICAL = FrameIndex(1, 3)


def work(session: Session) -> None:
    """A stroke, a region, two frames at once, an acceptance, ED and a fact; then the last two are undone."""
    paint(session, BASAL)
    session.study.set_region(APICAL, Region.MIDDLE)
    ring = np.full_like(session.study.frame_state(MIDDLE).labels, Label.RVBP)
    session.study.change_labels({MIDDLE: ring, FrameIndex(1, 1): ring}, "fill 2 frames")
    session.study.accept(BASAL)
    session.study.set_ed(1)
    session.study.set_fact("patient.height_cm", 171, "type the height")
    session.study.undo()
    session.study.undo()


TEXTS = ["accept", "fill 2 frames", "set region Middle", "paint LV myocardium"]


def undo_all(session: Session) -> list[str]:
    """Undo everything, and tell what."""
    texts = []
    while session.study.can_undo:
        texts.append(session.study.undo_text)
        session.study.undo()
    return texts


def redo_all(session: Session) -> list[str]:
    texts = []
    while session.study.can_redo:
        texts.append(session.study.redo_text)
        session.study.redo()
    return texts


def picture(session: Session) -> list[Any]:
    states = (session.study.frame_state(frame) for frame in session.study.stack.frame_indices)
    return [
        (s.labels.tobytes(), s.region, s.region_by, s.edited, s.status, s.provenance, s.prediction.model_id)
        for s in states
    ]


@pytest.mark.parametrize("way", ["restart", "another study between"])
def test_undo_goes_on_with_the_same_words_after(
    way: str, qtbot: Any, session: Session, workspace: Workspace, shipped: Path, formula: FormulaFlow
) -> None:
    open_whole(qtbot, session)
    before = picture(session)
    work(session)
    kept(qtbot, session)
    after = picture(session)
    again = session
    if way == "restart":
        session.shutdown()
        again = make_session(workspace, shipped, formula)
    else:
        open_whole(qtbot, session, "beta")
        assert not session.study.can_undo and not session.study.can_redo
        paint(session, MIDDLE)
    open_whole(qtbot, again)
    assert picture(again) == after and (again.study.undo_text, again.study.redo_text) == (TEXTS[0], "mark ED")
    assert undo_all(again) == TEXTS
    kept(qtbot, again)
    assert picture(again) == before, "the predictions, exactly"
    assert redo_all(again) == [*TEXTS[::-1], "mark ED", "type the height"]
    kept(qtbot, again)
    assert picture(again) == after and again.study.ed_phase == 1 and again.study.fact("patient.height_cm") == 171
    if way == "restart":
        again.shutdown()


def test_each_end_of_a_stroke_is_one_transaction_of_draft_and_step(
    qtbot: Any, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_whole(qtbot, session)
    written: list[Work] = []
    save = AnnotationStore.save
    monkeypatch.setattr(
        AnnotationStore,
        "save",
        lambda self, stack, what, **more: written.append(what) or save(self, stack, what, **more),
    )
    session.study.begin_stroke(BASAL, Label.LVM, 1.5, (20, 15))
    session.study.extend_stroke((20, 17))
    assert written == [], "not before the brush is lifted"
    session.study.end_stroke()
    kept(qtbot, session)
    (one,) = written
    assert [kept.frame for kept in one.versions] == [BASAL] and len(one.moves) == 1
    assert one.moves[0].change.text == "paint LV myocardium"
    session.study.set_region(MIDDLE, Region.APEX)
    kept(qtbot, session)
    assert MIDDLE in written[1].regions and len(written[1].moves) == 1


def test_undo_after_a_restart_comes_back_to_the_prediction_though_another_model_is_in_service(
    qtbot: Any, session: Session, workspace: Workspace, shipped: Path, formula: FormulaFlow
) -> None:
    open_whole(qtbot, session)
    paint(session, BASAL)
    drawn = session.study.frame_state(BASAL).labels.copy()
    kept(qtbot, session)
    session.shutdown()
    again = make_session(workspace, shipped, formula)
    entry = again.models.registry.adopt(write_model(shipped.parent / "new", "base-22", Role.BASE))
    again.models.registry.promote(Role.BASE, entry.model_id, "better")
    open_whole(qtbot, again)
    again.study.undo()
    kept(qtbot, again)
    state = again.study.frame_state(BASAL)
    assert not state.edited and np.array_equal(state.labels, model_labels(state.prediction.model_id, BASAL))
    again.study.redo()
    kept(qtbot, again)
    assert np.array_equal(again.study.frame_state(BASAL).labels, drawn), (
        "redo starts from the prediction that was drawn on"
    )
    again.shutdown()


def test_a_step_that_does_not_fit_is_said_and_left_and_those_before_it_can_be_undone(
    qtbot: Any, session: Session, workspace: Workspace, shipped: Path, formula: FormulaFlow
) -> None:
    open_whole(qtbot, session)
    paint(session, MIDDLE)
    paint(session, BASAL)
    kept(qtbot, session)
    stack_id = session.study.stack.stack_id
    other = np.full_like(session.study.frame_state(BASAL).labels, Label.RVBP)
    session.shutdown()
    store, (last,) = AnnotationStore(workspace), AnnotationStore(workspace).versions(stack_id, BASAL)
    store.save(
        stack_id, Work([Version(BASAL, other, region=last.region, provenance=last.provenance, status=last.status)])
    )[0]
    again = make_session(workspace, shipped, formula)
    open_whole(qtbot, again)
    with qtbot.waitSignal(again.message) as told:
        assert again.study.undo() is None
    severity, text = told.args
    assert severity == "error" and text.startswith("“paint LV myocardium” no longer fits the study and was skipped.")
    assert np.array_equal(again.study.frame_state(BASAL).labels, other), "nothing of it is changed"
    assert again.study.undo() == MIDDLE and not again.study.frame_state(MIDDLE).edited
    kept(qtbot, again)
    again.shutdown()
    last_time = make_session(workspace, shipped, formula)
    open_whole(qtbot, last_time)
    assert not last_time.study.can_undo and last_time.study.redo_text == "paint LV myocardium", "it stays left"
    assert [event.what for event in last_time.study.log()][-2:] == ["undone", "study_opened"]
    assert "step_left" in [event.what for event in last_time.study.log()]
    last_time.shutdown()


def accepted(session: Session) -> set[FrameIndex]:
    return {frame for stack in read_reviewed(session.workspace) for frame in stack.frames}


def test_an_acceptance_is_taken_back_and_made_again(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    paint(session, BASAL)
    session.study.accept_slice(0)
    kept(qtbot, session)
    frames = [FrameIndex(phase, 0) for phase in range(PHASES)]
    assert session.study.undo_text == "accept slice 1" and session.study.undo() == frames[0]
    statuses = [session.study.frame_state(frame).status for frame in frames]
    assert statuses == [ReviewStatus.DRAFT, None, None] and accepted(session)
    kept(qtbot, session)
    assert not accepted(session)
    session.study.redo()
    kept(qtbot, session)
    assert [session.study.frame_state(frame).status for frame in frames] == [ReviewStatus.ACCEPTED] * PHASES
    assert accepted(session) == set(frames)


def test_an_acceptance_that_is_undone_before_it_is_on_disk_does_not_hold(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    session.study.accept(BASAL)
    session.study.undo()
    kept(qtbot, session)
    assert session.study.frame_state(BASAL).status is None and not accepted(session)


def test_nothing_is_changed_before_what_is_kept_has_been_put_back(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    work(session)
    kept(qtbot, session)
    before, told, held = picture(session), [], threading.Event()
    session.message.connect(lambda severity, text: told.append((severity, text)))
    session.close_study()
    kept(qtbot, session)
    session.saving.do("Something that takes long", held.wait)
    with qtbot.waitSignal(session.study.opened):
        session.opening.open_path(Path("/nowhere/alpha"))
    assert not session.study.is_restored
    paint(session, BASAL, Label.RVBP)
    ball = BallStroke(session, MIDDLE, Label.RVBP, 3.0)
    assert (ball.begin((10, 10)), ball.extend((10, 12))) == (None, None)
    session.study.set_region(BASAL, Region.APEX)
    session.study.clear_label(BASAL)
    with qtbot.waitSignal(session.study.restored):
        held.set()
    ball.end()
    kept(qtbot, session)
    assert picture(session) == before and session.study.undo_text == "accept"
    assert set(told) == {("info", "Your saved work is still loading. Try again in a moment.")}


def test_nothing_is_changed_where_what_is_kept_could_not_be_read(
    qtbot: Any, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_whole(qtbot, session)
    paint(session, BASAL)
    kept(qtbot, session)
    before, told = picture(session), []
    session.close_study()

    def damaged(*_args: Any) -> None:
        raise StoreError("The database is damaged.")

    session.message.connect(lambda severity, text: told.append(text))
    with monkeypatch.context() as broken:
        broken.setattr(AnnotationStore, "latest", damaged)
        open_whole(qtbot, session)
    paint(session, BASAL, Label.RVBP)
    session.study.accept(BASAL)
    kept(qtbot, session)
    assert told[0] == "The database is damaged." and all("The study is read-only" in text for text in told[1:])
    assert not session.study.frame_state(BASAL).edited and len(told) == 3
    session.close_study()
    open_whole(qtbot, session)
    assert picture(session) == before


class Disk:
    """A disk of the workspace that can be full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        save = AnnotationStore.save

        def save_work(store: AnnotationStore, stack_id: str, work: Work, **more: Any) -> Any:
            if self.full:
                raise StoreError("The disk is full.")
            return save(store, stack_id, work, **more)

        monkeypatch.setattr(AnnotationStore, "save", save_work)


@pytest.mark.parametrize("then", ["next change", "closed"])
def test_what_could_not_be_kept_is_told_and_kept_with_the_next_change_or_at_the_end(
    then: str,
    qtbot: Any,
    session: Session,
    workspace: Workspace,
    shipped: Path,
    formula: FormulaFlow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    open_whole(qtbot, session)
    before, disk, told = picture(session), Disk(monkeypatch), []
    session.message.connect(lambda severity, text: told.append((severity, text)))
    disk.full = True
    paint(session, BASAL)
    session.study.set_region(APICAL, Region.MIDDLE)
    session.study.set_ed(1)
    session.study.set_fact("patient.height_cm", 171, "type the height")
    kept(qtbot, session)
    assert set(told) == {("error", "The disk is full.")} and AnnotationStore(workspace).latest(stack_of(session)) == {}
    disk.full = False
    if then == "next change":
        paint(session, MIDDLE)
        kept(qtbot, session)
    after = picture(session)
    session.shutdown()
    again = make_session(workspace, shipped, formula)
    open_whole(qtbot, again)
    assert picture(again) == after and again.study.ed_phase == 1 and again.study.fact("patient.height_cm") == 171
    texts = ["type the height", "mark ED", "set region Middle", "paint LV myocardium"]
    assert undo_all(again) == (["paint LV myocardium"] if then == "next change" else []) + texts
    kept(qtbot, again)
    assert picture(again) == before
    again.shutdown()


def test_what_was_accepted_meanwhile_is_not_made_a_draft_of_what_could_not_be_kept(
    qtbot: Any, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_whole(qtbot, session)
    disk = Disk(monkeypatch)
    disk.full = True
    paint(session, BASAL)
    kept(qtbot, session)
    disk.full = False
    session.study.accept(BASAL)
    kept(qtbot, session)
    paint(session, MIDDLE)
    kept(qtbot, session)
    latest = session.saved.annotations.latest(stack_of(session))
    assert (latest[BASAL].status, latest[MIDDLE].status) == (ReviewStatus.ACCEPTED, ReviewStatus.DRAFT)
    done = session.saved.undo.lines(stack_of(session)).done
    assert [step.text for step in done] == ["paint LV myocardium", "accept", "paint LV myocardium"]


def stack_of(session: Session) -> str:
    assert session.study.stack is not None
    return session.study.stack.stack_id


def test_a_phase_is_accepted_at_once(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    session.study.accept_phase(2)
    kept(qtbot, session)
    accepted = [
        f for f in session.study.stack.frame_indices if session.study.frame_state(f).status is ReviewStatus.ACCEPTED
    ]
    assert accepted == [FrameIndex(2, at) for at in range(SLICES)] and session.study.undo_text == "accept phase 3"
    session.study.accept_all()
    kept(qtbot, session)
    assert session.study.undo_text == "accept the study"
    session.study.undo()
    kept(qtbot, session)
    accepted = [
        f for f in session.study.stack.frame_indices if session.study.frame_state(f).status is ReviewStatus.ACCEPTED
    ]
    assert accepted == [FrameIndex(2, at) for at in range(SLICES)], "only what that step accepted"


def test_the_log_of_a_study_says_who_did_what_with_which_words(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    work(session)
    session.study.offer_labels({APICAL: np.full_like(session.study.frame_state(APICAL).labels, 1)}, "propagate")
    session.study.take_offer()
    kept(qtbot, session)
    events = [event for event in session.study.log() if "text" in event.detail]
    assert [(event.what, event.detail["text"]) for event in events] == [
        ("changed", "paint LV myocardium"),
        ("changed", "set region Middle"),
        ("changed", "fill 2 frames"),
        ("changed", "accept"),
        ("changed", "mark ED"),
        ("changed", "type the height"),
        ("undone", "type the height"),
        ("undone", "mark ED"),
        ("offer_taken", "propagate"),
    ]
    assert {event.who for event in events} == {"R. Eader"}
    whats = {event.what for event in session.study.log()}
    assert {"draft_saved", "accepted", "region_set", "phase_marks_set", "fact_set"} <= whats
    assert session.study.log(limit=2) == session.study.log()[-2:]


def test_effort_is_counted_kept_and_told_over_a_restart(
    qtbot: Any, session: Session, workspace: Workspace, shipped: Path, formula: FormulaFlow
) -> None:
    open_whole(qtbot, session)
    session.study.look_at(BASAL)
    paint(session, BASAL)
    paint(session, BASAL, at=(3, 3))
    session.study.undo()
    session.study.set_region(APICAL, Region.MIDDLE)
    spent = session.study.effort()
    here = spent.of_frame(BASAL)
    assert (here.strokes, here.undos, spent.of_frame(APICAL).edits) == (2, 1, 1) and here.active_s > 0
    session.shutdown()
    again = make_session(workspace, shipped, formula)
    open_whole(qtbot, again)
    again.study.look_at(MIDDLE)
    session_two = again.study.effort()
    assert session_two.of_frame(BASAL) == StudyEffort(again.saved.effort.rows(again.study.stack.stack_id)).of_frame(
        BASAL
    )
    assert (session_two.total.strokes, session_two.total.undos) == (2, 1)
    assert {row.reader for row in session_two.rows} == {"R. Eader"}
    again.shutdown()


def test_a_fact_is_told_and_put_back(
    qtbot: Any, session: Session, workspace: Workspace, shipped: Path, formula: FormulaFlow
) -> None:
    open_whole(qtbot, session)
    with qtbot.waitSignal(session.study.facts_changed):
        session.study.set_fact("insertion_points", {"0": [[1.5, 2.0], [3.0, 4.0]]}, "move an insertion point")
    with qtbot.waitSignal(session.study.facts_changed):
        session.study.undo()
    assert session.study.fact("insertion_points") is None
    session.study.redo()
    kept(qtbot, session)
    session.shutdown()
    again = make_session(workspace, shipped, formula)
    open_whole(qtbot, again)
    assert again.study.fact("insertion_points") == {"0": [[1.5, 2.0], [3.0, 4.0]]}
    assert again.study.undo_text == "move an insertion point"
    again.shutdown()
