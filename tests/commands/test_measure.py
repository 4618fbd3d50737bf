import csv
import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
import pytest

from cmr_viewer import __version__
from cmr_viewer.__main__ import main
from cmr_viewer.commands.measure_inputs import Labelled
from cmr_viewer.commands.measured import NOT_STATED, Choices, measured
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.measures.papillary import PapillaryConvention
from cmr_viewer.domain.measures.patient_measures import ALL_MEASURE_NAMES
from cmr_viewer.domain.study import Study
from tests.phantom import (
    Phantom,
    default_affine,
    sax_cine,
    voxels_of,
    write_acdc_patient,
    write_dicom_folder,
    write_mnms_patient,
    write_nifti,
)

ACDC_CODES = np.array([0, 3, 2, 1], np.uint8)
VOXEL_ML = 2.0 * 2.0 * 10.0 / 1000.0


@pytest.fixture(scope="module")
def heart() -> Phantom:
    """Its base does not move, so that the volume follows the radius alone."""
    return sax_cine(phases=14, slices=7, rows=80, cols=76, pixel_spacing_mm=(2.0, 2.0), shortening_mm=0.0, seed=5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, heart: Phantom) -> Path:
    """A cine with label maps of all phases, its ED and ES alone, and patients of ACDC and M&Ms."""
    root = tmp_path_factory.mktemp("measure")
    affine = default_affine(heart.stack)
    write_nifti(root / "cine.nii.gz", voxels_of(heart.stack.pixels), affine)
    write_nifti(root / "cine_labels.nii.gz", voxels_of(heart.labels), affine)
    write_nifti(root / "cine_acdc.nii.gz", voxels_of(ACDC_CODES[heart.labels]), affine)
    for name, phase in (("first", 0), ("second", heart.es_phase)):
        write_nifti(root / f"{name}.nii.gz", voxels_of(heart.stack.pixels[[phase]])[..., 0], affine)
        write_nifti(root / f"{name}_labels.nii.gz", voxels_of(heart.labels[[phase]])[..., 0], affine)
    write_acdc_patient(root / "acdc", heart)
    write_acdc_patient(root / "acdc", heart, patient="patient002")
    write_mnms_patient(root / "mnms", heart)
    return root


def measure(*arguments: str | Path) -> int:
    return main(["measure", *map(str, arguments)])


def volume_ml(heart: Phantom, phase: int, label: Label) -> float:
    return float((heart.labels[phase] == label).sum()) * VOXEL_ML


def studies_in(path: Path) -> list[dict]:
    return json.loads(path.read_text())["studies"]


def assert_measured(found: dict, heart: Phantom, es_phase: int) -> None:
    values = found["values"]
    assert (found["ed_phase_number"], found["es_phase_number"]) == (1, es_phase + 1)
    edv, esv = (volume_ml(heart, phase, Label.LVBP) for phase in (0, heart.es_phase))
    assert values["lv_edv_ml"] == pytest.approx(edv)
    assert values["lv_esv_ml"] == pytest.approx(esv)
    assert values["lv_ef_percent"] == pytest.approx(100 * (edv - esv) / edv)
    assert values["lv_mass_g"] == pytest.approx(volume_ml(heart, 0, Label.LVM) * 1.05)
    assert values["rv_edv_ml"] == pytest.approx(volume_ml(heart, 0, Label.RVBP))


