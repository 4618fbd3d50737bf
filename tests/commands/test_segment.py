import csv
import json
import logging
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from cmr_viewer.__main__ import main
from cmr_viewer.commands import segment as command
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.measures.volumes import MEASURE_NAMES
from cmr_viewer.domain.opening import Opening
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import Study
from tests.phantom import Phantom, default_affine, sax_cine, voxels_of, write_dicom_folder, write_nifti
from tests.tiny_models import dice_3d, tiny_id

COLUMNS = ["phase_number", "slice_number", "source_slice_index", "region", "probability", "model_id"]


def segment(models: Path, output: Path, *inputs: Path, extra: tuple[str, ...] = ()) -> int:
    given = ["segment", *map(str, inputs), "--output", str(output), "--models", str(models), "--device", "cpu", *extra]
    return main(given)


def read_regions(folder: Path) -> list[dict[str, str]]:
    with (folder / "regions.csv").open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    assert reader.fieldnames == COLUMNS
    return rows


def read_measures(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "measures.json").read_text(encoding="utf-8"))
    return values


def voxels(path: Path) -> NDArray[np.uint8]:
    image: Any = nibabel.load(path)
    assert image.get_data_dtype() == np.uint8
    return np.asarray(image.dataobj)


def errors_in(text: str) -> list[str]:
    """Lines on standard error that are no notes on studies that were segmented."""
    notes = ("cmr-viewer segment: cine: ", "cmr-viewer segment: other: ")
    return [line for line in text.splitlines() if not line.startswith(notes)]


def one_line(text: str) -> str:
    """The only line that was written to standard error beside the notes on studies that were segmented."""
    lines = errors_in(text)
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]


# ------------------------------------------------------------------------------------------ what is written


