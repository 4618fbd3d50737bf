"""The label maps of the phantom in every form that other programs keep them in."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray
from pydicom.dataset import FileDataset

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.study import Study
from cmr_viewer.export.contours import contours_of, write_contours_json
from cmr_viewer.load.labels.meaning import CodeScheme
from tests.load.matrix.form import COLS, PHASES, ROWS, SLICES, known
from tests.phantom import ras_affine, voxels_of, write_nifti
from tests.phantom_contours import LV, MYO, RV, uid_of, write_cvi42, write_rtstruct, write_seg
from tests.phantom_dicom import mirrored, write_frames

Points = list[tuple[float, float]]
BOTH = (Label.LVBP, Label.LVM)
ALL = (Label.LVBP, Label.LVM, Label.RVBP)
ACDC = np.array([0, 3, 2, 1], np.uint8)
OWN = np.arange(4, dtype=np.uint8)


@dataclass(frozen=True)
class LabelForm:
    """A form in which label maps come.

    Attributes:
        name: As in the table of docs/loading/README.md.
        write: Given an empty folder and the study, writes label maps of all phases; what to open.
        codes: What the reader says of the codes.
        labels: The structures that the form can hold.
        everywhere: Whether the form speaks of frames without any structure too.
        notes: What a reader must get as notes, as regular expressions.
        stored: "rows" or "cols" for images that are stored with these the other way round.
    """

    name: str
    write: Callable[[Path, Study], Path]
    codes: CodeScheme = "auto"
    labels: tuple[Label, ...] = ALL
    everywhere: bool = False
    stored: str = ""
    notes: tuple[str, ...] = ()


def write_images(folder: Path, *, stored: str = "") -> Path:
    """The study that the labels are of: one DICOM file for each frame, numbered slice by slice.

    Args:
        folder: Gets the files.
        stored: "rows" or "cols" to store these the other way round.
    """

    def named(data: FileDataset, phase: int, index: int) -> None:
        data.SOPInstanceUID = uid_of(phase, index)

    stack = mirrored(known().stack, stored) if stored else known().stack
    for path in write_frames(folder, stack, series="1", change=named):
        path.rename(folder / f"{int(path.stem.split('-')[1])}.dcm")
    return folder


def outline(mask: NDArray[np.bool_]) -> Points:
    """(x, y) points of one closed line around the pixels of a mask, along their edges.

    It goes from run to run of each row by way of the left edge of the frame, there and back, so that by the even-odd
    rule the pixels of the mask are inside and no others.
    """
    points: Points = []
    for row in np.flatnonzero(mask.any(axis=1)):
        edges = np.flatnonzero(np.diff(np.pad(mask[row].astype(int), 1)))
        for first, end in edges.reshape(-1, 2) - 0.5:
            top, bottom = row - 0.5, row + 0.5
            run = [(first, top), (end, top), (end, bottom), (first, bottom), (first, top)]
            points += [(-0.5, top), *run, (-0.5, top)]
    return [(float(x), float(y)) for x, y in points]


def drawn(phase: int, index: int) -> dict[Label, Points]:
    """Endocardium, epicardium and right ventricle of a frame, those that are there."""
    labels = known().labels[phase, index]
    masks = {
        Label.LVBP: labels == Label.LVBP,
        Label.LVM: np.isin(labels, BOTH),
        Label.RVBP: labels == Label.RVBP,
    }
    return {label: outline(mask) for label, mask in masks.items() if (labels == label).any()}


def frames() -> list[tuple[int, int]]:
    """(phase, slice) of all frames."""
    return [(phase, index) for phase in range(PHASES) for index in range(SLICES)]


def _sunnybrook(folder: Path, study: Study) -> Path:
    """Text files, the first pixel centre at (1, 1), named by the number of the image."""
    folder.mkdir()
    for phase, index in frames():
        for label, points in drawn(phase, index).items():
            if label != Label.RVBP:
                number, kind = 1 + phase + index * PHASES, "i" if label == Label.LVBP else "o"
                text = "".join(f"{x + 1:.2f} {y + 1:.2f}\n" for x, y in points)
                (folder / f"IM-0001-{number:04d}-{kind}contour-manual.txt").write_text(text, encoding="ascii")
    return folder


def _cvi42(turned: bool, name: str = "study.cvi42wsx", packed: bool = False) -> Callable[[Path, Study], Path]:
    """A workspace; its points are in the image of the file, whose columns may run the other way."""
    names = {Label.LVBP: LV, Label.LVM: MYO, Label.RVBP: RV}

    def in_file(points: Points) -> Points:
        return [(COLS - 1 - x, y) for x, y in points] if turned else points

    def write(folder: Path, study: Study) -> Path:
        folder.mkdir()
        contours: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]] = {
            uid_of(p, s): {names[label]: in_file(points) for label, points in drawn(p, s).items()} for p, s in frames()
        }
        path = write_cvi42(folder / name, contours)
        return Path(shutil.make_archive(str(folder.with_name("packed")), "zip", folder)) if packed else path

    return write


def _rtstruct(
    references: bool, named: Sequence[str] = ("LV endocardium", "LV epicardium", "RV endocardium")
) -> Callable[[Path, Study], Path]:
    names = dict(zip(ALL, named, strict=True))

    def write(folder: Path, study: Study) -> Path:
        folder.mkdir()
        contours = [(names[label], p, s, points) for p, s in frames() for label, points in drawn(p, s).items()]
        return write_rtstruct(folder / "contours.dcm", study, contours, references=references)

    return write


def _seg(kind: str, inside: int = 160, **options: Any) -> Callable[[Path, Study], Path]:
    def write(folder: Path, study: Study) -> Path:
        folder.mkdir()
        labels, masks = known().labels, {}
        for phase, index in frames():
            if kind == "LABELMAP":
                masks[0, phase, index] = labels[phase, index]
                continue
            for label in ALL:
                mask = (labels[phase, index] == label) * (inside if kind == "FRACTIONAL" else 1)
                masks[int(label), phase, index] = mask.astype(np.uint8)
        return write_seg(folder / "labels.dcm", study, masks, kind=kind, **options)

    return write


def nifti(codes: NDArray[np.uint8], names: Mapping[str, int] | None = None) -> Callable[[Path, Study], Path]:
    """A label map of all phases in some codes, its slices from the apex and its rows from bottom to top."""

    def write(folder: Path, study: Study) -> Path:
        folder.mkdir()
        if names is not None:
            (folder / "dataset.json").write_text(json.dumps({"labels": names}), encoding="utf-8")
        voxels = np.ascontiguousarray(voxels_of(codes[known().labels], apex_first=True)[:, ::-1])
        affine = ras_affine(known().stack, apex_first=True)
        affine[:3, 3] += affine[:3, 1] * (ROWS - 1)
        affine[:3, 1] *= -1
        return write_nifti(folder / "labels.nii.gz", voxels, affine)

    return write


def _without_place(folder: Path, study: Study) -> Path:
    """A label map saved with an identity in place of its affine."""
    return write_nifti(folder / "labels.nii.gz", voxels_of(known().labels), np.eye(4))


def _rounded(folder: Path, study: Study) -> Path:
    """Codes under a scale whose rounding makes 1.0000153 of 1."""
    codes = voxels_of(known().labels).astype(np.float32) * np.float32(1.0000153)
    return write_nifti(folder / "labels.nii.gz", codes, ras_affine(known().stack))


def _itk(name: str, fields: Mapping[str, str] | None = None) -> Callable[[Path, Study], Path]:
    def write(folder: Path, study: Study) -> Path:
        folder.mkdir()
        g, phases = known().stack.geometry, []
        for labels in known().labels:
            image = sitk.GetImageFromArray(labels)
            columns = [np.asarray(g.row_direction), np.asarray(g.col_direction), -g.normal]
            image.SetDirection(np.stack(columns, axis=1).ravel().tolist())
            image.SetOrigin(g.positions_mm[0])
            image.SetSpacing((g.pixel_spacing_mm[1], g.pixel_spacing_mm[0], g.slice_spacing_mm))
            phases.append(image)
        joined = sitk.JoinSeries(phases)
        sitk.WriteImage(joined, str(folder / name))
        return folder / name

    return write


def _exported_contours(folder: Path, study: Study) -> Path:
    """Contours as this program exports them."""
    folder.mkdir()
    contours = contours_of(known().labels, study.stack)
    write_contours_json(folder / "contours.json", contours, study.stack, {})
    return folder / "contours.json"


_TURNED = np.array([0, 2, 1, 3], np.uint8)
"""Codes against where the structures lie, so that only names can be believed."""

LABEL_FORMS = [
    LabelForm("Sunnybrook contours", _sunnybrook, labels=BOTH),
    LabelForm("cvi42 workspace", _cvi42(False)),
    LabelForm("cvi42 workspace named .xml", _cvi42(False, "workspace.xml")),
    LabelForm("cvi42 workspace named .xml, in a zip archive", _cvi42(False, "workspace.xml", packed=True)),
    LabelForm("RTSTRUCT, images named", _rtstruct(True)),
    LabelForm("RTSTRUCT, names of radiotherapy", _rtstruct(True, ("Ventricle_L", "Myocardium_L", "Ventricle_R"))),
    LabelForm("DICOM SEG, binary, images named", _seg("BINARY"), everywhere=True),
    LabelForm("DICOM SEG, binary, by position and temporal position", _seg(
        "BINARY", references=False, temporal=True), everywhere=True),
    LabelForm("DICOM SEG, fractional", _seg("FRACTIONAL"), everywhere=True, notes=("100 or more, of 200",)),
    LabelForm("DICOM SEG, fractional, values 0 and 1 under a maximum of 255", _seg(
        "FRACTIONAL", inside=1, changes={"MaximumFractionalValue": 255}), everywhere=True,
        notes=("stated maximum of 255 and a largest value of 1",)),
    LabelForm("DICOM SEG, label map", _seg("LABELMAP"), everywhere=True),
    LabelForm("cvi42 workspace, images stored with reversed columns", _cvi42(True), stored="cols"),
    LabelForm("DICOM SEG, by position, images stored with reversed rows", _seg(
        "BINARY", references=False, temporal=True), stored="rows", everywhere=True),
    LabelForm("NIfTI label map, own codes", nifti(OWN), codes="own", everywhere=True),
    LabelForm("NIfTI label map, codes of M&Ms", nifti(OWN), codes="mnms", everywhere=True),
    LabelForm("NIfTI label map, codes of ACDC", nifti(ACDC), codes="acdc", everywhere=True),
    LabelForm("NIfTI label map, own codes, detected", nifti(OWN), everywhere=True),
    LabelForm("NIfTI label map, codes of ACDC, detected", nifti(ACDC), everywhere=True),
    LabelForm("NIfTI label map, codes named by nnU-Net", nifti(
        _TURNED, {"background": 0, "LV": 2, "MYO": 1, "RV": 3}), everywhere=True),
    LabelForm("NIfTI label map, without a position", _without_place, everywhere=True,
        notes=("laid over them voxel by voxel",)),
    LabelForm("NIfTI label map, codes off by rounding", _rounded, everywhere=True),
    LabelForm("NRRD label map", _itk("labels.nrrd"), everywhere=True),
    LabelForm("MHA label map", _itk("labels.mha"), everywhere=True),
    LabelForm("contours.json of this program's export", _exported_contours),
]  # fmt: skip
