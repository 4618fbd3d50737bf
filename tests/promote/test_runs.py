"""What is told of each training run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cmr_viewer.domain.role import Role
from cmr_viewer.promote.records import Records
from cmr_viewer.promote.runs import LearningRun, learning_runs
from cmr_viewer.store.database import Workspace, open_workspace
from cmr_viewer.store.model_registry import ModelRegistry, TrainingRuns
from tests.promote.made_runs import add_run, decision, write_candidate
from tests.promote.test_records import make_model


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    for role in Role:
        make_model(tmp_path / "shipped" / f"{role.value}-1", f"{role.value}-1", role)
    return tmp_path / "shipped"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with open_workspace(tmp_path / "workspace", reader="R. Eader") as opened:
        yield opened


@pytest.fixture
def registry(workspace: Workspace, shipped: Path) -> ModelRegistry:
    return ModelRegistry(shipped, workspace)


def listed(workspace: Workspace, registry: ModelRegistry) -> list[LearningRun]:
    return learning_runs(Records(workspace, registry))


def test_runs_are_listed_the_newest_first_with_how_they_ended(workspace, registry):
    add_run(workspace, registry, Role.BASE, "cancelled", parent="base-1")
    add_run(workspace, registry, Role.BASE, "kept", parent="base-1", model_id="base-a", gain=0.003)
    add_run(workspace, registry, Role.BASE, "promoted", parent="base-1", model_id="base-b")
    add_run(workspace, registry, Role.APEX, "failed", parent="apex-1")
    add_run(workspace, registry, Role.APEX, None, parent="apex-1")
    assert [one.ending for one in listed(workspace, registry)] == [
        "Training now",
        "Failed",
        "In use",
        "Not better",
        "Cancelled",
    ]


def test_gains_are_given_by_label_and_region_with_their_intervals(workspace, registry):
    add_run(workspace, registry, Role.BASE, "promoted", parent="base-1", model_id="base-b", gain=0.04)
    (one,) = listed(workspace, registry)
    texts = [(line.name, line.gain_text, line.interval_text, line.patients, line.frames) for line in one.lines]
    assert texts == [
        ("All frames", "+4.0", "+3.0 to +5.0", 8, 24),
        ("LV blood pool", "+2.0", "+1.0 to +3.0", 8, 24),
        ("LV myocardium", "+4.0", "+3.0 to +5.0", 8, 24),
        ("RV blood pool", "+6.0", "", 1, 2),  # a single patient has no interval
        ("Region base", "+4.0", "+3.0 to +5.0", 8, 24),
    ]
    assert one.sentence.startswith("The new model is better: Dice 80.0 to 84.0, +4.0 points")
    assert one.guards == ("On earlier corrections (6 patients): 88.1 before, 87.9 after (\N{MINUS SIGN}0.2 points).",)
    assert one.false_text == "Drawn where your label maps have nothing: 2.1 ml a frame before, 0.8 ml after."
    assert (one.learned_text, one.duration_text) == ("24 in 8 patients", "2 min")
    assert one.recipe_text == "Seed 7, 100 batches, 8 frames a batch, learning rate 0.0002, average of weights 0.97"


def test_the_lineage_goes_back_to_the_model_that_came_with_the_program(workspace, registry):
    add_run(workspace, registry, Role.BASE, "promoted", parent="base-1", model_id="base-a")
    add_run(workspace, registry, Role.BASE, "promoted", parent="base-a", model_id="base-b")
    newest, older = listed(workspace, registry)
    assert newest.lineage == ("base-1", "base-a", "base-b") and older.lineage == ("base-1", "base-a")
    assert newest.ending == "In use" and older.ending == "No longer in use"
    assert [row.model_id for row in older.decisions] == ["base-a", "base-b"]


def test_a_model_that_a_reader_chose_and_one_that_was_rolled_back_are_told_apart(workspace, registry):
    add_run(workspace, registry, Role.BASE, "kept", parent="base-1", model_id="base-a")
    registry.promote(Role.BASE, "base-a", "It draws our basal slices better.")
    (one,) = listed(workspace, registry)
    assert one.ending == "In use, chosen by a reader" and one.in_use and not one.can_be_used
    registry.roll_back(Role.BASE)
    (one,) = listed(workspace, registry)
    assert one.ending == "No longer in use" and one.can_be_used


def test_what_the_rule_removed_is_known_as_removed_with_its_figures(workspace, registry):
    for name in "abcd":
        add_run(workspace, registry, Role.BASE, "kept", parent="base-1", model_id=f"base-{name}")
    assert registry.clean_up(3) == ["base-a"]
    *_, oldest = listed(workspace, registry)
    assert oldest.is_removed and not oldest.can_be_used and oldest.total is not None and oldest.recipe_text == ""


def test_a_run_that_was_interrupted_after_its_promotion_tells_the_verdict(tmp_path, shipped):
    with open_workspace(tmp_path / "work", reader="R. Eader") as first:
        registry = ModelRegistry(shipped, first)
        run_id = add_run(first, registry, Role.BASE, None, parent="base-1")
        registry.adopt(write_candidate(first, "base-a", Role.BASE))
        made = {"model_id": "base-a", "decision": decision(0.04, promote=True)}
        TrainingRuns(first).note(run_id, made)
        registry.promote(Role.BASE, "base-a", made["decision"]["reason"])
    with open_workspace(tmp_path / "work", reader="R. Eader") as again:
        (one,) = listed(again, ModelRegistry(shipped, again))
        assert one.ending == "In use" and one.sentence.startswith("The new model is better: Dice 80.0 to 84.0")


def test_an_interrupted_run_says_that_it_can_be_trained_again(tmp_path, shipped):
    with open_workspace(tmp_path / "work", reader="R. Eader") as first:
        add_run(first, ModelRegistry(shipped, first), Role.BASE, None, parent="base-1")
    with open_workspace(tmp_path / "work", reader="R. Eader") as again:
        (one,) = listed(again, ModelRegistry(shipped, again))
        assert one.ending == "Interrupted" and "You can train again" in one.sentence
        assert not one.is_removed and one.total is None
