"""What models make of reviewed frames is judged as it would be served; label maps and scores are counted by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cmr_viewer.analyse import Models
from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES, Label, Region, reference_regions
from cmr_viewer.domain.annotation import RegionPrediction
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import ModelError
from cmr_viewer.promote.judge import (
    ASSUMED_SLICE_SPACING_MM,
    CHANGES_FILE,
    MOST_CHANGES,
    Made,
    judged,
    judged_frames,
    judges,
    mean_score,
    read_changes,
    scores_of,
    write_changes,
)
from cmr_viewer.segment import segmenter
from cmr_viewer.store.reviewed import ReviewedStack
from tests.phantom import Phantom, sax_cine
from tests.reviewed import PHASE, reviewed, stack_of

ALL = frozenset(STRUCTURES)
CENTRE = (30.0, 31.0)


def row_of(*labels: Label) -> LabelMap:
    return np.array([labels], np.uint8)


class Draws:
    """A segmenter that draws what it is told, and notes what it was asked."""

    def __init__(self, name: str, labels: Mapping[int, LabelMap] | None = None) -> None:
        self.plan = SimpleNamespace(model_id=name)
        self.labels, self.asked = labels or {}, []

    def predict_frames(self, stack: Stack, frames: Sequence[FrameIndex], centre: tuple[float, float]) -> list[LabelMap]:
        self.asked += [(stack.phases, stack.slices, *frame, centre) for frame in frames]
        shape = (stack.geometry.rows, stack.geometry.cols)
        return [self.labels.get(frame.slice_index, np.zeros(shape, np.uint8)) for frame in frames]


class Says:
    """A classifier that gives each slice the chances it is told."""

    def __init__(self, chances: Sequence[Mapping[Region, float]]) -> None:
        self.plan, self.chances = SimpleNamespace(model_id="says"), chances

    def predict_frames(
        self, stack: Stack, frames: Sequence[FrameIndex], centre: tuple[float, float]
    ) -> list[RegionPrediction]:
        told = [self.chances[frame.slice_index] for frame in frames]
        return [RegionPrediction(tuple(one.get(region, 0.0) for region in REGIONS), "says") for one in told]  # type: ignore[arg-type]


def models_of(stack: ReviewedStack, *, classifier: Any = None, **segmenters: Draws) -> Models:
    served = stack.served(PHASE)
    assert served is not None
    by_role: Any = {Role(name): one for name, one in segmenters.items()}
    return Models(classifier, by_role, {served[0].stack_id: CENTRE})


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    """Two phases of six slices, voxels of 1.8 x 1.8 x 10 mm."""
    return sax_cine(phases=2, slices=6, rows=64, cols=60, seed=5)


# -- scores ------------------------------------------------------------------------------------------------------------


def test_labels_of_the_reference_get_dice_and_others_what_is_drawn_of_them_in_millilitres() -> None:
    made = row_of(Label.LVBP, Label.LVBP, Label.LVBP, Label.RVBP, Label.BACKGROUND, Label.RVBP)
    reference = row_of(Label.LVBP, Label.LVBP, Label.BACKGROUND, Label.BACKGROUND, Label.LVM, Label.BACKGROUND)
    scores, wrong = scores_of(made, reference, STRUCTURES, pixel_ml=0.25)
    assert scores == {"LVBP": pytest.approx(2 * 2 / (3 + 2)), "LVM": 0.0}
    assert wrong == {"RVBP": 0.5}


def test_structures_that_the_reference_does_not_include_are_not_judged() -> None:
    made, reference = row_of(Label.LVBP, Label.RVBP), row_of(Label.LVBP, Label.BACKGROUND)
    assert scores_of(made, reference, [Label.LVBP, Label.LVM], 1.0) == ({"LVBP": 1.0}, {"LVM": 0.0})


def test_frames_accepted_as_predicted_do_not_judge_segmentation_and_unknown_predictions_not_the_classifier() -> None:
    labels = row_of(Label.LVBP)
    changed, region_only = reviewed(0, Region.BASE, labels), reviewed(0, Region.BASE, corrected=False)
    as_predicted = reviewed(0, Region.BASE, labels, corrected=False, predicted=Region.BASE)
    table = {
        role: [judges(role, one) for one in (changed, region_only, as_predicted)]
        for role in (Role.BASE, Role.APEX, Role.BASELINE, Role.CLASSIFIER)
    }
    assert table == {
        Role.BASE: [True, False, False],
        Role.APEX: [False, False, False],
        Role.BASELINE: [True, False, False],
        Role.CLASSIFIER: [False, False, True],
    }


# -- as served ---------------------------------------------------------------------------------------------------------


def test_a_phase_is_drawn_as_a_stack_of_its_own_around_the_centre_that_is_found(phantom: Phantom) -> None:
    middle, base = phantom.labels[PHASE, 3], phantom.labels[PHASE, 1]
    frames = [reviewed(3, Region.MIDDLE, middle), reviewed(1, Region.BASE, base), reviewed(2, Region.MIDDLE)]
    stack = stack_of(frames, phantom)
    specialist, baseline = Draws("middle", {3: middle}), Draws("baseline")
    models = models_of(stack, baseline=baseline, middle=specialist)

    made = judged(Role.MIDDLE, models, stack, {PHASE: ALL})
    assert specialist.asked == [(1, 6, 0, 3, CENTRE)] and baseline.asked == []
    (key,) = made
    assert key == ("a", FrameIndex(PHASE, 3))
    assert made[key].scores == {"LVBP": 1.0, "LVM": 1.0, "RVBP": 1.0} and made[key].wrong_ml == {}

    made = judged(Role.BASELINE, models, stack, {PHASE: ALL})
    assert baseline.asked == [(1, 6, 0, s, CENTRE) for s in (1, 3)]
    assert set(made[key].scores.values()) == {0.0}


def test_a_region_without_a_specialist_is_drawn_by_the_baseline(phantom: Phantom) -> None:
    stack = stack_of([reviewed(3, Region.MIDDLE, phantom.labels[PHASE, 3])], phantom)
    baseline = Draws("baseline", {3: phantom.labels[PHASE, 3]})
    (made,) = judged(Role.MIDDLE, models_of(stack, baseline=baseline), stack, {PHASE: ALL}).values()
    assert made.scores == {"LVBP": 1.0, "LVM": 1.0, "RVBP": 1.0}


@pytest.mark.parametrize(
    ("positions_mm", "single_mm", "slice_mm"),
    [((0.0, 8.0), None, 8.0), ((0.0,), 6.0, 6.0), ((0.0,), None, ASSUMED_SLICE_SPACING_MM)],
)
def test_what_is_drawn_wrongly_counts_by_the_volume_of_a_pixel(
    positions_mm: tuple[float, ...], single_mm: float | None, slice_mm: float
) -> None:
    along = tuple((0.0, 0.0, z) for z in positions_mm)
    geometry = Geometry(1, 3, (2.0, 1.5), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), along, single_slice_spacing_mm=single_mm)
    reference = row_of(Label.LVBP, Label.BACKGROUND, Label.BACKGROUND)
    frames = {FrameIndex(PHASE, 0): reviewed(0, Region.APEX, reference)}
    pixels = {FrameIndex(PHASE, s): np.zeros((1, 3), np.int16) for s in range(len(along))}
    stack = ReviewedStack("a", "p", geometry, (2.0, 1.5), frames, pixels)
    drawn = Draws("baseline", {0: row_of(Label.LVBP, Label.RVBP, Label.RVBP)})
    (made,) = judged(Role.APEX, models_of(stack, baseline=drawn), stack, {PHASE: ALL}).values()
    assert made.wrong_ml == {"LVM": 0.0, "RVBP": pytest.approx(2 * 2.0 * 1.5 * slice_mm / 1000)}


def test_a_classifier_is_judged_by_the_regions_in_the_order_of_the_stack(phantom: Phantom) -> None:
    regions = reference_regions([bool(one.any()) for one in phantom.labels[PHASE]])
    stack = stack_of([reviewed(s, region, predicted=Region.APEX) for s, region in enumerate(regions)], phantom)
    middle = [s for s, region in enumerate(regions) if region is Region.MIDDLE]
    chances: list[dict[Region, float]] = [{region: 1.0} for region in regions]
    chances[middle[0]] = {Region.APEX: 0.6, Region.MIDDLE: 0.4}  # alone it would be of the apex
    baseline = Draws("baseline", dict(enumerate(phantom.labels[PHASE])))
    made = judged(Role.CLASSIFIER, models_of(stack, classifier=Says(chances), baseline=baseline), stack, {})
    assert {frame.slice_index: one.region for (_, frame), one in made.items()} == dict(enumerate(regions))
    assert {tuple(one.scores.items()) for one in made.values()} == {(("region", 1.0),)}

    wrong = [{Region.NON_CARDIAC: 1.0}] * len(regions)
    made = judged(Role.CLASSIFIER, models_of(stack, classifier=Says(wrong), baseline=Draws("none")), stack, {})
    right = [frame.slice_index for (_, frame), one in made.items() if one.scores["region"]]
    assert right == [s for s, region in enumerate(regions) if region is Region.NON_CARDIAC]


def test_another_model_takes_one_role_alone() -> None:
    old: Any = {Role.BASELINE: Draws("baseline"), Role.BASE: Draws("base")}
    models, new = Models(Says([]), old, {"a": CENTRE}), Draws("new")  # type: ignore[arg-type]
    changed = models.with_model(Role.BASE, new)  # type: ignore[arg-type]
    assert (changed.segmenters[Role.BASE], changed.segmenters[Role.BASELINE]) == (new, old[Role.BASELINE])
    assert changed.classifier is models.classifier and models.segmenters[Role.BASE] is old[Role.BASE]
    classifier: Any = Says([])
    assert models.with_model(Role.CLASSIFIER, classifier).classifier is classifier


def test_the_centre_of_a_heart_is_found_anew_by_another_baseline_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segmenter, "heart_centre", lambda stack, baseline: (1.0, 2.0))
    models = Models(Says([]), {Role.BASELINE: Draws("baseline")}, {"a": CENTRE})  # type: ignore[arg-type,dict-item]
    stack: Any = SimpleNamespace(stack_id="a")
    assert models.with_model(Role.BASE, Draws("new")).heart_centre(stack) == CENTRE  # type: ignore[arg-type]
    assert models.with_model(Role.BASELINE, Draws("new")).heart_centre(stack) == (1.0, 2.0)  # type: ignore[arg-type]


# -- side by side ------------------------------------------------------------------------------------------------------


def made(score: float, labels: LabelMap | None = None) -> Made:
    return Made({"LVBP": score}, {"RVBP": 10 * score}, labels)


def test_only_frames_that_both_have_judged_are_compared_and_patients_become_numbers(phantom: Phantom) -> None:
    labels = phantom.labels[PHASE, 3]
    stacks = [
        stack_of([reviewed(s, Region.MIDDLE, labels) for s in (2, 3)], phantom, name, patient)
        for name, patient in (("a", "Smith"), ("b", "Jones"), ("c", "Smith"))
    ]
    keys = [(stack.stack_id, frame) for stack in stacks for frame in stack.frames]
    frames = judged_frames(stacks, {key: made(0.5) for key in keys}, {key: made(0.75) for key in keys[1:]})
    assert [(one.patient, one.stack_id, one.phase, one.slice_index) for one in frames] == [
        *(("1", "a", PHASE, 3), ("2", "b", PHASE, 2), ("2", "b", PHASE, 3)),
        *(("1", "c", PHASE, 2), ("1", "c", PHASE, 3)),
    ]
    assert (frames[0].active, frames[0].candidate) == ({"LVBP": 0.5}, {"LVBP": 0.75})
    assert (frames[0].active_ml, frames[0].candidate_ml) == ({"RVBP": 5.0}, {"RVBP": 7.5})
    assert frames[0].region is Region.MIDDLE


def test_the_mean_score_is_over_patients() -> None:
    frame = FrameIndex
    found = {
        ("a", frame(0, 0)): Made({"LVBP": 1.0, "LVM": 0.5}, {}),
        ("b", frame(0, 0)): Made({"LVBP": 0.25}, {}),
        ("c", frame(0, 0)): Made({"LVBP": 0.2}, {}),
        ("c", frame(0, 1)): Made({}, {"LVBP": 3.0}),
    }
    # patient 1: 0.75 and 0.25; patient 2: 0.2
    assert mean_score(found, {"a": "1", "b": "1", "c": "2"}) == (pytest.approx((0.5 + 0.2) / 2), 2, 3)
    assert mean_score({}, {}) == (0.0, 0, 0)


# -- what changes most -------------------------------------------------------------------------------------------------


def test_frames_that_change_are_saved_and_read_again_the_largest_loss_first(tmp_path: Path, phantom: Phantom) -> None:
    frames = [reviewed(s, Region.MIDDLE, phantom.labels[PHASE, s]) for s in (2, 3, 4)]
    stack = stack_of(frames, phantom)
    keys = [("a", one.frame) for one in frames]
    empty, full = np.zeros_like(phantom.labels[PHASE, 0]), np.ones_like(phantom.labels[PHASE, 0])
    before = {key: made(0.5, empty) for key in keys}
    after = dict(zip(keys, (made(0.9, full), made(0.5, full), made(0.25, full)), strict=True))
    write_changes(tmp_path, [stack], before, after)
    worse, better = read_changes(tmp_path)
    assert (worse.frame, worse.gain) == (FrameIndex(PHASE, 4), -0.25)
    assert (better.frame, better.gain, better.region, better.stack_id) == ((PHASE, 2), 0.4, Region.MIDDLE, "a")
    assert np.array_equal(better.pixels, phantom.stack.frame(better.frame))
    assert np.array_equal(better.reference, phantom.labels[PHASE, 2])
    assert np.array_equal(better.before, empty) and np.array_equal(better.after, full)
    assert (better.region_before, better.region_after) == (None, None)


def test_changes_of_a_classifier_have_regions_and_an_empty_label_map_where_none_was_accepted(
    tmp_path: Path, phantom: Phantom
) -> None:
    stack = stack_of([reviewed(1, Region.BASE, predicted=Region.MIDDLE)], phantom)
    key = ("a", FrameIndex(PHASE, 1))
    was, becomes = (Made({"region": n}, {}, None, region) for n, region in ((0.0, Region.MIDDLE), (1.0, Region.BASE)))
    write_changes(tmp_path, [stack], {key: was}, {key: becomes})
    (change,) = read_changes(tmp_path)
    assert (change.gain, change.region_before, change.region_after) == (1.0, Region.MIDDLE, Region.BASE)
    assert not change.reference.any() and change.reference.shape == change.pixels.shape


def test_of_many_changes_the_largest_losses_and_gains_are_saved(tmp_path: Path) -> None:
    phantom = sax_cine(phases=2, slices=24, rows=16, cols=16, seed=1)
    blank = np.zeros((16, 16), np.uint8)
    stack = stack_of([reviewed(s, Region.MIDDLE, blank) for s in range(24)], phantom)
    keys = [("a", FrameIndex(PHASE, s)) for s in range(24)]
    after = {key: made(0.5 + (n - 12) / 100, blank) for n, key in enumerate(keys)}  # slice 12 does not change
    write_changes(tmp_path, [stack], {key: made(0.5, blank) for key in keys}, after)
    slices = [change.frame.slice_index for change in read_changes(tmp_path)]
    assert len(slices) == MOST_CHANGES
    assert slices == [*range(8), *range(16, 24)]


def test_without_the_file_nothing_changed_and_a_damaged_one_is_an_error(tmp_path: Path, phantom: Phantom) -> None:
    assert read_changes(tmp_path) == []
    write_changes(tmp_path, [], {}, {})
    assert read_changes(tmp_path) == []
    stack = stack_of([reviewed(1, Region.BASE, phantom.labels[PHASE, 1])], phantom)
    key = ("a", FrameIndex(PHASE, 1))
    write_changes(tmp_path, [stack], {key: made(0.5)}, {key: made(0.75)})
    path = tmp_path / CHANGES_FILE
    whole = path.read_bytes()
    for content in (b"", b"not an archive", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(ModelError, match="Could not read the changed frames"):
            read_changes(tmp_path)


def test_a_poisoned_file_of_changes_runs_nothing(tmp_path: Path) -> None:
    class Poison:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    with (tmp_path / CHANGES_FILE).open("wb") as file:
        np.savez(file, about=np.array(Poison(), dtype=object))
    with pytest.raises(ModelError):
        read_changes(tmp_path)
    assert not (tmp_path / "ran").exists()
