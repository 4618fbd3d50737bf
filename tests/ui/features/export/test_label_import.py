from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.errors import LabelMapError, UnknownCodesError, UnknownPhaseError
from cmr_viewer.progress import Progress
from cmr_viewer.store.events import EventLog
from cmr_viewer.ui.features.export.label_import import ImportOffer, LabelImport, merged
from tests.app.test_session import open_whole
from tests.reading.small import COLS, PHASES, ROWS, SLICES

ALL = frozenset(STRUCTURES)
POOL = frozenset({Label.LVBP})
FIRST, SECOND = FrameIndex(0, 1), FrameIndex(1, 2)
FILE = Path("/nowhere/contours.cvi42wsx")


@dataclass
class Read:
    structures: Mapping[FrameIndex, frozenset[Label]]
    labels: LabelMap = field(default_factory=lambda: np.zeros((PHASES, SLICES, ROWS, COLS), np.uint8))
    provenance: str = "cvi42 workspace"
    warnings: tuple[Note, ...] = ()
    made: Provenance | None = None


def drawn(structures: Mapping[FrameIndex, frozenset[Label]], *warnings: Note) -> Read:
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
    needs_codes: bool = False
    marks: list[tuple[int | None, int | None]] = field(default_factory=list)
    asked: list[tuple[object, int | None]] = field(default_factory=list)

    def __call__(
        self, path: Path, study: Study, codes: Mapping[int, Label] | None, phase: int | None, progress: Progress
    ) -> Read:
        progress(0.5, "OpenStudy")
        self.marks.append((study.stack.ed_phase, study.stack.es_phase))
        self.asked.append((codes, phase))
        if self.needs_phase and phase is None:
            raise UnknownPhaseError(f"{path.name} does not say which phase it is.")
        if self.needs_codes and codes is None:
            raise UnknownCodesError(f"What the numbers in {path.name} mean is not known.", {4: 10, 7: 20})
        return self.read


def offered(qtbot: Any, session: Session, file: File, phase: int = 0) -> tuple[LabelImport, ImportOffer]:
    importing = LabelImport(session, file, session)
    with qtbot.waitSignal(importing.offered) as told:
        importing.read(FILE, phase)
    return importing, told.args[0]


def labels(session: Session, frame: FrameIndex) -> LabelMap:
    found = session.study.frame_state(frame).labels
    assert found is not None
    return found.copy()


@pytest.fixture
def opened(qtbot: Any, session: Session) -> Session:
    open_whole(qtbot, session)
    return session


def test_imported_label_maps_are_drafts_with_their_provenance_in_the_log(qtbot: Any, opened: Session) -> None:
    note = Note("One contour is open.", Code.LABELS_CHANGED)
    importing, offer = offered(qtbot, opened, File(drawn({FIRST: ALL, SECOND: ALL}, note)))
    with qtbot.waitSignal(importing.imported) as told:
        importing.take(offer, replace_worked_on=True)
    assert told.args[0] == (
        "Imported contours.cvi42wsx (cvi42 workspace): 2 frames (LV blood pool in 2, LV myocardium in 2, "
        "RV blood pool in 2). One contour is open."
    )
    state = opened.study.frame_state(FIRST)
    assert np.array_equal(state.labels, offer.read.labels[0, 1])
    assert (state.status, state.provenance, state.imported) == (
        ReviewStatus.DRAFT,
        Provenance.MANUAL,
        "cvi42 workspace",
    )
    qtbot.waitUntil(lambda: not opened.saving.is_busy)
    events = EventLog(opened.workspace).events(what="draft_saved")
    assert {event.frame for event in events} == {FIRST, SECOND}
    assert {event.detail["imported_from"] for event in events} == {"cvi42 workspace"}


def test_an_import_is_undone_and_made_again_as_one_step(qtbot: Any, opened: Session) -> None:
    before = {frame: labels(opened, frame) for frame in (FIRST, SECOND)}
    importing, offer = offered(qtbot, opened, File(drawn({FIRST: ALL, SECOND: ALL})))
    importing.take(offer, replace_worked_on=True)
    assert opened.study.undo_text == "import contours.cvi42wsx"
    opened.study.undo()
    for frame, shown in before.items():
        assert np.array_equal(labels(opened, frame), shown)
        assert (opened.study.frame_state(frame).edited, opened.study.frame_state(frame).imported) == (False, "")
    assert not opened.study.can_undo
    opened.study.redo()
    assert np.array_equal(labels(opened, SECOND), offer.read.labels[1, 2])
    assert opened.study.frame_state(SECOND).imported == "cvi42 workspace"


def test_what_the_reader_worked_on_is_told_and_left_where_that_is_wanted(qtbot: Any, opened: Session) -> None:
    third = FrameIndex(2, 1)
    with qtbot.waitSignal(opened.study.frames_accepted):
        opened.study.accept(FIRST)
    opened.study.begin_stroke(SECOND, Label.RVBP, 1.5, (10.0, 10.0))
    opened.study.end_stroke()
    mine = labels(opened, SECOND)
    importing, offer = offered(qtbot, opened, File(drawn({FIRST: ALL, SECOND: ALL, third: ALL})))
    assert (offer.accepted, offer.corrected) == ({FIRST}, {SECOND})
    with qtbot.waitSignal(importing.imported) as told:
        importing.take(offer, replace_worked_on=False)
    assert "1 frame (" in told.args[0] and "2 that you worked on were not changed." in told.args[0]
    assert opened.study.frame_state(FIRST).status is ReviewStatus.ACCEPTED
    assert np.array_equal(labels(opened, SECOND), mine)
    assert np.array_equal(labels(opened, third), offer.read.labels[2, 1])


