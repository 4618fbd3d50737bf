from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.study import THIRD_ACROSS, FileAxes, FrameIndex, LongAxisView, Stack, Study, slice_line
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


def test_source_slices_are_in_order_unless_given_otherwise():
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


STACK = Geometry(
    rows=10,
    cols=10,
    pixel_spacing_mm=(1.0, 1.0),
    row_direction=(1.0, 0.0, 0.0),
    col_direction=(0.0, 1.0, 0.0),
    positions_mm=((0.0, 0.0, 0.0), (0.0, 0.0, 8.0), (0.0, 0.0, 100.0)),
)


def plane(row_direction: tuple[float, float, float], col_direction: tuple[float, float, float]) -> Geometry:
    return Geometry(
        rows=21,
        cols=11,
        pixel_spacing_mm=(2.0, 1.0),
        row_direction=row_direction,
        col_direction=col_direction,
        positions_mm=((0.0, 5.0, -10.0),),
        single_slice_spacing_mm=8.0,
    )


def test_a_slice_across_the_view_is_a_row_of_it() -> None:
    # z = -10 + 2 row, so that z = 0 is row 5 and z = 8 is row 9.
    view = plane((1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    for slice_index, row in ((0, 5.0), (1, 9.0)):
        line = slice_line(view, STACK, slice_index)
        assert line is not None
        assert [end[0] for end in line] == pytest.approx([row, row])
        assert sorted(end[1] for end in line) == pytest.approx([-0.5, 10.5])


def test_a_slice_may_cross_the_view_along_a_column() -> None:
    # z = -10 + col, so that z = 0 is column 10.
    line = slice_line(plane((0.0, 0.0, 1.0), (1.0, 0.0, 0.0)), STACK, 0)
    assert line is not None
    assert [end[1] for end in line] == pytest.approx([10.0, 10.0])
    assert sorted(end[0] for end in line) == pytest.approx([-0.5, 20.5])


def test_a_slice_beside_the_view_has_no_line() -> None:
    assert slice_line(plane((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)), STACK, 2) is None


def test_a_parallel_plane_has_no_line() -> None:
    assert slice_line(plane((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)), STACK, 0) is None


def test_a_view_is_one_plane() -> None:
    with pytest.raises(GeometryError, match="do not fit one plane"):
        LongAxisView(np.zeros((3, 10, 10)), STACK)
    view = LongAxisView(np.zeros((3, 21, 11)), plane((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)))
    assert view.phases == 3


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("reversed_", [(False, False), (True, False), (False, True), (True, True)])
def test_frames_go_back_to_the_voxels_they_came_from_and_lie_where_those_lie(order, reversed_):
    axes, shape = FileAxes(*order, *reversed_), (3, 4, 5, 2)
    rng = np.random.default_rng(1)
    affine = np.vstack([np.hstack([rng.normal(size=(3, 3)), rng.normal(size=(3, 1))]), [0, 0, 0, 1]])
    voxels = np.arange(np.prod(shape)).reshape(shape)
    frames = axes.frames_of(voxels)
    assert frames.shape == (2, shape[axes.across], shape[axes.row], shape[axes.col])
    np.testing.assert_array_equal(axes.voxels_of(frames), voxels)
    grid = axes.grid_of(affine, shape)
    for voxel in ((0, 0, 0), (2, 3, 4), (1, 0, 3)):
        phase, across, row, col = np.argwhere(frames == voxels[(*voxel, 1)])[0]
        assert phase == 1
        np.testing.assert_allclose(grid @ [col, row, across, 1], affine @ [*voxel, 1])


def test_most_files_hold_columns_rows_and_slices_in_this_order():
    voxels = np.arange(24).reshape(2, 3, 4, 1)
    assert THIRD_ACROSS.frames_of(voxels)[0, 3, 2, 1] == voxels[1, 2, 3, 0]
