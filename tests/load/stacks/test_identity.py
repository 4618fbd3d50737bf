import dataclasses

import pytest

from cmr_viewer.load.stacks.groups import group_headers
from cmr_viewer.load.stacks.identity import identities
from tests.load.stacks.test_groups import series, shape


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
def test_studies_under_an_identifier_that_everybody_gets_are_of_different_patients(everybodys):
    files = [h for n in (1, 2) for h in series(n, [0, 10, 20], study_uid=f"s{n}", patient_id=everybodys)]
    assert len({patient for patient, _ in identities(files).values()}) == 2
    assert len({group.patient for group in group_headers(files)}) == 2
    slices = [h for n in range(1, 5) for h in series(n, [10 * n], study_uid=f"s{n}", patient_id=everybodys)]
    assert [shape(g) for g in group_headers(slices)] == [(4, {10})]


def test_files_without_the_identifier_that_others_of_their_study_have_are_of_that_patient():
    files = series(1, [0, 10]) + series(2, [20, 30], patient_id="")
    assert [shape(g) for g in group_headers(files)] == [(4, {10})]
