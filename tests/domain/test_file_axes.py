from itertools import permutations

import numpy as np
import pytest

from cmr_viewer.domain.file_axes import THIRD_ACROSS, FileAxes


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
