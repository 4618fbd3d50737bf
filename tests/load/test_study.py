import dataclasses
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from cmr_viewer import paths
from cmr_viewer.domain.notes import Code
from cmr_viewer.domain.opening import Opening
from cmr_viewer.errors import LoadError, NotAStudyError
from cmr_viewer.load.names import name_of
from cmr_viewer.load.study import open_study, reversed_slices
from cmr_viewer.progress import Cancelled
from tests.phantom import (
    ras_affine,
    sax_cine,
    voxels_of,
    write_acdc_patient,
    write_dicom_folder,
    write_mnms_patient,
    write_nifti,
)
from tests.phantom_dicom import brighter, long_axis_stack, part_of, write_frames


@pytest.fixture(scope="module")
def phantom():
    return sax_cine(phases=3, slices=6, rows=40, cols=36, pixel_spacing_mm=(4.0, 4.0))


def test_a_dicom_folder_or_one_of_its_files_opens_the_stack(tmp_path, phantom):
    files = write_dicom_folder(tmp_path / "case", phantom.stack)
    for path in (tmp_path / "case", files[3]):
        study = open_study(path)
        np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)
        assert (study.name, study.format_name) == ("case", "DICOM")


def test_a_nifti_file_opens(tmp_path, phantom):
    path = write_nifti(tmp_path / "cine.nii.gz", voxels_of(phantom.stack.pixels), ras_affine(phantom.stack))
    np.testing.assert_array_equal(open_study(path).stack.pixels, phantom.stack.pixels)


def test_an_itk_file_opens(tmp_path):
    sitk.WriteImage(sitk.Image([8, 7, 2], sitk.sitkInt16), str(tmp_path / "a.mha"))
    assert open_study(tmp_path / "a.mha").stack.pixels.shape == (1, 2, 7, 8)


@pytest.mark.parametrize("write", [write_acdc_patient, write_mnms_patient])
def test_a_patient_folder_opens_with_its_reference(tmp_path, phantom, write):
    study = open_study(write(tmp_path, phantom))
    np.testing.assert_array_equal(study.reference, phantom.labels[[0, phantom.es_phase]])


def test_a_single_file_of_a_patient_opens_with_its_reference(tmp_path, phantom):
    study = open_study(write_acdc_patient(tmp_path, phantom) / "patient001_frame01.nii.gz")
    np.testing.assert_array_equal(study.reference, phantom.labels[:1])
    assert study.stack.ed_phase == 0


def test_label_maps_beside_other_files_are_not_taken_for_a_reference(tmp_path, phantom):
    affine = ras_affine(phantom.stack)
    write_nifti(tmp_path / "cine_gt.nii.gz", voxels_of(phantom.labels), affine)
    path = write_nifti(tmp_path / "cine.nii.gz", voxels_of(phantom.stack.pixels), affine)
    assert open_study(path).reference is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", "Could not find .*absent: it was moved"),
        ("notes.txt", "not a DICOM, NIfTI, MHA or NRRD"),
        ("empty", "no DICOM images"),
    ],
)
def test_what_is_no_study_is_refused_in_words(tmp_path, name, message):
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotAStudyError, match=message):
        open_study(tmp_path / name)


def test_the_only_image_file_of_a_folder_is_the_study(tmp_path, phantom):
    affine = ras_affine(phantom.stack)
    path = write_nifti(tmp_path / "cine.nii.gz", voxels_of(phantom.stack.pixels), affine)
    write_nifti(tmp_path / "another.nii.gz", voxels_of(phantom.labels), affine)
    study = open_study(tmp_path)
    assert (study.source, study.others, study.warnings) == (path, (), ())
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)


def test_a_folder_of_label_maps_alone_states_so(tmp_path, phantom):
    write_nifti(tmp_path / "cine_gt.nii.gz", voxels_of(phantom.labels), ras_affine(phantom.stack))
    with pytest.raises(NotAStudyError, match=r"contains label maps, such as cine_gt.nii.gz, but no images"):
        open_study(tmp_path)


