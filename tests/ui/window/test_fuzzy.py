import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmr_viewer.ui.window.command_palette import match


@pytest.mark.parametrize(
    ("query", "better", "worse"),
    [
        ("acc", "Accept frame", "Go back"),
        ("slice", "Slice towards base", "Accept slice"),
        ("zoom", "Zoom in", "Rezoom"),
        ("frame accept", "Accept frame", "Frame by frame"),
        ("nr", "Next to review", "Swap base and apex"),
    ],
)
def test_what_is_meant_goes_before_what_only_holds_the_letters(query, better, worse):
    first, second = match(query, better), match(query, worse)
    assert first is not None
    assert second is None or first.score > second.score


def test_the_letters_that_were_typed_are_told():
    assert match("frame", "Accept frame").positions == (7, 8, 9, 10, 11)
    assert match("af", "Accept frame").positions == (0, 7)
    assert match("FRAME accept", "Accept frame").positions == (0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11)


def test_a_letter_that_is_not_there_is_no_match():
    assert match("acceptz", "Accept frame") is None


def test_an_empty_query_means_everything_alike():
    assert match("  ", "Accept frame") == match("", "Redo")


@given(st.text(max_size=30), st.text(max_size=8))
def test_places_are_inside_the_text_and_rise(text, query):
    hit = match(query, text)
    if hit is not None:
        assert list(hit.positions) == sorted(set(hit.positions))
        assert all(0 <= place < len(text) for place in hit.positions)


@given(st.text(alphabet="abc de", min_size=1, max_size=20), st.data())
def test_any_letters_of_a_text_in_their_order_are_found(text, data):
    places = data.draw(st.sets(st.integers(0, len(text) - 1)))
    query = "".join(text[place] for place in sorted(places))
    assert match(query, text) is not None
