"""Pages of the window that show no frames: welcome, and a study that is being opened."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QAction, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from cmr_viewer.file_names import path_of_text, readable
from cmr_viewer.ui.frame.drawing import grey_image
from cmr_viewer.ui.frame.thumbnails import window_of
from cmr_viewer.ui.window.theme import icon, image_colour
from cmr_viewer.ui.window.widgets import ICON, column, label, row

_RECENT = 5


class Welcome(QFrame):
    """How to begin: open, drop, demo, recent.

    Signals:
        study_chosen(object): A recent study; `Path`.
    """

    study_chosen = Signal(object)

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("welcome")
        buttons = []
        for name in ("open_folder", "open_file", "open_demo"):
            action = actions[name]
            button = QPushButton(action.icon(), " " + action.text().replace("&", ""))
            button.setIconSize(ICON)
            button.setToolTip(action.toolTip())
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(action.trigger)
            buttons.append(button)
        buttons[0].setProperty("part", "primary")
        self._recent = QVBoxLayout()
        self._recent.setSpacing(2)
        self._recent_head = label("RECENT", "heading")
        middle = QWidget()
        middle.setLayout(
            column(
                label("Open a short-axis cine study", "large"),
                label("Drop a DICOM folder, a zip or an image file here, or choose one.", "soft"),
                row(*buttons, None, spacing=8),
                self._recent_head,
                self._recent,
                spacing=14,
            )
        )
        middle.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Maximum)
        outer = QVBoxLayout(self)
        outer.addWidget(middle, 0, Qt.AlignmentFlag.AlignCenter)
        self.show_recent(())

    def show_recent(self, paths: Sequence[str]) -> None:
        """List the most recent studies."""
        while (item := self._recent.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        for text in paths[:_RECENT]:
            path = path_of_text(text)
            button = QPushButton(icon("folder", "soft"), " " + readable(path.name).replace("&", "&&"))
            button.setProperty("part", "flat")
            button.setProperty("path", text)
            button.setToolTip(readable(str(path)))
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(self._on_recent)
            self._recent.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        self._recent_head.setVisible(bool(paths))

    def _on_recent(self) -> None:
        button = self.sender()
        if isinstance(button, QPushButton):
            self.study_chosen.emit(path_of_text(str(button.property("path"))))


_FAINT = 0.45
_CARD_WIDTH = 420


class OpeningPage(QFrame):
    """A study that comes.

    Signals:
        cancel_wanted(): The reader does not want it.
    """

    cancel_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Opening a study")
        self._image = QImage()
        self._name = ""
        self._title = label("", "title")
        self._title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._what = label("", "soft")
        self._what.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setRange(0, 1000)
        self._bar.setAccessibleName("Loading progress")
        self._cancel = QPushButton(icon("stop", "soft"), "Cancel")
        self._cancel.setToolTip("Stop loading the study (Esc)")
        self._cancel.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._cancel.clicked.connect(self.cancel_wanted)
        foot = row(self._what, self._cancel, spacing=12)
        foot.setStretch(0, 1)
        card = QFrame()
        card.setObjectName("floating")
        card.setLayout(column(self._title, self._bar, foot, spacing=10, margins=(18, 14, 14, 12)))
        card.setFixedWidth(_CARD_WIDTH)
        outer = QVBoxLayout(self)
        outer.addWidget(card, 0, Qt.AlignmentFlag.AlignCenter)

    @property
    def text(self) -> str:
        """The text."""
        return self._title.text()

    @property
    def has_frame(self) -> bool:
        """Whether a frame of the study is displayed."""
        return not self._image.isNull()

    def begin(self, name: str) -> None:
        """A study of this name is being loaded."""
        self._name, self._image = name, QImage()
        self._what.setText("")
        self._bar.setValue(0)
        self._show_text(0.0)
        self.update()

    def show_progress(self, fraction: float, text: str) -> None:
        """How far it is, 0.0 to 1.0, and what is being done."""
        self._bar.setValue(round(1000 * fraction))
        self._what.setText(text)
        self._show_text(fraction)

    def show_preview(self, pixels: NDArray[Any]) -> None:
        """A first frame (row, col) of the stack is there."""
        self._image = grey_image(pixels, window_of(pixels))
        self.update()

    def _show_text(self, fraction: float) -> None:
        self._title.setText(f"Opening {self._name} … {100 * fraction:.0f} %")

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the frame faintly, as large as it fits."""
        painter = QPainter(self)
        painter.fillRect(event.rect(), image_colour("black"))
        if self._image.isNull():
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setOpacity(_FAINT)
        size = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        left, top = (self.width() - size.width()) / 2, (self.height() - size.height()) / 2
        painter.drawImage(QRectF(left, top, size.width(), size.height()), self._image)
