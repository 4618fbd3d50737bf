"""Label maps in NIfTI, NRRD and MHA files: of nnU-Net, ACDC, M&Ms, 3D Slicer, ITK-SNAP, or this program's own."""

import re
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.geometry import LPS_RAS
from cmr_viewer.domain.label_map import LabelMap, translate_codes
from cmr_viewer.domain.notes import Code, Note, counted
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.errors import LabelMapError, UnknownPhaseError
from cmr_viewer.load.images.even_grids import even_grids
from cmr_viewer.load.images.itk import read_itk_layers, read_itk_volume
from cmr_viewer.load.images.nifti import LABELS_WRITTEN, read_volume
from cmr_viewer.load.images.volume import Volume, whole_codes
from cmr_viewer.load.images.voxels import SAME_SIZE, axis_lengths, corners_apart, is_default
from cmr_viewer.load.labels.grid import Placed, place
from cmr_viewer.load.labels.imported import PAINTING_ORDER, ImportedLabels
from cmr_viewer.load.labels.meaning import OWN_CODES, Codes, CodeScheme, codes_of, label_of_name
from cmr_viewer.load.names import ITK_ENDINGS, NIFTI_ENDINGS
from cmr_viewer.progress import Progress, silent

VOLUME_ENDINGS = (*NIFTI_ENDINGS, *ITK_ENDINGS)

_SAME_AFFINE_MM = 0.01
_OFF_NOTED_MM = 1.0
_DEFAULT_COSINE, _DEFAULT_VOXELS = 1e-4, 1.0
_ABOUT_SIZE = (Code.SPACING_UNKNOWN, Code.SPACING_CONVERTED, Code.SPACING_DISAGREES)
"""The voxel size of a label file does not matter: that of the images counts."""

_MARK = re.compile(r"(?:^|[_\-.])(ED|ES)(?=[_\-.]|$)", re.IGNORECASE)
_FRAME = re.compile(r"_frame(\d{1,4})(?=[_.])", re.IGNORECASE)
"""ACDC counts the frames of a cine from 1 in the names of its files."""


def read_label_volume(
    path: Path,
    study: Study,
    codes: CodeScheme | Codes = "auto",
    phase: int | None = None,
    progress: Progress = silent,
) -> ImportedLabels:
    """Label maps of a study from a volume file.

    Args:
        path: A NIfTI, NRRD or MHA file of 3 axes (one phase) or 4 (all phases, or ED and ES).
        study: The study that they belong to.
        codes: What the numbers mean; "auto" for the names that nnU-Net or 3D Slicer store with them, or else by where
            the structures lie.
        phase: The phase that a file of one phase belongs to, or None for the one in its name (ED, ES).
        progress: Called with how far the work is.

    Raises:
        LoadError: The file cannot be read.
        UnknownCodesError: The meaning of its numbers is unknown.
        UnknownPhaseError: It contains one phase, and which one is unknown.
        LabelMapError: It has a different grid, or phases that the study does not have.
    """
    progress(0.0, f"Reading {path.name}")
    volume, named = _read(path)
    whole = whole_codes(volume.voxels, path)
    notes = [note for note in volume.warnings if note.code not in _ABOUT_SIZE]
    progress(0.4, f"Finding the slices of {path.name}")
    placed = _on_stack(whole, volume, study, path, notes)
    if not placed.frames.any():
        raise LabelMapError(f"{path.name} contains no labels on the slices of {study.name}.")
    phases = _phases(placed.frames.shape[0], study.stack, path, phase)
    progress(0.6, f"Finding the structures of {path.name}")
    meaning = _meaning(placed.frames, path, codes, named, volume.description)
    progress(0.8, f"Reading the labels of {path.name}")
    translated = translate_codes(placed.frames, dict(meaning))
    if not placed.covered.all():
        missing = int(np.count_nonzero(~placed.covered))
        text = f"{path.name} does not cover {missing} of {placed.covered.size} slices; it gives these no labels."
        notes.append(Note(text, Code.LABELS_LEFT_OUT))
    structures = _stated(translated, placed.covered, phases, meaning)
    labels = np.zeros(study.stack.pixels.shape, dtype=np.uint8)
    for t, at in enumerate(phases):
        labels[at] = translated[t]
    return ImportedLabels(labels, structures, f"label map {path.name}", tuple(notes))


