"""Trained-model folders as nnU-Net v2 writes them: plans.json, dataset.json, fold_N/checkpoint_final.pth.

The weights have the names that the package dynamic_network_architectures gives them, each convolution two and the
encoder three times; they were listed from the package itself.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

ACDC_LABELS = {"background": 0, "RV": 1, "MLV": 2, "LVC": 3}

FEATURES, STRIDES, COUNTS = (4, 6), ((1, 1), (2, 2)), (1, 2)

PLAIN_SHAPES: dict[str, tuple[int, ...]] = {
    "encoder.stages.0.0.convs.0.conv.weight": (4, 1, 3, 3),
    "encoder.stages.0.0.convs.0.conv.bias": (4,),
    "encoder.stages.0.0.convs.0.norm.weight": (4,),
    "encoder.stages.0.0.convs.0.norm.bias": (4,),
    "encoder.stages.1.0.convs.0.conv.weight": (6, 4, 3, 3),
    "encoder.stages.1.0.convs.0.conv.bias": (6,),
    "encoder.stages.1.0.convs.0.norm.weight": (6,),
    "encoder.stages.1.0.convs.0.norm.bias": (6,),
    "encoder.stages.1.0.convs.1.conv.weight": (6, 6, 3, 3),
    "encoder.stages.1.0.convs.1.conv.bias": (6,),
    "encoder.stages.1.0.convs.1.norm.weight": (6,),
    "encoder.stages.1.0.convs.1.norm.bias": (6,),
    "decoder.stages.0.convs.0.conv.weight": (4, 8, 3, 3),
    "decoder.stages.0.convs.0.conv.bias": (4,),
    "decoder.stages.0.convs.0.norm.weight": (4,),
    "decoder.stages.0.convs.0.norm.bias": (4,),
    "decoder.transpconvs.0.weight": (6, 4, 2, 2),
    "decoder.transpconvs.0.bias": (4,),
    "decoder.seg_layers.0.weight": (4, 4, 1, 1),
    "decoder.seg_layers.0.bias": (4,),
}
"""PlainConvUNet of two stages (4 and 6 channels; 1 and 2 convolutions; 1 on the way up; 4 labels)."""

RESIDUAL_SHAPES: dict[str, tuple[int, ...]] = {
    "encoder.stem.convs.0.conv.weight": (4, 1, 3, 3),
    "encoder.stem.convs.0.conv.bias": (4,),
    "encoder.stem.convs.0.norm.weight": (4,),
    "encoder.stem.convs.0.norm.bias": (4,),
    "encoder.stages.0.blocks.0.conv1.conv.weight": (4, 4, 3, 3),
    "encoder.stages.0.blocks.0.conv1.conv.bias": (4,),
    "encoder.stages.0.blocks.0.conv1.norm.weight": (4,),
    "encoder.stages.0.blocks.0.conv1.norm.bias": (4,),
    "encoder.stages.0.blocks.0.conv2.conv.weight": (4, 4, 3, 3),
    "encoder.stages.0.blocks.0.conv2.conv.bias": (4,),
    "encoder.stages.0.blocks.0.conv2.norm.weight": (4,),
    "encoder.stages.0.blocks.0.conv2.norm.bias": (4,),
    "encoder.stages.1.blocks.0.conv1.conv.weight": (6, 4, 3, 3),
    "encoder.stages.1.blocks.0.conv1.conv.bias": (6,),
    "encoder.stages.1.blocks.0.conv1.norm.weight": (6,),
    "encoder.stages.1.blocks.0.conv1.norm.bias": (6,),
    "encoder.stages.1.blocks.0.conv2.conv.weight": (6, 6, 3, 3),
    "encoder.stages.1.blocks.0.conv2.conv.bias": (6,),
    "encoder.stages.1.blocks.0.conv2.norm.weight": (6,),
    "encoder.stages.1.blocks.0.conv2.norm.bias": (6,),
    "encoder.stages.1.blocks.0.skip.1.conv.weight": (6, 4, 1, 1),
    "encoder.stages.1.blocks.0.skip.1.norm.weight": (6,),
    "encoder.stages.1.blocks.0.skip.1.norm.bias": (6,),
    "encoder.stages.1.blocks.1.conv1.conv.weight": (6, 6, 3, 3),
    "encoder.stages.1.blocks.1.conv1.conv.bias": (6,),
    "encoder.stages.1.blocks.1.conv1.norm.weight": (6,),
    "encoder.stages.1.blocks.1.conv1.norm.bias": (6,),
    "encoder.stages.1.blocks.1.conv2.conv.weight": (6, 6, 3, 3),
    "encoder.stages.1.blocks.1.conv2.conv.bias": (6,),
    "encoder.stages.1.blocks.1.conv2.norm.weight": (6,),
    "encoder.stages.1.blocks.1.conv2.norm.bias": (6,),
    "decoder.stages.0.convs.0.conv.weight": (4, 8, 3, 3),
    "decoder.stages.0.convs.0.conv.bias": (4,),
    "decoder.stages.0.convs.0.norm.weight": (4,),
    "decoder.stages.0.convs.0.norm.bias": (4,),
    "decoder.transpconvs.0.weight": (6, 4, 2, 2),
    "decoder.transpconvs.0.bias": (4,),
    "decoder.seg_layers.0.weight": (4, 4, 1, 1),
    "decoder.seg_layers.0.bias": (4,),
}
"""ResidualEncoderUNet of two stages, with 1 and 2 blocks."""


def drawn_weights(shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    """Weights drawn at random, each name once."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) * 0.5 for name, shape in shapes.items()}


