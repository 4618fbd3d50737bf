"""Which DICOM frames make one stack, over all series of a study, and which stack is the short-axis cine.

docs/loading/stacks.md describes the policy for readers.
"""

from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.load.base_end import axis_likeness
from cmr_viewer.load.dicom.headers import Header
from cmr_viewer.load.stacks.acquisitions import Acquisition, Recency, SeriesSlices, hashed, units_of
from cmr_viewer.load.stacks.identity import Identity, identities, patient_in
from cmr_viewer.load.stacks.kinds import (
    ImageKind,
    Weighting,
    differs_in,
    has_fixed_delays,
    image_kind,
    is_dynamic,
    is_magnitude,
    may_name_other_than_sax,
    names_other_than_cine,
    parts_of,
)
from cmr_viewer.load.stacks.places import ONE_SLICE_OF_SPACING, SAME_PLACE_MM, TILT_LIMIT_DEG, Plane, plane_of, tilt_deg

ACROSS_THE_HEART = 0.65
"""Least likeness (cosine) of a slice normal to the long axis of the heart for a short-axis plane."""

_MOST_ROOMS = 2.5 / ONE_SLICE_OF_SPACING
_LEAST_PHASES_OF_A_CINE = 2
_LEAST_PHASES_OF_A_PART = 5
"""Fewer images of one weighting, without phase times, are averages or directions and no phases."""

_SHARE_OF_A_WHOLE = 0.6
"""A stack with at least this share of the slices of the largest counts as covering the heart as well."""
_MOST_PHASES_THAT_COUNT = 40


@dataclass(frozen=True, eq=False)
class GroupSlice:
    """One slice of a stack.

    Attributes:
        acquisitions: In order of time; at least one.
    """

    acquisitions: tuple[Acquisition, ...]

    @property
    def along(self) -> float:
        """Place along the normal of the stack, mm."""
        return self.acquisitions[0].along

    @property
    def suggested(self) -> Acquisition:
        """The last one that is whole: with at least three quarters of the most frames of any."""
        most = max(len(a.headers) for a in self.acquisitions)
        return next(a for a in reversed(self.acquisitions) if 4 * len(a.headers) >= 3 * most)

    @property
    def key(self) -> str:
        """What the place is recognised by."""
        first = self.acquisitions[0].first
        return hashed(first.study_uid, [round(v, 2) for v in first.orientation], round(self.along))


