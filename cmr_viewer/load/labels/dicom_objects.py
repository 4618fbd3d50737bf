"""DICOM objects that are not images, read completely and safely."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.filereader import read_file_meta_info

from cmr_viewer.errors import LoadError
from cmr_viewer.load.dicom.headers import tolerant
from cmr_viewer.load.dicom.pixels import READ_ERRORS
from cmr_viewer.load.labels.structure_names import Concept

_DEFLATED = "1.2.840.10008.1.2.1.99"
_LARGEST_INFLATED = 512 << 20
_BEFORE_META = 132 + 12
"""Preamble, prefix and the element that gives the length of the file meta information (PS3.10, 7.1)."""
_CHUNK = 1 << 20
_MODIFIERS = ("SegmentedPropertyTypeModifierCodeSequence", "AnatomicRegionModifierSequence")


def class_of(path: Path) -> str:
    """SOP Class UID of a DICOM object; empty where the file is none or cannot be read."""
    try:
        with tolerant():
            _require_small(path)
            data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SOPClassUID"], force=True)
            return str(data.get("SOPClassUID", "") or "")
    except (LoadError, *READ_ERRORS, MemoryError, RecursionError):
        return ""


def read_object(path: Path) -> FileDataset:
    """Read an object whole.

    Raises:
        LoadError: It is compressed and decompresses to more than any such object contains.
        READ_ERRORS: It cannot be read.
    """
    _require_small(path)
    return pydicom.dcmread(path, force=True)


def concepts_of(item: Dataset, keywords: Sequence[str]) -> list[Concept]:
    """Coded concepts in sequences of an item, each behind the concepts that modify it (laterality among them).

    Args:
        item: A segment or an observation.
        keywords: Keywords of sequences of codes.
    """
    found = []
    for code in (code for keyword in keywords for code in item.get(keyword) or []):
        for one in (*(c for keyword in _MODIFIERS for c in code.get(keyword) or []), code):
            value = one.get("CodeValue") or one.get("LongCodeValue") or one.get("URNCodeValue") or ""
            scheme, meaning = one.get("CodingSchemeDesignator", ""), one.get("CodeMeaning", "")
            found.append(Concept(str(scheme or ""), str(value), str(meaning or "")))
    return found


def _require_small(path: Path) -> None:
    """Inflate a deflated data set once without storing it, so that a small file cannot fill the memory."""
    with path.open("rb") as file:
        if file.read(132)[128:] != b"DICM":
            return
        meta = read_file_meta_info(path)
        if str(meta.get("TransferSyntaxUID", "")) != _DEFLATED:
            return
        file.seek(_BEFORE_META + int(meta.FileMetaInformationGroupLength))
        inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
        data = file.read(_CHUNK)
        while data and not inflater.eof:
            size += len(inflater.decompress(data, _CHUNK))
            if size > _LARGEST_INFLATED:
                raise LoadError(f"{path.name} decompresses to more than any such object contains. It was not read.")
            data = inflater.unconsumed_tail or file.read(_CHUNK)
