"""The workspace: one folder, one SQLite database, one program at a time.

    <workspace>/workspace.db      everything that is saved (tables in `store.tables`)
    <workspace>/workspace.lock    held while a program may write
    <workspace>/models/<id>/      retrained models; `.staging-*` are models in the making

Each change is one transaction, on disk before the call returns (WAL, synchronous=FULL). A program that is killed leaves
the database as it was after the last call that returned; the next one to open the workspace reports what it found.
"""

import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import filelock
from sqlalchemy import URL, Connection, Engine, create_engine, event, func, insert, select, tuple_, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from cmr_viewer.domain.patient_key import identifies_no_one, is_of_generic_name, patient_key_at
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import StoreError, WorkspaceInUseError
from cmr_viewer.store import tables
from cmr_viewer.store.tables import is_unfinished, now_text

DATABASE_NAME = "workspace.db"
LOCK_NAME = "workspace.lock"
MODELS_NAME = "models"
STAGING_PREFIX = ".staging-"
BUSY_TIMEOUT_MS = 10_000


@dataclass(frozen=True)
class Recovery:
    """What the last program left behind, found and dealt with when the workspace was opened.

    Attributes:
        drafts: Frames whose latest version is a draft of a session that did not close.
        interrupted_training: Roles of the training runs that had not finished; they are marked as interrupted.
        partial_models: Models in the making, or of which was not decided yet, that were removed.
        unclean: Whether a session did not close.
    """

    drafts: int = 0
    interrupted_training: tuple[Role, ...] = ()
    partial_models: int = 0
    unclean: bool = False

    def text(self) -> str:
        """What a reader should know, in words; may be empty."""
        parts: list[str] = []
        if self.unclean:
            parts.append("The program did not close properly last time. All accepted frames are saved.")
        if self.drafts:
            frames = "1 frame has" if self.drafts == 1 else f"{self.drafts} frames have"
            parts.append(f"{frames} an unfinished draft; nothing of it is lost.")
        if self.interrupted_training:
            what = " and of the ".join(role.text.lower() for role in dict.fromkeys(self.interrupted_training))
            parts.append(f"The training of the {what} was interrupted; the models in use are unchanged.")
        if self.partial_models:
            several = f"{self.partial_models} unfinished models were"
            parts.append(f"{'1 unfinished model was' if self.partial_models == 1 else several} removed.")
        return " ".join(parts)


