"""A synthetic short-axis cine with known volumes, and writers of the file layouts that the program reads.

The heart of the phantom is an idealised one, whose outlines are written down in `tests.phantom_heart`. A slice belongs
to the heart at a phase if its centre lies at or below the base plane and above the apex. From ED to ES the base plane
moves towards the apex by `shortening_mm`. `areas_mm2` gives the exact area of each structure of a slice, and
`volume_ml` adds them up as discs, so that label maps of the phantom agree with it to within the pixels on the outlines.

`sax_cine` makes the plain phantom unless it is told otherwise; `clinical_cine` draws what makes clinical frames hard.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.study import Stack
from tests.phantom_heart import BALANCED, CONTRASTS, Anatomy, Contrast, CrossSection

MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"
UID_ROOT = "1.2.826.0.1.3680043.8.498."

ROW_DIRECTION = (0.77038, 0.618446, 0.155046)
COL_DIRECTION = (-0.15161, 0.41389, -0.897613)
"""Directions of a real short-axis stack; row x column points from apex to base."""


@dataclass(frozen=True, eq=False)
class Phantom:
    """A stack and what is true of it.

    Attributes:
        stack: The stack, with phase times; ED is phase 0.
        labels: (phase, slice, row, col) uint8 of `Label`.
        areas_mm2: (phase, slice, 4) exact area of each `Label` of the idealised heart; 0 for background.
        first_cardiac: Per phase: the most basal slice of the heart.
        last_cardiac: Per phase: its most apical slice.
        open_deg: (phase, slice) angle over which the ring of myocardium is open, 0 where it is closed.
        shifts_mm: (slice, 2) by which the picture of each slice is moved, down and right.
    """

    stack: Stack
    labels: NDArray[np.uint8]
    areas_mm2: NDArray[np.float64]
    first_cardiac: tuple[int, ...]
    last_cardiac: tuple[int, ...]
    open_deg: NDArray[np.float64]
    shifts_mm: NDArray[np.float64]

    @property
    def es_phase(self) -> int:
        """The phase of the smallest LV blood pool."""
        return int(self.areas_mm2[:, :, Label.LVBP].sum(axis=1).argmin())

    def volume_ml(self, phase: int, label: Label) -> float:
        """Volume of the idealised heart, as a stack of discs."""
        return float(self.areas_mm2[phase, :, label].sum() * self.stack.geometry.slice_spacing_mm / 1000.0)


def contraction(phases: int) -> NDArray[np.float64]:
    """(phase,) 0 at ED (phase 0) to exactly 1 at ES, which is at about 40 % of the cycle; one phase is ED alone."""
    if phases == 1:
        return np.zeros(1)
    es = max(1, round(0.4 * phases))
    rise = np.arange(es + 1) / es
    fall = 1.0 - np.arange(1, phases - es) / (phases - es)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.concatenate([rise, fall])))


def sax_cine(
    *,
    phases: int = 8,
    slices: int = 9,
    rows: int = 96,
    cols: int = 88,
    pixel_spacing_mm: tuple[float, float] = (1.8, 1.8),
    slice_spacing_mm: float = 10.0,
    above: int = 1,
    below: int = 1,
    shortening_mm: float = 12.0,
    noise: float = 12.0,
    bias: float = 0.25,
    rotation_deg: float = 0.0,
    breath_shift_mm: float = 0.0,
    anatomy: Anatomy | None = None,
    contrast: Contrast = BALANCED,
    seed: int = 0,
    spacing_known: bool = True,
    dtype: Any = np.int16,
) -> Phantom:
    """Make a synthetic short-axis cine.

    Args:
        phases: Phases; ED is the first.
        slices: Slices in all, base to apex.
        rows: Rows of a frame.
        cols: Columns of a frame.
        pixel_spacing_mm: (row, col).
        slice_spacing_mm: Distance of slice centres.
        above: Slices above the base at ED (non-cardiac).
        below: Slices below the apex (non-cardiac).
        shortening_mm: How far the base plane moves towards the apex at ES; more than the slice spacing makes the most
            basal slice leave the heart.
        noise: Standard deviation of the noise, against about 700 for blood.
        bias: Largest relative change of brightness by a smooth field over the frame.
        rotation_deg: By how much the whole picture is turned about the frame's middle, clockwise. The stack's
            directions turn with it, so that the heart stays where it is in the patient.
        breath_shift_mm: Largest shift of a slice's picture down or up, left or right, as each slice is acquired in a
            breath-hold of its own.
        anatomy: What the heart is like; the plain one of `Anatomy()` by default.
        contrast: How bright the structures are.
        seed: Of the noise, the shifts and the place of the heart.
        spacing_known: As in `Geometry`.
        dtype: Of the pixels.
    """
    anatomy = anatomy or Anatomy()
    rng = np.random.default_rng(seed)
    amount = contraction(phases)
    z = (np.arange(slices) - above) * slice_spacing_mm
    apex_mm = (slices - above - below - 0.5) * slice_spacing_mm
    areas = np.zeros((phases, slices, 4))
    open_deg = np.zeros((phases, slices))
    labels = np.zeros((phases, slices, rows, cols), np.uint8)
    pixels = np.zeros((phases, slices, rows, cols), np.float64)
    place = rng.uniform(-3.0, 3.0, 2)
    y, x = _grid_mm(rows, cols, pixel_spacing_mm, rotation_deg, place)
    field = 1.0 + bias * np.sin(y / 90.0 + 0.4) * np.cos(x / 110.0)
    texture = rng.normal(0.0, 1.0, (slices, rows, cols))
    shifts_mm = np.random.default_rng([seed, 1]).uniform(-breath_shift_mm, breath_shift_mm, (slices, 2))
    for index in range(slices):
        y, x = _grid_mm(rows, cols, pixel_spacing_mm, rotation_deg, place, shifts_mm[index])
        for phase, a in enumerate(amount):
            base_mm = -0.25 * slice_spacing_mm + a * shortening_mm
            s = float((z[index] - base_mm) / (apex_mm - base_mm))
            section = CrossSection.at(s, float(a), float(z[index] - base_mm), anatomy)
            labels[phase, index] = section.labels(y, x)
            areas[phase, index] = section.areas_mm2()
            open_deg[phase, index] = section.open_deg
            pixels[phase, index] = section.intensities(
                labels[phase, index], y, x, s=s, a=float(a), contrast=contrast, papillary=anatomy.papillary
            )
    pixels = contrast.gain * (pixels * field + noise * texture + rng.normal(0.0, noise, pixels.shape))
    geometry = _geometry(rows, cols, pixel_spacing_mm, slices, slice_spacing_mm, rotation_deg, spacing_known)
    times = tuple(float(t) for t in np.arange(phases) * 800.0 / phases)
    stack = Stack(
        np.clip(np.rint(pixels), 0, 4000).astype(dtype), geometry, times, heart_rate_bpm=75.0, description="SAX phantom"
    )
    present = labels.any(axis=(2, 3))
    first = tuple(int(np.flatnonzero(p)[0]) for p in present)
    last = tuple(int(np.flatnonzero(p)[-1]) for p in present)
    return Phantom(stack, labels, areas, first, last, open_deg, shifts_mm)


def clinical_cine(seed: int, **changes: Any) -> Phantom:
    """A phantom with all that makes clinical frames hard, drawn from the seed.

    The heart's size and taper, an open outflow tract, a crescent for the RV, papillary muscles of any size, contrast,
    noise, bias field, any rotation in the plane, shifts between slices, spacings and how far the base moves.

    Args:
        seed: The same seed gives the same phantom.
        changes: Arguments of `sax_cine` that are given instead of drawn.
    """
    rng = np.random.default_rng([seed, 2])
    spacing_mm = float(rng.uniform(1.6, 2.1))
    drawn: dict[str, Any] = {
        "slices": int(rng.integers(8, 12)),
        "above": int(rng.integers(0, 3)),
        "pixel_spacing_mm": (spacing_mm, spacing_mm),
        "slice_spacing_mm": float(rng.uniform(8.0, 10.5)),
        "shortening_mm": float(rng.uniform(8.0, 16.0)),
        "noise": float(rng.uniform(8.0, 30.0)),
        "bias": float(rng.uniform(0.1, 0.5)),
        "rotation_deg": float(rng.uniform(-180.0, 180.0)),
        "breath_shift_mm": 3.0,
        "anatomy": Anatomy(
            size=float(rng.uniform(0.8, 1.1)),
            rv=float(rng.uniform(1.0, 1.3)),
            taper=float(rng.uniform(0.9, 1.4)),
            crescent=True,
            outflow_deg=float(rng.uniform(40.0, 100.0)),
            papillary=float(rng.uniform(0.5, 1.6)),
        ),
        "contrast": CONTRASTS[int(rng.integers(len(CONTRASTS)))],
    }
    return sax_cine(seed=seed, **{**drawn, **changes})


def _grid_mm(
    rows: int,
    cols: int,
    spacing: tuple[float, float],
    rotation_deg: float,
    place: NDArray[np.float64],
    shift: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances (y, x) in mm of pixel centres from the axis of the LV, down and right before the picture was turned."""
    moved = np.zeros(2) if shift is None else shift
    down = (np.arange(rows) - (rows - 1) / 2) * spacing[0] - moved[0]
    right = (np.arange(cols) - (cols - 1) / 2) * spacing[1] - moved[1]
    v, u = np.meshgrid(down, right, indexing="ij")
    cos, sin = np.cos(np.deg2rad(rotation_deg)), np.sin(np.deg2rad(rotation_deg))
    return cos * v - sin * u + place[0], cos * u + sin * v - 8.0 + place[1]


