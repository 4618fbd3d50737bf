import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from numpy.testing import assert_array_equal

from cmr_viewer.__main__ import main
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import Prediction, Provenance, RegionPrediction, ReviewStatus
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.opening import Opening
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.load.study import open_study
from cmr_viewer.store.annotations import AnnotationStore, RegionSet, Work
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.openings import OpeningStore
from cmr_viewer.store.versions import Version
from tests.phantom import Phantom, sax_cine, voxels_of, write_dicom_folder, write_nifti
from tests.phantom_export import PATIENT, segmentation_labels

CORRECTED, WITHDRAWN, DRAWN = FrameIndex(0, 2), FrameIndex(1, 2), FrameIndex(1, 3)


@pytest.fixture(scope="module")
def heart() -> Phantom:
    return sax_cine(phases=4, slices=6, rows=48, cols=52, pixel_spacing_mm=(3.2, 3.2), seed=7)


@pytest.fixture
def images(tmp_path: Path, heart: Phantom) -> Path:
    write_dicom_folder(tmp_path / "in", heart.stack, extra=PATIENT, patient_id=PATIENT["PatientID"])
    return tmp_path / "in"


def square(label: Label) -> LabelMap:
    labels = np.zeros((48, 52), np.uint8)
    labels[10:20, 12:22] = int(label)
    return labels


def save_work(folder: Path, study: Study, labels: LabelMap) -> LabelMap:
    """Predictions of all frames, a correction, one taken back, and one frame drawn; gives what should be exported."""
    stack = study.stack
    with open_workspace(folder, reader="Anna Reader") as workspace:
        store = AnnotationStore(workspace)
        store.save_study(
            stack.stack_id,
            name=study.name,
            source=str(study.source),
            patient_key="",
            geometry_json="{}",
            phases=stack.phases,
            slices=stack.slices,
        )
        store.save(
            stack.stack_id,
            Work(predictions={f: Prediction(labels[f], "model-1", Region.MIDDLE, "") for f in stack.frame_indices}),
        )
        found = RegionPrediction((0.2, 0.7, 0.1, 0.0), "classifier-1")
        store.save(stack.stack_id, Work(region_predictions=dict.fromkeys(stack.frame_indices, found)))
        store.save(stack.stack_id, Work(regions={CORRECTED: RegionSet(Region.BASE)}))
        for frame, made, provenance, model_id in (
            (CORRECTED, square(Label.RVBP), Provenance.SEMIAUTOMATIC, "model-1"),
            (WITHDRAWN, square(Label.LVM), Provenance.AUTOMATIC, "model-1"),
            (DRAWN, square(Label.LVM), Provenance.MANUAL, None),
        ):
            store.save(
                stack.stack_id,
                Work(
                    [
                        Version(
                            frame,
                            made,
                            region=Region.BASE,
                            provenance=provenance,
                            status=ReviewStatus.DRAFT,
                            model_id=model_id,
                        )
                    ]
                ),
            )[0]
        store.save(stack.stack_id, Work(phase_marks=(1, None)))
    expected = labels.copy()
    expected[CORRECTED], expected[DRAWN] = square(Label.RVBP), square(Label.LVM)
    return expected


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def export(*arguments: str | Path) -> int:
    return main(["export", *map(str, arguments)])


def test_a_study_is_exported_as_its_reader_left_it(
    tmp_path: Path, images: Path, heart: Phantom, capsys: pytest.CaptureFixture[str]
) -> None:
    study = open_study(images)
    expected = save_work(tmp_path / "ws", study, heart.labels)
    assert export(images, "--workspace", tmp_path / "ws", "--output", tmp_path / "out") == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(tmp_path / "out")
    notes = json.loads((tmp_path / "out" / "about.json").read_text())["notes"]
    assert printed.err.splitlines() == [f"cmr-viewer export: {study.name}: {note['text']}" for note in notes]
    codes = [note["code"] for note in notes]
    assert codes == ["one-phase", "ed-es-guessed", "ed-es-disagrees", "frames-not-reviewed"]
    assert notes == json.loads((tmp_path / "out" / "measures.json").read_text())["notes"]
    assert_array_equal(np.asarray(nibabel.load(tmp_path / "out" / "labels.nii.gz").dataobj), voxels_of(expected))
    found = segmentation_labels(tmp_path / "out" / "segmentation.dcm", study.stack.frame_sources, expected.shape)
    assert_array_equal(found, expected)
    data = pydicom.dcmread(tmp_path / "out" / "segmentation.dcm")
    assert data.SegmentSequence[0].SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert str(data.ContentCreatorName) == "Anna Reader^"
    rows = {
        (int(row["phase_number"]) - 1, int(row["slice_number"]) - 1): row
        for row in rows_of(tmp_path / "out" / "regions.csv")
    }
    assert len(rows) == 24
    assert (rows[CORRECTED]["region"], float(rows[CORRECTED]["probability"])) == ("base", 0.2)
    assert (rows[WITHDRAWN]["region"], rows[WITHDRAWN]["model_id"]) == ("middle", "model-1")
    assert rows[DRAWN]["model_id"] == ""
    measures = json.loads((tmp_path / "out" / "measures.json").read_text())
    blood = (expected == Label.LVBP).sum(axis=(1, 2, 3))
    assert (measures["ed_phase_number"], measures["es_phase_number"]) == (2, blood.argmin() + 1)
    assert measures["lv_edv_ml"] == pytest.approx(blood[1] * 3.2 * 3.2 * 10.0 / 1000.0, rel=1e-4)


