"""A synthetic short-axis cine with known volumes, and writers of the file layouts that the program reads.

The heart of the phantom is an idealised one. With s = 0 at the base plane and 1 at the epicardial apex, lengths in mm:

    epicardium of the LV    disc of radius R(s) = R0 sqrt(1 - s^2)                    (half an ellipsoid)
    endocardium of the LV   disc of radius r(s) = r0 sqrt(1 - (s / 0.9)^2), s < 0.9
    RV blood pool           annular sector around the epicardium: angles within 60 degrees of the image's left side,
                            from R(s) to R(s) + W(s), W(s) = W0 (1 - s / 0.8), s < 0.8

A slice belongs to the heart at a phase if its centre lies at or below the base plane and above the apex. From ED to
ES the base plane moves towards the apex by `shortening_mm`, r0 and W0 shrink, and R0 keeps the volume of myocardium
about alike. `areas_mm2` gives the exact area of each structure of a slice, and `volume_ml` adds them up as discs, so
that label maps of the phantom agree with it to within the pixels on the outlines. Papillary muscles are dark in the
images and belong to the LVBP.
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

MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"
UID_ROOT = "1.2.826.0.1.3680043.8.498."

ROW_DIRECTION = (0.77038, 0.618446, 0.155046)
COL_DIRECTION = (-0.15161, 0.41389, -0.897613)
"""Directions of a real short-axis stack; row x column points from apex to base."""

LV_R0_ED_MM, LV_R0_ES_MM = 25.0, 16.0
EPI_R0_ED_MM, EPI_R0_ES_MM = 34.0, 32.0
RV_W0_ED_MM, RV_W0_ES_MM = 24.0, 14.0
RV_HALF_ANGLE = np.deg2rad(60.0)
ENDO_END, RV_END = 0.9, 0.8


@dataclass(frozen=True, eq=False)
class Phantom:
    """A stack and what is true of it.

    Attributes:
        stack: The stack, with phase times; ED is phase 0.
        labels: (phase, slice, row, col) uint8 of `Label`.
        areas_mm2: (phase, slice, 4) exact area of each `Label` of the idealised heart; 0 for background.
        first_cardiac: Per phase: the most basal slice of the heart.
        last_cardiac: Per phase: its most apical slice.
    """

    stack: Stack
    labels: NDArray[np.uint8]
    areas_mm2: NDArray[np.float64]
    first_cardiac: tuple[int, ...]
    last_cardiac: tuple[int, ...]

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
        seed: Of the noise and the place of the heart.
        spacing_known: As in `Geometry`.
        dtype: Of the pixels.
    """
    rng = np.random.default_rng(seed)
    amount = contraction(phases)
    z = (np.arange(slices) - above) * slice_spacing_mm
    apex_mm = (slices - above - below - 0.5) * slice_spacing_mm
    areas = np.zeros((phases, slices, 4))
    labels = np.zeros((phases, slices, rows, cols), np.uint8)
    pixels = np.zeros((phases, slices, rows, cols), np.float64)
    y, x = _grid_mm(rows, cols, pixel_spacing_mm, rng)
    bias = 1.0 + 0.25 * np.sin(y / 90.0 + 0.4) * np.cos(x / 110.0)
    texture = rng.normal(0.0, 1.0, (slices, rows, cols))
    for phase, a in enumerate(amount):
        base_mm = -0.25 * slice_spacing_mm + a * shortening_mm
        for index in range(slices):
            s = (z[index] - base_mm) / (apex_mm - base_mm)
            shape = _Shape.at(float(s), float(a))
            labels[phase, index] = shape.labels(y, x)
            areas[phase, index] = shape.areas_mm2()
            pixels[phase, index] = _intensity(labels[phase, index], shape, y, x, float(s), float(a))
    pixels = pixels * bias + noise * texture + rng.normal(0.0, noise, pixels.shape)
    geometry = Geometry(
        rows=rows,
        cols=cols,
        pixel_spacing_mm=pixel_spacing_mm,
        row_direction=_unit(ROW_DIRECTION),
        col_direction=_unit_perpendicular(COL_DIRECTION, ROW_DIRECTION),
        positions_mm=_positions(slices, slice_spacing_mm),
        single_slice_spacing_mm=slice_spacing_mm,
        spacing_known=spacing_known,
    )
    times = tuple(float(t) for t in np.arange(phases) * 800.0 / phases)
    stack = Stack(
        np.clip(np.rint(pixels), 0, 4000).astype(dtype), geometry, times, heart_rate_bpm=75.0, description="SAX phantom"
    )
    present = labels.any(axis=(2, 3))
    first = tuple(int(np.flatnonzero(p)[0]) for p in present)
    last = tuple(int(np.flatnonzero(p)[-1]) for p in present)
    return Phantom(stack, labels, areas, first, last)


