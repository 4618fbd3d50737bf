"""Time: the slider over the cardiac cycle with ED and ES, play, speed, and the switch of the thumbnails."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QComboBox, QFrame, QSizePolicy, QWidget

from cmr_viewer.app.settings import LAYOUTS
from cmr_viewer.ui.window.theme import colour
from cmr_viewer.ui.window.widgets import TIMES, action_button, label, row

SPEEDS: tuple[tuple[str, float], ...] = (
    ("¼ speed", 0.25),
    ("½ speed", 0.5),
    ("True speed", 1.0),
    (f"2 {TIMES} speed", 2.0),
)


class TimeSlider(QWidget):
    """The phases of the cycle as ticks, with flags at end-diastole and end-systole.

    Signals:
        phase_chosen(int): A phase was pointed at.
    """

    phase_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Phase")
        self.setToolTip("Phase (Left and Right); drag, or click a flag to go to ED or ES")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._phases, self._phase = 0, 0
        self._marks: tuple[tuple[str, int | None], ...] = ()

    def set_phases(self, phases: int) -> None:
        """Number of phases; 0 without a study."""
        self._phases, self._phase = phases, 0
        self.setEnabled(phases > 1)
        self.update()

    def set_phase(self, phase: int) -> None:
        """The displayed phase."""
        self._phase = phase
        self.update()

    def set_marks(self, ed: int | None, es: int | None) -> None:
        """End-diastole and end-systole."""
        self._marks = (("ED", ed), ("ES", es))
        self.update()

    def sizeHint(self) -> QSize:
        """As high as a flag and a handle."""
        return QSize(220, 40)

    def minimumSizeHint(self) -> QSize:
        """Wide enough to be dragged in a small window."""
        return QSize(140, self.sizeHint().height())

    def _x(self, phase: int) -> float:
        return 14 + (self.width() - 28) * phase / max(1, self._phases - 1)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw line, ticks, flags and handle."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.height() - 13.0
        painter.setPen(QPen(colour("edge"), 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(14, middle), QPointF(self.width() - 14, middle))
        if self._phases < 2:
            return
        painter.setPen(QPen(colour("accent"), 3, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(14, middle), QPointF(self._x(self._phase), middle))
        painter.setPen(QPen(colour("faint"), 1))
        for phase in range(self._phases):
            painter.drawLine(QPointF(self._x(phase), middle + 6), QPointF(self._x(phase), middle + 9))
        font = self.font()
        font.setPixelSize(11)
        font.setBold(True)
        painter.setFont(font)
        for text, marked in self._marks:
            if marked is not None:
                self._paint_flag(painter, self._x(marked), middle, text, marked == self._phase)
        painter.setPen(QPen(colour("accent"), 2) if self.hasFocus() else QPen(colour("ground"), 1))
        painter.setBrush(colour("bright"))
        painter.drawEllipse(QPointF(self._x(self._phase), middle), 7, 7)

    def _paint_flag(self, painter: QPainter, x: float, middle: float, text: str, here: bool) -> None:
        box = QRectF(x - 13, 2, 26, 15)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour("text" if here else "edge"))
        painter.drawRoundedRect(box, 3, 3)
        painter.drawPolygon(QPolygonF([QPointF(x - 4, 17), QPointF(x + 4, 17), QPointF(x, 21)]))
        painter.setPen(colour("ground" if here else "text"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the flag or the phase under the pointer."""
        x, y = event.position().x(), event.position().y()
        for _, phase in self._marks:
            if phase is not None and y < 20 and abs(x - self._x(phase)) < 14:
                self.phase_chosen.emit(phase)
                return
        self._choose(x)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag through the phases."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._choose(event.position().x())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Home and End go to the first and last phase."""
        if event.key() == Qt.Key.Key_Home:
            self.phase_chosen.emit(0)
        elif event.key() == Qt.Key.Key_End:
            self.phase_chosen.emit(self._phases - 1)
        else:
            super().keyPressEvent(event)

    def _choose(self, x: float) -> None:
        if self._phases > 1:
            part = (x - 14) / max(1.0, self.width() - 28.0)
            self.phase_chosen.emit(min(self._phases - 1, max(0, round(part * (self._phases - 1)))))


class Navigator(QFrame):
    """The line of controls between frame and thumbnails.

    Signals:
        phase_chosen(int): From the slider.
        speed_chosen(float): 1.0 is the heart's own.
    """

    phase_chosen = Signal(int)
    speed_chosen = Signal(float)

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("navigator")
        self.slider = TimeSlider()
        self.slider.phase_chosen.connect(self.phase_chosen)
        self._time = label("", "small")
        self._time.setMinimumWidth(96)
        self._time.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._speed = QComboBox()
        for text, speed in SPEEDS:
            self._speed.addItem(text, speed)
        self._speed.setCurrentIndex(2)
        self._speed.setAccessibleName("Cine speed")
        self._speed.setToolTip("Cine speed; true speed uses the times of the phases")
        self._speed.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._speed.activated.connect(self._on_speed)
        self.setLayout(
            row(
                action_button(actions["play"], text=False),
                action_button(actions["phase_previous"], text=False),
                action_button(actions["phase_next"], text=False),
                self.slider,
                self._time,
                self._speed,
                *(action_button(actions[f"layout_{name}"], text=False) for name in LAYOUTS),
                action_button(actions["grid"], text=False),
                spacing=4,
                margins=(8, 2, 8, 2),
            )
        )

    def show_phases(self, phases: int) -> None:
        """Number of phases; 0 without a study."""
        self.slider.set_phases(phases)
        if not phases:
            self._time.setText("")

    def show_phase(self, phase: int, times_ms: Sequence[float] | None) -> None:
        """The displayed phase, with its time where that is known."""
        self.slider.set_phase(phase)
        self._time.setText(f"Phase {phase + 1}" if times_ms is None else f"{times_ms[phase]:.0f} ms")

    def _on_speed(self, index: int) -> None:
        self.speed_chosen.emit(float(self._speed.itemData(index)))
