import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.measures.volumes import label_counts
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.volumes import VoxelCounts, measures_at
from tests.reading.small import small_study

GEOMETRY = small_study().stack.geometry


def filled(counts: VoxelCounts, frame: FrameIndex, lvbp: int, lvm: int = 0) -> None:
    labels = np.zeros(100, np.uint8)
    labels[:lvbp] = Label.LVBP
    labels[lvbp : lvbp + lvm] = Label.LVM
    counts.set_frame(frame, labels.reshape(10, 10))


def two_phases() -> VoxelCounts:
    counts = VoxelCounts(2, np.ones(2))
    for frame, lvbp, lvm in (((0, 0), 50, 10), ((0, 1), 30, 5), ((1, 0), 20, 10), ((1, 1), 12, 5)):
        filled(counts, FrameIndex(*frame), lvbp, lvm)
    return counts


def test_a_phase_counts_once_all_its_slices_are_segmented() -> None:
    counts = VoxelCounts(2, np.ones(2))
    filled(counts, FrameIndex(0, 0), 50)
    assert counts.of_phases().tolist() == [[-1] * 4, [-1] * 4]
    filled(counts, FrameIndex(0, 1), 30)
    assert counts.of_phases()[0].tolist() == [120, 80, 0, 0] and counts.of_phases()[1, 0] == -1
    counts.set_frame(FrameIndex(0, 0), None)
    assert counts.of_frame(FrameIndex(0, 0)) is None and counts.of_phases()[0, 0] == -1


def test_ed_and_es_are_known_once_all_phases_are_segmented() -> None:
    counts = VoxelCounts(2, np.ones(2))
    assert counts.ed_es() == (None, None)
    assert two_phases().ed_es() == (0, 1)
    for frame in ((0, 0), (0, 1), (1, 0), (1, 1)):
        filled(counts, FrameIndex(*frame), 0)
    assert counts.ed_es() == (None, None), "an empty left ventricle has no ED"


def test_measures_by_hand() -> None:
    values = measures_at(two_phases(), GEOMETRY, 0, 1, any_size=True).values
    assert values["lv_edv_ml"] == pytest.approx(80 * 0.04)
    assert values["lv_esv_ml"] == pytest.approx(32 * 0.04)
    assert values["lv_ef_percent"] == pytest.approx(60.0)
    assert values["lv_mass_g"] == pytest.approx(15 * 0.04 * 1.05)


def test_figures_of_an_impossible_heart_are_withheld() -> None:
    measures = measures_at(two_phases(), GEOMETRY, 0, 1)
    assert set(measures.values.values()) == {None}
    assert "3.2 ml" in measures.reasons["lv_edv_ml"]


def test_without_ed_and_es_nothing_is_guessed() -> None:
    measures = measures_at(two_phases(), GEOMETRY, None, None)
    assert set(measures.values.values()) == {None} and "not known" in measures.reasons["lv_edv_ml"]


def test_each_slice_counts_by_its_weight() -> None:
    """Slice 1 counts for one voxel a pixel and slice 2 for one and a half, at the 0.04 ml of the usual spacing."""
    counts = VoxelCounts(2, np.array([1.0, 1.5]))
    for frame, lvbp, lvm in (((0, 0), 50, 10), ((0, 1), 30, 5), ((1, 0), 20, 10), ((1, 1), 12, 5)):
        filled(counts, FrameIndex(*frame), lvbp, lvm)
    values = measures_at(counts, GEOMETRY, 0, 1, any_size=True).values
    assert values["lv_edv_ml"] == pytest.approx((50 + 45) * 0.04)
    assert values["lv_esv_ml"] == pytest.approx((20 + 18) * 0.04)
    assert values["lv_mass_g"] == pytest.approx((10 + 7.5) * 0.04 * 1.05)
    assert values["lv_ef_percent"] == pytest.approx(100 * (95 - 38) / 95)


def test_ed_is_the_phase_of_the_largest_volume_and_not_of_the_most_pixels() -> None:
    counts = VoxelCounts(2, np.array([1.0, 2.0]))
    for frame, lvbp in (((0, 0), 60), ((0, 1), 10), ((1, 0), 20), ((1, 1), 40)):
        filled(counts, FrameIndex(*frame), lvbp)
    assert counts.ed_es() == (1, 0), "80 voxels at the first phase, 100 at the second"


def test_with_ed_alone_the_rest_is_left_open_with_its_reason() -> None:
    measures = measures_at(two_phases(), GEOMETRY, 0, None, any_size=True)
    assert measures.values["lv_edv_ml"] == pytest.approx(3.2) and measures.values["lv_mass_g"] is not None
    assert measures.values["lv_esv_ml"] is None and measures.reasons["lv_ef_percent"].startswith("End-systole")
    measures = measures_at(two_phases(), GEOMETRY, None, 1, any_size=True)
    assert measures.values["lv_esv_ml"] == pytest.approx(1.28)
    assert measures.values["lv_mass_g"] is None and measures.reasons["lv_mass_g"].startswith("End-diastole")


def test_where_the_spacing_is_not_known_fractions_are_still_given() -> None:
    measures = measures_at(two_phases(), dataclasses.replace(GEOMETRY, spacing_known=False), 0, 1)
    assert measures.values["lv_ef_percent"] == pytest.approx(60.0) and measures.values["lv_edv_ml"] is None
    single = dataclasses.replace(GEOMETRY, positions_mm=GEOMETRY.positions_mm[:1])
    assert "single slice" in measures_at(two_phases(), single, 0, 1).reasons["lv_edv_ml"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 5), st.integers(0, 3)), max_size=20))
def test_counts_that_follow_patches_are_counts_made_anew(boxes: list[tuple[int, int, int, int]]) -> None:
    labels = np.zeros((10, 10), np.uint8)
    counts = VoxelCounts(1, np.ones(1))
    counts.set_frame(FrameIndex(0, 0), labels)
    for row, col, side, label in boxes:
        box = labels[row : row + side, col : col + side]
        before = box.copy()
        box[...] = label
        counts.patch_frame(FrameIndex(0, 0), before, box)
    found = counts.of_frame(FrameIndex(0, 0))
    assert found is not None and np.array_equal(found, label_counts(labels))
