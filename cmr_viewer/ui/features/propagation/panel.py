"""Assisted corrections: clicks, propagation, copies fitted to the image."""

from collections.abc import Mapping

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QWidget

from cmr_viewer.ui.window.widgets import action_button, column, label, row


class ProposePanel(QWidget):
    """Buttons, and a line with a hint.

    Args:
        actions: What a reader can do, by id.
    """

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self._line: QLabel = label("", "small")
        self._line.setWordWrap(True)
        self._line.setAccessibleName("Hint for clicks")
        self.setLayout(
            column(
                row(
                    action_button(actions["propagate"]),
                    action_button(actions["propagate_over"], text=False),
                    None,
                    spacing=4,
                ),
                row(
                    label("Copy, refined", "small"),
                    *(action_button(actions[name], text=False) for name in REFINED),
                    None,
                    spacing=4,
                ),
                self._line,
            )
        )
        self.say("")

    def say(self, text: str) -> None:
        """Show a line; none where it is empty."""
        self._line.setText(text)
        self._line.setVisible(bool(text))


REFINED = ("refine_base", "refine_apex", "refine_before", "refine_after")
"""The copies, by their source."""
