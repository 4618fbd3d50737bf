"""The models and the page of learning in the window, by actions."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from cmr_viewer.app.settings import Settings
from cmr_viewer.app.startup import Program, open_program
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.promote.records import End, Outcome
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.ui.features.models.feature import ModelsFeature
from cmr_viewer.ui.features.models.learning_page import RULE
from cmr_viewer.ui.window.layout import Page
from cmr_viewer.ui.window.main_window import MainWindow
from tests.promote.made_runs import PATIENTS, add_run
from tests.ui.conftest import PATIENCE_MS, KnowingFlow, settle


def add(program: Program, role: Role, outcome: str | None, **values: object) -> int:
    return add_run(program.workspace, program.session.models.registry, role, outcome, **values)  # type: ignore[arg-type]


def show_page(window: MainWindow, qtbot: QtBot) -> ModelsFeature:
    window.actions_by_id["learning"].trigger()
    settle(qtbot, window)
    return window.feature(ModelsFeature)


def results(feature: ModelsFeature) -> list[str]:
    table = feature.page.table
    return [f"{table.item(row, 1).text()}: {table.item(row, 2).text()}" for row in range(table.rowCount())]


def test_each_role_shows_its_model_its_origin_and_what_is_missing(
    window: MainWindow, program: Program, qtbot: QtBot
) -> None:
    add(program, Role.BASE, "promoted", parent="base-1", model_id="base-a")
    program.start()
    with qtbot.waitSignal(program.session.retraining.readiness_changed, timeout=PATIENCE_MS):
        pass
    settle(qtbot, window)
    panel = window.feature(ModelsFeature).panel
    missing = "Missing: 4 more patients with corrected"
    assert panel.texts(Role.BASE) == ("base-a", f"Trained here. {missing} basal frames.")
    assert panel.texts(Role.APEX) == ("apex-1", f"Came with the program. {missing} apical frames.")
    assert panel.texts(Role.CLASSIFIER)[1].startswith(f"Came with the program. {missing} regions")
    for role in Role:
        assert window.actions_by_id[f"retrain_{role.value}"].isEnabled()


def test_a_training_that_is_not_due_says_what_is_missing(window: MainWindow, program: Program, qtbot: QtBot) -> None:
    program.start()
    with qtbot.waitSignal(program.session.retraining.finished, timeout=PATIENCE_MS):
        window.actions_by_id["retrain_classifier"].trigger()
    assert "4 more patients with corrected regions" in window.parts.messages.text


def test_a_training_shows_what_runs_and_can_rest_and_its_curve_counts_on(
    open_window: MainWindow, program: Program, qtbot: QtBot
) -> None:
    window, retraining = open_window, program.session.retraining
    feature = show_page(window, qtbot)
    add(program, Role.BASE, None, parent="base-1")
    retraining.started.emit("base")
    retraining.progressed.emit(0.01, "Reading reviewed frames")
    settle(qtbot, window)
    assert feature.panel.training_text == "Retraining the base specialist. Reading reviewed frames"
    assert results(feature) == ["Base specialist: Training now"]
    for batch in (5, 10, 105, 110):  # the second fold counts on
        retraining.learned.emit("loss", batch, 1.0 / batch)
    expected = [(batch, 1.0 / batch) for batch in (5, 10, 105, 110)]
    assert feature.panel.curves.points["loss"] == feature.page.curve.points["loss"] == expected
    retraining.paused_changed.emit(True)
    assert feature.panel.training_text.endswith("Paused") and feature.line.text == "Paused"
    assert window.actions_by_id["pause_training"].iconText() == "Go on"
    retraining.paused_changed.emit(False)
    retraining.finished.emit(Outcome(Role.BASE, End.CANCELLED, "Training was cancelled."))
    assert feature.panel.training_text == ""


def test_the_page_tells_of_all_runs_also_after_a_restart(
    tmp_path: Path, shipped: Path, knowing: KnowingFlow, qtbot: QtBot, app: object
) -> None:
    with open_workspace(tmp_path / "workspace", reader="R. Eader") as workspace:
        registry = ModelRegistry(shipped, workspace)
        add_run(workspace, registry, Role.BASE, "kept", parent="base-1", model_id="base-a", gain=0.003)
        add_run(workspace, registry, Role.BASE, "promoted", parent="base-1", model_id="base-b")
    window, program = opened_again(tmp_path, shipped, knowing, qtbot)
    try:
        program.start()
        feature = show_page(window, qtbot)
        assert results(feature) == ["Base specialist: In use", "Base specialist: Not better"]
        page = feature.page
        assert (
            page.verdict.startswith("The new model is better") and "base-1 \N{RIGHTWARDS ARROW} base-b" in page.lineage
        )
        assert page.changed.where.startswith("Frame 1 of 3.") and len(page.curve.points["loss"]) == 100
        page.choose(1)
        settle(qtbot, window)
        assert "not measurably better" in page.verdict and page.use.isVisible() and not page.back.isVisible()
        assert "Seed 7, 100 batches" in page.lineage and "6 patients" in page.guards
    finally:
        window.close()
        program.close()


def opened_again(
    tmp_path: Path, shipped: Path, knowing: KnowingFlow, qtbot: QtBot, *, auto_retrain: bool = False
) -> tuple[MainWindow, Program]:
    settings = Settings(reader="R. Eader", path=tmp_path / "settings.json", auto_retrain=auto_retrain)
    program = open_program(
        settings, workspace_folder=tmp_path / "workspace", shipped_models=shipped, flow=knowing.flow()
    )
    window = MainWindow(program.session, program.settings, str(program.workspace.folder))
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    qtbot.waitExposed(window)
    return window, program


@pytest.fixture
def with_runs(open_window: MainWindow, program: Program, qtbot: QtBot) -> Iterator[ModelsFeature]:
    """The page on a run that was not better."""
    add(program, Role.BASE, "kept", parent="base-1", model_id="base-a", gain=0.003)
    yield show_page(open_window, qtbot)


def test_a_model_that_was_not_better_is_used_all_the_same_with_a_reason_and_rolled_back_in_one_click(
    open_window: MainWindow, program: Program, qtbot: QtBot, with_runs: ModelsFeature
) -> None:
    page, session = with_runs.page, program.session
    page.use.click()
    assert page.dialog is not None
    page.dialog.setTextValue("It draws our basal slices better.")
    with qtbot.waitSignal(session.models.changed, timeout=PATIENCE_MS):
        page.dialog.accept()
    settle(qtbot, open_window)
    assert session.models.loaded is not None and session.models.loaded.active[Role.BASE] == "base-a"
    last = session.models.registry.history(Role.BASE)[-1]
    assert (last.kind, last.who, last.reason) == ("promote", "R. Eader", "It draws our basal slices better.")
    assert results(with_runs) == ["Base specialist: In use, chosen by a reader"]
    assert "put in use by R. Eader: It draws our basal slices better." in page.lineage
    with qtbot.waitSignal(session.models.changed, timeout=PATIENCE_MS):
        page.back.click()
    settle(qtbot, open_window)
    assert session.models.loaded.active[Role.BASE] == "base-1"
    assert results(with_runs) == ["Base specialist: No longer in use"] and page.use.isVisible()


def test_without_a_reason_nothing_is_put_in_use(
    open_window: MainWindow, program: Program, qtbot: QtBot, with_runs: ModelsFeature
) -> None:
    with_runs.page.use.click()
    first = with_runs.page.dialog
    assert first is not None
    first.setTextValue("  ")
    first.accept()
    assert with_runs.page.dialog is not None and with_runs.page.dialog is not first  # asked again
    with_runs.page.dialog.reject()
    settle(qtbot, open_window)
    assert [row.kind for row in program.session.models.registry.history(Role.BASE)] == ["keep"]


def test_a_model_that_the_rule_removed_is_said_to_be_removed(
    open_window: MainWindow, program: Program, qtbot: QtBot
) -> None:
    for name in "abcd":
        add(program, Role.BASE, "kept", parent="base-1", model_id=f"base-{name}", gain=0.003)
    program.session.models.registry.clean_up(3)
    page = show_page(open_window, qtbot).page
    page.choose(1)
    settle(qtbot, open_window)
    assert "base-a was removed" in page.removed and not page.use.isVisible() and not page.changed.where
    assert "last 3 new" in RULE and page.gains.rowCount() == 5


def test_the_page_gives_the_room_back_when_it_goes(open_window: MainWindow, qtbot: QtBot) -> None:
    window = open_window
    feature = show_page(window, qtbot)
    assert feature.page.isVisible() and not window.parts.left.isVisible() and window.parts.side.shows(Page.MODELS)
    window.actions_by_id["learning"].trigger()
    assert window.parts.view.isVisible() and window.parts.left.isVisible()
    window.actions_by_id["learning"].trigger()
    window.actions_by_id["worklist"].trigger()
    assert not window.actions_by_id["learning"].isChecked() and window.parts.left.isVisible()


def test_an_interrupted_training_is_reported_with_the_way_to_train_again(
    tmp_path: Path, shipped: Path, knowing: KnowingFlow, qtbot: QtBot, app: object
) -> None:
    with open_workspace(tmp_path / "workspace", reader="R. Eader") as workspace:
        add_run(workspace, ModelRegistry(shipped, workspace), Role.APEX, None, parent="apex-1")
    window, program = opened_again(tmp_path, shipped, knowing, qtbot)
    try:
        program.start()
        settle(qtbot, window)
        message = window.parts.messages
        assert "interrupted" in message.text and "You can train the apex specialist again." in message.text
        assert message.action is window.actions_by_id["retrain_again"] and message.action.isEnabled()
        with qtbot.waitSignal(program.session.retraining.finished, timeout=PATIENCE_MS) as ended:
            message.action.trigger()
        assert ended.args is not None and ended.args[0].role is Role.APEX
        assert not window.actions_by_id["retrain_again"].isEnabled()
    finally:
        window.close()
        program.close()


def test_after_a_promotion_unseen_frames_are_renewed_and_marked_until_they_are_looked_at(
    open_window: MainWindow, program: Program, knowing: KnowingFlow, qtbot: QtBot
) -> None:
    window, study = open_window, program.session.study
    corrected, base, *_ = (frame for frame, one in study.require().frames.items() if one.region is Region.BASE)
    study.begin_stroke(corrected, Label.RVBP, 3.0, (4.0, 4.0))
    study.end_stroke()
    settle(qtbot, window)
    mine = study.frame_state(corrected).labels.copy()  # type: ignore[union-attr]
    add(program, Role.BASE, "promoted", parent="base-1", model_id="base-a")
    knowing.moved["base-a"] = 3
    with qtbot.waitSignal(study.analysed, timeout=PATIENCE_MS):
        program.session.models.load()
    settle(qtbot, window)
    assert study.frame_state(base).renewed and window.parts.strip.cell(base).renewed
    assert not study.frame_state(corrected).renewed and (study.frame_state(corrected).labels == mine).all()
    window.desk.go(base)
    assert "New label map" in window.display.notes_of(study.stack, base, study.frame_state(base)).state  # type: ignore[arg-type]
    window.desk.go(FrameIndex(5, 6))
    settle(qtbot, window)
    assert not study.frame_state(base).renewed and not window.parts.strip.cell(base).renewed
    text = window.feature(ModelsFeature).panel.study_text
    assert "base-a: " in text and "Drawn, corrected or imported: 1 frame" in text and "no longer" not in text


def test_patients_are_not_named_on_the_page(open_window: MainWindow, program: Program, qtbot: QtBot) -> None:
    add(program, Role.BASE, "promoted", parent="base-1", model_id="base-a")
    page = show_page(open_window, qtbot).page
    assert not any(patient in page.lineage + page.verdict for patient in PATIENTS)
