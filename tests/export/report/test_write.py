"""PDF, HTML and CSV of one report."""

import contextlib
import csv
import html.parser
import io
import re
import zlib
from dataclasses import replace
from datetime import timedelta, timezone

import numpy as np
import pytest

from cmr_viewer import NOTICE
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.notes import Code
from cmr_viewer.domain.patient import Patient, Sex
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.export.report.build import build_report
from cmr_viewer.export.report.contents import Curve
from cmr_viewer.export.report.figures import curve_drawing
from cmr_viewer.export.report.letters import Letters, fonts_for
from cmr_viewer.export.report.page import as_html
from cmr_viewer.export.report.pdf import as_pdf
from cmr_viewer.export.report.write import COLUMNS, FORMATS, ReportFormat, as_csv, write_report
from cmr_viewer.progress import Cancelled
from cmr_viewer.store.events import What
from tests.export.report.made import event, material, phantom, reading_of, true_ml


@pytest.fixture(scope="module")
def heart():
    return phantom(slices=4)


@pytest.fixture(scope="module")
def made(heart):
    person = Patient(sex=Sex.MALE, age_years=55, height_cm=180, weight_kg=80, heart_rate_bpm=66)
    events = [event(1, What.CHANGED, FrameIndex(0, 1), text="smooth <all> & more")]
    return material(heart, patient=person, events=events, patient_name="Łucja Ωmega <b>")


@pytest.fixture(scope="module")
def report(made):
    return build_report(made)


@pytest.fixture(scope="module")
def pdf(report):
    return as_pdf(report)


@pytest.fixture(scope="module")
def page(report):
    return as_html(report).decode("utf-8")


def streams(pdf: bytes) -> list[bytes]:
    """Contents of the streams of a PDF that reportlab wrote: ASCII85 of deflated data."""
    import base64

    found = []
    for raw in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            found.append(zlib.decompress(base64.a85decode(raw.strip().removesuffix(b"~>"))))
        except (ValueError, zlib.error):
            continue
    return found


def test_a_pdf_has_the_notice_on_every_page(report):
    plain = as_pdf(build_report(material(phantom(slices=4))))
    pages = len(re.findall(rb"/Type /Page\b(?!s)", plain))
    assert pages >= 2
    feet = sum(stream.count(NOTICE.encode()) >= 1 and b" of " in stream for stream in streams(plain))
    assert feet == pages


def test_a_pdf_says_what_it_is(pdf):
    assert pdf.startswith(b"%PDF-")
    assert b"/Lang (en)" in pdf
    assert b"Report on Study 7" in pdf


def test_letters_that_no_reader_has_are_put_into_the_pdf(pdf):
    assert b"DejaVuSans" in pdf
    assert b"DejaVuSans" not in as_pdf(build_report(material(phantom(phases=3, slices=4))))


@pytest.mark.parametrize("name", ["王小明", "佐藤さくら", "Иванов Ω", "O'Çağlar"])
def test_names_of_many_scripts_are_set_in_fonts_that_go_into_the_pdf(heart, name):
    pdf = as_pdf(build_report(material(heart, patient_name=name)))
    # The map of each font in the file from its glyphs to Unicode (PDF 1.7, 9.10.3).
    maps = b""
    for raw in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        with contextlib.suppress(zlib.error):
            maps += zlib.decompress(raw)
    in_files = {int(code, 16) for code in re.findall(rb"<[0-9A-F]{2}> <([0-9A-F]{4})>", maps)}
    assert {ord(letter) for letter in name if ord(letter) > 0xFF} <= in_files
    assert b"lack some letters" not in b"".join(streams(pdf))


@pytest.mark.parametrize(
    ("name", "latin"), [("심장", "SimJang"), ("شريف", "shryf"), ("שלום", "slvm"), ("सीता", "sita")]
)
def test_letters_that_no_font_sets_are_transcribed_and_that_is_noted(name, latin):
    letters = Letters(fonts_for([name]))
    assert letters.runs(f"A {name}") == [("Helvetica", "A "), ("Helvetica", latin)]
    assert letters.note().endswith(f"into Latin letters: {latin}.")
    assert not Letters(fonts_for(["A"])).note()


