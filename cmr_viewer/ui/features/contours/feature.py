# ruff: noqa: E501 - one row per action reads as a table
"""Contour mode in the window: the contours of the displayed frame, and the label maps that their edits make."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from PySide6.QtCore import QTimer, Slot

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.label_map import LabelMap, empty_label_map
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.edit import patch_between
from cmr_viewer.review.frame_contours import Contours, frame_contours, refreshed, with_contour
from cmr_viewer.review.spline import Contour
from cmr_viewer.ui.features.contours.contour_tool import ContourTool
from cmr_viewer.ui.frame.mouse_tools import CONTOUR, MOVE
from cmr_viewer.ui.window.actions import ActionSpec, Menu
from cmr_viewer.ui.window.feature import Context, Feature, Wire

_REACH = 3.0
"""A pull reaches as far along the line on either side as this many radii of the brush."""

FOLLOW_MS = 32
"""How often pixels follow a line that is dragged: often enough for the eye, and the line never waits for them."""

_EARLIER = 12


class ContourFeature(Feature):
    """Contours are dragged with the mouse; the pixels follow at once, and each drag is one step to undo."""

    # fmt: off
    specs = (
        ActionSpec("contour", "C&ontours", ("O",), "Move, pull and draw contours: 1 LV endocardium, 2 LV epicardium, 3 RV endocardium", Menu.EDIT, icon="contour", checkable=True, section=1, short="Contours"),
    )
    # fmt: on

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.tool = ContourTool(self)
        context.parts.view.add_tool(self.tool)
        context.desk.tools_with_label.add(CONTOUR)
        self._frame: FrameIndex | None = None
        self._labels: LabelMap = empty_label_map(0, 0)
        self._contours: dict[Label, Contours] = {}
        self._earlier: dict[FrameIndex, list[dict[Label, Contours]]] = {}
        self._previewed: LabelMap | None = None
        self._dragged: tuple[Contour | None, Contour] | None = None
        self._follow = QTimer(self, singleShot=True, interval=FOLLOW_MS)
        self._follow.timeout.connect(self._show_dragged)

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """Contour mode on and off."""
        return {"contour": self._hold}

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        context, tool = self.context, self.tool
        return (
            (context.desk.tool_changed, self._take_tool),
            (context.desk.frame_changed, self._take_frame),
            (context.session.study.frames_changed, self._take_changes),
            (tool.grabbed, context.desk.choose_label),
            (tool.begun, self._begin),
            (tool.previewed, self._preview),
            (tool.edited, self._edit),
            (tool.ended, self._end),
            (tool.refused, self._refuse),
        )

    @property
    def held(self) -> bool:
        """Whether contour mode is on."""
        return self.context.desk.tool == CONTOUR

    @Slot(bool)
    def _hold(self, on: bool) -> None:
        desk = self.context.desk
        if on and desk.label is Label.BACKGROUND:
            desk.label = Label.LVBP
        desk.hold(CONTOUR if on else MOVE)

    @Slot()
    def _take_tool(self) -> None:
        """Another tool, label or reach."""
        desk, view = self.context.desk, self.context.parts.view
        self.context.actions["contour"].setChecked(self.held)
        self.tool.reach_px = max(2.0, _REACH * desk.radius_px)
        if self.held and desk.label in STRUCTURES:
            if self.tool.label is not desk.label or self._frame != desk.frame or not self._contours:
                self._refresh()
            view.show_without_outline(desk.label)
        else:
            self._frame = None
            view.show_without_outline(None)

    @Slot()
    def _take_frame(self) -> None:
        if self.held:
            self.tool.drop()
            self._refresh()

    @Slot(object)
    def _take_changes(self, frames: tuple[FrameIndex, ...]) -> None:
        if self.held and self.context.desk.frame in frames:
            labels = self.context.session.study.frame_state(self.context.desk.frame).labels
            if labels is not self._labels and (labels is not None or self._labels.any()):
                self.tool.drop_drag()
            self._refresh()

    def drop_study(self) -> None:
        """No contours, and none that is dragged."""
        self._follow.stop()
        self._earlier.clear()
        self._contours, self._frame, self._labels = {}, None, empty_label_map(0, 0)
        self._previewed, self._dragged = None, None
        self.tool.drop()
        self.tool.show({}, self.tool.label, self.context.parts.view.colour_of(self.tool.label))

    def _refresh(self) -> None:
        """Take the label map of the displayed frame; contours that still fit it stay as they are."""
        session, desk, view = self.context.session, self.context.desk, self.context.parts.view
        if session.study.stack is None:
            return
        labels = session.study.frame_state(desk.frame).labels
        geometry = session.study.stack.geometry
        labels = empty_label_map(geometry.rows, geometry.cols) if labels is None else labels
        earlier = self._earlier.setdefault(desk.frame, [])
        self._frame, self._labels = desk.frame, labels
        self._contours = refreshed(labels, reversed(earlier)) if earlier else frame_contours(labels)
        if self._contours not in earlier:
            earlier.append(self._contours)
            del earlier[:-_EARLIER]
        self.tool.show(self._contours, desk.label, view.colour_of(desk.label))
        view.update()

    @Slot()
    def _begin(self) -> None:
        self.context.desk.player.stop()
        self.context.desk.painting = True

    @Slot(object, object)
    def _preview(self, before: Contour | None, after: Contour) -> None:
        """The line follows the pointer at once; what it would make of the label map follows soon."""
        self._dragged = before, after
        if not self._follow.isActive():
            self._follow.start()

    @Slot()
    def _show_dragged(self) -> None:
        """Show what the drag would make of the label map."""
        dragged, self._dragged = self._dragged, None
        if self._frame is None or dragged is None:
            return
        before, after = dragged
        shown = self._labels if self._previewed is None else self._previewed
        self._previewed = with_contour(self._labels, self.tool.label, before, after)
        box = patch_between(shown, self._previewed).box
        if box is not None:
            self.context.parts.view.refresh_labels(self._previewed, box)

    @Slot(object, object, str)
    def _edit(self, before: Contour | None, after: Contour, text: str) -> None:
        """An edit is done: one step to undo."""
        frame = self._frame
        if frame is None:
            return
        label = self.tool.label
        mine = tuple(after if one is before else one for one in self._contours[label])
        mine = mine if before is not None else (after, *mine)
        self._earlier.setdefault(frame, []).append({**self._contours, label: mine})
        self._previewed, self._dragged = None, None
        self.context.desk.painting = False
        labels = with_contour(self._labels, label, before, after)
        if not self.context.session.study.change_labels({frame: labels}, text):
            self._refresh()

    @Slot()
    def _end(self) -> None:
        """The drag is over; a preview that came to nothing goes."""
        self.context.desk.painting = False
        self._dragged = None
        if self._previewed is not None:
            self._previewed = None
            self.context.display.show_frame()

    @Slot(str)
    def _refuse(self, why: str) -> None:
        self.context.show_message("info", why)
