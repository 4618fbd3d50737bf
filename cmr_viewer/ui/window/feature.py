"""What a part of the window is made with, and what it gives: its actions, its wires and what is possible."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMainWindow

from cmr_viewer.app.retraining import Retraining
from cmr_viewer.app.session import Session
from cmr_viewer.app.settings import Settings
from cmr_viewer.domain.study import Study
from cmr_viewer.ui.window.desk import Desk
from cmr_viewer.ui.window.layout import Parts
from cmr_viewer.ui.window.showing import Showing

Wire = tuple[Any, Callable[..., Any]]
"""A signal and the slot it is connected to."""


@dataclass(frozen=True, eq=False)
class Context:
    """What features work with.

    Attributes:
        session: The workspace and its open study.
        retraining: Training beside it.
        settings: What the reader has set.
        desk: Where the reader is, with which tool.
        showing: What brings the session onto the screen.
        parts: The widgets of the window.
        actions: What a reader can do, by id.
        say: (severity, text) tells the reader something; severity is "info", "warning" or "error".
        say_of: (study, severity, text) tells something about a study that may be left by now.
        window: The window, parent of dialogs.
        refresh_possible: Asks all features again what is possible, and enables the actions accordingly.
    """

    session: Session
    retraining: Retraining
    settings: Settings
    desk: Desk
    showing: Showing
    parts: Parts
    actions: Mapping[str, QAction]
    say: Callable[[str, str], None]
    say_of: Callable[[Study, str, str], None]
    window: QMainWindow
    refresh_possible: Callable[[], None]


class OfStudy(Protocol):
    """What holds or shows something of the open study."""

    def drop_study(self) -> None:
        """The study is left: drop all that is shown, known or computed of it. No study is open at this moment."""


class Feature(QObject):
    """One part of what the window can do. Features do not know one another; the window makes and wires them.

    Attributes:
        context: What it works with.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context.window)
        self.context = context

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """What each of its actions does, by action id."""
        return {}

    def toggled(self) -> frozenset[str]:
        """Those of its actions whose slot follows the state, however it was changed; the rest follow the reader."""
        return frozenset()

    def wires(self) -> Iterable[Wire]:
        """Who tells whom: signal, slot."""
        return ()

    def drop_study(self) -> None:
        """The study is left: drop all that is shown, known or computed of it. No study is open at this moment."""

    def possible(self) -> Mapping[str, bool]:
        """Whether its actions are possible, by action id, where the table of actions does not say all.

        It counts only where what the table demands is so.
        """
        return {}
