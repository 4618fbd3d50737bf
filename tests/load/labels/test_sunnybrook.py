from dataclasses import replace

import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import LabelMapError, LoadError
from cmr_viewer.load.labels.sunnybrook import (
    contour_folder,
    drawn_by_phase,
    find_contours,
    read_points,
    read_sunnybrook,
    with_contours,
)
from cmr_viewer.load.stacks.dicom_study import read_dicom
from tests.phantom import sax_cine, write_dicom_folder
from tests.phantom_contours import identified


def write_contour(folder, number, kind, points):
    path = folder / f"{kind}-contours" / f"IM-0001-{number:04d}-{kind}contour-manual.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{x:.2f} {y:.2f}\n" for x, y in points))
    return path


def square(low, high):
    return [(low, low), (high, low), (high, high), (low, high)]


@pytest.fixture
def opened(tmp_path):
    """3 phases x 4 slices; file n.dcm is phase (n - 1) % 3 of slice (n - 1) // 3."""
    phantom = sax_cine(phases=3, slices=4, rows=32, cols=32, pixel_spacing_mm=(5.0, 5.0))
    write_dicom_folder(tmp_path / "dicoms" / "P1", phantom.stack)
    return read_dicom(tmp_path / "dicoms" / "P1")


def test_coordinates_count_from_one(opened, tmp_path):
    folder = tmp_path / "contours" / "P1"
    # Centres 5 to 8 of the file's count are pixels 4 to 7.
    write_contour(folder, 1, "i", square(4.5, 8.5))
    labels = read_sunnybrook(folder, opened).labels
    assert np.argwhere(labels[0, 0]).min() == 4
    assert np.argwhere(labels[0, 0]).max() == 7


def test_inside_i_is_blood_pool_and_between_i_and_o_is_myocardium(opened, tmp_path):
    folder = tmp_path / "contours" / "P1"
    # 5.dcm is phase 1 of slice 1, 6.dcm its phase 2.
    write_contour(folder, 5, "i", square(10.5, 14.5))
    write_contour(folder, 5, "o", square(8.5, 16.5))
    write_contour(folder, 6, "i", square(11.5, 13.5))
    contours = read_sunnybrook(folder, opened)
    assert np.bincount(contours.labels[1, 1].ravel()).tolist() == [32 * 32 - 64, 16, 48]
    assert np.bincount(contours.labels[2, 1].ravel()).tolist() == [32 * 32 - 4, 4]
    assert drawn_by_phase(contours) == {1: {Label.LVBP, Label.LVM}, 2: {Label.LVBP}}
    study = with_contours(opened, contours)
    assert (study.stack.ed_phase, study.stack.es_phase) == (1, 2)
    assert study.reference_phases == (1, 2)


def test_contours_are_found_beside_the_images_or_inside_their_folder(opened, tmp_path):
    images = tmp_path / "dicoms" / "P1"
    assert find_contours(images) is None
    write_contour(tmp_path / "contours" / "P1", 1, "i", square(4, 8))
    assert find_contours(images) == tmp_path / "contours" / "P1"
    write_contour(images / "contours", 1, "i", square(4, 8))
    assert find_contours(images) == images / "contours"


def test_contours_of_no_image_are_refused_if_they_are_all_and_noted_if_they_are_some(opened, tmp_path):
    write_contour(tmp_path / "c", 99, "i", square(4, 8))
    with pytest.raises(LabelMapError, match=r"IM-0001-0099-icontour-manual.txt, for example, belongs to image 99"):
        read_sunnybrook(tmp_path / "c", opened)
    write_contour(tmp_path / "c", 1, "i", square(4, 8))
    contours = read_sunnybrook(tmp_path / "c", opened)
    assert contours.warnings == (
        "Left out 1 of 2 contours, drawn on images outside this stack, such as IM-0001-0099-icontour-manual.txt.",
    )
    assert with_contours(opened, contours).warnings == (*opened.warnings, *contours.warnings)


def test_a_damaged_contour_is_left_out_and_noted(opened, tmp_path):
    write_contour(tmp_path / "c", 1, "i", square(4, 8))
    write_contour(tmp_path / "c", 2, "i", [(1, 1)])
    contours = read_sunnybrook(tmp_path / "c", opened)
    assert contours.structures == {FrameIndex(0, 0): {Label.LVBP}}
    assert "Left out 1 of 2 contours" in contours.warnings[0]
    (tmp_path / "c" / "i-contours" / "IM-0001-0001-icontour-manual.txt").unlink()
    with pytest.raises(LoadError, match=r"IM-0001-0002"):
        read_sunnybrook(tmp_path / "c", opened)


def test_papillary_muscles_count_as_blood(opened, tmp_path):
    write_contour(tmp_path / "c", 1, "i", square(4.5, 8.5))
    for kind in ("p1", "p2", "p1-"):
        (tmp_path / "c" / f"IM-0001-0001-{kind}contour-manual.txt").write_text("6 6\n7 6\n7 7\n")
    contours = read_sunnybrook(tmp_path / "c", opened)
    assert np.bincount(contours.labels[0, 0].ravel()).tolist() == [32 * 32 - 16, 16]
    assert contours.warnings == ()


def test_the_published_layout_is_found_from_the_patient_and_from_the_images(opened, tmp_path):
    manual = tmp_path / "SC-HF-I-01" / "contours-manual" / "IRCCI-expert"
    manual.mkdir(parents=True)
    (manual / "IM-0001-0001-icontour-manual.txt").write_text("4.5 4.5\n8.5 4.5\n8.5 8.5\n4.5 8.5\n")
    assert contour_folder(tmp_path / "SC-HF-I-01") == manual
    assert find_contours(tmp_path / "SC-HF-I-01") == manual
    assert find_contours(tmp_path / "SC-HF-I-01" / "DICOM") == manual
    assert contour_folder(tmp_path) is None


def test_images_are_known_by_the_last_number_of_their_name(tmp_path):
    stack = sax_cine(phases=2, slices=4, rows=32, cols=32, pixel_spacing_mm=(5.0, 5.0)).stack
    study = identified(stack)
    renamed = tuple(
        tuple(s._replace(path=s.path.with_name(f"IM-0003-{int(s.path.stem):04d}.dcm")) for s in row)
        for row in study.stack.frame_sources
    )
    study = replace(study, stacks=(replace(study.stack, frame_sources=renamed),))
    write_contour(tmp_path / "c", 4, "i", square(4.5, 8.5))
    imported = read_sunnybrook(tmp_path / "c", study)
    assert imported.structures == {FrameIndex(1, 1): {Label.LVBP}}
    assert imported.labels[1, 1].sum() == 16


def test_a_folder_without_contours_is_refused(opened, tmp_path):
    (tmp_path / "c").mkdir()
    with pytest.raises(LoadError, match="no Sunnybrook contours"):
        read_sunnybrook(tmp_path / "c", opened)


@pytest.mark.parametrize("text", ["", "1 2\n3 4\n", "1 2 3\n" * 4, "a b\n" * 4, "nan 1\n" * 4])
def test_a_contour_that_is_none_is_named(tmp_path, text):
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(LoadError, match=r"bad.txt"):
        read_points(path)
