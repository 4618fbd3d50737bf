"""Which device networks run on, and how fast arithmetic is asked for there."""

import contextlib
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path

import torch

from cmr_viewer.errors import ModelError

DEVICES = ("auto", "cpu", "cuda")


def use_threads(count: int) -> None:
    """Compute on this many CPU threads.

    Raises:
        ModelError: The count is not positive.
    """
    if count < 1:
        raise ModelError(f"The number of threads must be positive, not {count}.")
    torch.set_num_threads(count)


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; with "auto" a CUDA device where there is one.

    Raises:
        ModelError: "cuda" was asked for and there is none, or the name is not known.
    """
    if name not in DEVICES:
        raise ModelError(f"The device {name!r} is not known. Choose one of {', '.join(DEVICES)}.")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ModelError("There is no CUDA device. Use --device cpu or --device auto.")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


@lru_cache(maxsize=1)
def cpu_multiplies_bf16() -> bool:
    """Whether the CPU has bfloat16 instructions, without which bfloat16 is slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def fast_arithmetic(device: torch.device) -> AbstractContextManager[object]:
    """Autocast to bfloat16 where the device is faster with it, else no change."""
    if device.type == "cuda" or cpu_multiplies_bf16():
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()