def as_written(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under all the names that they have in a checkpoint."""
    written = dict(weights)
    for name, tensor in weights.items():
        twice = name.replace(".conv.", ".all_modules.0.").replace(".norm.", ".all_modules.1.")
        for one in {name, twice}:
            written[one] = tensor
            if one.startswith("encoder."):
                written[f"decoder.{one}"] = tensor
    return written


def pointwise_weights(slopes: Sequence[float], biases: Sequence[float]) -> dict[str, Tensor]:
    """Weights of a PlainConvUNet that looks at each pixel alone.

    With a the pixel, brought to mean 0 and standard deviation 1 over its tile and above -3, an output is its slope
    times a + 3, plus its bias; nothing comes from the lower resolution.

    Args:
        slopes: One per output, in the order of the data set.
        biases: One per output.
    """
    heads = {"decoder.seg_layers.0.weight": (len(slopes), 4, 1, 1), "decoder.seg_layers.0.bias": (len(slopes),)}
    weights = {name: torch.zeros(shape) for name, shape in (PLAIN_SHAPES | heads).items()}
    for name, channel in (("encoder.stages.0.0.convs.0", 0), ("decoder.stages.0.convs.0", 4)):
        weights[f"{name}.conv.weight"][0, channel, 1, 1] = 1.0
        weights[f"{name}.norm.weight"][0] = 1.0
        weights[f"{name}.norm.bias"][0] = 3.0
    weights["decoder.seg_layers.0.weight"][:, 0, 0, 0] = torch.tensor(slopes)
    weights["decoder.seg_layers.0.bias"] = torch.tensor(biases)
    return weights


@dataclass
class Model:
    """A trained-model folder to be written; change what a test is about.

    Attributes:
        weights: Of each fold, each name once.
        labels: Of dataset.json.
        configuration: What differs from the usual one in plans.json.
        former: Whether the plans are those of releases before 2.4.
        residual: Whether the network is a ResidualEncoderUNet.
        mirror_axes: Of the checkpoint.
        plans: What differs at the top of plans.json.
        trainer: Name of the trainer.
    """

    weights: Mapping[str, Mapping[str, Tensor]] = field(default_factory=lambda: {"0": drawn_weights(PLAIN_SHAPES)})
    labels: Mapping[str, Any] = field(default_factory=lambda: dict(ACDC_LABELS))
    channels: Mapping[str, str] = field(default_factory=lambda: {"0": "cineMRI"})
    configuration: Mapping[str, Any] = field(default_factory=dict)
    former: bool = False
    residual: bool = False
    mirror_axes: tuple[int, ...] | None = (0, 1)
    plans: Mapping[str, Any] = field(default_factory=dict)
    trainer: str = "nnUNetTrainer"

    def write(self, folder: Path) -> Path:
        """Write the folder; returns it."""
        folder.mkdir(parents=True)
        (folder / "plans.json").write_text(json.dumps(self.all_plans()), encoding="utf-8")
        dataset = {"channel_names": self.channels, "labels": self.labels, "numTraining": 20, "file_ending": ".nii.gz"}
        (folder / "dataset.json").write_text(json.dumps(dataset), encoding="utf-8")
        for fold, weights in self.weights.items():
            (folder / f"fold_{fold}").mkdir()
            torch.save(self.checkpoint(weights), folder / f"fold_{fold}" / "checkpoint_final.pth")
        return folder

    def all_plans(self) -> dict[str, Any]:
        """The values of plans.json."""
        intensities = {"mean": 300.0, "std": 200.0, "percentile_00_5": 10.0, "percentile_99_5": 900.0}
        return {
            "dataset_name": "Dataset501_Test",
            "plans_name": "nnUNetPlans",
            "image_reader_writer": "SimpleITKIO",
            "transpose_forward": [0, 1, 2],
            "transpose_backward": [0, 1, 2],
            "configurations": {
                "2d": {**self._usual(), **self.configuration},
                "3d_fullres": {"patch_size": [8, 32, 32]},
            },
            "foreground_intensity_properties_per_channel": {"0": {**intensities, "median": 280.0}},
            **self.plans,
        }

    def _usual(self) -> dict[str, Any]:
        usual = {
            "data_identifier": "nnUNetPlans_2d",
            "preprocessor_name": "DefaultPreprocessor",
            "patch_size": [32, 32],
            "spacing": [1.8, 1.8],
            "normalization_schemes": ["ZScoreNormalization"],
            "use_mask_for_norm": [False],
            "resampling_fn_data": "resample_data_or_seg_to_shape",
            "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None},
            "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
            "resampling_fn_probabilities_kwargs": {
                "is_seg": False,
                "order": 1,
                "order_z": 0,
                "force_separate_z": None,
            },
        }
        kernels = [[3, 3]] * len(FEATURES)
        kind = "ResidualEncoderUNet" if self.residual else "PlainConvUNet"
        if self.former:
            return usual | {
                "UNet_class_name": kind,
                "UNet_base_num_features": 4,
                "unet_max_num_features": 6,
                "n_conv_per_stage_encoder": list(COUNTS),
                "n_conv_per_stage_decoder": [1],
                "num_pool_per_axis": [1, 1],
                "pool_op_kernel_sizes": [list(s) for s in STRIDES],
                "conv_kernel_sizes": kernels,
            }
        arguments = {
            "n_stages": len(FEATURES),
            "features_per_stage": list(FEATURES),
            "conv_op": "torch.nn.modules.conv.Conv2d",
            "kernel_sizes": kernels,
            "strides": [list(s) for s in STRIDES],
            "n_blocks_per_stage" if self.residual else "n_conv_per_stage": list(COUNTS),
            "n_conv_per_stage_decoder": [1],
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        }
        module = "residual_unet" if self.residual else "unet"
        return usual | {
            "architecture": {
                "network_class_name": f"dynamic_network_architectures.architectures.{module}.{kind}",
                "arch_kwargs": arguments,
                "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
            }
        }

    def checkpoint(self, weights: Mapping[str, Tensor]) -> dict[str, Any]:
        """What nnUNetTrainer.save_checkpoint writes, NumPy's scalars in the log included."""
        made = {
            "network_weights": as_written(weights),
            "optimizer_state": {"state": {0: {"momentum_buffer": torch.zeros(3)}}, "param_groups": [{"lr": 0.01}]},
            "grad_scaler_state": None,
            "logging": {"train_losses": [np.float32(0.5)], "mean_fg_dice": [np.float64(0.9)], "lrs": [0.01]},
            "_best_ema": np.float64(0.8),
            "current_epoch": 20,
            "init_args": {
                "plans": self.all_plans(),
                "configuration": "2d",
                "fold": 0,
                "dataset_json": {"labels": self.labels},
                "device": torch.device("cpu"),
            },
            "trainer_name": self.trainer,
        }
        return made if self.mirror_axes is None else {**made, "inference_allowed_mirroring_axes": self.mirror_axes}
