"""A report as one HTML file that needs nothing else: for a browser, for a screen reader, for printing."""

import base64
from typing import Any

import jinja2
from markupsafe import Markup

from cmr_viewer import NOTICE
from cmr_viewer.export.report.build import LABEL_WORDS
from cmr_viewer.export.report.bulls_eye import STRUCTURE_INKS, THICKENING, THICKNESS
from cmr_viewer.export.report.contents import (
    MeasureLine,
    Report,
    curve_words,
    frame_words,
    log_words,
    made_words,
    segment_words,
    zone_words,
)
from cmr_viewer.export.report.figures import as_svg, bulls_eye_drawing, curve_drawing, frame_drawing
from cmr_viewer.paths import resources_dir
from cmr_viewer.progress import Progress, silent

TEMPLATE = "report.html"


def as_html(report: Report, progress: Progress = silent) -> bytes:
    """A report as an HTML file, UTF-8; it contains its pictures, with a text for each.

    Args:
        report: Its contents.
        progress: Called as the work goes on; raises `Cancelled` to stop.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resources_dir() / "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pictures = []
    for number, picture in enumerate(report.pictures):
        progress(0.9 * number / len(report.pictures), "Drawing slices")
        outlines = "with outlines" if picture.labels is not None and picture.labels.any() else "without outlines"
        pictures.append((_image(frame_drawing(picture, 150.0), f"{picture.caption}, {outlines}"), picture.caption))
    progress(0.95, "Laying out the page")
    text = environment.get_template(TEMPLATE).render(
        report=report,
        notice=NOTICE,
        made=made_words(report),
        zone=zone_words(report.made_at),
        measures=_by_ventricle(report),
        normals=list(dict.fromkeys(line.source for line in report.measures if line.source)),
        reasons=list(dict.fromkeys(line.reason for line in report.measures if line.reason)),
        curve=_curve(report),
        eyes=_eyes(report),
        pictures=pictures,
        legend=[(STRUCTURE_INKS[label], text) for label, text in LABEL_WORDS.items()],
        frames=[frame_words(line) for line in report.frames],
        log=[log_words(line, report.made_at.tzinfo) for line in report.log],
    )
    return text.encode("utf-8")


def _by_ventricle(report: Report) -> list[tuple[MeasureLine, MeasureLine | None]]:
    lines = {line.name: line for line in report.measures}
    return [
        (line, lines.get(f"rv_{name[3:]}"))
        for name, line in lines.items()
        if name.startswith("lv_") and (report.has_indexed or "_per_m2" not in name)
    ]


def _curve(report: Report) -> Markup | None:
    curve = report.curve
    return None if curve is None else _image(curve_drawing(curve, 640, 190), curve_words(curve))


def _eyes(report: Report) -> list[Markup]:
    if not report.segments:
        return []
    thickness = {one.number: one.thickness_mm for one in report.segments}
    thickening = {one.number: one.thickening_percent for one in report.segments}
    return [
        _image(
            bulls_eye_drawing(thickness, THICKNESS, "Thickness at ED, mm", 280, 270),
            segment_words(report.segments, "thickness_mm", "mm"),
        ),
        _image(
            bulls_eye_drawing(thickening, THICKENING, "Thickening, %", 280, 270),
            segment_words(report.segments, "thickening_percent", "%"),
        ),
    ]


def _image(drawing: Any, words: str) -> Markup:
    """A drawing as an image of its own, so that nothing in it can clash with the page or another drawing."""
    data = base64.b64encode(as_svg(drawing)).decode("ascii")
    size = f'width="{drawing.width:.0f}" height="{drawing.height:.0f}"'
    return Markup('<img src="data:image/svg+xml;base64,{}" {} alt="{}">').format(data, Markup(size), words)
