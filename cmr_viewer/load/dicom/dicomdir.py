"""The files that a DICOMDIR lists: DICOM PS3.10, chapter 8, and PS3.3, annex F."""

from dataclasses import dataclass, field
from pathlib import Path

from cmr_viewer.domain.notes import Code, Note, counted
from cmr_viewer.load.dicom.elements import READ_ERRORS

_MEDIA_STORAGE_DIRECTORY = b"1.2.840.10008.1.3.10"
_LARGEST = 256 << 20


@dataclass
class Referenced:
    """What a DICOMDIR lists.

    Attributes:
        files: Those of its files that exist, in its order.
        notes: What a reader should know.
    """

    files: list[Path] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def is_dicomdir(path: Path) -> bool:
    """Whether a file has the name DICOMDIR, or is one by its SOP Class."""
    if path.name.upper() in ("DICOMDIR", "DICOMDIR."):
        return True
    try:
        with path.open("rb", buffering=0) as file:
            start = file.read(512)
    except OSError:
        return False
    return start[128:132] == b"DICM" and _MEDIA_STORAGE_DIRECTORY in start


def referenced_files(path: Path) -> Referenced | str:
    """Look up the files that a DICOMDIR lists.

    Names are looked up without regard to case, with or without the version (;1) that old discs add.

    Returns:
        The files, or what is wrong where none is found.
    """
    from cmr_viewer.load.dicom.with_pydicom import referenced_file_ids  # noqa: PLC0415 - slow to import, rarely needed

    try:
        if path.stat().st_size > _LARGEST:
            return "is too large for the index of a disc"
        names = referenced_file_ids(path)
    except READ_ERRORS:
        return "could not be read"
    if not names:
        return "lists no files"
    found, missing, unsafe = Referenced(), 0, 0
    folders: dict[Path, dict[str, Path]] = {}
    for parts in names:
        if not all(_is_plain(part) for part in parts):
            unsafe += 1
            continue
        file = _look_up(path.parent, parts, folders)
        if file is None:
            missing += 1
        elif file not in found.files[-1:]:
            found.files.append(file)
    if not found.files:
        return "lists only files that are missing"
    if missing:
        text = f"Missing: {missing} of {counted(len(names), 'file')} listed in {path.name}."
        found.notes.append(Note(text, Code.FILES_MISSING))
    if unsafe:
        text = f"Left out {counted(unsafe, 'file')} that {path.name} lists outside its folder."
        found.notes.append(Note(text, Code.FILES_MISSING))
    return found


def _is_plain(part: str) -> bool:
    return bool(part.strip()) and part not in (".", "..") and ":" not in part and "\0" not in part


def _look_up(folder: Path, parts: tuple[str, ...], folders: dict[Path, dict[str, Path]]) -> Path | None:
    here = folder
    for part in parts:
        if here not in folders:
            try:
                folders[here] = {_bare(entry.name): entry for entry in here.iterdir()}
            except OSError:
                folders[here] = {}
        inside = folders[here].get(_bare(part))
        if inside is None:
            return None
        here = inside
    return here if here.is_file() else None


def _bare(name: str) -> str:
    return name.upper().partition(";")[0].rstrip(".")
