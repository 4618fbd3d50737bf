"""The frame as it was beside the frame as it is, with what differs shaded and in ml."""

from collections.abc import Mapping
from enum import StrEnum
from functools import partial

import numpy as np
from PySide6.QtCore import QObject, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QCheckBox, QComboBox, QFrame, QGridLayout, QLabel, QSizePolicy

from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.label_map import LabelMap, empty_label_map
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.study_measures import VolumeChanges, VolumesBefore
from cmr_viewer.review.compare_reads import Difference, difference_map
from cmr_viewer.ui.frame.frame_notes import FrameNotes
from cmr_viewer.ui.frame.frame_view import Box
from cmr_viewer.ui.frame.mouse_tools import Canvas
from cmr_viewer.ui.layouts.desk_layout import DeskLayout
from cmr_viewer.ui.window.feature import Context
from cmr_viewer.ui.window.widgets import DASH, column, label, row, swatch


class Earlier(StrEnum):
    """What the label maps of now are compared with."""

    PREDICTION = "prediction"
    ACCEPTED = "accepted"
    OPENING = "opening"

    @property
    def text(self) -> str:
        """What it is called."""
        return _TEXTS[self]

    @property
    def missing(self) -> str:
        """The text for a frame that has none."""
        return _MISSING[self]


_TEXTS = {
    Earlier.PREDICTION: "Prediction of the model",
    Earlier.ACCEPTED: "Last accepted version",
    Earlier.OPENING: "Version when opened",
}
_MISSING = {
    Earlier.PREDICTION: "No model has segmented this frame",
    Earlier.ACCEPTED: "This frame was never accepted",
    Earlier.OPENING: "There was no label map when the study was opened",
}


