import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError
from cmr_viewer.networks.unets import Ensemble
from cmr_viewer.segment.nnunet_import import convert, read_checkpoint
from cmr_viewer.segment.nnunet_plans import parse_names
from cmr_viewer.segment.nnunet_preparation import Resampling, read_preparation
from tests.segment.nnunet_folder import PLAIN_SHAPES, RESIDUAL_SHAPES, Model, drawn_weights


def imported(folder: Path, model: Model, **options: Any) -> Any:
    return convert(model.write(folder), role=Role.BASELINE, model_id="m", **options)


@pytest.mark.parametrize("former", [False, True])
def test_both_forms_of_plans_give_the_same_network_and_preparation(tmp_path: Path, former: bool) -> None:
    plan, network = imported(tmp_path / "m", Model(former=former))
    assert plan.architecture == "plain_conv_unet"
    assert plan.options == {
        "features": [4, 6],
        "kernels": [[3, 3], [3, 3]],
        "strides": [[1, 1], [2, 2]],
        "counts": [1, 2],
        "decoder_counts": [1],
        "outputs": 4,
        "residual": False,
        "bias": True,
        "epsilon": 1e-5,
        "slope": 0.01,
        "members": 1,
    }
    how = read_preparation(plan.preparation)
    assert (how.spacing_mm, how.patch, how.transpose) == ((1.8, 1.8), (32, 32), (0, 1, 2))
    assert (how.scheme, how.masked, how.mirror_axes) == ("ZScoreNormalization", False, (0, 1))
    assert (how.image, how.logits) == (Resampling(3), Resampling(1))
    assert (plan.spacing_mm, plan.rows, plan.cols) == (pytest.approx(1.8), 32, 32)
    assert not network.training


def test_outputs_come_in_the_order_of_the_labels(tmp_path: Path) -> None:
    weights = drawn_weights(PLAIN_SHAPES)
    plan, network = imported(tmp_path / "m", Model({"0": weights}))
    # background, LVC, MLV, RV were outputs 0, 3, 2, 1
    head = weights["decoder.seg_layers.0.weight"]
    assert torch.equal(network.state_dict()["decoder.seg_layers.0.weight"], head[[0, 3, 2, 1]])
    for name, tensor in weights.items():
        if "seg_layers" not in name:
            assert torch.equal(network.state_dict()[name], tensor)
    assert plan.preparation["outputs"] == [0, 3, 2, 1]
    assert plan.preparation["codes"] == [0, 1, 2, 3]
    assert plan.training["labels"] == {"RV": "RVBP", "MLV": "LVM", "LVC": "LVBP"}


def test_labels_beyond_the_three_become_background_or_what_they_are_named(tmp_path: Path) -> None:
    labels = {"background": 0, "LV": 1, "scar": 2, "MYO": 3, "RV": 4}
    shapes = PLAIN_SHAPES | {"decoder.seg_layers.0.weight": (5, 4, 1, 1), "decoder.seg_layers.0.bias": (5,)}
    model = Model({"0": drawn_weights(shapes)}, labels=labels)
    plan, _ = imported(tmp_path / "a", model)
    # channels: background, LV, MYO, RV, scar
    assert plan.preparation["outputs"] == [0, 1, 4, 2, 3]
    assert plan.preparation["codes"] == [0, 1, 2, 3, 0]
    assert plan.training["not_used"] == ["scar"]
    plan, _ = imported(tmp_path / "b", model, names=parse_names("LVM=MYO,LVM=scar"))
    # channels: background, LV, the first of the myocardium, RV, then the other
    assert plan.preparation["outputs"] == [0, 1, 2, 4, 3]
    assert plan.preparation["codes"] == [0, 1, 2, 3, 2]


def test_a_residual_encoder_is_imported(tmp_path: Path) -> None:
    plan, network = imported(tmp_path / "m", Model({"0": drawn_weights(RESIDUAL_SHAPES)}, residual=True))
    assert plan.options["residual"] is True
    assert set(network.state_dict()) == set(RESIDUAL_SHAPES)


def test_every_numbered_fold_is_a_member_unless_one_is_chosen(tmp_path: Path) -> None:
    folds = {name: drawn_weights(PLAIN_SHAPES, seed) for seed, name in enumerate(("0", "1", "all"))}
    folder = Model(folds).write(tmp_path / "m")

    def folds_of(*chosen: str) -> tuple[list[str], torch.nn.Module]:
        plan, network = convert(folder, role=Role.BASE, model_id="m", folds=chosen)
        return plan.training["folds"], network

    names, network = folds_of()
    assert names == ["0", "1"]
    assert isinstance(network, Ensemble)
    name = "encoder.stages.0.0.convs.0.conv.weight"
    assert torch.equal(network.state_dict()[f"members.1.{name}"], folds["1"][name])
    names, network = folds_of("all")
    assert names == ["all"]
    assert torch.equal(network.state_dict()[name], folds["all"][name])


