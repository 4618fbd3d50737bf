# ruff: noqa: E501 - one row per action reads as a table
"""Label maps propagated through the phases, or copied and fitted to the image, in the window."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QWidget

from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.features.propagation.propagation import Propagation
from cmr_viewer.ui.window.actions import ActionSpec, Menu, When
from cmr_viewer.ui.window.feature import Context, Feature, Wire
from cmr_viewer.ui.window.layout import Page
from cmr_viewer.ui.window.widgets import action_button, column, label, row

_SOURCES = {"refine_base": (0, -1), "refine_apex": (0, 1), "refine_before": (-1, 0), "refine_after": (1, 0)}
"""Phases and slices from the displayed frame to the one that is copied."""


class PropagationFeature(Feature):
    """Suggests label maps made from those of other frames."""

    # fmt: off
    specs = (
        ActionSpec("propagate", "Propaga&te through phases", ("R",), "Suggest label maps for uncorrected phases of this slice, tracked from the corrected phases", Menu.TOOLS, icon="propagate", section=7, short="Propagate"),
        ActionSpec("propagate_over", "Propagate this fra&me to all phases", ("Alt+R",), "Suggest label maps for all other phases of this slice from this frame alone, including corrected phases", Menu.TOOLS, When.MASK, "propagate_over", section=7),
        ActionSpec("refine_base", "Copy from the slice towards the base, refined", ("Ctrl+Up",), "Suggest the label map of the next slice towards the base, fitted to this image", Menu.TOOLS, icon="refine_base", section=8),
        ActionSpec("refine_apex", "Copy from the slice towards the apex, refined", ("Ctrl+Down",), "Suggest the label map of the next slice towards the apex, fitted to this image", Menu.TOOLS, icon="refine_apex", section=8),
        ActionSpec("refine_before", "Copy from the previous phase, refined", ("Ctrl+Left",), "Suggest the label map of the previous phase, fitted to this image", Menu.TOOLS, icon="refine_before", section=8),
        ActionSpec("refine_after", "Copy from the next phase, refined", ("Ctrl+Right",), "Suggest the label map of the next phase, fitted to this image", Menu.TOOLS, icon="refine_after", section=8),
    )
    # fmt: on

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.propagation = Propagation(context.session, self)
        actions = context.actions
        buttons = row(
            action_button(actions["propagate"]), action_button(actions["propagate_over"], text=False), None, spacing=4
        )
        copies = (action_button(actions[name], text=False) for name in _SOURCES)
        self.panel = QWidget()
        self.panel.setLayout(column(buttons, row(label("Copy, refined", "small"), *copies, None, spacing=4)))
        context.parts.side.add_section(Page.FRAME, "Assisted", self.panel)

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """What each of its actions does."""
        return {
            "propagate": self._propagate,
            "propagate_over": self._propagate_over,
            **{name: partial(self._copy_from, *by) for name, by in _SOURCES.items()},
        }

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        return ((self.propagation.message, self.context.show_message),)

    def drop_study(self) -> None:
        """No suggestions."""
        self.propagation.forget()

    def possible(self) -> Mapping[str, bool]:
        """There must be other phases to propagate to, and a frame to copy from."""
        stack, frame = self.context.session.study.stack, self.context.desk.frame
        if stack is None:
            return {}
        several = stack.phases > 1
        return {
            "propagate": several,
            "propagate_over": several,
            "refine_base": frame.slice_index > 0,
            "refine_apex": frame.slice_index < stack.slices - 1,
            "refine_before": several,
            "refine_after": several,
        }

    @Slot()
    def _propagate(self) -> None:
        self.context.desk.player.stop()
        self.propagation.propagate(self.context.desk.frame)

    @Slot()
    def _propagate_over(self) -> None:
        self.context.desk.player.stop()
        self.propagation.propagate_over(self.context.desk.frame)

    def _copy_from(self, phases: int, slices: int, _checked: bool = False) -> None:
        stack, frame = self.context.session.study.stack, self.context.desk.frame
        if stack is not None:
            self.context.desk.player.stop()
            source = FrameIndex((frame.phase + phases) % stack.phases, frame.slice_index + slices)
            self.propagation.copy_refined(frame, source)
