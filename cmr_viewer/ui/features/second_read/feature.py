# ruff: noqa: E501 - one row per action reads as a table
"""Second reads, comparison and adjudication in the window."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QPainter, QPainterPath
from PySide6.QtWidgets import QFileDialog, QMessageBox

from cmr_viewer.app.reads import FIRST, SECOND
from cmr_viewer.app.session import Session
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.outlines import outlines_of
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.export.tables import write_comparison
from cmr_viewer.progress import Progress
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.reads import BothReads, both_reads, read_name
from cmr_viewer.review.compare_reads import AGREEMENT_DICE, Comparison
from cmr_viewer.review.queue import Next
from cmr_viewer.store.reads import Read, ReadKind, ReadSummary
from cmr_viewer.ui.features.second_read.panel import ReadBanner, ReaderDialog, ReadsPanel
from cmr_viewer.ui.frame.drawing import outline_paths, screen_pen
from cmr_viewer.ui.frame.mouse_tools import Canvas
from cmr_viewer.ui.window.actions import ActionSpec, Menu
from cmr_viewer.ui.window.feature import Context, Feature, Wire
from cmr_viewer.ui.window.layout import Page
from cmr_viewer.ui.window.studies import show_study_dialog
from cmr_viewer.ui.window.widgets import swatch


def comparable(summaries: tuple[ReadSummary, ...]) -> tuple[ReadSummary, ...]:
    """Reads that may be compared with the first: second ones that are finished, or were never blinded."""
    return tuple(
        one
        for one in summaries
        if one.read is not None and one.read.kind is ReadKind.SECOND and (one.read.is_finished or not one.read.blinded)
    )


class Comparing(QObject):
    """Compares the first read of the open study with another, as both are saved.

    Signals:
        changed(): `both` is new.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._of: tuple[str, BothReads] | None = None

    @property
    def both(self) -> BothReads | None:
        """Both reads of the study that is open; None while they were not compared, or one is read blinded."""
        stack = self._session.study.stack
        if self._of is None or stack is None or self._session.study.is_blinded:
            return None
        stack_id, both = self._of
        return both if stack_id == stack.stack_id else None

    def compare(self, second_id: int) -> None:
        """Compare with a read; `changed` follows when it is done. Not while the displayed read is blinded."""
        session, reading = self._session, self._session.study.reading
        if reading is None or session.study.is_blinded:
            return
        work = partial(both_reads, session.saved, reading.study, second_id)
        session.saving.do("Comparing the reads", work, on_done=partial(self._take, reading))

    def _take(self, reading: OpenStudy, both: BothReads) -> None:
        if reading is self._session.study.reading and not self._session.study.is_blinded:
            self._of = reading.stack.stack_id, both
            self.changed.emit()


READ_COLOURS = ("#4fc3f7", "#f48fd0")
"""Of the first and of the second read: light blue and pink, which all eyes distinguish from one another and from the colours of labels."""


class ReadOverlay:
    """Draws up to two label maps as dashed outlines; given to `FrameView.add_overlay`."""

    def __init__(self) -> None:
        self._paths: tuple[tuple[QColor, QPainterPath], ...] = ()

    @property
    def count(self) -> int:
        """How many label maps are drawn."""
        return len(self._paths)

    def show(self, label_maps: Sequence[LabelMap | None]) -> None:
        """Draw the label maps (row, col) of the first and the second read; None for none."""
        made = []
        for tint, labels in zip(READ_COLOURS, label_maps, strict=False):
            if labels is not None and labels.any():
                path = QPainterPath()
                for one in outline_paths(outlines_of(labels)).values():
                    path.addPath(one)
                made.append((QColor(tint), path))
        self._paths = tuple(made)

    def __call__(self, painter: QPainter, canvas: Canvas) -> None:
        """Draw them, x = col and y = row."""
        ratio = canvas.screen_ratio()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(screen_pen(QColor(0, 0, 0, 150), 3.2, ratio))
        for _tint, path in self._paths:
            painter.drawPath(path)
        for number, (tint, path) in enumerate(self._paths):
            pen = screen_pen(tint, 2.0, ratio, [4, 4])
            pen.setDashOffset(4.0 * number)  # where both run together, their dashes alternate
            painter.setPen(pen)
            painter.drawPath(path)


