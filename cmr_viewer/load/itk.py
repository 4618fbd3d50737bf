"""MHA, MHD and NRRD files through SimpleITK."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.study import Study
from cmr_viewer.errors import LoadError
from cmr_viewer.load.nifti import checked_volume, study_of_volume
from cmr_viewer.progress import Progress, silent

_COLOUR_CHANNELS = 4
_RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_itk(path: Path, progress: Progress = silent) -> Study:
    """Open a 3D (one phase) or 4D (phases on the fourth axis) image that SimpleITK reads.

    Images of more than four channels, as 3D Slicer stores a sequence, count each channel as a phase.

    Args:
        path: A `.mha`, `.mhd`, `.nrrd` or `.nhdr` file.
        progress: Told how far the work is.

    Returns:
        A study of one stack in the file's own dtype.

    Raises:
        LoadError: The file cannot be read, is in colour, or holds no 3D or 4D image.
        Cancelled: `progress` asked to stop.
    """
    # SimpleITK takes a moment to import and few studies need it.
    import SimpleITK as sitk  # noqa: N813, PLC0415

    progress(0.0, f"Reading {path.name}")
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # type: ignore[no-untyped-call]
    try:
        image: Any = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise LoadError(f"{path.name} cannot be read. Check that the file and those it names are whole.") from error
    dimensions, channels = int(image.GetDimension()), int(image.GetNumberOfComponentsPerPixel())
    array: NDArray[Any] = sitk.GetArrayFromImage(image)
    if channels > 1:
        if channels <= _COLOUR_CHANNELS or dimensions != 3:
            raise LoadError(f"{path.name} has {channels} channels; open a grey-value image.")
        voxels = array.transpose(2, 1, 0, 3)
    else:
        voxels = array.transpose()
    progress(0.8, f"Ordering slices of {path.name}")
    volume = checked_volume(voxels, _ras_affine(image, dimensions), path)
    return study_of_volume(volume, path, format_name=path.suffix.lstrip(".").upper())


def _ras_affine(image: Any, dimensions: int) -> NDArray[np.float64]:
    """(4, 4) voxel-to-world matrix, RAS, of the spatial axes of an ITK image (LPS)."""
    direction = np.asarray(image.GetDirection(), dtype=np.float64).reshape(dimensions, dimensions)
    lps, axes = np.eye(4), min(dimensions, 3)
    lps[:axes, :axes] = direction[:axes, :axes] * np.asarray(image.GetSpacing()[:axes])
    lps[:axes, 3] = image.GetOrigin()[:axes]
    return np.asarray(_RAS_FROM_LPS @ lps, dtype=np.float64)