def test_mirroring_can_be_left_out_and_is_not_added(tmp_path: Path) -> None:
    assert imported(tmp_path / "a", Model(), mirroring=False)[0].preparation["mirror_axes"] == []
    assert imported(tmp_path / "b", Model(mirror_axes=None))[0].preparation["mirror_axes"] == []


def test_a_configuration_inherits_what_it_does_not_state(tmp_path: Path) -> None:
    model = Model()
    usual = model.all_plans()["configurations"]["2d"]
    child = {"inherits_from": "parent", "patch_size": [64, 32]}
    plan, _ = imported(tmp_path / "m", replace(model, plans={"configurations": {"2d": child, "parent": usual}}))
    assert (plan.rows, plan.cols) == (64, 32)


def test_ct_normalisation_takes_its_intensities_along(tmp_path: Path) -> None:
    plan, _ = imported(tmp_path / "m", Model(configuration={"normalization_schemes": ["CTNormalization"]}))
    assert plan.preparation["intensities"]["percentile_99_5"] == 900.0


def architecture(name: str = "PlainConvUNet", **changes: Any) -> dict[str, Any]:
    """A configuration whose network has another name or other arguments."""
    usual = Model().all_plans()["configurations"]["2d"]["architecture"]
    module = "dynamic_network_architectures.architectures.x"
    return {
        "architecture": {
            **usual,
            "network_class_name": f"{module}.{name}",
            "arch_kwargs": {**usual["arch_kwargs"], **changes},
        }
    }


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"configuration": {"patch_size": [8, 32, 32]}}, "not two-dimensional"),
        ({"configuration": {"previous_stage": "3d_lowres"}}, "cascade"),
        ({"configuration": {"preprocessor_name": "Mine"}}, "prepared by Mine"),
        ({"configuration": {"normalization_schemes": ["A", "B"], "use_mask_for_norm": [False] * 2}}, "one channel"),
        ({"configuration": {"normalization_schemes": ["RGBTo01Normalization"]}}, "RGBTo01Normalization"),
        ({"configuration": {"resampling_fn_data": "resample_torch_simple"}}, "resample_torch_simple"),
        ({"configuration": {"inherits_from": "2d"}}, "no usable configuration"),
        ({"configuration": architecture("Primus")}, "is a Primus; only PlainConvUNet and ResidualEncoderUNet"),
        ({"configuration": architecture(norm_op="torch.nn.BatchNorm2d")}, "BatchNorm2d"),
        ({"configuration": architecture(nonlin="torch.nn.GELU")}, "GELU"),
        ({"configuration": architecture(nonlin_first=True)}, "norms after the activation"),
        ({"configuration": architecture(norm_op_kwargs={"eps": 1e-5})}, "norms without weights"),
        ({"configuration": architecture(squeeze_excitation=True)}, "squeeze_excitation"),
        ({"configuration": architecture(n_stages=3)}, "has an invalid value"),
        ({"configuration": architecture(features_per_stage=[4, 8])}, "another shape.*nnUNetTrainer"),
        ({"configuration": {"architecture": None}}, "has an invalid value"),
        ({"plans": {"transpose_forward": [1, 0, 2]}}, "across the slices"),
        ({"plans": {"configurations": {}}}, "no usable configuration '2d'"),
        ({"channels": {"0": "T1", "1": "T2"}}, "one input channel"),
        ({"labels": {"background": 0, "a": 1, "b": 2, "c": 3}}, "a, b, c; none is known as LVBP"),
        ({"labels": {"background": 0, "LV": 1, "MYO": 2, "RV": 3, "x": 4}}, "4 outputs.*5 labels"),
        ({"labels": {"background": 0, "all": [1, 2, 3], "LV": 1, "MYO": 2, "RV": 3}}, "regions that overlap"),
    ],
)
def test_what_cannot_be_imported_is_reported(tmp_path: Path, change: Mapping[str, Any], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        imported(tmp_path / "m", replace(Model(), **change))


def test_weights_that_the_plans_do_not_know_are_reported_with_the_trainer(tmp_path: Path) -> None:
    more = {**drawn_weights(PLAIN_SHAPES), "encoder.stages.0.0.convs.0.norm.running_mean": torch.zeros(4)}
    with pytest.raises(ModelError, match=r"not in the plans: .*running_mean.*nnUNetTrainerBN"):
        imported(tmp_path / "a", Model({"0": more}, trainer="nnUNetTrainerBN"))
    fewer = {name: t for name, t in drawn_weights(PLAIN_SHAPES).items() if "seg_layers" not in name}
    with pytest.raises(ModelError, match=r"without decoder\.seg_layers\.0\.bias \(2 such\)"):
        imported(tmp_path / "b", Model({"0": fewer}))


def test_weights_that_are_no_numbers_are_reported(tmp_path: Path) -> None:
    weights = drawn_weights(PLAIN_SHAPES)
    weights["decoder.transpconvs.0.bias"][0] = float("nan")
    with pytest.raises(ModelError, match="not numbers"):
        imported(tmp_path / "m", Model({"0": weights}))


def test_a_classifier_cannot_be_imported(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be the region classifier"):
        convert(Model().write(tmp_path / "m"), role=Role.CLASSIFIER, model_id="m")


def test_folders_without_a_finished_training_are_reported(tmp_path: Path) -> None:
    inner = Model().write(tmp_path / "Dataset" / "nnUNetTrainer__nnUNetPlans__2d")
    with pytest.raises(ModelError, match=r"no plans\.json.*nnUNetTrainer__nnUNetPlans__2d"):
        convert(inner.parent, role=Role.BASE, model_id="m")
    with pytest.raises(ModelError, match="fold_3"):
        convert(inner, role=Role.BASE, model_id="m", folds=["3"])
    (inner / "fold_0" / "checkpoint_final.pth").unlink()
    with pytest.raises(ModelError, match="no finished training"):
        convert(inner, role=Role.BASE, model_id="m")
    (inner / "dataset.json").write_text("[", encoding="utf-8")
    with pytest.raises(ModelError, match=r"dataset\.json cannot be read"):
        convert(inner, role=Role.BASE, model_id="m")


def saved(path: Path, **changes: Any) -> Path:
    """A checkpoint with some values changed."""
    torch.save({**Model().checkpoint(drawn_weights(PLAIN_SHAPES)), **changes}, path)
    return path


def test_a_checkpoint_gives_each_weight_once_with_trainer_configuration_and_axes(tmp_path: Path) -> None:
    weights = drawn_weights(PLAIN_SHAPES)
    read = read_checkpoint(saved(tmp_path / "c.pth"))
    assert set(read.weights) == set(PLAIN_SHAPES)
    assert all(torch.equal(read.weights[name], tensor) for name, tensor in weights.items())
    assert (read.trainer, read.configuration, read.mirror_axes) == ("nnUNetTrainer", "2d", (0, 1))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod."])
def test_names_of_parallel_and_compiled_training_are_understood(tmp_path: Path, prefix: str) -> None:
    written = {f"{prefix}{name}": tensor for name, tensor in drawn_weights(PLAIN_SHAPES).items()}
    assert set(read_checkpoint(saved(tmp_path / "c.pth", network_weights=written)).weights) == set(PLAIN_SHAPES)


def test_no_axes_mean_no_mirroring(tmp_path: Path) -> None:
    assert read_checkpoint(saved(tmp_path / "c.pth", inference_allowed_mirroring_axes=None)).mirror_axes == ()


def test_numpys_scalars_and_arrays_are_let_in_and_not_made(tmp_path: Path) -> None:
    log = {"scalar": np.float64(1.5), "array": np.arange(4.0), "whole": np.int32(3)}
    assert read_checkpoint(saved(tmp_path / "c.pth", logging=log)).configuration == "2d"


class Evil:
    """Runs a command when it is unpickled carelessly."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("place", ["logging", "network_weights", "init_args"])
def test_code_in_a_checkpoint_is_refused_and_never_run(tmp_path: Path, place: str) -> None:
    mark = tmp_path / "ran"
    path = saved(tmp_path / "c.pth", **{place: {"x": Evil(mark)}})
    with pytest.raises(ModelError, match="could run code"):
        read_checkpoint(path)
    assert not mark.exists()
    torch.load(path, weights_only=False)  # the payload is real
    assert mark.exists()


def test_a_truncated_checkpoint_is_reported(tmp_path: Path) -> None:
    whole = saved(tmp_path / "c.pth").read_bytes()
    for share in (0.0, 0.3, 0.97):
        (tmp_path / "half.pth").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(ModelError) as caught:
            read_checkpoint(tmp_path / "half.pth")
        assert "half.pth" in str(caught.value)


def test_what_is_no_checkpoint_is_reported(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("nothing", encoding="utf-8")
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    torch.save({"state_dict": {}}, tmp_path / "other.pth")
    for name in ("text", "tensor", "other", "missing"):
        with pytest.raises(ModelError, match=f"{name}.pth"):
            read_checkpoint(tmp_path / f"{name}.pth")


@pytest.mark.parametrize(
    "changes",
    [
        {"network_weights": [1]},
        {"network_weights": {"a": 1}},
        {"init_args": None},
        {"init_args": {"configuration": 2}},
        {"inference_allowed_mirroring_axes": ("x",)},
    ],
)
def test_values_of_the_wrong_kind_are_reported(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="can read"):
        read_checkpoint(saved(tmp_path / "c.pth", **changes))
