"""Label maps as contours, in pixels of the frame and in mm of the patient, as JSON and CSV.

A contour runs along the edges of pixels, so that its corners lie half-way between pixel centres. What it encloses is
exact: each pixel centre lies well inside or well outside, whichever even-odd rule fills it again
(`domain.polygons`), and its area is that of its pixels, so that volumes by summation of discs are those of the
label map. Marching squares at 0.5 would give the same pixels with less area.

Three structures: the endocardium of the left ventricle encloses LVBP, its epicardium LVBP and LVM together (given only
where there is LVM), the endocardium of the right ventricle RVBP. A structure is one or several closed polygons, which
touch in corners at most; a polygon that cuts a hole into another is marked.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, Mask, as_label_map
from cmr_viewer.domain.polygons import trace
from cmr_viewer.domain.study import COUNTING, FrameIndex, Stack
from cmr_viewer.export.deidentify import deidentifier_of
from cmr_viewer.export.formats import Job
from cmr_viewer.export.tables import csv_text
from cmr_viewer.progress import Progress, part, silent
from cmr_viewer.store.atomic import write_atomically

STRUCTURE_NAMES = ("lv_endocardium", "lv_epicardium", "rv_endocardium")
CONTOUR_COLUMNS = (
    "phase_number",
    "slice_number",
    "source_slice_index",
    "structure",
    "polygon_index",
    "hole",
    "point_index",
    "row",
    "col",
    "x_mm",
    "y_mm",
    "z_mm",
)
RULE = (
    "Polygons run along the edges of pixels; pixel centres are whole numbers from (0, 0). A pixel belongs to a "
    "structure if its centre lies inside an odd number of the structure's polygons. LVBP is inside lv_endocardium; "
    "LVM inside lv_epicardium and outside lv_endocardium; RVBP inside rv_endocardium."
)


@dataclass(frozen=True, eq=False)
class Outline:
    """One closed polygon.

    Attributes:
        points: (point, 2) row and col of its corners, in order; the last joins the first.
        hole: Whether it cuts a hole into another.
    """

    points: NDArray[np.float64]
    hole: bool


def outlines(mask: Mask) -> list[Outline]:
    """The polygons that bound a mask.

    Pixels that touch in a corner only are not joined. The corners of a polygon come clockwise on the screen, those of a
    hole the other way round.

    Args:
        mask: (row, col).
    """
    found: dict[tuple[float, float], Outline] = {}
    for walked in trace(mask):
        line = walked[::-1]  # with the mask on the right
        is_corner = (np.roll(line, -1, axis=0) - line != line - np.roll(line, 1, axis=0)).any(axis=1)
        points = line[is_corner]
        after = np.roll(points, -1, axis=0)
        hole = bool((points[:, 1] * after[:, 0] - after[:, 1] * points[:, 0]).sum() < 0)
        # From the end of the first upper edge: an order that does not depend on where the walk began.
        upper = np.flatnonzero((after[:, 0] == points[:, 0]) & (after[:, 1] > points[:, 1]))
        first = min(upper, key=lambda index: tuple(points[index]))
        found[tuple(points[first])] = Outline(np.roll(points, -first - 1, axis=0), hole)
    return [found[start] for start in sorted(found)]


def frame_outlines(labels: LabelMap) -> dict[str, list[Outline]]:
    """The structures of one frame, by name.

    Args:
        labels: (row, col).
    """
    endo, wall, rv = (labels == int(label) for label in (Label.LVBP, Label.LVM, Label.RVBP))
    masks = zip(STRUCTURE_NAMES, (endo, (endo | wall) & wall.any(), rv), strict=True)
    return {name: outlines(mask) for name, mask in masks if mask.any()}


@dataclass(frozen=True, eq=False)
class FrameContours:
    """The contours of one frame.

    Attributes:
        index: The frame.
        source_slice: The slice's index in the input's own order.
        structures: By name.
        source: SOP Instance UID and frame number of the source image; empty where there is none.
    """

    index: FrameIndex
    source_slice: int
    structures: Mapping[str, list[Outline]]
    source: tuple[str, int]


def contours_of(
    labels: LabelMap, stack: Stack, progress: Progress = silent, *, uid_of: Callable[[str], str] = str
) -> list[FrameContours]:
    """Contours of all frames of a stack that have any label.

    Args:
        labels: (phase, slice, row, col).
        stack: The stack.
        progress: Called as frames are done.
        uid_of: What is written for a SOP Instance UID.

    Raises:
        LabelMapError: Wrong codes or shape.
        Cancelled: `progress` asked to stop.
    """
    checked = as_label_map(labels, stack.pixels.shape)
    indices = stack.frame_indices
    found = []
    for number, index in enumerate(indices):
        if number % 32 == 0:
            progress(number / len(indices), "Drawing contours")
        structures = frame_outlines(checked[index])
        if structures:
            uid, frame_number = _source(stack, index)
            source = (uid_of(uid) if uid else "", frame_number)
            found.append(FrameContours(index, stack.source_slices[index.slice_index], structures, source))
    return found


def _source(stack: Stack, index: FrameIndex) -> tuple[str, int]:
    if not stack.frame_sources:
        return "", 1
    source = stack.frame_sources[index.phase][index.slice_index]
    return source.instance_uid, source.frame_number


def _patient_mm(points: NDArray[np.float64], stack: Stack, slice_index: int) -> NDArray[np.float64] | None:
    """(point, 3) in the patient (LPS), or None where the spacing is not known."""
    g = stack.geometry
    if not g.spacing_known:
        return None
    along = points * np.asarray(g.pixel_spacing_mm)
    directions = np.asarray([g.col_direction, g.row_direction])
    return np.asarray(np.round(np.asarray(g.positions_mm[slice_index]) + along @ directions, 4))


def write_contours_json(path: Path, contours: list[FrameContours], stack: Stack, about: Mapping[str, Any]) -> None:
    """Write contours as one JSON object: "rule", and "frames" with the polygons of each structure.

    A polygon has "hole", "pixels" as [row, col] and "patient_mm" as [x, y, z] (LPS), or null.

    Args:
        path: The file.
        contours: From `contours_of`.
        stack: The stack.
        about: Further keys, such as what wrote it.

    Raises:
        StoreError: The file cannot be written.
    """
    g = stack.geometry
    content = {
        **about,
        "rule": RULE,
        "rows": g.rows,
        "cols": g.cols,
        "pixel_spacing_mm": list(g.pixel_spacing_mm) if g.spacing_known else None,
        "counting": COUNTING,
        "frames": [_frame_json(one, stack) for one in contours],
    }
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    write_atomically(path, f"{text}\n".encode())


def _frame_json(one: FrameContours, stack: Stack) -> dict[str, Any]:
    uid, _ = one.source
    values: dict[str, Any] = {
        "phase_number": one.index.phase + 1,
        "slice_number": one.index.slice_index + 1,
        "source_slice_index": one.source_slice,
        "source": _source_json(one, stack) if uid else None,
    }
    for name, polygons in one.structures.items():
        values[name] = []
        for polygon in polygons:
            mm = _patient_mm(polygon.points, stack, one.index.slice_index)
            values[name].append(
                {
                    "hole": polygon.hole,
                    "pixels": polygon.points.tolist(),
                    "patient_mm": None if mm is None else mm.tolist(),
                }
            )
    return values


def _source_json(one: FrameContours, stack: Stack) -> dict[str, Any]:
    """The image that a frame is of; its pixel at `origin` + `step` x (row, col) is the frame's at (row, col)."""
    (uid, number), source = one.source, stack.frame_sources[one.index.phase][one.index.slice_index]
    return {
        "sop_instance_uid": uid,
        "frame_number": number,
        "origin": list(source.origin),
        "step": list(source.step),
    }


