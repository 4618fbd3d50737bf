import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cmr_viewer.errors import ModelError
from cmr_viewer.segment.nnunet_checkpoint import read_checkpoint
from tests.segment.nnunet_folder import PLAIN_SHAPES, Model, drawn_weights


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


def test_a_truncated_checkpoint_is_told(tmp_path: Path) -> None:
    whole = saved(tmp_path / "c.pth").read_bytes()
    for share in (0.0, 0.3, 0.97):
        (tmp_path / "half.pth").write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(ModelError) as caught:
            read_checkpoint(tmp_path / "half.pth")
        assert "half.pth" in str(caught.value)


def test_what_is_no_checkpoint_is_told(tmp_path: Path) -> None:
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
def test_values_of_the_wrong_kind_are_told(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="can read"):
        read_checkpoint(saved(tmp_path / "c.pth", **changes))