def test_a_cine_with_label_maps_of_all_phases_is_measured(folder: Path, tmp_path: Path, heart: Phantom) -> None:
    output = tmp_path / "out.json"
    given = (folder / "cine.nii.gz", "--labels", folder / "cine_labels.nii.gz", "--codes", "own", "--output", output)
    assert measure(*given, "--heart-rate", "75", "--height", "180", "--weight", "80") == 0
    (found,) = studies_in(output)
    assert_measured(found, heart, heart.es_phase)
    assert list(found["values"]) == list(ALL_MEASURE_NAMES)
    assert found["reasons"] == {}
    assert found["bsa_m2"] == pytest.approx(2.0)
    assert found["values"]["lv_co_l_per_min"] == pytest.approx(found["values"]["lv_sv_ml"] * 0.075)
    volumes = [volume_ml(heart, phase, Label.RVBP) for phase in range(14)]
    assert [phase["rv_ml"] for phase in found["phases"]] == pytest.approx(volumes)
    # The radius falls by half a cosine from 25 to 16 within 6 of 14 phases of 800 ms; the volume follows its square.
    assert heart.es_phase == 6
    time_s = np.linspace(0.0, 6 * 0.8 / 14, 1001)
    radius = 25.0 - 4.5 * (1.0 - np.cos(np.pi * time_s / time_s[-1]))
    steepest = np.abs(np.diff(found["values"]["lv_edv_ml"] * (radius / 25.0) ** 2) / np.diff(time_s)).max()
    assert found["curves"]["lv"]["peak_ejection"]["rate_ml_per_s"] == pytest.approx(steepest, rel=0.12)
    segments = {one["number"]: one for one in found["segments"]}
    assert sorted(segments) == list(range(1, 18))
    assert segments[17]["ed_mean_mm"] is None
    # The three mid slices lie 12.5, 22.5 and 32.5 mm below a base that is 47.5 mm from the apex.
    s = np.array([12.5, 22.5, 32.5]) / 47.5
    thickness = 34.0 * np.sqrt(1 - s**2) - 25.0 * np.sqrt(1 - (s / 0.9) ** 2)
    assert [segments[n]["ed_mean_mm"] for n in range(7, 13)] == pytest.approx([thickness.mean()] * 6, abs=0.5)
    assert segments[8]["slice_numbers"] == [3, 4, 5]
    assert all(segments[number]["thickening_percent"] > 20 for number in range(7, 13))


def test_the_file_names_method_convention_program_and_what_it_is_not(folder: Path, tmp_path: Path) -> None:
    given = (folder / "cine.nii.gz", "--labels", folder / "cine_labels.nii.gz", "--codes", "own")
    assert measure(*given, "--output", tmp_path / "out.json") == 0
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["program"] == f"CMR Viewer {__version__}"
    assert content["notice"] == "Research software, not a medical device."
    assert content["papillary_convention"]["text"] == "papillary muscles in the blood pool"
    assert {"volumes", "lv_mass", "wall_thickness", "body_surface_area"} <= set(content["methods"])
    assert content["units"]["lv_mass_index_g_per_m2"] == "g/m²"


@pytest.mark.parametrize("codes", ["acdc", "auto"])
def test_codes_of_acdc_are_translated(folder: Path, tmp_path: Path, heart: Phantom, codes: str) -> None:
    given = (folder / "cine.nii.gz", "--labels", folder / "cine_acdc.nii.gz", "--codes", codes)
    assert measure(*given, "--output", tmp_path / "out.json") == 0
    assert_measured(studies_in(tmp_path / "out.json")[0], heart, heart.es_phase)


def test_codes_of_another_program_are_named_one_by_one_on_the_command_line(
    folder: Path, tmp_path: Path, heart: Phantom
) -> None:
    # Such as the codes of MM-WHS, with a number for something that is not measured here.
    numbers = np.array([0, 500, 205, 600], np.uint16)[heart.labels]
    numbers[:, :, 0, 0] = 420
    affine = nibabel.load(folder / "cine.nii.gz").affine
    labels = write_nifti(tmp_path / "whs.nii.gz", voxels_of(numbers), affine)
    given = (folder / "cine.nii.gz", "--labels", labels, "--output", tmp_path / "out.json")
    assert measure(*given, "--codes", "500=LVBP,205=LVM,600=RVBP,420=background") == 0
    assert_measured(studies_in(tmp_path / "out.json")[0], heart, heart.es_phase)
    assert measure(*given, "--codes", "500=LVBP,205=LVM,600=RVBP") == 1


def test_ed_and_es_in_files_of_their_own_are_one_study_where_it_is_said(
    folder: Path, tmp_path: Path, heart: Phantom
) -> None:
    images, labels = (
        [folder / f"{name}{end}" for name in ("first", "second")] for end in (".nii.gz", "_labels.nii.gz")
    )
    given = (*images, "--labels", *labels, "--codes", "own", "--one-study", "--output", tmp_path / "out.json")
    assert measure(*given) == 0
    (found,) = studies_in(tmp_path / "out.json")
    assert_measured(found, heart, 1)
    assert found["label_files"] == ["first_labels.nii.gz", "second_labels.nii.gz"]


