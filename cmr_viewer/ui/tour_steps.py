"""What the tour shows: eight stops, from the frame to the worklist."""

from collections.abc import Mapping

from PySide6.QtGui import QAction, QKeySequence

from cmr_viewer.ui.layout import Page, Parts
from cmr_viewer.ui.tour import Step

GREETING = Step(
    "Welcome to CMR Viewer",
    "The tour shows the parts of the window on the demo study, a heart of the Sunnybrook Cardiac Data. It takes two "
    "minutes, and can be taken again from the Help menu.",
)
"""Asked once, before anything is open."""


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
            "Every frame is base, middle, apex or not of the heart, and the specialist of its region draws it. You "
            "correct both. Go on with Right or Enter, back with Left; Esc ends the tour.",
        ),
        Step(
            "The frame",
            f"One slice at one phase, with its outlines. The wheel or {keys('slice_up', 'slice_down')} go through the "
            f"slices, Shift and the wheel or {keys('phase_previous', 'phase_next')} through the phases. "
            f"{keys('play')} plays.",
            part=lambda: parts.view,
            before=single_frame,
        ),
        Step(
            "All slices of the phase",
            "Base to apex, each bordered in the colour of its region and named by its letter. A click goes there; "
            f"{keys('grid')} shows all phases.",
            part=lambda: parts.strip,
            before=single_frame,
        ),
        Step(
            "The region of this frame",
            "What the classifier thinks, and why that model drew it. Choose another region and its specialist draws "
            f"the frame at once: {keys('region_base', 'region_middle')} and so on.",
            part=lambda: parts.region,
            before=frame_page,
        ),
        Step(
            "Tools",
            f"{keys('brush')} takes the brush, {keys('label_lvbp', 'label_lvm')} and so on choose what it paints, the "
            f"right button erases. {keys('undo')} takes back anything; everything is kept as you go.",
            part=lambda: parts.tools,
            before=frame_page,
        ),
        Step(
            "Measures",
            "Volumes, ejection fraction and mass follow every stroke. The curve goes to a phase when you click it.",
            part=lambda: parts.side,
            before=measures_page,
        ),
        Step(
            "Review",
            f"{keys('next_review')} leads to the frame that needs a look most and says why; {keys('accept')} accepts "
            "it. Accepted frames teach the specialist of their region.",
            part=lambda: parts.side,
            before=review_page,
        ),
        Step(
            "Studies, and everything by name",
            f"Your studies stand here, all of them on the page of {keys('worklist')}. {keys('command_palette')} finds "
            f"any action by a part of its name, {keys('keys')} shows all keys.",
            part=lambda: parts.worklist,
            before=frame_page,
        ),
    )
