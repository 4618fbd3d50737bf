"""Reads of a study beside one another: blind, apart, kept, finished, adjudicated."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import SignalInstance

from cmr_viewer.app.reads import FIRST, SECOND
from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.reads import BOTH_READS
from cmr_viewer.store.database import Workspace, open_workspace
from cmr_viewer.store.events import EventLog
from cmr_viewer.store.reads import ReadKind
from tests.app import working
from tests.app.conftest import make_session
from tests.app.test_session import kept, open_whole, paint
from tests.reading.small import FormulaFlow, model_labels

BASAL, MIDDLE, APICAL = FrameIndex(0, 0), FrameIndex(0, 1), FrameIndex(0, 3)
SECOND_READER = "B. Lind"


def first_read(qtbot: Any, session: Session) -> None:
    """A first read that leaves traces of every kind."""
    session.study.set_region(MIDDLE, Region.APEX)
    session.study.set_region_of_slice(3, Region.NON_CARDIAC)
    kept(qtbot, session)
    paint(session, BASAL)
    paint(session, FrameIndex(1, 2), Label.RVBP)
    session.study.undo()
    session.study.accept(BASAL)
    session.study.accept_phase(2)
    session.study.set_ed(1)
    session.study.set_es(2)
    session.study.set_fact("patient.height_cm", 171.0, "type the patient's height")
    session.study.look_at(APICAL)
    kept(qtbot, session)


def begin_second(qtbot: Any, session: Session, *, blinded: bool = True, name: str = SECOND_READER) -> None:
    assert session.reads.begin_second(name, blinded=blinded)
    qtbot.waitUntil(lambda: session.study.read is not None)
    kept(qtbot, session)


def show(qtbot: Any, session: Session, read_id: int | None) -> None:
    session.reads.show(read_id)
    kept(qtbot, session)
    assert (None if session.study.read is None else session.study.read.id) == read_id


def finish(qtbot: Any, session: Session) -> None:
    session.reads.finish()
    qtbot.waitUntil(lambda: session.study.read is not None and session.study.read.is_finished)
    kept(qtbot, session)


NOT_OF_A_READ = frozenset({"reading", "workspace", "saved", "is_busy", "loaded", "review_order", "shown"})
"""What `reading` holds is walked frame by frame; the rest is the workspace's or no matter of a read."""


