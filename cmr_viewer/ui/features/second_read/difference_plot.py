"""Differences of two reads against their means, frame by frame and label by label (Bland and Altman)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QSizePolicy, QWidget

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.evaluate.volumes import LIMITS_SD
from cmr_viewer.review.compare_reads import Comparison
from cmr_viewer.ui.window.plots import PlotPlace, Table, cosmetic
from cmr_viewer.ui.window.theme import STRUCTURE_COLOURS, colour
from cmr_viewer.ui.window.widgets import column, label

_HEIGHT = 190


@dataclass(frozen=True)
class Spot:
    """A label of a frame in both reads.

    Attributes:
        frame: The frame.
        label: The label.
        mean_ml: Mean of both reads.
        ml: Second read minus first read.
    """

    frame: FrameIndex
    label: Label
    mean_ml: float
    ml: float

    @property
    def text(self) -> str:
        """What it is, in words."""
        where = f"Phase {self.frame.phase + 1}, slice {self.frame.slice_index + 1}, {self.label.name}"
        return f"{where}\nMean {self.mean_ml:.1f} ml, difference {self.ml:+.1f} ml".replace("-", "\N{MINUS SIGN}")


class DifferencePlot(QWidget):
    """Each spot is a label of a frame that has a label map in both reads; a click goes to the frame.

    Signals:
        frame_chosen(object): `FrameIndex` of a spot that was clicked.

    Attributes:
        place: Where it is drawn.
        spots: What is drawn.
    """

    frame_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.spots: tuple[Spot, ...] = ()
        self._words = label("", "small", wrap=True)
        self.place = PlotPlace("Difference of the reads against their mean", self, height=_HEIGHT, mouse=True)
        self.place.setToolTip(
            "Second read minus first read, against their mean: volume of a label in a slice\n"
            "Click: go to the frame\nRight-click: save the plot"
        )
        self.setLayout(column(self._words, self.place, spacing=2))
        self.show_comparison(None)

    def show_comparison(self, comparison: Comparison | None) -> None:
        """Show another comparison; None for none."""
        frames = () if comparison is None else comparison.frames
        self.spots = tuple(
            Spot(one.frame, each, difference.mean_ml, difference.ml)
            for one in frames
            if not one.lacking
            for each, difference in one.labels.items()
            if difference.ml is not None and difference.mean_ml is not None and difference.dice is not None
        )
        self.place.show_text("" if self.spots else "No frame with a spacing has a label map in both reads")
        self._words.setText(self.words)
        self._words.setVisible(bool(self.spots))

    @property
    def agreement(self) -> tuple[float, float | None]:
        """Bias, and its 95 % limits as so much more and less, in ml; None for a single spot.

        Source:
            Bland and Altman 1986, Lancet 327:307-310.
        """
        differences = np.array([spot.ml for spot in self.spots])
        return float(differences.mean()), LIMITS_SD * float(differences.std(ddof=1)) if len(differences) > 1 else None

    @property
    def words(self) -> str:
        """Bias and limits of agreement in words; empty where nothing is shown."""
        if not self.spots:
            return ""
        bias, limit = self.agreement
        within = "" if limit is None else f" ± {limit:.2f}"
        text = f"Volume in a slice, second read minus first: {bias:+.2f}{within} ml (bias ± 1.96 SD)."
        return text.replace("-", "\N{MINUS SIGN}")

    def make(self, place: PlotPlace, pg: Any) -> None:
        """Make the spots and the lines of bias and limits."""
        self._plot = place.axes(0, bottom="Mean of both reads (ml)", left="Difference (ml)")
        self._scatter = pg.ScatterPlotItem(size=7, pen=None, hoverable=True, hoverSize=10, tip=_tip, useCache=False)
        self._scatter.sigClicked.connect(self._on_clicked)
        self._lines = [pg.InfiniteLine(angle=0) for _ in range(4)]
        for line in self._lines:
            self._plot.addItem(line, ignoreBounds=True)
        self._plot.addItem(self._scatter)

    def draw(self) -> None:
        """Bring values and colours into them."""
        bias, limit = self.agreement
        heights = (0.0, bias, *(() if limit is None else (bias - limit, bias + limit)))
        for number, line in enumerate(self._lines):
            line.setVisible(number < len(heights))
            if number < len(heights):
                line.setValue(heights[number])
            tint = colour("edge" if number == 0 else "accent")
            line.setPen(cosmetic(tint, 1.0, dashed=number > 1))
        self._scatter.setData(
            [
                {"pos": (spot.mean_ml, spot.ml), "data": spot, "brush": QColor(STRUCTURE_COLOURS[spot.label])}
                for spot in self.spots
            ]
        )
        low, high = min(*heights, *(spot.ml for spot in self.spots)), max(*heights, *(spot.ml for spot in self.spots))
        self._plot.setYRange(low, high if high > low else low + 1.0, padding=0.12)

    def table(self) -> Table:
        """Frame, label, mean and difference."""
        order = {each: number for number, each in enumerate(STRUCTURES)}
        spots = sorted(self.spots, key=lambda spot: (spot.frame, order[spot.label]))
        heads = ["phase", "slice", "label", "mean of both reads (ml)", "second minus first (ml)"]
        rows = [[s.frame.phase + 1, s.frame.slice_index + 1, s.label.name, s.mean_ml, s.ml] for s in spots]
        return Table(heads, rows)

    def _on_clicked(self, _item: object, spots: Any, _event: object) -> None:
        if len(spots):
            self.frame_chosen.emit(spots[0].data().frame)


def _tip(x: float, y: float, data: Spot) -> str:
    return data.text
