import sqlite3
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import insert

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import RegionPrediction, ReviewStatus
from cmr_viewer.domain.change import Change, ChangeKind, FramePart, Move, Verb
from cmr_viewer.domain.opening import Opening, StackChange
from cmr_viewer.domain.patient_key import patient_key_at, patient_key_of
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError, WorkspaceInUseError
from cmr_viewer.store import database, tables
from cmr_viewer.store.annotations import AnnotationStore, RegionSet, Work
from cmr_viewer.store.database import DATABASE_NAME, Recovery, Workspace, open_workspace, open_workspace_readonly
from cmr_viewer.store.effort import Effort, EffortStore
from cmr_viewer.store.events import EventLog
from cmr_viewer.store.openings import OpeningStore, StackChangeStore
from cmr_viewer.store.reads import ReadKind, ReadStore
from cmr_viewer.store.study_facts import ReaderSettings, StudyFacts
from cmr_viewer.store.undo_log import UndoLog
from cmr_viewer.store.versions import Version
from tests.store.saving import STACK_ID, abandon, labels_of, marks, save, save_study

FRAME = FrameIndex(0, 0)


def pragma(workspace: Workspace, name: str) -> object:
    with workspace.read() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def test_each_commit_is_on_disk_before_it_is_acknowledged(workspace: Workspace) -> None:
    assert pragma(workspace, "journal_mode") == "wal"
    assert pragma(workspace, "synchronous") == 2
    assert pragma(workspace, "foreign_keys") == 1
    assert pragma(workspace, "busy_timeout") == database.BUSY_TIMEOUT_MS


def test_a_second_program_is_told_that_the_workspace_is_in_use(workspace: Workspace) -> None:
    with pytest.raises(WorkspaceInUseError, match="open in another window"):
        open_workspace(workspace.folder, reader="another")


def test_a_closed_workspace_can_be_opened_again_and_has_nothing_to_recover(tmp_path: Path) -> None:
    for _ in range(2):
        with open_workspace(tmp_path / "w", reader="reader") as workspace:
            assert workspace.recovery == Recovery()
            assert workspace.recovery.text() == ""


def test_closing_twice_does_nothing_and_a_closed_workspace_says_so(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path, reader="reader")
    workspace.close()
    workspace.close()
    with pytest.raises(StoreError, match="closed"), workspace.write():
        pass
    with pytest.raises(StoreError, match="closed"), workspace.read():
        pass


@pytest.mark.parametrize("table", [table.name for table in tables.APPEND_ONLY])
@pytest.mark.parametrize("verb", ["UPDATE {} SET id = id + 100", "DELETE FROM {}"])
def test_what_is_saved_is_neither_changed_nor_deleted(store: AnnotationStore, table: str, verb: str) -> None:
    workspace = store._workspace
    save(store, FRAME, status=ReviewStatus.ACCEPTED)
    store.save(STACK_ID, Work(regions={FRAME: RegionSet(Region.BASE)}))
    store.save(STACK_ID, Work(phase_marks=(0, 1)))
    with workspace.write() as connection:
        connection.execute(
            insert(tables.promotions).values(
                role="base", kind="keep", model_id="m", reason="", who="", at="", session_id=workspace.session()
            )
        )
    OpeningStore(workspace).save("/studies/a", STACK_ID, Opening(base_reversed=True))
    itself = StackChange(STACK_ID, STACK_ID, (0, 1, 2, 3))
    StackChangeStore(workspace).carry_over(itself, pixel_spacing_mm=(1.0, 1.0))
    step = Change(ChangeKind.EDIT, "paint", (FramePart(FRAME, marks(1), marks(2), None),))
    AnnotationStore(workspace).save(STACK_ID, Work(moves=[Move(Verb.DO, step)]))
    EffortStore(workspace).add(STACK_ID, {FRAME: Effort(1.0)})
    StudyFacts(workspace).set(STACK_ID, "key", 1)
    ReaderSettings(workspace).set("key", 1)
    with pytest.raises(StoreError, match="never changed or deleted"), workspace.write() as connection:
        connection.exec_driver_sql(verb.format(table))