def _read(path: Path) -> tuple[Volume, Codes | None]:
    """Voxels of a file, and its codes where the file itself names them (3D Slicer)."""
    if path.name.lower().endswith(NIFTI_ENDINGS):
        return read_volume(path), None
    if not re.search(r"\.seg\.(nrrd|nhdr)$", path.name.lower()):
        return read_itk_volume(path), None
    volume, fields = read_itk_layers(path)
    return _flattened(volume, fields, path)


def _flattened(volume: Volume, fields: Mapping[str, str], path: Path) -> tuple[Volume, Codes | None]:
    """One layer of this program's labels from a segmentation of 3D Slicer, whose segments may overlap in layers."""
    parts: list[tuple[Label, int, int]] = []
    for key, name in fields.items():
        match = re.fullmatch(r"segment(\d+)_name", key)
        label = label_of_name(name) if match else None
        if match is None or label is None or label == Label.BACKGROUND:
            continue
        value, layer = fields.get(f"segment{match[1]}_labelvalue"), fields.get(f"segment{match[1]}_layer", "0")
        if value is not None and value.isdigit() and layer.isdigit():
            parts.append((label, int(value), int(layer)))
    if not parts:
        names = [value for key, value in fields.items() if re.fullmatch(r"segment\d+_name", key)]
        if volume.voxels.shape[3] != 1:
            raise LabelMapError(
                f"No segment in {path.name} has a name for LV or RV ({', '.join(names[:5])}). Rename its segments."
            )
        return volume, None
    flat: NDArray[np.uint8] = np.zeros((*volume.voxels.shape[:3], 1), dtype=np.uint8)
    for label, number, layer_index in sorted(parts, key=lambda part: PAINTING_ORDER.index(part[0])):
        if layer_index < volume.voxels.shape[3]:
            flat[volume.voxels[..., layer_index] == number, 0] = int(label)
    stated = {int(label): label for label, _, _ in parts}
    return replace(volume, voxels=flat), stated


def _on_stack(whole: NDArray[np.int64], volume: Volume, study: Study, path: Path, notes: list[Note]) -> Placed:
    """A label volume on the grid of the stack: voxel for voxel on the input's own grid, else by position."""
    stack, axes = study.stack, study.source_axes
    shape = _source_shape(study)
    fits = _Fit.NONE if whole.shape[:3] != shape else _fit(volume, study, shape)
    if fits is not _Fit.NONE:
        if fits is _Fit.SHAPE:
            text = (
                f"{path.name} has a default position instead of its position in the patient. Its shape matches the "
                "images, so it was laid over them voxel by voxel. Check it against the images."
            )
            notes.append(Note(text, Code.LABELS_PLACED_BY_SHAPE))
        # The input's own voxel order; for a study of several files, columns, rows and slices in their order.
        in_order = np.asarray(axes.frames_of(whole)[:, list(stack.source_slices)], dtype=np.int64)
        return Placed(in_order, np.ones(stack.slices, dtype=bool))
    if not (volume.spacing_known and stack.geometry.spacing_known):
        raise LabelMapError(
            f"{path.name} has {' x '.join(map(str, whole.shape[:3]))} voxels, the images have "
            f"{' x '.join(map(str, shape))}, and one of the two lacks its position. Export it on the images' grid."
        )
    lps = np.asarray(LPS_RAS @ volume.affine, dtype=np.float64)
    placed = _where_exported(whole, lps, study, path) or place(whole, lps, stack.geometry, path.name)
    if placed.off_mm > _OFF_NOTED_MM:
        text = (
            f"Slices of {path.name} are up to {placed.off_mm:.1f} mm above or below those of the images. Each was "
            "assigned to the nearest slice. Check them."
        )
        notes.append(Note(text, Code.LABELS_OFF_SLICES))
    return placed


def _where_exported(whole: NDArray[np.int64], lps: NDArray[np.float64], study: Study, path: Path) -> Placed | None:
    """Labels on a grid that this program exports the study's slices on; None where they lie on none of them.

    Slices of a stack of single files may lie half a pixel from their places there.
    """
    if study.source_affine is not None:
        return None
    geometry = study.stack.geometry
    positions = list(geometry.positions_mm)
    for grid in even_grids(study.stack):
        for index, at in zip(grid.slices, grid.places, strict=True):
            positions[index] = grid.position_mm(at)
    try:
        placed = place(whole, lps, replace(geometry, positions_mm=tuple(positions)), path.name)
    except LabelMapError:
        return None
    return placed if placed.off_mm <= _OFF_NOTED_MM else None


