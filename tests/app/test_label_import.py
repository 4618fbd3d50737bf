from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmr_viewer.app.label_import import ImportOffer, LabelImport, merged
from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.errors import LabelMapError
from cmr_viewer.store.events import EventLog
from tests.app.conftest import COLS, PHASES, ROWS, SLICES
from tests.app.test_session import open_whole

ALL = frozenset(STRUCTURES)
POOL = frozenset({Label.LVBP})
FIRST, SECOND = FrameIndex(0, 1), FrameIndex(1, 2)
FILE = Path("/nowhere/contours.cvi42wsx")


@dataclass
class Read:
    structures: Mapping[FrameIndex, frozenset[Label]]
    labels: LabelMap = field(default_factory=lambda: np.zeros((PHASES, SLICES, ROWS, COLS), np.uint8))
    provenance: str = "cvi42 workspace"
    warnings: tuple[str, ...] = ()


def drawn(structures: Mapping[FrameIndex, frozenset[Label]], *warnings: str) -> Read:
    """Rows 2 to 4 blood pool of the left ventricle, 5 myocardium, 6 blood pool of the right."""
    read = Read(structures, warnings=warnings)
    for frame in structures:
        read.labels[frame.phase, frame.slice_index, 2:5] = Label.LVBP
        read.labels[frame.phase, frame.slice_index, 5] = Label.LVM
        read.labels[frame.phase, frame.slice_index, 6] = Label.RVBP
    return read


@dataclass
class File:
    """Stands for the reader of label files."""

    read: Read
    needs_phase: bool = False
    marks: list[tuple[int | None, int | None]] = field(default_factory=list)

    def __call__(self, path: Path, study: Study, phase: int | None) -> Read:
        self.marks.append((study.stack.ed_phase, study.stack.es_phase))
        if self.needs_phase and phase is None:
            raise LabelMapError(f"{path.name} does not say which phase it is.")
        return self.read


def offered(qtbot: Any, session: Session, file: File, phase: int = 0) -> tuple[LabelImport, ImportOffer]:
    importing = LabelImport(session, file, session)
    with qtbot.waitSignal(importing.offered) as told:
        importing.read(FILE, phase)
    return importing, told.args[0]


def labels(session: Session, frame: FrameIndex) -> LabelMap:
    found = session.frame_state(frame).labels
    assert found is not None
    return found.copy()


@pytest.fixture
def opened(qtbot: Any, session: Session) -> Session:
    open_whole(qtbot, session)
    return session


def test_imported_label_maps_are_drafts_with_their_provenance_in_the_log(qtbot: Any, opened: Session) -> None:
    importing, offer = offered(qtbot, opened, File(drawn({FIRST: ALL, SECOND: ALL}, "One contour is open.")))
    with qtbot.waitSignal(importing.taken) as told:
        importing.take(offer, replace_worked_on=True)
    assert told.args[0] == (
        "Imported contours.cvi42wsx (cvi42 workspace): 2 frames (LV blood pool in 2, LV myocardium in 2, "
        "RV blood pool in 2). One contour is open."
    )
    state = opened.frame_state(FIRST)
    assert np.array_equal(state.labels, offer.read.labels[0, 1])
    assert (state.status, state.provenance, state.imported) == (
        ReviewStatus.DRAFT,
        Provenance.MANUAL,
        "cvi42 workspace",
    )
    qtbot.waitUntil(lambda: not opened.keeper.is_busy)
    events = EventLog(opened.workspace).events(what="draft_saved")
    assert {event.frame for event in events} == {FIRST, SECOND}
    assert {event.detail["imported_from"] for event in events} == {"cvi42 workspace"}


def test_an_import_is_undone_and_made_again_as_one_step(qtbot: Any, opened: Session) -> None:
    before = {frame: labels(opened, frame) for frame in (FIRST, SECOND)}
    importing, offer = offered(qtbot, opened, File(drawn({FIRST: ALL, SECOND: ALL})))
    importing.take(offer, replace_worked_on=True)
    assert opened.undo_text == "import contours.cvi42wsx"
    opened.undo()
    for frame, shown in before.items():
        assert np.array_equal(labels(opened, frame), shown)
        assert (opened.frame_state(frame).edited, opened.frame_state(frame).imported) == (False, "")
    assert not opened.can_undo
    opened.redo()
    assert np.array_equal(labels(opened, SECOND), offer.read.labels[1, 2])
    assert opened.frame_state(SECOND).imported == "cvi42 workspace"


