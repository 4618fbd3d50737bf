"""A feature can be removed: the window works without its folder and its line of the table."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cmr_viewer
from cmr_viewer.paths import resources_dir

OPENS = """
import sys
from pathlib import Path

from PySide6.QtCore import QTimer

from cmr_viewer.app.settings import Settings
from cmr_viewer.app.startup import open_program
from cmr_viewer.ui.window.main_window import MainWindow
from cmr_viewer.ui.window.run import application

here, study = map(Path, sys.argv[1:])
app = application([])
settings = Settings(path=here / "settings.json")
program = open_program(settings, workspace_folder=here / "workspace", shipped_models=here / "models")
window = MainWindow(program.session, settings)
window.show()
program.session.study.opened.connect(lambda: QTimer.singleShot(0, app.quit))
program.session.opening.failed.connect(app.quit)
program.session.opening.open_path(study)
program.start()
app.exec()
for name in ("phase_next", "slice_down", "brush", "label_lvm", "play", "play", "next_review", "layout_montage"):
    window.actions_by_id[name].trigger()
    app.processEvents()
dead = [name for name, action in window.actions_by_id.items()
        if not action.receivers("2triggered(bool)") + action.receivers("2toggled(bool)")]
print(window.windowTitle(), sorted(window.actions_by_id), dead, sep=chr(10))
window.close()
program.close()
"""


def test_the_window_opens_a_study_without_a_feature_that_was_deleted(tmp_path, study_path):
    package = shutil.copytree(
        Path(cmr_viewer.__file__).parent, tmp_path / "cmr_viewer", ignore=shutil.ignore_patterns("__pycache__")
    )
    (tmp_path / "resources").symlink_to(resources_dir())
    shutil.rmtree(package / "ui/features/second_read")
    table = package / "ui/features/table.py"
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    table.write_text("".join(line for line in lines if "SecondReadFeature" not in line), encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-c", OPENS, str(tmp_path), str(study_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(tmp_path)},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    title, actions, dead = done.stdout.strip().splitlines()[-3:]
    assert title.startswith("phantom")
    assert "read_begin" not in actions and "layout_montage" in actions
    assert dead == "[]"
