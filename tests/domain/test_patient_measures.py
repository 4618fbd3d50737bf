import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.body_size import BsaFormula
from cmr_viewer.domain.measures import MEASURE_NAMES, measure
from cmr_viewer.domain.patient import Patient
from cmr_viewer.domain.patient_measures import ALL_MEASURE_NAMES, INDEXED, patient_measures, text_of, unit_of

# Background, LVBP, LVM, RVBP; 0.5 ml a voxel: LV 50 and 20 ml, RV 60 and 30 ml, mass 80 x 0.5 x 1.05 = 42 g.
COUNTS = np.array([[0, 100, 80, 120], [0, 40, 90, 60]])
WHOLE = measure(COUNTS, voxel_ml=0.5, ed_phase=0, es_phase=1)
PERSON = Patient(height_cm=180.0, weight_kg=80.0, heart_rate_bpm=60.0)  # 2 m2


def test_all_measures_of_a_patient_whose_size_and_heart_rate_are_known():
    found = patient_measures(WHOLE, PERSON)
    assert found.bsa_m2 == pytest.approx(2.0)
    assert list(found.values) == list(ALL_MEASURE_NAMES)
    assert found.reasons == {}
    expected = {
        "lv_co_l_per_min": 1.8,
        "rv_co_l_per_min": 1.8,
        "lv_edv_index_ml_per_m2": 25.0,
        "lv_esv_index_ml_per_m2": 10.0,
        "lv_sv_index_ml_per_m2": 15.0,
        "lv_ci_l_per_min_per_m2": 0.9,
        "lv_mass_index_g_per_m2": 21.0,
        "rv_edv_index_ml_per_m2": 30.0,
        "rv_esv_index_ml_per_m2": 15.0,
        "rv_sv_index_ml_per_m2": 15.0,
        "rv_ci_l_per_min_per_m2": 0.9,
    }
    assert {name: found.values[name] for name in expected} == pytest.approx(expected)
    assert {name: found.values[name] for name in MEASURE_NAMES} == dict(WHOLE.values)


def test_without_a_heart_rate_there_is_no_output_and_it_is_stated_why():
    found = patient_measures(WHOLE, Patient(height_cm=180.0, weight_kg=80.0))
    missing = {name for name, value in found.values.items() if value is None}
    outputs = {"lv_co_l_per_min", "rv_co_l_per_min", "lv_ci_l_per_min_per_m2", "rv_ci_l_per_min_per_m2"}
    assert missing == outputs == set(found.reasons)
    assert all("heart rate" in reason for reason in found.reasons.values())


def test_without_a_body_size_nothing_is_indexed_and_it_is_stated_why():
    found = patient_measures(WHOLE, Patient(heart_rate_bpm=60.0))
    assert {name for name, value in found.values.items() if value is None} == set(INDEXED) == set(found.reasons)
    assert all("height and weight" in reason for reason in found.reasons.values())


def test_what_is_not_measured_is_not_indexed_for_the_reason_that_it_is_not_measured():
    unscaled = measure(COUNTS, voxel_ml=None, ed_phase=0, es_phase=1, no_volume_reason="No spacing.")
    found = patient_measures(unscaled, PERSON)
    assert found.values["lv_ef_percent"] == pytest.approx(60.0)
    assert {found.reasons[name] for name in (*INDEXED, "lv_co_l_per_min", "rv_co_l_per_min")} == {"No spacing."}


def test_the_formula_of_body_surface_area_is_a_choice():
    mosteller, du_bois = (patient_measures(WHOLE, PERSON, formula) for formula in BsaFormula)
    assert mosteller.bsa_m2 != du_bois.bsa_m2
    assert du_bois.bsa_formula is BsaFormula.DU_BOIS


@pytest.mark.parametrize(
    ("name", "text", "unit"),
    [
        ("lv_edv_ml", "LV EDV", "ml"),
        ("rv_ef_percent", "RV EF", "%"),
        ("lv_mass_g", "LV mass", "g"),
        ("lv_mass_index_g_per_m2", "LV mass index", "g/m²"),
        ("rv_co_l_per_min", "RV CO", "l/min"),
        ("rv_ci_l_per_min_per_m2", "RV cardiac index", "l/min/m²"),
        ("lv_sv_index_ml_per_m2", "LV SV index", "ml/m²"),
    ],
)
def test_a_measure_s_name_shows_its_text_and_unit(name, text, unit):
    assert (text_of(name), unit_of(name)) == (text, unit)


def test_every_measure_has_a_text_and_a_unit():
    assert len({text_of(name) for name in ALL_MEASURE_NAMES}) == len(ALL_MEASURE_NAMES)
    assert all(unit_of(name) for name in ALL_MEASURE_NAMES)


@given(
    st.lists(st.integers(1, 10_000), min_size=6, max_size=6),
    st.floats(1e-4, 1.0),
    st.floats(0.1, 10.0),
)
@settings(deadline=None, max_examples=80)
def test_a_larger_voxel_scales_volumes_and_mass_and_leaves_fractions(pixels, voxel_ml, factor):
    counts = np.array([[0, *pixels[:3]], [0, *pixels[3:]]])
    small, large = (measure(counts, voxel_ml=ml, ed_phase=0, es_phase=1) for ml in (voxel_ml, factor * voxel_ml))
    for name in MEASURE_NAMES:
        expected = small.values[name] * (1.0 if name.endswith("percent") else factor)
        assert large.values[name] == pytest.approx(expected, rel=1e-9, abs=1e-9)
