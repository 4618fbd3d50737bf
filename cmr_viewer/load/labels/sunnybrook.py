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
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.errors import LabelMapError, LoadError
from cmr_viewer.load.labels.imported import (
    MOST_POINTS,
    ImportedLabels,
    Outlines,
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


@dataclass(frozen=True, eq=False)
class ContourLabels:
    """Label maps made of contours.

    Attributes:
        labels: (phase, slice, row, col) uint8 of `Label`; background where nothing is drawn.
        structures: Per phase with contours: the structures drawn there.
        frames: Per frame with contours: the structures drawn there.
        warnings: What a reader should know.
    """

    labels: LabelMap
    structures: Mapping[int, frozenset[Label]]
    frames: Mapping[FrameIndex, frozenset[Label]] = field(default_factory=dict)
    warnings: tuple[Note, ...] = ()


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


def read_sunnybrook_labels(folder: Path, study: Study, progress: Progress = silent) -> ImportedLabels:
    """Label maps of the contours in a folder, on a study whose frames state their files.

    Raises:
        LoadError: No contour can be read.
        LabelMapError: None belongs to an image of the study.
    """
    files = {
        source.path: FrameIndex(phase, index)
        for phase, row in enumerate(study.stack.frame_sources)
        for index, source in enumerate(row)
    }
    if not files:
        raise LabelMapError(
            f"{folder.name} identifies images by file number, but {study.name} was not opened from single files. Open "
            "the folder of DICOM files instead."
        )
    drawn = read_sunnybrook_contours(folder, study, files, progress)
    return ImportedLabels(drawn.labels, drawn.frames, PROVENANCE, drawn.warnings)


def read_sunnybrook_contours(
    folder: Path, study: Study, files: Mapping[Path, FrameIndex], progress: Progress = silent
) -> ContourLabels:
    """Make label maps of the contours of a study.

    Args:
        folder: The contours, such as `contours/SCD0000101`.
        study: Its study.
        files: Which file each frame of the first stack came from.
        progress: Told how far the work is.

    Returns:
        Label maps on the frames' own grid. Inside i: LVBP. Inside o and not i: LVM. What cannot be read, or belongs to
        no image, is left out with a note.

    Raises:
        LoadError: No contour is there, or none can be read.
        LabelMapError: None belongs to an image of the study.
    """
    found = [item for item in _contour_files(folder) if item[1] != "p"]
    if not found:
        raise LoadError(f"{folder} contains no Sunnybrook contours.")
    by_number = {int(match["number"]): frame for path, frame in files.items() if (match := _IMAGE.fullmatch(path.stem))}
    outlines = Outlines(study.stack)
    elsewhere, damaged = [], []
    for done, (number, kind, path) in enumerate(found):
        progress(0.5 * done / len(found), f"Reading contours: {done} of {len(found)} files")
        frame = by_number.get(number)
        if frame is None:
            elsewhere.append((number, path))
            continue
        try:
            points = read_points(path) - FIRST_CENTRE
        except LoadError as error:
            damaged.append(error)
            continue
        in_frame = points_in_frame(points, source_of(study.stack, frame))
        outlines.add(frame, Label.LVBP if kind == "i" else Label.LVM, in_frame)
    if not outlines:
        _refuse(folder, study, elsewhere, damaged, outlines)
    painted = outlines.painted(PROVENANCE, _notes(elsewhere, damaged, len(found)), part(progress, 0.5, 1.0))
    phases: dict[int, set[Label]] = {}
    for frame, drawn in painted.structures.items():
        phases.setdefault(frame.phase, set()).update(drawn)
    by_phase = {phase: frozenset(drawn) for phase, drawn in sorted(phases.items())}
    return ContourLabels(painted.labels, by_phase, painted.structures, painted.warnings)


def _refuse(
    folder: Path, study: Study, elsewhere: list[tuple[int, Path]], damaged: list[LoadError], outlines: Outlines
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


def with_contours(study: Study, contours: ContourLabels) -> Study:
    """The study with the contours as its reference, and the phases they state: ED has an epicardium, ES has none."""
    drawn = Counter(
        {phase: int(contours.labels[phase].any(axis=(1, 2)).sum()) for phase in contours.structures}
    ).most_common()
    ed = next((phase for phase, _ in drawn if Label.LVM in contours.structures[phase]), None)
    es = next((phase for phase, _ in drawn if Label.LVM not in contours.structures[phase]), None)
    stack = study.stack
    if ed is not None:
        stack = replace(stack, ed_phase=ed, es_phase=es, ed_es_by="the contour files next to the images")
    return replace(
        study,
        stacks=(stack, *study.stacks[1:]),
        reference=contours.labels,
        reference_phases=tuple(contours.structures),
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