def test_what_the_reader_worked_on_is_told_and_left_where_that_is_wanted(qtbot: Any, opened: Session) -> None:
    third = FrameIndex(2, 1)
    with qtbot.waitSignal(opened.frames_accepted):
        opened.accept(FIRST)
    opened.begin_stroke(SECOND, Label.RVBP, 1.5, (10.0, 10.0))
    opened.end_stroke()
    mine = labels(opened, SECOND)
    importing, offer = offered(qtbot, opened, File(drawn({FIRST: ALL, SECOND: ALL, third: ALL})))
    assert (offer.accepted, offer.corrected) == ({FIRST}, {SECOND})
    with qtbot.waitSignal(importing.taken) as told:
        importing.take(offer, replace_worked_on=False)
    assert "1 frame (" in told.args[0] and "2 that you have worked on were left as they are." in told.args[0]
    assert opened.frame_state(FIRST).status is ReviewStatus.ACCEPTED
    assert np.array_equal(labels(opened, SECOND), mine)
    assert np.array_equal(labels(opened, third), offer.read.labels[2, 1])


def test_an_accepted_frame_that_is_replaced_is_a_draft_again(qtbot: Any, opened: Session) -> None:
    with qtbot.waitSignal(opened.frames_accepted):
        opened.accept(FIRST)
    importing, offer = offered(qtbot, opened, File(drawn({FIRST: ALL})))
    importing.take(offer, replace_worked_on=True)
    assert opened.frame_state(FIRST).status is ReviewStatus.DRAFT


def test_a_file_of_one_phase_that_does_not_say_which_is_taken_for_the_one_on_show(qtbot: Any, opened: Session) -> None:
    file = File(drawn({FIRST: ALL}), needs_phase=True)
    _, offer = offered(qtbot, opened, file, phase=2)
    assert offer.taken_for == 2
    _, offer = offered(qtbot, opened, File(drawn({FIRST: ALL})), phase=2)
    assert offer.taken_for is None


def test_the_reader_s_ed_and_es_help_to_read_the_file(qtbot: Any, opened: Session) -> None:
    opened.set_ed(1)
    opened.set_es(2)
    file = File(drawn({FIRST: ALL}))
    offered(qtbot, opened, file)
    assert file.marks == [(1, 2)]


def test_what_cannot_be_read_or_says_nothing_is_refused(qtbot: Any, opened: Session) -> None:
    def fails(path: Path, study: Study, phase: int | None) -> Read:
        raise LabelMapError("It has another grid.")

    for reader, said in ((fails, "It has another grid."), (File(Read({})), "says nothing about a frame of this study")):
        importing = LabelImport(opened, reader, opened)
        with qtbot.waitSignal(importing.refused) as told:
            importing.read(FILE, 0)
        assert said in told.args[0]


def test_label_maps_of_one_study_are_not_put_into_another(qtbot: Any, opened: Session) -> None:
    importing, offer = offered(qtbot, opened, File(drawn({FIRST: ALL})))
    open_whole(qtbot, opened, "another")
    before = labels(opened, FIRST)
    with qtbot.waitSignal(importing.refused):
        importing.take(offer, replace_worked_on=True)
    assert np.array_equal(labels(opened, FIRST), before)


def test_structures_that_are_not_stated_stay_where_there_is_room() -> None:
    shown = np.array([[3, 3, 2, 1, 1, 2, 0]], np.uint8)
    incoming = np.array([[0, 2, 2, 0, 2, 2, 2]], np.uint8)
    assert merged(shown, incoming, frozenset({Label.LVM})).tolist() == [[3, 2, 2, 1, 2, 2, 2]]


def test_the_epicardium_stays_where_only_the_endocardium_is_drawn() -> None:
    shown = np.array([[3, 2, 1, 1, 1, 2, 0]], np.uint8)
    incoming = np.array([[0, 0, 0, 1, 0, 0, 0]], np.uint8)
    assert merged(shown, incoming, POOL).tolist() == [[3, 2, 2, 1, 2, 2, 0]]


def test_a_frame_without_label_map_takes_only_what_is_stated() -> None:
    incoming = np.array([[1, 2, 3, 0]], np.uint8)
    assert merged(None, incoming, frozenset({Label.RVBP})).tolist() == [[0, 0, 3, 0]]


def test_a_stated_structure_that_is_absent_is_taken_away() -> None:
    shown = np.array([[3, 2, 1]], np.uint8)
    assert merged(shown, np.zeros_like(shown), ALL).tolist() == [[0, 0, 0]]
