"""Propagation against the phantom, whose label maps are known at every phase."""

import numpy as np
import pytest

from cmr_viewer.domain.agreement import dice
from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.errors import LabelMapError
from cmr_viewer.progress import Cancelled
from cmr_viewer.review.contours import has_closed_ring
from cmr_viewer.review.propagate import SliceCine, propagate
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
    told: list[float] = []
    truth = phantom.labels[:, MIDDLE]
    propagate(cine_of(phantom), {0: truth[0]}, [1, 2], progress=lambda part, text: told.append(part))
    assert told == sorted(told) and told[0] == 0.0 and len(told) == 2 + 9

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
