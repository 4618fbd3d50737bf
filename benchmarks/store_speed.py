"""How long keeping takes: a draft, a whole accepted study, reading it back, opening a workspace.

    .venv/bin/python benchmarks/store_speed.py [--frames 300]

Frames of 256 x 256 with noise, which compresses worse than images do. Medians of several runs.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.annotations import AnnotationStore, Work
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.frame_pixels import Pixels
from cmr_viewer.store.versions import Version

SIZE = 256
REPEATS = 9


def median_ms(work: Callable[[], object], repeats: int = REPEATS) -> float:
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return 1000 * statistics.median(seconds)


def label_map() -> np.ndarray:
    rows, cols = np.mgrid[0:SIZE, 0:SIZE]
    distance = np.hypot(rows - 128, cols - 140)
    return np.select([distance < 25, distance < 34, np.hypot(rows - 128, cols - 95) < 30], [1, 2, 3]).astype(np.uint8)


def kept(frame: FrameIndex, status: ReviewStatus) -> Version:
    return Version(frame, label_map(), Region.MIDDLE, Provenance.SEMIAUTOMATIC, status)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300)
    count = parser.parse_args().frames
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "workspace"
        with open_workspace(place, reader="benchmark") as workspace:
            store = AnnotationStore(workspace)
            about = {"name": "s", "source": "-", "patient_key": "p", "geometry_json": "{}"}
            store.save_study("stack", **about, phases=count, slices=1)
            frames = [FrameIndex(phase, 0) for phase in range(count)]
            draft = kept(frames[0], ReviewStatus.DRAFT)
            print(f"one draft            {median_ms(lambda: store.save('stack', Work([draft]))):8.1f} ms")
            whole = Work([kept(frame, ReviewStatus.ACCEPTED) for frame in frames])
            pixels = Pixels(
                {frame: rng.integers(0, 1000, (SIZE, SIZE)).astype(np.int16) for frame in frames}, (1.4, 1.4)
            )
            first, again = (median_ms(lambda: store.save("stack", whole, pixels=pixels), 1) for _ in range(2))
            print(f"accept {count:4d} frames   {first:8.1f} ms, again {again:8.1f} ms")
            print(f"read   {count:4d} frames   {median_ms(lambda: store.latest('stack')):8.1f} ms")
        opening = median_ms(lambda: open_workspace(place, reader="benchmark").close())
        print(f"open and close       {opening:8.1f} ms")
        print(f"size                 {sum(f.stat().st_size for f in place.rglob('*') if f.is_file()) / 1e6:8.1f} MB")


if __name__ == "__main__":
    main()
