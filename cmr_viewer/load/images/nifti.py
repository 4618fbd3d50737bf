"""NIfTI files to a study and label maps back onto the grid of the file.

Voxel (i, j, k, t) of a file becomes phase t and, in most files, column i, row j and slice k (`load.images.axes`), each
counted forwards or backwards: slices so that the first is the most basal, rows so that a frame is not mirrored where
the file tells its orientation in the patient. Nothing is ever resampled.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.file_axes import FileAxes
from cmr_viewer.domain.geometry import Geometry, Vector
from cmr_viewer.domain.label_map import LabelMap, as_label_map
from cmr_viewer.domain.notes import Code, Note, counted, numbered
from cmr_viewer.domain.patient_key import patient_key_at
from cmr_viewer.domain.study import Stack, Study
from cmr_viewer.errors import GeometryError, LabelMapError, LoadError
from cmr_viewer.file_names import readable
from cmr_viewer.load.base_end import (
    BASE_END_GUESSED,
    TURNED,
    is_oblique,
    lies_turned,
    points_to_apex,
    starts_at_base,
)
from cmr_viewer.load.gaps import gap_notes
from cmr_viewer.load.images.axes import axes_across, exchanged_note, find_slice_axis, slice_axis_note
from cmr_viewer.load.images.even_grids import EvenGrid, even_grids
from cmr_viewer.load.images.nifti_header import READ_ERRORS, open_checked, placement_of, quiet, usable_matrix
from cmr_viewer.load.images.nifti_writing import write_image
from cmr_viewer.load.images.voxel_size import SPACING_MISSING
from cmr_viewer.load.names import name_of
from cmr_viewer.progress import Progress, silent

LABELS_WRITTEN = "CMR Viewer labels: 1 LVBP, 2 LVM, 3 RVBP"
"""Description in the header of label files that this program writes, by which it knows them again."""

IMAGES_WRITTEN = "CMR Viewer images; research software, not a medical device"
"""Description in the header of image files that this program writes."""

IMAGES_WITH_EMPTY_WRITTEN = "CMR Viewer images, empty slices for missing ones; research software"
"""The same for a file that holds empty slices, which are left out again when it is read."""

_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0])
_HALF_TURN = np.diag([-1.0, -1.0, 1.0, 1.0])
"""About the axis from feet to head: what numbers of LPS become when they are read as RAS, and back."""

_OFF_NOTED = 0.1
"""Share of a pixel by which slices of a file may miss their places before it is noted."""

_LARGEST_CODE, _ROUNDING = 1e6, 1e-3
_FLATTEST = 3.0
_SHORTEST_STEP_MS, _LONGEST_STEP_MS = 5.0, 250.0


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels of an image file as stored, and their position.

    Attributes:
        voxels: (i, j, k, t), i fastest in space; t may be 1.
        affine: (4, 4) voxel-to-world matrix, RAS, mm, with the voxel size that counts.
        warnings: What a reader should know.
        phase_step_ms: Time from phase to phase, or None where the file does not tell.
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
        return np.asarray(_LPS_FROM_RAS @ self.affine[:3, :3], dtype=np.float64)


def read_nifti(path: Path, progress: Progress = silent, slice_axis: int | None = None) -> Study:
    """Open a 3D (one phase) or 4D (phases on the fourth axis) NIfTI file.

    Args:
        path: A `.nii` file or one of a pair `.hdr` and `.img`, gzipped or not.
        progress: Told how far the work is.
        slice_axis: The axis that the slices lie along, 0 to 2, where a reader chose it; None to find it.

    Returns:
        A study of one stack in the file's own dtype (float32 where the file scales its values).

    Raises:
        LoadError: The file cannot be read, or holds no 3D or 4D image.
        Cancelled: `progress` asked to stop.
    """
    progress(0.0, f"Reading {path.name}")
    volume = read_volume(path)
    progress(0.8, f"Ordering slices of {path.name}")
    return study_of_volume(volume, path, format_name="NIfTI", slice_axis=slice_axis)


def read_volume(path: Path) -> Volume:
    """Read the voxels and the affine of a NIfTI file.

    Raises:
        LoadError: The file cannot be read, or holds no 3D or 4D image of real numbers.
    """
    try:
        with quiet():
            image, sizes = open_checked(path)
            placement = placement_of(image, sizes)
            voxels = np.asanyarray(image.dataobj)
            step, description = _phase_step_ms(image.header), _description(image.header)
    except READ_ERRORS as error:
        # Folders are named after patients: of a path only the file's name is said.
        reason = " ".join(str(error).replace(str(path), path.name).split())
        raise LoadError(
            f"Could not read {path.name} as NIfTI: it is incomplete, damaged or of another format ({reason}). "
            "Check that the file is complete."
        ) from error
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) if placement.in_mm is None else placement.in_mm
    volume = checked_volume(voxels, affine, path)
    return replace(
        volume,
        warnings=(*placement.notes, *volume.warnings),
        phase_step_ms=step,
        spacing_known=placement.sized,
        placed=_is_placed(image.header),
        description=description,
        file_affine=placement.in_file,
    )


def _is_placed(header: Any) -> bool:
    return hasattr(header, "get_sform") and (int(header["sform_code"]) > 0 or int(header["qform_code"]) > 0)


def _description(header: Any) -> str:
    try:
        return bytes(header["descrip"].item()).split(b"\0")[0].decode("latin-1")
    except (KeyError, ValueError, TypeError):
        return ""


def _phase_step_ms(header: Any) -> float | None:
    """The fourth voxel size where it has a unit of time and is that of a cine; many files hold 1 s there."""
    if not hasattr(header, "get_xyzt_units"):
        return None
    zooms, factor = header.get_zooms(), {"sec": 1000.0, "msec": 1.0, "usec": 1e-3}.get(header.get_xyzt_units()[1])
    if len(zooms) != 4 or factor is None:
        return None
    step = float(zooms[3]) * factor
    return step if _SHORTEST_STEP_MS <= step <= _LONGEST_STEP_MS else None


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
        # What is too large for single precision becomes infinite and is told as no number below.
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
            tell; None for the volume's own.
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
    turned = volume.placed and lies_turned(volume.steps[:, across], judged)
    if turned:
        volume = replace(volume, affine=_HALF_TURN @ volume.affine, file_affine=_file_affine(volume))
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
    notes += [TURNED] if turned else []
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
        phase_times_ms=_phase_times_ms(volume, pixels.shape[0]),
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
        source_affine=_file_affine(volume),
        source_axes=axes,
    )


def _empty_slices(volume: Volume, across: int) -> tuple[int, ...]:
    """Slices of a file of this program that it wrote in the place of missing ones."""
    if volume.description != IMAGES_WITH_EMPTY_WRITTEN:
        return ()
    drawn = volume.voxels.any(axis=tuple(axis for axis in range(4) if axis != across))
    return tuple(np.flatnonzero(~drawn).tolist())


def _file_affine(volume: Volume) -> NDArray[np.float64]:
    return volume.affine if volume.file_affine is None else volume.file_affine


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

    Args:
        grid: (4, 4) matrix of (col, row, slice) to the patient, RAS, mm; its axes need not be quite perpendicular.
        axes: Of the file.
        shape: (i, j, k, ...).

    Raises:
        GeometryError: The rows and columns are parallel.
    """
    steps, origin = _LPS_FROM_RAS @ grid[:3, :3], _LPS_FROM_RAS @ grid[:3, 3]
    spacing = np.linalg.norm(steps, axis=0)
    directions = steps / spacing
    return Geometry(
        rows=shape[axes.row],
        cols=shape[axes.col],
        pixel_spacing_mm=(float(spacing[1]), float(spacing[0])),
        row_direction=_vector(directions[:, 0]),
        col_direction=_vector(directions[:, 1]),
        positions_mm=tuple(_vector(origin + steps[:, 2] * k) for k in axes.held(shape[axes.across])),
        single_slice_spacing_mm=float(spacing[2]),
    )


