"""Propagation against the phantom, whose label maps are known at every phase."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.label_map import dice
from cmr_viewer.errors import LabelMapError
from cmr_viewer.progress import Cancelled
from cmr_viewer.review.outlines import has_closed_ring
from cmr_viewer.review.propagate import SliceCine, chained, fields_of, labels_of, mixed, moved, propagate, refined_copy
from tests.phantom import Phantom, sax_cine

MIDDLE = 3


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return sax_cine(phases=10, slices=7, rows=72, cols=72, pixel_spacing_mm=(2.0, 2.0))


def cine_of(phantom: Phantom, slice_index: int = MIDDLE) -> SliceCine:
    stack = phantom.stack
    assert stack.phase_times_ms is not None
    return SliceCine(
        np.asarray(stack.pixels[:, slice_index]), stack.phase_times_ms, 800.0, stack.geometry.pixel_spacing_mm
    )


def test_end_diastole_follows_the_formula_through_the_cycle(phantom):
    truth = phantom.labels[:, MIDDLE]
    found = propagate(cine_of(phantom), {0: truth[0]}, range(10))
    assert sorted(found) == list(range(1, 10))
    for phase, labels in found.items():
        for label in STRUCTURES:
            agreed = dice(labels, truth[phase], label)
            assert agreed is not None and agreed >= 0.93, (phase, label)
        assert has_closed_ring(labels)


def test_a_second_corrected_phase_brings_the_phases_beside_it_nearer(phantom):
    truth, es = phantom.labels[:, MIDDLE], phantom.es_phase
    beside = [es - 1, es + 1]
    one = propagate(cine_of(phantom), {0: truth[0]}, beside)
    two = propagate(cine_of(phantom), {0: truth[0], es: truth[es]}, beside)

    def wrong(found):
        return sum(int((found[phase] != truth[phase]).sum()) for phase in beside)

    assert wrong(two) < wrong(one)


def test_only_wanted_phases_are_made_and_corrected_ones_never(phantom):
    truth = phantom.labels[:, MIDDLE]
    assert sorted(propagate(cine_of(phantom), {0: truth[0], 5: truth[5]}, [0, 4, 5])) == [4]


def test_a_model_has_its_share_far_from_the_corrected_phase_and_little_near_it(phantom):
    truth, cine = phantom.labels[:, MIDDLE], cine_of(phantom)
    alone = propagate(cine, {0: truth[0]}, [1, 5])
    shifted = {phase: np.roll(truth[phase], 6, axis=0) for phase in (1, 5)}
    beside = propagate(cine, {0: truth[0]}, [1, 5], drawn=shifted)
    moved = {phase: int((alone[phase] != beside[phase]).sum()) for phase in (1, 5)}
    assert moved[5] > 2 * moved[1]


def test_a_structure_that_the_reader_removed_does_not_come_back_from_the_model(phantom):
    truth = phantom.labels[:, MIDDLE]
    without = np.where(truth[0] == Label.RVBP, 0, truth[0]).astype(np.uint8)
    found = propagate(cine_of(phantom), {0: without}, [4], drawn={4: truth[4]})
    assert not (found[4] == Label.RVBP).any()
    assert (found[4] == Label.LVM).any()


def test_a_corrected_phase_without_labels_leads_to_phases_without_labels(phantom):
    empty = np.zeros_like(phantom.labels[0, MIDDLE])
    assert not propagate(cine_of(phantom), {0: empty}, [1])[1].any()


def test_progress_rises_to_nearly_one_and_stops_the_work_when_asked(phantom):
    shares: list[float] = []
    truth = phantom.labels[:, MIDDLE]
    propagate(cine_of(phantom), {0: truth[0]}, [1, 2], progress=lambda part, text: shares.append(part))
    assert shares == sorted(shares) and shares[0] == 0.0 and len(shares) == 2 + 9

    def stop(part: float, text: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        propagate(cine_of(phantom), {0: truth[0]}, [1], progress=stop)


def test_what_cannot_be_is_refused(phantom):
    cine = cine_of(phantom)
    with pytest.raises(LabelMapError, match="no corrected phase"):
        propagate(cine, {}, [1])
    with pytest.raises(LabelMapError, match="do not match"):
        propagate(cine, {0: np.zeros((3, 3), np.uint8)}, [1])
    with pytest.raises(LabelMapError, match="times"):
        SliceCine(cine.pixels, [0.0], 800.0, cine.spacing_mm)
    with pytest.raises(LabelMapError, match="cycle"):
        SliceCine(cine.pixels, cine.times_ms, 100.0, cine.spacing_mm)


SPACING = (1.0, 1.0)


def heart(row=30.0, col=32.0, endo=8.0, epi=12.0, size=64):
    """A ring around a disc of blood, and a disc of RV beside it."""
    rows, cols = np.indices((size, size))
    away = np.hypot(rows - row, cols - col)
    labels = np.zeros((size, size), np.uint8)
    labels[np.hypot(rows - row, cols - col + 18) < 8] = Label.RVBP
    labels[away < epi] = Label.LVM
    labels[away < endo] = Label.LVBP
    return labels


def uniform(down, right, size=64):
    motion = np.zeros((2, size, size), np.float32)
    motion[0], motion[1] = down, right
    return motion


def test_fields_stand_for_the_label_map_that_they_are_of():
    labels = heart()
    assert np.array_equal(labels_of(fields_of(labels, SPACING), closed=True), labels)


def test_an_empty_label_map_has_no_outlines():
    empty = np.zeros((20, 20), np.uint8)
    assert not labels_of(fields_of(empty, SPACING), closed=True).any()


def test_blood_without_myocardium_has_no_epicardium():
    labels = np.where(heart() == Label.LVM, 0, heart()).astype(np.uint8)
    assert np.array_equal(labels_of(fields_of(labels, SPACING), closed=False), labels)


@given(st.integers(-6, 6), st.integers(-6, 6))
@settings(max_examples=20, deadline=None)
def test_a_motion_by_whole_pixels_moves_every_pixel(down, right):
    found = labels_of(moved(fields_of(heart(), SPACING), uniform(-down, -right)), closed=True)
    assert np.array_equal(found, np.roll(heart(), (down, right), axis=(0, 1)))


def test_half_a_pixel_there_and_half_a_pixel_on_are_one_pixel():
    half = uniform(0.5, 0.0)
    found = labels_of(moved(fields_of(heart(), SPACING), chained(half, half)), closed=True)
    assert np.array_equal(found, np.roll(heart(), -1, axis=0))


def test_motions_are_chained_at_the_place_that_the_second_leads_to():
    first = np.zeros((2, 1, 10), np.float32)
    first[1] = np.arange(10) * 0.1
    whole = chained(first, np.stack([np.zeros((1, 10)), np.full((1, 10), 2.0)]).astype(np.float32))
    assert whole[1, 0, 3] == pytest.approx(2.0 + 0.5)


@given(st.floats(0.35, 1.0), st.floats(0.3, 3.0))
@settings(max_examples=25, deadline=None)
def test_a_closed_ring_stays_closed_however_it_is_squeezed(scale, wall):
    rows, cols = np.indices((64, 64), dtype=np.float32)
    squeeze = np.stack([(rows - 30) / scale + 30 - rows, (cols - 32) * scale + 32 - cols]).astype(np.float32)
    labels = heart(endo=8.0, epi=8.0 + wall)
    if has_closed_ring(labels):
        assert has_closed_ring(labels_of(moved(fields_of(labels, SPACING), squeeze), closed=True))


def test_the_mean_of_two_discs_has_the_mean_of_their_radii():
    small, large = fields_of(heart(endo=6, epi=9), SPACING), fields_of(heart(endo=10, epi=13), SPACING)
    found = labels_of(mixed([small, large], [1.0, 1.0]), closed=True)
    for label in (Label.LVBP, Label.LVM):
        agreed = dice(found, heart(endo=8, epi=11), label)
        assert agreed is not None and agreed > 0.96


def test_an_outline_is_there_if_half_of_the_weight_has_it():
    whole = fields_of(heart(), SPACING)
    without = fields_of(np.where(heart() == Label.RVBP, 0, heart()).astype(np.uint8), SPACING)
    most = labels_of(mixed([whole, without], [0.6, 0.4]), closed=True)
    few = labels_of(mixed([whole, without], [0.4, 0.6]), closed=True)
    assert dice(most, heart(), Label.RVBP) == 1.0
    assert not (few == Label.RVBP).any()
    assert all(dice(few, heart(), label) == 1.0 for label in STRUCTURES if label is not Label.RVBP)


def test_a_refined_copy_is_nearer_to_the_next_slice_than_a_plain_one():
    phantom = sax_cine(phases=1, slices=7, rows=72, cols=72, pixel_spacing_mm=(2.0, 2.0))
    labels, pixels = phantom.labels[0], phantom.stack.pixels[0]
    for source, target in ((2, 3), (4, 3)):
        found = refined_copy(labels[source], pixels[source], pixels[target], (2.0, 2.0))
        for label in STRUCTURES:
            plain, refined = (dice(each, labels[target], label) for each in (labels[source], found))
            assert plain is not None and refined is not None
            assert refined > plain, (source, label)
        assert has_closed_ring(found)


def test_a_copy_onto_the_same_picture_is_the_label_map_itself():
    phantom = sax_cine(phases=1, slices=7, rows=72, cols=72, pixel_spacing_mm=(2.0, 2.0))
    labels, pixels = phantom.labels[0, 3], phantom.stack.pixels[0, 3]
    assert np.array_equal(refined_copy(labels, pixels, pixels, (2.0, 2.0)), labels)


def test_nothing_is_copied_from_an_empty_label_map():
    empty, pixels = np.zeros((20, 20), np.uint8), np.zeros((20, 20))
    assert not refined_copy(empty, pixels, pixels, (1.0, 1.0)).any()


def test_other_shapes_are_refused():
    with pytest.raises(LabelMapError, match="shape"):
        refined_copy(np.zeros((20, 20), np.uint8), np.zeros((20, 20)), np.zeros((20, 21)), (1.0, 1.0))
