"""All studies of the workspace on one page: search, filters, a table, the next unread."""

from collections.abc import Callable, Mapping
from functools import partial

from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt, Signal, Slot
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QAbstractItemView, QComboBox, QFrame, QHeaderView, QTableView

from cmr_viewer.ui.features.worklist.worklist import Progress, Worklist, WorklistEntry
from cmr_viewer.ui.features.worklist.worklist_model import ENTRY, Column, Flagged, Wanted, WorklistModel
from cmr_viewer.ui.window.widgets import action_button, column, label, row, search_line

_ANYBODY = "All readers"
_ANY_STATUS = "Any status"
_WIDTHS = {Column.NAME: 200, Column.STATUS: 170, Column.READER: 130, Column.OPENED: 142, Column.SIZE: 124}


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
        self.status = self._combo("Status", [_ANY_STATUS, *(each.value for each in Progress)])
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
        head.setSectionResizeMode(list(Column).index(Column.FLAGS), QHeaderView.ResizeMode.Stretch)
        for each, width in _WIDTHS.items():
            table.setColumnWidth(list(Column).index(each), width)
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
                None if status == _ANY_STATUS else Progress(status),
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
