import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.opening import StackChange
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.annotations import AnnotationStore, RegionSet, Work
from cmr_viewer.store.events import EventLog
from cmr_viewer.store.openings import StackChangeStore
from cmr_viewer.store.reviewed import corrections_of, read_reviewed
from cmr_viewer.store.study_facts import StudyFacts
from tests.store.saving import STACK_ID, labels_of, pixels_of, save, save_study

TURNED_ID = "b" * 32
TURN = StackChange(STACK_ID, TURNED_ID, (3, 2, 1, 0))
BACK = StackChange(TURNED_ID, STACK_ID, (3, 2, 1, 0))
SPACING_MM = (2.0, 3.0)


@pytest.fixture
def changes(store: AnnotationStore) -> StackChangeStore:
    save_study(store, TURNED_ID)
    return StackChangeStore(store._workspace)


def test_annotations_follow_their_frames_with_reader_time_and_status(
    store: AnnotationStore, changes: StackChangeStore
) -> None:
    before = save(store, FrameIndex(1, 0), 5, status=ReviewStatus.ACCEPTED, region=Region.APEX)
    save(store, FrameIndex(2, 3), 6)
    assert changes.carry_over(TURN, pixel_spacing_mm=SPACING_MM) == 2
    found = store.latest(TURNED_ID)
    assert set(found) == {FrameIndex(1, 3), FrameIndex(2, 0)}
    after = found[FrameIndex(1, 3)]
    assert np.array_equal(after.labels, labels_of(5))
    saved = (before.region, before.provenance, before.status, before.reader, before.model_id, before.created_at)
    assert (after.region, after.provenance, after.status, after.reader, after.model_id, after.created_at) == saved
    assert len(store.versions(STACK_ID, FrameIndex(1, 0))) == 1, "the stack that was left keeps what it has"


def test_the_newer_of_two_annotations_of_a_frame_holds_there_and_back(
    store: AnnotationStore, changes: StackChangeStore
) -> None:
    save(store, FrameIndex(0, 0), 1)
    changes.carry_over(TURN, pixel_spacing_mm=SPACING_MM)
    save(store, FrameIndex(0, 3), 2, stack_id=TURNED_ID)
    assert changes.carry_over(BACK, pixel_spacing_mm=SPACING_MM) == 1
    assert [v.labels.tolist() for v in store.versions(STACK_ID, FrameIndex(0, 0))] == [
        labels_of(1).tolist(),
        labels_of(2).tolist(),
    ]
    assert changes.carry_over(TURN, pixel_spacing_mm=SPACING_MM) == 0


