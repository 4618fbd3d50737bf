from collections.abc import Sequence

import numpy as np
import pytest

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.errors import NotAStudyError
from cmr_viewer.load.datasets import find_labelled, labels_start_at_base
from cmr_viewer.load.images.nifti import BASE_END_GUESSED
from tests.phantom import sax_cine, write_acdc_patient, write_dicom_folder, write_mnms_patient


@pytest.fixture(scope="module")
def phantom():
    return sax_cine(phases=5, slices=7, rows=48, cols=44, pixel_spacing_mm=(3.4, 3.4))


def write_scd_patient(root, phantom, patient="SCD01"):
    """Images, and square contours on two slices at ED (phase 0) and one at ES (phase 2)."""
    write_dicom_folder(root / "dicoms" / patient, phantom.stack)
    phases = phantom.stack.phases
    for slice_index, phase, kind, low, high in [
        (2, 0, "i", 15, 30),
        (2, 0, "o", 10, 35),
        (5, 0, "i", 20, 25),
        (5, 0, "o", 15, 30),
        (2, 2, "i", 18, 27),
    ]:
        number = slice_index * phases + phase + 1
        path = root / "contours" / patient / f"{kind}-contours" / f"IM-0001-{number:04d}-{kind}contour-manual.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{low} {low}\n{high} {low}\n{high} {high}\n{low} {high}\n")


@pytest.mark.parametrize(("write", "group"), [(write_acdc_patient, "acdc"), (write_mnms_patient, "mnms")])
@pytest.mark.parametrize("apex_first", [False, True])
def test_a_patient_is_read_base_to_apex_with_labels_at_ed_and_es(tmp_path, phantom, write, group, apex_first):
    folder = write(tmp_path, phantom, apex_first=apex_first)
    (source,) = find_labelled(tmp_path)
    labelled = source.read()
    assert (source.path, source.group, source.name) == (folder, group, folder.name)
    np.testing.assert_array_equal(labelled.labels, phantom.labels[[0, phantom.es_phase]])
    np.testing.assert_array_equal(labelled.study.stack.pixels, phantom.stack.pixels[[0, phantom.es_phase]])
    assert labelled.phases == (0, 1)
    assert labelled.structures == frozenset(STRUCTURES)
    assert labelled.patient_key == labelled.study.patient_key
    assert BASE_END_GUESSED not in labelled.study.warnings


def test_the_labels_and_not_the_images_tell_the_base(tmp_path, phantom):
    # Images without any contrast tell nothing; the labels do.
    flat = sax_cine(phases=5, slices=7, rows=48, cols=44, pixel_spacing_mm=(3.4, 3.4))
    flat.stack.pixels[:] = 100
    write_mnms_patient(tmp_path, flat, apex_first=True)
    labelled = find_labelled(tmp_path)[0].read()
    np.testing.assert_array_equal(labelled.labels, phantom.labels[[0, phantom.es_phase]])
    assert labelled.study.stack.source_slices == (6, 5, 4, 3, 2, 1, 0)


def test_contours_label_the_left_ventricle_alone_and_at_es_its_blood_pool(tmp_path, phantom):
    write_scd_patient(tmp_path, phantom)
    labelled = find_labelled(tmp_path)[0].read()
    assert labelled.group == "scd"
    assert labelled.phases == (0, 2)
    assert labelled.phase_structures == {0: {Label.LVBP, Label.LVM}, 2: {Label.LVBP}}
    assert labelled.structures == {Label.LVBP}
    assert (labelled.labels[0, 2] == Label.LVBP).sum() == 15 * 15
    assert (labelled.labels[0, 2] == Label.LVM).sum() == 25 * 25 - 15 * 15
    assert (labelled.study.stack.ed_phase, labelled.study.stack.es_phase) == (0, 2)


@pytest.mark.parametrize("inside", ["", "dicoms", "dicoms/SCD01"])
def test_sunnybrook_patients_are_found_from_every_folder(tmp_path, phantom, inside):
    write_scd_patient(tmp_path, phantom)
    (source,) = find_labelled(tmp_path / inside)
    assert (source.group, source.name) == ("scd", "SCD01")


def test_a_folder_of_patients_gives_them_in_order_of_name(tmp_path, phantom):
    for name in ("patient010", "patient002"):
        write_acdc_patient(tmp_path, phantom, patient=name)
    write_acdc_patient(tmp_path, phantom, patient="patient003", labels=False)
    assert [source.name for source in find_labelled(tmp_path)] == ["patient002", "patient010"]


def test_one_patient_folder_is_a_set_of_one(tmp_path, phantom):
    folder = write_mnms_patient(tmp_path, phantom)
    assert [source.name for source in find_labelled(folder)] == [folder.name]


@pytest.mark.parametrize("name", ["", "absent"])
def test_a_folder_without_labelled_patients_is_refused(tmp_path, name):
    with pytest.raises(NotAStudyError):
        find_labelled(tmp_path / name)


def test_the_base_is_where_the_areas_are_larger(phantom):
    assert labels_start_at_base(phantom.labels)
    assert not labels_start_at_base(phantom.labels[:, ::-1])
    assert labels_start_at_base(np.zeros((1, 3, 4, 4), np.uint8))


def areas_of(left: Sequence[int], right: Sequence[int]) -> np.ndarray:
    """Label maps (1, slice, 1, col) of so many pixels of LVBP and RVBP in each slice."""
    labels = np.zeros((1, len(left), 1, 40), np.uint8)
    for index, (lv, rv) in enumerate(zip(left, right, strict=True)):
        labels[0, index, 0, :lv] = Label.LVBP
        labels[0, index, 0, 20 : 20 + rv] = Label.RVBP
    return labels


def test_an_aneurysm_at_the_apex_does_not_turn_the_stack() -> None:
    # all together rise towards the apex; the right ventricle falls
    labels = areas_of([10, 10, 11, 12, 14, 16], [0, 6, 5, 4, 2, 0])
    assert labels_start_at_base(labels)
    assert not labels_start_at_base(labels[:, ::-1])


def test_the_right_ventricle_tells_the_ends_where_all_together_are_alike_at_both() -> None:
    # it tapers off towards the apex, which comes first here, and stops at once at the valve
    labels = areas_of([6, 6, 10, 12, 12, 12, 6], [3, 6, 9, 14, 16, 0, 0])
    assert not labels_start_at_base(labels)
    assert labels_start_at_base(labels[:, ::-1])
