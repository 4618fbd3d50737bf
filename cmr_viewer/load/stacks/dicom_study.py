"""DICOM files to a study.

Headers are scanned first; frames are grouped into stacks by patient, plane and time over all series of a study, since
some scanners export one series per slice. The short-axis cine among the stacks is opened: several slices, several
phases of one beat, a plane across the long axis of the heart. Slices are ordered by position along the normal, never by
numbers or names of files. Long-axis cines of the study come with it.

docs/loading/stacks.md describes what the program decides where files leave something open.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.notes import Code, Note, counted, listed, numbered
from cmr_viewer.domain.opening import NO_CHOICES, Opening
from cmr_viewer.domain.patient_key import identifies_no_one, patient_key_at, patient_key_of
from cmr_viewer.domain.study import RepeatedSlice, Stack, StackChoice, Study
from cmr_viewer.errors import LoadError, NotAStudyError
from cmr_viewer.load.dicom.headers import Header
from cmr_viewer.load.dicom.layout import WITHOUT_IMAGE
from cmr_viewer.load.dicom.pixels import Preview
from cmr_viewer.load.dicom.scan import Scan, scan_indexed
from cmr_viewer.load.gather import Gathered, gather
from cmr_viewer.load.names import name_of
from cmr_viewer.load.stacks.acquisitions import Acquisition
from cmr_viewer.load.stacks.groups import Group, GroupSlice, covers_as_well, group_headers
from cmr_viewer.load.stacks.identity import facts_in, patient_in, without_copies
from cmr_viewer.load.stacks.kinds import LONGEST_CYCLE_MS, could_be_cine, may_name_other_than_sax
from cmr_viewer.load.stacks.stack import ReadStack, plan_stack, read_stack
from cmr_viewer.load.stacks.views import PlannedView, find_views, read_views
from cmr_viewer.progress import Progress, part, silent

_MOST_LEFT_OUT = 6
_FAR_APART = 1.8
"""Distance of slice centres, in slice thicknesses, from which on it is noted. Protocols go up to 6 mm with gaps of 4 mm
(Kramer et al. 2020, J Cardiovasc Magn Reson 22:17)."""


def read_dicom(
    path: Path, progress: Progress = silent, opening: Opening = NO_CHOICES, preview: Preview | None = None
) -> Study:
    """Open a folder of DICOM files, folders inside it included.

    Args:
        path: A folder, an archive or a DICOMDIR; its name becomes the study's.
        progress: Called with how far the work is.
        opening: Which stack and which repeats of slices are wanted; the rest of it is for the caller.
        preview: Called once, with the first frame that is decoded.

    Returns:
        A study of the short-axis cine, slices base to apex, phases in time order.

    Raises:
        NotAStudyError: There is no DICOM image.
        LoadError: There are, and none can be read or placed.
        Cancelled: `progress` asked to stop.
    """
    with gather(path, part(progress, 0.0, 0.1)) as gathered:
        return read_gathered(gathered, path, part(progress, 0.1, 1.0), opening, preview)


def read_gathered(
    gathered: Gathered,
    source: Path,
    progress: Progress = silent,
    opening: Opening = NO_CHOICES,
    preview: Preview | None = None,
    file: Path | None = None,
    index: Path | None = None,
) -> Study:
    """As `read_dicom`, of files that are already gathered.

    Args:
        gathered: The files.
        source: What the reader opened; its name becomes the study's.
        progress: As in `read_dicom`.
        opening: As in `read_dicom`.
        preview: As in `read_dicom`.
        file: The file whose stack is wanted where `opening` names none, or None.
        index: Where headers are saved for the next time, or None.
    """
    # What was unpacked from an archive has another path each time.
    index = index if gathered.archive is None else None
    found = scan_indexed(gathered.files, gathered.root, index, part(progress, 0.0, 0.4))
    _require_images(source, found)
    headers, notes = without_copies(found.headers)
    groups = group_headers(headers)
    keyed = list(zip(_keys(groups), groups, strict=True))
    patients = _patients(groups, gathered.files)
    patient = _patient_of(keyed, patients, opening, file)
    keyed = [(key, group) for key, group in keyed if group.patient == patient]
    groups = [group for _, group in keyed]
    group, chosen_notes = _chosen(keyed, opening, file)
    views = find_views(groups, group)
    notes = [*gathered.notes, *found.notes, *_scan_notes(found), *notes, *chosen_notes]
    notes += _other_notes(groups, group, views, decided=bool(opening.stack))
    others: list[Path] = []
    name = name_of(source)
    if len(patients) > 1:
        source = gathered.source_of(patients[patient])
        name = name_of(source) if patients[patient].is_dir() else f"{name} {list(patients).index(patient) + 1}"
        others = [place for other, place in patients.items() if other != patient and file is None]
    if others:
        notes.insert(0, gathered.others_note("patients", patients[patient], others))
    opened = _Opened(gathered, source, name, keyed, group, views, opening)
    study = opened.read(notes, part(progress, 0.4, 1.0), preview)
    return replace(study, others=tuple(map(gathered.source_of, others)))


def _patients(groups: Sequence[Group], files: Sequence[Path]) -> dict[str, Path]:
    """Where each patient's frames are, in the order of the files.

    A patient's place is the highest folder that holds all of the patient's files and no other's; where patients share
    folders, a file of the stack that is most suitable.
    """
    order = {path: number for number, path in enumerate(files)}
    own: dict[str, set[Path]] = defaultdict(set)
    first: dict[str, Path] = {}
    for group in groups:
        own[group.patient].update(h.path for h in group.headers)
        first.setdefault(group.patient, min((h.path for h in group.headers), key=lambda path: order.get(path, 0)))
    holders: dict[Path, set[str]] = defaultdict(set)
    for patient, paths in own.items():
        for folder in {path.parent for path in paths}:
            for holder in (folder, *folder.parents):
                holders[holder].add(patient)
    places: dict[str, Path] = {}
    for patient in sorted(own, key=lambda one: min(order.get(path, 0) for path in own[one])):
        whole = Path(os.path.commonpath({path.parent for path in own[patient]}))
        alone = [folder for folder in (whole, *whole.parents) if len(holders[folder]) == 1]
        places[patient] = alone[-1] if alone else first[patient]
    return places


def _patient_of(
    keyed: Sequence[tuple[str, Group]], patients: Iterable[str], opening: Opening, file: Path | None
) -> str:
    """Whose stack is opened: as the reader chose, that of the opened file, or the first patient with a cine."""
    for key, group in keyed:
        if opening.stack and key == opening.stack:
            return group.patient
    for _, group in keyed:
        if file is not None and any(h.path == file for h in group.headers):
            return group.patient
    with_cine = {group.patient for _, group in keyed if group.is_candidate}
    return next((patient for patient in patients if patient in with_cine), keyed[0][1].patient)


def _require_images(folder: Path, found: Scan) -> None:
    if found.headers:
        return
    if not found.any_dicom:
        raise NotAStudyError(f"{folder} contains no DICOM images. Open a folder with a short-axis cine series.")
    reasons = [
        f"{counted(len(paths), 'file')} {reason}, such as {_names(paths[:1])}" for reason, paths in found.other.items()
    ]
    if found.unreadable:
        reasons.append(
            f"{counted(len(found.unreadable), 'file')} that could not be read, such as {_names(found.unreadable)}"
        )
    raise LoadError(f"Could not open any DICOM image in {folder}: {'; '.join(reasons)}.")


def _scan_notes(found: Scan) -> list[Note]:
    notes = []
    if found.unreadable:
        text = f"Left out files that could not be read: {_names(found.unreadable)}."
        notes.append(Note(text, Code.FILES_UNREADABLE))
    for reason, paths in found.other.items():
        if reason != WITHOUT_IMAGE:
            text = f"Left out {counted(len(paths), 'DICOM file')} {reason}: {_names(paths)}."
            notes.append(Note(text, Code.FILES_NOT_USED))
    return notes


def _names(paths: Sequence[Path]) -> str:
    return listed([path.name for path in paths])


def _chosen(keyed: Sequence[tuple[str, Group]], opening: Opening, file: Path | None) -> tuple[Group, list[Note]]:
    """The stack that is opened: the reader's, that of the opened file, or the suggested one."""
    groups = [group for _, group in keyed]
    if opening.stack:
        wanted = [group for key, group in keyed if key == opening.stack]
        if wanted:
            return wanted[0], []
        text = "The stack chosen last time is not among the files; the suggested stack is open instead."
        return groups[0], [Note(text, Code.STACK_CHOICE_LOST)]
    if file is None:
        return groups[0], []
    own = next((g for g in groups if any(h.path == file for h in g.headers)), None)
    if own is None:
        text = f"{file.name} belongs to no stack; the suggested stack of its folder is open instead."
        return groups[0], [Note(text, Code.FILE_NOT_IN_STACK)]
    if not own.is_cine and groups[0].is_cine:
        text = f"{file.name} belongs to {own.text}, not a short-axis cine; the cine in its folder is open instead."
        return groups[0], [Note(text, Code.FILE_NOT_IN_STACK)]
    return own, []


