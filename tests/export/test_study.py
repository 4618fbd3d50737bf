import csv
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from numpy.testing import assert_array_equal

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.measures.volumes import label_counts, measure
from cmr_viewer.domain.study import Study
from cmr_viewer.errors import LabelMapError, StoreError
from cmr_viewer.export.formats import FORMATS, Anonymity, RegionRow, Results, formats_of
from cmr_viewer.export.study import export_study
from cmr_viewer.load.images.layouts import read_image
from cmr_viewer.progress import Cancelled
from tests.phantom import Phantom, default_affine, voxels_of, write_nifti
from tests.phantom_export import PATIENT, all_automatic, dicom_study, enhanced_study, segmentation_labels, small_cine

SECRET = b"a secret that nobody can guess.."
ALL = [one.name for one in FORMATS]


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return small_cine()


def results_of(phantom: Phantom, study: Study) -> Results:
    stack = study.stack
    counts = np.stack([label_counts(phantom.labels[phase]) for phase in range(stack.phases)])
    return Results(
        labels=phantom.labels,
        provenances=all_automatic(stack),
        regions=tuple(
            RegionRow(*f, stack.source_slices[f.slice_index], Region.BASE, 0.5, "m") for f in stack.frame_indices
        ),
        measures=measure(counts, voxel_ml=1.0, ed_phase=0, es_phase=phantom.es_phase if stack.phases > 1 else None),
        model_ids=dict.fromkeys(stack.frame_indices, "m"),
        reader="Anna Reader",
        about={"models": ["m"]},
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_dicom_study_is_written_in_all_formats(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path / "in", phantom)
    assert set(formats_of(study)) == set(ALL) - {"images"}
    assert list(formats_of(study, deidentified=True)) == ALL
    made = export_study(tmp_path / "out", study, results_of(phantom, study), formats_of(study))
    expected = {file for one in FORMATS if not one.only_deidentified for file in one.files} | {"about.json"}
    assert set(names(tmp_path / "out")) == set(made.files) == expected
    assert made.notes == ()
    found = segmentation_labels(tmp_path / "out" / "segmentation.dcm", study.stack.frame_sources, phantom.labels.shape)
    assert_array_equal(found, phantom.labels)
    about = json.loads((tmp_path / "out" / "about.json").read_text(encoding="utf-8"))
    assert about["notice"] == "Research software, not a medical device."
    assert (about["study"], about["deidentified"], about["models"]) == ("P1", False, ["m"])
    for name in ("measures.json", "contours.json"):
        assert "not a medical device" in json.loads((tmp_path / "out" / name).read_text())["notice"]


def test_label_maps_and_images_come_back_from_nifti(tmp_path: Path) -> None:
    phantom = small_cine(phases=8)
    study = dicom_study(tmp_path / "in", phantom)
    export_study(tmp_path / "out", study, results_of(phantom, study), {"nifti"})
    images, labels = (nibabel.load(tmp_path / "out" / f"{name}.nii.gz") for name in ("images", "labels"))
    assert images.shape == labels.shape == (44, 40, 4, 8)
    assert_array_equal(images.affine, labels.affine)
    assert images.get_data_dtype() == phantom.stack.pixels.dtype
    assert_array_equal(np.asarray(images.dataobj), voxels_of(phantom.stack.pixels))
    assert_array_equal(np.asarray(labels.dataobj), voxels_of(phantom.labels))
    assert b"not a medical device" in images.header["descrip"].item()
    again = read_image(tmp_path / "out" / "images.nii.gz")
    assert_array_equal(again.stack.pixels, phantom.stack.pixels)
    assert again.stack.phase_times_ms == pytest.approx(phantom.stack.phase_times_ms, rel=1e-5)


@pytest.mark.parametrize("apex_first", [False, True])
def test_a_3d_nifti_file_comes_back_on_its_own_grid(tmp_path: Path, phantom: Phantom, apex_first: bool) -> None:
    voxels = voxels_of(phantom.stack.pixels[:1], apex_first=apex_first)[..., 0]
    path = write_nifti(tmp_path / "ed.nii.gz", voxels, default_affine(phantom.stack), qform_code=2, sform_code=1)
    study = read_image(path)
    one = replace(results_of(phantom, study), labels=np.zeros(study.stack.pixels.shape, np.uint8))
    export_study(tmp_path / "out", study, one, formats_of(study))
    source, made = nibabel.load(path), nibabel.load(tmp_path / "out" / "images.nii.gz")
    assert made.shape == source.shape == nibabel.load(tmp_path / "out" / "labels.nii.gz").shape
    assert_array_equal(np.asarray(made.dataobj), voxels)
    assert_array_equal(made.affine, source.affine)
    assert (int(made.header["qform_code"]), int(made.header["sform_code"])) == (2, 1)


def test_a_study_that_is_no_dicom_has_no_segmentation(tmp_path: Path, phantom: Phantom) -> None:
    study = read_image(write_nifti(tmp_path / "c.nii", voxels_of(phantom.stack.pixels), default_affine(phantom.stack)))
    assert "seg" not in formats_of(study)
    with pytest.raises(StoreError, match="do not come from DICOM files"):
        export_study(tmp_path / "out", study, results_of(phantom, study), {"seg"})
    assert names(tmp_path) == ["c.nii"]


@pytest.mark.parametrize("form", [dicom_study, enhanced_study])
def test_without_the_patient_nothing_names_him_and_references_hold(tmp_path: Path, phantom: Phantom, form: Any) -> None:
    study = form(tmp_path / "in", phantom)
    export_study(tmp_path / "out", study, results_of(phantom, study), ALL, anonymity=Anonymity(SECRET))
    identifying = [value for key, value in PATIENT.items() if len(value) > 3 and key != "Manufacturer"]
    identifying += [source.instance_uid for row in study.stack.frame_sources for source in row] + ["Anna", "P1"]
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.suffix != ".gz"]
    for path in files:
        raw = path.read_bytes()
        assert not [text for text in identifying if text.encode() in raw], path.name
    images = [pydicom.dcmread(path) for path in sorted((tmp_path / "out" / "dicom").iterdir())]
    segmentation = pydicom.dcmread(tmp_path / "out" / "segmentation.dcm")
    for keyword in ("StudyInstanceUID", "PatientID", "PatientName", "FrameOfReferenceUID"):
        assert {segmentation[keyword].value} == {image[keyword].value for image in images}
    referred = {str(one.ReferencedSOPInstanceUID) for one in segmentation.SourceImageSequence}
    assert referred == {str(image.SOPInstanceUID) for image in images}
    contours = json.loads((tmp_path / "out" / "contours.json").read_text())
    assert {frame["source"]["sop_instance_uid"] for frame in contours["frames"]} <= referred
    assert segmentation.PatientIdentityRemoved == "YES"
    about = json.loads((tmp_path / "out" / "about.json").read_text())
    assert (about["deidentified"], about["dates"], "study" in about) == (True, "removed", False)


