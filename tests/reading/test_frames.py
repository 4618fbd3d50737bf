import pytest

from cmr_viewer.domain.anatomy import REGIONS, Label, Region
from cmr_viewer.domain.annotation import Prediction, ReviewStatus
from cmr_viewer.domain.role import Role, role_of
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.frames import Changed
from cmr_viewer.reading.open_study import OpenStudy
from tests.reading.small import REGION_OF_SLICE, model_labels, said, small_study

ACTIVE = {role: f"{role.value}-1" for role in Role}
BASE, MIDDLE = FrameIndex(0, 0), FrameIndex(0, 1)


def made(frame: FrameIndex, model_id: str, region: Region) -> Prediction:
    return Prediction(model_labels(model_id, frame), model_id, region, "By formula.")


@pytest.fixture
def reading() -> OpenStudy:
    """All frames as the models in service make them, seen."""
    reading = OpenStudy(small_study())
    reading.frames.set_active(ACTIVE)
    for frame in reading.frames:
        region = REGION_OF_SLICE[frame.slice_index]
        reading.frames.receive_region(frame, said(region))
        reading.frames.receive_prediction(frame, made(frame, ACTIVE[role_of(region)], region))
    reading.take_effects()
    return reading


def renewed(reading: OpenStudy) -> list[FrameIndex]:
    return [frame for frame in reading.frames if reading.frames.state(frame).renewed]


def use_another_base(reading: OpenStudy, model_id: str = "base-2") -> None:
    """Another base specialist is in service, and has segmented the frames of the base."""
    reading.frames.set_active({**ACTIVE, Role.BASE: model_id})
    for frame in reading.frames:
        if reading.frames.lacks_prediction(frame):
            reading.frames.receive_prediction(frame, made(frame, model_id, Region.BASE))


def test_nothing_is_new_in_a_study_that_is_analysed_for_the_first_time(reading):
    assert renewed(reading) == []


def test_frames_that_another_model_serves_are_new_until_they_are_seen(reading):
    use_another_base(reading)
    assert renewed(reading) == [frame for frame in reading.frames if frame.slice_index == 0]
    reading.take_effects()
    reading.frames.note_seen(BASE)
    assert BASE not in renewed(reading)
    assert reading.take_effects().changed == {BASE: Changed.STATUS}


def test_a_new_model_that_makes_the_same_label_map_brings_nothing_new(reading):
    reading.frames.set_active({**ACTIVE, Role.BASE: "base-2"})
    reading.frames.receive_prediction(BASE, Prediction(model_labels("base-1", BASE), "base-2", Region.BASE, "Same."))
    assert renewed(reading) == []


def test_frames_that_a_reader_changed_or_accepted_stay_and_are_not_new(reading):
    reading.begin_stroke(BASE, Label.RVBP, 2.0, (20, 15))
    reading.end_stroke()
    accepted = FrameIndex(1, 0)
    reading.frames.set_status(accepted, ReviewStatus.ACCEPTED)
    before = {frame: reading.frames.canvas(frame) for frame in (BASE, accepted)}
    use_another_base(reading)
    assert renewed(reading) == [FrameIndex(2, 0)]
    assert all((reading.frames.canvas(frame) == labels).all() for frame, labels in before.items())


def test_accepting_a_new_frame_or_correcting_it_is_seeing_it(reading):
    use_another_base(reading)
    reading.frames.set_status(FrameIndex(1, 0), ReviewStatus.ACCEPTED)
    reading.begin_stroke(BASE, Label.RVBP, 2.0, (20, 15))
    reading.end_stroke()
    assert renewed(reading) == [FrameIndex(2, 0)]


def test_another_region_by_a_new_classifier_is_new_and_one_by_the_reader_is_not(reading):
    reading.frames.set_active({**ACTIVE, Role.CLASSIFIER: "classifier-2"})
    reading.frames.receive_region(MIDDLE, said(Region.BASE, "classifier-2"))
    assert renewed(reading) == [MIDDLE]
    reading.set_region(BASE, REGIONS[2])
    reading.frames.receive_prediction(BASE, made(BASE, "apex-1", REGIONS[2]))
    assert renewed(reading) == [MIDDLE]


def test_going_back_to_the_model_before_is_new_too(reading):
    use_another_base(reading)
    for frame in reading.frames:
        reading.frames.note_seen(frame)
    reading.frames.set_active(ACTIVE)
    assert len(renewed(reading)) == 3 and reading.frames[BASE].origin == "base-1"
