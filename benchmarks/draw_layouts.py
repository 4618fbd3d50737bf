"""Draws the layouts of the desk for the documents, on the demo study (CC0) as the shipped models segment it.

    python3 benchmarks/draw_layouts.py docs/pictures [--size 1280x800] [--workspace FOLDER] [--theme dark|light]

One picture for each layout: layout-single.png, layout-ed-es.png, layout-before-after.png, layout-montage.png,
layout-montage-ed-es.png and layout-montage-slices.png. A workspace that is named is kept, so that the study need not be
segmented the next time. Without an X server: QT_QPA_PLATFORM=offscreen. For a scaled screen: QT_SCALE_FACTOR=2, with
the size in unscaled pixels.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cmr_viewer.app.settings import Settings
from cmr_viewer.app.startup import open_program
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import Mask
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.paths import demo_study_dir
from cmr_viewer.ui.layouts.feature import LayoutsFeature
from cmr_viewer.ui.layouts.montage_plan import Columns
from cmr_viewer.ui.window.layout import Page
from cmr_viewer.ui.window.main_window import MainWindow
from cmr_viewer.ui.window.run import application


class Artist:
    """A window on the demo study."""

    def __init__(self, workspace: Path, folder: Path, size: str, theme: str) -> None:
        self.app = application([], theme)
        settings = Settings(reader="R. Eader", theme=theme, path=workspace / "settings.json", auto_retrain=False)
        settings.tour_seen = True
        self.program = open_program(settings, workspace_folder=workspace)
        self.window = MainWindow(self.program.session, settings, "")
        width, height = (int(part) for part in size.split("x"))
        self.window.resize(width, height)
        self.window.show()
        self.folder = folder
        self.session, self.desk = self.program.session, self.window.desk
        self.feature = self.window.feature(LayoutsFeature)
        done: list[bool] = []
        self.session.study.analysed.connect(lambda: done.append(True))
        self.session.opening.open_path(demo_study_dir())
        self.program.start()
        self.wait(lambda: bool(done))
        self.settle()

    def wait(self, until: Callable[[], bool]) -> None:
        while not until():
            self.app.processEvents()
            time.sleep(0.003)

    def settle(self) -> None:
        """Wait until everything is computed, kept and shown."""
        end = time.perf_counter() + 1.5
        busy = self.session.jobs.is_busy
        self.wait(lambda: not (busy() or self.session.saving.is_busy) and time.perf_counter() > end)

    def do(self, *actions: str) -> None:
        for name in actions:
            self.window.actions_by_id[name].trigger()
            self.settle()

    def save(self, name: str) -> None:
        self.settle()
        self.window.grab().save(str(self.folder / f"layout-{name}.png"))
        print(f"layout-{name}.png")

    def correct(self) -> None:
        """A few strokes at ED and ES, as a reader makes them: the ring of the slice on show grows to one side."""
        assert self.session.study.ed_phase is not None and self.session.study.es_phase is not None
        for phase in (self.session.study.ed_phase, self.session.study.es_phase):
            frame = FrameIndex(phase, self.desk.frame.slice_index)
            labels = self.session.study.frame_state(frame).labels
            assert labels is not None
            self.stroke(frame, Label.LVM, _outermost(labels == Label.LVM), 3.0)
            self.stroke(frame, Label.BACKGROUND, _outermost(labels == Label.RVBP), 3.0)
            self.stroke(frame, Label.LVBP, _outermost(labels == Label.LVBP)[5:], 2.0)

    def stroke(self, frame: FrameIndex, label: Label, points: list[tuple[float, float]], radius_px: float) -> None:
        self.session.study.begin_stroke(frame, label, radius_px, points[0])
        for point in points[1:]:
            self.session.study.extend_stroke(point)
        self.session.study.end_stroke()

    def point(self, fraction: tuple[float, float]) -> None:
        """Point into the first view, so that the linked cursor is seen in the other."""
        view = self.window.parts.view
        at = QPointF(view.width() * fraction[0], view.height() * fraction[1])
        none = Qt.MouseButton.NoButton
        kind = QMouseEvent.Type.MouseMove
        QApplication.sendEvent(
            view, QMouseEvent(kind, at, QPointF(view.mapToGlobal(QPoint())) + at, none, none, Qt.NoModifier)
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", default="1280x800")
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--theme", default="dark")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        artist = Artist(asked.workspace or Path(scratch), asked.folder, asked.size, asked.theme)
        draw(artist)
        artist.window.close()
        artist.program.close()


def _outermost(mask: Mask) -> list[tuple[float, float]]:
    """The outermost pixels of a mask downwards and to the right, over a quarter of its height."""
    rows = np.flatnonzero(mask.any(axis=1))
    rows = rows[len(rows) // 2 : 3 * len(rows) // 4]
    return [(float(row), float(np.flatnonzero(mask[row]).max())) for row in rows]


def draw(artist: Artist) -> None:
    artist.do("layout_single", "zoom_heart", "go_ed")
    artist.desk.go_slice(4)
    artist.save("single")
    artist.do("brush")
    artist.do("layout_ed_es")
    artist.point((0.56, 0.42))
    artist.save("ed-es")
    artist.do("brush")
    artist.correct()
    artist.window.parts.side.show_page(Page.MEASURES)
    artist.do("layout_before_after")
    artist.save("before-after")
    artist.window.parts.side.show_page(Page.FRAME)
    artist.do("layout_montage")
    for columns, name in ((Columns.PHASES, ""), (Columns.ED_ES, "-ed-es"), (Columns.SLICES, "-slices")):
        artist.feature.montage.choose_columns(columns)
        artist.save(f"montage{name}")
    while artist.session.study.can_undo:
        artist.session.study.undo()
    artist.settle()


if __name__ == "__main__":
    main()
