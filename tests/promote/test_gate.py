import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError
from cmr_viewer.promote.gate import (
    LOOKS,
    SPENT,
    Assessment,
    GuardScore,
    JudgedFrame,
    decide,
    due_look,
    level_of,
    missing_patients,
)

LABELS = ("LVBP", "LVM", "RVBP")


def frame(
    patient: int,
    gains: dict[str, float],
    *,
    before: float = 0.6,
    region: Region = Region.BASE,
    wrong_ml: tuple[float, float] | None = None,
) -> JudgedFrame:
    return JudgedFrame(
        patient=f"p{patient}",
        stack_id="s",
        phase=0,
        slice_index=1,
        region=region,
        active=dict.fromkeys(gains, before),
        candidate={name: before + gain for name, gain in gains.items()},
        active_ml={} if wrong_ml is None else {"RVBP": wrong_ml[0]},
        candidate_ml={} if wrong_ml is None else {"RVBP": wrong_ml[1]},
    )


def judged(frames: Sequence[JudgedFrame], *guards: GuardScore, role: Role = Role.BASE) -> Assessment:
    return Assessment(role, "new", "old", "accuracy" if role is Role.CLASSIFIER else "Dice", tuple(frames), guards)


def even(gain: float, patients: int) -> list[JudgedFrame]:
    return [frame(patient, dict.fromkeys(LABELS, gain)) for patient in range(patients)]


def test_the_looks_and_what_they_spend() -> None:
    assert LOOKS == (4, 8, 16, 32)
    assert SPENT == {4: 0.02, 8: 0.04, 16: 0.09, 32: 0.10}


@pytest.mark.parametrize(
    ("patients", "earlier", "due", "missing"),
    [
        (0, (), None, 4),
        (3, (), None, 1),
        (4, (), 4, 0),
        (7, (), 4, 0),
        (7, (4,), None, 1),
        (9, (4,), 8, 0),
        (40, (4,), 32, 0),
        (40, (), 32, 0),
        (15, (4, 8), None, 1),
        (20, (8,), 16, 0),
        (5, (8,), None, 11),
        (99, (32,), None, None),
        (99, (4, 8, 16, 32), None, None),
    ],
)
def test_a_look_is_due_when_its_patients_are_there_and_is_used_once(
    patients: int, earlier: tuple[int, ...], due: int | None, missing: int | None
) -> None:
    assert due_look(patients, earlier) == due
    assert missing_patients(patients, earlier) == missing


@pytest.mark.parametrize(
    ("look", "earlier", "level"),
    [
        (4, (), 0.02),
        (8, (4,), 0.02),
        (8, (), 0.04),
        (16, (4, 8), 0.05),
        (16, (8, 4), 0.05),
        (32, (), 0.10),
        (32, (8,), 0.06),
    ],
)
def test_a_look_may_spend_what_earlier_ones_left(look: int, earlier: tuple[int, ...], level: float) -> None:
    assert level_of(look, earlier) == level


def test_a_clear_gain_is_promoted_with_its_figures() -> None:
    gains = [0.04, 0.06] * 4
    decision = decide(judged([frame(i, dict.fromkeys(LABELS, g)) for i, g in enumerate(gains)]), (4,))
    assert decision.promote
    assert (decision.look, decision.level) == (8, 0.02)
    # half of the gains are clipped from 6 to 5 points
    assert decision.clipped_gain == pytest.approx(0.045)
    # gains of SD 1.069 points, standard error 0.378, t(0.975, 7) = 2.365: 0.89 points either way
    assert decision.reason == (
        "Promoted: Dice 60.0 to 65.0, +5.0 points (95 % interval +4.1 to +5.9), in 8 frames of 8 patients."
    )


def test_three_patients_are_too_few_however_large_the_gain() -> None:
    decision = decide(judged(even(0.3, 3) * 10), ())
    assert not decision.promote
    assert (decision.look, decision.p, decision.level, decision.clipped_gain) == (None, None, None, None)
    assert decision.reason == (
        "No change: the current model stays. Too few patients to decide: 3, and 4 are needed. "
        "Dice 60.0 to 90.0, +30.0 points (95 % interval +30.0 to +30.0), in 30 frames of 3 patients."
    )


def test_a_look_that_was_used_is_not_used_again() -> None:
    decision = decide(judged(even(0.3, 10)), (4, 8))
    assert not decision.promote
    assert "Too few patients to decide: 10, and 16 are needed." in decision.reason


def test_after_the_last_look_nothing_is_judged() -> None:
    decision = decide(judged(even(0.3, 40)), (32,))
    assert not decision.promote
    assert "It was judged at 32 patients, which was the last time." in decision.reason


def test_no_frames_promote_nothing() -> None:
    decision = decide(judged([]), ())
    assert not decision.promote
    assert decision.total.patients == 0
    assert decision.reason == "No change: the current model stays. Too few patients to decide: 0, and 4 are needed."