PAIRS = [
    ("p{}/cine.nii.gz", "p{}/cine_seg.nii.gz"),
    ("p{}/image.nii", "p{}/label.nii"),
    ("imagesTr/case_{}_0000.nii.gz", "labelsTr/case_{}.nii.gz"),
    ("images/{}.nii.gz", "masks/{}.nii.gz"),
    ("case{}_sax.nii.gz", "case{}_sax_mask.nii.gz"),
    ("{}/sa.nii.gz", "{}/seg_sa.nii.gz"),
    ("b/{}.nii.gz", "a/{}.nii.gz"),
    ("p{}/cine.nrrd", "p{}/Segmentation.seg.nrrd"),
]


@pytest.mark.parametrize(("image", "labels"), PAIRS)
@pytest.mark.parametrize("archived", [False, True])
def test_of_many_patients_the_first_is_opened_and_the_others_are_listed(tmp_path, phantom, image, labels, archived):
    affine = ras_affine(phantom.stack)
    folder = tmp_path / "set"
    for n in (1, 2, 3):
        for name, voxels in ((image, phantom.stack.pixels + n), (labels, phantom.labels)):
            path = folder / name.format(n)
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".nrrd":
                sitk.WriteImage(sitk.GetImageFromArray(np.ascontiguousarray(voxels[0])), path)
            else:
                write_nifti(path, voxels_of(voxels), affine)
    if archived:
        folder = Path(shutil.make_archive(str(tmp_path / "set"), "zip", folder))
    study = open_study(folder)
    assert [study.source, *study.others] == [folder / image.format(n) for n in (1, 2, 3)]
    (note,) = [note for note in study.warnings if note.code is Code.MANY_PATIENTS]
    assert note == (
        f"{folder.name} contains 3 studies. Opened: {image.format(1)}. "
        f"Open the others separately: {image.format(2)}, {image.format(3)}."
    )
    for n, place in enumerate((study.source, *study.others), start=1):
        opened = open_study(place)
        assert (opened.source, opened.others) == (place, ())
        np.testing.assert_array_equal(opened.stack.pixels[0], phantom.stack.pixels[0] + n)


def test_patients_of_known_sets_in_one_folder_are_listed_by_their_folders(tmp_path, phantom):
    for n in (1, 2):
        write_acdc_patient(tmp_path / "training", phantom, patient=f"patient00{n}")
    study = open_study(tmp_path)
    folders = [tmp_path / "training" / f"patient00{n}" for n in (1, 2)]
    assert [study.source, *study.others] == folders
    assert study.reference is not None
    assert "contains 2 studies. Opened: training/patient001." in study.warnings[0]


def test_an_image_that_cannot_be_read_leaves_the_next_to_be_opened(tmp_path, phantom):
    (tmp_path / "1.nii.gz").write_bytes(b"x")
    for n in (2, 3):
        write_nifti(tmp_path / f"{n}.nii.gz", voxels_of(phantom.stack.pixels), ras_affine(phantom.stack))
    study = open_study(tmp_path)
    assert (study.source, study.others) == (tmp_path / "2.nii.gz", (tmp_path / "3.nii.gz",))
    assert [note.code for note in study.warnings] == [Code.MANY_PATIENTS, Code.FILES_NOT_USED]


def test_patients_of_an_archive_open_by_their_folders_inside_it(tmp_path, phantom):
    for n in (1, 2):
        part = brighter(phantom.stack, n)
        write_frames(tmp_path / "all" / "DICOM" / f"P{n}" / "S", part, series=f"{n}", patient=f"{n}", study=f"1.2.{n}")
    archive = Path(shutil.make_archive(str(tmp_path / "all"), "zip", tmp_path / "all"))
    study = open_study(archive)
    assert (study.source, study.others) == (archive / "DICOM" / "P1", (archive / "DICOM" / "P2",))
    for n, place in enumerate((study.source, *study.others), start=1):
        opened = open_study(place)
        assert (opened.source, opened.name) == (place, f"P{n}")
        np.testing.assert_array_equal(opened.stack.pixels, brighter(phantom.stack, n).pixels)
    with pytest.raises(LoadError, match="contains nothing at DICOM/P3"):
        open_study(archive / "DICOM" / "P3")


