"""MHA, MHD, NRRD and NHDR files: their headers, checked, and their voxels through SimpleITK.

ITK allocates the memory that a header states before it reads the data, and follows the file names in a header wherever
they lead. So a header is compared with its files first.
"""

import math
import os
import re
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import LPS_RAS
from cmr_viewer.errors import LoadError
from cmr_viewer.load.images.volume import DEFLATE_RATIO, MOST_VOXELS, Volume, checked_volume
from cmr_viewer.load.images.voxels import axis_lengths, in_mm
from cmr_viewer.load.names import NRRD_ENDINGS

LARGEST_HEADER = 1 << 20
_BZIP2_RATIO = 50_000
_MOST_AXES = 5
_CHUNK = 1 << 20
_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS
_META_BYTES = {
    **dict.fromkeys(["MET_CHAR", "MET_UCHAR"], 1),
    **dict.fromkeys(["MET_SHORT", "MET_USHORT"], 2),
    **dict.fromkeys(["MET_INT", "MET_UINT", "MET_LONG", "MET_ULONG", "MET_FLOAT"], 4),
    **dict.fromkeys(["MET_LONG_LONG", "MET_ULONG_LONG", "MET_DOUBLE"], 8),
}
_NRRD_BYTES = {
    **dict.fromkeys(["signed char", "int8", "int8_t", "uchar", "unsigned char", "uint8", "uint8_t"], 1),
    **dict.fromkeys(["short", "short int", "signed short", "signed short int", "int16", "int16_t"], 2),
    **dict.fromkeys(["ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"], 2),
    **dict.fromkeys(["int", "signed int", "int32", "int32_t", "uint", "unsigned int", "uint32", "uint32_t"], 4),
    **dict.fromkeys(["longlong", "long long", "long long int", "signed long long", "int64", "int64_t"], 8),
    **dict.fromkeys(["ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"], 8),
    "float": 4,
    "double": 8,
}

_UNITS_OF_TIME = ("", "s", "sec", "second", "seconds", "ms", "msec", "us", "usec")

_RANGES = {
    **dict.fromkeys(["transformmatrix", "rotation", "orientation", "measurement frame"], (1e-30, 10.0)),
    **dict.fromkeys(["elementspacing", "elementsize", "spacings", "thicknesses"], (1e-4, 1e5)),
    **dict.fromkeys(["offset", "origin", "position", "centerofrotation", "space origin"], (1e-30, 1e7)),
    **dict.fromkeys(["axis mins", "axismins", "axis maxs", "axismaxs"], (1e-30, 1e7)),
    "space directions": (1e-30, 1e5),
}
"""Smallest other than 0 and largest size of the numbers in a field, mm or direction cosines."""


@dataclass(frozen=True)
class ItkHeader:
    """What a header states beyond ITK's image.

    Attributes:
        fields: Lower-case names and values, as in the file.
        kinds: Per axis, the fastest first, what it is in NRRD: "domain", "list", "time", "vector"; empty for MHA.
    """

    fields: dict[str, str]
    kinds: tuple[str, ...]

    @property
    def unit(self) -> str:
        """The unit of lengths; empty where the header names none, and all of them where they differ.

        NRRD names one for each direction of space, or for each axis, where only a time has another; MetaIO names one.
        """
        found = re.findall(r'"([^"]*)"', self.fields.get("space units", "") or self.fields.get("units", ""))
        words = dict.fromkeys(word.strip() for word in found)
        lengths = [word for word in words if word.lower() not in _UNITS_OF_TIME]
        return " ".join(lengths) or self.fields.get("distanceunits", "")

    @property
    def phases_as_channels(self) -> bool:
        """Whether the header calls the channels of a voxel a list, as 3D Slicer does in its sequences, or a time."""
        return any(kind in ("list", "time") for kind in self.kinds)

    @property
    def holds_matrices(self) -> bool:
        """Whether voxels are colours, tensors or the like."""
        return any(re.search("color|matrix|quaternion|normal|gradient", kind) for kind in self.kinds)