def _keys(groups: Sequence[Group]) -> list[str]:
    """Keys of stacks, numbered where files do not distinguish them."""
    seen: Counter[str] = Counter()
    keys = []
    for group in groups:
        keys.append(f"{group.key}-{seen[group.key]}" if seen[group.key] else group.key)
        seen[group.key] += 1
    return keys


def _other_notes(groups: Sequence[Group], opened: Group, views: Sequence[PlannedView], *, decided: bool) -> list[Note]:
    """Stacks that the reader may have meant; localisers and the like are not listed next to a cine."""
    shown = {v.acquisition.first.key for v in views}
    others = [g for g in groups if g is not opened and g.slices[0].acquisitions[0].first.key not in shown]
    if opened.is_cine:
        others = [g for g in others if g.is_candidate or (g.phases > 1 and _looks_like_a_cine(g, opened))]
    notes = []
    if others and not decided:
        whys = [f", whose images {g.why_no_phases}" if opened.is_cine and g.why_no_phases else "" for g in others]
        texts = [f"{group.text}{why}" for group, why in zip(others, whys, strict=True)]
        left_out = listed(texts, _MOST_LEFT_OUT, "; " if any(whys) else ", ")
        text = f"Opened (slices x phases): {opened.text}. Not opened: {left_out}."
        notes.append(Note(text, Code.OTHER_STACKS))
    return notes


