import pytest

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.effort import PAUSE_S, EffortMeter, StudyEffort, effort_text
from cmr_viewer.store.effort import Effort, EffortRow

ONE, TWO = FrameIndex(0, 0), FrameIndex(0, 1)


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def meter(clock: Clock) -> EffortMeter:
    return EffortMeter(clock)


def test_time_counts_for_the_frame_on_show(meter: EffortMeter, clock: Clock) -> None:
    clock.now += 50  # no frame is on show
    meter.show(ONE)
    clock.now += 4
    meter.show(TWO)
    clock.now += 2.5
    meter.show(None)
    clock.now += 10
    assert meter.take() == {ONE: Effort(4.0), TWO: Effort(2.5)}
    assert meter.take() == {}


def test_time_rests_half_a_minute_after_the_last_input(meter: EffortMeter, clock: Clock) -> None:
    meter.show(ONE)
    clock.now += 20
    meter.note_input()
    clock.now += 300
    meter.note_input()
    clock.now += 5
    assert meter.take() == {ONE: Effort(20 + PAUSE_S + 5)}
    assert PAUSE_S == 30


def test_taking_now_and_then_does_not_make_a_pause_count(meter: EffortMeter, clock: Clock) -> None:
    meter.show(ONE)
    clock.now += 10
    total = Effort()
    for _ in range(30):
        clock.now += 20
        total += meter.take().get(ONE, Effort())
    assert total == Effort(PAUSE_S)
    meter.note_input()
    clock.now += 3
    assert meter.take() == {ONE: Effort(3.0)}


def test_changes_count_for_their_frame_or_for_the_one_on_show(meter: EffortMeter) -> None:
    meter.show(ONE)
    meter.note_stroke(TWO)
    meter.note_stroke(TWO)
    meter.note_edit(None)
    meter.note_undo(ONE)
    assert meter.take() == {TWO: Effort(strokes=2), ONE: Effort(edits=1, undos=1)}


def test_a_clock_that_stands_or_goes_back_counts_nothing(meter: EffortMeter, clock: Clock) -> None:
    meter.show(ONE)
    clock.now -= 5
    meter.note_input()
    assert meter.take() == {}


def test_effort_of_a_study_is_summed_by_frame_and_reader() -> None:
    rows = [
        EffortRow(ONE, "a", 1, "t", Effort(60.0, 1)),
        EffortRow(TWO, "a", 1, "t", Effort(5.0, 0, 2)),
        EffortRow(ONE, "b", 2, "t", Effort(0.0, 0, 0, 4)),
    ]
    spent = StudyEffort(rows)
    assert spent.total == Effort(65.0, 1, 2, 4)
    assert spent.of_frame(ONE) == Effort(60.0, 1, 0, 4)
    assert spent.of_reader("a") == Effort(65.0, 1, 2)
    more = spent.plus({ONE: Effort(1.0)}, "a", 1, "u").plus({TWO: Effort(2.0)}, "c", 3, "u")
    assert more.total == Effort(68.0, 1, 2, 4)
    assert [(row.reader, row.begun_at) for row in more.rows if row.frame == ONE] == [("a", "t"), ("b", "t")]
    assert more.rows[-1] == EffortRow(TWO, "c", 3, "u", Effort(2.0))


@pytest.mark.parametrize(
    ("spent", "text"),
    [
        (Effort(), ""),
        (Effort(5.4, 1), "5 s, 1 stroke"),
        (Effort(185.0, 12, 4, 1), "3 min 5 s, 12 strokes, 4 other changes, 1 undo"),
        (Effort(7260.0, edits=1, undos=2), "2 h 1 min, 1 other change, 2 undos"),
    ],
)
def test_effort_is_told_in_words(spent: Effort, text: str) -> None:
    assert effort_text(spent) == text