def test_a_saved_row_is_not_replaced_by_an_insert(store: AnnotationStore) -> None:
    save(store, FRAME, 1)
    copy = "INSERT OR REPLACE INTO annotations SELECT * FROM annotations"
    with pytest.raises(StoreError, match="append-only"), store._workspace.write() as connection:
        connection.exec_driver_sql(copy)
    assert (store.latest(STACK_ID)[FRAME].labels == labels_of(1)).all()


def test_a_transaction_that_fails_half_way_leaves_nothing(store: AnnotationStore) -> None:
    workspace = store._workspace
    before = len(EventLog(workspace).events())
    with pytest.raises(ZeroDivisionError), workspace.write() as connection:
        connection.execute(
            insert(tables.events).values(at="", who="", what="half", detail="{}", session_id=workspace.session())
        )
        raise ZeroDivisionError
    assert len(EventLog(workspace).events()) == before


@pytest.mark.parametrize("damage", ["no database at all " * 300, "SQLite format 3\0" + "x" * 5000])
def test_a_damaged_database_is_kept_as_it_is(tmp_path: Path, damage: str) -> None:
    path = tmp_path / DATABASE_NAME
    path.write_text(damage)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"damaged.*Restore it from a copy, or move it away"):
            open_workspace(tmp_path, reader="reader")
    assert path.read_text() == damage
    with pytest.raises(StoreError, match="damaged"):
        open_workspace_readonly(tmp_path)


def test_a_database_whose_pages_are_damaged_is_refused_after_a_kill(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path, reader="reader")
    store = AnnotationStore(workspace)
    save_study(store)
    for number in range(40):
        save(store, FRAME, number, status=ReviewStatus.ACCEPTED)
    abandon(workspace)
    path = tmp_path / DATABASE_NAME
    whole = path.read_bytes()
    middle = len(whole) // 2
    damaged = whole[:middle] + b"\xff" * 8192 + whole[middle + 8192 :]
    path.write_bytes(damaged)
    with pytest.raises(StoreError, match="damaged"):
        open_workspace(tmp_path, reader="reader")
    assert path.read_bytes() == damaged


def test_a_log_without_its_database_is_not_thrown_away(tmp_path: Path) -> None:
    log = tmp_path / f"{DATABASE_NAME}-wal"
    log.write_bytes(b"frames")
    (tmp_path / DATABASE_NAME).touch()
    with pytest.raises(StoreError, match="missing or empty"):
        open_workspace(tmp_path, reader="reader")
    assert log.read_bytes() == b"frames"


def test_an_empty_database_file_is_a_new_workspace(tmp_path: Path) -> None:
    (tmp_path / DATABASE_NAME).touch()
    with open_workspace(tmp_path, reader="reader") as workspace:
        assert AnnotationStore(workspace).studies() == []


def test_a_database_of_another_program_is_refused_and_unchanged(tmp_path: Path) -> None:
    path = tmp_path / DATABASE_NAME
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    content = path.read_bytes()
    with pytest.raises(StoreError, match="not a database of this program"):
        open_workspace(tmp_path, reader="reader")
    assert path.read_bytes() == content


def test_a_workspace_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    open_workspace(tmp_path, reader="reader").close()
    connection = sqlite3.connect(tmp_path / DATABASE_NAME)
    connection.execute(f"PRAGMA user_version = {tables.SCHEMA_VERSION + 1}")
    connection.close()
    for opening in (lambda: open_workspace(tmp_path, reader="reader"), lambda: open_workspace_readonly(tmp_path)):
        with pytest.raises(StoreError, match="newer version of the program"):
            opening()


def take_out_version_5(connection: sqlite3.Connection) -> None:
    for table in ("undo_moves", "undo_changes", "undo_steps", "undo_predictions"):
        connection.execute(f"DROP TABLE {table}")
    for table in ("effort", "study_facts", "reader_settings", "reads"):
        connection.execute(f"DROP TABLE {table}")
    for table in ("annotations", "regions", "phase_marks", "events"):
        connection.execute(f"ALTER TABLE {table} DROP COLUMN read_id")


