"""The one entry for label maps and contours of other programs: whatever file it is, its labels on a study."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.label_map import Mask
from cmr_viewer.domain.polygons import fill_polygons
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.errors import LabelMapError, LoadError
from cmr_viewer.load.dicom.scan import looks_like_dicom
from cmr_viewer.load.dicom.with_pydicom import class_of
from cmr_viewer.load.gather import gather
from cmr_viewer.load.labels.cvi42 import ENDING as CVI42_ENDING
from cmr_viewer.load.labels.cvi42 import is_workspace, read_cvi42
from cmr_viewer.load.labels.grid import in_pixels, slice_in_plane
from cmr_viewer.load.labels.imported import ImportedLabels, without_empty
from cmr_viewer.load.labels.meaning import Codes, CodeScheme
from cmr_viewer.load.labels.rtstruct import STRUCTURE_SET_CLASS, read_rtstruct
from cmr_viewer.load.labels.seg import SEGMENTATION_CLASSES, read_dicom_seg
from cmr_viewer.load.labels.sunnybrook import contour_folder, read_sunnybrook
from cmr_viewer.load.labels.volumes import VOLUME_ENDINGS, read_label_volume
from cmr_viewer.load.unzip import is_archive
from cmr_viewer.progress import Progress, part, silent

_KINDS = (
    "Supported are label maps (NIfTI, NRRD, MHA), DICOM SEG and RTSTRUCT, cvi42 workspaces as XML (*.cvi42wsx, *.xml), "
    "folders of Sunnybrook contours, and a folder or zip archive of one of these."
)
_CVI42_BINARY = ".cvi42ws"
_DEEPEST = 8
"""Folders inside folders that are looked into."""


def read_labels(
    path: Path,
    study: Study,
    codes: CodeScheme | Codes = "auto",
    phase: int | None = None,
    progress: Progress = silent,
) -> ImportedLabels:
    """Label maps of a study from a file or folder of another program.

    Args:
        path: A label map (NIfTI, NRRD, MHA), a DICOM SEG or RTSTRUCT object, a cvi42 workspace as XML, a folder of
            Sunnybrook contours, or a folder or zip archive that holds one of these at any depth.
        study: The study that they belong to, as it was opened.
        codes: What the numbers of a label map mean: "own" and "mnms" (1 LVBP, 2 LVM, 3 RVBP), "acdc" (1 RVBP, 2 LVM,
            3 LVBP), a mapping, or "auto" for the names stored with them (nnU-Net's `dataset.json`, 3D Slicer's
            segments), or else by where the structures lie.
        phase: The phase that labels belong to where the file has one phase and does not state which; 0 is the first.
        progress: Called with how far the work is.

    Returns:
        Label maps in the study's order of phases and slices, what is stated where, and where they come from. A
        structure without any pixel in the whole file is stated nowhere.

    Raises:
        LoadError: The file cannot be read, or its format is not supported.
        UnknownCodesError: The meaning of its numbers is unknown; set `codes`.
        UnknownPhaseError: The phase that it belongs to is unknown; set `phase`.
        LabelMapError: Its labels do not belong to this study, or none of them falls on a pixel; the message states what
            to do.
        Cancelled: `progress` asked to stop.
    """
    progress(0.0, f"Reading {path.name}")
    if path.is_dir():
        return _read_folder(path, path.name, study, codes, phase, progress)
    if not path.is_file():
        raise LoadError(f"Could not find {path.name}. Check the path.")
    if is_archive(path):
        with gather(path, part(progress, 0.0, 0.2)) as gathered:
            try:
                read = _read_folder(gathered.root, path.name, study, codes, phase, part(progress, 0.2, 1.0))
            except LoadError as error:
                # What was left out of the archive may be why nothing was found in it.
                raise LoadError(" ".join([str(error), *gathered.notes])) from error
            return replace(read, warnings=(*gathered.notes, *read.warnings))
    return without_empty(_read_file(path, study, codes, phase, progress), path.name, study.name)


def _read_file(
    path: Path, study: Study, codes: CodeScheme | Codes, phase: int | None, progress: Progress
) -> ImportedLabels:
    name = path.name.lower()
    if name.endswith(VOLUME_ENDINGS):
        return read_label_volume(path, study, codes, phase, progress)
    if name.endswith((CVI42_ENDING, ".xml")) or is_workspace(path):
        return read_cvi42(path, study, progress)
    if name.endswith(_CVI42_BINARY):
        raise LoadError(f"{path.name} is a binary cvi42 workspace. Export it from cvi42 as XML (*{CVI42_ENDING}).")
    if name == CONTOURS_FILE:
        return _read_own_contours(path, study, progress)
    if looks_like_dicom(path):
        kind = class_of(path)
        if kind in SEGMENTATION_CLASSES:
            return read_dicom_seg(path, study, phase, progress)
        if kind == STRUCTURE_SET_CLASS:
            return read_rtstruct(path, study, phase, progress)
        raise LoadError(f"{path.name} is a DICOM file without supported segments or contours. {_KINDS}")
    if name.endswith(".txt") and contour_folder(path.parent) is not None:
        return read_sunnybrook(path.parent, study, progress)
    raise LoadError(f"The format of {path.name} is not supported. {_KINDS}")


def _read_folder(
    folder: Path, name: str, study: Study, codes: CodeScheme | Codes, phase: int | None, progress: Progress
) -> ImportedLabels:
    """The labels of a folder: those in it, or else those in the folders inside it."""
    level = [folder]
    for depth in range(_DEEPEST):
        looking = part(progress, 0.3 * depth / _DEEPEST, 0.3 * (depth + 1) / _DEEPEST)
        found, inside = _labels_in(level, looking)
        if len(found) == 1:
            return read_labels(found[0], study, codes, phase, part(progress, 0.3, 1.0))
        if found:
            first = found[0].name
            raise LabelMapError(f"{name} contains {len(found)} files or folders of labels, such as {first}. Open one.")
        level = inside
    raise LoadError(f"{name} contains no label maps or contours. {_KINDS}")


def _labels_in(folders: Sequence[Path], progress: Progress) -> tuple[list[Path], list[Path]]:
    """What holds labels in folders, and the folders inside them; links are not followed."""
    found: list[Path] = []
    inside: list[Path] = []
    for folder in folders:
        if (contours := contour_folder(folder)) is not None:
            found.append(next(path for path in sorted(contours.rglob("*.txt"))))
            continue
        entries = sorted(folder.iterdir())
        for number, path in enumerate(entries):
            progress(number / len(entries), f"Looking for label maps in {folder.name}")
            if path.is_dir() and not path.is_symlink() and not path.name.startswith(".") and path.name != "__MACOSX":
                inside.append(path)
            elif path.is_file() and _may_hold_labels(path):
                found.append(path)
    return found, inside


def _may_hold_labels(path: Path) -> bool:
    if path.name.lower().endswith((*VOLUME_ENDINGS, CVI42_ENDING)):
        return True
    if looks_like_dicom(path):
        return class_of(path) in (*SEGMENTATION_CLASSES, STRUCTURE_SET_CLASS)
    return is_workspace(path)


CONTOURS_FILE = "contours.json"

_OFF_CORNER = 0.05
"""Pixels by which a corner may miss one of the frame's; files hold tenths of a micrometre."""


