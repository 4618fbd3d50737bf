"""The files that a reader opened, below a folder, in an archive or listed by a DICOMDIR; and studies among image files.

A DICOMDIR is the index of a disc: DICOM PS3.10, chapter 8, and PS3.3, annex F.

Sets of image files come in many layouts: a folder for each patient, images and labels in folders of their own
(nnU-Net's imagesTr and labelsTr), or image and label map side by side. A label map is recognised by its name, by that
of its folder, or by a few whole numbers as its only values.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from cmr_viewer.domain.notes import Code, Note, counted, listed
from cmr_viewer.errors import LoadError
from cmr_viewer.load.dicom.elements import READ_ERRORS
from cmr_viewer.load.names import (
    CINE,
    ITK_ENDINGS,
    LABEL_WORDS,
    NIFTI_ENDINGS,
    MarkedFile,
    names_labels,
    recognise_file,
    recognise_patient,
)
from cmr_viewer.load.unzip import is_archive, unpack
from cmr_viewer.progress import Progress, paced, silent

_NOT_WALKED = frozenset({"__MACOSX", "$RECYCLE.BIN", "System Volume Information"})
_MOST_OTHERS = 20


@dataclass(eq=False)
class Gathered:
    """Files, and where they are while this is open. A context manager: what was unpacked is removed at its end.

    Attributes:
        files: The files, folder by folder, in the order of their names.
        root: The folder that they are in: the one pointed at, or where an archive was unpacked.
        notes: What a reader should know.
        archive: The archive that they were unpacked from, or None.
        names: Of an archive: the name inside it of each file that was unpacked.
        wanted: Of a path inside an archive: the folder or file that was unpacked from there.
    """

    files: tuple[Path, ...]
    root: Path
    notes: tuple[Note, ...] = ()
    archive: Path | None = None
    names: Mapping[Path, str] = field(default_factory=dict)
    wanted: Path | None = None
    _unpacked: "TemporaryDirectory[str] | None" = None

    def __enter__(self) -> "Gathered":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was unpacked; the files are gone then."""
        if self._unpacked is not None:
            self._unpacked.cleanup()
            self._unpacked = None

    def source_of(self, path: Path) -> Path:
        """Where a file is for a reader: inside an archive, the archive's path followed by the name inside it."""
        if self.archive is None:
            return path
        if path in self.names:
            return self.archive / self.names[path]
        # A folder that was unpacked: its name inside follows from those of the files below it.
        inside = next((file for file in self.files if path in file.parents), None)
        if inside is None:
            return self.archive / path.name
        return self.source_of(inside).parents[len(inside.relative_to(path).parts) - 1]

    def others_note(self, what: str, opened: Path, others: Sequence[Path]) -> Note:
        """Which of several patients or studies is opened, and where the others are."""
        base = self.archive or self.root
        sources = [self.source_of(path) for path in (opened, *others)]
        names = [path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name for path in sources]
        text = f"{base.name} contains {len(names)} {what}. Opened: {names[0]}. Open the others separately: "
        return Note(f"{text}{listed(names[1:], _MOST_OTHERS)}.", Code.MANY_PATIENTS)


def gather(path: Path, progress: Progress = silent) -> Gathered:
    """Find the files that may belong to a study.

    Args:
        path: A folder, a zip archive, a folder or file inside one, a DICOMDIR, or another file, which is gathered
            alone.
        progress: Called with how far the work is.

    Returns:
        The files; to be closed.

    Raises:
        LoadError: The path cannot be read, or the archive is damaged, locked, or not safe to unpack.
        Cancelled: `progress` asked to stop.
    """
    progress(0.0, "Looking for files")
    try:
        if (archive := archive_of(path)) is not None:
            return _inside(archive, path, progress)
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise LoadError(f"Could not read {path}. Check the path and your permission to open it.") from error
    if stat.S_ISDIR(mode):
        return _folder(path, progress)
    if not stat.S_ISREG(mode):
        raise LoadError(
            f"{path.name} is a device or a pipe, not a file. Open a folder, an image file or a zip archive."
        )
    if is_archive(path):
        return _archive(path, progress)
    if is_dicomdir(path):
        return _dicomdir(path, progress)
    return Gathered((path,), path.parent)


