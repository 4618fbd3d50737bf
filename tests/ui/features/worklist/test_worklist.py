from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.database import Workspace, open_workspace
from cmr_viewer.store.study_facts import StudyFacts
from cmr_viewer.store.worklist import RENEWED_KEY, StudyMarks
from cmr_viewer.ui.features.worklist.worklist import NO_MARKS, ReviewProgress, Worklist, WorklistEntry, waiting_names
from tests.store.saving import STACK_ID, save, save_study


class Keeper:
    """Does at once, or when it is let, what the store thread would do."""

    def __init__(self) -> None:
        self.held: list[Callable[[], None]] = []
        self.holds = False

    def do(self, text, work, *, on_done=None, on_failed=None) -> None:
        def run() -> None:
            result = work()
            if on_done is not None:
                on_done(result)

        self.held.append(run)
        if not self.holds:
            self.let()

    def let(self) -> None:
        while self.held:
            self.held.pop(0)()


class Session:
    """What a worklist asks of a session."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.saving = workspace, Keeper()
        self.store = AnnotationStore(workspace)
        self.worklist = SimpleNamespace(studies=(), waiting=(Path("/data/new.nii"),))
        self.renewal = SimpleNamespace(older=frozenset())
        self.study = SimpleNamespace(stack=None, read=None, is_blinded=False)

    def learn(self) -> None:
        self.worklist.studies = tuple(self.store.studies())


@pytest.fixture
def session(tmp_path):
    with open_workspace(tmp_path / "workspace", reader="R. Eader") as workspace:
        made = Session(workspace)
        save_study(made.store)
        save(made.store, FrameIndex(0, 0), status=ReviewStatus.ACCEPTED)
        made.learn()
        yield made


@pytest.fixture
def worklist(qapp, session) -> Worklist:
    return Worklist(session)


def test_nothing_is_read_while_nobody_looks(session, worklist):
    session.saving.holds = True
    worklist.refresh()
    assert session.saving.held == [] and worklist.entries == ()


def test_what_waits_stands_first_and_studies_with_their_marks_behind(worklist):
    worklist.look(True)
    new, study = worklist.entries
    assert (new.name, new.progress, new.key) == ("new.nii", ReviewProgress.WAITING, "/data/new.nii")
    assert (study.stack_id, study.status, study.marks.readers) == (STACK_ID, "Accepted 1/12", ("R. Eader",))


def test_changes_while_it_is_read_are_read_once_more(session, worklist):
    worklist.look(True)
    session.saving.holds = True
    told = []
    worklist.changed.connect(lambda: told.append(len(worklist.entries)))
    for _ in range(4):
        worklist.refresh()
    assert len(session.saving.held) == 1
    session.worklist.waiting = ()
    session.saving.let()
    assert told == [2, 1]


def test_a_flag_is_one_line_and_an_empty_one_goes(worklist):
    worklist.look(True)
    worklist.flag(STACK_ID, " ask \n Eve ")
    assert worklist.entries[1].flags == ("ask Eve",)
    worklist.flag(STACK_ID, "")
    assert worklist.entries[1].flags == ()


def test_failed_checks_are_kept_when_they_are_others(session, worklist):
    worklist.look(True)
    worklist.note_failed_checks(STACK_ID, 1)
    assert worklist.entries[1].flags == ("1 check failed",)
    session.saving.holds = True
    worklist.note_failed_checks(STACK_ID, 1)
    assert session.saving.held == []


def test_a_study_whose_frames_are_all_accepted_is_finished():
    entry = WorklistEntry("one", Path("one"), "stack", 2, 3, 6, marks=StudyMarks(reopened=1))
    assert (entry.progress, entry.status, entry.flags, entry.is_unread) == (
        ReviewProgress.FINISHED,
        "Finished",
        ("reopened",),
        False,
    )


def test_a_blinded_reader_is_told_no_marks_of_the_study_that_is_open(session, worklist):
    worklist.flag(STACK_ID, "look again")
    session.learn()
    worklist.look(True)
    assert [entry.marks.flag for entry in worklist.entries if entry.stack_id] == ["look again"]
    session.study.stack, session.study.read, session.study.is_blinded = (
        SimpleNamespace(stack_id=STACK_ID),
        object(),
        True,
    )
    worklist.refresh()
    assert [entry.marks for entry in worklist.entries if entry.stack_id] == [NO_MARKS]
    assert [entry.marks for entry in worklist.entries_now() if entry.stack_id] == [NO_MARKS]
    worklist.note_failed_checks(STACK_ID, 3)
    session.study.is_blinded, session.study.read = False, None
    worklist.refresh()
    assert [entry.marks.failed_checks for entry in worklist.entries if entry.stack_id] == [None]


def test_studies_that_wait_under_one_name_are_told_apart_by_their_folders():
    paths = [Path("/set/p1/cine.nii.gz"), Path("/set/p2/cine.nii.gz"), Path("/set/other")]
    assert waiting_names(paths) == ["p1/cine.nii.gz", "p2/cine.nii.gz", "other"]


def test_label_maps_of_older_models_and_renewed_ones_are_flagged(session, worklist):
    session.renewal.older = frozenset({STACK_ID})
    worklist.look(True)
    assert worklist.entries[1].flags == ("older models",)
    session.renewal.older = frozenset()
    StudyFacts(session.workspace).set(STACK_ID, RENEWED_KEY, [[0, 1], [2, 1]])
    worklist.refresh()
    assert worklist.entries[1].flags == ("2 new label maps",)
    StudyFacts(session.workspace).set(STACK_ID, RENEWED_KEY, None)
    worklist.refresh()
    assert worklist.entries[1].flags == ()