class Workspace:
    """An open workspace; a context manager. Safe to use from several threads.

    Attributes:
        folder: Where it is.
        reader: Who reads; written next to everything that is saved.
        engine: SQLAlchemy engine; each thread takes its own connection from it.
        recovery: What the last program left behind.
        session_id: Row of this session; None where the workspace is read-only.
    """

    def __init__(
        self, folder: Path, *, reader: str, engine: Engine, lock: filelock.BaseFileLock | None, recovery: Recovery
    ) -> None:
        self.folder = folder
        self.reader = reader
        self.engine = engine
        self.recovery = recovery
        self.session_id: int | None = None
        self._file_lock = lock
        self._immediate = engine.execution_options(immediate=True)
        self._write_lock = threading.RLock()
        self._writing: Connection | None = None
        self._closed = False

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written."""
        return self._file_lock is None

    @property
    def models_folder(self) -> Path:
        """Where retrained models lie; may not exist yet."""
        return self.folder / MODELS_NAME

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one unchanging state of the database.

        Raises:
            StoreError: The workspace is closed, or the database cannot be read.
        """
        self._check_open()
        with _as_store_error(self.folder), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a transaction: all of the block is saved, or nothing of it.

        A write inside the block of another, on the same thread, belongs to that one's transaction.

        Raises:
            StoreError: The workspace is closed or read-only, the disk is full, or the database cannot be written.
        """
        if self.read_only:
            raise StoreError(f"The workspace {self.folder} is open for reading only. Nothing was saved.")
        with self._write_lock:
            self._check_open()
            if self._writing is not None:
                yield self._writing
                return
            with _as_store_error(self.folder), self._immediate.begin() as connection:
                self._writing = connection
                try:
                    yield connection
                finally:
                    self._writing = None

    def session(self) -> int:
        """Row of this session, to be written next to what is saved.

        Raises:
            StoreError: The workspace is read-only.
        """
        if self.session_id is None:
            raise StoreError(f"The workspace {self.folder} is open for reading only. Nothing was saved.")
        return self.session_id

    def stamp(self) -> dict[str, Any]:
        """Who saves something, when, and in which session: columns of all tables of readers' work.

        Raises:
            StoreError: The workspace is read-only.
        """
        return {"reader": self.reader, "created_at": now_text(), "session_id": self.session()}

    def close(self) -> None:
        """End the session and let other programs in. Closing twice does nothing.

        Raises:
            StoreError: The end of the session could not be written; the workspace is closed all the same.
        """
        with self._write_lock:
            if self._closed:
                return
            try:
                if self.session_id is not None:
                    mine = tables.sessions.c.id == self.session_id
                    with self.write() as connection:
                        connection.execute(update(tables.sessions).where(mine).values(closed_at=now_text(), clean=1))
            finally:
                self._closed = True
                self.engine.dispose()
                if self._file_lock is not None:
                    self._file_lock.release()

    def __enter__(self) -> "Workspace":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"The workspace {self.folder} is closed. Open it again.")


def open_workspace(folder: Path, *, reader: str) -> Workspace:
    """Open a workspace for reading and writing; made if it does not exist.

    Args:
        folder: The workspace.
        reader: Who reads.

    Returns:
        The workspace, with what the last program left behind in `recovery`. Close it.

    Raises:
        WorkspaceInUseError: Another program, or another part of this one, holds it.
        StoreError: The folder cannot be made or written, the database is damaged, foreign or of a newer program. The
            database file is then unchanged.
    """
    folder = Path(folder)
    lock = _take_lock(folder)
    try:
        engine = _engine(folder, mode="rwc")
        try:
            with _as_store_error(folder):
                return _start_session(folder, reader, engine, lock)
        except BaseException:
            engine.dispose()
            raise
    except BaseException:
        lock.release()
        raise


def open_workspace_readonly(folder: Path) -> Workspace:
    """Open a workspace for reading, also while another program holds it.

    Args:
        folder: The workspace.

    Returns:
        A workspace whose `write()` raises. Close it.

    Raises:
        StoreError: There is no workspace, or the database is damaged, foreign or of a newer program.
    """
    folder = Path(folder)
    if not (folder / DATABASE_NAME).is_file():
        raise StoreError(f"There is no workspace in {folder}: the file {DATABASE_NAME} is missing.")
    # SQLite reads a database in a folder that cannot be written only as immutable.
    sealed = not os.access(folder, os.W_OK) and not (folder / f"{DATABASE_NAME}-wal").exists()
    engine = _engine(folder, mode="ro&immutable=1" if sealed else "ro")
    try:
        with _as_store_error(folder), engine.begin() as connection:
            version = _known_version(connection, folder)
        if version == 0:
            raise StoreError(f"The workspace {folder} is empty. Open it in the window first.")
        if version < tables.SCHEMA_VERSION:
            raise StoreError(
                f"The workspace {folder} was written by an earlier version of the program. Open it once in the window "
                "to update it; nothing is lost."
            )
    except BaseException:
        engine.dispose()
        raise
    return Workspace(folder, reader="", engine=engine, lock=None, recovery=Recovery())


@contextmanager
def copied_workspace(workspace: Workspace, folder: Path) -> Iterator[Workspace]:
    """Copy a workspace with its database and models; the block may add to the copy, which is closed after it.

    The copy is a workspace like any other: the program opens it by its folder. What is at its own place is only read.

    Args:
        workspace: The workspace, whose own folder may be full.
        folder: Where to; must not exist. Nothing of it is left where it cannot be written whole, or the block raises.

    Raises:
        StoreError: The folder exists, or cannot be written; or the workspace cannot be read.
    """
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise StoreError(f"Could not create {folder}: {error}. Choose another folder.") from error
    try:
        with workspace.read() as connection:
            source = cast(sqlite3.Connection, connection.connection.dbapi_connection)
            with closing(sqlite3.connect(folder / DATABASE_NAME)) as target:
                source.backup(target)
        if workspace.models_folder.is_dir():
            left_out = shutil.ignore_patterns(f"{STAGING_PREFIX}*")
            shutil.copytree(workspace.models_folder, folder / MODELS_NAME, ignore=left_out)
        with open_workspace(folder, reader=workspace.reader) as copy:
            yield copy
    except (OSError, shutil.Error, sqlite3.Error) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise StoreError(f"The workspace could not be copied to {folder}: {error}. Choose another folder.") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def create_schema(connection: Connection) -> None:
    """Make all tables and triggers in an empty database, within the connection's transaction."""
    tables.metadata.create_all(connection)
    for statement in tables.append_only_triggers():
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql(f"PRAGMA application_id = {tables.APPLICATION_ID}")
    connection.exec_driver_sql(f"PRAGMA user_version = {tables.SCHEMA_VERSION}")