def _phase_times_ms(volume: Volume, phases: int) -> tuple[float, ...] | None:
    if volume.phase_step_ms is None:
        return None
    return tuple(volume.phase_step_ms * phase for phase in range(phases))


def _vector(values: NDArray[np.float64]) -> Vector:
    return (float(values[0]), float(values[1]), float(values[2]))


def read_nifti_labels(path: Path, study: Study) -> NDArray[np.int64]:
    """Codes of a label file on the grid of a NIfTI study, in the study's order.

    Args:
        path: A label file of the same shape and affine as the study's image.
        study: The study of the image.

    Returns:
        (phase, slice, row, col) codes as they are in the file, not translated.

    Raises:
        LoadError: The file cannot be read.
        LabelMapError: It has another shape than the image.
    """
    volume = read_volume(path)
    codes = study.source_axes.frames_of(volume.voxels)
    if codes.shape[1:] != study.stack.pixels.shape[1:]:
        raise LabelMapError(
            f"The grid of {path.name} differs from that of {study.name}. Label maps must match the image."
        )
    whole = whole_codes(codes, path)
    return np.asarray(whole[:, list(study.stack.source_slices)])


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


def nifti_files(name: str, study: Study) -> dict[str, EvenGrid | None]:
    """Names of the files that a study is written to, each with the grid that it holds.

    One, with None for the grid, where the input was a volume itself: that is written on its own grid. A stack of single
    files has one for each of `even_grids`: `labels.nii.gz`, or `labels_1.nii.gz`, `labels_2.nii.gz` and so on.
    """
    if study.source_affine is not None:
        return {name: None}
    grids = even_grids(study.stack)
    if len(grids) == 1:
        return {name: grids[0]}
    stem, dot, ending = name.partition(".")
    return {f"{stem}_{number}{dot}{ending}": grid for number, grid in enumerate(grids, start=1)}


