"""A reader at random work without a window, who is killed in the middle of it; and what must be there after.

python -m tests.app.working     forks a child for each line "FOLDER READ SEED" on standard input; POSIX only

READ is "first" or "second". The child tells "pid NUMBER", and for each action "doing STATE TIP" before it is written
and "kept STATE TIP" once it is on disk; when it is dead "dead" is told. STATE stands for everything that is shown, with
what can be undone and redone; TIP for what is shown once all that can be redone is.
"""

import hashlib
import os
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np

from cmr_viewer.domain.anatomy import REGIONS, Label, Region
from cmr_viewer.domain.annotation import Prediction, Provenance, RegionPrediction, ReviewStatus
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.role import Role, role_of
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.reading.open_study import Imported, OpenStudy
from cmr_viewer.reading.saving import SavedStudies, acceptances_of, work_of
from cmr_viewer.store.annotations import AnnotationStore, Work
from cmr_viewer.store.database import Workspace, open_workspace
from cmr_viewer.store.effort import Effort
from cmr_viewer.store.reads import ReadKind, ReadStore

PHASES, SLICES, ROWS, COLS = 2, 3, 24, 20
REGION_OF_SLICE = (Region.BASE, Region.MIDDLE, Region.APEX)
ACTIVE = {role: f"{role.value}-1" for role in Role}
FACTS = ("patient.height_cm", "insertion_points", "papillary")


def study() -> Study:
    """2 phases, 3 slices of 24 x 20 pixels."""
    pixels = np.random.default_rng(0).integers(0, 1000, (PHASES, SLICES, ROWS, COLS)).astype(np.int16)
    positions = tuple((0.0, 0.0, 10.0 * number) for number in range(SLICES))
    geometry = Geometry(ROWS, COLS, (2.0, 2.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), positions)
    return Study("pseudonym", Path("/nowhere"), (Stack(pixels, geometry),), patient_key="patient")


def prediction(frame: FrameIndex, region: Region) -> Prediction:
    """A square of blood pool in a ring, its place and size by frame and region."""
    labels = np.zeros((ROWS, COLS), np.uint8)
    at, side = 2 + frame.slice_index, 5 + REGIONS.index(region) + frame.phase
    labels[at - 1 : at + side + 1, at - 1 : at + side + 1] = Label.LVM
    labels[at : at + side, at : at + side] = Label.LVBP
    return Prediction(labels, ACTIVE[role_of(region)], region, "By formula.")


def original(frame: FrameIndex) -> Prediction:
    """What is shown of a frame that no reader has touched."""
    return prediction(frame, REGION_OF_SLICE[frame.slice_index])


def said(region: Region) -> RegionPrediction:
    chances: Any = tuple(0.7 if one is region else 0.1 for one in REGIONS)
    return RegionPrediction(chances, ACTIVE[Role.CLASSIFIER], region, chances)


def opened(workspace: Workspace, read_id: int | None = None) -> OpenStudy:
    """The study as it is put back, with all that the models say of it."""
    reading = SavedStudies(workspace).study(study(), read_id)
    reading.frames.set_active(ACTIVE)
    for frame in reading.frames:
        if reading.frames.lacks_region(frame):
            reading.frames.receive_region(frame, said(REGION_OF_SLICE[frame.slice_index]))
        for region in REGIONS[:3]:
            if ACTIVE[role_of(region)] not in reading.frames[frame].predictions:
                reading.frames.receive_prediction(frame, prediction(frame, region))
    reading.take_effects()
    return reading


def begin(workspace: Workspace) -> None:
    """Keep that the study was opened, and what the models said, as the program does; a second read beside the first."""
    store, made = AnnotationStore(workspace), study()
    stack_id = made.stack.stack_id
    known = dict.fromkeys(("name", "source", "patient_key"), "pseudonym")
    if not store.studies():
        store.save_study(stack_id, **known, geometry_json="{}", phases=PHASES, slices=SLICES)
    frames = made.stack.frame_indices
    if len(store.region_predictions(stack_id)) < len(frames):
        store.save(stack_id, Work(region_predictions={f: said(REGION_OF_SLICE[f.slice_index]) for f in frames}))
    if len(store.predictions(stack_id)) < len(frames):
        store.save(stack_id, Work(predictions={frame: original(frame) for frame in frames}))
    if not ReadStore(workspace).list(stack_id):
        ReadStore(workspace).begin(stack_id, ReadKind.SECOND, blinded=True)


def read_id_of(workspace: Workspace, which: str) -> int | None:
    """Id of the read "first" or "second"."""
    return None if which == "first" else ReadStore(workspace).list(study().stack.stack_id)[0].id


def shown(reading: OpenStudy) -> str:
    """Stands for all that is shown."""
    digest = hashlib.blake2b(digest_size=8)
    for _frame, record in sorted(reading.frames.items()):
        labels = b"none" if record.labels is None else record.labels.tobytes()
        marks = (record.region, record.region_by, record.edited, record.provenance, record.imported, record.origin)
        digest.update(labels + repr(marks).encode())
    digest.update(repr((reading.reader_ed, reading.reader_es, sorted(reading.facts.items()))).encode())
    return digest.hexdigest()


def state(reading: OpenStudy) -> str:
    """Stands for all that is shown, how far the reader is, and what can be undone and redone."""
    history = reading.history
    statuses = [str(record.status) for _, record in sorted(reading.frames.items())]
    texts = [[change.text for change in line] for line in history.lines]
    return hashlib.blake2b(repr((shown(reading), statuses, texts)).encode(), digest_size=8).hexdigest()


