"""The frame as it was beside the frame as it is, with what differs shaded and in ml."""

import numpy as np
from PySide6.QtCore import QObject, QRectF, Slot
from PySide6.QtGui import QColor, QImage, QPainter

from cmr_viewer.domain.label_map import LabelMap, empty_label_map
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.study_measures import VolumesBefore
from cmr_viewer.review.compare_reads import Difference, difference_map
from cmr_viewer.ui.frame.frame_notes import FrameNotes
from cmr_viewer.ui.frame.frame_view import Box
from cmr_viewer.ui.frame.mouse_tools import Canvas
from cmr_viewer.ui.layouts.comparison_foot import DIFFERENCE_COLOURS, ComparisonFoot
from cmr_viewer.ui.layouts.desk_layout import DeskLayout
from cmr_viewer.ui.layouts.earlier_labels import Earlier, EarlierLabels
from cmr_viewer.ui.window.feature import Context

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
        """The pixels that differ, as an image of their box and where it lies, x = col and y = row."""
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
