"""Which of many files are frames of stacks: a scan of their headers, or the saved headers of a folder seen before.

An index is one file for each folder, named by a hash of where the folder is: two lines of JSON, what it is valid for
and the headers that a scan found. It is valid while the names, sizes and times of all files are the same. It contains
no names of files and folders and no identifiers of patients: a number identifies a file, in the order in which files
were gathered, and `patient_key_of` a patient. A damaged index is ignored and written again.
"""

import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from cmr_viewer.domain.notes import Code, Note, counted
from cmr_viewer.load.dicom import tags
from cmr_viewer.load.dicom.elements import Elements, UnusualError, is_dicom, read_elements
from cmr_viewer.load.dicom.headers import Header, header_of
from cmr_viewer.load.dicom.layout import WITHOUT_IMAGE, PixelLayout, layout_of
from cmr_viewer.load.dicom.multiframe import headers_of_frames
from cmr_viewer.load.dicom.values import Values
from cmr_viewer.load.file_work import in_order
from cmr_viewer.progress import Progress

_FIRST_BYTES = 8192

_DICOM_ENDINGS = (".dcm", ".ima", ".dicom")


@dataclass(frozen=True)
class Scan:
    """What a set of files contains.

    Attributes:
        headers: Frames that can be part of a stack.
        other: Readable DICOM files without any, by reason.
        unreadable: Files that are DICOM by name or by their first bytes and cannot be read.
        copies: Files with an image that another file contains too.
        notes: What a reader should know besides.
    """

    headers: list[Header]
    other: dict[str, list[Path]]
    unreadable: list[Path]
    copies: list[Path] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def any_dicom(self) -> bool:
        """Whether there was any DICOM file, whole or not."""
        return bool(self.headers or self.other or self.unreadable)


def scan(files: Iterable[Path], progress: Progress) -> Scan:
    """Read the headers of the DICOM files among others, in their order; other files are skipped.

    Raises:
        Cancelled: `progress` asked to stop.
    """
    found, paths = Scan([], {}, []), list(files)
    seen: set[object] = set()

    found_in = in_order(read_headers, paths, progress, "Reading DICOM headers: {} of {} files")
    for path, headers in zip(paths, found_in, strict=True):
        if headers is None:
            continue
        if isinstance(headers, str):
            found.other.setdefault(headers, []).append(path)
        elif not headers:
            found.unreadable.append(path)
        elif (content := _content(headers)) in seen and headers[0].instance_uid:
            found.copies.append(path)
        else:
            seen.add(content)
            found.headers.extend(headers)
    if found.copies:
        text = f"Left out {counted(len(found.copies), 'duplicate file')}; another file contains the same image."
        found.notes.append(Note(text, Code.COPIES_LEFT_OUT))
    return found


def _content(headers: list[Header]) -> object:
    """What two files with the same image have in common.

    The UID alone will not do: systems exist that give one and the same to all images of a series.
    """
    h = headers[0]
    times = (h.times_ms, h.actual_ms, h.cycle_percent, h.numbers, h.moments_s)
    return h.instance_uid, h.instance_number, h.position, times, h.rows, h.cols, len(headers)


