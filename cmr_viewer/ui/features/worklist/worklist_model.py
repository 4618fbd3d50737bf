"""The worklist as a table that is sorted by any column and searched; made for tens of thousands of rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from cmr_viewer.file_names import readable
from cmr_viewer.ui.features.worklist.worklist import Progress, WorklistEntry
from cmr_viewer.ui.window.theme import colour
from cmr_viewer.ui.window.widgets import DASH, TIMES

ENTRY = Qt.ItemDataRole.UserRole
"""Role of the `WorklistEntry` of a row."""


class Column(Enum):
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
    NONE = "Without a flag"


_FLAGGED: dict[Flagged, Callable[[WorklistEntry], bool]] = {
    Flagged.ANY: lambda entry: True,
    Flagged.SOME: lambda entry: bool(entry.flags),
    Flagged.WORD: lambda entry: bool(entry.marks.flag),
    Flagged.CHECKS: lambda entry: bool(entry.marks.failed_checks),
    Flagged.REOPENED: lambda entry: bool(entry.marks.reopened),
    Flagged.IMPORTED: lambda entry: bool(entry.marks.imported),
    Flagged.NONE: lambda entry: not entry.flags,
}

_ORDER = {progress: place for place, progress in enumerate(Progress)}
_NEVER = datetime.fromisoformat("0001-01-01T00:00:00+00:00")

_SORTED: dict[Column, Callable[[WorklistEntry], Any]] = {
    Column.NAME: lambda entry: entry.name.casefold(),
    Column.STATUS: lambda entry: (_ORDER[entry.progress], entry.accepted / (entry.frames or 1), entry.drafts),
    Column.READER: lambda entry: entry.marks.readers,
    Column.FLAGS: lambda entry: (not entry.flags, entry.flags),
    Column.OPENED: lambda entry: entry.opened_at or _NEVER,
    Column.SIZE: lambda entry: (entry.phases, entry.slices),
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
    progress: Progress | None = None
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
        self._column: Column | None = None
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
        self._column = list(Column)[column] if column >= 0 else None
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
        return 0 if parent is not None and parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Headings of the columns, and their tooltip."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return list(Column)[section].value
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
                "good" if progress is Progress.FINISHED else "text" if progress is not Progress.WAITING else "soft"
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
