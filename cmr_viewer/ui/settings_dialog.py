"""Reader, colours, retraining and keys."""

from collections.abc import Mapping

from PySide6.QtGui import QColor, QKeySequence
from PySide6.QtWidgets import (
    QColorDialog,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QGridLayout,
    QKeySequenceEdit,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QTabWidget,
    QWidget,
)

from cmr_viewer.app.settings import Settings
from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES
from cmr_viewer.ui.actions import ACTIONS, keys_of
from cmr_viewer.ui.theme import STRUCTURE_TEXTS
from cmr_viewer.ui.widgets import ICON, column, label, row, swatch


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
    """Changes the settings when it is accepted; saving them is left to the window.

    Args:
        settings: The settings.
        parent: The window.
    """

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Settings")
        self._settings = settings
        self._reader = QLineEdit(settings.reader)
        self._auto = QSpinBox()
        self._auto.setRange(0, 500)
        self._auto.setSpecialValueText("never")
        self._auto.setValue(settings.auto_retrain_after)
        self._labels = {each: ColourButton(STRUCTURE_TEXTS[each], settings.label_colour(each)) for each in STRUCTURES}
        self._regions = {each: ColourButton(each.text, settings.region_colour(each)) for each in REGIONS}
        self._keys = self._key_edits()
        tabs = QTabWidget()
        tabs.addTab(self._general(), "General")
        tabs.addTab(self._colours(), "Colours")
        tabs.addTab(self._key_page(), "Keys")
        self._clash = label("", "bad", wrap=True)
        self._buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok
            | QDialogButtonBox.StandardButton.Cancel
            | QDialogButtonBox.StandardButton.RestoreDefaults
        )
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        restore = self._buttons.button(QDialogButtonBox.StandardButton.RestoreDefaults)
        restore.clicked.connect(self._restore)
        self.setLayout(column(tabs, self._clash, self._buttons, spacing=10, margins=(14, 14, 14, 12)))
        self._check()
        self.resize(600, 500)

    def _general(self) -> QWidget:
        form = QFormLayout()
        form.setContentsMargins(16, 18, 16, 16)
        form.setSpacing(12)
        form.addRow("Reader's name", self._reader)
        form.addRow("", label("Stands beside each change that you make; takes effect at the next start.", "small"))
        form.addRow("Retrain by itself after", self._auto)
        form.addRow("", label("Newly accepted corrections of a region; 0 for never.", "small"))
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

    def _key_edits(self) -> dict[str, list[QKeySequenceEdit]]:
        edits = {}
        for spec in ACTIONS:
            keys = [*keys_of(spec, self._settings.key_bindings), "", ""][:2]
            edits[spec.id] = [QKeySequenceEdit(QKeySequence(key)) for key in keys]
            for edit in edits[spec.id]:
                edit.setClearButtonEnabled(True)
                edit.setMaximumSequenceLength(1)
                edit.setAccessibleName(f"Key of {spec.text.replace('&', '')}")
                edit.keySequenceChanged.connect(self._check)
        return edits

    def _key_page(self) -> QWidget:
        grid = QGridLayout()
        grid.setContentsMargins(12, 12, 12, 12)
        grid.setColumnStretch(0, 1)
        for line, spec in enumerate(ACTIONS):
            grid.addWidget(label(spec.text.replace("&", "").rstrip("…")), line, 0)
            for place, edit in enumerate(self._keys[spec.id], start=1):
                edit.setFixedWidth(130)
                grid.addWidget(edit, line, place)
        page = QWidget()
        page.setLayout(grid)
        area = QScrollArea()
        area.setWidget(page)
        area.setWidgetResizable(True)
        holder = QWidget()
        holder.setLayout(row(area))
        return holder

    def chosen_keys(self) -> dict[str, list[str]]:
        """Keys by action id, where they differ from the table."""
        chosen = {}
        for spec in ACTIONS:
            keys = [edit.keySequence().toString() for edit in self._keys[spec.id]]
            keys = [key for key in keys if key]
            if keys != [QKeySequence(key).toString() for key in spec.keys]:
                chosen[spec.id] = keys
        return chosen

    def _check(self) -> None:
        """No key may do two things."""
        clash = clashing_key({name: [e.keySequence().toString() for e in edits] for name, edits in self._keys.items()})
        self._clash.setText("" if clash is None else f"{clash} is given to two actions; choose another key for one.")
        self._clash.setVisible(clash is not None)
        self._buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(clash is None)

    def _restore(self) -> None:
        default = Settings(reader=self._reader.text() or "reader")
        self._auto.setValue(default.auto_retrain_after)
        for structure, button in self._labels.items():
            button.set_colour(default.label_colour(structure))
        for region, button in self._regions.items():
            button.set_colour(default.region_colour(region))
        for spec in ACTIONS:
            for edit, key in zip(self._keys[spec.id], [*spec.keys, "", ""], strict=False):
                edit.setKeySequence(QKeySequence(key))

    def accept(self) -> None:
        """Put what was chosen into the settings."""
        if self._reader.text().strip():
            self._settings.reader = self._reader.text().strip()
        self._settings.auto_retrain_after = self._auto.value()
        for structure, button in self._labels.items():
            self._settings.label_colours[structure.name] = button.colour
        for region, button in self._regions.items():
            self._settings.region_colours[region.value] = button.colour
        self._settings.key_bindings = self.chosen_keys()
        super().accept()


def clashing_key(keys: Mapping[str, list[str]]) -> str | None:
    """A key that two actions share, or None."""
    seen: dict[str, str] = {}
    for name, own in keys.items():
        for key in own:
            if key and seen.setdefault(key, name) != name:
                return key
    return None
