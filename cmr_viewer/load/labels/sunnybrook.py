"""Expert contours of the Sunnybrook Cardiac Data as label maps.

A contour file has one point "x y" a line, in pixels. Its number NNNN is that of the image:
`IM-0001-0059-icontour-manual.txt` belongs to `59.dcm`. `icontour` is the LV endocardium, papillary muscles inside;
`ocontour` is the LV epicardium and is drawn at ED only. Hence ED has LVBP and LVM, ES has LVBP alone, and the right
ventricle is never drawn.

`p1contour` and `p2contour` are the papillary muscles, which count as blood and change nothing.

In contour files x counts columns and y rows, and the centre of the first pixel is (1, 1): so shifted, the contours lie
on the edges of the images, which they do not with the first centre at (0, 0). Which pixels are inside is the rule of
`polygons`.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.errors import LabelMapError, LoadError
from cmr_viewer.load.labels.imported import (
    MOST_POINTS,
    DrawnContours,
    ImportedLabels,
    checked_points,
    points_in_frame,
    source_of,
)
from cmr_viewer.progress import Progress, part, silent

FIRST_CENTRE = 1.0
"""Coordinate of the centre of the first row and column in contour files."""

PROVENANCE = "Sunnybrook contours"

_CONTOUR = re.compile(r"IM-\d+-(?P<number>\d+)-(?P<kind>[iop])\d*-?contour-manual\.txt", re.IGNORECASE)
_IMAGE = re.compile(r"(?:IM-\d+-)?(?P<number>\d+)", re.IGNORECASE)
_INSIDE = ("", "contours", "contours-manual/IRCCI-expert", "IRCCI-expert", "contours-manual")
"""Where below a patient's folder the contours of the published set lie, in the order in which they are looked for."""
_LARGEST_BYTES = 64 * MOST_POINTS


def find_contours(folder: Path) -> Path | None:
    """The folder of contours that belongs to a patient's image folder.

    Inside it or beside it in a folder called `contours` or `contours-manual/IRCCI-expert`, or in `contours/<patient>`
    beside `dicoms`.

    Returns:
        The folder, or None if there is none.
    """
    inside = [folder / name for name in _INSIDE[1:]]
    beside = [folder.parent / "contours-manual" / "IRCCI-expert"]
    candidates = [*inside[:1], folder.parent.parent / "contours" / folder.name, *inside[1:], *beside]
    return next((path for path in candidates if path.is_dir() and _contour_files(path)), None)


def contour_folder(folder: Path) -> Path | None:
    """The folder of contour files for a folder: itself, or the place that the published set uses."""
    return next((path for name in _INSIDE if (path := folder / name).is_dir() and _contour_files(path)), None)


def _contour_files(folder: Path) -> list[tuple[int, str, Path]]:
    """(image number, "i", "o" or "p", file) of the contours in a folder, or in its `i-contours` and `o-contours`."""
    paths = sorted([*folder.glob("*.txt"), *folder.glob("?-contours/*.txt")])
    found = ((path, _CONTOUR.fullmatch(path.name)) for path in paths)
    return [(int(match["number"]), match["kind"].lower(), path) for path, match in found if match]


