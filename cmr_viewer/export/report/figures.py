"""The pictures of a report as drawings of lines and letters, the same for PDF and HTML."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from reportlab.graphics.shapes import Circle, Drawing, Image, Line, Path, Rect, String
from reportlab.lib.colors import HexColor

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import Mask
from cmr_viewer.domain.measures.segments_aha import SegmentThickness
from cmr_viewer.domain.polygons import trace
from cmr_viewer.export.report.bulls_eye import (
    CENTRE_RADIUS,
    SECTORS,
    STRUCTURE_INKS,
    THICKENING,
    THICKNESS,
    Scale,
    Sector,
    ink_on,
)
from cmr_viewer.export.report.contents import Curve, FramePicture

INK, SOFT, FAINT, PAPER = "#1c2430", "#5a6675", "#cfd6de", "#ffffff"
Anchor = Literal["start", "middle", "end"]
FONT, BOLD = "Helvetica", "Helvetica-Bold"
VENTRICLE_INKS = {"LV": STRUCTURE_INKS[Label.LVBP], "RV": STRUCTURE_INKS[Label.RVBP]}


def curve_drawing(curve: Curve, width: float = 500.0, height: float = 170.0) -> Drawing:
    """Volumes through the cardiac cycle, with ED and ES.

    Args:
        curve: What to draw; at least one phase has a volume.
        width: In points.
        height: In points.
    """
    drawing = Drawing(width, height)
    left, right, bottom, top = 38.0, width - 22.0, 26.0, height - 26.0
    phases = len(next(iter(curve.volumes.values())))
    known = np.concatenate(list(curve.volumes.values()))
    ticks = _ticks(float(np.nanmax(known)) if np.isfinite(known).any() else 1.0)
    across = np.asarray(curve.times_ms if curve.times_ms is not None else range(1, phases + 1), dtype=np.float64)
    start, span = float(across[0]), max(float(across[-1] - across[0]), 1e-9)

    def x(phase: int) -> float:
        return left + (right - left) * (float(across[phase]) - start) / span

    def y(volume: float) -> float:
        return bottom + (top - bottom) * volume / ticks[-1]

    for tick in ticks:
        drawing.add(Line(left, y(tick), right, y(tick), strokeColor=HexColor(FAINT), strokeWidth=0.5))
        drawing.add(_text(left - 5, y(tick) - 2.6, f"{tick:g}", anchor="end"))
    labelled = -math.inf
    for phase in range(0, phases, max(1, round(phases / 8))):
        label = f"{across[phase]:.0f}" if curve.times_ms is not None else str(phase + 1)
        if x(phase) - labelled >= _ROOM_ACROSS:
            drawing.add(_text(x(phase), bottom - 11, label, anchor="middle"))
            labelled = x(phase)
    unit = "ms after the R wave" if curve.times_ms is not None else "phase"
    drawing.add(_text(right, 4, unit, anchor="end"))
    drawing.add(_text(left - 5, top + 18, curve.unit, anchor="end"))
    marks = {phase: name for phase, name in ((curve.ed_phase, "ED"), (curve.es_phase, "ES")) if phase is not None}
    if curve.ed_phase == curve.es_phase and marks:
        marks = dict.fromkeys(marks, "ED, ES")
    places = _apart([x(phase) for phase in marks], _ROOM_ACROSS, right)
    for (marked, name), place in zip(marks.items(), places, strict=True):
        mark = Line(x(marked), bottom, x(marked), top + 4, strokeColor=HexColor(SOFT), strokeWidth=0.8)
        mark.strokeDashArray = [2, 2]
        drawing.add(mark)
        drawing.add(_text(place, top + 7, name, anchor="middle", font=BOLD, ink=INK))
    ends = {name: y(float(v[np.isfinite(v)][-1])) for name, v in curve.volumes.items() if np.isfinite(v).any()}
    for name, place in zip(ends, _apart(list(ends.values()), _ROOM_UP, top), strict=True):
        drawing.add(_text(right + 5, place - 3, name, size=8, font=BOLD, ink=VENTRICLE_INKS.get(name, INK)))
    for name, volumes in curve.volumes.items():
        for path in _lines([(x(p), y(float(v))) if math.isfinite(v) else None for p, v in enumerate(volumes)]):
            path.strokeColor, path.strokeWidth = HexColor(VENTRICLE_INKS.get(name, INK)), 1.6
            drawing.add(path)
    return drawing


_ROOM_ACROSS, _ROOM_UP = 26.0, 10.0
"""The distance of labels next to one another and above one another, in points."""


def _apart(places: Sequence[float], room: float, highest: float) -> list[float]:
    """Positions of labels in a line, moved until they are at least `room` apart and none is beyond `highest`."""
    moved: dict[int, float] = {}
    limit = highest
    for index in sorted(range(len(places)), key=lambda one: -places[one]):
        moved[index] = min(places[index], limit)
        limit = moved[index] - room
    return [moved[index] for index in range(len(places))]


def _ticks(high: float) -> list[float]:
    """Four to six round numbers from 0 to at least `high`; up to 1 where `high` is 0."""
    high = high if high > 0.0 else 1.0
    rough = high / 5.0
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= rough)
    return [step * index for index in range(math.ceil(high / step) + 1)]


def _lines(points: Sequence[tuple[float, float] | None]) -> list[Path]:
    """Polylines through points; an unknown point interrupts them, and a single point is a dot."""
    paths: list[Path] = []
    before: tuple[float, float] | None = None
    for point in points:
        if point is not None and before is not None:
            paths[-1].lineTo(*point)
        elif point is not None:
            path = Path(fillColor=None, strokeLineJoin=1, strokeLineCap=1)
            path.moveTo(*point)
            path.lineTo(point[0] + 0.01, point[1])
            paths.append(path)
        before = point
    return paths


def wall_drawings(segments: Sequence[SegmentThickness], width: float, height: float) -> tuple[Drawing, Drawing]:
    """Thickness of the wall at ED, and its thickening, each `width` x `height` points."""
    thickness = {one.number: one.ed_mean_mm for one in segments}
    thickening = {one.number: one.thickening_percent for one in segments}
    return (
        bulls_eye_drawing(thickness, THICKNESS, "Thickness at ED, mm", width, height),
        bulls_eye_drawing(thickening, THICKENING, "Thickening, %", width, height),
    )


def bulls_eye_drawing(
    values: Mapping[int, float | None], scale: Scale, title: str, width: float = 240.0, height: float = 250.0
) -> Drawing:
    """A bull's-eye of 16 segments with its values and a scale of colours.

    Args:
        values: By segment, 1 to 16; missing values and None are white.
        scale: Colours of the values.
        title: Name of the values.
        width: In points.
        height: In points.
    """
    drawing = Drawing(width, height)
    radius = min(width - 50, height - 76) / 2
    middle = (width / 2, height - 32 - radius)
    drawing.add(_text(width / 2, height - 10, title, anchor="middle", size=9, font=BOLD, ink=INK))
    for sector in SECTORS:
        value = values.get(sector.segment)
        fill = PAPER if value is None else scale.colour(value)
        drawing.add(_sector_path(sector, middle, radius, fill))
        right, up = sector.middle
        ink = SOFT if value is None else ink_on(fill)
        at = (middle[0] + right * radius, middle[1] + up * radius - 3)
        shown = "–" if value is None else f"{value:.1f}" if scale.unit == "mm" else f"{value:.0f}"  # noqa: RUF001
        drawing.add(_text(*at, shown, anchor="middle", size=8, font=BOLD, ink=ink))
    centre = Circle(*middle, CENTRE_RADIUS * radius, fillColor=HexColor(PAPER), strokeColor=HexColor(FAINT))
    drawing.add(centre)
    for name, right, up in (("anterior", 0, 1.07), ("inferior", 0, -1.13)):
        drawing.add(_text(middle[0] + right * radius, middle[1] + up * radius, name, anchor="middle"))
    drawing.add(_text(middle[0] - radius - 4, middle[1] - 3, "septal", anchor="end", size=6.5))
    drawing.add(_text(middle[0] + radius + 4, middle[1] - 3, "lateral", anchor="start", size=6.5))
    _add_scale(drawing, scale, (middle[0] - radius, 12), 2 * radius)
    return drawing


def _sector_path(sector: Sector, middle: tuple[float, float], radius: float, fill: str) -> Path:
    path = Path(fillColor=HexColor(fill), strokeColor=HexColor(PAPER if fill != PAPER else FAINT), strokeWidth=1.2)
    steps = max(2, round(sector.sweep_degrees / 3))
    angles = [math.radians(sector.start_degrees + sector.sweep_degrees * i / steps) for i in range(steps + 1)]
    outer = [(sector.outer, angle) for angle in angles]
    inner = [(sector.inner, angle) for angle in reversed(angles)]
    for index, (part, angle) in enumerate(outer + inner):
        at = (middle[0] + radius * part * math.cos(angle), middle[1] + radius * part * math.sin(angle))
        path.moveTo(*at) if index == 0 else path.lineTo(*at)
    path.closePath()
    return path


def _add_scale(drawing: Drawing, scale: Scale, at: tuple[float, float], width: float) -> None:
    steps = 40
    for step in range(steps):
        value = scale.low + (scale.high - scale.low) * (step + 0.5) / steps
        box = Rect(at[0] + width * step / steps, at[1], width / steps + 0.4, 6)
        box.fillColor, box.strokeColor = HexColor(scale.colour(value)), None
        drawing.add(box)
    drawing.add(_text(at[0], at[1] - 9, f"{scale.low:g} {scale.unit}"))
    drawing.add(_text(at[0] + width, at[1] - 9, f"{scale.high:g} {scale.unit}", anchor="end"))


def frame_drawing(picture: FramePicture, width: float = 120.0) -> Drawing:
    """A frame in grey with the outlines of its label map.

    Args:
        picture: The frame.
        width: In points; it determines the height.
    """
    from PIL import Image as Pixels  # noqa: PLC0415 - when used

    rows, cols = picture.grey.shape
    height = width * rows * picture.aspect / cols
    drawing = Drawing(width, height)
    wanted = (max(cols, 320), max(1, round(max(cols, 320) * height / width)))
    smooth = Pixels.fromarray(picture.grey).resize(wanted, Pixels.Resampling.BICUBIC)
    drawing.add(Image(0, 0, width, height, smooth))
    labels = picture.labels
    if labels is None:
        return drawing
    endo = labels == int(Label.LVBP)
    for label, mask in (
        (Label.LVBP, endo),
        (Label.LVM, endo | (labels == int(Label.LVM))),
        (Label.RVBP, labels == int(Label.RVBP)),
    ):
        for points in outlines(mask):
            path = Path(fillColor=None, strokeColor=HexColor(ON_GREY[label]), strokeWidth=0.9, strokeLineJoin=1)
            for index, (row, col) in enumerate(points):
                at = ((col + 0.5) * width / cols, height - (row + 0.5) * height / rows)
                path.moveTo(*at) if index == 0 else path.lineTo(*at)
            path.closePath()
            drawing.add(path)
    return drawing


ON_GREY = {Label.LVBP: "#ff4d4d", Label.LVM: "#35d06a", Label.RVBP: "#ffd84d"}
"""Outlines over frames, as in the window."""


def outlines(mask: Mask) -> list[NDArray[np.float64]]:
    """Closed lines halfway between the pixels of a mask and their neighbours outside: marching squares at one half.

    Args:
        mask: (row, col).

    Returns:
        Each (point, 2) as (row, col); pixel centres are whole numbers.
    """
    return [(corners + np.roll(corners, -1, axis=0)) / 2.0 for corners in trace(mask)]


def _text(
    x: float, y: float, text: str, *, anchor: Anchor = "start", size: float = 7.0, font: str = FONT, ink: str = SOFT
) -> String:
    return String(x, y, text, fontName=font, fontSize=size, fillColor=HexColor(ink), textAnchor=anchor)


def as_svg(drawing: Drawing) -> bytes:
    """A drawing as an SVG file of its own."""
    from reportlab.graphics.renderSVG import drawToString  # noqa: PLC0415 - when used

    return str(drawToString(drawing)).encode("utf-8")
