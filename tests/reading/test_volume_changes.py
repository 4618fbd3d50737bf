from dataclasses import replace

import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.study_measures import VolumesBefore
from tests.reading.small import COLS, PHASES, ROWS, SLICES, small_study

VOXEL_ML = 0.04
ED, ES = 0, 2


@pytest.fixture
def reading() -> OpenStudy:
    """Squares of LV blood pool of 10, 8 and 6 pixels a side in all slices: ED is the first phase, ES the last."""
    made = OpenStudy(small_study())
    made.change_labels({frame: square(10 - 2 * frame.phase) for frame in made.frames}, "draw")
    return made


def square(side: int) -> np.ndarray:
    labels = np.zeros((ROWS, COLS), np.uint8)
    labels[2 : 2 + side, 2 : 2 + side] = Label.LVBP
    return labels


def as_drawn(frame: FrameIndex) -> np.ndarray:
    return square(10 - 2 * frame.phase)


def test_nothing_has_changed_where_everything_is_as_it_was(reading: OpenStudy) -> None:
    changes = VolumesBefore().changes(reading, FrameIndex(ED, 1), as_drawn)
    assert changes.frame_ml == {Label.LVBP: 0.0, Label.LVM: 0.0, Label.RVBP: 0.0}
    assert changes.edv_ml == changes.esv_ml == {Label.LVBP: 0.0, Label.RVBP: 0.0}
    assert changes.why_not == ""


def test_a_correction_counts_in_its_frame_and_in_its_phase(reading: OpenStudy) -> None:
    labels = square(10)
    labels[12:14, 2:7] = Label.LVBP  # 10 voxels more
    labels[18:20, 2:5] = Label.RVBP  # 6 voxels
    labels[2, 2:5] = Label.LVM  # 3 voxels of blood pool are wall now
    reading.change_labels({FrameIndex(ED, 1): labels}, "draw")
    comparing = VolumesBefore()
    here = comparing.changes(reading, FrameIndex(ED, 1), as_drawn)
    assert here.frame_ml[Label.LVBP] == pytest.approx(7 * VOXEL_ML)
    assert here.frame_ml[Label.LVM] == pytest.approx(3 * VOXEL_ML)
    assert here.frame_ml[Label.RVBP] == pytest.approx(6 * VOXEL_ML)
    elsewhere = comparing.changes(reading, FrameIndex(ED, 2), as_drawn)
    assert elsewhere.frame_ml[Label.LVBP] == 0.0
    for changes in (here, elsewhere):
        assert changes.edv_ml[Label.LVBP] == pytest.approx(7 * VOXEL_ML)
        assert changes.edv_ml[Label.RVBP] == pytest.approx(6 * VOXEL_ML)
        assert changes.esv_ml[Label.LVBP] == 0.0


def test_a_slice_beside_a_missing_one_counts_for_more(reading: OpenStudy) -> None:
    """Of slices at 0, 10, 30 and 40 mm the second and the third each count for one and a half."""
    study = small_study()
    places = tuple((0.0, 0.0, z) for z in (0.0, 10.0, 30.0, 40.0))
    stack = replace(study.stack, geometry=replace(study.stack.geometry, positions_mm=places))
    reading = OpenStudy(replace(study, stacks=(stack,)))
    reading.change_labels({frame: as_drawn(frame) for frame in reading.frames}, "draw")
    for index, weight in enumerate((1.0, 1.5, 1.5, 1.0)):
        grown = square(10)
        grown[20, 2:12] = Label.LVBP  # 10 voxels more
        reading.change_labels({FrameIndex(ED, index): grown}, "draw")
        changes = VolumesBefore().changes(reading, FrameIndex(ED, index), as_drawn)
        assert changes.frame_ml[Label.LVBP] == pytest.approx(10 * weight * VOXEL_ML)
        assert changes.edv_ml[Label.LVBP] == pytest.approx(10 * weight * VOXEL_ML)
        reading.change_labels({FrameIndex(ED, index): square(10)}, "draw")


def test_frames_without_an_earlier_label_map_count_as_they_are(reading: OpenStudy) -> None:
    changes = VolumesBefore().changes(reading, FrameIndex(ED, 1), lambda frame: square(4) if frame == (ES, 0) else None)
    assert changes.frame_ml == dict.fromkeys((Label.LVBP, Label.LVM, Label.RVBP))
    assert changes.edv_ml[Label.LVBP] == 0.0
    assert changes.esv_ml[Label.LVBP] == pytest.approx((36 - 16) * VOXEL_ML)


def test_a_label_map_of_earlier_that_is_another_now_is_counted_anew(reading: OpenStudy) -> None:
    comparing, frame = VolumesBefore(), FrameIndex(ED, 0)
    earlier = {frame: square(9)}
    assert comparing.changes(reading, frame, earlier.get).frame_ml[Label.LVBP] == pytest.approx(19 * VOXEL_ML)
    earlier[frame] = square(10)
    assert comparing.changes(reading, frame, earlier.get).frame_ml[Label.LVBP] == 0.0


def test_before_ed_and_es_are_known_it_is_said_why_there_is_no_volume() -> None:
    reading = OpenStudy(small_study())
    frame = FrameIndex(0, 0)
    reading.change_labels({frame: square(5)}, "draw")
    changes = VolumesBefore().changes(reading, frame, lambda _frame: square(4))
    assert changes.frame_ml[Label.LVBP] == pytest.approx(9 * VOXEL_ML)
    assert changes.edv_ml[Label.LVBP] is None and changes.esv_ml[Label.RVBP] is None
    assert "not known until all phases are segmented" in changes.why_not
    assert PHASES * SLICES > 1