def read_sunnybrook(folder: Path, study: Study, progress: Progress = silent) -> ImportedLabels:
    """Make label maps of the contours of a study.

    Args:
        folder: The contours, such as `contours/SCD0000101`.
        study: Its study, whose frames state their files.
        progress: Called with how far the work is.

    Returns:
        Label maps on the frames' own grid. Inside i: LVBP. Inside o and not i: LVM. What cannot be read, or belongs to
        no image, is left out with a note.

    Raises:
        LoadError: No contour is there, or none can be read.
        LabelMapError: None belongs to an image of the study.
    """
    if not study.stack.frame_sources:
        raise LabelMapError(
            f"{folder.name} identifies images by file number, but {study.name} was not opened from single files. Open "
            "the folder of DICOM files instead."
        )
    files: dict[Path, FrameIndex] = {}
    for frame in sorted(study.stack.frame_indices, key=lambda frame: (frame.slice_index, frame.phase)):
        files.setdefault(source_of(study.stack, frame).path, frame)
    by_number = {int(match["number"]): frame for path, frame in files.items() if (match := _IMAGE.fullmatch(path.stem))}
    found = [item for item in _contour_files(folder) if item[1] != "p"]
    if not found:
        raise LoadError(f"{folder} contains no Sunnybrook contours.")
    outlines = DrawnContours(study.stack)
    elsewhere, damaged = [], []
    for done, (number, kind, path) in enumerate(found):
        progress(0.5 * done / len(found), f"Reading contours: {done} of {len(found)} files")
        drawn_on = by_number.get(number)
        if drawn_on is None:
            elsewhere.append((number, path))
            continue
        try:
            points = read_points(path) - FIRST_CENTRE
        except LoadError as error:
            damaged.append(error)
            continue
        in_frame = points_in_frame(points, source_of(study.stack, drawn_on))
        outlines.add(drawn_on, Label.LVBP if kind == "i" else Label.LVM, in_frame)
    if not outlines:
        _refuse(folder, study, elsewhere, damaged, outlines)
    return outlines.painted(PROVENANCE, _notes(elsewhere, damaged, len(found)), part(progress, 0.5, 1.0))


def drawn_by_phase(contours: ImportedLabels) -> dict[int, frozenset[Label]]:
    """Per phase with contours, ascending: the structures drawn there."""
    phases: dict[int, frozenset[Label]] = {}
    for frame, drawn in sorted(contours.structures.items()):
        phases[frame.phase] = phases.get(frame.phase, frozenset()) | drawn
    return phases


def _refuse(
    folder: Path, study: Study, elsewhere: list[tuple[int, Path]], damaged: list[LoadError], outlines: DrawnContours
) -> NoReturn:
    if damaged:
        raise damaged[0]
    if not elsewhere:
        raise LoadError(f"{folder.name} contains no usable contour. " + " ".join(outlines.warnings))
    number, path = elsewhere[0]
    raise LabelMapError(
        f"No contour in {folder.name} belongs to an image of {study.name}; {path.name}, for example, belongs to image "
        f"{number}. Open the images that they were drawn on."
    )


def _notes(elsewhere: list[tuple[int, Path]], damaged: list[LoadError], count: int) -> list[Note]:
    notes = []
    if elsewhere:
        first = elsewhere[0][1].name
        text = f"Left out {len(elsewhere)} of {count} contours, drawn on images outside this stack, such as {first}."
        notes.append(Note(text, Code.LABELS_LEFT_OUT))
    if damaged:
        text = f"Left out {len(damaged)} of {count} contours. {damaged[0]}"
        notes.append(Note(text, Code.LABELS_LEFT_OUT))
    return notes


def with_contours(study: Study, contours: ImportedLabels) -> Study:
    """The study with the contours as its reference, and the phases they state: ED has an epicardium, ES has none."""
    drawn = drawn_by_phase(contours)
    most_first = sorted(drawn, key=lambda phase: -int(contours.labels[phase].any(axis=(1, 2)).sum()))
    ed = next((phase for phase in most_first if Label.LVM in drawn[phase]), None)
    es = next((phase for phase in most_first if Label.LVM not in drawn[phase]), None)
    stack = study.stack
    if ed is not None:
        stack = replace(stack, ed_phase=ed, es_phase=es, ed_es_by="the contour files next to the images")
    return replace(
        study,
        stacks=(stack, *study.stacks[1:]),
        reference=contours.labels,
        reference_phases=tuple(drawn),
        warnings=(*study.warnings, *contours.warnings),
    )


def read_points(path: Path) -> NDArray[np.float64]:
    """Points (x, y) of a contour file as they are in it, (point, 2).

    Raises:
        LoadError: The file cannot be read, or holds fewer than three points of two numbers.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise LoadError(f"The contour {path.name} is larger than any contour and was not read.")
        rows = [line.split() for line in path.read_text(encoding="ascii").splitlines() if line.strip()]
        points = np.array([[float(x), float(y)] for x, y in rows], dtype=np.float64).reshape(-1, 2)
    except (OSError, ValueError) as error:
        raise LoadError(f"Could not read the contour {path.name}: it must have two numbers per line.") from error
    try:
        return checked_points(points, f"The contour {path.name}")
    except LabelMapError as error:
        raise LoadError(str(error)) from error
