"""Open whatever the reader pointed at: a folder or a file becomes a study."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from cmr_viewer.domain.study import Stack, Study
from cmr_viewer.errors import NotAStudyError
from cmr_viewer.load.contours import find_contours, read_sunnybrook_contours, with_contours
from cmr_viewer.load.dicom import read_dicom_files
from cmr_viewer.load.dicom_headers import looks_like_dicom
from cmr_viewer.load.itk import read_itk
from cmr_viewer.load.layouts import read_marked_file, read_patient, recognise_file, recognise_patient
from cmr_viewer.load.names import name_of
from cmr_viewer.load.nifti import read_nifti
from cmr_viewer.progress import Progress, silent

NIFTI_ENDINGS = (".nii", ".nii.gz")
ITK_ENDINGS = (".mha", ".mhd", ".nrrd", ".nhdr")


def study_name(path: Path) -> str:
    """What a study at a path is called: the folder or file name without image extensions."""
    return name_of(path)


def open_study(path: Path, progress: Progress = silent) -> Study:
    """Open a DICOM folder, an ACDC or M&Ms patient folder, or an image file.

    Args:
        path: A folder, or a `.nii`, `.nii.gz`, `.mha`, `.mhd`, `.nrrd` or DICOM file.
        progress: Told how far the work is.

    Returns:
        The study, its short-axis cine stack first, slices base to apex.

    Raises:
        NotAStudyError: There is nothing that could be a study.
        LoadError: There is, and it cannot be read.
        Cancelled: `progress` asked to stop.
    """
    if not path.exists():
        raise NotAStudyError(f"{path} does not exist. Check the path.")
    if path.is_dir():
        return _open_folder(path, progress)
    name = path.name.lower()
    if name.endswith(NIFTI_ENDINGS):
        marked = recognise_file(path)
        return read_nifti(path, progress) if marked is None else read_marked_file(marked, progress)
    if name.endswith(ITK_ENDINGS):
        return read_itk(path, progress)
    if looks_like_dicom(path):
        # One classic file is one frame: its stack is the folder that it lies in.
        return _open_folder(path.resolve().parent, progress)
    raise NotAStudyError(
        f"{path.name} is no DICOM, NIfTI, MHA or NRRD file. Open an image file or a folder of DICOM files."
    )


def _open_folder(folder: Path, progress: Progress) -> Study:
    if files := recognise_patient(folder):
        return read_patient(folder, files, progress)
    images = [p for p in sorted(folder.iterdir()) if p.name.lower().endswith((*NIFTI_ENDINGS, *ITK_ENDINGS))]
    try:
        opened = read_dicom_files(folder, progress)
    except NotAStudyError:
        if images:
            raise NotAStudyError(
                f"{folder} holds no DICOM images but {images[0].name}: open that file itself, not its folder."
            ) from None
        raise
    contours = find_contours(folder)
    if contours is None:
        return opened.study
    return with_contours(opened.study, read_sunnybrook_contours(contours, opened.study, opened.files))


def reversed_slices(study: Study) -> Study:
    """The study with the slice order of its first stack turned round; pixels are a reversed view, not a copy."""
    stack, g = study.stack, study.stack.geometry
    turned = Stack(
        pixels=stack.pixels[:, ::-1],
        geometry=replace(g, positions_mm=g.positions_mm[::-1]),
        phase_times_ms=stack.phase_times_ms,
        source_slices=stack.source_slices[::-1],
        ed_phase=stack.ed_phase,
        es_phase=stack.es_phase,
        heart_rate_bpm=stack.heart_rate_bpm,
        description=stack.description,
    )
    reference = None if study.reference is None else np.asarray(study.reference[:, ::-1])
    return replace(study, stacks=(turned, *study.stacks[1:]), reference=reference)
