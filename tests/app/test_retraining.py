import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from cmr_viewer.app.retraining import Retraining
from cmr_viewer.app.session import Session
from cmr_viewer.app.settings import Settings
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.promote.records import End, Outcome
from cmr_viewer.store.model_registry import TrainingRuns
from tests.app.test_session import kept, open_whole, paint
from tests.reading.small import PHASES, FormulaFlow

CHILD = """
import json, os, pathlib, sys, time
output, how, role = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
print(json.dumps({"event": "progress", "fraction": 0.5, "text": "Training"}), flush=True)
print(json.dumps({"event": "curve", "curve": "loss", "batch": 20, "value": 0.5}), flush=True)
if how == "obey":
    for word in sys.stdin:
        print(json.dumps({"event": "progress", "fraction": 0.6, "text": word.strip()}), flush=True)
        if word.strip() == "go on":
            break
    how = "better"
if how == "hang":
    (output / "half").write_text("half a model")
    time.sleep(60)
if how == "crash":
    (output / "half").write_text("half a model")
    os.abort()
model_id = role + "-22"
(output / "plan.json").write_text(json.dumps({"model_id": model_id, "role": role}))
(output / "weights.safetensors").write_bytes(b"0")
gain = 0.05 if how == "better" else 0.0
frames = [{"patient": str(patient), "stack_id": "s", "phase": 0, "slice_index": 0, "region": "base",
    "active": {"LVBP": 0.8}, "candidate": {"LVBP": 0.8 + gain}, "active_ml": {}, "candidate_ml": {}}
    for patient in range(4)]
assessment = {"role": role, "candidate_id": model_id, "active_id": role + "-1", "measure": "Dice", "frames": frames,
    "guards": [], "taught": ["p1", "p2", "p3", "p4"]}
if how == "mute":
    assessment = None
print(json.dumps({"event": "done", "model_id": model_id, "folder": str(output), "assessment": assessment}))
"""

Make = Callable[..., Retraining]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(path=tmp_path / "settings.json", auto_retrain=False)


@pytest.fixture
def make(session: Session, settings: Settings, tmp_path: Path) -> Iterator[Make]:
    made: list[Retraining] = []

    def make_one(how: str = "better") -> Retraining:
        def command_for(role: Role, output: Path) -> list[str]:
            return [sys.executable, "-S", "-c", CHILD, str(output), how, role.value]

        one = Retraining(
            session.saving, session.models, settings, command_for=command_for, child_log=tmp_path / "training.log"
        )
        session.study.frames_accepted.connect(one.refresh)
        made.append(one)
        return one

    yield make_one
    for one in made:
        one.shutdown()


PATIENTS = ("alpha", "beta", "gamma", "delta")


def correct(qtbot: Any, session: Session, patients: Sequence[str] = PATIENTS, slice_index: int = 0) -> None:
    """Open a study of each patient, and correct and accept a frame, by default of the base."""
    frame = FrameIndex(0, slice_index)
    for patient in patients:
        open_whole(qtbot, session, patient)
        paint(session, frame, Label.LVM)
        session.study.accept(frame)
        kept(qtbot, session)


def counted(qtbot: Any, retraining: Retraining) -> dict[Role, int]:
    """How many patients each role has, counted now."""
    with qtbot.waitSignal(retraining.readiness_changed):
        retraining.refresh()
    found = {role: retraining.readiness(role) for role in Role}
    return {role: one.patients for role, one in found.items() if one is not None}


def ended(qtbot: Any, retraining: Retraining, act: Callable[[], None]) -> Outcome:
    with qtbot.waitSignal(retraining.finished, timeout=20_000) as told:
        act()
    outcome: Outcome = told.args[0]
    return outcome


def staging_left(session: Session) -> list[Path]:
    return list(session.workspace.models_folder.glob(".staging-*"))


def test_a_better_candidate_is_promoted_and_used(
    qtbot: Any, session: Session, make: Make, formula: FormulaFlow
) -> None:
    correct(qtbot, session)
    retraining = make("better")
    told: list[Any] = []
    retraining.started.connect(told.append)
    retraining.progressed.connect(lambda *args: told.append(args))
    retraining.learned.connect(lambda *args: told.append(args))
    with qtbot.waitSignal(session.models.changed):
        outcome = ended(qtbot, retraining, lambda: retraining.start(Role.BASE))
    assert (outcome.end, outcome.model_id) == (End.PROMOTED, "base-22")
    assert outcome.reason.startswith("Promoted: Dice 80.0 to 85.0, +5.0 points")
    assert told[0] == "base" and (0.5, "Training") in told and ("loss", 20, 0.5) in told
    assert not retraining.running
    kept(qtbot, session)
    assert session.models.registry.active(Role.BASE).model_id == "base-22" and not staging_left(session)
    assert session.study.frame_state(FrameIndex(PHASES - 1, 0)).prediction.model_id == "base-22"
    (run,) = TrainingRuns(session.workspace).runs()
    assert (run.role, run.outcome, run.detail["curve"]) == (Role.BASE, "promoted", [[20, 0.5]])
    assert run.detail["seconds"] > 0


