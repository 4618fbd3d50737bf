import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.errors import LoadError, NotAStudyError
from cmr_viewer.load.base_end import BASE_END_GUESSED
from cmr_viewer.load.datasets import find_labelled, labels_start_at_base
from tests.phantom import (
    sax_cine,
    voxels_of,
    write_acdc_patient,
    write_dicom_folder,
    write_mnms_patient,
    write_nifti,
)


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


def test_the_labels_and_not_the_images_show_the_base(tmp_path, phantom):
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


def test_the_right_ventricle_shows_the_ends_where_all_together_are_alike_at_both() -> None:
    # it tapers off towards the apex, which comes first here, and stops at once at the valve
    labels = areas_of([6, 6, 10, 12, 12, 12, 6], [3, 6, 9, 14, 16, 0, 0])
    assert not labels_start_at_base(labels)
    assert labels_start_at_base(labels[:, ::-1])


LEFT = (Label.LVBP, Label.LVM)


@pytest.mark.parametrize("patient", ["SC-HF-I-12", "SC-HF-NI-03", "SC-HYP-06", "SC-N-40"])
def test_labelled_slices_of_sunnybrook_are_a_stack_for_each_phase(tmp_path, phantom, patient):
    # only the slices that were labelled at a phase are in its files, here apex first, and at ES one less
    drawn = {"ED": (0, LEFT, slice(1, 7)), "ES": (phantom.es_phase, (Label.LVBP,), slice(2, 6))}
    for mark, (phase, structures, held) in drawn.items():
        codes = np.where(np.isin(phantom.labels[phase], structures), phantom.labels[phase], 0).astype(np.uint8)
        for name, frames in ((mark, phantom.stack.pixels[phase]), (f"{mark}_gt", codes)):
            voxels = voxels_of(frames[None, held], apex_first=True)[..., 0]
            write_nifti(tmp_path / patient / f"{patient}_sa_{name}.nii.gz", voxels, np.diag([1.4, 1.4, 10.0, 1.0]))
    ed, es = find_labelled(tmp_path)
    assert [(s.path, s.group, s.name) for s in (ed, es)] == [(tmp_path / patient, "scd", patient)] * 2
    assert (ed.first_phase, es.first_phase) == (0, 1)
    for source, (phase, structures, held) in zip((ed, es), drawn.values(), strict=True):
        read = source.read()
        expected = np.where(np.isin(phantom.labels[phase], structures), phantom.labels[phase], 0)
        np.testing.assert_array_equal(read.labels, expected[None, held])
        np.testing.assert_array_equal(read.study.stack.pixels, phantom.stack.pixels[phase][None, held])
        assert read.phase_structures == {0: set(structures)}
    assert (es.read().study.stack.ed_phase, es.read().study.stack.es_phase) == (None, 0)


def test_what_no_slice_of_a_phase_holds_is_not_labelled_there(tmp_path, phantom):
    write_mnms_patient(tmp_path, replace(phantom, labels=np.where(phantom.labels == Label.RVBP, 0, phantom.labels)))
    read = find_labelled(tmp_path)[0].read()
    assert read.phase_structures == {0: set(LEFT), 1: set(LEFT)}


def write_jpeg_set(root: Path, patients: dict[int, np.ndarray]) -> Path:
    """A DSB2 set: masks (phase, slice, row, col) of patients, with images as bright as the mask; all by hand."""
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    rows = []
    for patient, masks in patients.items():
        for frame, of_phase in zip(("1", "12"), masks, strict=True):
            for index, mask in enumerate(of_phase):
                key = f"{patient:04d}_{int(frame):02d}_{index:02d}"
                Image.fromarray(np.where(mask, 200, 40).astype(np.uint8)).save(root / "images" / f"{key}.jpg")
                Image.fromarray(mask.astype(bool)).save(root / "masks" / f"{key}.png")
                rows.append((key, patient, frame, -60 + 10 * index, int(mask.any()), 0))
    rows.append((rows[0][0], rows[0][1], "7", -60, 1, 0))  # a frame that some slices have beside the two
    with (root / "slices.csv").open("w", newline="") as opened:
        csv.writer(opened).writerows([("key", "patient", "frame", "location_mm", "has_lv", "lv_area_mm2"), *rows])
    return root