def test_a_4d_file_gives_labels_on_its_own_grid(
    models_folder: Path, cine: Path, phantom: Phantom, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert segment(models_folder, tmp_path / "out", cine) == 0
    folder = tmp_path / "out" / "cine"
    assert sorted(p.name for p in folder.iterdir()) == ["labels.nii.gz", "measures.json", "regions.csv"]
    source, made = nibabel.load(cine), nibabel.load(folder / "labels.nii.gz")
    assert made.shape == source.shape
    assert_array_equal(made.affine, source.affine)
    labels = voxels(folder / "labels.nii.gz")
    assert set(np.unique(labels)) <= {0, 1, 2, 3}
    true = voxels_of(phantom.labels)
    assert dice_3d(labels, true, Label.LVBP) > 0.8
    assert dice_3d(labels, true, Label.LVM) > 0.7
    printed = capsys.readouterr()
    assert printed.out.strip() == str(folder)
    lines = printed.err.splitlines()
    assert all(line.startswith("cmr-viewer segment: cine: ") for line in lines)
    notes = read_measures(folder)["notes"]
    assert [line.removeprefix("cmr-viewer segment: cine: ") for line in lines] == [note["text"] for note in notes]
    assert "ed-es-guessed" in {note["code"] for note in notes}
    assert all(set(note) == {"code", "text", "slices"} for note in notes)


def test_a_3d_file_gives_3d_labels_and_no_ejection_fraction(
    models_folder: Path, phantom: Phantom, tmp_path: Path
) -> None:
    path = write_nifti(
        tmp_path / "one.phase.nii.gz", voxels_of(phantom.stack.pixels[:1])[..., 0], default_affine(phantom.stack)
    )
    assert segment(models_folder, tmp_path / "out", path) == 0
    folder = tmp_path / "out" / "one.phase"
    made = nibabel.load(folder / "labels.nii.gz")
    assert made.shape == (80, 72, 6)
    assert_array_equal(made.affine, nibabel.load(path).affine)
    assert {row["phase_number"] for row in read_regions(folder)} == {"1"}
    measures = read_measures(folder)
    assert measures["lv_ef_percent"] is None
    assert measures["reasons"]["lv_ef_percent"]


def test_every_frame_has_its_region_and_model(
    models_folder: Path, cine: Path, phantom: Phantom, tmp_path: Path
) -> None:
    segment(models_folder, tmp_path / "out", cine)
    rows = read_regions(tmp_path / "out" / "cine")
    assert [(int(r["phase_number"]) - 1, int(r["slice_number"]) - 1) for r in rows] == phantom.stack.frame_indices
    for row in rows:
        assert row["region"] in {"base", "middle", "apex", "non_cardiac"}
        assert 0.25 <= float(row["probability"]) <= 1.0
        role = "baseline" if row["region"] == "non_cardiac" else row["region"]
        assert row["model_id"] == f"tiny-{role}"
    assert {row["region"] for row in rows} >= {"middle", "non_cardiac"}


def test_slices_of_a_file_that_begins_at_the_apex_are_turned_round_and_named_as_in_the_file(
    models_folder: Path, cine: Path, phantom: Phantom, tmp_path: Path
) -> None:
    turned = write_nifti(
        tmp_path / "turned.nii.gz", voxels_of(phantom.stack.pixels, apex_first=True), default_affine(phantom.stack)
    )
    assert segment(models_folder, tmp_path / "out", cine, turned) == 0
    straight, back = (read_regions(tmp_path / "out" / name) for name in ("cine", "turned"))
    assert [int(r["source_slice_index"]) for r in straight[:6]] == [0, 1, 2, 3, 4, 5]
    assert [int(r["source_slice_index"]) for r in back[:6]] == [5, 4, 3, 2, 1, 0]
    assert [r["region"] for r in straight] == [r["region"] for r in back]
    labels = voxels(tmp_path / "out" / "turned" / "labels.nii.gz")
    assert np.mean(labels[:, :, ::-1] != voxels(tmp_path / "out" / "cine" / "labels.nii.gz")) < 1e-3
    assert dice_3d(labels, voxels_of(phantom.labels, apex_first=True), Label.LVBP) > 0.8


def test_measures_are_those_of_the_labels(models_folder: Path, cine: Path, phantom: Phantom, tmp_path: Path) -> None:
    segment(models_folder, tmp_path / "out", cine)
    measures = read_measures(tmp_path / "out" / "cine")
    labels = voxels(tmp_path / "out" / "cine" / "labels.nii.gz")
    blood = (labels == Label.LVBP).sum(axis=(0, 1, 2))
    voxel_ml = 1.8 * 1.8 * 10.0 / 1000
    assert (measures["ed_phase_number"], measures["es_phase_number"]) == (blood.argmax() + 1, blood.argmin() + 1)
    assert_allclose(measures["lv_edv_ml"], blood.max() * voxel_ml, rtol=1e-6)
    assert_allclose(measures["lv_esv_ml"], blood.min() * voxel_ml, rtol=1e-6)
    assert_allclose(measures["lv_ef_percent"], 100 * (1 - blood.min() / blood.max()), rtol=1e-6)
    assert measures["lv_edv_ml"] == pytest.approx(phantom.volume_ml(0, Label.LVBP), rel=0.25)
    assert set(measures) >= {*MEASURE_NAMES, "reasons", "models", "units", "notes", "counting", "routing", "notice"}
    assert measures["models"]["base"] == tiny_id(Role.BASE)
    for name in MEASURE_NAMES:
        assert (measures[name] is None) == (name in measures["reasons"])


def test_volumes_are_not_known_where_the_spacing_is_not(models_folder: Path, phantom: Phantom, tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "unit.nii.gz", voxels_of(phantom.stack.pixels), np.diag([-1.0, -1.0, 1.0, 1.0]))
    assert segment(models_folder, tmp_path / "out", path) == 0
    measures = read_measures(tmp_path / "out" / "unit")
    for name in MEASURE_NAMES:
        if name.endswith("_percent"):
            continue
        assert measures[name] is None
        assert "spacing" in measures["reasons"][name]
    assert measures["lv_ef_percent"] is not None
    assert "spacing-unknown" in {note["code"] for note in measures["notes"]}


def test_a_dicom_folder_gives_labels_in_four_dimensions(models_folder: Path, phantom: Phantom, tmp_path: Path) -> None:
    write_dicom_folder(tmp_path / "patient", phantom.stack, shuffle=3)
    assert segment(models_folder, tmp_path / "out", tmp_path / "patient") == 0
    folder = tmp_path / "out" / "patient"
    labels = voxels(folder / "labels.nii.gz")
    assert labels.shape == (80, 72, 6, 3)
    source = [int(r["source_slice_index"]) for r in read_regions(folder)[:6]]
    in_our_order = labels.transpose(3, 2, 1, 0)[:, source]
    assert dice_3d(in_our_order, phantom.labels, Label.LVBP) > 0.8
    assert read_measures(folder)["lv_edv_ml"] == pytest.approx(phantom.volume_ml(0, Label.LVBP), rel=0.25)


def test_the_baseline_can_be_asked_to_serve_all_frames(models_folder: Path, cine: Path, tmp_path: Path) -> None:
    assert segment(models_folder, tmp_path / "out", cine, extra=("--routing", "baseline")) == 0
    folder = tmp_path / "out" / "cine"
    assert {r["model_id"] for r in read_regions(folder)} == {"tiny-baseline"}
    assert {r["region"] for r in read_regions(folder)} >= {"middle"}
    assert read_measures(folder)["routing"] == "baseline"


def test_a_second_run_takes_the_place_of_the_first(models_folder: Path, cine: Path, tmp_path: Path) -> None:
    for _ in range(2):
        assert segment(models_folder, tmp_path / "out", cine) == 0
    assert sorted(p.name for p in (tmp_path / "out" / "cine").iterdir()) == [
        "labels.nii.gz",
        "measures.json",
        "regions.csv",
    ]


# ------------------------------------------------------------------------------------------ what goes wrong


def test_one_bad_input_is_noted_and_the_others_are_done(
    models_folder: Path, cine: Path, phantom: Phantom, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_nifti(tmp_path / "other.nii", voxels_of(phantom.stack.pixels), default_affine(phantom.stack))
    bad = tmp_path / "bad.nii.gz"
    bad.write_bytes(cine.read_bytes()[:2000])
    assert segment(models_folder, tmp_path / "out", cine, bad, tmp_path / "missing.nii.gz", other) == 1
    printed = capsys.readouterr()
    assert printed.out.split() == [str(tmp_path / "out" / "cine"), str(tmp_path / "out" / "other")]
    lines = errors_in(printed.err)
    assert len(lines) == 2
    assert "bad.nii.gz" in lines[0]
    assert "missing.nii.gz" in lines[1]
    assert all(line.startswith("cmr-viewer segment: ") for line in lines)
    assert not (tmp_path / "out" / "bad").exists()


@pytest.mark.parametrize("error", [MemoryError(), ValueError("odd"), OSError(28, "No space left on device")])
def test_whatever_goes_wrong_with_one_input_the_others_are_done(
    models_folder: Path,
    cine: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    real = command.open_study

    def fail(path: Path, *, opening: Opening) -> Study:
        if path.name == "strange":
            raise error
        return real(path, opening=opening)

    monkeypatch.setattr(command, "open_study", fail)
    assert segment(models_folder, tmp_path / "out", tmp_path / "strange", cine) == 1
    assert one_line(capsys.readouterr().err).startswith(f"cmr-viewer segment: {tmp_path / 'strange'}: ")
    assert (tmp_path / "out" / "cine" / "labels.nii.gz").is_file()


def text_file(folder: Path) -> Path:
    path = folder / "notes.nii.gz"
    path.write_text("not an image", encoding="utf-8")
    return path


def empty_file(folder: Path) -> Path:
    path = folder / "empty.nii"
    path.write_bytes(b"")
    return path


def empty_folder(folder: Path) -> Path:
    path = folder / "nothing"
    path.mkdir()
    return path


def folder_of_texts(folder: Path) -> Path:
    path = folder / "texts"
    path.mkdir()
    (path / "readme.txt").write_text("hello", encoding="utf-8")
    (path / "IM0001").write_bytes(b"\x00" * 400)
    return path


def unknown_ending(folder: Path) -> Path:
    path = folder / "letter.docx"
    path.write_text("hello", encoding="utf-8")
    return path


@pytest.mark.parametrize("make", [text_file, empty_file, empty_folder, folder_of_texts, unknown_ending])
def test_what_is_no_study_is_noted_in_one_line(
    models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Any
) -> None:
    path = make(tmp_path)
    assert segment(models_folder, tmp_path / "out", path) == 1
    line = one_line(capsys.readouterr().err)
    assert path.name in line
    assert not (tmp_path / "out" / path.name).exists()


def test_two_inputs_of_the_same_name_do_not_write_over_one_another(
    models_folder: Path, cine: Path, phantom: Phantom, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = write_nifti(tmp_path / "b" / "cine.nii.gz", voxels_of(phantom.stack.pixels), default_affine(phantom.stack))
    assert segment(models_folder, tmp_path / "out", cine, twin) == 1
    line = one_line(capsys.readouterr().err)
    assert str(cine) in line
    assert str(twin) in line
    assert (tmp_path / "out" / "cine" / "labels.nii.gz").is_file()


def test_an_output_that_is_a_file_is_noted_before_anything_is_loaded(
    cine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("in the way", encoding="utf-8")
    assert segment(tmp_path / "no models", tmp_path / "out", cine) == 1
    line = one_line(capsys.readouterr().err)
    assert str(tmp_path / "out") in line
    assert "--output" in line


def test_a_place_for_labels_that_is_taken_is_noted_and_nothing_half_made_is_left(
    models_folder: Path, cine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    in_the_way = tmp_path / "out" / "cine" / "labels.nii.gz"
    in_the_way.mkdir(parents=True)
    assert segment(models_folder, tmp_path / "out", cine) == 1
    assert "labels.nii.gz" in one_line(capsys.readouterr().err)
    assert [p.name for p in (tmp_path / "out" / "cine").iterdir()] == ["labels.nii.gz"]


def test_a_models_folder_that_is_missing_is_noted(
    cine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert segment(tmp_path / "nowhere", tmp_path / "out", cine) == 1
    line = one_line(capsys.readouterr().err)
    assert str(tmp_path / "nowhere") in line
    assert "--models" in line


def test_a_broken_plan_is_noted_with_its_place(
    models_folder: Path, cine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], copy_of_models: Path
) -> None:
    (copy_of_models / "tiny-classifier" / "plan.json").write_text("{", encoding="utf-8")
    assert segment(copy_of_models, tmp_path / "out", cine) == 1
    line = one_line(capsys.readouterr().err)
    assert "region classifier" in line
    assert "plan.json" in line


def test_broken_weights_are_noted_with_their_place(
    cine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], copy_of_models: Path
) -> None:
    weights = copy_of_models / "tiny-base" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert segment(copy_of_models, tmp_path / "out", cine) == 1
    assert str(weights) in one_line(capsys.readouterr().err)


def test_a_specialist_that_cannot_be_used_is_noted_and_the_baseline_serves(
    cine: Path, tmp_path: Path, copy_of_models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (copy_of_models / "tiny-middle" / "plan.json").write_text("{", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert segment(copy_of_models, tmp_path / "out", cine) == 0
    assert "tiny-middle" in caplog.text
    rows = read_regions(tmp_path / "out" / "cine")
    assert {r["model_id"] for r in rows if r["region"] == "middle"} == {"tiny-baseline"}


def test_an_input_that_cannot_be_understood_can_be_debugged(
    models_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert segment(models_folder, tmp_path / "out", text_file(tmp_path), extra=("--debug",)) == 1
    assert "Traceback" in caplog.text


def test_one_phase_of_one_slice_is_enough(models_folder: Path, tmp_path: Path) -> None:
    stack = sax_cine(phases=1, slices=3, rows=64, cols=60).stack
    path = write_nifti(tmp_path / "flat.nii.gz", voxels_of(stack.pixels)[:, :, 1:2, 0], default_affine(stack))
    assert segment(models_folder, tmp_path / "out", path) == 0
    assert nibabel.load(tmp_path / "out" / "flat" / "labels.nii.gz").shape == (60, 64, 1)


def test_an_impossible_heart_has_no_figures_unless_any_size_is_allowed(
    models_folder: Path, phantom: Phantom, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that states a tenth of its true voxel size."""
    affine = default_affine(phantom.stack) @ np.diag([0.1, 0.1, 0.1, 1.0])
    path = write_nifti(tmp_path / "cine.nii.gz", voxels_of(phantom.stack.pixels), affine)
    assert segment(models_folder, tmp_path / "out", path) == 0
    assert "in humans it is 5 to 1500 ml" in capsys.readouterr().err
    measures = read_measures(tmp_path / "out" / "cine")
    assert all(measures[name] is None for name in MEASURE_NAMES)
    assert all("in humans it is 5 to 1500 ml" in measures["reasons"][name] for name in MEASURE_NAMES)
    assert "heart-impossible" in [note["code"] for note in measures["notes"]]
    assert segment(models_folder, tmp_path / "small", path, extra=("--any-size",)) == 0
    small = read_measures(tmp_path / "small" / "cine")
    assert 0 < small["lv_edv_ml"] < 5
    assert "heart-any-size" in [note["code"] for note in small["notes"]]
    assert "heart-impossible" not in [note["code"] for note in small["notes"]]
    row, col = phantom.stack.geometry.pixel_spacing_mm
    spacing = ("--spacing", str(row), str(col), str(phantom.stack.geometry.slice_spacing_mm))
    assert segment(models_folder, tmp_path / "true", path, extra=spacing) == 0
    true = read_measures(tmp_path / "true" / "cine")["lv_edv_ml"]
    assert true == pytest.approx(phantom.volume_ml(0, Label.LVBP), rel=0.25)


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_a_slice_axis_is_chosen_on_the_command_line(
    models_folder: Path, phantom: Phantom, tmp_path: Path, axis: int
) -> None:
    voxels_of_file = voxels_of(phantom.stack.pixels[:1])[::4, ::4, :, 0]
    path = write_nifti(tmp_path / "a.nii.gz", np.ascontiguousarray(voxels_of_file), np.diag([-2, -2, 2, 1.0]))
    assert segment(models_folder, tmp_path / "out", path, extra=("--slice-axis", str(axis))) == 0
    measures = read_measures(tmp_path / "out" / "a")
    assert measures["slices"] == voxels_of_file.shape[axis - 1]
    assert "slice-axis" in [note["code"] for note in measures["notes"]]
    assert voxels(tmp_path / "out" / "a" / "labels.nii.gz").shape == voxels_of_file.shape
