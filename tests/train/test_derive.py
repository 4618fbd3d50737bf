from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cmr_viewer.domain.role import Role
from cmr_viewer.errors import TrainingError
from cmr_viewer.load.datasets import find_labelled
from cmr_viewer.train.derive import (
    Fingerprint,
    as_toml,
    derive_spec,
    fingerprint_of,
    grid_size,
    halvings,
    read_fingerprint,
)
from cmr_viewer.train.spec import default_spec, read_spec
from cmr_viewer.train.split import Split
from tests.phantom import sax_cine, write_acdc_patient

FOUND = Fingerprint(stacks=10, frames=200, spacing_mm=1.5, shape=(256, 216), heart_mm=160.0, mean=0.5)


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
