"""Voxels of an image file, checked, as a study of one stack.

Voxel (i, j, k, t) of a file becomes phase t and, in most files, column i, row j and slice k (see `voxels`), each
counted forwards or backwards: slices so that the first is the most basal, rows so that a frame is not mirrored where
the file gives its orientation in the patient. Nothing is ever resampled.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import LPS_RAS, Geometry, is_oblique, vector
from cmr_viewer.domain.notes import Code, Note, counted
from cmr_viewer.domain.patient_key import patient_key_at
from cmr_viewer.domain.study import FileAxes, Stack, Study
from cmr_viewer.errors import GeometryError, LabelMapError, LoadError
from cmr_viewer.file_names import readable
from cmr_viewer.load.base_end import BASE_END_GUESSED, ROTATED, is_rotated, points_to_apex, starts_at_base
from cmr_viewer.load.images.voxels import SPACING_MISSING, axes_across, exchanged_note, find_slice_axis, slice_axis_note
from cmr_viewer.load.names import name_of
from cmr_viewer.load.spacing import gap_notes

IMAGES_WITH_EMPTY_WRITTEN = "CMR Viewer images, empty slices for missing ones; research software"
"""Description in the header of image files that hold empty slices, which are left out again when a file is read."""

MOST_VOXELS = 1 << 30
"""A file of more voxels than this is refused: ten times the largest cine in use."""

DEFLATE_RATIO = 1032
"""No deflated byte gives more bytes than this (zlib's documentation); a gzip file cannot hold more than that."""

_LARGEST_CODE = 1e6

_ROUNDING = 1e-3

_FLATTEST = 3.0


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels of an image file as stored, and their position.

    Attributes:
        voxels: (i, j, k, t), i fastest in space; t may be 1.
        affine: (4, 4) voxel-to-world matrix, RAS, mm, with the voxel size that counts.
        warnings: What a reader should know.
        phase_step_ms: Time from phase to phase, or None where the file does not state it.
        spacing_known: False where the file gives no believable voxel size; that of the affine is then arbitrary.
        placed: False where the file states no orientation in the patient; that of the affine is then arbitrary.
        description: The file's own description; empty where it has none.
        file_affine: The affine as the file gives it, in its own unit; None where that is the same.
    """

    voxels: NDArray[Any]
    affine: NDArray[np.float64]
    warnings: tuple[Note, ...] = ()
    phase_step_ms: float | None = None
    spacing_known: bool = True
    placed: bool = True
    description: str = ""
    file_affine: NDArray[np.float64] | None = None

    @property
    def steps(self) -> NDArray[np.float64]:
        """(3, 3), a column for each of i, j, k: the step of a voxel in the patient, LPS, mm."""
        return np.asarray((LPS_RAS @ self.affine)[:3, :3], dtype=np.float64)

    @property
    def source_affine(self) -> NDArray[np.float64]:
        """(4, 4) voxel-to-world matrix as the file gives it."""
        return self.affine if self.file_affine is None else self.file_affine


def checked_volume(voxels: NDArray[Any], affine: NDArray[np.float64], path: Path) -> Volume:
    """Give voxels four axes, the machine's byte order and finite values.

    Args:
        voxels: (i, j, k) or (i, j, k, t), further axes of length 1 allowed; a 2D image counts as one slice.
        affine: (4, 4) voxel-to-world matrix, RAS, mm.
        path: For messages.

    Raises:
        LoadError: Another number of axes, an empty image, or no real numbers.
    """
    shape = voxels.shape
    if voxels.dtype.kind not in "iuf":
        raise LoadError(f"{path.name} contains no grey values ({voxels.dtype}). Open the magnitude image.")
    while len(shape) > 4 and shape[-1] == 1:
        shape = shape[:-1]
    voxels = voxels.reshape(shape)
    if not 2 <= voxels.ndim <= 4 or 0 in shape:
        text = " x ".join(map(str, shape))
        raise LoadError(f"{path.name} has {voxels.ndim} axes ({text}). Open an image with 3 axes, or with 4 (cine).")
    voxels = np.array(voxels.reshape(shape + (1,) * (4 - voxels.ndim)), order="K")
    if voxels.dtype.kind == "f" and voxels.dtype.itemsize > 4:
        # What is too large for single precision becomes infinite and is noted as no number below.
        with np.errstate(over="ignore", invalid="ignore"):
            voxels = voxels.astype(np.float32)
    elif not voxels.dtype.isnative:
        voxels = voxels.astype(voxels.dtype.newbyteorder("="))
    warnings: tuple[Note, ...] = ()
    if voxels.dtype.kind == "f" and not (finite := np.isfinite(voxels)).all():
        text = f"{path.name} contains {counted(int(np.count_nonzero(~finite)), 'voxel')} without a number, shown as 0."
        warnings = (Note(text, Code.VOXELS_NOT_FINITE),)
        voxels[~finite] = 0
    return Volume(voxels, affine, warnings)


def study_of_volume(
    volume: Volume,
    path: Path,
    *,
    format_name: str,
    judged_by: NDArray[Any] | None = None,
    slice_axis: int | None = None,
) -> Study:
    """A study of one volume, slices base to apex.

    Args:
        volume: Voxels and affine.
        path: The file; its name becomes the study's.
        format_name: For a reader.
        judged_by: (i, j, k, t) voxels on the same grid, of more phases, to find the base by where the affine does not
            show it; None for the volume's own.
        slice_axis: The axis that the slices lie along, 0 to 2, where a reader chose it; None to find it.

    Raises:
        LoadError: The affine gives no grid.
    """
    shape = volume.voxels.shape
    if not (np.isfinite(volume.affine).all() and np.linalg.norm(volume.steps, axis=0).all()):
        raise LoadError(f"{path.name} has no usable affine: an axis has no length.")
    across, is_known = find_slice_axis(shape, volume.steps, sized=volume.spacing_known, placed=volume.placed)
    if slice_axis is not None:
        across, is_known = slice_axis, True
    in_frame = [axis for axis in (1, 0, 2) if axis != across]
    judged = (volume.voxels if judged_by is None else judged_by).transpose(3, across, *in_frame)
    rotated = volume.placed and is_rotated(volume.steps[:, across], judged)
    if rotated:
        # Numbers of LPS that are read as RAS are rotated by half about the axis from feet to head.
        volume = replace(volume, affine=LPS_RAS @ volume.affine, file_affine=volume.source_affine)
    axes = axes_across(across, volume.steps, placed=volume.placed)
    axes = replace(axes, empty=_empty_slices(volume, across))
    judged = np.delete(judged, axes.empty, axis=1)
    try:
        geometry = _geometry_in_file_order(axes.grid_of(volume.affine, shape), axes, shape)
        normal = geometry.normal
    except GeometryError as error:
        raise LoadError(f"{path.name} has no usable affine: {error}") from error
    notes = [*volume.warnings]
    if not volume.spacing_known and not any(note.code is Code.SPACING_UNKNOWN for note in notes):
        notes.append(SPACING_MISSING)
    spacing_known = volume.spacing_known and not (flat := _flat_pixels(geometry))
    if volume.spacing_known and flat:
        notes.append(flat)
    geometry = replace(geometry, spacing_known=spacing_known)
    notes += [ROTATED] if rotated else []
    pixels = axes.frames_of(volume.voxels)
    of_axis = slice_axis_note(axes, known=is_known, chosen=slice_axis is not None)
    notes += [note for note in (of_axis, exchanged_note(pixels)) if note]
    order = list(range(geometry.slices))
    if geometry.slices > 1:
        trusted = geometry.spacing_known and is_oblique(normal)
        along = np.asarray(geometry.positions_mm[-1]) - np.asarray(geometry.positions_mm[0])
        if not (points_to_apex(along) if trusted else starts_at_base(judged)):
            order.reverse()
        if not trusted:
            notes.append(BASE_END_GUESSED)
    if order != sorted(order):
        pixels = pixels[:, ::-1]
    stack = Stack(
        pixels,
        replace(geometry, positions_mm=tuple(geometry.positions_mm[k] for k in order)),
        phase_times_ms=None if (step := volume.phase_step_ms) is None else tuple(step * n for n in range(len(pixels))),
        source_slices=tuple(order),
        description=readable(path.name),
    )
    name = name_of(path)
    return Study(
        name=name,
        source=path,
        stacks=(stack,),
        patient_key=patient_key_at(path.resolve().parent, name),
        warnings=(*notes, *gap_notes(stack.geometry)),
        format_name=format_name,
        source_affine=volume.source_affine,
        source_axes=axes,
    )


def _empty_slices(volume: Volume, across: int) -> tuple[int, ...]:
    """Slices of a file of this program that it wrote in the place of missing ones."""
    if volume.description != IMAGES_WITH_EMPTY_WRITTEN:
        return ()
    drawn = volume.voxels.any(axis=tuple(axis for axis in range(4) if axis != across))
    return tuple(np.flatnonzero(~drawn).tolist())


def _flat_pixels(geometry: Geometry) -> Note | None:
    """Why the pixel size is not believed, or None: no scanner makes pixels many times as long as wide."""
    down, right = geometry.pixel_spacing_mm
    if max(down, right) < _FLATTEST * min(down, right):
        return None
    text = (
        f"The voxel size in the file gives pixels of {down:.4g} x {right:.4g} mm, which no short-axis image has, so "
        "results in ml, g and mm are withheld. Correct the spacing."
    )
    return Note(text, Code.SPACING_UNKNOWN)


def _geometry_in_file_order(grid: NDArray[np.float64], axes: FileAxes, shape: tuple[int, ...]) -> Geometry:
    """Geometry with slices as the file counts them and frames as they are shown.

    `grid` is the (4, 4) matrix of (col, row, slice) to the patient, RAS, mm; its axes need not be quite perpendicular.

    Raises:
        GeometryError: The rows and columns are parallel.
    """
    lps = LPS_RAS @ grid
    steps, origin = lps[:3, :3], lps[:3, 3]
    spacing = np.linalg.norm(steps, axis=0)
    directions = steps / spacing
    return Geometry(
        rows=shape[axes.row],
        cols=shape[axes.col],
        pixel_spacing_mm=(float(spacing[1]), float(spacing[0])),
        row_direction=vector(directions[:, 0]),
        col_direction=vector(directions[:, 1]),
        positions_mm=tuple(vector(origin + steps[:, 2] * k) for k in axes.held(shape[axes.across])),
        single_slice_spacing_mm=float(spacing[2]),
    )


def whole_codes(values: NDArray[Any], path: Path) -> NDArray[np.int64]:
    """Label codes as whole numbers; small rounding errors of a file's scale are removed.

    Raises:
        LabelMapError: There are values between codes, or too large to be codes.
    """
    if values.dtype.kind == "f":
        if values.size and np.abs(np.rint(values) - values).max() > _ROUNDING:
            raise LabelMapError(
                f"{path.name} contains values between label codes: it was resampled. Open the original."
            )
        if values.size and np.abs(values).max() > _LARGEST_CODE:
            raise LabelMapError(f"{path.name} contains values that are not label codes. Open the label map itself.")
        return np.asarray(np.rint(values), dtype=np.int64)
    return np.asarray(values, dtype=np.int64)
