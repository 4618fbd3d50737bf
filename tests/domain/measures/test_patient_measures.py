import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.measures.papillary import PapillaryConvention
from cmr_viewer.domain.measures.patient_measures import (
    ALL_MEASURE_NAMES,
    INDEXED,
    NAMES,
    SOURCE,
    BsaFormula,
    body_surface_area_m2,
    bsa_of,
    normal_range,
    patient_measures,
    text_of,
    unit_of,
)
from cmr_viewer.domain.measures.volumes import MEASURE_NAMES, measure
from cmr_viewer.domain.patient import Patient, Sex
from cmr_viewer.errors import GeometryError

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


HEIGHTS, WEIGHTS = st.floats(60.0, 230.0), st.floats(5.0, 250.0)


def test_mosteller_is_the_root_of_height_times_weight_over_3600():
    # 180 x 80 / 3600 = 4
    assert body_surface_area_m2(180.0, 80.0) == pytest.approx(2.0)


def test_du_bois_of_a_hand_computed_person():
    # 170^0.725 = exp(0.725 ln 170) = 41.4045, 70^0.425 = exp(0.425 ln 70) = 6.0831; x 0.007184
    assert body_surface_area_m2(170.0, 70.0, BsaFormula.DU_BOIS) == pytest.approx(1.8095, abs=5e-4)


@pytest.mark.parametrize(("height", "weight"), [(0.0, 70.0), (170.0, -1.0), (float("nan"), 70.0)])
def test_height_and_weight_must_be_positive(height, weight):
    with pytest.raises(GeometryError, match="positive"):
        body_surface_area_m2(height, weight)


@pytest.mark.parametrize(
    ("patient", "reason"),
    [
        (Patient(height_cm=170.0), "weight is not known. Enter it"),
        (Patient(weight_kg=70.0), "height is not known. Enter it"),
        (Patient(), "height and weight are not known. Enter them"),
    ],
)
def test_without_height_or_weight_it_is_stated_what_is_missing(patient, reason):
    area, why = bsa_of(patient)
    assert area is None
    assert reason in why


def test_of_a_patient_with_both_it_is_known():
    assert bsa_of(Patient(height_cm=180.0, weight_kg=80.0)) == (pytest.approx(2.0), "")


@given(HEIGHTS, WEIGHTS, st.floats(0.1, 20.0), st.sampled_from(BsaFormula))
@settings(deadline=None, max_examples=100)
def test_taller_or_heavier_people_have_more_of_it(height, weight, more, formula):
    area = body_surface_area_m2(height, weight, formula)
    assert body_surface_area_m2(height + more, weight, formula) > area
    assert body_surface_area_m2(height, weight + more, formula) > area


@given(st.floats(140.0, 200.0), st.floats(45.0, 110.0))
@settings(deadline=None, max_examples=100)
def test_both_formulas_agree_to_a_tenth_for_adults(height, weight):
    mosteller, du_bois = (body_surface_area_m2(height, weight, formula) for formula in BsaFormula)
    assert mosteller == pytest.approx(du_bois, rel=0.12)


IN_POOL = PapillaryConvention.IN_BLOOD_POOL
MAN, WOMAN = Patient(sex=Sex.MALE, age_years=60.0), Patient(sex=Sex.FEMALE, age_years=60.0)


@pytest.mark.parametrize(
    ("name", "patient", "low", "high"),
    [
        ("lv_edv_ml", MAN, 166 - 1.96 * 32, 166 + 1.96 * 32),
        ("lv_edv_ml", WOMAN, 124 - 1.96 * 21, 124 + 1.96 * 21),
        ("lv_esv_ml", MAN, 69 - 1.96 * 16, 69 + 1.96 * 16),
        ("lv_sv_ml", WOMAN, 75 - 1.96 * 14, 75 + 1.96 * 14),
        ("lv_ef_percent", MAN, 58 - 1.96 * 5, 58 + 1.96 * 5),
        ("lv_ef_percent", WOMAN, 61 - 1.96 * 5, 61 + 1.96 * 5),
        ("lv_mass_index_g_per_m2", MAN, 53 - 1.96 * 9, 53 + 1.96 * 9),
        ("lv_mass_index_g_per_m2", WOMAN, 42 - 1.96 * 7, 42 + 1.96 * 7),
    ],
)
def test_ranges_are_mean_and_1_96_sd_of_the_table(name, patient, low, high):
    found, reason = normal_range(name, patient, IN_POOL)
    assert (found.low, found.high, reason) == (pytest.approx(low), pytest.approx(high), "")
    assert found.source == SOURCE
    assert "papillary muscles in the blood pool" in found.holds_for


def test_means_of_the_table_agree_with_one_another():
    """Stroke volume is EDV - ESV and EF their ratio, of means as of people, to within a rounding."""
    for patient in (MAN, WOMAN):
        mean = {name: normal_range(name, patient, IN_POOL)[0].mean for name in NAMES}
        assert mean["lv_edv_ml"] - mean["lv_esv_ml"] == pytest.approx(mean["lv_sv_ml"], abs=1.5)
        assert 100 * mean["lv_sv_ml"] / mean["lv_edv_ml"] == pytest.approx(mean["lv_ef_percent"], abs=1.0)


def test_a_value_lies_below_within_or_above():
    found, _ = normal_range("lv_ef_percent", MAN, IN_POOL)
    assert [found.place_of(v) for v in (40.0, found.low, 58.0, found.high, 80.0)] == [
        "below",
        "within",
        "within",
        "within",
        "above",
    ]


@pytest.mark.parametrize(
    ("name", "patient", "papillary", "reason"),
    [
        ("lv_edv_ml", Patient(sex=Sex.MALE), IN_POOL, "depend on the patient's age"),
        ("lv_edv_ml", Patient(), IN_POOL, "sex and age"),
        ("lv_edv_ml", Patient(sex=Sex.MALE, age_years=44.9), IN_POOL, "ages from 45 to 74"),
        ("lv_edv_ml", Patient(sex=Sex.MALE, age_years=75.0), IN_POOL, "ages from 45 to 74"),
        ("lv_edv_ml", MAN, PapillaryConvention.IN_MASS, "only with papillary muscles in the blood pool"),
        ("rv_edv_ml", MAN, IN_POOL, "no verified normal values"),
    ],
)
def test_where_the_table_does_not_hold_it_is_stated_why(name, patient, papillary, reason):
    found, why = normal_range(name, patient, papillary)
    assert found is None
    assert reason in why


def test_the_table_names_measures_that_there_are():
    assert set(NAMES) <= set(ALL_MEASURE_NAMES)
