"""A whole copy of a workspace in another place, with what could not be saved in its own."""

import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from cmr_viewer.errors import StoreError
from cmr_viewer.store.annotations import AnnotationStore, Work
from cmr_viewer.store.database import DATABASE_NAME, MODELS_NAME, STAGING_PREFIX, Workspace, open_workspace


@dataclass(frozen=True, eq=False)
class Unsaved:
    """Work of a study that is not on disk.

    Attributes:
        stack_id: Its stack, known to the workspace.
        read_id: The read; None for the first.
        work: The work.
    """

    stack_id: str
    read_id: int | None
    work: Work


def save_elsewhere(workspace: Workspace, folder: Path, unsaved: Sequence[Unsaved]) -> Path:
    """Copy a workspace with its database and models, and save work in the copy.

    The copy is a workspace like any other: the program opens it by its folder. What is at its own place is only read.

    Args:
        workspace: The workspace, whose own folder may be full.
        folder: Where to; must not exist. Nothing of it is left where it cannot be written whole.
        unsaved: The work, in the order in which it was done.

    Returns:
        The folder.

    Raises:
        StoreError: The folder exists, or cannot be written; or the workspace cannot be read.
    """
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise StoreError(f"Could not create {folder}: {error}. Choose another folder.") from error
    try:
        _copy_database(workspace, folder)
        if workspace.models_folder.is_dir():
            left_out = shutil.ignore_patterns(f"{STAGING_PREFIX}*")
            shutil.copytree(workspace.models_folder, folder / MODELS_NAME, ignore=left_out)
        with open_workspace(folder, reader=workspace.reader) as copy:
            store = AnnotationStore(copy)
            for one in unsaved:
                store.save(one.stack_id, one.work, read_id=one.read_id)
    except (OSError, shutil.Error, sqlite3.Error) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise StoreError(f"The workspace could not be copied to {folder}: {error}. Choose another folder.") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def _copy_database(workspace: Workspace, folder: Path) -> None:
    with workspace.read() as connection:
        source = cast(sqlite3.Connection, connection.connection.dbapi_connection)
        target = sqlite3.connect(folder / DATABASE_NAME)
        try:
            source.backup(target)
        finally:
            target.close()
