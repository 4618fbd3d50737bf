"""The reads of the study and how two of them differ; a click on a frame goes there."""

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import QModelIndex, QSize, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QFrame,
    QGridLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QTableView,
    QWidget,
)

from cmr_viewer.domain.measures.patient_measures import text_of, unit_of
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.reads import read_name
from cmr_viewer.review.compare_reads import COMPARED_MEASURES, Comparison
from cmr_viewer.review.what_if import MINUS
from cmr_viewer.store.reads import Read, ReadSummary
from cmr_viewer.ui.features.second_read.comparison_model import FRAME, SORTED_BY, ComparisonModel, DifferenceColumn
from cmr_viewer.ui.features.second_read.difference_plot import DifferencePlot
from cmr_viewer.ui.window.theme import icon
from cmr_viewer.ui.window.widgets import DASH, ICON, action_button, column, label, row, rule, swatch

_READ = Qt.ItemDataRole.UserRole
_WIDTHS = {
    DifferenceColumn.FRAME: 46,
    DifferenceColumn.ML: 37,
    DifferenceColumn.LVBP: 30,
    DifferenceColumn.LVM: 30,
    DifferenceColumn.RVBP: 30,
    DifferenceColumn.HAUSDORFF: 34,
}
_ROW_HEIGHT, _ROWS = 24, 9
_LINE_HEIGHT = 17


def work_text(summary: ReadSummary) -> str:
    """The work in a read, as text."""
    words = [f"{summary.accepted} accepted"]
    words.append("1 edit" if summary.edits == 1 else f"{summary.edits} edits")
    if summary.active_s >= 1:
        minutes, seconds = divmod(round(summary.active_s), 60)
        words.append(f"{minutes} min" if minutes else f"{seconds} s")
    return ", ".join(words)


def signed(value: float) -> str:
    """A difference with its sign, to a tenth; a plain 0.0 where it rounds to none."""
    rounded = round(value, 1)
    return f"{abs(rounded):.1f}" if rounded == 0 else f"{rounded:+.1f}".replace("-", MINUS)


def state_text(read: Read) -> str:
    """The state of a read other than the first, as text."""
    return ("blinded, " if read.blinded else "") + ("finished" if read.is_finished else "not finished")


