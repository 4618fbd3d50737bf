"""From the frames of one group to the pixels of a stack: base first, seen from the apex, complete."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.notes import Code, Note, numbered
from cmr_viewer.domain.study import FrameSource, Stack
from cmr_viewer.domain.view import LongAxisView
from cmr_viewer.errors import LoadError
from cmr_viewer.load.base_end import BASE_END_GUESSED, points_to_apex, starts_at_base, tells_the_apex, views_motion
from cmr_viewer.load.dicom.headers import Header
from cmr_viewer.load.dicom.pixels import Damaged, Place, Preview, pixel_dtype, read_into
from cmr_viewer.load.spacing import gap_notes
from cmr_viewer.load.stacks.acquisitions import Acquisition
from cmr_viewer.load.stacks.grid import Axis, Fit, Grid, fitted, grid_of, mirrored_axis, turned_round
from cmr_viewer.load.stacks.phases import PhasePlan, SliceNote, match_phases
from cmr_viewer.load.stacks.places import ONE_SLICE_OF_SPACING, SAME_PLACE_MM, plane_of, positive
from cmr_viewer.progress import Progress, part

_LEAST_VIEW_MOTION = 0.1
_SHORTEST_BEAT = 0.8
_SAME_RATE = 1.15
"""Rates that differ by less are of one heart, whose beats vary."""


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
    grid: Grid
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
    """Plan a stack from its headers.

    Args:
        acquisitions: One for each slice, ascending along the normal.
        normal: Normal of the slices, (3,).
    """
    known = tells_the_apex(normal)
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
        progress: Told how far the work is.
        preview: Called once, with the first frame that is decoded, as it will be shown.
        source_of: Where a file is for a reader.

    Raises:
        LoadError: No frame can be decoded.
        Cancelled: `progress` asked to stop.
    """
    pixels, damaged = decode(planned.phases.frames, planned.grid, planned.mirrored, progress, preview)
    frames, kept, notes = repaired(planned.phases.frames, pixels, damaged)
    if len(kept) < len(planned.grid.fits):
        pixels = pixels[:, kept]
    fits = [planned.grid.fits[s] for s in kept]
    geometry = _geometry(planned.grid.header, fits, frames)
    sources = _sources(frames, fits, source_of)
    told = list(planned.phases.notes)
    if planned.mirrored is not None:
        pixels, geometry, sources = turned_round(planned.mirrored, pixels, geometry, sources)
        text = (
            f"The frames are stored as seen from the base. Their {planned.mirrored} were reversed to give the view "
            "from the apex."
        )
        told.append(Note(text, Code.FRAMES_MIRRORED))
    stack = _stack(pixels, geometry, frames, planned.phases.times_ms, sources)
    if by_interval := _other_rate(stack.heart_rate_bpm, frames):
        text = (
            f"The files state a heart rate of {stack.heart_rate_bpm:.0f}/min, but an RR interval of "
            f"{by_interval:.0f}/min. No heart rate is used. Enter it."
        )
        told.append(Note(text, Code.HEART_RATE_CONTRADICTED))
        stack = replace(stack, heart_rate_bpm=None)
    if _shorter_than_its_phases(stack.heart_rate_bpm, stack.phase_times_ms):
        text = (
            f"The files state a heart rate of {stack.heart_rate_bpm:.0f}/min, but the phases span more than one beat."
        )
        told.append(Note(f"{text} The heart rate is not used.", Code.HEART_RATE_CONTRADICTED))
        stack = replace(stack, heart_rate_bpm=None)
    slices = [planned.phases.kept[s] for s in kept]
    reverse = False
    if not planned.base_known and stack.slices > 1:
        reverse = not _starts_at_base(stack, views())
        told.append(BASE_END_GUESSED)
    if reverse:
        stack, frames, slices = reversed_stack(stack), frames[::-1], slices[::-1]
    of_grid = [n._replace(place=planned.phases.kept[n.place]) for n in (*planned.grid.notes, *notes)]
    found = len(planned.acquisitions)
    told += [_numbered(note, slices, found, reverse) for note in (*planned.phases.slice_notes, *of_grid)]
    beside = [planned.grid.beside_mm[s] for s in kept][:: -1 if reverse else 1]
    told += [*_shift_notes(beside), *gap_notes(stack.geometry), *_motion_notes(stack.geometry, frames)]
    told += damage_notes(damaged)
    return ReadStack(stack, frames, tuple(planned.acquisitions[s] for s in slices), told)


