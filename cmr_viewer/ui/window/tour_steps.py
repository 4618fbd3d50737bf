"""The eight stops of the tour, from the frame to the worklist."""

from collections.abc import Mapping

from PySide6.QtGui import QAction, QKeySequence

from cmr_viewer.ui.window.layout import Page, Parts
from cmr_viewer.ui.window.tour import Step

GREETING = Step(
    "Welcome to CMR Viewer",
    "The tour shows the parts of the window on the demo study from the Sunnybrook Cardiac Data. It takes two minutes. "
    "You can start it at any time from the Help menu.",
)
"""Shown once, before any study is open."""


def tour_steps(parts: Parts, actions: Mapping[str, QAction]) -> tuple[Step, ...]:
    """The stops, with the keys that the reader has now."""

    def keys(*names: str) -> str:
        texts = [actions[name].shortcut().toString(QKeySequence.SequenceFormat.NativeText) for name in names]
        return " and ".join(text for text in texts if text) or "the menu"

    def single_frame() -> None:
        actions["layout_single"].trigger()

    def frame_page() -> None:
        parts.side.show_page(Page.FRAME)

    def measures_page() -> None:
        parts.side.show_page(Page.MEASURES)

    def review_page() -> None:
        parts.side.show_page(Page.REVIEW)

    return (
        Step(
            "One region, one model",
            "Every frame has a region: base, middle, apex or non-cardiac. The specialist model for the region segments "
            "the frame. You correct both. Right or Enter continues, Left goes back, Esc ends the tour.",
        ),
        Step(
            "The frame",
            f"One slice at one phase, with its outlines. The wheel or {keys('slice_up', 'slice_down')} change the "
            f"slice. Shift + wheel or {keys('phase_previous', 'phase_next')} change the phase. "
            f"{keys('play')} plays the cine.",
            part=lambda: parts.view,
            before=single_frame,
        ),
        Step(
            "All slices of the phase",
            "From base to apex. The border and the letter show the region of each slice. Click a slice to go there. "
            f"{keys('grid')} shows all phases.",
            part=lambda: parts.strip,
            before=single_frame,
        ),
        Step(
            "The region of this frame",
            "The probability of each region, and why this model segmented the frame. If you choose another region, "
            f"such as with {keys('region_base')} or {keys('region_middle')}, its specialist segments the frame.",
            part=lambda: parts.region,
            before=frame_page,
        ),
        Step(
            "Tools",
            f"{keys('brush')} selects the brush. {keys('label_lvbp', 'label_lvm')} select the label to paint: LV blood "
            f"pool or myocardium. The right button erases. {keys('undo')} undoes any change. All work is saved.",
            part=lambda: parts.tools,
            before=frame_page,
        ),
        Step(
            "Measures",
            "Volumes, ejection fraction and mass are updated after every stroke. Click the curve to go to a phase.",
            part=lambda: parts.side,
            before=measures_page,
        ),
        Step(
            "Review",
            f"{keys('next_review')} goes to the frame that most needs review and shows why. {keys('accept')} accepts "
            "it. Accepted frames are used to retrain the specialist of their region.",
            part=lambda: parts.side,
            before=review_page,
        ),
        Step(
            "Studies and search",
            f"Your recent studies are here; {keys('worklist')} lists them all. {keys('command_palette')} finds any "
            f"action by part of its name. {keys('keys')} shows all keys.",
            part=lambda: parts.worklist,
            before=frame_page,
        ),
    )
