"""Search for any action or study by part of its name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QIcon, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from cmr_viewer.ui.window.theme import colour
from cmr_viewer.ui.window.widgets import column, label

WORDS = 100.0
"""Score from which on whole words were found, and not their letters one by one."""


@dataclass(frozen=True)
class Match:
    """How a text is meant.

    Attributes:
        score: Higher is better; only scores of the same query compare.
        positions: Places of the letters in the text that were typed, rising.
    """

    score: float
    positions: tuple[int, ...]


def match(query: str, text: str) -> Match | None:
    """Find what was typed in a text: as a whole, else word by word in any order, else letter by letter.

    Args:
        query: What was typed; case and spaces at the ends do not matter.
        text: The text.

    Returns:
        Places and score; None where some letter of the query is not found. An empty query is meant by every text alike.
    """
    wanted, held = query.casefold().split(), text.casefold()
    if len(held) != len(text):  # a letter that grows when its case is folded would shift the places behind it
        held = text.lower() if len(text.lower()) == len(text) else text
    if not wanted:
        return Match(0.0, ())
    whole = _part(" ".join(wanted), held)
    if whole is not None:
        return Match(2 * WORDS + whole.score, whole.positions)
    parts = [_part(word, held) for word in wanted]
    if len(wanted) > 1 and all(parts):
        found = [part for part in parts if part is not None]
        places = sorted({place for part in found for place in part.positions})
        return Match(WORDS + sum(part.score for part in found) / len(found), tuple(places))
    return _scattered("".join(wanted), held)


def _part(word: str, held: str) -> Match | None:
    """The word in one piece, best at the beginning of the text, else of a word."""
    best: Match | None = None
    at = held.find(word)
    while at >= 0:
        begins = at == 0 or not held[at - 1].isalnum()
        score = (60.0 if at == 0 else 40.0 if begins else 0.0) - 0.1 * at - 0.05 * (len(held) - len(word))
        if best is None or score > best.score:
            best = Match(score, tuple(range(at, at + len(word))))
        at = held.find(word, at + 1)
    return best


def _scattered(letters: str, held: str) -> Match | None:
    """The letters in their order, those at the beginnings of words preferred."""
    places: list[int] = []
    at = 0
    for letter in letters:
        first = held.find(letter, at)
        if first < 0:
            return None
        begin = first
        while begin > 0 and held[begin - 1].isalnum() and not (places and begin == places[-1] + 1):
            begin = held.find(letter, begin + 1)
            if begin < 0 or not _rest_fits(letters[len(places) + 1 :], held, begin + 1):
                begin = first
                break
        places.append(begin)
        at = begin + 1
    gaps = sum(after - before - 1 for before, after in pairwise(places))
    begins = sum(place == 0 or not held[place - 1].isalnum() for place in places)
    return Match(10.0 * begins - gaps - 0.1 * places[0] - 0.05 * len(held), tuple(places))


def _rest_fits(letters: str, held: str, at: int) -> bool:
    for letter in letters:
        at = held.find(letter, at) + 1
        if at == 0:
            return False
    return True


SHOWN = 200
"""Most lines shown; typing more narrows them."""

_COMMAND = Qt.ItemDataRole.UserRole
_WIDTH, _ROW, _ROWS = 620, 32, 11
_FAR = 0.0
"""Score below which letters lie too far apart to be meant."""

_MOVES = frozenset({Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown})
_TAKES = frozenset({Qt.Key.Key_Return, Qt.Key.Key_Enter})


@dataclass(frozen=True, eq=False)
class Command:
    """Something that can be found.

    Attributes:
        name: What the program calls it.
        text: What a reader calls it.
        place: Where else it is found, such as its menu.
        keys: Its keys as this platform writes them, or empty.
        why_not: Why it is not possible now, in words; empty where it is.
        icon: Its icon, or a null icon.
        also: What else it is found by.
    """

    name: str
    text: str
    place: str
    keys: str = ""
    why_not: str = ""
    icon: QIcon = field(default_factory=QIcon)
    also: str = ""

    @property
    def spoken(self) -> str:
        """All of it in words, for screen readers."""
        return ", ".join(part for part in (self.text, self.place, self.keys, self.why_not) if part)


def found(query: str, commands: Sequence[Command], recent: Sequence[str] = ()) -> list[tuple[Command, Match]]:
    """Commands that a query means, the best first.

    Args:
        query: What was typed.
        commands: In their own order, which holds where nothing else decides.
        recent: Names of those that were used lately, the last first; they go before others that fit as well.
    """
    ranks = {name: rank for rank, name in enumerate(recent)}
    hits = []
    for place, command in enumerate(commands):
        hit = match(query, command.text)
        if hit is None or hit.score < _FAR:
            other = match(query, f"{command.text} {command.place} {command.also}")
            hit = Match(-100.0, ()) if other is not None and other.score >= WORDS else None
        if hit is not None:
            recency = ranks.get(command.name, len(ranks))
            hits.append(((-hit.score + 0.5 * recency, recency, place), command, hit))
    hits.sort(key=lambda each: each[0])
    return [(command, hit) for _, command, hit in hits[:SHOWN]]


class _Found(QAbstractListModel):
    """What was found, in its order."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.hits: list[tuple[Command, Match]] = []

    def show(self, hits: list[tuple[Command, Match]]) -> None:
        self.beginResetModel()
        self.hits = hits
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.hits)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        command = self.hits[index.row()][0]
        if role == _COMMAND:
            return self.hits[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return command.text
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return command.spoken
        return None


class _Delegate(QStyledItemDelegate):
    """Draws a line: icon, text with the typed letters marked, where it is found, keys."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(200, _ROW)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        command, hit = index.data(_COMMAND)
        area: QRect = option.rect
        state: QStyle.StateFlag = option.state
        on = bool(state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if on:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour("accent_dark"))
            painter.drawRoundedRect(area.adjusted(2, 1, -2, -1), 5, 5)
        mode = QIcon.Mode.Disabled if command.why_not else QIcon.Mode.Normal
        command.icon.paint(painter, QRect(area.left() + 12, area.center().y() - 8, 17, 17), mode=mode)
        inner = area.adjusted(40, 0, -14, 0)
        soft = colour("text" if on else "soft")
        metrics = QFontMetrics(painter.font())
        painter.setPen(soft)
        painter.drawText(inner, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, command.keys)
        inner.setRight(inner.right() - metrics.horizontalAdvance(command.keys) - (18 if command.keys else 0))
        ink = colour(("text" if on else "soft") if command.why_not else "bright" if on else "text")
        left = self._text(painter, inner, command.text, hit.positions, ink)
        rest = inner.adjusted(left - inner.left() + 12, 0, 0, 0)
        more = f"{command.place}, {command.why_not}" if command.why_not else command.place
        painter.setPen(soft)
        more = metrics.elidedText(more, Qt.TextElideMode.ElideRight, rest.width())
        painter.drawText(rest, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, more)
        painter.restore()

    @staticmethod
    def _text(painter: QPainter, area: QRect, text: str, marked: Sequence[int], ink: Any) -> int:
        """Write the text with some of its letters marked; its right end."""
        plain, strong = painter.font(), painter.font()
        strong.setBold(True)
        strong.setUnderline(True)
        at, places = area.left(), set(marked)
        painter.setPen(ink)
        for place, letter in enumerate(text):
            painter.setFont(strong if place in places else plain)
            width = painter.fontMetrics().horizontalAdvance(letter)
            if at + width > area.right():
                break
            painter.drawText(QRect(at, area.top(), width + 2, area.height()), Qt.AlignmentFlag.AlignVCenter, letter)
            at += width
        painter.setFont(plain)
        return at


class CommandPalette(QFrame):
    """Lies over the window while it is asked; the keyboard goes back where it was.

    Args:
        window: What it lies over.

    Signals:
        chosen(str name): A command was chosen; it is possible.
    """

    chosen = Signal(str)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self.setObjectName("palette")
        self.setAccessibleName("Find an action or study")
        self._commands: Sequence[Command] = ()
        self._recent: Sequence[str] = ()
        self._more: Callable[[str], Sequence[Command]] = _none
        self._before: QWidget | None = None
        self.search = QLineEdit()
        self.search.setPlaceholderText("Type part of the name of an action or study")
        self.search.setAccessibleName("Find an action or study")
        self.search.setToolTip("Up and Down select, Enter runs or opens, Esc closes")
        self.search.textChanged.connect(self._find)
        self.search.installEventFilter(self)
        self._model = _Found(self)
        self.list = QListView()
        self.list.setModel(self._model)
        self.list.setItemDelegate(_Delegate(self.list))
        self.list.setUniformItemSizes(True)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setAccessibleName("Actions and studies found")
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setMouseTracking(True)
        self.list.clicked.connect(self._take)
        self._hint = label("", "small")
        self.setLayout(column(self.search, self.list, self._hint, spacing=8, margins=(12, 12, 12, 10)))
        self.hide()

    @property
    def hits(self) -> list[Command]:
        """What is shown, the best first."""
        return [command for command, _ in self._model.hits]

    def ask(
        self, commands: Sequence[Command], recent: Sequence[str], more: Callable[[str], Sequence[Command]] | None = None
    ) -> None:
        """Open it.

        Args:
            commands: What can be found.
            recent: Names of what was used lately, the last first.
            more: Gives further commands that a query may mean, where there are too many to hand over; None for none.
        """
        self._commands, self._recent, self._more = commands, recent, more or _none
        if not self.isVisible():
            self._before = QApplication.focusWidget() or self._window.focusWidget()
        self.search.clear()
        self._find("")
        self._arrange()
        self.show()
        self.raise_()
        self.search.setFocus(Qt.FocusReason.PopupFocusReason)

    def close_it(self) -> None:
        """Close it; the keyboard goes back where it was."""
        if not self.isVisible():
            return
        before, self._before = self._before, None
        self.hide()
        if before is not None and before.isVisible():
            before.setFocus(Qt.FocusReason.PopupFocusReason)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The search line has the keyboard; what moves in the list is passed on to it."""
        if event.type() == QEvent.Type.FocusOut and self.isVisible() and not self.isAncestorOf(_focus(self)):
            self._before = None
            self.hide()
        if isinstance(event, QKeyEvent) and event.key() in _MOVES | _TAKES | {Qt.Key.Key_Escape}:
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            if event.type() == QEvent.Type.KeyPress:
                self._key(event)
                return True
        return super().eventFilter(watched, event)

    def _key(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close_it()
        elif event.key() in _TAKES:
            self._take(self.list.currentIndex())
        else:
            self._move(Qt.Key(event.key()))

    def _move(self, key: Qt.Key) -> None:
        rows = self._model.rowCount()
        if not rows:
            return
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_PageUp: 1 - _ROWS, Qt.Key.Key_PageDown: _ROWS - 1}[
            key
        ]
        row = self.list.currentIndex().row() + step
        row = row % rows if abs(step) == 1 else min(max(row, 0), rows - 1)
        self._go(row)

    def _go(self, row: int) -> None:
        self.list.setCurrentIndex(self._model.index(row))
        why_not = self._model.hits[row][0].why_not
        self._hint.setText(why_not and f"{why_not[0].upper()}{why_not[1:]}.")

    def _find(self, query: str) -> None:
        self._model.show(found(query, [*self._commands, *self._more(query)], self._recent))
        if self._model.rowCount():
            self._go(0)
        else:
            self._hint.setText("No action or study has that name.")

    def _take(self, index: QModelIndex) -> None:
        if not index.isValid():
            return
        command: Command = index.data(_COMMAND)[0]
        if command.why_not:
            self._go(index.row())
            return
        self.close_it()
        self.chosen.emit(command.name)

    def _arrange(self) -> None:
        window = self._window
        width = min(_WIDTH, window.width() - 40)
        height = min(_ROW * _ROWS + self.search.sizeHint().height() + 60, window.height() - 80)
        self.setGeometry((window.width() - width) // 2, max(40, window.height() // 9), width, height)


def _none(_query: str) -> Sequence[Command]:
    return ()


def _focus(palette: QWidget) -> QWidget:
    """What has the keyboard, or the palette where that is in another window, such as a tip or an input method."""
    return QApplication.focusWidget() or palette