def _geometry(
    rows: int,
    cols: int,
    spacing: tuple[float, float],
    slices: int,
    slice_spacing_mm: float,
    rotation_deg: float,
    spacing_known: bool,
) -> Geometry:
    """The grid, turned about the frame's middle: its first pixel moves, the anatomy stays."""
    row, col = np.asarray(_unit(ROW_DIRECTION)), np.asarray(_unit_perpendicular(COL_DIRECTION, ROW_DIRECTION))
    cos, sin = np.cos(np.deg2rad(rotation_deg)), np.sin(np.deg2rad(rotation_deg))
    turned_row, turned_col = cos * row - sin * col, cos * col + sin * row
    to_middle = (row - turned_row) * (cols - 1) / 2 * spacing[1] + (col - turned_col) * (rows - 1) / 2 * spacing[0]
    return Geometry(
        rows=rows,
        cols=cols,
        pixel_spacing_mm=spacing,
        row_direction=_vector(turned_row),
        col_direction=_vector(turned_col),
        positions_mm=_positions(slices, slice_spacing_mm, to_middle),
        single_slice_spacing_mm=slice_spacing_mm,
        spacing_known=spacing_known,
    )


def _vector(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return (float(values[0]), float(values[1]), float(values[2]))


def _unit(vector: Sequence[float]) -> tuple[float, float, float]:
    v = np.asarray(vector, float)
    return _vector(v / np.linalg.norm(v))


def _unit_perpendicular(vector: Sequence[float], to: Sequence[float]) -> tuple[float, float, float]:
    u = np.asarray(_unit(to))
    v = np.asarray(vector, float)
    return _unit(v - u * float(v @ u))


def _positions(slices: int, spacing: float, moved: NDArray[np.float64]) -> tuple[tuple[float, float, float], ...]:
    """First-pixel centres, base to apex: against row x column, which points from apex to base."""
    normal = np.cross(_unit(ROW_DIRECTION), _unit_perpendicular(COL_DIRECTION, ROW_DIRECTION))
    first = np.array([-98.0, -211.0, 142.0]) + moved
    return tuple(_vector(first - normal * spacing * k) for k in range(slices))


def write_dicom_folder(
    folder: Path,
    stack: Stack,
    *,
    shuffle: int | None = None,
    series_per_slice: bool = False,
    trigger_times: bool = True,
    positions_reversed: bool = False,
    extension: str = ".dcm",
    patient_id: str = "PHANTOM01",
    series_uid: str = UID_ROOT + "7.1",
    series_description: str = "SAX cine",
    skip: Sequence[tuple[int, int]] = (),
    slope_intercept: tuple[float, float] | None = None,
    extra: dict[str, Any] | None = None,
) -> list[Path]:
    """Write a stack as classic single-frame MR files.

    Args:
        folder: Made if it is not there.
        stack: uint16 or int16 pixels.
        shuffle: Seed to shuffle file names with, or None for names in the order of InstanceNumber.
        series_per_slice: One SeriesInstanceUID per slice, as Siemens exports.
        trigger_times: Write TriggerTime; otherwise only InstanceNumber tells the phase.
        positions_reversed: Number instances from the apex instead of the base.
        extension: Of the file names, may be empty.
        patient_id: PatientID and PatientName.
        series_uid: SeriesInstanceUID (the stem of it with `series_per_slice`).
        series_description: SeriesDescription.
        skip: (phase, slice) of files to leave out.
        slope_intercept: RescaleSlope and RescaleIntercept to write; the stored values are left as they are.
        extra: More elements by keyword, written into every file.

    Returns:
        The files, in the order of InstanceNumber.
    """
    folder.mkdir(parents=True, exist_ok=True)
    order = list(range(stack.slices))[:: -1 if positions_reversed else 1]
    indices = [(phase, index) for index in order for phase in range(stack.phases)]
    names = np.arange(1, len(indices) + 1)
    if shuffle is not None:
        names = np.random.default_rng(shuffle).permutation(names)
    written = []
    for number, ((phase, index), name) in enumerate(zip(indices, names, strict=True), start=1):
        if (phase, index) in skip:
            continue
        data = _mr_dataset(stack, phase, index, number, patient_id, trigger_times)
        data.SeriesInstanceUID = f"{series_uid}.{index + 1}" if series_per_slice else series_uid
        data.SeriesNumber = 300 + (index if series_per_slice else 0)
        data.SeriesDescription = series_description
        data.SOPInstanceUID = f"{series_uid}.{number + 1000}"
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        if slope_intercept is not None:
            data.RescaleSlope, data.RescaleIntercept = (str(v) for v in slope_intercept)
        for keyword, value in (extra or {}).items():
            setattr(data, keyword, value)
        path = folder / f"{name}{extension}"
        data.save_as(path, enforce_file_format=True)
        written.append(path)
    return written


def _mr_dataset(stack: Stack, phase: int, index: int, number: int, patient_id: str, trigger_times: bool) -> FileDataset:
    g = stack.geometry
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.UID(MR_IMAGE_STORAGE)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID = MR_IMAGE_STORAGE
    data.StudyInstanceUID = UID_ROOT + "7"
    data.Modality = "MR"
    data.PatientID = data.PatientName = patient_id
    data.InstanceNumber = number
    data.Rows, data.Columns = g.rows, g.cols
    data.PixelSpacing = [f"{v:.6f}" for v in g.pixel_spacing_mm]
    data.ImageOrientationPatient = [f"{v:.6f}" for v in (*g.row_direction, *g.col_direction)]
    data.ImagePositionPatient = [f"{v:.4f}" for v in g.positions_mm[index]]
    data.SliceThickness = "8"
    if trigger_times and stack.phase_times_ms is not None:
        data.TriggerTime = f"{stack.phase_times_ms[phase]:.4f}"
    if stack.heart_rate_bpm is not None:
        data.HeartRate = int(stack.heart_rate_bpm)
    pixels = np.ascontiguousarray(stack.pixels[phase, index])
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit = 15
    data.PixelRepresentation = 1 if pixels.dtype.kind == "i" else 0
    data.PixelData = pixels.astype("<u2" if pixels.dtype.kind == "u" else "<i2").tobytes()
    return data


def ras_affine(stack: Stack, *, apex_first: bool = False) -> NDArray[np.float64]:
    """(4, 4) voxel (i = col, j = row, k = slice) to RAS matrix of a stack of evenly spaced slices."""
    g = stack.geometry
    positions = np.asarray(g.positions_mm)[:: -1 if apex_first else 1]
    lps = np.eye(4)
    lps[:3, 0] = np.asarray(g.row_direction) * g.pixel_spacing_mm[1]
    lps[:3, 1] = np.asarray(g.col_direction) * g.pixel_spacing_mm[0]
    lps[:3, 2] = (positions[-1] - positions[0]) / max(1, len(positions) - 1) if len(positions) > 1 else g.normal
    lps[:3, 3] = positions[0]
    return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps)


