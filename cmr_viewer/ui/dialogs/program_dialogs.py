"""Dialogs of the program itself: settings and about; keys have a dialog of their own."""

import platform

import PySide6
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QCheckBox,
    QColorDialog,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLineEdit,
    QPushButton,
    QTabWidget,
    QWidget,
)

import cmr_viewer
from cmr_viewer.app.settings import Settings
from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES
from cmr_viewer.ui.window.theme import STRUCTURE_TEXTS, THEMES
from cmr_viewer.ui.window.widgets import ICON, column, label, swatch

THEME_TEXTS = {"system": "System", "light": "Light", "dark": "Dark"}


class ColourButton(QPushButton):
    """Shows a colour and lets the reader choose another.

    Args:
        name: What the colour is for.
        tint: #rrggbb.
    """

    def __init__(self, name: str, tint: str) -> None:
        super().__init__()
        self._name = name
        self.setIconSize(ICON)
        self.setAccessibleName(f"Colour of {name}")
        self.clicked.connect(self._choose)
        self.set_colour(tint)

    @property
    def colour(self) -> str:
        """#rrggbb."""
        return self._tint

    def set_colour(self, tint: str) -> None:
        """Show a colour."""
        self._tint = tint
        self.setText(tint)
        self.setIcon(swatch(tint))

    def _choose(self) -> None:
        chosen = QColorDialog.getColor(QColor(self._tint), self, f"Colour of {self._name}")
        if chosen.isValid():
            self.set_colour(chosen.name())


class SettingsDialog(QDialog):
    """Changes the settings on OK; the window saves them.

    Args:
        settings: The settings.
        parent: The window.
    """

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Settings")
        self._settings = settings
        self._reader = QLineEdit(settings.reader)
        self._reader.setToolTip("Recorded with each change that you make")
        self._theme = QComboBox()
        self._theme.addItems([THEME_TEXTS[theme] for theme in THEMES])
        self._theme.setCurrentText(THEME_TEXTS[settings.theme])
        self._theme.setToolTip("Light or dark window; images stay on black")
        self._auto = QCheckBox("Retrain models by themselves")
        self._auto.setToolTip("As soon as enough patients are corrected to judge a new model, while you do not draw")
        self._auto.setChecked(settings.auto_retrain)
        self._labels = {each: ColourButton(STRUCTURE_TEXTS[each], settings.label_colour(each)) for each in STRUCTURES}
        self._regions = {each: ColourButton(each.text, settings.region_colour(each)) for each in REGIONS}
        tabs = QTabWidget()
        tabs.addTab(self._general(), "General")
        tabs.addTab(self._colours(), "Colours")
        self._buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok
            | QDialogButtonBox.StandardButton.Cancel
            | QDialogButtonBox.StandardButton.RestoreDefaults
        )
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        restore = self._buttons.button(QDialogButtonBox.StandardButton.RestoreDefaults)
        restore.clicked.connect(self._restore)
        self.setLayout(column(tabs, self._buttons, spacing=10, margins=(14, 14, 14, 12)))
        self.resize(560, 460)

    def _general(self) -> QWidget:
        form = QFormLayout()
        form.setContentsMargins(16, 18, 16, 16)
        form.setSpacing(12)
        form.addRow("Reader's name", self._reader)
        form.addRow("", label("Recorded with each change that you make. Takes effect at the next start.", "small"))
        form.addRow("Theme", self._theme)
        form.addRow("Learning", self._auto)
        form.addRow("", label("As soon as enough patients are corrected to judge a new model.", "small"))
        page = QWidget()
        page.setLayout(form)
        return page

    def _colours(self) -> QWidget:
        form = QFormLayout()
        form.setContentsMargins(16, 18, 16, 16)
        form.setSpacing(8)
        for structure, button in self._labels.items():
            form.addRow(STRUCTURE_TEXTS[structure], button)
        for region, button in self._regions.items():
            form.addRow(f"Region {region.text.lower()}", button)
        page = QWidget()
        page.setLayout(form)
        return page

    def _restore(self) -> None:
        default = Settings(reader=self._reader.text() or "reader")
        self._auto.setChecked(default.auto_retrain)
        self._theme.setCurrentText(THEME_TEXTS[default.theme])
        for structure, button in self._labels.items():
            button.set_colour(default.label_colour(structure))
        for region, button in self._regions.items():
            button.set_colour(default.region_colour(region))

    def accept(self) -> None:
        """Write the choices into the settings."""
        if self._reader.text().strip():
            self._settings.reader = self._reader.text().strip()
        self._settings.auto_retrain = self._auto.isChecked()
        for structure, button in self._labels.items():
            self._settings.label_colours[structure.name] = button.colour
        for region, button in self._regions.items():
            self._settings.region_colours[region.value] = button.colour
        self._settings.theme = THEMES[self._theme.currentIndex()]
        super().accept()


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
