"""The line over the frame that says which read is on show, where it is not the first."""

from collections.abc import Mapping, Sequence

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy

from cmr_viewer.ui.window.widgets import ICON, action_button, label, row, swatch


class ReadBanner(QFrame):
    """Stays as long as the read is on show.

    Args:
        actions: What a reader can do, by id.
    """

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("read_banner")
        self._text = label("", "title")
        self._text.setAccessibleName("Current read")
        self._text.setToolTip("Your changes belong to this read")
        self._more = label("", "small")
        self._more.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._keys = tuple((QLabel(), label("", "small")) for _ in range(2))
        self._buttons = {
            name: action_button(actions[name]) for name in ("take_first", "take_second", "read_finish", "read_other")
        }
        for button in self._buttons.values():
            button.setProperty("part", "boxed")
        keys = [one for pair in self._keys for one in pair]
        self.setLayout(row(self._text, *keys, self._more, *self._buttons.values(), spacing=8, margins=(12, 5, 8, 5)))
        self.layout().setStretchFactor(self._more, 1)  # type: ignore[union-attr]
        self.hide()

    @property
    def text(self) -> str:
        """What it says."""
        return self._text.text()

    @property
    def more(self) -> str:
        """What it says beside, in small letters."""
        return self._more.text()

    def show_read(self, text: str, more: str, beside: Sequence[tuple[str, str]], buttons: frozenset[str]) -> None:
        """Say which read is on show; an empty text for the first.

        Args:
            text: Which.
            more: How far it is.
            beside: Reads whose outlines lie over the frame: colour and name.
            buttons: Ids of the actions that are offered.
        """
        self.setVisible(bool(text))
        self._text.setText(text)
        self._more.setText(more)
        shown = [*beside, *[("", "")] * len(self._keys)][: len(self._keys)]
        for (mark, name), (tint, words) in zip(self._keys, shown, strict=True):
            mark.setVisible(bool(words))
            name.setVisible(bool(words))
            if words:
                mark.setPixmap(swatch(tint).pixmap(ICON))
                name.setText(words)
        for action, button in self._buttons.items():
            button.setVisible(action in buttons)
