from pathlib import Path

import pytest
import torch

from cmr_viewer.errors import ModelError
from cmr_viewer.networks import device
from cmr_viewer.networks.device import cpu_multiplies_bf16


def test_the_cpu_is_always_there() -> None:
    assert device.choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(("there", "chosen"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_a_cuda_device_where_there_is_one(monkeypatch: pytest.MonkeyPatch, there: bool, chosen: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert device.choose_device("auto").type == chosen
    assert device.choose_device("cpu").type == "cpu"


def test_cuda_that_is_not_there_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match="--device cpu"):
        device.choose_device("cuda")


def test_a_device_that_is_not_known_is_reported() -> None:
    with pytest.raises(ModelError, match=r"'tpu'.*auto, cpu, cuda"):
        device.choose_device("tpu")


@pytest.mark.parametrize(
    ("flags", "expected"), [("avx512f avx512_bf16", True), ("amx_bf16", True), ("avx2 avx512f", False), (None, False)]
)
def test_bfloat16_is_used_only_where_the_cpu_multiplies_it(
    monkeypatch: pytest.MonkeyPatch, flags: str | None, expected: bool
) -> None:
    def read_text(self: Path, **_: str) -> str:
        if flags is None:
            raise FileNotFoundError("/proc/cpuinfo")
        return f"flags : fpu {flags}"

    monkeypatch.setattr(Path, "read_text", read_text)
    assert cpu_multiplies_bf16.__wrapped__() is expected


def test_arithmetic_is_left_as_it_is_on_a_cpu_without_bfloat16() -> None:
    with device.fast_arithmetic(torch.device("cpu")):
        assert not torch.is_autocast_enabled("cpu")


def test_arithmetic_is_bfloat16_on_a_cpu_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "cpu_multiplies_bf16", lambda: True)
    with device.fast_arithmetic(torch.device("cpu")):
        assert torch.is_autocast_enabled("cpu")


def test_the_number_of_threads_is_the_one_asked_for() -> None:
    before = torch.get_num_threads()
    try:
        device.use_threads(1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_no_threads_are_refused() -> None:
    with pytest.raises(ModelError, match="positive, not 0"):
        device.use_threads(0)
