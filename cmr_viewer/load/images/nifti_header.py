"""Headers of NIfTI files, read with care: what they say is checked before any memory is taken for it."""

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
SKEWED = Note(
    "The axes of the file are not perpendicular to one another; frames are shown as if they were.", Code.AXES_SKEWED
)

_LARGEST_OFFSET = 16 << 20
_SAME_PLACE_VOXELS = 0.5
_SKEWED_COSINE = 0.05
_SHORTEST_MM, _LONGEST_MM, _FARTHEST_MM, _FLAT = 1e-3, 1e4, 1e7, 1e-3


class _Start(NamedTuple):
    """What the first bytes of a file say: where the voxels begin, and the voxel sizes."""

    offset: float
    pixdim: tuple[float, ...]


@contextmanager
def quiet() -> Iterator[None]:
    """Read without nibabel's remarks on headers that it mends; they say nothing to a reader."""
    logger = logging.getLogger("nibabel.global")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def open_checked(path: Path) -> tuple[Any, bool]:
    """Open a NIfTI file without reading its voxels.

    Args:
        path: A `.nii`, `.hdr` or `.img` file, gzipped or not.

    Returns:
        nibabel's image, and whether the header gives a size to all three axes of a voxel.

    Raises:
        LoadError: The file holds less than its header says, or more than any cine does, or is Analyze 7.5.
        READ_ERRORS: It is no NIfTI file, or damaged.
    """
    start = _start(path)
    if not 0 <= start.offset <= _LARGEST_OFFSET:
        raise ValueError("the header says that the voxels begin beyond the file")
    image: Any = nibabel.load(path)
    if not issubclass(type(image), nibabel.Nifti1Pair):
        raise LoadError(f"{path.name} is an Analyze image, which does not tell left from right. Convert it to NIfTI.")
    shape, size = image.shape, np.dtype(image.get_data_dtype()).itemsize
    voxels = math.prod(int(length) for length in shape)
    text = " x ".join(map(str, shape))
    if any(length < 1 for length in shape):
        raise ValueError(f"the header says that it holds {text} voxels")
    if voxels > MOST_VOXELS:
        raise LoadError(f"{path.name} says that it holds {text} voxels, more than any cine does. Check the file.")
    data = Path(image.file_map["image"].filename or path)
    room = data.stat().st_size * (DEFLATE_RATIO if data.name.lower().endswith(".gz") else 1)
    if voxels * size > room:
        raise LoadError(f"{path.name} says that it holds {text} voxels, and is too short for them. Copy it again.")
    sizes = start.pixdim[1:4]
    return image, len(shape) > 2 and all(np.isfinite(v) and v != 0 for v in sizes)


def _start(path: Path) -> _Start:
    """The header's own numbers, before nibabel mends them."""
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
    raise OSError(f"{stem}{other}, its header, is not beside it")


def affine_of(image: Any) -> tuple[NDArray[np.float64] | None, tuple[Note, ...]]:
    """Where the voxels lie, by the sform, else the qform, else the voxel sizes alone (NIfTI-1, methods 3, 2, 1).

    Returns:
        (4, 4) voxel-to-world matrix, RAS, mm, or None where no method gives one; and what a reader should know.
    """
    header = image.header
    forms = []
    for name in ("sform", "qform"):
        if hasattr(header, f"get_{name}") and int(header[f"{name}_code"]) > 0:
            matrix = usable_matrix(getattr(header, f"get_{name}"))
            if matrix is not None:
                forms.append(matrix)
    notes = []
    if len(forms) == 2 and not _same(forms[0], forms[1], image.shape):
        notes.append(DISAGREE)
    affine = forms[0] if forms else usable_matrix(header.get_base_affine)
    if affine is not None:
        directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
        if np.abs(directions.T @ directions - np.eye(3)).max() > _SKEWED_COSINE:
            notes.append(SKEWED)
    return affine, tuple(notes)


def usable_matrix(read: Callable[[], Any]) -> NDArray[np.float64] | None:
    """A matrix whose axes have length and span space and whose origin is near, or None.

    Args:
        read: Gives a (4, 4) matrix, mm, or raises one of `READ_ERRORS`.
    """
    try:
        matrix = np.asarray(read(), dtype=np.float64)
    except READ_ERRORS:
        return None
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        return None
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if lengths.min() < _SHORTEST_MM or lengths.max() > _LONGEST_MM or np.abs(matrix[:3, 3]).max() > _FARTHEST_MM:
        return None
    return matrix if abs(np.linalg.det(matrix[:3, :3] / lengths)) > _FLAT else None


def _same(one: NDArray[np.float64], other: NDArray[np.float64], shape: tuple[int, ...]) -> bool:
    """Whether two matrices put the corners of an image within half a voxel of one another."""
    size = [*shape[:3], 1, 1, 1][:3]
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.asarray(size) - 1)
    apart = np.linalg.norm((corners @ (one - other)[:3, :3].T) + (one - other)[:3, 3], axis=1)
    return bool(apart.max() <= _SAME_PLACE_VOXELS * np.linalg.norm(one[:3, :3], axis=0).min())