def test_a_candidate_that_is_not_better_is_kept_aside_with_the_reason(qtbot: Any, session: Session, make: Make) -> None:
    correct(qtbot, session)
    retraining = make("same")
    outcome = ended(qtbot, retraining, lambda: retraining.start(Role.BASE))
    assert outcome.end is End.NOT_PROMOTED and "not measurably better" in outcome.reason
    kept(qtbot, session)
    assert session.models.registry.active(Role.BASE).model_id == "base-1"
    (row,) = session.models.registry.history(Role.BASE)
    assert (row.kind, row.model_id, row.reason) == ("keep", "base-22", outcome.reason)


def test_too_few_patients_are_refused_before_anything_starts(qtbot: Any, session: Session, make: Make) -> None:
    correct(qtbot, session, PATIENTS[:3])
    retraining = make()
    outcome = ended(qtbot, retraining, lambda: retraining.start(Role.BASE))
    assert outcome.end is End.REFUSED
    assert outcome.reason == (
        "The base specialist is not trained now. Needed: 1 more patient with corrected basal frames."
    )
    kept(qtbot, session)
    assert TrainingRuns(session.workspace).runs() == [] and not staging_left(session)


def test_the_baseline_learns_from_corrections_of_all_regions(qtbot: Any, session: Session, make: Make) -> None:
    correct(qtbot, session, PATIENTS[:2])
    correct(qtbot, session, PATIENTS[2:], slice_index=3)
    retraining = make("same")
    outcome = ended(qtbot, retraining, lambda: retraining.start(Role.BASELINE))
    assert outcome.end is End.NOT_PROMOTED and outcome.model_id == "baseline-22"


def test_cancel_leaves_nothing(qtbot: Any, session: Session, make: Make) -> None:
    correct(qtbot, session)
    retraining = make("hang")
    retraining.progressed.connect(lambda fraction, text: retraining.cancel() if text == "Training" else None)
    outcome = ended(qtbot, retraining, lambda: retraining.start(Role.BASE))
    assert outcome.end is End.CANCELLED and not retraining.running
    kept(qtbot, session)
    assert not staging_left(session) and session.models.registry.active(Role.BASE).model_id == "base-1"
    assert [run.outcome for run in TrainingRuns(session.workspace).runs()] == ["cancelled"]


def test_cancel_before_the_child_began(qtbot: Any, session: Session, make: Make) -> None:
    correct(qtbot, session)
    retraining = make("hang")

    def start_and_cancel() -> None:
        retraining.start(Role.BASE)
        retraining.cancel()

    assert ended(qtbot, retraining, start_and_cancel).end is End.CANCELLED
    kept(qtbot, session)
    assert not staging_left(session)


@pytest.mark.parametrize("how", ["crash", "mute"])
def test_a_failed_child_leaves_the_active_model(qtbot: Any, session: Session, make: Make, how: str) -> None:
    correct(qtbot, session)
    retraining = make(how)
    outcome = ended(qtbot, retraining, lambda: retraining.start(Role.BASE))
    assert outcome.end is End.FAILED and "current model stays" in outcome.reason
    kept(qtbot, session)
    assert session.models.registry.active(Role.BASE).model_id == "base-1" and not staging_left(session)
    assert [run.outcome for run in TrainingRuns(session.workspace).runs()] == ["failed"]


def test_two_trainings_do_not_run_at_once(qtbot: Any, session: Session, make: Make) -> None:
    correct(qtbot, session)
    retraining = make("hang")
    retraining.start(Role.BASE)
    outcome = ended(qtbot, retraining, lambda: retraining.start(Role.APEX))
    assert outcome.end is End.REFUSED and outcome.role is Role.APEX and retraining.role is Role.BASE
    qtbot.waitUntil(lambda: retraining._child is not None)
    assert ended(qtbot, retraining, retraining.cancel).end is End.CANCELLED
    kept(qtbot, session)


def test_the_program_ends_while_a_training_runs(qtbot: Any, session: Session, make: Make) -> None:
    correct(qtbot, session)
    retraining = make("hang")
    with qtbot.waitSignal(retraining.progressed, check_params_cb=lambda fraction, text: text == "Training"):
        retraining.start(Role.BASE)
    retraining.shutdown()
    session.shutdown()
    assert not staging_left(session)
    assert [run.outcome for run in TrainingRuns(session.workspace).runs()] == ["cancelled"]


