from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmr_viewer.analyse import (
    CLASSIFY_BATCH,
    SEGMENT_BATCH,
    FrameResult,
    Models,
    analyse,
    by_frame,
    certainty_of,
    classify_frames,
    frame_probabilities,
    load_models,
    segment_frames,
)
from cmr_viewer.domain.anatomy import Label, Region, reference_regions
from cmr_viewer.domain.annotation import Prediction, RegionPrediction
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import ModelError
from cmr_viewer.progress import Cancelled
from tests.phantom import Phantom, sax_cine
from tests.tiny_models import calm_torch, dice_3d, tiny_id, write_tiny_models


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with calm_torch():
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[Role, Path]:
    return write_tiny_models(tmp_path_factory.mktemp("shipped") / "models")


@pytest.fixture(scope="module")
def models(folders: Mapping[Role, Path]) -> Models:
    return load_models(folders, "cpu")


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return sax_cine(phases=3, seed=21)


@pytest.fixture(scope="module")
def results(phantom: Phantom, models: Models) -> list[FrameResult]:
    with calm_torch():
        return list(analyse(phantom.stack, models))


def regions_in(results: list[FrameResult]) -> dict[FrameIndex, RegionPrediction]:
    """The last that was said of each frame."""
    return by_frame(results)[0]


def predictions_in(results: list[FrameResult]) -> dict[FrameIndex, Prediction]:
    return by_frame(results)[1]


# ------------------------------------------------------------------------------------------ the whole way


def test_first_all_regions_come_and_then_all_label_maps(results: list[FrameResult], phantom: Phantom) -> None:
    frames = phantom.stack.frame_indices
    count = len(frames)
    alone, in_stack, made = results[:count], results[count : 2 * count], results[2 * count :]
    assert [r.frame for r in alone] == [r.frame for r in in_stack] == frames
    assert all(r.region_prediction is not None and r.region_prediction.decoded is None for r in alone)
    assert all(r.region_prediction is not None and r.region_prediction.decoded is not None for r in in_stack)
    assert all(r.prediction is None for r in alone + in_stack)
    assert sorted(r.frame for r in made) == frames
    assert all(r.prediction is not None and r.region_prediction is None for r in made)


def test_the_phantoms_heart_is_found_and_segmented(results: list[FrameResult], phantom: Phantom) -> None:
    labels = np.zeros(phantom.labels.shape, np.uint8)
    for frame, prediction in predictions_in(results).items():
        labels[frame] = prediction.labels
    assert dice_3d(labels, phantom.labels, Label.LVBP) > 0.85
    assert dice_3d(labels, phantom.labels, Label.LVM) > 0.8


def test_most_regions_of_the_phantom_are_right(results: list[FrameResult], phantom: Phantom) -> None:
    found = regions_in(results)
    right = 0
    for phase in range(phantom.stack.phases):
        true = reference_regions([bool(slice_labels.any()) for slice_labels in phantom.labels[phase]])
        right += sum(found[FrameIndex(phase, s)].region is region for s, region in enumerate(true))
    assert right >= 0.7 * len(found)


def test_each_frame_is_segmented_by_the_model_of_its_region(results: list[FrameResult]) -> None:
    regions = regions_in(results)
    for frame, prediction in predictions_in(results).items():
        region = regions[frame].region
        role = Role.BASELINE if region is Region.NON_CARDIAC else Role(region.value)
        assert prediction.region is region
        assert prediction.model_id == tiny_id(role)
        assert prediction.reason.startswith(f"Region {region.text.lower()} by the classifier")
        assert regions[frame].model_id == tiny_id(Role.CLASSIFIER)


def test_predictions_cannot_be_written_to(results: list[FrameResult]) -> None:
    labels = next(iter(predictions_in(results).values())).labels
    assert labels.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        labels[0, 0] = 1


def test_a_readers_region_takes_the_place_of_the_predicted_one(phantom: Phantom, models: Models) -> None:
    frame, other = FrameIndex(0, 4), FrameIndex(0, 5)
    results = list(analyse(phantom.stack, models, regions={frame: Region.APEX}, order=[frame, other]))
    assert set(regions_in(results)) == {frame, other}
    made = predictions_in(results)
    assert made[frame].model_id == tiny_id(Role.APEX)
    assert made[frame].region is Region.APEX
    assert made[frame].reason == "Region apex by the reader; its specialist segments it."
    assert "by the classifier" in made[other].reason


def test_a_readers_region_leads_the_frames_beside_it(phantom: Phantom, models: Models) -> None:
    readers = dict.fromkeys([FrameIndex(0, s) for s in range(5)], Region.NON_CARDIAC)
    order = [FrameIndex(0, s) for s in range(9)]
    found = classify_frames(phantom.stack, order, models, regions=readers)
    free = classify_frames(phantom.stack, order, models)
    assert free[FrameIndex(0, 5)].region is Region.MIDDLE
    assert found[FrameIndex(0, 5)].region is not Region.MIDDLE, "base begins where the reader's non-cardiac frames end"
    assert [found[f].region for f in readers] == [free[f].region for f in readers], "as if the reader had said nothing"


