"""Where frames are in the patient: their planes, and which frames of a series belong to one slice.

Frames of a slice are at one place, or move together where a slice follows the heart.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import Geometry, Vector
from cmr_viewer.load.dicom.headers import Header

SAME_TILT_DEG = 1.0
"""Planes that differ by less are parallel: directions are rounded to few digits in some files."""

TILT_LIMIT_DEG = 5.0
"""Planes that differ by more are never slices of one stack."""


class Plane(NamedTuple):
    """Directions and place of a frame in the patient, LPS, mm.

    Attributes:
        row: Unit vector along which the column index grows, (3,).
        col: Unit vector along which the row index grows, (3,).
        normal: Unit vector, row x col, (3,).
        centre: Middle of the frame, (3,).
    """

    row: NDArray[np.float64]
    col: NDArray[np.float64]
    normal: NDArray[np.float64]
    centre: NDArray[np.float64]


def plane_of(header: Header) -> Plane:
    """The plane of a frame."""
    return _plane(header.orientation, header.position, (header.rows, header.cols), header.spacing)


@lru_cache(maxsize=4096)
def _plane(
    orientation: tuple[float, ...],
    position: tuple[float, float, float],
    shape: tuple[int, int],
    spacing: tuple[float, float],
) -> Plane:
    row, col = np.asarray(orientation[:3], np.float64), np.asarray(orientation[3:], np.float64)
    row, col = row / np.linalg.norm(row), col / np.linalg.norm(col)
    normal = np.cross(row, col)
    down, right = (shape[0] - 1) / 2 * spacing[0], (shape[1] - 1) / 2 * spacing[1]
    return Plane(row, col, normal / np.linalg.norm(normal), np.asarray(position) + col * down + row * right)


def signs(plane: Plane, reference: Plane) -> tuple[int, int]:
    """Whether the row and the column index grow along (1) or against (-1) those of a reference."""
    return (1 if plane.col @ reference.col >= 0 else -1), (1 if plane.row @ reference.row >= 0 else -1)


def tilt_deg(plane: Plane, reference: Plane) -> float:
    """Largest angle between the directions of two planes, whichever way each of them runs, 0 to 90."""
    return max(line_angle_deg(plane.row, reference.row), line_angle_deg(plane.col, reference.col))


def line_angle_deg(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Angle between two lines along unit vectors, 0 to 90."""
    # The cross product is exact for small angles, where the arc cosine is not.
    return float(np.rad2deg(np.arctan2(np.linalg.norm(np.cross(one, other)), abs(float(one @ other)))))


def geometry_of(header: Header, positions_mm: Sequence[Vector]) -> Geometry:
    """Geometry of slices on the grid of a frame; a position is the centre of the first pixel of a slice."""
    o = header.orientation
    return Geometry(
        rows=header.rows,
        cols=header.cols,
        pixel_spacing_mm=header.spacing,
        row_direction=(o[0], o[1], o[2]),
        col_direction=(o[3], o[4], o[5]),
        positions_mm=tuple(positions_mm),
        single_slice_spacing_mm=positive(header.slice_spacing_mm),
    )


def positive(length: float | None) -> float | None:
    """A length, or None where it cannot be one."""
    return length if length is not None and length > 0 else None


SAME_PLACE_MM = 0.5
"""Frames of one series that are nearer to each other than this along the normal belong to one slice, if slices are
further apart than 1.25 mm."""

ONE_SLICE_OF_SPACING = 0.4
"""Share of the slice spacing within which two frames belong to one slice."""

_LEAST_PHASES = 5
_MOST_MOTION_MM = 25.0
"""The base of the heart moves by up to 20 mm."""

_USUAL_STEP_OF_SPACING = 0.4

Placed = tuple[float, list[Header]]
"""Place along the normal, mm, and the frames there."""


