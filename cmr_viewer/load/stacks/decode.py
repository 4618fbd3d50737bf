"""The pixels of a planned stack, and what is shown where they cannot be decoded."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.notes import Code, Note, numbered
from cmr_viewer.errors import LoadError
from cmr_viewer.load.dicom.headers import Header
from cmr_viewer.load.dicom.pixels import Damaged, Place, Preview, pixel_dtype, read_into
from cmr_viewer.load.stacks.grid import Fit, Grid, fitted
from cmr_viewer.load.stacks.mirror import Axis
from cmr_viewer.load.stacks.phases import SliceNote
from cmr_viewer.progress import Progress, part

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
