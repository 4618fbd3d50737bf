from collections.abc import Mapping

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cmr_viewer.errors import ModelError
from cmr_viewer.networks.catalogue import build
from cmr_viewer.networks.unets import UNet2d, plain_conv_unet
from tests.segment.nnunet_folder import PLAIN_SHAPES, RESIDUAL_SHAPES, drawn_weights

FORM = {
    "features": [4, 6],
    "kernels": [[3, 3], [3, 3]],
    "strides": [[1, 1], [2, 2]],
    "counts": [1, 2],
    "decoder_counts": [1],
}


def conv_norm(weights: Mapping[str, Tensor], name: str, x: Tensor, stride: int = 1) -> Tensor:
    kernel = weights[f"{name}.conv.weight"]
    x = functional.conv2d(x, kernel, weights.get(f"{name}.conv.bias"), stride, kernel.shape[-1] // 2)
    mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
    scaled = (x - mean) / torch.sqrt(variance + 1e-5)
    return scaled * weights[f"{name}.norm.weight"][:, None, None] + weights[f"{name}.norm.bias"][:, None, None]


def leaky(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.01 * x)


def up(weights: Mapping[str, Tensor], full: Tensor, low: Tensor) -> Tensor:
    """The only decoder stage of a network of two stages, and its head."""
    kernel, bias = (weights[f"decoder.transpconvs.0.{kind}"] for kind in ("weight", "bias"))
    x = functional.conv_transpose2d(low, kernel, bias, 2)
    x = leaky(conv_norm(weights, "decoder.stages.0.convs.0", torch.cat([x, full], 1)))
    return functional.conv2d(x, weights["decoder.seg_layers.0.weight"], weights["decoder.seg_layers.0.bias"])


def plain(weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    full = leaky(conv_norm(weights, "encoder.stages.0.0.convs.0", x))
    low = leaky(conv_norm(weights, "encoder.stages.1.0.convs.0", full, 2))
    return up(weights, full, leaky(conv_norm(weights, "encoder.stages.1.0.convs.1", low)))


def block(weights: Mapping[str, Tensor], name: str, x: Tensor, skip: Tensor, stride: int = 1) -> Tensor:
    made = conv_norm(weights, f"{name}.conv2", leaky(conv_norm(weights, f"{name}.conv1", x, stride)))
    return leaky(made + skip)


def residual(weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    stem = leaky(conv_norm(weights, "encoder.stem.convs.0", x))
    full = block(weights, "encoder.stages.0.blocks.0", stem, stem)
    short = conv_norm(weights, "encoder.stages.1.blocks.0.skip.1", functional.avg_pool2d(full, 2))
    low = block(weights, "encoder.stages.1.blocks.0", full, short, 2)
    return up(weights, full, block(weights, "encoder.stages.1.blocks.1", low, low))


@pytest.mark.parametrize(("is_residual", "shapes"), [(False, PLAIN_SHAPES), (True, RESIDUAL_SHAPES)])
def test_weights_have_the_names_and_shapes_of_nnunets_own_networks(
    is_residual: bool, shapes: Mapping[str, tuple[int, ...]]
) -> None:
    network = plain_conv_unet(**FORM, residual=is_residual)
    assert {name: tuple(t.shape) for name, t in network.state_dict().items()} == dict(shapes)


@pytest.mark.parametrize(("is_residual", "shapes"), [(False, PLAIN_SHAPES), (True, RESIDUAL_SHAPES)])
def test_logits_are_those_of_the_network_written_out(is_residual: bool, shapes: Mapping[str, tuple[int, ...]]) -> None:
    weights = drawn_weights(shapes)
    network = plain_conv_unet(**FORM, residual=is_residual).eval()
    network.load_state_dict(weights)
    images = torch.randn(2, 1, 8, 12, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        made = network(images)
    expected = (residual if is_residual else plain)(weights, images)
    assert made.shape == (2, 4, 8, 12)
    torch.testing.assert_close(made, expected, rtol=1e-4, atol=1e-4)


def test_axes_may_have_kernels_and_strides_of_their_own() -> None:
    form = {**FORM, "kernels": [[3, 1], [1, 3]], "strides": [[1, 1], [1, 2]]}
    network = plain_conv_unet(**form, outputs=5).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 1, 7, 10)).shape == (1, 5, 7, 10)
    assert network.multiples == (1, 2)


def test_an_ensemble_averages_the_logits_of_its_members() -> None:
    ensemble = plain_conv_unet(**FORM, members=2).eval()
    both = [drawn_weights(PLAIN_SHAPES, seed) for seed in (3, 4)]
    ensemble.load_state_dict({f"members.{i}.{n}": t for i, one in enumerate(both) for n, t in one.items()})
    images = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        made = ensemble(images)
    expected = (plain(both[0], images) + plain(both[1], images)) / 2
    torch.testing.assert_close(made, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {"features": [4]},
        {"features": [4, 0]},
        {"kernels": [[3, 3]]},
        {"kernels": [[3, 3], [2, 2]]},
        {"kernels": [[3, 3], [3]]},
        {"strides": [[1, 1], [2, 2], [2, 2]]},
        {"counts": [1, 0]},
        {"decoder_counts": [1, 1]},
        {"outputs": 0},
        {"members": 0},
        {"depth": 3},
        {"features": "wide"},
    ],
)
def test_what_makes_no_network_is_reported(change: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="Could not build the network 'plain_conv_unet'"):
        build("plain_conv_unet", {**FORM, **change})


def test_the_output_has_a_logit_for_each_label_and_pixel() -> None:
    network = UNet2d(widths=(4, 8, 12), outputs=4)
    assert network(torch.zeros(3, 1, 16, 32)).shape == (3, 4, 16, 32)


def test_supervised_outputs_halve_from_full_resolution_down() -> None:
    outputs = UNet2d(widths=(4, 8, 12, 16), outputs=4, supervised=3).forward_deep(torch.zeros(2, 1, 32, 48))
    assert [tuple(one.shape) for one in outputs] == [(2, 4, 32, 48), (2, 4, 16, 24), (2, 4, 8, 12)]


def test_there_are_no_more_supervised_outputs_than_steps_up() -> None:
    outputs = UNet2d(widths=(4, 8), supervised=3).forward_deep(torch.zeros(1, 1, 16, 16))
    assert [tuple(one.shape) for one in outputs] == [(1, 4, 16, 16)]


def test_the_output_is_the_supervised_one_at_full_resolution() -> None:
    network, image = UNet2d(widths=(4, 8, 12)).eval(), torch.randn(1, 1, 16, 16)
    assert torch.equal(network(image), network.forward_deep(image)[0])


@pytest.mark.parametrize(("stages", "multiple"), [(2, 2), (3, 4), (5, 16)])
def test_the_input_must_be_halved_once_for_each_stage_but_the_first(stages: int, multiple: int) -> None:
    assert UNet2d(widths=[2] * stages).multiple == multiple


def test_the_number_of_parameters_is_that_of_the_layers() -> None:
    def block(inputs: int, outputs: int) -> int:
        # two 3 x 3 convolutions with bias, each with an affine instance norm
        return (9 * inputs + 1) * outputs + (9 * outputs + 1) * outputs + 2 * 2 * outputs

    stages = block(1, 4) + block(4, 8) + block(8, 12)
    ups = (4 * 12 + 0) * 8 + 8 + 4 * 8 * 4 + 4
    merges = block(16, 8) + block(8, 4)
    heads = (4 + 1) * 4 + (8 + 1) * 4
    network = UNet2d(widths=(4, 8, 12), outputs=4, supervised=2)
    assert sum(p.numel() for p in network.parameters()) == stages + ups + merges + heads


def test_scale_and_offset_of_the_image_hardly_matter_behind_instance_norm() -> None:
    torch.manual_seed(0)
    network, image = UNet2d(widths=(4, 8)).eval(), torch.randn(1, 1, 16, 16)
    inner = network(image)[..., 4:12, 4:12]
    assert torch.allclose(inner, network(3 * image)[..., 4:12, 4:12], atol=1e-3)
