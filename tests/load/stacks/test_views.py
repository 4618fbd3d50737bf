import dataclasses

import numpy as np
import pytest

from cmr_viewer.domain.study import slice_line
from cmr_viewer.load.stacks.dicom_study import read_dicom
from cmr_viewer.load.stacks.views import MOST_VIEWS
from tests.phantom import UID_ROOT, sax_cine
from tests.phantom_dicom import AXIAL, flat_stack, long_axis_stack, write_frames


@pytest.fixture(scope="module")
def sax():
    return sax_cine(phases=6, slices=6, rows=24, cols=20, pixel_spacing_mm=(6.0, 6.0)).stack


def test_long_axis_cines_are_kept_as_stored_with_their_place_and_times(tmp_path, sax):
    write_frames(tmp_path, sax, series="1")
    view = long_axis_stack(sax, 90.0)
    write_frames(
        tmp_path, view, series="2", number=2, description="cine_2CH", order=[(p, 0) for p in reversed(range(10))]
    )
    (found,) = read_dicom(tmp_path).long_axis
    np.testing.assert_array_equal(found.pixels, view.pixels[:, 0])
    assert found.pixels.dtype == np.int16
    assert found.phase_times_ms == view.phase_times_ms
    np.testing.assert_allclose(found.geometry.positions_mm, view.geometry.positions_mm, atol=1e-5)
    assert found.description == "2-chamber: cine_2CH"


def test_slices_cross_a_view_from_base_to_apex(tmp_path, sax):
    write_frames(tmp_path, sax, series="1")
    write_frames(tmp_path, long_axis_stack(sax, 0.0, rows=40), series="2")
    study = read_dicom(tmp_path)
    lines = [slice_line(study.long_axis[0].geometry, study.stack.geometry, s) for s in range(6)]
    # Rows of the view run from base to apex, 4 mm each; slices are 10 mm apart.
    assert [round(line[0][0], 2) for line in lines] == pytest.approx([19.5 + 2.5 * (s - 2.5) for s in range(6)])


@pytest.mark.parametrize(("angle", "name"), [(0.0, "4-chamber"), (90.0, "2-chamber"), (45.0, "long axis")])
def test_a_view_without_a_name_is_named_by_its_plane(tmp_path, sax, angle, name):
    write_frames(tmp_path, sax, series="1")
    write_frames(tmp_path, long_axis_stack(sax, angle), series="2", description="")
    assert read_dicom(tmp_path).long_axis[0].description == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("CINE_4CH_tfi", "4-chamber"),
        ("Cine HLA", "4-chamber"),
        ("cine 3 ch", "3-chamber"),
        ("LVOT", "3-chamber"),
        ("two chamber", "2-chamber"),
        ("cine_RVOT", "right ventricular outflow tract"),
    ],
)
def test_a_view_is_named_by_its_description(tmp_path, sax, text, name):
    write_frames(tmp_path, sax, series="1")
    write_frames(tmp_path, long_axis_stack(sax, 45.0), series="2", description=text)
    assert read_dicom(tmp_path).long_axis[0].description == f"{name}: {text}"


def test_a_radial_series_gives_a_view_for_each_plane(tmp_path, sax):
    write_frames(tmp_path, sax, series="1")
    angles = np.arange(0.0, 180.0, 20.0)
    for n, angle in enumerate(angles):
        write_frames(tmp_path, long_axis_stack(sax, angle, phases=5), series="2", first_instance=1 + 5 * n, number=2)
    study = read_dicom(tmp_path)
    assert study.stack.slices == 6
    assert len(study.long_axis) == 9
    for angle in angles:
        expected = long_axis_stack(sax, angle, phases=5).pixels[:, 0]
        assert any(np.array_equal(view.pixels, expected) for view in study.long_axis)


def test_a_radial_series_of_planes_a_few_degrees_apart_is_distinguished(tmp_path, sax):
    write_frames(tmp_path, sax, series="1")
    for n in range(4):
        write_frames(tmp_path, long_axis_stack(sax, 4.0 * n, phases=5), series="2", first_instance=1 + 5 * n, number=2)
    assert len(read_dicom(tmp_path).long_axis) == 4


def test_of_very_many_views_some_are_kept(tmp_path, sax):
    write_frames(tmp_path, sax, series="1")
    for n in range(30):
        write_frames(tmp_path, long_axis_stack(sax, 6.0 * n, phases=5), series=f"2.{n}", number=2 + n)
    assert len(read_dicom(tmp_path).long_axis) == MOST_VIEWS


def test_flow_stacks_of_parallel_planes_stills_and_other_patients_are_no_views(tmp_path, sax):
    write_frames(tmp_path, sax, series="1")
    plane = long_axis_stack(sax, 0.0)
    write_frames(tmp_path, plane, series="2", description="x", image_type=("ORIGINAL", "PRIMARY", "M"))
    write_frames(tmp_path, plane, series="3", description="x", image_type=("ORIGINAL", "PRIMARY", "P"))
    write_frames(tmp_path, dataclasses.replace(long_axis_stack(sax, 90.0, phases=1)), series="4", description="LGE 2ch")
    write_frames(tmp_path, flat_stack(AXIAL, slices=8, phases=6), series="5", description="axial cine")
    write_frames(tmp_path, long_axis_stack(sax, 45.0), series="6", patient="OTHER", study=UID_ROOT + "70")
    assert read_dicom(tmp_path).long_axis == ()


def test_damaged_images_of_a_view_are_left_out_and_noted(tmp_path, sax):
    write_frames(tmp_path, sax, series="1")
    files = write_frames(tmp_path, long_axis_stack(sax, 0.0), series="2", description="4CH")
    whole = files[3].read_bytes()
    files[3].write_bytes(whole[:-200])
    study = read_dicom(tmp_path)
    assert study.long_axis[0].phases == 9
    assert any(files[3].name in warning for warning in study.warnings)


def test_views_of_one_name_are_distinguished_by_their_series_and_their_order(tmp_path, sax):
    write_frames(tmp_path, sax, series="1")
    for number, angle in ((5, 0.0), (6, 10.0)):
        write_frames(tmp_path, long_axis_stack(sax, angle), series=f"{number}", number=number, description="cine_4CH")
    for place in range(2):
        view = long_axis_stack(sax, 85.0 + 10.0 * place)
        write_frames(tmp_path, view, series="7", first_instance=1 + 10 * place, number=7, description="2CH", time="11")
    write_frames(tmp_path, long_axis_stack(sax, 45.0), series="8", number=8, description="3CH", time="12")
    assert [view.description for view in read_dicom(tmp_path).long_axis] == [
        "4-chamber: cine_4CH (series 5)",
        "4-chamber: cine_4CH (series 6)",
        "2-chamber: 2CH (1 of 2)",
        "2-chamber: 2CH (2 of 2)",
        "3-chamber: 3CH",
    ]
