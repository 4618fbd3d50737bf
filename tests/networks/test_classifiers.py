"""What the seven classifiers have in common, and their sizes as published."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cmr_viewer.errors import ModelError
from cmr_viewer.networks.catalogue import CLASSIFIERS, build
from cmr_viewer.networks.classifiers import AlexNet, DenseNet, shuffle
from cmr_viewer.networks.weights import load_weights, save_weights

PUBLISHED = {
    "alexnet": 61_100_840,
    "densenet121": 7_978_856,
    "mobilenet_v2": 3_504_872,
    "resnet18": 11_689_512,
    "shufflenet_v2": 2_278_604,
    "squeezenet": 1_235_496,
    "vgg11_bn": 132_868_840,
}
"""Parameters with three input channels and 1000 classes, as torchvision's documentation states them."""

FIRST_KERNELS = {
    "alexnet": 64 * 11 * 11,
    "densenet121": 64 * 7 * 7,
    "mobilenet_v2": 32 * 3 * 3,
    "resnet18": 64 * 7 * 7,
    "shufflenet_v2": 24 * 3 * 3,
    "squeezenet": 64 * 3 * 3,
    "vgg11_bn": 64 * 3 * 3,
}
"""Weights of the first convolution for each input channel."""

HEAD_INPUTS = {
    "alexnet": 4096,
    "densenet121": 1024,
    "mobilenet_v2": 1280,
    "resnet18": 512,
    "shufflenet_v2": 1024,
    "squeezenet": 512,
    "vgg11_bn": 4096,
}
"""Features that the last layer reads; it has a weight for each and a bias for each class."""

SMALLER: dict[str, dict[str, Any]] = {
    "alexnet": {"hidden": 16},
    "densenet121": {"blocks": [2, 2], "growth": 8},
    "vgg11_bn": {"hidden": 16},
}
"""Options that leave out what costs memory and adds nothing to a test."""

WITH_DROPOUT = {"alexnet", "densenet121", "mobilenet_v2", "squeezenet", "vgg11_bn"}

EACH = pytest.mark.parametrize("name", sorted(PUBLISHED))


def small(name: str, seed: int = 0, **options: Any) -> nn.Module:
    torch.manual_seed(seed)
    return build(name, {**SMALLER.get(name, {}), **options}).eval()


def parameters(name: str, options: Mapping[str, Any]) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build(name, options).parameters())


def test_the_catalogue_has_the_seven() -> None:
    assert sorted(CLASSIFIERS) == sorted(PUBLISHED)


@EACH
def test_three_channels_and_a_thousand_classes_make_the_published_number_of_parameters(name: str) -> None:
    assert parameters(name, {"inputs": 3, "classes": 1000}) == PUBLISHED[name]


@EACH
def test_one_channel_and_four_classes_take_two_channels_and_996_classes_away(name: str) -> None:
    less = 2 * FIRST_KERNELS[name] + 996 * (HEAD_INPUTS[name] + 1)
    assert parameters(name, {}) == PUBLISHED[name] - less


@EACH
@pytest.mark.parametrize("size", [(64, 64), (128, 128), (64, 96), (77, 65)])
def test_there_is_a_logit_for_each_region_whatever_the_size(name: str, size: tuple[int, int]) -> None:
    with torch.inference_mode():
        assert small(name)(torch.zeros(2, 1, *size)).shape == (2, 4)


@EACH
def test_neighbouring_slices_are_further_channels(name: str) -> None:
    network = small(name, inputs=3, classes=2)
    frames = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        other = frames.clone()
        other[:, 2] = torch.randn(64, 64)
        assert network(frames).shape == (1, 2)
        assert not torch.equal(network(frames), network(other))


@EACH
def test_in_use_the_same_image_gives_the_same_logits_in_any_company(name: str) -> None:
    network, images = small(name), torch.randn(3, 1, 64, 64)
    with torch.inference_mode():
        logits = network(images)
        assert torch.equal(logits, network(images))
        assert torch.allclose(network(images[1:2]), logits[1:2], rtol=1e-3, atol=1e-5)
        assert torch.isfinite(logits).all()