def looks_like_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its first bytes (PS3.10, 7.1), or by its name where it has no preamble."""
    try:
        with path.open("rb", buffering=0) as file:
            start = file.read(144)
    except OSError:
        return False
    return is_dicom(start) or path.suffix.lower() in _DICOM_ENDINGS


def read_headers(path: Path) -> list[Header] | str | None:
    """The frames of one file.

    Returns:
        Their headers; the reason why there are none; an empty list where it is DICOM and cannot be read; None where it
        is not a DICOM file.
    """
    try:
        with path.open("rb", buffering=0) as file:
            start = file.read(_FIRST_BYTES) or b""
            if not is_dicom(start):
                return [] if path.suffix.lower() in _DICOM_ENDINGS else None
            try:
                elements = read_elements(file, file.seek(0, 2), start)
            except UnusualError:
                from cmr_viewer.load.dicom.with_pydicom import read_unusual  # noqa: PLC0415 - slow to import, rarely needed

                elements = read_unusual(path)
        return _headers(path, elements)
    except (UnusualError, OSError):
        return []


def _headers(path: Path, elements: Elements) -> list[Header] | str:
    values = Values(elements.values, elements.encoding.order)
    layout = layout_of(values, elements)
    if layout == WITHOUT_IMAGE and elements.unusual:
        raise UnusualError("its header is damaged")
    if isinstance(layout, str):
        return layout
    if layout.frames > 1 or values.vector(tags.IMAGE_POSITION_PATIENT, 3) is None:
        return headers_of_frames(path, values, layout, elements)
    header = header_of(path, values, layout)
    return header if isinstance(header, str) else [header]


_MOST_INDEXES = 200
_LARGEST = 64 << 20
_LARGEST_ALL = 256 << 20
"""Bytes of all indexes together; the one of a folder of 10,000 files has about 4 MB."""
_HEADER = [f.name for f in fields(Header) if f.name not in ("path", "patient_id", "layout")]
_LAYOUT = [f.name for f in fields(PixelLayout)]
_FORM = [3, *_HEADER, *_LAYOUT]
"""What an index must have been written with. The number changes with the meaning of a field."""

_TUPLES = ("spacing", "orientation", "position", "image_type", "times_ms", "numbers", "moments_s")


def scan_indexed(files: Sequence[Path], root: Path, folder: Path | None, progress: Progress) -> Scan:
    """As `scan`, but from the saved index where the files have not changed.

    Args:
        files: The files that were gathered.
        root: What they were gathered from; the index is saved for it.
        folder: Where indexes are saved; None saves none. It is created if needed.
        progress: As in `scan`.
    """
    if folder is None:
        return scan(files, progress)
    place, digest = _place(root, folder), _digest(files)
    found = _read(place, digest, files)
    if found is not None:
        return found
    result = scan(files, progress)
    if result.any_dicom:
        _write(place, digest, files, result)
    return result


def _place(root: Path, folder: Path) -> Path:
    where = str(root.resolve()).encode("utf-8", "surrogatepass")
    return folder / f"{hashlib.blake2b(where, digest_size=16).hexdigest()}.json"


def _digest(files: Sequence[Path]) -> str:
    """A hash that changes where any file is added, removed or changed."""
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        try:
            about = os.stat(file)  # noqa: PTH116 - thousands of files, and this is the quicker call
            text = f"{file}\0{about.st_size}\0{about.st_mtime_ns}\n"
        except OSError:
            text = f"{file}\0gone\n"
        digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _read(place: Path, digest: str, files: Sequence[Path]) -> Scan | None:
    """The scan in an index, or None where it is absent, damaged, or of other files."""
    try:
        if place.stat().st_size > _LARGEST:
            return None
        first, _, text = place.read_bytes().partition(b"\n")
        if json.loads(first) != _validity(digest, text):
            return None
        body = json.loads(text)
        layouts = [PixelLayout(**dict(zip(_LAYOUT, row, strict=True))) for row in body["layouts"]]
        return Scan(
            [_header(row, files, layouts) for row in body["headers"]],
            {reason: [files[i] for i in rows] for reason, rows in body["other"].items()},
            [files[i] for i in body["unreadable"]],
            [files[i] for i in body["copies"]],
            [Note(text, Code(code)) for text, code in body["notes"]],
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, MemoryError):
        return None


def _validity(digest: str, text: bytes) -> dict[str, Any]:
    """What an index is valid for, and a checksum of its body, which shows damage."""
    return {"form": _FORM, "files": digest, "sum": zlib.crc32(text)}


def _header(row: list[Any], files: Sequence[Path], layouts: list[PixelLayout]) -> Header:
    number, layout, at, *rest = row
    known = dict(zip(_HEADER, rest, strict=True))
    for name in _TUPLES:
        known[name] = tuple(known[name])
    return Header(path=files[number], patient_id="", layout=replace(layouts[layout], at=at), **known)


def _write(place: Path, digest: str, files: Sequence[Path], result: Scan) -> None:
    """Save a scan; where that fails, the files are scanned again next time."""
    numbers = {file: number for number, file in enumerate(files)}
    layouts: dict[PixelLayout, int] = {}
    rows = []
    for header in result.headers:
        # Most layouts of a study differ in nothing but where the pixels begin.
        layout = layouts.setdefault(replace(header.layout, at=0), len(layouts))
        values = [getattr(header, name) for name in _HEADER]
        rows.append([numbers[header.path], layout, header.layout.at, *values])
    body = {
        "headers": rows,
        "layouts": [[getattr(layout, name) for name in _LAYOUT] for layout in layouts],
        "other": {reason: [numbers[p] for p in paths] for reason, paths in result.other.items()},
        "unreadable": [numbers[p] for p in result.unreadable],
        "copies": [numbers[p] for p in result.copies],
        "notes": [[note, note.code] for note in result.notes],
    }
    text = json.dumps(body, separators=(",", ":")).encode()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(json.dumps(_validity(digest, text)).encode() + b"\n" + text)
        Path(name).replace(place)
        _forget_oldest(place.parent)
    except (OSError, ValueError):
        return


def _forget_oldest(folder: Path) -> None:
    """Delete the oldest indexes beyond the space that is allowed."""
    indexes = sorted(((path, path.stat()) for path in folder.glob("*.json")), key=lambda one: -one[1].st_mtime_ns)
    size = 0
    for number, (path, about) in enumerate(indexes):
        size += about.st_size
        if number >= _MOST_INDEXES or size > _LARGEST_ALL:
            path.unlink(missing_ok=True)
