import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import LabelMapError, LoadError, UnknownPhaseError
from cmr_viewer.load.labels.rtstruct import read_rtstruct
from tests.phantom import sax_cine
from tests.phantom_contours import circle, identified, square, write_rtstruct


@pytest.fixture(scope="module")
def study():
    return identified(sax_cine(phases=3, slices=4, rows=32, cols=36, pixel_spacing_mm=(5.0, 4.5)).stack)


@pytest.fixture(scope="module")
def one_phase():
    return identified(sax_cine(phases=1, slices=4, rows=32, cols=36, pixel_spacing_mm=(5.0, 4.5)).stack)


HEART = [
    ("LV endocardium", 1, 2, circle(20, 15, 4.3)),
    ("LV epicardium", 1, 2, circle(20, 15, 7.3)),
    ("RV endo", 1, 2, circle(9, 15, 5.3)),
]


def expected_heart(shape=(3, 4, 32, 36), phase=1):
    y, x = np.mgrid[:32, :36]
    labels = np.zeros(shape, np.uint8)
    labels[phase, 2][np.hypot(y - 15, x - 9) < 5.3] = 3
    labels[phase, 2][np.hypot(y - 15, x - 20) < 7.3] = 2
    labels[phase, 2][np.hypot(y - 15, x - 20) < 4.3] = 1
    return labels


def test_contours_fall_on_the_frames_that_they_name_pixel_by_pixel(tmp_path, study):
    imported = read_rtstruct(write_rtstruct(tmp_path / "a.dcm", study, HEART), study)
    np.testing.assert_array_equal(imported.labels, expected_heart())
    assert imported.structures == {FrameIndex(1, 2): {Label.LVBP, Label.LVM, Label.RVBP}}
    assert (imported.provenance, imported.warnings) == ("RTSTRUCT: Reader A", ())


@pytest.mark.parametrize(
    "names",
    [
        ("Ventricle_L", "Myocardium_L", "Ventricle_R"),
        ("LV Endo", "LV Epi", "RV Endo"),
        ("ventricule gauche", "myocarde VG", "VD"),
        ("左心室", "左心室心肌", "右心室"),
    ],
)
def test_structures_are_found_by_their_names_in_radiotherapy_and_other_languages(tmp_path, study, names):
    other = [("Atrium_L", 1, 2, square(1, 5)), ("Ventricle_L_PRV05", 1, 2, square(1, 30))]
    path = write_rtstruct(tmp_path / "a.dcm", study, [*HEART, *other])
    data = pydicom.dcmread(path)
    data.SpecificCharacterSet = "ISO_IR 192"
    for roi, name in zip(data.StructureSetROISequence, names, strict=False):
        roi.ROIName = name
    data.save_as(path)
    expected = read_rtstruct(write_rtstruct(tmp_path / "b.dcm", study, HEART), study).labels
    read = read_rtstruct(path, study)
    np.testing.assert_array_equal(read.labels, expected)
    assert [np.count_nonzero(read.labels == label) > 20 for label in (1, 2, 3)] == [True] * 3
    assert read.warnings == ("Structures left out: Atrium_L, Ventricle_L_PRV05.",)


def test_structures_without_a_telling_name_are_found_by_their_codes_or_descriptions(tmp_path, study):
    path = write_rtstruct(tmp_path / "a.dcm", study, [(f"ROI {n}", *one[1:]) for n, one in enumerate(HEART, start=1)])
    expected = read_rtstruct(write_rtstruct(tmp_path / "b.dcm", study, HEART), study).labels
    data = pydicom.dcmread(path)
    observations = []
    for number in (1, 2, 3):
        one = pydicom.Dataset()
        one.ReferencedROINumber, one.ObservationNumber = number, number
        observations.append(one)
    code = pydicom.Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "87878005", "SCT", "Left ventricle"
    observations[0].RTROIIdentificationCodeSequence = [code]
    observations[1].ROIObservationLabel = "LV epi"
    data.StructureSetROISequence[2].ROIDescription = "right ventricle"
    data.RTROIObservationsSequence = observations
    data.save_as(path)
    np.testing.assert_array_equal(read_rtstruct(path, study).labels, expected)


