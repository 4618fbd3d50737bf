"""All training runs of the workspace on one page, and what came of the one that is chosen."""

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QInputDialog,
    QPushButton,
    QScrollArea,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.role import Role
from cmr_viewer.promote.judge import FrameChange
from cmr_viewer.promote.records import CANDIDATES_SAVED
from cmr_viewer.promote.runs import LearningRun, was_promoted
from cmr_viewer.store.model_registry import PromotionRow
from cmr_viewer.ui.features.models.changed_frames import ChangedFrames
from cmr_viewer.ui.features.models.training_plot import TrainingPlot
from cmr_viewer.ui.window.studies import show_dialog
from cmr_viewer.ui.window.theme import icon
from cmr_viewer.ui.window.widgets import DASH, column, label, row, rule

RULE = (
    f"Models that were in use stay on disk, so that you can roll back. Of each kind, the last {CANDIDATES_SAVED} new "
    "models that were not better stay too; older ones are removed. Their figures stay here."
)
"""The rule of cleaning up, for a reader."""

_RUN_HEADS = ("Date and time", "Model", "Result", "Corrections", "Duration", "Gain in points (95 % interval)")
_RUN_WIDTHS = (134, 128, 168, 122, 76)
_GAIN_HEADS = ("", "Before", "After", "Gain", "95 % interval", "Patients", "Frames")
_GAIN_WIDTHS = (116, 46, 46, 42, 96, 54, 46)
_LINE = 26
_RUNS_SHOWN = 5