COMPARISON_KEY = "comparison"
REFRESH_MS = 1500
"""What was done in each read is counted anew so long after a change, where it can be seen."""


class AdjudicationOrder:
    """While reads are adjudicated, the next frame is the one that they differ in by most millilitres."""

    def __init__(self, context: Context) -> None:
        self._session = context.session

    def next_frame(self, current: FrameIndex | None) -> Next | None:
        """The next frame that is not decided, and why."""
        for one in self._session.reads.left_to_adjudicate():
            if one.frame != current:
                text = f"The reads differ by {one.amount}, Dice {one.lowest_dice:.2f}."
                return Next(one.frame, f"{text} Their regions differ." if one.regions_differ else text)
        return None


class SecondReadFeature(Feature):
    """Begins, shows, finishes, compares and adjudicates reads.

    Attributes:
        dialog: The dialog that asks for a reader, while it is open.
        question: The question before something that cannot be undone, while it is open.
    """

    # fmt: off
    specs = (
        ActionSpec("read_begin", "Start secon&d read…", ("Ctrl+Alt+B",), "Let another reader read this study, blinded or not", Menu.REVIEW, icon="reads", section=4, short="Second read"),
        ActionSpec("read_other", "Show other &read", ("Ctrl+Alt+R",), "Switch between the first read and the latest other read", Menu.REVIEW, section=4, short="Other read"),
        ActionSpec("read_finish", "&Finish read", ("Ctrl+Alt+F",), "Finish the displayed second read or adjudication; it can no longer be changed", Menu.REVIEW, icon="check", section=4, short="Finish"),
        ActionSpec("read_compare", "Compare reads", ("Ctrl+Alt+C",), "Compare the first and second read frame by frame", Menu.REVIEW, section=4, short="Compare"),
        ActionSpec("comparison_export", "Export comparison…", (), "Export the comparison of the reads as CSV or JSON", Menu.REVIEW, icon="export", section=4, short="Export"),
        ActionSpec("read_adjudicate", "Ad&judicate reads…", ("Ctrl+Alt+J",), "Decide where the reads differ; frames on which they agree are copied", Menu.REVIEW, section=5, short="Adjudicate"),
        ActionSpec("take_first", "Use first read", ("Alt+1",), "Use this frame from the first read and accept it", Menu.REVIEW, section=5, short="Use first"),
        ActionSpec("take_second", "Use second read", ("Alt+2",), "Use this frame from the second read and accept it", Menu.REVIEW, section=5, short="Use second"),
        ActionSpec("read_outlines", "O&utlines of other reads", ("Shift+V",), "Show the other reads with dashed outlines", Menu.REVIEW, checkable=True, section=5, short="Outlines"),
    )
    # fmt: on

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.comparing = Comparing(context.session, self)
        self.panel = ReadsPanel(context.actions)
        for name, tint in zip(("take_first", "take_second"), READ_COLOURS, strict=True):
            context.actions[name].setIcon(swatch(tint))
        self.banner = ReadBanner(context.actions)
        self.overlay = ReadOverlay()
        self.dialog: ReaderDialog | None = None
        self.question: QMessageBox | None = None
        self._own_order = context.session.study.review_order
        self._order = AdjudicationOrder(context)
        self._folder = Path.home()
        context.parts.side.add_section(Page.REVIEW, "Reads", self.panel)
        context.parts.add_banner(self.banner)
        context.parts.view.add_overlay(self.overlay)
        context.actions["read_outlines"].setChecked(True)
        self._stale = QTimer(self, singleShot=True, interval=REFRESH_MS)
        self._stale.timeout.connect(self._ask_again)
        self.panel.installEventFilter(self)

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """What its actions do."""
        return {
            "read_begin": self.ask_second,
            "read_other": self.show_other,
            "read_finish": self.ask_finish,
            "read_compare": self.compare,
            "comparison_export": self.ask_export,
            "read_adjudicate": self.ask_adjudicator,
            "take_first": self.take_first,
            "take_second": self.take_second,
            "read_outlines": self.refresh_overlay,
        }

    def toggled(self) -> frozenset[str]:
        """Those that follow the state."""
        return frozenset({"read_outlines"})

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        session = self.context.session
        return (
            (session.reads.changed, self.refresh),
            (session.study.history_changed, self._stale.start),
            (session.study.frames_changed, self._take_changes),
            (session.study.frames_accepted, self._take_changes),
            (session.study.analysed, self.context.refresh_possible),
            (self.comparing.changed, self._show_comparison),
            (self.panel.read_chosen, self.show_read),
            (self.panel.frame_chosen, self._go),
            (self.panel.differences.place.message, self.context.show_message),
            (self.context.desk.frame_changed, self._show_frame),
        )

    def drop_study(self) -> None:
        """No reads, no comparison and no outlines of another read."""
        self._stale.stop()
        self.refresh()

    def possible(self) -> Mapping[str, bool]:
        """What can be done with the reads now."""
        session = self.context.session
        read, both = session.study.read, session.reads.both
        other = self._other()
        ready = bool(comparable(session.reads.summaries))
        adjudicating = both is not None and session.study.can_change
        return {
            "read_begin": read is None and not session.models.is_analysing and bool(session.reads.summaries),
            "read_other": read is not None or other is not None,
            "read_finish": read is not None and session.study.can_change,
            "read_compare": ready and not session.study.is_blinded,
            "comparison_export": self.comparing.both is not None,
            "read_adjudicate": self._finished_second() is not None
            and not session.study.is_blinded
            and (read is None or read.kind is not ReadKind.ADJUDICATION or read.is_finished),
            "take_first": adjudicating,
            "take_second": adjudicating,
            "read_outlines": bool(session.reads.beside),
        }

    # -- reads ---------------------------------------------------------------------------------------------------------

    @Slot()
    def ask_second(self) -> None:
        """Ask who reads for the second time."""
        text = (
            "Your changes belong to the second read, under the name below, until you show another read. The first read "
            "does not change."
        )
        why_not = self.context.session.reads.why_not_second_reader
        self._ask(ReaderDialog("Second read", text, why_not, asks_blinded=True, parent=self.context.window))
        assert self.dialog is not None
        self.dialog.wanted.connect(self._begin_second)

    @Slot(str, bool)
    def _begin_second(self, name: str, blinded: bool) -> None:
        self.context.session.reads.begin_second(name, blinded=blinded)

    @Slot()
    def ask_adjudicator(self) -> None:
        """Ask who adjudicates."""
        text = (
            f"Frames on which both reads agree (same region, Dice of every label {AGREEMENT_DICE:g} or more) are "
            "copied. For each of the others, use the first read, use the second read, or draw your own. The frame with "
            "the most millilitres comes first."
        )
        self._ask(ReaderDialog("Adjudication", text, _needs_name, asks_blinded=False, parent=self.context.window))
        assert self.dialog is not None
        self.dialog.wanted.connect(self._begin_adjudication)

    @Slot(str, bool)
    def _begin_adjudication(self, name: str, _blinded: bool) -> None:
        second = self._finished_second()
        if second is not None:
            self.context.session.reads.begin_adjudication(name, second)

    def _ask(self, dialog: ReaderDialog) -> None:
        self.dialog = dialog
        dialog.finished.connect(self._forget_dialog)
        show_study_dialog(dialog)

    @Slot()
    def _forget_dialog(self) -> None:
        self.dialog = None

    @Slot()
    def show_other(self) -> None:
        """Show the first read, or from there the last other one."""
        other = self._other()
        if self.context.session.study.read is not None:
            self.show_read(None)
        elif other is not None:
            self.show_read(other.id)

    @Slot(object)
    def show_read(self, read_id: int | None) -> None:
        """Show a read; whoever is blinded is asked first, as it cannot be unseen."""
        session = self.context.session
        if session.study.is_blinded and (session.study.read is None or read_id != session.study.read.id):
            self._question(
                "Show the first read?",
                "This read is blinded and not finished. Once you have seen the first read, you are no longer blinded. "
                "The log records that it was shown. Continue if you are the first reader.",
                "Show",
                partial(session.reads.show, read_id),
            )
        else:
            session.reads.show(read_id)

    @Slot()
    def ask_finish(self) -> None:
        """Finish the displayed read; where frames at ED or ES are not accepted, a question names them first."""
        session = self.context.session
        lacking = session.reads.lacking()
        ends = session.study.ed_phase is None or session.study.es_phase is None
        if not lacking and not ends:
            session.reads.finish()
            return
        text = "ED or ES is not known." if ends else ""
        if lacking:
            slices = ", ".join(f"{f.slice_index + 1} (phase {f.phase + 1})" for f in lacking[:8])
            more = f" and {len(lacking) - 8} more" if len(lacking) > 8 else ""
            several = "1 frame at ED or ES is" if len(lacking) == 1 else f"{len(lacking)} frames at ED or ES are"
            text = f"{text} {several} not accepted: slices {slices}{more}.".strip()
        text += " A finished read cannot be changed."
        self._question("Finish the read as it is?", text, "Finish", session.reads.finish)

    def _question(self, title: str, text: str, yes: str, do: Callable[[], object]) -> None:
        question = QMessageBox(QMessageBox.Icon.Question, title, title, parent=self.context.window)
        question.setInformativeText(text)
        question.addButton(QMessageBox.StandardButton.Cancel)
        go_on = question.addButton(yes, QMessageBox.ButtonRole.AcceptRole)
        go_on.clicked.connect(do)
        question.finished.connect(self._forget_question)
        self.question = question
        show_study_dialog(question)

    @Slot()
    def _forget_question(self) -> None:
        self.question = None

    def _other(self) -> Read | None:
        """The last read that is not the first; None where there is none."""
        reads = [one.read for one in self.context.session.reads.summaries if one.read is not None]
        return reads[-1] if reads else None

    def _finished_second(self) -> int | None:
        reads = [one.read for one in comparable(self.context.session.reads.summaries) if one.read is not None]
        done = [one.id for one in reads if one.is_finished]
        return done[-1] if done else None

    # -- comparison ----------------------------------------------------------------------------------------------------

    @Slot()
    def compare(self) -> None:
        """Compare the first read with the last second one, and show it."""
        reads: tuple[ReadSummary, ...] = comparable(self.context.session.reads.summaries)
        if reads and reads[-1].read is not None:
            self.context.parts.side.show_page(Page.REVIEW)
            self.comparing.compare(reads[-1].read.id)

    @Slot()
    def ask_export(self) -> None:
        """Ask for the file that the comparison goes to."""
        study, both = self.context.session.study.data, self.comparing.both
        if study is None or both is None:
            return
        chosen, _ = QFileDialog.getSaveFileName(
            self.context.window,
            "Export the comparison",
            str(self._folder / f"{study.name}-reads.csv"),
            "Tables (*.csv);;JSON (*.json)",
        )
        if chosen and self.context.session.study.data is study:
            self.export(Path(chosen))

    def export(self, path: Path) -> None:
        """Write the comparison beside the window."""
        study, both = self.context.session.study.data, self.comparing.both
        if study is None or both is None:
            return
        self._folder = path.parent
        self.context.session.jobs.submit(
            COMPARISON_KEY,
            f"Writing {path.name}",
            partial(_write, path, both.comparison),
            on_finished=partial(self._on_written, study),
            on_failed=partial(self.context.show_message_about, study, "error"),
            outlives_study=True,
        )

    def _on_written(self, study: Study, path: Path) -> None:
        self.context.show_message_about(study, "info", f"The comparison was written to {path}.")

    @Slot()
    def _show_comparison(self) -> None:
        both = self.context.session.reads.both or self.comparing.both
        self.panel.show_comparison(None if both is None else both.comparison)
        self._show_frame()
        self.context.refresh_possible()

    # -- adjudication --------------------------------------------------------------------------------------------------

    @Slot()
    def take_first(self) -> None:
        """This frame is as the first read has it; on to the next."""
        self._take(FIRST)

    @Slot()
    def take_second(self) -> None:
        """This frame is as the second read has it; on to the next."""
        self._take(SECOND)

    def _take(self, which: int) -> None:
        session, desk = self.context.session, self.context.desk
        desk.player.stop()
        session.reads.take_from(which, desk.frame)

    # -- what is shown -------------------------------------------------------------------------------------------------

    @Slot(object)
    def _take_changes(self, _frames: object) -> None:
        self._show_banner()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The list of reads comes into sight: what was done meanwhile is counted."""
        if watched is self.panel and event.type() is QEvent.Type.Show:
            self._stale.start(0)
        return False

    @Slot()
    def _ask_again(self) -> None:
        self._stale.setInterval(REFRESH_MS)
        if self.panel.isVisible() and self.context.session.study.stack is not None:
            self.context.session.reads.refresh()

    @Slot()
    def refresh(self) -> None:
        """The reads have changed, or another is displayed."""
        session = self.context.session
        adjudicating = session.reads.both is not None and session.study.can_change
        if session.study.review_order is not self._order:
            self._own_order = session.study.review_order
        session.study.review_order = self._order if adjudicating else self._own_order
        self.panel.show_reads(session.reads.summaries, session.study.read, can_choose=not session.study.is_blinded)
        self._show_banner()
        self._show_comparison()
        self.context.desk.next_changed.emit()

    def _show_banner(self) -> None:
        session, read = self.context.session, self.context.session.study.read
        if read is None:
            self.banner.show_read("", "", (), frozenset())
            return
        if read.is_finished:
            self.banner.show_read(read_name(read), "finished, read-only", (), frozenset({"read_other"}))
            return
        beside = [(tint, one.name) for tint, one in zip(READ_COLOURS, session.reads.beside, strict=False)]
        buttons = {"read_finish", "read_other"}
        more = ""
        if session.reads.both is not None:
            left, of = len(session.reads.left_to_adjudicate()), len(session.reads.both.comparison.disagreements())
            more = f"{of - left} of {of} decided"
            beside = []  # the buttons have the colours
            buttons = {"take_first", "take_second", "read_finish"}
        self.banner.show_read(read_name(read), more, beside, frozenset(buttons))

    @Slot()
    def _show_frame(self) -> None:
        stack, frame = self.context.session.study.stack, self.context.desk.frame
        self.panel.show_current(None if stack is None else frame)
        self.refresh_overlay()

    @Slot()
    def refresh_overlay(self) -> None:
        """Draw the outlines of the reads beside, where they are wanted."""
        session, frame = self.context.session, self.context.desk.frame
        maps = [one.frames[frame].labels if frame in one.frames else None for one in session.reads.beside]
        self.overlay.show(maps if self.context.actions["read_outlines"].isChecked() else ())
        self.context.parts.view.redraw()

    @Slot(object)
    def _go(self, frame: FrameIndex) -> None:
        self.context.desk.player.stop()
        self.context.desk.go(frame)


def _needs_name(name: str) -> str:
    return "" if name.strip() else "Enter the name of the adjudicator."


def _write(path: Path, comparison: Comparison, progress: Progress) -> Path:
    progress(0.0, f"Writing {path.name}")
    return write_comparison(path, comparison)
