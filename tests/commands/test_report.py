import csv
from pathlib import Path

import numpy as np
import pytest

from cmr_viewer.__main__ import main
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import Prediction, Provenance, ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.load.study import open_study
from cmr_viewer.store.annotations import AnnotationStore, Work
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.study_facts import StudyFacts
from cmr_viewer.store.versions import Version
from tests.phantom import Phantom

DRAWN = FrameIndex(0, 2)


@pytest.fixture
def workspace(tmp_path: Path, cine: Path, phantom: Phantom) -> Path:
    """Every frame predicted, and one of them drawn anew by a reader: a square of LV blood pool."""
    study = open_study(cine)
    stack = study.stack
    with open_workspace(tmp_path / "workspace", reader="A. Reader") as opened:
        store = AnnotationStore(opened)
        store.save_study(
            stack.stack_id,
            name=study.name,
            source=str(cine),
            patient_key="",
            geometry_json="{}",
            phases=stack.phases,
            slices=stack.slices,
        )
        store.save(
            stack.stack_id,
            Work(
                predictions={
                    f: Prediction(phantom.labels[f], "model-1", Region.MIDDLE, "") for f in stack.frame_indices
                }
            ),
        )
        square = np.zeros((stack.geometry.rows, stack.geometry.cols), np.uint8)
        square[20:30, 20:30] = int(Label.LVBP)
        store.save(stack.stack_id, Work([Version(DRAWN, square, Region.BASE, Provenance.MANUAL, ReviewStatus.DRAFT)]))
        StudyFacts(opened).set(stack.stack_id, "patient.facts", {"height_cm": 180.0, "weight_kg": 80.0})
    return tmp_path / "workspace"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_report_holds_what_the_reader_drew_and_said(workspace, cine, phantom, tmp_path, capsys):
    out = tmp_path / "out" / "report.csv"
    assert main(["report", str(cine), "--workspace", str(workspace), "--output", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    table = rows(out)
    truth = phantom.labels.copy()
    truth[DRAWN] = 0
    truth[0, 2, 20:30, 20:30] = int(Label.LVBP)
    g = open_study(cine).stack.geometry
    ml = g.pixel_spacing_mm[0] * g.pixel_spacing_mm[1] * g.slice_spacing_mm / 1000.0
    volumes = [float(row["value"]) for row in table if row["section"] == "volume" and row["name"] == "LV"]
    assert volumes == pytest.approx([(truth[p] == Label.LVBP).sum() * ml for p in range(3)])
    values = {row["name"]: row["value"] for row in table if row["section"] == "measure"}
    assert float(values["lv_edv_index_ml_per_m2"]) == pytest.approx(max(volumes) / 2.0)
    assert any(row["section"] == "log" and row["name"] == "A. Reader" for row in table)


@pytest.mark.parametrize("ending", ["pdf", "html"])
def test_the_ending_of_the_file_says_the_form(workspace, cine, tmp_path, ending):
    out = tmp_path / f"report.{ending}"
    assert main(["report", str(cine), "--workspace", str(workspace), "--output", str(out), "--reader", "Me"]) == 0
    assert out.read_bytes().startswith(b"%PDF" if ending == "pdf" else b"<!DOCTYPE html>")


def test_a_form_that_is_not_known_is_refused_with_those_that_are(workspace, cine, tmp_path, capsys):
    arguments = ["report", str(cine), "--workspace", str(workspace), "--output", str(tmp_path / "report.docx")]
    assert main(arguments) == 1
    assert ".pdf, .html, .csv" in capsys.readouterr().err


def test_a_study_that_the_workspace_does_not_know_is_refused(tmp_path, cine, capsys):
    with open_workspace(tmp_path / "empty", reader="reader"):
        pass
    out = tmp_path / "report.pdf"
    assert main(["report", str(cine), "--workspace", str(tmp_path / "empty"), "--output", str(out)]) == 1
    assert "has no label maps" in capsys.readouterr().err
    assert not out.exists()