def test_the_regions_of_every_phase_are_in_order(results: list[FrameResult], phantom: Phantom) -> None:
    found = regions_in(results)
    for phase in range(phantom.stack.phases):
        regions = [found[FrameIndex(phase, s)].region for s in range(phantom.stack.slices)]
        heart = [r for r in regions if r is not Region.NON_CARDIAC]
        first = regions.index(heart[0])
        assert regions[first : first + len(heart)] == heart, "one piece"
        assert heart == sorted(heart, key=[Region.BASE, Region.MIDDLE, Region.APEX].index)


def test_nothing_is_marked_in_frames_that_are_surely_non_cardiac_and_no_model_is_asked(
    phantom: Phantom, folders: Mapping[Role, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = load_models(folders, "cpu")
    few.heart_centre(phantom.stack)
    asked: list[FrameIndex] = []
    for segmenter in few.segmenters.values():
        before = segmenter.predict_frames
        monkeypatch.setattr(
            segmenter,
            "predict_frames",
            lambda stack, frames, c, of=before: asked.extend(frames) or of(stack, frames, c),
        )
    sure, unsure = FrameIndex(0, 3), FrameIndex(0, 4)
    regions = dict.fromkeys([sure, unsure], Region.NON_CARDIAC)
    made = dict(segment_frames(phantom.stack, regions, few, certainty={sure: 0.99, unsure: 0.4}))
    assert not made[sure].labels.any() and made[unsure].labels.any()
    assert made[sure].reason.endswith("99 % certain by its place in the stack; the label map is empty.")
    assert asked == [unsure]


def test_what_the_baseline_drew_before_is_not_drawn_again(
    phantom: Phantom, folders: Mapping[Role, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = load_models({role: folders[role] for role in (Role.CLASSIFIER, Role.BASELINE)}, "cpu")
    few.heart_centre(phantom.stack)
    baseline, calls = few.segmenters[Role.BASELINE], []
    before = baseline.predict_frames
    monkeypatch.setattr(
        baseline, "predict_frames", lambda stack, frames, c: calls.extend(frames) or before(stack, frames, c)
    )
    results = list(analyse(phantom.stack, few))
    assert len(predictions_in(results)) == len(phantom.stack.frame_indices)
    assert len(calls) == len(set(calls)), "no frame twice"


def test_certainty_is_told_of_frames_seen_in_their_stack_alone() -> None:
    alone = RegionPrediction((0.7, 0.1, 0.1, 0.1), "c")
    in_stack = RegionPrediction((0.7, 0.1, 0.1, 0.1), "c", Region.MIDDLE, (0.2, 0.8, 0.0, 0.0))
    assert certainty_of({FrameIndex(0, 0): alone, FrameIndex(0, 1): in_stack}) == {FrameIndex(0, 1): 0.8}


def test_only_the_frames_wanted_are_looked_at_in_their_order(phantom: Phantom, models: Models) -> None:
    wanted = [FrameIndex(2, 5), FrameIndex(0, 3), FrameIndex(1, 4)]
    results = list(analyse(phantom.stack, models, order=wanted))
    assert [r.frame for r in results if r.region_prediction] == wanted + wanted  # alone, then in their stack
    assert {r.frame for r in results if r.prediction} == set(wanted)


def test_no_frames_give_no_results(phantom: Phantom, models: Models) -> None:
    assert list(analyse(phantom.stack, models, order=[])) == []
    assert classify_frames(phantom.stack, [], models) == {}
    assert list(segment_frames(phantom.stack, {}, models)) == []


def test_the_baseline_serves_all_frames_when_it_is_asked_to(phantom: Phantom, models: Models) -> None:
    order = [FrameIndex(0, s) for s in range(9)]
    made = predictions_in(list(analyse(phantom.stack, models, order=order, baseline_only=True)))
    assert {one.model_id for one in made.values()} == {tiny_id(Role.BASELINE)}


def test_one_frame_gives_the_same_alone_and_among_others(
    results: list[FrameResult], phantom: Phantom, models: Models
) -> None:
    frame = FrameIndex(1, 4)
    ((found, alone),) = segment_frames(phantom.stack, {frame: regions_in(results)[frame].region}, models)
    assert found == frame
    assert np.mean(alone.labels != predictions_in(results)[frame].labels) < 1e-3


def test_reader_and_classifier_are_named_in_the_reason(phantom: Phantom, models: Models) -> None:
    a, b = FrameIndex(0, 3), FrameIndex(0, 4)
    made = dict(segment_frames(phantom.stack, {a: Region.BASE, b: Region.BASE}, models, by={a: "reader"}))
    assert made[a].reason.startswith("Region base by the reader")
    assert made[b].reason.startswith("Region base by the classifier")


# ------------------------------------------------------------------------------------------ progress and cancelling


def test_progress_goes_up_to_one(phantom: Phantom, models: Models) -> None:
    told: list[float] = []
    list(analyse(phantom.stack, models, lambda fraction, text: told.append(fraction)))
    assert told[0] == 0.0
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


def test_cancelling_stops_between_batches(phantom: Phantom, models: Models) -> None:
    seen: list[FrameResult] = []
    stopped_at = CLASSIFY_BATCH

    def stop(fraction: float, text: str) -> None:
        if len(seen) >= stopped_at:
            raise Cancelled

    with pytest.raises(Cancelled):
        for result in analyse(phantom.stack, models, stop):
            seen.append(result)
    assert len(seen) == CLASSIFY_BATCH


def test_cancelling_stops_between_batches_of_label_maps(phantom: Phantom, models: Models) -> None:
    regions = dict.fromkeys(phantom.stack.frame_indices, Region.MIDDLE)
    seen: list[FrameIndex] = []

    def stop(fraction: float, text: str) -> None:
        if seen:
            raise Cancelled

    with pytest.raises(Cancelled):
        for frame, _ in segment_frames(phantom.stack, regions, models, stop):
            seen.append(frame)
    assert seen == phantom.stack.frame_indices[:SEGMENT_BATCH]


def test_the_heart_is_looked_for_once_in_a_stack(
    phantom: Phantom, folders: Mapping[Role, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def centre(stack: Stack, segmenter: Any) -> tuple[float, float]:
        calls.append(segmenter.plan.model_id)
        return (47.0, 43.0)

    monkeypatch.setattr("cmr_viewer.segment.segmenter.heart_centre", centre)
    models = load_models(folders, "cpu")
    frames = [FrameIndex(0, 3)]
    classify_frames(phantom.stack, frames, models)
    list(segment_frames(phantom.stack, {frames[0]: Region.BASE}, models))
    assert calls == [tiny_id(Role.BASELINE)]


# ------------------------------------------------------------------------------------------ models


def test_the_models_in_service_are_named_by_role(models: Models) -> None:
    assert models.active == {role: tiny_id(role) for role in Role}


@pytest.mark.parametrize("role", [Role.CLASSIFIER, Role.BASELINE])
def test_without_classifier_or_baseline_nothing_is_loaded(folders: Mapping[Role, Path], role: Role) -> None:
    with pytest.raises(ModelError, match=role.text.lower()):
        load_models({r: path for r, path in folders.items() if r is not role})


def test_without_specialists_the_baseline_serves(phantom: Phantom, folders: Mapping[Role, Path]) -> None:
    few = load_models({role: folders[role] for role in (Role.CLASSIFIER, Role.BASELINE)}, "cpu")
    ((_, made),) = segment_frames(phantom.stack, {FrameIndex(0, 4): Region.APEX}, few)
    assert made.model_id == tiny_id(Role.BASELINE)
    assert "no apex specialist is in use" in made.reason


def test_labels_lie_on_the_heart_wherever_it_is_in_the_frame(models: Models) -> None:
    phantom = sax_cine(phases=1, slices=5, rows=120, cols=110, seed=4)
    pixels = np.full((1, 5, 180, 190), 60, np.int16)
    pixels[:, :, 50:170, 70:180] = phantom.stack.pixels
    g = phantom.stack.geometry
    moved = Stack(pixels, type(g)(180, 190, g.pixel_spacing_mm, g.row_direction, g.col_direction, g.positions_mm))
    labels = np.zeros(pixels.shape, np.uint8)
    for frame, made in segment_frames(moved, dict.fromkeys(moved.frame_indices[1:4], Region.MIDDLE), models):
        labels[frame] = made.labels
    true = np.zeros(pixels.shape, np.uint8)
    true[:, 1:4, 50:170, 70:180] = phantom.labels[:, 1:4]
    assert dice_3d(labels, true, Label.LVBP) > 0.8


def test_the_probabilities_of_a_frame_are_those_that_its_label_map_came_of(
    results: list[FrameResult], phantom: Phantom, models: Models
) -> None:
    frame = FrameIndex(0, 4)
    made = predictions_in(results)[frame]
    role = next(role for role, model_id in models.active.items() if model_id == made.model_id)
    chances = frame_probabilities(phantom.stack, frame, role, models)
    assert chances.shape == (4, phantom.stack.geometry.rows, phantom.stack.geometry.cols)
    heart = made.labels > 0
    assert (chances.argmax(axis=0)[heart] == made.labels[heart]).mean() > 0.98
