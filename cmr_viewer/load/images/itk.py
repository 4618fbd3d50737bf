"""MHA, MHD and NRRD files through SimpleITK."""

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.study import Study
from cmr_viewer.errors import LoadError
from cmr_viewer.load.images.itk_header import LARGEST_HEADER, ItkHeader, checked_header
from cmr_viewer.load.images.nifti import Volume, checked_volume, study_of_volume
from cmr_viewer.load.images.voxel_size import in_mm
from cmr_viewer.progress import Progress, silent

_COLOUR_CHANNELS = 4
_RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_itk(path: Path, progress: Progress = silent, slice_axis: int | None = None) -> Study:
    """Open a 3D (one phase) or 4D (cine) image that SimpleITK reads.

    Phases lie on the axis that the header calls a time, else on the fourth. Channels count as phases where the header
    calls them a list or a time, as 3D Slicer stores a sequence, and where there are more than four of them.

    Args:
        path: A `.mha`, `.mhd`, `.nrrd` or `.nhdr` file.
        progress: Told how far the work is.
        slice_axis: The axis of space that the slices lie along, 0 to 2, where a reader chose it; None to find it.

    Returns:
        A study of one stack in the file's own dtype.

    Raises:
        LoadError: The file cannot be read, is in colour, or holds no 3D or 4D image.
        Cancelled: `progress` asked to stop.
    """
    progress(0.0, f"Reading {path.name}")
    volume = read_itk_volume(path)
    progress(0.8, f"Ordering slices of {path.name}")
    return study_of_volume(volume, path, format_name=path.suffix.lstrip(".").upper(), slice_axis=slice_axis)


def read_itk_volume(path: Path) -> Volume:
    """Read the voxels and the affine of a file; see `read_itk`.

    Raises:
        LoadError: The file cannot be read, is in colour, or holds no 3D or 4D image of real numbers.
    """
    volume, header, channels = _volume(path)
    few = 1 < channels <= _COLOUR_CHANNELS and not header.phases_as_channels
    if few or (channels > 1 and header.holds_matrices):
        raise LoadError(f"{path.name} has {channels} channels. Open a greyscale image.")
    return volume


def read_itk_layers(path: Path) -> tuple[Volume, Mapping[str, str]]:
    """Read a segmentation of 3D Slicer.

    Returns:
        Its voxels (i, j, k, layer), and the fields of its header by lower-case name, which name its segments.

    Raises:
        LoadError: The file cannot be read.
    """
    volume, header, _ = _volume(path)
    return volume, header.fields


def _volume(path: Path) -> tuple[Volume, ItkHeader, int]:
    """Voxels with channels, if any, on the fourth axis; the header; the number of channels."""
    header = checked_header(path)
    image = _read(path) if not _is_time_beside_space(header) else _read_as_list(path)
    dimensions, channels = int(image.GetDimension()), int(image.GetNumberOfComponentsPerPixel())
    array = _array_of(image)
    if channels > 1 and dimensions != 3:
        raise LoadError(f"{path.name} has {channels} channels. Open a greyscale image.")
    fields = header.fields
    sized = any(name in fields for name in ("elementspacing", "elementsize", "space directions", "spacings"))
    placed = any(name in fields for name in ("transformmatrix", "rotation", "orientation", "space directions"))
    voxels, phases_at = array.transpose(2, 1, 0, 3) if channels > 1 else array.transpose(), 3
    if channels == 1 and dimensions == 4 and "time" in header.kinds:
        phases_at = header.kinds.index("time")
        voxels = np.moveaxis(voxels, phases_at, 3)
    volume = checked_volume(voxels, _ras_affine(image, dimensions, phases_at, placed), path)
    lengths = np.linalg.norm(volume.affine[:3, :3], axis=0)
    found = in_mm(volume.affine, lengths if sized else None, volume.voxels.shape, header.unit)
    volume = replace(
        volume,
        affine=found.affine,
        warnings=(*found.notes, *volume.warnings),
        spacing_known=sized and found.sized and dimensions > 2,
        placed=placed,
    )
    return volume, header, channels


def _is_time_beside_space(header: ItkHeader) -> bool:
    """Whether an axis of time stands beside those of a space of three, which ITK reads where it is called a list."""
    return "time" in header.kinds and "none" in header.fields.get("space directions", "").lower().split()


def _read_as_list(path: Path) -> Any:
    """As `_read`, by a header of its own that calls the axis of time a list."""
    with path.open("rb") as file:
        head, blank, _ = file.read(LARGEST_HEADER).replace(b"\r\n", b"\n").partition(b"\n\n")
    text = re.sub(rb"(?m)^kinds:.*", lambda line: line[0].replace(b"time", b"list"), head)
    if not re.search(rb"(?mi)^data ?file:", head):
        lines = head.count(b"\n") + len(blank)
        text += b"\ndata file: " + os.fsencode(path.resolve()) + b"\nline skip: %d" % lines
    elif b"LIST" not in head and (named := re.search(rb"(?mi)^data ?file: *(.*)", head)):
        beside = os.fsencode(path.resolve().parent / os.fsdecode(named[1].strip()))
        text = re.sub(rb"(?mi)^data ?file:.*", lambda _: b"data file: " + beside, text)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "image.nhdr"
        copy.write_bytes(text + b"\n\n")
        try:
            return _read(copy)
        except LoadError as error:
            raise LoadError(str(error).replace(copy.name, path.name)) from error


def _read(path: Path) -> Any:
    # SimpleITK takes a moment to import and few studies need it.
    import SimpleITK as sitk  # noqa: N813, PLC0415

    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        return sitk.ReadImage(str(path))
    except (RuntimeError, MemoryError, OverflowError) as error:
        raise LoadError(
            f"Could not read {path.name}. Check that it and the files that it lists are complete."
        ) from error


def _array_of(image: Any) -> NDArray[Any]:
    """The voxels, last axis first; a view that lives as long as the image."""
    import SimpleITK as sitk  # noqa: N813, PLC0415

    return np.asarray(sitk.GetArrayViewFromImage(image))


def _ras_affine(image: Any, dimensions: int, phases_at: int, placed: bool) -> NDArray[np.float64]:
    """(4, 4) voxel-to-world matrix, RAS, of the spatial axes of an ITK image (LPS), in the unit of the file."""
    spatial = [axis for axis in range(dimensions) if axis != phases_at]
    direction = np.asarray(image.GetDirection(), dtype=np.float64).reshape(dimensions, dimensions)
    # A place is told of three axes of the world, which come first; where none is told, axes are their own.
    world = range(len(spatial)) if placed else spatial
    lps, axes = np.eye(4), len(spatial)
    lps[:axes, :axes] = direction[np.ix_(world, spatial)] * np.asarray(image.GetSpacing())[spatial]
    lps[:axes, 3] = np.asarray(image.GetOrigin())[list(world)]
    return np.asarray(_RAS_FROM_LPS @ lps, dtype=np.float64)
