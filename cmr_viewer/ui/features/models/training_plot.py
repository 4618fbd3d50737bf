"""How a training goes: loss and validation score of each batch, live."""

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from cmr_viewer.ui.window.plots import PlotPlace, Table, cosmetic
from cmr_viewer.ui.window.theme import colour
from cmr_viewer.ui.window.widgets import column

_HEIGHT = 132
_SCORE_HEIGHT = 110


class TrainingPlot(QWidget):
    """Loss above, validation score below on the same batches; the score is there once one was reported.

    Attributes:
        place: Where it is drawn.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._points: dict[str, list[tuple[int, float]]] = {"loss": [], "validation": []}
        self.place = PlotPlace("Training curves", self, height=_HEIGHT, mouse=False)
        self.setToolTip(
            "Loss of each batch. First come the trainings that judge, each without a part of the patients, then the "
            "new model, which learns from all\nRight-click: save the plot"
        )
        self.setLayout(column(self.place))
        self.clear()

    def clear(self) -> None:
        """Another training begins."""
        self.show_points({}, "The curve appears with the first batches")

    def show_points(self, points: Mapping[str, Sequence[tuple[int, float]]], text: str) -> None:
        """Show another training.

        Args:
            points: (batch, value) by kind.
            text: What to show where there are none.
        """
        self._points = {kind: list(points.get(kind, ())) for kind in ("loss", "validation")}
        self._show(text)

    def add(self, kind: str, batch: int, value: float) -> None:
        """Show another value.

        Args:
            kind: "loss" or "validation"; another kind is not shown.
            batch: Batches done.
            value: Loss, or score from 0 to 1.
        """
        if kind in self._points:
            self._points[kind].append((batch, value))
            self._show("")

    def _show(self, text: str) -> None:
        self.place.set_height(_HEIGHT + (_SCORE_HEIGHT if self._points["validation"] else 0))
        self.place.show_text("" if any(self._points.values()) else text)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Save the plot."""
        self.place.contextMenuEvent(event)

    @property
    def points(self) -> dict[str, list[tuple[int, float]]]:
        """(batch, value) by kind."""
        return self._points

    def make(self, place: PlotPlace, pg: Any) -> None:
        """Make both curves, on linked axes."""
        self._plots = {
            "loss": place.axes(0, bottom="Batch", left="Loss"),
            "validation": place.axes(1, bottom="Batch", left="Dice"),
        }
        self._plots["validation"].setXLink(self._plots["loss"])
        self._lines = {
            "loss": self._plots["loss"].plot(),
            "validation": self._plots["validation"].plot(symbol="o", symbolSize=5, symbolPen=None),
        }

    def draw(self) -> None:
        """Bring the values into them."""
        for kind, line in self._lines.items():
            batches, values = [at for at, _ in self._points[kind]], [value for _, value in self._points[kind]]
            line.setData(batches, values)
            line.setPen(cosmetic(colour("accent"), 1.6))
        self._lines["validation"].setSymbolBrush(colour("accent"))
        self._plots["validation"].setVisible(bool(self._points["validation"]))

    def table(self) -> Table:
        """Batch, loss and score."""
        both = {kind: dict(points) for kind, points in self._points.items()}
        batches = sorted(both["loss"].keys() | both["validation"].keys())
        rows = [[batch, both["loss"].get(batch), both["validation"].get(batch)] for batch in batches]
        return Table(["batch", "loss", "validation Dice"], rows)