def test_a_file_that_says_dicom_and_is_not_is_refused(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"x")
    with pytest.raises(LoadError, match=r"a.dcm"):
        open_study(tmp_path / "a.dcm")


def test_a_stop_goes_through(tmp_path, phantom):
    def stop(fraction, text):
        raise Cancelled

    with pytest.raises(Cancelled):
        open_study(write_acdc_patient(tmp_path, phantom), stop)


def test_a_study_is_named_without_extensions(tmp_path):
    assert name_of(tmp_path / "patient001_frame01.nii.gz") == "patient001_frame01"


def test_reversing_slices_turns_everything_that_has_slices(tmp_path, phantom):
    study = open_study(write_acdc_patient(tmp_path, phantom))
    turned = reversed_slices(study)
    np.testing.assert_array_equal(turned.stack.pixels, study.stack.pixels[:, ::-1])
    np.testing.assert_array_equal(turned.reference, study.reference[:, ::-1])
    assert turned.stack.source_slices == study.stack.source_slices[::-1]
    assert turned.stack.geometry.positions_mm == study.stack.geometry.positions_mm[::-1]
    assert np.shares_memory(turned.stack.pixels, study.stack.pixels)
    assert (turned.stack.ed_phase, turned.name) == (study.stack.ed_phase, study.name)


def test_reversing_slices_twice_changes_nothing(tmp_path, phantom):
    study = open_study(write_mnms_patient(tmp_path, phantom))
    again = reversed_slices(reversed_slices(study))
    np.testing.assert_array_equal(again.stack.pixels, study.stack.pixels)
    assert again.stack.geometry == study.stack.geometry
    assert again.stack.stack_id == study.stack.stack_id
    fields = [f.name for f in dataclasses.fields(study.stack) if f.name not in ("pixels", "geometry")]
    assert all(getattr(again.stack, name) == getattr(study.stack, name) for name in fields)


@pytest.mark.parametrize("kind", ["folder", "zip", "nifti", "acdc"])
def test_a_frame_of_the_stack_is_shown_before_the_study_is_there(tmp_path, phantom, kind):
    path = tmp_path / "case"
    if kind in ("folder", "zip"):
        write_frames(path, phantom.stack, series="1")
    if kind == "zip":
        path = shutil.make_archive(tmp_path / "export", "zip", path)
    if kind == "nifti":
        path = write_nifti(tmp_path / "a.nii.gz", voxels_of(phantom.stack.pixels), ras_affine(phantom.stack))
    if kind == "acdc":
        path = write_acdc_patient(tmp_path, phantom)
    seen = []
    study = open_study(type(tmp_path)(path), preview=seen.append)
    assert len(seen) == 1
    np.testing.assert_array_equal(seen[0], study.stack.pixels[0, 3])


def test_an_archive_opens_as_its_folder_does_and_leaves_nothing_behind(tmp_path, phantom):
    write_frames(tmp_path / "case", phantom.stack, series="1")
    write_frames(tmp_path / "case", long_axis_stack(phantom.stack, 0.0), series="2")
    archive = tmp_path / "export.zip"
    shutil.make_archive(archive.with_suffix(""), "zip", tmp_path / "case")
    study = open_study(archive)
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)
    assert (study.name, study.source, len(study.long_axis)) == ("export", archive, 1)
    assert study.stack.frame_sources[0][0].path == archive / "1-0001.dcm"
    assert study.stack.stack_id == open_study(tmp_path / "case").stack.stack_id


