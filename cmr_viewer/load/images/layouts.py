"""Image files as studies, and patient folders of ACDC and M&Ms: ED, ES and the cine as files, label maps beside them.

ACDC:    patient001/Info.cfg, patient001_4d.nii.gz, patient001_frame01.nii.gz, patient001_frame01_gt.nii.gz, ...
M&Ms:    A0S9V9/A0S9V9_sa.nii.gz, A0S9V9_sa_gt.nii.gz (label maps at ED and ES only),
         or A0S9V9_sa_ED.nii.gz, A0S9V9_sa_ED_gt.nii.gz, A0S9V9_sa_ES.nii.gz, ...
M&Ms-2:  001/001_SA_CINE.nii.gz, 001_SA_ED.nii.gz, 001_SA_ED_gt.nii.gz, ..., and 001_LA_... of a long-axis view

If there is a cine, it is opened, with ED, ES and their label maps at their phases. Otherwise ED and ES are the only
phases.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, as_label_map, translate_codes
from cmr_viewer.domain.notes import Code, Note, counted
from cmr_viewer.domain.patient import UNKNOWN_PATIENT
from cmr_viewer.domain.patient_key import is_identifier, patient_key_at, patient_key_of
from cmr_viewer.domain.study import LongAxisView, Study
from cmr_viewer.errors import GeometryError, LabelMapError, LoadError
from cmr_viewer.load.images.itk import read_itk_volume
from cmr_viewer.load.images.nifti import read_nifti_labels, read_volume
from cmr_viewer.load.images.volume import Volume, study_of_volume
from cmr_viewer.load.names import (
    ACDC_CODES,
    CINE,
    ITK_ENDINGS,
    MarkedFile,
    acdc_marks,
    acdc_patient,
    files_beside,
    recognise_file,
)
from cmr_viewer.progress import Progress, silent


def read_patient(
    folder: Path, files: list[MarkedFile], progress: Progress = silent, slice_axis: int | None = None
) -> Study:
    """Open the files of a patient as one study: the cine, or else ED and ES as its phases.

    Args:
        folder: The patient's folder.
        files: From `recognise_patient`.
        progress: Called with how far the work is.
        slice_axis: The axis that the slices lie along, 0 to 2, where a reader chose it; None to find it.

    Raises:
        LoadError: A file cannot be read, or ED and ES have different grids.
        LabelMapError: Label maps do not fit.
        Cancelled: `progress` asked to stop.
    """
    if files[0].mark == CINE:
        return _read_cine(folder, files[0], files[1:], progress, slice_axis)
    return _read_frames(folder, files, progress, slice_axis)


def _read_frames(folder: Path, files: list[MarkedFile], progress: Progress, slice_axis: int | None) -> Study:
    volumes = []
    for number, marked in enumerate(files):
        progress(number / (len(files) + 1), f"Reading {marked.image.name}")
        volumes.append(read_volume(marked.image))
    first = volumes[0]
    for volume, marked in zip(volumes, files, strict=True):
        same = volume.voxels.shape[:3] == first.voxels.shape[:3] and np.allclose(volume.affine, first.affine, atol=1e-3)
        if not same or volume.voxels.shape[3] != 1:
            names = f"{files[0].image.name} and {marked.image.name}"
            raise LoadError(f"{names} have different grids. Open them one at a time.")
    joined = replace(
        first,
        voxels=np.concatenate([volume.voxels for volume in volumes], axis=3),
        warnings=tuple(dict.fromkeys(warning for volume in volumes for warning in volume.warnings)),
    )
    progress(0.8, f"Ordering slices of {folder.name}")
    return _with_marks(study_of_volume(joined, folder, format_name="NIfTI", slice_axis=slice_axis), files)


def _read_cine(
    source: Path, cine: MarkedFile, frames: list[MarkedFile], progress: Progress, slice_axis: int | None
) -> Study:
    """Open a cine with ED, ES and label maps at their phases.

    Frames that do not belong to the cine are left out with a note; without a usable cine they are opened instead.
    """
    progress(0.0, f"Reading {cine.image.name}")
    try:
        volume = read_volume(cine.image)
    except LoadError as error:
        if not frames:
            raise
        study = _read_frames(source, frames, progress, slice_axis)
        note = Note(f"Only ED and ES are open. {error}", Code.FILES_UNREADABLE)
        return replace(study, warnings=(*study.warnings, note))
    if volume.voxels.shape[3] == 1 and frames:
        return _read_frames(source, frames, progress, slice_axis)
    progress(0.7, f"Ordering slices of {cine.image.name}")
    study = study_of_volume(volume, source, format_name="NIfTI", slice_axis=slice_axis)
    study = replace(study, **_patient(cine))
    placed, notes = _phases_in(volume, cine, frames)
    study = _with_labels(study, cine, placed)
    views, more = _long_axis(cine)
    return replace(study, long_axis=views, warnings=(*study.warnings, *notes, *more))


def _phases_in(volume: Volume, cine: MarkedFile, frames: list[MarkedFile]) -> tuple[dict[int, MarkedFile], list[Note]]:
    """Which phase of a cine each of the frames is: the one that its name gives, or else the one with its voxels."""
    placed: dict[int, MarkedFile] = {}
    notes = []
    phases = volume.voxels.shape[3]
    for marked in frames:
        try:
            voxels = read_volume(marked.image).voxels
        except LoadError as error:
            notes.append(Note(f"Left out {marked.image.name}. {error}", Code.FILES_UNREADABLE))
            continue
        named = marked.frame - 1 if marked.frame is not None and 1 <= marked.frame <= phases else None
        if voxels.shape[:3] != volume.voxels.shape[:3]:
            text = f"Left out {marked.image.name}: its grid differs from that of {cine.image.name}."
            notes.append(Note(text, Code.FRAMES_OF_OTHER_FILES))
            continue
        order = range(phases) if named is None else (named, *range(phases))
        same = next((p for p in order if np.array_equal(voxels[..., 0], volume.voxels[..., p])), None)
        if same is None and named is None:
            text = f"Left out {marked.image.name}: it matches no phase of {cine.image.name}."
            notes.append(Note(text, Code.FRAMES_OF_OTHER_FILES))
            continue
        if same is None or (named is not None and same != named):
            text = f"{marked.image.name} differs from the phase of {cine.image.name} that its name gives."
            notes.append(Note(text, Code.FRAMES_OF_OTHER_FILES))
        placed[named if named is not None else (same or 0)] = marked
    return placed, notes


def _with_labels(study: Study, cine: MarkedFile, placed: dict[int, MarkedFile]) -> Study:
    """Add ED, ES and reference label maps to a cine: from the frames beside it, or from its own label file."""
    stack = study.stack
    reference: NDArray[np.uint8] = np.zeros(stack.pixels.shape, dtype=np.uint8)
    labelled = set()
    if cine.labels is not None:
        own = _read_labels(cine.labels, cine, study)
        if own.shape != reference.shape:
            raise LabelMapError(
                f"{cine.labels.name} has {counted(own.shape[0], 'phase')}, but {cine.image.name} has {stack.phases}."
            )
        reference[:] = own
        labelled |= {phase for phase in range(stack.phases) if own[phase].any()}
    marks = {marked.mark: phase for phase, marked in placed.items()}
    for phase, marked in placed.items():
        if marked.labels is not None:
            reference[phase] = _read_labels(marked.labels, marked, study)[0]
            labelled.add(phase)
    ed, es, by = marks.get("ED"), marks.get("ES"), "the ED and ES files"
    if cine.layout == "acdc":
        info = acdc_marks(cine.image.parent / "Info.cfg").items()
        stated = {mark: frame - 1 for frame, mark in info if 1 <= frame <= stack.phases}
        by = "Info.cfg" if ed is None and es is None else by
        ed, es = stated.get("ED") if ed is None else ed, stated.get("ES") if es is None else es
    elif ed is None and es is None and len(labelled) == 2:
        # Drawn at ED and ES: the LV blood pool is larger at ED.
        es, ed = sorted(labelled, key=lambda phase: int(np.count_nonzero(reference[phase] == Label.LVBP)))
        by = "the phases with label maps"
    if ed is not None or es is not None:
        stack = replace(stack, ed_phase=ed, es_phase=es, ed_es_by=by)
    if not labelled:
        return replace(study, stacks=(stack,))
    return replace(study, stacks=(stack,), reference=reference, reference_phases=tuple(sorted(labelled)))


def _long_axis(cine: MarkedFile) -> tuple[tuple[LongAxisView, ...], list[Note]]:
    """The long-axis view beside a cine of M&Ms-2, as a cine or else as ED and ES; and why it is left out."""
    folder = cine.image.parent
    named = re.compile(rf"{re.escape(cine.patient)}_la_(cine|ed|es)\.nii(\.gz)?", re.IGNORECASE)
    found = sorted(path for path in folder.glob("*.nii*") if named.fullmatch(path.name))
    whole = [path for path in found if "_cine" in path.name.lower()]
    try:
        volumes = [read_volume(path) for path in (whole[:1] or found)]
        if not volumes:
            return (), []
        voxels = np.concatenate([volume.voxels for volume in volumes], axis=3)
        view = study_of_volume(replace(volumes[0], voxels=voxels), found[0], format_name="NIfTI").stack
        if view.slices != 1:
            text = f"Left out the long-axis view next to {cine.image.name}: it has {view.slices} slices."
            return (), [Note(text, Code.FILES_NOT_USED)]
        return (LongAxisView(view.pixels[:, 0], view.geometry, f"LAX {cine.patient}", view.phase_times_ms),), []
    except (LoadError, GeometryError, ValueError) as error:
        text = f"Left out the long-axis view next to {cine.image.name}. {error}"
        return (), [Note(text, Code.FILES_UNREADABLE)]


def read_image(path: Path, progress: Progress = silent, slice_axis: int | None = None) -> Study:
    """Open an image file of 3 axes (one phase) or 4 (phases on the fourth, or on the one that the header calls a time).

    A file of ACDC or M&Ms comes with ED or ES and its label map where they are known, a cine with the ED and ES files
    next to it. If the file of the other phase is next to this one, it helps to find the base and has no other use.

    Args:
        path: A NIfTI file or one of a pair `.hdr` and `.img`, gzipped or not; or a `.mha`, `.mhd`, `.nrrd` or `.nhdr`
            file.
        progress: Called with how far the work is.
        slice_axis: The axis of space that the slices lie along, 0 to 2, where a reader chose it; None to find it.

    Returns:
        A study of one stack in the file's own dtype (float32 where the file scales its values).

    Raises:
        LoadError: The file cannot be read, is in colour, or is not a 3D or 4D image.
        LabelMapError: The label map beside it does not fit.
        Cancelled: `progress` asked to stop.
    """
    marked = recognise_file(path)
    others = [] if marked is None else [other for other in files_beside(marked) if other.mark != CINE]
    if marked is not None and marked.mark == CINE:
        return _read_cine(path, marked, others, progress, slice_axis)
    progress(0.0, f"Reading {path.name}")
    is_itk = path.name.lower().endswith(ITK_ENDINGS)
    volume = read_itk_volume(path) if is_itk else read_volume(path)
    if volume.voxels.shape[3] != 1:
        marked, others = None, []
    pair = [volume, *(read_volume(other.image) for other in others)]
    same = all(other.voxels.shape == volume.voxels.shape for other in pair)
    both = np.concatenate([other.voxels for other in pair], axis=3) if same and others else None
    progress(0.8, f"Ordering slices of {path.name}")
    name = path.suffix.lstrip(".").upper() if is_itk else "NIfTI"
    study = study_of_volume(volume, path, format_name=name, judged_by=both, slice_axis=slice_axis)
    if marked is None:
        return study
    study = _with_marks(study, [marked])
    if not others or not marked.mark:
        return study
    text = (
        f"{others[0].image.name} contains {others[0].mark} of the same patient and is not open. To open both as one "
        "study, put them into a separate folder."
    )
    return replace(study, warnings=(*study.warnings, Note(text, Code.IMAGES_BESIDE)))


def _with_marks(study: Study, files: list[MarkedFile]) -> Study:
    """Add ED and ES, patient and reference label maps; one file per phase."""
    marks = [marked.mark for marked in files]
    stack = replace(
        study.stack,
        ed_phase=marks.index("ED") if "ED" in marks else None,
        es_phase=marks.index("ES") if "ES" in marks else None,
        ed_es_by="the ED and ES files",
    )
    study = replace(study, stacks=(stack,), **_patient(files[0]))
    labels = {phase: marked.labels for phase, marked in enumerate(files) if marked.labels is not None}
    if not labels:
        return study
    reference = np.zeros(stack.pixels.shape, dtype=np.uint8)
    for phase, path in labels.items():
        reference[phase] = _read_labels(path, files[phase], study)[0]
    return replace(study, reference=reference, reference_phases=tuple(labels))


def _patient(marked: MarkedFile) -> dict[str, Any]:
    """The patient's key by the pseudonym, or by the place of an ordinary word (`cine_sa.nii.gz`); and ACDC's facts."""
    key = patient_key_at(marked.image.resolve().parent, marked.patient)
    if is_identifier(marked.patient):
        key = patient_key_of(f"{marked.layout}/{marked.patient}")
    is_acdc = marked.layout == "acdc"
    patient = acdc_patient(marked.image.parent / "Info.cfg") if is_acdc else UNKNOWN_PATIENT
    return {"patient_key": key, "patient": patient}


def _read_labels(labels: Path, marked: MarkedFile, study: Study) -> LabelMap:
    """(phase, slice, row, col) label map beside an image, in the program's codes."""
    codes = read_nifti_labels(labels, study)
    return translate_codes(codes, ACDC_CODES) if marked.layout == "acdc" else as_label_map(codes)