@dataclass(frozen=True, eq=False)
class _Opened:
    """A stack that was chosen among others, before it is read."""

    gathered: Gathered
    source: Path
    name: str
    keyed: Sequence[tuple[str, Group]]
    group: Group
    views: Sequence[PlannedView]
    opening: Opening

    def read(self, notes: list[Note], progress: Progress, preview: Preview | None) -> Study:
        """Decode the stack and the views."""
        acquisitions = [self._acquisition(s) for s in self.group.slices]
        planned = plan_stack(acquisitions, self.group.reference.normal)
        frames = sum(len(row) for row in planned.phases.frames)
        beside = sum(len(v.acquisition.headers) for v in self.views)
        share = frames / max(1, frames + beside)
        views = cache(lambda: read_views(self.views, part(progress, share, 1.0)))
        read = read_stack(planned, lambda: views()[0], part(progress, 0.0, share), preview, self.gathered.source_of)
        long_axis, view_notes = views()
        stack_notes = read.notes
        if self.group.why_no_phases:
            # Images that are not phases have no order in the cycle that could be wrong.
            stack_notes = [note for note in stack_notes if note.code is not Code.PHASE_ORDER_GUESSED]
        notes = [*notes, *self._repeat_notes(read), *stack_notes, *view_notes]
        notes += self._kind_notes(read.stack)
        stack = replace(read.stack, shows_cycle=not self.group.why_no_phases)
        if stack.shows_cycle:
            notes += _gap_notes(stack.geometry, [row[0].thickness_mm for row in read.frames])
        return Study(
            name=self.name,
            source=self.source,
            stacks=(stack,),
            patient_key=self._patient_key(patient_in(read.frames[0][0]), self.name),
            warnings=tuple(dict.fromkeys(notes)),
            format_name="DICOM",
            long_axis=long_axis,
            choices=self._choices(),
            repeats=tuple(self._repeats(read)),
            patient=replace(facts_in([h for row in read.frames for h in row]), heart_rate_bpm=stack.heart_rate_bpm),
        )

    def _kind_notes(self, stack: Stack) -> list[Note]:
        """Notes on images that are not a plain cine."""
        group, notes = self.group, []
        for weighting in () if self.opening.stack else group.weighting:
            text = f"The images of {group.name} differ in {weighting.name} ({', '.join(weighting.texts)})."
            notes.append(Note(f"{text} Opened: {weighting.name} {weighting.text}.", Code.OTHER_STACKS))
        if group.why_no_phases:
            text = f"{group.name} is not a cine: its images {group.why_no_phases}."
            text += " Ejection fraction and volumes over the cycle cannot be measured."
            notes.append(Note(text, Code.NOT_A_CINE))
            return notes
        if stack.slices < 2 or stack.phases < 2:
            text = f"This is not a cine stack: {counted(stack.slices, 'slice')}, {counted(stack.phases, 'phase')}."
            notes.append(Note(text, Code.NOT_A_CINE))
            return notes
        if group.is_known_by_numbers_alone:
            text = "The images of each slice are numbered, but no file states that they are phases of one heart beat."
            notes.append(Note(f"{text} Check that they are not perfusion.", Code.CYCLE_NOT_STATED))
        span_ms = 0.0 if stack.phase_times_ms is None else stack.phase_times_ms[-1] - stack.phase_times_ms[0]
        if span_ms > LONGEST_CYCLE_MS:
            text = f"The images of a slice last {span_ms / 1000:.1f} s, longer than a heart beat, as in real time."
            text += " Slices may show the heart at different moments in the same phase. Check the volumes."
            notes.append(Note(text, Code.CYCLE_NOT_STATED))
        if group.is_named_otherwise or (not group.has_phase_times and may_name_other_than_sax(group.first)):
            text = f"The series name, {group.name}, suggests something other than a short-axis cine."
            text += " Check the images."
            notes.append(Note(text, Code.NAME_DOUBTFUL))
        return notes

    def _patient_key(self, stated: str, name: str) -> str:
        """The key that the files state, or else one of their place: a key that every patient gets states nothing."""
        if stated and not identifies_no_one(stated):
            return stated
        if name != name_of(self.source):  # one of several patients in a folder
            return patient_key_of(f"{self.source.resolve()}/{name}")
        return patient_key_at(self.source.resolve().parent, name)

    def _acquisition(self, of_slice: GroupSlice) -> Acquisition:
        """The acquisition of a slice that the reader chose, or the suggested one."""
        wanted = self.opening.repeats.get(of_slice.key)
        return next((a for a in of_slice.acquisitions if a.key == wanted), of_slice.suggested)

    def _slices_of(self, read: ReadStack) -> list[tuple[int, GroupSlice]]:
        """Slices that were acquired more than once, by their index in the stack."""
        place = {id(a): index for index, a in enumerate(read.acquisitions)}
        found = [(place.get(id(self._acquisition(s)), -1), s) for s in self.group.slices if len(s.acquisitions) > 1]
        return sorted(((index, s) for index, s in found if index >= 0), key=lambda pair: pair[0])

    def _repeat_notes(self, read: ReadStack) -> list[Note]:
        undecided = [i for i, s in self._slices_of(read) if s.key not in self.opening.repeats]
        if not undecided:
            return []
        text = f"More than one acquisition of {numbered('slice', undecided)}; the later images are used."
        return [Note(text, Code.SLICES_REPEATED, undecided)]

    def _repeats(self, read: ReadStack) -> list[RepeatedSlice]:
        repeats = []
        for index, of_slice in self._slices_of(read):
            used = self._acquisition(of_slice)
            texts = [
                f"series {a.first.series_number}, {len(a.headers)} phases{_time_and_matrix(a.first)}"
                for a in of_slice.acquisitions
            ]
            choices = [StackChoice(a.key, t, a is used) for a, t in zip(of_slice.acquisitions, texts, strict=True)]
            repeats.append(RepeatedSlice(index, of_slice.key, tuple(choices)))
        return repeats

    def _choices(self) -> tuple[StackChoice, ...]:
        """Stacks with several slices and phases, and the opened one; all, where none is a cine."""
        listed = [(key, g) for key, g in self.keyed if g is self.group or min(len(g.slices), g.phases) >= 2]
        if not any(g.is_cine for _, g in listed):
            listed = list(self.keyed)
        if len(listed) < 2:
            return ()
        choices = []
        for key, group in listed:
            text = f"{group.title}, {len(group.slices)} x {group.phases}{_time_and_matrix(group.first)}"
            choices.append(StackChoice(key, text, group is self.group, group.is_sax_cine))
        return tuple(choices)