class Reader:
    """Does one thing after another, by chance."""

    def __init__(self, workspace: Workspace, read_id: int | None, chance: random.Random) -> None:
        self.saved, self.chance = SavedStudies(workspace), chance
        self.reading = opened(workspace, read_id)
        self.tip = tip_of(self.reading)

    def act(self) -> None:
        """One action, from what is shown to what is on disk."""
        frame = self.chance.choice(self.reading.stack.frame_indices)
        names = ("stroke", "stroke", "stroke", "group", "region", "clear", "import", "marks", "fact", "accept")
        name = self.chance.choice((*names, "undo", "undo", "undo", "undo", "redo", "redo", "redo"))
        if name == "accept":
            self._accept(self.chance.sample(self.reading.stack.frame_indices, self.chance.randint(1, 4)))
            return
        before = len(self.reading.history.lines.done), self.reading.history.can_redo
        getattr(self, f"_{name}")(frame)
        done = name not in ("undo", "redo") and (len(self.reading.history.lines.done), True) != (before[0], True)
        effects = self.reading.take_effects()
        if done:
            self.tip = shown(self.reading)
        work = work_of(self.reading, effects, {frame: Effort(0.5, 1)})
        for one in effects.held:
            self.reading.frames[one].status = ReviewStatus.ACCEPTED
            self.reading.frames[one].saved = True
        self._keep(lambda: self.saved.save(self.reading, work))
        if effects.accepting:
            self._write_accepted(effects.accepting, ())

    def _keep(self, write: Any) -> None:
        now = f"{state(self.reading)} {self.tip}"
        tell(f"doing {now}")
        write()
        tell(f"kept {now}")

    def _accept(self, frames: list[FrameIndex]) -> None:
        wanted = [one.frame for one in acceptances_of(self.reading, frames)]
        if self.reading.note_acceptance(wanted, "accept") is not None:
            self.tip = shown(self.reading)
            self._write_accepted(wanted, self.reading.take_effects().moves)

    def _write_accepted(self, frames: list[FrameIndex], moves: Any) -> None:
        kept = acceptances_of(self.reading, frames)
        for one in kept:
            self.reading.frames[one.frame].status = ReviewStatus.ACCEPTED
            self.reading.frames[one.frame].saved = True
        self._keep(lambda: self.saved.save(self.reading, Work(kept, moves=moves)))

    def _stroke(self, frame: FrameIndex) -> None:
        row, col = self.chance.randrange(ROWS), self.chance.randrange(COLS)
        self.reading.begin_stroke(frame, self.chance.choice(list(Label)), self.chance.uniform(0.5, 4), (row, col))
        self.reading.extend_stroke((self.chance.randrange(ROWS), self.chance.randrange(COLS)))
        self.reading.end_stroke()

    def _group(self, _frame: FrameIndex) -> None:
        frames = self.chance.sample(self.reading.stack.frame_indices, 3)
        step = self.chance.choice((-1, 1))
        self.reading.change_labels(
            {f: np.roll(self.reading.frames.canvas(f), step, axis=0) for f in frames}, "move 3 frames"
        )

    def _region(self, frame: FrameIndex) -> None:
        self.reading.set_region(frame, self.chance.choice(REGIONS[:3]))

    def _clear(self, frame: FrameIndex) -> None:
        self.reading.clear(frame, self.chance.choice((None, Label.LVM)))

    def _import(self, frame: FrameIndex) -> None:
        labels = prediction(frame, self.chance.choice(REGIONS[:3])).labels
        source = Imported(
            "another program", "import a file", frozenset({frame}), self.chance.choice([*Provenance, None])
        )
        self.reading.put_labels({frame: labels}, source)

    def _marks(self, _frame: FrameIndex) -> None:
        self.reading.mark_phases(self.chance.choice((0, 1, None)), self.chance.choice((0, 1, None)))

    def _fact(self, _frame: FrameIndex) -> None:
        self.reading.set_fact(self.chance.choice(FACTS), self.chance.choice((None, 1.5, [1, 2], "in")), "say a fact")

    def _undo(self, _frame: FrameIndex) -> None:
        self.reading.undo()

    def _redo(self, _frame: FrameIndex) -> None:
        self.reading.redo()


def settle(reading: OpenStudy) -> None:
    """What follows from a step that was undone or redone, as the session carries it out."""
    effects = reading.take_effects()
    for frame in (*effects.accepting, *effects.held):
        reading.frames[frame].status = ReviewStatus.ACCEPTED


def tip_of(reading: OpenStudy) -> str:
    """What is shown once all that can be redone is; the reading is as it was after it."""
    back = len(reading.history.lines.undone)
    for _ in range(back):
        reading.redo()
        settle(reading)
    tip = shown(reading)
    for _ in range(back):
        reading.undo()
        settle(reading)
    reading.take_effects()
    return tip


def tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def work_until_killed(folder: Path, which: str, seed: int) -> None:
    workspace = open_workspace(folder, reader=which)
    begin(workspace)
    reader = Reader(workspace, read_id_of(workspace, which), random.Random(seed))
    tell("ready")
    while True:
        reader.act()


def serve() -> None:
    for line in sys.stdin:
        folder, which, seed = line.rsplit(maxsplit=2)
        child = os.fork()
        if child == 0:
            try:
                work_until_killed(Path(folder), which, int(seed))
            finally:
                os._exit(1)
        tell(f"pid {child}")
        os.waitpid(child, 0)
        tell("dead")


if __name__ == "__main__":
    serve()
