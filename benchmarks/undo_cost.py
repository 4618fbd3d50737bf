"""What it costs to keep every stroke for undo: time at the end of a stroke, time and bytes on disk, time to reopen.

    python benchmarks/undo_cost.py --strokes 2000

Random strokes on 30 phases of 10 slices of 256 x 256 pixels, each kept as the program keeps it.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.study import Stack, Study
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.saving import SavedStudies, put_back, work_of
from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.database import DATABASE_NAME, Workspace, open_workspace

PHASES, SLICES, SIZE = 30, 10, 256


def study() -> Study:
    positions = tuple((0.0, 0.0, 10.0 * number) for number in range(SLICES))
    geometry = Geometry(SIZE, SIZE, (1.4, 1.4), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), positions)
    pixels = np.random.default_rng(0).integers(0, 1000, (PHASES, SLICES, SIZE, SIZE)).astype(np.int16)
    return Study("study", Path("/nowhere"), (Stack(pixels, geometry),))


def paint(workspace: Workspace, reading: OpenStudy, strokes: int) -> tuple[list[float], list[float]]:
    store, chance, ends, writes = AnnotationStore(workspace), random.Random(1), [], []
    while len(ends) < strokes:
        frame = chance.choice(reading.stack.frame_indices)
        start = (chance.uniform(40, 200), chance.uniform(40, 200))
        reading.begin_stroke(frame, chance.choice(list(Label)[1:]), 6.0, start)
        reading.extend_stroke((start[0] + chance.uniform(-20, 20), start[1] + 20))
        begun = time.perf_counter()
        reading.end_stroke()
        work = work_of(reading, reading.take_effects(), {})
        ended = time.perf_counter()
        store.save(reading.stack.stack_id, work)
        ends.append(ended - begun)
        writes.append(time.perf_counter() - ended)
    return ends, writes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strokes", type=int, default=2000)
    strokes = parser.parse_args().strokes
    with tempfile.TemporaryDirectory() as place:
        folder, made = Path(place) / "workspace", study()
        with open_workspace(folder, reader="reader") as workspace:
            known = dict.fromkeys(("name", "source", "patient_key"), "study")
            AnnotationStore(workspace).save_study(
                made.stack.stack_id, **known, geometry_json="{}", phases=PHASES, slices=SLICES
            )
            ends, writes = paint(workspace, OpenStudy(made), strokes)
        size = (folder / DATABASE_NAME).stat().st_size
        with open_workspace(folder, reader="reader") as workspace:
            with workspace.read() as connection:
                pages = connection.exec_driver_sql("SELECT name, pgsize FROM dbstat").all()
            undo = sum(bytes_ for name, bytes_ in pages if "undo" in name)
            begun, reading = time.perf_counter(), OpenStudy(made)
            restored = SavedStudies(workspace).read(reading)
            read = time.perf_counter()
            put_back(reading, restored)
            back = time.perf_counter()
            steps = 0
            while reading.history.can_undo:
                reading.undo()
                steps += 1
            undone = time.perf_counter()
    for name, times in (("end of a stroke, window's thread", ends), ("its write, store's thread", writes)):
        median, worst = np.percentile(times, [50, 99]) * 1000
        print(f"{name:36s} {median:8.2f} ms median, {worst:.2f} ms p99")
    print(f"{'database for each stroke':36s} {size / strokes:8.0f} bytes, {undo / strokes:.0f} of them for undo")
    print(f"{'reading all, store thread':36s} {(read - begun) * 1000:8.0f} ms")
    print(f"{'putting it back, window thread':36s} {(back - read) * 1000:8.0f} ms")
    print(f"{'an undo':36s} {(undone - back) / steps * 1000:8.2f} ms, {steps} steps")
    return 0


if __name__ == "__main__":
    sys.exit(main())