def nifti_notes(names: Sequence[str], study: Study) -> list[Note]:
    """What a reader of the files should know about the positions of slices in them.

    Args:
        names: What is written: "labels.nii.gz", "images.nii.gz".
        study: The study.
    """
    notes = []
    pixel_mm = min(study.stack.geometry.pixel_spacing_mm)
    files = [list(nifti_files(name, study).items()) for name in names]
    grids = [grid for _, grid in files[0] if grid is not None]
    if len(grids) > 1:
        parts = "; ".join(
            f"{' and '.join(each[number][0] for each in files)}: {_slices_text(grid.slices)}"
            for number, grid in enumerate(grids)
        )
        text = f"NIfTI needs evenly spaced slices. These are not, so they are split over several files. {parts}."
        notes.append(Note(text, Code.NIFTI_DIVIDED))
    for number, grid in enumerate(grids):
        if grid.empty:
            why = "are empty: these slices are" if len(grid.empty) > 1 else "is empty: this slice is"
            text = (
                f"{numbered('Slice', grid.empty)} of {grid.count} in {' and '.join(each[number][0] for each in files)} "
                f"{why} missing, and NIfTI needs evenly spaced slices."
            )
            notes.append(Note(text, Code.NIFTI_EMPTY_SLICES))
    off = max((mm for grid in grids for mm in grid.off_mm), default=0.0)
    if off > _OFF_NOTED * pixel_mm:
        text = (
            f"In {' and '.join(names)}, slices are up to {off:.1f} mm off their position in the patient, because NIfTI "
            "has one grid for all slices. Contours and the DICOM segmentation have the exact positions."
        )
        notes.append(Note(text, Code.NIFTI_PLACES_ROUNDED))
    return notes


def _slices_text(slices: Sequence[int]) -> str:
    first, last = min(slices) + 1, max(slices) + 1
    return f"slice {first}" if first == last else f"slices {first} to {last}"


def write_nifti_labels(
    path: Path, labels: LabelMap, study: Study, progress: Progress = silent, *, grid: EvenGrid | None = None
) -> None:
    """Write label maps as uint8 on the input's own grid.

    A 3D file gives a 3D file of the same shape, affine and qform/sform codes; a 4D file a 4D one. A study of DICOM
    files gives (i, j, k, t) on an evenly spaced grid, slices in the input's own order, empty where one is missing.

    Args:
        path: The file to write, `.nii.gz` or `.nii`.
        labels: (phase, slice, row, col) of the study's stack, in its order.
        study: Where they belong.
        progress: Told how far the work is.
        grid: The grid of `nifti_files` that is written; None for the only one.

    Raises:
        LabelMapError: Wrong codes or shape.
        GeometryError: The slices need several files, and `grid` names none.
        OSError: The file cannot be written.
        Cancelled: `progress` asked to stop; the file is then incomplete.
    """
    _write_frames(path, as_label_map(labels, study.stack.pixels.shape), study, LABELS_WRITTEN, progress, grid)