def _gap_notes(geometry: Geometry, thicknesses_mm: Sequence[float | None]) -> list[Note]:
    """A note where much of the heart is between the slices."""
    known = [thickness for thickness in thicknesses_mm if thickness is not None and thickness > 0]
    if not known or geometry.slices < 2:
        return []
    thickness, apart = float(np.median(known)), geometry.slice_spacing_mm
    if apart < _FAR_APART * thickness:
        return []
    text = (
        f"Slices are {thickness:.3g} mm thick and {apart:.3g} mm apart, so {apart - thickness:.3g} mm between "
        "neighbouring slices are not imaged. Volumes are less certain."
    )
    return [Note(text, Code.SLICES_FAR_APART)]


def _looks_like_a_cine(group: Group, opened: Group) -> bool:
    """Whether a stack could be mistaken for the cine: by its phases, or because it covers the heart as well."""
    if not could_be_cine(group.first):
        return False
    return not group.why_no_phases or (group.is_across and covers_as_well(group, len(opened.slices)))


def _time_and_matrix(header: Header) -> str:
    at = header.acquired_at
    time = "" if at is None else f", {int(at // 3600) % 24:02d}:{int(at // 60) % 60:02d}:{int(at % 60):02d}"
    return f"{time}, {header.rows} x {header.cols}"
