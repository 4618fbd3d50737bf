"""Series whose frames differ in something else than time, beside a cine and alone, and names that mislead."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileDataset

from cmr_viewer.domain.study import Stack
from tests.load.matrix.form import PHASES, SLICES, Form, Truth, Written, known, truth_of
from tests.phantom_dicom import beat_by_beat, brighter, part_of, perfusion_stack, write_frames
from tests.phantom_multiframe import write_enhanced

ECHOES_MS = (1.5, 3.9)


def _of_echo(echo: int, ms: float) -> Callable[[FileDataset, int, int], None]:
    def change(data: FileDataset, phase: int, index: int) -> None:
        data.EchoTime, data.EchoNumbers = f"{ms}", echo + 1
        # Each phase of the second echo is numbered after that of the first.
        data.InstanceNumber = (index * PHASES + phase) * 2 + echo + 1
        data.SOPInstanceUID = f"{data.SOPInstanceUID}.{echo}"

    return change


def _first_echo(stack: Stack, **changes: Any) -> Truth:
    noted = r"The images of SAX cine differ in echo time \(1.5 ms, 3.9 ms\). Opened: echo time 1.5 ms"
    return truth_of(stack, choices=2, notes=("Not opened: SAX cine, echo time 3.9 ms", noted), **changes)


def two_echoes(folder: Path) -> Written:
    """A cine of two echoes in one series, as A and B of each phase."""
    stack = known().stack
    for echo, ms in enumerate(ECHOES_MS):
        part = brighter(stack, 500 * echo)
        write_frames(folder / f"{echo}", part, series="1", change=_of_echo(echo, ms))
    return folder, _first_echo(stack)


def two_echoes_in_series(folder: Path) -> Written:
    """A series for each echo of each slice, acquired at the same moments."""
    stack = known().stack
    for index in range(SLICES):
        for echo, ms in enumerate(ECHOES_MS):
            part = brighter(part_of(stack, [index]), 500 * echo)
            write_frames(
                folder, part, series=f"{echo}.{index}", number=2 * index + echo, time=f"10{index:02d}00",
                change=lambda data, phase, index, ms=ms: setattr(data, "EchoTime", f"{ms}"),
            )  # fmt: skip
    return folder, _first_echo(stack)


def two_echoes_enhanced(folder: Path) -> Written:
    """A cine of two echoes in one Enhanced MR file."""
    stack = known().stack
    both = replace(
        stack,
        pixels=np.concatenate([stack.pixels, brighter(stack, 500).pixels]),
        phase_times_ms=(stack.phase_times_ms or ()) * 2,
    )
    order = [(phase, index) for index in range(SLICES) for phase in range(2 * PHASES)]

    def change(data: FileDataset) -> None:
        for (phase, _), item in zip(order, data.PerFrameFunctionalGroupsSequence, strict=True):
            echo = Dataset()
            echo.EffectiveEchoTime = ECHOES_MS[phase // PHASES]
            item.MREchoSequence = [echo]

    write_enhanced(folder / "IM_0001", both, order=order, change=change)
    return folder, _first_echo(stack)


def _in(keyword: str, values: Callable[[int], str]) -> Callable[[FileDataset, int, int], None]:
    """Images of one moment that differ in an element."""

    def change(data: FileDataset, phase: int, index: int) -> None:
        setattr(data, keyword, values(phase))
        data.TriggerTime = "500"

    return change


def cine_beside(keyword: str, values: Callable[[int], str], name: str) -> Callable[[Path], Written]:
    """The cine, and later images of the same slices, more of each, that differ in something else than time."""

    def written(folder: Path) -> Written:
        stack = known().stack
        write_frames(folder, stack, series="1")
        later = {"number": 900, "time": "110000", "description": "SAX series", "change": _in(keyword, values)}
        write_frames(folder, brighter(stack, 200), series="2", **later)
        noted = f"Not opened: SAX series \\(7 x 6\\), whose images differ in {name}, not in time"
        return folder, truth_of(stack, choices=2, notes=(noted,))

    return written


def alone(keyword: str, values: Callable[[int], str], name: str) -> Callable[[Path], Written]:
    """Such images without a cine."""

    def written(folder: Path) -> Written:
        write_frames(folder, known().stack, series="1", change=_in(keyword, values))
        return folder, truth_of(known().stack, times_ms=None, notes=(f"is not a cine: its images differ in {name}",))

    return written


def perfusion_alone(folder: Path) -> Written:
    stack = perfusion_stack(known().stack)
    write_frames(folder, stack, series="1", description="ep2d", change=beat_by_beat)
    noted = "ep2d is not a cine: its images come from different heart beats"
    return folder, truth_of(stack, times_ms=None, notes=(noted,))


def velocity_alone(folder: Path) -> Written:
    write_frames(folder, known().stack, series="1", image_type=("ORIGINAL", "PRIMARY", "P"))
    return folder, truth_of(known().stack, notes=("its images show phase, velocity or a measured quantity",))


def named(name: str, *more: str) -> Callable[[Path], Written]:
    """A full stack of some name, and an earlier test of two slices with a plain one."""

    def written(folder: Path) -> Written:
        stack = known().stack
        test = brighter(part_of(stack, [2, 3]), 300)
        write_frames(folder, test, series="1", number=100, description="cine", time="090000")
        write_frames(folder, stack, series="2", number=300, description=name)
        return folder, truth_of(stack, choices=2, notes=(r"Opened .* \(7 x 6\)\. Not opened: cine \(2 x 6\)", *more))

    return written


KIND_FORMS = [
    Form("two echoes in one series", two_echoes),
    Form("a series for each echo of each slice", two_echoes_in_series),
    Form("Enhanced MR, two echoes in one file", two_echoes_enhanced),
    Form(
        "a later multi-echo series next to the cine",
        cine_beside("EchoTime", lambda n: f"{2.1 + 2.2 * n:.1f}", "echo time"),
    ),
    Form(
        "a later series of inversion times next to the cine",
        cine_beside("InversionTime", lambda n: f"{90 + 25 * n}", "inversion time"),
    ),
    Form(
        "a later series of flip angles next to the cine",
        cine_beside("FlipAngle", lambda n: f"{3 * (n + 1)}", "flip angle"),
    ),
    Form("inversion times alone", alone("InversionTime", lambda n: f"{90 + 25 * n}", "inversion time")),
    Form("perfusion alone", perfusion_alone),
    Form("velocity images alone", velocity_alone),
    Form("a full stack with an article in its name next to a test", named("CINE EJE CORTO DE LA BASE")),
    Form(
        "a full stack named like something else next to a test",
        named("SAX real-time dynamic flow", "suggests something other than a short-axis cine"),
    ),
]
