import os
from pathlib import Path

from cmr_viewer.store.database import Workspace, open_workspace
from cmr_viewer.store.worklist import WaitingStore


def test_studies_wait_in_the_order_in_which_they_came_until_they_are_taken_away(tmp_path: Path) -> None:
    one, two, three = (tmp_path / name for name in ("c", "a", "b"))
    with open_workspace(tmp_path / "workspace", reader="reader") as workspace:
        store = WaitingStore(workspace)
        store.add([one, two])
        store.add([three, one])
        store.add([])
        assert store.all() == [one, two, three]
    with open_workspace(tmp_path / "workspace", reader="reader") as workspace:
        store = WaitingStore(workspace)
        store.remove([two, tmp_path / "unknown"])
        assert store.all() == [one, three]


def test_a_folder_whose_name_is_no_text_waits_under_its_name(workspace: Workspace) -> None:
    path = Path(os.fsdecode(b"/studies/\xc9tude_\xe9"))
    store = WaitingStore(workspace)
    store.add([path, Path("/studies/心")])
    assert store.all() == [path, Path("/studies/心")]
    store.remove([path])
    assert store.all() == [Path("/studies/心")]


def test_a_workspace_begins_with_nothing_that_waits(workspace: Workspace) -> None:
    assert WaitingStore(workspace).all() == []
