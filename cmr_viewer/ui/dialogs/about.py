"""What the program is, and what it is not."""

import platform

import PySide6
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QWidget

import cmr_viewer
from cmr_viewer.ui.window.widgets import column, label

NOT_A_DEVICE = "Research software, not a medical device. Not for diagnosis or treatment."


class About(QDialog):
    """Version, purpose, licence.

    Args:
        workspace: Folder of the reader's work.
        parent: The window.
    """

    def __init__(self, workspace: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("About CMR Viewer")
        self.setMinimumWidth(480)
        place = label(f"Workspace: {workspace}", "small", wrap=True)
        place.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        self.setLayout(
            column(
                label("CMR Viewer", "large"),
                label(
                    f"Version {cmr_viewer.__version__} · Python {platform.python_version()} · Qt {PySide6.__version__}",
                    "soft",
                ),
                label(NOT_A_DEVICE, "title", wrap=True),
                label(
                    "For annotation and review of short-axis cine cardiac MR by region, after Mariscal-Harana et al. "
                    "2021. The code has the Apache License 2.0. The terms of each model depend on its training data; "
                    "see its model card. Demo study: Sunnybrook Cardiac Data, CC0 1.0.",
                    wrap=True,
                ),
                place,
                buttons,
                spacing=12,
                margins=(22, 20, 22, 16),
            )
        )
