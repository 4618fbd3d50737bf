import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Annotation, Prediction, Provenance, RegionPrediction, ReviewStatus
from cmr_viewer.domain.label_codec import encode_pixels
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import LabelMapError, StoreError
from cmr_viewer.store import frame_pixels
from cmr_viewer.store.annotations import AnnotationStore, RegionSet, Work
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.events import EventLog, What
from cmr_viewer.store.frame_pixels import Pixels
from cmr_viewer.store.reviewed import ReviewedFrame, read_reviewed
from cmr_viewer.store.versions import Version
from tests.store.saving import PHASES, SLICES, SPACING_MM, STACK_ID, labels_of, pixels, pixels_of, save, save_study

DRAFT, ACCEPTED = ReviewStatus.DRAFT, ReviewStatus.ACCEPTED
FRAME, OTHER = FrameIndex(0, 1), FrameIndex(2, 3)
FRAMES = st.builds(FrameIndex, st.integers(0, PHASES - 1), st.integers(0, SLICES - 1))
SAVES = st.tuples(FRAMES, st.sampled_from(ReviewStatus), st.sampled_from(Region), st.integers(0, 9))


@settings(deadline=None, max_examples=15)
@given(st.lists(st.one_of(SAVES, st.just("reopen")), max_size=12))
def test_latest_and_versions_agree_with_what_was_saved(steps: list) -> None:
    saved: dict[FrameIndex, list[tuple[ReviewStatus, Region, int]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        workspace = open_workspace(Path(folder), reader="reader")
        try:
            store = AnnotationStore(workspace)
            save_study(store)
            for step in steps:
                if step == "reopen":
                    workspace.close()
                    workspace = open_workspace(Path(folder), reader="reader")
                    store = AnnotationStore(workspace)
                    continue
                frame, status, region, number = step
                save(store, frame, number, status=status, region=region)
                saved.setdefault(frame, []).append((status, region, number))
            check_against(store, saved)
        finally:
            workspace.close()


def reviewed(store: AnnotationStore) -> dict[FrameIndex, ReviewedFrame]:
    return {frame: one for stack in read_reviewed(store._workspace) for frame, one in stack.frames.items()}


def check_against(store: AnnotationStore, saved: dict[FrameIndex, list[tuple[ReviewStatus, Region, int]]]) -> None:
    latest = store.latest(STACK_ID)
    assert latest.keys() == saved.keys()
    for frame, states in saved.items():
        versions = store.versions(STACK_ID, frame)
        assert [one.version for one in versions] == list(range(1, len(states) + 1))
        for one, (status, region, number) in zip(versions, states, strict=True):
            assert (one.status, one.region) == (status, region)
            assert np.array_equal(one.labels, labels_of(number))
        assert latest[frame].version == len(states)
    accepted_now = {frame: states[-1] for frame, states in saved.items() if states[-1][0] is ACCEPTED}
    found = reviewed(store)
    assert found.keys() == accepted_now.keys()
    for frame, (_, region, number) in accepted_now.items():
        labels = found[frame].labels
        assert found[frame].region is region
        assert labels is not None and np.array_equal(labels, labels_of(number))
    row = store.studies()[0]
    assert row.accepted == sum(states[-1][0] is ACCEPTED for states in saved.values())
    assert row.drafts == sum(states[-1][0] is DRAFT for states in saved.values())
    assert row.frames == PHASES * SLICES


def test_a_version_keeps_all_that_it_was_saved_with(store: AnnotationStore) -> None:
    before = datetime.now(UTC)
    given_back = save(store, FRAME, 5, status=ACCEPTED, region=Region.APEX, provenance=Provenance.MANUAL)
    read = store.versions(STACK_ID, FRAME)[0]
    for one in (given_back, read):
        assert isinstance(one, Annotation)
        assert (one.stack_id, one.frame, one.version) == (STACK_ID, FRAME, 1)
        assert (one.region, one.provenance, one.status) == (Region.APEX, Provenance.MANUAL, ACCEPTED)
        assert (one.reader, one.model_id) == ("reader", "model-1")
        assert before <= one.created_at <= datetime.now(UTC)
        assert np.array_equal(one.labels, labels_of(5))
    assert given_back.created_at == read.created_at


def test_a_label_map_that_changes_after_saving_does_not_change_what_is_saved(store: AnnotationStore) -> None:
    labels = labels_of(1).copy()
    kept = store.save(
        STACK_ID, Work([Version(FRAME, labels, region=Region.BASE, provenance=Provenance.MANUAL, status=DRAFT)])
    )[0]
    labels[:] = 0
    assert np.array_equal(kept.labels, labels_of(1))
    assert np.array_equal(store.latest(STACK_ID)[FRAME].labels, labels_of(1))


def test_each_save_is_in_the_event_log(store: AnnotationStore) -> None:
    save(store, FRAME)
    save(store, FRAME, status=ACCEPTED)
    found = EventLog(store._workspace).events(stack_id=STACK_ID)[-2:]
    assert [one.what for one in found] == [What.DRAFT_SAVED, What.ACCEPTED]
    assert [one.frame for one in found] == [FRAME, FRAME]
    assert [one.detail["version"] for one in found] == [1, 2]
    assert {one.model_id for one in found} == {"model-1"}


def accepted(frame: FrameIndex, number: int = 1) -> Version:
    return Version(frame, labels_of(number), Region.BASE, Provenance.MANUAL, ACCEPTED, "m")


def test_several_frames_are_saved_all_or_none(store: AnnotationStore) -> None:
    both = Work([accepted(FRAME), accepted(OTHER)])
    with pytest.raises(StoreError, match="cannot be accepted without its pixels"):
        store.save(STACK_ID, both, pixels=pixels(FRAME))
    assert store.latest(STACK_ID) == {}
    assert reviewed(store) == {}
    assert [one.version for one in store.save(STACK_ID, both, pixels=pixels(FRAME, OTHER))] == [1, 1]
    assert store.latest(STACK_ID).keys() == {FRAME, OTHER}


def test_pixels_are_needed_once_and_saved_as_they_were(store: AnnotationStore) -> None:
    save(store, FRAME, 1, status=ACCEPTED)
    again = store.save(STACK_ID, Work([accepted(FRAME, 2)]))[0]
    assert again.version == 2
    (stack,) = read_reviewed(store._workspace)
    labels, saved = stack.frames[FRAME].labels, stack.pixels[FRAME]
    assert labels is not None and np.array_equal(labels, labels_of(2))
    assert np.array_equal(saved, pixels_of(FRAME)) and saved.dtype == np.int16
    assert stack.pixel_spacing_mm == SPACING_MM


def test_pixels_that_are_saved_are_not_encoded_again(store: AnnotationStore, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[np.ndarray] = []

    def encode(one: np.ndarray) -> bytes:
        encoded.append(one)
        return encode_pixels(one)

    monkeypatch.setattr(frame_pixels, "encode_pixels", encode)
    phase = [FrameIndex(FRAME.phase, s) for s in range(SLICES)]
    for frame in phase:
        store.save(STACK_ID, Work([accepted(frame)]), pixels=pixels(*phase))
    assert len(encoded) == SLICES
    assert list(reviewed(store)) == phase


def test_what_does_not_fit_is_refused_and_nothing_is_saved(store: AnnotationStore) -> None:
    good = {"region": Region.BASE, "provenance": Provenance.MANUAL, "status": ACCEPTED}
    with pytest.raises(StoreError, match="not in this workspace"):
        store.save("c" * 32, Work([accepted(FRAME)]), pixels=pixels(FRAME))
    with pytest.raises(StoreError, match="3 phases and 4 slices"):
        save(store, FrameIndex(0, SLICES))
    with pytest.raises(LabelMapError):
        store.save(STACK_ID, Work([Version(FRAME, np.full((2, 2), 9, np.uint8), **good)]))
    with pytest.raises(StoreError, match="one frame"):
        store.save(STACK_ID, Work([Version(FRAME, np.zeros((1, 2, 2), np.uint8), **good)]))
    with pytest.raises(StoreError, match="do not fit"):
        odd = {**pixels(FRAME).frames, OTHER: np.ones((2, 2))}
        store.save(STACK_ID, Work([accepted(FRAME)]), pixels=Pixels(odd, SPACING_MM))
    with pytest.raises(StoreError, match="need their pixel spacing"):
        store.save(STACK_ID, Work([accepted(FRAME)]), pixels=Pixels(pixels(FRAME).frames, (0, 1)))
    with pytest.raises(StoreError, match="3 phases and 4 slices"):
        store.save(STACK_ID, Work([accepted(FRAME)]), pixels=pixels(FRAME, FrameIndex(0, SLICES)))
    assert store.latest(STACK_ID) == {}


def test_the_last_region_of_a_reader_holds_until_it_is_withdrawn(store: AnnotationStore) -> None:
    store.save(STACK_ID, Work(regions={FRAME: RegionSet(Region.BASE, Region.MIDDLE)}))
    store.save(STACK_ID, Work(regions={FRAME: RegionSet(Region.APEX, Region.MIDDLE)}))
    store.save(STACK_ID, Work(regions={OTHER: RegionSet(Region.NON_CARDIAC)}))
    assert store.regions(STACK_ID) == {FRAME: Region.APEX, OTHER: Region.NON_CARDIAC}
    store.save(STACK_ID, Work(regions={FRAME: RegionSet(None, Region.MIDDLE)}))
    assert store.regions(STACK_ID) == {OTHER: Region.NON_CARDIAC}
    last = EventLog(store._workspace).events()[-1]
    assert (last.what, last.frame, last.detail) == (
        What.REGION_WITHDRAWN,
        FRAME,
        {"region": None, "predicted": "middle"},
    )


def test_the_last_region_prediction_of_each_frame_is_given_back(store: AnnotationStore) -> None:
    first = RegionPrediction((0.7, 0.1, 0.1, 0.1), "classifier-1")
    second = RegionPrediction((0.1, 0.2, 0.3, 0.4), "classifier-2")
    store.save(STACK_ID, Work(region_predictions={FRAME: first, OTHER: first}))
    store.save(STACK_ID, Work(region_predictions={FRAME: second}))
    assert store.region_predictions(STACK_ID) == {FRAME: second, OTHER: first}
    store.save(STACK_ID, Work(region_predictions={FRAME: first}))  # rolled back: the first model speaks again
    assert store.region_predictions(STACK_ID) == {FRAME: first, OTHER: first}
    store.save(STACK_ID, Work(region_predictions={}))


def test_a_region_prediction_in_its_stack_is_given_back_whole(store: AnnotationStore) -> None:
    alone = RegionPrediction((0.7, 0.1, 0.1, 0.1), "classifier-1")
    in_stack = RegionPrediction((0.7, 0.1, 0.1, 0.1), "classifier-1", Region.MIDDLE, (0.25, 0.5, 0.125, 0.125))
    store.save(STACK_ID, Work(region_predictions={FRAME: alone, OTHER: alone}))
    store.save(STACK_ID, Work(region_predictions={FRAME: in_stack}))
    assert store.region_predictions(STACK_ID) == {FRAME: in_stack, OTHER: alone}


def test_the_last_prediction_of_each_frame_is_given_back(store: AnnotationStore) -> None:
    for number, model in ((1, "model-1"), (2, "model-2"), (3, "model-1")):
        made = Prediction(labels_of(number), model, Region.BASE, f"reason {number}")
        store.save(STACK_ID, Work(predictions={FRAME: made}))
        found = store.predictions(STACK_ID)
        assert found.keys() == {FRAME}
        assert np.array_equal(found[FRAME].labels, labels_of(number))
        assert (found[FRAME].model_id, found[FRAME].reason) == (model, f"reason {number}")


def test_phase_marks_are_given_back_as_set_last(store: AnnotationStore) -> None:
    assert store.phase_marks(STACK_ID) == (None, None)
    store.save(STACK_ID, Work(phase_marks=(0, None)))
    store.save(STACK_ID, Work(phase_marks=(2, 1)))
    assert store.phase_marks(STACK_ID) == (2, 1)
    with pytest.raises(StoreError, match="not in the study"):
        store.save(STACK_ID, Work(phase_marks=(PHASES, 1)))
    assert store.phase_marks(STACK_ID) == (2, 1)


def test_a_study_opened_again_keeps_its_work_and_comes_first(store: AnnotationStore) -> None:
    save_study(store, "b" * 32)
    save(store, FRAME)
    assert [one.stack_id for one in store.studies()] == ["b" * 32, STACK_ID]
    save_study(store)
    assert [(one.stack_id, one.drafts) for one in store.studies()] == [(STACK_ID, 1), ("b" * 32, 0)]


def test_a_frame_that_came_back_to_its_prediction_is_no_unfinished_draft(store: AnnotationStore) -> None:
    save(store, FrameIndex(0, 0), 1)
    save(store, FrameIndex(0, 1), 2)
    save(store, FrameIndex(0, 1), 3, provenance=Provenance.AUTOMATIC)
    kept = Version(FrameIndex(0, 2), labels_of(4), Region.BASE, Provenance.AUTOMATIC, ReviewStatus.DRAFT)
    store.save(STACK_ID, Work([replace(kept, imported_from="a file")]))
    assert store.studies()[0].drafts == 2


def test_the_last_accepted_version_of_each_frame_is_found_under_drafts(store: AnnotationStore) -> None:
    never, another = FrameIndex(1, 0), "b" * 32
    save_study(store, another)
    for frame, number, status in (
        (FRAME, 1, ACCEPTED),
        (FRAME, 2, ACCEPTED),
        (FRAME, 3, DRAFT),
        (OTHER, 4, DRAFT),
        (OTHER, 5, ACCEPTED),
        (never, 6, DRAFT),
    ):
        save(store, frame, number, status=status)
    save(store, never, 7, status=ACCEPTED, stack_id=another)
    found = store.last_accepted(STACK_ID)
    assert found.keys() == {FRAME, OTHER}
    assert np.array_equal(found[FRAME], labels_of(2)) and np.array_equal(found[OTHER], labels_of(5))
    assert store.last_accepted("c" * 32) == {}
