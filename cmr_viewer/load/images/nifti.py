"""NIfTI files: their headers, checked before any memory is allocated for what they state, and their voxels."""

import contextlib
import gzip
import logging
import math
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import LPS_RAS
from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.domain.study import Study
from cmr_viewer.errors import LabelMapError, LoadError
from cmr_viewer.load.images.volume import (
    DEFLATE_RATIO,
    MOST_VOXELS,
    Volume,
    checked_volume,
    whole_codes,
)
from cmr_viewer.load.images.voxels import axis_lengths, corners_apart, in_mm, is_default, possible_mm, settled_sizes

READ_ERRORS = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, OverflowError, MemoryError, struct.error, zlib.error),
    *(ImageFileError, HeaderDataError, WrapStructError),
)
"""What nibabel raises for files that are cut short, damaged or of another kind."""

DISAGREE = Note(
    "The file gives two orientations (qform and sform) that disagree; the sform is used.", Code.ORIENTATION_DISAGREES
)
DEFAULT_SFORM = Note(
    "The file gives two orientations (qform and sform) that disagree; the qform is used, because the sform has a voxel "
    "size of 1 x 1 x 1, which is a default.",
    Code.ORIENTATION_DISAGREES,
)
SKEWED = Note(
    "The axes of the file are not perpendicular to one another; frames are shown as if they were.", Code.AXES_SKEWED
)

_LARGEST_OFFSET = 16 << 20
_SAME_PLACE_VOXELS = 0.5
_SKEWED_COSINE = 0.05
_SHORTEST_MM, _LONGEST_MM, _FARTHEST_MM, _FLAT = 1e-3, 1e4, 1e7, 1e-3


class _Start(NamedTuple):
    """From the first bytes of a file: where the voxels begin, and the voxel sizes."""

    offset: float
    pixdim: tuple[float, ...]


@contextmanager
def quiet() -> Iterator[None]:
    """Read without nibabel's warnings on headers that it repairs; they mean nothing to a reader."""
    logger = logging.getLogger("nibabel.global")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


class _Placement(NamedTuple):
    """Where the voxels of a file lie.

    Attributes:
        in_file: (4, 4) voxel-to-world matrix, RAS, as the file gives it; None where it gives none.
        in_mm: The same in mm, with the voxel size that counts.
        sized: Whether the file gives a believable voxel size.
        notes: What a reader should know.
    """

    in_file: NDArray[np.float64] | None
    in_mm: NDArray[np.float64] | None
    sized: bool
    notes: tuple[Note, ...]


def open_checked(path: Path) -> tuple[Any, NDArray[np.float64] | None]:
    """Open a `.nii`, `.hdr` or `.img` file, gzipped or not, without reading its voxels.

    Returns:
        nibabel's image, and the (3,) voxel size that its header gives; None where it lacks one of the three.

    Raises:
        LoadError: The file contains less than its header states, or more than any cine does, or is Analyze 7.5.
        READ_ERRORS: It is not a NIfTI file, or damaged.
    """
    start = _start(path)
    if not 0 <= start.offset <= _LARGEST_OFFSET:
        raise ValueError("the header places the voxels beyond the end of the file")
    image: Any = nibabel.load(path)
    if not issubclass(type(image), nibabel.Nifti1Pair):
        raise LoadError(
            f"{path.name} is an Analyze image, which does not distinguish left from right. Convert it to NIfTI."
        )
    shape, size = image.shape, np.dtype(image.get_data_dtype()).itemsize
    voxels = math.prod(int(length) for length in shape)
    text = " x ".join(map(str, shape))
    if any(length < 1 for length in shape):
        raise ValueError(f"the header states {text} voxels")
    if voxels > MOST_VOXELS:
        raise LoadError(f"{path.name} states {text} voxels, more than any cine has. Check the file.")
    data = Path(image.file_map["image"].filename or path)
    room = data.stat().st_size * (DEFLATE_RATIO if data.name.lower().endswith(".gz") else 1)
    if voxels * size > room:
        raise LoadError(f"{path.name} states {text} voxels but is too short for them. Copy it again.")
    sizes = np.abs(np.asarray(start.pixdim[1:4], dtype=np.float64))
    return image, sizes if len(shape) > 2 and np.isfinite(sizes).all() and sizes.all() else None


