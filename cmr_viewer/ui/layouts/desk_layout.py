"""What every layout of the desk can react to; the feature calls the current one."""

from PySide6.QtCore import QObject

from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.ui.frame.frame_view import Box
from cmr_viewer.ui.window.feature import Context


class DeskLayout(QObject):
    """A way to show the open study; the base of all, which is the single frame.

    Attributes:
        context: What it works with.
    """

    def __init__(self, context: Context, parent: QObject) -> None:
        super().__init__(parent)
        self.context = context

    @property
    def stack(self) -> Stack | None:
        """The open stack."""
        return self.context.session.study.stack

    def begin(self) -> None:
        """It is chosen; there may be no study."""
        self.context.parts.places.show_alone()

    def end(self) -> None:
        """Another is chosen."""

    def drop_study(self) -> None:
        """The study is left; `show_frame` follows where another one is opened."""

    def show_frame(self) -> None:
        """The reader is at another frame."""

    def show_changes(self, frames: tuple[FrameIndex, ...]) -> None:
        """Something of some frames has changed; called whether the layout is shown or not."""

    def show_stroke(self, box: Box) -> None:
        """The brush changed the frame that the reader is at in a box."""

    def show_marks(self) -> None:
        """End-diastole or end-systole has changed."""

    def show_look(self) -> None:
        """Colours, or whether masks are hidden, may have changed."""

    def show_playing(self, playing: bool) -> None:
        """The cine began or stopped."""

    def take_over(self, pressed: bool) -> None:
        """The pointer came to the second view; True for a press, a turn of the wheel or a pen."""