def take_out_version_4(connection: sqlite3.Connection) -> None:
    take_out_version_5(connection)
    connection.execute("DROP TABLE waiting")
    connection.execute("ALTER TABLE annotations DROP COLUMN imported_from")
    connection.execute("ALTER TABLE region_predictions DROP COLUMN heart_mm2")


def test_a_workspace_of_version_3_is_brought_up_to_date_and_keeps_origins_and_drawn_areas(tmp_path: Path) -> None:
    with open_workspace(tmp_path, reader="reader") as workspace:
        save_study(AnnotationStore(workspace))
        save(AnnotationStore(workspace), FRAME, 1)
    connection = sqlite3.connect(tmp_path / DATABASE_NAME)
    take_out_version_4(connection)
    connection.execute("PRAGMA user_version = 3")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match=r"earlier version of the program\. Open it once in the window"):
        open_workspace_readonly(tmp_path)
    drawn = RegionPrediction((0.7, 0.1, 0.1, 0.1), "classifier-1", Region.BASE, (0.9, 0.1, 0.0, 0.0), 812.5)
    with open_workspace(tmp_path, reader="reader") as workspace:
        store = AnnotationStore(workspace)
        before = store.latest(STACK_ID)[FRAME]
        assert before.imported_from == ""
        imported = Version(
            FRAME, before.labels, before.region, before.provenance, before.status, imported_from="a file"
        )
        assert store.save(STACK_ID, Work([replace(imported, status=ReviewStatus.DRAFT)]))[0].imported_from == "a file"
        store.save(STACK_ID, Work(region_predictions={FRAME: drawn}))
    with open_workspace_readonly(tmp_path) as workspace:
        assert AnnotationStore(workspace).latest(STACK_ID)[FRAME].imported_from == "a file"
        assert AnnotationStore(workspace).region_predictions(STACK_ID) == {FRAME: drawn}


def test_a_workspace_of_version_1_is_brought_up_to_date_and_keeps_what_it_holds(tmp_path: Path) -> None:
    with open_workspace(tmp_path, reader="reader") as workspace:
        save_study(AnnotationStore(workspace))
        old = RegionPrediction((0.7, 0.1, 0.1, 0.1), "classifier-1")
        AnnotationStore(workspace).save(STACK_ID, Work(region_predictions={FRAME: old}))
    connection = sqlite3.connect(tmp_path / DATABASE_NAME)
    take_out_version_4(connection)
    connection.execute("DROP TABLE openings")
    connection.execute("DROP TABLE stack_changes")
    for name in ("decoded", "base_in_stack", "middle_in_stack", "apex_in_stack", "non_cardiac_in_stack"):
        connection.execute(f"ALTER TABLE region_predictions DROP COLUMN {name}")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    new = RegionPrediction((0.7, 0.1, 0.1, 0.1), "classifier-1", Region.BASE, (0.9, 0.1, 0.0, 0.0))
    other = FrameIndex(0, 1)
    for expected in ({FRAME: old}, {FRAME: old, other: new}):
        with open_workspace(tmp_path, reader="reader") as workspace:
            assert pragma(workspace, "user_version") == tables.SCHEMA_VERSION
            assert AnnotationStore(workspace).region_predictions(STACK_ID) == expected
            AnnotationStore(workspace).save(STACK_ID, Work(region_predictions={other: new}))