def test_without_references_a_contour_falls_on_the_slice_in_whose_plane_it_lies(tmp_path, one_phase):
    drawn = [(name, 0, index, points) for name, _, index, points in HEART]
    path = write_rtstruct(tmp_path / "a.dcm", one_phase, drawn, references=False, off_plane_mm=0.4)
    np.testing.assert_array_equal(read_rtstruct(path, one_phase).labels, expected_heart((1, 4, 32, 36), 0))
    path = write_rtstruct(tmp_path / "b.dcm", one_phase, drawn, references=False, off_plane_mm=3.0)
    with pytest.raises(LabelMapError, match="None of the 3 contours"):
        read_rtstruct(path, one_phase)


def test_without_references_the_phase_is_asked_for(tmp_path, study):
    path = write_rtstruct(tmp_path / "a.dcm", study, HEART, references=False)
    with pytest.raises(UnknownPhaseError, match="does not state the phase"):
        read_rtstruct(path, study)
    np.testing.assert_array_equal(read_rtstruct(path, study, phase=2).labels, expected_heart(phase=2))


def test_a_contour_inside_another_of_the_same_structure_is_a_hole(tmp_path, study):
    drawn = [("Myocardium", 0, 1, square(2.5, 12.5)), ("Myocardium", 0, 1, square(5.5, 9.5))]
    imported = read_rtstruct(write_rtstruct(tmp_path / "a.dcm", study, drawn), study)
    assert np.bincount(imported.labels[0, 1].ravel()).tolist() == [32 * 36 - 84, 0, 84]
    assert imported.structures == {FrameIndex(0, 1): {Label.LVM}}


def test_structures_of_other_things_are_left_out_and_noted(tmp_path, study):
    imported = read_rtstruct(write_rtstruct(tmp_path / "a.dcm", study, [*HEART, ("Aorta", 0, 0, square(1, 5))]), study)
    assert imported.warnings == ("Structures left out: Aorta.",)
    with pytest.raises(LabelMapError, match=r"no contour of the left or right ventricle .*Aorta"):
        read_rtstruct(write_rtstruct(tmp_path / "b.dcm", study, [("Aorta", 0, 0, square(1, 5))]), study)


def test_contours_that_cannot_be_are_left_out_and_counted(tmp_path, study):
    drawn = [*HEART, ("LV endocardium", 0, 0, [(4, 4)]), ("LV endocardium", 0, 1, square(400, 500))]
    imported = read_rtstruct(write_rtstruct(tmp_path / "a.dcm", study, drawn), study)
    np.testing.assert_array_equal(imported.labels, expected_heart())
    assert "1 point;" in imported.warnings[0]
    assert "outside the frame" in imported.warnings[1]


def test_a_contour_of_many_points_is_read(tmp_path, study):
    drawn = [("LV endocardium", 0, 0, circle(20, 15, 4.3, 8_000))]
    labels = read_rtstruct(write_rtstruct(tmp_path / "a.dcm", study, drawn), study).labels
    y, x = np.mgrid[:32, :36]
    np.testing.assert_array_equal(labels[0, 0] == 1, np.hypot(y - 15, x - 20) < 4.3)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_object_gives_labels_or_states_why_not(tmp_path, study, data):
    whole = tmp_path / "whole.dcm"
    if not whole.exists():
        write_rtstruct(whole, study, [("LV", 0, 0, square(4, 9)), ("RV", 0, 0, square(12, 20))])
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(100, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=6))
    path = tmp_path / "damaged.dcm"
    path.write_bytes(bytes(content))
    try:
        assert read_rtstruct(path, study).labels.shape == study.stack.pixels.shape
    except (LoadError, LabelMapError) as error:
        assert "damaged.dcm" in str(error)
