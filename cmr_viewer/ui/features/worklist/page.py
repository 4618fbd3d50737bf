"""All studies of the workspace on one page: search, filters, a table, the next unread."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QEvent, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QComboBox, QFrame, QHeaderView, QTableView

from cmr_viewer.file_names import readable
from cmr_viewer.ui.features.worklist.worklist import ReviewProgress, Worklist, WorklistEntry
from cmr_viewer.ui.window.theme import colour
from cmr_viewer.ui.window.widgets import DASH, TIMES, action_button, column, label, row, search_line

ENTRY = Qt.ItemDataRole.UserRole
"""Role of the `WorklistEntry` of a row."""


class WorklistColumn(Enum):
    """Columns in their order; the value is the heading."""

    NAME = "Study"
    STATUS = "Status"
    READER = "Reader"
    FLAGS = "Flags"
    OPENED = "Last opened"
    SIZE = f"Phases {TIMES} slices"


class Flagged(Enum):
    """Filters on the flags of a study; the value is the text of the choice."""

    ANY = "All flags"
    SOME = "With any flag"
    WORD = "Flagged by a reader"
    CHECKS = "Checks failed"
    REOPENED = "Reopened"
    IMPORTED = "Imported"
    OLDER = "Older models"
    RENEWED = "New label maps"
    NONE = "Without a flag"


_FLAGGED: dict[Flagged, Callable[[WorklistEntry], bool]] = {
    Flagged.ANY: lambda entry: True,
    Flagged.SOME: lambda entry: bool(entry.flags),
    Flagged.WORD: lambda entry: bool(entry.marks.flag),
    Flagged.CHECKS: lambda entry: bool(entry.marks.failed_checks),
    Flagged.REOPENED: lambda entry: bool(entry.marks.reopened),
    Flagged.IMPORTED: lambda entry: bool(entry.marks.imported),
    Flagged.OLDER: lambda entry: entry.older,
    Flagged.RENEWED: lambda entry: bool(entry.marks.renewed),
    Flagged.NONE: lambda entry: not entry.flags,
}

_ORDER = {progress: place for place, progress in enumerate(ReviewProgress)}
_NEVER = datetime.fromisoformat("0001-01-01T00:00:00+00:00")

_SORTED: dict[WorklistColumn, Callable[[WorklistEntry], Any]] = {
    WorklistColumn.NAME: lambda entry: entry.name.casefold(),
    WorklistColumn.STATUS: lambda entry: (_ORDER[entry.progress], entry.accepted / (entry.frames or 1), entry.drafts),
    WorklistColumn.READER: lambda entry: entry.marks.readers,
    WorklistColumn.FLAGS: lambda entry: (not entry.flags, entry.flags),
    WorklistColumn.OPENED: lambda entry: entry.opened_at or _NEVER,
    WorklistColumn.SIZE: lambda entry: (entry.phases, entry.slices),
}


@dataclass(frozen=True)
class Wanted:
    """The filter of the table.

    Attributes:
        text: Words that must all be in name, place, readers, flags or status; case does not matter.
        progress: How far the review is; None for any.
        reader: Who has saved work on it; empty for anyone.
        flagged: Its flags.
    """

    text: str = ""
    progress: ReviewProgress | None = None
    reader: str = ""
    flagged: Flagged = Flagged.ANY

    def of(self, entries: Sequence[WorklistEntry], haystack: Callable[[WorklistEntry], str]) -> list[WorklistEntry]:
        """Those of some entries that are wanted, in their order.

        Args:
            entries: The entries.
            haystack: Gives `haystack_of` of an entry.
        """
        left = list(entries)
        if self.progress is not None:
            left = [entry for entry in left if entry.progress is self.progress]
        if self.reader:
            left = [entry for entry in left if self.reader in entry.marks.readers]
        if self.flagged is not Flagged.ANY:
            left = list(filter(_FLAGGED[self.flagged], left))
        for word in self.text.casefold().split():
            left = [entry for entry in left if word in haystack(entry)]
        return left


def haystack_of(entry: WorklistEntry) -> str:
    """Everything of an entry that a search looks in."""
    return " ".join((entry.name, entry.source.name, *entry.marks.readers, *entry.flags, entry.status)).casefold()


class WorklistModel(QAbstractTableModel):
    """Entries of the worklist that are wanted, in the order of a column.

    Args:
        parent: Qt parent.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._entries: Sequence[WorklistEntry] = ()
        self._haystacks: dict[str, str] = {}
        self._sorted: Sequence[WorklistEntry] = ()
        self._shown: list[WorklistEntry] = []
        self._wanted = Wanted()
        self._column: WorklistColumn | None = None
        self._descending = False

    @property
    def shown(self) -> Sequence[WorklistEntry]:
        """The entries that are shown, in their order."""
        return self._shown

    @property
    def count(self) -> int:
        """How many entries there are in all."""
        return len(self._entries)

    @property
    def readers(self) -> list[str]:
        """Everyone with saved work, in alphabetical order."""
        return sorted({reader for entry in self._entries for reader in entry.marks.readers}, key=str.casefold)

    def show(self, entries: Sequence[WorklistEntry]) -> None:
        """Show other entries, sorted and left to what is wanted as before."""
        self._entries = entries
        self._haystacks = {}
        self._sort()
        self._renew()

    def want(self, wanted: Wanted) -> None:
        """Leave the table to what is wanted."""
        self._wanted = wanted
        self._renew()

    def row_of(self, entry: WorklistEntry | None) -> int | None:
        """Row of the entry with the same place and stack; None where it is not shown."""
        if entry is None:
            return None
        key = entry.key
        return next((row for row, each in enumerate(self._shown) if each.key == key), None)

    def next_unread(self, after: WorklistEntry | None) -> WorklistEntry | None:
        """The next entry below another, or from the top again, that no one has started.

        Args:
            after: The entry that was open last; None to begin at the top.
        """
        row = self.row_of(after)
        begin = 0 if row is None else row + 1
        order = [*self._shown[begin:], *self._shown[:begin]]
        return next((entry for entry in order if entry.is_unread and entry != after), None)

    def _sort(self) -> None:
        self._sorted = self._entries
        if self._column is not None:
            self._sorted = sorted(self._entries, key=_SORTED[self._column], reverse=self._descending)

    def _renew(self) -> None:
        self.beginResetModel()
        self._leave()
        self.endResetModel()

    def _leave(self) -> None:
        """Leave those that are wanted."""
        self._shown = self._wanted.of(self._sorted, self._haystack)

    def _haystack(self, entry: WorklistEntry) -> str:
        """Cached: a search asks for the same entries at every letter, and never for most."""
        found = self._haystacks.get(entry.key)
        if found is None:
            found = self._haystacks[entry.key] = haystack_of(entry)
        return found

    # What a table asks

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; by none, that is waiting ones first and then the last opened, where it is negative."""
        self._column = list(WorklistColumn)[column] if column >= 0 else None
        self._descending = order is Qt.SortOrder.DescendingOrder
        self.layoutAboutToBeChanged.emit()
        held = self.persistentIndexList()
        meant = [self._shown[index.row()] for index in held]
        self._sort()
        self._leave()
        if held:
            rows = {id(entry): row for row, entry in enumerate(self._shown)}
            moved = [self.index(rows[id(one)], at.column()) for one, at in zip(meant, held, strict=True)]
            self.changePersistentIndexList(held, moved)
        self.layoutChanged.emit()

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex | None = None) -> int:
        """How many entries are shown."""
        return 0 if parent is not None and parent.isValid() else len(self._shown)

    def columnCount(self, parent: QModelIndex | QPersistentModelIndex | None = None) -> int:
        """How many columns there are."""
        return 0 if parent is not None and parent.isValid() else len(WorklistColumn)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Headings of the columns, and their tooltip."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return list(WorklistColumn)[section].value
        return "Click to sort; click again to reverse the order" if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """What a cell shows."""
        if role == Qt.ItemDataRole.DisplayRole:
            return _TEXTS[index.column()](self._shown[index.row()])
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._ink(index)
        if role == ENTRY:
            return self._shown[index.row()]
        if role == Qt.ItemDataRole.ToolTipRole:
            entry = self._shown[index.row()]
            return f"{readable(str(entry.source))}\nPress Enter or double-click to open it"
        return None

    def _ink(self, index: QModelIndex | QPersistentModelIndex) -> Any:
        column = index.column()
        if column == 0:
            return None
        if column == 1:
            progress = self._shown[index.row()].progress
            return colour(
                "good"
                if progress is ReviewProgress.FINISHED
                else "text"
                if progress is not ReviewProgress.WAITING
                else "soft"
            )
        return colour("warn" if column == 3 else "soft")


def _opened_text(entry: WorklistEntry) -> str:
    return DASH if entry.opened_at is None else f"{entry.opened_at.astimezone():%Y-%m-%d %H:%M}"


_TEXTS: tuple[Callable[[WorklistEntry], str], ...] = (
    lambda entry: entry.name,
    lambda entry: entry.status,
    lambda entry: ", ".join(entry.marks.readers),
    lambda entry: ", ".join(entry.flags),
    _opened_text,
    lambda entry: f"{entry.phases} {TIMES} {entry.slices}" if entry.frames else DASH,
)
"""Text of each column, in their order."""


_ANYBODY = "All readers"
_ANY_STATUS = "Any status"
_WIDTHS = {
    WorklistColumn.NAME: 200,
    WorklistColumn.STATUS: 170,
    WorklistColumn.READER: 130,
    WorklistColumn.OPENED: 142,
    WorklistColumn.SIZE: 124,
}


class WorklistPage(QFrame):
    """The page in the middle of the window that replaces the frame.

    Args:
        actions: What a reader can do, by id.
        worklist: The entries.

    Signals:
        study_chosen(object, object): A study; its source `Path`, and the id of its stack or None.
        study_dismissed(object): A waiting study is to be removed from the worklist; its `Path`.
        left(): The reader goes back to the frame.
    """

    study_chosen = Signal(object, object)
    study_dismissed = Signal(object)
    left = Signal()

    def __init__(self, actions: Mapping[str, QAction], worklist: Worklist) -> None:
        super().__init__()
        self.setObjectName("worklist_page")
        self._worklist = worklist
        self._open: tuple[str, str] = ("", "")
        self.model = WorklistModel(self)
        tip = "Type to search; Down goes to the table, Enter opens the selected study"
        self.search = search_line("Search studies, readers and flags", tip)
        self.search.installEventFilter(self)
        self.status = self._combo("Status", [_ANY_STATUS, *(each.value for each in ReviewProgress)])
        self.reader = self._combo("Reader", [_ANYBODY])
        self.flagged = self._combo("Flags", [each.value for each in Flagged])
        self._count = label("", "small")
        self.table = self._make_table()
        self._empty = label("", "soft")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        buttons = []
        for name in ("next_unread", "flag_study"):
            buttons.append(action_button(actions[name]))
            buttons[-1].setProperty("part", "boxed")
        head = row(label("Worklist", "large"), self._count, None, *buttons, spacing=10)
        filters = row(self.search, self.status, self.reader, self.flagged, spacing=8)
        filters.setStretch(0, 1)
        layout = column(head, filters, self.table, self._empty, spacing=12, margins=(20, 16, 20, 16))
        layout.setStretch(2, 1)
        self.setLayout(layout)
        self.search.textChanged.connect(self._on_wanted)
        for combo in (self.status, self.reader, self.flagged):
            combo.currentIndexChanged.connect(self._on_wanted)
        worklist.changed.connect(self.renew)

    def _combo(self, name: str, texts: list[str]) -> QComboBox:
        combo = QComboBox()
        combo.addItems(texts)
        combo.setAccessibleName(f"Filter by {name.lower()}")
        combo.setToolTip(f"Filter studies by {name.lower()}")
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        return combo

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setModel(self.model)
        table.setProperty("part", "ring")
        table.setAccessibleName("Studies")
        table.setToolTip("Up and Down select a study, Enter opens it, Delete removes a study that is waiting")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.setTabKeyNavigation(False)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.verticalHeader().hide()
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)  # else 10,000 rows are measured
        table.verticalHeader().setDefaultSectionSize(30)
        head = table.horizontalHeader()
        head.setHighlightSections(False)
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        head.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        head.setSectionResizeMode(list(WorklistColumn).index(WorklistColumn.FLAGS), QHeaderView.ResizeMode.Stretch)
        for each, width in _WIDTHS.items():
            table.setColumnWidth(list(WorklistColumn).index(each), width)
        head.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        head.setSortIndicatorClearable(True)
        table.setSortingEnabled(True)
        table.installEventFilter(self)
        table.doubleClicked.connect(self._take)
        return table

    # What is shown

    @property
    def current(self) -> WorklistEntry | None:
        """The study that is chosen, or None."""
        index = self.table.currentIndex()
        return index.data(ENTRY) if index.isValid() else None

    def begin(self, open_stack: str) -> None:
        """The page comes to the front: the search has the keyboard, the open study is chosen.

        Args:
            open_stack: Stack of the open study, or empty.
        """
        self._worklist.look(True)
        self._choose(next((each for each in self._worklist.entries if each.stack_id == open_stack != ""), self.current))
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def end(self) -> None:
        """The page goes."""
        self._worklist.look(False)

    @Slot()
    def renew(self) -> None:
        """The entries have changed."""
        before, at = self.current, self.table.verticalScrollBar().value()
        self.model.show(self._worklist.entries)
        self._offer_readers()
        self._choose(before)
        self.table.verticalScrollBar().setValue(at)
        self._show_count()

    def _offer_readers(self) -> None:
        wanted = [_ANYBODY, *self.model.readers]
        if wanted != [self.reader.itemText(place) for place in range(self.reader.count())]:
            chosen = self.reader.currentText()
            self.reader.blockSignals(True)
            self.reader.clear()
            self.reader.addItems(wanted)
            self.reader.setCurrentText(chosen if chosen in wanted else _ANYBODY)
            self.reader.blockSignals(False)
            self._want()

    @Slot()
    def _on_wanted(self) -> None:
        before = self.current
        self._want()
        self._choose(before)
        self._show_count()

    def _want(self) -> None:
        status, reader = self.status.currentText(), self.reader.currentText()
        self.model.want(
            Wanted(
                self.search.text(),
                None if status == _ANY_STATUS else ReviewProgress(status),
                "" if reader == _ANYBODY else reader,
                Flagged(self.flagged.currentText()),
            )
        )

    def _choose(self, entry: WorklistEntry | None) -> None:
        place = self.model.row_of(entry)
        if place is None and self.model.rowCount():
            place = 0
        if place is not None:
            self.table.setCurrentIndex(self.model.index(place, 0))

    def _show_count(self) -> None:
        shown, count = self.model.rowCount(), self.model.count
        studies = "1 study" if count == 1 else f"{count:,} studies"
        self._count.setText(studies if shown == count else f"{shown:,} of {studies}")
        nothing = (
            "No study has been opened in this workspace yet."
            if not count
            else "No study matches the search and filters."
        )
        self._empty.setText(nothing)
        self._empty.setVisible(not shown)

    # What the reader does

    def open_next_unread(self, after: WorklistEntry | None) -> bool:
        """Open the next study that no one has started, in the order of the table; whether there was one."""
        if not self._worklist.looked_at:
            self.model.show(self._worklist.entries_now())
        found = self.model.next_unread(after)
        if found is not None:
            self._choose(found)
            self.study_chosen.emit(found.source, found.stack_id or None)
        return found is not None

    @Slot(QModelIndex)
    def _take(self, index: QModelIndex) -> None:
        entry: WorklistEntry | None = index.data(ENTRY) if index.isValid() else None
        if entry is not None:
            self.study_chosen.emit(entry.source, entry.stack_id or None)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keys of search and table that mean the table's row."""
        if not isinstance(event, QKeyEvent) or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            return super().eventFilter(watched, event)
        does: dict[Qt.Key, Callable[[], object]] = {
            Qt.Key.Key_Return: partial(self._take, self.table.currentIndex()),
            Qt.Key.Key_Enter: partial(self._take, self.table.currentIndex()),
            Qt.Key.Key_Escape: self.left.emit,
        }
        if watched is self.search:
            does[Qt.Key.Key_Down] = self.table.setFocus
        else:
            does[Qt.Key.Key_Delete] = self._dismiss
        key = Qt.Key(event.key())
        if key not in does or event.type() not in (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress):
            return super().eventFilter(watched, event)
        if event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
        else:
            does[key]()
        return True

    def _dismiss(self) -> None:
        entry = self.current
        if entry is not None and not entry.stack_id:
            self.study_dismissed.emit(entry.source)