def plain(value: Any) -> Any:
    """A value that can be compared: arrays as bytes, times and durations left out."""
    if isinstance(value, datetime):
        return "a time"
    if isinstance(value, np.ndarray):
        return (value.shape, value.tobytes())
    if isinstance(value, Enum | str | int | float | type(None)):
        return value
    if isinstance(value, Path):
        return value.name
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value) if one.name != "active_s"}
    if isinstance(value, Mapping):
        return {plain(key) if isinstance(key, tuple) else key: plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [plain(one) for one in value]
    raise AssertionError(f"How is a {type(value).__name__} compared?")


def told(session: Session) -> dict[str, Any]:
    """All that can be asked of a session about the study on show."""
    parts = session.study, session.saving, session.opening, session.reads, session.worklist
    values = {
        f"{type(part).__name__}.{name}": getattr(part, name)
        for part in parts
        for name, one in {**vars(type(part)), **vars(part)}.items()
        if not name.startswith("_") and name not in NOT_OF_A_READ
        if isinstance(one, property) or (name in vars(part) and not isinstance(one, SignalInstance))
    }
    said = {name: plain(value) for name, value in values.items()}
    assert session.study.stack is not None and session.study.reading is not None
    for frame in session.study.stack.frame_indices:
        said[f"state {frame}"] = plain(session.study.frame_state(frame))
        said[f"findings {frame}"] = [one.text for one in session.study.findings(frame)]
        record = session.study.reading.frames[frame]
        said[f"record {frame}"] = [
            {one.name: plain(getattr(record, one.name)) for one in fields(record) if one.name != "edit_number"}
        ]
    said["next"] = plain(session.study.next_review(BASAL))
    said["facts"] = session.study.reading.facts
    said["marks"] = session.study.reading.reader_ed, session.study.reading.reader_es
    said["log"] = [(one.what, one.who, one.frame, one.read_id) for one in session.study.log()]
    spent = (
        (row.reader, row.effort.strokes, row.effort.edits, row.effort.undos) for row in session.study.effort().rows
    )
    said["effort"] = [one for one in spent if any(one[1:])]
    said["history"] = len(session.study.reading.history.lines.done), len(session.study.reading.history.lines.undone)
    return said


def in_a_world_of_its_own(qtbot: Any, folder: Path, shipped: Path, *, with_first: bool) -> dict[str, Any]:
    with open_workspace(folder, reader="A. First") as workspace:
        session = make_session(workspace, shipped, FormulaFlow())
        open_whole(qtbot, session)
        if with_first:
            first_read(qtbot, session)
        begin_second(qtbot, session)
        session.study.look_at(BASAL)
        said = told(session)
        session.shutdown()
    return said


def test_a_blinded_second_reader_is_told_what_they_would_be_told_had_nobody_read_the_study(
    qtbot: Any, tmp_path: Path, shipped: Path, qapp: Any
) -> None:
    alone = in_a_world_of_its_own(qtbot, tmp_path / "alone", shipped, with_first=False)
    after = in_a_world_of_its_own(qtbot, tmp_path / "after", shipped, with_first=True)
    for name in alone:
        if name != "StudyOpening.begin_at":  # the frame stays on show
            assert after[name] == alone[name], name
    assert alone.keys() == after.keys()
    assert alone["log"] == [("read_started", SECOND_READER, None, 1), ("read_shown", SECOND_READER, None, 1)]
    assert [one["readers"] for one in after["Reads.summaries"]] == [[SECOND_READER]]
    assert "A. First" not in repr(after)


def test_blindness_lasts_over_a_restart_and_a_study_opens_in_the_read_that_was_on_show(
    qtbot: Any, tmp_path: Path, shipped: Path, qapp: Any
) -> None:
    said = []
    for number in range(3):
        with open_workspace(tmp_path / "workspace", reader="A. First") as workspace:
            session = make_session(workspace, shipped, FormulaFlow())
            open_whole(qtbot, session)
            if number == 0:
                first_read(qtbot, session)
                begin_second(qtbot, session)
                paint(session, MIDDLE)
            assert session.study.is_blinded and session.reads.reader == SECOND_READER
            kept(qtbot, session)
            session.study.look_at(BASAL)
            said.append(told(session))
            session.shutdown()
            assert workspace.reader == "A. First"
    assert said[1] == said[2]
    for name in (one for one in said[0] if one.startswith("state")):
        assert said[1][name] == said[0][name], name
    assert said[1]["CurrentStudy.undo_text"] == "paint LV myocardium"


def test_what_is_done_in_the_second_read_changes_nothing_of_the_first(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    first_read(qtbot, session)
    session.study.look_at(BASAL)
    before = told(session)
    begin_second(qtbot, session)
    session.study.set_region_of_slice(1, Region.BASE)
    session.study.set_region(APICAL, Region.MIDDLE)
    kept(qtbot, session)
    paint(session, BASAL, Label.RVBP)
    session.study.accept_all()
    session.study.set_ed(0)
    session.study.set_fact("patient.height_cm", 180.0, "type the patient's height")
    kept(qtbot, session)
    show(qtbot, session, None)
    after = told(session)
    for name in before:
        if name not in ("StudyOpening.begin_at", "Reads.summaries", "log") and not name.startswith("record"):
            assert after[name] == before[name], name
    assert session.reads.reader == "R. Eader"
    session.close_study()
    open_whole(qtbot, session)
    again = told(session)
    for name in (one for one in before if one.startswith(("state", "facts", "marks", "history"))):
        assert again[name] == before[name], name


def test_each_read_has_its_reader_beside_everything_that_is_kept(
    qtbot: Any, session: Session, workspace: Workspace
) -> None:
    open_whole(qtbot, session)
    paint(session, BASAL)
    begin_second(qtbot, session)
    paint(session, BASAL)
    paint(session, MIDDLE)
    show(qtbot, session, None)
    paint(session, MIDDLE)
    kept(qtbot, session)
    stack_id = session.study.stack.stack_id
    assert {one.reader for one in session.saved.annotations.latest(stack_id).values()} == {"R. Eader"}
    assert {one.reader for one in session.saved.annotations.latest(stack_id, 1).values()} == {SECOND_READER}
    who = {(one.read_id, one.who) for one in EventLog(workspace).events(stack_id=stack_id) if one.what == "changed"}
    assert who == {(None, "R. Eader"), (1, SECOND_READER)}
    session.reads.refresh()
    kept(qtbot, session)
    assert [(one.readers, one.edits) for one in session.reads.summaries] == [(("R. Eader",), 2), ((SECOND_READER,), 2)]


@pytest.mark.parametrize("name", ["", "  ", "R. Eader", " r.  eader "])
def test_the_second_reader_is_somebody_else(qtbot: Any, session: Session, name: str) -> None:
    open_whole(qtbot, session)
    paint(session, BASAL)
    kept(qtbot, session)
    session.reads.refresh()
    kept(qtbot, session)
    messages: list[str] = []
    session.message.connect(lambda _severity, text: messages.append(text))
    assert not session.reads.begin_second(name, blinded=True)
    assert session.study.read is None and len(messages) == 1
    assert "someone else" in messages[0] or "Enter the name" in messages[0]


def test_a_finished_read_can_only_be_looked_at(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    session.study.set_ed(0)
    session.study.set_es(2)
    begin_second(qtbot, session)
    session.study.set_ed(0)
    session.study.set_es(2)
    paint(session, BASAL)
    session.study.accept_phase(0)
    kept(qtbot, session)
    assert session.reads.lacking() == tuple(FrameIndex(2, s) for s in range(4))
    session.study.accept_phase(2)
    kept(qtbot, session)
    assert session.reads.lacking() == ()
    finish(qtbot, session)
    assert not session.study.can_change and not session.study.is_blinded and session.reads.reader == "R. Eader"
    before = {frame: plain(session.study.frame_state(frame)) for frame in session.study.stack.frame_indices}
    messages: list[str] = []
    session.message.connect(lambda _severity, text: messages.append(text))
    session.study.set_region(BASAL, Region.APEX)
    paint(session, BASAL, Label.RVBP)
    session.study.clear_label(BASAL)
    session.study.accept_all()
    session.study.undo()
    session.study.set_ed(1)
    session.study.set_fact("key", 1, "say")
    session.study.change_labels({BASAL: model_labels("x", BASAL)}, "change")
    assert session.reads.take_from(FIRST, BASAL) is False
    session.reads.finish()
    kept(qtbot, session)
    assert {frame: plain(session.study.frame_state(frame)) for frame in before} == before
    assert len(messages) == 10 and all("finished" in text for text in messages)


def test_a_finished_read_stays_as_it_was_when_other_models_come(
    qtbot: Any, session: Session, formula: FormulaFlow
) -> None:
    open_whole(qtbot, session)
    begin_second(qtbot, session)
    finish(qtbot, session)
    before = {frame: plain(session.study.frame_state(frame).labels) for frame in session.study.stack.frame_indices}
    show(qtbot, session, None)
    session.study.set_region_of_slice(0, Region.MIDDLE)
    kept(qtbot, session)
    show(qtbot, session, 1)
    assert {frame: plain(session.study.frame_state(frame).labels) for frame in before} == before
    asked = len(formula.segmented)
    session.study.analyse()
    kept(qtbot, session)
    assert len(formula.segmented) == asked


def two_reads(qtbot: Any, session: Session) -> None:
    """The first reader paints two frames, the second one of them alike; both accept ED, ES."""
    open_whole(qtbot, session)
    session.study.set_ed(0)
    session.study.set_es(2)
    paint(session, BASAL)
    paint(session, MIDDLE, Label.LVBP)
    session.study.accept_phase(0)
    kept(qtbot, session)
    begin_second(qtbot, session)
    session.study.set_ed(0)
    session.study.set_es(2)
    paint(session, BASAL)
    session.study.set_region(BASAL, Region.BASE)  # or it would follow what is said of the apex
    session.study.set_region(APICAL, Region.MIDDLE)
    kept(qtbot, session)
    session.study.accept_phase(0)
    kept(qtbot, session)
    finish(qtbot, session)


def adjudicate(qtbot: Any, session: Session) -> None:
    assert session.reads.begin_adjudication("C. Hief", 1)
    qtbot.waitUntil(lambda: session.study.read is not None and session.study.read.kind is ReadKind.ADJUDICATION)
    qtbot.waitUntil(lambda: session.reads.both is not None)
    kept(qtbot, session)


def test_an_adjudication_starts_from_what_both_reads_agree_on_and_says_so(qtbot: Any, session: Session) -> None:
    two_reads(qtbot, session)
    first = session.saved.annotations.latest(session.study.stack.stack_id)
    adjudicate(qtbot, session)
    assert session.reads.both is not None
    differ = {one.frame for one in session.reads.both.comparison.disagreements()}
    assert differ == {MIDDLE, APICAL}
    for frame in (BASAL, FrameIndex(0, 2)):
        state = session.study.frame_state(frame)
        assert state.imported == BOTH_READS and state.status is ReviewStatus.ACCEPTED
        assert np.array_equal(state.labels, first[frame].labels) and state.provenance is first[frame].provenance
    for frame in differ:
        assert session.study.frame_state(frame).imported == "" and session.study.frame_state(frame).status is None
    assert (session.study.ed_phase, session.study.es_phase) == (0, 2)
    stored = session.saved.annotations.latest(session.study.stack.stack_id, session.study.read.id)
    assert stored[BASAL].imported_from == BOTH_READS and stored[BASAL].reader == "C. Hief"


def test_each_disagreement_is_taken_from_either_read_or_drawn_and_undone(qtbot: Any, session: Session) -> None:
    two_reads(qtbot, session)
    first = session.saved.annotations.latest(session.study.stack.stack_id)
    adjudicate(qtbot, session)
    assert session.reads.take_from(SECOND, APICAL)
    kept(qtbot, session)
    state = session.study.frame_state(APICAL)
    assert (state.region, state.region_by, state.status) == (Region.MIDDLE, "reader", ReviewStatus.ACCEPTED)
    assert state.imported == f"the second read by {SECOND_READER}, blinded"
    assert session.reads.take_from(FIRST, MIDDLE)
    kept(qtbot, session)
    assert np.array_equal(session.study.frame_state(MIDDLE).labels, first[MIDDLE].labels)
    assert session.study.frame_state(MIDDLE).provenance is Provenance.SEMIAUTOMATIC
    session.study.undo()
    session.study.undo()
    kept(qtbot, session)
    assert not np.array_equal(session.study.frame_state(MIDDLE).labels, first[MIDDLE].labels)
    paint(session, MIDDLE, Label.RVBP)
    session.study.accept_phase(0)
    session.study.accept_phase(2)
    kept(qtbot, session)
    finish(qtbot, session)
    assert session.saved.reads.result(session.study.stack.stack_id) == session.study.read
    session.close_study()
    open_whole(qtbot, session)
    assert session.study.read is not None and session.study.read.kind is ReadKind.ADJUDICATION, (
        "the result is shown first"
    )


def test_a_read_that_is_not_finished_is_not_adjudicated(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    begin_second(qtbot, session)
    show(qtbot, session, None)
    assert not session.reads.begin_adjudication("C. Hief", 1)
    assert not session.reads.begin_adjudication("C. Hief", 7)
    assert session.study.read is None


def test_how_a_study_is_opened_is_not_changed_in_a_second_read(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    begin_second(qtbot, session)
    with qtbot.waitSignal(session.message) as said:
        session.opening.swap_ends()
    assert "first read" in said.args[1] and not session.opening.is_busy


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**20), turns=st.lists(st.sampled_from(("first", "second")), min_size=2, max_size=5))
def test_whatever_is_done_in_one_read_the_other_is_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, seed: int, turns: list[str]
) -> None:
    import random

    tell, working.tell = working.tell, lambda _line: None
    try:
        with open_workspace(tmp_path_factory.mktemp("reads") / "workspace", reader="reader") as workspace:
            working.begin(workspace)
            chance = random.Random(seed)
            ids = {which: working.read_id_of(workspace, which) for which in ("first", "second")}
            states = {which: working.state(working.opened(workspace, ids[which])) for which in ids}
            for which in turns:
                reader = working.Reader(workspace, ids[which], chance)
                for _ in range(4):
                    reader.act()
                states[which] = working.state(working.opened(workspace, ids[which]))
                other = "second" if which == "first" else "first"
                assert working.state(working.opened(workspace, ids[other])) == states[other]
    finally:
        working.tell = tell