def test_a_study_that_is_opened_differently_is_exported_so(tmp_path: Path, images: Path, heart: Phantom) -> None:
    turned = open_study(images, opening=Opening(base_reversed=True))
    save_work(tmp_path / "ws", turned, heart.labels[:, ::-1])
    with open_workspace(tmp_path / "ws", reader="r") as workspace:
        OpeningStore(workspace).save(str(images), turned.stack.stack_id, Opening(base_reversed=True))
    given = ("--workspace", tmp_path / "ws", "--output", tmp_path / "out", "--formats", "regions")
    assert export(images, *given) == 0
    assert rows_of(tmp_path / "out" / "regions.csv")[0]["source_slice_index"] == "5"


def test_exports_of_a_workspace_without_the_patient_belong_together(
    tmp_path: Path, images: Path, heart: Phantom
) -> None:
    save_work(tmp_path / "ws", open_study(images), heart.labels)
    for name in ("one", "two"):
        given = ("--workspace", tmp_path / "ws", "--output", tmp_path / name, "--deidentify", "--formats", "seg,images")
        assert export(images, *given) == 0
    one, two = (pydicom.dcmread(tmp_path / name / "dicom" / "image_0001.dcm") for name in ("one", "two"))
    assert one.PatientID == two.PatientID != PATIENT["PatientID"]
    assert one.SOPInstanceUID == two.SOPInstanceUID
    assert not (tmp_path / "one" / "labels.nii.gz").exists()


def test_label_maps_of_a_file_are_exported_without_a_workspace(tmp_path: Path, images: Path, heart: Phantom) -> None:
    labels = heart.labels.copy()
    path = write_nifti(tmp_path / "made.nii.gz", voxels_of(labels), _affine(tmp_path, images, labels))
    assert export(images, "--labels", path, "--codes", "1=LVBP,2=LVM,3=RVBP", "--output", tmp_path / "out") == 0
    study = open_study(images)
    found = segmentation_labels(tmp_path / "out" / "segmentation.dcm", study.stack.frame_sources, labels.shape)
    assert_array_equal(found, labels)
    regions = [row["region"] for row in rows_of(tmp_path / "out" / "regions.csv")[:6]]
    assert regions == ["non_cardiac", "base", "middle", "middle", "apex", "non_cardiac"]
    measures = json.loads((tmp_path / "out" / "measures.json").read_text())
    blood = (labels == Label.LVBP).sum(axis=(1, 2, 3))
    assert (measures["ed_phase_number"], measures["es_phase_number"]) == (blood.argmax() + 1, blood.argmin() + 1)


def test_label_maps_of_a_file_are_exported_with_the_spacing_and_the_size_of_heart_that_are_given(
    tmp_path: Path, heart: Phantom, capsys: pytest.CaptureFixture[str]
) -> None:
    affine = np.diag([0.2, 0.2, 0.5, 1.0])
    image = write_nifti(tmp_path / "mouse.nii.gz", voxels_of(heart.stack.pixels), affine)
    labels = write_nifti(tmp_path / "labels.nii.gz", voxels_of(heart.labels), affine)
    given = (image, "--labels", labels, "--codes", "own", "--formats", "measures", "--output")
    pixels = (heart.labels == Label.LVBP).sum(axis=(1, 2, 3)).max()
    spacing = ("--spacing", "3.2", "3.2", "10")
    for name, more in (("withheld", ()), ("small", ("--any-size",)), ("true", spacing)):
        assert export(*given, tmp_path / name, *more) == 0
    found = {
        name: json.loads((tmp_path / name / "measures.json").read_text())["lv_edv_ml"]
        for name in ("withheld", "small", "true")
    }
    assert found["withheld"] is None
    assert found["small"] == pytest.approx(pixels * 0.2 * 0.2 * 0.5 / 1000, rel=1e-4)
    assert found["true"] == pytest.approx(pixels * 3.2 * 3.2 * 10 / 1000, rel=1e-4)
    assert export(image, "--workspace", tmp_path / "ws", "--output", tmp_path / "out", "--any-size") == 1
    assert "need --labels" in capsys.readouterr().err


