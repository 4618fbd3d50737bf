# ruff: noqa: E501 - one row per action reads as a table
"""Label maps propagated through the phases, or copied and fitted to the image, in the window."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from cmr_viewer.app.jobs import Priority
from cmr_viewer.app.session import Session
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.label_map import LabelMap, fingerprint
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.progress import Progress
from cmr_viewer.reading.offers import cycle_of
from cmr_viewer.ui.window.actions import ActionSpec, Menu, When
from cmr_viewer.ui.window.feature import Context, Feature, Wire
from cmr_viewer.ui.window.layout import Page
from cmr_viewer.ui.window.widgets import action_button, column, label, row

PROPAGATION_KEY = "propagation"
"""The job that makes what is offered; one at a time."""

LabelMaps = dict[FrameIndex, LabelMap]


class Propagation(QObject):
    """Carries label maps of the open study from frame to frame on the job thread, and offers what comes of it.

    Signals:
        message(str severity, str text): Something for the reader, such as why there is nothing to offer.
    """

    message = Signal(str, str)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._given: dict[FrameIndex, int] = {}

    @Slot()
    def forget(self) -> None:
        """Another study, or none: what runs for the last one is stopped."""
        self._session.jobs.cancel(PROPAGATION_KEY)
        self._given.clear()

    def is_corrected(self, frame: FrameIndex) -> bool:
        """Whether the reader accepted a frame or gave it its label map otherwise than by taking what was offered."""
        state = self._session.study.frame_state(frame)
        if state.status is ReviewStatus.ACCEPTED:
            return True
        return state.edited and state.labels is not None and self._given.get(frame) != fingerprint(state.labels)

    def propagate(self, frame: FrameIndex) -> None:
        """Offer the phases of a slice that are not corrected, from those that are.

        Where none is corrected, the frame itself counts as corrected.
        """
        stack = self._session.study.stack
        if stack is None:
            return
        slice_frames = [FrameIndex(phase, frame.slice_index) for phase in range(stack.phases)]
        corrected = [each for each in slice_frames if self.is_corrected(each)] or [frame]
        self._propagate(stack, frame.slice_index, corrected, [each for each in slice_frames if each not in corrected])

    def propagate_over(self, frame: FrameIndex) -> None:
        """Offer all other phases of a slice from one frame, also those that are corrected."""
        stack = self._session.study.stack
        if stack is not None:
            others = [FrameIndex(phase, frame.slice_index) for phase in range(stack.phases) if phase != frame.phase]
            self._propagate(stack, frame.slice_index, [frame], others)

    def _propagate(self, stack: Stack, slice_index: int, corrected: list[FrameIndex], wanted: list[FrameIndex]) -> None:
        known = {each.phase: labels for each in corrected if (labels := self._labels(each)) is not None}
        if not known or not any(labels.any() for labels in known.values()):
            self.message.emit("info", "Nothing to propagate. Draw or correct this frame first.")
            return
        if not wanted:
            self.message.emit(
                "info", "Every phase of this slice is corrected already. This frame alone can go over all."
            )
            return
        drawn = {each.phase: labels for each in wanted if (labels := self._prediction(each)) is not None}
        phases = sorted(each.phase for each in wanted)
        text = f"propagate through the phases of slice {slice_index + 1}"
        self._offer(stack, text, partial(_carry, stack, slice_index, known, phases, drawn))

    def copy_refined(self, frame: FrameIndex, source: FrameIndex) -> None:
        """Offer a frame the label map of another one of its phase or slice, fitted to the image."""
        stack = self._session.study.stack
        if stack is None:
            return
        labels = self._labels(source)
        if labels is None or not labels.any():
            self.message.emit("info", f"{_place(source, frame)} has no label map to copy.")
            return
        text = f"copy from {_place(source, frame).lower()}, refined"
        self._offer(stack, text, partial(_refine, stack, source, frame, labels))

    def _offer(self, stack: Stack, text: str, work: Callable[[Progress], LabelMaps]) -> None:
        if self._session.jobs.is_busy(PROPAGATION_KEY):
            self.message.emit("info", "Another suggestion is still being calculated. Wait for it, or cancel it.")
            return
        self._session.jobs.submit(
            PROPAGATION_KEY,
            f"{text[:1].upper()}{text[1:]}",
            work,
            priority=Priority.READER,
            on_finished=partial(self._show, stack, text),
        )

    def _show(self, stack: Stack, text: str, found: LabelMaps) -> None:
        if self._session.study.stack is not stack:
            return
        self._session.study.offer_labels(found, text)
        if self._session.study.offer is None:
            self.message.emit("info", f"{text[:1].upper()}{text[1:]}: nothing would change.")
        else:
            self._given.update({each: fingerprint(labels) for each, labels in found.items()})

    def _labels(self, frame: FrameIndex) -> LabelMap | None:
        labels = self._session.study.frame_state(frame).labels
        return None if labels is None else labels.copy()  # a brush stroke writes into what is shown

    def _prediction(self, frame: FrameIndex) -> LabelMap | None:
        """What a model drew and shows, where no one corrected it."""
        state = self._session.study.frame_state(frame)
        if state.edited or state.imported or state.labels is None or not state.labels.any():
            return None
        return state.labels.copy()


def _place(source: FrameIndex, frame: FrameIndex) -> str:
    if source.phase != frame.phase:
        return f"Phase {source.phase + 1}"
    return f"Slice {source.slice_index + 1}"


def _carry(
    stack: Stack,
    slice_index: int,
    corrected: Mapping[int, LabelMap],
    wanted: list[int],
    drawn: Mapping[int, LabelMap],
    progress: Progress,
) -> LabelMaps:
    """Label maps of other phases of a slice. Runs on the job thread."""
    from cmr_viewer.review.propagate import SliceCine, propagate  # noqa: PLC0415 - scipy, SimpleITK

    progress(0.0, "Propagating")
    times, cycle = cycle_of(stack)
    cine = SliceCine(np.asarray(stack.pixels[:, slice_index]), times, cycle, stack.geometry.pixel_spacing_mm)
    found = propagate(cine, corrected, wanted, drawn=drawn, progress=progress)
    return {FrameIndex(phase, slice_index): labels for phase, labels in found.items()}


def _refine(stack: Stack, source: FrameIndex, target: FrameIndex, labels: LabelMap, progress: Progress) -> LabelMaps:
    """The label map of a frame from another's. Runs on the job thread."""
    from cmr_viewer.review.propagate import refined_copy  # noqa: PLC0415 - scipy, SimpleITK

    progress(0.0, "Copying")
    spacing_mm = stack.geometry.pixel_spacing_mm
    return {target: refined_copy(labels, stack.frame(source), stack.frame(target), spacing_mm)}


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
