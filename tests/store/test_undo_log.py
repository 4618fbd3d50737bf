import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.change import (
    AcceptPart,
    Change,
    ChangeKind,
    FactPart,
    FramePart,
    Marks,
    Move,
    Patch,
    PhaseMarksPart,
    UndoLines,
    Verb,
)
from cmr_viewer.domain.opening import StackChange
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.store.annotations import AnnotationStore, RegionSet, Work
from cmr_viewer.store.database import Workspace, open_workspace
from cmr_viewer.store.events import EventLog, What
from cmr_viewer.store.openings import StackChangeStore
from cmr_viewer.store.reads import ReadKind, ReadStore
from cmr_viewer.store.undo_log import UndoLog
from cmr_viewer.store.versions import Version
from tests.store.saving import STACK_ID, abandon, labels_of, marks, save, save_study

FRAME = FrameIndex(0, 0)
TURNED_ID = "b" * 32
TURN = StackChange(STACK_ID, TURNED_ID, (3, 2, 1, 0))
BACK = StackChange(TURNED_ID, STACK_ID, (3, 2, 1, 0))


@pytest.fixture
def undo(store: AnnotationStore) -> UndoLog:
    return UndoLog(store._workspace)


def write(undo: UndoLog, stack_id: str, moves: list[Move], read_id: int | None = None) -> None:
    AnnotationStore(undo._workspace).save(stack_id, Work(moves=moves), read_id=read_id)


def step(key: str, *frames: FrameIndex, text: str = "paint", kind: ChangeKind = ChangeKind.EDIT) -> Change:
    return Change(kind, text, tuple(FramePart(f, marks(1), marks(1), None) for f in frames or (FRAME,)), key)


def do(key: str, *frames: FrameIndex) -> Move:
    return Move(Verb.DO, step(key, *frames))


def move(verb: Verb, key: str) -> Move:
    return Move(verb, step(key))


def keys(lines: UndoLines) -> tuple[list[str], list[str]]:
    return [one.key for one in lines.done], [one.key for one in lines.undone]


def test_a_step_comes_back_whole(store: AnnotationStore, undo: UndoLog) -> None:
    before, after = labels_of(3)[4:9, 2:8], labels_of(4)[4:9, 2:8]
    start = Marks(None, marks(1).base, "model-1", False)
    end = Marks(Region.APEX, marks(2).base, "model-2", True, "a file", Provenance.MANUAL)
    saved = Change(
        ChangeKind.STROKE,
        "paint LV myocardium",
        (
            FramePart(FrameIndex(2, 1), start, end, Patch(4, 2, before, after).packed()),
            AcceptPart(FrameIndex(1, 3), ReviewStatus.DRAFT, "d" * 32),
            AcceptPart(FrameIndex(1, 2), None, "e" * 32),
            PhaseMarksPart((None, 1), (0, 1)),
            FactPart("patient.height_cm", None, 171.5),
        ),
        "key",
    )
    write(undo, STACK_ID, [Move(Verb.DO, saved)])
    (found,) = undo.lines(STACK_ID).done
    assert (found.key, found.kind, found.text) == ("key", ChangeKind.STROKE, "paint LV myocardium")
    assert found.parts[1:] == saved.parts[1:]
    part = found.parts[0]
    assert isinstance(part, FramePart) and part.frame == (2, 1) and part.patch is not None
    assert (part.patch.row0, part.patch.col0) == (4, 2)
    patch = part.patch.unpacked()
    for one, expected in zip((patch.before, patch.after), (before, after), strict=True):
        np.testing.assert_array_equal(one, expected)
    for one, expected in ((part.before, start), (part.after, end)):
        assert (one.reader_region, one.origin, one.edited) == (expected.reader_region, expected.origin, expected.edited)
        assert (one.imported, one.made) == (expected.imported, expected.made)
        assert one.base is not None and expected.base is not None
        assert (one.base.model_id, one.base.region, one.base.reason) == (
            expected.base.model_id,
            expected.base.region,
            expected.base.reason,
        )
        np.testing.assert_array_equal(one.base.labels, expected.base.labels)
    assert found.frames == ((2, 1), (1, 3), (1, 2))


def test_a_prediction_that_many_steps_start_from_is_saved_once(store: AnnotationStore, undo: UndoLog) -> None:
    write(undo, STACK_ID, [do(str(number)) for number in range(5)])
    with store._workspace.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM undo_predictions").scalar_one() == 1


def test_a_prediction_that_a_step_starts_from_stays_when_its_model_predicts_again(
    store: AnnotationStore, undo: UndoLog
) -> None:
    base = marks(1).base
    assert base is not None
    store.save(STACK_ID, Work(predictions={FRAME: base}))
    write(undo, STACK_ID, [do("a")])
    other = type(base)(labels_of(9), base.model_id, base.region, base.reason)
    store.save(STACK_ID, Work(predictions={FRAME: other}))
    (part,) = undo.lines(STACK_ID).done[0].parts
    assert isinstance(part, FramePart) and part.before.base is not None
    np.testing.assert_array_equal(part.before.base.labels, labels_of(1))


