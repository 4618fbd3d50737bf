"""A tour of the window: a spotlight on one part after another, with a card that explains it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction, QColor, QKeyEvent, QKeySequence, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QApplication, QFrame, QPushButton, QWidget

from cmr_viewer.ui.window.layout import Page, Parts
from cmr_viewer.ui.window.theme import colour
from cmr_viewer.ui.window.widgets import column, label, row

_CARD_WIDTH = 340
_GAP = 14
_ROUND = 8.0
_SHADE = QColor(0, 0, 0, 150)


@dataclass(frozen=True)
class Step:
    """One stop of the tour.

    Attributes:
        title: What the part is called.
        text: What it is for, and its keys.
        part: Gives the part when the stop is reached; None for no part, with the card in the middle.
        before: Brings the part to the front first, or None.
    """

    title: str
    text: str
    part: Callable[[], QWidget | None] | None = None
    before: Callable[[], object] | None = None


class Tour(QWidget):
    """Covers the whole window during the tour; everything also works by keyboard.

    Args:
        window: What it lies over.

    Signals:
        ended(bool): The tour is over; whether its end was reached.
    """

    ended = Signal(bool)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self.setAccessibleName("Tour of the program")
        self._steps: Sequence[Step] = ()
        self._at, self._done, self._closing = 0, "Done", False
        self._light = QRect()
        self._before: QWidget | None = None
        self._title = label("", "title", wrap=True)
        self._text = label("", wrap=True)
        self._count = label("", "small")
        self.back = self._button("Back", "Previous stop (Left)", self.go_back)
        self.next = self._button("Next", "Next stop (Right or Enter)", self.go_on)
        self.next.setProperty("part", "primary")
        self.skip = self._button("Skip the tour", "End the tour (Esc); the Help menu starts it again", self.end)
        self.skip.setProperty("part", "flat")
        self.card = QFrame(self)
        self.card.setObjectName("tour_card")
        self.card.setLayout(
            column(
                self._count,
                self._title,
                self._text,
                row(self.skip, None, self.back, self.next, spacing=8),
                spacing=9,
                margins=(18, 14, 14, 14),
            )
        )
        self.card.setFixedWidth(_CARD_WIDTH)
        window.installEventFilter(self)
        self.hide()

    def _button(self, text: str, tip: str, slot: Callable[[], None]) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.setAccessibleName(text)
        button.clicked.connect(slot)
        button.installEventFilter(self)
        return button

    @property
    def step(self) -> int:
        """Number of the stop, the first is 0."""
        return self._at

    @property
    def spotlight(self) -> QRect:
        """What is lit, in the window; empty where no part is."""
        return self._light

    def begin(self, steps: Sequence[Step], done: str = "Done") -> None:
        """Begin at the first stop.

        Args:
            steps: The stops, at least one.
            done: What the button of the last one says.
        """
        self._steps, self._at, self._done = steps, 0, done
        self._before = QApplication.focusWidget() or self._window.focusWidget()
        self.setGeometry(self._window.rect())
        self.show()
        self.raise_()
        self._show_step()

    @Slot()
    def go_on(self) -> None:
        """Go to the next stop; behind the last, the tour is over."""
        if self._at + 1 >= len(self._steps):
            self._close(to_its_end=True)
            return
        self._at += 1
        self._show_step()

    @Slot()
    def go_back(self) -> None:
        """Go to the stop before."""
        self._at = max(0, self._at - 1)
        self._show_step()

    @Slot()
    def end(self) -> None:
        """End the tour where it is."""
        self._close(to_its_end=False)

    def _close(self, *, to_its_end: bool) -> None:
        if not self.isVisible():
            return
        before, self._before = self._before, None
        # What is hidden with the keyboard on it looks for who takes that, and must not find itself.
        self._closing = True
        heir = before if before is not None and before.isVisible() else self._window
        heir.setFocus(Qt.FocusReason.OtherFocusReason)
        self.hide()
        self._closing = False
        self.ended.emit(to_its_end)

    def _show_step(self) -> None:
        step = self._steps[self._at]
        if step.before is not None:
            step.before()
        self._title.setText(step.title)
        self._text.setText(step.text)
        several = len(self._steps) > 1
        last = self._at + 1 == len(self._steps)
        self._count.setText(f"{self._at + 1} of {len(self._steps)}" if several else "")
        self._count.setVisible(several)
        self.next.setText(self._done if last else "Next")
        self.next.setAccessibleName(self.next.text())
        self.skip.setVisible(not (last and several))
        self.back.setVisible(several)
        self.back.setEnabled(self._at > 0)
        self.setAccessibleDescription(f"{step.title}. {step.text}")
        self.card.setAccessibleName(step.title)
        self.card.setAccessibleDescription(step.text)
        self._arrange()
        self.next.setFocus(Qt.FocusReason.OtherFocusReason)

    def _arrange(self) -> None:
        """Put the light on the part and the card beside it, where there is most room."""
        self.setGeometry(self._window.rect())
        step = self._steps[self._at]
        part = None if step.part is None else step.part()
        self._light = QRect()
        if part is not None and part.isVisible():
            self._light = _seen(part, self._window).adjusted(-4, -4, 4, 4).intersected(self.rect())
        height = (
            self.card.heightForWidth(_CARD_WIDTH) if self.card.hasHeightForWidth() else self.card.sizeHint().height()
        )
        self.card.resize(_CARD_WIDTH, max(height, self.card.minimumSizeHint().height()))
        self.card.move(_beside(self._light, self.card.size(), self.rect()))
        self.update()

    # Painting and keys

    def paintEvent(self, event: QPaintEvent) -> None:
        """Darken all but the part."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        shade = QPainterPath()
        shade.addRect(QRectF(self.rect()))
        if not self._light.isEmpty():
            lit = QPainterPath()
            lit.addRoundedRect(QRectF(self._light), _ROUND, _ROUND)
            shade = shade.subtracted(lit)
        painter.fillPath(shade, _SHADE)
        if not self._light.isEmpty():
            painter.setPen(QPen(colour("focus"), 2))
            painter.drawRoundedRect(QRectF(self._light).adjusted(1, 1, -1, -1), _ROUND, _ROUND)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the window's size, and take the keys of the tour wherever its buttons have the keyboard."""
        if watched is self._window:
            if event.type() == QEvent.Type.Resize and self.isVisible():
                self._arrange()
            return False
        if not isinstance(event, QKeyEvent) or event.type() not in (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress):
            return False
        does = {
            Qt.Key.Key_Left: self.go_back,
            Qt.Key.Key_Right: self.go_on,
            Qt.Key.Key_Escape: self.end,
        }
        key = Qt.Key(event.key())
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and isinstance(watched, QPushButton):
            does[key] = watched.click
        if event.type() == QEvent.Type.ShortcutOverride:  # no key of the window while the tour lasts
            event.accept()
            return True
        if key in does:
            does[key]()
            return True
        return False

    def focusNextPrevChild(self, next: bool) -> bool:  # noqa: A002 - Qt's own name
        """Keep the keyboard on the card."""
        if self._closing:
            return False
        buttons = [each for each in (self.skip, self.back, self.next) if each.isVisible() and each.isEnabled()]
        now = QApplication.focusWidget()
        at = buttons.index(now) if isinstance(now, QPushButton) and now in buttons else 0
        buttons[(at + (1 if next else -1)) % len(buttons)].setFocus(Qt.FocusReason.TabFocusReason)
        return True