def archive_of(path: Path) -> Path | None:
    """The archive that a path leads into, such as `export.zip/patient 2`; None for one that leads into none."""
    if path.exists():
        return None
    return next((folder for folder in path.parents if folder.is_file() and is_archive(folder)), None)


def _inside(archive: Path, path: Path, progress: Progress) -> Gathered:
    """The files below a folder inside an archive, or those in the folder of a file inside it."""
    whole = _archive(archive, progress)
    try:
        found = {whole.source_of(file): file for file in whole.files}
        wanted = found.get(path)
        folder = path if wanted is None else path.parent
        files = tuple(file for source, file in found.items() if folder in source.parents)
        if not files:
            raise LoadError(f"{archive.name} contains nothing at {path.relative_to(archive)}. Check the path.")
        if wanted is None:
            steps = len(whole.source_of(files[0]).relative_to(path).parts)
            wanted = files[0].parents[steps - 1]
        root = wanted if wanted not in files else wanted.parent
        return replace(whole, files=files, root=root, wanted=wanted)
    except BaseException:
        whole.close()
        raise


def _folder(path: Path, progress: Progress) -> Gathered:
    walk = _FolderSearch(progress)
    files = tuple(walk.files(path))
    if walk.denied and not files and walk.denied[0] == path:
        raise LoadError(f"Could not read the folder {path}. Check your permission to open it.")
    return Gathered(files, path, walk.notes())


def _archive(path: Path, progress: Progress) -> Gathered:
    # No one else can read it: the standard library makes temporary folders with a mode of 0700.
    folder = TemporaryDirectory(prefix="cmr-viewer-", ignore_cleanup_errors=True)
    try:
        unpacked = unpack(path, Path(folder.name), progress)
    except BaseException:
        folder.cleanup()
        raise
    files = tuple(sorted(unpacked.names, key=lambda file: unpacked.names[file]))
    return Gathered(files, Path(folder.name), tuple(unpacked.notes), path, unpacked.names, _unpacked=folder)


def _dicomdir(path: Path, progress: Progress) -> Gathered:
    """The files that a DICOMDIR lists; where it is damaged, all files in its folder and below."""
    found = _listed_in(path)
    if not isinstance(found, str):
        return found
    whole = _folder(path.parent, progress)
    note = Note(f"{path.name} {found}. All files in its folder were searched instead.", Code.FILES_MISSING)
    return replace(whole, notes=(note, *whole.notes))


class _FolderSearch:
    """Goes through folders; it neither follows links nor opens anything but files."""

    def __init__(self, progress: Progress) -> None:
        self._progress = paced(progress)
        self._found = 0
        self.denied: list[Path] = []
        self.links: list[Path] = []

    def files(self, folder: Path) -> Iterator[Path]:
        """The files of a folder and of those inside it."""
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            inside = []
            for entry in self._entries(here):
                self._report()
                if entry.name.startswith(".") or entry.name in _NOT_WALKED:
                    continue
                kind = self._kind(entry)
                if kind == "folder":
                    inside.append(here / entry.name)
                elif kind == "file":
                    self._found += 1
                    yield here / entry.name
            waiting.extend(reversed(inside))

    def _entries(self, folder: Path) -> "list[os.DirEntry[str]]":
        entries = []
        try:
            with os.scandir(folder) as found:
                for entry in found:
                    self._report()
                    entries.append(entry)
        except OSError:
            self.denied.append(folder)
        return sorted(entries, key=lambda entry: entry.name)

    def _kind(self, entry: "os.DirEntry[str]") -> str:
        """Folder, file, or nothing to read: links to folders, pipes, devices, what may not be read."""
        try:
            if entry.is_dir(follow_symlinks=False):
                # Windows' junctions count as folders.
                if not getattr(entry, "is_junction", bool)():
                    return "folder"
            elif entry.is_file():
                return "file"
            elif not entry.is_dir():
                return ""
        except OSError:
            return ""
        self.links.append(Path(entry.path))
        return ""

    def _report(self) -> None:
        self._progress(0.0, f"Looking for files: {self._found} found")

    def notes(self) -> tuple[Note, ...]:
        """What a reader should know."""
        kinds = (("links to folders", self.links), ("folders that could not be read", self.denied))
        texts = (f"Not searched: {kind} ({listed([path.name for path in paths])})." for kind, paths in kinds if paths)
        return tuple(Note(text, Code.FOLDERS_NOT_SEARCHED) for text in texts)


