"""Decisions about opening, through a session on files that are made up."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.opening import NO_CHOICES, Opening
from cmr_viewer.domain.study import FrameIndex, RepeatedSlice, Stack, StackChoice, Study
from cmr_viewer.errors import LoadError
from cmr_viewer.progress import Progress
from cmr_viewer.reading.open_study import Imported
from cmr_viewer.reading.opening import same_slices, with_stack
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.model_registry import ModelRegistry
from tests.app.conftest import NO_TRAINING
from tests.reading.small import SLICES, FormulaFlow, small_study

PATH = Path("/nowhere/pseudonym")


@dataclass
class Reader:
    """Stands for the readers: one study of two stacks, slice 1 of the first acquired twice."""

    asked: list[Opening] = field(default_factory=list)
    broken: bool = False
    gate: threading.Event | None = None

    def __call__(self, path: Path, progress: Progress, opening: Opening, preview: Any) -> Study:
        self.asked.append(opening)
        if self.broken:
            raise LoadError("The drive is gone.")
        study = replace(small_study(seed=1 if opening.stack != "B" else 2), source=path)
        stack = study.stack
        if opening.repeats.get("at 10 mm") == "early":
            pixels = stack.pixels.copy()
            pixels[:, 1] += 7
            stack = replace(stack, pixels=pixels)
        if opening.spacing_mm is not None:
            row, col, apart = opening.spacing_mm
            places = tuple((0.0, 0.0, apart * number) for number in range(SLICES))
            stack = replace(stack, geometry=replace(stack.geometry, pixel_spacing_mm=(row, col), positions_mm=places))
        if opening.base_reversed:
            places = stack.geometry.positions_mm[::-1]
            turned = replace(stack.geometry, positions_mm=places)
            stack = replace(stack, pixels=stack.pixels[:, ::-1], geometry=turned, source_slices=(3, 2, 1, 0))
        study = replace(study, stacks=(stack,))
        if preview is not None:
            preview(stack.pixels[0, 0])
        if self.gate is not None:
            assert self.gate.wait(20)
        early = opening.repeats.get("at 10 mm") == "early"
        return replace(
            study,
            choices=(
                StackChoice("A", "SAX cine", opening.stack != "B"),
                StackChoice("B", "SAX cine, second", opening.stack == "B"),
            ),
            repeats=(
                RepeatedSlice(
                    1, "at 10 mm", (StackChoice("early", "09:00", early), StackChoice("late", "09:10", not early))
                ),
            ),
        )


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def session(qapp: Any, workspace: Workspace, shipped: Path, formula: FormulaFlow, reader: Reader) -> Iterator[Session]:
    made = Session(workspace, ModelRegistry(shipped, workspace), NO_TRAINING, flow=formula.flow(), opener=reader)
    yield made
    made.shutdown()


def opened(qtbot: Any, session: Session, path: Path = PATH, stack_id: str | None = None) -> Stack:
    with qtbot.waitSignal(session.study.restored):
        session.opening.open_path(path, stack_id)
    return session.study.stack  # type: ignore[return-value]


def written(qtbot: Any, session: Session) -> None:
    qtbot.waitUntil(lambda: not session.saving.is_busy)


def paint(session: Session, frame: FrameIndex, row: float = 5.0) -> np.ndarray:
    session.study.begin_stroke(frame, Label.RVBP, 2.0, (row, 5.0))
    session.study.end_stroke()
    return session.study.frame_state(frame).labels.copy()


def test_a_decision_is_kept_for_its_source_and_obeyed_the_next_time(qtbot, session, reader):
    opened(qtbot, session)
    with qtbot.waitSignal(session.study.restored):
        session.opening.choose_stack("B")
    other = session.study.stack.stack_id
    opened(qtbot, session)
    assert session.study.stack.stack_id == other
    opened(qtbot, session, Path("/nowhere/another"))
    assert [opening.stack for opening in reader.asked] == ["", "B", "B", ""]


def test_another_slice_axis_and_a_heart_of_any_size_are_decisions_that_are_kept(qtbot, session, reader):
    opened(qtbot, session)
    for decide in (session.opening.take_next_slice_axis, session.opening.change_any_size):
        with qtbot.waitSignal(session.study.restored):
            decide()
    opened(qtbot, session)
    assert reader.asked[-1] == Opening(slice_axis=0, any_size=True)
    with qtbot.waitSignal(session.study.restored):
        session.opening.change_any_size()
    assert reader.asked[-1] == Opening(slice_axis=0)


def test_a_stack_of_the_worklist_is_opened_as_it_was_though_another_was_opened_since(qtbot, session):
    first = opened(qtbot, session).stack_id
    with qtbot.waitSignal(session.study.restored):
        session.opening.choose_stack("B")
    second = session.study.stack.stack_id
    assert opened(qtbot, session, stack_id=first).stack_id == first
    assert opened(qtbot, session, stack_id=second).stack_id == second
    written(qtbot, session)
    assert {row.stack_id for row in session.saved.annotations.studies()} == {first, second}


def test_what_was_made_of_a_frame_stays_with_it_when_base_and_apex_are_turned_round(qtbot, session):
    opened(qtbot, session)
    frame, there = FrameIndex(1, 0), FrameIndex(1, SLICES - 1)
    mine = paint(session, frame)
    session.study.set_region(frame, Region.BASE)
    session.study.set_es(2)
    session.study.accept(frame)
    written(qtbot, session)
    draft = paint(session, FrameIndex(2, 1), row=9.0)
    pixels = session.study.stack.frame(frame).copy()
    session.study.look_at(frame)
    with qtbot.waitSignal(session.study.restored):
        session.opening.swap_ends()
    assert session.opening.chosen == Opening(base_reversed=True)
    assert session.opening.begin_at == there
    assert np.array_equal(session.study.stack.frame(there), pixels)
    state = session.study.frame_state(there)
    assert np.array_equal(state.labels, mine)
    assert (state.region, state.region_by, state.status) == (Region.BASE, "reader", ReviewStatus.ACCEPTED)
    assert np.array_equal(session.study.frame_state(FrameIndex(2, 2)).labels, draft)
    assert session.study.frame_state(frame).labels is None
    assert session.study.es_phase == 2
    written(qtbot, session)
    assert [row.accepted for row in session.saved.annotations.studies()] == [1]


def test_turning_back_brings_what_was_made_meanwhile(qtbot, session):
    opened(qtbot, session)
    first = paint(session, FrameIndex(0, 0))
    with qtbot.waitSignal(session.study.restored):
        session.opening.swap_ends()
    second = paint(session, FrameIndex(0, 0), row=12.0)
    with qtbot.waitSignal(session.study.restored):
        session.opening.swap_ends()
    assert session.opening.chosen == NO_CHOICES
    assert np.array_equal(session.study.frame_state(FrameIndex(0, 0)).labels, first)
    assert np.array_equal(session.study.frame_state(FrameIndex(0, SLICES - 1)).labels, second)


def test_a_corrected_spacing_changes_the_volumes_and_keeps_the_label_maps(qtbot, session):
    opened(qtbot, session)
    mine = paint(session, FrameIndex(0, 2))
    with qtbot.waitSignal(session.study.restored):
        session.opening.correct_spacing((1.5, 1.25, 8.0))
    geometry = session.study.stack.geometry
    assert (geometry.pixel_spacing_mm, geometry.slice_spacing_mm) == ((1.5, 1.25), 8.0)
    assert np.array_equal(session.study.frame_state(FrameIndex(0, 2)).labels, mine)
    with qtbot.waitSignal(session.study.restored):
        session.opening.correct_spacing(None)
    assert session.study.stack.geometry.pixel_spacing_mm == (2.0, 2.0)
    assert np.array_equal(session.study.frame_state(FrameIndex(0, 2)).labels, mine)


def test_another_acquisition_of_a_slice_leaves_the_other_slices_their_label_maps(qtbot, session):
    opened(qtbot, session)
    kept, left = paint(session, FrameIndex(0, 0)), paint(session, FrameIndex(0, 1))
    with qtbot.waitSignal(session.study.restored):
        session.opening.choose_repeats({"at 10 mm": "early"})
    assert np.array_equal(session.study.frame_state(FrameIndex(0, 0)).labels, kept)
    assert session.study.frame_state(FrameIndex(0, 1)).labels is None
    with qtbot.waitSignal(session.study.restored):
        session.opening.choose_repeats({"at 10 mm": "late"})
    assert np.array_equal(session.study.frame_state(FrameIndex(0, 1)).labels, left)


def test_a_study_whose_folder_was_moved_is_opened_as_was_decided(qtbot, session, reader):
    opened(qtbot, session)
    mine = paint(session, FrameIndex(0, 0))
    with qtbot.waitSignal(session.study.restored):
        session.opening.swap_ends()
    opened(qtbot, session, Path("/elsewhere/pseudonym"))
    assert session.opening.chosen == Opening(base_reversed=True)
    assert np.array_equal(session.study.frame_state(FrameIndex(0, SLICES - 1)).labels, mine)


def test_a_decision_that_cannot_be_opened_is_not_kept_and_the_study_stays(qtbot, session, reader):
    first = opened(qtbot, session).stack_id
    reader.broken = True
    with qtbot.waitSignal(session.opening.failed) as told:
        session.opening.swap_ends()
    assert told.args == ["The drive is gone."]
    assert session.study.stack.stack_id == first
    reader.broken = False
    opened(qtbot, session)
    assert reader.asked[-1] == NO_CHOICES


def test_the_same_decision_again_opens_nothing(qtbot, session, reader):
    opened(qtbot, session)
    session.opening.choose_stack("")
    session.opening.correct_spacing(None)
    assert not session.opening.is_busy
    assert len(reader.asked) == 1


def test_a_first_frame_is_told_before_the_study_is_there(qtbot, session, reader):
    reader.gate = threading.Event()
    with qtbot.waitSignal(session.opening.previewed) as told:
        session.opening.open_path(PATH)
    assert told.args[0].shape == (24, 20)
    assert session.study.data is None and session.opening.is_busy
    with qtbot.waitSignal(session.study.opened):
        reader.gate.set()
    assert not session.opening.is_busy


def test_opening_another_study_takes_the_place_of_the_one_that_comes(qtbot, session, reader):
    reader.gate = threading.Event()
    with qtbot.waitSignal(session.opening.previewed):
        session.opening.open_path(PATH)
    session.opening.open_path(Path("/nowhere/another"))
    with qtbot.waitSignal(session.study.restored):
        reader.gate.set()
    assert session.study.data.source == Path("/nowhere/another")


def test_a_frame_of_a_superseded_opening_is_not_told(qtbot, session):
    seen = []
    session.opening.previewed.connect(seen.append)
    session.opening._on_preview(session.opening._serial + 1, np.zeros((2, 2)))
    assert seen == []


def test_slices_are_found_by_their_pixels_wherever_they_are():
    stack = small_study().stack
    part = replace(
        stack,
        pixels=stack.pixels[:, [2, 0]],
        geometry=replace(stack.geometry, positions_mm=stack.geometry.positions_mm[:2]),
        source_slices=(),
    )
    assert same_slices(stack, part) == (1, None, 0, None)
    assert same_slices(part, stack) == (2, 0)


def test_slices_that_look_the_same_keep_their_order():
    stack = small_study().stack
    pixels = stack.pixels.copy()
    pixels[:, (0, 3)] = 0
    assert same_slices(replace(stack, pixels=pixels), replace(stack, pixels=pixels)) == (0, 1, 2, 3)


def test_what_was_decided_about_one_stack_does_not_hold_for_another():
    turned = Opening(stack="A", base_reversed=True, spacing_mm=(1.0, 1.0, 8.0))
    assert with_stack(turned, "A") == turned
    assert with_stack(turned, "B") == Opening(stack="B")


def test_nothing_is_lost_when_base_and_apex_are_turned_round_in_the_middle_of_work(qtbot, session):
    opened(qtbot, session)
    stack = session.study.stack
    imported, painted = FrameIndex(1, 0), FrameIndex(0, 1)
    drawn = np.zeros(stack.pixels.shape[2:], np.uint8)
    drawn[3:9, 3:9] = Label.LVM
    source = Imported("DICOM SEG: Net 7", "import a.dcm", frozenset({imported}), Provenance.AUTOMATIC)
    session.study.put_labels({imported: drawn}, source)
    session.study.set_region(painted, Region.APEX)
    session.study.begin_stroke(painted, Label.RVBP, 2.0, (5.0, 5.0))  # the brush is still down
    mine = session.study.frame_state(painted).labels.copy()
    with qtbot.waitSignal(session.study.restored):
        session.opening.swap_ends()
    last = stack.slices - 1
    state = session.study.frame_state(FrameIndex(1, last))
    assert np.array_equal(state.labels, drawn)
    assert (state.imported, state.provenance) == ("DICOM SEG: Net 7", Provenance.AUTOMATIC)
    state = session.study.frame_state(FrameIndex(0, last - 1))
    assert np.array_equal(state.labels, mine)
    assert (state.region, state.region_by) == (Region.APEX, "reader")
    assert session.study.undo_text == "paint RV blood pool", "undo goes on where it was"
    assert (
        session.study.undo() == FrameIndex(0, last - 1)
        and not session.study.frame_state(FrameIndex(0, last - 1)).edited
    )
    assert session.study.redo() == FrameIndex(0, last - 1)
    assert np.array_equal(session.study.frame_state(FrameIndex(0, last - 1)).labels, mine)
    assert session.opening.chosen != NO_CHOICES
    with qtbot.waitSignal(session.study.restored):
        session.opening.swap_ends()
    assert np.array_equal(session.study.frame_state(painted).labels, mine)
    assert session.study.frame_state(imported).imported == "DICOM SEG: Net 7"
    written(qtbot, session)