def test_a_transcribed_name_is_noted_in_the_report(heart):
    content = b"".join(streams(as_pdf(build_report(material(heart, patient_name="شريف")))))
    assert b"shryf" in content and b"lack some letters" in content


class Reader(html.parser.HTMLParser):
    """What an HTML page is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data


def test_an_html_page_is_well_formed_and_needs_nothing_else(page):
    read = Reader(page)
    assert read.open == []
    for tag, attributes in read.tags:
        assert tag not in ("script", "link")
        assert (attributes.get("src") or "data:").startswith("data:")
    assert "http" not in page.replace("http://www.w3.org", "")


def test_every_picture_has_words_and_every_table_has_heads(page, report):
    read = Reader(page)
    images = [attributes for tag, attributes in read.tags if tag == "img"]
    assert len(images) == len(report.pictures) + 3
    assert all(image["alt"] for image in images)
    assert ("html", {"lang": "en"}) in read.tags
    heads = [attributes for tag, attributes in read.tags if tag == "th"]
    assert all(head.get("scope") in ("col", "row") for head in heads)


def test_what_readers_wrote_cannot_become_a_part_of_the_page(page):
    assert "smooth &lt;all&gt; &amp; more" in page.lower()
    assert "Łucja Ωmega &lt;b&gt;" in page


def test_the_notice_stands_on_the_page_and_on_every_printed_one(page):
    assert NOTICE in Reader(page).text
    assert re.search(rf'@bottom-left {{ content: "{re.escape(NOTICE)}"', page)


def test_the_page_says_the_values(page, report):
    edv = next(line for line in report.measures if line.name == "lv_edv_ml")
    assert edv.shown in Reader(page).text


def rows(report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(as_csv(report).decode("utf-8"))))


def test_the_csv_holds_every_value_unrounded(report):
    table = rows(report)
    assert tuple(table[0]) == COLUMNS
    by_name = {row["name"]: row for row in table if row["section"] == "measure"}
    for line in report.measures:
        assert by_name[line.name]["unit"] == line.unit
        if line.value is not None:
            assert float(by_name[line.name]["value"]) == line.value


def test_the_csv_holds_the_curve(report, heart):
    volumes = [row for row in rows(report) if row["section"] == "volume" and row["name"] == "RV"]
    assert [float(row["value"]) for row in volumes] == pytest.approx(
        [true_ml(heart, phase, Label.RVBP) for phase in range(8)]
    )


def test_the_csv_holds_every_segment_frame_and_the_notice(report):
    table = rows(report)
    assert sum(row["section"] == "segment" for row in table) == 2 * 17
    assert sum(row["section"] == "frame" for row in table) == 2 * 4
    assert table[0]["value"] == NOTICE
    assert any(row["section"] == "log" and "<all> & more" in row["value"] for row in table)


@pytest.mark.parametrize("form", list(FORMATS))
def test_a_report_replaces_the_file_whole(form, made, tmp_path):
    path = tmp_path / f"out.{form}"
    path.write_text("old")
    seen = []
    assert write_report(path, form, made, lambda fraction, text: seen.append(fraction)) == path
    assert path.stat().st_size > 2000
    assert seen == sorted(seen)
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_that_is_stopped_leaves_the_old_file(made, tmp_path):
    path = tmp_path / "out.pdf"
    path.write_text("old")

    def stop(fraction, _text):
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_report(path, ReportFormat.PDF, made, stop)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_that_cannot_be_written_says_where(made, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"out\.csv"):
        write_report(tmp_path / "file" / "out.csv", ReportFormat.CSV, made)


def accepted(heart):
    """Material of a study in which a reader has accepted all frames."""
    reading = reading_of(heart)
    for record in reading.frames.values():
        record.status = ReviewStatus.ACCEPTED
    return material(reading=reading)


def test_a_report_on_frames_that_are_not_reviewed_says_draft_on_every_page():
    report = build_report(material(phantom(slices=4)))
    assert report.draft is not None and (report.draft.unreviewed, report.draft.frames) == (8, 8)
    words = f"DRAFT: 8 of 8 frames at ED and ES not reviewed, {report.draft.failing or 'no'} check"
    pdf = as_pdf(report)
    pages = len(re.findall(rb"/Type /Page\b(?!s)", pdf))
    assert sum(words.encode() in stream for stream in streams(pdf)) == pages >= 2
    page = as_html(report).decode()
    assert words in Reader(page).text
    assert f'@top-center {{ content: "{words}' in page
    rows = {row["name"]: row["value"] for row in csv.DictReader(io.StringIO(as_csv(report).decode()))}
    assert rows["status"].startswith(words) and rows["unreviewed_frames"] == "8"


def test_a_report_on_reviewed_frames_is_no_draft():
    report = build_report(accepted(phantom(slices=4)))
    assert report.draft is None
    assert b"DRAFT" not in b"".join(streams(as_pdf(report))) and "DRAFT" not in as_html(report).decode()
    assert "report,status,final," in as_csv(report).decode()


def test_one_frame_that_is_not_accepted_makes_a_draft_and_one_at_another_phase_does_not():
    heart = phantom(slices=4)
    whole = accepted(heart)
    elsewhere = next(phase for phase in range(heart.stack.phases) if phase not in whole.read.ed_es.phases)
    for phase, left in ((0, 1), (elsewhere, None)):
        frames = dict(whole.read.frames)
        frames[FrameIndex(phase, 2)] = replace(frames[FrameIndex(phase, 2)], status=ReviewStatus.DRAFT)
        draft = build_report(replace(whole, read=replace(whole.read, frames=frames))).draft
        assert (draft.unreviewed if draft else None) == left


def test_frames_without_a_label_map_are_noted_among_the_checks_and_in_the_notes():
    reading = reading_of(phantom(slices=4))
    for frame, record in reading.frames.items():
        if frame.phase > 2:
            record.labels = None
            reading.frames.counts.set_frame(frame, None)
    report = build_report(material(reading=reading))
    assert any("20 of 32 frames have no label map" in check.text for check in report.checks)
    assert any(note.code is Code.FRAMES_NOT_SEGMENTED for note in report.notes)
    assert report.draft is not None and report.draft.text.startswith("DRAFT: ED and ES are not known")


def test_times_are_those_of_the_zone_in_which_the_report_is_made(made):
    zone = timezone(timedelta(hours=5, minutes=30), "IST")
    report = build_report(replace(made, made_at=made.made_at.astimezone(zone)))
    text = Reader(as_html(report).decode()).text
    assert "04 March 2026, 15:00 IST (UTC+05:30)" in text and "when, IST (UTC+05:30)" in text
    assert "2026-03-04 15:01" in text  # 09:31 UTC


def test_nobody_is_named_where_the_reader_is_not_known(made):
    text = Reader(as_html(build_report(replace(made, made_by=""))).decode()).text
    assert " for " not in text[text.index("Short-axis cine CMR.") : text.index("Research software")]


def boxes_of(drawing):
    """(left, bottom, right, top, text) of all letters of a drawing."""
    from reportlab.graphics.shapes import String
    from reportlab.pdfbase.pdfmetrics import stringWidth

    found = []
    for one in drawing.contents:
        if isinstance(one, String):
            width = stringWidth(one.text, one.fontName, one.fontSize)
            left = one.x - {"start": 0, "middle": width / 2, "end": width}[one.textAnchor]
            found.append((left, one.y - 0.2 * one.fontSize, left + width, one.y + 0.75 * one.fontSize, one.text))
    return found


@pytest.mark.parametrize("times", [None, tuple(float(t) for t in np.linspace(0, 960, 25)), (0.0, *range(700, 724))])
@pytest.mark.parametrize(("ed", "es"), [(0, 9), (0, 0), (8, 9), (24, 0), (23, 24)])
@pytest.mark.parametrize("apart", [0.0, 3.0, 60.0])
def test_no_letters_of_the_curve_lie_over_others(times, ed, es, apart):
    lv = 150 + 60 * np.cos(np.linspace(0, 2 * np.pi, 25))
    curve = Curve(times, {"LV": lv, "RV": lv + apart}, "ml", ed, es)
    boxes = boxes_of(curve_drawing(curve, 500, 210))
    assert {"LV", "RV", "ml"} <= {box[4] for box in boxes}
    for number, a in enumerate(boxes):
        for b in boxes[number + 1 :]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (a, b)
        assert a[0] >= 0 and a[2] <= 500 and a[1] >= 0 and a[3] <= 210