def test_an_archive_of_an_image_file_or_a_patient_of_a_known_set_opens(tmp_path, phantom):
    write_nifti(tmp_path / "one" / "cine.nii.gz", voxels_of(phantom.stack.pixels), ras_affine(phantom.stack))
    write_acdc_patient(tmp_path / "two", phantom)
    for name in ("one", "two"):
        archive = tmp_path / f"{name}.zip"
        shutil.make_archive(archive.with_suffix(""), "zip", tmp_path / name)
        study = open_study(archive)
        assert (study.name, study.source) == (name, archive)
        np.testing.assert_array_equal(study.stack.pixels[0], phantom.stack.pixels[0])


def test_a_dicom_file_stands_for_its_stack(tmp_path, phantom):
    before = write_frames(tmp_path, phantom.stack, series="1", time="100000")
    after = write_frames(tmp_path, brighter(phantom.stack, 9), series="2", number=400, time="110000")
    view = write_frames(tmp_path, long_axis_stack(phantom.stack, 0.0), series="3", number=401, description="4CH")
    np.testing.assert_array_equal(open_study(before[4]).stack.pixels, phantom.stack.pixels)
    np.testing.assert_array_equal(open_study(after[4]).stack.pixels, phantom.stack.pixels + 9)
    study = open_study(view[0])
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels + 9)
    assert any("3-0001.dcm belongs to 4CH (1 x 10), not a short-axis cine" in warning for warning in study.warnings)


def test_a_damaged_dicom_file_opens_the_stack_beside_it_and_both_is_noted(tmp_path, phantom):
    files = write_frames(tmp_path, phantom.stack, series="1")
    files[0].write_bytes(files[0].read_bytes()[:300])
    study = open_study(files[0])
    np.testing.assert_array_equal(study.stack.pixels[1:], phantom.stack.pixels[1:])
    assert any("1-0001.dcm belongs to no stack" in warning for warning in study.warnings)
    assert any("Left out files that could not be read: 1-0001.dcm" in warning for warning in study.warnings)


def test_image_files_beside_dicom_images_are_noted(tmp_path, phantom):
    write_frames(tmp_path, phantom.stack, series="1")
    write_nifti(tmp_path / "cine.nii.gz", voxels_of(phantom.stack.pixels), ras_affine(phantom.stack))
    study = open_study(tmp_path)
    assert study.format_name == "DICOM"
    assert study.warnings == ("Not opened: image files next to the DICOM images (cine.nii.gz).",)


@pytest.mark.parametrize("kind", ["dicom", "nifti"])
def test_a_reader_turns_the_slices_round_and_gives_the_spacing(tmp_path, phantom, kind):
    path = tmp_path / "case"
    if kind == "dicom":
        write_frames(path, phantom.stack, series="1")
    else:
        path = write_nifti(tmp_path / "a.nii.gz", voxels_of(phantom.stack.pixels), ras_affine(phantom.stack))
    study = open_study(path, opening=Opening(base_reversed=True, spacing_mm=(2.0, 3.0, 7.0)))
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels[:, ::-1])
    assert study.stack.geometry.pixel_spacing_mm == (2.0, 3.0)
    assert study.stack.geometry.slice_spacing_mm == pytest.approx(7.0)
    assert study.stack.geometry.spacing_known


def test_repeated_slices_keep_their_place_when_slices_are_reversed(tmp_path, phantom):
    write_frames(tmp_path, phantom.stack, series="1", time="100000")
    for n in (1, 4):
        again = brighter(part_of(phantom.stack, [n]), 5)
        write_frames(tmp_path, again, series=f"2.{n}", number=400 + n, time=f"1100{n:02d}")
    plain, turned = open_study(tmp_path), open_study(tmp_path, opening=Opening(base_reversed=True))
    assert [r.slice_index for r in plain.repeats] == [r.slice_index for r in turned.repeats] == [1, 4]
    assert [r.key for r in plain.repeats] == [r.key for r in reversed(turned.repeats)]
    assert turned.stack.frame_sources[0] == plain.stack.frame_sources[0][::-1]


