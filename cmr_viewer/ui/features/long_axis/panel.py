"""The long-axis views of the open study, one at a time."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QFrame, QSizePolicy

from cmr_viewer.ui.features.long_axis.long_axis_view import LongAxisView
from cmr_viewer.ui.window.widgets import action_button, column, row


class LongAxisPanel(QFrame):
    """A long-axis view over the list of all; the list stands below, where no message covers it.

    Signals:
        view_chosen(int): Number of another view.
    """

    view_chosen = Signal(int)

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("long_axis")
        self.view = LongAxisView()
        self._list = QComboBox()
        self._list.setAccessibleName("Long-axis views")
        self._list.setToolTip("Choose a long-axis cine")
        self._list.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._list.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._list.currentIndexChanged.connect(self._on_chosen)
        foot = row(
            self._list,
            action_button(actions["long_axis_next"], text=False),
            action_button(actions["long_axis"], text=False),
            spacing=2,
            margins=(6, 2, 4, 2),
        )
        foot.setStretch(0, 1)
        whole = column(self.view, foot, spacing=0)
        whole.setStretch(0, 1)
        self.setLayout(whole)
        self.setMinimumWidth(180)

    @property
    def chosen(self) -> int:
        """Number of the view on show; -1 without one."""
        return int(self._list.currentIndex())

    @property
    def names(self) -> Sequence[str]:
        """Texts of the list."""
        return [self._list.itemText(number) for number in range(self._list.count())]

    def show_names(self, names: Sequence[str]) -> None:
        """List other views; the first is chosen and reported."""
        self._list.blockSignals(True)
        self._list.clear()
        self._list.addItems(list(names))
        self._list.blockSignals(False)
        self._on_chosen(self.chosen)

    @Slot()
    def choose_next(self) -> None:
        """The next view; after the last comes the first."""
        if self._list.count():
            self._list.setCurrentIndex((self.chosen + 1) % self._list.count())

    def _on_chosen(self, number: int) -> None:
        if number >= 0:
            self.view_chosen.emit(number)
