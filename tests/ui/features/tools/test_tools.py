from typing import Any

import numpy as np
import pytest

from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.correction import Correction, Tool
from cmr_viewer.ui.features.tools.tools import TOOLS_KEY, Scope, Tools
from tests.app.test_session import kept, labels_of, open_whole
from tests.reading.small import PHASES, SLICES

FRAME = FrameIndex(1, 2)
DOWN = Correction(Tool.NUDGE, rows=1)


class Told(list[tuple[str, str]]):
    """What a reader was told."""

    def take(self, severity: str, text: str) -> None:
        self.append((severity, text))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def tools(qtbot: Any, session: Session, told: Told) -> Tools:
    """Tools on an open study, everything computed: every frame has a square of LV blood pool."""
    made = Tools(session, session)
    made.message.connect(told.take)
    session.study.opened.connect(made.begin_study)
    session.study.closed.connect(made.forget_study)
    open_whole(qtbot, session)
    return made


def finish(qtbot: Any, session: Session) -> None:
    kept(qtbot, session)


def paint(session: Session, frame: FrameIndex, radius: float, at: tuple[float, float] = (12, 10)) -> None:
    """A disc of LV blood pool alone."""
    session.study.clear_label(frame)
    session.study.begin_stroke(frame, Label.LVBP, radius, at)
    session.study.end_stroke()


@pytest.mark.parametrize(
    ("scope", "count"),
    [(Scope.FRAME, 1), (Scope.SLICE, PHASES), (Scope.PHASE, SLICES), (Scope.STUDY, PHASES * SLICES)],
)
def test_a_correction_reaches_its_scope_and_is_one_undo_step(
    qtbot: Any, session: Session, tools: Tools, scope: Scope, count: int
) -> None:
    assert session.study.stack is not None
    before = {frame: labels_of(session, frame) for frame in session.study.stack.frame_indices}
    tools.correct(FRAME, DOWN, scope)
    finish(qtbot, session)
    changed = [f for f in before if not np.array_equal(labels_of(session, f), before[f])]
    assert len(changed) == count
    assert FRAME in changed
    for frame in changed:
        np.testing.assert_array_equal(labels_of(session, frame), np.roll(before[frame], 1, axis=0))
        state = session.study.frame_state(frame)
        assert (state.edited, state.provenance, state.status) == (True, Provenance.SEMIAUTOMATIC, ReviewStatus.DRAFT)
    assert session.study.undo_text == "nudge all labels"
    session.study.undo()
    assert not session.study.can_undo
    assert all(np.array_equal(labels_of(session, f), before[f]) for f in before)


def test_one_frame_is_corrected_at_once_without_the_job_thread(session: Session, tools: Tools) -> None:
    before = labels_of(session, FRAME)
    tools.correct(FRAME, DOWN)
    assert not session.jobs.is_busy(TOOLS_KEY)
    np.testing.assert_array_equal(labels_of(session, FRAME), np.roll(before, 1, axis=0))


def test_how_many_frames_changed_is_told(qtbot: Any, session: Session, tools: Tools, told: Told) -> None:
    tools.correct(FRAME, DOWN, Scope.PHASE)
    finish(qtbot, session)
    assert told == [("info", f"Nudge all labels: {SLICES} frames changed.")]


def test_where_there_is_nothing_to_do_it_is_told_why_and_nothing_can_be_undone(
    qtbot: Any, session: Session, tools: Tools, told: Told
) -> None:
    tools.correct(FRAME, Correction(Tool.KEEP_LARGEST, Label.LVBP))
    tools.correct(FRAME, Correction(Tool.SMOOTH, Label.RVBP), Scope.STUDY)
    finish(qtbot, session)
    assert [text for _, text in told] == [
        "LV blood pool is in one piece, or is not drawn yet.",
        "RV blood pool cannot be smoother, or is not drawn yet.",
    ]
    assert not session.study.can_undo


def test_a_length_out_of_bounds_is_told(qtbot: Any, session: Session, tools: Tools, told: Told) -> None:
    tools.correct(FRAME, Correction(Tool.RING, by_mm=90.0))
    assert told[0][0] == "warning"
    assert "Choose 2 to 25 mm" in told[0][1]
    assert not session.study.can_undo


def test_a_frame_that_was_changed_meanwhile_stays_as_it_is(
    qtbot: Any, session: Session, tools: Tools, told: Told
) -> None:
    tools.correct(FRAME, DOWN, Scope.PHASE)
    paint(session, FRAME, 3.0)
    mine = labels_of(session, FRAME)
    finish(qtbot, session)
    np.testing.assert_array_equal(labels_of(session, FRAME), mine)
    assert (
        told[-1][1] == f"Nudge all labels: {SLICES - 1} frames changed. 1 changed in the meantime and was not touched."
    )


def test_a_cancelled_correction_changes_nothing(qtbot: Any, session: Session, tools: Tools, told: Told) -> None:
    tools.correct(FRAME, DOWN, Scope.STUDY)
    session.jobs.cancel(TOOLS_KEY)
    kept(qtbot, session)
    assert not session.study.can_undo
    assert told == []


def test_a_correction_of_a_study_that_is_closed_is_dropped(qtbot: Any, session: Session, tools: Tools) -> None:
    tools.correct(FRAME, DOWN, Scope.STUDY)
    session.close_study()
    kept(qtbot, session)
    open_whole(qtbot, session)
    assert not session.study.can_undo


