import pytest

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Prediction, Provenance, ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.store.annotations import AnnotationStore, RegionSet, Work
from cmr_viewer.store.effort import Effort, EffortStore
from cmr_viewer.store.events import EventLog
from cmr_viewer.store.reads import Read, ReadKind, ReadStore
from cmr_viewer.store.reviewed import read_reviewed
from cmr_viewer.store.study_facts import StudyFacts
from cmr_viewer.store.versions import Version
from tests.store.saving import STACK_ID, labels_of, pixels, save, save_study

FRAME = FrameIndex(0, 0)


@pytest.fixture
def reads(store: AnnotationStore) -> ReadStore:
    return ReadStore(store._workspace)


@pytest.fixture
def second(reads: ReadStore) -> Read:
    return reads.begin(STACK_ID, ReadKind.SECOND, blinded=True)


def keep(store: AnnotationStore, number: int, read: Read | None, status: ReviewStatus = ReviewStatus.DRAFT) -> None:
    saved = Version(FRAME, labels_of(number), Region.BASE, Provenance.MANUAL, status)
    store.save(STACK_ID, Work([saved]), read_id=None if read is None else read.id, pixels=pixels(FRAME))


def test_a_read_is_begun_and_finished_by_its_reader(reads: ReadStore, store: AnnotationStore) -> None:
    read = reads.begin(STACK_ID, ReadKind.ADJUDICATION, blinded=False)
    assert (read.reader, read.kind, read.blinded, read.finished_at) == ("reader", ReadKind.ADJUDICATION, False, None)
    done = reads.finish(read.id)
    assert done.finished_at is not None and done.finished_at >= read.started_at
    assert reads.list(STACK_ID) == (done,) == (reads.read(read.id),)
    whats = [event.what for event in EventLog(store._workspace).events(stack_id=STACK_ID) if event.read_id == read.id]
    assert whats == ["read_started", "read_finished"]


def test_each_read_sees_its_own_label_maps_regions_marks_and_facts(store: AnnotationStore, second: Read) -> None:
    keep(store, 1, None)
    keep(store, 2, second)
    store.save(STACK_ID, Work(regions={FRAME: RegionSet(Region.BASE)}))
    store.save(STACK_ID, Work(regions={FRAME: RegionSet(Region.APEX)}), read_id=second.id)
    store.save(STACK_ID, Work(phase_marks=(0, None)))
    store.save(STACK_ID, Work(phase_marks=(None, 2)), read_id=second.id)
    facts, efforts = StudyFacts(store._workspace), EffortStore(store._workspace)
    facts.set(STACK_ID, "key", "first")
    facts.set(STACK_ID, "key", "second", second.id)
    efforts.add(STACK_ID, {FRAME: Effort(1.0)})
    efforts.add(STACK_ID, {FRAME: Effort(7.0)}, second.id)
    for read_id, number, region, marks, word, active_s in (
        (None, 1, Region.BASE, (0, None), "first", 1.0),
        (second.id, 2, Region.APEX, (None, 2), "second", 7.0),
    ):
        assert (store.latest(STACK_ID, read_id)[FRAME].labels == labels_of(number)).all()
        assert [one.labels[0, 0] for one in store.versions(STACK_ID, FRAME, read_id)] == [labels_of(number)[0, 0]]
        assert store.regions(STACK_ID, read_id) == {FRAME: region}
        assert store.phase_marks(STACK_ID, read_id) == marks
        assert facts.get(STACK_ID, "key", read_id) == word
        assert [row.effort.active_s for row in efforts.rows(STACK_ID, read_id)] == [active_s]


def test_a_second_read_counts_neither_in_the_worklist_nor_for_training(store: AnnotationStore, second: Read) -> None:
    keep(store, 1, None)
    keep(store, 2, second, ReviewStatus.ACCEPTED)
    (row,) = store.studies()
    assert (row.accepted, row.drafts) == (0, 1)
    assert list(read_reviewed(store._workspace)) == []
    save(store, FRAME, 3, status=ReviewStatus.ACCEPTED)
    (stack,) = read_reviewed(store._workspace)
    labels = stack.frames[FRAME].labels
    assert list(stack.frames) == [FRAME] and labels is not None and (labels == labels_of(3)).all()


def test_what_a_second_read_is_shown_does_not_become_what_the_first_is_shown(
    store: AnnotationStore, second: Read
) -> None:
    base, apex = (Prediction(labels_of(n), f"m{n}", region, "") for n, region in ((1, Region.BASE), (2, Region.APEX)))
    store.save(STACK_ID, Work(predictions={FRAME: apex}))
    store.save(STACK_ID, Work(predictions={FRAME: base}))
    work = Work(regions={FRAME: RegionSet(Region.APEX)}, shown={FRAME: apex})
    store.save(STACK_ID, work, read_id=second.id)
    assert store.predictions(STACK_ID)[FRAME].model_id == "m1"


def test_nothing_is_added_to_a_finished_read_or_to_one_of_another_stack(
    store: AnnotationStore, reads: ReadStore, second: Read
) -> None:
    save_study(store, "c" * 32)
    other = reads.begin("c" * 32, ReadKind.SECOND, blinded=True)
    with pytest.raises(StoreError, match="There is no read"):
        keep(store, 1, other)
    reads.finish(second.id)
    with pytest.raises(StoreError, match="is finished"):
        keep(store, 1, second)
    with pytest.raises(StoreError, match="is finished"):
        reads.finish(second.id)
    with pytest.raises(StoreError, match="There is no read 99"):
        reads.finish(99)
    with pytest.raises(StoreError, match="Open it first"):
        reads.begin("d" * 32, ReadKind.SECOND, blinded=True)


def test_a_study_opens_in_the_read_on_show_last_until_that_is_finished_and_then_in_the_result(
    reads: ReadStore, store: AnnotationStore
) -> None:
    assert reads.to_open(STACK_ID) is None
    second = reads.begin(STACK_ID, ReadKind.SECOND, blinded=True)
    assert reads.to_open(STACK_ID) == second
    reads.note_shown(STACK_ID, None)
    assert reads.to_open(STACK_ID) is None
    reads.note_shown(STACK_ID, second.id)
    assert reads.to_open(STACK_ID) == second
    reads.finish(second.id)
    assert reads.to_open(STACK_ID) is None and reads.result(STACK_ID) is None
    judged = reads.begin(STACK_ID, ReadKind.ADJUDICATION, blinded=False)
    assert reads.result(STACK_ID) is None, "it is no result before it is finished"
    judged = reads.finish(judged.id)
    assert reads.to_open(STACK_ID) == judged == reads.result(STACK_ID) and judged.is_finished


def test_a_summary_tells_who_did_how_much_in_each_read(reads: ReadStore, store: AnnotationStore, second: Read) -> None:
    store._workspace.reader = "A. First"
    keep(store, 1, None, ReviewStatus.ACCEPTED)
    store._workspace.reader = "B. Lind"
    keep(store, 2, second)
    EffortStore(store._workspace).add(STACK_ID, {FRAME: Effort(2.5, 1)}, second.id)
    first, other = reads.summaries(STACK_ID)
    assert (first.read, first.readers, first.accepted, first.active_s) == (None, ("A. First",), 1, 0.0)
    assert (other.read, other.accepted, other.active_s, other.edits) == (second, 0, 2.5, 0)
    assert reads.first_readers(STACK_ID) == ("A. First",)
