"""Region predictions of single frames, and what the order of their stack makes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.classify.stack_order import NON_CARDIAC, WEIGHTS, Decoded, OrderWeights, decode, log_likelihoods
from cmr_viewer.domain.anatomy import REGIONS, Region
from cmr_viewer.domain.annotation import Probabilities, RegionPrediction
from cmr_viewer.domain.study import FrameIndex

UNDECIDED = 0.01
"""The baseline is asked about slices where at some phase a heart is more probable than this, and less probable than
all but this, about half of all. Asking about every frame finds 0.6 % more of the regions of the validation patients."""

PHASES_ASKED = 8
"""At most so many phases of a cine are asked about, evenly spread; the drawn area is interpolated between them."""


@dataclass(frozen=True, eq=False)
class StackFrames:
    """Frames of a stack that the classifier has looked at, as arrays.

    Attributes:
        alone: The classifier's prediction of each frame by itself.
        phases: Phases of the stack that have a frame, ascending: the rows of the arrays.
        slices: Number of slices of the stack.
        closed: Whether they are the whole cycle.
        readers: Regions that a reader has set.
        weights: How much each consideration counts.
    """

    alone: Mapping[FrameIndex, RegionPrediction]
    phases: Sequence[int]
    slices: int
    closed: bool
    readers: Mapping[FrameIndex, Region] = field(default_factory=dict)
    weights: OrderWeights = WEIGHTS

    def to_ask(self) -> list[FrameIndex]:
        """Frames that the baseline should be asked about: of undecided slices, at phases spread over the cycle."""
        if not self.alone:
            return []
        heart = 1.0 - self._decode({}, self.readers).posterior[..., NON_CARDIAC]
        undecided = ((heart > UNDECIDED) & (heart < 1.0 - UNDECIDED)).any(axis=0)
        rows = np.unique(np.linspace(0, len(self.phases) - 1, PHASES_ASKED).round().astype(int))
        frames = [FrameIndex(self.phases[row], int(s)) for row in rows for s in np.flatnonzero(undecided)]
        return [frame for frame in frames if frame in self.alone]

    def in_stack(self, heart_mm2: Mapping[FrameIndex, float]) -> dict[FrameIndex, RegionPrediction]:
        """All frames with the regions that the order of the stack leads to.

        A reader's region leads the other frames. The prediction of the reader's own frame is the one without the
        reader. Each prediction contains all that this follows from, so that it can be found again when a reader sets a
        region later (`led_by_readers`).

        Args:
            heart_mm2: Area that the baseline draws, of the frames that it was asked about.
        """
        if not self.alone:
            return {}
        free = self._decode(heart_mm2, {})
        led = self._decode(heart_mm2, self.readers) if self.readers else free
        row = {phase: number for number, phase in enumerate(self.phases)}
        found = {}
        for frame, prediction in self.alone.items():
            decoded, at = free if frame in self.readers else led, (row[frame.phase], frame.slice_index)
            base, middle, apex, none = decoded.posterior[at].tolist()
            posterior: Probabilities = (base, middle, apex, none)
            found[frame] = replace(
                prediction,
                decoded=REGIONS[decoded.regions[at]],
                posterior=posterior,
                heart_mm2=heart_mm2.get(frame),
            )
        return found

    def _decode(self, heart_mm2: Mapping[FrameIndex, float], readers: Mapping[FrameIndex, Region]) -> Decoded:
        row = {phase: number for number, phase in enumerate(self.phases)}
        classified = np.full((len(row), self.slices, 4), np.nan)
        drawn = np.full((len(row), self.slices), np.nan)
        for frame, prediction in self.alone.items():
            classified[row[frame.phase], frame.slice_index] = prediction.probabilities
        for frame, area in heart_mm2.items():
            drawn[row[frame.phase], frame.slice_index] = area
        pinned = {FrameIndex(row[f.phase], f.slice_index): region for f, region in readers.items() if f.phase in row}
        likelihoods = log_likelihoods(classified, between_phases(drawn, closed=self.closed), self.weights)
        return decode(likelihoods, pinned=pinned, closed=self.closed, weights=self.weights)


def frames_of_stack(
    alone: Mapping[FrameIndex, RegionPrediction],
    *,
    phases: int,
    slices: int,
    readers: Mapping[FrameIndex, Region] | None = None,
    weights: OrderWeights = WEIGHTS,
) -> StackFrames:
    """Arrange the predictions of a stack's frames; frames may be missing, and missing frames have no influence.

    Args:
        alone: Region predictions of frames by themselves.
        phases: Number of phases of the stack.
        slices: Number of slices of the stack.
        readers: Regions that a reader has set; frames without a prediction lead their phase too.
        weights: How much each consideration counts.
    """
    present = sorted({frame.phase for frame in alone})
    return StackFrames(alone, present, slices, len(present) == phases, readers or {}, weights)


def led_by_readers(
    predictions: Mapping[FrameIndex, RegionPrediction],
    readers: Mapping[FrameIndex, Region],
    *,
    phases: int,
    slices: int,
) -> dict[FrameIndex, RegionPrediction]:
    """What the order of the stack makes of predictions that are known already, now that a reader set other regions.

    No network runs: the predictions contain the classifier's result for each frame alone, and how large a heart was
    drawn in it.

    Args:
        predictions: Of all frames, as from `StackFrames.in_stack`.
        readers: Regions that a reader has set.
        phases: Number of phases of the stack.
        slices: Number of slices of the stack.

    Returns:
        The predictions that are not as they were; nothing where one has not been seen in its stack.
    """
    if len(predictions) != phases * slices or any(one.decoded is None for one in predictions.values()):
        return {}
    frames = frames_of_stack(predictions, phases=phases, slices=slices, readers=readers)
    drawn = {frame: one.heart_mm2 for frame, one in predictions.items() if one.heart_mm2 is not None}
    return {frame: one for frame, one in frames.in_stack(drawn).items() if one != predictions[frame]}


def between_phases(drawn: NDArray[np.float64], *, closed: bool) -> NDArray[np.float64]:
    """Fill phases that were not asked about from those that were.

    Args:
        drawn: (phase, slice) area; not a number where the baseline was not asked.
        closed: Whether the last phase is followed by the first.

    Returns:
        The same, in slices asked about at some phase linear in time between the phases asked about.
    """
    phases = drawn.shape[0]
    filled = drawn.copy()
    for column in filled.T:
        known = np.flatnonzero(np.isfinite(column))
        if 0 < known.size < phases:
            column[:] = np.interp(np.arange(phases), known, column[known], period=phases if closed else None)
    return filled