def test_more_frames_of_the_same_patients_are_no_more_proof() -> None:
    # t = 1.5 / sqrt((4 * 4 + 0) / 7 / 4) = 1.98 with 3 degrees of freedom: p = 0.07
    few, many = decide(judged(even(0.015, 4)), ()), decide(judged(even(0.015, 4) * 50), ())
    assert not few.promote
    assert not many.promote
    assert few.p == pytest.approx(many.p)


def test_the_reason_of_a_refusal_gives_p_and_what_is_needed() -> None:
    decision = decide(judged(even(0.015, 4)), ())
    assert decision.reason.startswith(
        "No change: the current model stays. The new model is not measurably better "
        "(p = 0.071, and 0.02 or less is needed)."
    )


def test_a_gain_that_is_certain_but_below_half_a_point_is_not_worth_a_change() -> None:
    # 400 patients: t = 0.4 / sqrt((4 * 4 + 0) / 403 / 400) is above 40
    decision = decide(judged(even(0.004, 400)), ())
    assert decision.p == pytest.approx(0.0, abs=1e-9)
    assert not decision.promote
    assert "The gain is too small: 0.4 points after large changes are limited, and 0.5 are needed." in decision.reason


def test_one_frame_that_gains_much_decides_nothing() -> None:
    frames = [frame(0, dict.fromkeys(LABELS, 0.4)), *even(0.0, 16)[1:]]
    decision = decide(judged(frames), ())
    assert decision.clipped_gain == pytest.approx(0.05 / 16)
    assert not decision.promote


def test_many_small_gains_do_not_outweigh_a_few_frames_that_are_lost() -> None:
    frames = [*even(0.03, 16), frame(0, dict.fromkeys(LABELS, -0.6)), frame(1, dict.fromkeys(LABELS, -0.6))]
    # unclipped: 14 patients at +3, 2 at (3 - 60) / 2 = -28.5, mean -0.94 points; clipped: 14 at +3, 2 at -1
    decision = decide(judged(frames), ())
    assert decision.clipped_gain == pytest.approx((14 * 0.03 - 2 * 0.01) / 16)
    assert decision.total.gain == pytest.approx((14 * 0.03 - 2 * 0.285) / 16)
    assert not decision.promote
    assert "Most frames gain, but a few lose more than the others gain." in decision.reason


def test_a_few_stray_pixels_cost_what_their_millilitres_cost() -> None:
    # 17 pixels of 1.5 x 1.5 mm in a slice of 10 mm: 0.3825 ml, 0.38 points; the two labels gain 3 points
    frames = [frame(i, {"LVBP": 0.03, "LVM": 0.03}, wrong_ml=(0.0, 0.3825)) for i in range(8)]
    decision = decide(judged(frames), ())
    assert decision.total.gain == pytest.approx(0.03 - 0.003825)
    assert decision.promote
    assert decision.false_ml == pytest.approx((0.0, 0.3825))
    assert "RVBP" not in decision.by_label


def test_a_frame_without_labels_is_judged_by_what_is_drawn_in_it() -> None:
    frames = [frame(i, {}, region=Region.NON_CARDIAC, wrong_ml=(6.0, 2.0)) for i in range(8)]
    decision = decide(judged(frames, role=Role.BASELINE), ())
    assert (decision.total.before, decision.total.after) == pytest.approx((0.94, 0.98))
    assert decision.promote


def test_a_label_that_loses_over_patients_keeps_the_active_model() -> None:
    frames = [frame(i, {"LVBP": 0.2, "LVM": 0.1, "RVBP": -0.02}) for i in range(16)]
    decision = decide(judged(frames), ())
    assert not decision.promote
    assert decision.reason.startswith(
        "No change: the current model stays. The RV blood pool gets worse: 60.0 to 58.0, -2.0 points"
    )


def test_a_label_that_loses_less_than_half_a_point_does_not_matter() -> None:
    frames = [frame(i, {"LVBP": 0.2, "LVM": 0.1, "RVBP": -0.004}) for i in range(16)]
    assert decide(judged(frames), ()).promote


def test_a_label_that_loses_by_chance_does_not_matter() -> None:
    # RVBP: one patient of 16 loses 40 points, clipped to 5: mean loss 0.3
    frames = [frame(i, {"LVBP": 0.05, "LVM": 0.05, "RVBP": -0.4 if i == 0 else 0.0}) for i in range(16)]
    assert decide(judged(frames), ()).promote


def test_a_region_that_loses_keeps_the_active_model() -> None:
    frames = [frame(i, dict.fromkeys(LABELS, 0.06)) for i in range(16)]
    frames += [frame(i, dict.fromkeys(LABELS, -0.02), region=Region.APEX) for i in range(16)]
    decision = decide(judged(frames, role=Role.BASELINE), ())
    assert not decision.promote
    assert "The apex region gets worse: 60.0 to 58.0, -2.0 points" in decision.reason
    assert decision.by_region["apex"].gain == pytest.approx(-0.02)
    assert decision.by_region["base"].gain == pytest.approx(0.06)


