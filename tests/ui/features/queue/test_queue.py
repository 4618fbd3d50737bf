from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.checks import Check
from cmr_viewer.review.queue import MASKS_WRONG
from cmr_viewer.ui.features.queue.feature import ReviewQueue
from cmr_viewer.ui.features.queue.panel import QueueProgress
from tests.reading.small import SLICES, FormulaFlow

ED, ES = 0, 2
VOXEL_ML = 0.04


def area(model: str, phase: int) -> int:
    """Pixels of LV blood pool, as `model_labels`."""
    return (4 + 2 * (sum(model.encode()) % 5) - phase) ** 2


@pytest.fixture
def queue(qtbot: Any, session: Session) -> ReviewQueue:
    made = ReviewQueue(session, session)
    session.study.opened.connect(made.begin)
    session.study.closed.connect(made.begin)
    session.study.analysed.connect(made.refresh)
    session.study.frames_changed.connect(made.take_changes)
    with qtbot.waitSignal(session.study.analysed):
        session.start()
        session.opening.open_path(Path("/nowhere/alpha"))
    finished(qtbot, session, made)
    return made


def finished(qtbot: Any, session: Session, queue: ReviewQueue) -> None:
    """Wait until the queue is made of what is shown now."""
    qtbot.waitUntil(
        lambda: queue.is_ready and not queue._idle.isActive() and not session.jobs.is_busy() and not queue._dirty
    )


def stake_of(queue: ReviewQueue, frame: FrameIndex) -> float:
    return next((one.ml for one in queue.entries() if one.frame == frame), 0.0)


def test_millilitres_are_chances_times_changes(queue: ReviewQueue) -> None:
    """Base is 70 % certain and the others 10 % each; blood pools only, so that ED counts them once."""
    shown = area("base-1", ED)
    others = [area(f"{name}-1", ED) - shown for name in ("middle", "apex")] + [-shown]
    by_region = sum(0.1 * abs(change) for change in others) * VOXEL_ML
    models = [abs(area(f"{name}-1", ED) - shown) for name in ("baseline", "middle", "apex")]
    expected = by_region + MASKS_WRONG[Region.BASE] * max(models) * VOXEL_ML
    checks = [one for one in queue.findings[FrameIndex(ED, 0)] if not one.is_note]
    expected += sum(0.1 * one.pixels * VOXEL_ML for one in checks)
    assert stake_of(queue, FrameIndex(ED, 0)) == pytest.approx(expected)


def test_the_queue_is_in_order_of_millilitres_with_reasons_in_words(queue: ReviewQueue) -> None:
    entries = queue.entries()
    amounts = [round(one.ml, 1) for one in entries]
    assert amounts == sorted(amounts, reverse=True)
    assert {one.frame.phase for one in entries[:4]} <= {ED, ES}
    assert all(one.why for one in entries)
    assert queue.progress().text.startswith(f"{len(entries)} left to review, ")


def test_next_goes_through_the_queue_and_progress_follows(queue: ReviewQueue) -> None:
    order = [one.frame for one in queue.entries()]
    total = queue.progress().left_ml
    at = None
    for number, frame in enumerate(order[:3], start=1):
        found = queue.next_frame(at)
        assert found is not None and found.frame == frame
        at = frame
        queue.note_looked_at(frame)
        assert queue.progress().looked_at == number
    assert queue.progress().left_ml < total
    assert {one.frame for one in queue.entries()[-3:]} == set(order[:3])


def test_frames_that_are_not_in_the_queue_do_not_count_as_looked_at(queue: ReviewQueue) -> None:
    inside = {one.frame for one in queue.entries()}
    queue.note_looked_at(FrameIndex(99, 99))
    assert FrameIndex(99, 99) not in inside
    assert queue.progress().looked_at == 0


def test_a_region_by_the_reader_takes_the_doubt_about_it_away(qtbot: Any, queue: ReviewQueue, session: Session) -> None:
    frame = FrameIndex(ED, 0)
    before = stake_of(queue, frame)
    session.study.set_region(frame, Region.BASE)
    finished(qtbot, session, queue)
    shown = area("base-1", ED)
    by_region = sum(0.1 * abs(c) for c in (area("middle-1", ED) - shown, area("apex-1", ED) - shown, shown)) * VOXEL_ML
    assert stake_of(queue, frame) == pytest.approx(before - by_region)


