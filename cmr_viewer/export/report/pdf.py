"""A report as PDF, A4, drawn with lines and letters; frames are the only pixels in it."""

import io
from collections.abc import Sequence
from typing import Any, cast
from xml.sax.saxutils import escape

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    CondPageBreak,
    Flowable,
    KeepTogether,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
    TableStyle,
)

from cmr_viewer import NOTICE
from cmr_viewer.export.report.build import LABEL_WORDS
from cmr_viewer.export.report.bulls_eye import STRUCTURE_INKS
from cmr_viewer.export.report.contents import (
    MeasureLine,
    Report,
    frame_words,
    log_words,
    made_words,
    zone_words,
)
from cmr_viewer.export.report.figures import FAINT, INK, SOFT, curve_drawing, frame_drawing, wall_drawings
from cmr_viewer.export.report.letters import Letters, fonts_for
from cmr_viewer.progress import Progress, silent

_PADDING = 6.0
"""Of reportlab's frames; the margin is counted with it."""

_MARGIN = 16 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_FOOT_SIZE = 7.5
_BAND, _FLAG = "#f2f5f8", "#b3261e"


def as_pdf(report: Report, progress: Progress = silent) -> bytes:
    """A report as a PDF file.

    Args:
        report: Its contents.
        progress: Called as the work goes on; raises `Cancelled` to stop.
    """
    file = io.BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=_MARGIN - _PADDING,
        rightMargin=_MARGIN - _PADDING,
        topMargin=13 * mm,
        bottomMargin=18 * mm,
        title=f"Report on {report.title}",
        author=report.made_by,
        subject=NOTICE,
        creator=report.program,
        lang="en",
    )
    pages = _Pages(report, progress)
    story = pages.story()
    reached, number = 0.5, len(story)

    def watch(what: str, value: Any) -> None:
        nonlocal reached
        if what == "PROGRESS":  # what does not fit on a page is counted again on the next
            reached = max(reached, 0.5 + 0.5 * min(1.0, float(value) / max(1, number)))
            progress(reached, "Laying out pages")

    document.setProgressCallBack(watch)
    document.build(story, canvasmaker=pages.canvas)
    return file.getvalue()


