from hypothesis import given
from hypothesis import strategies as st

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.export.report.log_lines import frames_text, log_lines
from cmr_viewer.store.events import What
from tests.export.report.made import event

F = FrameIndex


def test_frames_are_noted_as_ranges_counted_from_one():
    assert frames_text([F(0, 2)]) == "slice 3, phase 1"
    assert frames_text([F(0, 2), F(0, 3), F(0, 4), F(0, 7)]) == "slices 3\N{EN DASH}5, 8, phase 1"
    assert frames_text([F(p, 1) for p in range(4)]) == "slice 2, phases 1\N{EN DASH}4"


def test_frames_of_unlike_phases_are_noted_apart():
    assert frames_text([F(0, 0), F(1, 1)]) == "slice 1, phase 1; slice 2, phase 2"


def test_many_unlike_frames_are_counted():
    assert frames_text([F(i, i) for i in range(6)]) == "6 frames of slices 1\N{EN DASH}6"


@given(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_each_number_that_is_noted_is_one_of_the_frames(pairs):
    text = frames_text([F(*pair) for pair in pairs])
    assert text.startswith(("slice", str(len(pairs))))


def test_what_is_saved_with_a_step_is_one_line_with_all_its_frames():
    events = [
        event(1, What.ACCEPTED, F(0, 0), seconds=0.0),
        event(2, What.ACCEPTED, F(0, 1), seconds=0.0),
        event(3, What.CHANGED, F(0, 0), seconds=0.1, text="accept phase 1"),
    ]
    (line,) = log_lines(events)
    assert line.text == "Accept phase 1: slices 1\N{EN DASH}2, phase 1"
    assert (line.first, line.who) == (events[-1].at, "R. Eader")


def test_the_same_done_in_a_row_is_one_line_that_counts():
    events = [event(n, What.CHANGED, F(0, 3), text="paint LV myocardium") for n in range(3)]
    (line,) = log_lines(events)
    assert line.text == "Paint LV myocardium: slice 4, phase 1, 3 times"
    assert (line.first, line.last) == (events[0].at, events[2].at)


def test_readers_are_noted_apart():
    lines = log_lines([event(1, What.ACCEPTED, F(0, 0)), event(2, What.ACCEPTED, F(0, 0), who="B. Other")])
    assert [line.who for line in lines] == ["R. Eader", "B. Other"]


def test_a_workspace_without_steps_shows_what_was_saved():
    lines = log_lines(
        [
            event(1, What.DRAFT_SAVED, F(0, 0)),
            event(2, What.REGION_SET, F(0, 1), region="base"),
            event(3, What.PHASE_MARKS_SET, ed=0, es=None),
            event(4, What.DRAFT_SAVED, F(0, 2), imported_from="cvi42 workspace"),
        ]
    )
    assert [line.text for line in lines] == [
        "Corrected: slice 1, phase 1",
        "Region base: slice 2, phase 1",
        "ED at phase 1, ES mark removed",
        "Imported from cvi42 workspace, or corrected since: slice 3, phase 1",
    ]


def test_an_old_draft_does_not_belong_to_a_later_step():
    lines = log_lines([event(1, What.DRAFT_SAVED, F(0, 0)), event(9, What.CHANGED, F(0, 5), text="smooth")])
    assert [line.text for line in lines] == ["Corrected: slice 1, phase 1", "Smooth: slice 6, phase 1"]


def test_what_was_undone_says_so_and_opening_is_not_noted():
    lines = log_lines(
        [event(1, What.STUDY_OPENED), event(2, What.UNDONE, F(2, 0), text="smooth"), event(3, "something_new")]
    )
    assert [line.text for line in lines] == ["Undone: smooth: slice 1, phase 3", "Something new"]