class LearningPage(QFrame):
    """The page in the middle of the window that replaces the frame.

    Args:
        colours: Gives the colours of the labels, #rrggbb.

    Attributes:
        curve: Loss of the chosen run.
        changed: The frames that change most.

    Signals:
        run_chosen(object): Another `LearningRun` is shown; its changed frames are wanted.
        use_wanted(object, str): The new model of a `LearningRun` is to be used all the same, with the reason.
        roll_back_wanted(object): The model before the one in use is wanted again; its `Role`.
        left(): The reader goes back to the frame.
    """

    run_chosen = Signal(object)
    use_wanted = Signal(object, str)
    roll_back_wanted = Signal(object)
    left = Signal()

    def __init__(self, colours: Callable[[], Mapping[Label, str]]) -> None:
        super().__init__()
        self.setObjectName("worklist_page")
        self._runs: Sequence[LearningRun] = ()
        self._chosen: int | None = None
        self._idle = True
        self.table = _table("Training runs, newest first", _RUN_HEADS, _RUN_WIDTHS)
        self.table.setToolTip("Up and Down choose a training run")
        self.table.currentCellChanged.connect(self._on_row)
        self._empty = label("", "soft", wrap=True)
        self._title, self._verdict = label("", "title"), label("", wrap=True)
        self.gains = _table("Scores before and after", _GAIN_HEADS, _GAIN_WIDTHS)
        self.gains.setToolTip("Scores in points, averaged over patients whose frames the models had not learned from")
        self.gains.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self._measure, self._guards = label("", "small", wrap=True), label("", "small", wrap=True)
        self._lineage = label("", "small", wrap=True)
        self._lineage.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.use = QPushButton("Use it all the same…")
        self.use.setToolTip("Put this model in use although it was not measurably better; asks for a reason")
        self.use.clicked.connect(self._ask_reason)
        self.back = QPushButton(icon("roll_back"), "Roll back")
        self.back.setToolTip("Use the model before this one again")
        self.back.clicked.connect(self._on_back)
        for button in (self.use, self.back):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._removed = label("", "small", wrap=True)
        self.curve = TrainingPlot()
        self.changed = ChangedFrames(colours)
        self.dialog: QInputDialog | None = None
        close = QPushButton("Close")
        close.setToolTip("Go back to the frame")
        close.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        close.clicked.connect(self.left)
        head = row(label("Learning", "large"), None, close, spacing=10)
        self._details = self._make_details()
        area = QScrollArea()
        area.setWidget(self._details)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = column(
            head, label(RULE, "small", wrap=True), self._empty, self.table, area, spacing=10, margins=(20, 16, 12, 12)
        )
        layout.setStretch(4, 1)
        self.setLayout(layout)
        self.show_runs((), idle=True)

    def _make_details(self) -> QWidget:
        left = column(
            self._title,
            self._verdict,
            row(self.use, self.back, None),
            self._removed,
            self.gains,
            self._measure,
            self._guards,
            rule(),
            self._lineage,
            spacing=8,
        )
        left.addStretch(1)
        right = column(self.changed, self.curve, spacing=10)
        right.addStretch(1)
        both = row(left, right, spacing=16, margins=(0, 0, 8, 0))
        for place in range(2):
            both.setStretch(place, 1)
        content = QWidget()
        content.setLayout(both)
        return content

    # What is shown

    @property
    def chosen(self) -> LearningRun | None:
        """The run that is shown, or None."""
        return next((one for one in self._runs if one.run.id == self._chosen), None)

    @property
    def verdict(self) -> str:
        """The verdict on the run that is shown."""
        return self._verdict.text()

    @property
    def lineage(self) -> str:
        """Where the new model comes from, and what became of it."""
        return self._lineage.text()

    @property
    def guards(self) -> str:
        """What was forgotten."""
        return self._guards.text()

    @property
    def removed(self) -> str:
        """That the new model was removed, or empty."""
        return self._removed.text()

    def show_runs(self, runs: Sequence[LearningRun], *, idle: bool) -> None:
        """Show the runs, and again the one that was chosen; a run that began since comes to the front.

        Args:
            runs: The newest first.
            idle: Whether no training runs.
        """
        newest = {one.run.id for one in runs if one.is_running} - {one.run.id for one in self._runs}
        before = self.chosen
        self._runs, self._idle = runs, idle
        if newest:
            self._chosen = max(newest)
        elif self.chosen is None:
            self._chosen = runs[0].run.id if runs else None
        self.table.blockSignals(True)
        self.table.setRowCount(len(runs))
        for place, one in enumerate(runs):
            for number, text in enumerate(_texts(one)):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                self.table.setItem(place, number, item)
            if one.run.id == self._chosen:
                self.table.setCurrentCell(place, 0)
        self.table.blockSignals(False)
        self.table.setFixedHeight(_height(min(len(runs), _RUNS_SHOWN)))
        self._empty.setText(
            "No model has been trained in this workspace yet. Correct and accept frames of several patients; the panel "
            "Models says what is missing."
        )
        self._empty.setVisible(not runs)
        self.table.setVisible(bool(runs))
        self._details.setVisible(bool(runs))
        chosen = self.chosen
        if chosen is not None and chosen != before:
            self._show(
                chosen, is_new=before is None or before.run.id != chosen.run.id or before.folder != chosen.folder
            )

    @property
    def shows_running(self) -> bool:
        """Whether a training that runs is among the runs."""
        return any(one.is_running for one in self._runs)

    def add_value(self, kind: str, batch: int, value: float) -> None:
        """The training that runs has another value of its curve."""
        chosen = self.chosen
        if chosen is not None and chosen.is_running:
            self.curve.add(kind, batch, value)

    def show_changes(self, run_id: int, changes: Sequence[FrameChange], names: Mapping[str, str], text: str) -> None:
        """Show the changed frames of a run, if it is still the one that is shown.

        Args:
            run_id: The run.
            changes: The largest loss first.
            names: Names of studies, by stack.
            text: What to say where there are none.
        """
        if run_id == self._chosen:
            self.changed.show_changes(changes, names, text)

    def choose(self, run_id: int) -> None:
        """Show a run."""
        place = next((at for at, one in enumerate(self._runs) if one.run.id == run_id), None)
        if place is not None:
            self.table.setCurrentCell(place, 0)

    @Slot(int, int, int, int)
    def _on_row(self, place: int, _column: int, _before: int, _column_before: int) -> None:
        if 0 <= place < len(self._runs):
            self._chosen = self._runs[place].run.id
            self._show(self._runs[place], is_new=True)

    def _show(self, one: LearningRun, *, is_new: bool) -> None:
        self._title.setText(f"{one.role.text}: {one.ending.lower()}")
        self._verdict.setText(one.sentence)
        self._show_gains(one)
        guards = one.guards
        nothing = "" if one.total is None else "Nothing learned before could be checked for what is forgotten yet."
        self._guards.setText("\n".join(("What is forgotten:", *guards)) if guards else nothing)
        self._guards.setVisible(bool(self._guards.text()))
        self._lineage.setText("\n".join(_lineage_lines(one)))
        self.use.setVisible(one.can_be_used)
        self.use.setText("Use it again…" if one.served else "Use it all the same…")
        self.use.setEnabled(self._idle)
        self.back.setVisible(one.in_use)
        self.back.setEnabled(self._idle)
        self._removed.setText(
            f"The new model {one.model_id} was removed from the disk: only the last {CANDIDATES_SAVED} that were not "
            "better stay."
            if one.is_removed
            else ""
        )
        self._removed.setVisible(one.is_removed)
        if is_new:
            if not one.is_running:
                self.curve.show_points({"loss": one.curve}, "No curve was recorded")
            else:
                self.curve.clear()
            self.changed.show_changes((), {}, "")
            self.run_chosen.emit(one)

    def _show_gains(self, one: LearningRun) -> None:
        lines = one.lines
        self.gains.setVisible(bool(lines))
        self.gains.setRowCount(len(lines))
        for place, line in enumerate(lines):
            texts = (
                line.name,
                f"{100 * line.before:.1f}",
                f"{100 * line.after:.1f}",
                line.gain_text,
                line.interval_text or DASH,
                str(line.patients),
                str(line.frames),
            )
            for number, text in enumerate(texts):
                item = QTableWidgetItem(text)
                if number:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.gains.setItem(place, number, item)
        self.gains.setFixedHeight(_height(len(lines)))
        measure = "Share of frames with the right region, in %." if one.role is Role.CLASSIFIER else "Dice, in points."
        who = "Each patient is judged by a model that did not learn from that patient."
        self._measure.setText("\n".join(text for text in (f"{measure} {who}", one.false_text) if text) if lines else "")
        self._measure.setVisible(bool(lines))

    # What the reader does

    @Slot()
    def _on_back(self) -> None:
        if self.chosen is not None:
            self.roll_back_wanted.emit(self.chosen.role)

    @Slot()
    def _ask_reason(self) -> None:
        one = self.chosen
        if one is None:
            return
        self.dialog = dialog = QInputDialog(self.window())
        dialog.setWindowTitle(f"Use {one.model_id}")
        dialog.setLabelText(
            f"The {one.role.text.lower()} in use is replaced by {one.model_id}.\nYour reason, which is saved with your "
            "name and the date:"
        )
        dialog.setOkButtonText("Use this model")
        dialog.textValueSelected.connect(self._on_reason)
        show_dialog(dialog)

    @Slot(str)
    def _on_reason(self, reason: str) -> None:
        reason = " ".join(reason.split())
        if not reason:
            self._ask_reason()
        elif self.chosen is not None:
            self.use_wanted.emit(self.chosen, reason)


