import os
from pathlib import Path

import pytest
import safetensors.torch
import torch

from cmr_viewer.errors import ModelError
from cmr_viewer.networks.classifiers import DenseNet
from cmr_viewer.networks.unets import UNet2d
from cmr_viewer.networks.weights import load_weights, save_weights


def small() -> UNet2d:
    return UNet2d(widths=(4, 8))


@pytest.fixture
def saved(tmp_path: Path) -> tuple[UNet2d, Path]:
    torch.manual_seed(3)
    network = small()
    save_weights(network, tmp_path / "weights.safetensors")
    return network, tmp_path / "weights.safetensors"


def test_weights_come_back_to_half_precision_and_biases_exactly(saved: tuple[UNet2d, Path]) -> None:
    network, path = saved
    read = small()
    load_weights(read, path)
    for name, before in network.state_dict().items():
        after = read.state_dict()[name]
        assert after.dtype == torch.float32
        if before.ndim >= 2:
            # float16 has 11 significant bits; below 6.1e-5 its steps are 6e-8
            assert torch.allclose(after, before, rtol=2**-11, atol=6e-8)
            assert torch.equal(after, before.half().float())
        else:
            assert torch.equal(after, before)


def test_running_statistics_of_batch_norm_come_back_exactly(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = DenseNet(blocks=(1,), growth=2).train()
    network(1e5 * torch.randn(2, 1, 32, 32))
    save_weights(network, tmp_path / "w.safetensors")
    read = DenseNet(blocks=(1,), growth=2)
    load_weights(read, tmp_path / "w.safetensors")
    for name, before in network.state_dict().items():
        if "running" in name or "tracked" in name:
            assert torch.equal(read.state_dict()[name], before), name


def test_the_file_takes_two_bytes_a_weight(saved: tuple[UNet2d, Path]) -> None:
    network, path = saved
    tensors = safetensors.torch.load_file(path)
    assert {t.dtype for t in tensors.values() if t.ndim >= 2} == {torch.float16}
    assert set(tensors) == set(network.state_dict())


def test_the_network_itself_is_left_in_single_precision(saved: tuple[UNet2d, Path]) -> None:
    assert {p.dtype for p in saved[0].parameters()} == {torch.float32}


def test_another_networks_weights_are_refused(saved: tuple[UNet2d, Path]) -> None:
    with pytest.raises(ModelError, match=r"do not match.*plan") as caught:
        load_weights(UNet2d(widths=(4, 12)), saved[1])
    assert str(saved[1]) in str(caught.value)


def test_weights_that_are_no_numbers_are_refused(saved: tuple[UNet2d, Path]) -> None:
    tensors = safetensors.torch.load_file(saved[1])
    name = next(iter(tensors))
    tensors[name].view(-1)[0] = float("nan")
    safetensors.torch.save_file(tensors, saved[1])
    with pytest.raises(ModelError, match="not numbers"):
        load_weights(small(), saved[1])


@pytest.mark.parametrize("length", [0, 5, 200, -1])
def test_a_file_that_is_cut_off_is_refused(saved: tuple[UNet2d, Path], length: int) -> None:
    saved[1].write_bytes(saved[1].read_bytes()[:length])
    with pytest.raises(ModelError, match="cannot be read"):
        load_weights(small(), saved[1])


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_weights(small(), tmp_path / "weights.safetensors")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_the_file_can_be_read_by_whoever_may_read_the_folder(saved: tuple[UNet2d, Path]) -> None:
    (saved[1].parent / "plain").write_bytes(b"")
    assert saved[1].stat().st_mode == (saved[1].parent / "plain").stat().st_mode


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    torch.save(small().state_dict(), path)
    with pytest.raises(ModelError, match="cannot be read"):
        load_weights(small(), path)


def test_weights_beyond_half_precision_are_not_written_as_infinite(tmp_path: Path) -> None:
    network = small()
    with torch.no_grad():
        network.stages[0][0].weight[0, 0, 0, 0] = 1e6
    save_weights(network, tmp_path / "w.safetensors")
    read = small()
    load_weights(read, tmp_path / "w.safetensors")
    assert read.state_dict()["stages.0.0.weight"][0, 0, 0, 0] == 1e6
