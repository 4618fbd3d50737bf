from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import Prediction
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.missing import missing_of, order_of_work
from cmr_viewer.reading.open_study import OpenStudy
from tests.reading.small import REGION_OF_SLICE, model_labels, said, small_study

ACTIVE = {role: f"{role.value}-1" for role in Role}


def classified() -> OpenStudy:
    reading = OpenStudy(small_study())
    reading.frames.set_active(ACTIVE)
    for frame in reading.frames:
        reading.frames.receive_region(frame, said(REGION_OF_SLICE[frame.slice_index]))
    return reading


def test_the_most_wanted_frames_come_first_and_each_once() -> None:
    stack = small_study().stack
    order = order_of_work(stack, FrameIndex(1, 2), 2, None)
    assert order[:9] == ((1, 2), (2, 0), (2, 1), (2, 2), (2, 3), (1, 0), (1, 1), (1, 3), (0, 2))
    assert len(order) == len(set(order)) == 12
    assert order_of_work(stack, None, None, None) == tuple(stack.frame_indices)
    assert order_of_work(stack, None, 99, None) == tuple(stack.frame_indices), "a mark that is not in the stack"


def test_without_regions_everything_is_computed_in_two_passes() -> None:
    reading = OpenStudy(small_study())
    reading.frames.set_active(ACTIVE)
    assert missing_of(reading, None).classify


def test_where_regions_are_known_only_missing_label_maps_are_computed() -> None:
    reading = classified()
    frame, edited, by_reader = FrameIndex(0, 0), FrameIndex(0, 1), FrameIndex(0, 2)
    reading.frames.receive_prediction(frame, Prediction(model_labels("base-1", frame), "base-1", Region.BASE, ""))
    reading.begin_stroke(edited, Label.LVM, 1.0, (5.0, 5.0))
    reading.end_stroke()
    reading.set_region(by_reader, Region.APEX)
    missing = missing_of(reading, None)
    assert not missing.classify and {frame, edited}.isdisjoint(missing.segment) and len(missing.segment) == 10
    assert missing.segment[by_reader] is Region.APEX and missing.by == {by_reader: "reader"}


def test_nothing_is_to_do_where_there_are_no_models() -> None:
    assert not missing_of(OpenStudy(small_study()), None)


def test_how_certain_a_region_is_in_the_stack_goes_with_the_frame_unless_the_reader_said_it() -> None:
    reading = classified()
    by_reader = FrameIndex(0, 2)
    reading.set_region(by_reader, Region.APEX)
    certainty = missing_of(reading, None).certainty
    assert certainty == {frame: 0.7 for frame in reading.frames if frame != by_reader}
