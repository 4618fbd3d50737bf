"""Files that are written completely or not at all."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from cmr_viewer.errors import StoreError


def write_atomically(path: Path, content: bytes | Callable[[BinaryIO], object]) -> None:
    """Write a file so that it is always the complete old one or the complete new one; on disk when this returns.

    Args:
        path: The file; its folder is made if missing.
        content: The bytes, or a function that writes them to the open file.

    Raises:
        StoreError: It cannot be written; the old file is unchanged.
    """

    def write(beside: Path) -> None:
        with beside.open("xb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                content(file)

    write_file_atomically(path, write)


def write_file_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """As `write_atomically`, for what can only be written to a path.

    Args:
        path: The file; its folder is made if missing.
        write: Called with a path beside it that ends as it does, where it makes the file.

    Raises:
        StoreError: It cannot be written; the old file is unchanged.
    """
    path = Path(path)
    beside = path.with_name(f".part-{secrets.token_hex(4)}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(beside)
            with beside.open("rb+") as file:
                os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(
            f"The file {path} could not be written: {error.strerror or error}. The earlier version is unchanged. "
            "Free some space, make the folder writable, or choose another one."
        ) from error


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder last through a loss of power; does nothing where the system has no such call."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
