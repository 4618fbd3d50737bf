from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.errors import GeometryError


def geometry(slices=3, spacing=1.5) -> Geometry:
    positions = tuple((0.0, 0.0, 8.0 * k) for k in range(slices))
    return Geometry(4, 5, (spacing, spacing), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), positions)


def stack(phases=2, slices=3, **changes) -> Stack:
    pixels = np.arange(phases * slices * 20, dtype=np.int16).reshape(phases, slices, 4, 5)
    return Stack(pixels, geometry(slices), **changes)


def test_a_stack_counts_its_phases_and_slices():
    assert (stack().phases, stack().slices) == (2, 3)


def test_frames_are_listed_phase_by_phase_from_base_to_apex():
    assert stack().frame_indices == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


def test_a_frame_is_that_of_its_phase_and_slice():
    # Frame (1, 2) is the sixth of 20 pixels each.
    assert stack().frame(FrameIndex(phase=1, slice_index=2))[0, 0] == 100


def test_source_slices_are_in_order_unless_said_otherwise():
    assert stack().source_slices == (0, 1, 2)


@pytest.mark.parametrize("source", [(0, 1), (0, 0, 1), (1, 2, 3)])
def test_source_slices_must_name_each_slice_once(source):
    with pytest.raises(GeometryError, match="source slices"):
        stack(source_slices=source)


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 2, 4, 5), (2, 3, 5, 4), (0, 3, 4, 5)])
def test_pixels_must_fit_the_grid(shape):
    with pytest.raises(GeometryError, match="do not fit"):
        Stack(np.zeros(shape), geometry())


def test_there_must_be_one_time_for_each_phase():
    with pytest.raises(GeometryError, match="phase times"):
        stack(phase_times_ms=(0.0,))


def test_the_same_pixels_are_the_same_stack_wherever_they_lie():
    one = stack()
    assert one.stack_id == stack(description="elsewhere", ed_phase=1).stack_id
    assert len(one.stack_id) == 32


def test_a_reversed_view_has_the_stack_id_of_its_copy():
    pixels = stack().pixels[:, ::-1]
    assert Stack(pixels, geometry()).stack_id == Stack(pixels.copy(), geometry()).stack_id


def test_another_pixel_spacing_or_dtype_or_place_is_another_stack():
    one = stack()
    moved = replace(geometry(), positions_mm=tuple((0.0, 0.0, 9.0 * k) for k in range(3)))
    others = [
        Stack(one.pixels + 1, geometry()),
        Stack(one.pixels.astype(np.uint16), geometry()),
        Stack(one.pixels, geometry(spacing=1.6)),
        Stack(one.pixels, moved),
    ]
    assert len({one.stack_id, *(other.stack_id for other in others)}) == 5


def test_a_study_suggests_its_first_stack():
    first, second = stack(), stack(phases=1)
    assert Study("s", Path("s"), (first, second)).stack is first


def test_a_study_needs_a_stack():
    with pytest.raises(GeometryError, match="no stack"):
        Study("s", Path("s"), ())
