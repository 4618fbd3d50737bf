"""From the frames of one group to the pixels of a stack: base first, seen from the apex, complete."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.notes import Code, Note, listed, numbered
from cmr_viewer.domain.study import FrameSource, LongAxisView, Stack
from cmr_viewer.errors import LoadError
from cmr_viewer.load.base_end import BASE_END_GUESSED, points_to_apex, shows_the_apex, starts_at_base, views_motion
from cmr_viewer.load.dicom.headers import Header
from cmr_viewer.load.dicom.pixels import Damaged, Place, Preview, pixel_dtype, read_into
from cmr_viewer.load.spacing import gap_notes
from cmr_viewer.load.stacks.acquisitions import Acquisition
from cmr_viewer.load.stacks.grid import Axis, Fit, StackGrid, fitted, grid_of, mirrored_axis, reverse_axis
from cmr_viewer.load.stacks.phases import PhasePlan, SliceNote, match_phases
from cmr_viewer.load.stacks.places import ONE_SLICE_OF_SPACING, SAME_PLACE_MM, geometry_of, plane_of, positive
from cmr_viewer.progress import Progress, part

_LEAST_VIEW_MOTION = 0.1
_SHORTEST_BEAT = 0.8
"""Share of the time from the first phase to the last that a beat must last for its rate to be believed."""

_SAME_RATE = 1.15
"""Rates that differ by less come from one heart, whose beats vary."""


@dataclass(frozen=True, eq=False)
class PlannedStack:
    """What a stack will consist of; slices ascend along the normal, base first where the headers show it.

    Attributes:
        acquisitions: One for each slice.
        phases: Which frame is shown at each slice and phase.
        grid: The grid, with how each slice is brought onto it.
        base_known: Whether the first slice is known to be the most basal.
        mirrored: Rows or columns that are reversed, so that the frames are seen from the apex; or None.
    """

    acquisitions: tuple[Acquisition, ...]
    phases: PhasePlan
    grid: StackGrid
    base_known: bool
    mirrored: Axis | None


@dataclass(frozen=True, eq=False)
class ReadStack:
    """A stack, the frames that it shows, and notes.

    Attributes:
        stack: The stack.
        frames: (slice)(phase) frame of each place.
        acquisitions: One for each slice.
        notes: For a reader.
    """

    stack: Stack
    frames: list[list[Header]]
    acquisitions: tuple[Acquisition, ...]
    notes: list[Note]


def plan_stack(acquisitions: Sequence[Acquisition], normal: NDArray[np.float64]) -> PlannedStack:
    """Plan a stack from its headers: one acquisition for each slice, ascending along the normal (3,)."""
    known = shows_the_apex(normal)
    ordered = tuple(acquisitions if not known or points_to_apex(normal) else reversed(acquisitions))
    phases = match_phases([a.timed for a in ordered])
    grid = grid_of([frames[0] for frames in phases.frames])
    return PlannedStack(ordered, phases, grid, known, mirrored_axis(grid.header))


def read_stack(
    planned: PlannedStack,
    views: Callable[[], Sequence[LongAxisView]],
    progress: Progress,
    preview: Preview | None,
    source_of: Callable[[Path], Path],
) -> ReadStack:
    """Decode the frames of a stack.

    Args:
        planned: From `plan_stack`.
        views: Gives the long-axis cines of the study; called only where the headers do not show the base.
        progress: Called with how far the work is.
        preview: Called once, with the first frame that is decoded, as it will be shown.
        source_of: Where a file is for a reader.

    Raises:
        LoadError: No frame can be decoded.
        Cancelled: `progress` asked to stop.
    """
    phases, grid = planned.phases, planned.grid
    pixels, damaged = _decode(phases.frames, grid, planned.mirrored, progress, preview)
    frames, whole, slice_notes = _repaired(phases.frames, pixels, damaged)
    if len(whole) < len(grid.fits):
        pixels = pixels[:, whole]
    fits = [grid.fits[s] for s in whole]
    geometry = replace(
        geometry_of(grid.header, [fit.position for fit in fits]),
        single_slice_spacing_mm=positive(frames[0][0].slice_spacing_mm),
    )
    sources = _sources(frames, fits, source_of)
    notes = list(phases.notes)
    if planned.mirrored is not None:
        pixels, geometry, sources = reverse_axis(planned.mirrored, pixels, geometry, sources)
        text = (
            f"The frames are stored as seen from the base. Their {planned.mirrored} were reversed to give the view "
            "from the apex."
        )
        notes.append(Note(text, Code.FRAMES_MIRRORED))
    rate, rate_notes = _heart_rate(frames, phases.times_ms)
    notes += rate_notes
    stack = Stack(
        pixels,
        geometry,
        phase_times_ms=phases.times_ms,
        source_slices=_source_slices(frames),
        heart_rate_bpm=rate,
        description=frames[0][0].description,
        frame_sources=tuple(zip(*sources, strict=True)),
    )
    slices = [phases.slices[s] for s in whole]
    reverse = False
    if not planned.base_known and stack.slices > 1:
        reverse = not _starts_at_base(stack, views())
        notes.append(BASE_END_GUESSED)
    if reverse:
        stack, frames, slices = reversed_stack(stack), frames[::-1], slices[::-1]
    of_grid = [n._replace(place=phases.slices[n.place]) for n in (*grid.notes, *slice_notes)]
    found = len(planned.acquisitions)
    notes += [_numbered(note, slices, found, reverse) for note in (*phases.slice_notes, *of_grid)]
    beside = [grid.beside_mm[s] for s in whole][:: -1 if reverse else 1]
    notes += [*_shift_notes(beside), *gap_notes(stack.geometry), *_motion_notes(stack.geometry, frames)]
    if damaged:
        notes.append(Note(f"Left out files with a damaged image: {_files(damaged)}.", Code.FRAMES_DAMAGED))
    return ReadStack(stack, frames, tuple(planned.acquisitions[s] for s in slices), notes)


def _heart_rate(
    frames: Sequence[Sequence[Header]], times_ms: tuple[float, ...] | None
) -> tuple[float | None, list[Note]]:
    """Median of the rates that the headers state; None with a note where intervals or phases contradict it."""
    rates = [h.heart_rate_bpm for row in frames for h in row if h.heart_rate_bpm is not None]
    if not rates:
        return None, []
    rate, why_not = float(np.median(rates)), ""
    intervals = [h.interval_bpm for row in frames for h in row if h.interval_bpm is not None]
    by_interval = float(np.median(intervals)) if intervals else rate
    if max(by_interval, rate) / min(by_interval, rate) > _SAME_RATE:
        why_not = f"an RR interval of {by_interval:.0f}/min. No heart rate is used. Enter it."
    elif times_ms is not None and 60000.0 / rate < _SHORTEST_BEAT * (times_ms[-1] - times_ms[0]):
        why_not = "the phases span more than one beat. The heart rate is not used."
    if not why_not:
        return rate, []
    return None, [Note(f"The files state a heart rate of {rate:.0f}/min, but {why_not}", Code.HEART_RATE_CONTRADICTED)]


def _shift_notes(beside_mm: Sequence[float]) -> list[Note]:
    """Which slices were shifted to their place in the plane."""
    shifted = [s for s, mm in enumerate(beside_mm) if mm > 0]
    if not shifted:
        return []
    one = len(shifted) == 1
    text = (
        f"{numbered('Slice', shifted)} {'is' if one else 'are'} offset in-plane by {'' if one else 'up to '}"
        f"{max(beside_mm):.1f} mm from the others; {'its image' if one else 'each'} was shifted to its true position."
    )
    return [Note(text, Code.SLICES_SHIFTED, shifted)]


def _motion_notes(geometry: Geometry, frames: Sequence[Sequence[Header]]) -> list[Note]:
    """A note on slices whose position changes with the phase."""
    apart = [float(np.ptp([geometry.normal @ plane_of(h).centre for h in row])) for row in frames]
    spacing = geometry.slice_spacing_mm if geometry.slices > 1 else SAME_PLACE_MM / ONE_SLICE_OF_SPACING
    room = min(SAME_PLACE_MM, ONE_SLICE_OF_SPACING * spacing)
    moving = [s for s, mm in enumerate(apart) if mm > room]
    if not moving:
        return []
    text = (
        f"The position of {numbered('slice', moving)} changes with the phase by up to {max(apart):.1f} mm. The "
        "position at the first phase is used."
    )
    return [Note(text, Code.SLICES_MOVE, moving)]


def _numbered(note: SliceNote, slices: Sequence[int], found: int, reverse: bool) -> Note:
    """A note with the number of its slice, from 1 at the base; for one that was left out, its number among all."""
    if note.place in slices:
        shown = slices.index(note.place)
        return Note(note.text.format(shown + 1, found), note.code, (shown,), note.phases)
    return Note(note.text.format(found - note.place if reverse else note.place + 1, found), note.code)


def reversed_stack(stack: Stack) -> Stack:
    """The stack with its slices reversed; pixels are a reversed view."""
    g = stack.geometry
    return replace(
        stack,
        pixels=stack.pixels[:, ::-1],
        geometry=replace(g, positions_mm=g.positions_mm[::-1]),
        source_slices=stack.source_slices[::-1],
        frame_sources=tuple(row[::-1] for row in stack.frame_sources),
    )


def _sources(
    frames: Sequence[Sequence[Header]], fits: Sequence[Fit], source_of: Callable[[Path], Path]
) -> list[list[FrameSource]]:
    """(slice)(phase) where each frame was read from."""
    found = {path: source_of(path) for path in {h.path for row in frames for h in row}}
    return [
        [FrameSource(found[h.path], h.frame_number, h.instance_uid, h.class_uid, fit.origin, fit.step) for h in row]
        for row, fit in zip(frames, fits, strict=True)
    ]


def _starts_at_base(stack: Stack, views: Sequence[LongAxisView]) -> bool:
    """Whether the first slice is at the base: by the motion that long-axis views show, or else by the slices' own."""
    motion = views_motion(views, stack.geometry)
    return motion > 0 if abs(motion) >= _LEAST_VIEW_MOTION else starts_at_base(stack.pixels)