def _stack(
    pixels: NDArray[Any],
    geometry: Geometry,
    frames: Sequence[Sequence[Header]],
    times: tuple[float, ...] | None,
    sources: Sequence[Sequence[FrameSource]],
) -> Stack:
    return Stack(
        pixels,
        geometry,
        phase_times_ms=times,
        source_slices=_source_slices(frames),
        heart_rate_bpm=_heart_rate(frames),
        description=frames[0][0].description,
        frame_sources=tuple(zip(*sources, strict=True)),
    )


def _shift_notes(beside_mm: Sequence[float]) -> list[Note]:
    """Which slices were shifted to their place in the plane."""
    shifted = [s for s, mm in enumerate(beside_mm) if mm > 0]
    if not shifted:
        return []
    which = numbered("Slice", shifted)
    far = f"{max(beside_mm):.1f} mm"
    if len(shifted) == 1:
        text = f"{which} is offset in-plane by {far} from the others; its image was shifted to its true position."
    else:
        text = f"{which} are offset in-plane by up to {far} from the others; each was shifted to its true position."
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
    """A note with the number of its slice, from 1 at the base; that among all found for a slice that was left out."""
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


def _geometry(header: Header, fits: Sequence[Fit], frames: Sequence[Sequence[Header]]) -> Geometry:
    o = header.orientation
    return Geometry(
        rows=header.rows,
        cols=header.cols,
        pixel_spacing_mm=header.spacing,
        row_direction=(o[0], o[1], o[2]),
        col_direction=(o[3], o[4], o[5]),
        positions_mm=tuple(fit.position for fit in fits),
        single_slice_spacing_mm=positive(frames[0][0].slice_spacing_mm),
    )


def _sources(
    frames: Sequence[Sequence[Header]], fits: Sequence[Fit], source_of: Callable[[Path], Path]
) -> list[list[FrameSource]]:
    """(slice)(phase) where each frame was read from."""
    found: dict[Path, Path] = {}
    for row in frames:
        for h in row:
            if h.path not in found:
                found[h.path] = source_of(h.path)
    return [
        [FrameSource(found[h.path], h.frame_number, h.instance_uid, h.class_uid, fit.origin, fit.step) for h in row]
        for row, fit in zip(frames, fits, strict=True)
    ]


def _starts_at_base(stack: Stack, views: Sequence[LongAxisView]) -> bool:
    """Whether the first slice is at the base: by the motion that long-axis views show, or else by the slices' own."""
    motion = views_motion(views, stack.geometry)
    if abs(motion) >= _LEAST_VIEW_MOTION:
        return motion > 0
    return starts_at_base(stack.pixels)


def _source_slices(frames: Sequence[Sequence[Header]]) -> tuple[int, ...]:
    """The input's own order: along the normal, from the end that was numbered first."""
    numbers = [(row[0].series_number, min((h.instance_number, h.frame_number) for h in row)) for row in frames]
    count = len(frames)
    return tuple(range(count)) if numbers[0] <= numbers[-1] else tuple(reversed(range(count)))


def _heart_rate(frames: Sequence[Sequence[Header]]) -> float | None:
    """Median of what the headers state."""
    rates = [h.heart_rate_bpm for row in frames for h in row if h.heart_rate_bpm is not None]
    return float(np.median(rates)) if rates else None


def _other_rate(rate_bpm: float | None, frames: Sequence[Sequence[Header]]) -> float | None:
    """The heart rate by the stated intervals where it clearly is another than the stated one; else None."""
    rates = [h.interval_bpm for row in frames for h in row if h.interval_bpm is not None]
    if rate_bpm is None or not rates:
        return None
    by_interval = float(np.median(rates))
    apart = max(by_interval, rate_bpm) / min(by_interval, rate_bpm)
    return by_interval if apart > _SAME_RATE else None


def _shorter_than_its_phases(rate_bpm: float | None, times_ms: tuple[float, ...] | None) -> bool:
    """Whether a beat at a heart rate is clearly over before the last phase, so that the rate is of something else."""
    if rate_bpm is None or times_ms is None:
        return False
    return 60000.0 / rate_bpm < _SHORTEST_BEAT * (times_ms[-1] - times_ms[0])


