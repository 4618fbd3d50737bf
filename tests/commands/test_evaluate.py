import csv
import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from cmr_viewer.__main__ import main
from cmr_viewer.evaluate import figures as pictures
from tests.phantom import sax_cine, write_acdc_patient, write_mnms_patient

TABLES = ["frames.csv", "regions.csv", "stacks.csv", "volumes.csv"]
PICTURES = [
    f"{stem}.{kind}" for stem in ("bland-altman", "curves", "dice-by-region", "regions") for kind in ("png", "svg")
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small ACDC patients: patient001 is in the test part, 002 in train, 003 in validation."""
    root = tmp_path_factory.mktemp("data") / "acdc"
    for number in (1, 2, 3):
        phantom = sax_cine(phases=2, slices=6, rows=72, cols=64, seed=40 + number)
        write_acdc_patient(root, phantom, patient=f"patient{number:03d}")
    return root


@pytest.fixture
def unpainted(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures, which take most of the time."""
    monkeypatch.setattr(pictures, "draw_run", lambda *_: [])


def evaluate(data: Path, models: Path, output: Path, *extra: str) -> int:
    given = ["evaluate", str(data), "--output", str(output), "--models", str(models), "--device", "cpu"]
    return main([*given, *extra])


def figures_in(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    return values


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_patients_of_the_test_part_are_evaluated_and_everything_is_written(
    data: Path, models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert evaluate(data, models_folder, out) == 0
    assert sorted(p.name for p in out.iterdir()) == sorted(["figures.json", "tables.md", *TABLES, *PICTURES])
    figures = figures_in(out)
    assert (figures["patients"], figures["frames"]) == (1, 12)
    assert (figures["routing"], figures["split"], figures["failed"]) == ("predicted", "test", 0)
    assert figures["models"]["baseline"] == "tiny-baseline"
    assert figures["stack_dice"]["LVBP"]["n"] == 2
    assert figures["stack_dice"]["LVBP"]["mean"] > 0.8
    assert sum(sum(row.values()) for row in figures["confusion"].values()) == 12
    right = sum(figures["confusion"][r][r] for r in ("base", "middle", "apex", "non_cardiac"))
    assert figures["region_accuracy"] == pytest.approx(right / 12)
    table = (out / "tables.md").read_text(encoding="utf-8")
    printed = capsys.readouterr()
    assert printed.out.strip() == table.strip()
    assert table.startswith("1 patients (ACDC 1), 12 frames, part of the split: test, routing: predicted")
    assert printed.err == "patient001 done\n"


@pytest.mark.usefixtures("unpainted")
def test_one_line_is_written_for_each_frame_and_label(data: Path, models_folder: Path, tmp_path: Path) -> None:
    evaluate(data, models_folder, tmp_path / "out", "--split", "all")
    rows = rows_of(tmp_path / "out" / "frames.csv")
    assert len(rows) == 3 * 12 * 3
    assert {r["patient"] for r in rows} == {"patient001", "patient002", "patient003"}
    assert {r["label"] for r in rows} == {"LVBP", "LVM", "RVBP"}
    assert {r["region"] for r in rows} <= {"base", "middle", "apex", "non_cardiac"}
    assert {(r["phase_number"], r["phase_name"], r["group"]) for r in rows} == {
        ("1", "ED", "acdc"),
        ("2", "ES", "acdc"),
    }
    for row in rows:
        assert (row["dice"] == "") == (int(row["reference_px"]) + int(row["predicted_px"]) == 0)
        both = int(row["reference_px"]) > 0 and int(row["predicted_px"]) > 0
        assert (row["hd95_mm"] != "") is (row["assd_mm"] != "") is both
    regions = rows_of(tmp_path / "out" / "regions.csv")
    assert len(regions) == 3 * 12
    assert {r["model"] for r in regions} <= {f"tiny-{role}" for role in ("baseline", "base", "middle", "apex")}


@pytest.mark.usefixtures("unpainted")
@pytest.mark.parametrize(
    ("split", "patients"), [("train", {"patient002"}), ("validation", {"patient003"}), ("held-out", {"patient001"})]
)
def test_each_part_of_the_split_can_be_asked_for(
    data: Path, models_folder: Path, tmp_path: Path, split: str, patients: set[str]
) -> None:
    assert evaluate(data, models_folder, tmp_path / "out", "--split", split) == 0
    assert {r["patient"] for r in rows_of(tmp_path / "out" / "frames.csv")} == patients


@pytest.mark.usefixtures("unpainted")
def test_a_split_file_says_who_is_in_which_part(data: Path, models_folder: Path, tmp_path: Path) -> None:
    parts = {"train": ["patient001"], "validation": [], "test": ["patient002"]}
    (tmp_path / "split.json").write_text(json.dumps(parts), encoding="utf-8")
    assert evaluate(data, models_folder, tmp_path / "out", "--split-file", str(tmp_path / "split.json")) == 0
    assert {r["patient"] for r in rows_of(tmp_path / "out" / "frames.csv")} == {"patient002"}


@pytest.mark.usefixtures("unpainted")
@pytest.mark.parametrize("routing", ["argmax", "baseline", "reference"])
def test_routing_can_be_chosen(data: Path, models_folder: Path, tmp_path: Path, routing: str) -> None:
    assert evaluate(data, models_folder, tmp_path / "out", "--routing", routing) == 0
    assert figures_in(tmp_path / "out")["routing"] == routing
    for row in rows_of(tmp_path / "out" / "regions.csv"):
        by = {"argmax": row["found_argmax"], "reference": row["region"], "baseline": "non_cardiac"}[routing]
        assert row["model"] == ("tiny-baseline" if by == "non_cardiac" else f"tiny-{by}")


@pytest.mark.usefixtures("unpainted")
def test_regions_can_be_measured_alone(data: Path, models_folder: Path, tmp_path: Path) -> None:
    assert evaluate(data, models_folder, tmp_path / "out", "--routing", "none") == 0
    figures = figures_in(tmp_path / "out")
    assert (figures["patients"], figures["frames"]) == (1, 12)
    assert figures["region_accuracy"] is not None
    assert figures["regions"]["argmax"]["weighted"]["n"] == 12
    assert figures["dice"]["LVBP"]["base"]["n"] == 0
    assert rows_of(tmp_path / "out" / "frames.csv") == []


@pytest.mark.usefixtures("unpainted")
def test_label_maps_are_saved_on_the_grid_of_their_images(data: Path, models_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert evaluate(data, models_folder, out, "--save-labels") == 0
    saved: Any = nibabel.load(out / "labels" / "patient001.nii.gz")
    image: Any = nibabel.load(data / "patient001" / "patient001_frame01.nii.gz")
    np.testing.assert_allclose(saved.affine, image.affine, atol=1e-4)
    labels = np.asarray(saved.dataobj)
    assert labels.shape == (*image.shape, 2)
    rows = rows_of(out / "frames.csv")
    for phase in (0, 1):
        predicted = sum(
            int(r["predicted_px"]) for r in rows if r["label"] == "LVBP" and r["phase_number"] == str(phase + 1)
        )
        assert np.count_nonzero(labels[..., phase] == 1) == predicted > 0


@pytest.mark.usefixtures("unpainted")
def test_without_a_true_spacing_there_are_fractions_and_no_mm_or_ml(models_folder: Path, tmp_path: Path) -> None:
    write_mnms_patient(tmp_path / "data", sax_cine(phases=2, slices=6, rows=72, cols=64, seed=5), patient="A0B1C2")
    assert evaluate(tmp_path / "data", models_folder, tmp_path / "out", "--split", "all") == 0
    frames, stacks, volumes = (rows_of(tmp_path / "out" / f"{name}.csv") for name in ("frames", "stacks", "volumes"))
    assert {r["hd95_mm"] for r in (*frames, *stacks)} == {r["assd_mm"] for r in (*frames, *stacks)} == {""}
    assert {r["measure"] for r in volumes} == {"lv_ef_percent", "rv_ef_percent"}
    assert {r["group"] for r in frames} == {"mnms"}


@pytest.mark.usefixtures("unpainted")
def test_volumes_of_the_reference_are_those_of_the_phantom(data: Path, models_folder: Path, tmp_path: Path) -> None:
    assert evaluate(data, models_folder, tmp_path / "out") == 0
    phantom = sax_cine(phases=2, slices=6, rows=72, cols=64, seed=41)
    voxel_ml = 1.8 * 1.8 * 10.0 / 1000.0
    volumes = {r["measure"]: r for r in rows_of(tmp_path / "out" / "volumes.csv")}
    edv_ml = np.count_nonzero(phantom.labels[0] == 1) * voxel_ml
    assert float(volumes["lv_edv_ml"]["reference"]) == pytest.approx(edv_ml, rel=1e-4)
    mass_g = np.count_nonzero(phantom.labels[0] == 2) * voxel_ml * 1.05
    assert float(volumes["lv_mass_g"]["reference"]) == pytest.approx(mass_g, rel=1e-4)
    assert float(volumes["lv_edv_ml"]["predicted"]) == pytest.approx(edv_ml, rel=0.3)


@pytest.mark.usefixtures("unpainted")
def test_a_patient_that_cannot_be_read_is_noted_and_the_others_are_evaluated(
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
    figures = figures_in(tmp_path / "out")
    assert (figures["patients"], figures["failed"]) == (1, 1)


def test_nobody_left_to_evaluate_on_is_noted(
    models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_acdc_patient(tmp_path / "data", sax_cine(phases=2, slices=4, rows=32, cols=32), patient="patient002")
    assert evaluate(tmp_path / "data", models_folder, tmp_path / "out") == 1
    assert "The test part of the split has no labelled patient of these data. Try" in capsys.readouterr().err


def test_a_patient_given_twice_is_noted(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["evaluate", str(data), str(data / "patient001"), "--output", str(tmp_path / "out")]
    assert main(given) == 1
    assert "Two patients have the name patient001" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["data", "models", "output"])
def test_what_is_not_there_is_noted_in_one_line(
    data: Path, models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    nowhere = tmp_path / "nowhere"
    if missing == "output":
        nowhere.write_text("in the way", encoding="utf-8")
    places = {"data": data, "models": models_folder, "output": tmp_path / "out", missing: nowhere}
    assert evaluate(places["data"], places["models"], places["output"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(nowhere) in line
