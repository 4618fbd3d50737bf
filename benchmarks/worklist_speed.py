"""How smooth the worklist is with many studies: opening its page, sorting, searching, scrolling, the palette.

    .venv/bin/python benchmarks/worklist_speed.py [--studies 10000] [--frames 40] [--output worklist.json]

Makes a workspace of as many studies with label maps of some of their frames, opens the window on it without a screen
(QT_QPA_PLATFORM=offscreen) and times what the GUI thread does until it is painted; percentiles in ms. What is read on
the store thread meanwhile stands apart.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtWidgets import QApplication
from sqlalchemy import insert

from cmr_viewer.app.settings import Settings
from cmr_viewer.app.startup import Program, open_program
from cmr_viewer.domain.label_codec import encode_label_map
from cmr_viewer.store import tables
from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.worklist import FLAG_KEY, WorklistMarks
from cmr_viewer.ui.features.worklist.feature import WorklistFeature
from cmr_viewer.ui.features.worklist.page import WorklistColumn
from cmr_viewer.ui.window.main_window import MainWindow
from cmr_viewer.ui.window.run import application
from cmr_viewer.ui.window.shell import ShellFeature

PHASES, SLICES = 30, 10
QUERIES = ("p", "pa", "patient1", "patient12", "adam", "accepted", "zoe look", "nothing like it")


def fill(place: Path, studies: int, frames: int) -> None:
    """Two of five studies with all their frames, one with three, two with none; by four readers."""
    rows, cols = np.mgrid[0:256, 0:256]
    distance = np.hypot(rows - 128, cols - 140)
    labels = np.select([distance < 25, distance < 34, np.hypot(rows - 128, cols - 95) < 30], [1, 2, 3])
    blob, now = encode_label_map(labels.astype(np.uint8)), tables.now_text()
    with open_workspace(place, reader="benchmark") as workspace, workspace.write() as connection:
        by = {"created_at": now, "session_id": workspace.session()}
        study = {"geometry_json": "{}", "phases": PHASES, "slices": SLICES, "opened_at": now}
        ids = [f"{number:032x}" for number in range(studies)]
        connection.execute(
            insert(tables.studies),
            [
                {**study, "stack_id": key, "name": f"patient{n:05}", "source": f"/data/{n}", "patient_key": str(n)}
                for n, key in enumerate(ids)
            ],
        )
        for number, key in enumerate(ids):
            kept = [
                {
                    **by,
                    "stack_id": key,
                    "phase": frame % PHASES,
                    "slice_index": frame // PHASES,
                    "version": 1,
                    "labels": blob,
                    "region": "middle",
                    "provenance": "AUTOMATIC",
                    "status": "accepted" if frame % 7 else "draft",
                    "reader": ("Adam", "Eve", "Zoe", "Ute")[number % 4],
                }
                for frame in range((0, 0, 3, frames, frames)[number % 5])
            ]
            if kept:
                connection.execute(insert(tables.annotations), kept)
            if number % 50 == 4:
                fact = {**by, "stack_id": key, "key": FLAG_KEY, "value": '"look"', "reader": "Adam"}
                connection.execute(insert(tables.study_facts), [fact])


def wait(done: Callable[[], bool]) -> None:
    while not done():
        loop = QEventLoop()
        QTimer.singleShot(10, loop.quit)
        loop.exec()


def timed(work: Callable[[], object]) -> float:
    """Milliseconds until it is done and painted."""
    began = time.perf_counter()
    work()
    QApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
    return 1000 * (time.perf_counter() - began)


def percentiles(times: list[float]) -> dict[str, float]:
    return {
        "runs": len(times),
        "p50": round(float(np.percentile(times, 50)), 1),
        "p95": round(float(np.percentile(times, 95)), 1),
        "p99": round(float(np.percentile(times, 99)), 1),
        "max": round(max(times), 1),
    }


def measure(program: Program, window: MainWindow, repeats: int) -> dict[str, dict[str, float]]:
    feature, palette = window.feature(WorklistFeature), window.feature(ShellFeature).palette
    page, action = feature.page, window.actions_by_id["worklist"]
    found: dict[str, list[float]] = {}

    bar = page.table.verticalScrollBar()

    def note(name: str, work: Callable[[], object]) -> None:
        found.setdefault(name, []).append(timed(work))

    for _ in range(repeats):
        note("open the page", action.trigger)
        wait(lambda: page.model.count == len(program.session.worklist.studies) and not program.session.saving.is_busy)
        note("show what was read", page.renew)
        note("show it in the list at the left", feature.list_studies)
        for column in range(len(WorklistColumn)):
            for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
                note("sort by a column", lambda c=column, o=order: page.table.sortByColumn(c, o))
        for query in QUERIES:
            page.search.clear()
            for at in range(1, len(query) + 1):
                note("a letter in the search", lambda q=query, n=at: page.search.setText(q[:n]))
        page.search.clear()
        for step in range(60):
            note("scroll by three rows", lambda s=step: bar.setValue(bar.value() + 90 * (1 if s < 50 else -1)))
        note("scroll to the end", lambda: bar.setValue(bar.maximum()))
        bar.setValue(0)
        note("leave the page", action.trigger)
        note("open the palette", window.actions_by_id["command_palette"].trigger)
        for at in range(1, 9):
            note("a letter in the palette", lambda n=at: palette.search.setText("patient1"[:n]))
        for at in range(1, 6):
            note("a letter in the palette", lambda n=at: palette.search.setText("slice"[:n]))
        palette.close_it()
    return {name: percentiles(times) for name, times in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        fill(place / "workspace", given.studies, given.frames)
        settings = Settings(reader="benchmark", path=place / "settings.json", auto_retrain=False)
        app = application([])
        (place / "models").mkdir()
        program = open_program(settings, workspace_folder=place / "workspace", shipped_models=place / "models")
        window = MainWindow(program.session, settings)
        window.resize(1280, 800)
        window.show()
        program.start()
        wait(lambda: len(program.session.worklist.studies) == given.studies and not program.session.saving.is_busy)
        figures = measure(program, window, given.repeats)
        store, marks = AnnotationStore(program.workspace), WorklistMarks(program.workspace)
        for name, read in (("read the studies", store.studies), ("read readers and flags", marks.all)):
            times = []
            for _ in range(5):
                began = time.perf_counter()
                read()
                times.append(1000 * (time.perf_counter() - began))
            figures[f"store thread: {name}"] = percentiles(times)
        window.close()
        program.close()
        window.deleteLater()
        app.processEvents()
    print(f"{given.studies} studies; ms until painted")
    for name, values in figures.items():
        print(f"{name:42}" + "".join(f"  {key} {value:>8}" for key, value in values.items()))
    if given.output is not None:
        given.output.write_text(json.dumps({"studies": given.studies, "ms": figures}, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
