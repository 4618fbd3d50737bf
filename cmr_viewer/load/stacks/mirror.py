"""Frames that are stored as their mirror image: recognised by the patient's directions, and reversed."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import Geometry, Vector
from cmr_viewer.domain.study import FrameSource
from cmr_viewer.load.base_end import points_to_apex, tells_the_apex
from cmr_viewer.load.dicom.headers import Header

Axis = Literal["rows", "columns"]

TYPICAL_ROW: Vector = (0.77, 0.62, 0.15)
TYPICAL_COL: Vector = (-0.15, 0.41, -0.90)
"""Row and column directions of short-axis frames as scanners write them: the right ventricle on the left, the front
of the patient up. Those of a patient of the Sunnybrook set, near enough to tell them from their mirror image."""


def mirrored_axis(header: Header) -> Axis | None:
    """Which of rows and columns of the frames are to be reversed, if any.

    Frames are seen from the apex, with the right ventricle on the left (SCMR): row x column points from the apex to the
    base, which every scanner writes by itself. Where it points the other way, rows or columns are reversed, whichever
    brings the frame nearer to the usual position of short-axis frames in the patient.

    Source:
        SCMR post-processing guidelines, Schulz-Menger et al. 2020; DICOM PS3.3 C.7.6.2.1.1 for the directions.
    """
    row, col = np.asarray(header.orientation[:3]), np.asarray(header.orientation[3:])
    normal = np.cross(row, col)
    if not tells_the_apex(normal) or not points_to_apex(normal):
        return None
    usual_row, usual_col = np.asarray(TYPICAL_ROW), np.asarray(TYPICAL_COL)
    cols_turned = float(-row @ usual_row + col @ usual_col)
    rows_turned = float(row @ usual_row - col @ usual_col)
    return "columns" if cols_turned >= rows_turned else "rows"


def turned_round(
    axis: Axis, pixels: NDArray[Any], geometry: Geometry, sources: list[list[FrameSource]]
) -> tuple[NDArray[Any], Geometry, list[list[FrameSource]]]:
    """Rows or columns reversed, in the pixels, in the geometry and in the sources."""
    at = 0 if axis == "rows" else 1
    for phase in pixels:
        for frame in phase:
            frame[:] = np.flip(frame, at).copy()
    count = (geometry.rows, geometry.cols)[at] - 1
    direction = geometry.col_direction if at == 0 else geometry.row_direction
    step = np.asarray(direction) * (count * geometry.pixel_spacing_mm[at])
    against = (-direction[0], -direction[1], -direction[2])
    turned = replace(geometry, positions_mm=tuple(_moved(position, step) for position in geometry.positions_mm))
    turned = replace(turned, col_direction=against) if at == 0 else replace(turned, row_direction=against)
    return pixels, turned, [[_turned_source(source, at, count) for source in row] for row in sources]


def _moved(position: Vector, step: NDArray[np.float64]) -> Vector:
    return position[0] + float(step[0]), position[1] + float(step[1]), position[2] + float(step[2])


def _turned_source(source: FrameSource, at: int, count: int) -> FrameSource:
    origin, step = list(source.origin), list(source.step)
    origin[at], step[at] = origin[at] + step[at] * count, -step[at]
    return source._replace(origin=(origin[0], origin[1]), step=(step[0], step[1]))
