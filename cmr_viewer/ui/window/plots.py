"""Plots in the window: their colours, their menu, how they are saved; pyqtgraph draws them.

Nothing else imports pyqtgraph. The import takes 0.3 s of processor time, so it runs on a thread of its own when the
first plot has something to show, and a plot is made and drawn only while it is seen.
"""

import csv
import io
import re
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QBuffer, QByteArray, QEvent, QIODevice, QObject, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QContextMenuEvent, QFont, QImage, QPainter, QPaintEvent, QPen, QShowEvent
from PySide6.QtSvg import QSvgGenerator, QSvgRenderer
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QSizePolicy, QWidget

from cmr_viewer.errors import StoreError
from cmr_viewer.store.atomic import write_atomically
from cmr_viewer.ui.window.theme import colour, shown_theme
from cmr_viewer.ui.window.widgets import column

FONT_PX = 11
_PNG_SCALE = 3


class Library(QObject):
    """Imports pyqtgraph beside the window.

    Signals:
        ready(): `module` can be used.
    """

    ready = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._thread: threading.Thread | None = None
        self.is_ready = "pyqtgraph" in sys.modules
        self.ready.connect(self._take)

    def ask(self) -> None:
        """Begin the import, unless it has begun."""
        if self._thread is None and not self.is_ready:
            self._thread = threading.Thread(target=self._run, name="cmr-viewer-plots", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        import pyqtgraph  # noqa: F401, PLC0415 - late and off the window's thread

        self.ready.emit()

    @Slot()
    def _take(self) -> None:
        self.is_ready = True

    @property
    def module(self) -> Any:
        """pyqtgraph, as this program uses it."""
        import pyqtgraph  # noqa: PLC0415 - imported by now

        pyqtgraph.setConfigOptions(imageAxisOrder="row-major", antialias=True)
        return pyqtgraph


@cache
def library() -> Library:
    """The only one."""
    return Library()


@dataclass(frozen=True)
class Table:
    """The values of a plot.

    Attributes:
        heads: Names of the columns, with units.
        rows: Values; None where one is not known.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[object]]

    def as_text(self, delimiter: str) -> str:
        """Lines of text."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
        writer.writerow(self.heads)
        writer.writerows(["" if value is None else value for value in row] for row in self.rows)
        return text.getvalue()


class Plotted(Protocol):
    """What a plot shows."""

    def make(self, place: "PlotPlace", pg: Any) -> None:
        """Make the items, once, in axes from `place.axes`; `pg` is pyqtgraph."""

    def draw(self) -> None:
        """Bring values and colours into the items."""

    def table(self) -> Table:
        """The values, for files and the clipboard."""


class PlotPlace(QWidget):
    """A place for a plot. Its menu saves the picture and the values.

    Args:
        name: What the plot shows, for screen readers and names of files.
        plotted: What is shown.
        height: In pixels.
        mouse: Whether the items take the mouse; else it goes to the widget around the place.

    Signals:
        message(str, str): Severity and text for the reader: a file was written, or could not be.
    """

    message = Signal(str, str)

    def __init__(self, name: str, plotted: Plotted, *, height: int, mouse: bool) -> None:
        super().__init__()
        self._name, self._plotted, self._height, self._mouse = name, plotted, height, mouse
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, not mouse)
        self.setLayout(column())
        self.layout_widget: Any = None
        self._axes: list[Any] = []
        self._theme = ""
        self._text = ""
        self._stale = True
        self._folder = Path.home()
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self._draw)

    # What is shown

    def redraw(self) -> None:
        """Values are new: draw them in the next turn, or when the plot is seen."""
        self._stale = True
        if self.isVisible() and not self._text and not self._later.isActive():
            self._later.start()

    def set_height(self, height: int) -> None:
        """Be so many pixels high."""
        if height != self._height:
            self._height = height
            self.updateGeometry()

    def show_text(self, text: str) -> None:
        """Show a sentence in place of the plot; empty for the plot."""
        if text != self._text:
            self._text = text
            if self.layout_widget is not None:
                self.layout_widget.setVisible(not text)
            self.update()
        self.redraw()

    @property
    def text(self) -> str:
        """The sentence that is shown in place of the plot, or empty."""
        return self._text

    def draw_now(self) -> bool:
        """Make the plot if needed, and draw what is new of it; whether there is a plot."""
        if self._text:
            return False
        if self.layout_widget is None:
            if not library().is_ready:
                library().ready.connect(self._draw, Qt.ConnectionType.UniqueConnection)
                library().ask()
                return False
            self._make(library().module)
        if self._stale:
            self._later.stop()
            self._stale = False
            if self._theme != shown_theme():
                self._dress()
            self._plotted.draw()
        return True

    @Slot()
    def _draw(self) -> None:
        if self.isVisible():
            self.draw_now()

    def _make(self, pg: Any) -> None:
        view = pg.GraphicsLayoutWidget(parent=self)
        view.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents, not self._mouse)
        view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)  # its menu is this place's
        view.setMinimumSize(0, 0)
        view.ci.layout.setContentsMargins(2, 4, 6, 2)
        view.ci.layout.setSpacing(2)
        for widget in (view, view.viewport()):
            widget.setAccessibleName(self._name)
            widget.setToolTip(self.toolTip())
        self.layout_widget = view
        layout = self.layout()
        assert layout is not None
        layout.addWidget(view)
        self._plotted.make(self, pg)

    def axes(self, row: int, *, bottom: str = "", unit: str = "", left: str = "") -> Any:
        """Put axes into the plot.

        Args:
            row: Where, from above.
            bottom: What runs along the x axis.
            unit: Its SI unit, which gets its prefix from the values; empty for none.
            left: What runs along the y axis.

        Returns:
            A `pyqtgraph.PlotItem` that leaves mouse and menu to the program.
        """
        plot = self.layout_widget.addPlot(row=row, col=0, enableMenu=False)
        plot.hideButtons()
        plot.setMouseEnabled(False, False)
        font = _font()
        for side, text in (("bottom", bottom), ("left", left)):
            axis = plot.getAxis(side)
            axis.setTickFont(font)
            axis.setStyle(tickTextOffset=3, tickLength=-3)
            axis.label.setFont(font)
            axis.enableAutoSIPrefix(side == "bottom" and bool(unit))
            if text:
                axis.setLabel(text, units=unit if side == "bottom" and unit else None)
        plot.getAxis("bottom").setHeight(34 if bottom else 18)
        plot.getAxis("left").setWidth(50 if left else 34)
        self._axes.append(plot)
        return plot

    def _dress(self) -> None:
        """The colours of the theme on show."""
        self._theme = shown_theme()
        self.layout_widget.setBackground(colour("ground"))
        for plot in self._axes:
            plot.showGrid(y=True, alpha=0.12)
            for side in ("bottom", "left"):
                axis = plot.getAxis(side)
                axis.setPen(colour("edge"))
                axis.setTextPen(colour("soft"))
                if axis.labelText:  # setLabel without the text and its unit would take them away
                    axis.setLabel(axis.labelText, axis.labelUnits, color=colour("soft").name())

    # The widget

    def sizeHint(self) -> QSize:
        """Flat."""
        return QSize(240, self._height)

    def minimumSizeHint(self) -> QSize:
        """As high as it is, and narrow."""
        return QSize(120, self._height)

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what has become new meanwhile."""
        super().showEvent(event)
        self.redraw()

    def changeEvent(self, event: QEvent) -> None:
        """The theme is another."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self.redraw()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The ground, and the sentence in place of a plot."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour("ground"))
        painter.drawRoundedRect(self.rect(), 5, 5)
        if self._text:
            painter.setFont(_font())
            painter.setPen(QPen(colour("soft")))
            inner = self.rect().adjusted(10, 4, -10, -4)
            painter.drawText(inner, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._text)

    # Saving

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer to save picture and values."""
        if not self.draw_now():
            return
        menu = self.menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())
        event.accept()

    def menu(self) -> QMenu:
        """What can be done with the plot."""
        menu = QMenu(self)
        for text, work in (
            ("Save as PNG picture…", lambda: self._ask("png", "Pictures (*.png)", self.as_png)),
            ("Save as SVG drawing…", lambda: self._ask("svg", "Drawings (*.svg)", self.as_svg)),
            ("Save values as CSV table…", lambda: self._ask("csv", "Tables (*.csv)", self.as_csv)),
            ("Copy values", self._copy),
        ):
            menu.addAction(text).triggered.connect(work)
        return menu

    def _ask(self, ending: str, kinds: str, content: Callable[[], bytes]) -> None:
        made = content()  # as it is now, whatever is shown when the dialog closes
        name = f"{self._name.lower().replace(' ', '-')}.{ending}"
        chosen, _ = QFileDialog.getSaveFileName(self.window(), "Save plot", str(self._folder / name), kinds)
        if chosen:
            self.write(Path(chosen).with_suffix(f".{ending}"), made)

    def write(self, path: Path, content: bytes) -> None:
        """Write a file, whole, and report it."""
        try:
            write_atomically(path, content)
        except StoreError as error:
            self.message.emit("error", str(error))
            return
        self._folder = path.parent
        self.message.emit("info", f"The plot was written to {path}.")

    @Slot()
    def _copy(self) -> None:
        QApplication.clipboard().setText(self._plotted.table().as_text("\t"))
        self.message.emit("info", "Values copied. You can paste the table into a spreadsheet or a document.")

    def as_csv(self) -> bytes:
        """The values."""
        return self._plotted.table().as_text(",").encode()

    def as_png(self) -> bytes:
        """The picture at three times the size on the screen."""
        image = QImage(self.layout_widget.size() * _PNG_SCALE, QImage.Format.Format_RGB32)
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        wide = re.sub(
            rb'(stroke-(?:width|dasharray)=")([\d.,]+)', _widened, self.as_svg()
        )  # they are not scaled with the picture
        QSvgRenderer(QByteArray(wide)).render(painter)
        painter.end()
        content = QByteArray()
        buffer = QBuffer(content)
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        image.save(buffer, "PNG")  # type: ignore[call-overload]
        return bytes(content.data())

    def as_svg(self) -> bytes:
        """The picture as lines and letters."""
        view, content = self.layout_widget, QByteArray()
        generator = QSvgGenerator()
        generator.setOutputDevice(QBuffer(content))
        generator.setSize(view.size())
        generator.setResolution(view.logicalDpiX())  # axes are recorded for the screen's
        generator.setViewBox(view.rect())
        generator.setTitle(self._name)
        painter = QPainter(generator)
        view.render(painter)
        painter.end()
        return bytes(content.data())


def _widened(stroke: re.Match[bytes]) -> bytes:
    numbers = stroke[2].split(b",")
    return stroke[1] + b",".join(b"%.2f" % (_PNG_SCALE * float(number)) for number in numbers)


def cosmetic(tint: QColor, width: float, *, dashed: bool = False) -> QPen:
    """A pen as wide in every plot, in pixels."""
    pen = QPen(tint, width, Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    pen.setCosmetic(True)
    return pen


def _font() -> QFont:
    font = QFont(QApplication.font())
    font.setPixelSize(FONT_PX)
    return font
