import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.errors import LoadError
from cmr_viewer.load.contours import (
    fill_polygon,
    find_contours,
    read_points,
    read_sunnybrook_contours,
    with_contours,
)
from cmr_viewer.load.dicom import read_dicom_files
from tests.phantom import sax_cine, write_dicom_folder


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
    return read_dicom_files(tmp_path / "dicoms" / "P1")


def test_pixels_whose_centre_is_inside_are_filled():
    inside = fill_polygon(np.array(square(0.5, 3.5)), (5, 6))
    assert inside.sum() == 9
    assert inside[1:4, 1:4].all()


def test_of_centres_on_the_outline_the_left_and_upper_belong():
    inside = fill_polygon(np.array(square(1.0, 3.0)), (5, 5))
    assert np.argwhere(inside).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_x_counts_columns_and_y_rows():
    inside = fill_polygon(np.array([(0.5, 0.5), (4.5, 0.5), (4.5, 1.5), (0.5, 1.5)]), (6, 6))
    assert np.argwhere(inside).tolist() == [[1, 1], [1, 2], [1, 3], [1, 4]]


def test_what_is_outside_the_frame_is_cut_off():
    assert fill_polygon(np.array(square(-5.0, 50.0)), (4, 4)).all()
    assert not fill_polygon(np.array(square(10.0, 50.0)), (4, 4)).any()


def test_a_concave_outline_is_not_filled_in_its_notch():
    u_shape = [(0.5, 0.5), (6.5, 0.5), (6.5, 4.5), (4.5, 4.5), (4.5, 2.5), (2.5, 2.5), (2.5, 4.5), (0.5, 4.5)]
    inside = fill_polygon(np.array(u_shape), (6, 8))
    assert not inside[3:, 3:5].any()
    assert inside.sum() == 6 * 2 + 2 * 2 * 2


@settings(deadline=None)
@given(st.floats(2, 14), st.floats(15, 25), st.floats(15, 25))
def test_a_disc_has_the_area_of_a_disc_whichever_way_it_is_drawn(radius, x, y):
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    points = np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1)
    inside = fill_polygon(points, (40, 40))
    assert inside.sum() == pytest.approx(np.pi * radius**2, abs=2 * np.pi * radius)
    assert (inside != fill_polygon(points[::-1], (40, 40))).sum() <= 4


def test_coordinates_count_from_one(opened, tmp_path):
    folder = tmp_path / "contours" / "P1"
    # Centres 5 to 8 of the file's count are pixels 4 to 7.
    write_contour(folder, 1, "i", square(4.5, 8.5))
    labels = read_sunnybrook_contours(folder, opened.study, opened.files).labels
    assert np.argwhere(labels[0, 0]).min() == 4
    assert np.argwhere(labels[0, 0]).max() == 7


def test_inside_i_is_blood_pool_and_between_i_and_o_is_myocardium(opened, tmp_path):
    folder = tmp_path / "contours" / "P1"
    # 5.dcm is phase 1 of slice 1, 6.dcm its phase 2.
    write_contour(folder, 5, "i", square(10.5, 14.5))
    write_contour(folder, 5, "o", square(8.5, 16.5))
    write_contour(folder, 6, "i", square(11.5, 13.5))
    contours = read_sunnybrook_contours(folder, opened.study, opened.files)
    assert np.bincount(contours.labels[1, 1].ravel()).tolist() == [32 * 32 - 64, 16, 48]
    assert np.bincount(contours.labels[2, 1].ravel()).tolist() == [32 * 32 - 4, 4]
    assert contours.structures == {1: {Label.LVBP, Label.LVM}, 2: {Label.LVBP}}
    study = with_contours(opened.study, contours)
    assert (study.stack.ed_phase, study.stack.es_phase) == (1, 2)
    assert study.reference_phases == (1, 2)


def test_contours_are_found_beside_the_images_or_inside_their_folder(opened, tmp_path):
    images = tmp_path / "dicoms" / "P1"
    assert find_contours(images) is None
    write_contour(tmp_path / "contours" / "P1", 1, "i", square(4, 8))
    assert find_contours(images) == tmp_path / "contours" / "P1"
    write_contour(images / "contours", 1, "i", square(4, 8))
    assert find_contours(images) == images / "contours"


def test_a_contour_of_no_image_is_named(opened, tmp_path):
    write_contour(tmp_path / "c", 99, "i", square(4, 8))
    with pytest.raises(LoadError, match=r"IM-0001-0099-icontour-manual.txt belongs to image 99"):
        read_sunnybrook_contours(tmp_path / "c", opened.study, opened.files)


def test_a_folder_without_contours_is_refused(opened, tmp_path):
    (tmp_path / "c").mkdir()
    with pytest.raises(LoadError, match="no Sunnybrook contours"):
        read_sunnybrook_contours(tmp_path / "c", opened.study, opened.files)


@pytest.mark.parametrize("text", ["", "1 2\n3 4\n", "1 2 3\n" * 4, "a b\n" * 4, "nan 1\n" * 4])
def test_a_contour_that_is_none_is_named(tmp_path, text):
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(LoadError, match=r"bad.txt"):
        read_points(path)
