"""Contours that this program exported (contours.json), as the label maps that they came from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import Mask
from cmr_viewer.domain.polygons import fill_polygons
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.errors import LabelMapError, LoadError
from cmr_viewer.load.labels.grid import slice_in_plane
from cmr_viewer.load.labels.imported import ImportedLabels
from cmr_viewer.progress import Progress, silent

CONTOURS_FILE = "contours.json"

_OFF_CORNER = 0.05
"""Pixels by which a corner may miss one of the frame's; files hold tenths of a micrometre."""


def read_own_contours(path: Path, study: Study, progress: Progress = silent) -> ImportedLabels:
    """Label maps of a study from its exported contours, pixel for pixel.

    Polygons are placed by their patient coordinates, so that it does not matter how the study is opened; where the
    spacing is not known they are placed by their pixels and the slice of the input.

    Args:
        path: `outlines.json` of an export.
        study: The study that it was exported from.
        progress: Told how far the work is.

    Raises:
        LoadError: The file cannot be read, or is not such an export.
        LabelMapError: It was exported from another study.
        Cancelled: `progress` asked to stop.
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
    points = [_pixels(polygon, geometry, index, by_place=by_place) for polygon in every]
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


def _pixels(polygon: Mapping[str, Any], geometry: Geometry, index: int, *, by_place: bool) -> NDArray[np.float64]:
    """(point, 2) row and col of a polygon's corners in a slice."""
    if not by_place:
        return np.asarray(polygon["pixels"], dtype=np.float64)
    away = np.asarray(polygon["patient_mm"], dtype=np.float64) - np.asarray(geometry.positions_mm[index])
    axes = np.asarray([geometry.col_direction, geometry.row_direction])
    return np.asarray(away @ axes.T / geometry.pixel_spacing_mm)


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
