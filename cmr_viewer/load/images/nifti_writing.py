"""Write a NIfTI image so that the same image gives the same bytes, and so that a reader can cancel it."""

import gzip
from contextlib import ExitStack
from io import UnsupportedOperation
from pathlib import Path
from typing import Any, BinaryIO, cast

from cmr_viewer.progress import Progress

_LEVEL = 1
"""Of gzip, as nibabel has it: pixels are noise to it, and label maps are small at any level."""


class _Told:
    """A file that reports how much of it is written; nibabel accepts any object with `read` and `write` as a file."""

    def __init__(self, file: BinaryIO, size: int, progress: Progress) -> None:
        self._file, self._size, self._progress = file, size, progress

    def write(self, data: bytes) -> int:
        self._progress(min(1.0, self.tell() / self._size), "Writing NIfTI")
        return self._file.write(data)

    def read(self, size: int = -1) -> bytes:
        raise UnsupportedOperation("not readable")

    def seek(self, place: int, whence: int = 0) -> int:
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()


def write_image(path: Path, image: Any, progress: Progress) -> None:
    """Write an image of nibabel.

    Args:
        path: The file; gzipped where it ends in `.gz`. Neither its name nor the time is written into it.
        image: A single-file NIfTI image.
        progress: Told after each piece of it.

    Raises:
        OSError: The file cannot be written.
        Cancelled: `progress` asked to stop; the file is then incomplete.
    """
    with ExitStack() as stack:
        file: BinaryIO = stack.enter_context(path.open("wb"))
        if path.name.lower().endswith(".gz"):
            zipped = gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0)
            file = cast(BinaryIO, stack.enter_context(zipped))
        image.to_stream(_Told(file, max(1, image.dataobj.nbytes), progress))
