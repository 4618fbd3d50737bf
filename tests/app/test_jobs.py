import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cmr_viewer.app.jobs import Jobs, Priority
from cmr_viewer.errors import LoadError
from cmr_viewer.progress import Progress


@pytest.fixture
def jobs(qapp: Any) -> Iterator[Jobs]:
    made = Jobs("test")
    yield made
    assert made.shutdown()


def idle(qtbot: Any, jobs: Jobs) -> None:
    qtbot.waitUntil(lambda: not jobs.is_busy())


def test_the_result_comes_on_the_gui_thread_and_the_work_runs_on_another(qtbot: Any, jobs: Jobs) -> None:
    told: list[tuple[int, int]] = []
    gui = threading.get_ident()
    jobs.submit(
        "a", "A", lambda progress: threading.get_ident(), on_finished=lambda t: told.append((t, threading.get_ident()))
    )
    idle(qtbot, jobs)
    assert told[0][0] != gui and told[0][1] == gui


def test_a_job_tells_start_progress_and_end(qtbot: Any, jobs: Jobs) -> None:
    told: list[tuple[Any, ...]] = []
    jobs.started.connect(lambda *args: told.append(("started", *args)))
    jobs.progressed.connect(lambda *args: told.append(("progressed", *args)))
    jobs.finished.connect(lambda *args: told.append(("finished", *args)))

    def work(progress: Progress) -> int:
        progress(0.25, "a quarter")
        return 7

    jobs.submit("a", "A job", work)
    idle(qtbot, jobs)
    assert told == [("started", "a", "A job"), ("progressed", "a", 0.25, "a quarter"), ("finished", "a", 7)]


def test_only_the_latest_progress_is_told(qtbot: Any, jobs: Jobs) -> None:
    fractions: list[float] = []
    jobs.progressed.connect(lambda key, fraction, text: fractions.append(fraction))
    done = threading.Event()

    def work(progress: Progress) -> None:
        for step in range(1000):
            progress(step / 1000, "")
        done.set()

    jobs.submit("a", "A", work)
    assert done.wait(20)
    idle(qtbot, jobs)
    assert fractions == [0.999]


def test_a_generator_tells_partial_results_in_order_and_its_value_at_the_end(qtbot: Any, jobs: Jobs) -> None:
    parts: list[int] = []
    ends: list[str] = []

    def work(progress: Progress) -> Any:
        yield from range(5)
        return "end"

    jobs.submit("a", "A", work, on_partial=parts.append, on_finished=ends.append)
    idle(qtbot, jobs)
    assert (parts, ends) == ([0, 1, 2, 3, 4], ["end"])


def test_an_urgent_job_does_not_wait_for_the_end_of_a_step_and_background_work_rests_meanwhile(
    qtbot: Any, jobs: Jobs
) -> None:
    told: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def slow(progress: Progress) -> Iterator[str]:
        begun.set()
        assert go_on.wait(20)
        yield "slow 1"
        yield "slow 2"

    jobs.submit("slow", "Slow", slow, on_partial=told.append)
    assert begun.wait(20)
    jobs.submit("calm", "Calm", lambda progress: "calm", on_finished=told.append)
    jobs.submit("urgent", "Urgent", lambda progress: "urgent", priority=Priority.READER, on_finished=told.append)
    qtbot.waitUntil(lambda: told == ["urgent"])
    go_on.set()
    idle(qtbot, jobs)
    assert told == ["urgent", "slow 1", "slow 2", "calm"]


@pytest.mark.parametrize("priority", [Priority.OPEN, Priority.READER])
def test_background_work_rests_from_its_next_progress_on_until_urgent_work_is_done(
    qtbot: Any, jobs: Jobs, priority: Priority
) -> None:
    told: list[str] = []
    begun, asked, urgent_begun, urgent_end = (threading.Event() for _ in range(4))

    def slow(progress: Progress) -> None:
        begun.set()
        assert asked.wait(20)
        progress(0.5, "")
        told.append("slow")

    def urgent(progress: Progress) -> None:
        urgent_begun.set()
        assert urgent_end.wait(20)
        told.append("urgent")

    jobs.submit("slow", "Slow", slow)
    assert begun.wait(20)
    jobs.submit("urgent", "Urgent", urgent, priority=priority)
    asked.set()
    assert urgent_begun.wait(20)
    urgent_end.set()
    idle(qtbot, jobs)
    assert told == ["urgent", "slow"]


