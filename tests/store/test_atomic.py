from pathlib import Path
from typing import BinaryIO

import pytest

from cmr_viewer.errors import StoreError
from cmr_viewer.store.atomic import write_atomically, write_file_atomically


def test_a_file_is_written_with_its_folder_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.json"
    write_atomically(path, b"one")
    write_atomically(path, lambda file: file.write(b"two"))
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_a_writer_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def half(file: BinaryIO) -> None:
        file.write(b"ne")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_atomically(path, half)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_is_said(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(_: BinaryIO) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match=r"No space left on device\. The earlier version is unchanged"):
        write_atomically(path, full)
    assert path.read_bytes() == b"old"


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="could not be written"):
        write_atomically(tmp_path / "file" / "below", b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="could not be written"):
        write_atomically(tmp_path / "folder", b"")


def test_what_can_only_write_to_a_path_gets_one_with_the_same_ending(tmp_path: Path) -> None:
    path, seen = tmp_path / "a" / "labels.nii.gz", []

    def write(beside: Path) -> None:
        seen.append(beside)
        beside.write_bytes(b"whole")

    write_file_atomically(path, write)
    assert seen[0].parent == path.parent
    assert seen[0].name.endswith(".nii.gz")
    assert path.read_bytes() == b"whole"
    assert list(path.parent.iterdir()) == [path]


def test_half_a_file_at_a_path_is_removed(tmp_path: Path) -> None:
    def half(beside: Path) -> None:
        beside.write_bytes(b"ha")
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="No space left"):
        write_file_atomically(tmp_path / "file", half)
    assert list(tmp_path.iterdir()) == []
