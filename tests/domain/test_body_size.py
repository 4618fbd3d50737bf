import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.body_size import BsaFormula, body_surface_area_m2, bsa_of
from cmr_viewer.domain.patient import Patient
from cmr_viewer.errors import GeometryError

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