def _table(name: str, heads: Sequence[str], widths: Sequence[int]) -> QTableWidget:
    table = QTableWidget(0, len(heads))
    table.setAccessibleName(name)
    table.setHorizontalHeaderLabels(list(heads))
    table.setProperty("part", "narrow")
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setTabKeyNavigation(False)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(_LINE)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    head = table.horizontalHeader()
    head.setProperty("part", "narrow")
    head.setHighlightSections(False)
    head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    head.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    for number, width in enumerate(widths):
        head.resizeSection(number, width)
    head.setStretchLastSection(True)
    return table


def _height(lines: int) -> int:
    """Of a table with so many lines below its heads."""
    return _LINE * (lines + 1) + 8


def _texts(one: LearningRun) -> tuple[str, ...]:
    total = one.total
    gain = DASH
    if total is not None:
        gain = total.gain_text + (f" ({total.interval_text})" if total.interval_text else "")
    return (
        f"{one.run.started_at.astimezone():%Y-%m-%d %H:%M}",
        one.role.text,
        one.ending,
        one.learned_text or DASH,
        one.duration_text or DASH,
        gain,
    )


def _lineage_lines(one: LearningRun) -> list[str]:
    """Where a model comes from, and what became of it, a fact a line."""
    lines = []
    if one.lineage:
        lines.append("Lineage: " + " \N{RIGHTWARDS ARROW} ".join(one.lineage))
    if one.learned_text:
        lines.append(f"Corrections: {one.learned_text}")
    if one.recipe_text:
        lines.append(f"How: {one.recipe_text}")
    fingerprint = one.run.detail.get("fingerprint")
    if fingerprint:
        lines.append(f"Fingerprint of the corrections: {fingerprint}")
    lines += [_decision_text(row, one.model_id) for row in one.decisions]
    return lines


def _decision_text(row: PromotionRow, model_id: str | None) -> str:
    when = f"{row.at.astimezone():%Y-%m-%d %H:%M}"
    chosen = "" if was_promoted(row) else f" by {row.who}: {row.reason}"
    if row.kind == "keep":
        return f"{when}: not put in use"
    if row.kind == "promote" and row.model_id == model_id:
        return f"{when}: put in use{chosen}"
    if row.kind == "promote":
        return f"{when}: replaced by {row.model_id}"
    if row.model_id == model_id:
        return f"{when}: in use again, {row.who} rolled back {row.previous_model_id}"
    return f"{when}: {row.who} rolled back to {row.model_id}"
