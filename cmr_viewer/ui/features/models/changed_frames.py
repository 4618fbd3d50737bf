"""The frames that change most with a new model, before and after side by side, the worst first."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt, Slot
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolButton, QWidget

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.outlines import outlines_of
from cmr_viewer.promote.judge import FrameChange
from cmr_viewer.promote.runs import points
from cmr_viewer.ui.frame.drawing import grey_image, label_image, outline_paths, screen_pen
from cmr_viewer.ui.frame.thumbnails import window_of
from cmr_viewer.ui.window.theme import icon, image_colour
from cmr_viewer.ui.window.widgets import ICON, column, label, row

_SIDE = 220
_FILL = 0.35
_MARGIN = 0.35
"""Of the heart's box, around it."""

Box = tuple[int, int, int, int]
"""(first row, row after the last, first column, column after the last)."""


class FramePicture(QWidget):
    """A frame with the label map of a model, and the reader's as a white dashed outline.

    Args:
        name: Which model, for screen readers.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._change: FrameChange | None = None
        self._box: Box = (0, 1, 0, 1)
        self._drawn: list[tuple[QPainterPath, QPen]] = []

    def show_frame(self, change: FrameChange | None, labels: LabelMap | None, colours: Mapping[Label, str]) -> None:
        """Show a frame with the label map of a model; None shows nothing."""
        self._change = change
        self._drawn = []
        if change is not None and labels is not None:
            self._box = box_of(change)
            self._image = grey_image(change.pixels, window_of(change.pixels))
            classified = change.region_after is not None
            self._fill = label_image(labels, {} if classified else colours, _FILL)
            ratio = self.devicePixelRatioF()
            if not classified:
                for each, path in outline_paths(outlines_of(labels)).items():
                    self._drawn.append((path, screen_pen(QColor(colours[each]), 1.6, ratio)))
            white = screen_pen(QColor("#ffffff"), 1.3, ratio, [3.0, 3.0])
            self._drawn += [(path, white) for path in outline_paths(outlines_of(change.reference)).values()]
        self.update()

    def sizeHint(self) -> QSize:
        """A square."""
        return QSize(_SIDE, _SIDE)

    def minimumSizeHint(self) -> QSize:
        """Narrow, where there is little room."""
        return QSize(120, _SIDE)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the part around the heart, as large as it fits."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), image_colour("black"))
        if self._change is None:
            return
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        top, bottom, left, right = self._box
        scale = min(self.width() / (right - left), self.height() / (bottom - top))
        painter.translate(self.width() / 2, self.height() / 2)
        painter.scale(scale, scale)
        painter.translate(-(left + right) / 2, -(top + bottom) / 2)
        painter.setClipRect(QRectF(left, top, right - left, bottom - top))
        painter.drawImage(0, 0, self._image)
        painter.drawImage(0, 0, self._fill)
        painter.translate(0.5, 0.5)  # outlines count from the centres of pixels
        for path, pen in self._drawn:
            painter.strokePath(path, pen)


def box_of(change: FrameChange) -> Box:
    """The part of a frame that holds all three label maps, with some room around; the whole frame without labels."""
    rows, cols = change.reference.shape
    marked = (change.reference > 0) | (change.before > 0) | (change.after > 0)
    if not marked.any():
        return 0, rows, 0, cols
    down, across = np.flatnonzero(marked.any(axis=1)), np.flatnonzero(marked.any(axis=0))
    side = (1 + 2 * _MARGIN) * max(int(down[-1] - down[0]) + 1, int(across[-1] - across[0]) + 1)
    middle_row, middle_col = (down[0] + down[-1] + 1) / 2, (across[0] + across[-1] + 1) / 2
    return (
        max(0, int(middle_row - side / 2)),
        min(rows, round(middle_row + side / 2)),
        max(0, int(middle_col - side / 2)),
        min(cols, round(middle_col + side / 2)),
    )


class ChangedFrames(QWidget):
    """One frame at a time, with buttons to the next and the previous.

    Args:
        colours: Gives the colours of the labels, #rrggbb.
    """

    def __init__(self, colours: Callable[[], Mapping[Label, str]]) -> None:
        super().__init__()
        self._colours = colours
        self._changes: Sequence[FrameChange] = ()
        self._names: Mapping[str, str] = {}
        self._at = 0
        self._text = label("", "small", wrap=True)
        self._where = label("", "small", wrap=True)
        self._pictures = (FramePicture("Before"), FramePicture("After"))
        self._captions = (label("", "soft"), label("", "soft"))
        self._back = _button("chevron_left", "Previous changed frame", self.show_previous)
        self._on = _button("chevron_right", "Next changed frame", self.show_next)
        where = row(self._back, self._on, self._where, spacing=4)
        where.setStretch(2, 1)
        sides = [column(*each, spacing=3) for each in zip(self._captions, self._pictures, strict=True)]
        pair = row(*sides, spacing=8)
        for place in range(2):
            pair.setStretch(place, 1)
        self._shown = QWidget()
        self._shown.setLayout(column(where, pair, spacing=6))
        self.setLayout(column(self._text, self._shown, spacing=6))
        self.show_changes((), {}, "")

    @property
    def text(self) -> str:
        """The sentence above the frames."""
        return self._text.text()

    @property
    def where(self) -> str:
        """Which frame is shown, and how it changes."""
        return self._where.text()

    @property
    def captions(self) -> tuple[str, str]:
        """What is written over both pictures."""
        return self._captions[0].text(), self._captions[1].text()

    def show_changes(self, changes: Sequence[FrameChange], names: Mapping[str, str], text: str) -> None:
        """Show other frames.

        Args:
            changes: The largest loss first.
            names: Names of studies, by stack.
            text: What to say where there are none.
        """
        self._changes, self._names, self._at = changes, names, 0
        classified = any(one.region_after is not None for one in changes)
        legend = "The region that each model gives." if classified else "In colour: the model."
        self._text.setText(f"{legend} White, dashed: your label map. The worst frame comes first." if changes else text)
        self._shown.setVisible(bool(changes))
        self._show()

    @Slot()
    def show_previous(self) -> None:
        """Show the frame before."""
        self._go(-1)

    @Slot()
    def show_next(self) -> None:
        """Show the frame after."""
        self._go(1)

    def _go(self, step: int) -> None:
        self._at = min(max(self._at + step, 0), max(len(self._changes) - 1, 0))
        self._show()

    def _show(self) -> None:
        self._back.setEnabled(self._at > 0)
        self._on.setEnabled(self._at + 1 < len(self._changes))
        if not self._changes:
            for picture in self._pictures:
                picture.show_frame(None, None, {})
            self._where.setText("")
            return
        one, colours = self._changes[self._at], self._colours()
        for picture, labels in zip(self._pictures, (one.before, one.after), strict=True):
            picture.show_frame(one, labels, colours)
        for caption, name, region in zip(
            self._captions, ("Before", "After"), (one.region_before, one.region_after), strict=True
        ):
            caption.setText(name if region is None else f"{name}: {_region_text(region, one.region)}")
        name = self._names.get(one.stack_id, "A study no longer in the worklist")
        frame = f"slice {one.frame.slice_index + 1}, phase {one.frame.phase + 1}, {one.region.text.lower()}"
        gain = "" if one.region_after is not None else f": {points(one.gain)} points"
        self._where.setText(f"Frame {self._at + 1} of {len(self._changes)}. {name}, {frame}{gain}")


def _region_text(region: Region, reference: Region) -> str:
    return f"{region.text}, {'right' if region is reference else 'wrong'}"


def _button(name: str, text: str, slot: Callable[[], None]) -> QToolButton:
    button = QToolButton()
    button.setIcon(icon(name))
    button.setIconSize(ICON)
    button.setProperty("part", "boxed")
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setAccessibleName(text)
    button.setToolTip(text)
    button.clicked.connect(slot)
    return button
