from dataclasses import replace
from pathlib import Path

import pytest

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.annotations import AnnotationStore, Work
from cmr_viewer.store.database import Workspace, open_workspace
from cmr_viewer.store.study_facts import StudyFacts
from cmr_viewer.store.versions import Version
from cmr_viewer.store.worklist import FAILED_CHECKS_KEY, FLAG_KEY, StudyMarks, WorklistMarks
from tests.store.saving import STACK_ID, labels_of, save, save_study

OTHER = "b" * 32


@pytest.fixture
def marks(workspace: Workspace, store: AnnotationStore) -> WorklistMarks:
    save_study(store, OTHER)
    return WorklistMarks(workspace)


def test_a_study_of_which_nothing_is_saved_has_no_marks(marks: WorklistMarks) -> None:
    assert marks.all() == {}


def test_everybody_who_saved_something_is_a_reader_once(tmp_path: Path) -> None:
    for reader in ("zoe", "adam", "zoe"):
        with open_workspace(tmp_path / "workspace", reader=reader) as workspace:
            store = AnnotationStore(workspace)
            save_study(store)
            save(store, FrameIndex(0, 0))
    with open_workspace(tmp_path / "workspace", reader="nobody") as workspace:
        assert WorklistMarks(workspace).all()[STACK_ID].readers == ("adam", "zoe")


def test_a_frame_is_reopened_while_it_was_accepted_and_is_not_any_more(
    marks: WorklistMarks, store: AnnotationStore
) -> None:
    frame, never = FrameIndex(1, 2), FrameIndex(0, 1)
    save(store, never)
    save(store, frame, 1)
    save(store, frame, 2, status=ReviewStatus.ACCEPTED)
    assert marks.all()[STACK_ID].reopened == 0
    save(store, frame, 3)
    assert marks.all()[STACK_ID].reopened == 1
    save(store, frame, 4, status=ReviewStatus.ACCEPTED)
    assert marks.all()[STACK_ID].reopened == 0


def test_imported_frames_are_counted_once(marks: WorklistMarks, store: AnnotationStore) -> None:
    saved = Version(
        FrameIndex(0, 0),
        labels_of(1),
        Region.BASE,
        Provenance.MANUAL,
        ReviewStatus.DRAFT,
        imported_from="cvi42 workspace",
    )
    store.save(STACK_ID, Work([saved, replace(saved, frame=FrameIndex(0, 1))]))
    store.save(STACK_ID, Work([saved]))
    save(store, FrameIndex(0, 2))
    assert marks.all()[STACK_ID].imported == 2


def test_a_flag_and_failed_checks_are_the_last_that_were_said(workspace: Workspace, marks: WorklistMarks) -> None:
    facts = StudyFacts(workspace)
    facts.set(OTHER, FLAG_KEY, "look")
    facts.set(OTHER, FLAG_KEY, "ask somebody")
    facts.set(OTHER, FAILED_CHECKS_KEY, 3)
    facts.set(OTHER, "patient.height_cm", 170)
    assert marks.all() == {OTHER: StudyMarks(flag="ask somebody", failed_checks=3)}
    facts.set(OTHER, FLAG_KEY, None)
    assert marks.all() == {OTHER: StudyMarks(failed_checks=3)}


def test_what_is_no_word_is_no_flag(workspace: Workspace, marks: WorklistMarks) -> None:
    StudyFacts(workspace).set(OTHER, FLAG_KEY, 7)
    assert marks.all().get(OTHER, StudyMarks()).flag == ""
