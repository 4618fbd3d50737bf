"""Studies of the list that older models have segmented: which they are, and how they are renewed."""

import threading
from pathlib import Path
from typing import Any

import numpy as np

from cmr_viewer.app.renewal import RENEWAL_KEY, older_stacks
from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.worklist import RENEWED_KEY
from tests.app.conftest import write_model
from tests.app.test_session import kept, open_whole, paint
from tests.reading.small import PHASES, FormulaFlow, model_labels, small_study

ACTIVE = {role: f"{role.value}-1" for role in Role}
ACCEPTED, CORRECTED, UNTOUCHED = FrameIndex(0, 0), FrameIndex(1, 0), FrameIndex(2, 0)


def stack_of(name: str) -> str:
    return small_study(name, seed=sum(name.encode())).stack.stack_id


def promote(qtbot: Any, session: Session, tmp_path: Path, model_id: str = "base-2") -> None:
    """Another base specialist is in service."""
    registry = session.models.registry
    registry.adopt(write_model(tmp_path / "made", model_id, Role.BASE))
    registry.promote(Role.BASE, model_id, "Better.")
    with qtbot.waitSignal(session.models.changed):
        session.models.load()
    kept(qtbot, session)


def open_both(qtbot: Any, session: Session) -> None:
    """Alpha, with an accepted and a corrected frame of the base, and then beta."""
    open_whole(qtbot, session, "alpha")
    session.study.accept(ACCEPTED)
    paint(session, CORRECTED)
    kept(qtbot, session)
    open_next(qtbot, session, "beta")


def open_next(qtbot: Any, session: Session, name: str) -> None:
    with qtbot.waitSignal(session.study.analysed):
        session.opening.open_path(Path("/nowhere") / name)
    kept(qtbot, session)


def renew(qtbot: Any, session: Session) -> None:
    with qtbot.waitSignal(session.jobs.finished, check_params_cb=lambda key, _result: key == RENEWAL_KEY):
        session.renewal.renew_next()
    kept(qtbot, session)


def test_a_model_that_would_not_be_asked_now_is_older() -> None:
    shown = {
        "now": {(Region.BASE, "base-1"), (None, "classifier-1")},
        "specialist": {(Region.BASE, "base-0")},
        "baseline": {(Region.MIDDLE, "baseline-1")},  # a middle specialist serves it now
        "classifier": {(None, "classifier-0")},
    }
    assert older_stacks(shown, ACTIVE) == {"specialist", "baseline", "classifier"}
    without_middle = {role: model_id for role, model_id in ACTIVE.items() if role is not Role.MIDDLE}
    assert "baseline" not in older_stacks(shown, without_middle)


def test_after_a_promotion_listed_studies_are_older_and_the_open_one_is_renewed(
    qtbot: Any, session: Session, tmp_path: Path
) -> None:
    open_both(qtbot, session)
    assert session.renewal.older == frozenset()
    promote(qtbot, session, tmp_path)
    assert session.study.frame_state(UNTOUCHED).model_id == "base-2"
    assert session.renewal.older == {stack_of("alpha")}


def test_a_listed_study_is_renewed_but_not_what_its_reader_made(qtbot: Any, session: Session, tmp_path: Path) -> None:
    open_both(qtbot, session)
    store = session.saving.saved.annotations
    before = store.latest(stack_of("alpha"))
    promote(qtbot, session, tmp_path)
    renew(qtbot, session)
    assert session.renewal.older == frozenset()
    after, made = store.latest(stack_of("alpha")), store.predictions(stack_of("alpha"))
    assert made[UNTOUCHED].model_id == "base-2"
    assert np.array_equal(made[UNTOUCHED].labels, model_labels("base-2", UNTOUCHED))
    assert all(np.array_equal(before[frame].labels, after[frame].labels) for frame in (ACCEPTED, CORRECTED))
    assert {f: one.version for f, one in before.items()} == {f: one.version for f, one in after.items()}
    assert session.saving.saved.facts.get(stack_of("alpha"), RENEWED_KEY) == [list(UNTOUCHED)]


def test_frames_that_were_renewed_in_the_list_are_new_when_the_study_is_opened(
    qtbot: Any, session: Session, tmp_path: Path
) -> None:
    open_both(qtbot, session)
    promote(qtbot, session, tmp_path)
    renew(qtbot, session)
    open_next(qtbot, session, "alpha")
    new = [frame for frame in session.study.require().frames if session.study.frame_state(frame).renewed]
    assert new == [UNTOUCHED]
    assert session.study.frame_state(ACCEPTED).status is ReviewStatus.ACCEPTED
    open_next(qtbot, session, "beta")
    open_next(qtbot, session, "alpha")  # they were shown as new once
    assert not any(session.study.frame_state(frame).renewed for frame in session.study.require().frames)


def test_opening_a_study_stops_the_renewal_at_once_and_nothing_of_it_is_saved(
    qtbot: Any, session: Session, tmp_path: Path, formula: FormulaFlow
) -> None:
    open_both(qtbot, session)
    promote(qtbot, session, tmp_path)
    begun, go_on = threading.Event(), threading.Event()
    segment = formula.segment_frames

    def slow(*args: Any) -> Any:
        begun.set()
        assert go_on.wait(20)
        yield from segment(*args)

    session.models.flow = formula.flow().__class__(formula.load_models, formula.analyse, slow)  # type: ignore[arg-type]
    session.renewal.renew_next()
    assert begun.wait(20)
    with qtbot.waitSignal(session.jobs.cancelled, check_params_cb=lambda key: key == RENEWAL_KEY):
        session.opening.open_path(Path("/nowhere/gamma"))
    go_on.set()
    qtbot.waitUntil(lambda: session.study.data is not None and session.study.data.name == "gamma")
    kept(qtbot, session)
    assert session.saving.saved.annotations.predictions(stack_of("alpha"))[UNTOUCHED].model_id == "base-1"
    assert stack_of("alpha") in session.renewal.older


def test_a_study_whose_files_are_gone_stays_older_and_is_tried_once(
    qtbot: Any, session: Session, tmp_path: Path
) -> None:
    open_both(qtbot, session)
    promote(qtbot, session, tmp_path)
    broken = "UPDATE studies SET source = '/nowhere/broken' WHERE stack_id = ?"
    with session.workspace.write() as connection:
        connection.exec_driver_sql(broken, (stack_of("alpha"),))
    session.worklist.refresh()
    kept(qtbot, session)
    messages: list[str] = []
    session.message.connect(lambda _severity, text: messages.append(text))
    renew(qtbot, session)
    assert session.renewal.older == {stack_of("alpha")} and messages == []
    session.renewal.renew_next()
    assert not session.jobs.is_busy(RENEWAL_KEY)


def test_a_study_that_is_opened_is_renewed_by_that_and_no_longer_older(
    qtbot: Any, session: Session, tmp_path: Path
) -> None:
    open_both(qtbot, session)
    promote(qtbot, session, tmp_path)
    open_next(qtbot, session, "alpha")
    assert session.renewal.older == frozenset()
    renewed = [frame for frame in session.study.require().frames if session.study.frame_state(frame).renewed]
    assert renewed == [UNTOUCHED] and PHASES == 3
