"""Frames of one stack on one grid, seen from the apex, where series differ in direction, matrix or pixel spacing.

docs/loading/stacks.md describes the policy for readers.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import Geometry, Vector, vector
from cmr_viewer.domain.notes import Code
from cmr_viewer.domain.study import FrameSource
from cmr_viewer.load.base_end import points_to_apex, shows_the_apex
from cmr_viewer.load.dicom.headers import Header
from cmr_viewer.load.stacks.phases import SliceNote
from cmr_viewer.load.stacks.places import SAME_TILT_DEG, Plane, plane_of, signs, tilt_deg

SAME_SCALE = 0.005
"""Pixel spacings that differ by a smaller share are the same."""


@dataclass(frozen=True)
class Fit:
    """How the image of a file is brought onto the grid of the stack.

    Attributes:
        origin: (row, col) in the file of the first pixel of the frame.
        step: Rows and columns of the file from one row, col of the frame to the next; negative where reversed.
        position: Place in the patient of the first pixel of the frame, LPS, mm.
    """

    origin: tuple[float, float]
    step: tuple[float, float]
    position: Vector

    @property
    def is_plain(self) -> bool:
        """Whether the image stays as it is."""
        return self.origin == (0.0, 0.0) and self.step == (1.0, 1.0)

    @property
    def is_exact(self) -> bool:
        """Whether pixels are only moved, none is interpolated."""
        return all(abs(v) == 1.0 for v in self.step)


@dataclass(frozen=True, eq=False)
class StackGrid:
    """The grid of a stack.

    Attributes:
        header: A frame on it.
        fits: Per slice: how its frames are brought onto it.
        beside_mm: Per slice: how far its middle is from that of `header` in the plane; 0 where it was not shifted.
        notes: Notes on slices.
    """

    header: Header
    fits: tuple[Fit, ...]
    beside_mm: tuple[float, ...]
    notes: tuple[SliceNote, ...]


def grid_of(slices: Sequence[Header]) -> StackGrid:
    """The grid that most slices have, given a frame of each, and how the others are brought onto it.

    A slice that is offset in-plane is shifted by whole pixels; the rest, at most half a pixel, stays in its position.
    Rows and columns that run the other way are reversed. A different matrix of the same pixel spacing is cropped or
    padded by whole pixels. A different pixel spacing is resampled, linearly, in the plane. A plane that is tilted by up
    to 5 degrees counts as parallel, with its centre at its true position. Notes report all of it.
    """
    most = Counter((h.orientation, h.rows, h.cols, h.spacing) for h in slices).most_common(1)[0][0]
    own = [h for h in slices if (h.orientation, h.rows, h.cols, h.spacing) == most]
    header = _in_the_middle(own)
    fits, beside, notes = [], [], []
    for place, slice_header in enumerate(slices):
        fit, text = _fit(slice_header, header)
        fits.append(fit)
        offset = _offset(plane_of(slice_header), header)
        beside.append(float(np.hypot(*(offset * header.spacing))) if any(_whole(-offset)) else 0.0)
        if text:
            notes.append(SliceNote(place, f"Slice {{}} {text}.", Code.SLICE_FITTED))
    return StackGrid(header, tuple(fits), tuple(beside), tuple(notes))


def _in_the_middle(slices: Sequence[Header]) -> Header:
    """The slice of one grid that is nearest to the others in the plane: never a single shifted one."""
    offsets = np.asarray([_offset(plane_of(h), slices[0]) for h in slices])
    return slices[int(np.abs(offsets - np.median(offsets, axis=0)).sum(axis=1).argmin())]


def _offset(plane: Plane, reference: Header) -> NDArray[np.float64]:
    """(rows, cols) from the middle of the reference to that of a plane, along the reference's directions."""
    grid = plane_of(reference)
    away = plane.centre - grid.centre
    return np.asarray([away @ grid.col, away @ grid.row]) / reference.spacing


def _fit(header: Header, reference: Header) -> tuple[Fit, str]:
    """How a slice is brought onto the grid of the stack, and the text of a note."""
    plane, grid = plane_of(header), plane_of(reference)
    direction, tilt = signs(plane, grid), tilt_deg(plane, grid)
    ratios = tuple(a / b for a, b in zip(reference.spacing, header.spacing, strict=True))
    same_scale = all(abs(ratio - 1) <= SAME_SCALE for ratio in ratios)
    same_matrix = (header.rows, header.cols) == (reference.rows, reference.cols)
    tilted = tilt > SAME_TILT_DEG
    if same_scale and same_matrix and direction == (1, 1) and not tilted:
        down, right = _whole(-_offset(plane, reference))
        if (down, right) == (0.0, 0.0):
            return Fit((0.0, 0.0), (1.0, 1.0), header.position), ""
        return Fit((down, right), (1.0, 1.0), vector(_in_patient(header, plane, (down, right)))), ""
    step = (direction[0] * (1.0 if same_scale else ratios[0]), direction[1] * (1.0 if same_scale else ratios[1]))
    origin = _origin(header, reference, step, snapped=same_scale)
    middle = ((reference.rows - 1) / 2, (reference.cols - 1) / 2)
    centre = _in_patient(header, plane, (origin[0] + step[0] * middle[0], origin[1] + step[1] * middle[1]))
    corner = centre - grid.col * (middle[0] * reference.spacing[0]) - grid.row * (middle[1] * reference.spacing[1])
    differences = []
    if direction != (1, 1):
        differences.append("is stored flipped and was flipped back")
    if tilted:
        differences.append(f"is tilted by {tilt:.1f} degrees relative to the others but shown as parallel")
    if not same_scale:
        spacing = " x ".join(f"{v:.3g}" for v in header.spacing)
        differences.append(f"has a different pixel spacing ({spacing} mm) and was resampled to that of the others")
    elif not same_matrix:
        matrix = f"{header.rows} x {header.cols}"
        differences.append(f"has a different matrix ({matrix}) and was cropped or padded at the edges")
    return Fit(origin, step, vector(corner)), ", ".join(differences)


