import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton, QWidget

from cmr_viewer.ui.features.keys.feature import KeysFeature
from cmr_viewer.ui.window.main_window import MainWindow
from cmr_viewer.ui.window.shell import ShellFeature
from cmr_viewer.ui.window.tour import Step, Tour, tour_steps
from tests.ui.conftest import PATIENCE_MS, settle

Key = Qt.Key


@pytest.fixture
def plain(app, qtbot) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.left_part, made.low_part = QPushButton("left", made), QLineEdit(made)
    made.left_part.setGeometry(10, 20, 120, 300)
    made.low_part.setGeometry(300, 540, 500, 40)
    made.show()
    qtbot.waitExposed(made)
    made.low_part.setFocus()
    return made


@pytest.fixture
def tour(plain) -> Tour:
    made = Tour(plain)
    made.begin(
        (
            Step("First", "Without a part."),
            Step("Second", "At the left.", part=lambda: plain.left_part),
            Step("Third", "Below.", part=lambda: plain.low_part, before=lambda: plain.left_part.setText("seen")),
        )
    )
    return made


def press(qtbot, key):
    qtbot.keyClick(QApplication.focusWidget(), key)


def test_it_goes_on_and_back_by_keyboard_and_ends_behind_the_last_stop(tour, plain, qtbot):
    assert (tour.step, tour.next.hasFocus(), tour.back.isEnabled()) == (0, True, False)
    press(qtbot, Key.Key_Right)
    press(qtbot, Key.Key_Return)
    assert (tour.step, tour.next.text(), tour.skip.isHidden()) == (2, "Done", True)
    press(qtbot, Key.Key_Left)
    assert tour.step == 1
    press(qtbot, Key.Key_Right)
    with qtbot.waitSignal(tour.ended) as ended:
        press(qtbot, Key.Key_Return)
    assert ended.args == [True]
    assert not tour.isVisible() and plain.low_part.hasFocus()


def test_escape_and_the_button_skip_it(tour, qtbot):
    with qtbot.waitSignal(tour.ended) as ended:
        press(qtbot, Key.Key_Escape)
    assert ended.args == [False]
    tour.begin((Step("Again", "."), Step("And on", ".")))
    with qtbot.waitSignal(tour.ended) as ended:
        tour.skip.click()
    assert ended.args == [False]


def test_the_light_is_on_the_part_and_the_card_beside_it(tour, plain, qtbot):
    assert tour.spotlight.isEmpty()
    for part in (plain.left_part, plain.low_part):
        press(qtbot, Key.Key_Right)
        assert tour.spotlight.contains(part.geometry())
        assert not tour.card.geometry().intersects(part.geometry())
        assert plain.rect().contains(tour.card.geometry())
    assert plain.left_part.text() == "seen", "the part was brought to the front"


def test_the_light_follows_when_the_window_changes_its_size(tour, plain, qtbot):
    press(qtbot, Key.Key_Right)
    plain.left_part.move(60, 80)
    plain.resize(700, 500)
    assert tour.spotlight.contains(plain.left_part.geometry())
    assert tour.rect() == plain.rect()


def test_tab_stays_on_the_card(tour, qtbot):
    press(qtbot, Key.Key_Right)
    seen = set()
    for _ in range(6):
        press(qtbot, Key.Key_Tab)
        seen.add(QApplication.focusWidget())
    assert seen == {tour.skip, tour.back, tour.next}


def test_a_screen_reader_hears_the_stop(tour, qtbot):
    press(qtbot, Key.Key_Right)
    assert tour.accessibleDescription() == "Second. At the left."
    assert tour.card.accessibleName() == "Second"


# In the window


def shell(window: MainWindow) -> ShellFeature:
    return window.feature(ShellFeature)


def test_every_stop_of_the_tour_lights_a_real_part(open_window):
    feature = shell(open_window)
    open_window.actions_by_id["tour"].trigger()
    steps = tour_steps(open_window.parts, open_window.actions_by_id)
    assert 6 <= len(steps) <= 8
    for number, step in enumerate(steps):
        assert feature.tour.step == number
        assert open_window.rect().contains(feature.tour.card.geometry())
        if step.part is not None:
            assert step.part().isVisible() and not feature.tour.spotlight.isEmpty()
        feature.tour.go_on()
    assert not feature.tour.isVisible()
    assert open_window.settings.tour_seen


def test_the_texts_name_the_keys_that_the_reader_has(open_window):
    open_window.settings.key_bindings = {"play": ["Ctrl+F7"]}
    open_window.feature(KeysFeature).take_keys()
    texts = " ".join(step.text for step in tour_steps(open_window.parts, open_window.actions_by_id))
    assert "Ctrl+F7 plays" in texts and "Ctrl+K finds" in texts


def test_no_key_of_the_window_works_while_the_tour_lasts(open_window, qtbot):
    open_window.actions_by_id["tour"].trigger()
    before = open_window.desk.frame
    for key in (Key.Key_Down, Key.Key_N, Key.Key_B):
        press(qtbot, key)
    assert open_window.desk.frame == before
    press(qtbot, Key.Key_Escape)


def test_who_never_saw_the_program_is_offered_the_tour_once_and_then_shown_the_demo_study(
    window, program, study_path, qtbot, monkeypatch
):
    monkeypatch.setattr("cmr_viewer.ui.window.shell.demo_study_dir", lambda: study_path)
    feature = shell(window)
    program.start()
    feature.greet()
    assert feature.tour.isVisible() and feature.tour.next.text() == "Take the tour"
    with qtbot.waitSignal(program.session.study.analysed, timeout=PATIENCE_MS):
        feature.tour.next.click()
    settle(qtbot, window)
    assert program.session.study.data.source == study_path
    assert feature.tour.isVisible() and feature.tour.step == 0
    feature.tour.end()
    assert program.settings.tour_seen
    window.actions_by_id["close_study"].trigger()
    feature.greet()
    assert not feature.tour.isVisible()


def test_who_declines_is_not_asked_again(window, program, qtbot):
    feature = shell(window)
    feature.greet()
    press(qtbot, Key.Key_Escape)
    assert program.settings.tour_seen and program.session.study.data is None and not program.session.opening.is_busy


@pytest.mark.parametrize("layout", ["single", "montage"])
def test_each_stop_lights_the_whole_of_its_part(open_window, layout, qtbot):
    """A part that scrolls, as the strip does, is covered by its own viewport and is lit all the same."""
    open_window.actions_by_id[f"layout_{layout}"].trigger()
    feature = open_window.feature(ShellFeature)
    feature.take_tour()
    tour, parts = feature.tour, open_window.parts
    lit = {}
    for step in tour_steps(parts, open_window.actions_by_id):
        lit[step.title] = tour.spotlight
        tour.go_on()
    strip = parts.strip.rect().translated(parts.strip.mapTo(open_window, parts.strip.rect().topLeft()))
    assert lit["All slices of the phase"].contains(strip)
    view = parts.view.rect().translated(parts.view.mapTo(open_window, parts.view.rect().topLeft()))
    assert lit["The frame"].contains(view)
