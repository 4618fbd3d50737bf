"""Corrected label maps carried to other frames by the motion of the heart: through the phases, or to a neighbour.

A label map becomes smooth fields, one for each of its three outlines, that can be moved and mixed by parts of a pixel:
the signed distance to LV endocardium, LV epicardium and RV endocardium, negative inside; the outline runs where the
field is zero. One motion moves epicardium and endocardium, so that the ring of myocardium between them goes along
whole; `labels_of` closes what pixels are too coarse for.

Through the phases (`propagate`), the motion from each phase to the next is found from the images, one way round the
cycle and the other, and after each step the phase that has been reached is compared with the corrected one, so that
errors do not add up on the way. The corrected label map is carried once by the motions chained together, so that
nothing blurs. What comes from the corrected phase before and from the one after is mixed by how near they are in time.
Far from both, half of the weight goes to what a model drew in the frame itself.

To one other frame (`refined_copy`), the label map goes along with the motion from frame to frame. That is far nearer to
experts' label maps of neighbouring slices than the plain copy; a random walker between the copy's eroded inside and its
dilated outside was measured too and brought nothing.

How near all this comes to experts' label maps is measured in docs/propagation.md.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, box_around
from cmr_viewer.errors import LabelMapError
from cmr_viewer.progress import Progress, silent
from cmr_viewer.review.motion import LARGE_STEP, SMALL_STEP, Motion, MotionSearch, find_motion, grey_between
from cmr_viewer.review.outlines import Spacing, has_closed_ring, outer, outline_mask
from cmr_viewer.review.shape import signed_distance_mm

Fields = NDArray[np.float32]
"""(outline, row, col) signed distance to an outline in mm, in the order of `OUTLINES`; `ABSENT` all over without it."""

OUTLINES: tuple[Label, ...] = (Label.LVBP, Label.LVM, Label.RVBP)
"""The label that each outline bounds: endocardium, epicardium, RV endocardium."""

ABSENT = 1e4
"""Distance where a label map has no such outline; farther than any frame is wide, in mm."""


def fields_of(labels: LabelMap, spacing_mm: Spacing) -> Fields:
    """Fields of a (row, col) label map."""
    fields = np.full((len(OUTLINES), *labels.shape), ABSENT, dtype=np.float32)
    for field, label in zip(fields, OUTLINES, strict=True):
        mask = outline_mask(labels, label)
        if mask.any() and (label is not Label.LVM or (labels == int(Label.LVM)).any()):
            field[...] = signed_distance_mm(mask, spacing_mm)
    return fields


def labels_of(fields: Fields, *, closed: bool) -> LabelMap:
    """The label map of fields.

    The LV goes before the RV, and the blood pool before the myocardium.

    Args:
        fields: Fields.
        closed: Whether the ring of myocardium is closed; then blood pool has myocardium or blood pool on all four
            sides, however the fields were moved.
    """
    endo, epi, rv = (field <= 0.0 for field in fields)
    whole = epi | outer(endo) if closed else epi
    result = np.zeros(fields.shape[1:], dtype=np.uint8)
    for mask, label in ((rv, Label.RVBP), (whole, Label.LVM), (endo, Label.LVBP)):
        result[mask] = int(label)
    return result


def moved(fields: NDArray[np.float32], motion: Motion) -> NDArray[np.float32]:
    """Fields, or anything (channel, row, col), as they are once a motion has carried them; linear between pixels."""
    rows, cols = np.indices(motion.shape[1:], dtype=np.float32)
    at = np.stack([rows + motion[0], cols + motion[1]])
    return np.stack([ndimage.map_coordinates(field, at, order=1, mode="nearest") for field in fields])


def chained(first: Motion, then: Motion) -> Motion:
    """One motion for two that follow each other: from the source to a frame, and from there to the target."""
    return np.asarray(then + moved(first, then), dtype=np.float32)


def mixed(fields: Sequence[Fields], weights: Sequence[float]) -> Fields:
    """Weighted mean of fields, outline by outline.

    An outline that some of them lack is there if those that have it weigh half or more together, and is theirs alone.

    Args:
        fields: One or more, of the same shape.
        weights: One for each, >= 0, adding up to more than 0.
    """
    share = np.asarray(weights, dtype=np.float64) / sum(weights)
    result = np.full_like(fields[0], ABSENT)
    for number in range(len(OUTLINES)):
        there = np.array([float(each[number].min()) < 0.0 for each in fields]) * share
        if there.sum() >= 0.5:
            mean = sum(weight * each[number] for weight, each in zip(there / there.sum(), fields, strict=True))
            result[number] = np.asarray(mean, dtype=np.float32)
    return result


AROUND_MM = 20.0
"""How much of the image around the labels the motion is found from."""

FAR = 1.0 / 3.0
"""Part of the cycle after which a model's own label map has its full share: from end-diastole to end-systole."""