@EACH
def test_different_images_give_different_logits(name: str) -> None:
    with torch.inference_mode():
        first, second = small(name)(torch.randn(2, 1, 64, 64))
    assert not torch.allclose(first, second, rtol=1e-4, atol=0.0)


@EACH
def test_every_parameter_has_a_part_in_the_loss(name: str) -> None:
    # in evaluation mode: in training a bias in front of a batch norm would have none
    network, images = small(name), torch.randn(8, 1, 64, 64)
    nn.functional.cross_entropy(network(images), torch.tensor([0, 0, 0, 1, 1, 1, 1, 2])).backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not without


@pytest.mark.parametrize("name", sorted(WITH_DROPOUT))
def test_dropout_works_in_training_alone_and_can_be_turned_off(name: str) -> None:
    def dropouts(network: nn.Module) -> list[float]:
        return [m.p for m in network.modules() if isinstance(m, nn.Dropout)]

    assert all(p > 0 for p in dropouts(small(name)))
    assert set(dropouts(small(name, dropout=0.0))) == {0.0}


@EACH
def test_weights_come_back_from_disk_and_give_the_same_logits(name: str, tmp_path: Path) -> None:
    saved, path, image = small(name, seed=1), tmp_path / "weights.safetensors", torch.randn(1, 1, 64, 64)
    save_weights(saved, path)
    read = small(name, seed=2)
    load_weights(read, path)
    for key, before in saved.state_dict().items():
        expected = before.half().float() if before.is_floating_point() and before.ndim >= 2 else before
        assert torch.equal(read.state_dict()[key], expected), key
    with torch.inference_mode():
        # kernels are kept to 11 significant bits
        assert torch.allclose(read(image), saved(image), rtol=0.02, atol=2e-3)


@EACH
def test_what_is_drawn_at_first_follows_the_seed(name: str) -> None:
    same = [torch.equal(a, b) for a, b in zip(small(name, 3).parameters(), small(name, 3).parameters(), strict=True)]
    assert all(same)
    assert any(
        not torch.equal(a, b) for a, b in zip(small(name, 3).parameters(), small(name, 4).parameters(), strict=True)
    )


def test_frames_that_nothing_of_would_be_left_are_refused_with_the_size_that_is_needed() -> None:
    with pytest.raises(ModelError, match="at least 63 x 63, not 62 x 80"):
        AlexNet(hidden=4)(torch.zeros(1, 1, 62, 80))


def test_shuffling_interleaves_the_two_halves_of_the_channels() -> None:
    channels = torch.arange(6.0).view(1, 6, 1, 1)
    assert shuffle(channels).flatten().tolist() == [0, 3, 1, 4, 2, 5]


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_densenet121_has_the_parameters_of_the_papers_table() -> None:
    # Huang et al. 2017, table 1: a 7 x 7 convolution of 64 channels (here from one channel), dense blocks of 6, 12, 24
    # and 16 layers that add 32 channels each through a bottleneck of 128, transitions that halve; every convolution
    # without bias, every batch norm with two parameters a channel.
    def layer(inputs: int) -> int:
        return 2 * inputs + inputs * 128 + 2 * 128 + 128 * 32 * 9

    total, channels = 64 * 49 + 2 * 64, 64
    for index, layers in enumerate((6, 12, 24, 16)):
        total += sum(layer(channels + 32 * i) for i in range(layers))
        channels += 32 * layers
        if index < 3:
            total += 2 * channels + channels * (channels // 2)
            channels //= 2
    assert channels == 1024
    total += 2 * 1024 + 1024 * 4 + 4

    assert count(DenseNet()) == total
    # the published network has 7,978,856 parameters with three input channels and 1000 classes
    assert total == 7_978_856 - 2 * 64 * 49 - (1024 + 1) * 1000 + (1024 + 1) * 4 == 6_951_684
