import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import TrainingError
from cmr_viewer.load.datasets import find_labelled
from cmr_viewer.prepare.grid import Grid
from cmr_viewer.train.spec import (
    Fingerprint,
    TrainingSpec,
    as_toml,
    default_spec,
    derive_spec,
    fingerprint_of,
    grid_size,
    halvings,
    read_fingerprint,
    read_spec,
)
from cmr_viewer.train.split import Split
from tests.phantom import sax_cine, write_acdc_patient


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


FOUND = Fingerprint(stacks=10, frames=200, spacing_mm=1.5, shape=(256, 216), heart_mm=160.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("acdc")
    for number, spacing in ((1, 9.0), (2, 1.8), (4, 2.0), (5, 2.2)):  # patient001 is in the test part
        phantom = sax_cine(phases=2, slices=5, rows=72, cols=64, seed=number, pixel_spacing_mm=(spacing, spacing))
        write_acdc_patient(root, phantom, patient=f"patient{number:03d}")
    return root


def test_the_fingerprint_is_of_the_training_part(data: Path) -> None:
    found = read_fingerprint([data], Split())
    assert (found.stacks, found.frames, found.shape) == (3, 30, (72, 64))
    assert found.spacing_mm == pytest.approx(2.0)


def test_the_widest_heart_is_measured_from_its_centre(data: Path) -> None:
    labelled = find_labelled(data / "patient002")[0].read()
    labels = np.zeros_like(labelled.labels)
    labels[0, 1, 10:21, 30:41] = 1  # 5 pixels of 1.8 mm to each side
    found = fingerprint_of([replace(labelled, labels=labels)])
    assert found.heart_mm == pytest.approx(2 * 5 * 1.8)


def test_no_stacks_are_told() -> None:
    with pytest.raises(TrainingError, match="no labelled stacks"):
        fingerprint_of([])


@pytest.mark.parametrize(("size", "count"), [(256, 5), (128, 4), (64, 3), (32, 2), (15, 0), (16, 1)])
def test_an_axis_is_halved_while_four_pixels_are_left_after_the_next(size: int, count: int) -> None:
    assert halvings(size) == count


def test_a_grid_covers_its_width_in_whole_multiples() -> None:
    assert grid_size(190.0, 1.5) == 128  # 126.7 pixels
    assert grid_size(192.0, 1.5) == 128
    assert grid_size(193.0, 1.5) == 144
    assert grid_size(1.0, 1.5) == 32


def test_the_papers_recipe_follows_from_the_fingerprint() -> None:
    spec = derive_spec(FOUND, Role.BASELINE, "nnunet")
    # 160 mm and 15 mm to each side at 1.5 mm are 126.7 pixels; 128 is halved four times: 8 pixels are left
    assert (spec.rows, spec.cols, spec.spacing_mm) == (128, 128, 1.5)
    assert spec.options["widths"] == [32, 64, 128, 256, 512]
    assert (spec.optimizer, spec.learning_rate, spec.momentum, spec.weight_decay) == ("sgd", 0.01, 0.99, 3e-5)
    assert (spec.batch, spec.iterations) == (32, 250_000)
    assert "mirror" not in spec.augmentation
    assert spec.check() is spec


def test_the_light_recipe_keeps_the_grid_and_takes_the_defaults_of_its_role() -> None:
    spec = derive_spec(FOUND, Role.APEX, "light")
    expected = default_spec(Role.APEX, spacing_mm=1.5, rows=128, cols=128, options=spec.options)
    assert spec == expected


def test_without_any_spacing_nothing_is_derived() -> None:
    with pytest.raises(TrainingError, match="No stack states its pixel spacing"):
        derive_spec(replace(FOUND, spacing_mm=None), Role.BASELINE, "nnunet")


def test_no_plan_is_derived_for_a_classifier() -> None:
    with pytest.raises(TrainingError, match="segmentation"):
        derive_spec(FOUND, Role.CLASSIFIER, "light")


@pytest.mark.parametrize("recipe", ["nnunet", "light"])
def test_a_derived_spec_is_read_back_from_toml(tmp_path: Path, recipe: str) -> None:
    spec = derive_spec(FOUND, Role.BASE, recipe)  # type: ignore[arg-type]
    path = tmp_path / "spec.toml"
    path.write_text(as_toml(spec, ["from the phantom"]), encoding="utf-8")
    assert read_spec(path) == spec
    assert path.read_text(encoding="utf-8").startswith("# from the phantom\n")


def test_shares_of_sets_and_of_non_cardiac_frames_are_read_back_from_toml(tmp_path: Path) -> None:
    spec = default_spec(Role.BASELINE, warm_up=20, non_cardiac_share=0.1, set_shares={"dsb2": 0.25, "scd": 0.1})
    path = tmp_path / "spec.toml"
    path.write_text(as_toml(spec), encoding="utf-8")
    assert read_spec(path) == spec
