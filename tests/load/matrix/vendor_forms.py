"""Whole visits as scanners export them, and the ways in which frames share files."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import FileDataset

from cmr_viewer.domain.study import Stack
from tests.load.matrix.form import PHASES, SLICES, Form, Truth, Written, known, truth_of
from tests.phantom import UID_ROOT
from tests.phantom_dicom import (
    ge_study,
    long_axis_stack,
    part_of,
    philips_study,
    siemens_study,
    with_phases,
    write_beside,
    write_frames,
)
from tests.phantom_multiframe import LOSSLESS, run_lengths, write_enhanced, write_single

BY_SLICE = [(phase, index) for index in range(SLICES) for phase in range(PHASES)]
BY_PHASE = [(phase, index) for phase in range(PHASES) for index in range(SLICES)]


def views_beside(stack: Stack) -> tuple[Any, ...]:
    """The long-axis cines that `write_beside` writes, in their order of time."""
    return tuple(long_axis_stack(stack, angle).pixels[:, 0] for angle in (0.0, 90.0, 135.0))


def visit(write: Callable[..., None]) -> Callable[[Path], Written]:
    """A whole visit in a vendor's habit; its perfusion is offered as the other stack that it is."""

    def written(folder: Path) -> Written:
        stack = known().stack
        write(folder, stack)
        return folder, truth_of(stack, views=views_beside(stack), choices=2)

    return written


def siemens_from_the_apex(folder: Path, stack: Stack) -> None:
    """One series per slice, acquired and numbered from the apex, in one flat folder without extensions."""
    for number, index in enumerate(reversed(range(SLICES))):
        write_frames(
            folder, part_of(stack, [index]), series=f"11.{number + 1}", number=20 + number,
            description=f"tf2d_retro_iPAT_sax_{number + 1:02d}", time=f"1010{number:02d}.5", extension="",
            image_type=("ORIGINAL", "PRIMARY", "M", "RETRO", "DIS2D"),
        )  # fmt: skip
    write_beside(folder, stack, sequence="*tfi2d1_15", correction=("DIS2D",))


def numbered(number: int, series: str = "9.2", time: str = "100000") -> Callable[[FileDataset], None]:
    """Gives a file of many frames an instance, a series and a time of its own."""

    def change(data: FileDataset) -> None:
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{UID_ROOT}{series}.{number}"
        data.SeriesInstanceUID, data.InstanceNumber = UID_ROOT + series, number
        data.AcquisitionDateTime = f"20200102{time}+0100"

    return change


def enhanced(truth: Callable[[Truth], Truth] = lambda found: found, **options: Any) -> Callable[[Path], Written]:
    """All frames in one Enhanced MR file."""

    def written(folder: Path) -> Written:
        stack = known().stack
        path = folder / "IM_0001"
        write_enhanced(path, stack, **options)
        return path, truth(truth_of(stack))

    return written


def enhanced_parts(parts: Callable[[Stack], Sequence[Stack]], *, own_series: bool) -> Callable[[Path], Written]:
    """Several Enhanced MR files."""

    def written(folder: Path) -> Written:
        stack = known().stack
        for number, part in enumerate(parts(stack), start=1):
            series = f"9.{number + 1}" if own_series else "9.2"
            write_enhanced(folder / f"IM_{number:04d}", part, change=numbered(number, series))
        return folder, truth_of(stack)

    return written


def enhanced_visit(folder: Path) -> Written:
    """One Enhanced MR file for the cine, and one for each of what is beside it."""
    stack = known().stack
    write_enhanced(folder / "IM_0001", stack, order=BY_PHASE)
    for number, angle in enumerate((0.0, 90.0, 135.0), start=2):
        change = numbered(1, f"9.{number + 1}", f"1001{number:02d}")
        write_enhanced(folder / f"IM_{number:04d}", long_axis_stack(stack, angle), change=change)
    still = replace(stack, pixels=stack.pixels[:1] + 9, phase_times_ms=(600.0,))
    write_enhanced(folder / "IM_0005", still, change=numbered(1, "9.9", "102500"))
    return folder, truth_of(stack, views=views_beside(stack))