def test_an_accepted_frame_that_is_replaced_is_a_draft_again(qtbot: Any, opened: Session) -> None:
    with qtbot.waitSignal(opened.study.frames_accepted):
        opened.study.accept(FIRST)
    importing, offer = offered(qtbot, opened, File(drawn({FIRST: ALL})))
    importing.take(offer, replace_worked_on=True)
    assert opened.study.frame_state(FIRST).status is ReviewStatus.DRAFT


def test_what_a_file_does_not_tell_is_asked_and_read_with_the_answers(qtbot: Any, opened: Session) -> None:
    file = File(drawn({FIRST: ALL}), needs_phase=True, needs_codes=True)
    importing = LabelImport(opened, file, opened)
    with qtbot.waitSignal(importing.asked) as told:
        importing.read(FILE, 2)
    question = told.args[0]
    assert question.is_about_phase and question.request.shown_phase == 2
    assert question.text == "contours.cvi42wsx does not say which phase it is."
    with qtbot.waitSignal(importing.asked) as told:
        importing.answer(question, phase=1)
    question = told.args[0]
    assert (question.is_about_phase, question.codes, question.guess) == (False, {4: 10, 7: 20}, {})
    meaning = {4: Label.LVBP, 7: Label.BACKGROUND}
    with qtbot.waitSignal(importing.offered):
        importing.answer(question, codes=meaning)
    assert file.asked == [(None, None), (None, 1), (meaning, 1)]
    with qtbot.waitSignal(importing.asked) as told:
        importing.read(FILE, 0)
    question = told.args[0]
    with qtbot.waitSignal(importing.asked) as told:
        importing.answer(question, phase=0)
    assert told.args[0].guess == meaning, "what was said last time is proposed, not taken"


def test_an_answer_for_a_study_that_was_left_is_refused(qtbot: Any, opened: Session) -> None:
    importing = LabelImport(opened, File(drawn({FIRST: ALL}), needs_phase=True), opened)
    with qtbot.waitSignal(importing.asked) as told:
        importing.read(FILE, 2)
    open_whole(qtbot, opened, "another")
    with qtbot.waitSignal(importing.refused) as refused:
        importing.answer(told.args[0], phase=1)
    assert "another study is now open" in refused.args[0]


@pytest.mark.parametrize(
    ("made", "stated", "kept_as"),
    [
        (Provenance.AUTOMATIC, ALL, Provenance.AUTOMATIC),
        (Provenance.AUTOMATIC, POOL, Provenance.AUTOMATIC),
        (Provenance.SEMIAUTOMATIC, ALL, Provenance.SEMIAUTOMATIC),
        (Provenance.MANUAL, ALL, Provenance.MANUAL),
        (Provenance.MANUAL, POOL, Provenance.SEMIAUTOMATIC),
        (None, ALL, Provenance.MANUAL),
        (None, POOL, Provenance.SEMIAUTOMATIC),
    ],
)
def test_how_label_maps_came_to_be_is_kept_and_shown_again_as_the_source_says(
    qtbot: Any, opened: Session, made: Provenance | None, stated: frozenset[Label], kept_as: Provenance
) -> None:
    read = drawn({FIRST: stated})
    read.made = made
    importing, offer = offered(qtbot, opened, File(read))
    importing.take(offer, replace_worked_on=True)
    shown = labels(opened, FIRST)
    for _ in range(2):
        state = opened.study.frame_state(FIRST)
        assert (state.provenance, state.imported, state.status) == (kept_as, "cvi42 workspace", ReviewStatus.DRAFT)
        assert np.array_equal(state.labels, shown)
        opened.close_study()
        open_whole(qtbot, opened)
    opened.study.begin_stroke(FIRST, Label.RVBP, 1.5, (12.0, 10.0))
    opened.study.end_stroke()
    by_hand = Provenance.MANUAL if kept_as is Provenance.MANUAL else Provenance.SEMIAUTOMATIC
    assert opened.study.frame_state(FIRST).provenance is by_hand
    opened.study.undo()
    assert opened.study.frame_state(FIRST).provenance is kept_as


def test_an_accepted_import_is_still_told_when_the_study_is_opened_again(qtbot: Any, opened: Session) -> None:
    read = drawn({FIRST: ALL})
    read.made = Provenance.AUTOMATIC
    importing, offer = offered(qtbot, opened, File(read))
    importing.take(offer, replace_worked_on=True)
    with qtbot.waitSignal(opened.study.frames_accepted):
        opened.study.accept(FIRST)
    opened.close_study()
    open_whole(qtbot, opened)
    state = opened.study.frame_state(FIRST)
    assert (state.status, state.provenance) == (ReviewStatus.ACCEPTED, Provenance.AUTOMATIC)
    assert (state.imported, state.labels[5, 0]) == ("cvi42 workspace", Label.LVM)


def test_the_reader_s_ed_and_es_help_to_read_the_file(qtbot: Any, opened: Session) -> None:
    opened.study.set_ed(1)
    opened.study.set_es(2)
    file = File(drawn({FIRST: ALL}))
    offered(qtbot, opened, file)
    assert file.marks == [(1, 2)]


def test_what_cannot_be_read_or_says_nothing_is_refused(qtbot: Any, opened: Session) -> None:
    def fails(path: Path, study: Study, codes: object, phase: int | None, progress: Progress) -> Read:
        raise LabelMapError("It has another grid.")

    for reader, said in (
        (fails, "It has another grid."),
        (File(Read({})), "contains no labels for the frames of this study"),
    ):
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