def _source_shape(study: Study) -> tuple[int, int, int]:
    """Voxels of the input along each axis of space; columns, rows and slices for a study of several files."""
    geometry, axes = study.stack.geometry, study.source_axes
    along = {axes.col: geometry.cols, axes.row: geometry.rows, axes.across: geometry.slices + len(axes.empty)}
    return along[0], along[1], along[2]


class _Fit(Enum):
    """How a label volume of the images' shape fits them."""

    NONE = "elsewhere"
    PLACE = "where they do, or its position is unknown"
    SHAPE = "at a default position"


def _fit(volume: Volume, study: Study, shape: tuple[int, int, int]) -> _Fit:
    source, known = study.source_affine, volume.spacing_known and study.stack.geometry.spacing_known
    if not volume.placed:
        return _Fit.PLACE
    if source is not None:
        # To a quarter of a pixel.
        apart = corners_apart(volume.source_affine, source, shape)
        if apart <= max(_SAME_AFFINE_MM, 0.25 * float(axis_lengths(source).min())):
            return _Fit.PLACE
    if _is_default_place(volume, study, shape) or (source is not None and not known):
        return _Fit.SHAPE
    return _Fit.NONE


def _is_default_place(volume: Volume, study: Study, shape: tuple[int, int, int]) -> bool:
    """Whether a position is one that programs write where they know none.

    That is axes along those of the body, the origin at the first voxel or the middle one, and voxels of 1 mm or of the
    images' own size.
    """
    lengths = axis_lengths(volume.affine)
    if np.abs(np.abs(volume.affine[:3, :3] / lengths) - np.eye(3)).max() > _DEFAULT_COSINE:
        return False
    middle = volume.affine @ np.array([*(np.asarray(shape) - 1) / 2, 1.0])
    if min(np.abs(volume.affine[:3, 3]).max(), np.abs(middle[:3] / lengths).max()) > _DEFAULT_VOXELS:
        return False
    geometry = study.stack.geometry
    if is_default(lengths) or not geometry.spacing_known:
        return True
    (down, right), axes = geometry.pixel_spacing_mm, study.source_axes
    own = lengths.copy()
    own[[axes.col, axes.row]] = right, down
    if geometry.slices > 1:
        own[axes.across] = geometry.slice_spacing_mm
    return bool(np.allclose(lengths, own, rtol=SAME_SIZE, atol=0))


def _phases(count: int, stack: Stack, path: Path, phase: int | None) -> list[int]:
    """The phases of the stack that the phases of a file are."""
    if count == stack.phases and (phase is None or count == 1):
        return list(range(count))
    if count == 1 and phase is not None:
        if not 0 <= phase < stack.phases:
            raise LabelMapError(f"The study has no phase {phase + 1}; it has {counted(stack.phases, 'phase')}.")
        return [phase]
    if count == 1 and (marks := _MARK.findall(path.name)):
        at = stack.ed_phase if marks[-1].upper() == "ED" else stack.es_phase
        if at is not None:
            return [at]
    if count == 1 and phase is None and (frame := _FRAME.search(path.name)) and 1 <= int(frame[1]) <= stack.phases:
        return [int(frame[1]) - 1]
    if count == 2 and stack.ed_phase is not None and stack.es_phase is not None and phase is None:
        return [stack.ed_phase, stack.es_phase]
    if count == 1:
        raise UnknownPhaseError(
            f"{path.name} contains one phase, and the study has {stack.phases}. Set the phase that it belongs to, or "
            "set ED and ES and name the file ..._ED or ..._ES."
        )
    raise LabelMapError(
        f"{path.name} contains {counted(count, 'phase')}, and the study has {stack.phases}; which ones is unknown."
        + (" If they are ED and ES, set ED and ES first." if count == 2 else " Open the study that it was made for.")
    )


def _meaning(
    frames: NDArray[np.int64], path: Path, codes: CodeScheme | Codes, named: Codes | None, description: str
) -> Codes:
    if codes == "auto":
        if named is not None:
            return named
        if description == LABELS_WRITTEN:
            return OWN_CODES
    return codes_of(frames, path, codes)


def _stated(
    labels: LabelMap, covered: NDArray[np.bool_], phases: list[int], meaning: Codes
) -> dict[FrameIndex, frozenset[Label]]:
    """What a volume states: every structure that it knows, on all its slices of the phases that hold any label.

    Phases without any label were not drawn: full cines are published with label maps at ED and ES alone.
    """
    known = frozenset(label for label in STRUCTURES if label in meaning.values())
    return {
        FrameIndex(at, int(index)): known
        for t, at in enumerate(phases)
        if labels[t].any()
        for index in np.flatnonzero(covered)
    }
