"""Writes a report as PDF, HTML or CSV; the file is always complete, either the old one or the new one."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from cmr_viewer.export.report.material import Material
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
        from cmr_viewer.export.report.sheet import as_csv  # noqa: PLC0415 - when used

        content = as_csv(report)
    progress(0.97, f"Writing {path.name}")
    write_atomically(path, content)
    return path
