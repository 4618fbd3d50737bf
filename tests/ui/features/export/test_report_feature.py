import csv

import pytest
from PySide6.QtGui import QDesktopServices

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.export.report.write import ReportFormat
from cmr_viewer.ui.features.export.feature import ExportFeature
from cmr_viewer.ui.features.export.reports import REPORT_KEY
from tests.ui.conftest import settle


@pytest.fixture
def feature(open_window):
    return open_window.feature(ExportFeature).reports


@pytest.fixture
def dialog(open_window, feature):
    open_window.actions_by_id["report"].trigger()
    feature.dialog._open.setChecked(False)
    return feature.dialog


def test_a_report_is_written_from_what_is_shown(open_window, feature, dialog, qtbot, tmp_path):
    session = open_window.session
    session.study.set_region(open_window.desk.frame, Region.APEX)
    dialog.choose(ReportFormat.CSV, tmp_path / "out.csv")
    dialog._go.click()
    qtbot.waitUntil(lambda: (tmp_path / "out.csv").exists() and feature.dialog is None, timeout=20000)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    values = {row["name"]: row["value"] for row in rows if row["section"] == "measure"}
    assert float(values["lv_edv_ml"]) == pytest.approx(session.study.measures.values["lv_edv_ml"])
    assert any(row["section"] == "log" and row["name"] == "R. Eader" for row in rows)
    assert not any(row["name"] == "patient" for row in rows)


def test_a_pdf_is_opened_when_that_was_asked(open_window, feature, dialog, qtbot, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    dialog.choose(ReportFormat.PDF, tmp_path / "out.pdf")
    dialog._open.setChecked(True)
    dialog._patient.setText("Somebody")
    dialog._go.click()
    qtbot.waitUntil(lambda: bool(opened), timeout=30000)
    assert opened[0].toLocalFile() == str(tmp_path / "out.pdf")
    settle(qtbot, open_window)


def test_a_report_that_cannot_be_written_says_why_and_can_be_tried_again(open_window, feature, dialog, qtbot, tmp_path):
    (tmp_path / "file").write_text("")
    dialog.choose(ReportFormat.CSV, tmp_path / "file" / "out.csv")
    dialog._go.click()
    qtbot.waitUntil(lambda: "could not be written" in dialog.problem, timeout=20000)
    assert not dialog.is_running
    dialog.choose(ReportFormat.CSV, tmp_path / "out.csv")
    dialog._go.click()
    qtbot.waitUntil((tmp_path / "out.csv").exists, timeout=20000)
    settle(qtbot, open_window)


def test_a_report_can_be_stopped(open_window, feature, dialog, qtbot, tmp_path):
    dialog.choose(ReportFormat.PDF, tmp_path / "out.pdf")
    dialog._go.click()
    qtbot.waitUntil(lambda: open_window.session.jobs.is_busy(REPORT_KEY), timeout=20000)
    dialog._cancel.click()
    qtbot.waitUntil(lambda: "stopped" in dialog.problem, timeout=20000)
    settle(qtbot, open_window)
    assert list(tmp_path.glob("out*")) == []


def test_another_form_gives_the_file_its_ending(dialog, tmp_path):
    dialog.choose(ReportFormat.HTML, tmp_path / "one.html")
    dialog._forms.button(2).click()
    assert dialog.choice.path == tmp_path / "one.csv"
    dialog._path.setText(str(tmp_path / "two"))
    assert dialog.choice.path == tmp_path / "two.csv"


def test_nobody_is_named_by_default(dialog):
    assert dialog.choice.patient == ""


def test_a_report_and_an_export_wait_for_the_analysis(window, program, study_path, qtbot, tmp_path):
    session = program.session
    with qtbot.waitSignal(session.study.opened, timeout=20000):
        session.opening.open_path(study_path)
    assert "frames have no label map yet" in session.study.why_not_whole
    feature = window.feature(ExportFeature).reports
    window.actions_by_id["report"].trigger()
    window.actions_by_id["export"].trigger()
    dialogs = (feature.dialog, window.feature(ExportFeature)._dialog)
    for dialog in dialogs:
        assert "The analysis is not finished" in dialog.waits_for and not dialog._go.isEnabled()
    with qtbot.waitSignal(session.study.analysed, timeout=60000):
        program.start()
    settle(qtbot, window)
    assert session.study.why_not_whole == ""
    for dialog in dialogs:
        assert dialog.waits_for == "" and dialog._go.isEnabled()
        dialog.close()