def checked_header(path: Path) -> ItkHeader:
    """Read the header of a `.mha`, `.mhd`, `.nrrd` or `.nhdr` file and compare it with the data.

    Raises:
        LoadError: It is damaged, refers to files outside its folder, or states more voxels than there are.
    """
    try:
        with path.open("rb") as file:
            start = file.read(LARGEST_HEADER)
    except OSError as error:
        raise LoadError(f"Could not read {path.name} ({error.strerror}).") from error
    try:
        return _check_nrrd(path, start) if path.name.lower().endswith(NRRD_ENDINGS) else _check_meta(path, start)
    except (ValueError, KeyError) as error:
        raise LoadError(f"Could not read {path.name}: its header is damaged or of another format ({error}).") from error


def _check_meta(path: Path, start: bytes) -> ItkHeader:
    fields: dict[str, str] = {}
    size = 0
    for line in start.splitlines(keepends=True):
        size += len(line)
        name, equals, value = line.decode("latin-1").partition("=")
        if not equals:
            raise ValueError("a line without a field")
        fields[name.strip().lower()] = value.strip()
        if name.strip().lower() == "elementdatafile":
            break
    else:
        raise ValueError("no ElementDataFile")
    sizes = [int(v) for v in fields["dimsize"].split()]
    if len(sizes) != int(fields["ndims"]):
        raise ValueError("NDims and DimSize differ")
    _require_numbers(fields)
    channels = int(fields.get("elementnumberofchannels", "1"))
    compressed = fields.get("compresseddata", "false")[:1] in ("t", "T", "1")
    needed = _voxels(path, [*sizes, channels]) * _META_BYTES[fields["elementtype"].upper()]
    ratio = DEFLATE_RATIO if compressed else 1
    if fields.get("binarydata", "true").lower() == "false":
        ratio, needed = 1, 2 * math.prod(sizes) * channels - 1
    data = fields["elementdatafile"]
    if data.upper() == "LOCAL":
        room = path.stat().st_size - size
        stored = (path, size)
    elif data.upper() == "LIST":
        if compressed:
            raise ValueError("compressed data in several files")
        names = start[size:].decode("latin-1").split()
        room = sum(_file_beside(path, name).stat().st_size for name in names)
    else:
        stored = (_one_file_beside(path, data), 0)
        room = stored[0].stat().st_size
    _require_room(path, needed, room * ratio)
    if compressed and ratio > 1:
        _require_whole(path, *stored, fields.get("compresseddatasize"), needed)
    return ItkHeader(fields, ())


def _require_whole(path: Path, data: Path, at: int, size: str | None, needed: int) -> None:
    """Refuse compressed voxels at a place of a data file that do not inflate to the needed bytes.

    ITK would read them in an endless loop. `size` is that of the compressed voxels, where the header states it.
    """
    if size is not None and not (size.isascii() and size.isdigit()):
        raise ValueError(f"CompressedDataSize {size[:20]}")
    left = data.stat().st_size - at if size is None else int(size)
    inflater, found = zlib.decompressobj(_ZLIB_OR_GZIP), 0
    with data.open("rb") as file:
        file.seek(at)
        while found < needed and left > 0 and (part := file.read(min(left, _CHUNK))):
            left -= len(part)
            try:
                while part and found < needed:
                    found += len(inflater.decompress(part, _CHUNK))
                    part = inflater.unconsumed_tail
            except zlib.error as error:
                raise ValueError("its compressed data are damaged") from error
    _require_room(path, needed, found)


def _check_nrrd(path: Path, start: bytes) -> ItkHeader:
    if not start.startswith(b"NRRD000"):
        raise ValueError("it does not start as an NRRD file does")
    head, _, _ = start.replace(b"\r\n", b"\n").partition(b"\n\n")
    size = start.find(b"\r\n\r\n") + 4 if b"\r\n\r\n" in start[: len(head) * 2] else len(head) + 2
    fields: dict[str, str] = {}
    listed: list[str] = []
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    for line in text.splitlines()[1:]:
        if line.startswith("#"):
            continue
        if fields.get("data file", fields.get("datafile", "")).upper().startswith("LIST"):
            # Names of files end the header, whatever they look like.
            listed.append(line.strip())
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError("a line without a field")
        fields[name.strip().lower()] = value.lstrip("=").strip()
    sizes = [int(v) for v in fields["sizes"].split()]
    if len(sizes) != int(fields["dimension"]):
        raise ValueError("dimension and sizes differ")
    _require_numbers(fields)
    encoding = fields["encoding"].lower()
    needed = _voxels(path, sizes) * _NRRD_BYTES[fields["type"].lower()]
    ratio = {"gz": DEFLATE_RATIO, "gzip": DEFLATE_RATIO, "bz2": _BZIP2_RATIO, "bzip2": _BZIP2_RATIO}.get(encoding, 1)
    if encoding in ("txt", "text", "ascii"):
        needed = 2 * math.prod(sizes) - 1
    data = fields.get("data file", fields.get("datafile"))
    room = path.stat().st_size - size if data is None else _nrrd_data_bytes(path, data, listed)
    _require_room(path, needed, room * ratio)
    return ItkHeader(fields, tuple(kind.lower() for kind in fields.get("kinds", "").split()))