def test_the_program_ends_while_a_training_is_about_to_begin(qtbot: Any, session: Session, make: Make) -> None:
    correct(qtbot, session)
    retraining = make("hang")
    retraining.start(Role.BASE)
    retraining.shutdown()
    session.shutdown()
    assert not staging_left(session)
    assert [run.outcome for run in TrainingRuns(session.workspace).runs()] == ["cancelled"]


# -- by itself ---------------------------------------------------------------------------------------------------------


def at_once(retraining: Retraining) -> None:
    """Count at once, and let a training begin in the next turn of the loop."""
    retraining._counting.setInterval(0)
    retraining._idle.setInterval(0)


def test_enough_patients_begin_a_training_by_themselves_once(
    qtbot: Any, session: Session, make: Make, settings: Settings
) -> None:
    settings.auto_retrain = True
    retraining = make("same")
    at_once(retraining)
    correct(qtbot, session, PATIENTS[:3])
    found = counted(qtbot, retraining)
    assert found == {Role.CLASSIFIER: 0, Role.BASELINE: 3, Role.BASE: 3, Role.MIDDLE: 0, Role.APEX: 0}
    assert not retraining.running and not retraining._idle.isActive()
    outcomes: list[Outcome] = []
    retraining.finished.connect(outcomes.append)
    correct(qtbot, session, PATIENTS[3:])
    qtbot.waitUntil(lambda: len(outcomes) == 2 and not retraining.running)
    assert [(one.role, one.end) for one in outcomes] == [
        (Role.BASE, End.NOT_PROMOTED),
        (Role.BASELINE, End.NOT_PROMOTED),
    ]
    counted(qtbot, retraining)
    assert not retraining._idle.isActive(), "nothing is trained twice on the same corrections"
    again = make("same")
    counted(qtbot, again)
    assert not again._idle.isActive(), "nor after a restart"
    kept(qtbot, session)


def test_a_training_that_is_due_waits_until_the_reader_pauses(
    qtbot: Any, session: Session, make: Make, settings: Settings
) -> None:
    settings.auto_retrain = True
    correct(qtbot, session)
    retraining = make("same")
    session.study.labels_changed.connect(retraining.note_work)
    retraining._idle.setInterval(3_600_000)
    retraining.note_work()
    assert not retraining._idle.isActive(), "nothing is due yet"
    counted(qtbot, retraining)
    assert retraining._idle.isActive()
    retraining._idle.setInterval(7_200_000)
    paint(session, FrameIndex(0, 1), Label.LVM)
    assert retraining._idle.remainingTime() > 3_600_000, "it waits anew from the stroke on"
    kept(qtbot, session)


def test_a_cancelled_training_does_not_begin_again_by_itself(
    qtbot: Any, session: Session, make: Make, settings: Settings
) -> None:
    correct(qtbot, session)
    retraining = make("hang")
    retraining.progressed.connect(lambda fraction, text: retraining.cancel() if text == "Training" else None)
    ended(qtbot, retraining, lambda: retraining.start(Role.BASE))
    ended(qtbot, retraining, lambda: retraining.start(Role.BASELINE))
    settings.auto_retrain = True
    counted(qtbot, retraining)
    assert not retraining._idle.isActive()
    ready = retraining.readiness(Role.BASE)
    assert ready is not None and ready.look == 4, "the reader may begin it"
    kept(qtbot, session)


def test_nothing_begins_by_itself_where_the_reader_does_not_want_it(qtbot: Any, session: Session, make: Make) -> None:
    correct(qtbot, session)
    retraining = make()
    assert counted(qtbot, retraining)[Role.BASE] == 4 and not retraining._idle.isActive()


def test_accepted_predictions_are_no_corrections(qtbot: Any, session: Session, make: Make) -> None:
    retraining = make()
    open_whole(qtbot, session)
    session.study.accept_all()
    kept(qtbot, session)
    assert set(counted(qtbot, retraining).values()) == {0}