def test_files_of_ed_and_es_that_are_joined_are_not_noted_to_lie_beside_one_another(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, mark in (("first", "ED"), ("second", "ES")):
        shutil.copy(folder / f"{name}.nii.gz", tmp_path / f"A0B1C2_sa_{mark}.nii.gz")
        shutil.copy(folder / f"{name}_labels.nii.gz", tmp_path / f"A0B1C2_sa_{mark}_gt.nii.gz")
    images = [tmp_path / f"A0B1C2_sa_{mark}.nii.gz" for mark in ("ED", "ES")]
    assert measure(*images, "--one-study", "--output", tmp_path / "out.json") == 0
    assert "was not opened" not in capsys.readouterr().err
    (found,) = studies_in(tmp_path / "out.json")
    assert "images-beside" not in [note["code"] for note in found["notes"]]
    assert measure(images[0], "--output", tmp_path / "one.json") == 0
    (alone,) = studies_in(tmp_path / "one.json")
    assert "images-beside" in [note["code"] for note in alone["notes"]]


def test_files_whose_names_do_not_tell_are_studies_of_their_own(folder: Path, tmp_path: Path) -> None:
    images, labels = (
        [folder / f"{name}{end}" for name in ("first", "second")] for end in (".nii.gz", "_labels.nii.gz")
    )
    assert measure(*images, "--labels", *labels, "--codes", "own", "--output", tmp_path / "out.json") == 0
    found = studies_in(tmp_path / "out.json")
    assert [one["name"] for one in found] == ["first", "second"]
    assert all(one["values"]["lv_ef_percent"] is None for one in found)
    assert all("one phase" in one["reasons"]["lv_ef_percent"] for one in found)


def test_acdc_s_files_of_a_patient_belong_together_by_their_names(folder: Path, tmp_path: Path, heart: Phantom) -> None:
    stems = [folder / "acdc" / "patient001" / f"patient001_frame{at:02d}" for at in (1, heart.es_phase + 1)]
    images, labels = ([Path(f"{stem}{end}") for stem in stems] for end in (".nii.gz", "_gt.nii.gz"))
    assert measure(*images, "--labels", *labels, "--codes", "acdc", "--output", tmp_path / "out.json") == 0
    (found,) = studies_in(tmp_path / "out.json")
    assert_measured(found, heart, 1)
    assert (found["patient"]["height_cm"], found["patient"]["weight_kg"]) == (170.0, 70.0)


def test_a_folder_of_patients_is_measured_by_the_labels_that_lie_beside(
    folder: Path, tmp_path: Path, heart: Phantom
) -> None:
    assert measure(folder / "acdc", "--output", tmp_path / "out.json") == 0
    found = studies_in(tmp_path / "out.json")
    assert [one["name"] for one in found] == ["patient001", "patient002"]
    for one in found:
        assert_measured(one, heart, 1)
        assert one["bsa_m2"] == pytest.approx((170 * 70 / 3600) ** 0.5)
        assert "need 12 phases" in one["curves"]["lv"]["reason"]


def test_without_a_true_spacing_fractions_alone_are_given(folder: Path, tmp_path: Path) -> None:
    assert measure(folder / "mnms", "--output", tmp_path / "out.json") == 0
    (found,) = studies_in(tmp_path / "out.json")
    known = [name for name, value in found["values"].items() if value is not None]
    assert known == ["lv_ef_percent", "rv_ef_percent"]
    assert (found["segments"], found["segments_reason"]) == ([], "The spacing of the study is not known.")
    assert all(phase["lv_ml"] is None for phase in found["phases"])


def test_a_table_has_the_json_beside_it(folder: Path, tmp_path: Path) -> None:
    given = (folder / "cine.nii.gz", "--labels", folder / "cine_labels.nii.gz", "--codes", "own")
    typed = ("--sex", "female", "--age", "60")
    assert measure(*given, *typed, "--output", tmp_path / "out.csv") == 0
    (found,) = studies_in(tmp_path / "out.json")
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    by_name = {row["name"]: row for row in rows}
    assert float(by_name["lv_edv_ml"]["value"]) == pytest.approx(found["values"]["lv_edv_ml"])
    assert float(by_name["lv_edv_ml"]["normal_low"]) == pytest.approx(124 - 1.96 * 21)
    assert by_name["rv_edv_ml"]["normal_low"] == ""
    assert by_name["lv_mass_index_g_per_m2"]["value"] == ""
    assert "height and weight" in by_name["lv_mass_index_g_per_m2"]["reason"]
    assert float(by_name["segment_07_ed_mean_mm"]["value"]) == pytest.approx(found["segments"][6]["ed_mean_mm"])
    assert {row["papillary_convention"] for row in rows[:-2]} == {"in_blood_pool"}
    assert [row["value"] for row in rows[-2:]] == [
        f"CMR Viewer {__version__}",
        "Research software, not a medical device.",
    ]


def test_papillary_muscles_can_be_counted_as_mass(folder: Path, tmp_path: Path) -> None:
    given = (folder / "cine.nii.gz", "--labels", folder / "cine_labels.nii.gz", "--codes", "own")
    for convention in ("in_blood_pool", "in_mass"):
        assert measure(*given, "--papillary", convention, "--output", tmp_path / f"{convention}.json") == 0
    drawn, moved = (studies_in(tmp_path / f"{name}.json")[0] for name in ("in_blood_pool", "in_mass"))
    lost = drawn["values"]["lv_edv_ml"] - moved["values"]["lv_edv_ml"]
    assert lost > 1.0
    assert moved["values"]["lv_mass_g"] - drawn["values"]["lv_mass_g"] == pytest.approx(lost * 1.05)
    assert moved["values"]["rv_edv_ml"] == drawn["values"]["rv_edv_ml"]
    text = json.loads((tmp_path / "in_mass.json").read_text())["papillary_convention"]["text"]
    assert "in the mass, by threshold" in text
    assert moved["segments"] == drawn["segments"], "the wall is measured as drawn"


def test_phases_that_are_set_are_used(folder: Path, tmp_path: Path, heart: Phantom) -> None:
    given = (
        folder / "cine.nii.gz",
        "--labels",
        folder / "cine_labels.nii.gz",
        "--codes",
        "own",
        "--ed",
        "2",
        "--es",
        "4",
    )
    assert measure(*given, "--output", tmp_path / "out.json") == 0
    (found,) = studies_in(tmp_path / "out.json")
    assert (found["ed_phase_number"], found["es_phase_number"]) == (2, 4)
    assert found["values"]["lv_edv_ml"] == pytest.approx(volume_ml(heart, 1, Label.LVBP))


def test_label_maps_of_one_phase_of_a_cine_need_to_know_which(folder: Path, tmp_path: Path, heart: Phantom) -> None:
    given = (folder / "cine.nii.gz", "--labels", folder / "second_labels.nii.gz", "--codes", "own")
    assert measure(*given, "--output", tmp_path / "out.json") == 1
    phase = str(heart.es_phase + 1)
    assert measure(*given, "--phase", phase, "--es", phase, "--output", tmp_path / "out.json") == 0
    (found,) = studies_in(tmp_path / "out.json")
    assert found["values"]["lv_esv_ml"] == pytest.approx(volume_ml(heart, heart.es_phase, Label.LVBP))
    assert found["values"]["lv_edv_ml"] is None


def test_a_dicom_folder_brings_its_patient_and_phase_times(tmp_path: Path) -> None:
    heart = sax_cine(phases=2, slices=5, rows=40, cols=40, pixel_spacing_mm=(3.6, 3.6), seed=2)
    header = {"PatientSex": "F", "PatientAge": "060Y", "PatientSize": "1.8", "PatientWeight": "80"}
    write_dicom_folder(tmp_path / "in", heart.stack, extra=header)
    labels = write_nifti(tmp_path / "made.nii.gz", voxels_of(heart.labels), dicom_affine(heart))
    assert measure(tmp_path / "in", "--labels", labels, "--codes", "own", "--output", tmp_path / "out.json") == 0
    (found,) = studies_in(tmp_path / "out.json")
    assert found["patient"] == {
        "sex": "female",
        "age_years": 60.0,
        "height_cm": pytest.approx(180.0),
        "weight_kg": 80.0,
        "heart_rate_bpm": 75.0,
    }
    assert found["normal_ranges"]["lv_ef_percent"]["mean"] == 61.0
    assert [phase["time_ms"] for phase in found["phases"]] == pytest.approx([0.0, 400.0])


def test_a_missing_slice_is_made_up_for_by_its_neighbours(tmp_path: Path) -> None:
    """Slice 4 of 7 is not there: slices 3 and 5 count for one and a half times the 10 mm of the others."""
    heart = sax_cine(phases=2, slices=7, rows=40, cols=40, pixel_spacing_mm=(3.6, 3.6), seed=2)
    write_dicom_folder(tmp_path / "in", heart.stack, skip=[(0, 3), (1, 3)])
    labels = write_nifti(tmp_path / "made.nii.gz", voxels_of(heart.labels), dicom_affine(heart))
    assert measure(tmp_path / "in", "--labels", labels, "--codes", "own", "--output", tmp_path / "out.json") == 0
    (found,) = studies_in(tmp_path / "out.json")
    thickness_mm = np.array([10.0, 10.0, 15.0, 0.0, 15.0, 10.0, 10.0])
    ml = {
        (phase, label): float((heart.labels[phase] == label).sum(axis=(1, 2)) @ thickness_mm) * 3.6 * 3.6 / 1000
        for phase in (0, 1)
        for label in (Label.LVBP, Label.LVM, Label.RVBP)
    }
    near = partial(pytest.approx, rel=1e-5)  # files round positions to four decimals
    assert found["values"]["lv_edv_ml"] == near(ml[0, Label.LVBP])
    assert found["values"]["lv_esv_ml"] == near(ml[1, Label.LVBP])
    assert found["values"]["rv_edv_ml"] == near(ml[0, Label.RVBP])
    assert found["values"]["lv_mass_g"] == near(ml[0, Label.LVM] * 1.05)
    assert [phase["lv_ml"] for phase in found["phases"]] == near([ml[0, Label.LVBP], ml[1, Label.LVBP]])
    whole = float((heart.labels[0] == Label.LVBP).sum()) * 3.6 * 3.6 * 10 / 1000
    assert found["values"]["lv_edv_ml"] == pytest.approx(whole, rel=0.02)


def dicom_affine(heart: Phantom) -> np.ndarray:
    """Voxel-to-world matrix (RAS) of (col, row, slice) voxels of the phantom."""
    g = heart.stack.geometry
    step = (np.asarray(g.positions_mm[1]) - np.asarray(g.positions_mm[0])).reshape(3, 1)
    row, col = (np.asarray(one).reshape(3, 1) for one in (g.row_direction, g.col_direction))
    axes = np.hstack([row * g.pixel_spacing_mm[1], col * g.pixel_spacing_mm[0], step])
    lps = np.vstack([np.hstack([axes, np.reshape(g.positions_mm[0], (3, 1))]), [[0, 0, 0, 1]]])
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("first second cine --labels first_labels second_labels", "2 label files"),
        ("first", "There are no label maps next to first.nii.gz"),
        ("none --labels first_labels", "Could not find"),
        ("cine --labels cine_labels --ed 99", "no phase 99"),
        ("cine cine --labels cine_labels cine_labels --height 170", "apply to one study"),
        ("first cine --one-study --labels first_labels cine_labels", "not phases of one study"),
        ("cine --labels cine_labels cine_labels", "and so does another file"),
        ("cine --labels cine_labels --height 1.8", "--height 1.8 is out of range. Use cm, from 30 to 250"),
        ("cine --labels cine_labels --heart-rate 0", "Use beats per minute"),
        ("cine --codes acdc", "Name them with --labels"),
        ("cine --phase 1", "Name them with --labels"),
    ],
)
def test_what_does_not_fit_is_noted_and_nothing_is_written(
    folder: Path, tmp_path: Path, given: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ("first", "second", "cine", "none", "first_labels", "second_labels", "cine_labels")
    arguments = [folder / f"{one}.nii.gz" if one in files else one for one in given.split()]
    codes = ("--codes", "own") if "--labels" in arguments else ()
    assert measure(*arguments, *codes, "--output", tmp_path / "out.json") == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()


def test_a_folder_in_place_of_a_file_is_noted_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measure(tmp_path / "none", "--output", tmp_path) == 1
    assert "is a folder" in capsys.readouterr().err


def test_a_bad_study_is_noted_and_the_others_are_measured(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.nii.gz"
    bad.write_bytes(b"no image")
    labels = folder / "cine_labels.nii.gz"
    given = (
        bad,
        folder / "cine.nii.gz",
        "--labels",
        labels,
        labels,
        "--codes",
        "own",
        "--output",
        tmp_path / "out.json",
    )
    assert measure(*given) == 1
    assert "bad.nii.gz" in capsys.readouterr().err
    assert [one["name"] for one in studies_in(tmp_path / "out.json")] == ["cine"]


def test_contours_of_the_lv_alone_say_nothing_of_the_rv(tmp_path: Path, heart: Phantom) -> None:
    stack = replace(heart.stack, ed_phase=0, es_phase=heart.es_phase)
    labels = np.where(heart.labels == Label.RVBP, 0, heart.labels).astype(np.uint8)
    labels[heart.es_phase][labels[heart.es_phase] == Label.LVM] = 0
    stated = {0: frozenset({Label.LVBP, Label.LVM}), heart.es_phase: frozenset({Label.LVBP})}
    found = measured(Labelled(Study("one", tmp_path, (stack,)), labels, stated, ()), Choices())
    assert found["values"]["lv_ef_percent"] == pytest.approx(
        100 * (1 - volume_ml(heart, heart.es_phase, Label.LVBP) / volume_ml(heart, 0, Label.LVBP))
    )
    assert found["values"]["lv_mass_g"] is not None
    assert found["values"]["rv_edv_ml"] is None
    assert {found["reasons"][name] for name in ("rv_edv_ml", "rv_ef_percent", "rv_co_l_per_min")} == {NOT_STATED}
    assert found["phases"][1]["lvm_ml"] is None


def test_a_phase_whose_label_maps_do_not_state_the_lv_is_not_taken_for_an_empty_one(
    tmp_path: Path, heart: Phantom
) -> None:
    stated = {0: frozenset(Label), heart.es_phase: frozenset(Label), heart.es_phase + 1: frozenset({Label.RVBP})}
    labels = heart.labels.copy()
    labels[heart.es_phase + 1][labels[heart.es_phase + 1] != Label.RVBP] = 0
    stack = replace(heart.stack, ed_phase=None, es_phase=None)
    found = measured(Labelled(Study("one", tmp_path, (stack,)), labels, stated, ()), Choices())
    assert (found["ed_phase_number"], found["es_phase_number"]) == (1, heart.es_phase + 1)
    assert found["values"]["lv_esv_ml"] == pytest.approx(volume_ml(heart, heart.es_phase, Label.LVBP))
    assert found["values"]["rv_esv_ml"] == pytest.approx(volume_ml(heart, heart.es_phase, Label.RVBP))


def test_where_papillary_muscles_are_counted_makes_no_other_ed_and_es(tmp_path: Path, heart: Phantom) -> None:
    pixels = heart.stack.pixels.copy()
    dark = (heart.labels[0] == Label.LVBP) & (np.indices(heart.labels[0].shape).sum(axis=0) % 5 > 2)
    pixels[0][dark] = pixels[0][heart.labels[0] == Label.LVM].min()
    stack = replace(heart.stack, pixels=pixels, ed_phase=None, es_phase=None)
    stated = dict.fromkeys((0, 1), frozenset(Label))
    one = Labelled(Study("one", tmp_path, (stack,)), heart.labels, stated, ())
    assert volume_ml(heart, 1, Label.LVBP) < volume_ml(heart, 0, Label.LVBP)
    found = measured(one, Choices(papillary=PapillaryConvention.IN_MASS))
    assert (found["ed_phase_number"], found["es_phase_number"]) == (1, 2)
    assert found["values"]["lv_edv_ml"] < found["values"]["lv_esv_ml"], "else this shows nothing"


def test_an_impossible_heart_has_no_figures_unless_any_size_is_allowed(tmp_path: Path, heart: Phantom) -> None:
    affine = default_affine(heart.stack) @ np.diag([4.0, 4.0, 4.0, 1.0])
    image = write_nifti(tmp_path / "cine.nii.gz", voxels_of(heart.stack.pixels)[:, :, :, :1], affine)
    labels = write_nifti(tmp_path / "labels.nii.gz", voxels_of(heart.labels)[:, :, :, :1], affine)
    given = (image, "--labels", labels, "--codes", "own", "--output")
    spacing = (*map(str, heart.stack.geometry.pixel_spacing_mm), str(heart.stack.geometry.slice_spacing_mm))
    for name, more in (("withheld", ()), ("large", ("--any-size",)), ("true", ("--spacing", *spacing))):
        assert measure(*given, tmp_path / f"{name}.json", *more) == 0
    (withheld,), (large,), (true,) = (studies_in(tmp_path / f"{name}.json") for name in ("withheld", "large", "true"))
    assert set(withheld["values"].values()) == {None}
    assert {row["lv_ml"] for row in withheld["phases"]} == {None}
    assert withheld["segments"] == []
    assert "5 to 1500 ml" in withheld["segments_reason"]
    assert true["values"]["lv_edv_ml"] == pytest.approx(volume_ml(heart, 0, Label.LVBP))
    assert large["values"]["lv_edv_ml"] == pytest.approx(64 * true["values"]["lv_edv_ml"])