def _read_own_contours(path: Path, study: Study, progress: Progress) -> ImportedLabels:
    """Label maps of a study from `contours.json` of its export, pixel for pixel.

    Polygons are placed by their patient coordinates, so that it does not matter how the study is opened; where the
    spacing is not known they are placed by their pixels and the slice of the input.
    """
    try:
        frames = json.loads(path.read_text(encoding="utf-8"))["frames"]
        labels = np.zeros(study.stack.pixels.shape, dtype=np.uint8)
        stated: dict[FrameIndex, frozenset[Label]] = {}
        for number, one in enumerate(frames):
            progress(number / len(frames), f"Painting {path.name}")
            frame, masks = _frame(one, study.stack, path.name)
            labels[frame] = _painted(masks)
            stated[frame] = frozenset(STRUCTURES)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LoadError(
            f"Could not read {path.name} as contours that this program exported: it is damaged or of another format."
        ) from error
    return ImportedLabels(labels, stated, "exported contours")


def _frame(one: Mapping[str, Any], stack: Stack, name: str) -> tuple[FrameIndex, dict[str, Mask]]:
    """The frame that polygons belong to, and the pixels inside each structure."""
    # Files of earlier versions count phases from 0 and slices by other names.
    geometry, phase = stack.geometry, int(one["phase_number"]) - 1 if "phase_number" in one else int(one["phase"])
    structures = {key: one[key] for key in ("lv_endocardium", "lv_epicardium", "rv_endocardium") if key in one}
    every = [polygon for polygons in structures.values() for polygon in polygons]
    by_place = geometry.spacing_known and all(polygon["patient_mm"] is not None for polygon in every)
    if by_place:
        places = np.concatenate([np.asarray(polygon["patient_mm"], dtype=np.float64) for polygon in every])
        index = slice_in_plane(places, geometry)
    else:
        index = {source: shown for shown, source in enumerate(stack.source_slices)}.get(
            int(one.get("source_slice_index", one.get("source_slice", -1)))
        )
    if index is None or not 0 <= phase < stack.phases:
        raise LabelMapError(
            f"{name} has contours where this study has no frame. Open the study that it was exported from."
        )
    if by_place:
        points = [in_pixels(np.asarray(one["patient_mm"], np.float64), geometry, index)[:, ::-1] for one in every]
    else:
        points = [np.asarray(polygon["pixels"], dtype=np.float64) for polygon in every]
    # All corners lie half-way between pixel centres; a slice as a whole may lie a part of a pixel off its place.
    off = points[0][0] - np.floor(points[0][0]) - 0.5
    corners = [np.rint(one - off - 0.5) + 0.5 for one in points]
    if max(np.abs(one - off - there).max() for one, there in zip(points, corners, strict=True)) > _OFF_CORNER:
        raise LabelMapError(
            f"The grid of {name} differs from that of this study. Open the study that it was exported from."
        )
    left, masks = iter(corners), {}
    for key, polygons in structures.items():
        masks[key] = fill_polygons([next(left)[:, ::-1] for _ in polygons], (geometry.rows, geometry.cols))
    return FrameIndex(phase, index), masks


def _painted(masks: Mapping[str, Mask]) -> Any:
    """The label map that the contours of a frame were drawn around."""
    shape: Sequence[int] = next(iter(masks.values())).shape
    labels = np.zeros(shape, dtype=np.uint8)
    for key, label in (
        ("rv_endocardium", Label.RVBP),
        ("lv_epicardium", Label.LVM),
        ("lv_endocardium", Label.LVBP),
    ):
        if key in masks:
            labels[masks[key]] = int(label)
    return labels
