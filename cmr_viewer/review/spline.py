"""Closed contours with a few knots, that a reader drags, pulls and draws anew in part. Points are (row, col).

A contour is a dense closed line, and its knots are points of it. Between two knots the line is a cubic through the
knots (Catmull-Rom on the length of the line, so that a knot moves the line no farther than the second knot on either
side) and what is left over: by how much the line departs from that cubic. What is left over stays where the line is not
moved and fades out as it moves by `FADE_PX`. So a contour is exactly the line it was made from until it is edited, and
smooth where it was.

Nothing here knows of label maps; `review.frame_contours` makes contours of them, and label maps of contours.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.label_map import Point
from cmr_viewer.errors import LabelMapError

Line = NDArray[np.float64]
"""(point, 2) row and col of a line; a closed one does not repeat its first point."""

FADE_PX = 1.0
"""Moved by this much, a line has become the cubic through its knots."""

STEP_PX = 0.5
"""No two points of a line that was edited are farther apart."""

FEWEST_KNOTS, MOST_KNOTS = 3, 16

_FIT_PX = 1.0
_EVEN_KNOTS = 6
_CLOSE_PX = 3.0


@dataclass(frozen=True, eq=False)
class Contour:
    """One closed contour.

    Attributes:
        points: (point, 2) row and col; the last joins the first. Not writable.
        knots: (knot,) which of the points are knots, rising.
        hole: Whether it bounds a hole of its structure, so that the structure lies outside it.
    """

    points: Line
    knots: NDArray[np.int64]
    hole: bool = False

    @property
    def knot_points(self) -> Line:
        """(knot, 2) row and col of the knots."""
        return np.asarray(self.points[self.knots])

    @property
    def length_px(self) -> float:
        """Length of the line."""
        return float(_steps(self.points).sum())


def contour_along(points: Line, *, hole: bool = False) -> Contour:
    """The contour that follows a line exactly, with as few knots as describe it well.

    Beside six at even distances, knots are set where the cubic through the others departs farthest from the line, until
    it stays within a pixel (a 200th of the length, if that is more), or there are `MOST_KNOTS`.

    Args:
        points: (point, 2) a closed line of at least three points.
        hole: As in `Contour`.

    Raises:
        LabelMapError: Fewer than three different points, or values that are no numbers.
    """
    line = _closed(points)
    along = _along(line)
    length = float(along[-1])
    knots = np.unique(np.searchsorted(along[:-1], np.arange(_EVEN_KNOTS) * length / _EVEN_KNOTS)).astype(np.int64)
    knots = knots if len(knots) >= FEWEST_KNOTS else np.arange(FEWEST_KNOTS)
    close, limit = min(_CLOSE_PX, length / 12), max(_FIT_PX, length / 200)
    while len(knots) < MOST_KNOTS:
        away = np.hypot(*(line - _cubic(along, knots, line[knots])).T)
        apart = np.abs(along[:-1, None] - along[knots][None, :])
        away[np.minimum(apart, length - apart).min(axis=1) < close] = 0.0
        if away.max() <= limit:
            break
        knots = np.sort(np.append(knots, int(away.argmax())))
    return Contour(_frozen(line), knots, hole)


def contour_through(clicked: Line) -> Contour:
    """The smooth contour through points that were clicked, which become its knots.

    Args:
        clicked: (point, 2) at least three.

    Raises:
        LabelMapError: Fewer than three different points, or values that are no numbers.
    """
    line, knots = _through(_distinct(clicked))
    return Contour(_frozen(line), knots)


def contour_drawn(stroke: Line) -> Contour:
    """The contour of a freehand line, closed from its end to its start; the tremor of the hand is taken out."""
    return contour_along(_calm(resampled(_distinct(stroke), closed=True), closed=True))


def knot_moved(contour: Contour, knot: int, to: Point) -> Contour:
    """A contour with one knot elsewhere; beyond the second knot on either side it stays as it is.

    Args:
        contour: The contour before the drag.
        knot: Place in `Contour.knots`.
        to: (row, col) where the knot goes.
    """
    line, knots, along = contour.points, contour.knots, _along(contour.points)
    by = np.zeros((len(knots), 2))
    by[knot] = np.asarray(to) - line[knots[knot]]
    moved = _cubic(along, knots, by)
    left_over = line - _cubic(along, knots, line[knots])
    share = np.clip(1.0 - np.hypot(*moved.T) / FADE_PX, 0.0, 1.0)[:, None]
    points = line + moved - (1.0 - share) * left_over
    # Where nothing moved, the very same numbers stay.
    return replace(contour, points=_frozen(np.where(np.any(moved != 0, axis=1, keepdims=True), points, line)))


def pulled(contour: Contour, at: int, to: Point, reach_px: float) -> Contour:
    """A contour of which one point is pulled elsewhere and takes the line along on both sides, the less the farther.

    Args:
        contour: The contour before the drag.
        at: Which of its points the pointer grabbed.
        to: (row, col) where that goes.
        reach_px: Length of line on either side that comes along; longer for a long pull, half the line at most.
    """
    line, along = contour.points, _along(contour.points)
    by = np.asarray(to) - line[at]
    length = float(along[-1])
    reach = min(max(reach_px, 1.5 * float(np.hypot(*by))), length / 2)
    apart = np.abs(along[:-1] - along[at])
    share = np.clip(1.0 - (np.minimum(apart, length - apart) / reach) ** 2, 0.0, 1.0) ** 2
    return replace(contour, points=_frozen(line + share[:, None] * by))


def redrawn(contour: Contour, stroke: Line) -> Contour:
    """A contour of which a stroke replaces the part between the points nearest to the stroke's two ends.

    Of the two parts between those points, the one is replaced that turns about the inside of the contour as the stroke
    does.

    Args:
        contour: The contour.
        stroke: (point, 2) as it was drawn.

    Raises:
        LabelMapError: Fewer than two different points, or values that are no numbers.
    """
    line = contour.points
    drawn = _calm(resampled(_distinct(stroke, fewest=2), closed=False), closed=False)
    centre = _deep_inside(line)
    turns = np.abs(_turns(drawn, centre))
    if turns[-1] >= 2 * np.pi:  # all of it is drawn anew
        return replace(contour_along(drawn[: int(np.argmax(turns >= 2 * np.pi)) + 1]), hole=contour.hole)
    first, last = (nearest_point(contour, (float(end[0]), float(end[1])))[0] for end in (drawn[0], drawn[-1]))
    there, back = (_turns(_part(line, *ends), centre)[-1] for ends in ((first, last), (last, first)))
    turned = _turns(drawn, centre)[-1]
    if abs(there - turned) > abs(-back - turned):
        first, last, drawn = last, first, drawn[::-1]  # the stroke runs against the line
    rest = np.arange(last, first + 1 if first > last else first + 1 + len(line)) % len(line)
    return _joined(contour, rest[: len(line)], drawn)


def _joined(contour: Contour, rest: NDArray[np.int64], drawn: Line) -> Contour:
    """The rest of a contour, and a line from its end to its beginning; with knots on both."""
    part = contour.points[rest]
    along = np.concatenate([[0.0], np.cumsum(_steps(part)[:-1])])
    margin = _CLOSE_PX / 2
    inner = np.isin(rest, contour.knots) & (along > margin) & (along < along[-1] - margin)
    count = max(2, round(_open_length(drawn) / max(contour.length_px / len(contour.knots), _CLOSE_PX)))
    new = len(rest) + np.linspace(0, len(drawn) - 1, count + 1).round().astype(np.int64)
    knots = np.unique(np.concatenate([np.flatnonzero(inner), new]))
    return _spaced(np.concatenate([part, drawn]), knots, contour.hole)


def knot_added(contour: Contour, at: int) -> Contour:
    """A contour with another knot at one of its points; the line stays as it is."""
    return replace(contour, knots=np.unique(np.append(contour.knots, at)))


def knot_removed(contour: Contour, knot: int) -> Contour:
    """A contour with a knot less: between its neighbours the line becomes the cubic through the knots that are left.

    Args:
        contour: The contour.
        knot: Place in `Contour.knots`.

    Raises:
        LabelMapError: It has three knots only.
    """
    knots = np.delete(contour.knots, knot)
    if len(knots) < FEWEST_KNOTS:
        raise LabelMapError("A contour needs at least three knots. Redraw it, or delete the label instead.")
    line = contour.points
    cubic = _cubic(_along(line), knots, line[knots])
    before, after = int(knots[knot - 1]), int(knots[knot % len(knots)])
    places = np.arange(before, after if after > before else after + len(line))[1:] % len(line)
    points = line.copy()
    points[places] = cubic[places]
    return _spaced(points, knots, contour.hole)


def spaced(contour: Contour) -> Contour:
    """The same line with points close enough together to be edited again; for the end of a drag."""
    return _spaced(contour.points, contour.knots, contour.hole)


def nearest_point(contour: Contour, point: Point) -> tuple[int, float]:
    """Which point of the line is nearest to a (row, col), and how far it is in pixels."""
    away = np.hypot(*(contour.points - point).T)
    nearest = int(away.argmin())
    return nearest, float(away[nearest])


# Lines


def _steps(line: Line) -> NDArray[np.float64]:
    """(point,) distances from each point to the next, the last to the first."""
    return np.asarray(np.hypot(*(np.roll(line, -1, axis=0) - line).T))


def _along(line: Line) -> NDArray[np.float64]:
    """(point + 1,) length of a closed line up to each point, and back to the first."""
    return np.concatenate([[0.0], np.cumsum(_steps(line))])


def _open_length(line: Line) -> float:
    return float(np.hypot(*np.diff(line, axis=0).T).sum())


def _frozen(line: Line) -> Line:
    line = np.ascontiguousarray(line, dtype=np.float64)
    line.flags.writeable = False
    return line


def _distinct(points: NDArray[np.float64], fewest: int = FEWEST_KNOTS) -> Line:
    """Checked points, without those that repeat the one before."""
    line = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if not np.isfinite(line).all():
        raise LabelMapError("Some points of the contour are not numbers.")
    if len(line):
        line = line[np.append(True, np.hypot(*np.diff(line, axis=0).T) > 1e-9)]
    if fewest > 2 and len(line) > 1 and np.hypot(*(line[0] - line[-1])) <= 1e-9:
        line = line[:-1]
    if len(line) < fewest:
        raise LabelMapError(f"A contour needs at least {fewest} different points. Draw a longer line.")
    return line


def _closed(points: Line) -> Line:
    """A closed line whose points are no farther apart than `STEP_PX`; the points it had are among them."""
    line = _distinct(points)
    return _spaced(line, np.zeros(0, dtype=np.int64), False).points


def _spaced(line: Line, knots: NDArray[np.int64], hole: bool) -> Contour:
    pieces = np.maximum(1, np.ceil(_steps(line) / STEP_PX)).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(pieces)[:-1]])
    which = np.repeat(np.arange(len(line)), pieces)
    share = (np.arange(len(which)) - starts[which]) / pieces[which]
    following = np.roll(line, -1, axis=0)
    points = line[which] + share[:, None] * (following[which] - line[which])
    return Contour(_frozen(points), np.sort(starts[knots]).astype(np.int64), hole)


def resampled(line: Line, *, closed: bool, step_px: float = STEP_PX) -> Line:
    """A line with points at even distances of about `step_px`."""
    whole = np.concatenate([line, line[:1]]) if closed else line
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(whole, axis=0).T))])
    count = max(int(np.ceil(along[-1] / step_px)), 3)
    at = np.linspace(0.0, along[-1], count + 1)
    even = np.stack([np.interp(at, along, whole[:, axis]) for axis in (0, 1)], axis=1)
    return np.asarray(even[:-1] if closed else even)


def _calm(line: Line, *, closed: bool) -> Line:
    """Average neighbours some times, so that the tremor of the hand goes; the ends of an open line stay."""
    for _ in range(24):
        before, after = np.roll(line, 1, axis=0), np.roll(line, -1, axis=0)
        calmer: Line = 0.25 * before + 0.5 * line + 0.25 * after
        if not closed:
            calmer[0], calmer[-1] = line[0], line[-1]
        line = calmer
    return line


def _part(line: Line, first: int, last: int) -> Line:
    """The part of a closed line from one point on to another."""
    return np.asarray(line[np.arange(first, last + 1 if last >= first else last + 1 + len(line)) % len(line)])


def _turns(line: Line, centre: Line) -> NDArray[np.float64]:
    """(point,) angle by which an open line has turned about a point, in radians."""
    angle = np.unwrap(np.arctan2(*(line - centre).T))
    return np.asarray(angle - angle[0])


def _deep_inside(line: Line) -> Line:
    """A point well inside a closed line: of the middles of what it encloses, row by row, the one farthest from it."""
    rows = np.linspace(line[:, 0].min(), line[:, 0].max(), 33)[1:-1]
    start, end = line, np.roll(line, -1, axis=0)
    best: Line = line.mean(axis=0)
    deepest = -1.0
    for row in rows:
        crossed = (start[:, 0] <= row) != (end[:, 0] <= row)
        (r0, c0), (r1, c1) = start[crossed].T, end[crossed].T
        cols = np.sort(c0 + (row - r0) * (c1 - c0) / (r1 - r0))
        for left, right in zip(cols[::2], cols[1::2], strict=False):
            middle = np.asarray([row, (left + right) / 2])
            depth = float(np.hypot(*(line - middle).T).min())
            if depth > deepest:
                best, deepest = middle, depth
    return best


# Cubics


def _cubic(along: NDArray[np.float64], knots: NDArray[np.int64], values: Line) -> Line:
    """(point, 2) of the periodic cubic through values at the knots, on the length of the line.

    The slope at a knot is that from its one neighbour to the other: Catmull and Rom, A class of local interpolating
    splines, 1974.

    Args:
        along: (point + 1,) as `_along`.
        knots: (knot,) which of the points are knots, rising.
        values: (knot, 2).
    """
    from scipy.interpolate import CubicHermiteSpline  # noqa: PLC0415 - scipy would keep the window waiting

    length, ends = float(along[-1]), along[knots]
    where = np.concatenate([ends[-2:] - length, ends, ends[:2] + length])
    around = np.concatenate([values[-2:], values, values[:2]])
    slopes = (around[2:] - around[:-2]) / (where[2:] - where[:-2])[:, None]
    return np.asarray(CubicHermiteSpline(where[1:-1], around[1:-1], slopes)(along[:-1]))


def _through(corners: Line) -> tuple[Line, NDArray[np.int64]]:
    """The periodic cubic spline through corners, on the distances between them; and which of its points they are.

    Slope and curvature are continuous at the corners (de Boor, A practical guide to splines, 1978, chapter IV).
    """
    from scipy.interpolate import CubicSpline  # noqa: PLC0415 - scipy would keep the window waiting

    after, along = _steps(corners), _along(corners)
    pieces = np.maximum(2, np.ceil(1.5 * after / STEP_PX)).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(pieces)]).astype(np.int64)
    at = np.interp(np.arange(starts[-1]), starts, along)
    return CubicSpline(along, np.concatenate([corners, corners[:1]]), bc_type="periodic")(at), starts[:-1]
