"""Writers of DICOM studies as vendors export them, around a phantom whose pixels, places and times are known.

`write_frames` writes any stack as classic MR files and lets a caller change each; `siemens_study`, `ge_study` and
`philips_study` write a whole visit each: the short-axis cine by the vendor's habit, and beside it what is usually
there: localizers, long-axis cines, late enhancement, a map, flow and perfusion.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.study import Stack
from tests.phantom import MR_IMAGE_STORAGE, UID_ROOT

Change = Callable[[FileDataset, int, int], None]
"""Changes the data set of one frame, given its phase and slice."""

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
CORONAL = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0))


def unchanged(data: FileDataset, phase: int, index: int) -> None:
    """Leaves a data set as it is."""


def write_frames(
    folder: Path,
    stack: Stack,
    *,
    series: str,
    number: int = 300,
    description: str = "SAX cine",
    study: str = UID_ROOT + "7",
    patient: str = "PHANTOM01",
    time: str = "100000.000",
    image_type: Sequence[str] = ("ORIGINAL", "PRIMARY", "M", "ND"),
    sequence: str = "",
    order: Sequence[tuple[int, int]] | None = None,
    first_instance: int = 1,
    extension: str = ".dcm",
    change: Change = unchanged,
) -> list[Path]:
    """Write a stack as one series of classic single-frame files.

    Args:
        folder: Made if it is not there; files of several series may share it.
        stack: int16 or uint16 pixels; its phase times become trigger times.
        series: Tail of the Series Instance UID, and beginning of the file names.
        number: Series Number.
        description: Series Description.
        study: Study Instance UID.
        patient: Patient ID and Patient's Name.
        time: Acquisition Time of all frames.
        image_type: Image Type.
        sequence: Sequence Name.
        order: (phase, slice) of the frames in the order of their Instance Numbers; slice by slice where None.
        first_instance: The first Instance Number.
        extension: Of the file names.
        change: Called with each data set before it is written.

    Returns:
        The files in the order of their Instance Numbers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if order is None:
        order = [(phase, index) for index in range(stack.slices) for phase in range(stack.phases)]
    files = []
    for instance, (phase, index) in enumerate(order, start=first_instance):
        data = frame_dataset(stack, phase, index)
        data.StudyInstanceUID, data.PatientID, data.PatientName = study, patient, patient
        data.SeriesInstanceUID, data.SeriesNumber, data.SeriesDescription = UID_ROOT + series, number, description
        data.InstanceNumber, data.SOPInstanceUID = instance, f"{UID_ROOT}{series}.{instance}"
        data.AcquisitionTime, data.AcquisitionDate = time, "20200102"
        data.ImageType = list(image_type)
        if sequence:
            data.SequenceName = sequence
        change(data, phase, index)
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        path = folder / f"{series}-{instance:04d}{extension}"
        pydicom.dcmwrite(path, data, enforce_file_format=True)
        files.append(path)
    return files


def frame_dataset(stack: Stack, phase: int, index: int) -> FileDataset:
    """A classic MR data set of one frame, without the UIDs of study, series and instance."""
    g, pixels = stack.geometry, np.ascontiguousarray(stack.pixels[phase, index])
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.UID(MR_IMAGE_STORAGE)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.Modality = MR_IMAGE_STORAGE, "MR"
    data.Rows, data.Columns = pixels.shape
    data.PixelSpacing = [f"{v:.8g}" for v in g.pixel_spacing_mm]
    data.ImageOrientationPatient = [f"{v:.8f}" for v in (*g.row_direction, *g.col_direction)]
    data.ImagePositionPatient = [f"{v:.6f}" for v in g.positions_mm[index]]
    data.SliceThickness = "8"
    if stack.phase_times_ms is not None:
        data.TriggerTime = f"{stack.phase_times_ms[phase]:.4f}"
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, int(pixels.dtype.kind == "i")
    data.PixelData = pixels.astype("<i2" if pixels.dtype.kind == "i" else "<u2").tobytes()
    return data


def part_of(stack: Stack, slices: Sequence[int]) -> Stack:
    """Some slices of a stack."""
    geometry = dataclasses.replace(stack.geometry, positions_mm=tuple(stack.geometry.positions_mm[s] for s in slices))
    return dataclasses.replace(stack, pixels=stack.pixels[:, list(slices)], geometry=geometry, source_slices=())


def brighter(stack: Stack, by: int) -> Stack:
    """The same stack with a number added to all pixels."""
    return dataclasses.replace(stack, pixels=stack.pixels + stack.pixels.dtype.type(by))


def with_phases(stack: Stack, chosen: Sequence[int], times_ms: Sequence[float]) -> Stack:
    """Some phases of a stack, with times of their own."""
    return dataclasses.replace(
        stack, pixels=stack.pixels[list(chosen)], phase_times_ms=tuple(float(t) for t in times_ms), frame_sources=()
    )


