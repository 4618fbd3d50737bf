import pytest

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.effort import Effort, EffortStore
from tests.store.saving import STACK_ID

ONE, TWO = FrameIndex(0, 0), FrameIndex(2, 1)


def test_effort_adds_up_by_frame_reader_and_session(store: AnnotationStore) -> None:
    workspace = store._workspace
    first = workspace.session()
    efforts = EffortStore(workspace)
    efforts.add(STACK_ID, {ONE: Effort(1.5, strokes=2), TWO: Effort(edits=1)})
    efforts.add(STACK_ID, {ONE: Effort(2.0, undos=3)})
    workspace.reader = "another"
    efforts.add(STACK_ID, {ONE: Effort(4.0)})
    workspace.close()
    with open_workspace(workspace.folder, reader="reader") as again:
        EffortStore(again).add(STACK_ID, {ONE: Effort(8.0)})
        rows = EffortStore(again).rows(STACK_ID)
        second = again.session()
    found = [(row.frame, row.reader, row.session, row.effort) for row in rows]
    assert found == [
        (ONE, "another", first, Effort(4.0)),
        (ONE, "reader", first, Effort(3.5, strokes=2, undos=3)),
        (ONE, "reader", second, Effort(8.0)),
        (TWO, "reader", first, Effort(edits=1)),
    ]


def test_no_row_is_added_for_nothing(store: AnnotationStore) -> None:
    EffortStore(store._workspace).add(STACK_ID, {ONE: Effort()})
    assert EffortStore(store._workspace).rows(STACK_ID) == ()


def test_effort_at_a_frame_that_is_not_there_is_refused(store: AnnotationStore) -> None:
    with pytest.raises(StoreError, match="is not in the study"):
        EffortStore(store._workspace).add(STACK_ID, {FrameIndex(9, 0): Effort(1.0)})
