"""Asks who reads a study again, and whether blinded."""

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QDialog, QDialogButtonBox, QFormLayout, QLineEdit, QWidget

from cmr_viewer.ui.window.widgets import column, label


class ReaderDialog(QDialog):
    """Asks for a reader's name before a read begins.

    Args:
        title: What begins.
        text: What comes of it, in a sentence or two.
        why_not: Why a name will not do, in words; empty if it will.
        asks_blinded: Whether it may be blinded.
        parent: The window.

    Signals:
        wanted(str name, bool blinded): The read is to begin.
    """

    wanted = Signal(str, bool)

    def __init__(
        self,
        title: str,
        text: str,
        why_not: Callable[[str], str],
        *,
        asks_blinded: bool,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self._why_not, self._asks_blinded = why_not, asks_blinded
        self.name = QLineEdit()
        self.name.setAccessibleName("Reader's name")
        self.name.setPlaceholderText("Name of the reader")
        self.name.setToolTip("Recorded with every change in this read")
        self.name.textChanged.connect(self._show_possible)
        self.blinded = QCheckBox("Blinded: the first read is hidden until this read is finished")
        self.blinded.setToolTip(
            "Starts from the models' label maps. Label maps, regions, ED/ES and log of the first read are hidden"
        )
        self.blinded.setChecked(asks_blinded)
        self.blinded.setVisible(asks_blinded)
        self._problem = label("", "small", wrap=True)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.begin = self._buttons.button(QDialogButtonBox.StandardButton.Ok)
        self.begin.setText("Start")
        self.begin.setProperty("part", "primary")
        self._buttons.accepted.connect(self._begin)
        self._buttons.rejected.connect(self.reject)
        form = QFormLayout()
        form.setSpacing(10)
        form.addRow("Reader", self.name)
        self.setLayout(
            column(
                label(title, "title"),
                label(text, "soft", wrap=True),
                form,
                self.blinded,
                self._problem,
                self._buttons,
                spacing=12,
                margins=(18, 16, 18, 14),
            )
        )
        self.setMinimumWidth(500)
        self._show_possible()

    def _show_possible(self) -> None:
        why_not = self._why_not(self.name.text())
        self.begin.setEnabled(not why_not)
        self._problem.setText(why_not if self.name.text().strip() else "")

    def _begin(self) -> None:
        if self.begin.isEnabled():
            self.wanted.emit(self.name.text(), self._asks_blinded and self.blinded.isChecked())
            self.accept()