class _Pages:
    """The parts of one report in their order."""

    def __init__(self, report: Report, progress: Progress) -> None:
        self._report, self._progress = report, progress
        self._letters = Letters(_fonts_for(report))
        self._plain, self._bold = self._letters.plain, self._letters.bold
        self._text = self._style(9, 12.5)
        self._small = self._style(7.6, 10)
        self._soft = self._style(8.2, 11, ink=SOFT)
        self._strong = self._style(9, 12.5, bold=True)
        self._right = self._style(9, 12.5, align=TA_RIGHT)
        self._right_soft = self._style(8.2, 11, ink=SOFT, align=TA_RIGHT)
        self._heading = self._style(11.5, 15, bold=True, before=9, after=3)
        self._title = self._style(18, 22, bold=True)

    def _style(
        self,
        size: float,
        leading: float,
        *,
        bold: bool = False,
        ink: str = INK,
        align: int = 0,
        before: float = 0,
        after: float = 0,
    ) -> ParagraphStyle:
        return ParagraphStyle(
            f"{size}-{bold}-{ink}-{align}",
            fontName=self._bold if bold else self._plain,
            fontSize=size,
            leading=leading,
            textColor=HexColor(ink),
            alignment=cast(Any, align),
            spaceBefore=before,
            spaceAfter=after,
        )

    def _line(self, text: str, style: ParagraphStyle | None = None) -> Paragraph:
        style = style or self._text
        return Paragraph(self._letters.marked(text, bold=style.fontName == self._bold), style)

    def story(self) -> list[Flowable]:
        """Everything, in order."""
        report = self._report
        parts: list[Flowable] = [*self._head(), *self._notes(), *self._measures()]
        self._progress(0.05, "Drawing curves")
        if report.curve is not None:
            parts += [KeepTogether([self._line("Volumes through the cycle", self._heading), *self._curve()])]
        if report.segments:
            parts += [KeepTogether([self._line("Wall of the left ventricle", self._heading), *self._wall()])]
        elif report.segments_note:
            parts += [self._line("Wall of the left ventricle", self._heading), self._line(report.segments_note)]
        parts += self._pictures()
        parts += [CondPageBreak(50 * mm), self._line("Regions and label maps at ED and ES", self._heading)]
        parts += [self._frames(), CondPageBreak(25 * mm)]
        parts += [self._line("Failing checks", self._heading), *self._checks(), CondPageBreak(35 * mm)]
        parts += [self._line("Who changed what", self._heading), *self._log()]
        parts += [self._line("Method", self._heading), *self._method()]
        return parts

    def _head(self) -> list[Flowable]:
        report = self._report
        parts: list[Flowable] = [
            self._line(report.title, self._title),
            self._line(f"Short-axis cine CMR. {made_words(report)} {NOTICE}", self._soft),
        ]
        if report.patient:
            parts.append(self._line(f"Patient: {report.patient}", self._strong))
        cells = [[self._line(name, self._soft), self._line(value)] for name, value in report.facts]
        half = (len(cells) + 1) // 2
        rows = [
            [*cells[i], *(cells[half + i] if half + i < len(cells) else [self._line(""), self._line("")])]
            for i in range(half)
        ]
        parts += [Spacer(1, 6), _table(rows, (30 * mm, 61 * mm, 32 * mm, None), [])]
        return parts

    def _notes(self) -> list[Flowable]:
        notes = self._report.notes
        if not notes:
            return []
        return [self._line("Notes", self._heading), *(self._line(f"\u2022 {note}") for note in notes)]

    # -- measures ------------------------------------------------------------------------------------------------------

    def _measures(self) -> list[Flowable]:
        head = ["", "LV", "normal", "RV", "normal", "unit"]
        rows: list[list[Any]] = [
            [self._line(text, self._right_soft if text in ("LV", "RV") else self._soft) for text in head]
        ]
        rows += [
            [
                self._line(f"{line.text} ({line.abbreviation})" if line.abbreviation else line.text),
                *self._value(line),
                *(self._value(other) if other is not None else ("", "")),
                self._line(line.unit, self._soft),
            ]
            for line, other in self._report.by_ventricle
        ]
        parts: list[Flowable] = [
            self._line("Measures", self._heading),
            _table(rows, (62 * mm, 22 * mm, 28 * mm, 22 * mm, 28 * mm, None), [*_ruled(len(rows)), *_APART]),
        ]
        notes = [text for name, text in self._report.method if name == "Papillary muscles"]
        for text in (
            *notes,
            *(f"Not available: {reason}" for reason in self._report.reasons),
            *(f"Normal: {one}" for one in self._report.normal_sources),
        ):
            parts.append(self._line(text, self._soft))
        return parts

    def _value(self, line: MeasureLine) -> tuple[Any, Any]:
        flag = {"below": " low", "above": " high"}.get(line.verdict, "")
        shown = f"<b>{escape(line.shown)}</b>" if flag else escape(line.shown)
        if flag:
            shown = f'<font color="{_FLAG}">{shown}{flag}</font>'
        return Paragraph(shown, self._right), self._line(line.shown_range, self._soft)

    def _curve(self) -> list[Flowable]:
        curve = self._report.curve
        assert curve is not None
        rates = " · ".join(f"{text} {value}" for text, value in curve.rates)
        return [curve_drawing(curve, _WIDTH, 210), self._line(rates, self._soft)]

    def _wall(self) -> list[Flowable]:
        width = _WIDTH / 2
        eyes = wall_drawings(self._report.segments, width, 200)
        return [_table([eyes], (width, width), []), self._line(self._report.segments_note, self._soft)]

    # -- frames --------------------------------------------------------------------------------------------------------

    def _pictures(self) -> list[Flowable]:
        report, across = self._report, 4
        if not report.pictures:
            return []
        width = _WIDTH / across - 6
        cells: list[list[Flowable]] = []
        for number, picture in enumerate(report.pictures):
            self._progress(0.1 + 0.35 * number / len(report.pictures), "Drawing slices")
            cells.append([frame_drawing(picture, width), self._line(picture.caption, self._soft)])
        lines = ", ".join(
            f'<font color="{STRUCTURE_INKS[label]}">\u2022</font> {escape(text)}' for label, text in LABEL_WORDS.items()
        )
        rows = [cells[start : start + across] for start in range(0, len(cells), across)]
        rows[-1] = rows[-1] + [[self._line("")]] * (across - len(rows[-1]))
        first = KeepTogether(
            [
                self._line("Slices at end-diastole and end-systole", self._heading),
                Paragraph(lines, self._soft),
                _table(rows[:1], (_WIDTH / across,) * across, _PICTURE_STYLE),
            ]
        )
        rest: list[Flowable] = [_table(rows[1:], (_WIDTH / across,) * across, _PICTURE_STYLE)] if rows[1:] else []
        return [first, *rest]

    def _frames(self) -> Flowable:
        head = ("slice", "", "region", "set by", "label map", "review", "LV, wall, RV mm²")
        rows: list[list[Any]] = [[self._line(text, self._soft) for text in head]]
        rows += [[self._line(text, self._small) for text in frame_words(line)] for line in self._report.frames]
        widths = (11 * mm, 9 * mm, 20 * mm, 25 * mm, 58 * mm, 24 * mm, None)
        return _table(rows, widths, _ruled(len(rows)), repeat=1)

    # -- checks, log, method -------------------------------------------------------------------------------------------

    def _checks(self) -> list[Flowable]:
        if not self._report.checks:
            return [self._line("None.")]
        rows = [[self._line(one.where, self._soft), self._line(one.text, self._small)] for one in self._report.checks]
        return [_table(rows, (28 * mm, None), _ruled(len(rows), head=False))]

    def _log(self) -> list[Flowable]:
        report = self._report
        parts: list[Flowable] = [self._line(text) for text in report.readers]
        if not report.log:
            return [self._line("No changes yet.")]
        rows: list[list[Any]] = [
            [self._line(text, self._soft) for text in (f"when, {zone_words(report.made_at)}", "who", "what")]
        ]
        rows += [
            [self._line(text, self._small) for text in log_words(line, report.made_at.tzinfo)] for line in report.log
        ]
        parts += [Spacer(1, 3), _table(rows, (40 * mm, 30 * mm, None), _ruled(len(rows)), repeat=1)]
        if report.log_left_out:
            parts.append(self._line(f"The workspace log has {report.log_left_out} earlier lines.", self._soft))
        return parts

    def _method(self) -> list[Flowable]:
        report = self._report
        parts: list[Flowable] = [
            Paragraph(f'<font name="{self._bold}">{escape(name)}.</font> {self._letters.marked(text)}', self._small)
            for name, text in report.method
        ]
        models = "; ".join(f"{model} ({frames} frames)" for model, frames in report.models)
        if models:
            parts.append(
                Paragraph(f'<font name="{self._bold}">Models.</font> {self._letters.marked(models)}.', self._small),
            )
        if note := self._letters.note():
            parts.append(Paragraph(f'<font name="{self._bold}">Letters.</font> {escape(note)}', self._small))
        parts.append(self._line("Sources", self._heading))
        parts += [self._line(f"{index}. {text}", self._small) for index, text in enumerate(report.sources, start=1)]
        return parts

    # -- every page ----------------------------------------------------------------------------------------------------

    def canvas(self, *args: Any, **kwargs: Any) -> Canvas:
        """A canvas that writes the foot of every page when their number is known."""
        return _NumberedCanvas(self._report, self._letters, *args, **kwargs)


