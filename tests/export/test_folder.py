import shutil
from pathlib import Path

import pytest

from cmr_viewer.errors import StoreError
from cmr_viewer.export.study import new_files_in
from cmr_viewer.store.atomic import write_atomically

NAMES = ("a.txt", "b")


def fill(place: Path, text: str) -> None:
    (place / "a.txt").write_text(text)
    (place / "b").mkdir()
    (place / "b" / "c.txt").write_text(text)


def export(folder: Path, text: str, *, replace: bool = False) -> None:
    with new_files_in(folder, NAMES, replace=replace) as place:
        fill(place, text)


def files(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)).replace("\\", "/"): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_a_new_folder_holds_the_files_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    export(tmp_path / "x" / "out", "1")
    assert files(tmp_path) == {"x/out/a.txt": "1", "x/out/b/c.txt": "1"}


def test_other_files_of_a_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    export(tmp_path / "out", "1")
    assert files(tmp_path / "out") == {"mine.txt": "mine", "a.txt": "1", "b/c.txt": "1"}


def test_files_that_exist_are_replaced_only_if_that_was_asked_for(tmp_path: Path) -> None:
    export(tmp_path / "out", "1")
    (tmp_path / "out" / "b" / "old.txt").write_text("old")
    with pytest.raises(StoreError, match=r"already contains a\.txt, b\. Nothing was written"):
        export(tmp_path / "out", "2")
    assert files(tmp_path / "out")["a.txt"] == "1"
    export(tmp_path / "out", "2", replace=True)
    assert files(tmp_path) == {"out/a.txt": "2", "out/b/c.txt": "2"}


def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreError, match=r"already contains a\.txt"),
        new_files_in(tmp_path / "out", NAMES, replace=False) as place,
    ):
        fill(place, "1")
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "a.txt").write_text("other")
    assert files(tmp_path) == {"out/a.txt": "other"}


@pytest.mark.parametrize("error", [ZeroDivisionError(), KeyboardInterrupt()])
def test_work_that_fails_leaves_nothing_behind(tmp_path: Path, error: BaseException) -> None:
    export(tmp_path / "out", "1")
    with (
        pytest.raises(type(error)),
        new_files_in(tmp_path / "out", NAMES, replace=True) as place,
    ):
        (place / "a.txt").write_text("half")
        raise error
    assert files(tmp_path) == {"out/a.txt": "1", "out/b/c.txt": "1"}


def test_a_message_names_the_file_where_the_reader_looks_for_it(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreError) as raised,
        new_files_in(tmp_path / "out", NAMES, replace=False) as place,
    ):

        def full(_: object) -> None:
            raise OSError(28, "No space left on device")

        write_atomically(place / "a.txt", full)
    assert f"{tmp_path / 'out' / 'a.txt'} could not be written: No space left on device" in str(raised.value)


def test_a_file_in_the_place_of_the_folder_or_above_it_is_noted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="is a file"):
        export(tmp_path / "file", "1")
    with pytest.raises(StoreError, match="Could not create"):
        export(tmp_path / "file" / "out", "1")


def test_a_move_that_fails_says_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export(tmp_path / "out", "1")
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name == "b" and self.parent.name.startswith(".part-"):
            raise OSError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(StoreError, match=r"Permission denied\. New: a\.txt\. The rest is unchanged"):
        export(tmp_path / "out", "2", replace=True)
    monkeypatch.undo()
    assert files(tmp_path) == {"out/a.txt": "2", "out/b/c.txt": "1"}
    shutil.rmtree(tmp_path / "out")
