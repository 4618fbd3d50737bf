"""What the store's tests save; also run as a program that saves until it is killed.

python -m tests.store.saving annotations WORKSPACE FIRST     one line for each version that is on disk
python -m tests.store.saving file PATH FIRST                 one line for each time that the file is on disk
python -m tests.store.saving draft WORKSPACE FIRST           two frames, a training run, a staged model, then the end
python -m tests.store.saving serve                           the first of these, in a child that is forked for each line
                                                             "WORKSPACE FIRST" on standard input; POSIX only

The last tells "pid NUMBER" before what the child tells, and "dead" when that was killed.
"""

import os
import sys
from pathlib import Path

import numpy as np

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Annotation, Prediction, Provenance, ReviewStatus
from cmr_viewer.domain.change import Marks
from cmr_viewer.domain.geometry import Geometry, geometry_to_json
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.store.annotations import AnnotationStore, Work
from cmr_viewer.store.atomic import write_atomically
from cmr_viewer.store.database import Workspace, open_workspace
from cmr_viewer.store.frame_pixels import Pixels
from cmr_viewer.store.model_registry import ModelRegistry, TrainingRuns
from cmr_viewer.store.versions import Version

STACK_ID = "a" * 32
PHASES, SLICES = 3, 4
SPACING_MM = (1.25, 1.5)
GEOMETRY = Geometry(
    rows=24,
    cols=20,
    pixel_spacing_mm=SPACING_MM,
    row_direction=(1.0, 0.0, 0.0),
    col_direction=(0.0, 1.0, 0.0),
    positions_mm=tuple((0.0, 0.0, 8.0 * s) for s in range(SLICES)),
)


def save_study(store: AnnotationStore, stack_id: str = STACK_ID, patient_key: str = "patient") -> None:
    store.save_study(
        stack_id,
        name="Study 1",
        source="study",
        patient_key=patient_key,
        geometry_json=geometry_to_json(GEOMETRY),
        phases=PHASES,
        slices=SLICES,
    )


def labels_of(number: int) -> LabelMap:
    return np.random.default_rng(number).integers(0, 4, (24, 20)).astype(np.uint8)


def pixels_of(frame: FrameIndex) -> np.ndarray:
    return np.random.default_rng([frame.phase, frame.slice_index]).integers(0, 4000, (24, 20)).astype(np.int16)


def pixels(*frames: FrameIndex) -> Pixels:
    return Pixels({frame: pixels_of(frame) for frame in frames}, SPACING_MM)


def save(
    store: AnnotationStore,
    frame: FrameIndex,
    number: int = 0,
    *,
    status: ReviewStatus = ReviewStatus.DRAFT,
    region: Region = Region.BASE,
    stack_id: str = STACK_ID,
    provenance: Provenance = Provenance.SEMIAUTOMATIC,
) -> Annotation:
    return store.save(
        stack_id,
        Work(
            [
                Version(
                    frame,
                    labels_of(number),
                    region=region,
                    provenance=provenance,
                    status=status,
                    model_id="model-1",
                )
            ]
        ),
        pixels=pixels(frame),
    )[0]


def marks(number: int, *, edited: bool = True, region: Region | None = None) -> Marks:
    """Marks of a frame that began as the prediction of a number."""
    base = Prediction(labels_of(number), f"model-{number}", Region.BASE, "By number.")
    return Marks(region, base, base.model_id, edited)


def frame_of(number: int) -> FrameIndex:
    return FrameIndex(number % PHASES, number % SLICES)


def status_of(number: int) -> ReviewStatus:
    return ReviewStatus.ACCEPTED if number % 2 else ReviewStatus.DRAFT


def file_content(number: int) -> bytes:
    return f"{number}\n".encode() * 20_000


def abandon(workspace: Workspace) -> None:
    """Leave a workspace as a killed program does: no end of the session, the lock let go by the system."""
    workspace.engine.dispose()
    assert workspace._file_lock is not None
    workspace._file_lock.release()


def _tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def _save_until_killed(folder: Path, number: int) -> None:
    store = AnnotationStore(open_workspace(folder, reader="child"))
    save_study(store)
    _tell("ready")
    while True:
        saved = save(store, frame_of(number), number, status=status_of(number))
        _tell(f"{number} {saved.version}")
        number += 1


def _write_file_until_killed(path: Path, number: int) -> None:
    _tell("ready")
    while True:
        write_atomically(path, file_content(number))
        _tell(f"{number} 0")
        number += 1


def _leave_things_behind(folder: Path) -> None:
    workspace = open_workspace(folder, reader="child")
    store = AnnotationStore(workspace)
    save_study(store)
    save(store, FrameIndex(0, 0), 1, status=ReviewStatus.ACCEPTED)
    save(store, FrameIndex(0, 1), 2, status=ReviewStatus.DRAFT)
    TrainingRuns(workspace).start(Role.BASE)
    staging = ModelRegistry(folder / "shipped", workspace).staging_folder()
    (staging / "plan.json").write_text("{", encoding="utf-8")
    _tell("ready")
    os.kill(os.getpid(), 9)


def _serve() -> None:
    for line in sys.stdin:
        folder, first = line.rsplit(maxsplit=1)
        child = os.fork()
        if child == 0:
            try:
                _save_until_killed(Path(folder), int(first))
            finally:
                os._exit(1)
        _tell(f"pid {child}")
        os.waitpid(child, 0)
        _tell("dead")


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        _serve()
        sys.exit()
    what, where, first = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if what == "annotations":
        _save_until_killed(where, first)
    elif what == "file":
        _write_file_until_killed(where, first)
    else:
        _leave_things_behind(where)
