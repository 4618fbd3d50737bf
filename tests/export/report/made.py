"""A study with a reader's work, as a report is built from it: a phantom with known volumes."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from cmr_viewer.domain.anatomy import reference_regions
from cmr_viewer.domain.annotation import Prediction, RegionPrediction
from cmr_viewer.domain.patient import Patient
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.export.report.material import Material, WorkDone, as_read, material_of
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.store.effort import EffortRow
from cmr_viewer.store.events import Event, What
from tests.phantom import Phantom, sax_cine

START = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)


def phantom(phases: int = 8, slices: int = 6) -> Phantom:
    return sax_cine(phases=phases, slices=slices, rows=64, cols=60, pixel_spacing_mm=(2.0, 2.0), seed=3)


def reading_of(heart: Phantom, patient: Patient | None = None) -> OpenStudy:
    """A study in which every frame is as the model "middle-1" drew it, which is the truth."""
    stack = replace(heart.stack, ed_phase=None, es_phase=None)
    study = Study("Study 7", Path("study.nii.gz"), (stack,), format_name="NIfTI", patient=patient or Patient())
    reading = OpenStudy(study)
    for frame, record in reading.frames.items():
        labels = heart.labels[frame.phase, frame.slice_index]
        region = reference_regions(list(heart.labels[frame.phase].any(axis=(1, 2))))[frame.slice_index]
        made = Prediction(labels, "middle-1", region, "It knows.")
        chances = tuple(0.85 if each is region else 0.05 for each in type(region))
        record.region_prediction = RegionPrediction(chances, "classifier-1", region, chances)  # type: ignore[arg-type]
        record.base, record.labels, record.origin = made, made.labels, made.model_id
        reading.frames.counts.set_frame(frame, labels)
    return reading


def material(
    heart: Phantom | None = None,
    *,
    patient: Patient | None = None,
    events: Sequence[Event] = (),
    effort: Sequence[EffortRow] = (),
    patient_name: str = "",
    reading: OpenStudy | None = None,
) -> Material:
    """What a report is built from."""
    read = reading or reading_of(heart or phantom(), patient)
    made = material_of(
        as_read(read), WorkDone(tuple(events), tuple(effort)), made_by="R. Eader", patient_name=patient_name
    )
    return replace(made, made_at=START)


def event(
    number: int,
    what: What | str,
    frame: FrameIndex | None = None,
    *,
    who: str = "R. Eader",
    seconds: float | None = None,
    **detail: object,
) -> Event:
    """An event, a minute after the one before by default."""
    after = 60.0 * number if seconds is None else seconds
    return Event(number, START + timedelta(seconds=after), who, str(what), "0" * 32, frame, None, detail)


def true_ml(heart: Phantom, phase: int, label: int) -> float:
    """Volume of a label at a phase, by counting."""
    g = heart.stack.geometry
    voxel = g.pixel_spacing_mm[0] * g.pixel_spacing_mm[1] * g.slice_spacing_mm / 1000.0
    return float(np.count_nonzero(heart.labels[phase] == label) * voxel)
