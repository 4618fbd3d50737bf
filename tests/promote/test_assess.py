import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError
from cmr_viewer.promote.assess import Assessment, assess_label_maps, assess_regions


def row(text: str) -> NDArray[np.uint8]:
    """A label map of one row."""
    return np.array([[int(c) for c in text]], np.uint8)


def assess(
    reference: list[str], candidate: list[str], active: list[str], patients: list[str] | None = None
) -> Assessment:
    return assess_label_maps(
        Role.APEX,
        candidate_id="new",
        active_id="old",
        patients=patients or ["p"] * len(reference),
        reference=[row(text) for text in reference],
        candidate=[row(text) for text in candidate],
        active=[row(text) for text in active],
    )


def test_dice_by_label_and_gains_by_frame() -> None:
    made = assess(["1122", "1100"], ["1122", "1000"], ["1222", "0000"], ["p", "q"])
    # candidate: frame 1 LVBP 1, LVM 1; frame 2 LVBP 2*1/(1+2) = 2/3
    # active: frame 1 LVBP 2/3, LVM 2*2/5 = 0.8; frame 2 LVBP 0
    assert made.candidate == pytest.approx({"LVBP": 5 / 6, "LVM": 1.0})
    assert made.active == pytest.approx({"LVBP": 1 / 3, "LVM": 0.8})
    assert made.frame_gains == pytest.approx((1 - (2 / 3 + 0.8) / 2, 2 / 3))
    assert (made.role, made.candidate_id, made.active_id) == (Role.APEX, "new", "old")
    assert (made.patients, made.frames, made.measure) == (2, 2, "Dice")


def test_an_empty_frame_that_is_left_empty_counts_as_right() -> None:
    made = assess(["0000"], ["0000"], ["0300"])
    assert made.candidate == {"empty": 1.0}
    assert made.active == {"RVBP": 0.0}
    assert made.frame_gains == (1.0,)


def test_a_label_that_is_invented_pulls_the_frame_down() -> None:
    made = assess(["1100"], ["1133"], ["1100"])
    assert made.candidate == {"LVBP": 1.0, "RVBP": 0.0}
    assert made.frame_gains == (-0.5,)


def test_nothing_held_out_gives_no_figures() -> None:
    made = assess([], [], [])
    assert (made.patients, made.frames, made.active, made.candidate, made.frame_gains) == (0, 0, {}, {}, ())


def test_patients_are_counted_once() -> None:
    assert assess(["1", "1", "1"], ["1", "1", "1"], ["1", "1", "1"], ["p", "q", "p"]).patients == 2


def test_classifiers_are_compared_by_the_share_of_regions_found() -> None:
    base, apex = Region.BASE, Region.APEX
    made = assess_regions(
        candidate_id="new",
        active_id="old",
        patients=["p", "p", "q", "q"],
        reference=[base, base, apex, apex],
        candidate=[base, base, apex, base],
        active=[base, apex, base, apex],
    )
    assert made.candidate == {"all": 0.75}
    assert made.active == {"all": 0.5}
    assert made.frame_gains == (0.0, 1.0, 1.0, -1.0)
    assert (made.role, made.measure, made.patients) == (Role.CLASSIFIER, "accuracy", 2)


def test_an_assessment_comes_back_from_json() -> None:
    made = assess(["1122", "1100"], ["1122", "1000"], ["1222", "0000"], ["p", "q"])
    assert Assessment.from_json(json.loads(json.dumps(made.as_json()))) == made


VALUES: dict[str, Any] = {
    "role": "base",
    "candidate_id": "new",
    "active_id": "old",
    "patients": 2,
    "frames": 2,
    "measure": "Dice",
    "active": {"LVBP": 0.5},
    "candidate": {"LVBP": 0.6},
    "frame_gains": [0.1, 0.1],
}


def test_the_values_that_are_broken_below_are_whole() -> None:
    assert Assessment.from_json(VALUES).frame_gains == (0.1, 0.1)


@pytest.mark.parametrize("name", list(VALUES))
def test_a_missing_value_is_told(name: str) -> None:
    with pytest.raises(ModelError, match="Could not read the figures"):
        Assessment.from_json({key: value for key, value in VALUES.items() if key != name})


@pytest.mark.parametrize(
    "changes",
    [
        {"role": "captain"},
        {"frames": "many"},
        {"patients": None},
        {"active": [0.5]},
        {"candidate": {"LVBP": "good"}},
        {"frame_gains": None},
        {"frame_gains": ["a", "b"]},
        {"frame_gains": [0.1]},
        {"frame_gains": [float("nan"), 0.1]},
        {"active": {"LVBP": float("inf")}},
    ],
)
def test_a_value_of_the_wrong_kind_is_told(changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="Could not read the figures"):
        Assessment.from_json({**VALUES, **changes})
