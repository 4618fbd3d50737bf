"""The DICOM files that the frames of a stack were read from, opened again: on disk, or inside an archive."""

import logging
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, NoReturn, cast

import pydicom
import pydicom.config
from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError

from cmr_viewer.domain.study import Stack
from cmr_viewer.errors import StoreError

READ_ERRORS = (
    InvalidDicomError,
    zipfile.BadZipFile,
    OSError,
    EOFError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    TypeError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    struct.error,
    zlib.error,
)
"""What pydicom and zipfile raise for files that are cut short, damaged or gone."""

NOT_DICOM = (
    "The frames of this study do not come from DICOM files, so a DICOM object has nothing to refer to. Export its "
    "label maps as NIfTI, or its contours."
)


def require_dicom_sources(stack: Stack) -> None:
    """Raise unless each frame of a stack is known to come from a DICOM file.

    Raises:
        StoreError: It is not.
    """
    sources = [source for phase in stack.frame_sources for source in phase]
    if not sources or not any(source.class_uid or source.instance_uid for source in sources):
        raise StoreError(NOT_DICOM)


def paths_of(stack: Stack) -> list[Path]:
    """The files of a stack, each once, phase by phase and base to apex."""
    return list(dict.fromkeys(source.path for phase in stack.frame_sources for source in phase))


@contextmanager
def tolerant() -> Iterator[None]:
    """Read values that the standard does not allow, without warnings that could quote them."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), pydicom.config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


class SourceReader:
    """Reads source files, within `tolerant`; a context manager that holds an archive open between its files."""

    def __init__(self) -> None:
        self._archive: tuple[Path, zipfile.ZipFile, dict[str, str]] | None = None

    def __enter__(self) -> "SourceReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._archive is not None:
            self._archive[1].close()
            self._archive = None

    def read(self, path: Path, keywords: list[str] | None = None) -> FileDataset:
        """Read a file.

        Args:
            path: The file; inside an archive, the archive's path followed by the name inside it.
            keywords: The elements that are needed, the pixels never among them; None for the whole file.

        Raises:
            StoreError: It cannot be read.
        """
        try:
            with self._opened(path) as file:
                return pydicom.dcmread(
                    file, force=True, stop_before_pixels=keywords is not None, specific_tags=keywords
                )
        except READ_ERRORS as error:
            _refuse(path, error)

    def _opened(self, path: Path) -> BinaryIO:
        archive = next((parent for parent in path.parents if parent.is_file()), None)
        if archive is None:
            return path.open("rb")
        if self._archive is None or self._archive[0] != archive:
            self.__exit__(None, None, None)
            opened = zipfile.ZipFile(archive)
            # Names are brought into the system's own form when an archive is unpacked.
            names = {str(PurePosixPath(n.replace("\\", "/").lstrip("/"))): n for n in opened.namelist()}
            self._archive = (archive, opened, names)
        _, opened, names = self._archive
        name = names.get(path.relative_to(archive).as_posix())
        if name is None:
            raise FileNotFoundError(path)
        return cast(BinaryIO, opened.open(name))


def _refuse(path: Path, error: BaseException) -> NoReturn:
    reason = "it is missing" if isinstance(error, FileNotFoundError) else f"it could not be read ({error})"
    raise StoreError(
        f"The source image {path.name} is needed for the export, but {reason}. Move the study back to where it "
        "was opened from, or export without DICOM."
    ) from error
