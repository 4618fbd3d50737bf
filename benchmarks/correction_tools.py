"""How long correction tools take: on one frame of 320 x 320, and on a whole study of 30 phases x 12 slices.

    QT_QPA_PLATFORM=offscreen OMP_NUM_THREADS=1 python benchmarks/correction_tools.py

For one frame: the tool alone, median and largest of 15 runs. For the study: the seconds that the job takes beside the
window, and the milliseconds that the window's thread works to put the result in as one undo step, and to undo it. All
is processor time, so that other programs count less. The phantom's heart is drawn with a jagged outline, so that every
tool has something to do.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QCoreApplication

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cmr_viewer.app.session import Session
from cmr_viewer.app.settings import Settings
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.review import interpolate, shape
from cmr_viewer.review.correction import Correction, Tool
from cmr_viewer.review.shape import corrected
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.ui.features.tools.tools import TOOLS_KEY, Scope, Tools
from tests.phantom import Phantom, sax_cine
from tests.review.hearts import roughened

SPACING = (1.2, 1.2)

NO_TRAINING = Settings(auto_retrain=False)


def wanted(tool: Tool, label: Label | None) -> Correction:
    return Correction(tool, label, by_mm=8.0 if tool is Tool.RING else 1.2, rows=1, cols=1)


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    work()
    taken = []
    for _ in range(15):
        start = time.thread_time()
        work()
        taken.append(1e3 * (time.thread_time() - start))
    return float(np.median(taken)), max(taken)


def one_frame(phantom: Phantom) -> None:
    first, second = (roughened(phantom.labels[0, each], each) for each in (5, 6))
    print("\nOne frame of 320 x 320            one label       all labels      (ms: median, largest)")
    for tool in Tool:
        cells = [
            timed(lambda t=tool, each=each: corrected(first, wanted(t, each), SPACING)) for each in (Label.LVM, None)
        ]
        print(f"{tool.value:30}" + "".join(f"{median:8.1f} {most:6.1f} " for median, most in cells))
    inside = tuple(np.argwhere(first == Label.LVBP)[0])
    for name, work in (
        ("fill here", lambda: shape.fill_at(first, inside, Label.LVM)),
        ("copy one outline", lambda: shape.take_over(second, first, Label.LVM)),
        ("interpolate one frame", lambda: interpolate.between(first, second, 0.5, SPACING)),
    ):
        median, most = timed(work)
        print(f"{name:30}{median:8.1f} {most:6.1f}")


def spin(until: Callable[[], bool]) -> None:
    while not until():
        QCoreApplication.processEvents()
        time.sleep(0.002)


def whole_study(phantom: Phantom, folder: Path) -> None:
    study = Study("phantom", folder, (phantom.stack,), patient_key="phantom")
    with open_workspace(folder / "workspace", reader="R. Eader") as workspace:
        (folder / "models").mkdir()
        registry = ModelRegistry(folder / "models", workspace)
        session = Session(workspace, registry, NO_TRAINING, opener=lambda path, progress, opening, preview: study)
        tools = Tools(session, session)
        session.study.opened.connect(tools.begin_study)
        restored: list[bool] = []
        session.study.restored.connect(lambda: restored.append(True))
        session.opening.open_path(folder)
        spin(lambda: bool(restored))
        drawn = {
            frame: roughened(phantom.labels[frame], index) for index, frame in enumerate(phantom.stack.frame_indices)
        }
        session.study.change_labels(drawn, "draw")
        spin(lambda: not session.saving.is_busy)
        print("\nStudy of 30 x 12 frames          job (s)   put in (ms)        undo (ms)")
        for tool in Tool:
            print_study(session, tools, tool)
        session.shutdown()


def print_study(session: Session, tools: Tools, tool: Tool) -> None:
    still: list[float] = []
    change = session.study.change_labels

    def noted(*values: Any) -> Any:
        start = time.thread_time()
        changed = change(*values)
        still.append(1e3 * (time.thread_time() - start))
        return changed

    session.study.change_labels = noted  # type: ignore[method-assign]
    before = time.process_time() - time.thread_time()  # of all other threads
    tools.correct(FrameIndex(0, 6), wanted(tool, None), Scope.STUDY)
    spin(lambda: not session.jobs.is_busy(TOOLS_KEY))
    job = time.process_time() - time.thread_time() - before
    session.study.change_labels = change  # type: ignore[method-assign]
    spin(lambda: not session.saving.is_busy)
    start = time.thread_time()
    if session.study.undo_text != "draw":
        session.study.undo()
    undo = 1e3 * (time.thread_time() - start)
    spin(lambda: not session.saving.is_busy)
    print(f"{tool.value:30}{job:10.2f}{sum(still):20.0f}{undo:18.0f}")


def main() -> None:
    _app = QCoreApplication([])
    phantom = sax_cine(phases=30, slices=12, rows=320, cols=320, pixel_spacing_mm=SPACING, slice_spacing_mm=8.0)
    one_frame(phantom)
    with tempfile.TemporaryDirectory() as folder:
        whole_study(phantom, Path(folder))


if __name__ == "__main__":
    main()