_MEDIA_STORAGE_DIRECTORY = b"1.2.840.10008.1.3.10"
_LARGEST_DIRECTORY = 256 << 20


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


def _listed_in(path: Path) -> Gathered | str:
    """The files that a DICOMDIR lists, in its order, or what is wrong where none is found.

    Names are looked up without regard to case, with or without the version (;1) that old discs add.
    """
    from cmr_viewer.load.dicom.with_pydicom import referenced_file_ids  # noqa: PLC0415 - slow to import, rarely needed

    try:
        if path.stat().st_size > _LARGEST_DIRECTORY:
            return "is too large for the index of a disc"
        names = referenced_file_ids(path)
    except READ_ERRORS:
        return "could not be read"
    if not names:
        return "lists no files"
    files: list[Path] = []
    missing = unsafe = 0
    folders: dict[Path, dict[str, Path]] = {}
    for parts in names:
        if not all(_is_plain(part) for part in parts):
            unsafe += 1
            continue
        file = _look_up(path.parent, parts, folders)
        if file is None:
            missing += 1
        elif file not in files[-1:]:
            files.append(file)
    if not files:
        return "lists only files that are missing"
    texts = []
    if missing:
        texts.append(f"Missing: {missing} of {counted(len(names), 'file')} listed in {path.name}.")
    if unsafe:
        texts.append(f"Left out {counted(unsafe, 'file')} that {path.name} lists outside its folder.")
    return Gathered(tuple(files), path.parent, tuple(Note(text, Code.FILES_MISSING) for text in texts))


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


IMAGE_ENDINGS = (*NIFTI_ENDINGS, *ITK_ENDINGS)

_LABEL_FOLDER = re.compile(rf"({LABEL_WORDS})(Tr|Ts|Va)?", re.IGNORECASE)
_MOST_CODES = 16
_BYTES_OF_A_LABEL = 0.12
"""A gzipped image has more bytes a voxel: its noise cannot be compressed."""


def image_studies(files: Sequence[Path]) -> list[Path]:
    """The studies among files: folders of patients in a known layout, and image files that are a study each.

    They are in the order of the files, without label maps; files of other kinds are skipped.
    """
    by_folder: dict[Path, list[Path]] = {}
    for path in files:
        if path.name.lower().endswith(IMAGE_ENDINGS):
            by_folder.setdefault(path.parent, []).append(path)
    found: list[Path] = []
    for folder, inside in by_folder.items():
        if recognise_patient(folder):
            found.append(folder)
        elif not _LABEL_FOLDER.fullmatch(folder.name):
            found += [path for path in _one_of_each_patient(inside) if not _is_label_map(path)]
    return found


def _one_of_each_patient(files: Sequence[Path]) -> list[Path]:
    """Files without those that belong to another: ED and ES to the cine, voxels to their header."""
    marked: dict[str, MarkedFile] = {}
    for path in files:
        known = recognise_file(path)
        if known is not None and (known.patient not in marked or known.mark == CINE):
            marked[known.patient] = known
    names = {path.name.lower() for path in files}
    left = []
    for path in files:
        known = recognise_file(path)
        header = re.sub(r"\.img(\.gz)?$", r".hdr\1", path.name.lower())
        has_header = header != path.name.lower() and header in names
        if not has_header and (known is None or marked[known.patient].image == path):
            left.append(path)
    return left


def _is_label_map(path: Path) -> bool:
    """Whether an image file is a label map: by its name, or by its voxels where it is packed as no image can be."""
    if names_labels(path):
        return True
    if not path.name.lower().endswith(NIFTI_ENDINGS):
        return False
    # The library is slower to import than most folders to search.
    import numpy as np  # noqa: PLC0415

    from cmr_viewer.load.images.nifti import (  # noqa: PLC0415
        READ_ERRORS,
        open_checked,
        quiet,
        read_volume,
    )

    try:
        with quiet():
            image, _ = open_checked(path)
        if path.name.lower().endswith(".gz") and path.stat().st_size > _BYTES_OF_A_LABEL * np.prod(image.shape):
            return False
        voxels = np.unique(read_volume(path).voxels)
    except (LoadError, *READ_ERRORS):
        return False
    return 1 < len(voxels) <= _MOST_CODES and bool((voxels >= 0).all() and (voxels == np.rint(voxels)).all())
