"""The phases of end-diastole and end-systole, their source, and whether the volumes agree."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.study import Stack

DISAGREES = 0.03
"""A stated ED or ES whose LV volume differs from the curve's largest or smallest by a larger share of it is shown as
such. This program's choice: well above the noise of drawing one phase twice, and below what changes a finding."""

Mark = Literal["ED", "ES"]
PhasePair = tuple[int | None, int | None]
"""(ED, ES), phases from 0; None where one is not known."""


class MarkedBy(StrEnum):
    """The source of ED or ES."""

    READER = "reader"
    FILES = "files"
    VOLUMES = "volumes"
    ONLY_PHASE = "only_phase"


@dataclass(frozen=True)
class EdEs:
    """End-diastole and end-systole of a study.

    Attributes:
        ed: Phase from 0, or None where it is not known.
        es: Likewise.
        ed_by: What states it; None where `ed` is None.
        es_by: Likewise.
        stated_by: What in the files states them, in words: "the contour files"; empty where nothing does.
    """

    ed: int | None = None
    es: int | None = None
    ed_by: MarkedBy | None = None
    es_by: MarkedBy | None = None
    stated_by: str = ""

    @property
    def phases(self) -> PhasePair:
        """(ED, ES)."""
        return self.ed, self.es

    def phase_of(self, mark: Mark) -> int | None:
        """The phase of ED or ES."""
        return self.ed if mark == "ED" else self.es

    def by(self, mark: Mark) -> MarkedBy | None:
        """The source of ED or ES."""
        return self.ed_by if mark == "ED" else self.es_by

    def source_text(self, mark: Mark) -> str:
        """The source, after "ED is phase 9": "by the contour files"; empty where the phase is not known."""
        texts = {
            None: "",
            MarkedBy.READER: "as set by the reader",
            MarkedBy.FILES: f"by {self.stated_by or 'the files'}",
            MarkedBy.VOLUMES: f"by the {'largest' if mark == 'ED' else 'smallest'} LV blood pool",
            MarkedBy.ONLY_PHASE: "because the study has no other phase",
        }
        return texts[self.by(mark)]


def choose_ed_es(stack: Stack, by_volume: PhasePair, reader: PhasePair = (None, None)) -> EdEs:
    """ED and ES: as the reader marked them, else as the files state, else by the volumes of the LV blood pool.

    A study of one phase has one of the two. If the reader and the files name different ones, the reader decides; if
    nothing states which it is, it counts as ED. Images that are not the phases of one heart cycle, such as
    perfusion, have ED and ES only where the reader or the files name them.

    Args:
        stack: Whose; with what its files state.
        by_volume: From `ed_es_by_volume`.
        reader: As a reader marked them.
    """
    stated = (stack.ed_phase, stack.es_phase)
    if not stack.shows_cycle:
        by_volume = (None, None)
    found: dict[Mark, tuple[int, MarkedBy]] = {}
    marks: tuple[Mark, Mark] = ("ED", "ES")
    for index, mark in enumerate(marks):
        known_by = ((reader[index], MarkedBy.READER), (stated[index], MarkedBy.FILES))
        known = next(((phase, who) for phase, who in known_by if phase is not None), None)
        if known is not None:
            found[mark] = known
    if stack.phases == 1:
        by_reader = {mark: one for mark, one in found.items() if one[1] is MarkedBy.READER}
        found = by_reader or found
        if not found and by_volume[0] is not None:
            found["ED"] = (0, MarkedBy.ONLY_PHASE)
    else:
        for index, mark in enumerate(marks):
            phase = by_volume[index]
            if mark not in found and phase is not None:
                found[mark] = (phase, MarkedBy.VOLUMES)
    (ed, ed_by), (es, es_by) = found.get("ED", (None, None)), found.get("ES", (None, None))
    return EdEs(ed, es, ed_by, es_by, stack.ed_es_by)


def ed_es_by_volume(volumes: NDArray[np.float64]) -> PhasePair:
    """Phases of the largest and the smallest volume of the LV blood pool.

    Args:
        volumes: (phase,), in any unit; NaN where the phase is not measured.

    Returns:
        (ED, ES), the first of equals. Where one phase is measured, which may be either, and it is the only one of the
        study, (0, None); (None, None) where it is one of several, and where nothing is measured or all is empty.

    Source:
        SCMR post-processing guidelines, Schulz-Menger et al. 2020: ED and ES are the phases of largest and smallest
        LV blood pool.
    """
    known = np.isfinite(volumes)
    if not known.any() or float(np.nanmax(volumes)) <= 0:
        return None, None
    if np.count_nonzero(known) == 1:
        return (0, None) if volumes.size == 1 else (None, None)
    return int(np.nanargmax(volumes)), int(np.nanargmin(volumes))


@dataclass(frozen=True)
class Disagreement:
    """ED or ES is stated at a phase where the LV blood pool is not the largest or the smallest.

    Attributes:
        mark: "ED" or "ES".
        phase: Where it is stated, from 0.
        by: What states it, as `EdEs.source_text`.
        other: The phase that the volumes give.
        volume: Of the LV blood pool at `phase`.
        other_volume: At `other`.
        unit: Of both: "ml", or "pixels" where the spacing is not known.
    """

    mark: Mark
    phase: int
    by: str
    other: int
    volume: float
    other_volume: float
    unit: str

    @property
    def percent(self) -> float | None:
        """How far the volumes differ, of the one that the curve gives; None where that is 0."""
        return None if self.other_volume == 0 else 100.0 * abs(self.volume - self.other_volume) / self.other_volume

    @property
    def text(self) -> str:
        """In words: "ED is phase 9 by the contour files. The LV blood pool is 7 % smaller there than at phase 1..."."""
        more, most = ("smaller", "largest") if self.mark == "ED" else ("larger", "smallest")
        percent = "" if self.percent is None else f"{self.percent:.0f} % "
        return (
            f"{self.mark} is phase {self.phase + 1} {self.by}. The LV blood pool is {percent}{more} there than at "
            f"phase {self.other + 1}, its {most}: {self.volume:.0f} against {self.other_volume:.0f} {self.unit}."
        )


def disagreements(choice: EdEs, volumes: NDArray[np.float64], unit: str) -> tuple[Disagreement, ...]:
    """Stated ED and ES whose LV volume differs from the largest or the smallest by more than `DISAGREES`.

    Args:
        choice: ED and ES.
        volumes: (phase,) of the LV blood pool; NaN where the phase is not measured.
        unit: Of the volumes, for the texts: "ml" or "pixels".
    """
    if np.count_nonzero(np.isfinite(volumes)) < 2 or float(np.nanmax(volumes)) <= 0:
        return ()
    found = []
    ends: tuple[tuple[Mark, int], ...] = (("ED", int(np.nanargmax(volumes))), ("ES", int(np.nanargmin(volumes))))
    for mark, other in ends:
        phase = choice.phase_of(mark)
        if phase is None or phase >= volumes.size or not np.isfinite(volumes[phase]):
            continue
        here, there = float(volumes[phase]), float(volumes[other])
        if abs(here - there) > DISAGREES * there:
            found.append(Disagreement(mark, phase, choice.source_text(mark), other, here, there, unit))
    return tuple(found)
