import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.database import open_workspace
from tests.app.conftest import make_session
from tests.app.test_session import open_whole
from tests.reading.small import FormulaFlow

WINDOW = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.database import open_workspace
from tests.app.conftest import make_session
from tests.reading.small import FormulaFlow
app = QCoreApplication([])
session = make_session(open_workspace(Path(sys.argv[1]), reader="x"), Path(sys.argv[2]), FormulaFlow())

def work():
    session.study.set_region(FrameIndex(0, 3), Region.MIDDLE)
    session.study.begin_stroke(FrameIndex(0, 0), Label.LVM, 1.0, (20.0, 15.0))
    session.study.end_stroke()
    session.study.accept(FrameIndex(0, 0))

def go_on(frames):
    session.study.begin_stroke(FrameIndex(0, 1), Label.LVM, 1.0, (20.0, 15.0))
    session.study.end_stroke()
    session.saving.do("", lambda: print("kept", flush=True))
    session.study.begin_stroke(FrameIndex(0, 2), Label.LVM, 1.0, (20.0, 15.0))  # the brush is down when the kill comes

session.study.analysed.connect(work)
session.study.frames_accepted.connect(go_on)
session.start()
session.opening.open_path(Path("/nowhere/alpha"))
app.exec()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill is POSIX")
def test_a_program_that_is_killed_while_painting_loses_nothing_that_was_kept(
    qtbot: Any, tmp_path: Path, shipped: Path, formula: FormulaFlow
) -> None:
    folder = tmp_path / "killed"
    command = [sys.executable, "-c", WINDOW, str(folder), str(shipped)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as window:
        assert window.stdout is not None and window.stdout.readline() == "kept\n"
        window.kill()
    with open_workspace(folder, reader="x") as workspace:
        text = workspace.recovery.text()
        session = make_session(workspace, shipped, formula)
        open_whole(qtbot, session)
        states = [session.study.frame_state(FrameIndex(0, slice_index)) for slice_index in range(4)]
        session.shutdown()
    assert "did not close properly" in text and "1 frame has an unfinished draft" in text
    assert [state.status for state in states] == [ReviewStatus.ACCEPTED, ReviewStatus.DRAFT, None, None]
    assert states[3].region is Region.MIDDLE and states[3].model_id == "middle-1"