def test_a_workspace_of_version_2_is_brought_up_to_date_and_takes_decisions(tmp_path: Path) -> None:
    with open_workspace(tmp_path, reader="reader") as workspace:
        save_study(AnnotationStore(workspace))
        kept = save(AnnotationStore(workspace), FRAME, 1)
    connection = sqlite3.connect(tmp_path / DATABASE_NAME)
    take_out_version_4(connection)
    connection.execute("DROP TABLE openings")
    connection.execute("DROP TABLE stack_changes")
    connection.execute("PRAGMA user_version = 2")
    connection.commit()
    connection.close()
    turned = Opening(base_reversed=True)
    with open_workspace(tmp_path, reader="reader") as workspace:
        assert pragma(workspace, "user_version") == tables.SCHEMA_VERSION
        assert (AnnotationStore(workspace).latest(STACK_ID)[FRAME].labels == kept.labels).all()
        OpeningStore(workspace).save("/studies/a", STACK_ID, turned)
        with pytest.raises(StoreError, match="never changed or deleted"), workspace.write() as writing:
            writing.exec_driver_sql("DELETE FROM openings")
    with open_workspace(tmp_path, reader="reader") as workspace:
        assert OpeningStore(workspace).last("/studies/a") == turned


def test_a_workspace_of_version_4_is_brought_up_to_date_and_takes_undo_reads_effort_and_facts(tmp_path: Path) -> None:
    with open_workspace(tmp_path, reader="reader") as workspace:
        save_study(AnnotationStore(workspace))
        kept = save(AnnotationStore(workspace), FRAME, 1)
        AnnotationStore(workspace).save(STACK_ID, Work(regions={FRAME: RegionSet(Region.APEX)}))
        AnnotationStore(workspace).save(STACK_ID, Work(phase_marks=(1, 2)))
    connection = sqlite3.connect(tmp_path / DATABASE_NAME)
    take_out_version_5(connection)
    connection.execute("PRAGMA user_version = 4")
    connection.commit()
    connection.close()
    with open_workspace(tmp_path, reader="reader") as workspace:
        assert pragma(workspace, "user_version") == tables.SCHEMA_VERSION == 6
        store, read = AnnotationStore(workspace), ReadStore(workspace).begin(STACK_ID, ReadKind.SECOND, blinded=True)
        assert (store.latest(STACK_ID)[FRAME].labels == kept.labels).all() and store.latest(STACK_ID, read.id) == {}
        assert store.regions(STACK_ID) == {FRAME: Region.APEX} and store.regions(STACK_ID, read.id) == {}
        assert store.phase_marks(STACK_ID) == (1, 2) and store.phase_marks(STACK_ID, read.id) == (None, None)
        assert UndoLog(workspace).lines(STACK_ID).done == ()
        StudyFacts(workspace).set(STACK_ID, "key", [1])
        EffortStore(workspace).add(STACK_ID, {FRAME: Effort(2.0, 1)})
        step = Change(ChangeKind.EDIT, "paint", (FramePart(FRAME, marks(1), marks(2), None),))
        AnnotationStore(workspace).save(STACK_ID, Work(moves=[Move(Verb.DO, step)]))
        with pytest.raises(StoreError, match="never changed or deleted"), workspace.write() as writing:
            writing.exec_driver_sql("DELETE FROM undo_steps")
    with open_workspace_readonly(tmp_path) as workspace:
        assert [one.text for one in UndoLog(workspace).lines(STACK_ID).done] == ["paint"]
        assert StudyFacts(workspace).get(STACK_ID, "key") == [1]


@pytest.mark.parametrize("version", [4, 5])
def test_a_workspace_of_an_earlier_version_parts_patients_whose_files_have_one_name(
    tmp_path: Path, version: int
) -> None:
    old = patient_key_of("cine")
    studies = {
        "a": ("cine", "/data/p1/cine.nii.gz", old),
        "b": ("cine", "/data/p2/cine.nii.gz", old),
        "c": ("patient007_ED", "/one/patient007_ED.nii.gz", patient_key_of("patient007_ED")),
        "d": ("patient007_ES", "/two/patient007_ES.nii.gz", patient_key_of("patient007_ES")),
        "e": ("cine", "/data/dicom/cine", patient_key_of("DOE^JANE")),
        "f": ("day", "/data/x/day", patient_key_of("ANONYMOUS")),
        "g": ("p3", "/data/p3.zip", old),
    }
    with open_workspace(tmp_path, reader="reader") as workspace:
        for stack_id, (name, source, key) in studies.items():
            AnnotationStore(workspace).save_study(
                stack_id, name=name, source=source, patient_key=key, geometry_json="{}", phases=1, slices=1
            )
    connection = sqlite3.connect(tmp_path / DATABASE_NAME)
    if version == 4:
        take_out_version_5(connection)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.commit()
    connection.close()
    with open_workspace(tmp_path, reader="reader") as workspace:
        keys = {row.stack_id: row.patient_key for row in AnnotationStore(workspace).studies()}
    assert keys["a"] == patient_key_at(Path("/data/p1"), "cine")
    assert keys["c"] == keys["d"]
    assert keys["e"] == studies["e"][2]
    assert len({keys[name] for name in "abcefg"}) == 6