def test_undo_goes_back_and_a_new_step_ends_what_could_be_redone(undo: UndoLog) -> None:
    write(undo, STACK_ID, [do("a"), do("b"), do("c"), move(Verb.UNDO, "c"), move(Verb.UNDO, "b")])
    assert keys(undo.lines(STACK_ID)) == (["a"], ["c", "b"])
    write(undo, STACK_ID, [move(Verb.REDO, "b")])
    assert keys(undo.lines(STACK_ID)) == (["a", "b"], ["c"])
    write(undo, STACK_ID, [do("d")])
    assert keys(undo.lines(STACK_ID)) == (["a", "b", "d"], [])


def test_a_step_that_was_left_is_in_neither_line(undo: UndoLog) -> None:
    write(undo, STACK_ID, [do("a"), do("b"), do("c"), move(Verb.UNDO, "c"), move(Verb.LEAVE, "b")])
    assert keys(undo.lines(STACK_ID)) == (["a"], ["c"])
    write(undo, STACK_ID, [move(Verb.LEAVE, "c"), move(Verb.UNDO, "a")])
    assert keys(undo.lines(STACK_ID)) == ([], ["a"])


def test_a_move_over_a_step_that_was_never_saved_is_not_saved_either(undo: UndoLog) -> None:
    write(undo, STACK_ID, [do("a"), move(Verb.UNDO, "lost"), move(Verb.REDO, "lost")])
    assert keys(undo.lines(STACK_ID)) == (["a"], [])


@settings(deadline=None, max_examples=20)
@given(st.lists(st.sampled_from(["do", "undo", "redo", "leave"]), max_size=30))
def test_the_lines_are_those_of_two_stacks(tmp_path_factory: pytest.TempPathFactory, verbs: list[str]) -> None:
    done: list[str] = []
    undone: list[str] = []
    moves: list[Move] = []
    for number, verb in enumerate(verbs):
        if verb == "do":
            moves.append(do(str(number)))
            done.append(str(number))
            undone.clear()
        elif verb == "leave" and done:
            moves.append(move(Verb.LEAVE, done.pop()))
        elif verb in ("undo", "redo"):
            here, there = (done, undone) if verb == "undo" else (undone, done)
            if here:
                moves.append(move(Verb(verb), here[-1]))
                there.append(here.pop())
    with open_workspace(tmp_path_factory.mktemp("w"), reader="reader") as workspace:
        save_study(AnnotationStore(workspace))
        chance = random.Random(len(verbs))
        while moves:
            some = chance.randint(1, 4)
            write(UndoLog(workspace), STACK_ID, moves[:some])
            del moves[:some]
        assert keys(UndoLog(workspace).lines(STACK_ID)) == (done, undone)


def test_a_step_is_saved_with_what_it_changed_or_not_at_all(store: AnnotationStore, undo: UndoLog) -> None:
    saved = Version(FRAME, labels_of(1), Region.BASE, Provenance.SEMIAUTOMATIC, ReviewStatus.DRAFT)
    outside = step("b", FrameIndex(0, 9))
    work = Work([saved], {FRAME: RegionSet(Region.APEX)}, moves=[do("a"), Move(Verb.DO, outside)])
    with pytest.raises(StoreError, match="slice 9 is not in the study"):
        store.save(STACK_ID, work)
    assert store.latest(STACK_ID) == {} and store.regions(STACK_ID) == {} and undo.lines(STACK_ID).done == ()
    store.save(STACK_ID, Work([saved], {FRAME: RegionSet(Region.APEX)}, moves=[do("a")]))
    assert set(store.latest(STACK_ID)) == {FRAME} and store.regions(STACK_ID) == {FRAME: Region.APEX}
    assert keys(undo.lines(STACK_ID)) == (["a"], [])