class _NumberedCanvas(Canvas):
    """Holds the pages until all are complete, and then writes "1 of 3" below each."""

    def __init__(self, report: Report, letters: Letters, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._report, self._letters = report, letters
        self._states: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802 - reportlab's own name
        """End the page; it is written when the number of pages is known."""
        self._states.append(dict(self.__dict__))
        self._startPage()  # type: ignore[attr-defined]

    def save(self) -> None:
        """Write all pages with their feet."""
        for state in self._states:
            self.__dict__.update(state)
            self._head_of_draft()
            self._foot(len(self._states))
            Canvas.showPage(self)
        super().save()

    def _head_of_draft(self) -> None:
        if self._report.draft is None:
            return
        self.setFont(self._letters.bold, 9)
        self.setFillColor(HexColor(_FLAG))
        self.drawCentredString(A4[0] / 2, A4[1] - 9 * mm, self._report.draft.text)

    def _foot(self, pages: int) -> None:
        y = 10 * mm
        self.setStrokeColor(HexColor(FAINT))
        self.setLineWidth(0.5)
        self.line(_MARGIN, y + 9, A4[0] - _MARGIN, y + 9)
        self.setFont(self._letters.bold, _FOOT_SIZE)
        self.setFillColor(HexColor(SOFT))
        self.drawString(_MARGIN, y, NOTICE)
        runs = self._letters.runs(f"{self._report.title}   {self.getPageNumber()} of {pages}")
        x = A4[0] - _MARGIN - sum(pdfmetrics.stringWidth(text, font, _FOOT_SIZE) for font, text in runs)
        for font, text in runs:
            self.setFont(font, _FOOT_SIZE)
            self.drawString(x, y, text)
            x += pdfmetrics.stringWidth(text, font, _FOOT_SIZE)


_APART = [("LEFTPADDING", (column, 0), (column, -1), 8) for column in (2, 4, 5)]
_PICTURE_STYLE = [("RIGHTPADDING", (0, 0), (-1, -1), 6), ("BOTTOMPADDING", (0, 0), (-1, -1), 4)]


def _table(
    rows: Sequence[Sequence[Any]], widths: Sequence[float | None], styles: Sequence[Any], *, repeat: int = 0
) -> Table:
    given = sum(width for width in widths if width is not None)
    filled = [width if width is not None else _WIDTH - given for width in widths]
    table = Table([list(row) for row in rows], colWidths=filled, repeatRows=repeat, hAlign="LEFT")
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-1, -1), 4),
                ("TOPPADDING", (0, 0), (-1, -1), 1.5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
                *styles,
            ]
        )
    )
    return table


def _ruled(rows: int, *, head: bool = True) -> list[Any]:
    """Every other line on a band; a rule below the head."""
    first = 1 if head else 0
    styles: list[Any] = [
        ("BACKGROUND", (0, row), (-1, row), _colour(_BAND)) for row in range(first, rows) if (row - first) % 2 == 0
    ]
    if head:
        styles.append(("LINEBELOW", (0, 0), (-1, 0), 0.6, _colour(FAINT)))
    return styles


def _colour(text: str) -> Color:
    return HexColor(text)


def _fonts_for(report: Report) -> tuple[str, str]:
    """Plain and bold: those that every PDF reader has, or where letters need more, fonts that go into the file."""
    texts = [report.title, report.patient, report.made_by, *report.readers, *(line.text for line in report.log)]
    return fonts_for([*texts, *report.notes, *(value for _, value in (*report.facts, *report.models))])