def test_a_workspace_that_was_brought_up_to_date_has_the_tables_of_a_new_one(tmp_path: Path) -> None:
    def shape(folder: Path) -> dict[str, list[tuple[object, ...]]]:
        connection = sqlite3.connect(folder / DATABASE_NAME)
        names = [
            row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type IN ('table','trigger')")
        ]
        found = {name: sorted(row[1:4] for row in connection.execute(f"PRAGMA table_info({name})")) for name in names}
        connection.close()
        return found

    open_workspace(tmp_path / "new", reader="reader").close()
    open_workspace(tmp_path / "old", reader="reader").close()
    connection = sqlite3.connect(tmp_path / "old" / DATABASE_NAME)
    take_out_version_5(connection)
    connection.execute("PRAGMA user_version = 4")
    connection.commit()
    connection.close()
    open_workspace(tmp_path / "old", reader="reader").close()
    assert shape(tmp_path / "old") == shape(tmp_path / "new")


def test_a_full_disk_is_said_and_loses_nothing(store: AnnotationStore) -> None:
    workspace = store._workspace
    save(store, FRAME, 1, status=ReviewStatus.ACCEPTED)
    with workspace.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    saved = 1
    with pytest.raises(StoreError, match=r"full\. This change was not saved; all earlier ones are"):
        for number in range(2, 1000):
            save(store, FRAME, number, status=ReviewStatus.ACCEPTED)
            saved = number
    assert len(store.versions(STACK_ID, FRAME)) == saved
    with workspace.read() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert save(store, FRAME, 7).version == saved + 1


def test_what_could_not_be_written_does_not_stand_in_the_error_that_goes_to_the_log(store: AnnotationStore) -> None:
    with store._workspace.write() as connection:
        refuse = "BEFORE UPDATE ON studies BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        connection.exec_driver_sql(f"CREATE TRIGGER refuse {refuse}")
    name = "Doe^Jane"
    with pytest.raises(StoreError) as caught:
        save_study(store, patient_key=name)
    told = "".join(traceback.format_exception(caught.value))
    assert "is full" in told and name not in told


def test_a_database_that_another_program_holds_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 20)
    with open_workspace(tmp_path, reader="reader") as workspace:
        theirs = sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)
        theirs.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="in use by another program"):
            save_study(AnnotationStore(workspace))
        theirs.execute("ROLLBACK")
        theirs.close()
        save_study(AnnotationStore(workspace))


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="Could not write to the workspace"):
        open_workspace(tmp_path / "file" / "workspace", reader="reader")


def test_a_folder_without_permission_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database.os, "access", lambda *_: False)
    with pytest.raises(StoreError, match="Make the folder writable"):
        open_workspace(tmp_path, reader="reader")


def test_a_workspace_opens_for_reading_while_another_program_writes(store: AnnotationStore) -> None:
    with open_workspace_readonly(store._workspace.folder) as reading:
        save(store, FRAME, 3)
        other = AnnotationStore(reading)
        assert (other.latest(STACK_ID)[FRAME].labels == labels_of(3)).all()
        with pytest.raises(StoreError, match="reading only"):
            save(other, FRAME)


