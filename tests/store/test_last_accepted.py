from pathlib import Path

import numpy as np

from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.last_accepted import last_accepted
from tests.store.saving import STACK_ID, keep_study, labels_of, save

DRAFT, ACCEPTED = ReviewStatus.DRAFT, ReviewStatus.ACCEPTED
FRAME, OTHER, NEVER = FrameIndex(0, 1), FrameIndex(2, 3), FrameIndex(1, 0)


def test_the_last_accepted_version_of_each_frame_is_found_under_drafts(tmp_path: Path) -> None:
    with open_workspace(tmp_path, reader="reader") as workspace:
        store = AnnotationStore(workspace)
        for stack_id in (STACK_ID, "b" * 32):
            keep_study(store, stack_id)
        for frame, number, status in (
            (FRAME, 1, ACCEPTED),
            (FRAME, 2, ACCEPTED),
            (FRAME, 3, DRAFT),
            (OTHER, 4, DRAFT),
            (OTHER, 5, ACCEPTED),
            (NEVER, 6, DRAFT),
        ):
            save(store, frame, number, status=status)
        save(store, NEVER, 7, status=ACCEPTED, stack_id="b" * 32)
        found = last_accepted(workspace, STACK_ID)
        assert found.keys() == {FRAME, OTHER}
        np.testing.assert_array_equal(found[FRAME], labels_of(2))
        np.testing.assert_array_equal(found[OTHER], labels_of(5))
        assert last_accepted(workspace, "c" * 32) == {}
