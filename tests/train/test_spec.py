import json
from pathlib import Path
from typing import Any

import pytest

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import TrainingError
from cmr_viewer.prepare.grid import Grid
from cmr_viewer.train.spec import TrainingSpec, default_spec, read_spec


@pytest.mark.parametrize("role", list(Role))
def test_every_role_has_a_default_that_can_be_trained(role: Role) -> None:
    spec = default_spec(role)
    assert spec.check() is spec
    assert spec.role is role
    assert spec.architecture == ("densenet121" if role is Role.CLASSIFIER else "unet2d")


@pytest.mark.parametrize(
    ("role", "focus"),
    [
        (Role.BASE, Region.BASE),
        (Role.MIDDLE, Region.MIDDLE),
        (Role.APEX, Region.APEX),
        (Role.BASELINE, None),
        (Role.CLASSIFIER, None),
    ],
)
def test_a_specialist_has_its_region_as_focus(role: Role, focus: Region | None) -> None:
    assert default_spec(role).focus is focus


def test_the_grid_is_that_of_the_spec() -> None:
    assert TrainingSpec(Role.BASE, spacing_mm=2.0, rows=64, cols=96).grid == Grid(2.0, 64, 96)


def test_some_values_of_a_default_are_changed() -> None:
    spec = default_spec(Role.APEX, iterations=7, seed=3)
    assert (spec.iterations, spec.seed, spec.batch) == (7, 3, default_spec(Role.APEX).batch)


@pytest.mark.parametrize(
    "changes",
    [
        {"iterations": 0},
        {"iterations": "many"},
        {"iterations": 1.5},
        {"batch": 0},
        {"batch": None},
        {"learning_rate": 0.0},
        {"learning_rate": -1e-3},
        {"learning_rate": float("nan")},
        {"learning_rate": "fast"},
        {"spacing_mm": 0.0},
        {"spacing_mm": float("inf")},
        {"focus_share": 0.0},
        {"focus_share": 1.1},
        {"rows": 100},
        {"rows": 16},
        {"cols": 24},
        {"seed": "x"},
        {"weight_decay": -1.0},
        {"shift_px": -1.0},
        {"optimizer": "magic"},
        {"momentum": 1.0},
        {"average": 1.0},
        {"average": -0.1},
        {"ends_ratio": 0.9},
        {"context": -1},
        {"context": 0.5},
        {"validate_every": 0},
        {"augmentation": 3},
        {"warm_up": -1},
        {"warm_up": 0.5},
        {"set_shares": 0.4},
        {"set_shares": {"dsb2": 1.2}},
        {"set_shares": {"dsb2": -0.1}},
        {"set_shares": {"dsb2": "much"}},
        {"set_shares": {"dsb2": 0.6, "scd": 0.6}},
        {"non_cardiac_share": 1.1},
        {"non_cardiac_share": float("nan")},
    ],
)
def test_a_number_that_cannot_be_is_told(changes: dict[str, Any]) -> None:
    with pytest.raises(TrainingError):
        default_spec(Role.BASELINE, **changes)


def test_a_spec_file_takes_the_defaults_of_its_role(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({"role": "middle", "batch": 4}), encoding="utf-8")
    assert read_spec(path) == default_spec(Role.MIDDLE, batch=4)


def test_a_spec_file_may_be_toml(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_text('role = "apex"\ncontext = 1\n[augmentation]\nmirror = 0.1\n', encoding="utf-8")
    assert read_spec(path) == default_spec(Role.APEX, context=1, augmentation={"mirror": 0.1})


def test_a_context_gives_the_network_a_channel_for_each_slice_it_sees() -> None:
    assert default_spec(Role.BASE, context=1).network_options == {"inputs": 3}
    assert default_spec(Role.BASE, options={"widths": [4, 8]}).network_options == {"widths": [4, 8]}


def test_what_is_kept_with_a_model_can_be_read_as_a_spec(tmp_path: Path) -> None:
    spec = default_spec(Role.CLASSIFIER, iterations=3, options={"growth": 4})
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec.as_dict()), encoding="utf-8")
    assert read_spec(path) == spec


@pytest.mark.parametrize("text", ["", "{", "[]", '["role"]', "7", '{"batch": 4}', '{"role": "captain"}'])
def test_what_is_no_spec_is_told_with_the_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "spec.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TrainingError, match=r"Could not read the training spec .*spec\.json"):
        read_spec(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="Could not read"):
        read_spec(tmp_path / "spec.json")


def test_an_unknown_name_is_told(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({"role": "base", "epochs": 3, "tempo": 1}), encoding="utf-8")
    with pytest.raises(TrainingError, match="epochs, tempo"):
        read_spec(path)


def test_options_that_are_no_mapping_are_told(tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({"role": "base", "options": [3]}), encoding="utf-8")
    with pytest.raises(TrainingError, match="options"):
        read_spec(path)