_MOST_NAMES = 3

Frames = Sequence[Sequence[Header]]
"""(slice)(phase)."""


def decode(
    frames: Frames, grid: Grid, mirrored: Axis | None, progress: Progress, preview: Preview | None
) -> tuple[NDArray[Any], list[Damaged]]:
    """Decode the frames of a stack, a middle slice first.

    Args:
        frames: (slice)(phase), as many phases for each slice.
        grid: How slices are brought onto one grid.
        mirrored: Rows or columns that will be reversed for display; for the preview alone.
        progress: Told how far the work is.
        preview: Called once, with the first frame that is decoded, as it will be shown.

    Returns:
        (phase, slice, row, col) pixels on the grid, and the frames that cannot be decoded.

    Raises:
        Cancelled: `progress` asked to stop.
    """
    fits, header = grid.fits, grid.header
    every = [h for row in frames for h in row]
    shape = (len(frames[0]), len(frames), header.rows, header.cols)
    # Zeros and not empty: places that cannot be read hold nothing of other programs' memory.
    pixels = np.zeros(shape, pixel_dtype(every))
    show = None if preview is None else _shown(preview, mirrored)
    middle_first = sorted(range(len(frames)), key=lambda s: abs(s - len(frames) // 2))
    direct = [s for s in middle_first if fits[s].is_plain and (frames[s][0].rows, frames[s][0].cols) == shape[2:]]
    places = [Place(h, (p, s)) for s in direct for p, h in enumerate(frames[s])]
    share = len(direct) / len(frames)
    damaged = read_into(pixels, places, part(progress, 0.0, share), show)
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


def _shown(preview: Preview, mirrored: Axis | None) -> Preview:
    """Shows a copy of a frame, reversed as the stack will be."""

    def show(frame: NDArray[Any]) -> None:
        turned = frame[::-1] if mirrored == "rows" else frame[:, ::-1] if mirrored == "columns" else frame
        preview(turned.copy())

    return show


def repaired(
    planned: Frames, pixels: NDArray[Any], damaged: Sequence[Damaged]
) -> tuple[list[list[Header]], list[int], list[SliceNote]]:
    """Put the nearest whole frame of the same slice in the place of each that cannot be decoded.

    Args:
        planned: (slice)(phase) frames.
        pixels: (phase, slice, row, col), changed in place.
        damaged: The frames that cannot be decoded.

    Returns:
        Frames (slice)(phase) of the slices that remain, these slices, and notes. A slice is left out if half of its
        frames or more cannot be decoded.

    Raises:
        LoadError: None is left.
    """
    broken = {d.header.key for d in damaged}
    frames, kept, notes = [], [], []
    for s, planned_row in enumerate(planned):
        row = list(planned_row)
        bad = [p for p, h in enumerate(row) if h.key in broken]
        if 2 * len(bad) >= len(row) and bad:
            notes.append(
                SliceNote(
                    s,
                    f"Left out slice {{0}} of {{1}}: {len(bad)} of {len(row)} images are damaged.",
                    Code.SLICE_LEFT_OUT,
                )
            )
            continue
        good = [p for p in range(len(row)) if p not in bad]
        for p in bad:
            nearest = min(good, key=lambda q: abs(q - p))
            pixels[p, s], row[p] = pixels[nearest, s], row[nearest]
        if bad:
            text = f"Slice {{0}}, {numbered('phase', bad)}: image damaged; the frame nearest in time is shown instead."
            notes.append(SliceNote(s, text, Code.FRAME_SUBSTITUTED, tuple(bad)))
        frames.append(row)
        kept.append(s)
    if not frames:
        raise LoadError(f"Could not decode the images, for example {_files(damaged)}.")
    return frames, kept, notes


def _files(damaged: Sequence[Damaged]) -> str:
    names = list(dict.fromkeys(d.header.path.name for d in damaged))
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def damage_notes(damaged: Sequence[Damaged]) -> list[Note]:
    """Notes on files whose image cannot be decoded."""
    text = f"Left out files with a damaged image: {_files(damaged)}."
    return [Note(text, Code.FRAMES_DAMAGED)] if damaged else []
