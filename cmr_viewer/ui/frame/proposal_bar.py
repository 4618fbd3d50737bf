"""The bar that offers a new prediction, or what a tool made, beside what a reader has worked on."""

from collections.abc import Mapping

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy

from cmr_viewer.ui.window.widgets import action_button, label


class ProposalBar(QFrame):
    """Show, take or refuse what is offered; what the reader made is never overwritten without this."""

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("proposal")
        self._text = label("", wrap=True)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 6, 8, 6)
        layout.setSpacing(6)
        layout.addWidget(self._text, 1)
        for name in ("proposal_show", "proposal_take", "proposal_keep"):
            button = action_button(actions[name])
            button.setProperty("part", "boxed")
            layout.addWidget(button)
        self.hide()

    def offer(self, text: str) -> None:
        """Offer something, in a sentence; empty for no offer."""
        self.setVisible(bool(text))
        self._text.setText(text)
