"""DICOM folders of stacks that are not perfectly regular, with a bright spot in each frame whose place is known."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from cmr_viewer.domain.study import Stack
from tests.phantom import sax_cine
from tests.phantom_dicom import beside, mirrored, part_of, write_frames

PIXEL_MM = 2.0
SPOT = 3000
"""Value of the spot, higher than any other."""


def write_uneven(
    folder: Path,
    gaps_mm: Sequence[float],
    shifts: Sequence[tuple[float, float]] = (),
    *,
    stored: str = "",
    apex_first: bool = False,
) -> Path:
    """Write a short-axis cine of slices at any distances.

    Args:
        folder: Made for it.
        gaps_mm: From each slice to the next, base to apex.
        shifts: Per slice: rows and columns, in pixels, by which it was imaged from beside the others. Whole pixels move
            what is seen; the rest moves the patient, as between two breath-holds.
        stored: "rows" or "cols" for frames that are stored as looked at from the base.
        apex_first: Number instances from the apex.
    """
    stack = spotted(gaps_mm)
    for s in range(stack.slices):
        down, right = shifts[s] if shifts else (0.0, 0.0)
        one = beside(part_of(stack, [s]), round(down), round(right))
        rest = (down - round(down), right - round(right))
        g = one.geometry
        by = np.asarray(g.col_direction) * rest[0] * PIXEL_MM + np.asarray(g.row_direction) * rest[1] * PIXEL_MM
        x, y, z = np.asarray(g.positions_mm[0]) + by
        one = replace(one, geometry=replace(g, positions_mm=((float(x), float(y), float(z)),)))
        one = mirrored(one, stored) if stored else one
        first = 1 + stack.phases * (stack.slices - 1 - s if apex_first else s)
        write_frames(folder, one, series=f"7.{s}", change=_in_one_series, first_instance=first)
    return folder


def _in_one_series(data: Any, phase: int, index: int) -> None:
    data.SeriesInstanceUID = data.SeriesInstanceUID.rpartition(".")[0]


def spotted(gaps_mm: Sequence[float]) -> Stack:
    """A heart with a spot of 5 x 7 pixels, at another place in each slice and phase, of a size that shrinks."""
    slices = len(gaps_mm) + 1
    stack = sax_cine(phases=4, slices=slices, rows=48, cols=44, pixel_spacing_mm=(PIXEL_MM, PIXEL_MM)).stack
    pixels = np.minimum(stack.pixels, SPOT - 1000)
    for phase in range(stack.phases):
        for s in range(slices):
            top, left = 17 + (s + phase) % 3, 15 + (2 * s + phase) % 4
            pixels[phase, s, top : top + 5, left : left + 7 - phase] = SPOT
    first, normal = np.asarray(stack.geometry.positions_mm[0]), stack.geometry.normal
    along = np.concatenate([[0.0], np.cumsum(gaps_mm)])
    positions = tuple((float(p[0]), float(p[1]), float(p[2])) for p in first - along[:, None] * normal)
    return replace(stack, pixels=pixels, geometry=replace(stack.geometry, positions_mm=positions))


def spots_in_files(folder: Path) -> dict[tuple[int, int], NDArray[np.float64]]:
    """Middle of the spot in the patient (LPS, mm) by place along the normal (0.1 mm) and phase; by pydicom alone."""
    found = {}
    times = sorted({float(pydicom.dcmread(p, stop_before_pixels=True).TriggerTime) for p in folder.iterdir()})
    for path in folder.iterdir():
        data = pydicom.dcmread(path)
        row, col = np.argwhere(data.pixel_array == SPOT).mean(axis=0)
        o = np.asarray(data.ImageOrientationPatient, float)
        place = np.asarray(data.ImagePositionPatient, float)
        place = place + o[3:] * row * float(data.PixelSpacing[0]) + o[:3] * col * float(data.PixelSpacing[1])
        found[along_normal(place), times.index(float(data.TriggerTime))] = place
    return found


def along_normal(place: NDArray[np.float64]) -> int:
    """Place along the normal of the phantom's slices, base to apex, in tenths of a millimetre."""
    return round(-10 * float(place @ _normal()))


@cache
def _normal() -> NDArray[np.float64]:
    return spotted([10.0] * 4).geometry.normal
