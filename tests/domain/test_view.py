"""Where slices cross long-axis planes, by hand."""

import numpy as np
import pytest

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.view import LongAxisView, slice_line
from cmr_viewer.errors import GeometryError

STACK = Geometry(
    rows=10,
    cols=10,
    pixel_spacing_mm=(1.0, 1.0),
    row_direction=(1.0, 0.0, 0.0),
    col_direction=(0.0, 1.0, 0.0),
    positions_mm=((0.0, 0.0, 0.0), (0.0, 0.0, 8.0), (0.0, 0.0, 100.0)),
)


def plane(row_direction: tuple[float, float, float], col_direction: tuple[float, float, float]) -> Geometry:
    return Geometry(
        rows=21,
        cols=11,
        pixel_spacing_mm=(2.0, 1.0),
        row_direction=row_direction,
        col_direction=col_direction,
        positions_mm=((0.0, 5.0, -10.0),),
        single_slice_spacing_mm=8.0,
    )


def test_a_slice_across_the_view_is_a_row_of_it() -> None:
    # z = -10 + 2 row, so that z = 0 is row 5 and z = 8 is row 9.
    view = plane((1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    for slice_index, row in ((0, 5.0), (1, 9.0)):
        line = slice_line(view, STACK, slice_index)
        assert line is not None
        assert [end[0] for end in line] == pytest.approx([row, row])
        assert sorted(end[1] for end in line) == pytest.approx([-0.5, 10.5])


def test_a_slice_may_cross_the_view_along_a_column() -> None:
    # z = -10 + col, so that z = 0 is column 10.
    line = slice_line(plane((0.0, 0.0, 1.0), (1.0, 0.0, 0.0)), STACK, 0)
    assert line is not None
    assert [end[1] for end in line] == pytest.approx([10.0, 10.0])
    assert sorted(end[0] for end in line) == pytest.approx([-0.5, 20.5])


def test_a_slice_beside_the_view_has_no_line() -> None:
    assert slice_line(plane((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)), STACK, 2) is None


def test_a_parallel_plane_has_no_line() -> None:
    assert slice_line(plane((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)), STACK, 0) is None


def test_a_view_is_one_plane() -> None:
    with pytest.raises(GeometryError, match="do not fit one plane"):
        LongAxisView(np.zeros((3, 10, 10)), STACK)
    view = LongAxisView(np.zeros((3, 21, 11)), plane((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)))
    assert view.phases == 3
