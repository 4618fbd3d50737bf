"""NIfTI files to a study and label maps back onto the grid of the file.

Voxel (i, j, k, t) of a file becomes phase t, column i, and row j and slice k, each counted forwards or backwards:
slices so that the first is the most basal, rows so that a frame is not mirrored where the file tells its orientation
in the patient. Nothing is ever resampled.
"""

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import Geometry, Vector
from cmr_viewer.domain.label_map import LabelMap, as_label_map
from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.domain.study import Stack, Study
from cmr_viewer.errors import GeometryError, LabelMapError, LoadError
from cmr_viewer.load.base_end import BASE_END_GUESSED, is_oblique, points_to_apex, starts_at_base
from cmr_viewer.load.images.nifti_header import READ_ERRORS, affine_of, open_checked, quiet, usable_matrix
from cmr_viewer.load.images.nifti_writing import write_image
from cmr_viewer.load.names import name_of, patient_key_of
from cmr_viewer.progress import Progress, silent

SPACING_UNKNOWN = Note(
    "The file gives a voxel size of exactly 1 x 1 x 1 mm, which is a default and not a measurement: "
    "no ml, g or mm are given.",
    Code.SPACING_UNKNOWN,
)
SPACING_MISSING = Note(
    "The file gives no size to its voxels, so no ml, g or mm are given. Correct the spacing.", Code.SPACING_UNKNOWN
)
LABELS_WRITTEN = "CMR Viewer labels: 1 LVBP, 2 LVM, 3 RVBP"
"""Description in the header of label files that this program writes, by which it knows them again."""

IMAGES_WRITTEN = "CMR Viewer images; research software, not a medical device"
"""Description in the header of image files that this program writes."""

