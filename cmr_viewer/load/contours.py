"""Expert contours of the Sunnybrook Cardiac Data as label maps.

A contour file holds one point "x y" a line, in pixels. Its number NNNN is that of the image:
`IM-0001-0059-icontour-manual.txt` belongs to `59.dcm`. `icontour` is the LV endocardium, papillary muscles inside;
`ocontour` is the LV epicardium and is drawn at ED only. Hence ED has LVBP and LVM, ES has LVBP alone, and the right
ventricle is never drawn.

Rasterisation: x counts columns and y rows, and the centre of the first pixel is (1, 1): so shifted, the contours lie
on the edges of the images, which they do not with the first centre at (0, 0). A pixel belongs to a contour if its
centre lies inside the polygon by the even-odd rule; of centres on the outline itself, those on the left and upper
side belong.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, Mask
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.errors import LoadError

FIRST_CENTRE = 1.0
"""Coordinate of the centre of the first row and column in contour files."""

_CONTOUR = re.compile(r"IM-\d+-(?P<number>\d+)-(?P<kind>[io])contour-manual\.txt", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class ContourLabels:
    """Label maps made of contours.

    Attributes:
        labels: (phase, slice, row, col) uint8 of `Label`; background where nothing is drawn.
        structures: Per phase with contours: the structures drawn there.
    """

    labels: LabelMap
    structures: Mapping[int, frozenset[Label]]


def find_contours(folder: Path) -> Path | None:
    """Where the contours of a patient's image folder are: inside it, or in `contours` beside `dicoms`.

    Returns:
        The folder, or None if there is none.
    """
    candidates = [folder / "contours", folder.parent.parent / "contours" / folder.name]
    return next((path for path in candidates if path.is_dir() and _contour_files(path)), None)


def _contour_files(folder: Path) -> list[tuple[int, str, Path]]:
    """(image number, "i" or "o", file) of the contours in a folder, or in its `i-contours` and `o-contours`."""
    paths = sorted([*folder.glob("*.txt"), *folder.glob("?-contours/*.txt")])
    found = ((path, _CONTOUR.fullmatch(path.name)) for path in paths)
    return [(int(match["number"]), match["kind"].lower(), path) for path, match in found if match]


def read_sunnybrook_contours(folder: Path, study: Study, files: Mapping[Path, FrameIndex]) -> ContourLabels:
    """Make label maps of the contours of a study.

    Args:
        folder: The contours, such as `contours/SCD0000101`.
        study: Its study.
        files: Which file each frame of the first stack came from.

    Returns:
        Label maps on the frames' own grid. Inside i: LVBP. Inside o and not i: LVM.

    Raises:
        LoadError: A contour cannot be read, belongs to no image, or none is there.
    """
    by_number = {int(path.stem): frame for path, frame in files.items() if path.stem.isdigit()}
    stack = study.stack
    shape = (stack.geometry.rows, stack.geometry.cols)
    labels = np.zeros(stack.pixels.shape, dtype=np.uint8)
    structures: dict[int, set[Label]] = {}
    # "o" sorts after "i": the epicardium is filled first so that the endocardium lies on top.
    for number, kind, path in sorted(_contour_files(folder), key=lambda found: found[1], reverse=True):
        frame = by_number.get(number)
        if frame is None:
            raise LoadError(f"{path.name} belongs to image {number}, which {study.name} does not hold.")
        label = Label.LVBP if kind == "i" else Label.LVM
        inside = fill_polygon(read_points(path) - FIRST_CENTRE, shape)
        labels[frame.phase, frame.slice_index][inside] = int(label)
        structures.setdefault(frame.phase, set()).add(label)
    if not structures:
        raise LoadError(f"{folder} holds no Sunnybrook contours.")
    return ContourLabels(labels, {phase: frozenset(drawn) for phase, drawn in sorted(structures.items())})


def with_contours(study: Study, contours: ContourLabels) -> Study:
    """The study with the contours as its reference, and the phases they state: ED has an epicardium, ES has none."""
    drawn = Counter(
        {phase: int(contours.labels[phase].any(axis=(1, 2)).sum()) for phase in contours.structures}
    ).most_common()
    ed = next((phase for phase, _ in drawn if Label.LVM in contours.structures[phase]), None)
    es = next((phase for phase, _ in drawn if Label.LVM not in contours.structures[phase]), None)
    stack = replace(study.stack, ed_phase=ed, es_phase=es if ed is not None else None)
    return replace(
        study,
        stacks=(stack, *study.stacks[1:]),
        reference=contours.labels,
        reference_phases=tuple(contours.structures),
    )


def read_points(path: Path) -> NDArray[np.float64]:
    """Points (x, y) of a contour file as they are in it, (point, 2).

    Raises:
        LoadError: The file cannot be read, or holds fewer than three points of two numbers.
    """
    try:
        rows = [line.split() for line in path.read_text(encoding="ascii").splitlines() if line.strip()]
        points = np.array([[float(x), float(y)] for x, y in rows], dtype=np.float64)
    except (OSError, ValueError) as error:
        raise LoadError(f"The contour {path.name} cannot be read: it must hold two numbers a line.") from error
    if len(points) < 3 or not np.isfinite(points).all():
        raise LoadError(f"The contour {path.name} holds {len(points)} points; at least three are needed.")
    return points


def fill_polygon(points: NDArray[np.float64], shape: tuple[int, int]) -> Mask:
    """Pixels whose centre lies inside a closed polygon, by the even-odd rule.

    Args:
        points: (point, 2) x (column) and y (row); pixel centres are whole numbers from 0.
        shape: (rows, cols) of the result; what is outside it is cut off.
    """
    row = np.arange(shape[0])
    x0, y0 = points[:, 0, None], points[:, 1, None]
    x1, y1 = np.roll(points, -1, axis=0).T[:, :, None]
    crossed = (y0 <= row) != (y1 <= row)
    edge, at_row = np.nonzero(crossed)
    x0, y0, x1, y1 = (v[edge, 0] for v in (x0, y0, x1, y1))
    at_col = np.ceil(x0 + (at_row - y0) * (x1 - x0) / (y1 - y0))
    # Each crossing of a row turns inside into outside, or back, from its column on.
    turns = np.zeros((shape[0], shape[1] + 1), dtype=np.int64)
    np.add.at(turns, (at_row, np.clip(at_col, 0, shape[1]).astype(np.int64)), 1)
    return np.asarray(np.cumsum(turns, axis=1)[:, : shape[1]] % 2 == 1)
