"""How long each thing a reader can do keeps the window from coming back to the reader.

    python3 benchmarks/stalls.py [--only undo accept_all] [--size 1280x800] [--markdown FILE]

A real window on a synthetic study of 30 phases, 12 slices and 512 x 512 pixels with everything segmented, which offers
all that a study can: stacks, repeated slices, long-axis views. Models are stand-ins that answer at once. Every action
of the table of actions is triggered, in a situation where it is possible; dialogs are opened and closed; then come what
the mouse does, corrections and undo of the whole study, opening and closing.

For each, the longest turn of the window's event loop is told, from when it took up something to do until it came back
for the next: on the clock, which other programs and threads make longer, and as processor's time of the window's
thread. Worst first, by processor's time. What takes longer than 100 ms is marked.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from benchmarks.desk import Desk
    from cmr_viewer.domain.label_map import LabelMap

AIM_MS = 100.0
_BEAT_MS = 2
_SETTLED_S = 0.25
_PATIENCE_S = 60.0


@dataclass
class Stall:
    """The longest turn while something was done.

    Attributes:
        name: What was done.
        clock_ms: The longest turn on the clock.
        work_ms: The most processor's time of a turn.
        note: What is to be known about it.
    """

    name: str
    clock_ms: float = 0.0
    work_ms: float = 0.0
    note: str = ""


class Turns:
    """Times the turns of the event loop, also of those that dialogs run; and closes dialogs once they are shown."""

    def __init__(self) -> None:
        from PySide6.QtCore import QTimer

        self.stall = Stall("")
        self._clock = self._work = 0.0
        self._beat = QTimer(interval=_BEAT_MS)
        self._beat.timeout.connect(self.note)
        self._closer = QTimer(interval=120)
        self._closer.timeout.connect(self._close_dialogs)

    def begin(self, name: str) -> None:
        """Begin to time."""
        self.stall = Stall(name)
        self.restart()
        self._beat.start()
        self._closer.start()

    def restart(self) -> None:
        """The loop has just come back."""
        self._clock, self._work = time.perf_counter(), time.thread_time()

    def note(self) -> None:
        """A turn is over."""
        self.stall.clock_ms = max(self.stall.clock_ms, 1000.0 * (time.perf_counter() - self._clock))
        self.stall.work_ms = max(self.stall.work_ms, 1000.0 * (time.thread_time() - self._work))
        self.restart()

    def end(self) -> Stall:
        """What was the longest turn."""
        self._beat.stop()
        self._closer.stop()
        return self.stall

    def _close_dialogs(self) -> None:
        from PySide6.QtWidgets import QApplication, QDialog, QMenu

        self.note()
        for widget in QApplication.topLevelWidgets():
            if widget.isVisible() and isinstance(widget, QDialog | QMenu):
                self.stall.note = "opens a dialog"
                widget.close()


class Trial:
    """Does one thing after another in a window and times each.

    Args:
        desk: The window.
    """

    def __init__(self, desk: "Desk") -> None:
        self.desk, self.turns, self.found = desk, Turns(), list[Stall]()

    def time(self, name: str, do: Callable[[], object], *, settle: bool = True) -> None:
        """Do something and time it, with what follows from it."""
        self.turns.begin(name)
        do()
        self.turns.note()
        self._wait(settle)
        self.found.append(self.turns.end())

    def _wait(self, settle: bool) -> None:
        session, display = self.desk.program.session, self.desk.window.display
        until = time.perf_counter() + _SETTLED_S
        latest = time.perf_counter() + _PATIENCE_S
        while time.perf_counter() < latest:
            busy = settle and (session.jobs.is_busy() or session.saving.is_busy or display.has_more_to_show)
            if busy:
                until = time.perf_counter() + _SETTLED_S
            elif time.perf_counter() > until:
                return
            self.turns.restart()
            self.desk.app.processEvents()
            self.turns.note()
            time.sleep(0.0005)

    def table(self) -> str:
        """What was found, worst first, as Markdown."""
        lines = ["| what | processor's time, ms | on the clock, ms | |", "|---|---:|---:|---|"]
        for one in sorted(self.found, key=lambda one: -one.work_ms):
            mark = "**over 100 ms**" if one.work_ms > AIM_MS else ""
            note = ", ".join(text for text in (mark, one.note) if text)
            lines.append(f"| {one.name} | {one.work_ms:.0f} | {one.clock_ms:.0f} | {note} |")
        return "\n".join(lines)


class Actions:
    """Brings about the situation in which an action is possible, and triggers it."""

    def __init__(self, trial: Trial) -> None:
        self.trial, self.desk = trial, trial.desk
        self._ready: dict[str, Callable[[], object]] = {
            "undo": self._correct,
            "redo": self._undone,
            "proposal_show": self._offer,
            "proposal_take": self._offer,
            "proposal_keep": self._offer,
            "cancel_opening": self._open_again,
            "interpolate_slices": self._correct_ends,
            "interpolate_phases": self._correct_ends,
            "propagate": self._correct,
            "insertion_found": self._insertions,
        }

    def all(self) -> None:
        """All actions of the table; Quit is timed at the end by who closes the window."""
        from PySide6.QtCore import QObject, QUrl, Slot
        from PySide6.QtGui import QDesktopServices

        from cmr_viewer.ui.features.table import ACTIONS

        class Taker(QObject):
            @Slot(QUrl)
            def take(self, url: QUrl) -> None:
                pass

        taker = Taker()
        QDesktopServices.setUrlHandler("file", taker, "take")  # no other program is started
        for spec in ACTIONS:
            if spec.id != "quit":
                self.one(spec.id, f"{spec.text.replace('&', '')} (`{spec.id}`)")
        QDesktopServices.unsetUrlHandler("file")

    def one(self, name: str, text: str) -> None:
        """One action, in a study that is open and at a frame in the middle of the heart."""
        desk, trial = self.desk, self.trial
        self.come_back()
        self._ready.get(name, lambda: None)()
        if name != "cancel_opening":
            desk.settle()
        action = desk.window.actions_by_id[name]
        if not action.isEnabled():
            trial.found.append(Stall(text, note="not possible in this study"))
            return
        trial.time(text, action.trigger)
        if action.isCheckable() and name in _ON_AND_OFF:
            trial.time(f"{text}, back", action.trigger)

    def come_back(self) -> None:
        """To a frame in the middle of the heart, on the page of the frame, with nothing begun."""
        desk = self.desk
        session = desk.program.session
        if session.study.stack is None or session.study.stack.phases == 1:
            session.opening.open_path(desk.path)
            desk.settle()
        desk.window.desk.player.stop()
        if desk.window.actions_by_id["worklist"].isChecked():
            desk.window.actions_by_id["worklist"].trigger()
        desk.window.actions_by_id["reach_frame"].trigger()
        desk.take("move")

    def _correct(self) -> None:
        """Shift the frame on show by a pixel: one undo step."""
        session, frame = self.desk.program.session, self.desk.window.desk.frame
        session.study.change_labels({frame: _shifted(session.study.frame_state(frame).labels)}, "shift")

    def _correct_ends(self) -> None:
        from cmr_viewer.domain.study import FrameIndex

        session = self.desk.program.session
        frames = [FrameIndex(0, 4), FrameIndex(0, 8), FrameIndex(0, 6), FrameIndex(10, 6)]
        session.study.change_labels({f: _shifted(session.study.frame_state(f).labels) for f in frames}, "shift")

    def _undone(self) -> None:
        self._correct()
        self.desk.settle()
        self.desk.window.actions_by_id["undo"].trigger()

    def _offer(self) -> None:
        session, frame = self.desk.program.session, self.desk.window.desk.frame
        session.study.offer_labels({frame: _shifted(session.study.frame_state(frame).labels)}, "shift")

    def _open_again(self) -> None:
        self.desk.program.session.opening.open_path(self.desk.path)

    def _insertions(self) -> None:
        desk = self.desk
        desk.trigger("go_ed")
        desk.window.parts.view.pointed.emit((200.0, 200.0))
        desk.window.actions_by_id["insertion_anterior"].trigger()


_ON_AND_OFF = frozenset({"hide_masks", "exact_edges", "grid", "long_axis", "full_screen", "worklist"})


def _shifted(labels: "LabelMap | None") -> "LabelMap":
    """A label map a pixel to the right; not writable, as those that tools hand over."""
    import numpy as np

    assert labels is not None
    moved = np.roll(labels, 1, axis=1).copy()
    moved.setflags(write=False)
    return moved


def beyond_actions(trial: Trial) -> None:
    """What no action does: mouse, whole studies, opening and closing."""
    from cmr_viewer.domain.anatomy import Region
    from cmr_viewer.domain.study import FrameIndex
    from cmr_viewer.reading.open_study import Imported

    desk = trial.desk
    session, window = desk.program.session, desk.window
    stack = session.study.stack
    assert stack is not None
    desk.take("move")
    for step, name in ((1, "towards the apex"), (-1, "towards the base")):
        trial.time(f"Wheel: a slice {name}", lambda step=step: window.desk.step_slice(step))
    trial.time("Wheel: a phase", lambda: window.desk.step_phase(1))
    trial.time("Cine for a second", lambda: window.desk.play(True))
    window.desk.player.stop()
    desk.take("brush")
    trial.time("A brush stroke of 60 events", lambda: desk.brush_stroke(1))
    desk.take("contour")
    trial.time("A contour drag of 60 events", lambda: desk.contour_drag(1))
    desk.take("move")
    trial.time("Larger window", lambda: desk.resize("1900x1000"))
    trial.time("Smaller window", lambda: desk.resize("1280x800"))
    whole = {f: _shifted(session.study.frame_state(f).labels) for f in stack.frame_indices}
    trial.time("Put in a corrected whole study", lambda: session.study.change_labels(whole, "shift the study"))
    trial.time("Undo of a whole study", window.actions_by_id["undo"].trigger)
    trial.time("Redo of a whole study", window.actions_by_id["redo"].trigger)
    trial.time("Undo of a whole study again", window.actions_by_id["undo"].trigger)
    imported = Imported("another program", "import a study", frozenset(whole))
    trial.time("Put in an imported whole study", lambda: session.study.put_labels(whole, imported))
    desk.trigger("reach_study")
    window.desk.choose_label(_lvbp())
    trial.time("Smooth the whole study", window.actions_by_id["tool_smooth"].trigger)
    trial.time("Undo of that", window.actions_by_id["undo"].trigger)
    desk.trigger("reach_frame")
    offered = {f: _shifted(session.study.frame_state(f).labels) for f in stack.frame_indices}
    trial.time("Offer a whole study", lambda: session.study.offer_labels(offered, "shift the study"))
    trial.time("Use suggestion", window.actions_by_id["proposal_take"].trigger)
    trial.time("Accept whole study", window.actions_by_id["accept_all"].trigger)
    trial.time("Undo of that acceptance", window.actions_by_id["undo"].trigger)
    trial.time("Set the region of a slice", lambda: session.study.set_region_of_slice(1, Region.BASE))
    trial.time("Go to another frame", lambda: window.desk.go(FrameIndex(7, 3)))
    trial.time("Close the study", session.close_study)
    trial.time("Open it again: 360 corrected frames are put back", lambda: session.opening.open_path(desk.path))
    trial.time("Open another study over it", window.actions_by_id["open_demo"].trigger)
    trial.time("Close that", session.close_study)


def _lvbp() -> object:
    from cmr_viewer.domain.anatomy import Label

    return Label.LVBP


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--platform", default="offscreen")
    parser.add_argument("--size", default="1280x800")
    parser.add_argument("--only", nargs="*", help="ids of actions; nothing else is done")
    parser.add_argument("--no-actions", action="store_true", help="leave the table of actions out")
    parser.add_argument("--markdown", type=Path, help="where the table is written")
    asked = parser.parse_args()
    os.environ["QT_QPA_PLATFORM"] = asked.platform
    from benchmarks.desk import Desk

    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder), asked.size, rich=True)
        trial = Trial(desk)
        actions = Actions(trial)
        try:
            if asked.only:
                for name in asked.only:
                    actions.one(name, name)
            else:
                if not asked.no_actions:
                    actions.all()
                actions.come_back()
                beyond_actions(trial)
            trial.time("Quit (`quit`)", desk.window.close, settle=False)
        finally:
            print(trial.table())
        desk.program.close()
    if asked.markdown:
        asked.markdown.write_text(f"{trial.table()}\n")


if __name__ == "__main__":
    main()