def test_a_program_that_did_not_close_left_its_steps(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("w")
    workspace = open_workspace(folder, reader="reader")
    save_study(AnnotationStore(workspace))
    write(UndoLog(workspace), STACK_ID, [do("a"), do("b"), move(Verb.UNDO, "b")])
    abandon(workspace)
    with open_workspace(folder, reader="reader") as again:
        assert keys(UndoLog(again).lines(STACK_ID)) == (["a"], ["b"])


def test_each_way_of_a_reader_is_in_the_log_with_its_words(store: AnnotationStore, undo: UndoLog) -> None:
    taken = step("t", text="take the new prediction", kind=ChangeKind.PROPOSAL)
    group = step("g", FrameIndex(1, 1), FrameIndex(1, 2), text="smooth LV myocardium")
    write(undo, STACK_ID, [Move(verb, taken) for verb in (Verb.DO, Verb.UNDO, Verb.REDO)])
    write(undo, STACK_ID, [Move(verb, group) for verb in (Verb.DO, Verb.LEAVE)])
    events = EventLog(store._workspace).events(stack_id=STACK_ID)[1:]
    whats = [What.OFFER_TAKEN, What.UNDONE, What.REDONE, What.CHANGED, What.STEP_LEFT]
    assert [event.what for event in events] == whats
    assert [event.detail["text"] for event in events] == ["take the new prediction"] * 3 + ["smooth LV myocardium"] * 2
    assert [event.frame for event in events] == [FRAME] * 3 + [FrameIndex(1, 1)] * 2
    assert events[3].detail["frames"] == 2 and {event.who for event in events} == {"reader"}


# -- stacks that are opened differently --------------------------------------------------------------------------------


@pytest.fixture
def changes(store: AnnotationStore) -> StackChangeStore:
    save_study(store, TURNED_ID)
    return StackChangeStore(store._workspace)


def carry(changes: StackChangeStore, change: StackChange) -> None:
    changes.carry_over(change, pixel_spacing_mm=(1.0, 1.0))


def test_steps_follow_their_frames_there_and_back(undo: UndoLog, changes: StackChangeStore) -> None:
    write(undo, STACK_ID, [do("a", FrameIndex(1, 0)), do("b", FrameIndex(0, 1)), move(Verb.UNDO, "b")])
    carry(changes, TURN)
    there = undo.lines(TURNED_ID)
    assert keys(there) == (["a"], ["b"])
    assert (there.done[0].frames, there.undone[0].frames) == ((FrameIndex(1, 3),), (FrameIndex(0, 2),))
    write(undo, TURNED_ID, [move(Verb.REDO, "b"), do("c", FrameIndex(2, 0))])
    carry(changes, BACK)
    here = undo.lines(STACK_ID)
    assert keys(here) == (["a", "b", "c"], []) and here.done[2].frames == (FrameIndex(2, 3),)
    carry(changes, TURN)
    assert keys(undo.lines(TURNED_ID)) == (["a", "b", "c"], []), "nothing is there twice"


def test_of_a_step_over_several_frames_those_follow_that_are_in_the_new_stack(
    undo: UndoLog, changes: StackChangeStore
) -> None:
    write(undo, STACK_ID, [do("a", FrameIndex(0, 0), FrameIndex(0, 1)), do("b", FrameIndex(0, 1))])
    carry(changes, StackChange(STACK_ID, TURNED_ID, (0, None, 2, 3)))
    (only,) = undo.lines(TURNED_ID).done
    assert (only.key, only.frames) == ("a", (FrameIndex(0, 0),))
    write(undo, TURNED_ID, [do("c", FrameIndex(0, 2))])
    carry(changes, StackChange(TURNED_ID, STACK_ID, (0, None, 2, 3)))
    here = undo.lines(STACK_ID)
    assert keys(here)[0] == ["a", "b", "c"] and here.done[0].frames == (FrameIndex(0, 0), FrameIndex(0, 1))


@pytest.mark.parametrize(("slices", "followed"), [((3, 2, 1, 0), ["height"]), ((0, 1, None, 3), ["points", "height"])])
def test_steps_over_facts_follow_where_the_facts_do(
    slices: tuple[int | None, ...], followed: list[str], undo: UndoLog, changes: StackChangeStore
) -> None:
    points = FactPart("insertion_points", None, {"0,3": [[10.5, 12.0], [20.0, 12.5]]})
    height = FactPart("patient.height_cm", None, 170)
    parts = {"points": points, "height": height}
    steps = [Change(ChangeKind.FACT, "say", (part,), key) for key, part in parts.items()]
    write(undo, STACK_ID, [Move(Verb.DO, one) for one in steps])
    carry(changes, StackChange(STACK_ID, TURNED_ID, slices))
    assert keys(undo.lines(TURNED_ID)) == (followed, [])


def test_a_second_read_and_what_can_be_undone_in_it_follow_too(
    store: AnnotationStore, undo: UndoLog, changes: StackChangeStore
) -> None:
    workspace: Workspace = store._workspace
    reads = ReadStore(workspace)
    read = reads.begin(STACK_ID, ReadKind.SECOND, blinded=True)
    write(undo, STACK_ID, [do("a")])
    write(undo, STACK_ID, [do("z", FrameIndex(0, 1))], read.id)
    save(store, FRAME, 5)
    saved = Version(FrameIndex(0, 1), labels_of(6), Region.BASE, Provenance.MANUAL, ReviewStatus.DRAFT)
    store.save(STACK_ID, Work([saved]), read_id=read.id)
    carry(changes, TURN)
    (there,) = reads.list(TURNED_ID)
    assert (there.reader, there.kind, there.started_at) == (read.reader, read.kind, read.started_at)
    assert keys(undo.lines(TURNED_ID)) == (["a"], [])
    assert keys(undo.lines(TURNED_ID, there.id)) == (["z"], [])
    assert set(store.latest(TURNED_ID)) == {FrameIndex(0, 3)}
    assert set(store.latest(TURNED_ID, there.id)) == {FrameIndex(0, 2)}
