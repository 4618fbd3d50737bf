from dataclasses import replace

import numpy as np

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.patient import Patient
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.export.report.build import build_report
from cmr_viewer.export.report.material import WorkDone, as_read, material_of
from cmr_viewer.reading.study_measures import PATIENT_FACT, patient_fact
from tests.export.report.made import phantom, reading_of, true_ml


def test_what_the_reader_does_while_a_report_is_made_is_not_in_it() -> None:
    heart = phantom(phases=4, slices=5)
    reading = reading_of(heart)
    reading.set_fact_value(PATIENT_FACT, patient_fact(Patient(height_cm=180.0, weight_kg=80.0)))
    read = as_read(reading)
    reading.mark_phases(3, 0)
    reading.set_fact_value(PATIENT_FACT, None)
    reading.change_labels({FrameIndex(0, 2): np.zeros(heart.labels.shape[2:], np.uint8)}, "clear")
    made = material_of(read, WorkDone(), made_by="R. Eader")
    assert (made.measures.ed_phase, made.measures.es_phase) == (0, heart.es_phase)
    assert made.measures.values["lv_edv_ml"] == true_ml(heart, 0, Label.LVBP)
    assert made.measures.patient.height_cm == 180.0


def test_rates_without_millilitres_have_no_method() -> None:
    heart = phantom(phases=14, slices=4)
    geometry = replace(heart.stack.geometry, spacing_known=False)
    times = tuple(50.0 * phase for phase in range(14))
    heart = replace(heart, stack=replace(heart.stack, geometry=geometry, phase_times_ms=times))
    made = material_of(as_read(reading_of(heart)), WorkDone(), made_by="R. Eader")
    assert (made.curves.unit, made.curves.rates) == ("pixels", ())
    assert "Rates" not in dict(build_report(made).method)
