import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError, StoreError
from cmr_viewer.store import model_registry
from cmr_viewer.store.database import STAGING_PREFIX, Workspace, open_workspace
from cmr_viewer.store.events import EventLog, What
from cmr_viewer.store.model_registry import ModelRegistry
from tests.store.saving import abandon


def make_model(folder: Path, model_id: str, role: str = "base", **more: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_text(json.dumps({"model_id": model_id, "role": role, **more}), encoding="utf-8")
    (folder / "weights.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    folder = tmp_path / "shipped"
    make_model(folder / "shipped-base", "shipped-base")
    make_model(folder / "shipped-base-2", "shipped-base-2")
    make_model(folder / "shipped-classifier", "shipped-classifier", "classifier")
    active = {"base": "shipped-base", "classifier": "shipped-classifier"}
    (folder / "active.json").write_text(json.dumps(active), encoding="utf-8")
    return folder


@pytest.fixture
def registry(shipped: Path, workspace: Workspace) -> ModelRegistry:
    return ModelRegistry(shipped, workspace)


def adopt(registry: ModelRegistry, model_id: str, role: str = "base") -> None:
    registry.adopt(make_model(registry.staging_folder(), model_id, role))


def test_the_shipped_defaults_are_in_service_until_something_is_promoted(registry: ModelRegistry) -> None:
    assert {role: one.model_id for role, one in registry.active_all().items()} == {
        Role.BASE: "shipped-base",
        Role.CLASSIFIER: "shipped-classifier",
    }
    assert [(one.model_id, one.active) for one in registry.models()] == [
        ("shipped-classifier", True),
        ("shipped-base", True),
        ("shipped-base-2", False),
    ]
    assert registry.problems() == []
    with pytest.raises(ModelError, match="no model for the role Apex specialist"):
        registry.active(Role.APEX)


def test_shipped_models_serve_without_a_workspace(shipped: Path) -> None:
    registry = ModelRegistry(shipped, None)
    assert registry.active(Role.BASE).model_id == "shipped-base"
    assert registry.history(Role.BASE) == []
    for change in (registry.staging_folder, lambda: registry.promote(Role.BASE, "shipped-base-2", "")):
        with pytest.raises(StoreError, match="Open a workspace"):
            change()


def test_a_missing_models_folder_holds_no_models(tmp_path: Path) -> None:
    assert ModelRegistry(tmp_path / "none", None).models() == []


def test_the_only_shipped_model_of_a_role_is_its_default_where_none_is_named(shipped: Path) -> None:
    (shipped / "active.json").unlink()
    active = ModelRegistry(shipped, None).active_all()
    assert {role: one.model_id for role, one in active.items()} == {Role.CLASSIFIER: "shipped-classifier"}


def test_a_model_is_adopted_under_its_own_name_and_is_not_in_service(registry: ModelRegistry) -> None:
    staging = make_model(registry.staging_folder(), "new", created_at="2026-01-02T03:04:05+00:00")
    entry = registry.adopt(staging)
    assert (entry.model_id, entry.role, entry.shipped, entry.active) == ("new", Role.BASE, False, False)
    assert entry.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert entry.folder.name == "new"
    assert (entry.folder / "weights.safetensors").read_bytes() == b"weights"
    assert not staging.exists()
    assert registry.active(Role.BASE).model_id == "shipped-base"


def test_a_model_from_elsewhere_is_copied(registry: ModelRegistry, tmp_path: Path) -> None:
    source = make_model(tmp_path / "elsewhere", "new")
    entry = registry.adopt(source)
    assert (source / "plan.json").is_file()
    assert (entry.folder / "plan.json").is_file()
    assert not list(entry.folder.parent.glob(f"{STAGING_PREFIX}*"))


def test_a_model_is_not_adopted_over_another_or_half_made(registry: ModelRegistry) -> None:
    adopt(registry, "new")
    with pytest.raises(StoreError, match="model new already exists"):
        adopt(registry, "new")
    with pytest.raises(StoreError, match="already"):
        adopt(registry, "shipped-base")
    half = make_model(registry.staging_folder(), "half")
    (half / "weights.safetensors").unlink()
    with pytest.raises(ModelError, match=r"weights\.safetensors is missing"):
        registry.adopt(half)
    with pytest.raises(ModelError, match="is not a valid folder name"):
        adopt(registry, "../outside")


def test_broken_folders_are_passed_over_and_listed(registry: ModelRegistry, shipped: Path) -> None:
    (make_model(shipped / "a", "a") / "plan.json").write_text("{", encoding="utf-8")
    (make_model(shipped / "b", "b") / "plan.json").write_text("[]", encoding="utf-8")
    make_model(shipped / "c", "other")
    make_model(shipped / "d", "d", "left")
    (make_model(shipped / "e", "e") / "weights.safetensors").unlink()
    (shipped / "f").mkdir()
    (shipped / ".hidden").mkdir()
    assert len(registry.models()) == 3
    problems = registry.problems()
    words = ["could not be read", "not a JSON object", "another model", "role 'left'", "missing", "could not be read"]
    assert len(problems) == len(words)
    for text, word in zip(problems, words, strict=True):
        assert word in text


def test_a_role_that_is_named_with_nothing_has_no_model_in_service(shipped: Path) -> None:
    (shipped / "active.json").write_text('{"base": "shipped-base", "classifier": null}', encoding="utf-8")
    registry = ModelRegistry(shipped, None)
    assert set(registry.active_all()) == {Role.BASE}
    assert registry.problems() == []


def test_a_default_that_is_not_there_is_a_problem(registry: ModelRegistry, shipped: Path) -> None:
    (shipped / "active.json").write_text('{"base": "gone"}', encoding="utf-8")
    assert Role.BASE not in registry.active_all()
    assert "names gone as Base specialist" in registry.problems()[0]
    (shipped / "active.json").write_text("{", encoding="utf-8")
    assert re.search(r"Could not read .*active\.json", registry.problems()[0])


def test_a_promoted_model_is_in_service_also_after_opening_again(shipped: Path, tmp_path: Path) -> None:
    folder = tmp_path / "another"
    with open_workspace(folder, reader="reader") as workspace:
        registry = ModelRegistry(shipped, workspace)
        adopt(registry, "new")
        assert registry.promote(Role.BASE, "new", "Dice 0.90 against 0.85.").active
    with open_workspace(folder, reader="reader") as workspace:
        registry = ModelRegistry(shipped, workspace)
        assert registry.active(Role.BASE).model_id == "new"
        (row,) = registry.history(Role.BASE)
        assert (row.kind, row.model_id, row.previous_model_id) == ("promote", "new", "shipped-base")
        assert (row.reason, row.who, row.role) == ("Dice 0.90 against 0.85.", "reader", Role.BASE)
        assert EventLog(workspace).events(what=What.MODEL_PROMOTED)[0].model_id == "new"


def test_only_a_whole_model_of_the_role_is_promoted(registry: ModelRegistry) -> None:
    adopt(registry, "apex-model", "apex")
    for model_id in ("apex-model", "unknown"):
        with pytest.raises(StoreError, match="no complete model"):
            registry.promote(Role.BASE, model_id, "")
    with pytest.raises(StoreError, match="already"):
        registry.promote(Role.BASE, "shipped-base", "")
    assert registry.history(Role.BASE) == []


def test_a_candidate_that_is_kept_out_is_logged_and_changes_nothing(registry: ModelRegistry) -> None:
    adopt(registry, "candidate")
    registry.decline(Role.BASE, "candidate", "No better.")
    assert registry.active(Role.BASE).model_id == "shipped-base"
    (row,) = registry.history(Role.BASE)
    assert (row.kind, row.model_id, row.previous_model_id) == ("keep", "candidate", "shipped-base")


def test_rolling_back_goes_one_model_back_each_time_as_far_as_the_shipped_one(registry: ModelRegistry) -> None:
    for model_id in ("one", "two"):
        adopt(registry, model_id)
        registry.promote(Role.BASE, model_id, "better")
    registry.promote(Role.BASE, "one", "better after all")
    registry.decline(Role.BASE, "three", "no better")
    names = [registry.roll_back(Role.BASE, "worse").model_id for _ in range(3)]
    assert names == ["two", "one", "shipped-base"]
    assert registry.active(Role.BASE).model_id == "shipped-base"
    with pytest.raises(StoreError, match="nothing to roll back to"):
        registry.roll_back(Role.BASE, "again")
    kinds = [row.kind for row in registry.history(Role.BASE)]
    assert kinds == ["promote", "promote", "promote", "keep", "roll_back", "roll_back", "roll_back"]


def test_the_first_specialist_of_a_region_is_rolled_back_to_the_baseline(
    shipped: Path, registry: ModelRegistry
) -> None:
    make_model(shipped / "shipped-baseline", "shipped-baseline", "baseline")
    assert Role.MIDDLE not in registry.active_all()
    adopt(registry, "first", "middle")
    registry.promote(Role.MIDDLE, "first", "better")
    assert registry.roll_back(Role.MIDDLE).model_id == "shipped-baseline"
    assert Role.MIDDLE not in registry.active_all() and registry.problems() == []
    registry.promote(Role.MIDDLE, "first", "better after all")
    assert registry.active(Role.MIDDLE).model_id == "first"


def test_a_role_is_rolled_back_alone(registry: ModelRegistry) -> None:
    adopt(registry, "new")
    adopt(registry, "new-classifier", "classifier")
    registry.promote(Role.BASE, "new", "")
    registry.promote(Role.CLASSIFIER, "new-classifier", "")
    registry.roll_back(Role.BASE)
    assert registry.active(Role.CLASSIFIER).model_id == "new-classifier"


def vanish(workspace: Workspace, model_id: str) -> None:
    (workspace.models_folder / model_id / "weights.safetensors").unlink()


def test_the_shipped_model_serves_where_the_promoted_one_has_vanished(
    registry: ModelRegistry, workspace: Workspace
) -> None:
    adopt(registry, "new")
    registry.promote(Role.BASE, "new", "")
    vanish(workspace, "new")
    assert registry.active(Role.BASE).model_id == "shipped-base"
    assert (
        "The model new, in use as Base specialist, is missing or damaged; the shipped model shipped-base is used"
        in (registry.problems()[-1])
    )


def test_rolling_back_passes_over_a_model_that_has_vanished(registry: ModelRegistry, workspace: Workspace) -> None:
    for model_id in ("one", "two", "three"):
        adopt(registry, model_id)
        registry.promote(Role.BASE, model_id, "")
    vanish(workspace, "two")
    assert registry.roll_back(Role.BASE).model_id == "one"
    assert registry.active(Role.BASE).model_id == "one"
    assert registry.roll_back(Role.BASE).model_id == "shipped-base"


def test_the_model_before_serves_where_the_promoted_one_has_vanished_or_cannot_be_loaded(
    registry: ModelRegistry, workspace: Workspace
) -> None:
    for model_id in ("one", "two"):
        adopt(registry, model_id)
        registry.promote(Role.BASE, model_id, "")
    assert registry.active_all(without=["two"])[Role.BASE].model_id == "one"
    assert registry.active_all(without=["two", "one"])[Role.BASE].model_id == "shipped-base"
    vanish(workspace, "two")
    assert registry.active(Role.BASE).model_id == "one"
    assert "the model before it, one is used instead" in registry.problems()[-1]
    assert registry.roll_back(Role.BASE).model_id == "shipped-base"  # and not to the one that stands in
    assert registry.active(Role.BASE).model_id == "shipped-base"


def test_a_declined_candidate_can_be_used_all_the_same_and_rolled_back(registry: ModelRegistry) -> None:
    for model_id in ("one", "two"):
        adopt(registry, model_id)
        registry.decline(Role.BASE, model_id, "No better.")
    registry.promote(Role.BASE, "two", "It looks right to me.")
    registry.promote(Role.BASE, "one", "This one rather.")
    assert registry.active(Role.BASE).model_id == "one"
    assert [registry.roll_back(Role.BASE).model_id for _ in range(2)] == ["two", "shipped-base"]
    assert [row.reason for row in registry.history(Role.BASE)][2:4] == ["It looks right to me.", "This one rather."]


# -- old candidates are removed ----------------------------------------------------------------------------------------


def decline(registry: ModelRegistry, *model_ids: str, role: Role = Role.BASE) -> None:
    for model_id in model_ids:
        adopt(registry, model_id, role)
        registry.decline(role, model_id, "No better.")


def of_workspace(registry: ModelRegistry) -> set[str]:
    return {one.model_id for one in registry.models() if not one.shipped}


def test_the_last_declined_candidates_of_each_role_stay(registry: ModelRegistry, workspace: Workspace) -> None:
    decline(registry, "e", "d", "c", "b", "a")
    decline(registry, "only", role=Role.APEX)
    assert registry.clean_up(keep=3) == ["d", "e"]
    assert of_workspace(registry) == {"a", "b", "c", "only"}
    assert sorted(one.name for one in workspace.models_folder.iterdir()) == ["a", "b", "c", "only"]
    assert [one.model_id for one in EventLog(workspace).events(what=What.MODEL_REMOVED)] == ["d", "e"]
    assert registry.clean_up(keep=3) == []
    assert registry.problems() == []


def test_what_is_or_was_in_service_is_never_removed(registry: ModelRegistry) -> None:
    decline(registry, "used", "gone-back-from", "other")
    for model_id in ("gone-back-from", "used"):
        registry.promote(Role.BASE, model_id, "all the same")
        registry.roll_back(Role.BASE)
    registry.promote(Role.BASE, "used", "after all")
    registry.decline(Role.BASE, "shipped-base-2", "no better")
    adopt(registry, "undecided")
    assert registry.clean_up(keep=0) == ["other"]
    assert of_workspace(registry) == {"used", "gone-back-from", "undecided"}
    assert "shipped-base-2" in {one.model_id for one in registry.models()}


def test_a_removal_that_is_cut_off_leaves_no_half_model(
    registry: ModelRegistry, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    decline(registry, "old")
    monkeypatch.setattr(model_registry.shutil, "rmtree", lambda *_args, **_more: None)  # killed before it is deleted
    registry.clean_up(keep=0)
    assert of_workspace(registry) == set()
    assert registry.problems() == []
    monkeypatch.undo()
    abandon(workspace)
    with open_workspace(workspace.folder, reader="reader") as again:
        assert list(again.models_folder.iterdir()) == []


def test_a_model_in_the_making_is_no_model(registry: ModelRegistry) -> None:
    make_model(registry.staging_folder(), "new")
    assert "new" not in [one.model_id for one in registry.models()]
    assert registry.problems() == []


def test_a_model_of_the_workspace_does_not_stand_in_for_a_shipped_one(
    registry: ModelRegistry, workspace: Workspace
) -> None:
    make_model(workspace.models_folder / "shipped-base", "shipped-base")
    assert registry.active(Role.BASE).shipped
    assert "same name" in registry.problems()[0]
