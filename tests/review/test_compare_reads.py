"""Two reads of a made stack, compared; all numbers by hand."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.compare_reads import (
    COLUMNS,
    Difference,
    FrameRead,
    ReadResult,
    compare_reads,
    difference_map,
    frame_rows,
)

ROWS, COLS, PHASES, SLICES = 20, 20, 3, 2
GEOMETRY = Geometry(ROWS, COLS, (2.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), ((0.0, 0.0, 0.0), (0.0, 0.0, 10.0)))
VOXEL_ML = 2.0 * 1.0 * 10.0 / 1000
compared = partial(compare_reads, any_size=True)
"""The made heart is smaller than a human one."""


def square(side: int, label: Label = Label.LVBP, at: int = 2) -> LabelMap:
    labels = np.zeros((ROWS, COLS), np.uint8)
    labels[at : at + side, at : at + side] = label
    return labels


def read(name: str, ed: int | None = 0, es: int | None = 2, **instead: FrameRead) -> ReadResult:
    """Squares of 8, 6 and 4 pixels' side at phases 0, 1 and 2; frames named "p0s1" are given instead."""
    frames = {}
    for phase in range(PHASES):
        for s in range(SLICES):
            plain = FrameRead(square(8 - 2 * phase), Region.MIDDLE)
            frames[FrameIndex(phase, s)] = instead.get(f"p{phase}s{s}", plain)
    return ReadResult(name, frames, ed, es)


def test_reads_that_are_alike_agree_on_every_frame_at_ed_and_es() -> None:
    found = compared(read("a"), read("b"), GEOMETRY)
    assert [one.frame for one in found.frames] == [(0, 0), (0, 1), (2, 0), (2, 1)]
    assert found.disagreements() == () and all(one.lowest_dice == 1.0 for one in found.frames)
    assert [one.marks for one in found.frames] == ["ED", "ED", "ES", "ES"]
    edv = found.measures["lv_edv_ml"]
    assert edv.first == pytest.approx(2 * 64 * VOXEL_ML) and edv.difference == 0.0 and edv.by_phase == 0.0


def test_millilitres_of_an_impossible_heart_are_not_compared() -> None:
    found = compare_reads(read("a"), read("b", p0s0=FrameRead(square(10), Region.MIDDLE)), GEOMETRY)
    assert not found.ml_known
    assert all(one.first is None and one.difference is None for one in found.measures.values())


def test_a_frame_gives_dice_hausdorff_area_and_millilitres_of_each_label() -> None:
    other = FrameRead(square(8, at=3), Region.MIDDLE)  # moved by a row and a column
    larger = FrameRead(square(10), Region.MIDDLE)
    found = compared(read("a"), read("b", p0s0=other, p0s1=larger), GEOMETRY)
    moved, grown = found.by_frame[FrameIndex(0, 0)].labels, found.by_frame[FrameIndex(0, 1)].labels
    assert moved[Label.LVBP].dice == pytest.approx(2 * 49 / 128)
    assert moved[Label.LVBP].hausdorff_mm == pytest.approx(np.hypot(2.0, 1.0))
    assert (moved[Label.LVBP].area_mm2, moved[Label.LVBP].ml) == (0.0, 0.0)
    assert grown[Label.LVBP].dice == pytest.approx(2 * 64 / 164)
    assert grown[Label.LVBP].hausdorff_mm == pytest.approx(2 * np.hypot(2.0, 1.0))
    assert grown[Label.LVBP].area_mm2 == pytest.approx(36 * 2.0)
    assert grown[Label.LVBP].ml == pytest.approx(36 * VOXEL_ML)
    assert (grown[Label.RVBP].dice, grown[Label.RVBP].hausdorff_mm) == (None, None)
    assert found.measures["lv_edv_ml"].difference == pytest.approx(36 * VOXEL_ML)


def test_frames_and_measures_follow_the_weights_of_the_slices() -> None:
    """A third slice, 20 mm on, makes the gaps 10 and 20 mm: the usual one is 15 mm, so that slices weigh 12.5, 15 and
    17.5 mm."""
    uneven = replace(GEOMETRY, positions_mm=(*GEOMETRY.positions_mm, (0.0, 0.0, 30.0)))
    empty, drawn = FrameRead(square(0), Region.MIDDLE), FrameRead(square(5), Region.MIDDLE)
    one, other = (
        ReadResult(name, {FrameIndex(0, s): empty for s in range(2)} | {FrameIndex(0, 2): last}, 0, None)
        for name, last in (("a", empty), ("b", drawn))
    )
    found = compared(replace(one, frames={**one.frames, FrameIndex(0, 0): drawn}), other, uneven)
    ml = {frame: at.labels[Label.LVBP].ml for frame, at in found.by_frame.items()}
    assert ml[FrameIndex(0, 2)] == pytest.approx(25 * 2.0 * 1.0 * 17.5 / 1000)
    assert ml[FrameIndex(0, 0)] == pytest.approx(-25 * 2.0 * 1.0 * 12.5 / 1000)
    assert found.measures["lv_edv_ml"].difference == pytest.approx(25 * 2.0 * 1.0 * (17.5 - 12.5) / 1000)
    assert found.by_frame[FrameIndex(0, 2)].at_stake_ml == pytest.approx(25 * 2.0 * 1.0 * 17.5 / 1000)


def test_frames_come_by_millilitres_then_by_dice() -> None:
    found = compared(
        read("a"),
        read(
            "b",
            p2s0=FrameRead(square(6), Region.MIDDLE),
            p0s1=FrameRead(square(9), Region.MIDDLE),
            p0s0=FrameRead(square(8, at=4), Region.MIDDLE),
        ),
        GEOMETRY,
    )
    assert [one.frame for one in found.frames] == [(2, 0), (0, 1), (0, 0), (2, 1)]
    assert [one.at_stake_ml for one in found.frames] == pytest.approx([20 * VOXEL_ML, 17 * VOXEL_ML, 0.0, 0.0])


