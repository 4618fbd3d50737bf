import csv
import json
from pathlib import Path
from typing import Any

import pytest

from cmr_viewer.__main__ import main
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.doors.evaluate import figures_of, markdown
from tests.phantom import sax_cine, write_acdc_patient


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small ACDC patients; patient001 is held out."""
    root = tmp_path_factory.mktemp("data") / "acdc"
    for number in (1, 2, 3):
        phantom = sax_cine(phases=2, slices=6, rows=72, cols=64, seed=40 + number)
        write_acdc_patient(root, phantom, patient=f"patient{number:03d}")
    return root


def evaluate(data: Path, models: Path, output: Path, *extra: str) -> int:
    given = ["evaluate", str(data), "--output", str(output), "--models", str(models), "--device", "cpu"]
    return main([*given, *extra])


def figures_in(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    return values


def test_held_out_patients_are_evaluated_and_the_figures_written(
    data: Path, models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(data, models_folder, tmp_path / "out") == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["figures.json", "frames.csv", "tables.md"]
    figures = figures_in(tmp_path / "out")
    assert (figures["patients"], figures["frames"], figures["routing"]) == (1, 12, "predicted")
    assert figures["models"]["baseline"] == "tiny-baseline"
    assert figures["stack_dice"]["LVBP"]["n"] == 2
    assert figures["stack_dice"]["LVBP"]["mean"] > 0.8
    assert sum(sum(row.values()) for row in figures["confusion"].values()) == 12
    right = sum(figures["confusion"][r][r] for r in ("base", "middle", "apex", "non_cardiac"))
    assert figures["region_accuracy"] == pytest.approx(right / 12)
    table = (tmp_path / "out" / "tables.md").read_text(encoding="utf-8")
    told = capsys.readouterr()
    assert told.out.strip() == table.strip()
    assert table.startswith("1 patients, 12 frames, routing: predicted")
    assert told.err == "patient001 done\n"


def test_one_line_is_written_for_each_frame_and_label(data: Path, models_folder: Path, tmp_path: Path) -> None:
    evaluate(data, models_folder, tmp_path / "out", "--split", "all")
    with (tmp_path / "out" / "frames.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 12 * 3
    assert {r["patient"] for r in rows} == {"patient001", "patient002", "patient003"}
    assert {r["label"] for r in rows} == {"LVBP", "LVM", "RVBP"}
    assert {r["region"] for r in rows} <= {"base", "middle", "apex", "non_cardiac"}
    for row in rows:
        assert (row["dice"] == "") == (int(row["reference_px"]) + int(row["predicted_px"]) == 0)


@pytest.mark.parametrize("routing", ["baseline", "reference"])
def test_routing_can_be_chosen(data: Path, models_folder: Path, tmp_path: Path, routing: str) -> None:
    assert evaluate(data, models_folder, tmp_path / "out", "--routing", routing) == 0
    assert figures_in(tmp_path / "out")["routing"] == routing


def test_a_patient_that_cannot_be_read_is_told_and_the_others_are_evaluated(
    models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        phantom = sax_cine(phases=2, slices=4, rows=64, cols=64, seed=number)
        write_acdc_patient(tmp_path / "data", phantom, patient=f"patient{number:03d}")
    broken = tmp_path / "data" / "patient001" / "patient001_frame01.nii.gz"
    broken.write_bytes(broken.read_bytes()[:200])
    assert evaluate(tmp_path / "data", models_folder, tmp_path / "out", "--split", "all") == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "patient001_frame01" in lines[0]
    assert lines[1] == "patient002 done"
    assert figures_in(tmp_path / "out")["patients"] == 1


def test_nobody_left_to_evaluate_on_is_told(
    models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_acdc_patient(tmp_path / "data", sax_cine(phases=2, slices=4, rows=32, cols=32), patient="patient002")
    assert evaluate(tmp_path / "data", models_folder, tmp_path / "out") == 1
    assert "--split all" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["data", "models", "output"])
def test_what_is_not_there_is_told_in_one_line(
    data: Path, models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    nowhere = tmp_path / "nowhere"
    if missing == "output":
        nowhere.write_text("in the way", encoding="utf-8")
    places = {"data": data, "models": models_folder, "output": tmp_path / "out", missing: nowhere}
    assert evaluate(places["data"], places["models"], places["output"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(nowhere) in line


def test_tables_show_a_dash_where_there_is_nothing() -> None:
    figures = figures_of([], [Region.BASE], [Region.MIDDLE])
    figures.update(patients=1, routing="predicted")
    text = markdown(figures)
    assert "| LVBP | - | - | - | - |" in text
    assert "Region found: 0.0 % of frames" in text
    assert "| base | 0 | 1 | 0 | 0 |" in text