def tilted(stack: Stack, degrees: float) -> Stack:
    """The stack with its planes turned about their row direction, the middles of its frames where they were."""
    g = stack.geometry
    angle = np.deg2rad(degrees)
    row, col = np.asarray(g.row_direction), np.asarray(g.col_direction)
    turned = np.cos(angle) * col + np.sin(angle) * g.normal
    middle = ((g.rows - 1) / 2, (g.cols - 1) / 2)
    half = turned * (middle[0] * g.pixel_spacing_mm[0]) + row * (middle[1] * g.pixel_spacing_mm[1])
    positions = [_vector(g.to_patient_mm(s, middle) - half) for s in range(g.slices)]
    return dataclasses.replace(
        stack, geometry=dataclasses.replace(g, col_direction=_vector(turned), positions_mm=tuple(positions))
    )


def mirrored(stack: Stack, axis: str) -> Stack:
    """The stack with rows or columns stored the other way round, in the same place in the patient."""
    g = stack.geometry
    if axis == "rows":
        corners = [g.to_patient_mm(s, (g.rows - 1, 0)) for s in range(g.slices)]
        turned = dataclasses.replace(g, col_direction=_vector(-np.asarray(g.col_direction)))
        pixels = stack.pixels[:, :, ::-1]
    else:
        corners = [g.to_patient_mm(s, (0, g.cols - 1)) for s in range(g.slices)]
        turned = dataclasses.replace(g, row_direction=_vector(-np.asarray(g.row_direction)))
        pixels = stack.pixels[..., ::-1]
    turned = dataclasses.replace(turned, positions_mm=tuple(_vector(c) for c in corners))
    return dataclasses.replace(stack, pixels=pixels, geometry=turned)


def cut(stack: Stack, rows: slice, cols: slice) -> Stack:
    """A part of the matrix of a stack, where it was in the patient."""
    g = stack.geometry
    pixels = stack.pixels[:, :, rows, cols]
    corners = tuple(_vector(g.to_patient_mm(s, (rows.start, cols.start))) for s in range(g.slices))
    geometry = dataclasses.replace(g, rows=pixels.shape[2], cols=pixels.shape[3], positions_mm=corners)
    return dataclasses.replace(stack, pixels=pixels, geometry=geometry)


def beside(stack: Stack, rows: int, cols: int) -> Stack:
    """The stack imaged from a place so many rows and columns further; 0 where there is nothing of it."""
    g = stack.geometry
    by = np.asarray(g.col_direction) * (rows * g.pixel_spacing_mm[0])
    by = by + np.asarray(g.row_direction) * (cols * g.pixel_spacing_mm[1])
    edges = [(0, 0), (0, 0), *((max(0, -by), max(0, by)) for by in (rows, cols))]
    padded = np.pad(stack.pixels, edges)
    pixels = padded[:, :, max(0, rows) : max(0, rows) + g.rows, max(0, cols) : max(0, cols) + g.cols]
    positions = tuple(_vector(np.asarray(position) + by) for position in g.positions_mm)
    return dataclasses.replace(stack, pixels=pixels, geometry=dataclasses.replace(g, positions_mm=positions))


def flat_stack(
    directions: tuple[Sequence[float], Sequence[float]],
    *,
    slices: int,
    phases: int,
    rows: int = 16,
    cols: int = 16,
    step_ms: float = 30.0,
    middle: Sequence[float] = (0.0, -100.0, 0.0),
    spacing_mm: float = 8.0,
    seed: int = 1,
) -> Stack:
    """A stack of noise in any plane, for what lies beside a cine."""
    row, col = (np.asarray(d, float) / np.linalg.norm(d) for d in directions)
    normal = np.cross(row, col)
    corner = np.asarray(middle) - row * (cols - 1) / 2 * 4.0 - col * (rows - 1) / 2 * 4.0
    positions = tuple(_vector(corner + normal * spacing_mm * k) for k in range(slices))
    geometry = Geometry(rows, cols, (4.0, 4.0), _vector(row), _vector(col), positions, spacing_mm)
    pixels = np.random.default_rng(seed).integers(0, 900, (phases, slices, rows, cols)).astype(np.int16)
    return Stack(pixels, geometry, tuple(step_ms * p for p in range(phases)))


def long_axis_stack(stack: Stack, angle_deg: float, *, phases: int = 10, rows: int = 24, cols: int = 20) -> Stack:
    """A plane along the axis of a stack, rows running from base to apex, turned about the axis.

    Args:
        stack: A short-axis stack.
        angle_deg: 0 for the plane that holds the row direction of the stack (about a 4-chamber view), 90 for the
            one that holds its column direction (about a 2-chamber view).
        phases: Number of phases.
        rows: Number of rows.
        cols: Number of columns.
    """
    g = stack.geometry
    angle = np.deg2rad(angle_deg)
    across = np.cos(angle) * np.asarray(g.row_direction) + np.sin(angle) * np.asarray(g.col_direction)
    middle = ((g.rows - 1) / 2, (g.cols - 1) / 2)
    first, last = g.to_patient_mm(0, middle), g.to_patient_mm(g.slices - 1, middle)
    axis = (last - first) / np.linalg.norm(last - first)
    return flat_stack(
        (_vector(across), _vector(axis)),
        slices=1,
        phases=phases,
        rows=rows,
        cols=cols,
        middle=_vector((first + last) / 2),
        seed=int(angle_deg) + 7,
    )


