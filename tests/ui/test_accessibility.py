"""Every control of the window can be reached by keyboard, has a name, and tells the key of its action."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QMenuBar,
    QScrollBar,
    QTabBar,
    QTabWidget,
    QToolButton,
    QWidget,
)

from cmr_viewer.ui.features.keys.feature import KeysFeature
from cmr_viewer.ui.features.measures.feature import MeasuresFeature
from cmr_viewer.ui.features.table import ACTIONS
from cmr_viewer.ui.window.actions import shown_keys
from cmr_viewer.ui.window.main_window import MainWindow

CONTROLS = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit, QAbstractItemView, QTabBar)
QTS_OWN = ("qt_", "ScrollLeftButton", "ScrollRightButton")
"""Object names of what Qt makes inside other controls, which speak for it."""


def inside_another(widget: QWidget) -> bool:
    if widget.objectName().startswith(QTS_OWN) or isinstance(widget, QScrollBar | QHeaderView | QTabWidget | QMenuBar):
        return True
    at = widget.parentWidget()
    while at is not None:
        if isinstance(at, QAbstractSpinBox | QComboBox | QLineEdit | QTabBar | QKeySequenceEdit):
            return True
        at = at.parentWidget()
    return False


def controls(window: QWidget) -> list[QWidget]:
    found = []
    for widget in window.findChildren(QWidget):
        takes = widget.focusPolicy() != Qt.FocusPolicy.NoFocus and not isinstance(widget, QLabel)
        if (takes or isinstance(widget, CONTROLS)) and not inside_another(widget):
            found.append(widget)
    return found


def name_of(widget: QWidget) -> str:
    if widget.accessibleName():
        return widget.accessibleName()
    if isinstance(widget, QAbstractButton) and any(letter.isalnum() for letter in widget.text()):
        return widget.text()
    labels = (each for each in widget.window().findChildren(QLabel) if each.buddy() is widget)
    return next((each.text() for each in labels), "")


def told(widget: QWidget) -> str:
    """What a test says of a control, to find it by."""
    chain, at = [], widget
    while at is not None and len(chain) < 4:
        chain.append(f"{type(at).__name__}({at.objectName() or at.accessibleName()})")
        at = at.parentWidget()
    return " < ".join(chain)


@pytest.fixture
def built(open_window: MainWindow) -> MainWindow:
    """The window with a study, every page of it made."""
    return open_window


def test_every_control_has_a_name(built):
    assert [told(widget) for widget in controls(built) if not name_of(widget).strip()] == []


def test_every_control_has_a_tip(built):
    plain = (QAbstractScrollArea, QTabBar)
    bare = [each for each in controls(built) if not each.toolTip() and not isinstance(each, plain)]
    drawn = {
        built.parts.view,
        built.parts.navigator.slider,
        built.feature(MeasuresFeature).panel.curve,
    }  # tell what is at the pointer
    assert [told(each) for each in bare if each not in drawn] == []


def test_the_tip_of_a_buttons_action_ends_in_its_key(built):
    for button in built.findChildren(QToolButton):
        action = button.defaultAction()
        if action is not None and action.shortcuts() and not inside_another(button):
            keys = shown_keys([key.toString() for key in action.shortcuts()])
            assert f"({keys})" in button.toolTip(), told(button)


def test_the_tip_of_every_action_names_its_keys_also_after_they_were_changed(built):
    feature = built.feature(KeysFeature)
    built.settings.key_bindings = {"brush": ["Ctrl+F7"]}
    feature.take_keys()
    assert built.actions_by_id["brush"].toolTip().endswith("(Ctrl+F7)")
    for spec in ACTIONS:
        action = built.actions_by_id[spec.id]
        assert action.toolTip()
        assert bool(action.shortcuts()) == action.toolTip().endswith(")"), spec.id


def tab_order(window: QWidget) -> list[QWidget]:
    order, at = [], window.nextInFocusChain()
    while at is not window and at is not None:
        if at.focusPolicy() & Qt.FocusPolicy.TabFocus and at.isVisible() and at.isEnabled():
            order.append(at)
        at = at.nextInFocusChain()
    return order


def test_tab_reaches_every_control_that_is_shown(built):
    reached = set(tab_order(built))
    unreached = [
        told(each)
        for each in controls(built)
        if each.isVisible() and each.isEnabled() and isinstance(each, CONTROLS) and each not in reached
    ]
    assert unreached == []


def test_tab_goes_from_the_studies_over_the_frame_to_the_right_side(built):
    order = tab_order(built)
    parts = built.parts

    def first(part: QWidget) -> int:
        return next(place for place, each in enumerate(order) if each is part or part.isAncestorOf(each))

    assert first(parts.left) < first(parts.view) < first(parts.navigator) < first(parts.side)


def test_tab_can_leave_every_control(built, qtbot):
    order = tab_order(built)
    order[0].setFocus(Qt.FocusReason.TabFocusReason)
    seen = []
    for _ in range(len(order) + 5):
        seen.append(QApplication.focusWidget())
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        if QApplication.focusWidget() is seen[0]:
            break
    assert QApplication.focusWidget() is seen[0], f"Tab stays at {told(seen[-1])}"


@pytest.mark.parametrize("action", ["change_keys", "settings", "keys", "messages", "about", "worklist"])
def test_every_control_of_a_dialog_has_a_name(window, action, qtbot):
    window.actions_by_id[action].trigger()
    assert [told(widget) for widget in controls(window) if not name_of(widget).strip()] == []