def _affine(tmp_path: Path, images: Path, labels: LabelMap) -> np.ndarray:
    """The affine that the program itself writes label maps of the study with."""
    save_work(tmp_path / "for-affine", open_study(images), labels)
    given = ("--workspace", tmp_path / "for-affine", "--output", tmp_path / "grid", "--formats", "nifti")
    assert export(images, *given) == 0
    return np.asarray(nibabel.load(tmp_path / "grid" / "images.nii.gz").affine)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--workspace", "none"), "There is no workspace"),
        (("--labels", "none.nii"), "Could not find none.nii"),
        (("--workspace", "ws"), "has no label maps of in"),
    ],
)
def test_what_is_missing_is_noted_in_one_line(
    tmp_path: Path, images: Path, given: tuple[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_workspace(tmp_path / "ws", reader="r"):
        pass
    assert export(images, given[0], tmp_path / given[1], "--output", tmp_path / "out") == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert not (tmp_path / "out").exists()


def test_an_earlier_export_is_not_replaced_unasked(
    tmp_path: Path, images: Path, heart: Phantom, capsys: pytest.CaptureFixture[str]
) -> None:
    save_work(tmp_path / "ws", open_study(images), heart.labels)
    given = ("--workspace", tmp_path / "ws", "--output", tmp_path / "out", "--formats", "measures")
    assert export(images, *given) == 0
    assert export(images, *given) == 1
    assert "Nothing was written" in capsys.readouterr().err
    assert export(images, *given, "--replace") == 0


def test_a_format_that_is_not_known_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as printed:
        export(tmp_path, "--output", tmp_path / "out", "--formats", "nifti,stl")
    assert printed.value.code == 2
    assert "stl is not a known format" in capsys.readouterr().err


def test_imported_label_maps_that_are_automatic_are_exported_as_they_were_saved(
    tmp_path: Path, images: Path, heart: Phantom
) -> None:
    study = open_study(images)
    expected = save_work(tmp_path / "ws", study, heart.labels)
    imported = Version(
        WITHDRAWN,
        square(Label.LVBP),
        Region.BASE,
        Provenance.AUTOMATIC,
        ReviewStatus.DRAFT,
        imported_from="DICOM SEG: Net 7",
    )
    with open_workspace(tmp_path / "ws", reader="r") as workspace:
        AnnotationStore(workspace).save(study.stack.stack_id, Work([imported]))
    given = ("--workspace", tmp_path / "ws", "--output", tmp_path / "out", "--formats", "nifti")
    assert export(images, *given) == 0
    expected[WITHDRAWN] = square(Label.LVBP)
    assert_array_equal(np.asarray(nibabel.load(tmp_path / "out" / "labels.nii.gz").dataobj), voxels_of(expected))


def test_label_maps_of_one_phase_are_exported_for_the_phase_that_is_said_and_without_the_file_s_name(
    tmp_path: Path, images: Path, heart: Phantom
) -> None:
    affine = _affine(tmp_path, images, heart.labels)
    path = write_nifti(tmp_path / "Doe_Jane.nii.gz", voxels_of(heart.labels[[2]])[..., 0], affine)
    given = ("--labels", path, "--codes", "own", "--output", tmp_path / "out", "--deidentify")
    assert export(images, *given) != 0, "nothing states its phase"
    assert export(images, *given, "--phase", "3") == 0
    assert {row["phase_number"] for row in rows_of(tmp_path / "out" / "regions.csv")} == {"3"}
    for file in (tmp_path / "out").rglob("*"):
        assert file.is_dir() or b"Doe" not in file.read_bytes()


def test_an_analysis_that_has_not_come_to_all_frames_is_exported_only_where_that_is_wanted(
    tmp_path: Path, images: Path, heart: Phantom, capsys: pytest.CaptureFixture[str]
) -> None:
    study = open_study(images)
    with open_workspace(tmp_path / "ws", reader="Anna Reader") as workspace:
        store = AnnotationStore(workspace)
        store.save_study(
            study.stack.stack_id,
            name=study.name,
            source="in",
            patient_key=study.patient_key,
            geometry_json="{}",
            phases=study.stack.phases,
            slices=study.stack.slices,
        )
        made = {
            frame: Prediction(heart.labels[frame], "model-1", Region.MIDDLE, "It knows.")
            for frame in study.stack.frame_indices[:10]
        }
        store.save(study.stack.stack_id, Work(predictions=made))
    given = (images, "--workspace", tmp_path / "ws", "--output")
    assert export(*given, tmp_path / "out") == 1
    printed = capsys.readouterr().err
    assert "14 of 24 frames have no label map yet" in printed and "--incomplete" in printed
    assert not (tmp_path / "out").exists()
    assert main(["report", *map(str, given), str(tmp_path / "report.html")]) == 1
    assert "14 of 24 frames" in capsys.readouterr().err and not (tmp_path / "report.html").exists()
    assert export(*given, tmp_path / "out", "--incomplete") == 0
    notes = json.loads((tmp_path / "out" / "about.json").read_text())["notes"]
    assert notes[0] == {
        "code": "frames-not-segmented", "text": "14 of 24 frames have no label map.", "slices": [1, 2, 3, 4, 5, 6],
    }  # fmt: skip
    assert main(["report", *map(str, given), str(tmp_path / "report.html"), "--incomplete"]) == 0
    assert "14 of 24 frames have no label map" in (tmp_path / "report.html").read_text()