def test_what_is_forgotten_vetoes_above_one_point() -> None:
    forgotten = GuardScore("other scanners", 20, 90, 0.90, 0.888)
    decision = decide(judged(even(0.05, 8), forgotten), ())
    assert not decision.promote
    assert (
        "The new model forgets: 1.2 points are lost on other scanners (20 patients), and at most 1.0 may be."
        in decision.reason
    )
    assert decide(judged(even(0.05, 8), GuardScore("other scanners", 20, 90, 0.90, 0.892)), ()).promote


def test_a_guard_without_patients_guards_nothing() -> None:
    assert decide(judged(even(0.05, 8), GuardScore("earlier corrections", 0, 0, 0.9, 0.0)), ()).promote


def classified(changes: Sequence[Sequence[int]]) -> Assessment:
    frames = [
        JudgedFrame(
            f"p{patient}", "s", 0, index, Region.MIDDLE, {"region": float(c < 0)}, {"region": float(c > 0)}, {}, {}
        )
        for patient, row in enumerate(changes)
        for index, c in enumerate(row)
    ]
    return judged(frames, role=Role.CLASSIFIER)


def test_a_classifier_that_gains_in_every_patient_is_promoted() -> None:
    decision = decide(classified([[1, 0, 0, 0, 0]] * 8), ())
    assert decision.promote
    assert decision.clipped_gain == pytest.approx(0.2)
    assert decision.reason.startswith("Promoted: accuracy 0.0 to 20.0, +20.0 points")


def test_one_patient_cannot_promote_a_classifier() -> None:
    assert not decide(classified([[1] * 20, *[[0] * 20] * 7]), ()).promote


def test_figures_that_are_no_numbers_promote_nothing() -> None:
    assert not decide(judged(even(float("nan"), 8)), ()).promote
    assert not decide(judged(even(0.05, 8), GuardScore("other scanners", 3, 9, 0.9, float("nan"))), ()).promote


def test_a_decision_becomes_json() -> None:
    values = json.loads(json.dumps(decide(judged(even(0.05, 8)), ()).as_json()))
    assert values["promote"] is True
    assert values["by_region"]["base"]["patients"] == 8
    assert values["false_ml"] == [0.0, 0.0]


def whole() -> dict[str, Any]:
    frames = [frame(0, dict.fromkeys(LABELS, 0.05)), frame(1, {"LVM": 0.1}, wrong_ml=(0.5, 0.0), region=Region.APEX)]
    made = judged(frames, GuardScore("other scanners", 3, 9, 0.9, 0.89))
    values: dict[str, Any] = json.loads(json.dumps(made.as_json()))
    assert Assessment.from_json(values) == made
    return values


def test_an_assessment_comes_back_from_json() -> None:
    read = Assessment.from_json(whole())
    assert read.patients == 2
    assert read.frames[1].region is Region.APEX
    assert read.role is Role.BASE


@pytest.mark.parametrize("name", ["role", "candidate_id", "active_id", "measure", "frames", "guards", "taught"])
def test_a_missing_value_is_reported(name: str) -> None:
    with pytest.raises(ModelError, match=f"Could not read the figures of the new model: KeyError\\('{name}'\\)"):
        Assessment.from_json({key: value for key, value in whole().items() if key != name})


@pytest.mark.parametrize("part", ["frames", "guards"])
def test_a_missing_value_of_a_part_is_reported(part: str) -> None:
    for name in whole()[part][0]:
        values = whole()
        del values[part][0][name]
        with pytest.raises(ModelError, match="Could not read the figures"):
            Assessment.from_json(values)


def _set(part: str, name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(values: dict[str, Any]) -> None:
        values[part][0][name] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.update(role="captain"),
        lambda values: values.update(measure="beauty"),
        lambda values: values.update(candidate_id=7),
        lambda values: values.update(frames=5),
        lambda values: values.update(frames=["a"]),
        lambda values: values.update(guards=None),
        _set("frames", "patient", None),
        _set("frames", "phase", "first"),
        _set("frames", "phase", True),
        _set("frames", "slice_index", -1),
        _set("frames", "region", "roof"),
        _set("frames", "active", [0.5]),
        _set("frames", "active", {"LVBP": 0.5}),
        _set("frames", "candidate", {"LVBP": "0.5", "LVM": 0.5, "RVBP": 0.5}),
        _set("frames", "candidate", {"LVBP": float("nan"), "LVM": 0.5, "RVBP": 0.5}),
        _set("frames", "candidate", {"LVBP": 1.1, "LVM": 0.5, "RVBP": 0.5}),
        _set("frames", "active_ml", {"RVBP": 0.5}),
        _set("frames", "active_ml", None),
        _set("guards", "patients", 2.5),
        _set("guards", "active", float("inf")),
        _set("guards", "candidate", None),
        _set("guards", "name", 3),
    ],
)
def test_a_value_of_the_wrong_kind_is_reported(change: Callable[[dict[str, Any]], None]) -> None:
    values = whole()
    change(values)
    with pytest.raises(ModelError, match="Could not read the figures of the new model"):
        Assessment.from_json(values)


def test_negative_millilitres_are_reported() -> None:
    values = whole()
    values["frames"][1]["active_ml"] = {"RVBP": -0.5}
    with pytest.raises(ModelError, match="no number from 0"):
        Assessment.from_json(values)
