"""A workspace to write to, and one study in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.database import Workspace, open_workspace
from tests.store.saving import STACK_ID, save_study


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with open_workspace(tmp_path / "workspace", reader="reader") as opened:
        yield opened


@pytest.fixture
def store(workspace: Workspace) -> AnnotationStore:
    made = AnnotationStore(workspace)
    save_study(made)
    assert made.studies()[0].stack_id == STACK_ID
    return made
