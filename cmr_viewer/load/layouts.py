"""Patient folders of the ACDC and M&Ms sets: ED and ES frames as separate NIfTI files, label maps beside them.

ACDC:  patient001/Info.cfg, patient001_frame01.nii.gz, patient001_frame01_gt.nii.gz, ...
M&Ms:  A0S9V9/A0S9V9_sa_ED.nii.gz, A0S9V9_sa_ED_gt.nii.gz, A0S9V9_sa_ES.nii.gz, ...
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, as_label_map, translate_codes
from cmr_viewer.domain.study import Study
from cmr_viewer.errors import LoadError
from cmr_viewer.load.names import patient_key_of
from cmr_viewer.load.nifti import Volume, read_nifti_labels, read_volume, study_of_volume
from cmr_viewer.progress import Progress, silent

ACDC_CODES = {1: Label.RVBP, 2: Label.LVM, 3: Label.LVBP}
"""Label codes of ACDC (Bernard et al. 2018, IEEE TMI 37:2514)."""

_ACDC_FRAME = re.compile(r"(?P<patient>patient\d+)_frame(?P<frame>\d+)\.nii(\.gz)?", re.IGNORECASE)
_MNMS_FRAME = re.compile(r"(?P<patient>[A-Za-z0-9]+)_sa_(?P<mark>ED|ES)\.nii(\.gz)?", re.IGNORECASE)


@dataclass(frozen=True)
class MarkedFile:
    """An image file of one phase.

    Attributes:
        image: The image.
        labels: The label file beside it, or None.
        mark: "ED", "ES", or "" where nothing tells.
        patient: The patient's pseudonym.
        layout: "acdc" or "mnms".
    """

    image: Path
    labels: Path | None
    mark: str
    patient: str
    layout: str


def recognise_file(path: Path) -> MarkedFile | None:
    """What an image file's name says, or None if it follows neither layout."""
    if match := _ACDC_FRAME.fullmatch(path.name):
        marks = _acdc_marks(path.parent / "Info.cfg")
        mark = marks.get(int(match["frame"]), "")
        return MarkedFile(path, _labels_beside(path), mark, match["patient"], "acdc")
    if match := _MNMS_FRAME.fullmatch(path.name):
        return MarkedFile(path, _labels_beside(path), match["mark"].upper(), match["patient"], "mnms")
    return None


def recognise_patient(folder: Path) -> list[MarkedFile]:
    """ED and ES files of a patient folder in time order.

    Empty if the folder follows neither layout or holds several patients.
    """
    found = [marked for path in sorted(folder.glob("*.nii*")) if (marked := recognise_file(path)) is not None]
    found = [marked for marked in found if marked.mark]
    if len({(marked.patient, marked.layout) for marked in found}) != 1:
        return []
    found.sort(key=lambda marked: marked.mark)
    return found if len({marked.mark for marked in found}) == len(found) else []


def _labels_beside(image: Path) -> Path | None:
    name = image.name
    stem = name[: -len("".join(Path(name).suffixes))] if name.lower().endswith(".nii") else name[: -len(".nii.gz")]
    for ending in (".nii.gz", ".nii"):
        if (candidate := image.with_name(f"{stem}_gt{ending}")).is_file():
            return candidate
    return None


def _acdc_marks(info: Path) -> dict[int, str]:
    """Frame number to "ED" or "ES" from an `Info.cfg`; empty where it is not there or cannot be read."""
    try:
        text = info.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return {int(number): mark for mark, number in re.findall(r"^\s*(ED|ES)\s*:\s*(\d+)\s*$", text, re.MULTILINE)}


def read_patient(folder: Path, files: list[MarkedFile], progress: Progress = silent) -> Study:
    """Open the ED and ES files of a patient as one study whose phases they are.

    Args:
        folder: The patient's folder.
        files: From `recognise_patient`.
        progress: Told how far the work is.

    Raises:
        LoadError: A file cannot be read, or ED and ES do not lie on the same grid.
        LabelMapError: Label maps do not fit.
        Cancelled: `progress` asked to stop.
    """
    volumes = []
    for number, marked in enumerate(files):
        progress(number / (len(files) + 1), f"Reading {marked.image.name}")
        volumes.append(read_volume(marked.image))
    first = volumes[0]
    for volume, marked in zip(volumes, files, strict=True):
        same = volume.voxels.shape[:3] == first.voxels.shape[:3] and np.allclose(volume.affine, first.affine, atol=1e-3)
        if not same or volume.voxels.shape[3] != 1:
            names = f"{files[0].image.name} and {marked.image.name}"
            raise LoadError(f"{names} do not lie on the same grid. Open them one by one.")
    joined = Volume(
        np.concatenate([volume.voxels for volume in volumes], axis=3),
        first.affine,
        tuple(warning for volume in volumes for warning in volume.warnings),
    )
    progress(0.8, f"Ordering slices of {folder.name}")
    return _with_marks(study_of_volume(joined, folder, format_name="NIfTI"), files)


def read_marked_file(marked: MarkedFile, progress: Progress = silent) -> Study:
    """Open one file of a recognised layout, with ED or ES and its label map where they are known.

    The file of the other phase, where it lies beside this one, helps to find the base and is not otherwise used.

    Raises:
        LoadError: The file cannot be read.
        LabelMapError: The label map beside it does not fit.
        Cancelled: `progress` asked to stop.
    """
    progress(0.0, f"Reading {marked.image.name}")
    volume = read_volume(marked.image)
    if volume.voxels.shape[3] != 1:
        return study_of_volume(volume, marked.image, format_name="NIfTI")
    pair = [volume] + [read_volume(other.image) for other in recognise_patient(marked.image.parent) if other != marked]
    same = all(other.voxels.shape == volume.voxels.shape for other in pair)
    both = np.concatenate([other.voxels for other in pair], axis=3) if same else None
    progress(0.8, f"Ordering slices of {marked.image.name}")
    return _with_marks(study_of_volume(volume, marked.image, format_name="NIfTI", judged_by=both), [marked])


def _with_marks(study: Study, files: list[MarkedFile]) -> Study:
    """Add ED and ES, patient and reference label maps; one file per phase."""
    marks = [marked.mark for marked in files]
    stack = replace(
        study.stack,
        ed_phase=marks.index("ED") if "ED" in marks else None,
        es_phase=marks.index("ES") if "ES" in marks else None,
    )
    study = replace(study, stacks=(stack,), patient_key=patient_key_of(f"{files[0].layout}/{files[0].patient}"))
    labelled = tuple(phase for phase, marked in enumerate(files) if marked.labels is not None)
    if not labelled:
        return study
    reference = np.zeros(stack.pixels.shape, dtype=np.uint8)
    for phase in labelled:
        reference[phase] = _read_labels(files[phase], study)
    return replace(study, reference=reference, reference_phases=labelled)


def _read_labels(marked: MarkedFile, study: Study) -> LabelMap:
    """(slice, row, col) label map beside an image, in the program's codes."""
    if marked.labels is None:
        raise LoadError(f"{marked.image.name} has no label map beside it.")
    codes = read_nifti_labels(marked.labels, study)[0]
    return translate_codes(codes, ACDC_CODES) if marked.layout == "acdc" else as_label_map(codes)
