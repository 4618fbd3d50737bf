# ruff: noqa: E501 - one row per action reads as a table
"""The region decision: what each region would change is shown before it is set, with masks, measures and base card."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from cmr_viewer.app.jobs import Priority
from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.frames import FrameState
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.opinions import Opinions
from cmr_viewer.reading.what_if import TEXT, Answer, Following, answer, candidates_of, question_of
from cmr_viewer.review.what_if import Candidate
from cmr_viewer.ui.features.region.panel import RegionPanel
from cmr_viewer.ui.window.actions import ActionSpec, Menu, When
from cmr_viewer.ui.window.feature import Context, Feature, Wire
from cmr_viewer.ui.window.layout import Page

if TYPE_CHECKING:
    from cmr_viewer.review.checks import Finding

KEY = "what-if"
WAIT_MS = 120
"""A frame must be displayed this long before models are asked about it."""


class WhatIf(QObject):
    """Candidates for the region of the displayed frame; they fill as their masks come.

    Signals:
        changed(): `candidates` is new.
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.candidates: tuple[Candidate, ...] = ()
        self.frame: FrameIndex | None = None
        self.opinions: Opinions | None = None
        self._session = session
        self._reading: OpenStudy | None = None
        self._following: dict[Region, Following] = {}
        self._timer = QTimer(self, singleShot=True, interval=WAIT_MS)
        self._timer.timeout.connect(self._ask)

    @Slot()
    def begin(self) -> None:
        """A study was opened or left, or other models are in service: what was known of it is dropped."""
        self._session.jobs.cancel(KEY)
        self._timer.stop()
        self._reading = self._session.study.reading
        self.opinions = None if self._reading is None else Opinions(self._reading)
        self._following = {}
        if self._reading is None:
            self.frame = None
        self._show()
        if self.frame is not None:
            self._timer.start()

    def look_at(self, frame: FrameIndex | None) -> None:
        """Another frame is displayed; None while the cine plays."""
        if frame == self.frame:
            return
        self._session.jobs.cancel(KEY)
        self.frame, self._following = frame, {}
        self._show()
        if frame is None:
            self._timer.stop()
        else:
            self._timer.start()

    @Slot()
    def refresh(self) -> None:
        """Something of the study has changed: show what is known now, and ask again for what follows."""
        self._following = {}
        self._show()
        if self.frame is not None and not self._timer.isActive():
            self._timer.start()

    # -- what is known -------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        self.candidates = self._made()
        self.changed.emit()

    def _made(self) -> tuple[Candidate, ...]:
        reading, frame, models = self._reading, self.frame, self._session.models.loaded
        if reading is None or frame is None or models is None or self.opinions is None or frame not in reading.frames:
            return ()
        return candidates_of(reading, frame, models.active, self.opinions, self._following)

    # -- what is asked -------------------------------------------------------------------------------------------------

    @Slot()
    def _ask(self) -> None:
        session, reading, frame, models = self._session, self._reading, self.frame, self._session.models.loaded
        if reading is None or reading is not session.study.reading or self.opinions is None:
            return
        if frame is None or models is None or not self.candidates:
            return
        question = question_of(reading, frame, models.active, self.opinions, self.candidates)
        if session.models.is_analysing and not question.lacking:  # `analysed` will ask again
            return
        session.jobs.submit(
            KEY,
            TEXT,
            partial(answer, session.models.flow, reading.stack, models, question),
            priority=Priority.READER - 5,
            on_partial=partial(self._take, reading, frame),
        )

    def _take(self, reading: OpenStudy, frame: FrameIndex, found: Answer) -> None:
        if reading is not self._reading or frame != self.frame or self.opinions is None:
            return
        if isinstance(found, Following):
            self._following[found.region] = found
        else:
            self.opinions.add(found)
        self._show()


_GATHER_MS = 60