def test_a_closed_workspace_opens_for_reading(tmp_path: Path) -> None:
    with open_workspace(tmp_path, reader="reader") as workspace:
        save_study(AnnotationStore(workspace))
    with open_workspace_readonly(tmp_path) as reading:
        assert len(AnnotationStore(reading).studies()) == 1
    with open_workspace(tmp_path, reader="reader") as workspace:
        assert not workspace.recovery.unclean


def test_a_closed_workspace_opens_for_reading_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_workspace(tmp_path, reader="reader") as workspace:
        save_study(AnnotationStore(workspace))
    monkeypatch.setattr(database.os, "access", lambda *_: False)
    with open_workspace_readonly(tmp_path) as reading:
        assert len(AnnotationStore(reading).studies()) == 1
    assert not (tmp_path / f"{DATABASE_NAME}-shm").exists()


def test_a_folder_without_a_workspace_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="There is no workspace"):
        open_workspace_readonly(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_only_drafts_newer_than_any_acceptance_are_recovered(tmp_path: Path) -> None:
    with open_workspace(tmp_path, reader="reader") as workspace:
        store = AnnotationStore(workspace)
        save_study(store)
        save(store, FrameIndex(2, 3))  # a draft of a session that closed
    workspace = open_workspace(tmp_path, reader="reader")
    store = AnnotationStore(workspace)
    save(store, FrameIndex(0, 0))
    save(store, FrameIndex(0, 0), status=ReviewStatus.ACCEPTED)
    save(store, FrameIndex(0, 1), status=ReviewStatus.ACCEPTED)
    save(store, FrameIndex(0, 1))
    save(store, FrameIndex(0, 2))
    save(store, FrameIndex(0, 2))
    abandon(workspace)
    with open_workspace(tmp_path, reader="reader") as workspace:
        assert workspace.recovery == Recovery(drafts=2, unclean=True)


def test_several_threads_save_at_once_and_each_version_is_saved(store: AnnotationStore) -> None:
    def work(number: int) -> int:
        version = save(store, FRAME, number).version
        assert store.latest(STACK_ID)[FRAME].version >= version
        return version

    with ThreadPoolExecutor(4) as threads:
        versions = list(threads.map(work, range(40)))
    assert sorted(versions) == list(range(1, 41))
    kept = {one.version: one.labels for one in store.versions(STACK_ID, FRAME)}
    assert all((kept[version] == labels_of(number)).all() for number, version in enumerate(versions))


def test_one_reading_sees_one_state_while_another_thread_saves(store: AnnotationStore) -> None:
    save(store, FRAME, 1)
    count = "SELECT count(*) FROM annotations"
    with store._workspace.read() as connection:
        before = connection.exec_driver_sql(count).scalar_one()
        other = threading.Thread(target=save, args=(store, FRAME, 2))
        other.start()
        other.join()
        assert connection.exec_driver_sql(count).scalar_one() == before
    assert len(store.versions(STACK_ID, FRAME)) == 2


@pytest.mark.parametrize(
    ("recovery", "text"),
    [
        (Recovery(unclean=True), "The program did not close properly last time. All accepted frames are saved."),
        (
            Recovery(interrupted_training=(Role.BASE, Role.APEX, Role.BASE)),
            "The training of the base specialist and of the apex specialist was interrupted; the models in use are "
            "unchanged.",
        ),
        (Recovery(partial_models=3), "3 unfinished models were removed."),
        (Recovery(drafts=2), "2 frames have an unfinished draft; nothing of it is lost."),
    ],
)
def test_the_recovery_is_told_in_words(recovery: Recovery, text: str) -> None:
    assert recovery.text() == text


def test_a_workspace_may_lie_in_a_folder_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "ä ?mode=ro#%20'x"
    with open_workspace(folder, reader="reader") as workspace:
        save_study(AnnotationStore(workspace))
    assert (folder / DATABASE_NAME).stat().st_size > 0
    with open_workspace_readonly(folder) as reading:
        assert len(AnnotationStore(reading).studies()) == 1
