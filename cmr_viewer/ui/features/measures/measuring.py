"""Measures of the open study that follow every change: values at once, the wall as soon as the reader pauses."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from cmr_viewer.app.session import Session
from cmr_viewer.app.settings import Settings
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.papillary import PapillaryConvention
from cmr_viewer.domain.measures.patient_measures import BsaFormula, PatientMeasures, patient_measures
from cmr_viewer.domain.patient import UNKNOWN_PATIENT, Patient
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.reading.study_measures import (
    AS_FOUND,
    INSERTIONS_FACT,
    PATIENT_FACT,
    Curves,
    Insertions,
    MeasureChoices,
    Wall,
    WallMaterial,
    choices_of,
    counts_by_convention,
    curves_of,
    insertions_fact,
    measures_by_convention,
    patient_fact,
    patient_in_files,
    point_set,
    wall_of,
)
from cmr_viewer.reading.volumes import VoxelCounts

PAUSE_MS = 250
"""What takes long is measured when nothing has changed for so long."""


class Measuring(QObject):
    """Values, curves and wall of the open study.

    Values and curves come from counts that follow each stroke. The wall, and counts with papillary muscles taken out of
    the blood pool, are worked out on the store thread, from copies; a result that a later change has overtaken is
    dropped.

    Signals:
        measured(): `measures` and `curves` are new.
        wall_measured(): `wall` is new.
        choices_changed(): `choices` is new.
    """

    measured = Signal()
    wall_measured = Signal()
    choices_changed = Signal()

    def __init__(self, session: Session, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._settings = session, settings
        self._choices = MeasureChoices()
        self._wall = Wall((), "")
        self._counts: VoxelCounts | None = None
        self._dirty: set[FrameIndex] = set()
        self._wall_is_due = False
        self._asked = 0
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self._measure_more)
        session.study.left.connect(self._on_left)
        session.study.facts_changed.connect(self._on_facts)
        session.study.frames_changed.connect(self._on_changed)
        session.study.measures_changed.connect(self._on_measures)
        session.study.phase_marks_changed.connect(self._on_marks)

    # -- what there is -------------------------------------------------------------------------------------------------

    @property
    def choices(self) -> MeasureChoices:
        """What the reader set for the study."""
        return self._choices

    @property
    def convention(self) -> PapillaryConvention:
        """Where papillary muscles are counted."""
        return PapillaryConvention(self._settings.papillary)

    @property
    def formula(self) -> BsaFormula:
        """Of body surface area."""
        return BsaFormula(self._settings.bsa_formula)

    @property
    def patient(self) -> Patient:
        """The patient's data: as typed, else as in the files."""
        study = self._session.study.data
        return UNKNOWN_PATIENT if study is None else patient_in_files(study).with_typed(self._choices.typed)

    @property
    def measures(self) -> PatientMeasures:
        """Values as the label maps are now."""
        session, measures = self._session, self._session.study.measures
        if self.convention is not PapillaryConvention.IN_BLOOD_POOL and session.study.stack is not None:
            stack = session.study.stack
            counts = self._counts or VoxelCounts(stack.phases, stack.geometry.slice_weights)
            ed, es = session.study.ed_phase, session.study.es_phase
            measures = measures_by_convention(counts, stack, ed, es, self.convention)
        return patient_measures(measures, self.patient, self.formula)

    @property
    def curves(self) -> Curves | None:
        """Volumes through the cycle as the label maps are now; None without a study."""
        stack = self._session.study.stack
        return None if stack is None else curves_of(self.counts, stack, self.patient)

    @property
    def counts(self) -> NDArray[np.float64]:
        """(phase, 4) voxels of each label by the convention; -1 where a phase is not segmented whole."""
        if self.convention is PapillaryConvention.IN_BLOOD_POOL:
            return self._session.study.phase_counts
        phases = 0 if self._session.study.stack is None else self._session.study.stack.phases
        return np.full((phases, 4), -1.0) if self._counts is None else self._counts.of_phases()

    @property
    def wall(self) -> Wall:
        """Thickness and thickening by segment, as last measured."""
        return self._wall

    @property
    def is_measuring(self) -> bool:
        """Whether something is still to be measured."""
        return self._pause.isActive() or self._asked > 0

    # -- what the reader sets ------------------------------------------------------------------------------------------

    def type_patient(self, typed: Patient) -> None:
        """Take facts of the patient that the reader typed: one undo step, and they are saved with the study."""
        if self._session.study.stack is not None and typed != self._choices.typed:
            self._session.study.set_fact(PATIENT_FACT, patient_fact(typed), "patient data")

    def set_insertions(self, insertions: Insertions) -> None:
        """Take RV insertion points that the reader set: one undo step, and they are saved with the study."""
        if self._session.study.stack is not None and insertions != self._choices.insertions:
            self._session.study.set_fact(INSERTIONS_FACT, insertions_fact(insertions), "set RV insertion points")

    def turn_insertions(self, degrees: float) -> None:
        """Turn all RV insertion points that were found, against the clock as seen from the apex."""
        before = self._choices.insertions
        turn = (before.turn_degrees + degrees + 180.0) % 360.0 - 180.0
        self.set_insertions(Insertions(turn, before.points))

    def set_insertion(
        self,
        frame: FrameIndex,
        *,
        anterior: tuple[float, float] | None = None,
        inferior: tuple[float, float] | None = None,
    ) -> str:
        """Set an RV insertion point of a frame to a (row, col) point; why that is not possible, or empty."""
        stack = self._session.study.stack
        labels = None if stack is None else self._session.study.frame_state(frame).labels
        if stack is None or labels is None:
            return "This frame has no label map yet."
        if frame.phase not in (self._session.study.ed_phase, self._session.study.es_phase):
            return "RV insertion points belong to ED and ES. Go to one of them first (D, S)."
        moved = point_set(self._choices.insertions, frame, labels, stack, anterior=anterior, inferior=inferior)
        if moved is None:
            return "In this slice the RV does not touch a closed LV contour. Set the points in another slice."
        self.set_insertions(moved)
        return ""

    def find_insertions(self) -> None:
        """Leave the RV insertion points to the label maps again."""
        self.set_insertions(AS_FOUND)

    @Slot()
    def take_settings(self) -> None:
        """The formula or the convention may be another now."""
        stack = self._session.study.stack
        if stack is None:
            return
        if self.convention is PapillaryConvention.IN_BLOOD_POOL:
            self._counts = None
        else:
            self._dirty.update(stack.frame_indices)
            self._pause.start()
        self.measured.emit()

    # -- what follows --------------------------------------------------------------------------------------------------

    @Slot()
    def _on_left(self) -> None:
        self._pause.stop()
        self._choices, self._wall, self._counts = MeasureChoices(), Wall((), ""), None
        self._wall_is_due = False
        self._dirty.clear()
        self.choices_changed.emit()
        self.wall_measured.emit()
        self.measured.emit()

    @Slot()
    def _on_facts(self) -> None:
        reading = self._session.study.reading
        choices = MeasureChoices() if reading is None else choices_of(reading.facts)
        if choices == self._choices:
            return
        other_wall = choices.insertions != self._choices.insertions
        self._choices = choices
        self.choices_changed.emit()
        self.measured.emit()
        if other_wall:
            self._want_wall()

    @Slot(object)
    def _on_changed(self, frames: tuple[FrameIndex, ...]) -> None:
        marked = (self._session.study.ed_phase, self._session.study.es_phase)
        if any(frame.phase in marked for frame in frames):
            self._wall_is_due = True
        if self.convention is not PapillaryConvention.IN_BLOOD_POOL:
            self._dirty.update(frames)
        if self._wall_is_due or self._dirty:
            self._pause.start()

    @Slot()
    def _on_measures(self) -> None:
        self.measured.emit()

    @Slot()
    def _on_marks(self) -> None:
        self._want_wall()

    def _want_wall(self) -> None:
        self._wall_is_due = True
        self._pause.start()

    @Slot()
    def _measure_more(self) -> None:
        stack = self._session.study.stack
        if stack is None:
            return
        frames, self._dirty = self._dirty, set()
        with_wall, self._wall_is_due = self._wall_is_due, False
        self._asked += 1
        work = partial(
            _measure,
            stack,
            self._copies(frames) if self.convention is not PapillaryConvention.IN_BLOOD_POOL else {},
            self.convention,
            self._wall_material(stack) if with_wall else None,
        )
        self._session.saving.do(
            "Measuring",
            work,
            on_done=partial(self._on_measured, stack, frozenset(frames)),
            on_failed=partial(self._on_not_measured, stack, frozenset(frames), with_wall),
        )

    def _copies(self, frames: set[FrameIndex]) -> dict[FrameIndex, LabelMap]:
        states = ((frame, self._session.study.frame_state(frame).labels) for frame in frames)
        return {frame: labels.copy() for frame, labels in states if labels is not None}

    def _wall_material(self, stack: Stack) -> WallMaterial:
        ed, es = self._session.study.ed_phase, self._session.study.es_phase
        frames = {FrameIndex(phase, index) for phase in (ed, es) if phase is not None for index in range(stack.slices)}
        regions: dict[FrameIndex, Region] = {}
        for frame in frames:
            region = self._session.study.frame_state(frame).region
            if region is not None:
                regions[frame] = region
        return WallMaterial(stack, ed, es, self._copies(frames), regions, self._choices.insertions)

    def _on_measured(
        self,
        stack: Stack,
        asked: frozenset[FrameIndex],
        found: tuple[Mapping[FrameIndex, NDArray[np.int64]], Wall | None],
    ) -> None:
        self._asked -= 1
        if stack is not self._session.study.stack:
            return
        counts, wall = found
        if asked:
            self._take_counts(stack, asked, counts)
        if wall is not None and not self._wall_is_due:  # else something has changed since, and it is measured again
            self._wall = wall
            self.wall_measured.emit()

    def _take_counts(
        self, stack: Stack, asked: frozenset[FrameIndex], counts: Mapping[FrameIndex, NDArray[np.int64]]
    ) -> None:
        """Take the counts of frames that have not changed since; those without a label map have none."""
        if self._counts is None:
            self._counts = VoxelCounts(stack.phases, stack.geometry.slice_weights)
        for frame in asked - self._dirty:
            if frame in counts:
                self._counts.set_counts(frame, counts[frame])
            else:
                self._counts.set_frame(frame, None)
        self.measured.emit()

    def _on_not_measured(self, stack: Stack, asked: frozenset[FrameIndex], with_wall: bool, _message: str) -> None:
        """What could not be measured is measured with the next change."""
        self._asked -= 1
        if stack is self._session.study.stack:
            self._dirty |= asked
            self._wall_is_due = self._wall_is_due or with_wall


def _measure(
    stack: Stack,
    label_maps: Mapping[FrameIndex, LabelMap],
    convention: PapillaryConvention,
    material: WallMaterial | None,
) -> tuple[Mapping[FrameIndex, NDArray[np.int64]], Wall | None]:
    """For the store thread."""
    return counts_by_convention(stack, label_maps, convention), None if material is None else wall_of(material)