class RegionFeature(Feature):
    """What-if, base card and regions of whole slices, in the panel of the frame's region."""

    # fmt: off
    specs = (
        ActionSpec("region_base", "Region: &base", ("Shift+1",), "Set the region to base; the base specialist segments the frame", Menu.REVIEW),
        ActionSpec("region_middle", "Region: &middle", ("Shift+2",), "Set the region to middle; the middle specialist segments the frame", Menu.REVIEW),
        ActionSpec("region_apex", "Region: &apex", ("Shift+3",), "Set the region to apex; the apex specialist segments the frame", Menu.REVIEW),
        ActionSpec("region_non_cardiac", "Region: &non-cardiac", ("Shift+4",), "Set the region to non-cardiac; the baseline model segments the frame", Menu.REVIEW),
        ActionSpec("region_all_phases", "Same region at a&ll phases", ("Shift+5",), "Apply this region to all phases of the slice in one step; otherwise it applies to this phase only", Menu.REVIEW, When.REGION, short="Same region at all phases"),
    )
    # fmt: on

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.what_if = WhatIf(context.session, self)
        self.panel = RegionPanel(context.actions)
        context.parts.side.add_section(Page.FRAME, "Region of this frame", self.panel)
        self._show_colours()
        self._findings: Mapping[FrameIndex, Sequence[Finding]] = {}
        self._pointed: Region | None = None
        self._gather = QTimer(self, singleShot=True, interval=_GATHER_MS)
        self._gather.timeout.connect(self._refresh)
        context.session.study.ring_fraction = context.settings.base_ring_percent / 100.0

    def slots(self) -> Mapping[str, Callable[..., Any]]:
        """What its actions do."""
        desk = self.context.desk
        return {
            "region_base": desk.region_base,
            "region_middle": desk.region_middle,
            "region_apex": desk.region_apex,
            "region_non_cardiac": desk.region_non_cardiac,
            "region_all_phases": self.set_all_phases,
        }

    def drop_study(self) -> None:
        """No candidates, and no masks of one over the frame."""
        self._gather.stop()
        self._findings = {}
        self.panel.show_nothing()
        self._begin()
        self._show_card()

    def wires(self) -> Iterable[Wire]:
        """Signals and slots."""
        session, desk, panel, display = self.context.session, self.context.desk, self.panel, self.context.display
        return (
            (session.study.opened, self._begin),
            (session.models.changed, self._begin),
            (session.study.analysed, self.what_if.refresh),
            (session.study.frames_changed, self._take_changes),
            (session.study.phase_marks_changed, self._gather.start),
            (desk.frame_changed, self._look),
            (desk.player.running_changed, self._rest),
            (self.what_if.changed, self._show),
            (panel.candidate_pointed, self.point_at),
            (panel.rule_chosen, self.set_rule),
            (display.state_shown, self._show_state),
            (display.colours_changed, self._show_colours),
            (display.checked, self._take_findings),
        )

    @Slot()
    def set_all_phases(self) -> None:
        """Set the frame's region for its slice at all phases."""
        session, frame = self.context.session, self.context.desk.frame
        region = None if session.study.stack is None else session.study.frame_state(frame).region
        if region is None:
            return
        changed = session.study.set_region_of_slice(frame.slice_index, region)
        phases = "1 phase" if len(changed) == 1 else f"{len(changed)} phases"
        text = f"Slice {frame.slice_index + 1} is now {region.text.lower()} in all phases; {phases} changed."
        self.context.show_message("info", text if changed else "You have already set this region in all phases.")

    @Slot(object)
    def point_at(self, region: Region | None) -> None:
        """Show the masks of a candidate, dashed; None shows again what is offered otherwise."""
        self._pointed = region
        self._show_masks()

    @Slot(int)
    def set_rule(self, percent: int) -> None:
        """Another share of the ring makes a basal slice count as left ventricle."""
        self.context.settings.base_ring_percent = percent
        self.context.session.study.ring_fraction = percent / 100.0
        self.context.display.rule_changed.emit()
        self.context.display.show_frame()
        self._show_card()

    @Slot()
    def _show_colours(self) -> None:
        self.panel.set_colours(self.context.display.region_colours)

    @Slot(object)
    def _show_state(self, state: FrameState) -> None:
        """Show what is known of the displayed frame."""
        self.panel.show_region(
            state.region,
            state.region_prediction,
            by_reader=state.region_by == "reader",
            reason=state.reason,
            model_id=state.model_id,
            accepted=state.status is ReviewStatus.ACCEPTED,
            renewed=state.renewed,
        )
        found = self.context.session.study.findings(self.context.desk.frame)
        self.panel.show_findings(
            [one.text for one in found if not one.is_note], [one.text for one in found if one.is_note]
        )
        self._show_beside()

    @Slot(object)
    def _take_findings(self, findings: "Mapping[FrameIndex, Sequence[Finding]] | None") -> None:
        self._findings = findings or {}
        self._show_beside()

    def _show_beside(self) -> None:
        """Show what looks wrong compared with other frames."""
        session, frame = self.context.session, self.context.desk.frame
        if session.study.stack is not None:
            alone = {one.text for one in session.study.findings(frame)}
            found = self._findings.get(frame, ())
            self.panel.show_beside([one.text for one in found if one.text not in alone and not one.is_note])

    @Slot()
    def _begin(self) -> None:
        self._pointed = None
        self.what_if.begin()
        self._look()

    @Slot()
    def _look(self) -> None:
        desk = self.context.desk
        showing = self.context.session.study.stack is not None and not desk.player.running
        if showing:
            self._show_card()
        self.what_if.look_at(desk.frame if showing else None)

    @Slot(bool)
    def _rest(self, playing: bool) -> None:
        if not playing:
            self._look()

    @Slot(object)
    def _take_changes(self, frames: tuple[FrameIndex, ...]) -> None:
        session, shown = self.context.session, self.context.desk.frame
        phases = (session.study.ed_phase, session.study.es_phase, shown.phase)
        if not self._gather.isActive() and any(frame.phase in phases for frame in frames):
            self._gather.start()

    @Slot()
    def _refresh(self) -> None:
        if self.context.desk.painting:  # the stroke has all of the time; they follow when it ends
            self._gather.start()
            return
        self.what_if.refresh()
        self._show_card()

    @Slot()
    def _show(self) -> None:
        session, frame = self.context.session, self.context.desk.frame
        candidates = self.what_if.candidates
        at = "ED" if frame.phase == session.study.ed_phase else "ES" if frame.phase == session.study.es_phase else ""
        hint = ""
        if candidates:
            hint = "Point at a region to see its contours, dashed."
            if any(one.followers for one in candidates):
                hint = f"Neighbouring frames that would change region too are included. {hint}"
            if not at:
                hint = f"Neither ED nor ES: this frame affects only the volume curve. {hint}"
        self.panel.show_what_if(candidates, at, hint)
        self._show_masks()

    def _show_masks(self) -> None:
        """The masks of the candidate that is pointed at, over the frame."""
        if self.context.session.study.stack is None:
            return
        found = next((one for one in self.what_if.candidates if one.region is self._pointed), None)
        if found is not None and not found.chosen and found.labels is not None:
            self.context.parts.view.show_proposal(found.labels)
        else:
            self.context.display.show_offer()

    def _show_card(self) -> None:
        session, frame, card = self.context.session, self.context.desk.frame, self.panel.base_card
        study, reading = session.study.data, session.study.reading
        if study is None or reading is None:
            card.show_card(None, "")
            return
        from cmr_viewer.review.base_card import base_card, belongs_on  # noqa: PLC0415 - scipy, once a study is open

        regions = {f: one.region for f, one in reading.frames.items() if one.region is not None}
        if not belongs_on(frame, regions):
            card.show_card(None, "")
            return
        made = base_card(
            frame,
            reading.frames[frame].labels,
            regions,
            reading.stack.geometry,
            ed_phase=session.study.ed_phase,
            es_phase=session.study.es_phase,
            rule=session.study.ring_fraction or 0.5,
            views=study.long_axis,
        )
        ring_is_shown = regions.get(frame) is Region.BASE and made.enclosed is not None
        card.show_card(made, session.study.measures.papillary.text, ring_is_shown=ring_is_shown)