def slices_of(headers: Sequence[Header], reference: Plane, around: Sequence[Header]) -> list[Placed]:
    """Frames of one series by slice, ascending along the normal.

    Frames at one place belong to one slice. How near counts as one place is derived from the distances of the slices:
    those of small animals are a tenth of a millimetre apart. Where a slice follows the heart, its frames have other
    places at other phases; the slices then are in the same order at each phase.

    Args:
        headers: Frames of one series; at least one.
        reference: The plane along whose normal places are counted.
        around: Frames of all series of the stack, which give the distance where this series has too few slices.
    """
    placed = _placed(headers, reference)
    room = _room_mm(placed, around, reference)
    slices: list[Placed] = []
    for along, header in placed:
        if not slices or along - slices[-1][0] > room:
            slices.append((along, []))
        slices[-1][1].append(header)
    usual = _usual(slices)
    if usual < _LEAST_PHASES or any(len(frames) != usual for _, frames in slices):
        moving = _following(placed, room)
        if moving:
            return moving
    return _with_strays(slices, usual) if usual > 1 else slices


def _usual_spacing(places: NDArray[np.float64]) -> float:
    """The gap that half of the way along ascending places is covered by, as gaps or smaller ones; 0 for a single place.

    Places that are almost the same add many gaps, but little way.
    """
    gaps = np.sort(np.diff(places))
    way = np.cumsum(gaps)
    return float(gaps[np.searchsorted(way, way[-1] / 2)]) if len(gaps) else 0.0


def _placed(headers: Sequence[Header], reference: Plane) -> list[tuple[float, Header]]:
    known: dict[tuple[object, ...], float] = {}
    placed: list[tuple[float, Header]] = []
    for header in headers:
        written = (header.position, header.orientation)
        if written not in known:
            known[written] = float(reference.normal @ plane_of(header).centre)
        placed.append((known[written], header))
    return sorted(placed, key=lambda pair: pair[0])


def _room_mm(placed: Sequence[tuple[float, Header]], around: Sequence[Header], reference: Plane) -> float:
    """How near frames at one place are."""
    places = np.unique([along for along, _ in placed])
    if len(places) < 3:
        places = np.unique([along for along, _ in _placed(around, reference)])
    stated = positive(placed[0][1].slice_spacing_mm)
    spacing = _usual_spacing(places) if len(places) > 2 else 0.0
    known = [mm for mm in (spacing, stated) if mm]
    if not known and len(places) > 1:
        known = [float(np.ptp(places))]
    return min([SAME_PLACE_MM, *(ONE_SLICE_OF_SPACING * mm for mm in known)])


def _usual(slices: Sequence[Placed]) -> int:
    """The most common number of frames of a slice."""
    return Counter(len(frames) for _, frames in slices).most_common(1)[0][0]


def _with_strays(slices: Sequence[Placed], usual: int) -> list[Placed]:
    """Add few frames beside a slice that lacks as many to this slice."""
    whole = [(along, list(frames)) for along, frames in slices if 2 * len(frames) >= usual]
    room = ONE_SLICE_OF_SPACING * _usual_spacing(np.array([along for along, _ in whole]))
    for along, frames in slices:
        if 2 * len(frames) >= usual:
            continue
        near = min(whole, key=lambda place: abs(place[0] - along))
        if abs(near[0] - along) <= room and len(near[1]) + len(frames) <= usual:
            near[1].extend(frames)
        else:
            whole.append((along, frames))
    return sorted(whole, key=lambda place: place[0])


def _following(placed: Sequence[tuple[float, Header]], room: float) -> list[Placed] | None:
    """Slices whose places change with the phase, or None where the frames are not such slices."""
    headers = [header for _, header in placed]
    times = _times(headers) or [0.0] * len(headers)
    frames = [
        (time, header.instance_number, along, header) for time, (along, header) in zip(times, placed, strict=True)
    ]
    if len(set(times)) > 1:
        divisions = [_numbered_one_after_the_other(frames), _ranked_at_each_phase(frames)]
    else:
        divisions = _numbered_evenly(frames)
    for slices in divisions:
        if slices and _move_as_a_heart(slices, room):
            found = [(float(np.mean([along for _, _, along, _ in s])), [h for *_, h in s]) for s in slices]
            return sorted(found, key=lambda place: place[0])
    return None


