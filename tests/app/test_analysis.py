from pathlib import Path

import pytest

from cmr_viewer.app.analysis import load_active_models, order_of_work, todo_of
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import Prediction
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import ModelError
from cmr_viewer.progress import silent
from cmr_viewer.reading.open_study import Reading
from cmr_viewer.store.model_registry import ModelRegistry
from tests.app.conftest import FormulaFlow
from tests.reading.small import REGION_OF_SLICE, model_labels, said, small_study

ACTIVE = {role: f"{role.value}-1" for role in Role}


def classified() -> Reading:
    reading = Reading(small_study())
    reading.set_active(ACTIVE)
    for frame in reading.records:
        reading.receive_region(frame, said(REGION_OF_SLICE[frame.slice_index]))
    return reading


def test_the_most_wanted_frames_come_first_and_each_once() -> None:
    stack = small_study().stack
    order = order_of_work(stack, FrameIndex(1, 2), 2, None)
    assert order[:9] == ((1, 2), (2, 0), (2, 1), (2, 2), (2, 3), (1, 0), (1, 1), (1, 3), (0, 2))
    assert len(order) == len(set(order)) == 12
    assert order_of_work(stack, None, None, None) == tuple(stack.frame_indices)
    assert order_of_work(stack, None, 99, None) == tuple(stack.frame_indices), "a mark that is not in the stack"


def test_without_regions_everything_is_computed_in_two_passes() -> None:
    reading = Reading(small_study())
    reading.set_active(ACTIVE)
    assert todo_of(reading, None).classify


def test_where_regions_are_known_only_missing_label_maps_are_computed() -> None:
    reading = classified()
    frame, edited, by_reader = FrameIndex(0, 0), FrameIndex(0, 1), FrameIndex(0, 2)
    reading.receive_prediction(frame, Prediction(model_labels("base-1", frame), "base-1", Region.BASE, ""))
    reading.begin_stroke(edited, Label.LVM, 1.0, (5.0, 5.0), None)
    reading.end_stroke()
    reading.set_region(by_reader, Region.APEX)
    todo = todo_of(reading, None)
    assert not todo.classify and {frame, edited}.isdisjoint(todo.segment) and len(todo.segment) == 10
    assert todo.segment[by_reader] is Region.APEX and todo.by == {by_reader: "reader"}


def test_nothing_is_to_do_where_there_are_no_models() -> None:
    assert not todo_of(Reading(small_study()), None)


def test_no_models_at_all_are_told_with_what_can_be_done(tmp_path: Path, formula: FormulaFlow) -> None:
    with pytest.raises(ModelError, match="--models"):
        load_active_models(formula.flow(), ModelRegistry(tmp_path / "none", None), "auto", silent)
    assert formula.loads == 0


def test_how_certain_a_region_is_in_the_stack_goes_with_the_frame_unless_the_reader_said_it() -> None:
    reading = classified()
    by_reader = FrameIndex(0, 2)
    reading.set_region(by_reader, Region.APEX)
    certainty = todo_of(reading, None).certainty
    assert certainty == {frame: 0.7 for frame in reading.records if frame != by_reader}
