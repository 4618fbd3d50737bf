from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.review.what_if import Candidate, Changes, at_stake_ml, measure_changes, phase_change_ml, signed

ED, ES = 0, 1
VOXEL_ML = 0.1


def pixels(lvbp: int, lvm: int, rvbp: int) -> np.ndarray:
    return np.array([5000 - lvbp - lvm - rvbp, lvbp, lvm, rvbp], np.int64)


def study() -> np.ndarray:
    """EDV 100 + 20 = 120 ml, ESV 40 ml, so SV 80 ml and EF 66.7 %; myocardium 100 ml, so 105 g; RV 60 and 30 ml."""
    return np.array(
        [
            [pixels(1000, 800, 400), pixels(200, 200, 200)],
            [pixels(400, 800, 200), pixels(0, 200, 100)],
            [pixels(700, 800, 300), pixels(100, 200, 150)],
        ]
    )


def changes(replaced: dict[FrameIndex, np.ndarray], voxel_ml: float | None = VOXEL_ML) -> Changes:
    return measure_changes(study(), replaced, voxel_ml=voxel_ml, slice_weights=np.ones(2), ed_phase=ED, es_phase=ES)


def test_a_frame_at_ed_changes_edv_and_what_follows_from_it() -> None:
    found = changes({FrameIndex(ED, 1): pixels(300, 100, 200)})
    assert found.by_name == pytest.approx(
        {
            "lv_edv_ml": 10.0,
            "lv_esv_ml": 0.0,
            "lv_sv_ml": 10.0,
            "lv_ef_percent": 100 * (90 / 130 - 80 / 120),
            "lv_mass_g": -10.5,
            "rv_edv_ml": 0.0,
            "rv_ef_percent": 0.0,
        }
    )
    assert found.sentence() == "LV EDV +10.0 ml, LV SV +10.0 ml, LV EF +2.6 points, LV mass \u221210.5 g"
    assert found.headline() == "EDV +10.0 ml, EF +2.6 points, mass \u221210.5 g"


def test_a_frame_at_es_changes_esv_and_no_mass() -> None:
    found = changes({FrameIndex(ES, 1): pixels(60, 0, 100)})
    assert {name for name, value in found.by_name.items() if abs(value) > 1e-9} == {
        "lv_esv_ml",
        "lv_sv_ml",
        "lv_ef_percent",
    }
    assert found.by_name["lv_esv_ml"] == pytest.approx(6.0)


def test_elsewhere_no_measure_changes_but_the_volume_of_the_phase_does() -> None:
    instead = pixels(0, 0, 0)
    found = changes({FrameIndex(2, 0): instead})
    assert not found
    assert found.sentence() == "no measure changes"
    assert phase_change_ml(study()[2, 0], instead, VOXEL_ML) == pytest.approx(-70.0)
    assert phase_change_ml(study()[2, 0], instead, None) is None


def test_without_spacing_only_fractions_are_reported() -> None:
    assert set(changes({FrameIndex(ED, 1): pixels(300, 0, 0)}, None).by_name) == {"lv_ef_percent", "rv_ef_percent"}


def test_a_fraction_of_next_to_nothing_is_not_shown() -> None:
    gone = {FrameIndex(ED, s): pixels(0, 0, 0) for s in (0, 1)} | {FrameIndex(ED, 0): pixels(10, 0, 10)}
    found = changes(gone)
    assert "lv_ef_percent" not in found.by_name
    assert found.by_name["lv_edv_ml"] == pytest.approx(-119.0)


def test_nothing_is_reported_before_ed_and_es_are_known() -> None:
    counts = study()
    gone = {FrameIndex(0, 0): pixels(0, 0, 0)}
    change = partial(measure_changes, counts, gone, voxel_ml=1.0, slice_weights=np.ones(2))
    assert not change(ed_phase=None, es_phase=None).by_name


def test_with_ed_alone_as_in_a_study_of_one_phase_edv_and_mass_are_reported() -> None:
    gone = {FrameIndex(0, 0): pixels(0, 0, 0)}
    found = measure_changes(study()[:1], gone, voxel_ml=1.0, slice_weights=np.ones(2), ed_phase=0, es_phase=None)
    assert set(found.by_name) == {"lv_edv_ml", "rv_edv_ml", "lv_mass_g"}


def test_a_frame_next_to_a_wide_gap_changes_more() -> None:
    weights, frame = np.array([1.0, 1.5]), FrameIndex(ED, 1)
    found = measure_changes(
        study(),
        {frame: pixels(300, 200, 200)},
        voxel_ml=VOXEL_ML,
        slice_weights=weights,
        ed_phase=ED,
        es_phase=ES,
    )
    assert found.by_name["lv_edv_ml"] == pytest.approx(100 * 1.5 * VOXEL_ML)


@given(st.lists(st.integers(0, 300), min_size=6, max_size=6))
def test_what_is_put_in_and_taken_out_again_changes_as_much_the_other_way(numbers: list[int]) -> None:
    one, other = pixels(*numbers[:3]), pixels(*numbers[3:])
    frame, counts = FrameIndex(ED, 1), study()
    counts[frame] = one
    change = partial(measure_changes, voxel_ml=VOXEL_ML, slice_weights=np.array([1.0, 1.7]), ed_phase=ED, es_phase=ES)
    forth = change(counts, {frame: other}).by_name
    counts[frame] = other
    back = change(counts, {frame: one}).by_name
    for name in forth.keys() & back.keys():
        assert forth[name] == pytest.approx(-back[name], abs=1e-9)


def test_at_ed_all_structures_are_at_stake_at_es_the_blood_pools_and_elsewhere_the_lv() -> None:
    before, after = pixels(100, 100, 100), pixels(90, 120, 130)
    stakes = [
        at_stake_ml(before, after, voxel_ml=VOXEL_ML, is_ed=ed, is_es=es)
        for ed, es in ((True, False), (False, True), (False, False))
    ]
    assert stakes == pytest.approx([6.0, 4.0, 1.0])


def test_numbers_have_their_sign() -> None:
    assert (signed(1.26), signed(-0.8)) == ("+1.3", "\u22120.8")


def test_a_candidate_states_who_segments_it_and_who_follows() -> None:
    followers = (FrameIndex(0, 1), FrameIndex(0, 2), FrameIndex(1, 2))
    one = Candidate(Region.MIDDLE, False, "Baseline", "baseline-1", (Region.APEX,), followers=followers)
    assert one.model_text == "Segmented by baseline, with the same label map as for apex."
    assert one.followers_text == "3 neighbouring frames would change region too (slices 2, 3, 2 phases)."
    assert Candidate(Region.NON_CARDIAC, False, "Baseline", "").model_text == "The frame would have no labels."


def test_the_labels_of_a_frame_count_in_the_order_of_label() -> None:
    assert [int(label) for label in (Label.LVBP, Label.LVM, Label.RVBP)] == [1, 2, 3]