_Frame = tuple[float, int, float, Header]
"""Time, instance number, place and header."""


def _times(headers: Sequence[Header]) -> list[float] | None:
    """What distinguishes the phases of frames, or None."""
    for name in ("trigger_ms", "cycle_percent", "temporal_position"):
        values = [getattr(header, name) for header in headers]
        if None not in values and len(set(values)) >= _LEAST_PHASES:
            return [float(value) for value in values]
    return None


def _ranked_at_each_phase(frames: Sequence[_Frame]) -> list[list[_Frame]]:
    """Slices by the order of the places at each phase; none where phases have different numbers of frames."""
    phases: dict[float, list[_Frame]] = defaultdict(list)
    for frame in frames:
        phases[frame[0]].append(frame)
    if len({len(phase) for phase in phases.values()}) > 1:
        return []
    in_order = [sorted(phases[time], key=lambda frame: frame[2]) for time in sorted(phases)]
    return [list(column) for column in zip(*in_order, strict=True)]


def _numbered_one_after_the_other(frames: Sequence[_Frame]) -> list[list[_Frame]]:
    """Slices whose frames are numbered slice by slice: each begins where the time goes back."""
    slices: list[list[_Frame]] = []
    for frame in sorted(frames, key=lambda frame: frame[1]):
        if not slices or frame[0] <= slices[-1][-1][0]:
            slices.append([])
        slices[-1].append(frame)
    most = max(len(each) for each in slices)
    return slices if all(2 * len(each) > most for each in slices) else []


def _numbered_evenly(frames: Sequence[_Frame]) -> list[list[list[_Frame]]]:
    """Slices of equally many frames without times, numbered slice by slice or phase by phase: all that can be.

    The slices are in the same order at each phase, and each moves there and back, unlike a stack of single images. The
    divisions with the fewest phases come first: in others two slices are one.
    """
    in_order = sorted(frames, key=lambda frame: frame[1])
    if len({number for _, number, _, _ in frames}) < len(frames):
        return []
    found = []
    for phases in (n for n in range(_LEAST_PHASES, len(frames) // 2 + 1) if len(frames) % n == 0):
        count = len(frames) // phases
        by_slice = [in_order[s * phases : (s + 1) * phases] for s in range(count)]
        by_phase = [in_order[s::count] for s in range(count)]
        for slices in (by_slice, by_phase):
            places = np.array([[along for _, _, along, _ in each] for each in slices])
            apart, steps = np.diff(places, axis=0), np.diff(places, axis=1)
            in_one_order = bool((apart > 0).all() or (apart < 0).all())
            if in_one_order and ((steps > 0).any(axis=1) & (steps < 0).any(axis=1)).all():
                found.append(slices)
    return found


def _move_as_a_heart(slices: Sequence[Sequence[_Frame]], room: float) -> bool:
    """Whether slices move little from phase to phase, no further than a heart does, and back again."""
    places = [np.array([along for _, _, along, _ in frames]) for frames in slices]
    most = max(float(np.ptp(each)) for each in places)
    if max(len(each) for each in places) < _LEAST_PHASES or not room < most <= _MOST_MOTION_MM:
        return False
    middles = np.sort([each.mean() for each in places])
    if len(middles) > 1:
        spacing = float(np.median(np.diff(middles)))
    else:
        steps = np.diff(places[0])
        if (steps >= 0).all() or (steps <= 0).all():
            return False  # a stack of single images, acquired one after the other
        spacing = positive(slices[0][0][3].slice_spacing_mm) or 0.0
    usual_step = float(np.median(np.concatenate([np.abs(np.diff(each)) for each in places])))
    return usual_step <= _USUAL_STEP_OF_SPACING * spacing
