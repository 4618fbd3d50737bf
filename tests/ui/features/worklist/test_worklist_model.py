import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt

from cmr_viewer.ui.features.worklist.page import Flagged, Wanted, WorklistColumn, WorklistModel
from cmr_viewer.ui.features.worklist.worklist import ReviewProgress
from cmr_viewer.ui.window.widgets import DASH, TIMES
from tests.ui.features.worklist.worklist_entries import NOON, entry, several, waiting

DOWN, UP = Qt.SortOrder.DescendingOrder, Qt.SortOrder.AscendingOrder


@pytest.fixture
def model(app) -> WorklistModel:
    made = WorklistModel()
    made.show(several())
    return made


def names(model):
    return [each.name for each in model.shown]


def cell(model, row, column):
    return model.index(row, list(WorklistColumn).index(column)).data()


def test_entries_say_how_far_they_are():
    assert [(each.name, each.status, each.progress) for each in several()] == [
        ("delta", "Waiting", ReviewProgress.WAITING),
        ("alpha", "Started, 2 drafts", ReviewProgress.BEGUN),
        ("Bravo", "Accepted 5/250", ReviewProgress.ACCEPTED),
        ("charlie", "Finished", ReviewProgress.FINISHED),
        ("echo", "Accepted 120/200", ReviewProgress.ACCEPTED),
        ("foxtrot", "Started", ReviewProgress.BEGUN),
    ]


def test_entries_say_what_stands_out_of_them():
    flags = {each.name: each.flags for each in several()}
    assert flags["Bravo"] == ("ask Eve",)
    assert flags["charlie"] == ("3 checks failed", "imported")
    assert flags["echo"] == ("reopened",)
    assert flags["foxtrot"] == (), "no check failed"


def test_a_study_is_unread_until_something_is_kept_of_it():
    assert [each.name for each in several() if each.is_unread] == ["delta", "foxtrot"]


def test_cells_are_words(model):
    assert [cell(model, 2, column) for column in WorklistColumn][:4] == [
        "Bravo",
        "Accepted 5/250",
        "Adam, Zoe",
        "ask Eve",
    ]
    assert cell(model, 2, WorklistColumn.SIZE) == f"25 {TIMES} 10"
    assert cell(model, 2, WorklistColumn.OPENED) == f"{NOON.astimezone():%Y-%m-%d %H:%M}"
    assert cell(model, 0, WorklistColumn.OPENED) == cell(model, 0, WorklistColumn.SIZE) == DASH


@pytest.mark.parametrize(
    ("column", "order", "expected"),
    [
        (WorklistColumn.NAME, UP, ["alpha", "Bravo", "charlie", "delta", "echo", "foxtrot"]),
        (WorklistColumn.NAME, DOWN, ["foxtrot", "echo", "delta", "charlie", "Bravo", "alpha"]),
        (WorklistColumn.STATUS, UP, ["delta", "foxtrot", "alpha", "Bravo", "echo", "charlie"]),
        (WorklistColumn.READER, UP, ["delta", "echo", "foxtrot", "charlie", "Bravo", "alpha"]),
        (WorklistColumn.FLAGS, UP, ["charlie", "Bravo", "echo", "delta", "alpha", "foxtrot"]),
        (WorklistColumn.OPENED, DOWN, ["echo", "alpha", "Bravo", "charlie", "foxtrot", "delta"]),
        (WorklistColumn.SIZE, UP, ["delta", "alpha", "charlie", "echo", "foxtrot", "Bravo"]),
    ],
)
def test_a_click_on_a_head_sorts(model, column, order, expected):
    model.sort(list(WorklistColumn).index(column), order)
    assert names(model) == expected


def test_without_a_column_the_order_is_as_it_came(model):
    model.sort(0)
    model.sort(-1)
    assert names(model) == [each.name for each in several()]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted("ALPHA"), ["alpha"]),
        (Wanted("zoe ask"), ["Bravo"]),
        (Wanted("finished"), ["charlie"]),
        (Wanted("nobody"), []),
        (Wanted(progress=ReviewProgress.ACCEPTED), ["Bravo", "echo"]),
        (Wanted(reader="Adam"), ["Bravo", "charlie"]),
        (Wanted(flagged=Flagged.SOME), ["Bravo", "charlie", "echo"]),
        (Wanted(flagged=Flagged.WORD), ["Bravo"]),
        (Wanted(flagged=Flagged.CHECKS), ["charlie"]),
        (Wanted(flagged=Flagged.REOPENED), ["echo"]),
        (Wanted(flagged=Flagged.IMPORTED), ["charlie"]),
        (Wanted(flagged=Flagged.NONE), ["delta", "alpha", "foxtrot"]),
        (Wanted("a", ReviewProgress.ACCEPTED, "Zoe", Flagged.WORD), ["Bravo"]),
    ],
)
def test_only_what_is_wanted_is_shown(model, wanted, expected):
    model.want(wanted)
    assert names(model) == expected
    assert model.count == 6


def test_the_next_unread_is_below_and_then_from_the_top(model):
    delta, _, bravo, _, _, foxtrot = several()
    assert model.next_unread(None) == delta
    assert model.next_unread(bravo) == foxtrot
    assert model.next_unread(foxtrot) == delta
    model.want(Wanted(progress=ReviewProgress.FINISHED))
    assert model.next_unread(None) is None


def test_an_unread_study_is_not_its_own_next(model):
    model.show([waiting("only")])
    assert model.next_unread(waiting("only")) is None


def test_readers_are_named_once(model):
    assert model.readers == ["Adam", "Zoe"]


@given(
    st.lists(st.tuples(st.text(max_size=4), st.integers(0, 200)), max_size=20, unique_by=lambda each: each[0]),
    st.sampled_from(range(len(WorklistColumn))),
    st.sampled_from([UP, DOWN]),
)
def test_sorting_and_filtering_keep_every_wanted_entry_once(made, column, order):
    model = WorklistModel()
    entries = [entry(name, accepted=accepted) for name, accepted in made]
    model.show(entries)
    model.sort(column, order)
    assert sorted(names(model)) == sorted(each.name for each in entries)
    model.want(Wanted(progress=ReviewProgress.FINISHED))
    assert sorted(names(model)) == sorted(name for name, accepted in made if accepted == 200)