def cavities(areas: Sequence[Sequence[int]]) -> np.ndarray:
    """(phase, slice, row, col) squares of these widths in frames of 48 x 40; 0 for an empty slice."""
    masks = np.zeros((len(areas), len(areas[0]), 48, 40), bool)
    for phase, of_phase in enumerate(areas):
        for index, width in enumerate(of_phase):
            masks[phase, index, 10 : 10 + width, 12 : 12 + width] = True
    return masks


def test_a_set_of_jpeg_images_with_masks_is_read_with_the_larger_cavity_as_the_base(tmp_path):
    down, up = cavities([[0, 20, 18, 12, 6], [0, 0, 14, 8, 0]]), cavities([[5, 11, 17, 21, 0], [0, 7, 12, 15, 0]])
    write_jpeg_set(tmp_path, {12: down, 3: up})
    first, second = find_labelled(tmp_path)
    assert [(s.name, s.group) for s in (first, second)] == [("DSB0003", "dsb2"), ("DSB0012", "dsb2")]
    for source, expected in ((first, up[:, ::-1]), (second, down)):
        read = source.read()
        np.testing.assert_array_equal(read.labels, np.where(expected, Label.LVBP, 0))
        bright = np.asarray(read.study.stack.pixels) > 120
        assert (bright == expected).mean() > 0.99  # JPEG blurs edges
        assert read.phase_structures == {0: {Label.LVBP}, 1: {Label.LVBP}}
        assert (read.study.stack.ed_phase, read.study.stack.es_phase) == (0, 1)
        assert read.study.stack.geometry.pixel_spacing_mm == (1.5, 1.5)
        assert read.study.stack.geometry.slice_spacing_mm == 10.0
    assert first.read().study.stack.source_slices == (4, 3, 2, 1, 0)
    assert first.read().patient_key != second.read().patient_key


def test_a_location_that_was_acquired_again_is_read_once_and_a_frame_without_its_partner_not(tmp_path):
    write_jpeg_set(tmp_path, {1: cavities([[20, 14, 8], [12, 9, 4]])})
    again = cavities([[18], [10]])
    for frame, mask in (("01", again[0, 0]), ("12", again[1, 0])):
        Image.fromarray(mask).save(tmp_path / "masks" / f"0001_{frame}_90.png")
        Image.fromarray(mask.astype(np.uint8)).save(tmp_path / "images" / f"0001_{frame}_90.jpg")
    with (tmp_path / "slices.csv").open("a", newline="") as opened:
        rows = [("0001_01_90", 1, "1", -60, 1, 0), ("0001_12_90", 1, "12", -60, 1, 0), ("lonely", 1, "1", 90, 1, 0)]
        csv.writer(opened).writerows(rows)
    (source,) = find_labelled(tmp_path)
    areas = (source.read().labels == Label.LVBP).sum(axis=(2, 3))
    np.testing.assert_array_equal(areas, [[18**2, 14**2, 8**2], [10**2, 9**2, 4**2]])


@pytest.mark.parametrize("broken", ["image", "mask", "size", "table"])
def test_a_set_of_jpeg_images_that_cannot_be_read_is_noted(tmp_path, broken):
    write_jpeg_set(tmp_path, {1: cavities([[20, 14, 8], [12, 9, 4]])})
    if broken == "image":
        (tmp_path / "images" / "0001_12_01.jpg").write_bytes(b"no picture")
    elif broken == "mask":
        (tmp_path / "masks" / "0001_01_02.png").unlink()
    elif broken == "size":
        for path in (tmp_path / "masks").iterdir():
            Image.fromarray(np.ones((48, 41), bool)).save(path)
    else:
        (tmp_path / "slices.csv").write_text("key,patient\n0001_01_00,1\n")
    with pytest.raises(LoadError, match=r"DSB0001|slices\.csv"):
        find_labelled(tmp_path)[0].read()
