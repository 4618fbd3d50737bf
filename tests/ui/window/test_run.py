"""The whole program in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QImage

CODE = """
import sys
from pathlib import Path
from cmr_viewer.ui.window import run as program
seen = []
begin = program._Begin._begin
program._Begin._begin = lambda self: (seen.append("torch" in sys.modules), begin(self))
study, workspace, picture = (Path(text) for text in sys.argv[1:])
status = program.run(study, workspace=workspace, screenshot=picture)
print(status, seen)
"""


def opened(study: Path, folder: Path, platform: str) -> tuple[str, QImage]:
    picture = folder / "window.png"
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(study), str(folder / "workspace"), str(picture)],
        capture_output=True,
        text=True,
        env={**os.environ, "QT_QPA_PLATFORM": platform},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), QImage(str(picture))


def check(study: Path, folder: Path, platform: str) -> None:
    told, picture = opened(study, folder, platform)
    assert told == "0 [False]"
    assert picture.width() >= 1200
    assert len({picture.pixel(x, 300) for x in range(300, 1000)}) > 20


def test_the_program_opens_a_study_paints_before_torch_and_ends(study_path, tmp_path):
    check(study_path, tmp_path, "offscreen")


@pytest.mark.xcb
@pytest.mark.skipif(not os.environ.get("DISPLAY"), reason="There is no X server.")
def test_the_program_does_so_on_a_real_x_server(study_path, tmp_path):
    check(study_path, tmp_path, "xcb")
    pictures = os.environ.get("CMR_VIEWER_TEST_PICTURES")
    if pictures:
        Path(pictures).mkdir(parents=True, exist_ok=True)
        (Path(pictures) / "window.png").write_bytes((tmp_path / "window.png").read_bytes())
