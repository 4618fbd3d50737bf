"""A report as one HTML file that needs nothing else: for a browser, for a screen reader, for printing."""

import base64
from typing import Any

import jinja2
from markupsafe import Markup

from cmr_viewer import NOTICE
from cmr_viewer.export.report.build import LABEL_WORDS
from cmr_viewer.export.report.bulls_eye import STRUCTURE_INKS
from cmr_viewer.export.report.contents import (
    Report,
    curve_words,
    frame_words,
    log_words,
    made_words,
    segment_words,
    zone_words,
)
from cmr_viewer.export.report.figures import as_svg, curve_drawing, frame_drawing, wall_drawings
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
        measures=report.by_ventricle,
        normals=report.normal_sources,
        reasons=report.reasons,
        curve=_curve(report),
        eyes=_eyes(report),
        pictures=pictures,
        legend=[(STRUCTURE_INKS[label], text) for label, text in LABEL_WORDS.items()],
        frames=[frame_words(line) for line in report.frames],
        log=[log_words(line, report.made_at.tzinfo) for line in report.log],
    )
    return text.encode("utf-8")


def _curve(report: Report) -> Markup | None:
    curve = report.curve
    return None if curve is None else _image(curve_drawing(curve, 640, 190), curve_words(curve))


def _eyes(report: Report) -> list[Markup]:
    if not report.segments:
        return []
    thickness, thickening = wall_drawings(report.segments, 280, 270)
    return [
        _image(thickness, segment_words(report.segments, "ed_mean_mm", "mm")),
        _image(thickening, segment_words(report.segments, "thickening_percent", "%")),
    ]


def _image(drawing: Any, words: str) -> Markup:
    """A drawing as an image of its own, so that nothing in it can clash with the page or another drawing."""
    data = base64.b64encode(as_svg(drawing)).decode("ascii")
    size = f'width="{drawing.width:.0f}" height="{drawing.height:.0f}"'
    return Markup('<img src="data:image/svg+xml;base64,{}" {} alt="{}">').format(data, Markup(size), words)
