"""Files that pydicom reads: objects that are not images, and files that are encoded in an unusual way.

pydicom is slow to import, so what opens a study imports this module only where it needs it.
"""

import io
import logging
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pydicom.config
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_file_meta_info

from cmr_viewer.errors import LoadError
from cmr_viewer.load.dicom import tags
from cmr_viewer.load.dicom.elements import DEFLATED, MOST_INFLATED, READ_ERRORS, Elements, Encoding, UnusualError

_MOST_UNUSUAL = 8 << 20
"""Bytes of a file among which pydicom looks for its header: of zeros it would make an element of each eight."""

_BEFORE_META = 132 + 12
"""Preamble, prefix and the element that gives the length of the file meta information (PS3.10, 7.1)."""

_META_BYTES = 1 << 16
_CHUNK = 1 << 20


class _Quiet:
    """pydicom's warnings, switched off while any thread reads; threads may come and go in any order."""

    def __init__(self) -> None:
        self._lock, self._readers, self._undo = threading.Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._readers += 1
            if self._readers > 1:
                return
            logger = logging.getLogger("pydicom")
            self._undo.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL)
            self._undo.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
            self._undo.enter_context(pydicom.config.disable_value_validation())

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._readers -= 1
            if not self._readers:
                self._undo.close()


_QUIET = _Quiet()


@contextmanager
def tolerant() -> Iterator[None]:
    """Read files without pydicom's warnings about values that the standard does not allow.

    Anonymised files are full of them, a reader can do nothing about them, and they can quote the file.

    Raises:
        ValueError: In place of pydicom's own exceptions, which have no other base than Exception.
    """
    with _QUIET:
        try:
            yield
        except (BytesLengthException, InvalidDicomError) as error:
            raise ValueError("pydicom could not read it") from error


def class_of(path: Path) -> str:
    """SOP Class UID of a DICOM object; empty where the file is not DICOM or cannot be read."""
    try:
        with tolerant():
            _require_small(path)
            data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"], force=True)
            return str(data.get("SOPClassUID", "") or "")
    except (LoadError, RecursionError, *READ_ERRORS):
        return ""


@contextmanager
def read_object(path: Path, what: str) -> Iterator[FileDataset]:
    """An object, read whole, for as long as its elements are read: pydicom converts them one by one.

    Args:
        path: The file.
        what: What it should be, for messages: "an RT Structure Set".

    Raises:
        LoadError: It, or an element that is read within, cannot be read; or it is compressed and decompresses to more
            than any such object contains.
    """
    try:
        with tolerant():
            _require_small(path)
            yield pydicom.dcmread(path, force=True)
    except (RecursionError, *READ_ERRORS) as error:
        raise LoadError(f"Could not read {path.name} as {what} ({type(error).__name__}). Check the file.") from error


def _require_small(path: Path) -> None:
    """Inflate a deflated data set once without storing it, so that a small file cannot fill the memory."""
    with path.open("rb") as file:
        if file.read(132)[128:] != b"DICM":
            return
        meta = read_file_meta_info(path)
        if str(meta.get("TransferSyntaxUID", "")) != DEFLATED:
            return
        file.seek(_BEFORE_META + int(meta.FileMetaInformationGroupLength))
        inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
        data = file.read(_CHUNK)
        while data and not inflater.eof:
            size += len(inflater.decompress(data, _CHUNK))
            if size > MOST_INFLATED:
                raise LoadError(f"{path.name} decompresses to more than any such object contains. It was not read.")
            data = inflater.unconsumed_tail or file.read(_CHUNK)


def referenced_file_ids(path: Path) -> list[tuple[str, ...]]:
    """The parts of each path that a DICOMDIR lists: Referenced File ID (0004,1500).

    Raises:
        READ_ERRORS: It cannot be read.
    """
    names = []
    with path.open("rb") as file:
        if DEFLATED.encode() in file.read(_META_BYTES):
            # It never is (PS3.10, 8.6), and pydicom would inflate whatever there is.
            raise ValueError("its data set is deflated")
    with tolerant():
        records: Any = pydicom.dcmread(path, force=True).get("DirectoryRecordSequence") or []
        for record in records:
            if value := record.get("ReferencedFileID"):
                parts = [value] if isinstance(value, str) else value
                # Some writers put a whole path into one part.
                names.append(tuple(piece for part in parts for piece in str(part).replace("/", "\\").split("\\")))
    return names


def pixel_data(path: Path) -> tuple[bytes, bool]:
    """Pixel Data (7FE0,0010) of a file, and whether they are encapsulated.

    Raises:
        READ_ERRORS: It cannot be read.
    """
    with tolerant():
        data = pydicom.dcmread(path, force=True)
        return data.PixelData, bool(getattr(data["PixelData"], "is_undefined_length", False))


def read_unusual(path: Path) -> Elements:
    """The elements of a file that is encoded in an unusual way; where its pixels are remains unknown.

    Raises:
        UnusualError: pydicom cannot read it either.
        OSError: The file cannot be read.
    """
    values: dict[int, bytes] = {}
    with path.open("rb") as file:
        content = file.read(_MOST_UNUSUAL)
    if DEFLATED.encode() in content:
        # pydicom inflates whatever there is, up to a thousand times the file.
        raise UnusualError("its deflated data set is damaged")
    try:
        with tolerant():
            data = pydicom.dcmread(
                io.BytesIO(content), stop_before_pixels=True, specific_tags=sorted(tags.WANTED), force=True
            )
            implicit, little = data.original_encoding
            for tag in data.keys():  # noqa: SIM118 - the values themselves would be converted
                element: Any = data.get_item(tag)
                if isinstance(element, RawDataElement) and element.value is not None:
                    values[int(tag)] = bytes(element.value)
            syntax = str(getattr(data.file_meta, "TransferSyntaxUID", ""))
    except READ_ERRORS as error:
        raise UnusualError("it could not be read") from error
    if not values:
        raise UnusualError("it contains no known elements")
    encoding = Encoding(not implicit, "<" if little or little is None else ">")
    size = path.stat().st_size
    return Elements(values, encoding, syntax, 0x7FE00010, b"", -1, size, size, 0, deflated=False, unusual=True)
