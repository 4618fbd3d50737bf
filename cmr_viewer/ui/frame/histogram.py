"""Grey values of the displayed frame, with handles of window and level."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QSizePolicy, QWidget

from cmr_viewer.ui.window.plots import PlotPlace, Table, cosmetic
from cmr_viewer.ui.window.theme import colour
from cmr_viewer.ui.window.widgets import column

_HEIGHT = 84
_BINS = 96
_LARGEST = 1 << 16
"""Of so many pixels the histogram is made; of a larger frame, of every second or third."""


class Histogram(QWidget):
    """How often each grey value is. The edges of the window are dragged, and the middle moves the level.

    Signals:
        window_dragged(float, float): Window centre and width, in the pixels' own unit.

    Attributes:
        place: Where it is drawn.
    """

    window_dragged = Signal(float, float)

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._pixels: NDArray[Any] | None = None
        self._window, self._range = (0.5, 1.0), (0.0, 1.0)
        self._setting = False
        self.place = PlotPlace("Histogram of the frame", self, height=_HEIGHT, mouse=True)
        self.place.setToolTip(
            "Grey values of this frame\nDrag an edge: window; drag between the edges: level\nRight-click: save the plot"
        )
        self.setLayout(column(self.place))
        self.show_frame(None)

    def show_frame(self, pixels: NDArray[Any] | None) -> None:
        """Show another frame, (row, col) of any real dtype; None for none."""
        self._pixels = pixels
        self.place.show_text("The histogram appears with a study" if pixels is None else "")

    def show_window(self, centre: float, width: float, low: float, high: float) -> None:
        """Show window and level, and the grey values from `low` to `high`, all in the pixels' own unit."""
        self._window, moved = (centre, width), self._range != (low, high)
        self._range = low, high
        if moved:
            self.place.redraw()
        elif self.place.layout_widget is not None and self.place.isVisible():
            self._show_window()

    @property
    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """(bin,) pixels, and (bin + 1,) the grey values between which they are."""
        assert self._pixels is not None
        step = max(1, round((self._pixels.size / _LARGEST) ** 0.5))
        values = self._pixels[::step, ::step]
        counts, edges = np.histogram(values[np.isfinite(values)], _BINS, self._range)
        return counts.astype(np.int64), edges.astype(np.float64)

    def make(self, place: PlotPlace, pg: Any) -> None:
        """Make the bars and the window."""
        self._plot = place.axes(0)
        self._plot.hideAxis("left")
        self._bars = pg.PlotCurveItem(np.zeros(2), np.zeros(1), stepMode="center", fillLevel=0.0, pen=None)
        self._region = pg.LinearRegionItem(swapMode="block")
        self._plot.addItem(self._bars)
        self._plot.addItem(self._region, ignoreBounds=True)
        self._region.sigRegionChanged.connect(self._on_dragged)

    def draw(self) -> None:
        """Bring values and colours into them."""
        if self._pixels is None:
            return
        counts, edges = self.counts
        self._bars.setData(edges, np.sqrt(counts))  # the heart is few pixels among many black ones
        self._bars.setBrush(colour("soft"))
        self._plot.setXRange(*self._range, padding=0.01)
        self._plot.setYRange(0.0, max(1.0, float(np.sqrt(counts.max()))), padding=0.02)
        inside = QColor(colour("accent"))
        inside.setAlphaF(0.18)
        self._region.setBrush(inside)
        inside.setAlphaF(0.28)
        self._region.setHoverBrush(inside)
        for line in self._region.lines:
            line.setPen(cosmetic(colour("accent"), 1.6))
            line.setHoverPen(cosmetic(colour("focus"), 3.0))
        self._show_window()

    def _show_window(self) -> None:
        centre, width = self._window
        self._setting = True
        self._region.setRegion((centre - width / 2, centre + width / 2))
        self._setting = False

    def _on_dragged(self) -> None:
        if not self._setting:
            low, high = self._region.getRegion()
            self.window_dragged.emit((low + high) / 2, max(high - low, 1e-3))

    def table(self) -> Table:
        """Grey values and pixels."""
        counts, edges = self.counts
        rows = [[low, high, count] for low, high, count in zip(edges, edges[1:], counts, strict=False)]
        return Table(["from grey value", "to grey value", "pixels"], rows)