def test_a_second_correction_of_many_frames_waits_for_the_first(
    qtbot: Any, session: Session, tools: Tools, told: Told
) -> None:
    before = labels_of(session, FRAME)
    tools.correct(FRAME, DOWN, Scope.STUDY)
    tools.correct(FRAME, Correction(Tool.NUDGE, cols=1), Scope.PHASE)
    tools.interpolate_slices(FRAME)
    finish(qtbot, session)
    np.testing.assert_array_equal(labels_of(session, FRAME), np.roll(before, (1, 1), axis=(0, 1)))
    assert [text.split(":")[0] for _, text in told] == [
        "Nudge all labels",
        "Nudge all labels",
        "There are no frames between the corrected ones, or they are already interpolated.",
    ]
    session.study.undo()
    np.testing.assert_array_equal(labels_of(session, FRAME), np.roll(before, 1, axis=0))


def test_what_waits_is_dropped_with_what_is_cancelled(qtbot: Any, session: Session, tools: Tools) -> None:
    tools.correct(FRAME, DOWN, Scope.STUDY)
    tools.correct(FRAME, DOWN, Scope.PHASE)
    session.jobs.cancel(TOOLS_KEY)
    kept(qtbot, session)
    assert not session.study.can_undo


def test_a_region_is_filled_where_it_is_pointed_at(session: Session, tools: Tools, told: Told) -> None:
    before = labels_of(session, FRAME)
    inside = tuple(np.argwhere(before == Label.LVBP)[0])
    tools.fill_at(FRAME, inside, Label.RVBP)
    np.testing.assert_array_equal(labels_of(session, FRAME), np.where(before == Label.LVBP, Label.RVBP, before))
    assert session.study.undo_text == "fill with RV blood pool"
    tools.fill_at(FRAME, inside, Label.RVBP)
    tools.fill_at(FRAME, (0.0, 0.0), Label.LVM)
    tools.fill_at(FRAME, None, Label.LVM)
    assert ["already" in told[0][1], "No closed outline" in told[1][1], "pointer" in told[2][1]] == [True, True, True]


def test_a_frame_takes_over_the_one_beside_it(session: Session, tools: Tools, told: Told) -> None:
    source = FrameIndex(1, 1)
    paint(session, source, 5.0)
    tools.copy_from(FRAME, source, None)
    np.testing.assert_array_equal(labels_of(session, FRAME), labels_of(session, source))
    assert session.study.undo_text == "copy from slice 2, phase 2"
    tools.copy_from(FRAME, source, Label.LVBP)
    assert told[-1][1] == "This frame already matches slice 2, phase 2."


def test_a_frame_that_is_not_there_or_empty_is_not_copied(session: Session, tools: Tools, told: Told) -> None:
    tools.copy_from(FrameIndex(0, 0), FrameIndex(0, -1), None)
    tools.copy_from(FRAME, FrameIndex(1, 1), Label.RVBP)
    assert [text for _, text in told] == [
        "There is no frame on that side to copy from.",
        "There is no RV blood pool in slice 2, phase 2 to copy.",
    ]
    assert not session.study.can_undo


def test_slices_between_corrected_ones_are_interpolated(qtbot: Any, session: Session, tools: Tools) -> None:
    first, last = FrameIndex(1, 0), FrameIndex(1, 3)
    paint(session, first, 8.0)
    paint(session, last, 2.0)
    tools.interpolate_slices(first)
    finish(qtbot, session)
    for slice_index, radius in ((1, 6.0), (2, 4.0)):
        area = (labels_of(session, FrameIndex(1, slice_index)) == Label.LVBP).sum()
        assert np.sqrt(area / np.pi) == pytest.approx(radius, abs=0.35)
    assert session.study.undo_text == "interpolate slices of phase 2"


def test_interpolated_frames_are_no_ends_themselves_until_they_are_corrected(
    qtbot: Any, session: Session, tools: Tools
) -> None:
    ends = [FrameIndex(1, 0), FrameIndex(1, 3)]
    for end in ends:
        paint(session, end, 4.0)
    tools.interpolate_slices(FRAME)
    finish(qtbot, session)
    assert [tools.is_corrected(FrameIndex(1, s)) for s in range(SLICES)] == [True, False, False, True]
    paint(session, ends[0], 8.0)
    tools.interpolate_slices(FRAME)
    finish(qtbot, session)
    assert (labels_of(session, FrameIndex(1, 1)) > 0).sum() == pytest.approx(np.pi * (20 / 3) ** 2, rel=0.12)
    tools.correct(FRAME, DOWN)
    assert tools.is_corrected(FRAME)


def test_an_accepted_frame_is_an_end(qtbot: Any, session: Session, tools: Tools) -> None:
    session.study.accept(FRAME)
    kept(qtbot, session)
    assert tools.is_corrected(FRAME)


def test_phases_are_interpolated_round_the_cycle(qtbot: Any, session: Session, tools: Tools) -> None:
    paint(session, FrameIndex(0, 2), 3.0)
    paint(session, FrameIndex(1, 2), 8.0)
    tools.interpolate_phases(FRAME)
    finish(qtbot, session)
    between = labels_of(session, FrameIndex(2, 2))
    assert (between > 0).sum() == pytest.approx(np.pi * 5.5**2, rel=0.12)


def test_interpolation_needs_two_corrected_frames(session: Session, tools: Tools, told: Told) -> None:
    paint(session, FRAME, 4.0)
    tools.interpolate_slices(FRAME)
    tools.interpolate_phases(FRAME)
    assert ["two corrected slices" in told[0][1], "two corrected phases" in told[1][1]] == [True, True]


def test_without_a_study_nothing_happens(session: Session, told: Told) -> None:
    tools = Tools(session, session)
    tools.message.connect(told.take)
    tools.correct(FRAME, DOWN)
    tools.fill_at(FRAME, (1.0, 1.0), Label.LVM)
    tools.copy_from(FRAME, FRAME, None)
    tools.interpolate_slices(FRAME)
    tools.interpolate_phases(FRAME)
    assert told == []
