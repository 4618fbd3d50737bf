"""Which of many files are frames of stacks: a scan of their headers."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cmr_viewer.domain.notes import Code, Note, counted
from cmr_viewer.load.dicom import tags
from cmr_viewer.load.dicom.elements import Elements, UnusualError, is_dicom, read_elements
from cmr_viewer.load.dicom.headers import Header, header_of
from cmr_viewer.load.dicom.layout import WITHOUT_IMAGE, layout_of
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
