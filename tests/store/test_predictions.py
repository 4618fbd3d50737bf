import numpy as np

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Prediction, ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.annotations import AnnotationStore, Work
from cmr_viewer.store.predictions import REASON
from cmr_viewer.store.reads import ReadKind, ReadStore
from tests.store.saving import STACK_ID, labels_of, save

FRAME, OTHER = FrameIndex(0, 0), FrameIndex(0, 1)


def made(number: int, region: Region, model_id: str = "") -> Prediction:
    return Prediction(labels_of(number), model_id or f"{region}-1", region, "The reader says so.")


def made_as(store: AnnotationStore, regions: dict[FrameIndex, Region]) -> dict[FrameIndex, Prediction]:
    """What a read that has shown nothing yet is shown."""
    read = ReadStore(store._workspace).begin(STACK_ID, ReadKind.SECOND, blinded=True)
    return store.predictions_in_read(STACK_ID, read.id, regions)


def test_a_frame_is_shown_as_models_made_it_as_their_own_region_and_no_reader_stands_in_the_words(
    store: AnnotationStore,
) -> None:
    store.save(STACK_ID, Work(predictions={FRAME: made(1, Region.MIDDLE), OTHER: made(2, Region.BASE)}))
    store.save(STACK_ID, Work(predictions={FRAME: made(3, Region.APEX)}))  # the first reader set another region
    assert store.predictions(STACK_ID)[FRAME].region is Region.APEX
    alone = made_as(store, {FRAME: Region.MIDDLE, OTHER: Region.MIDDLE})
    assert set(alone) == {FRAME}, "nobody was asked about the other as middle"
    assert (alone[FRAME].model_id, alone[FRAME].region, alone[FRAME].reason) == ("middle-1", Region.MIDDLE, REASON)
    assert np.array_equal(alone[FRAME].labels, labels_of(1))


def test_the_newest_model_that_made_it_as_that_region_counts(store: AnnotationStore) -> None:
    for number in (1, 2):
        store.save(STACK_ID, Work(predictions={FRAME: made(number, Region.BASE, f"base-{number}")}))
    assert made_as(store, {FRAME: Region.BASE})[FRAME].model_id == "base-2"


def test_what_a_read_is_shown_is_saved_for_it_alone_and_the_last_of_a_frame_holds(store: AnnotationStore) -> None:
    store.save(STACK_ID, Work(predictions={FRAME: made(1, Region.MIDDLE)}))
    reads = ReadStore(store._workspace)
    one, other = (reads.begin(STACK_ID, ReadKind.SECOND, blinded=True).id for _ in range(2))
    for number, region in ((2, Region.APEX), (3, Region.BASE)):
        store.save(STACK_ID, Work(shown={FRAME: made(number, region)}), read_id=one)
    assert store.predictions_in_read(STACK_ID, one, {})[FRAME].reason == "The reader says so."
    assert store.predictions_in_read(STACK_ID, other, {}) == {}
    assert store.predictions(STACK_ID)[FRAME].region is Region.MIDDLE
    regions = {FRAME: Region.MIDDLE}
    assert store.predictions_in_read(STACK_ID, one, regions)[FRAME].region is Region.BASE
    assert store.predictions_in_read(STACK_ID, other, regions)[FRAME].region is Region.MIDDLE


def test_models_behind_unreviewed_frames_are_those_shown_last_by_region(store: AnnotationStore) -> None:
    labels = labels_of(0)
    frames = [FrameIndex(0, number) for number in range(4)]
    regions = (Region.BASE, Region.MIDDLE, Region.APEX, Region.NON_CARDIAC)
    old = {f: Prediction(labels, "old", r, "By formula.") for f, r in zip(frames, regions, strict=True)}
    store.save(STACK_ID, Work(shown=old))
    assert store.models_of_unreviewed() == {
        STACK_ID: {(Region.BASE, "old"), (Region.MIDDLE, "old"), (Region.APEX, "old")}
    }
    save(store, frames[0], status=ReviewStatus.ACCEPTED)
    save(store, frames[1])  # corrected, and not accepted yet
    store.save(STACK_ID, Work(shown={frames[2]: Prediction(labels, "new", Region.APEX, "By formula.")}))
    assert store.models_of_unreviewed() == {STACK_ID: {(Region.APEX, "new")}}
