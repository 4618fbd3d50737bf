"""Reads of a study as they are saved: named, compared, and taken over."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.ed_es import PhasePair
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.errors import StoreError
from cmr_viewer.reading.frames import FrameRecord
from cmr_viewer.reading.open_study import Imported, OpenStudy
from cmr_viewer.reading.saving import SavedStudies
from cmr_viewer.review.compare_reads import AGREEMENT_DICE, Comparison, FrameRead, ReadResult, compare_reads
from cmr_viewer.store.reads import Read, ReadKind
from cmr_viewer.store.study_facts import PATIENT_PREFIX

SECOND_KEY = "adjudication.second"
"""Fact of an adjudication: id of the second read that it is about."""

BOTH_READS = f"both reads, which agree (same region, Dice {AGREEMENT_DICE:g} or more)"
"""Where an adjudication has a frame from that the reads agree on."""


def read_name(read: Read | None, readers: Iterable[str] = ()) -> str:
    """A read in words: "Second read by B. Reader, blinded".

    Args:
        read: The read; None for the first.
        readers: Who worked in the first read, which may be several; not needed for others.
    """
    if read is None:
        names = ", ".join(readers)
        return f"First read by {names}" if names else "First read"
    words = "Adjudication" if read.kind is ReadKind.ADJUDICATION else f"{str(read.kind).capitalize()} read"
    return f"{words} by {read.reader}" + (", blinded" if read.blinded else "")


def read_in_words(read: Read | None) -> str:
    """Which read something is of, without the reader: about.json and reports name readers where they may be named."""
    if read is None:
        return "first read"
    words = "adjudication of two reads" if read.kind is ReadKind.ADJUDICATION else "second read"
    return words + (", blinded" if read.blinded else "") + ("" if read.is_finished else ", not finished")


@dataclass(frozen=True, eq=False)
class SavedRead:
    """A read as it is saved.

    Attributes:
        name: In words.
        result: What it came to, frame by frame.
        facts: What the reader entered about the study.
        marks: ED and ES as the reader set them.
    """

    name: str
    result: ReadResult
    facts: Mapping[str, Any] = field(default_factory=dict)
    marks: PhasePair = (None, None)

    @property
    def frames(self) -> Mapping[FrameIndex, FrameRead]:
        """All frames."""
        return self.result.frames


@dataclass(frozen=True, eq=False)
class BothReads:
    """The first read, another, and how they differ.

    Attributes:
        first: The first.
        second: The other.
        second_id: Id of the other.
        comparison: How they differ.
    """

    first: SavedRead
    second: SavedRead
    second_id: int
    comparison: Comparison


def saved_read(study: OpenStudy, name: str) -> SavedRead:
    """A read that was put back, for comparing and taking over."""
    frames = {
        frame: FrameRead(one.labels, one.region, _by_hand(one), one.provenance) for frame, one in study.frames.items()
    }
    result = ReadResult(name, frames, *study.ed_es())
    return SavedRead(name, result, dict(study.facts), (study.reader_ed, study.reader_es))


def _by_hand(record: FrameRecord) -> bool:
    return record.edited or record.status is not None or record.reader_region is not None


def first_read(saved: SavedStudies, study: Study) -> SavedRead:
    """The first read of a study, named by who worked in it.

    Raises:
        StoreError: The workspace cannot be read.
    """
    name = read_name(None, saved.reads.first_readers(study.stack.stack_id))
    return saved_read(saved.study(study, None), name)


def both_reads(saved: SavedStudies, study: Study, second_id: int) -> BothReads:
    """The first read and another, as they are saved, and how they differ.

    Args:
        saved: The studies of the workspace.
        study: The study.
        second_id: Id of the other.

    Raises:
        StoreError: The workspace cannot be read, or there is no such read of the study.
    """
    summaries = saved.reads.summaries(study.stack.stack_id)
    names = {None if one.read is None else one.read.id: read_name(one.read, one.readers) for one in summaries}
    if second_id not in names:
        raise StoreError(f"{study.name} has no read {second_id} to compare with the first read.")
    first = saved_read(saved.study(study, None), names.get(None, "First read"))
    second = saved_read(saved.study(study, second_id), names[second_id])
    comparison = compare_reads(first.result, second.result, study.stack.geometry, any_size=study.stack.any_size)
    return BothReads(first, second, second_id, comparison)


def taken(
    frames: Mapping[FrameIndex, FrameRead], source: str, text: str
) -> tuple[dict[FrameIndex, LabelMap], Imported]:
    """Frames of another read, as `Session.put_labels` takes them.

    Args:
        frames: By frame; those without a label map are left out.
        source: Where they come from, for provenance.
        text: What is done, for undo.
    """
    there = {frame: one.labels for frame, one in frames.items() if one.labels is not None}
    regions = {frame: one.region for frame, one in frames.items() if frame in there and one.region is not None}
    made = {frame: one.made for frame, one in frames.items() if frame in there and one.made is not None}
    return there, Imported(source, text, frozenset(there), None, regions, made)


def agreed(both: BothReads, least_dice: float = AGREEMENT_DICE) -> dict[FrameIndex, FrameRead]:
    """Frames that a reader did something to and both agree on, as the first read has them."""
    return {
        one.frame: both.first.frames[one.frame]
        for one in both.comparison.frames
        if one.agrees(least_dice) and (both.first.frames[one.frame].by_hand or both.second.frames[one.frame].by_hand)
    }


def patient_facts(both: BothReads) -> dict[str, Any]:
    """What both reads have on the patient; the first goes before the second."""
    facts = {**both.second.facts, **both.first.facts}
    return {key: value for key, value in facts.items() if key.startswith(PATIENT_PREFIX)}
