from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.correction import Click
from cmr_viewer.ui.features.clicks.feature import MOST_KNOWN, Prompts
from tests.app.test_session import kept, labels_of, open_whole
from tests.reading.small import COLS, ROWS

FRAME = FrameIndex(1, 2)
THERE = Click((18.0, 15.0), Label.RVBP, True)
NOT_THERE = Click((6.0, 6.0), Label.LVBP, False)


class Told(list[tuple[str, str]]):
    """What a reader was told."""

    def take(self, severity: str, text: str) -> None:
        self.append((severity, text))


class Asked(list[tuple[FrameIndex, Role]]):
    """A model that sees a square of RV at the lower right, and notes what it was asked."""

    def __call__(self, stack: Any, frame: FrameIndex, role: Role, models: Any) -> Any:
        self.append((frame, role))
        chances = np.full((4, ROWS, COLS), 0.02, np.float16)
        chances[0] = 0.94
        chances[0, 14:22, 11:19], chances[3, 14:22, 11:19] = 0.5, 0.46
        return chances


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def prompts(qtbot: Any, session: Session, asked: Asked, told: Told) -> Prompts:
    """On an open study, everything computed, with a model that can be asked."""
    session.models.flow = replace(session.models.flow, probabilities=asked)
    made = Prompts(session, session)
    made.message.connect(told.take)
    session.study.opened.connect(made.forget)
    session.study.closed.connect(made.forget)
    open_whole(qtbot, session)
    return made


def click(qtbot: Any, session: Session, prompts: Prompts, *clicks: Click, frame: FrameIndex = FRAME) -> None:
    for each in clicks:
        prompts.click(frame, each)
    kept(qtbot, session)


def test_a_click_changes_the_frame_as_one_undo_step(qtbot: Any, session: Session, prompts: Prompts) -> None:
    before = labels_of(session, FRAME)
    click(qtbot, session, prompts, THERE)
    assert labels_of(session, FRAME)[18, 15] == Label.RVBP
    assert session.study.undo_text == "click inside RV blood pool"
    session.study.undo()
    np.testing.assert_array_equal(labels_of(session, FRAME), before)


def test_the_model_of_the_frames_region_is_asked_once_for_all_clicks(
    qtbot: Any, session: Session, prompts: Prompts, asked: Asked
) -> None:
    click(qtbot, session, prompts, THERE, NOT_THERE)
    assert asked == [(FRAME, Role.MIDDLE)]


def test_looking_ahead_asks_before_the_first_click(
    qtbot: Any, session: Session, prompts: Prompts, asked: Asked
) -> None:
    prompts.look_ahead(FRAME)
    kept(qtbot, session)
    assert len(asked) == 1
    click(qtbot, session, prompts, THERE)
    assert len(asked) == 1


def test_what_a_model_thinks_decides_more_than_the_image_alone(qtbot: Any, session: Session, prompts: Prompts) -> None:
    click(qtbot, session, prompts, THERE)
    square = labels_of(session, FRAME)[14:22, 11:19] == Label.RVBP
    session.study.undo()
    session.models.flow = replace(session.models.flow, probabilities=None)
    prompts.forget()
    click(qtbot, session, prompts, THERE)
    alone = labels_of(session, FRAME)[14:22, 11:19] == Label.RVBP
    assert square.sum() > alone.sum()


def test_clicks_add_up_and_undo_takes_the_last_one_from_them(qtbot: Any, session: Session, prompts: Prompts) -> None:
    click(qtbot, session, prompts, THERE, NOT_THERE)
    assert prompts.clicks_of(FRAME) == (THERE, NOT_THERE)
    session.study.undo()
    assert prompts.clicks_of(FRAME) == (THERE,)
    session.study.redo()
    assert prompts.clicks_of(FRAME) == (THERE, NOT_THERE)
    session.study.undo()
    other = Click((4.0, 14.0), Label.LVM, True)
    click(qtbot, session, prompts, other)
    assert prompts.clicks_of(FRAME) == (THERE, other)


def test_after_a_stroke_of_the_brush_clicks_begin_anew(qtbot: Any, session: Session, prompts: Prompts) -> None:
    click(qtbot, session, prompts, THERE)
    session.study.begin_stroke(FRAME, Label.LVM, 2.0, (12, 4))
    session.study.end_stroke()
    assert prompts.clicks_of(FRAME) == ()
    click(qtbot, session, prompts, NOT_THERE)
    assert prompts.clicks_of(FRAME) == (NOT_THERE,)
    assert labels_of(session, FRAME)[12, 4] == Label.LVM


def test_a_click_that_is_worked_on_while_the_reader_paints_is_dropped(
    qtbot: Any, session: Session, prompts: Prompts, told: Told
) -> None:
    prompts.click(FRAME, THERE)
    session.study.begin_stroke(FRAME, Label.LVM, 2.0, (12, 4))
    session.study.end_stroke()
    after = labels_of(session, FRAME)
    kept(qtbot, session)
    np.testing.assert_array_equal(labels_of(session, FRAME), after)
    assert told[-1] == ("info", "The frame changed in the meantime, so the click was ignored.")


def test_a_click_that_says_what_is_drawn_already_tells_so(
    qtbot: Any, session: Session, prompts: Prompts, told: Told
) -> None:
    click(qtbot, session, prompts, THERE)
    click(qtbot, session, prompts, THERE)
    assert told == [] or told[-1][1].startswith("The click changed nothing")


def test_a_frame_without_a_label_map_can_be_clicked(qtbot: Any, session: Session, prompts: Prompts) -> None:
    session.study.clear_label(FRAME)
    click(qtbot, session, prompts, THERE)
    assert labels_of(session, FRAME)[18, 15] == Label.RVBP


def test_without_models_the_image_alone_decides(qtbot: Any, session: Session) -> None:
    prompts = Prompts(session, session)
    session.opening.open_path(Path("/nowhere/alpha"))
    qtbot.waitUntil(lambda: session.study.stack is not None)
    kept(qtbot, session)
    assert session.models.loaded is None
    prompts.look_ahead(FRAME)
    click(qtbot, session, prompts, THERE)
    assert labels_of(session, FRAME)[18, 15] == Label.RVBP


def test_closing_the_study_forgets_clicks_and_what_was_computed(
    qtbot: Any, session: Session, prompts: Prompts, asked: Asked
) -> None:
    prompts.click(FRAME, THERE)
    session.close_study()
    kept(qtbot, session)
    assert prompts.clicks_of(FRAME) == ()
    open_whole(qtbot, session)
    click(qtbot, session, prompts, THERE)
    assert asked[-1] == (FRAME, Role.MIDDLE)


def test_only_so_many_frames_are_remembered() -> None:
    assert 0 < MOST_KNOWN * 4 * 512 * 512 * 2 < 128 * 2**20
