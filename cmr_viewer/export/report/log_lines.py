"""The event log of a study in words: who changed what and when."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.export.report.contents import LogLine
from cmr_viewer.store.events import Event, What

_NO_RESULT = frozenset({str(What.STUDY_OPENED), str(What.OPENING_DECIDED)})
"""Events that change no result."""

_STEPS = {
    str(What.CHANGED): "",
    str(What.OFFER_TAKEN): "suggestion applied: ",
    str(What.UNDONE): "undone: ",
    str(What.REDONE): "redone: ",
}
"""A reader's steps; `detail["text"]` has the words. The events saved with a step come before it."""

_PARTS = frozenset(
    str(one)
    for one in (
        What.DRAFT_SAVED,
        What.ACCEPTED,
        What.REGION_SET,
        What.REGION_WITHDRAWN,
        What.PHASE_MARKS_SET,
        What.FACT_SET,
    )
)
"""Events that are saved as a part of a step; a line of their own where no step comes after them."""

_TOGETHER_S = 5.0
"""The parts of a step are saved within this many seconds of it."""


@dataclass(frozen=True)
class _Entry:
    """An event in words, with the frames it is about."""

    event: Event
    text: str
    frames: tuple[FrameIndex, ...]


def log_lines(events: Sequence[Event]) -> list[LogLine]:
    """Events as lines, oldest first; one line for the same event by one reader several times in a row.

    Args:
        events: Of one stack, oldest first.
    """
    lines = []
    for (who, text), group in groupby(_entries(events), key=lambda one: (one.event.who, one.text)):
        several = list(group)
        frames = [frame for one in several for frame in one.frames]
        line = f"{text}: {frames_text(frames)}" if frames else text
        if len(several) > 1 and len(set(frames)) <= 1:
            line += f", {len(several)} times"
        lines.append(LogLine(several[0].event.at, several[-1].event.at, who, f"{line[:1].upper()}{line[1:]}"))
    return lines


def _entries(events: Sequence[Event]) -> Iterator[_Entry]:
    """Each step with its parts, and each event that belongs to no step."""
    parts: list[Event] = []
    for event in events:
        if event.what in _NO_RESULT:
            continue
        if event.what in _PARTS:
            parts.append(event)
            continue
        if event.what in _STEPS:
            yield from (_by_itself(one) for one in parts if not _belongs(one, event))
            yield _step(event, [one for one in parts if _belongs(one, event)])
        else:
            yield from map(_by_itself, parts)
            yield _by_itself(event)
        parts = []
    yield from map(_by_itself, parts)


def _belongs(part: Event, step: Event) -> bool:
    return part.who == step.who and (step.at - part.at).total_seconds() <= _TOGETHER_S


def _step(event: Event, parts: Sequence[Event]) -> _Entry:
    about = dict.fromkeys(one.frame for one in (*parts, event) if one.frame is not None)
    marks = [one for one in parts if one.what == What.PHASE_MARKS_SET]
    words = _phases_marked(marks[-1].detail) if marks else str(event.detail.get("text") or "change")
    return _Entry(event, f"{_STEPS[event.what]}{words}", tuple(about))


def _by_itself(event: Event) -> _Entry:
    in_words = _WORDS.get(event.what)
    words = event.what.replace("_", " ") if in_words is None else in_words(event.detail)
    return _Entry(event, words, () if event.frame is None else (event.frame,))


def _draft_saved(detail: Mapping[str, Any]) -> str:
    imported = detail.get("imported_from")
    return f"imported from {imported}, or corrected since" if imported else "corrected"


def _accepted(_detail: Mapping[str, Any]) -> str:
    return "accepted"


def _region_set(detail: Mapping[str, Any]) -> str:
    value = detail.get("region")
    return f"region {Region(value).text.lower() if value in tuple(Region) else 'unknown'}"


def _region_withdrawn(_detail: Mapping[str, Any]) -> str:
    return "region reset to automatic"


def _phases_marked(detail: Mapping[str, Any]) -> str:
    words = []
    for name in ("ed", "es"):
        phase = detail.get(name)
        words.append(
            f"{name.upper()} at phase {phase + 1}" if isinstance(phase, int) else f"{name.upper()} mark removed"
        )
    return ", ".join(words)


def _fact_set(detail: Mapping[str, Any]) -> str:
    return f"entered: {str(detail.get('key', '')).replace('.', ' ').replace('_', ' ')}"


_WORDS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    str(What.DRAFT_SAVED): _draft_saved,
    str(What.ACCEPTED): _accepted,
    str(What.REGION_SET): _region_set,
    str(What.REGION_WITHDRAWN): _region_withdrawn,
    str(What.PHASE_MARKS_SET): _phases_marked,
    str(What.FACT_SET): _fact_set,
}


def frames_text(frames: Iterable[FrameIndex]) -> str:
    """Frames in words: "slices 2–4, phases 1–25"; exact where they are all phases of all of these slices."""
    wanted = set(frames)
    slices = sorted({frame.slice_index for frame in wanted})
    by_slice = {s: tuple(sorted(f.phase for f in wanted if f.slice_index == s)) for s in slices}
    parts = []
    for phases, same in groupby(slices, key=by_slice.__getitem__):
        several = list(same)
        parts.append(f"slice{_s(several)} {_ranges(several)}, phase{_s(phases)} {_ranges(phases)}")
    if len(parts) > 4:
        return f"{len(wanted)} frames of slices {_ranges(slices)}"
    return "; ".join(parts)


def _s(numbers: Sequence[int]) -> str:
    return "s" if len(numbers) > 1 else ""


def _ranges(numbers: Sequence[int]) -> str:
    """0, 1, 2, 5 as "1–3, 6"."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    shown = [str(run[0] + 1) if len(run) == 1 else f"{run[0] + 1}\N{EN DASH}{run[-1] + 1}" for run in parts]
    return ", ".join(shown)
