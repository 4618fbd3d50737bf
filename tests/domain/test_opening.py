"""What a reader decided about opening a study comes back as it was saved."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmr_viewer.domain.opening import NO_CHOICES, Opening, opening_from_json

lengths = st.floats(min_value=0.01, max_value=100.0)
openings = st.builds(
    Opening,
    stack=st.text(),
    repeats=st.dictionaries(st.text(), st.text()),
    base_reversed=st.booleans(),
    spacing_mm=st.none() | st.tuples(lengths, lengths, lengths),
)


@given(openings)
def test_what_was_decided_comes_back_from_json(opening: Opening) -> None:
    assert opening_from_json(json.loads(json.dumps(opening.as_json()))) == opening


def test_nothing_decided_is_plain() -> None:
    assert NO_CHOICES.is_plain
    assert not Opening(base_reversed=True).is_plain


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"stack": 3, "repeats": [1], "base_reversed": "yes", "spacing_mm": [1.0, 2.0]},
        {"spacing_mm": [1.0, 0.0, 2.0]},
        {"spacing_mm": [1.0, float("nan"), 2.0]},
        {"spacing_mm": [True, 1.0, 2.0]},
    ],
)
def test_values_of_another_form_count_as_not_decided(values: dict[str, object]) -> None:
    assert opening_from_json(values).is_plain