def _start(path: Path) -> _Start:
    """The header's own numbers, before nibabel repairs them."""
    header = path
    for ending, other in ((".img.gz", ".hdr.gz"), (".img", ".hdr")):
        if path.name.lower().endswith(ending):
            header = _beside(path, ending, other)
            break
    with header.open("rb") as stored:
        if header.name.lower().endswith(".gz"):
            with gzip.open(stored) as inflated:
                data = inflated.read(540)
        else:
            data = stored.read(540)
    for order in "<>":
        if len(data) >= 348 and struct.unpack_from(f"{order}i", data)[0] == 348:
            pixdim = struct.unpack_from(f"{order}8f", data, 76)
            return _Start(struct.unpack_from(f"{order}f", data, 108)[0], pixdim)
        if len(data) >= 540 and struct.unpack_from(f"{order}i", data)[0] == 540:
            pixdim = struct.unpack_from(f"{order}8d", data, 104)
            return _Start(float(struct.unpack_from(f"{order}q", data, 168)[0]), pixdim)
    raise ValueError("it has no NIfTI header")


def _beside(path: Path, ending: str, other: str) -> Path:
    """The header of a pair, whichever way its ending is written."""
    stem = path.name[: -len(ending)]
    for candidate in (other, other.upper()):
        if (found := path.with_name(stem + candidate)).is_file():
            return found
    raise OSError(f"its header {stem}{other} is not in its folder")


def placement_of(image: Any, header_sizes: NDArray[np.float64] | None) -> _Placement:
    """Where the voxels lie, by the sform, else the qform, else the voxel sizes alone (NIfTI-1, methods 3, 2, 1).

    An sform of unit size counts after a qform, whose size is that of the header. The arguments are of `open_checked`.
    """
    header, shape, unit = image.header, image.shape, _unit_name(image.header)
    forms = []
    for name in ("sform", "qform"):
        if hasattr(header, f"get_{name}") and int(header[f"{name}_code"]) > 0:
            matrix = usable_matrix(getattr(header, f"get_{name}"), unit)
            if matrix is not None:
                forms.append((name, matrix))
    notes = []
    if len(forms) == 2 and corners_apart(forms[0][1], forms[1][1], shape) > (
        _SAME_PLACE_VOXELS * axis_lengths(forms[0][1]).min()
    ):
        if is_default(axis_lengths(forms[0][1])) and not is_default(axis_lengths(forms[1][1])):
            forms.reverse()
        notes.append(DISAGREE if forms[0][0] == "sform" else DEFAULT_SFORM)
    by_sform = bool(forms) and forms[0][0] == "sform"
    affine = forms[0][1] if forms else usable_matrix(header.get_base_affine, unit)
    if affine is None:
        return _Placement(None, None, False, tuple(notes))
    directions = affine[:3, :3] / axis_lengths(affine)
    if np.abs(directions.T @ directions - np.eye(3)).max() > _SKEWED_COSINE:
        notes.append(SKEWED)
    sizes, note = settled_sizes(axis_lengths(affine), header_sizes if by_sform else None, shape)
    found = in_mm(affine, sizes, shape, unit)
    sized = found.sized and (header_sizes is not None or (by_sform and len(shape) > 2))
    return _Placement(affine, found.affine, sized, tuple(each for each in (*notes, note, *found.notes) if each))


def _unit_name(header: Any) -> str:
    """Unit of space in the header's words; empty where it has none that NIfTI knows."""
    with contextlib.suppress(*READ_ERRORS):
        return str(header.get_xyzt_units()[0])
    return ""


def usable_matrix(read: Callable[[], Any], unit: str = "mm") -> NDArray[np.float64] | None:
    """A (4, 4) matrix in a unit, if its axes have length and span space and its origin is near; else None.

    `read` gives it, or raises one of `READ_ERRORS`.
    """
    try:
        matrix = np.asarray(read(), dtype=np.float64)
    except READ_ERRORS:
        return None
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        return None
    lengths, farthest = axis_lengths(matrix), np.abs(matrix[:3, 3]).max()
    if not any(
        lengths.min() * mm >= _SHORTEST_MM and lengths.max() * mm <= _LONGEST_MM and farthest * mm <= _FARTHEST_MM
        for mm in possible_mm(unit)
    ):
        return None
    return matrix if abs(np.linalg.det(matrix[:3, :3] / lengths)) > _FLAT else None


LABELS_WRITTEN = "CMR Viewer labels: 1 LVBP, 2 LVM, 3 RVBP"
"""Description in the header of label files that this program writes, by which it knows them again."""

_SHORTEST_STEP_MS, _LONGEST_STEP_MS = 5.0, 250.0


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
        # Folders are named after patients: of a path the message gives only the file's name.
        reason = " ".join(str(error).replace(str(path), path.name).split())
        raise LoadError(
            f"Could not read {path.name} as NIfTI: it is incomplete, damaged or of another format ({reason}). "
            "Check that the file is complete."
        ) from error
    affine = LPS_RAS if placement.in_mm is None else placement.in_mm
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


def read_nifti_labels(path: Path, study: Study) -> NDArray[np.int64]:
    """(phase, slice, row, col) codes of a label file on the grid of a NIfTI study, in its order, not translated.

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
