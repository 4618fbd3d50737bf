"""Label maps and contours of other programs for the open study: read, asked about, put in as one step."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from PySide6.QtCore import QObject, Signal

from cmr_viewer.app.jobs import Priority
from cmr_viewer.app.private_log import hide_from_log
from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.notes import Note
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.errors import LabelMapError, UnknownCodesError, UnknownPhaseError
from cmr_viewer.progress import Progress
from cmr_viewer.reading.open_study import Imported

IMPORT_KEY = "import"


Codes = Mapping[int, Label]
"""What each number in a label map means."""


class LabelsRead(Protocol):
    """What a file states; `load.labels.imported.ImportedLabels`."""

    @property
    def labels(self) -> LabelMap:
        """(phase, slice, row, col)."""

    @property
    def structures(self) -> Mapping[FrameIndex, frozenset[Label]]:
        """What is stated of which frame."""

    @property
    def provenance(self) -> str:
        """What it is, for a reader."""

    @property
    def warnings(self) -> tuple[Note, ...]:
        """What a reader should know."""

    @property
    def made(self) -> Provenance | None:
        """How the label maps came to be, as the source states; None where it does not."""


class LabelReader(Protocol):
    """What reads a file of label maps."""

    def __call__(
        self, path: Path, study: Study, codes: Codes | None, phase: int | None, progress: Progress
    ) -> LabelsRead:
        """Read a file or folder; codes and phase as the reader set them, where the file does not give them."""


def read_with_load(path: Path, study: Study, codes: Codes | None, phase: int | None, progress: Progress) -> LabelsRead:
    """`load.labels.files.read_labels`; on the job thread."""
    from cmr_viewer.load.labels.files import read_labels  # noqa: PLC0415 - the readers would keep the window waiting

    return read_labels(path, study, "auto" if codes is None else codes, phase, progress)


@dataclass(frozen=True, eq=False)
class ImportRequest:
    """A file that is to be read, with what the reader set for it.

    Attributes:
        path: File or folder.
        study: The study that was open.
        shown_phase: The phase that was displayed.
        codes: What its numbers mean, or None for what the file gives.
        phase: The phase that it belongs to, or None for what the file gives.
    """

    path: Path
    study: Study
    shown_phase: int
    codes: Codes | None = None
    phase: int | None = None


@dataclass(frozen=True, eq=False)
class ImportQuestion:
    """Something that the file does not give and the reader has to set.

    Attributes:
        request: What was asked for; `LabelImport.answer` goes on with it.
        text: What is not known, for a reader.
        codes: Where it is the meaning of numbers: each number, and in how many pixels it occurs; else empty.
        guess: Where it is that: what the reader set for the same numbers last time, or nothing.
    """

    request: ImportRequest
    text: str
    codes: Mapping[int, int]
    guess: Codes

    @property
    def is_about_phase(self) -> bool:
        """Whether it is the phase that is not known."""
        return not self.codes


@dataclass(frozen=True, eq=False)
class ImportOffer:
    """Label maps that were read and can be put in.

    Attributes:
        name: Name of the file or folder.
        study: The study that was open.
        read: What the file says.
        accepted: Frames among them that the reader has accepted.
        corrected: Frames among them that the reader has worked on and not accepted.
    """

    name: str
    study: Study
    read: LabelsRead
    accepted: frozenset[FrameIndex]
    corrected: frozenset[FrameIndex]

    @property
    def frames(self) -> tuple[FrameIndex, ...]:
        """The frames that the file speaks of."""
        return tuple(sorted(self.read.structures))


class LabelImport(QObject):
    """Reads label maps on the job thread and puts them into the open study.

    Signals:
        asked(object ImportQuestion): Something has to be set first; `answer` goes on.
        offered(object ImportOffer): They were read; `take` puts them in.
        refused(str message): They could not be read.
        imported(str text, bool warned): They are in; what was imported, in words, and whether something was left out.
    """

    asked = Signal(object)
    offered = Signal(object)
    refused = Signal(str)
    imported = Signal(str, bool)

    def __init__(self, session: Session, reader: LabelReader = read_with_load, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._reader = session, reader
        self._meanings: dict[int, Label] = {}

    def read(self, path: Path, shown_phase: int) -> None:
        """Read a file or folder for the open study.

        Args:
            path: What holds the label maps.
            shown_phase: The displayed phase.
        """
        study = self._session.study.data
        if study is not None:
            hide_from_log(path)
            self._submit(ImportRequest(path, study, shown_phase))

    def answer(self, question: ImportQuestion, *, codes: Codes | None = None, phase: int | None = None) -> None:
        """Go on with what the reader set.

        Args:
            question: What was asked.
            codes: What the numbers mean, where that was the question.
            phase: The phase, where that was the question.
        """
        if self._session.study.data is not question.request.study:
            self.refused.emit(_other_study(question.request.path.name))
            return
        request = question.request
        if codes is not None:
            self._meanings.update(codes)
            request = replace(request, codes=codes)
        self._submit(request if phase is None else replace(request, phase=phase))

    def _submit(self, request: ImportRequest) -> None:
        stack = request.study.stack
        marked = replace(stack, ed_phase=self._session.study.ed_phase, es_phase=self._session.study.es_phase)
        study = replace(request.study, stacks=(marked, *request.study.stacks[1:]))
        self._session.jobs.submit(
            IMPORT_KEY,
            f"Reading {request.path.name}",
            partial(_read, self._reader, request, study),
            priority=Priority.READER,
            on_finished=partial(self._on_read, request),
            on_failed=self.refused.emit,
        )

    def _on_read(self, request: ImportRequest, result: LabelsRead | LabelMapError) -> None:
        name = request.path.name
        if self._session.study.data is not request.study:
            self.refused.emit(_other_study(name))
        elif isinstance(result, LabelMapError):
            codes = result.codes if isinstance(result, UnknownCodesError) else {}
            guess = {code: self._meanings[code] for code in codes if code in self._meanings}
            self.asked.emit(ImportQuestion(request, str(result), codes, guess))
        elif not result.structures:
            self.refused.emit(f"{name} contains no labels for the frames of this study.")
        else:
            states = {frame: self._session.study.frame_state(frame) for frame in result.structures}
            accepted = frozenset(f for f, state in states.items() if state.status is ReviewStatus.ACCEPTED)
            corrected = frozenset(f for f, state in states.items() if state.edited) - accepted
            self.offered.emit(ImportOffer(name, request.study, result, accepted, corrected))

    def take(self, offer: ImportOffer, *, replace_worked_on: bool) -> None:
        """Put offered label maps in: one step that can be undone.

        Args:
            offer: What was read.
            replace_worked_on: Whether frames that the reader has accepted or corrected are replaced too.
        """
        if self._session.study.data is not offer.study:
            self.refused.emit(f"{offer.name} was not imported because another study is now open.")
            return
        left = frozenset[FrameIndex]() if replace_worked_on else offer.accepted | offer.corrected
        maps: dict[FrameIndex, LabelMap] = {}
        whole: set[FrameIndex] = set()
        for frame in offer.frames:
            if frame in left:
                continue
            stated, shown = offer.read.structures[frame], self._session.study.frame_state(frame).labels
            maps[frame] = merged(shown, offer.read.labels[frame.phase, frame.slice_index], stated)
            if shown is None or stated >= set(STRUCTURES):
                whole.add(frame)
        if maps:
            read = offer.read
            self._session.study.put_labels(
                maps, Imported(read.provenance, f"import {offer.name}", frozenset(whole), read.made)
            )
        self.imported.emit(report_of(offer, frozenset(maps)), bool(offer.read.warnings))


def _other_study(name: str) -> str:
    return (
        f"{name} was not imported because another study is now open. Open the first study again, then import the file."
    )


def _read(reader: LabelReader, request: ImportRequest, study: Study, progress: Progress) -> LabelsRead | LabelMapError:
    """What a file states, or what a reader has to set first."""
    try:
        return reader(request.path, study, request.codes, request.phase, progress)
    except (UnknownCodesError, UnknownPhaseError) as question:
        return question


def merged(shown: LabelMap | None, incoming: LabelMap, stated: frozenset[Label]) -> LabelMap:
    """What a file states of a frame, put over what is shown.

    Structures that the file does not state stay where they are, as far as the stated ones leave them room. Where the
    blood pool of the left ventricle is stated and its myocardium is not, the epicardium stays where it was: what is
    between the two is myocardium.

    Args:
        shown: (row, col), or None for nothing.
        incoming: (row, col); read only where it is one of the stated labels.
        stated: The labels that the file states.

    Returns:
        (row, col), a new array that cannot be written to.
    """
    if stated >= set(STRUCTURES):
        result = incoming.copy()
        result.setflags(write=False)
        return result
    result = np.zeros_like(incoming) if shown is None else shown.copy()
    before = result.copy()
    for label in stated:
        result[result == label] = Label.BACKGROUND
    if Label.LVBP in stated and Label.LVM not in stated and (before == Label.LVM).any():
        result[before == Label.LVBP] = Label.LVM
    for label in STRUCTURES:
        if label in stated:
            result[incoming == label] = label
    result.setflags(write=False)  # so that it is shown as it is, without a copy
    return result


def report_of(offer: ImportOffer, imported: frozenset[FrameIndex]) -> str:
    """What was imported, for a reader."""
    counts = Counter(label for frame in imported for label in offer.read.structures[frame])
    parts = ", ".join(f"{label.text} in {counts[label]}" for label in STRUCTURES if counts[label])
    frames = "1 frame" if len(imported) == 1 else f"{len(imported)} frames"
    text = f"Imported {offer.name} ({offer.read.provenance}): {frames}"
    text += f" ({parts})." if parts else "."
    left = len(offer.frames) - len(imported)
    if left:
        text += f" {left} that you worked on {'was' if left == 1 else 'were'} not changed."
    return " ".join([text, *offer.read.warnings])