_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0])
_LARGEST_CODE = 1e6
_SHORTEST_STEP_MS, _LONGEST_STEP_MS = 5.0, 250.0


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels of an image file as they are in it, and where they are.

    Attributes:
        voxels: (i, j, k, t), i fastest in space; t may be 1.
        affine: (4, 4) voxel-to-world matrix, RAS, mm.
        warnings: What a reader should know.
        phase_step_ms: Time from phase to phase, or None where the file does not tell.
        spacing_known: False where the file gives no size to its voxels; the affine then has some.
        placed: False where the file does not say how it lies in the patient; the affine then says it somehow.
        description: What the file says of itself, empty where it says nothing.
    """

    voxels: NDArray[Any]
    affine: NDArray[np.float64]
    warnings: tuple[Note, ...] = ()
    phase_step_ms: float | None = None
    spacing_known: bool = True
    placed: bool = True
    description: str = ""


def read_nifti(path: Path, progress: Progress = silent) -> Study:
    """Open a 3D (one phase) or 4D (phases on the fourth axis) NIfTI file.

    Args:
        path: A `.nii` file or one of a pair `.hdr` and `.img`, gzipped or not.
        progress: Told how far the work is.

    Returns:
        A study of one stack in the file's own dtype (float32 where the file scales its values).

    Raises:
        LoadError: The file cannot be read, or holds no 3D or 4D image.
        Cancelled: `progress` asked to stop.
    """
    progress(0.0, f"Reading {path.name}")
    volume = read_volume(path)
    progress(0.8, f"Ordering slices of {path.name}")
    return study_of_volume(volume, path, format_name="NIfTI")


def read_volume(path: Path) -> Volume:
    """Read the voxels and the affine of a NIfTI file.

    Raises:
        LoadError: The file cannot be read, or holds no 3D or 4D image of real numbers.
    """
    try:
        with quiet():
            image, sized = open_checked(path)
            affine, notes = affine_of(image)
            voxels = np.asanyarray(image.dataobj)
            step, description = _phase_step_ms(image.header), _description(image.header)
    except READ_ERRORS as error:
        # Folders are named after patients: of a path only the file's name is said.
        reason = " ".join(str(error).replace(str(path), path.name).split())
        raise LoadError(
            f"{path.name} cannot be read as NIfTI: it is cut short, damaged or of another kind ({reason}). "
            "Check that the file is whole."
        ) from error
    if affine is None:
        affine, sized = np.diag([-1.0, -1.0, 1.0, 1.0]), False
    volume = checked_volume(voxels, affine, path)
    return replace(
        volume,
        warnings=(*notes, *volume.warnings),
        phase_step_ms=step,
        spacing_known=sized,
        placed=_is_placed(image.header),
        description=description,
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
    zooms, factor = header.get_zooms(), {"sec": 1000.0, "msec": 1.0}.get(header.get_xyzt_units()[1])
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
        raise LoadError(f"{path.name} holds no grey values but {voxels.dtype}; open the magnitude image instead.")
    while len(shape) > 4 and shape[-1] == 1:
        shape = shape[:-1]
    voxels = voxels.reshape(shape)
    if not 2 <= voxels.ndim <= 4 or 0 in shape:
        text = " x ".join(map(str, shape))
        raise LoadError(f"{path.name} has {voxels.ndim} axes ({text}); an image of 3 or 4 axes (cine) is needed.")
    voxels = np.array(voxels.reshape(shape + (1,) * (4 - voxels.ndim)), order="K")
    if voxels.dtype.kind == "f" and voxels.dtype.itemsize > 4:
        # What is too large for single precision becomes infinite and is told as no number below.
        with np.errstate(over="ignore", invalid="ignore"):
            voxels = voxels.astype(np.float32)
    elif not voxels.dtype.isnative:
        voxels = voxels.astype(voxels.dtype.newbyteorder("="))
    warnings: tuple[Note, ...] = ()
    if voxels.dtype.kind == "f" and not (finite := np.isfinite(voxels)).all():
        text = f"{path.name} holds {np.count_nonzero(~finite)} voxels that are no numbers; they are shown as 0."
        warnings = (Note(text, Code.VOXELS_NOT_FINITE),)
        voxels[~finite] = 0
    return Volume(voxels, affine, warnings)


def study_of_volume(volume: Volume, path: Path, *, format_name: str, judged_by: NDArray[Any] | None = None) -> Study:
    """A study of one volume, slices base to apex.

    Args:
        volume: Voxels and affine.
        path: The file; its name becomes the study's.
        format_name: For a reader.
        judged_by: (i, j, k, t) voxels on the same grid, of more phases, to find the base by where the affine does not
            tell; None for the volume's own.

    Raises:
        LoadError: The affine gives no grid.
    """
    try:
        geometry = _geometry_in_file_order(volume.affine, volume.voxels.shape)
        geometry = replace(geometry, spacing_known=geometry.spacing_known and volume.spacing_known)
        normal = geometry.normal
    except GeometryError as error:
        raise LoadError(f"{path.name} has no usable affine: {error}") from error
    pixels = frames_of_voxels(volume.voxels, volume.affine)
    warnings = list(volume.warnings)
    if not geometry.spacing_known:
        warnings.append(SPACING_UNKNOWN if volume.spacing_known else SPACING_MISSING)
    order = list(range(geometry.slices))
    if geometry.slices > 1:
        trusted = geometry.spacing_known and is_oblique(normal)
        shown = pixels if judged_by is None else frames_of_voxels(judged_by, volume.affine)
        along = np.asarray(geometry.positions_mm[-1]) - np.asarray(geometry.positions_mm[0])
        if not (points_to_apex(along) if trusted else starts_at_base(shown)):
            order.reverse()
        if not trusted:
            warnings.append(BASE_END_GUESSED)
    if order != sorted(order):
        pixels = pixels[:, ::-1]
    stack = Stack(
        pixels,
        replace(geometry, positions_mm=tuple(geometry.positions_mm[k] for k in order)),
        phase_times_ms=_phase_times_ms(volume, pixels.shape[0]),
        source_slices=tuple(order),
        description=path.name,
    )
    name = name_of(path)
    return Study(
        name=name,
        source=path,
        stacks=(stack,),
        patient_key=patient_key_of(name),
        warnings=tuple(warnings),
        format_name=format_name,
        source_affine=volume.affine,
    )


def _geometry_in_file_order(affine: NDArray[np.float64], shape: tuple[int, ...]) -> Geometry:
    """Geometry with slices as the file counts them and rows as they are shown.

    Args:
        affine: (4, 4) voxel-to-world matrix, RAS, mm; its axes need not be quite perpendicular.
        shape: (i, j, k, ...).

    Raises:
        GeometryError: The affine has an axis of no length, or of no numbers.
    """
    axes, origin = _LPS_FROM_RAS @ affine[:3, :3], _LPS_FROM_RAS @ affine[:3, 3]
    spacing = np.linalg.norm(axes, axis=0)
    if rows_reversed(affine):
        origin = origin + axes[:, 1] * (shape[1] - 1)
        axes = axes * np.array([1.0, -1.0, 1.0])
    directions = axes / np.where(spacing > 0, spacing, 1.0)
    return Geometry(
        rows=shape[1],
        cols=shape[0],
        pixel_spacing_mm=(float(spacing[1]), float(spacing[0])),
        row_direction=_vector(directions[:, 0]),
        col_direction=_vector(directions[:, 1]),
        positions_mm=tuple(_vector(origin + axes[:, 2] * k) for k in range(shape[2])),
        single_slice_spacing_mm=float(spacing[2]) if spacing[2] > 0 else None,
        spacing_known=not np.array_equal(spacing, np.ones(3)),
    )


def _phase_times_ms(volume: Volume, phases: int) -> tuple[float, ...] | None:
    if volume.phase_step_ms is None:
        return None
    return tuple(volume.phase_step_ms * phase for phase in range(phases))


def _vector(values: NDArray[np.float64]) -> Vector:
    return (float(values[0]), float(values[1]), float(values[2]))


def rows_reversed(affine: NDArray[np.float64]) -> bool:
    """Whether row 0 of a frame is the last j of the file.

    Short-axis frames are looked at from the apex, with the right ventricle on the left (SCMR). Converters that store
    rows bottom to top (dcm2niix) mirror the frame; this is undone where the affine tells a real orientation.

    Args:
        affine: (4, 4) voxel-to-world matrix, RAS, mm.
    """
    axes = _LPS_FROM_RAS @ affine[:3, :3]
    normal = np.cross(axes[:, 0], axes[:, 1])
    length = float(np.linalg.norm(normal))
    if not np.isfinite(length) or length < 1e-9:
        return False
    normal = normal / length
    return is_oblique(normal) and points_to_apex(normal)


def frames_of_voxels(voxels: NDArray[Any], affine: NDArray[np.float64]) -> NDArray[Any]:
    """(i, j, k, t) of a file to (phase, slice, row, col), slices in the file's order."""
    frames = voxels.transpose(3, 2, 1, 0)
    if rows_reversed(affine):
        frames = frames[:, :, ::-1]
    return np.ascontiguousarray(frames)


