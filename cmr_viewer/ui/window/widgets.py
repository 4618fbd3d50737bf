"""Small widgets that several panels share."""

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QAction, QColor, QIcon, QKeyEvent, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QSlider,
    QToolButton,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from cmr_viewer.ui.window.theme import icon

ICON = QSize(18, 18)

DASH = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"


def label(text: str = "", part: str = "", *, wrap: bool = False) -> QLabel:
    """A text in one of the style sheet's parts: heading, title, soft, small, figure, large, good, bad."""
    widget = QLabel(text)
    widget.setProperty("part", part)
    widget.setWordWrap(wrap)
    widget.setTextFormat(Qt.TextFormat.PlainText)
    return widget


class ElidedLabel(QLabel):
    """A line that shortens a text that does not fit; the tooltip shows all of it.

    Args:
        part: The style sheet's part.
    """

    def __init__(self, part: str) -> None:
        super().__init__()
        self.setProperty("part", part)
        self.setTextFormat(Qt.TextFormat.PlainText)

    def minimumSizeHint(self) -> QSize:
        """Almost nothing."""
        return QSize(24, super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:
        """Almost nothing, too: a long text must not push its neighbours out."""
        return self.minimumSizeHint()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw as much as fits."""
        painter = QPainter(self)
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideMiddle, self.width())
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)


def set_part(widget: QWidget, part: str) -> None:
    """Move a widget to another part of the style sheet."""
    if widget.property("part") != part:
        widget.setProperty("part", part)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def action_button(action: QAction, *, text: bool = True) -> QToolButton:
    """A button of an action: same text, icon, tip, state.

    Args:
        action: The action.
        text: Whether to show the action's short text beside the icon.
    """
    button = QToolButton()
    button.setDefaultAction(action)
    button.setIconSize(ICON)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setAccessibleName(action.text().replace("&", "").rstrip("…"))
    style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon if text else Qt.ToolButtonStyle.ToolButtonIconOnly
    if text and action.icon().isNull():
        style = Qt.ToolButtonStyle.ToolButtonTextOnly
    button.setToolButtonStyle(style)
    return button


Margins = tuple[int, int, int, int]
"""Left, top, right, bottom."""


def column(*items: QWidget | QLayout, spacing: int = 6, margins: Margins = (0, 0, 0, 0)) -> QVBoxLayout:
    """A column of widgets and layouts."""
    layout = QVBoxLayout()
    layout.setSpacing(spacing)
    layout.setContentsMargins(*margins)
    for item in items:
        if isinstance(item, QWidget):
            layout.addWidget(item)
        else:
            layout.addLayout(item)
    return layout


def row(*items: QWidget | QLayout | None, spacing: int = 6, margins: Margins = (0, 0, 0, 0)) -> QHBoxLayout:
    """A row of widgets and layouts; None is a stretch."""
    layout = QHBoxLayout()
    layout.setSpacing(spacing)
    layout.setContentsMargins(*margins)
    for item in items:
        if item is None:
            layout.addStretch(1)
        elif isinstance(item, QWidget):
            layout.addWidget(item)
        else:
            layout.addLayout(item)
    return layout


def rule() -> QFrame:
    """A thin line between parts."""
    line = QFrame()
    line.setObjectName("rule")
    return line


def search_line(name: str, tip: str) -> QLineEdit:
    """A search line with a button that clears it."""
    line = QLineEdit()
    line.setPlaceholderText(name)
    line.setAccessibleName(name)
    line.setToolTip(tip)
    line.setClearButtonEnabled(True)
    name_clear_button(line)
    return line


def name_clear_button(line: QWidget) -> None:
    """Name the clear button inside a line: Qt gives it no name."""
    for button in line.findChildren(QToolButton):
        button.setAccessibleName("Clear")
        button.setToolTip("Clear")


def slider(name: str, low: int, high: int, tip: str) -> QSlider:
    """A slider that takes the keyboard by Tab alone, so that the arrow keys stay with the frame after a click."""
    widget = QSlider(Qt.Orientation.Horizontal)
    widget.setRange(low, high)
    widget.setAccessibleName(name)
    widget.setToolTip(tip)
    widget.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return widget


NAME_WIDTH = 48
"""Of the names before controls, in pixels."""


class SliderGrid(QGridLayout):
    """Sliders in lines: name, slider and value.

    Args:
        named: Name and slider of each line.
    """

    def __init__(self, *named: tuple[str, QSlider]) -> None:
        super().__init__()
        self.setHorizontalSpacing(6)
        self.setVerticalSpacing(2)
        self._values: dict[QSlider, QLabel] = {}
        for line, (text, widget) in enumerate(named):
            name, value = label(text, "small"), label("", "small")
            name.setFixedWidth(NAME_WIDTH)
            name.setBuddy(widget)
            value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            value.setFixedWidth(52)
            for place, one in enumerate((name, widget, value)):
                self.addWidget(one, line, place)
            self._values[widget] = value

    def set_value(self, widget: QSlider, value: int, text: str) -> None:
        """Show a value that was not set with the slider itself."""
        widget.blockSignals(True)
        widget.setValue(value)
        widget.blockSignals(False)
        self._values[widget].setText(text)


def swatch(tint: str, size: int = 14) -> QIcon:
    """A rounded square of one colour as an icon."""
    pixmap = QPixmap(size * 2, size * 2)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(tint))
    painter.drawRoundedRect(pixmap.rect().adjusted(2, 4, -6, -4), 5, 5)
    painter.end()
    return QIcon(pixmap)


class Section(QWidget):
    """A heading with its content; a click on the heading collapses it.

    Args:
        title: The heading.
        content: What belongs to it.
        extra: A widget at the right end of the heading's line.
    """

    def __init__(self, title: str, content: QWidget, extra: QWidget | None = None) -> None:
        super().__init__()
        self._content = QWidget()
        self._column = column(content)
        self._content.setLayout(self._column)
        self._head = QToolButton()
        self._head.setText(title.upper())
        self._head.setProperty("part", "heading")
        self._head.setCheckable(True)
        self._head.setChecked(True)
        self._head.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._head.setIconSize(QSize(12, 12))
        self._head.setAccessibleName(f"{title}: expand or collapse")
        self._head.setToolTip("Expand or collapse")
        self._head.toggled.connect(self._fold)
        line = row(self._head, None, extra) if extra is not None else row(self._head, None)
        self.setLayout(column(line, self._content, spacing=4, margins=(10, 6, 12, 8)))
        self._fold(True)

    def add(self, content: QWidget) -> None:
        """Put more content below."""
        self._column.addWidget(content)

    def _fold(self, open_: bool) -> None:
        self._content.setVisible(open_)
        self._head.setIcon(icon("chevron_down" if open_ else "chevron_right", "soft"))


_KEYS_THAT_MOVE = frozenset(
    {Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home, Qt.Key.Key_End}
)
_KEYS_THAT_PRESS = frozenset({Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter})
_PRESSED = (QAbstractButton, QComboBox, QAbstractItemView)
_MOVED = (QAbstractSlider, QAbstractItemView, QComboBox, QAbstractSpinBox)


TAKES_ARROWS = "takes_arrows"
"""Property of a widget that takes the arrow keys while it has the focus."""


def belongs_to_focus(event: QKeyEvent) -> bool:
    """Whether the focused control needs a key for itself, so that it is no key of the window.

    Buttons take Space and Enter, sliders and lists the arrow keys; everything else stays with the window.
    """
    if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
        return False
    key, focus = event.key(), QApplication.focusWidget()
    presses = isinstance(focus, _PRESSED) and key in _KEYS_THAT_PRESS
    takes_arrows = isinstance(focus, _MOVED) or (focus is not None and bool(focus.property(TAKES_ARROWS)))
    moves = takes_arrows and key in _KEYS_THAT_MOVE
    return presses or moves


_TALL_PX = 36
"""Qt puts a tip so far below the pointer that it does not cover a button; what is taller it covers."""

_GAP = 8
_NAME = "qtooltip_label"
"""What Qt calls the window of a tip."""


class TipsBeside(QObject):
    """Shows the tips of tall widgets beside them.

    Args:
        window: The window; tips of the widgets in it are placed.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        for widget in window.findChildren(QWidget):
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take the showing of a tip over, where it would cover what it is about."""
        if event.type() is not QEvent.Type.ToolTip or not isinstance(watched, QWidget):
            return False
        text = watched.toolTip()
        if not text or watched.height() <= _TALL_PX:
            return False
        about = QRect(watched.mapToGlobal(QPoint(0, 0)), watched.size())
        QToolTip.showText(about.bottomLeft(), text, watched, watched.rect())
        shown = (one for one in QApplication.topLevelWidgets() if one.objectName() == _NAME and one.isVisible())
        tip = next(shown, None)
        if tip is not None:  # its size is known once it is shown
            place = tip_place(about, tip.size(), watched.screen().availableGeometry())
            tip.move(tip.pos() if place is None else place)
        return True


def tip_place(about: QRect, tip: QSize, screen: QRect) -> QPoint | None:
    """Where a tip goes: left or right of what it is about, else below or above it; None where there is no room."""
    level = max(screen.top(), min(about.top(), screen.bottom() - tip.height()))
    across = max(screen.left(), min(about.left(), screen.right() - tip.width()))
    places = (
        QPoint(about.left() - tip.width() - _GAP, level),
        QPoint(about.right() + _GAP, level),
        QPoint(across, about.bottom() + _GAP),
        QPoint(across, about.top() - tip.height() - _GAP),
    )
    return next((place for place in places if screen.contains(QRect(place, tip))), None)