def siemens_study(folder: Path, sax: Stack, **changes: Any) -> None:
    """One series per slice, from base to apex, each in a breath-hold of its own; all else beside it."""
    for s in range(sax.slices):
        write_frames(
            folder / f"CINE_SAX_{s + 1:04d}",
            part_of(sax, [s]),
            **{
                "series": f"11.{s + 1}",
                "number": 20 + s,
                "description": f"cine_sax_{s + 1}",
                "time": f"10{10 + s:02d}00.500",
                "image_type": ("ORIGINAL", "PRIMARY", "M", "RETRO", "NORM", "DIS2D"),
                "sequence": f"*tfi2d1_{15 + s % 3}",
                "extension": ".IMA",
                **changes,
            },
        )
    write_beside(folder / "beside", sax, sequence="*tfi2d1_15", correction=("NORM", "DIS2D"))


def ge_study(folder: Path, sax: Stack, **changes: Any) -> None:
    """One series for all, numbered slice by slice from the apex, files without extension; all else beside it."""
    order = [(p, s) for s in reversed(range(sax.slices)) for p in range(sax.phases)]
    given = {"series": "12", "number": 6, "description": "SA FIESTA", "order": order, "extension": ""}
    write_frames(folder, sax, **{**given, "image_type": ("ORIGINAL", "PRIMARY", "OTHER"), **changes})
    write_beside(folder, sax, sequence="", correction=())


def philips_study(folder: Path, sax: Stack, **changes: Any) -> None:
    """One series for all, numbered phase by phase, with temporal positions; all else beside it."""
    order = [(p, s) for p in range(sax.phases) for s in range(sax.slices)]

    def change(data: FileDataset, phase: int, index: int) -> None:
        data.TemporalPositionIdentifier = phase + 1

    given = {"series": "13", "number": 501, "description": "sBTFE_BH_SA", "order": order, "change": change}
    write_frames(folder, sax, **{**given, "image_type": ("ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"), **changes})
    write_beside(folder, sax, sequence="", correction=())


def write_beside(folder: Path, sax: Stack, *, sequence: str, correction: Sequence[str]) -> None:
    """What a visit holds beside the short-axis cine."""
    original = ("ORIGINAL", "PRIMARY", "M", *correction)
    for number, (name, plane) in enumerate((("tra", AXIAL), ("sag", SAGITTAL), ("cor", CORONAL)), start=1):
        localizer = dataclasses.replace(flat_stack(plane, slices=3, phases=1), phase_times_ms=None)
        write_frames(
            folder, localizer, series=f"2{number}", number=number, description=f"localizer_{name}", time="095500"
        )
    for number, (name, angle) in enumerate((("4CH", 0.0), ("2CH", 90.0), ("3CH", 135.0)), start=10):
        view = long_axis_stack(sax, angle)
        write_frames(
            folder, view, series=f"3{number}", number=number, description=f"cine_{name}", time="100100",
            image_type=original, sequence=sequence,
        )  # fmt: skip
    still = dataclasses.replace(brighter(sax, 9), pixels=brighter(sax, 9).pixels[:1], phase_times_ms=(600.0,))
    write_frames(folder, still, series="41", number=41, description="PSIR LGE sax", time="102500", image_type=original)
    write_frames(
        folder, part_of(still, [1]), series="42", number=42, description="T1 map", time="101500",
        image_type=("DERIVED", "PRIMARY", "T1 MAP"),
    )  # fmt: skip
    flow = flat_stack(AXIAL, slices=1, phases=12)
    for kind, name in (("M", "flow"), ("P", "flow_P")):
        write_frames(
            folder, flow, series=f"5{ord(kind)}", number=50, description=name, time="102000",
            image_type=("ORIGINAL", "PRIMARY", kind),
        )  # fmt: skip
    write_frames(
        folder, perfusion_stack(sax), series="61", number=61, description="dynamic", image_type=original,
        change=beat_by_beat,
    )  # fmt: skip


def perfusion_stack(sax: Stack, beats: int = 20) -> Stack:
    """Three slices of the short axis, one image of each in every heart beat, at the same time after the R wave."""
    three = part_of(sax, [1, sax.slices // 2, sax.slices - 2])
    pixels = np.repeat(three.pixels[:1], beats, axis=0)
    return dataclasses.replace(three, pixels=pixels, phase_times_ms=(250.0,) * beats)


def beat_by_beat(data: FileDataset, phase: int, index: int) -> None:
    """Gives frames acquisition times of one beat after another."""
    data.AcquisitionTime = f"1030{phase * 0.9 + 0.1 * index:09.6f}"


def _vector(values: Sequence[float] | NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z
