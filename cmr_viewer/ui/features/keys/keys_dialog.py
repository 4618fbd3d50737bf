"""Changes the keys of actions: one by one, by preset or from a file. No two actions may share a key."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Slot
from PySide6.QtGui import QFont, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFrame,
    QHeaderView,
    QKeySequenceEdit,
    QPushButton,
    QTableView,
    QWidget,
)

from cmr_viewer.app.settings import Settings
from cmr_viewer.errors import CmrViewerError
from cmr_viewer.ui.features.keys.key_bindings import PRESETS, KeyBindings
from cmr_viewer.ui.window.actions import ActionSpec, shown_keys
from cmr_viewer.ui.window.theme import colour
from cmr_viewer.ui.window.widgets import DASH, column, label, name_clear_button, row, search_line

YOURS = "Your own"
_FILES = "Keys (*.json)"
_HEADS = ("Action", "Menu", "Keys")


class KeysModel(QAbstractTableModel):
    """Actions with their keys, those that a search means.

    Args:
        bindings: The keys.
        specs: The table of actions.
        parent: Qt parent.
    """

    def __init__(self, bindings: KeyBindings, specs: Sequence[ActionSpec], parent: QObject) -> None:
        super().__init__(parent)
        self._bindings, self._specs = bindings, specs
        self._words: list[str] = []
        self._shown: list[ActionSpec] = list(specs)
        self._clashing: frozenset[str] = frozenset()

    def spec(self, index: QModelIndex | QPersistentModelIndex) -> ActionSpec:
        """The action of a row."""
        return self._shown[index.row()]

    def row_of(self, name: str) -> int | None:
        """Row of an action; None where the search leaves it out."""
        return next((place for place, spec in enumerate(self._shown) if spec.id == name), None)

    def search(self, text: str) -> None:
        """Show actions whose name, menu or keys hold every word."""
        self._words = text.casefold().split()
        self.renew()

    @Slot()
    def renew(self) -> None:
        """The keys have changed."""
        self.beginResetModel()
        self._clashing = frozenset(name for names in self._bindings.conflicts().values() for name in names)
        self._shown = [spec for spec in self._specs if all(word in self._haystack(spec) for word in self._words)]
        self.endResetModel()

    def _haystack(self, spec: ActionSpec) -> str:
        keys = self._bindings.keys(spec.id)
        parts = (spec.plain_text, spec.tip, spec.menu.value.replace("&", ""), *keys, shown_keys(keys))
        return " ".join(parts).casefold()

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex | None = None) -> int:
        """How many actions are shown."""
        return 0 if parent is not None and parent.isValid() else len(self._shown)

    def columnCount(self, parent: QModelIndex | QPersistentModelIndex | None = None) -> int:
        """Action, menu and keys."""
        return 0 if parent is not None and parent.isValid() else len(_HEADS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Heads of the columns."""
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _HEADS[section]
        return None

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """What a cell shows."""
        spec = self.spec(index)
        keys = self._bindings.keys(spec.id)
        clashes = spec.id in self._clashing
        if role == Qt.ItemDataRole.DisplayRole:
            shown = shown_keys(keys) or DASH
            last = f"{shown}  (used twice)" if clashes else shown
            return (spec.plain_text, spec.menu.value.replace("&", ""), last)[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return spec.tip
        if role == Qt.ItemDataRole.ForegroundRole and index.column() > 0:
            return colour("bad" if clashes else "soft" if index.column() == 1 else "text")
        if role == Qt.ItemDataRole.FontRole and self._bindings.is_changed(spec.id):
            font = QFont()
            font.setBold(True)
            return font
        return None


class KeysDialog(QDialog):
    """Changes `Settings.key_bindings` on OK; the window gives the actions their keys.

    Args:
        settings: The settings.
        specs: The table of actions.
        parent: The window.
    """

    def __init__(self, settings: Settings, specs: Sequence[ActionSpec], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Change keys")
        self._settings, self._specs = settings, specs
        self.bindings = KeyBindings(settings.key_bindings, specs)
        self.search = search_line("Search actions and keys", "Type part of a name, or a key")
        self.presets = QComboBox()
        self.presets.setAccessibleName("Keys of another program")
        self.presets.setToolTip(
            "Use the keys of a program that you know; actions without a counterpart keep their own keys"
        )
        self.presets.addItems([each.name for each in PRESETS])
        self.model = KeysModel(self.bindings, specs, self)
        self.table = self._make_table()
        self._name = label("", "title")
        self._tip = label("", "small", wrap=True)
        self.edits = [self._make_edit("First key"), self._make_edit("Second key")]
        self._reset = self._button("Reset action", "Restore the default keys of this action")
        self._clash = label("", "bad", wrap=True)
        self._resolve = self._button("Remove from other action", "Remove this key from the other action")
        self._import = self._button("Import…", "Import keys from a file")
        self._export = self._button("Export…", "Export the keys of all actions to a file")
        self._reset_all = self._button("Reset all", "Restore the default keys of all actions")
        self._message = label("", "small", wrap=True)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self._arrange()
        self._connect()
        self._show_all()
        self._select(specs[0].id)
        self.resize(720, 640)
        self.search.setFocus()

    # Making

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setModel(self.model)
        table.setProperty("part", "ring")
        table.setAccessibleName("Actions and their keys")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setTabKeyNavigation(False)
        table.setShowGrid(False)
        table.verticalHeader().hide()
        head = table.horizontalHeader()
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        head.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        head.setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
        head.setHighlightSections(False)
        head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        return table

    def _make_edit(self, name: str) -> QKeySequenceEdit:
        edit = QKeySequenceEdit()
        edit.setClearButtonEnabled(True)
        name_clear_button(edit)
        edit.setMaximumSequenceLength(1)
        edit.setAccessibleName(name)
        edit.setToolTip(f"{name}: press the key for this action")
        edit.setMinimumWidth(150)
        return edit

    @staticmethod
    def _button(text: str, tip: str) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.setAutoDefault(False)
        return button

    def _arrange(self) -> None:
        card = QFrame()
        card.setObjectName("card")
        card.setLayout(
            column(
                self._name,
                self._tip,
                row(*self.edits, self._reset, None, spacing=8),
                row(self._clash, None, self._resolve, spacing=8),
                spacing=7,
                margins=(14, 11, 14, 12),
            )
        )
        keys_of = label("Keys of")
        keys_of.setBuddy(self.presets)
        top = row(self.search, keys_of, self.presets, spacing=10)
        top.setStretch(0, 1)
        ends = row(self._import, self._export, self._reset_all, None, self._buttons, spacing=8)
        layout = column(top, self.table, card, self._message, ends, spacing=10, margins=(16, 16, 16, 14))
        layout.setStretch(1, 1)
        self.setLayout(layout)

    def _connect(self) -> None:
        self.search.textChanged.connect(self._on_search)
        self.presets.textActivated.connect(self._on_preset)
        self.table.selectionModel().currentRowChanged.connect(self._show_one)
        for edit in self.edits:
            edit.keySequenceChanged.connect(self._on_edited)
        self._reset.clicked.connect(self._on_reset)
        self._resolve.clicked.connect(self._on_resolve)
        self._reset_all.clicked.connect(self._on_reset_all)
        self._import.clicked.connect(self._on_import)
        self._export.clicked.connect(self._on_export)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)

    # The action that is chosen

    @property
    def chosen(self) -> str:
        """Id of the action whose keys are shown; empty where the search leaves none."""
        index = self.table.currentIndex()
        return self.model.spec(index).id if index.isValid() else ""

    def _select(self, name: str) -> None:
        place = self.model.row_of(name)
        rows = self.model.rowCount()
        if rows:
            self.table.setCurrentIndex(self.model.index(place or 0, 0))
        self._show_one()

    @Slot()
    def _show_one(self) -> None:
        name = self.chosen
        spec = next((each for each in self._specs if each.id == name), None)
        keys = self.bindings.keys(name) if name else ()
        self._name.setText("No action has that name or key" if spec is None else spec.plain_text)
        self._tip.setText("" if spec is None else spec.tip)
        for place, edit in enumerate(self.edits):
            edit.setEnabled(bool(name))
            sequence = QKeySequence(keys[place]) if place < len(keys) else QKeySequence()
            if edit.keySequence() != sequence:
                edit.blockSignals(True)
                edit.setKeySequence(sequence)
                edit.blockSignals(False)
        self._reset.setEnabled(bool(name) and self.bindings.is_changed(name))
        self._show_conflicts()

    def _show_conflicts(self) -> None:
        """Show a key that two actions share: of the chosen action first, else any."""
        conflicts, name = self.bindings.conflicts(), self.chosen
        texts = {spec.id: spec.plain_text for spec in self._specs}
        own = next((key for key, names in conflicts.items() if name in names), None)
        key = own or next(iter(conflicts), None)
        text = ""
        if key is not None:
            others = " and ".join(f'"{texts[each]}"' for each in conflicts[key] if each != name or own is None)
            text = (
                f"{shown_keys([key])} is also assigned to {others}."
                if own
                else f"{shown_keys([key])} is assigned to {others}."
            )
        self._clash.setText(text)
        self._clash.setVisible(bool(text))
        self._resolve.setVisible(own is not None)
        ok = self._buttons.button(QDialogButtonBox.StandardButton.Ok)
        ok.setEnabled(not conflicts)
        ok.setToolTip("Two actions share a key; remove it from one of them first" if conflicts else "")

    @Slot()
    def _on_edited(self) -> None:
        name = self.chosen
        if name:
            further = self.bindings.keys(name)[len(self.edits) :]
            self.bindings.set_keys(name, [edit.keySequence().toString() for edit in self.edits] + list(further))
            self._show_all()

    @Slot()
    def _on_reset(self) -> None:
        if self.chosen:
            self.bindings.reset(self.chosen)
            self._show_all()

    @Slot()
    def _on_resolve(self) -> None:
        name = self.chosen
        for key, names in self.bindings.conflicts().items():
            if name in names:
                self.bindings.leave_to(key, name)
        self._show_all()

    # All of them

    def _show_all(self) -> None:
        """Bring table, preset and the chosen action up to date."""
        name = self.chosen
        self.model.renew()
        preset = self.bindings.preset
        if not preset and self.presets.findText(YOURS) < 0:
            self.presets.addItem(YOURS)
        self.presets.setCurrentText(preset or YOURS)
        self._select(name)

    @Slot(str)
    def _on_search(self, text: str) -> None:
        name = self.chosen
        self.model.search(text)
        self._select(name)

    @Slot(str)
    def _on_preset(self, name: str) -> None:
        if name != YOURS:
            self.bindings.use_preset(name)
        self._show_all()

    @Slot()
    def _on_reset_all(self) -> None:
        self._on_preset(PRESETS[0].name)

    @Slot()
    def _on_import(self) -> None:
        file, _ = QFileDialog.getOpenFileName(self, "Import keys", str(Path.home()), _FILES)
        if file:
            self.take_file(Path(file))

    def take_file(self, path: Path) -> None:
        """Import the keys of a file, and show the outcome."""
        try:
            unknown = self.bindings.load(path)
        except CmrViewerError as error:
            self._show_message(str(error))
            return
        more = f" {len(unknown)} of them belong to no action of this program." if unknown else ""
        self._show_message(f"The keys in {path.name} were imported.{more}")
        self._show_all()

    @Slot()
    def _on_export(self) -> None:
        file, _ = QFileDialog.getSaveFileName(self, "Export keys", str(Path.home() / "keys.json"), _FILES)
        if not file:
            return
        try:
            self.bindings.save(Path(file))
        except CmrViewerError as error:
            self._show_message(str(error))
        else:
            self._show_message(f"The keys were exported to {Path(file).name}.")

    def _show_message(self, text: str) -> None:
        self._message.setText(text)

    @property
    def text(self) -> str:
        """The last text on a file."""
        return self._message.text()

    def accept(self) -> None:
        """Put the keys into the settings."""
        if self.bindings.conflicts():
            return
        self._settings.key_bindings = self.bindings.chosen()
        self._settings.key_preset = self.bindings.preset or self._settings.key_preset
        super().accept()
