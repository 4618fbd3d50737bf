import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.patient import LIMITS, UNKNOWN_PATIENT, Patient, Sex, patient_from_json, plausible

KNOWN = Patient(sex=Sex.FEMALE, age_years=61.0, height_cm=168.0, weight_kg=64.0, heart_rate_bpm=72.0)


def test_what_is_typed_goes_before_what_the_files_state():
    typed = Patient(height_cm=170.0, sex=Sex.MALE)
    assert KNOWN.with_typed(typed) == Patient(Sex.MALE, 61.0, 170.0, 64.0, 72.0)


def test_nothing_typed_changes_nothing():
    assert KNOWN.with_typed(UNKNOWN_PATIENT) == KNOWN
    assert UNKNOWN_PATIENT.with_typed(KNOWN) == KNOWN
    assert UNKNOWN_PATIENT.is_unknown
    assert not KNOWN.is_unknown


@pytest.mark.parametrize("value", [0.0, -5.0, 1.75, 400.0, math.nan, math.inf, None])
def test_a_height_that_no_person_has_is_unknown(value):
    assert Patient(height_cm=value).height_cm is None


def test_limits_themselves_are_possible():
    for name, (lowest, highest) in LIMITS.items():
        assert (plausible(name, lowest), plausible(name, highest)) == (lowest, highest)
        assert plausible(name, highest + 1e-6) is None


def test_anything_of_another_form_in_json_is_unknown():
    assert patient_from_json({"sex": "x", "age_years": "61", "weight_kg": True, "more": 1}) == UNKNOWN_PATIENT


def in_limits(name):
    return st.none() | st.floats(*LIMITS[name])


patients = st.builds(Patient, sex=st.none() | st.sampled_from(Sex), **{name: in_limits(name) for name in LIMITS})


@given(patients)
@settings(deadline=None, max_examples=60)
def test_json_and_back_is_the_same_patient(patient):
    assert patient_from_json(patient.as_json()) == patient


@given(patients, patients)
@settings(deadline=None, max_examples=60)
def test_typing_twice_is_typing_once(patient, typed):
    assert patient.with_typed(typed).with_typed(typed) == patient.with_typed(typed)