def _source_slices(frames: Sequence[Sequence[Header]]) -> tuple[int, ...]:
    """The input's own order: along the normal, from the end that was numbered first."""
    numbers = [(row[0].series_number, min((h.instance_number, h.frame_number) for h in row)) for row in frames]
    count = len(frames)
    return tuple(range(count)) if numbers[0] <= numbers[-1] else tuple(reversed(range(count)))


Frames = Sequence[Sequence[Header]]
"""(slice)(phase)."""


def _decode(
    frames: Frames, grid: StackGrid, mirrored: Axis | None, progress: Progress, preview: Preview | None
) -> tuple[NDArray[Any], list[Damaged]]:
    """(phase, slice, row, col) pixels on the grid, a middle slice first, and the frames that cannot be decoded.

    The preview gets a copy of the first frame, with the rows or columns reversed that are to be mirrored.
    """

    def show(frame: NDArray[Any]) -> None:
        if preview is not None:
            preview((frame[::-1] if mirrored == "rows" else frame[:, ::-1] if mirrored == "columns" else frame).copy())

    fits, header = grid.fits, grid.header
    every = [h for row in frames for h in row]
    shape = (len(frames[0]), len(frames), header.rows, header.cols)
    # Zeros and not empty: places that cannot be read hold nothing of other programs' memory.
    pixels = np.zeros(shape, pixel_dtype(every))
    middle_first = sorted(range(len(frames)), key=lambda s: abs(s - len(frames) // 2))
    direct = [s for s in middle_first if fits[s].is_plain and (frames[s][0].rows, frames[s][0].cols) == shape[2:]]
    places = [Place(h, (p, s)) for s in direct for p, h in enumerate(frames[s])]
    share = len(direct) / len(frames)
    damaged = read_into(pixels, places, part(progress, 0.0, share), None if preview is None else show)
    for number, s in enumerate(s for s in range(len(frames)) if s not in direct):
        step = part(progress, share + number / len(frames), share + (number + 1) / len(frames))
        damaged += _decode_fitted(pixels[:, s], frames[s], fits[s], step)
    return pixels, damaged


def _decode_fitted(target: NDArray[Any], frames: Sequence[Header], fit: Fit, progress: Progress) -> list[Damaged]:
    """Decode one slice whose images are brought onto the grid of the stack."""
    first = frames[0]
    images = np.zeros((len(frames), first.rows, first.cols), target.dtype)
    damaged = read_into(images, [Place(h, (p,)) for p, h in enumerate(frames)], progress)
    for p, image in enumerate(images):
        target[p] = fitted(image, fit, (target.shape[1], target.shape[2]))
    return damaged


def _repaired(
    planned: Frames, pixels: NDArray[Any], damaged: Sequence[Damaged]
) -> tuple[list[list[Header]], list[int], list[SliceNote]]:
    """Put the nearest whole frame of the same slice in the place of each that cannot be decoded; in `pixels` too.

    Returns:
        Frames (slice)(phase) of the slices that remain, these slices, and notes. A slice is left out if half of its
        frames or more cannot be decoded.

    Raises:
        LoadError: None is left.
    """
    broken = {d.header.key for d in damaged}
    frames, whole, notes = [], [], []
    for s, planned_row in enumerate(planned):
        row = list(planned_row)
        bad = [p for p, h in enumerate(row) if h.key in broken]
        if 2 * len(bad) >= len(row) and bad:
            text = f"Left out slice {{0}} of {{1}}: {len(bad)} of {len(row)} images are damaged."
            notes.append(SliceNote(s, text, Code.SLICE_LEFT_OUT))
            continue
        good = [p for p in range(len(row)) if p not in bad]
        for p in bad:
            nearest = min(good, key=lambda q: abs(q - p))
            pixels[p, s], row[p] = pixels[nearest, s], row[nearest]
        if bad:
            text = f"Slice {{0}}, {numbered('phase', bad)}: image damaged; the frame nearest in time is shown instead."
            notes.append(SliceNote(s, text, Code.FRAME_SUBSTITUTED, tuple(bad)))
        frames.append(row)
        whole.append(s)
    if not frames:
        raise LoadError(f"Could not decode the images, for example {_files(damaged)}.")
    return frames, whole, notes


def _files(damaged: Sequence[Damaged]) -> str:
    return listed(list(dict.fromkeys(d.header.path.name for d in damaged)))