def upgrade_schema(connection: Connection, version: int) -> None:
    """Bring a database of an earlier version to this one's; nothing that a reader made changes.

    Version 1 has of a region prediction only what the classifier found in the frame alone. Versions 1 and 2 have no
    decisions about how a study is opened. Versions 1 to 3 lack where an annotation was imported from, how large a heart
    was drawn for a region prediction, and studies that wait. Versions 1 to 4 have neither what can be undone, nor
    second reads, nor the readers' effort, nor facts about a study. Versions 1 to 5 took studies of files of one name,
    in folders of several patients, for one patient's.

    Args:
        connection: In a transaction, which all of it belongs to.
        version: Schema version of the database, 1 to 5.
    """
    if version < 2:
        for name in (tables.DECODED_COLUMN, *tables.IN_STACK_COLUMNS):
            kind = "TEXT" if name == tables.DECODED_COLUMN else "FLOAT"
            connection.exec_driver_sql(f"ALTER TABLE {tables.region_predictions.name} ADD COLUMN {name} {kind}")
    if version < 3:
        tables.metadata.create_all(connection, tables=tables.ADDED_IN_3)
        for statement in tables.append_only_triggers(tables.ADDED_IN_3):
            connection.exec_driver_sql(statement)
    if version < 4:
        tables.metadata.create_all(connection, tables=tables.ADDED_IN_4)
        for table, name, kind in (
            (tables.annotations, tables.IMPORTED_COLUMN, "TEXT"),
            (tables.region_predictions, tables.HEART_COLUMN, "FLOAT"),
        ):
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {name} {kind}")
    if version < 5:
        tables.metadata.create_all(connection, tables=tables.ADDED_IN_5)
        for statement in tables.append_only_triggers(tables.APPENDED_IN_5):
            connection.exec_driver_sql(statement)
        for table in tables.OF_A_READ:
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {tables.READ_COLUMN} INTEGER")
    _part_patients(connection)
    connection.exec_driver_sql(f"PRAGMA user_version = {tables.SCHEMA_VERSION}")


def _part_patients(connection: Connection) -> None:
    """Give studies whose patient was recognised by a name alone the key of where they lie."""
    s = tables.studies
    for row in connection.execute(select(s.c.stack_id, s.c.name, s.c.source, s.c.patient_key)).all():
        if is_of_generic_name(row.patient_key, row.name) or identifies_no_one(row.patient_key):
            key = patient_key_at(Path(row.source).parent, row.name)
            connection.execute(update(s).where(s.c.stack_id == row.stack_id).values(patient_key=key))


def _take_lock(folder: Path) -> filelock.BaseFileLock:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        database = folder / DATABASE_NAME
        writable = os.access(database, os.W_OK) if database.exists() else os.access(folder, os.W_OK)
        if not writable:
            raise PermissionError(f"no permission to write to {database}")
        lock = filelock.FileLock(folder / LOCK_NAME, timeout=0, thread_local=False)
        lock.acquire()
    except filelock.Timeout as error:
        raise WorkspaceInUseError(
            f"The workspace {folder} is open in another window, or cmr-viewer learn works in it. Close that window, "
            "wait for the command to end, or choose another workspace."
        ) from error
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StoreError(
            f"Could not write to the workspace {folder}: {reason}. Make the folder writable, or choose another "
            "workspace."
        ) from error
    return lock


