"""The one entry for label maps and contours of other programs: whatever file it is, its labels on a study."""

from pathlib import Path

from cmr_viewer.domain.study import Study
from cmr_viewer.errors import LabelMapError, LoadError
from cmr_viewer.load.dicom.scan import looks_like_dicom
from cmr_viewer.load.labels.codes import Codes, CodeScheme
from cmr_viewer.load.labels.cvi42 import ENDING as CVI42_ENDING
from cmr_viewer.load.labels.cvi42 import read_cvi42
from cmr_viewer.load.labels.dicom_objects import class_of
from cmr_viewer.load.labels.imported import ImportedLabels
from cmr_viewer.load.labels.rtstruct import STRUCTURE_SET_CLASS, read_rtstruct
from cmr_viewer.load.labels.seg import SEGMENTATION_CLASSES, read_dicom_seg
from cmr_viewer.load.labels.sunnybrook import contour_folder, read_sunnybrook_labels
from cmr_viewer.load.labels.volumes import VOLUME_ENDINGS, read_label_volume
from cmr_viewer.progress import Progress, part, silent

_KINDS = (
    "Known are label maps (NIfTI, NRRD, MHA), DICOM SEG and RTSTRUCT, cvi42 workspaces as XML (*.cvi42wsx), and "
    "folders of Sunnybrook contours."
)
_CVI42_BINARY = ".cvi42ws"


def read_labels(
    path: Path,
    study: Study,
    codes: CodeScheme | Codes = "auto",
    phase: int | None = None,
    progress: Progress = silent,
) -> ImportedLabels:
    """Label maps of a study from a file or folder of another program.

    Args:
        path: A label map (NIfTI, NRRD, MHA), a DICOM SEG or RTSTRUCT object, a cvi42 workspace (.cvi42wsx, or a .zip
            that holds one), or a folder of Sunnybrook contours or of one such file.
        study: The study that they belong to, as it was opened.
        codes: What the numbers of a label map mean: "own" and "mnms" (1 LVBP, 2 LVM, 3 RVBP), "acdc" (1 RVBP, 2 LVM,
            3 LVBP), a mapping, or "auto" for the names kept with them (nnU-Net's `dataset.json`, 3D Slicer's
            segments), or else by where the structures lie.
        phase: The phase that labels belong to where the file holds one phase and does not say which; 0 is the first.
        progress: Told how far the work is.

    Returns:
        Label maps in the study's order of phases and slices, what is stated where, and where they come from.

    Raises:
        LoadError: The file cannot be read, or is of no known kind.
        UnknownCodesError: Nothing tells what its numbers mean; `codes` would.
        UnknownPhaseError: Nothing tells which phase it belongs to; `phase` would.
        LabelMapError: Its labels do not belong to this study; the message says what to do.
        Cancelled: `progress` asked to stop.
    """
    progress(0.0, f"Reading {path.name}")
    if path.is_dir():
        return _read_folder(path, study, codes, phase, progress)
    if not path.is_file():
        raise LoadError(f"{path.name} is not there. Check the path.")
    name = path.name.lower()
    if name.endswith(VOLUME_ENDINGS):
        return read_label_volume(path, study, codes, phase, progress)
    if name.endswith((CVI42_ENDING, ".zip", ".xml")):
        return read_cvi42(path, study, progress)
    if name.endswith(_CVI42_BINARY):
        raise LoadError(f"{path.name} is a binary cvi42 workspace. Export it from cvi42 as XML (*{CVI42_ENDING}).")
    if looks_like_dicom(path):
        kind = class_of(path)
        if kind in SEGMENTATION_CLASSES:
            return read_dicom_seg(path, study, phase, progress)
        if kind == STRUCTURE_SET_CLASS:
            return read_rtstruct(path, study, phase, progress)
        raise LoadError(f"{path.name} is a DICOM file without segments or contours that are known. {_KINDS}")
    if name.endswith(".txt") and contour_folder(path.parent) is not None:
        return read_sunnybrook_labels(path.parent, study, progress)
    raise LoadError(f"{path.name} is of no known kind. {_KINDS}")


def _read_folder(
    folder: Path, study: Study, codes: CodeScheme | Codes, phase: int | None, progress: Progress
) -> ImportedLabels:
    if (contours := contour_folder(folder)) is not None:
        return read_sunnybrook_labels(contours, study, progress)
    files, inside = [], sorted(folder.iterdir())
    for number, path in enumerate(inside):
        progress(0.3 * number / len(inside), f"Looking for label maps in {folder.name}")
        if path.is_file() and _may_hold_labels(path):
            files.append(path)
    if len(files) == 1:
        return read_labels(files[0], study, codes, phase, part(progress, 0.3, 1.0))
    if not files:
        raise LoadError(f"{folder.name} holds no label maps or contours. {_KINDS}")
    raise LabelMapError(f"{folder.name} holds {len(files)} files of labels, such as {files[0].name}. Open one of them.")


def _may_hold_labels(path: Path) -> bool:
    if path.name.lower().endswith((*VOLUME_ENDINGS, CVI42_ENDING)):
        return True
    return looks_like_dicom(path) and class_of(path) in (*SEGMENTATION_CLASSES, STRUCTURE_SET_CLASS)