def test_contours_that_do_not_fit_leave_the_study_open(tmp_path, phantom):
    write_frames(tmp_path / "case", phantom.stack, series="1")
    (tmp_path / "case" / "contours").mkdir()
    (tmp_path / "case" / "contours" / "IM-0001-0999-icontour-manual.txt").write_text("1 1\n5 1\n5 5\n")
    study = open_study(tmp_path / "case")
    assert study.reference is None
    assert any("contours" in warning for warning in study.warnings)


def test_a_folder_seen_before_opens_from_its_index_as_before(tmp_path, phantom):
    write_frames(tmp_path / "case", phantom.stack, series="1", patient="DOE^JANE")
    write_frames(tmp_path / "case", long_axis_stack(phantom.stack, 0.0), series="2", patient="DOE^JANE")
    first, second = (open_study(tmp_path / "case", index=tmp_path / "index") for _ in range(2))
    assert len(list((tmp_path / "index").iterdir())) == 1
    np.testing.assert_array_equal(second.stack.pixels, phantom.stack.pixels)
    assert second.patient_key == first.patient_key
    assert second.stack.frame_sources == first.stack.frame_sources
    assert len(second.long_axis) == 1


@pytest.mark.parametrize("name", ["cine.nii.gz", "cine_sa.nii.gz"])
@pytest.mark.parametrize("packed", [False, True])
def test_files_of_one_name_in_the_folders_or_archives_of_two_patients_are_two_patients(tmp_path, phantom, name, packed):
    keys = []
    for patient in ("p1", "p2", "p1"):
        folder = tmp_path / patient
        folder.mkdir(exist_ok=True)
        path = write_nifti(folder / name, voxels_of(phantom.stack.pixels), ras_affine(phantom.stack))
        if packed:
            path = Path(shutil.make_archive(str(tmp_path / f"{patient}_"), "zip", folder))
        keys.append(open_study(path).patient_key)
    assert keys[0] == keys[2] != keys[1]


@pytest.mark.parametrize("patient", ["ANONYMOUS", "0000", ""])
def test_files_whose_id_identifies_no_one_are_of_the_patient_of_their_folder(tmp_path, phantom, patient):
    keys = []
    for folder in (tmp_path / "Smith" / "dicom", tmp_path / "Jones" / "dicom"):
        folder.mkdir(parents=True)
        write_frames(folder, phantom.stack, series="1", patient=patient)
        keys.append(open_study(folder).patient_key)
    assert keys[0] != keys[1]


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_a_folder_and_a_file_whose_names_are_no_text_are_opened(tmp_path, phantom):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xc9tude_\xe9"))
    folder.mkdir()
    write_frames(folder, phantom.stack, series="1")
    study = open_study(folder)
    assert (study.name, study.source) == ("Étude_é", folder)
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/c\x9cur.nii"))
    write_nifti(path, voxels_of(phantom.stack.pixels), ras_affine(phantom.stack))
    study = open_study(path)
    for text in (study.name, study.stack.description, *study.warnings):
        text.encode("utf-8")


def test_the_demo_study_opens_with_its_contours():
    study = open_study(paths.demo_study_dir())
    assert study.stack.pixels.shape == (20, 13, 256, 256)
    assert study.stack.geometry.slice_spacing_mm == pytest.approx(10.0, abs=1e-3)
    assert study.stack.geometry.pixel_spacing_mm == (1.367188, 1.367188)
    assert (study.stack.ed_phase, study.stack.es_phase) == (19, 6)
    assert study.reference_phases == (6, 19)
    assert study.stack.source_slices == tuple(range(13))
    assert study.warnings == ()