def _nrrd_data_bytes(path: Path, data: str, listed: list[str]) -> int:
    if data.upper().startswith("LIST"):
        return sum(_file_beside(path, name).stat().st_size for name in listed)
    return _one_file_beside(path, data).stat().st_size


def _voxels(path: Path, sizes: list[int]) -> int:
    if not 2 <= len(sizes) <= _MOST_AXES + 1 or min(sizes) < 1:
        raise ValueError(f"sizes {sizes[:8]}")
    voxels = math.prod(sizes)
    if voxels > MOST_VOXELS:
        text = " x ".join(map(str, sizes))
        raise LoadError(f"{path.name} states {text} voxels, more than any cine has. Check the file.")
    return voxels


def _require_numbers(fields: dict[str, str]) -> None:
    """Refuse impossible places, distances and directions; ITK never returns from some of them."""
    for name, (least, most) in _RANGES.items():
        for value in re.split(r"[\s(),]+", fields.get(name, "")):
            if not value or value.lower() == "none":
                continue
            size = abs(float(value))
            if not math.isfinite(size) or size > most or 0 < size < least:
                raise ValueError(f"{name} {value}")


def _require_room(path: Path, needed: int, room: int) -> None:
    if needed > room:
        raise LoadError(
            f"{path.name} states more voxels than its data contain: the data are incomplete. Copy them again."
        )


def _one_file_beside(path: Path, name: str) -> Path:
    if "%" in name:
        raise LoadError(
            f"{path.name} lists its data by a pattern ({name}), which is not supported. Convert it to one file."
        )
    return _file_beside(path, name)


def _file_beside(path: Path, name: str) -> Path:
    """The data file that a header lists.

    Raises:
        LoadError: It is missing, or outside the header's folder.
    """
    parts = (*PurePosixPath(name).parts, *PureWindowsPath(name).parts)
    folder = path.parent.resolve()
    outside = PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive or PureWindowsPath(name).root
    if not name or outside or ".." in parts or not (folder / name).resolve().is_relative_to(folder):
        raise LoadError(
            f"{path.name} refers to data outside its folder ({name}), which are not read. Put them into its folder."
        )
    found = folder / name
    try:
        there = found.is_file()
    except (OSError, ValueError):  # no name that a file can have: too long, or with a zero byte in it
        there = False
    if not there:
        raise LoadError(f"{path.name} needs {name}, which is not in its folder. Copy both into one folder.")
    return found


_COLOUR_CHANNELS = 4


def read_itk_volume(path: Path) -> Volume:
    """Read the voxels and the affine of a file.

    Phases lie on the axis that the header calls a time, else on the fourth. Channels count as phases where the header
    calls them a list or a time, as 3D Slicer stores a sequence, and where there are more than four of them.

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
    lengths = axis_lengths(volume.affine)
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
    """Whether there is an axis of time beside those of a space of three, which ITK reads as an axis of kind list."""
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
    # SimpleITK is slow to import and few studies need it.
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
    # A header states the place of three axes of the world, which come first; where it states none, axes are their own.
    world = range(len(spatial)) if placed else spatial
    lps, axes = np.eye(4), len(spatial)
    lps[:axes, :axes] = direction[np.ix_(world, spatial)] * np.asarray(image.GetSpacing())[spatial]
    lps[:axes, 3] = np.asarray(image.GetOrigin())[list(world)]
    return np.asarray(LPS_RAS @ lps, dtype=np.float64)