def test_a_corrected_frame_counts_as_looked_at_and_an_accepted_one_is_done(
    qtbot: Any, queue: ReviewQueue, session: Session
) -> None:
    first, second = (one.frame for one in queue.entries()[:2])
    session.study.begin_stroke(first, Label.LVM, 1.5, (20.0, 15.0))
    session.study.end_stroke()
    finished(qtbot, session, queue)
    assert queue.progress().looked_at == 1
    session.study.accept(second)
    qtbot.waitUntil(lambda: session.study.frame_state(second).status is ReviewStatus.ACCEPTED)
    finished(qtbot, session, queue)
    assert queue.progress().looked_at == 2
    assert queue.entries()[-1].accepted and queue.entries()[-1].frame == second


def test_only_frames_that_changed_are_checked_again(qtbot: Any, queue: ReviewQueue, session: Session) -> None:
    checks = queue._memory.checks
    assert checks is not None
    before = checks.looked_at
    session.study.begin_stroke(FrameIndex(1, 1), Label.RVBP, 1.5, (20.0, 15.0))
    session.study.end_stroke()
    finished(qtbot, session, queue)
    assert queue._memory.checks is checks
    assert checks.looked_at == before + 1


def test_models_are_asked_once_at_ed_and_es_and_nowhere_else(
    qtbot: Any, queue: ReviewQueue, session: Session, formula: FormulaFlow
) -> None:
    asked = list(formula.segmented)
    others = [frame for frame in asked if frame.phase not in (ED, ES)]
    assert len(others) == SLICES  # by the analysis, once each
    session.study.set_region(FrameIndex(1, 0), Region.BASE)
    finished(qtbot, session, queue)
    assert [frame for frame in formula.segmented if frame.phase in (ED, ES)] == [
        frame for frame in asked if frame.phase in (ED, ES)
    ]


def test_what_is_painted_wrongly_is_found_beside_the_other_frames(
    qtbot: Any, queue: ReviewQueue, session: Session
) -> None:
    frame = FrameIndex(ES, 1)
    session.study.set_ed(ED)  # else the phase that is largest by now would be ED
    session.study.set_es(ES)
    session.study.begin_stroke(frame, Label.LVBP, 9.0, (12.0, 10.0))
    session.study.end_stroke()
    finished(qtbot, session, queue)
    assert Check.SMALLER_AT_ED in {one.check for one in queue.findings[frame]}


def test_a_closed_study_leaves_no_queue(queue: ReviewQueue, session: Session) -> None:
    session.close_study()
    assert queue.entries() == [] and not queue.is_ready
    assert queue.next_frame(None) is None


def test_the_session_follows_the_order_that_it_is_given(queue: ReviewQueue, session: Session) -> None:
    session.study.review_order = queue
    assert session.study.next_review().frame == queue.entries()[0].frame
    assert "ml at stake" in session.study.next_review().why


def test_progress_is_in_words() -> None:
    assert QueueProgress(5, 23, 3.21).text == "18 left to review, 3.2 ml at stake"
    assert QueueProgress(5, 23, 3.21, in_ml=False).text == "18 left to review, 3210 pixels at stake (spacing not known)"
    assert QueueProgress(0, 0, 0.0).text == "Nothing to review."


def test_label_maps_that_a_brush_may_write_to_are_copied_for_the_job(queue: ReviewQueue, session: Session) -> None:
    frame = FrameIndex(ED, 0)
    session.study.begin_stroke(frame, Label.LVM, 1.5, (20.0, 15.0))
    reading = session.study.reading
    assert reading is not None
    labels, _ = queue._snapshot(reading).changed[frame]
    before = np.array(labels)
    session.study.extend_stroke((20.0, 18.0))
    assert np.array_equal(labels, before)
    session.study.end_stroke()


def test_a_frame_that_changes_while_a_job_for_it_is_running_is_checked_again(queue: ReviewQueue) -> None:
    frame = FrameIndex(ED, 1)
    queue.take_changes((frame,))
    queue._idle.stop()
    queue._submit()
    queue.take_changes((frame,))
    queue._idle.stop()  # as when the models are at work again: the next job is made when they are done
    stakes, reading = queue._stakes, queue._reading
    assert stakes is not None and reading is not None
    queue._take(reading, frozenset({frame}), stakes)
    assert queue._dirty == {frame}