@dataclass(frozen=True, eq=False)
class Group:
    """Frames that may make one stack.

    Attributes:
        slices: Ascending along the normal of `reference`.
        reference: The plane that most of its frames are in, or parallel to.
        patient: Identity of the patient, for comparing alone.
        kind: What kind of images they are.
        weighting: What distinguishes them from other frames of their series; mostly nothing.
    """

    slices: tuple[GroupSlice, ...]
    reference: Plane
    patient: str
    kind: ImageKind
    weighting: tuple[Weighting, ...] = ()

    @property
    def first(self) -> Header:
        """A frame, for what all have in common."""
        return self.slices[0].suggested.first

    @cached_property
    def headers(self) -> list[Header]:
        """All frames, those of repeats included."""
        return [h for s in self.slices for a in s.acquisitions for h in a.headers]

    @cached_property
    def phases(self) -> int:
        """Usual number of phases."""
        return Counter(len(s.suggested.headers) for s in self.slices).most_common(1)[0][0]

    @property
    def name(self) -> str:
        """What the descriptions of its series have in common, or the first; or the number of a series."""
        texts = sorted({s.suggested.first.description for s in self.slices})
        alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False))
        common = "".join(letters[0] for letters in alike).rstrip(" _-.0123456789([#")
        return common if len(common) >= 3 and len(texts) > 1 else texts[0] or f"series {self.first.series_number}"

    @property
    def text(self) -> str:
        """The group in words: its description, slices x phases."""
        return f"{self.title} ({len(self.slices)} x {self.phases})"

    @property
    def title(self) -> str:
        """Its name, and what distinguishes it from others of that name."""
        return ", ".join([self.name, *(f"{w.name} {w.text}" for w in self.weighting)])

    @cached_property
    def key(self) -> str:
        """What it is recognised by: of its series, kind and orientation."""
        series = sorted({h.series_uid for h in self.headers})
        orientation = [abs(round(float(v), 1)) for v in self.reference.normal]
        parts = [(w.name, w.number) for w in self.weighting if w.number]
        return hashed(series, self.kind, orientation, self.phases > 1, *parts)

    @cached_property
    def recency(self) -> Recency:
        """How late it was acquired."""
        return max(s.suggested.recency for s in self.slices)

    @cached_property
    def is_cine(self) -> bool:
        """Whether it has several slices and several phases of one heart beat, in brightness."""
        return len(self.slices) >= 2 and self.phases >= _LEAST_PHASES_OF_A_CINE and not self.why_no_phases

    @cached_property
    def is_dynamic(self) -> bool:
        """Whether its frames come from different heart beats, as in perfusion."""
        return is_dynamic(self._middle.headers) or has_fixed_delays([s.suggested.headers for s in self.slices])

    @cached_property
    def differs_in(self) -> str:
        """What its frames differ in one by one, in the place of time; empty where they are phases."""
        return differs_in(self._middle.headers)

    @property
    def why_no_phases(self) -> str:
        """Why its images are not the phases of one heart beat, after `its images`; empty where they are."""
        if not is_magnitude(self.first):
            return "show phase, velocity or a measured quantity"
        if self.differs_in:
            return f"differ in {self.differs_in}, not in time"
        if self.weighting and self.phases < _LEAST_PHASES_OF_A_PART and not self.has_phase_times:
            return f"differ in {self.weighting[0].name}, not in time"
        if self.is_dynamic:
            return "come from different heart beats, as in perfusion"
        return ""

    @property
    def has_phase_times(self) -> bool:
        """Whether the files state when in the cycle each of its frames was acquired."""
        timed = self._middle.timed
        return timed.measure in ("trigger", "percent") and not timed.ties and timed.step > 0

    @property
    def is_known_by_numbers_alone(self) -> bool:
        """Whether its phases have only numbers, as those of perfusion, and nothing states that they are of one beat."""
        return self._middle.timed.measure == "temporal" and self.first.cycle_images != self.phases

    @property
    def _middle(self) -> Acquisition:
        return self.slices[len(self.slices) // 2].suggested

    @cached_property
    def is_across(self) -> bool:
        """Whether its planes are across the long axis of the heart."""
        return axis_likeness(self.reference.normal) > ACROSS_THE_HEART

    @cached_property
    def is_named_otherwise(self) -> bool:
        """Whether its names suggest something other than a short-axis cine; a hint."""
        return names_other_than_cine(self.first)

    @property
    def is_candidate(self) -> bool:
        """Whether it is a short-axis cine by its phases and its plane."""
        return self.is_cine and self.is_across

    @property
    def is_sax_cine(self) -> bool:
        """Whether it is a short-axis cine by phases, plane and names."""
        return self.is_candidate and not self.is_named_otherwise


def group_headers(headers: Sequence[Header]) -> list[Group]:
    """Make stacks of frames.

    Frames of one patient, study, kind and direction of planes belong together: those of one series, completed by
    other series that fit, since some scanners export one series per slice, or several breath-holds.

    Returns:
        The stacks, the one that is most likely the short-axis cine first.
    """
    groups = []
    for patient, kind, family in _families(headers):
        for weighting, part in parts_of(family):
            for reference, parallel in _parallel(part):
                for units in _stacks(parallel, reference):
                    groups.append(Group(_slices(units), reference, patient, kind, weighting))
    most: Counter[str] = Counter()
    for group in groups:
        if group.is_candidate:
            most[group.patient] = max(most[group.patient], len(group.slices))
    return sorted(groups, key=lambda group: _suitability(group, most[group.patient]), reverse=True)


def _families(headers: Sequence[Header]) -> list[tuple[str, ImageKind, list[Header]]]:
    """Frames of one patient, study and kind."""
    known = identities(headers)
    families: dict[tuple[Identity, ImageKind], list[Header]] = defaultdict(list)
    kinds: dict[tuple[object, ...], ImageKind] = {}
    for header in headers:
        written = (header.image_type, header.kind, header.sequence, header.modality)
        if written not in kinds:
            kinds[written] = image_kind(header)
        families[known[patient_in(header), header.study_uid], kinds[written]].append(header)
    return [(identity[0], kind, files) for (identity, kind), files in families.items()]


def _parallel(headers: Sequence[Header]) -> list[tuple[Plane, list[Header]]]:
    """Frames by the direction of their planes, with the direction that most of them have."""
    by_direction: dict[tuple[float, ...], list[Header]] = defaultdict(list)
    for header in headers:
        by_direction[header.orientation].append(header)
    clusters: list[tuple[Plane, list[Header]]] = []
    for same in sorted(by_direction.values(), key=lambda files: (-len(files), files[0].orientation)):
        plane = plane_of(same[0])
        near = min(clusters, key=lambda c: tilt_deg(plane, c[0]), default=None)
        if near is not None and tilt_deg(plane, near[0]) <= TILT_LIMIT_DEG:
            near[1].extend(same)
        else:
            clusters.append((plane, list(same)))
    return clusters


def _stacks(headers: Sequence[Header], reference: Plane) -> list[list[SeriesSlices]]:
    """Stacks of parallel frames: passes over the heart, put together from series in order of time."""
    units = sorted(units_of(headers, reference), key=lambda unit: (unit.start, unit.series))
    stacks = []
    while units:
        # The series with the most slices, or the first of many with one, gives the number of phases of the stack.
        lead = max(units, key=lambda unit: (len(unit.acquisitions), _same_words(unit, units), unit.frames))
        passes, units = _passes(lead, units)
        stacks += passes
    return stacks


def _same_words(unit: SeriesSlices, units: Sequence[SeriesSlices]) -> int:
    return sum(other.words == unit.words and _fits(other, unit) for other in units)


def _fits(unit: SeriesSlices, lead: SeriesSlices) -> bool:
    """Whether a series can be of the stack of another: by numbers of phases, and grid or words."""
    one, other = unit.phases, lead.phases
    if (one == 1) != (other == 1):
        return False
    if unit.words != lead.words:
        return _same_grid(unit, lead) and abs(one - other) <= 0.25 * other
    return other <= 2 * one and one <= 2 * other and _scales_fit(unit, lead)


def _same_grid(unit: SeriesSlices, lead: SeriesSlices) -> bool:
    one, other = unit.acquisitions[0].first, lead.acquisitions[0].first
    same_matrix = (one.rows, one.cols) == (other.rows, other.cols)
    return same_matrix and np.allclose(one.spacing, other.spacing, rtol=0.005)


def _scales_fit(unit: SeriesSlices, lead: SeriesSlices) -> bool:
    pairs = zip(unit.acquisitions[0].first.spacing, lead.acquisitions[0].first.spacing, strict=True)
    return all(2 / 3 <= a / b <= 3 / 2 for a, b in pairs)


def _passes(lead: SeriesSlices, units: list[SeriesSlices]) -> tuple[list[list[SeriesSlices]], list[SeriesSlices]]:
    """Join series to passes over the heart, in order of time; gives the passes and the series that fit none.

    A series whose slices are at new places completes the pass. One at the places of slices repeats
    them; but if more than half of the pass is acquired again from there on, and the pass covers at least half of all
    places, a new pass begins. Where words differ, a series at or far from the places of others is something else.
    """
    fitting = [unit for unit in units if unit is lead or _fits(unit, lead)]
    left = [unit for unit in units if unit not in fitting]
    room = _room_mm(lead)
    own = _places([unit for unit in fitting if unit.words == lead.words])
    everywhere = _apart(own, room)
    passes: list[list[SeriesSlices]] = [[]]
    for number, unit in enumerate(fitting):
        current = passes[-1]
        repeated = int(_covered(unit.places, _places(current), room).sum())
        if unit.words != lead.words:
            repeats = 2 * int(_covered(unit.places, own, room).sum()) >= len(unit.acquisitions)
            far = bool(current) and not _covered(unit.places, _places(current), _MOST_ROOMS * room).any()
            if repeats or far:
                left.append(unit)
                continue
        if not repeated:
            current.append(unit)
            continue
        there = _apart(_places(current), room)
        again = int(_covered(there, _places(fitting[number:]), room).sum())
        whole = 2 * len(there) >= len(everywhere) and len(there) > 1
        mostly_new = 2 * repeated < len(unit.acquisitions)
        if whole and 2 * again > len(there) and not mostly_new:
            passes.append([unit])
        elif unit.words == lead.words or mostly_new:
            current.append(unit)
        else:
            left.append(unit)
    return [p for p in passes if p], left


def _room_mm(lead: SeriesSlices) -> float:
    """How near two slices of different series are at one place of the stack."""
    places = np.unique(np.round([a.along for a in lead.acquisitions], 3))
    spacing = float(np.median(np.diff(places))) if len(places) > 1 else lead.acquisitions[0].first.slice_spacing_mm
    return ONE_SLICE_OF_SPACING * (spacing if spacing is not None and 0 < spacing < 30 else 5.0)


def _places(units: Sequence[SeriesSlices]) -> NDArray[np.float64]:
    """Places of the slices of several series, ascending, in mm."""
    return np.sort(np.concatenate([unit.places for unit in units])) if units else np.zeros(0)


def _apart(places: NDArray[np.float64], room: float) -> NDArray[np.float64]:
    """Ascending places, once for each slice."""
    return places[np.concatenate([[True], np.diff(places) > room])] if len(places) else places


def _covered(places: NDArray[np.float64], by: NDArray[np.float64], room: float) -> NDArray[np.bool_]:
    """Which places are near others, which ascend."""
    if not len(by):
        return np.zeros(len(places), dtype=np.bool_)
    after = np.searchsorted(by, places)
    before = np.abs(places - by[np.maximum(after - 1, 0)])
    return np.asarray(np.minimum(before, np.abs(by[np.minimum(after, len(by) - 1)] - places)) <= room)


def _slices(units: Sequence[SeriesSlices]) -> tuple[GroupSlice, ...]:
    """Slices of a pass; acquisitions of different series at one place are repeats of one slice."""
    room = _room_mm(max(units, key=lambda unit: len(unit.acquisitions)))
    places: list[float] = []
    slices: list[list[tuple[Acquisition, str]]] = []
    for unit in sorted(units, key=lambda u: (-len(u.acquisitions), u.start)):
        for acquisition in unit.acquisitions:
            at = bisect(places, acquisition.along)
            near = min(
                (i for i in (at - 1, at) if 0 <= i < len(places)),
                key=lambda i: abs(places[i] - acquisition.along),
                default=-1,
            )
            # Slices of one series are apart, however near to one another.
            own = near >= 0 and all(series == unit.series for _, series in slices[near])
            if near >= 0 and abs(places[near] - acquisition.along) <= (min(SAME_PLACE_MM, room) if own else room):
                slices[near].append((acquisition, unit.series))
            else:
                places.insert(at, acquisition.along)
                slices.insert(at, [(acquisition, unit.series)])
    return tuple(GroupSlice(tuple(sorted((a for a, _ in s), key=lambda a: a.recency))) for s in slices)


def covers_as_well(group: Group, most: int) -> bool:
    """Whether a stack has enough of so many slices to cover the heart as well."""
    return len(group.slices) >= max(2, _SHARE_OF_A_WHOLE * most)


def _suitability(group: Group, most: int) -> tuple[bool, bool, bool, bool, bool, int, bool, int, bool, int, Recency]:
    """What the short-axis cine has most of, compared in this order.

    Several slices and phases of one beat; a plane across the long axis of the heart; slices over most of the heart
    (against `most`, those of the patient's largest short-axis cine), and phase times; names of nothing else; images as
    acquired, distortions corrected; the first of several echoes and the like; many slices; names that cannot mean
    anything else; many phases; a late time of acquisition. What a name hints at never goes before slices that cover the
    heart.
    """
    phases = min(group.phases, _MOST_PHASES_THAT_COUNT)
    as_acquired = 2 * (not group.kind.derived and is_magnitude(group.first)) + (group.kind.correction != "ND")
    return (
        group.is_cine,
        group.is_across,
        len(group.slices) >= _SHARE_OF_A_WHOLE * most,
        group.has_phase_times,
        not group.is_named_otherwise,
        as_acquired,
        not any(w.number for w in group.weighting),
        len(group.slices),
        not may_name_other_than_sax(group.first),
        phases,
        group.recency,
    )
