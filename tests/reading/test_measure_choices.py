import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from cmr_viewer.domain.measures.insertion_points import InsertionOrigin, InsertionPoints
from cmr_viewer.domain.patient import Patient, Sex
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.study_measures import (
    AS_FOUND,
    INSERTIONS_FACT,
    PATIENT_FACT,
    Insertions,
    MeasureChoices,
    choices_of,
    insertions_fact,
    patient_fact,
)

numbers = st.floats(-500, 500, allow_nan=False)
points = st.tuples(numbers, numbers)
insertions = st.builds(
    Insertions,
    st.floats(-180, 180, allow_nan=False),
    st.dictionaries(
        st.builds(FrameIndex, st.integers(0, 40), st.integers(0, 20)),
        st.builds(InsertionPoints, points, points, st.booleans(), st.just(InsertionOrigin.READER)),
        max_size=4,
    ),
)


@given(insertions)
def test_insertion_points_come_back_as_they_were_saved(one):
    saved = insertions_fact(one)
    facts = {} if saved is None else {INSERTIONS_FACT: saved}
    assert choices_of(facts).insertions == one


@given(
    st.builds(
        Patient,
        sex=st.none() | st.sampled_from(Sex),
        age_years=st.none() | st.floats(0, 120),
        height_cm=st.none() | st.floats(30, 250),
        weight_kg=st.none() | st.floats(1, 400),
        heart_rate_bpm=st.none() | st.floats(20, 300),
    )
)
def test_typed_facts_come_back_as_they_were_saved(typed):
    saved = patient_fact(typed)
    facts = {} if saved is None else {PATIENT_FACT: saved}
    assert choices_of(facts).typed == typed


def test_nothing_said_is_saved_as_nothing():
    assert patient_fact(Patient()) is None
    assert insertions_fact(AS_FOUND) is None
    assert choices_of({}) == MeasureChoices()


def test_what_is_of_another_form_counts_as_not_said():
    broken = {"turn_degrees": "much", "points": [{"phase": 1}, 7, {"phase": 0, "slice_index": 1, "anterior": [1]}]}
    assert choices_of({PATIENT_FACT: [1, 2], INSERTIONS_FACT: broken}) == MeasureChoices()


keys = st.sampled_from(
    ["turn_degrees", "points", "phase", "slice_index", "anterior", "inferior", "sex", "age_years", "height_cm"]
)
anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(10**400), 10**400) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=12,
)


@given(anything, anything)
@example({"height_cm": 10**400}, {"points": 5})
@example({}, {"points": [{"phase": 0, "slice_index": 1, "anterior": [float("nan"), 0.0], "inferior": [1.0, 1.0]}]})
@example({}, {"turn_degrees": 10**400, "points": [{"phase": float("inf"), "slice_index": 0}]})
def test_whatever_is_saved_can_be_read_and_is_a_number_where_it_is_one(patient, points):
    choices = choices_of({PATIENT_FACT: patient, INSERTIONS_FACT: points})
    assert -360.0 <= choices.insertions.turn_degrees <= 360.0
    for one in choices.insertions.points.values():
        assert np.isfinite([*one.anterior, *one.inferior]).all()


def test_points_of_a_phase_are_given_by_slice():
    one = InsertionPoints((1.0, 2.0), (3.0, 4.0))
    assert Insertions(0.0, {FrameIndex(2, 5): one, FrameIndex(3, 5): one}).at_phase(2) == {5: one}
