"""A program that is killed in a blinded second read opens in it again, blinded, with all that was told to be kept."""

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.database import open_workspace
from tests.app.conftest import make_session
from tests.app.test_session import kept, open_whole
from tests.reading.small import FormulaFlow, model_labels

KILLS = 3
SECOND_READER = "B. Lind"

WINDOW = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication, QTimer
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.database import open_workspace
from tests.app.conftest import make_session
from tests.reading.small import FormulaFlow
app = QCoreApplication([])
session = make_session(open_workspace(Path(sys.argv[1]), reader="A. First"), Path(sys.argv[2]), FormulaFlow())
state = {"strokes": int(sys.argv[3]), "began": False}

def begin():
    if state["began"]:
        return
    if session.study.read is None and not session.models.is_analysing:
        session.study.begin_stroke(FrameIndex(2, 0), Label.RVBP, 3.0, (20.0, 15.0))
        session.study.end_stroke()
        session.study.accept(FrameIndex(2, 0))
        state["began"] = session.reads.begin_second("B. Lind", blinded=True)
    elif session.study.read is not None:
        state["began"] = True
        work()

def entered():
    if state["began"] and session.study.read is not None:
        QTimer.singleShot(0, work)

def work():
    n = state["strokes"]
    session.study.begin_stroke(FrameIndex(0, 1), Label.LVM, 0.6, (float(n % 24), float(n // 24)))
    session.study.end_stroke()
    state["strokes"] += 1
    session.saving.do("", lambda: print("kept", n, flush=True), on_done=lambda _: work())

session.study.analysed.connect(begin)
session.study.restored.connect(entered)
session.start()
session.opening.open_path(Path("/nowhere/alpha"))
app.exec()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill is POSIX")
def test_after_each_kill_the_study_opens_in_the_blinded_read_with_every_stroke_that_was_kept(
    qtbot: Any, tmp_path: Path, shipped: Path, formula: FormulaFlow
) -> None:
    chance, folder, root = random.Random(7), tmp_path / "killed", Path(__file__).parents[2]
    strokes = 0
    for _ in range(KILLS):
        command = [sys.executable, "-c", WINDOW, str(folder), str(shipped), str(strokes)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as window:
            assert window.stdout is not None
            told = [window.stdout.readline() for _ in range(chance.randint(1, 6))]
            window.kill()
            told += [line for line in window.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        acknowledged = int(told[-1].split()[1]) + 1
        with open_workspace(folder, reader="A. First") as workspace:
            session = make_session(workspace, shipped, formula)
            open_whole(qtbot, session)
            assert session.study.is_blinded and session.reads.reader == SECOND_READER
            labels, reading = session.study.frame_state(FrameIndex(0, 1)).labels, session.study.reading
            hidden = session.study.frame_state(FrameIndex(2, 0))
            done = len(reading.history.lines.done)
            assert hidden.status is None and not hidden.edited
            assert np.array_equal(hidden.labels, model_labels("base-1", FrameIndex(2, 0)))
            assert all(labels[n % 24, n // 24] == 2 for n in range(acknowledged))
            assert acknowledged <= done <= acknowledged + 1, "the stroke that was being written is there or not"
            session.reads.show(None)
            kept(qtbot, session)
            assert session.study.frame_state(FrameIndex(2, 0)).status is ReviewStatus.ACCEPTED
            assert not session.study.frame_state(FrameIndex(0, 1)).edited
            session.reads.show(1)
            kept(qtbot, session)
            session.shutdown()
        strokes = done