def test_mass_counts_at_ed_and_myocardium_elsewhere_is_at_no_stake() -> None:
    ring = FrameRead(square(8, Label.LVM), Region.MIDDLE)
    found = compared(read("a", p0s0=ring, p2s0=ring), read("b", p0s0=FrameRead(square(0), Region.MIDDLE)), GEOMETRY)
    assert found.by_frame[FrameIndex(0, 0)].at_stake_ml == pytest.approx(64 * VOXEL_ML)
    assert found.by_frame[FrameIndex(2, 0)].at_stake_ml == pytest.approx(16 * VOXEL_ML), "the LV blood pool alone"
    assert found.measures["lv_mass_g"].difference == pytest.approx(-64 * VOXEL_ML * 1.05)


def test_another_ed_is_reported_apart_from_other_label_maps() -> None:
    found = compared(read("a"), read("b", ed=1, p0s0=FrameRead(square(7), Region.MIDDLE)), GEOMETRY)
    edv = found.measures["lv_edv_ml"]
    assert edv.difference == pytest.approx((2 * 36 - 2 * 64) * VOXEL_ML)
    assert edv.by_phase == pytest.approx((2 * 36 - (49 + 64)) * VOXEL_ML)
    by_frames = found.by_frame[FrameIndex(0, 0)].labels[Label.LVBP].ml
    assert edv.difference == pytest.approx(edv.by_phase + by_frames)
    assert {one.frame.phase for one in found.frames} == {0, 1, 2}
    assert found.by_frame[FrameIndex(1, 0)].marks == "ED"


@pytest.mark.parametrize(("side", "agrees"), [(10, False), (8, True), (9, False)])
def test_reads_agree_from_a_dice_on(side: int, agrees: bool) -> None:
    found = compared(read("a"), read("b", p0s0=FrameRead(square(side), Region.MIDDLE)), GEOMETRY)
    one = found.by_frame[FrameIndex(0, 0)]
    assert one.agrees() is agrees and one.agrees(0.0)
    assert [each.frame for each in found.disagreements()] == ([] if agrees else [(0, 0)])


def test_another_region_and_a_lacking_label_map_are_disagreements_whatever_the_dice() -> None:
    found = compared(
        read("a", p2s1=FrameRead(None, Region.MIDDLE)),
        read(
            "b", p0s0=FrameRead(square(8), Region.BASE), p2s1=FrameRead(np.zeros((ROWS, COLS), np.uint8), Region.MIDDLE)
        ),
        GEOMETRY,
    )
    region, lacking = found.by_frame[FrameIndex(0, 0)], found.by_frame[FrameIndex(2, 1)]
    assert region.regions == (Region.MIDDLE, Region.BASE) and region.regions_differ and not region.agrees(0.0)
    assert lacking.lacking == "first" and lacking.lowest_dice == 1.0 and not lacking.agrees(0.0)
    assert found.measures["lv_esv_ml"].first is None and found.measures["lv_esv_ml"].difference is None


def test_frames_that_a_reader_worked_on_are_compared_at_every_phase() -> None:
    mine = FrameRead(square(5), Region.MIDDLE, by_hand=True)
    found = compared(read("a", p1s1=mine), read("b"), GEOMETRY)
    assert found.by_frame[FrameIndex(1, 1)].marks == "" and FrameIndex(1, 0) not in found.by_frame


def test_without_spacing_no_millimetres_and_millilitres_are_reported() -> None:
    unknown = Geometry(
        ROWS, COLS, (1.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), GEOMETRY.positions_mm, spacing_known=False
    )
    found = compared(read("a"), read("b", p0s0=FrameRead(square(10), Region.MIDDLE)), unknown)
    one = found.frames[0]
    assert not found.ml_known and one.at_stake_ml == pytest.approx(0.036)
    assert (one.labels[Label.LVBP].hausdorff_mm, one.labels[Label.LVBP].ml) == (None, None)
    assert found.measures["lv_edv_ml"].first is None and found.measures["lv_ef_percent"].first is not None


def test_rows_have_every_column_and_what_is_not_known_is_none() -> None:
    (row, *_) = frame_rows(compared(read("a"), read("b"), GEOMETRY).frames)
    assert tuple(row) == COLUMNS
    assert (row["phase_number"], row["slice_number"], row["marks"], row["agree"]) == (1, 1, "ED", True)
    assert row["rvbp_dice"] is None and row["lvbp_dice"] == 1.0 and row["region_first"] == "middle"


LABEL_MAPS = arrays(np.uint8, (5, 4), elements=st.integers(0, 3))


def test_each_pixel_is_added_removed_relabelled_or_as_it_was():
    before = np.array([[0, 0, 1, 1, 2]], np.uint8)
    now = np.array([[0, 3, 1, 0, 1]], np.uint8)
    none, added, removed, other = Difference.NONE, Difference.ADDED, Difference.REMOVED, Difference.RELABELLED
    assert difference_map(before, now).tolist() == [[none, added, none, removed, other]]


@given(LABEL_MAPS, LABEL_MAPS)
def test_turned_round_what_was_added_is_removed(before, now):
    there, back = difference_map(before, now), difference_map(now, before)
    np.testing.assert_array_equal(there == Difference.ADDED, back == Difference.REMOVED)
    np.testing.assert_array_equal(there == Difference.RELABELLED, back == Difference.RELABELLED)
    np.testing.assert_array_equal(there == Difference.NONE, before == now)
