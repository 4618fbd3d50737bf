"""What a form of the matrix is: how the phantom is written in it, and what is true of what must come back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.study import Stack
from tests.phantom import Phantom, clinical_cine

PHASES, SLICES, ROWS, COLS = 6, 7, 36, 32


@cache
def known() -> Phantom:
    """The phantom that is written in every form: turned in the plane, shifted from slice to slice, 12 bits of range."""
    return clinical_cine(
        4,
        phases=PHASES,
        slices=SLICES,
        rows=ROWS,
        cols=COLS,
        pixel_spacing_mm=(5.0, 4.5),
        slice_spacing_mm=9.5,
        above=1,
        rotation_deg=20.0,
        dtype=np.uint16,
    )


@dataclass(frozen=True, eq=False)
class Truth:
    """What must be read.

    Attributes:
        pixels: (phase, slice, row, col) in the dtype that they must have.
        places_mm: (slice, row, col, 3) of every pixel in the patient, LPS.
        times_ms: Phase times, or None where the form states none.
        source_slices: Where each slice is in the file's own order, or None where that is not checked.
        ed: End-diastolic phase, as the form states it.
        es: End-systolic phase.
        reference: (phase, slice, row, col) label maps that come with the form, or None.
        views: (phase, row, col) of each long-axis cine.
        repeats: Slices of which there are several acquisitions.
        choices: Number of stacks to choose from; 0 where there is only one.
        notes: Patterns of the notes, one for each warning, in their order.
        spacing_known: Whether the form's spacing may be believed.
        largest_error: By how much a pixel may differ: 0 but for lossy compression.
    """

    pixels: NDArray[Any]
    places_mm: NDArray[np.float64]
    times_ms: tuple[float, ...] | None
    source_slices: tuple[int, ...] | None = None
    ed: int | None = None
    es: int | None = None
    reference: NDArray[np.uint8] | None = None
    views: tuple[NDArray[Any], ...] = ()
    repeats: tuple[int, ...] = ()
    choices: int = 0
    notes: tuple[str, ...] = ()
    spacing_known: bool = True
    largest_error: float = 0.0


Written = tuple[Path, Truth]


@dataclass(frozen=True)
class Form:
    """A form in which studies come.

    Attributes:
        name: As in the table of docs/loading/README.md.
        write: Writes the phantom into an empty folder; what to open, and what must be read.
    """

    name: str
    write: Callable[[Path], Written]


def places_of(geometry: Geometry) -> NDArray[np.float64]:
    """(slice, row, col, 3) patient coordinates of all pixel centres (PS3.3, C.7.6.2.1.1)."""
    first = np.asarray(geometry.positions_mm)[:, None, None]
    down = np.asarray(geometry.col_direction) * geometry.pixel_spacing_mm[0]
    right = np.asarray(geometry.row_direction) * geometry.pixel_spacing_mm[1]
    rows, cols = np.arange(geometry.rows), np.arange(geometry.cols)
    return np.asarray(first + rows[None, :, None, None] * down + cols[None, None, :, None] * right)


def truth_of(stack: Stack, **changes: Any) -> Truth:
    """A stack as it is, but for what is changed."""
    return replace(Truth(stack.pixels, places_of(stack.geometry), stack.phase_times_ms), **changes)