def _engine(folder: Path, *, mode: str) -> Engine:
    database = folder / DATABASE_NAME
    uri = f"{database.absolute().as_uri()}?mode={mode}"
    engine = create_engine(
        URL.create("sqlite", database=str(database)),
        creator=lambda: sqlite3.connect(
            uri, uri=True, timeout=BUSY_TIMEOUT_MS / 1000, check_same_thread=False, isolation_level=None
        ),
        poolclass=QueuePool,
        pool_size=4,
        hide_parameters=True,  # names and what is typed of a patient, which would else stand in the log with an error
    )

    @event.listens_for(engine, "connect")
    def _set_up(dbapi_connection: Any, _record: object) -> None:
        for pragma in ("foreign_keys = ON", "recursive_triggers = ON", "synchronous = FULL"):
            dbapi_connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _start_session(folder: Path, reader: str, engine: Engine, lock: filelock.BaseFileLock) -> Workspace:
    _refuse_lost_database(folder)
    with engine.begin() as connection:
        _known_version(connection, folder)
    _use_write_ahead_log(engine, folder)
    immediate = engine.execution_options(immediate=True)
    with immediate.begin() as connection:
        version = _known_version(connection, folder)
        if version == 0:
            create_schema(connection)
        elif version < tables.SCHEMA_VERSION:
            upgrade_schema(connection, version)
        recovery = _recover(connection, folder)
        values = {"opened_at": now_text(), "pid": os.getpid(), "reader": reader}
        session_id = connection.execute(
            insert(tables.sessions).values(values).returning(tables.sessions.c.id)
        ).scalar_one()
    workspace = Workspace(folder, reader=reader, engine=engine, lock=lock, recovery=recovery)
    workspace.session_id = session_id
    return workspace


def _refuse_lost_database(folder: Path) -> None:
    """SQLite throws a write-ahead log away whose database is missing or empty; leave it for whoever can restore it."""
    database, log = folder / DATABASE_NAME, folder / f"{DATABASE_NAME}-wal"
    lost = not database.exists() or database.stat().st_size == 0
    if lost and log.exists() and log.stat().st_size > 0:
        raise StoreError(
            f"The database {database} is missing or empty, but its log {log.name} exists. Nothing was changed. "
            f"Restore the database from a copy, or move the folder {folder} away to start a new workspace."
        )


def _use_write_ahead_log(engine: Engine, folder: Path) -> None:
    raw = engine.raw_connection()
    try:
        mode = raw.cursor().execute("PRAGMA journal_mode = WAL").fetchone()
    except sqlite3.DatabaseError as error:
        raise _store_error(folder, str(error)) from error
    finally:
        raw.close()
    if mode is None or str(mode[0]).lower() != "wal":
        raise StoreError(
            f"The workspace {folder} is on a file system that does not support SQLite's write-ahead log (a network "
            "drive?). Choose a workspace on a local disk."
        )