def _grid_mm(
    rows: int, cols: int, spacing: tuple[float, float], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances (y down, x right) in mm of pixel centres from the axis of the LV, near the middle of the frame."""
    shift = rng.uniform(-3.0, 3.0, 2)
    y = (np.arange(rows) - (rows - 1) / 2) * spacing[0] + shift[0]
    x = (np.arange(cols) - (cols - 1) / 2) * spacing[1] - 8.0 + shift[1]
    return np.meshgrid(y, x, indexing="ij")


@dataclass(frozen=True)
class _Shape:
    """Outlines in one slice, in mm; all 0 outside the heart."""

    endo: float
    epi: float
    rv: float

    @classmethod
    def at(cls, s: float, a: float) -> "_Shape":
        if not 0.0 <= s < 1.0:
            return cls(0.0, 0.0, 0.0)
        r0 = LV_R0_ED_MM + a * (LV_R0_ES_MM - LV_R0_ED_MM)
        e0 = EPI_R0_ED_MM + a * (EPI_R0_ES_MM - EPI_R0_ED_MM)
        w0 = RV_W0_ED_MM + a * (RV_W0_ES_MM - RV_W0_ED_MM)
        return cls(
            endo=r0 * float(np.sqrt(max(0.0, 1.0 - (s / ENDO_END) ** 2))),
            epi=e0 * float(np.sqrt(1.0 - s**2)),
            rv=w0 * max(0.0, 1.0 - s / RV_END),
        )

    def labels(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.uint8]:
        radius, angle = np.hypot(y, x), np.abs(np.arctan2(y, -x))
        result = np.zeros(y.shape, np.uint8)
        result[(radius < self.epi + self.rv) & (angle < RV_HALF_ANGLE)] = Label.RVBP
        result[radius < self.epi] = Label.LVM
        result[radius < self.endo] = Label.LVBP
        return result

    def areas_mm2(self) -> NDArray[np.float64]:
        lvbp = np.pi * self.endo**2
        lvm = np.pi * self.epi**2 - lvbp
        rvbp = RV_HALF_ANGLE * ((self.epi + self.rv) ** 2 - self.epi**2)
        return np.array([0.0, lvbp, lvm, rvbp])


def _intensity(
    labels: NDArray[np.uint8], shape: _Shape, y: NDArray[np.float64], x: NDArray[np.float64], s: float, a: float
) -> NDArray[np.float64]:
    """Plausible balanced-SSFP intensities: bright blood and fat, grey muscle, dark lung."""
    image = np.full(labels.shape, 60.0)
    body = (x / 75.0) ** 2 + (y / 82.0) ** 2
    image[(body > 0.72) & (body < 1.0)] = 520.0
    image[(body <= 0.72) & (y > 38.0)] = 210.0
    image[np.array([0.0, 700.0, 170.0, 680.0])[labels] > 0] = 0.0
    image += np.array([0.0, 700.0, 170.0, 680.0])[labels]
    if s < 0.0:
        # Above the valves: great vessels and atria, bright and hardly beating.
        image[np.hypot(y - 4.0, x + 4.0) < 17.0] = 650.0
        image[np.hypot(y + 26.0, x + 22.0) < 13.0] = 640.0
    elif s >= 1.0:
        image[np.hypot(y - 20.0, x) < 30.0] = 260.0
    elif shape.endo > 8.0 and 0.2 < s < 0.75:
        for angle in (0.6, 2.4):
            centre = 0.68 * shape.endo
            image[np.hypot(y - centre * np.sin(angle), x - centre * np.cos(angle)) < 3.0 + a] = 200.0
    return image


def _unit(vector: Sequence[float]) -> tuple[float, float, float]:
    v = np.asarray(vector, float)
    v = v / np.linalg.norm(v)
    return (float(v[0]), float(v[1]), float(v[2]))


def _unit_perpendicular(vector: Sequence[float], to: Sequence[float]) -> tuple[float, float, float]:
    u = np.asarray(_unit(to))
    v = np.asarray(vector, float)
    return _unit(v - u * float(v @ u))


def _positions(slices: int, spacing: float) -> tuple[tuple[float, float, float], ...]:
    """First-pixel centres, base to apex: against row x column, which points from apex to base."""
    normal = np.cross(_unit(ROW_DIRECTION), _unit_perpendicular(COL_DIRECTION, ROW_DIRECTION))
    first = np.array([-98.0, -211.0, 142.0])
    points = [first - normal * spacing * k for k in range(slices)]
    return tuple((float(p[0]), float(p[1]), float(p[2])) for p in points)


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