def write_contours_csv(path: Path, contours: list[FrameContours], stack: Stack) -> None:
    """Write contours with a line for each point; mm are empty where the spacing is not known.

    Columns: `CONTOUR_COLUMNS`. UTF-8, comma, line feed.

    Raises:
        StoreError: The file cannot be written.
    """
    rows = (row for one in contours for row in _rows(one, stack))
    write_atomically(path, csv_text([CONTOUR_COLUMNS, *rows]).encode())


def _rows(one: FrameContours, stack: Stack) -> Iterator[list[Any]]:
    where = [*one.index.numbers, one.source_slice]
    for name, polygons in one.structures.items():
        for number, polygon in enumerate(polygons):
            mm = _patient_mm(polygon.points, stack, one.index.slice_index)
            places = [["", "", ""]] * len(polygon.points) if mm is None else mm.tolist()
            for point, (pixel, place) in enumerate(zip(polygon.points.tolist(), places, strict=True)):
                yield [*where, name, number, int(polygon.hole), point, *pixel, *place]


def write_contours(job: Job, progress: Progress) -> None:
    """The contours of an export."""
    stack, remover = job.study.stack, deidentifier_of(job.anonymity)
    uid_of = str if remover is None else remover.uid
    contours = contours_of(job.results.labels, stack, part(progress, 0.0, 0.5), uid_of=uid_of)
    write_contours_json(job.folder / "contours.json", contours, stack, job.head)
    progress(0.8, "Writing contours")
    write_contours_csv(job.folder / "contours.csv", contours, stack)
