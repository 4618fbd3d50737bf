from typing import Any

import pytest

from cmr_viewer.domain.role import Role
from cmr_viewer.prepare.plan import Plan
from cmr_viewer.train.card import card_text

SPEC = {"iterations": 40, "batch": 16, "optimizer": "sgd", "learning_rate": 0.01, "seed": 3}


def plan(role: Role = Role.APEX, **training: Any) -> Plan:
    whole = {"spec": SPEC, "data": ["acdc"], "samples": 120, "patients": ["a", "b"], "split": "split.json", **training}
    return Plan("apex-9", role, "unet2d", {"inputs": 3}, 1.5, 128, 128, "2026-01-02T03:04:05+00:00", whole)


@pytest.mark.parametrize("role", list(Role))
def test_every_card_says_what_the_model_is_for_and_what_it_is_not(role: Role) -> None:
    text = card_text(plan(role))
    assert text.startswith("# apex-9\n")
    assert role.text in text
    assert "not a medical device" in text
    assert "## Known failures" in text


def test_published_data_bring_their_licence_and_corrections_that_of_the_first_model() -> None:
    text = card_text(plan(data=["acdc", "dsb2_sax", "scd_nifti"]))
    assert [set_ in text for set_ in ("BY-NC-SA", "M&Ms", "Data Science Bowl", "CC0")] == [True, False, True, True]
    assert "non-commercial research only" in text
    own = card_text(plan(data=["accepted frames of a workspace"]))
    assert "non-commercial" not in own
    assert "model that training started from" in own


def test_a_card_tells_how_the_model_was_trained() -> None:
    text = card_text(plan(validation={"frames": 30, "kept_at": 25}))
    assert "120 frames of 2 patients" in text
    assert "Split of the patients: split.json." in text
    assert "128 x 128 at 1.5 mm around the heart, input 3 slices." in text
    assert "40 batches of 16, sgd from 0.01, seed 3" in text
    assert "Weights after batch 25, chosen on 30 validation frames." in text


def test_weights_from_the_public_domain_alone_are_not_said_to_be_restricted() -> None:
    text = card_text(plan(data=["scd", "scd_nifti"], started_from=None))
    assert "CC0" in text
    assert "non-commercial" not in text
    assert "see the card of baseline-4" in card_text(plan(data=["scd"], started_from="baseline-4"))


def test_a_card_of_a_training_that_was_stopped_says_so_and_holds_its_note() -> None:
    text = card_text(plan(batches=25, note="Not in service."))
    assert "25 of 40 planned batches of 16" in text
    assert "\nNot in service.\n" in text


def test_validation_stands_in_a_table_by_set_and_region() -> None:
    by_set = {"dsb2": {"score": 0.8, "dice": {"base": {"LVBP": (0.8125, 9)}}}}
    text = card_text(plan(validation={"frames": 30, "kept_at": 25, "by_set": by_set}))
    assert "| dsb2 | base | 81.2, 9 | - | - |" in text


def test_without_a_validation_part_nothing_is_said_of_it() -> None:
    assert "Chosen on" not in card_text(plan())
    assert "Chosen on" not in card_text(plan(validation={"frames": 0, "kept_at": 40}))


def test_figures_stand_in_a_table_by_region() -> None:
    of_label = {"apex": {"mean": 0.8125, "sd": 0.1, "n": 12}}
    figures = {"patients": 3, "frames": 12, "dice": dict.fromkeys(("LVBP", "LVM", "RVBP"), of_label)}
    whole = Plan("m", Role.APEX, "unet2d", {}, 1.5, 128, 128, figures=figures)
    assert "| LV blood pool | - | - | 81.2 (10.0), 12 |" in card_text(whole)
    assert "Not measured yet." in card_text(plan())