class ReadsPanel(QWidget):
    """Reads, their measures side by side, and the frames on which they differ.

    Args:
        actions: What a reader can do, by id.

    Signals:
        read_chosen(object): A read is to be shown; its id, or None for the first.
        frame_chosen(object): A frame is to be shown; its `FrameIndex`.
    """

    read_chosen = Signal(object)
    frame_chosen = Signal(object)

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self._reads = QListWidget()
        self._reads.setAccessibleName("Reads of this study")
        self._reads.setToolTip("Double-click or press Enter to show a read")
        self._reads.setProperty("part", "ring")
        self._reads.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._reads.setTextElideMode(Qt.TextElideMode.ElideRight)
        self._reads.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._reads.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._reads.itemActivated.connect(self._on_read)
        buttons = [
            action_button(actions[name]) for name in ("read_begin", "read_compare", "read_adjudicate", "read_finish")
        ]
        for button in buttons:
            button.setProperty("part", "boxed")
        self._head = label("", "small", wrap=True)
        self._measures = QGridLayout()
        self._measures.setHorizontalSpacing(10)
        self._measures.setVerticalSpacing(2)
        self._cells = self._make_cells()
        self._model = ComparisonModel(self)
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSourceModel(self._model)
        self._sorted.setSortRole(SORTED_BY)
        self.table = self._make_table()
        self._export = action_button(actions["comparison_export"])
        self.differences = DifferencePlot()
        self.differences.frame_chosen.connect(self.frame_chosen)
        self._below = QWidget()
        self._below.setLayout(
            column(rule(), self._head, self._measures, self.differences, self.table, row(None, self._export))
        )
        self.setLayout(column(self._reads, row(*buttons[:2], None), row(*buttons[2:], None), self._below, spacing=6))
        self.show_reads((), None, can_choose=False)
        self.show_comparison(None)

    def _make_cells(self) -> dict[str, tuple[QLabel, QLabel, QLabel]]:
        for place, text in enumerate(("", "First", "Second", "Difference")):
            heading = label(text, "small")
            heading.setAlignment(Qt.AlignmentFlag.AlignRight)
            self._measures.addWidget(heading, 0, place)
        cells = {}
        for number, name in enumerate(COMPARED_MEASURES, start=1):
            self._measures.addWidget(label(f"{text_of(name)}, {unit_of(name)}", "small"), number, 0)
            cells[name] = (label(DASH), label(DASH), label(DASH))
            for place, cell in enumerate(cells[name], start=1):
                cell.setAlignment(Qt.AlignmentFlag.AlignRight)
                self._measures.addWidget(cell, number, place)
        return cells

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setModel(self._sorted)
        table.setAccessibleName("Frames on which the reads differ")
        table.setProperty("part", "ring")
        table.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(_ROW_HEIGHT)
        table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        head = table.horizontalHeader()
        head.setMinimumSectionSize(24)
        head.setHighlightSections(False)
        head.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        for number, each in enumerate(DifferenceColumn):
            head.resizeSection(number, _WIDTHS.get(each, 30))
        head.setStretchLastSection(True)
        head.setProperty("part", "narrow")
        table.setProperty("part", "narrow")
        table.setSortingEnabled(True)
        table.sortByColumn(list(DifferenceColumn).index(DifferenceColumn.ML), Qt.SortOrder.DescendingOrder)
        table.setMinimumHeight(_ROWS * _ROW_HEIGHT)
        table.clicked.connect(self._on_frame)
        table.activated.connect(self._on_frame)
        return table

    @property
    def texts(self) -> list[str]:
        """Texts of the list of reads, in its order."""
        return [self._reads.item(number).text() for number in range(self._reads.count())]

    @property
    def frames(self) -> list[FrameIndex]:
        """Frames of the comparison, in the order of the table."""
        rows = range(self._sorted.rowCount())
        return [self._sorted.index(number, 0).data(FRAME).frame for number in rows]

    def measure_texts(self, name: str) -> tuple[str, ...]:
        """First, second and difference of a measure, as they are shown."""
        return tuple(cell.text() for cell in self._cells[name])

    def show_reads(self, summaries: Sequence[ReadSummary], on_show: Read | None, *, can_choose: bool) -> None:
        """Show the reads of the study.

        Args:
            summaries: The reads, the first first.
            on_show: The displayed one; None for the first.
            can_choose: Whether another can be shown.
        """
        self._reads.clear()
        for one in summaries:
            current = (one.read and one.read.id) == (on_show and on_show.id)
            lines = [read_name(one.read, one.readers), work_text(one)]
            if one.read is not None:
                lines = [lines[0].removesuffix(", blinded"), state_text(one.read), lines[1]]
            item = QListWidgetItem("\n".join(lines))
            item.setData(_READ, None if one.read is None else one.read.id)
            item.setIcon(icon("eye" if current else "reads", "accent" if current else "soft"))
            about = f"{read_name(one.read, one.readers)}: {work_text(one)}. "
            tip = f"Started {one.read.started_at.astimezone():%Y-%m-%d %H:%M}. " if one.read is not None else ""
            item.setToolTip(about + tip + ("Shown now" if current else "Double-click to show" if can_choose else ""))
            item.setSizeHint(QSize(100, 8 + _LINE_HEIGHT * len(lines)))
            self._reads.addItem(item)
        self._reads.setVisible(bool(summaries))
        heights = (self._reads.item(number).sizeHint().height() for number in range(self._reads.count()))
        self._reads.setFixedHeight(6 + sum(heights))

    def show_comparison(self, comparison: Comparison | None) -> None:
        """Show how two reads differ; None for no comparison."""
        self._below.setVisible(comparison is not None)
        self._model.show(() if comparison is None else comparison.frames)
        self.differences.show_comparison(comparison)
        if comparison is None:
            self._head.setText("")
            for cells in self._cells.values():
                for cell in cells:
                    cell.setText(DASH)
                    cell.setToolTip("")
            return
        several = len(comparison.disagreements())
        frames = "1 frame differs" if several == 1 else f"{several} frames differ"
        unit = "" if comparison.ml_known else " Spacing not known: differences are in pixels."
        same = comparison.phases[0] == comparison.phases[1]
        ends = "" if same else f" {_ends(comparison)}"
        first, second = comparison.names
        self._head.setText(f"{first} and {second[:1].lower()}{second[1:]}: {frames}.{ends}{unit}")
        for name, cells in self._cells.items():
            one = comparison.measures[name]
            cells[0].setText(DASH if one.first is None else f"{one.first:.1f}")
            cells[1].setText(DASH if one.second is None else f"{one.second:.1f}")
            cells[2].setText(DASH if one.difference is None else signed(one.difference))
            by_phase = one.by_phase
            tip = "Second read minus first read"
            if by_phase:
                tip += f"; {signed(by_phase)} of this because ED or ES is at a different phase"
            cells[2].setToolTip(tip)

    def show_current(self, frame: FrameIndex | None) -> None:
        """Show which frame is displayed."""
        frames = self.frames
        if frame in frames:
            self.table.selectRow(frames.index(frame))
        else:
            self.table.clearSelection()

    def _on_read(self, item: QListWidgetItem) -> None:
        self.read_chosen.emit(item.data(_READ))

    def _on_frame(self, index: QModelIndex) -> None:
        if index.isValid():
            self.frame_chosen.emit(index.data(FRAME).frame)