def voxels_of(frames: NDArray[Any], *, apex_first: bool = False) -> NDArray[Any]:
    """(phase, slice, row, col) to the (i, j, k, t) of a file."""
    ordered = frames[:, ::-1] if apex_first else frames
    return np.ascontiguousarray(ordered.transpose(3, 2, 1, 0))


def write_nifti(
    path: Path, voxels: NDArray[Any], affine: NDArray[np.float64], *, qform_code: int = 1, sform_code: int = 1
) -> Path:
    """Write (i, j, k[, t]) voxels as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(voxels, affine)
    image.set_qform(affine, qform_code)
    image.set_sform(affine, sform_code)
    nibabel.save(image, path)
    return path


def default_affine(stack: Stack) -> NDArray[np.float64]:
    """An affine of spacings without orientation, as ACDC files have it."""
    g = stack.geometry
    return np.diag([-g.pixel_spacing_mm[1], -g.pixel_spacing_mm[0], g.slice_spacing_mm, 1.0])


def write_acdc_patient(
    root: Path, phantom: Phantom, *, patient: str = "patient001", apex_first: bool = False, labels: bool = True
) -> Path:
    """Write ED and ES in ACDC's layout and codes (1 RVBP, 2 LVM, 3 LVBP); returns the patient's folder."""
    folder = root / patient
    es = phantom.es_phase
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Info.cfg").write_text(f"ED: 1\nES: {es + 1}\nGroup: NOR\nHeight: 170.0\nNbFrame: 20\nWeight: 70.0\n")
    codes = np.array([0, 3, 2, 1], np.uint8)[phantom.labels]
    affine = default_affine(phantom.stack)
    for phase in (0, es):
        stem = f"{patient}_frame{phase + 1:02d}"
        frames = voxels_of(phantom.stack.pixels[phase : phase + 1], apex_first=apex_first)
        write_nifti(folder / f"{stem}.nii.gz", frames[..., 0], affine)
        if labels:
            masks = voxels_of(codes[phase : phase + 1], apex_first=apex_first)
            write_nifti(folder / f"{stem}_gt.nii.gz", masks[..., 0], affine)
    return folder


def write_mnms_patient(
    root: Path, phantom: Phantom, *, patient: str = "A0B1C2", apex_first: bool = True, labels: bool = True
) -> Path:
    """Write ED and ES in M&Ms' layout and codes, with a header that claims 1 mm; returns the patient's folder."""
    folder = root / patient
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    for mark, phase in (("ED", 0), ("ES", phantom.es_phase)):
        frames = voxels_of(phantom.stack.pixels[phase : phase + 1], apex_first=apex_first)
        write_nifti(folder / f"{patient}_sa_{mark}.nii.gz", frames[..., 0], affine)
        if labels:
            masks = voxels_of(phantom.labels[phase : phase + 1], apex_first=apex_first)
            write_nifti(folder / f"{patient}_sa_{mark}_gt.nii.gz", masks[..., 0], affine)
    return folder