def voxels_of_frames(frames: NDArray[Any], affine: NDArray[np.float64]) -> NDArray[Any]:
    """The exact inverse of `frames_of_voxels`."""
    if rows_reversed(affine):
        frames = frames[:, :, ::-1]
    return frames.transpose(3, 2, 1, 0)


def read_nifti_labels(path: Path, study: Study) -> NDArray[np.int64]:
    """Codes of a label file that lies on the grid of a NIfTI study, in the study's order.

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
    affine = volume.affine if study.source_affine is None else study.source_affine
    codes = frames_of_voxels(volume.voxels, affine)
    if codes.shape[1:] != study.stack.pixels.shape[1:]:
        raise LabelMapError(f"{path.name} has another grid than {study.name}; label maps must fit the image.")
    whole = whole_codes(codes, path)
    return np.asarray(whole[:, list(study.stack.source_slices)])


def whole_codes(values: NDArray[Any], path: Path) -> NDArray[np.int64]:
    """Label codes as whole numbers.

    Raises:
        LabelMapError: There are values between codes, or so large that they are none.
    """
    if values.dtype.kind == "f":
        if values.size and not np.array_equal(np.rint(values), values):
            raise LabelMapError(f"{path.name} holds values between label codes; it was resampled. Open the original.")
        if values.size and np.abs(values).max() > _LARGEST_CODE:
            raise LabelMapError(f"{path.name} holds values that are no label codes. Open the label map itself.")
    return np.asarray(values, dtype=np.int64)


def write_nifti_labels(path: Path, labels: LabelMap, study: Study, progress: Progress = silent) -> None:
    """Write label maps as uint8 on the input's own grid.

    A 3D file gives a 3D file of the same shape, affine and qform/sform codes; a 4D file a 4D one. A study of DICOM
    files or of several files gives (i, j, k, t) with the affine of its geometry, slices in the input's own order.

    Args:
        path: The file to write, `.nii.gz` or `.nii`.
        labels: (phase, slice, row, col) of the study's stack, in its order.
        study: Where they belong.
        progress: Told how far the work is.

    Raises:
        LabelMapError: Wrong codes or shape.
        OSError: The file cannot be written.
        Cancelled: `progress` asked to stop; the file is not whole then.
    """
    _write_frames(path, as_label_map(labels, study.stack.pixels.shape), study, LABELS_WRITTEN, progress)


def write_nifti_images(path: Path, study: Study, progress: Progress = silent) -> None:
    """Write the frames of a study's first stack, values and type as they are, on the grid of `write_nifti_labels`.

    Args:
        path: The file to write, `.nii.gz` or `.nii`.
        study: The study.
        progress: Told how far the work is.

    Raises:
        OSError: The file cannot be written.
        Cancelled: `progress` asked to stop; the file is not whole then.
    """
    _write_frames(path, study.stack.pixels, study, IMAGES_WRITTEN, progress)


def _write_frames(path: Path, frames: NDArray[Any], study: Study, description: str, progress: Progress) -> None:
    """Write (phase, slice, row, col) of a study's stack on the input's own grid."""
    stack = study.stack
    in_source_order = np.empty_like(frames)
    in_source_order[:, list(stack.source_slices)] = frames
    if study.source_affine is None:
        affine, voxels = affine_of_stack(stack), in_source_order.transpose(3, 2, 1, 0)
    else:
        affine, voxels = study.source_affine, voxels_of_frames(in_source_order, study.source_affine)
    header = _source_header(study)
    if header is not None and len(header.get_data_shape()) < 4:
        voxels = voxels.reshape(header.get_data_shape())
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


def affine_of_stack(stack: Stack) -> NDArray[np.float64]:
    """(4, 4) voxel (i = col, j = row, k = source slice) to RAS matrix of a stack, in mm.

    Slices that are not evenly spaced are put at their mean spacing.
    """
    g = stack.geometry
    in_source_order = np.empty((g.slices, 3))
    in_source_order[list(stack.source_slices)] = np.asarray(g.positions_mm)
    if g.slices > 1:
        step = (in_source_order[-1] - in_source_order[0]) / (g.slices - 1)
    else:
        step = g.normal * (g.single_slice_spacing_mm or 1.0)
    lps = np.eye(4)
    lps[:3, 0] = np.asarray(g.row_direction) * g.pixel_spacing_mm[1]
    lps[:3, 1] = np.asarray(g.col_direction) * g.pixel_spacing_mm[0]
    lps[:3, 2] = step
    lps[:3, 3] = in_source_order[0]
    return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps, dtype=np.float64)
