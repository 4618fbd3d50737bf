"""Where the pixels of a stack are in the patient.

Patient coordinates are DICOM's (LPS: x to the left, y to the back, z to the head), in mm.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.errors import GeometryError

Vector = tuple[float, float, float]

LPS_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""(4, 4) from DICOM's patient coordinates (LPS) to those of NIfTI (RAS), and back."""

EVEN_SHARE = 2e-3
"""Distances of slices that differ from the usual one by a smaller share are even: files round positions."""


def vector(values: NDArray[np.float64]) -> Vector:
    """An array (3,) as a tuple."""
    x, y, z = values.tolist()
    return x, y, z


def is_oblique(normal: NDArray[np.float64]) -> bool:
    """Whether a slice normal (unit vector in the patient, (3,)) can be that of real short-axis slices.

    A short-axis plane is oblique to the axes of the body. A normal within 10 degrees of one of them is a sign of a file
    whose orientation was lost and replaced by a default.
    """
    return bool(np.abs(normal).max() < np.cos(np.deg2rad(10.0)))


@dataclass(frozen=True)
class Geometry:
    """Grid of a stack: one orientation, one pixel spacing, one position per slice.

    Attributes:
        rows: Number of rows of a frame.
        cols: Number of columns of a frame.
        pixel_spacing_mm: (row, col) distance of pixel centres. DICOM (0028,0030).
        row_direction: Unit vector along which the column index grows. First half of DICOM (0020,0037).
        col_direction: Unit vector along which the row index grows. Second half of DICOM (0020,0037).
        positions_mm: Per slice, base to apex: centre of the first pixel. DICOM (0020,0032).
        single_slice_spacing_mm: Slice spacing to use where one slice alone does not give it.
        spacing_known: False where the file's spacing is absent or known not to be true; then nothing may be
            given in mm, ml or g.
    """

    rows: int
    cols: int
    pixel_spacing_mm: tuple[float, float]
    row_direction: Vector
    col_direction: Vector
    positions_mm: tuple[Vector, ...]
    single_slice_spacing_mm: float | None = None
    spacing_known: bool = True

    def __post_init__(self) -> None:
        if self.rows < 1 or self.cols < 1 or not self.positions_mm:
            raise GeometryError(
                f"A stack needs at least one row, column and slice, not {self.rows} x {self.cols} x {self.slices}."
            )
        if not all(np.isfinite(s) and s > 0 for s in self.pixel_spacing_mm):
            raise GeometryError(f"Pixel spacing must be positive, not {self.pixel_spacing_mm} mm.")
        if not np.isfinite(np.asarray([*self.positions_mm, self.row_direction, self.col_direction])).all():
            raise GeometryError("Slice positions and directions must be numbers.")

    @property
    def slices(self) -> int:
        """Number of slices."""
        return len(self.positions_mm)

    @cached_property
    def normal(self) -> NDArray[np.float64]:
        """Unit vector perpendicular to the frames, (3,)."""
        cross = np.cross(np.asarray(self.row_direction, float), np.asarray(self.col_direction, float))
        length = float(np.linalg.norm(cross))
        if length < 1e-6:
            raise GeometryError("The row and column directions of the stack are parallel.")
        return np.asarray(cross / length, dtype=np.float64)

    @cached_property
    def slice_spacing_mm(self) -> float:
        """Distance of neighbouring slice centres along the normal; not Slice Thickness (0018,0050).

        The median over the stack, so that one missing slice does not change it.

        Raises:
            GeometryError: One slice alone, and no spacing was given for it; or slices at the same place.
        """
        if self.slices == 1:
            if self.single_slice_spacing_mm is None:
                raise GeometryError("The spacing of a single slice is not known.")
            return self.single_slice_spacing_mm
        spacing = slice_spacing_from_positions_mm(self.positions_mm, self.normal)
        if spacing <= 0:
            raise GeometryError("Neighbouring slices have the same position.")
        return spacing

    @cached_property
    def slice_weights(self) -> NDArray[np.float64]:
        """How many usual slice spacings each slice counts for in a volume, (slice,); 1.0 where slices lie evenly.

        A slice reaches half-way to each of its neighbours. The first and the last slice reach as far as half of the
        usual spacing beyond the stack, so that an evenly spaced stack counts for slices x spacing.

        Source:
            Summation of discs (SCMR post-processing guidelines, Schulz-Menger et al. 2020), for discs of unequal
            height.
        """
        if self.slices == 1 or self._gaps_are_even:
            return np.ones(self.slices)
        usual = self.slice_spacing_mm
        gaps = np.concatenate([[usual], self.slice_gaps_mm, [usual]])
        return np.asarray((gaps[:-1] + gaps[1:]) / (2.0 * usual))

    @cached_property
    def slice_gaps_mm(self) -> NDArray[np.float64]:
        """Distance along the normal from each slice to the next, (slice - 1,)."""
        return np.abs(np.diff(np.asarray(self.positions_mm, dtype=np.float64) @ self.normal))

    @property
    def _gaps_are_even(self) -> bool:
        usual = float(np.median(self.slice_gaps_mm))
        return usual <= 0 or bool(np.abs(self.slice_gaps_mm / usual - 1.0).max() <= EVEN_SHARE)

    def to_patient_mm(self, slice_index: int, point: tuple[float, float]) -> NDArray[np.float64]:
        """Patient coordinates (3,) of a (row, col) point of a slice; pixel centres are whole numbers."""
        row, col = point
        return np.asarray(
            np.asarray(self.positions_mm[slice_index])
            + np.asarray(self.col_direction) * (row * self.pixel_spacing_mm[0])
            + np.asarray(self.row_direction) * (col * self.pixel_spacing_mm[1]),
            dtype=np.float64,
        )


def geometry_to_json(geometry: Geometry) -> str:
    """A geometry as JSON text; `geometry_from_json` is the way back."""
    return json.dumps(asdict(geometry))


def geometry_from_json(text: str) -> Geometry:
    """Read what `geometry_to_json` wrote.

    Raises:
        GeometryError: It is no geometry.
    """
    try:
        values = json.loads(text)
        row_mm, col_mm = values["pixel_spacing_mm"]
        spacing = values.get("single_slice_spacing_mm")
        return Geometry(
            rows=int(values["rows"]),
            cols=int(values["cols"]),
            pixel_spacing_mm=(float(row_mm), float(col_mm)),
            row_direction=_vector_of(values["row_direction"]),
            col_direction=_vector_of(values["col_direction"]),
            positions_mm=tuple(_vector_of(one) for one in values["positions_mm"]),
            single_slice_spacing_mm=None if spacing is None else float(spacing),
            spacing_known=bool(values.get("spacing_known", True)),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise GeometryError(f"A stored geometry is damaged: {error!r}.") from error


def _vector_of(values: Sequence[float]) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z


def slice_spacing_from_positions_mm(positions_mm: Sequence[Vector], normal: NDArray[np.float64]) -> float:
    """Median distance of neighbouring slices along the normal, in mm.

    Args:
        positions_mm: Per slice, in order: centre of the first pixel; at least two.
        normal: Unit vector perpendicular to the slices, (3,).
    """
    along = np.asarray(positions_mm, dtype=np.float64) @ normal
    return float(np.median(np.abs(np.diff(along))))
