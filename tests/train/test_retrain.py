"""What a role learns from reviewed frames, and how."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from cmr_viewer.domain.anatomy import STRUCTURES, Label, Region
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import TrainingError
from cmr_viewer.prepare.plan import Plan
from cmr_viewer.train.retrain import (
    AVERAGE,
    FEW_FRAMES,
    FEW_RATE,
    ITERATIONS,
    NON_CARDIAC_SHARE,
    RATE,
    START_SHARE,
    WARM_UP,
    completed,
    known_structures,
    retraining_spec,
    samples_of_reviewed,
    teaches,
)
from cmr_viewer.train.samples import sample_grid
from cmr_viewer.train.train_model import plan_of
from tests.phantom import Phantom, sax_cine
from tests.reviewed import PHASE, reviewed, stack_of
from tests.tiny_models import tiny_spec

LV = frozenset({Label.LVBP, Label.LVM})


def plan(role: Role = Role.BASE, **changes: object) -> Plan:
    return plan_of(tiny_spec(role, **changes), "tiny", {})


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    """Two phases of six slices, of which the first and the last are not of the heart."""
    return sax_cine(phases=2, slices=6, rows=64, cols=60, seed=5)


# -- the recipe --------------------------------------------------------------------------------------------------------


def test_a_model_is_refined_on_its_own_network_and_grid() -> None:
    spec = retraining_spec(plan(), frames=50)
    assert (spec.role, spec.architecture, dict(spec.options)) == (Role.BASE, "unet2d", {"widths": [12, 24, 32]})
    assert (spec.spacing_mm, spec.rows, spec.cols) == (4.0, 32, 32)
    assert (spec.iterations, spec.warm_up, spec.average) == (ITERATIONS, WARM_UP, AVERAGE)
    assert (spec.focus_share, spec.learning_rate) == (1.0, RATE)


def test_its_own_augmentation_is_learned_with() -> None:
    own = plan(augmentation={"rotation_deg": 7.0}, shift_px=5.0, weight_decay=0.25)
    spec = retraining_spec(own, frames=50)
    assert (spec.augmentation, spec.shift_px, spec.weight_decay) == ({"rotation_deg": 7.0}, 5.0, 0.25)


def test_a_model_whose_training_is_not_known_is_refined_with_the_defaults() -> None:
    assert retraining_spec(replace(plan(), training={}), frames=50).augmentation == {}


def test_a_few_frames_are_learned_more_gently() -> None:
    assert FEW_RATE < RATE
    rates = [retraining_spec(plan(), frames).learning_rate for frames in (1, FEW_FRAMES - 1, FEW_FRAMES)]
    assert rates == [FEW_RATE, FEW_RATE, RATE]


def test_it_stays_close_to_the_active_model_and_the_baseline_draws_what_it_is_shown() -> None:
    specs = {role: retraining_spec(plan(role), frames=50) for role in (Role.BASELINE, Role.BASE)}
    assert [one.start_share for one in specs.values()] == [START_SHARE, START_SHARE]
    assert [one.non_cardiac_share for one in specs.values()] == [NON_CARDIAC_SHARE, None]


def test_values_that_are_asked_for_go_before_the_recipe() -> None:
    spec = retraining_spec(plan(), 5, iterations=7, learning_rate=0.5, batch=3, seed=9)
    assert (spec.iterations, spec.learning_rate, spec.batch, spec.seed) == (7, 0.5, 3, 9)


def test_a_model_of_nnunet_is_not_retrained() -> None:
    with pytest.raises(TrainingError, match="comes from nnU-Net"):
        retraining_spec(replace(plan(), preparation={"spacing": [1.0]}), 5)


# -- what teaches ------------------------------------------------------------------------------------------------------


def test_the_classifier_learns_from_regions_and_the_others_from_label_maps_of_their_region() -> None:
    drawn, region_alone = reviewed(1, Region.BASE, np.zeros((2, 2), np.uint8)), reviewed(1, Region.BASE)
    assert {role: (teaches(role, drawn), teaches(role, region_alone)) for role in Role} == {
        Role.CLASSIFIER: (True, True),
        Role.BASELINE: (True, False),
        Role.BASE: (True, False),
        Role.MIDDLE: (False, False),
        Role.APEX: (False, False),
    }


@pytest.mark.parametrize(
    ("frames", "known"),
    [
        ([(Region.MIDDLE, STRUCTURES)], frozenset(STRUCTURES)),
        ([(Region.MIDDLE, LV), (Region.APEX, LV)], LV),
        ([(Region.MIDDLE, STRUCTURES), (Region.BASE, LV)], frozenset(STRUCTURES)),
        # at the apex alone the right ventricle may be absent, so its absence means something
        ([(Region.APEX, LV)], frozenset(STRUCTURES)),
        # an empty frame alone may be a frame that the reader emptied
        ([(Region.BASE, ())], frozenset(STRUCTURES)),
        ([(Region.NON_CARDIAC, ())], frozenset(STRUCTURES)),
    ],
)
def test_a_structure_that_no_frame_of_a_phase_holds_was_not_drawn(
    phantom: Phantom, frames: list[tuple[Region, Sequence[Label]]], known: frozenset[Label]
) -> None:
    drawn = [
        reviewed(s, region, np.array([[0, *structures]], np.uint8)) for s, (region, structures) in enumerate(frames)
    ]
    other_phase = reviewed(5, Region.MIDDLE, np.array([[0, *STRUCTURES]], np.uint8), phase=0)
    assert known_structures(stack_of([*drawn, other_phase], phantom), PHASE) == known


def test_samples_lie_around_the_centre_that_is_found_with_the_slices_beside(phantom: Phantom) -> None:
    frames = [
        reviewed(2, Region.BASE, phantom.labels[PHASE, 2]),
        reviewed(3, Region.MIDDLE, phantom.labels[PHASE, 3]),
        reviewed(2, Region.BASE, phantom.labels[0, 2], phase=0),
    ]
    spec = tiny_spec(Role.BASE, context=1)
    (sample,) = samples_of_reviewed(stack_of(frames, phantom, slices=(2, 3, 4)), PHASE, spec, (30.0, 31.0), {})
    wide = sample_grid(spec.grid)
    assert sample.image.shape == sample.labels.shape == (wide.rows, wide.cols)
    assert (sample.region, sample.patient_key, sample.name) == (Region.BASE, "p", "phase 2, slice 3")
    assert list(sample.neighbours) == [1], "slice 2 is not saved"
    assert set(np.unique(sample.labels)) == {0, *STRUCTURES}
    # moved by two points of the grid, the picture moves by as much
    points = 2 * spec.spacing_mm / phantom.stack.geometry.pixel_spacing_mm[0]
    (moved,) = samples_of_reviewed(stack_of(frames, phantom), PHASE, spec, (30.0 + points, 31.0), {})
    assert np.array_equal(moved.labels[:-2], sample.labels[2:])


def test_a_frame_whose_region_alone_was_set_teaches_a_region_and_no_label(phantom: Phantom) -> None:
    frames = [
        reviewed(2, Region.MIDDLE, phantom.labels[PHASE, 2], corrected=False, predicted=Region.MIDDLE),
        reviewed(3, Region.MIDDLE, None, corrected=False, predicted=Region.APEX),
    ]
    stack, spec = stack_of(frames, phantom), tiny_spec(Role.CLASSIFIER)
    samples = samples_of_reviewed(stack, PHASE, spec, (30.0, 31.0), {})
    assert [one.region for one in samples] == [Region.MIDDLE, Region.MIDDLE]
    assert [bool(one.labels.any()) for one in samples] == [True, False]


# -- references that lack structures -----------------------------------------------------------------------------------

CAVITY_ALONE = frozenset({Label.LVBP})


def row(text: str) -> LabelMap:
    """A label map of one row."""
    return np.array([[int(c) for c in text]], np.uint8)


@pytest.mark.parametrize(
    ("reference", "drawn", "expected", "structures"),
    [
        # the wall and the right ventricle are taken over, and the cavity is as the reader drew it
        ("00011000", "03211230", "03211230", STRUCTURES),
        # where the model drew more cavity than the reader, that is wall
        ("00011000", "00111100", "00211200", (Label.LVBP, Label.LVM)),
        # where the reader drew cavity, nothing else is
        ("00111100", "02211220", "02111120", (Label.LVBP, Label.LVM)),
        # what the model did not draw stays unknown
        ("00011000", "00000000", "00011000", (Label.LVBP,)),
        # a frame that the reader left empty stays empty
        ("00000000", "03211230", "00000000", (Label.LVBP,)),
    ],
)
def test_a_reference_of_the_cavity_alone_is_completed_by_the_active_model(
    reference: str, drawn: str, expected: str, structures: Sequence[Label]
) -> None:
    labels, known = completed(row(reference), CAVITY_ALONE, row(drawn))
    np.testing.assert_array_equal(labels, row(expected))
    assert known == frozenset(structures)


def test_a_whole_reference_is_left_as_it_is() -> None:
    reference = row("03210")
    assert completed(reference, frozenset(STRUCTURES), row("11111")) == (reference, frozenset(STRUCTURES))


def test_completed_references_become_samples(phantom: Phantom) -> None:
    whole = phantom.labels[PHASE, 2]
    cavity = np.where(whole == Label.LVBP, whole, 0).astype(np.uint8)
    stack, spec = stack_of([reviewed(2, Region.MIDDLE, cavity)], phantom), tiny_spec(Role.MIDDLE)
    (bare,) = samples_of_reviewed(stack, PHASE, spec, (30.0, 31.0), {})
    (filled,) = samples_of_reviewed(stack, PHASE, spec, (30.0, 31.0), {FrameIndex(PHASE, 2): whole})
    assert bare.structures == {Label.LVBP} and set(np.unique(bare.labels)) == {0, Label.LVBP}
    assert filled.structures == set(STRUCTURES) and set(np.unique(filled.labels)) == {0, *STRUCTURES}