def _origin(header: Header, reference: Header, step: tuple[float, float], *, snapped: bool) -> tuple[float, float]:
    """Place in a file's image of the first pixel of the stack's grid, seen along the normal of the grid."""
    # The middle of the grid in the image, then half of the grid back.
    down, right = _offset(plane_of(header), reference)
    row = (header.rows - 1) / 2 - step[0] * (down + (reference.rows - 1) / 2)
    col = (header.cols - 1) / 2 - step[1] * (right + (reference.cols - 1) / 2)
    return _whole((row, col)) if snapped else (row, col)


def _whole(point: Sequence[float] | NDArray[np.float64]) -> tuple[float, float]:
    """The nearest (row, col) of whole numbers, never -0.0."""
    return float(np.floor(point[0] + 0.5)) + 0.0, float(np.floor(point[1] + 0.5)) + 0.0


def _in_patient(header: Header, plane: Plane, point: tuple[float, float]) -> NDArray[np.float64]:
    down = (point[0] - (header.rows - 1) / 2) * header.spacing[0]
    right = (point[1] - (header.cols - 1) / 2) * header.spacing[1]
    return np.asarray(plane.centre + plane.col * down + plane.row * right)


def fitted(image: NDArray[Any], fit: Fit, shape: tuple[int, int]) -> NDArray[Any]:
    """An image (row, col) on the grid of the stack, of a shape (rows, cols); pixels outside have its lowest value."""
    if not fit.is_exact:
        from scipy import ndimage  # noqa: PLC0415 - few studies need it, and it is slow to import

        matrix, low = np.diag(fit.step), image.min()
        values = ndimage.affine_transform(
            image.astype(np.float32), matrix, fit.origin, shape, order=1, mode="constant", cval=float(low)
        )
        return np.asarray(np.rint(values) if image.dtype.kind in "iu" else values).astype(image.dtype)
    result = np.full(shape, image.min(), image.dtype)
    rows, cols = ((int(o) + int(s) * np.arange(n)) for o, s, n in zip(fit.origin, fit.step, shape, strict=True))
    row_in, col_in = (rows >= 0) & (rows < image.shape[0]), (cols >= 0) & (cols < image.shape[1])
    result[np.ix_(row_in, col_in)] = image[np.ix_(rows[row_in], cols[col_in])]
    return result


Axis = Literal["rows", "columns"]

TYPICAL_ROW: Vector = (0.77, 0.62, 0.15)
TYPICAL_COL: Vector = (-0.15, 0.41, -0.90)
"""Row and column directions of short-axis frames as scanners write them: the right ventricle on the left, the front
of the patient up. Those of a patient of the Sunnybrook set, near enough to distinguish them from their mirror image."""


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
    if not shows_the_apex(normal) or not points_to_apex(normal):
        return None
    usual_row, usual_col = np.asarray(TYPICAL_ROW), np.asarray(TYPICAL_COL)
    with_columns_reversed = float(-row @ usual_row + col @ usual_col)
    with_rows_reversed = float(row @ usual_row - col @ usual_col)
    return "columns" if with_columns_reversed >= with_rows_reversed else "rows"


def reverse_axis(
    axis: Axis, pixels: NDArray[Any], geometry: Geometry, sources: list[list[FrameSource]]
) -> tuple[NDArray[Any], Geometry, list[list[FrameSource]]]:
    """Reverse rows or columns: in the pixels themselves, in the geometry and in the sources."""
    at = 0 if axis == "rows" else 1
    for phase in pixels:
        for frame in phase:
            frame[:] = np.flip(frame, at).copy()
    count = (geometry.rows, geometry.cols)[at] - 1
    direction = geometry.col_direction if at == 0 else geometry.row_direction
    step = np.asarray(direction) * (count * geometry.pixel_spacing_mm[at])
    against = (-direction[0], -direction[1], -direction[2])
    moved = replace(geometry, positions_mm=tuple(vector(place + step) for place in np.asarray(geometry.positions_mm)))
    moved = replace(moved, col_direction=against) if at == 0 else replace(moved, row_direction=against)

    def reversed_source(source: FrameSource) -> FrameSource:
        origin, step = list(source.origin), list(source.step)
        origin[at], step[at] = origin[at] + step[at] * count, -step[at]
        return source._replace(origin=(origin[0], origin[1]), step=(step[0], step[1]))

    return pixels, moved, [[reversed_source(source) for source in row] for row in sources]
