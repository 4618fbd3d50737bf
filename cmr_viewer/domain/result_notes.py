"""Notes for a reader on the results of a study; notes on its files come with the study."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.measures.ed_es import EdEs, Mark, MarkedBy, disagreements
from cmr_viewer.domain.measures.volumes import impossible_heart
from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.domain.study import FrameIndex, Stack


def result_notes(stack: Stack, choice: EdEs, lv_volumes: NDArray[np.float64], unit: str) -> tuple[Note, ...]:
    """Notes on ED and ES and on the size of the heart.

    Args:
        stack: The stack.
        choice: ED and ES with their source.
        lv_volumes: (phase,) of the LV blood pool; NaN where a phase is not measured.
        unit: Of the volumes: "ml", or "pixels" where the spacing is not known.
    """
    notes = [*_one_phase(stack, choice), *_guessed(choice)]
    largest = float(np.nanmax(lv_volumes)) if np.isfinite(lv_volumes).any() else 0.0
    if unit == "ml" and largest > 0 and not stack.any_size and (why_not := impossible_heart(largest)):
        # What else is noted is in ml, and these are not believed.
        return (*notes, Note(why_not, Code.HEART_IMPOSSIBLE))
    notes += [Note(one.text, Code.ED_ES_DISAGREES) for one in disagreements(choice, lv_volumes, unit)]
    return tuple(notes)


def _one_phase(stack: Stack, choice: EdEs) -> list[Note]:
    if stack.phases == 1:
        used = "ED" if choice.es is None else "ES"
        guess = " Nothing states whether it is ED or ES." if choice.ed_by is MarkedBy.ONLY_PHASE else ""
        text = f"The study has one phase, used as {used}: there is no {'ESV' if used == 'ED' else 'EDV'}, SV or EF."
        return [Note(text + guess, Code.ONE_PHASE)]
    if choice.ed is not None and choice.ed == choice.es:
        text = (
            f"ED and ES are the same phase, {choice.ed + 1}: there is no ESV, SV or EF. Set another phase as ED or ES."
        )
        return [Note(text, Code.ONE_PHASE)]
    return []


def _guessed(choice: EdEs) -> list[Note]:
    marks: tuple[Mark, Mark] = ("ED", "ES")
    guessed = [mark for mark in marks if choice.by(mark) is MarkedBy.VOLUMES]
    if not guessed:
        return []
    words = [f"{mark} is phase {(choice.phase_of(mark) or 0) + 1} {choice.source_text(mark)}" for mark in guessed]
    them = "it" if len(guessed) == 1 else "them"
    return [Note(f"{' and '.join(words)}; no file states {them}, and no reader has set {them}.", Code.ED_ES_GUESSED)]


def not_segmented(stack: Stack, segmented: Collection[FrameIndex]) -> tuple[Note, ...]:
    """A note where frames have no label map; none where all have one.

    Args:
        stack: The stack.
        segmented: Frames that have one.
    """
    missing = [frame for frame in stack.frame_indices if frame not in segmented]
    if not missing:
        return ()
    text = f"{len(missing)} of {len(stack.frame_indices)} frames have no label map."
    return (Note(text, Code.FRAMES_NOT_SEGMENTED, sorted({frame.slice_index for frame in missing})),)


def not_reviewed(stack: Stack, choice: EdEs, accepted: Collection[FrameIndex]) -> tuple[Note, ...]:
    """A note where a reader has not accepted all frames at ED and ES; none where all are.

    Args:
        stack: The stack.
        choice: ED and ES.
        accepted: Frames that a reader accepted.
    """
    phases = sorted({phase for phase in choice.phases if phase is not None})
    frames = [FrameIndex(phase, index) for phase in phases for index in range(stack.slices)]
    left = [frame for frame in frames if frame not in accepted]
    if not left:
        return ()
    text = f"{len(left)} of {len(frames)} frames at ED and ES are not reviewed."
    return (Note(text, Code.FRAMES_NOT_REVIEWED, sorted({frame.slice_index for frame in left})),)