def _known_version(connection: Connection, folder: Path) -> int:
    """Schema version; 0 for an empty database.

    Raises:
        StoreError: The database is another program's or a newer one's.
    """
    version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    application = int(connection.exec_driver_sql("PRAGMA application_id").scalar_one())
    objects = int(connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema").scalar_one())
    database = folder / DATABASE_NAME
    if objects == 0 and version == 0:
        return 0
    if application != tables.APPLICATION_ID:
        raise StoreError(
            f"{database} is not a database of this program. Nothing was changed. Choose another workspace."
        )
    if version > tables.SCHEMA_VERSION:
        raise StoreError(
            f"The workspace {folder} was written by a newer version of the program (schema {version}, this one has "
            f"{tables.SCHEMA_VERSION}). Nothing was changed. Update the program, or choose another workspace."
        )
    return version


def _recover(connection: Connection, folder: Path) -> Recovery:
    """Find and deal with what earlier sessions left; within the transaction that begins the new session."""
    sessions, runs = tables.sessions, tables.training_runs
    open_ids = list(connection.execute(select(sessions.c.id).where(sessions.c.closed_at.is_(None))).scalars())
    drafts = 0
    if open_ids:
        _check_whole(connection, folder)
        drafts = _drafts_of(connection, open_ids)
        connection.execute(update(sessions).where(sessions.c.id.in_(open_ids)).values(closed_at=now_text()))
    unfinished = runs.c.finished_at.is_(None)
    rows = connection.execute(select(runs.c.role, runs.c.detail).where(unfinished).order_by(runs.c.id)).all()
    connection.execute(update(runs).where(unfinished).values(finished_at=now_text(), outcome="interrupted"))
    _put_aside_undecided(connection, folder / MODELS_NAME, [json.loads(row.detail).get("model_id") for row in rows])
    return Recovery(
        drafts=drafts,
        interrupted_training=tuple(Role(row.role) for row in rows),
        partial_models=_remove_partial_models(folder / MODELS_NAME),
        unclean=bool(open_ids),
    )


def _put_aside_undecided(connection: Connection, models: Path, model_ids: Iterable[object]) -> None:
    """Make models in the making again of those that were added and of which nothing was decided before the end."""
    p = tables.promotions
    for model_id in model_ids:
        if isinstance(model_id, str) and (models / model_id).is_dir():
            decided = connection.execute(select(func.count()).where(p.c.model_id == model_id)).scalar_one()
            if not decided:
                with suppress(OSError):
                    (models / model_id).rename(models / f"{STAGING_PREFIX}undecided-{model_id}")


def _check_whole(connection: Connection, folder: Path) -> None:
    found = [str(text) for text in connection.exec_driver_sql("PRAGMA quick_check(3)").scalars()]
    if found != ["ok"]:
        raise _store_error(folder, f"malformed: {'; '.join(found)}")


def _drafts_of(connection: Connection, session_ids: list[int]) -> int:
    a = tables.annotations
    frame = (a.c.stack_id, a.c.phase, a.c.slice_index)
    last = select(*frame, func.max(a.c.version)).group_by(*frame, a.c[tables.READ_COLUMN])
    statement = select(func.count()).where(
        tuple_(*frame, a.c.version).in_(last),
        is_unfinished(a),
        a.c.session_id.in_(session_ids),
    )
    return int(connection.execute(statement).scalar_one())


def _remove_partial_models(models: Path) -> int:
    if not models.is_dir():
        return 0
    removed = 0
    for folder in models.glob(f"{STAGING_PREFIX}*"):
        shutil.rmtree(folder, ignore_errors=True)
        removed += not folder.exists()
    return removed


@contextmanager
def _as_store_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise _store_error(folder, str(error.orig)) from error
    except PoolTimeoutError as error:
        raise StoreError(f"The workspace {folder} is busy: too many parts of the program use it at once.") from error


def _store_error(folder: Path, text: str) -> StoreError:
    """SQLite's error as what happened, where, and what to do."""
    database = folder / DATABASE_NAME
    lower = text.lower()
    if "is full" in lower:
        return StoreError(
            f"The disk of the workspace {folder} is full. This change was not saved; all earlier ones are. Free some "
            "space and continue: your drawing is saved with the next change. Accept again what you just accepted."
        )
    if "malformed" in lower or "not a database" in lower or "no such table" in lower or "no such column" in lower:
        return StoreError(
            f"The database {database} is damaged ({text}). The file is unchanged. Restore it from a copy, or move it "
            "away to start a new workspace."
        )
    if "readonly" in lower or "unable to open" in lower:
        return StoreError(
            f"Could not open or write to the database {database} ({text}). Make the folder and its files writable, or "
            "choose another workspace."
        )
    if "locked" in lower or "busy" in lower:
        return StoreError(f"The database {database} is in use by another program. Close that program and try again.")
    if "append-only" in lower:
        return StoreError(f"Saved work in {database} is never changed or deleted: {text}.")
    return StoreError(f"The database {database} failed: {text}. This change was not saved.")
