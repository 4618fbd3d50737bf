import dataclasses

import numpy as np
import pytest

from cmr_viewer.load.stacks.dicom_study import read_dicom
from cmr_viewer.load.stacks.groups import group_headers
from cmr_viewer.load.stacks.identity import identities
from tests.load.stacks.test_groups import series, shape
from tests.phantom import UID_ROOT, sax_cine
from tests.phantom_dicom import brighter, write_frames


def test_uids_that_were_given_file_by_file_do_not_tear_a_stack_apart():
    files = [
        dataclasses.replace(h, study_uid=f"s{n}", series_uid=f"r{n}") for n, h in enumerate(series(1, [0, 10, 20]))
    ]
    assert [shape(g) for g in group_headers(files)] == [(3, {10})]
    assert [shape(g) for g in group_headers([dataclasses.replace(h, patient_id="") for h in files])] == [(3, {10})]


def test_study_uids_that_were_given_slice_by_slice_do_not_tear_a_stack_apart():
    files = [h for n in range(1, 5) for h in series(n, [10 * n], study_uid=f"s{n}")]
    assert [shape(g) for g in group_headers(files)] == [(4, {10})]


def test_without_patient_ids_studies_stand_for_patients():
    files = [h for n in range(1, 5) for h in series(n, [10 * n], study_uid=f"s{n}", patient_id="")]
    assert len(group_headers(files)) == 4
    assert len({patient for patient, _ in identities(files).values()}) == 4


@pytest.mark.parametrize("everybodys", ["ANONYMOUS", "0000", "anon"])
def test_studies_under_an_identifier_that_every_patient_gets_are_of_different_patients(everybodys):
    files = [h for n in (1, 2) for h in series(n, [0, 10, 20], study_uid=f"s{n}", patient_id=everybodys)]
    assert len({patient for patient, _ in identities(files).values()}) == 2
    assert len({group.patient for group in group_headers(files)}) == 2
    slices = [h for n in range(1, 5) for h in series(n, [10 * n], study_uid=f"s{n}", patient_id=everybodys)]
    assert [shape(g) for g in group_headers(slices)] == [(4, {10})]


def test_files_without_the_identifier_that_others_of_their_study_have_are_of_that_patient():
    files = series(1, [0, 10]) + series(2, [20, 30], patient_id="")
    assert [shape(g) for g in group_headers(files)] == [(4, {10})]


@pytest.fixture(scope="module")
def stack():
    return sax_cine(phases=3, slices=4, rows=24, cols=20, pixel_spacing_mm=(6.0, 6.0)).stack


def test_images_that_were_exported_again_under_new_uids_are_used_once(tmp_path, stack):
    write_frames(tmp_path, stack, series="1", study=UID_ROOT + "7")
    write_frames(tmp_path, stack, series="2", study=UID_ROOT + "8", number=900)
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, stack.pixels)
    assert study.warnings == ("Left out 12 duplicate images, stored twice under different UIDs.",)
    assert (study.choices, study.repeats) == ((), ())


def test_the_same_places_and_times_with_other_pixels_are_no_copies(tmp_path, stack):
    write_frames(tmp_path, stack, series="1")
    write_frames(tmp_path, brighter(stack, 1), series="2", number=900)
    study = read_dicom(tmp_path)
    assert len(study.choices) == 2


def test_the_same_file_twice_is_used_once(tmp_path, stack):
    files = write_frames(tmp_path / "a", stack, series="1")
    (tmp_path / "b").mkdir()
    for path in files:
        (tmp_path / "b" / path.name).write_bytes(path.read_bytes())
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, stack.pixels)
    assert study.choices == ()
