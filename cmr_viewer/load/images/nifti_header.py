"""Headers of NIfTI files, checked before any memory is allocated for what they state."""

import contextlib
import gzip
import logging
import math
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.errors import LoadError
from cmr_viewer.load.images.voxel_size import in_mm, is_default, possible_mm, settled_sizes

READ_ERRORS = (
    OSError,
    EOFError,
    zlib.error,
    struct.error,
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    MemoryError,
    ImageFileError,
    HeaderDataError,
    WrapStructError,
    np.linalg.LinAlgError,
)
"""What nibabel raises for files that are cut short, damaged or of another kind."""

MOST_VOXELS = 1 << 30
"""A file of more voxels than this is refused: ten times the largest cine in use."""

DEFLATE_RATIO = 1032
"""No deflated byte gives more bytes than this (zlib's documentation); a gzip file cannot hold more than that."""

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


class Placement(NamedTuple):
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
    """Open a NIfTI file without reading its voxels.

    Args:
        path: A `.nii`, `.hdr` or `.img` file, gzipped or not.

    Returns:
        nibabel's image, and the (3,) voxel size that its header gives; None where it lacks one of the three.

    Raises:
        LoadError: The file contains less than its header states, or more than any cine does, or is Analyze 7.5.
        READ_ERRORS: It is no NIfTI file, or damaged.
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


def placement_of(image: Any, header_sizes: NDArray[np.float64] | None) -> Placement:
    """Where the voxels lie, by the sform, else the qform, else the voxel sizes alone (NIfTI-1, methods 3, 2, 1).

    An sform of unit size counts after a qform, whose size is that of the header.

    Args:
        image: From `open_checked`.
        header_sizes: From the same.
    """
    header, shape, unit = image.header, image.shape, _unit_name(image.header)
    forms = []
    for name in ("sform", "qform"):
        if hasattr(header, f"get_{name}") and int(header[f"{name}_code"]) > 0:
            matrix = usable_matrix(getattr(header, f"get_{name}"), unit)
            if matrix is not None:
                forms.append((name, matrix))
    notes = []
    if len(forms) == 2 and not _same(forms[0][1], forms[1][1], shape):
        if is_default(_lengths(forms[0][1])) and not is_default(_lengths(forms[1][1])):
            forms.reverse()
        notes.append(DISAGREE if forms[0][0] == "sform" else DEFAULT_SFORM)
    by_sform = bool(forms) and forms[0][0] == "sform"
    affine = forms[0][1] if forms else usable_matrix(header.get_base_affine, unit)
    if affine is None:
        return Placement(None, None, False, tuple(notes))
    directions = affine[:3, :3] / _lengths(affine)
    if np.abs(directions.T @ directions - np.eye(3)).max() > _SKEWED_COSINE:
        notes.append(SKEWED)
    sizes, note = settled_sizes(_lengths(affine), header_sizes if by_sform else None, shape)
    found = in_mm(affine, sizes, shape, unit)
    sized = found.sized and (header_sizes is not None or (by_sform and len(shape) > 2))
    return Placement(affine, found.affine, sized, tuple(each for each in (*notes, note, *found.notes) if each))


def _lengths(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(affine[:3, :3], axis=0))


def _unit_name(header: Any) -> str:
    """Unit of space in the header's words; empty where it has none that NIfTI knows."""
    with contextlib.suppress(*READ_ERRORS):
        return str(header.get_xyzt_units()[0])
    return ""


def usable_matrix(read: Callable[[], Any], unit: str = "mm") -> NDArray[np.float64] | None:
    """A matrix whose axes have length and span space and whose origin is near, or None.

    Args:
        read: Gives a (4, 4) matrix, or raises one of `READ_ERRORS`.
        unit: Of its numbers.
    """
    try:
        matrix = np.asarray(read(), dtype=np.float64)
    except READ_ERRORS:
        return None
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        return None
    lengths, farthest = _lengths(matrix), np.abs(matrix[:3, 3]).max()
    if not any(
        lengths.min() * mm >= _SHORTEST_MM and lengths.max() * mm <= _LONGEST_MM and farthest * mm <= _FARTHEST_MM
        for mm in possible_mm(unit)
    ):
        return None
    return matrix if abs(np.linalg.det(matrix[:3, :3] / lengths)) > _FLAT else None


def _same(one: NDArray[np.float64], other: NDArray[np.float64], shape: tuple[int, ...]) -> bool:
    """Whether two matrices put the corners of an image within half a voxel of one another."""
    size = [*shape[:3], 1, 1, 1][:3]
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.asarray(size) - 1)
    apart = np.linalg.norm((corners @ (one - other)[:3, :3].T) + (one - other)[:3, 3], axis=1)
    return bool(apart.max() <= _SAME_PLACE_VOXELS * np.linalg.norm(one[:3, :3], axis=0).min())