def _seen(part: QWidget, window: QWidget) -> QRect:
    """What the widgets around a part leave of it, in the window; what is over it does not count."""
    seen, at = part.rect(), part
    while at is not window and (around := at.parentWidget()) is not None:
        seen = seen.translated(at.pos()).intersected(around.rect())
        at = around
    return seen


def _beside(light: QRect, card: QSize, room: QRect) -> QPoint:
    """Where the card goes: right of the part, left, below or above it, else in the middle of the room."""
    middle = room.center() - QPoint(card.width() // 2, card.height() // 2)
    if light.isEmpty():
        return middle
    level = max(_GAP, min(light.top(), room.height() - card.height() - _GAP))
    across = max(_GAP, min(light.center().x() - card.width() // 2, room.width() - card.width() - _GAP))
    places = [
        QPoint(light.right() + _GAP, level),
        QPoint(light.left() - card.width() - _GAP, level),
        QPoint(across, light.bottom() + _GAP),
        QPoint(across, light.top() - card.height() - _GAP),
    ]
    inside = room.adjusted(4, 4, -4, -4)
    return next((place for place in places if inside.contains(QRect(place, card))), middle)


GREETING = Step(
    "Welcome to CMR Viewer",
    "The tour shows the parts of the window on the demo study from the Sunnybrook Cardiac Data. It takes two minutes. "
    "You can start it at any time from the Help menu.",
)
"""Shown once, before any study is open."""


def tour_steps(parts: Parts, actions: Mapping[str, QAction]) -> tuple[Step, ...]:
    """The stops, with the keys that the reader has now."""

    def keys(*names: str) -> str:
        shortcuts = [actions[name].shortcut() for name in names if name in actions]
        texts = [one.toString(QKeySequence.SequenceFormat.NativeText) for one in shortcuts]
        return " and ".join(text for text in texts if text) or "the menu"

    def single_frame() -> None:
        actions["layout_single"].trigger()

    def frame_page() -> None:
        parts.side.show_page(Page.FRAME)

    def measures_page() -> None:
        parts.side.show_page(Page.MEASURES)

    def review_page() -> None:
        parts.side.show_page(Page.REVIEW)

    return (
        Step(
            "One region, one model",
            "Every frame has a region: base, middle, apex or non-cardiac. The specialist model for the region segments "
            "the frame. You correct both. Right or Enter continues, Left goes back, Esc ends the tour.",
        ),
        Step(
            "The frame",
            f"One slice at one phase, with its outlines. The wheel or {keys('slice_up', 'slice_down')} change the "
            f"slice. Shift + wheel or {keys('phase_previous', 'phase_next')} change the phase. "
            f"{keys('play')} plays the cine.",
            part=lambda: parts.view,
            before=single_frame,
        ),
        Step(
            "All slices of the phase",
            "From base to apex. The border and the letter show the region of each slice. Click a slice to go there. "
            f"{keys('grid')} shows all phases.",
            part=lambda: parts.strip,
            before=single_frame,
        ),
        Step(
            "The region of this frame",
            "The probability of each region, and why this model segmented the frame. If you choose another region, "
            f"such as with {keys('region_base')} or {keys('region_middle')}, its specialist segments the frame.",
            part=lambda: parts.side.section(Page.FRAME, "Region of this frame"),
            before=frame_page,
        ),
        Step(
            "Tools",
            f"{keys('brush')} selects the brush. {keys('label_lvbp', 'label_lvm')} select the label to paint: LV blood "
            f"pool or myocardium. The right button erases. {keys('undo')} undoes any change. All work is saved.",
            part=lambda: parts.side.section(Page.FRAME, "Tools"),
            before=frame_page,
        ),
        Step(
            "Measures",
            "Volumes, ejection fraction and mass are updated after every stroke. Click the curve to go to a phase.",
            part=lambda: parts.side,
            before=measures_page,
        ),
        Step(
            "Review",
            f"{keys('next_review')} goes to the frame that most needs review and shows why. {keys('accept')} accepts "
            "it. Frames that you corrected are used to retrain the models.",
            part=lambda: parts.side,
            before=review_page,
        ),
        Step(
            "Studies and search",
            f"Your recent studies are here; {keys('worklist')} lists them all. {keys('command_palette')} finds any "
            f"action by part of its name. {keys('keys')} shows all keys.",
            part=lambda: parts.left,
            before=frame_page,
        ),
    )
