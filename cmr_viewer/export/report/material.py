"""The input of a report; it no longer changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.ed_es import EdEs
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.notes import Note
from cmr_viewer.domain.patient_measures import PatientMeasures
from cmr_viewer.domain.segments_aha import SegmentThickness
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.store.effort import EffortRow
from cmr_viewer.store.events import Event


@dataclass(frozen=True, eq=False)
class FrameFacts:
    """What is known of one frame.

    Attributes:
        labels: (row, col) label map, or None.
        region: Its region, or None.
        region_by: "reader", "predicted" or empty.
        probability: The classifier's of that region, 0 to 1, or None.
        model_id: The model whose prediction the label map started from; empty where there was none.
        provenance: How the label map was made, or None without one.
        status: Draft, accepted, or None where no reader has touched the frame.
        imported: Where the label map was imported from; empty where it was not.
    """

    labels: LabelMap | None
    region: Region | None = None
    region_by: str = ""
    probability: float | None = None
    model_id: str = ""
    provenance: Provenance | None = None
    status: ReviewStatus | None = None
    imported: str = ""


@dataclass(frozen=True, eq=False)
class Material:
    """The input of a report.

    Attributes:
        study: The study; the report covers its first stack.
        frames: What is known of each frame of the stack.
        measures: Values of both ventricles.
        volumes: By ventricle ("LV", "RV"), each (phase,), NaN where a phase is not segmented whole.
        volume_unit: "ml", or "pixels".
        rates: Rates of ejection and filling, as (text, value with unit).
        rates_method: How rates were calculated; empty where they were not.
        segments: Wall thickness by segment; empty where it is not measured.
        segments_note: How the positions of the segments were found, or why there are none.
        events: The log of the stack, oldest first.
        effort: Readers' time and changes, by frame.
        made_by: The reader who asks for the report.
        made_at: When, in the local time zone.
        program: Name and version of the program.
        patient_name: The patient's name for the report; empty if not named.
        read: Which read of the study it is, in words; empty where it is the only one.
        ed_es: End-diastole and end-systole, with their source.
        notes: What a reader should know about the results.
    """

    study: Study
    frames: Mapping[FrameIndex, FrameFacts]
    measures: PatientMeasures
    volumes: Mapping[str, NDArray[np.float64]]
    volume_unit: str
    rates: tuple[tuple[str, str], ...]
    rates_method: str
    segments: Sequence[SegmentThickness]
    segments_note: str
    events: Sequence[Event]
    effort: Sequence[EffortRow]
    made_by: str
    made_at: datetime
    program: str
    patient_name: str = ""
    read: str = ""
    ed_es: EdEs = field(default_factory=EdEs)
    notes: Sequence[Note] = ()