def test_background_work_that_rests_can_be_cancelled(qtbot: Any, jobs: Jobs) -> None:
    begun, asked, ended, urgent_end = (threading.Event() for _ in range(4))

    def slow(progress: Progress) -> None:
        try:
            begun.set()
            assert asked.wait(20)
            progress(0.5, "")
        finally:
            ended.set()

    jobs.submit("slow", "Slow", slow)
    assert begun.wait(20)
    jobs.submit("urgent", "Urgent", lambda progress: urgent_end.wait(20), priority=Priority.OPEN)
    asked.set()
    jobs.cancel("slow")
    assert ended.wait(20)
    urgent_end.set()
    idle(qtbot, jobs)


def test_what_is_done_for_a_study_is_cancelled_when_it_is_left(qtbot: Any, jobs: Jobs) -> None:
    told: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def slow(progress: Progress) -> str:
        begun.set()
        assert go_on.wait(20)
        return "slow"

    jobs.submit("slow", "Slow", slow, on_finished=told.append)
    jobs.submit("next", "Next", lambda progress: "next", on_finished=told.append)
    jobs.submit("export", "Export", lambda progress: "export", on_finished=told.append, outlives_study=True)
    assert begun.wait(20)
    jobs.leave_study()
    assert not jobs.is_busy("slow") and not jobs.is_busy("next")
    go_on.set()
    idle(qtbot, jobs)
    assert told == ["export"]


def test_a_cancelled_job_tells_so_at_once_and_nothing_after_it(qtbot: Any, jobs: Jobs) -> None:
    told: list[Any] = []
    begun, stopped = threading.Event(), threading.Event()
    closed: list[bool] = []

    def work(progress: Progress) -> Iterator[int]:
        try:
            begun.set()
            assert stopped.wait(20)
            yield 1
            yield 2
        finally:
            closed.append(True)

    jobs.partial.connect(lambda key, value: told.append(value))
    jobs.finished.connect(lambda key, value: told.append("finished"))
    jobs.cancelled.connect(told.append)
    jobs.submit("a", "A", work)
    assert begun.wait(20)
    jobs.cancel("a")
    assert told == ["a"] and not jobs.is_busy()
    stopped.set()
    jobs.submit("b", "B", lambda progress: None)
    idle(qtbot, jobs)
    assert told == ["a", "finished"] and closed == [True]


def test_progress_stops_work_that_was_cancelled(qtbot: Any, jobs: Jobs) -> None:
    begun, stop, reached = threading.Event(), threading.Event(), []

    def work(progress: Progress) -> None:
        begun.set()
        assert stop.wait(20)
        progress(0.5, "")
        reached.append("the end")

    jobs.submit("a", "A", work)
    assert begun.wait(20)
    jobs.cancel("a")
    stop.set()
    jobs.submit("b", "B", lambda progress: None)
    idle(qtbot, jobs)
    assert reached == []


def test_a_job_of_the_same_key_supersedes_the_earlier(qtbot: Any, jobs: Jobs) -> None:
    told: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def first(progress: Progress) -> str:
        begun.set()
        assert go_on.wait(20)
        return "first"

    jobs.submit("a", "A", first, on_finished=told.append)
    assert begun.wait(20)
    jobs.submit("a", "A", lambda progress: "second", on_finished=told.append)
    go_on.set()
    idle(qtbot, jobs)
    assert told == ["second"]


@pytest.mark.parametrize(
    ("error", "message"),
    [(LoadError("no such file"), "no such file"), (ZeroDivisionError("division"), "A failed: ZeroDivisionError")],
)
def test_an_error_is_told_and_the_thread_goes_on(qtbot: Any, jobs: Jobs, error: Exception, message: str) -> None:
    def work(progress: Progress) -> None:
        raise error

    failed: list[str] = []
    with qtbot.waitSignal(jobs.failed) as told:
        jobs.submit("a", "A", work, on_failed=failed.append)
    assert told.args[1].startswith(message) and "Traceback" in told.args[2] and failed == [told.args[1]]
    with qtbot.waitSignal(jobs.finished):
        jobs.submit("b", "B", lambda progress: 1)


