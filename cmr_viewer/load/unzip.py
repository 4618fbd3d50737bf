"""Unpack what may be a study from a zip archive, safely.

Names inside the archive are never trusted: each becomes a path below the given folder, or is left out. Sizes are those
that the archive states, checked before anything is written and held while it is.
"""

import re
import shutil
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from cmr_viewer.domain.notes import Code, Note, counted
from cmr_viewer.errors import LoadError
from cmr_viewer.load.dicom.elements import is_dicom
from cmr_viewer.progress import Progress, paced

MOST_BYTES = 64 << 30
"""Unpacked bytes that are accepted at all."""

MOST_RATIO = 200
"""Unpacked by packed bytes that are accepted of a large archive; images come to less than 20."""

_LARGE = 256 << 20
_MOST_ENTRIES = 200_000
_ROOM_LEFT = 256 << 20
_CHUNK = 1 << 20
_LOCKED = 0x1
_ENDINGS = (
    *(".dcm", ".ima", ".dicom", ".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr", ".raw", ".zraw", ".img", ".hdr"),
    *(".txt", ".cfg", ".json", ".xml", ".cvi42wsx", ".cvi42ws"),
)
"""What is unpacked by its name; all else only if it begins as a DICOM file does."""

_ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".iso")
_DAMAGED_TEXT = "damaged"
_UNSAFE = re.compile(r'[<>:"|?*\x00-\x1f]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


@dataclass
class Unpacked:
    """Unpacked files with their names inside the archive, and what a reader should know."""

    names: dict[Path, str] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive by its first bytes or its name, whole or not."""
    if path.suffix.lower() == ".zip":
        return True
    try:
        with path.open("rb", buffering=0) as file:
            return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except OSError:
        return False


def unpack(path: Path, folder: Path, progress: Progress) -> Unpacked:
    """Unpack what may be DICOM, another image file or contours, to an empty folder of the caller's.

    Raises:
        LoadError: The archive is damaged, locked with a password, or would become too large.
        Cancelled: `progress` asked to stop.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (*_DAMAGED, OSError, struct.error) as error:
        raise LoadError(
            f"Could not unpack {path.name}: it is incomplete or not a zip archive. Copy it again or unpack it yourself."
        ) from error
    with archive:
        # `ZipInfo.is_dir` of Python 3.11 fails on an entry without a name.
        entries = [entry for entry in archive.infolist() if entry.filename and not entry.filename.endswith("/")]
        _check(path, entries, folder)
        return _Unpacking(archive, folder, progress).unpack(path, entries)


def _check(path: Path, entries: list[zipfile.ZipInfo], folder: Path) -> None:
    """Refuse archives that are locked or bombs, before anything is written."""
    if any(entry.flag_bits & _LOCKED for entry in entries):
        raise LoadError(f"{path.name} is protected by a password. Unpack it yourself and open the folder.")
    total, packed = sum(entry.file_size for entry in entries), path.stat().st_size
    if len(entries) > _MOST_ENTRIES:
        raise LoadError(
            f"{path.name} contains {len(entries)} files. Unpack the study that you need and open its folder."
        )
    if total > MOST_BYTES or (total > _LARGE and total > MOST_RATIO * packed):
        raise LoadError(
            f"{path.name} was not unpacked: it would grow from {packed / 1e6:.1f} MB to {total / 1e9:.1f} GB, more "
            "than any study."
        )
    if total > shutil.disk_usage(folder).free - _ROOM_LEFT:
        raise LoadError(
            f"Not enough disk space to unpack {path.name}: it needs {total / 1e9:.1f} GB in {folder.parent}."
        )


class _Unpacking:
    def __init__(self, archive: zipfile.ZipFile, folder: Path, progress: Progress) -> None:
        self._archive, self._folder, self._progress = archive, folder, paced(progress)
        self._fraction = 0.0
        self._used: set[str] = set()

    def unpack(self, path: Path, entries: list[zipfile.ZipInfo]) -> Unpacked:
        """Unpack the entries that may belong to a study."""
        result = Unpacked()
        left_out: dict[str, list[str]] = {}
        for number, entry in enumerate(entries):
            self._fraction = number / len(entries)
            self._report()
            reason = self._entry(entry, result)
            if reason:
                left_out.setdefault(reason, []).append(entry.filename)
        damaged = left_out.get(_DAMAGED_TEXT, [])
        if damaged and not result.names:
            raise LoadError(f"The files in {path.name} are damaged. Copy the archive again, or unpack it yourself.")
        for reason, names in left_out.items():
            text = f"{path.name}: left out {counted(len(names), 'file')} ({reason}), such as {_last(names[0])}."
            result.notes.append(Note(text, Code.FILES_NOT_USED))
        return result

    def _entry(self, entry: zipfile.ZipInfo, result: Unpacked) -> str:
        """Unpack one file; gives why it was left out, or nothing."""
        parts = safe_parts(entry.filename)
        if reason := _refusal(entry, parts):
            return reason
        if not parts or parts[-1].startswith(".") or "__MACOSX" in parts:
            return ""
        try:
            with self._archive.open(entry) as packed:
                start = packed.read(144)
                if not entry.filename.lower().endswith(_ENDINGS) and not is_dicom(start):
                    return ""
                target = self._place(parts)
                self._write(packed, start, target, entry.file_size)
        except _DAMAGED:
            return _DAMAGED_TEXT
        except OSError as error:
            what = error.strerror or "a file could not be written"
            raise LoadError(f"Could not unpack {self._archive.filename}: {what}. Unpack it yourself.") from error
        result.names[target] = "/".join(parts)
        return ""

    def _place(self, parts: list[str]) -> Path:
        """A path below the folder that no other file has, where names differ in their case only too."""
        name, number = "/".join(parts), 1
        while name.lower() in self._used:
            number += 1
            name = "/".join([*parts[:-1], f"{number}-{parts[-1]}"])
        self._used.add(name.lower())
        target = self._folder.joinpath(*name.split("/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _write(self, packed: IO[bytes], start: bytes, target: Path, size: int) -> None:
        written = len(start)
        try:
            with target.open("xb") as file:
                file.write(start)
                while chunk := packed.read(_CHUNK):
                    written += len(chunk)
                    if written > size:
                        raise zipfile.BadZipFile("more bytes than the archive states")
                    file.write(chunk)
                    self._report()
            if written != size:
                raise zipfile.BadZipFile("fewer bytes than the archive states")
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def _report(self) -> None:
        self._progress(self._fraction, "Unpacking the archive")


def _refusal(entry: zipfile.ZipInfo, parts: list[str] | None) -> str:
    """Why a file is left out, or nothing."""
    name = entry.filename.lower()
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "links"
    if parts is None:
        return "paths outside the archive"
    if name.endswith(_ARCHIVES) and not name.endswith(_ENDINGS):
        return "nested archives"
    return "" if entry.compress_type in _METHODS else "unsupported compression"


def safe_parts(name: str) -> list[str] | None:
    """The parts of a name inside an archive as names of folders and a file, or None where it leads elsewhere.

    What some system does not allow in names is replaced, and long names are cut.
    """
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", name):
        return None
    return [_allowed(part) for part in parts if part not in ("", ".")]


def _allowed(part: str) -> str:
    cleaned = _UNSAFE.sub("_", part).rstrip(" .") or "_"
    if _RESERVED.fullmatch(cleaned):
        cleaned = "_" + cleaned
    return cleaned if len(cleaned.encode()) <= 200 else cleaned[:40] + "~" + cleaned[-40:]


def _last(name: str) -> str:
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2]
