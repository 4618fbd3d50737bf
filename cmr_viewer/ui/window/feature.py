"""What a part of the window is made with, and what it gives: its actions, its wires and what is possible."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMainWindow

from cmr_viewer.app.retraining import Retraining
from cmr_viewer.app.session import Session
from cmr_viewer.app.settings import Settings
from cmr_viewer.domain.study import Study
from cmr_viewer.errors import CmrViewerError
from cmr_viewer.ui.window.actions import ActionSpec
from cmr_viewer.ui.window.desk import Desk
from cmr_viewer.ui.window.display import Display
from cmr_viewer.ui.window.layout import Parts

Wire = tuple[Any, Callable[..., Any]]
"""A signal and the slot it is connected to."""


class ShowMessage(Protocol):
    """Shows the reader a message."""

    def __call__(self, severity: str, text: str, action: QAction | None = None) -> None:
        """Show it; severity is "info", "warning" or "error", and `action` is a remedy."""


@dataclass(frozen=True, eq=False)
class Context:
    """What features work with.

    Attributes:
        session: The workspace and its open study.
        retraining: Training beside it.
        settings: What the reader has set.
        desk: Where the reader is, with which tool.
        display: Shows the frame, and signals features when to show theirs.
        parts: The widgets of the window.
        actions: What a reader can do, by id.
        specs: The table of these actions, in the order of the menus.
        show_message: Shows a message about the open study, if there is one.
        show_message_about: (study, severity, text) shows a message about a study that may be closed by now.
        show_general_message: (severity, text) shows a message that is not about the open study.
        window: The window, parent of dialogs.
        refresh_possible: Asks all features again what is possible, and enables the actions accordingly.
    """

    session: Session
    retraining: Retraining
    settings: Settings
    desk: Desk
    display: Display
    parts: Parts
    actions: Mapping[str, QAction]
    specs: tuple[ActionSpec, ...]
    show_message: ShowMessage
    show_message_about: Callable[[Study, str, str], None]
    show_general_message: Callable[[str, str], None]
    window: QMainWindow
    refresh_possible: Callable[[], None]


class OfStudy(Protocol):
    """What holds or shows something of the open study."""

    def drop_study(self) -> None:
        """The study is left: drop all that is shown, known or computed of it. No study is open at this moment."""


class Feature(QObject):
    """One part of what the window can do. Features do not know one another; the window makes and wires them.

    Attributes:
        specs: Its actions.
        context: What it works with.
    """

    specs: ClassVar[tuple[ActionSpec, ...]] = ()

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
        """Signals and the slots they are connected to."""
        return ()

    def drop_study(self) -> None:
        """The study is left: drop all that is shown, known or computed of it. No study is open at this moment."""

    def possible(self) -> Mapping[str, bool]:
        """Whether its actions are possible, by action id, where `ActionSpec.when` is not all.

        It counts only where that condition holds.
        """
        return {}


def save_settings(context: Context) -> None:
    """Save the settings, or show a warning."""
    try:
        context.settings.save()
    except (CmrViewerError, OSError) as error:
        text = f"Could not save the settings to {context.settings.path}: {error}"
        context.show_general_message("warning", text)