MODEL_SHARE = 0.5
"""That share. Measured: docs/propagation.md."""

LARGE_STEP_CYCLE = 1.0 / 8.0
"""Steps longer than this part of the cycle are looked for with more iterations."""


@dataclass(frozen=True, eq=False)
class SliceCine:
    """All phases of one slice.

    Attributes:
        pixels: (phase, row, col), any real dtype.
        times_ms: Of every phase, rising; any unit.
        cycle_ms: After what time the cycle begins again, in the same unit.
        spacing_mm: (row, col) pixel spacing.
    """

    pixels: NDArray[Any]
    times_ms: Sequence[float]
    cycle_ms: float
    spacing_mm: Spacing

    def __post_init__(self) -> None:
        if len(self.times_ms) != len(self.pixels):
            raise LabelMapError(f"There are {len(self.times_ms)} times for {len(self.pixels)} phases.")
        if self.cycle_ms <= self.times_ms[-1] - self.times_ms[0]:
            raise LabelMapError(
                f"A cycle of {self.cycle_ms:g} ms is shorter than the time of its last phase, {self.times_ms[-1]:g} ms."
            )

    def between_ms(self, first: int, second: int) -> float:
        """Time from a phase on to another; the whole cycle from a phase to itself."""
        return (self.times_ms[second] - self.times_ms[first]) % self.cycle_ms or self.cycle_ms


def propagate(
    cine: SliceCine,
    corrected: Mapping[int, LabelMap],
    wanted: Collection[int],
    *,
    drawn: Mapping[int, LabelMap] | None = None,
    progress: Progress = silent,
) -> dict[int, LabelMap]:
    """Carry corrected label maps to other phases of their slice, both ways round the cycle.

    Args:
        cine: The slice.
        corrected: (row, col) label map by phase; one or more.
        wanted: Phases to carry to; corrected ones among them are left out.
        drawn: (row, col) label maps by phase that a model drew and no one corrected; they get their share far from the
            corrected phases. An outline that the corrected phases lack is not taken from them.
        progress: Called before each step from a phase to the next.

    Returns:
        (row, col) label map by wanted phase.

    Raises:
        LabelMapError: No phase is corrected, or a label map does not fit.
        Cancelled: `progress` asked to stop.
    """
    if not corrected:
        raise LabelMapError("This slice has no corrected phase to propagate. Correct one first.")
    shape = cine.pixels.shape[1:]
    if any(labels.shape != shape for labels in corrected.values()):
        raise LabelMapError(f"The corrected label maps do not match frames of shape {shape}.")
    known, count = sorted(corrected), len(cine.pixels)
    box = box_around(np.any([labels > 0 for labels in corrected.values()], axis=0), 0)
    margins = [round(AROUND_MM / spacing) for spacing in cine.spacing_mm]
    box = tuple(  # type: ignore[assignment]
        slice(max(0, part.start - margin), min(size, part.stop + margin))
        for part, margin, size in zip(box, margins, shape, strict=True)
    )
    walk = _Walk(cine, grey_between(cine.pixels[(slice(None), *box)]), progress)
    arcs = []
    for low, high in zip(known, [*known[1:], known[0]], strict=True):
        inside = [(low + step) % count for step in range(1, (high - low - 1) % count + 1)]
        arcs.append((low, high, [each for each in inside if each in wanted]))
    walk.expect(sum(_steps(low, high, inside, count) for low, high, inside in arcs))
    fields = {phase: fields_of(labels[box], cine.spacing_mm) for phase, labels in corrected.items()}
    found = {}
    for low, high, inside in arcs:
        ahead, back = walk.from_phase(low, inside, 1), walk.from_phase(high, inside, -1)
        closed = has_closed_ring(corrected[low]) and has_closed_ring(corrected[high])
        for phase in inside:
            carried = [moved(fields[low], ahead[phase]), moved(fields[high], back[phase])]
            since, until = cine.between_ms(low, phase), cine.between_ms(phase, high)
            result = mixed(carried, (until, since))
            if drawn and phase in drawn:
                share = MODEL_SHARE * min(1.0, min(since, until) / (FAR * cine.cycle_ms))
                result = _with_model(result, fields_of(drawn[phase][box], cine.spacing_mm), share)
            found[phase] = np.zeros(shape, dtype=np.uint8)
            found[phase][box] = labels_of(result, closed=closed)
    return found