def test_a_region_that_is_set_is_counted(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    counted(qtbot, session.retraining)
    session.study.set_region(FrameIndex(0, 1), Region.MIDDLE)  # which it was found to be
    session.study.set_region(FrameIndex(0, 0), Region.MIDDLE)
    assert session.retraining._counting.isActive()
    kept(qtbot, session)
    found = counted(qtbot, session.retraining)
    assert found[Role.CLASSIFIER] == 1 and found[Role.BASE] == 0


# -- pause and back ----------------------------------------------------------------------------------------------------


def test_a_training_is_paused_and_goes_on(qtbot: Any, session: Session, make: Make) -> None:
    correct(qtbot, session)
    retraining = make("obey")
    told: list[bool] = []
    retraining.paused_changed.connect(told.append)
    retraining.pause(True)
    assert told == [] and not retraining.paused, "nothing runs"
    with qtbot.waitSignal(retraining.progressed, check_params_cb=lambda fraction, text: text == "Training"):
        retraining.start(Role.BASE)
    with qtbot.waitSignal(retraining.progressed, check_params_cb=lambda fraction, text: text == "pause"):
        retraining.pause(True)
    retraining.pause(True)
    assert told == [True] and retraining.paused and retraining.running
    assert ended(qtbot, retraining, lambda: retraining.pause(False)).end is End.PROMOTED
    assert told == [True, False] and not retraining.paused
    kept(qtbot, session)


def test_a_training_rests_while_the_models_compute(qtbot: Any, session: Session, make: Make) -> None:
    correct(qtbot, session)
    retraining = make("obey")
    told: list[bool] = []
    retraining.paused_changed.connect(told.append)
    with qtbot.waitSignal(retraining.progressed, check_params_cb=lambda fraction, text: text == "Training"):
        retraining.start(Role.BASE)
    words: list[str] = []
    retraining.progressed.connect(lambda fraction, text: words.append(text))
    ended(qtbot, retraining, lambda: session.study.set_region(FrameIndex(0, 0), Region.APEX))  # segmented anew
    assert words == ["pause", "go on"] and told == [], "the reader has not paused it"
    kept(qtbot, session)


def test_a_training_that_the_reader_paused_does_not_go_on_when_the_models_have_computed(
    qtbot: Any, session: Session, make: Make
) -> None:
    correct(qtbot, session)
    retraining = make("obey")
    with qtbot.waitSignal(retraining.progressed, check_params_cb=lambda fraction, text: text == "Training"):
        retraining.start(Role.BASE)
    with qtbot.waitSignal(retraining.progressed, check_params_cb=lambda fraction, text: text == "pause"):
        retraining.pause(True)
    with qtbot.waitSignal(session.models.busy_changed, check_params_cb=lambda busy: not busy):
        session.study.set_region(FrameIndex(0, 0), Region.APEX)
    assert retraining.paused and retraining.running
    assert ended(qtbot, retraining, lambda: retraining.pause(False)).end is End.PROMOTED
    kept(qtbot, session)


def test_a_paused_training_can_be_cancelled(qtbot: Any, session: Session, make: Make) -> None:
    correct(qtbot, session)
    retraining = make("obey")
    with qtbot.waitSignal(retraining.progressed, check_params_cb=lambda fraction, text: text == "Training"):
        retraining.start(Role.BASE)
    with qtbot.waitSignal(retraining.progressed, check_params_cb=lambda fraction, text: text == "pause"):
        retraining.pause(True)
    assert ended(qtbot, retraining, retraining.cancel).end is End.CANCELLED
    assert not retraining.paused
    kept(qtbot, session)


def test_roll_back_puts_the_former_model_in_service(qtbot: Any, session: Session, make: Make) -> None:
    correct(qtbot, session)
    retraining = make("better")
    assert ended(qtbot, retraining, lambda: retraining.start(Role.BASE)).end is End.PROMOTED
    kept(qtbot, session)
    with qtbot.waitSignals([retraining.rolled_back, session.models.changed]):
        retraining.roll_back(Role.BASE)
    kept(qtbot, session)
    assert session.study.frame_state(FrameIndex(PHASES - 1, 0)).prediction.model_id == "base-1"
    with qtbot.waitSignal(session.message) as told:
        retraining.roll_back(Role.BASE)
    assert told.args[0] == "error" and "nothing to roll back to" in told.args[1]
    kept(qtbot, session)


def test_the_child_is_this_programs_train_command(
    qtbot: Any, session: Session, settings: Settings, tmp_path: Path
) -> None:
    retraining = Retraining(session.saving, session.models, settings, shipped_models=tmp_path / "models")
    command = retraining._train_command(Role.APEX, tmp_path / "out")
    expected = ["-m", "cmr_viewer", "train", "--workspace", str(session.workspace.folder), "--role", "apex"]
    expected += [
        "--output",
        str(tmp_path / "out"),
        "--progress",
        "json",
        "--nice",
        "10",
        "--threads",
        str(max(1, (os.cpu_count() or 1) // 2)),
        "--device",
        "auto",
        "--end-with-input",
    ]
    expected += ["--models", str(tmp_path / "models")]
    assert command[1:] == expected, json.dumps(command)
    retraining.shutdown()