def scaled_by_frame(folder: Path) -> Written:
    """Each frame with a slope of its own, as Philips stores it."""
    stack = known().stack
    slopes = [1.0 + 0.25 * (n % 5) for n in range(len(BY_SLICE))]
    path = folder / "frames.dcm"
    write_enhanced(path, stack, slopes=slopes)
    factors = np.array(slopes, np.float32).reshape(SLICES, PHASES).T[:, :, None, None]
    return path, truth_of(stack, pixels=stack.pixels * factors)


def one_header_per_slice(folder: Path) -> Written:
    """The phases of a slice in one old-style file, one after another by Frame Time."""
    stack = known().stack
    times = np.asarray(stack.phase_times_ms)
    for index in range(SLICES):

        def many(data: FileDataset, index: int = index) -> None:
            numbered(index + 1)(data)
            data.NumberOfFrames, data.PixelData = PHASES, np.ascontiguousarray(stack.pixels[:, index]).tobytes()
            data.FrameIncrementPointer, data.FrameTime = 0x00181063, f"{times[1]:.10g}"
            data.ImagePositionPatient = [f"{v:.6f}" for v in stack.geometry.positions_mm[index]]

        write_single(folder / f"slice{index + 1}.dcm", stack, change=many)
    return folder, truth_of(stack)


def one_header_per_phase(folder: Path) -> Written:
    """The slices of a phase in one old-style file, at the places of its Slice Location Vector."""
    stack = known().stack
    for phase, time in enumerate(stack.phase_times_ms or ()):

        def many(data: FileDataset, phase: int = phase, time: float = time) -> None:
            numbered(phase + 1)(data)
            data.NumberOfFrames, data.PixelData = SLICES, np.ascontiguousarray(stack.pixels[phase]).tobytes()
            data.SliceLocationVector = [f"{-9.5 * index:g}" for index in range(SLICES)]
            data.TriggerTime = f"{time:.6f}"

        write_single(folder / f"phase{phase + 1}.dcm", stack, change=many)
    return folder, truth_of(stack)


def _slices(stack: Stack) -> list[Stack]:
    return [part_of(stack, [index]) for index in range(SLICES)]


def _phases(stack: Stack) -> list[Stack]:
    times = stack.phase_times_ms or ()
    return [with_phases(stack, [phase], [times[phase]]) for phase in range(PHASES)]


def _without_times(found: Truth) -> Truth:
    return replace(found, times_ms=None, notes=("no file states that they are phases of one heart beat",))


_JPEG_LS, _HTJ2K = LOSSLESS["JPEG-LS"], LOSSLESS["HTJ2K"]

VENDOR_FORMS = [
    Form("Siemens visit, a series for each slice", visit(siemens_study)),
    Form("Siemens visit, a series for each slice, from the apex, one flat folder", visit(siemens_from_the_apex)),
    Form("GE visit, one series, numbered slice by slice from the apex", visit(ge_study)),
    Form("Philips visit, one series, numbered phase by phase", visit(philips_study)),
    Form("Enhanced MR visit, a file for each acquisition", enhanced_visit),
    Form("Enhanced MR, all frames in one file", enhanced(order=BY_SLICE)),
    Form("Enhanced MR, all frames in one file, phase by phase from the apex", enhanced(order=BY_PHASE[::-1])),
    Form("Enhanced MR, a file for each slice, one series", enhanced_parts(_slices, own_series=False)),
    Form("Enhanced MR, a file and a series for each slice", enhanced_parts(_slices, own_series=True)),
    Form("Enhanced MR, a file for each phase", enhanced_parts(_phases, own_series=False)),
    Form("Enhanced MR, temporal position index only", enhanced(_without_times, times="index")),
    Form("Enhanced MR, dimension index only", enhanced(_without_times, times="dimension")),
    Form("Enhanced MR, Philips' private trigger time only", enhanced(times="private")),
    Form("Enhanced MR, a rescale slope for each frame", scaled_by_frame),
    Form("Enhanced MR, JPEG-LS with an extended offset table", enhanced(
        syntax=_JPEG_LS[0], encode=_JPEG_LS[1], extended=True)),
    Form("Enhanced MR, HTJ2K", enhanced(syntax=_HTJ2K[0], encode=_HTJ2K[1])),
    Form("Enhanced MR, RLE", enhanced(syntax="1.2.840.10008.1.2.5", encode=run_lengths)),
    Form("old-style multi-frame, a file for each slice, Frame Time", one_header_per_slice),
    Form("old-style multi-frame, a file for each phase, Slice Location Vector", one_header_per_phase),
]  # fmt: skip
