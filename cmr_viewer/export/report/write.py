"""Writes a report as PDF, HTML or CSV; the file is always complete, either the old one or the new one."""

import math
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from cmr_viewer import NOTICE
from cmr_viewer.export.report.contents import Report
from cmr_viewer.export.report.material import Material
from cmr_viewer.export.tables import csv_text
from cmr_viewer.progress import Progress, part, silent
from cmr_viewer.store.atomic import write_atomically


class ReportFormat(StrEnum):
    """Forms of a report; the value is the ending of the file."""

    PDF = "pdf"
    HTML = "html"
    CSV = "csv"


FORMATS: Mapping[ReportFormat, tuple[str, str]] = {
    ReportFormat.PDF: ("PDF", "A4 pages with pictures, to print or to send"),
    ReportFormat.HTML: ("HTML", "One self-contained page with pictures, for browsers and screen readers"),
    ReportFormat.CSV: ("CSV", "All figures, regions, checks and the log, for other programs"),
}
"""Name and description of each form."""


def write_report(path: Path, form: ReportFormat, material: Material, progress: Progress = silent) -> Path:
    """Build a report and write it.

    Args:
        path: The file; replaced whole if it exists.
        form: PDF, HTML or CSV.
        material: The contents of the report.
        progress: Called as the work goes on; raises `Cancelled` to stop, and then nothing is written.

    Returns:
        The file.

    Raises:
        StoreError: The file could not be written; an existing one is unchanged.
        Cancelled: `progress` asked to stop.
    """
    from cmr_viewer.export.report.build import build_report  # noqa: PLC0415 - scipy; the window must not wait for it

    report = build_report(material, part(progress, 0.0, 0.4))
    drawing = part(progress, 0.4, 0.95)
    if form is ReportFormat.PDF:
        from cmr_viewer.export.report.pdf import as_pdf  # noqa: PLC0415 - reportlab, when used

        content = as_pdf(report, drawing)
    elif form is ReportFormat.HTML:
        from cmr_viewer.export.report.page import as_html  # noqa: PLC0415 - reportlab, when used

        content = as_html(report, drawing)
    else:
        from cmr_viewer.export.report.write import as_csv  # noqa: PLC0415 - when used

        content = as_csv(report)
    progress(0.97, f"Writing {path.name}")
    write_atomically(path, content)
    return path


COLUMNS = ("section", "name", "value", "unit", "low", "high", "where", "note")


def as_csv(report: Report) -> bytes:
    """A report as CSV.

    Columns: section (report, study, note, measure, volume, rate, segment, frame, check, log, method, source), name,
    value, unit, low and high of the normal range, where (phase and slice, counted from 1 as everywhere that people
    read; or a place in words), note. UTF-8, comma, line feed. Numbers are not rounded; what is not known is empty, with
    the reason as note.
    """
    rows: list[Sequence[object]] = [COLUMNS]

    def line(section: str, name: str, value: object = "", unit: str = "", *rest: object) -> None:
        cells = [section, name, value, unit, *rest]
        rows.append(cells + [""] * (len(COLUMNS) - len(cells)))

    _head(report, line)
    for model, frames in report.models:
        line("model", model, frames)
    for reader in report.readers:
        line("reader", *reader.split(": ", 1))
    _measures(report, line)
    for one in report.segments:
        line("segment", f"{one.number} {one.name}", one.ed_mean_mm, "mm", "", "", "ED", "thickness")
        line("segment", f"{one.number} {one.name}", one.thickening_percent, "%", "", "", "ED to ES", "thickening")
    _frames(report, line)
    for check in report.checks:
        line("check", check.where, check.text)
    for entry in report.log:
        line("log", entry.who, entry.text, "", "", "", f"{entry.first.isoformat()}/{entry.last.isoformat()}")
    for name, value in report.method:
        line("method", name, value)
    for source in report.sources:
        line("source", "", source)
    return csv_text(rows).encode()


def _head(report: Report, write: Callable[..., None]) -> None:
    write("report", "notice", NOTICE)
    write("report", "program", report.program)
    write("report", "made_at", report.made_at.isoformat())
    write("report", "made_by", report.made_by)
    write("report", "status", "final" if report.draft is None else report.draft.text)
    if report.draft is not None:
        write("report", "unreviewed_frames", report.draft.unreviewed)
        write("report", "failing_checks", report.draft.failing)
    write("study", "name", report.title)
    if report.patient:
        write("study", "patient", report.patient)
    for name, value in report.facts:
        write("study", name, value)
    for note in report.notes:
        slices = " ".join(str(index + 1) for index in note.slices)
        write("note", note.code.value, str(note), "", "", "", f"slices {slices}" if slices else "")


def _measures(report: Report, write: Callable[..., None]) -> None:
    for one in report.measures:
        low, high = one.normal or ("", "")
        write("measure", one.name, one.value, one.unit, low, high, "", one.reason or one.source)
    curve = report.curve
    if curve is None:
        return
    for name, volumes in curve.volumes.items():
        for phase, volume in enumerate(volumes):
            time = "" if curve.times_ms is None else f"{curve.times_ms[phase]:g} ms"
            known = float(volume) if math.isfinite(volume) else None
            write("volume", name, known, curve.unit, "", "", f"phase {phase + 1}", time)
    for text, value in curve.rates:
        write("rate", text, value)


def _frames(report: Report, write: Callable[..., None]) -> None:
    for frame in report.frames:
        where = "phase {} slice {}".format(*frame.frame.numbers)
        region = "" if frame.region is None else frame.region.value
        by = frame.by if frame.probability is None else f"{frame.by} {frame.probability:.6f}"
        note = "; ".join(part for part in (by, frame.drawn, frame.model_id, frame.status) if part)
        write("frame", frame.mark, region, "", "", "", where, note)
        for name, area in zip(("LVBP", "LVM", "RVBP"), frame.areas_mm2 or (), strict=False):
            write("area", name, area, "mm2", "", "", where)