def write_nifti_images(path: Path, study: Study, progress: Progress = silent, *, grid: EvenGrid | None = None) -> None:
    """Write the frames of a study's first stack, values and type as they are, on the grid of `write_nifti_labels`.

    Args:
        path: The file to write, `.nii.gz` or `.nii`.
        study: The study.
        progress: Told how far the work is.
        grid: As of `write_nifti_labels`.

    Raises:
        GeometryError: The slices need several files, and `grid` names none.
        OSError: The file cannot be written.
        Cancelled: `progress` asked to stop; the file is then incomplete.
    """
    if study.source_affine is None:
        grid = grid or _only_grid(study)
        has_empty = bool(grid.empty)
    else:
        has_empty = bool(study.source_axes.empty)
    description = IMAGES_WITH_EMPTY_WRITTEN if has_empty else IMAGES_WRITTEN
    _write_frames(path, study.stack.pixels, study, description, progress, grid)


def _only_grid(study: Study) -> EvenGrid:
    grids = even_grids(study.stack)
    if len(grids) > 1:
        raise GeometryError(f"The slices of {study.name} are not evenly spaced: they need {len(grids)} NIfTI files.")
    return grids[0]


def _write_frames(
    path: Path,
    frames: NDArray[Any],
    study: Study,
    description: str,
    progress: Progress,
    grid: EvenGrid | None,
) -> None:
    """Write (phase, slice, row, col) of a study's stack on the input's own grid, or on one of its even ones."""
    stack = study.stack
    if study.source_affine is None:
        grid = grid or _only_grid(study)
        affine = grid.affine(stack.geometry)
        voxels = FileAxes(empty=grid.empty).voxels_of(frames[:, list(grid.slices)])
    else:
        in_source_order = np.empty_like(frames)
        in_source_order[:, list(stack.source_slices)] = frames
        affine, voxels = study.source_affine, study.source_axes.voxels_of(in_source_order)
    header = _source_header(study)
    if header is not None and len(header.get_data_shape()) < 4:
        voxels = voxels.reshape(header.get_data_shape())
    elif header is None and study.source_affine is not None and stack.phases == 1:
        voxels = voxels[..., 0]
    voxels = np.ascontiguousarray(voxels)
    image: Any = nibabel.Nifti1Image(voxels, affine, dtype=voxels.dtype)  # type: ignore[no-untyped-call]
    image.header.set_xyzt_units("mm", "msec")
    if header is not None:
        _copy_orientation(header, image)
        image.header["pixdim"][1 : 1 + voxels.ndim] = header["pixdim"][1 : 1 + voxels.ndim]
    elif stack.phase_times_ms is not None and stack.phases > 1:
        image.header["pixdim"][4] = float(np.median(np.diff(stack.phase_times_ms)))
    image.header["descrip"] = description.encode("ascii")
    write_image(path, image, progress)


def _copy_orientation(header: Any, image: Any) -> None:
    """Units, qform and sform with their codes; one that is damaged in the source is left out."""
    with quiet(), contextlib.suppress(*READ_ERRORS):
        image.header.set_xyzt_units(*header.get_xyzt_units())
    for form in ("qform", "sform"):
        with quiet(), contextlib.suppress(*READ_ERRORS):
            matrix = usable_matrix(getattr(header, f"get_{form}"))
            getattr(image, f"set_{form}")(matrix, 0 if matrix is None else int(header[f"{form}_code"]))


def _source_header(study: Study) -> Any | None:
    """Header of the NIfTI file that the study came from, or None."""
    if study.format_name != "NIfTI" or not study.source.is_file():
        return None
    try:
        with quiet():
            header: Any = open_checked(study.source)[0].header
    except (LoadError, *READ_ERRORS):
        return None
    return header if hasattr(header, "get_sform") else None