def _with_model(carried: Fields, model: Fields, share: float) -> Fields:
    """Carried fields, with a share of a model's where both have the outline."""
    result = mixed([carried, model], [1.0 - share, share])
    absent = carried.min(axis=(1, 2)) >= 0.0
    result[absent] = carried[absent]
    return result


def _steps(low: int, high: int, inside: Sequence[int], count: int) -> int:
    """Steps from phase to phase that it takes to come to the wanted phases of an arc from both of its ends."""
    if not inside:
        return 0
    return (inside[-1] - low) % count + (high - inside[0]) % count


class _Walk:
    """Motions from corrected phases, found step by step."""

    def __init__(self, cine: SliceCine, grey: NDArray[np.float32], progress: Progress) -> None:
        self._cine, self._grey, self._progress = cine, grey, progress
        self._done, self._all = 0, 1

    def expect(self, steps: int) -> None:
        """Set the number of steps to come."""
        self._all = max(1, steps)

    def from_phase(self, start: int, wanted: Collection[int], step: int) -> dict[int, Motion]:
        """The motion from a phase to wanted ones, going round the cycle by `step` (+1 or -1) until all are reached."""
        count = len(self._grey)
        motions: dict[int, Motion] = {}
        whole: Motion = np.zeros((2, *self._grey.shape[1:]), dtype=np.float32)
        phase = start
        while len(motions) < len(wanted):
            following = (phase + step) % count
            self._progress(self._done / self._all, f"Phase {following + 1}")
            whole = chained(whole, self._motion(phase, following, step))
            seen = moved(self._grey[start][None], whole)[0]
            whole = chained(whole, find_motion(self._grey[following], seen))
            self._done += 1
            phase = following
            if phase in wanted:
                motions[phase] = whole
        return motions

    def _motion(self, source: int, target: int, step: int) -> Motion:
        cine = self._cine
        took = cine.between_ms(source, target) if step > 0 else cine.between_ms(target, source)
        search = LARGE_STEP if took > LARGE_STEP_CYCLE * cine.cycle_ms else SMALL_STEP
        return find_motion(self._grey[target], self._grey[source], search)


def refined_copy(
    labels: LabelMap,
    source: NDArray[Any],
    target: NDArray[Any],
    spacing_mm: Spacing,
    search: MotionSearch = LARGE_STEP,
) -> LabelMap:
    """Copy a label map to another frame and fit it to the image there.

    Args:
        labels: (row, col) label map of the source; not changed.
        source: (row, col) pixels of the frame that is copied from, any real dtype.
        target: (row, col) pixels of the frame that is copied to, in the same unit.
        spacing_mm: (row, col) pixel spacing.
        search: How the motion is looked for.

    Returns:
        A new label map. A ring that was closed is closed; without any label, background.

    Raises:
        LabelMapError: The shapes differ.
    """
    if not labels.shape == source.shape == target.shape:
        raise LabelMapError(
            f"Could not copy a label map of shape {labels.shape} from a frame of shape {source.shape} to one of "
            f"shape {target.shape}."
        )
    result = np.zeros_like(labels)
    if not labels.any():
        return result
    box = box_around(labels > 0, round(AROUND_MM / min(spacing_mm)))
    grey = grey_between(np.stack([source[box], target[box]]))
    motion = find_motion(grey[1], grey[0], search)
    result[box] = labels_of(moved(fields_of(labels[box], spacing_mm), motion), closed=has_closed_ring(labels))
    return result