class EarlierLabels(QObject):
    """Remembers label maps as they were; they are the session's own arrays, which are replaced and never written to.

    Signals:
        changed(): Accepted versions were read or came.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._opening: dict[FrameIndex, LabelMap | None] = {}
        self._accepted: dict[FrameIndex, LabelMap] = {}
        self._restored = self._asked = False
        session.study.left.connect(self._forget)
        session.study.restored.connect(self._note_opening)
        session.study.frames_changed.connect(self._note_first)
        session.study.frames_accepted.connect(self._note_accepted)

    def of(self, frame: FrameIndex, which: Earlier) -> LabelMap | None:
        """The label map (row, col) of a frame as it was; not to be written to. None where there was none.

        The earlier accepted versions are read when they are first needed; `changed` follows when they are there.
        """
        if self._session.study.stack is None:
            return None
        if which is Earlier.PREDICTION:
            return self._predicted(frame)
        if which is Earlier.ACCEPTED:
            self._ask()
            return self._accepted.get(frame)
        return self._opening.get(frame)

    def _predicted(self, frame: FrameIndex) -> LabelMap | None:
        reading = self._session.study.reading
        if reading is None:
            return None
        record, choice = reading.frames[frame], reading.frames.route_of(frame)
        if choice is not None and choice.empty:
            return empty_label_map(reading.stack.geometry.rows, reading.stack.geometry.cols)
        made = record.base if choice is None else record.predictions.get(choice.model_id, record.base)
        return None if made is None else made.labels

    def _ask(self) -> None:
        reading = self._session.study.reading
        if self._asked or reading is None:
            return
        self._asked = True
        work = partial(self._session.saved.annotations.last_accepted, reading.stack.stack_id, reading.read_id)
        self._session.saving.do("Reading accepted versions", work, on_done=partial(self._take_accepted, reading))

    def _take_accepted(self, reading: OpenStudy, accepted: dict[FrameIndex, LabelMap]) -> None:
        if reading is self._session.study.reading:
            self._accepted = {**accepted, **self._accepted}
            self.changed.emit()

    @Slot()
    def _forget(self) -> None:
        """The study is left."""
        self._opening.clear()
        self._accepted.clear()
        self._restored = self._asked = False

    @Slot()
    def _note_opening(self) -> None:
        """All that is saved of the study is shown now."""
        self._restored = True
        reading = self._session.study.reading
        if reading is not None:
            self._opening = {f: one.labels for f, one in reading.frames.items() if one.labels is not None}

    @Slot(object)
    def _note_first(self, frames: tuple[FrameIndex, ...]) -> None:
        """A frame without a label map is given its first: by a model, or by the reader, who began with nothing."""
        reading = self._session.study.reading
        if not self._restored or reading is None:
            return
        for frame in frames:
            record = reading.frames[frame]
            if frame not in self._opening and record.labels is not None:
                self._opening[frame] = None if record.edited else record.labels

    @Slot(object)
    def _note_accepted(self, frames: tuple[FrameIndex, ...]) -> None:
        reading = self._session.study.reading
        if reading is None:
            return
        for frame in frames:
            record = reading.frames.get(frame)
            if record is not None and record.status is ReviewStatus.ACCEPTED and record.labels is not None:
                self._accepted[frame] = record.labels
        self.changed.emit()


DIFFERENCE_COLOURS: dict[Difference, str] = {
    Difference.ADDED: "#56b4e9",
    Difference.REMOVED: "#d55e00",
    Difference.RELABELLED: "#f0f0f0",
}
"""Sky blue, vermilion and near white, which colour-blind readers distinguish (Okabe and Ito 2008)."""

_LEGEND = {Difference.ADDED: "added", Difference.REMOVED: "removed", Difference.RELABELLED: "other label"}
_FRAME = ((Label.LVBP, "LV pool"), (Label.LVM, "LV wall"), (Label.RVBP, "RV pool"))
_STUDY = (
    ("edv", Label.LVBP, "LV EDV"),
    ("esv", Label.LVBP, "LV ESV"),
    ("edv", Label.RVBP, "RV EDV"),
    ("esv", Label.RVBP, "RV ESV"),
)


class ComparisonFoot(QFrame):
    """Chooser, legend and figures.

    Signals:
        chosen(object Earlier): Version to compare with.
        shading_chosen(bool): Whether the difference is shaded.
    """

    chosen = Signal(object)
    shading_chosen = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("foot")
        self.chooser = QComboBox()
        for one in Earlier:
            self.chooser.addItem(one.text, one)
        self.chooser.setAccessibleName("Version to compare with")
        self.chooser.setToolTip("Version shown on the left")
        self.chooser.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.chooser.activated.connect(self._choose)
        self.shading = QCheckBox("Shade differences")
        self.shading.setChecked(True)
        self.shading.setToolTip("Colour the pixels that differ in the right image")
        self.shading.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.shading.toggled.connect(self.shading_chosen)
        self._why = label("", "small")
        self._why.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        legend = [self._legend_of(one) for one in DIFFERENCE_COLOURS]
        self._figures: dict[str, QLabel] = {}
        figures = QGridLayout()
        figures.setHorizontalSpacing(14)
        figures.setVerticalSpacing(1)
        self._add_group(figures, 0, "This frame", [text for _, text in _FRAME])
        figures.setColumnMinimumWidth(len(_FRAME) + 1, 10)
        self._add_group(figures, len(_FRAME) + 2, "Study", [text for _, _, text in _STUDY])
        figures.setColumnStretch(len(_FRAME) + len(_STUDY) + 3, 1)
        top = row(label("Before:", "soft"), self.chooser, self._why, self.shading, *legend, spacing=8)
        top.setStretch(2, 1)
        self.setLayout(column(top, figures, spacing=7, margins=(12, 7, 12, 8)))

    def _legend_of(self, difference: Difference) -> QFrame:
        whole, mark = QFrame(), QLabel()
        mark.setPixmap(swatch(DIFFERENCE_COLOURS[difference], 12).pixmap(12, 12))
        whole.setLayout(row(mark, label(_LEGEND[difference], "small"), spacing=4))
        return whole

    def _add_group(self, grid: QGridLayout, at: int, head: str, names: list[str]) -> None:
        grid.addWidget(label(f"{head}\nin ml", "small"), 0, at, 2, 1)
        for offset, name in enumerate(names, at + 1):
            figure = label(DASH, "figure")
            figure.setAccessibleName(f"{head}: change of {name}")
            figure.setMinimumWidth(figure.fontMetrics().horizontalAdvance("+888.8") + 8)
            grid.addWidget(label(name, "small"), 0, offset)
            grid.addWidget(figure, 1, offset)
            self._figures[name] = figure

    def show_choice(self, earlier: Earlier) -> None:
        """Show the version to compare with."""
        self.chooser.setCurrentIndex(list(Earlier).index(earlier))

    def show_changes(self, changes: VolumeChanges | None, now: Mapping[str, float | None]) -> None:
        """The difference in ml.

        Args:
            changes: Changes of the volumes; None without a study.
            now: Volumes as they are now by "lv_edv_ml" and so on; None where one is not known.
        """
        self._why.setText("" if changes is None else changes.why_not)
        self._why.setToolTip(self._why.text())
        for key, text in _FRAME:
            self._show(text, None if changes is None else changes.frame_ml.get(key), None)
        for mark, key, text in _STUDY:
            volumes = None if changes is None else (changes.edv_ml if mark == "edv" else changes.esv_ml)
            side = "lv" if key is Label.LVBP else "rv"
            self._show(text, None if volumes is None else volumes.get(key), now.get(f"{side}_{mark}_ml"))

    def _show(self, name: str, change_ml: float | None, now_ml: float | None) -> None:
        figure = self._figures[name]
        figure.setText(DASH if change_ml is None else signed(change_ml))
        tip = f"Change of {name}: after minus before"
        if change_ml is not None and now_ml is not None:
            tip = f"{name}: {now_ml - change_ml:.1f} ml before, {now_ml:.1f} ml after"
        figure.setToolTip(tip)

    def figure(self, name: str) -> str:
        """The figure for a volume, such as "LV EDV"."""
        return self._figures[name].text()

    def _choose(self, index: int) -> None:
        self.chosen.emit(self.chooser.itemData(index))


def signed(value: float) -> str:
    """A difference to a tenth, with its sign where it is not 0."""
    shown = f"{abs(value):.1f}"
    sign = "" if float(shown) == 0 else "+" if value > 0 else "\N{MINUS SIGN}"
    return sign + shown


_SHADE_OPACITY = 0.6


class BeforeAfterLayout(DeskLayout):
    """Left what was, which is looked at only; right what is, which is corrected."""

    def __init__(self, context: Context, parent: QObject) -> None:
        super().__init__(context, parent)
        self.earlier = EarlierLabels(context.session, self)
        self.foot = ComparisonFoot()
        self._comparing = VolumesBefore()
        self._which = Earlier(context.settings.before)
        self._shaded: tuple[QImage, QRectF] | None = None
        self._on = False
        self.foot.show_choice(self._which)
        self.foot.chosen.connect(self._choose)
        self.foot.shading_chosen.connect(self._shade)
        self.earlier.changed.connect(self._show_earlier)
        context.session.study.measures_changed.connect(self._show_measures)

    def begin(self) -> None:
        """Show both."""
        self._on = True
        self.context.parts.view.add_overlay(self._paint)
        places = self.context.parts.places
        places.show_beside(places.second, self.foot)
        self.show_frame()

    def end(self) -> None:
        """The present frame stays."""
        self._on = False
        self.context.parts.view.remove_overlay(self._paint)

    def drop_study(self) -> None:
        """Nothing of it counts any more."""
        self._comparing.forget()
        self._shaded = None
        self.context.parts.places.second.clear()
        self.foot.show_changes(None, {})

    @Slot(object)
    def _choose(self, which: Earlier) -> None:
        self._which = Earlier(which)
        self.context.settings.before = str(self._which)
        self.show_frame()

    @Slot()
    def _show_earlier(self) -> None:
        second = self.context.parts.places.second
        for frame in () if self.stack is None else self.stack.frame_indices:
            second.forget_labels((Earlier.ACCEPTED, frame))
        if self._on:
            self.show_frame()

    @Slot()
    def _show_measures(self) -> None:
        if self._on:
            self._show_figures()

    @Slot(bool)
    def _shade(self, _on: bool) -> None:
        self._show_difference()

    def _before(self, frame: FrameIndex) -> LabelMap | None:
        return self.earlier.of(frame, self._which)

    def show_frame(self) -> None:
        """Show the frame as it was, and what differs."""
        stack, frame, second = self.stack, self.context.desk.frame, self.context.parts.places.second
        if stack is None:
            return
        geometry, before = stack.geometry, self._before(frame)
        second.show_frame(
            stack.frame(frame), geometry.pixel_spacing_mm, spacing_known=geometry.spacing_known, key=frame
        )
        second.show_labels(before, key=(self._which, frame))
        second.follow()
        second.set_border(None)
        second.set_notes(
            FrameNotes(place="Before", time=self._which.text, state=self._which.missing if before is None else "")
        )
        self._show_difference()

    def show_changes(self, frames: tuple[FrameIndex, ...]) -> None:
        """What is after follows."""
        for frame in frames:
            for which in Earlier:
                self.context.parts.places.second.forget_labels((which, frame))
        if self._on and not self.context.desk.painting:
            if self.context.desk.frame in frames:
                self.show_frame()
            else:
                self._show_figures()

    def show_stroke(self, box: Box) -> None:
        """The difference follows the brush."""
        self._show_difference()

    def show_marks(self) -> None:
        """Other phases are ED and ES."""
        self._show_figures()

    def show_look(self) -> None:
        """Masks may be hidden."""
        self.context.parts.view.update()

    def _show_difference(self) -> None:
        view, before_area = self.context.parts.view, None if self._shaded is None else self._shaded[1]
        self._shaded = self._shading() if self.foot.shading.isChecked() else None
        for area in (before_area, None if self._shaded is None else self._shaded[1]):
            if area is not None:
                view.redraw(area)
        self._show_figures()

    def _shading(self) -> tuple[QImage, QRectF] | None:
        """The pixels that differ, as an image of their box and its place, x = col and y = row."""
        frame, stack = self.context.desk.frame, self.stack
        before = self._before(frame)
        if stack is None or before is None:
            return None
        now = self.context.session.study.frame_state(frame).labels
        now = empty_label_map(*before.shape) if now is None else now
        differs = before != now
        rows, cols = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
        if not len(rows):
            return None
        box = np.s_[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
        packed = np.ascontiguousarray(_SHADES[difference_map(before[box], now[box])])
        high, wide = packed.shape
        image = QImage(packed.data, wide, high, wide * 4, QImage.Format.Format_ARGB32_Premultiplied).copy()
        return image, QRectF(cols[0] - 0.5, rows[0] - 0.5, wide, high)

    def _paint(self, painter: QPainter, canvas: Canvas) -> None:
        if self._shaded is not None and not self.context.parts.view.hides_labels:
            image, area = self._shaded
            painter.drawImage(area, image)

    def _show_figures(self) -> None:
        reading = self.context.session.study.reading
        if reading is not None:
            changes = self._comparing.changes(reading, self.context.desk.frame, self._before)
            self.foot.show_changes(changes, self.context.session.study.measures.values)


def _premultiplied(tint: str) -> int:
    seen = QColor(tint)
    parts = (round(_SHADE_OPACITY * part) for part in (seen.red(), seen.green(), seen.blue()))
    red, green, blue = parts
    return round(255 * _SHADE_OPACITY) << 24 | red << 16 | green << 8 | blue


_SHADES = np.array(
    [0, *(_premultiplied(DIFFERENCE_COLOURS[one]) for one in Difference if one is not Difference.NONE)], np.uint32
)
