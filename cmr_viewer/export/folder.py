"""A folder of exported files that is written completely or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cmr_viewer.errors import StoreError
from cmr_viewer.store.atomic import sync_folder


@contextmanager
def new_files_in(folder: Path, names: Sequence[str], *, replace: bool) -> Iterator[Path]:
    """A place to write files and folders to that are moved into a folder when all of them are there.

    Other files in the folder stay as they are.

    Args:
        folder: Where they belong; made if missing.
        names: Of the files and folders that are to be written.
        replace: Whether existing ones may be replaced.

    Yields:
        An empty folder beside it, removed again if anything fails.

    Raises:
        StoreError: Some exist and may not be replaced, or they cannot be written or moved.
    """
    _refuse_existing(folder, names, replace=replace)
    staging = folder.with_name(f".part-{secrets.token_hex(4)}-{folder.name}")
    try:
        try:
            staging.mkdir(parents=True)
        except OSError as error:
            raise StoreError(
                f"Could not create the folder {folder}: {error.strerror or error}. Free some space, make the folder "
                "above it writable, or choose another one."
            ) from error
        yield staging
        _refuse_existing(folder, names, replace=replace)
        _move(staging, folder)
    except StoreError as error:
        # What failed was written beside the folder that the reader knows.
        raise StoreError(str(error).replace(str(staging), str(folder))) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _refuse_existing(folder: Path, names: Sequence[str], *, replace: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file. Choose a folder to export to.")
    there = [name for name in names if os.path.lexists(folder / name)]
    if there and not replace:
        raise StoreError(
            f"{folder} already contains {', '.join(there)}. Nothing was written. Choose another folder, or allow these "
            "files to be replaced."
        )


def _move(staging: Path, folder: Path) -> None:
    """Move everything over; each file and folder is the complete old or new one."""
    moved: list[str] = []
    try:
        if not folder.exists():
            staging.rename(folder)
        else:
            for path in sorted(staging.iterdir()):
                _take_place(path, folder / path.name)
                moved.append(path.name)
            sync_folder(folder)
        sync_folder(folder.parent)
    except OSError as error:
        done = f"New: {', '.join(moved)}. The rest is unchanged." if moved else "Nothing was changed."
        raise StoreError(
            f"The files could not be moved into {folder}: {error.strerror or error}. {done} Make the folder writable "
            "or choose another one, and export again."
        ) from error


def _take_place(path: Path, target: Path) -> None:
    if not target.is_dir() or target.is_symlink():
        path.replace(target)
        return
    aside = target.with_name(f".old-{secrets.token_hex(4)}-{target.name}")
    target.rename(aside)
    try:
        path.rename(target)
    except OSError:
        with suppress(OSError):
            aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)
