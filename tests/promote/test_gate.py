import json
from typing import Any

import pytest

from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError
from cmr_viewer.promote.gate import MAX_LABEL_LOSS, MIN_FRAMES, MIN_GAIN, MIN_PATIENTS, Assessment, decide


def figures(
    gains: tuple[float, ...],
    *,
    patients: int = 3,
    active: dict[str, float] | None = None,
    candidate: dict[str, float] | None = None,
) -> Assessment:
    return Assessment(
        Role.BASE,
        "new",
        "old",
        patients,
        len(gains),
        "Dice",
        active or {"LVBP": 0.80, "LVM": 0.70},
        candidate or {"LVBP": 0.85, "LVM": 0.75},
        gains,
    )


CLEAR = (0.04, 0.05, 0.06, 0.04, 0.05, 0.06)


def test_the_limits_are_those_that_are_documented() -> None:
    assert (MIN_PATIENTS, MIN_FRAMES, MIN_GAIN, MAX_LABEL_LOSS) == (2, 6, 0.005, 0.01)


def test_a_clear_gain_is_promoted_with_its_figures() -> None:
    decision = decide(figures(CLEAR))
    assert decision.promote
    # the standard deviation of the gains is 0.00894, and 0.00894 / sqrt(6) = 0.00365
    assert decision.reason == "Promoted: Dice +5.0 points (standard error 0.4) on 6 held-out frames of 3 patients."


def test_one_patient_is_too_few_however_large_the_gain() -> None:
    decision = decide(figures((0.5,) * 20, patients=1))
    assert not decision.promote
    assert decision.reason == (
        "No change: the current model stays. Too few to decide: 20 held-out frames of 1 patient, and 6 of 2 patients "
        "are needed."
    )


@pytest.mark.parametrize("frames", [0, 1, 5])
def test_five_frames_are_too_few(frames: int) -> None:
    decision = decide(figures((0.05,) * frames, patients=2))
    assert not decision.promote
    assert "Too few to decide" in decision.reason


def test_six_frames_of_two_patients_are_enough() -> None:
    assert decide(figures(CLEAR, patients=2)).promote


def test_a_gain_below_half_a_point_is_not_worth_a_change() -> None:
    assert not decide(figures((0.004,) * 6)).promote
    assert decide(figures((0.006,) * 6)).promote


def test_a_gain_within_its_standard_error_is_not_measurably_better() -> None:
    # mean 0.01, standard deviation sqrt(6 * 0.1^2 / 5) = 0.1095, standard error 0.0447
    decision = decide(figures((0.11, -0.09, 0.11, -0.09, 0.11, -0.09)))
    assert not decision.promote
    assert decision.reason == (
        "No change: the current model stays. The candidate is not measurably better; "
        "Dice +1.0 points (standard error 4.5) on 6 held-out frames of 3 patients."
    )


def test_a_loss_is_kept_out() -> None:
    decision = decide(figures((-0.02,) * 6))
    assert not decision.promote
    assert "-2.0 points" in decision.reason


def test_a_label_that_loses_more_than_a_point_keeps_the_active_model() -> None:
    decision = decide(
        figures(
            CLEAR, active={"LVBP": 0.5, "LVM": 0.7, "RVBP": 0.9}, candidate={"LVBP": 0.8, "LVM": 0.69, "RVBP": 0.85}
        )
    )
    assert not decision.promote
    assert decision.reason.startswith("No change: the current model stays. RVBP loses 5.0 points; Dice +5.0 points")


def test_a_label_that_loses_less_than_a_point_does_not_matter() -> None:
    assert decide(figures(CLEAR, active={"LVBP": 0.5, "RVBP": 0.9}, candidate={"LVBP": 0.8, "RVBP": 0.895})).promote


def test_a_label_that_only_one_of_them_found_is_not_compared() -> None:
    assert decide(figures(CLEAR, active={"LVBP": 0.5}, candidate={"RVBP": 0.1})).promote


def test_gains_that_are_no_numbers_promote_nothing() -> None:
    assert not decide(figures((float("nan"),) * 6)).promote


def test_an_assessment_comes_back_from_json() -> None:
    made = figures(CLEAR)
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
