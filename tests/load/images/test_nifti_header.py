import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from cmr_viewer.errors import LoadError
from cmr_viewer.load.images.nifti import read_nifti
from tests.phantom import write_nifti

DIM, VOX_OFFSET, EXTENSION = 40, 108, 348


def changed(tmp_path, *changes, zipped=True):
    """A whole file of 4 x 4 x 3 x 2 voxels with bytes of it replaced."""
    path = write_nifti(tmp_path / "whole.nii", np.zeros((4, 4, 3, 2), np.int16), np.diag([-1.5, -1.5, 8.0, 1.0]))
    content = bytearray(path.read_bytes())
    for at, value in changes:
        content[at : at + len(value)] = value
    lie = tmp_path / ("lie.nii.gz" if zipped else "lie.nii")
    lie.write_bytes(gzip.compress(bytes(content)) if zipped else bytes(content))
    return lie


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("dims", [(4, 32767, 32767, 32767, 32767), (4, 32767, 32767, 2, 1), (4, 2048, 2048, 100, 1)])
def test_more_voxels_than_the_file_holds_are_refused_before_memory_is_taken(tmp_path, dims, zipped):
    path = changed(tmp_path, (DIM, struct.pack("<5h", *dims)), zipped=zipped)
    tracemalloc.start()
    with pytest.raises(LoadError, match=r"lie.nii.* states .* voxels"):
        read_nifti(path)
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


def test_a_long_way_to_the_voxels_is_refused_before_memory_is_taken(tmp_path):
    # What lies before the voxels is read as one extension.
    path = changed(
        tmp_path,
        (VOX_OFFSET, struct.pack("<f", 2.0e9)),
        (EXTENSION, struct.pack("<4b2i", 1, 0, 0, 0, 2_000_000_000 - 352, 6)),
    )
    tracemalloc.start()
    with pytest.raises(LoadError, match=r"lie.nii.gz"):
        read_nifti(path)
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


def test_what_follows_the_voxels_is_not_read(tmp_path):
    # A bomb: 200 MB of nothing after the image.
    path = tmp_path / "bomb.nii.gz"
    whole = write_nifti(tmp_path / "whole.nii", np.ones((4, 4, 3), np.int16), np.diag([-1.5, -1.5, 8.0, 1.0]))
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(whole.read_bytes())
        for _ in range(200):
            file.write(b"\0" * 1_000_000)
    tracemalloc.start()
    assert read_nifti(path).stack.pixels.sum() == 48
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    "dims", [(4, 0, 4, 3, 2), (4, -4, 4, 3, 2), (4, -10577, -22629, 3, 2), (0, 4, 4, 3, 2), (200, 4, 4, 3, 2)]
)
def test_sizes_that_cannot_be_are_named(tmp_path, dims):
    path = changed(tmp_path, (DIM, struct.pack("<5h", *dims)), zipped=False)
    tracemalloc.start()
    with pytest.raises(LoadError, match=r"lie.nii"):
        read_nifti(path)
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()
