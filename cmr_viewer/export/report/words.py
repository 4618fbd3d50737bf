"""Lines and pictures of a report in words; the same for PDF and HTML."""

import math
from collections.abc import Sequence
from datetime import datetime, tzinfo

from cmr_viewer.export.report.contents import Curve, FrameLine, LogLine, Report, Segment


def frame_words(line: FrameLine) -> tuple[str, ...]:
    """A line of the table of frames: slice, ED or ES, region, who set it, label map, review, areas."""
    by = {"reader": "reader", "predicted": "classifier"}.get(line.by, line.by)
    if line.by == "predicted" and line.probability is not None:
        by += f", {100 * line.probability:.0f} %"
    areas = "" if line.areas_mm2 is None else ", ".join(f"{area:.0f}" for area in line.areas_mm2)
    return (
        str(line.frame.slice_index + 1),
        line.mark,
        "not known" if line.region is None else line.region.text.lower(),
        by,
        f"{line.drawn}: {line.model_id}" if line.model_id else line.drawn,
        line.status,
        areas,
    )


def made_words(report: Report) -> str:
    """When, for whom and by what the report was made."""
    by = f" for {report.made_by}" if report.made_by else ""
    return f"{report.made_at:%d %B %Y, %H:%M} {zone_words(report.made_at)}{by}, by {report.program}."


def zone_words(at: datetime) -> str:
    """The time zone of a time: its name and its difference from UTC, "CET (UTC+01:00)"; of UTC the name alone."""
    offset = at.strftime("%z")
    name, difference = at.strftime("%Z"), f"UTC{offset[:3]}:{offset[3:5]}"
    if offset in ("", "+0000"):
        return name or "UTC"
    return difference if name.startswith(("UTC", "+", "-")) or not name else f"{name} ({difference})"


def log_words(line: LogLine, zone: tzinfo | None) -> tuple[str, str, str]:
    """A line of the log: when, in a time zone; who; what."""
    first, last = line.first.astimezone(zone), line.last.astimezone(zone)
    when = f"{first:%Y-%m-%d %H:%M}"
    if last.date() != first.date():
        when += f" to {last:%Y-%m-%d %H:%M}"
    elif f"{last:%H:%M}" != f"{first:%H:%M}":
        when += f" to {last:%H:%M}"
    return when, line.who, line.text


def curve_words(curve: Curve) -> str:
    """A description of the curve, for those who cannot see it."""
    said = []
    for name, volumes in curve.volumes.items():
        known = [float(volume) for volume in volumes if math.isfinite(volume)]
        if known:
            said.append(f"{name} from {min(known):.0f} to {max(known):.0f} {curve.unit}")
    for mark, phase in (("end-diastole", curve.ed_phase), ("end-systole", curve.es_phase)):
        if phase is not None:
            said.append(f"{mark} at phase {phase + 1}")
    return f"Volumes through the cardiac cycle: {'; '.join(said)}."


def segment_words(segments: Sequence[Segment], name: str, unit: str) -> str:
    """A description of a bull's-eye, for those who cannot see it.

    Args:
        segments: Of the wall.
        name: "thickness_mm" or "thickening_percent".
        unit: "mm" or "%".
    """
    said = []
    for one in segments:
        value = getattr(one, name)
        if value is not None:
            said.append(f"{one.name} {value:.{1 if unit == 'mm' else 0}f}")
    return f"Bull's-eye, {unit} by segment: {', '.join(said)}." if said else "Bull's-eye without values."
