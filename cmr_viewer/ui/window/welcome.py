"""The middle of the window while no study is open."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from cmr_viewer.file_names import path_of_text, readable
from cmr_viewer.ui.window.theme import icon
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
