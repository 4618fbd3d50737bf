from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from cmr_viewer.domain.study import FrameSource
from cmr_viewer.errors import StoreError
from cmr_viewer.export.dicom_seg_frames import to_source_grid
from cmr_viewer.export.sources import MR_IMAGE_STORAGE, SourceFrame
from tests.phantom import sax_cine

GEOMETRY = sax_cine(phases=1, slices=3, rows=4, cols=5).stack.geometry
LABELS = (np.arange(20).reshape(4, 5) % 4).astype(np.uint8)
HERE = FrameSource(Path("1.dcm"))


def frame(rows: int = 4, cols: int = 5, *, flip_rows: bool = False, flip_cols: bool = False) -> SourceFrame:
    row, col = (np.asarray(v) for v in (GEOMETRY.row_direction, GEOMETRY.col_direction))
    turned = tuple(-row if flip_cols else row), tuple(-col if flip_rows else col)
    return SourceFrame(MR_IMAGE_STORAGE, "1.2", "1.3", None, rows, cols, None, turned, None)  # type: ignore[arg-type]


def test_a_frame_as_it_is_in_its_file_stays() -> None:
    assert_array_equal(to_source_grid(LABELS, GEOMETRY, 0, HERE, frame()), LABELS)


def test_rows_and_columns_that_were_turned_round_go_back() -> None:
    rows = HERE._replace(origin=(3.0, 0.0), step=(-1.0, 1.0))
    assert_array_equal(to_source_grid(LABELS, GEOMETRY, 0, rows, frame(flip_rows=True)), LABELS[::-1])
    both = HERE._replace(origin=(3.0, 4.0), step=(-1.0, -1.0))
    made = to_source_grid(LABELS, GEOMETRY, 0, both, frame(flip_rows=True, flip_cols=True))
    assert_array_equal(made, LABELS[::-1, ::-1])


def test_a_border_that_was_cut_off_is_background() -> None:
    cut = HERE._replace(origin=(1.0, 2.0))
    expected = np.zeros((6, 8), np.uint8)
    expected[1:5, 2:7] = LABELS
    assert_array_equal(to_source_grid(LABELS, GEOMETRY, 0, cut, frame(6, 8)), expected)


def test_a_border_that_was_filled_up_is_left_out() -> None:
    labels = LABELS.copy()
    labels[0] = labels[:, -1] = 0
    filled = HERE._replace(origin=(-1.0, 0.0))
    assert_array_equal(to_source_grid(labels, GEOMETRY, 0, filled, frame(3, 4)), labels[1:, :4])


def test_a_label_outside_of_the_source_is_refused() -> None:
    with pytest.raises(StoreError, match=r"slice 2 .* extends beyond"):
        to_source_grid(LABELS, GEOMETRY, 1, HERE._replace(origin=(-1.0, 0.0)), frame(3, 5))


@pytest.mark.parametrize("source", [HERE._replace(step=(0.5, 1.0)), HERE._replace(origin=(0.4, 0.0))])
def test_resampled_frames_are_refused(source: FrameSource) -> None:
    with pytest.raises(StoreError, match="resampled"):
        to_source_grid(LABELS, GEOMETRY, 0, source, frame())


@pytest.mark.parametrize("turned", [{"flip_rows": True}, {"flip_cols": True}])
def test_a_frame_that_is_mirrored_without_saying_so_is_refused(turned: dict) -> None:
    with pytest.raises(StoreError, match="orientation"):
        to_source_grid(LABELS, GEOMETRY, 0, HERE, frame(**turned))


def test_a_header_that_says_nothing_is_believed() -> None:
    silent = replace(frame(), rows=None, cols=None, orientation=None)
    assert_array_equal(to_source_grid(LABELS, GEOMETRY, 0, HERE, silent), LABELS)
