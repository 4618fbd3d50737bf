# ruff: noqa: E501 - one row per action reads as a table
"""The sheet of all keys, and the dialog that changes them, in the window."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QFrame, QGridLayout, QScrollArea, QVBoxLayout, QWidget

from cmr_viewer.ui.features.keys.keys_dialog import KeysDialog
from cmr_viewer.ui.window.actions import ActionSpec, Menu, When, give_keys, keys_of, mouse_of, shown_keys
from cmr_viewer.ui.window.feature import Feature, save_settings
from cmr_viewer.ui.window.studies import show_dialog
from cmr_viewer.ui.window.widgets import DASH, column, label, row

Group = tuple[str, list[tuple[str, str]]]
"""Heading, and (text, keys) of each line."""


def sheet_groups(specs: Sequence[ActionSpec], chosen_keys: Mapping[str, Sequence[str]]) -> list[Group]:
    """Everything a reader can do, by menu, with its keys; and the mouse."""
    groups: list[Group] = []
    for menu, some in groupby(specs, key=lambda spec: spec.menu):
        lines = [(spec.plain_text, shown_keys(keys_of(spec, chosen_keys))) for spec in some]
        groups.append((menu.value.replace("&", ""), lines))
    groups.append(("Mouse over the frame", [(what, how) for how, what in mouse_of(specs)]))
    return groups


class KeysSheet(QDialog):
    """All keys on one sheet.

    Args:
        specs: The table of actions.
        chosen_keys: The reader's own keys by action id.
        parent: The window.
    """

    def __init__(
        self, specs: Sequence[ActionSpec], chosen_keys: Mapping[str, Sequence[str]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys and mouse")
        room = self.screen().availableSize()
        groups = sheet_groups(specs, chosen_keys)
        sheet = self._sheet(groups, columns=3)
        if sheet.sizeHint().width() > room.width() - 120:
            sheet = self._sheet(groups, columns=2)
        area = QScrollArea()
        area.setWidget(sheet)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setAccessibleName("All keys, by menu")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        self.setLayout(column(area, buttons, spacing=10, margins=(20, 16, 16, 14)))
        wanted = sheet.sizeHint()
        self.resize(min(wanted.width() + 60, room.width() - 60), min(wanted.height() + 90, room.height() - 60))

    def _sheet(self, groups: list[Group], *, columns: int) -> QWidget:
        """The groups in columns that are about as high as one another."""
        made = [QVBoxLayout() for _ in range(columns)]
        heights = [0] * columns
        for heading, lines in sorted(groups, key=lambda group: -len(group[1])):
            shortest = heights.index(min(heights))
            made[shortest].addWidget(self._group(heading, lines))
            heights[shortest] += len(lines) + 2
        for each in made:
            each.addStretch(1)
            each.setSpacing(14)
        sheet = QWidget()
        sheet.setLayout(row(*made, spacing=36))
        return sheet

    @staticmethod
    def _group(heading: str, lines: list[tuple[str, str]]) -> QWidget:
        grid = QGridLayout()
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(4)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(0, 1)
        grid.addWidget(label(heading.upper(), "heading"), 0, 0, 1, 2)
        for line, (text, keys) in enumerate(lines, start=1):
            grid.addWidget(label(text), line, 0)
            shown = label(keys or DASH, "soft")
            shown.setAlignment(Qt.AlignmentFlag.AlignRight)
            grid.addWidget(shown, line, 1)
        widget = QWidget()
        widget.setLayout(grid)
        return widget


class KeysFeature(Feature):
    """Shows and changes the keys of all actions."""

    # fmt: off
    specs = (
        ActionSpec("keys", "&Keys and mouse", ("F1",), "Show all keys and mouse actions", Menu.HELP, When.ALWAYS, "keys", first=True),
        ActionSpec("change_keys", "Chang&e keys…", (), "Assign keys to actions, or use the keys of another program", Menu.HELP, When.ALWAYS, first=True),
    )
    # fmt: on

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """What its actions do."""
        return {"keys": self.show_keys, "change_keys": self.change_keys}

    @Slot()
    def show_keys(self) -> None:
        """Show all keys."""
        context = self.context
        show_dialog(KeysSheet(context.specs, context.settings.key_bindings, context.window))

    @Slot()
    def change_keys(self) -> None:
        """Open the dialog that changes the keys."""
        dialog = KeysDialog(self.context.settings, self.context.specs, self.context.window)
        dialog.accepted.connect(self.take_keys)
        show_dialog(dialog)

    @Slot()
    def take_keys(self) -> None:
        """Give the actions the keys of the settings."""
        for spec in self.context.specs:
            give_keys(self.context.actions[spec.id], spec, keys_of(spec, self.context.settings.key_bindings))
        save_settings(self.context)