def test_what_was_written_later_is_newer_though_the_clock_went_back(
    store: AnnotationStore, changes: StackChangeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = StudyFacts(store._workspace)
    hours = iter(range(23, 0, -1))

    def earlier_each_time() -> str:
        return f"2026-01-01T{next(hours):02}:00:00.000000+00:00"

    monkeypatch.setattr("cmr_viewer.store.database.now_text", earlier_each_time)
    save(store, FrameIndex(0, 0), 1)
    store.save(STACK_ID, Work(regions={FrameIndex(0, 0): RegionSet(Region.BASE)}))
    store.save(STACK_ID, Work(phase_marks=(0, 1)))
    facts.set(STACK_ID, "patient.height_cm", 170)
    changes.carry_over(TURN, pixel_spacing_mm=SPACING_MM)
    save(store, FrameIndex(0, 3), 2, stack_id=TURNED_ID)
    store.save(TURNED_ID, Work(regions={FrameIndex(0, 3): RegionSet(Region.APEX)}))
    store.save(TURNED_ID, Work(phase_marks=(2, 1)))
    facts.set(TURNED_ID, "patient.height_cm", 180)
    changes.carry_over(BACK, pixel_spacing_mm=SPACING_MM)
    assert np.array_equal(store.latest(STACK_ID)[FrameIndex(0, 0)].labels, labels_of(2))
    assert store.regions(STACK_ID) == {FrameIndex(0, 0): Region.APEX}
    assert store.phase_marks(STACK_ID) == (2, 1)
    assert facts.get(STACK_ID, "patient.height_cm") == 180
    with store._workspace.read() as connection:
        count = "SELECT count(*) FROM phase_marks UNION ALL SELECT count(*) FROM study_facts"
        before = list(connection.exec_driver_sql(count).scalars())
    assert changes.carry_over(TURN, pixel_spacing_mm=SPACING_MM) == 0
    assert changes.carry_over(BACK, pixel_spacing_mm=SPACING_MM) == 0
    with store._workspace.read() as connection:
        after = list(connection.exec_driver_sql(count).scalars())
    assert after == before, "what came from a stack is not brought back to it"


def test_regions_and_phase_marks_follow_and_a_word_taken_back_stays_so(
    store: AnnotationStore, changes: StackChangeStore
) -> None:
    store.save(STACK_ID, Work(regions={FrameIndex(0, 0): RegionSet(Region.BASE)}))
    store.save(STACK_ID, Work(regions={FrameIndex(0, 1): RegionSet(Region.APEX)}))
    store.save(STACK_ID, Work(regions={FrameIndex(0, 1): RegionSet(None)}))
    store.save(STACK_ID, Work(phase_marks=(0, 2)))
    changes.carry_over(TURN, pixel_spacing_mm=SPACING_MM)
    assert store.regions(TURNED_ID) == {FrameIndex(0, 3): Region.BASE}
    assert store.phase_marks(TURNED_ID) == (0, 2)


def test_an_accepted_frame_is_trained_on_once_and_with_the_spacing_of_the_stack_it_went_to(
    store: AnnotationStore, changes: StackChangeStore
) -> None:
    save(store, FrameIndex(1, 0), 5, status=ReviewStatus.ACCEPTED)
    changes.carry_over(TURN, pixel_spacing_mm=SPACING_MM)
    (stack,) = read_reviewed(store._workspace)
    (frame,) = stack.frames
    assert (stack.stack_id, frame, stack.pixel_spacing_mm) == (TURNED_ID, FrameIndex(1, 3), SPACING_MM)
    assert np.array_equal(stack.pixels[frame], pixels_of(FrameIndex(1, 0)))
    assert [len(one) for one in corrections_of([stack], Role.BASE).values()] == [1]


def test_a_slice_that_is_not_in_the_new_stack_stays_where_it_is(
    store: AnnotationStore, changes: StackChangeStore
) -> None:
    save(store, FrameIndex(0, 0), 1, status=ReviewStatus.ACCEPTED)
    save(store, FrameIndex(0, 1), 2, status=ReviewStatus.ACCEPTED)
    changes.carry_over(StackChange(STACK_ID, TURNED_ID, (0, None, 2, 3)), pixel_spacing_mm=SPACING_MM)
    assert set(store.latest(TURNED_ID)) == {FrameIndex(0, 0)}
    found = {(stack.stack_id, frame.slice_index) for stack in read_reviewed(store._workspace) for frame in stack.frames}
    assert found == {(TURNED_ID, 0), (STACK_ID, 1)}


def test_the_worklist_names_the_stack_that_is_in_use(store: AnnotationStore, changes: StackChangeStore) -> None:
    changes.carry_over(TURN, pixel_spacing_mm=SPACING_MM)
    assert [row.stack_id for row in store.studies()] == [TURNED_ID]
    changes.carry_over(BACK, pixel_spacing_mm=SPACING_MM)
    assert [row.stack_id for row in store.studies()] == [STACK_ID]


def test_the_stack_in_use_is_found_over_several_steps(store: AnnotationStore, changes: StackChangeStore) -> None:
    third = "c" * 32
    save_study(store, third)
    assert changes.successor(STACK_ID) is None
    changes.carry_over(TURN, pixel_spacing_mm=SPACING_MM)
    changes.carry_over(StackChange(TURNED_ID, third, (0, None, 1, 2)), pixel_spacing_mm=SPACING_MM)
    assert changes.successor(STACK_ID) == StackChange(STACK_ID, third, (2, 1, None, 0))
    assert changes.successor(third) is None


def test_a_change_is_in_the_log(store: AnnotationStore, changes: StackChangeStore) -> None:
    changes.carry_over(TURN, pixel_spacing_mm=SPACING_MM)
    (event,) = EventLog(store._workspace).events(what="stack_changed")
    assert event.stack_id == TURNED_ID
    assert event.detail == {"from": STACK_ID, "slices": [3, 2, 1, 0], "annotations": 0, "regions": 0, "steps": 0}


def test_a_change_of_stacks_says_where_a_slice_went_and_has_a_way_back() -> None:
    change = StackChange("a", "b", (1, None, 0))
    assert [change.target(at) for at in (0, 1, 2, 3)] == [1, None, 0, None]
    assert change.inverse(4) == StackChange("b", "a", (2, 0, None, None))
