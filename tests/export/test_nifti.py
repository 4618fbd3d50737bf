import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cmr_viewer.export.nifti import write_image
from cmr_viewer.progress import Cancelled, silent

VOXELS = np.random.default_rng(3).integers(-500, 4000, (9, 8, 5, 4)).astype(np.int16)


def image() -> nibabel.Nifti1Image:
    return nibabel.Nifti1Image(VOXELS, np.diag([1.5, 1.5, 8.0, 1.0]))


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "A.NII.GZ"])
def test_an_image_comes_back(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / name, image(), silent)
    read = nibabel.Nifti1Image.from_filename(tmp_path / name)
    assert_array_equal(np.asarray(read.dataobj), VOXELS)
    assert_array_equal(read.affine, image().affine)


def test_the_same_image_gives_the_same_bytes_whatever_the_file_is_called(tmp_path: Path) -> None:
    for name in ("one.nii.gz", "patient-name.nii.gz"):
        write_image(tmp_path / name, image(), silent)
    one, other = (path.read_bytes() for path in sorted(tmp_path.iterdir()))
    assert one == other
    assert gzip.decompress(one)[352:] == VOXELS.tobytes(order="F")


def test_progress_is_noted_as_it_is_written_and_stops_it(tmp_path: Path) -> None:
    fractions: list[float] = []
    write_image(tmp_path / "a.nii", image(), lambda fraction, text: fractions.append(fraction))
    assert fractions == sorted(fractions)
    assert fractions[-1] > 0.5

    def stop(fraction: float, text: str) -> None:
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_image(tmp_path / "b.nii.gz", image(), stop)