def test_an_error_in_a_generator_after_its_first_result_is_told(qtbot: Any, jobs: Jobs) -> None:
    def work(progress: Progress) -> Iterator[int]:
        yield 1
        raise LoadError("half way")

    parts: list[int] = []
    with qtbot.waitSignal(jobs.failed) as told:
        jobs.submit("a", "A", work, on_partial=parts.append)
    assert parts == [1] and told.args[1] == "half way"


def test_shutdown_that_finishes_runs_everything_and_what_follows_from_it(qapp: Any) -> None:
    jobs, done = Jobs("test"), []

    def follow(value: int) -> None:
        done.append(value)
        if value == 3:
            jobs.submit("more", "More", lambda progress: 4, on_finished=done.append)

    for number in (1, 2, 3):
        jobs.submit(str(number), "", lambda progress, n=number: n, on_finished=follow)
    assert jobs.shutdown(finish=True)
    assert done == [1, 2, 3, 4]


def test_shutdown_cancels_what_runs_and_closes_generators(qapp: Any) -> None:
    jobs, closed, begun = Jobs("test"), [], threading.Event()

    def work(progress: Progress) -> Iterator[int]:
        try:
            while True:
                begun.set()
                progress(0.0, "")
                yield 1
        finally:
            closed.append(True)

    jobs.submit("a", "A", work)
    assert begun.wait(20)
    assert jobs.shutdown()
    assert closed == [True]
    with pytest.raises(RuntimeError, match="shut down"):
        jobs.submit("b", "B", lambda progress: None)


def test_many_partial_results_wake_the_gui_thread_a_few_times_only(qtbot: Any, jobs: Jobs) -> None:
    wakes: list[int] = []
    jobs._wake.connect(lambda: wakes.append(1))
    done = threading.Event()

    def work(progress: Progress) -> Iterator[int]:
        yield from range(2000)
        done.set()

    parts: list[int] = []
    jobs.submit("a", "A", work, on_partial=parts.append)
    assert done.wait(20)
    idle(qtbot, jobs)
    assert len(parts) == 2000 and len(wakes) <= 5


def test_jobs_of_equal_priority_keep_their_order(qtbot: Any, jobs: Jobs) -> None:
    told: list[int] = []

    def numbered(number: int) -> Callable[[Progress], int]:
        return lambda progress: number

    for number in range(20):
        jobs.submit(str(number), "", numbered(number), on_finished=told.append)
    idle(qtbot, jobs)
    assert told == list(range(20))


def test_a_receiver_that_fails_does_not_keep_back_the_other_results(qtbot: Any, jobs: Jobs) -> None:
    told: list[int] = []

    def receive(value: int) -> None:
        if value == 0:
            raise ValueError("a broken receiver")
        told.append(value)

    done = threading.Event()

    def work(progress: Progress) -> Iterator[int]:
        yield from range(3)
        done.set()

    with qtbot.captureExceptions() as caught:
        jobs.submit("a", "A", work, on_partial=receive)
        assert done.wait(20)
        idle(qtbot, jobs)
    assert told == [1, 2] and len(caught) == 1


def test_results_go_on_coming_while_a_receiver_runs_an_event_loop_of_its_own(qtbot: Any, jobs: Jobs) -> None:
    told: list[int] = []
    ready = threading.Event()

    def work(progress: Progress) -> Iterator[int]:
        yield 1
        yield 2
        ready.set()
        yield 3

    def receive(value: int) -> None:
        told.append(value)
        if value == 1:  # as a dialog does
            assert ready.wait(20)
            qtbot.waitUntil(lambda: 3 in told)

    jobs.submit("a", "A", work, on_partial=receive)
    idle(qtbot, jobs)
    assert told == [1, 2, 3]