def test_dates_can_be_shifted_alike_in_images_and_segmentation(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path / "in", phantom)
    anonymity = Anonymity(SECRET, shift_dates=True)
    wanted = {"seg", "images"}
    export_study(tmp_path / "out", study, results_of(phantom, study), wanted, anonymity=anonymity)
    segmentation = pydicom.dcmread(tmp_path / "out" / "segmentation.dcm")
    image = pydicom.dcmread(tmp_path / "out" / "dicom" / "image_0001.dcm")
    assert segmentation.StudyDate == image.StudyDate
    assert segmentation.StudyDate not in ("", PATIENT["StudyDate"])
    assert SECRET.hex() not in repr(anonymity)
    assert repr(SECRET) not in repr(anonymity)


def test_images_are_not_copied_with_the_patient_in_them(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path / "in", phantom)
    with pytest.raises(StoreError, match="de-identification"):
        export_study(tmp_path / "out", study, results_of(phantom, study), ALL)
    assert not (tmp_path / "out").exists()


def test_images_inside_an_archive_are_exported_too(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path / "in", phantom)
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as archive:
        for path in (tmp_path / "in").iterdir():
            archive.write(path, f"a/{path.name}")
    sources = tuple(
        tuple(one._replace(path=tmp_path / "study.zip" / "a" / one.path.name) for one in row)
        for row in study.stack.frame_sources
    )
    zipped = replace(study, stacks=(replace(study.stack, frame_sources=sources),))
    export_study(tmp_path / "out", zipped, results_of(phantom, study), ALL, anonymity=Anonymity(SECRET))
    assert len(names(tmp_path / "out" / "dicom")) == 12


def test_regions_are_in_every_folder(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path / "in", phantom)
    export_study(tmp_path / "out", study, results_of(phantom, study), {"measures"})
    with (tmp_path / "out" / "regions.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 12
    assert names(tmp_path / "out") == ["about.json", "measures.csv", "measures.json", "regions.csv"]


def test_frames_without_a_label_map_are_noted(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path / "in", phantom)
    results = results_of(phantom, study)
    fewer = replace(results, provenances=dict(list(results.provenances.items())[:10]))
    made = export_study(tmp_path / "out", study, fewer, frozenset())
    assert made.notes == ("2 of 12 frames have no label map.",)
    (note,) = json.loads((tmp_path / "out" / "about.json").read_text())["notes"]
    assert (note["code"], note["text"]) == ("frames-not-segmented", made.notes[0])
    assert note["slices"] == [3, 4]


def test_what_was_replaced_is_noted(tmp_path: Path, phantom: Phantom) -> None:
    def spoil(data: Any) -> None:
        data.StudyDate = "20120000"

    study = dicom_study(tmp_path / "in", phantom, change=spoil)
    made = export_study(tmp_path / "out", study, results_of(phantom, study), {"seg"})
    assert made.notes == ("StudyDate of the source images is not a value that DICOM allows. It is left empty.",)


def test_an_earlier_export_is_replaced_only_if_that_was_asked_for(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path / "in", phantom)
    results, wanted = results_of(phantom, study), {"measures"}
    export_study(tmp_path / "out", study, results, wanted)
    with pytest.raises(StoreError, match="Nothing was written"):
        export_study(tmp_path / "out", study, results, wanted)
    export_study(tmp_path / "out", study, results, wanted, replace=True)


@pytest.mark.parametrize("at", [0.0, 0.3, 0.6, 0.99])
def test_an_export_that_is_stopped_leaves_nothing(tmp_path: Path, phantom: Phantom, at: float) -> None:
    def stop(fraction: float, text: str) -> None:
        if fraction >= at:
            raise Cancelled

    study = dicom_study(tmp_path / "in", phantom)
    with pytest.raises(Cancelled):
        export_study(tmp_path / "out", study, results_of(phantom, study), ALL, stop, anonymity=Anonymity(SECRET))
    assert names(tmp_path) == ["in"]


def test_progress_only_grows_to_its_end(tmp_path: Path, phantom: Phantom) -> None:
    fractions: list[float] = []
    study = dicom_study(tmp_path / "in", phantom)
    export_study(
        tmp_path / "out",
        study,
        results_of(phantom, study),
        ALL,
        lambda fraction, text: fractions.append(fraction),
        anonymity=Anonymity(SECRET),
    )
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_label_maps_of_another_study_are_refused(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path / "in", phantom)
    with pytest.raises(LabelMapError):
        export_study(
            tmp_path / "out", study, replace(results_of(phantom, study), labels=phantom.labels[:1]), frozenset()
        )
