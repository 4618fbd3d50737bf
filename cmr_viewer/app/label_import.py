"""Label maps and contours of other programs for the open study: read, asked about, put in as one step."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from PySide6.QtCore import QObject, Signal

from cmr_viewer.app.jobs import Priority
from cmr_viewer.app.private_log import hide_from_log
from cmr_viewer.app.reading import Imported
from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.errors import LabelMapError
from cmr_viewer.progress import Progress

IMPORT_KEY = "import"


class LabelsRead(Protocol):
    """What a file says; `load.labels.imported.ImportedLabels`."""

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
    def warnings(self) -> tuple[str, ...]:
        """What a reader should know."""


LabelReader = Callable[[Path, Study, int | None], LabelsRead]
"""(file or folder, study, phase of a file that does not say its own) -> what it says."""


def read_with_load(path: Path, study: Study, phase: int | None) -> LabelsRead:
    """`load.labels.files.read_labels`; on the job thread."""
    from cmr_viewer.load.labels.files import read_labels  # noqa: PLC0415 - the readers would keep the window waiting

    return read_labels(path, study, "auto", phase)


@dataclass(frozen=True, eq=False)
class ImportOffer:
    """Label maps that were read and can be put in.

    Attributes:
        name: Name of the file or folder.
        study: The study that was open.
        read: What the file says.
        taken_for: The phase that a file of one phase is taken for, because nothing tells its own; None where it does.
        accepted: Frames among them that the reader has accepted.
        corrected: Frames among them that the reader has worked on and not accepted.
    """

    name: str
    study: Study
    read: LabelsRead
    taken_for: int | None
    accepted: frozenset[FrameIndex]
    corrected: frozenset[FrameIndex]

    @property
    def frames(self) -> tuple[FrameIndex, ...]:
        """The frames that the file speaks of."""
        return tuple(sorted(self.read.structures))


class LabelImport(QObject):
    """Reads label maps on the job thread and puts them into the open study.

    Signals:
        offered(object ImportOffer): They were read; `take` puts them in.
        refused(str message): They could not be read.
        taken(str text): They are in; what was taken, in words.
    """

    offered = Signal(object)
    refused = Signal(str)
    taken = Signal(str)

    def __init__(self, session: Session, reader: LabelReader = read_with_load, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._reader = session, reader

    def read(self, path: Path, shown_phase: int) -> None:
        """Read a file or folder for the open study.

        Args:
            path: What holds the label maps.
            shown_phase: The phase to propose for a file of one phase that does not say which it is.
        """
        study = self._session.study
        if study is None:
            return
        hide_from_log(path)
        marked = replace(study.stack, ed_phase=self._session.ed_phase, es_phase=self._session.es_phase)
        self._session.jobs.submit(
            IMPORT_KEY,
            f"Reading {path.name}",
            partial(_read, self._reader, path, replace(study, stacks=(marked, *study.stacks[1:])), shown_phase),
            priority=Priority.READER,
            on_finished=partial(self._on_read, path.name, study),
            on_failed=self.refused.emit,
        )

    def _on_read(self, name: str, study: Study, result: tuple[LabelsRead, int | None]) -> None:
        if self._session.study is not study:
            self.refused.emit(f"{name} was read, but another study is open by now. Open the study again and import it.")
            return
        read, taken_for = result
        if not read.structures:
            self.refused.emit(f"{name} says nothing about a frame of this study.")
            return
        states = {frame: self._session.frame_state(frame) for frame in read.structures}
        accepted = frozenset(f for f, state in states.items() if state.status is ReviewStatus.ACCEPTED)
        corrected = frozenset(f for f, state in states.items() if state.edited) - accepted
        self.offered.emit(ImportOffer(name, study, read, taken_for, accepted, corrected))

    def take(self, offer: ImportOffer, *, replace_worked_on: bool) -> None:
        """Put offered label maps in: one step that can be undone.

        Args:
            offer: What was read.
            replace_worked_on: Whether frames that the reader has accepted or corrected are replaced too.
        """
        if self._session.study is not offer.study:
            self.refused.emit(f"{offer.name} was not imported, because another study is open by now.")
            return
        left = frozenset[FrameIndex]() if replace_worked_on else offer.accepted | offer.corrected
        maps: dict[FrameIndex, LabelMap] = {}
        whole: set[FrameIndex] = set()
        for frame in offer.frames:
            if frame in left:
                continue
            stated, shown = offer.read.structures[frame], self._session.frame_state(frame).labels
            maps[frame] = merged(shown, offer.read.labels[frame.phase, frame.slice_index], stated)
            if shown is None or stated >= set(STRUCTURES):
                whole.add(frame)
        if maps:
            self._session.put_labels(maps, Imported(offer.read.provenance, f"import {offer.name}", frozenset(whole)))
        self.taken.emit(told(offer, frozenset(maps)))


def _read(
    reader: LabelReader, path: Path, study: Study, shown_phase: int, progress: Progress
) -> tuple[LabelsRead, int | None]:
    progress(0.0, f"Reading {path.name}")
    try:
        return reader(path, study, None), None
    except LabelMapError as error:
        try:  # perhaps all that is missing is which phase it is
            return reader(path, study, shown_phase), shown_phase
        except LabelMapError:
            raise error from None


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
        (row, col), a new array.
    """
    result: LabelMap = np.zeros_like(incoming) if shown is None else shown.copy()
    before = result.copy()
    for label in stated:
        result[result == label] = Label.BACKGROUND
    if Label.LVBP in stated and Label.LVM not in stated and (before == Label.LVM).any():
        result[before == Label.LVBP] = Label.LVM
    for label in STRUCTURES:
        if label in stated:
            result[incoming == label] = label
    return result


def told(offer: ImportOffer, taken: frozenset[FrameIndex]) -> str:
    """What was imported, for a reader."""
    counts = Counter(label for frame in taken for label in offer.read.structures[frame])
    parts = ", ".join(f"{label.text} in {counts[label]}" for label in STRUCTURES if counts[label])
    frames = "1 frame" if len(taken) == 1 else f"{len(taken)} frames"
    text = f"Imported {offer.name} ({offer.read.provenance}): {frames}"
    text += f" ({parts})." if parts else "."
    left = len(offer.frames) - len(taken)
    if left:
        text += f" {left} that you have worked on {'was' if left == 1 else 'were'} left as they are."
    return " ".join([text, *offer.read.warnings])