def _ends(comparison: Comparison) -> str:
    words = []
    for place, mark in enumerate(("ED", "ES")):
        one, other = (pair[place] for pair in comparison.phases)
        if one != other:
            first, second = (DASH if phase is None else str(phase + 1) for phase in (one, other))
            words.append(f"{mark} is at phase {first} in the first read and {second} in the second.")
    return " ".join(words)


class ReadBanner(QFrame):
    """Stays as long as the read is displayed.

    Args:
        actions: What a reader can do, by id.
    """

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("read_banner")
        self._text = label("", "title")
        self._text.setAccessibleName("Current read")
        self._text.setToolTip("Your changes belong to this read")
        self._more = label("", "small")
        self._more.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._keys = tuple((QLabel(), label("", "small")) for _ in range(2))
        self._buttons = {
            name: action_button(actions[name]) for name in ("take_first", "take_second", "read_finish", "read_other")
        }
        for button in self._buttons.values():
            button.setProperty("part", "boxed")
        keys = [one for pair in self._keys for one in pair]
        self.setLayout(row(self._text, *keys, self._more, *self._buttons.values(), spacing=8, margins=(12, 5, 8, 5)))
        self.layout().setStretchFactor(self._more, 1)  # type: ignore[union-attr]
        self.hide()

    @property
    def text(self) -> str:
        """The text."""
        return self._text.text()

    @property
    def more(self) -> str:
        """The small text beside it."""
        return self._more.text()

    def show_read(self, text: str, more: str, beside: Sequence[tuple[str, str]], buttons: frozenset[str]) -> None:
        """Name the displayed read; an empty text for the first.

        Args:
            text: Which.
            more: How far it is.
            beside: Reads whose outlines lie over the frame: colour and name.
            buttons: Ids of the actions that are offered.
        """
        self.setVisible(bool(text))
        self._text.setText(text)
        self._more.setText(more)
        shown = [*beside, *[("", "")] * len(self._keys)][: len(self._keys)]
        for (mark, name), (tint, words) in zip(self._keys, shown, strict=True):
            mark.setVisible(bool(words))
            name.setVisible(bool(words))
            if words:
                mark.setPixmap(swatch(tint).pixmap(ICON))
                name.setText(words)
        for action, button in self._buttons.items():
            button.setVisible(action in buttons)


class ReaderDialog(QDialog):
    """Asks for a reader's name before a read begins.

    Args:
        title: What begins.
        text: What comes of it, in a sentence or two.
        why_not: Why a name will not do, in words; empty if it will.
        asks_blinded: Whether it may be blinded.
        parent: The window.

    Signals:
        wanted(str name, bool blinded): The read is to begin.
    """

    wanted = Signal(str, bool)

    def __init__(
        self,
        title: str,
        text: str,
        why_not: Callable[[str], str],
        *,
        asks_blinded: bool,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self._why_not, self._asks_blinded = why_not, asks_blinded
        self.name = QLineEdit()
        self.name.setAccessibleName("Reader's name")
        self.name.setPlaceholderText("Name of the reader")
        self.name.setToolTip("Recorded with every change in this read")
        self.name.textChanged.connect(self._show_possible)
        self.blinded = QCheckBox("Blinded: the first read is hidden until this read is finished")
        self.blinded.setToolTip(
            "Starts from the models' label maps. Label maps, regions, ED/ES and log of the first read are hidden"
        )
        self.blinded.setChecked(asks_blinded)
        self.blinded.setVisible(asks_blinded)
        self._problem = label("", "small", wrap=True)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.begin = self._buttons.button(QDialogButtonBox.StandardButton.Ok)
        self.begin.setText("Start")
        self.begin.setProperty("part", "primary")
        self._buttons.accepted.connect(self._begin)
        self._buttons.rejected.connect(self.reject)
        form = QFormLayout()
        form.setSpacing(10)
        form.addRow("Reader", self.name)
        self.setLayout(
            column(
                label(title, "title"),
                label(text, "soft", wrap=True),
                form,
                self.blinded,
                self._problem,
                self._buttons,
                spacing=12,
                margins=(18, 16, 18, 14),
            )
        )
        self.setMinimumWidth(500)
        self._show_possible()

    def _show_possible(self) -> None:
        why_not = self._why_not(self.name.text())
        self.begin.setEnabled(not why_not)
        self._problem.setText(why_not if self.name.text().strip() else "")

    def _begin(self) -> None:
        if self.begin.isEnabled():
            self.wanted.emit(self.name.text(), self._asks_blinded and self.blinded.isChecked())
            self.accept()
