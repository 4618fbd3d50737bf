import numpy as np
import pytest
from pydicom.dataset import Dataset

from cmr_viewer.load.dicom.multiframe import WITHOUT_ALL_PLACES, WITHOUT_PLACES
from cmr_viewer.load.dicom.pixels import Place, pixel_dtype, read_into
from cmr_viewer.load.dicom.scan import read_headers
from tests.phantom import sax_cine
from tests.phantom_multiframe import CLASSIC_MR, base_dataset, write_enhanced, write_single


@pytest.fixture(scope="module")
def stack():
    return sax_cine(phases=3, slices=2, rows=20, cols=16, pixel_spacing_mm=(4.0, 4.5), above=0, below=0).stack


SYNTAXES = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"]


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_each_frame_of_enhanced_mr_has_its_place_and_time(tmp_path, stack, syntax):
    path = tmp_path / "many.dcm"
    order = write_enhanced(path, stack, syntax=syntax)
    headers = read_headers(path)
    assert [h.key for h in headers] == [(path, n) for n in range(1, 7)]
    for header, (phase, index) in zip(headers, order, strict=True):
        assert header.position == pytest.approx(stack.geometry.positions_mm[index], abs=1e-4)
        assert header.orientation == pytest.approx(
            (*stack.geometry.row_direction, *stack.geometry.col_direction), abs=1e-6
        )
        assert header.spacing == (4.0, 4.5)
        assert header.trigger_ms == pytest.approx(stack.phase_times_ms[phase])
    first = headers[0]
    assert (first.kind, first.image_type[2], first.stack_id) == ("M", "CARDIAC", "1")
    assert (first.heart_rate_bpm, first.slice_spacing_mm, first.patient_id) == (75.0, 8.0, "PHANTOM01")


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_frames_of_enhanced_mr_come_back(tmp_path, stack, syntax):
    path = tmp_path / "many.dcm"
    order = [(p, s) for p in range(3) for s in (1, 0)]
    write_enhanced(path, stack, order=order, syntax=syntax)
    headers = read_headers(path)
    pixels = np.empty(stack.pixels.shape, pixel_dtype(headers))
    assert read_into(pixels, [Place(h, at) for h, at in zip(headers, order, strict=True)]) == []
    np.testing.assert_array_equal(pixels, stack.pixels)


@pytest.mark.parametrize("times", ["index", "dimension"])
def test_a_phase_is_counted_where_no_time_is_given(tmp_path, stack, times):
    order = write_enhanced(tmp_path / "a", stack, times=times)
    headers = read_headers(tmp_path / "a")
    assert [h.temporal_position for h in headers] == [phase + 1 for phase, _ in order]
    assert {h.trigger_ms for h in headers} == {None}


def test_the_private_trigger_time_of_philips_serves_where_there_is_no_other(tmp_path, stack):
    order = write_enhanced(tmp_path / "a", stack, times="private")
    expected = [stack.phase_times_ms[phase] for phase, _ in order]
    assert [h.trigger_ms for h in read_headers(tmp_path / "a")] == pytest.approx(expected, abs=1e-3)


def test_what_a_frame_states_goes_before_what_all_share(tmp_path, stack):
    def own_spacing(data):
        own = data.PerFrameFunctionalGroupsSequence[1]
        own.PixelMeasuresSequence = [type(own)()]
        own.PixelMeasuresSequence[0].PixelSpacing = ["2", "3"]

    write_enhanced(tmp_path / "a", stack, change=own_spacing)
    assert [h.spacing for h in read_headers(tmp_path / "a")[:3]] == [(4.0, 4.5), (2.0, 3.0), (4.0, 4.5)]


def test_phase_images_are_distinguished_from_magnitude_images(tmp_path, stack):
    def flow(data):
        for item in data.PerFrameFunctionalGroupsSequence[3:]:
            item.MRImageFrameTypeSequence[0].ComplexImageComponent = "PHASE"

    write_enhanced(tmp_path / "a", stack, change=flow)
    assert [h.kind for h in read_headers(tmp_path / "a")] == ["M", "M", "M", "P", "P", "P"]


def test_frames_without_a_place_are_refused(tmp_path, stack):
    def none(data):
        for item in data.PerFrameFunctionalGroupsSequence:
            del item.PlanePositionSequence

    def some(data):
        del data.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence

    def few(data):
        data.PerFrameFunctionalGroupsSequence = data.PerFrameFunctionalGroupsSequence[:4]

    write_enhanced(tmp_path / "none", stack, change=none)
    write_enhanced(tmp_path / "some", stack, change=some)
    write_enhanced(tmp_path / "few", stack, change=few)
    assert "position" in read_headers(tmp_path / "none")
    assert read_headers(tmp_path / "some") == WITHOUT_ALL_PLACES
    assert read_headers(tmp_path / "few") == WITHOUT_ALL_PLACES


def test_a_claim_of_frames_beyond_the_file_is_refused(tmp_path, stack):
    def lie(data):
        data.NumberOfFrames = 2_000_000_000

    write_enhanced(tmp_path / "a", stack, change=lie)
    assert read_headers(tmp_path / "a") == "with an impossible image size in the header"


def write_old(path, stack, **elements):
    """Three frames of one slice under one classic header."""

    def many(data):
        data.NumberOfFrames = 3
        data.PixelData = np.ascontiguousarray(stack.pixels[:, 0]).tobytes()
        for keyword, value in elements.items():
            setattr(data, keyword, value)

    return write_single(path, stack, change=many)


def test_one_header_with_a_frame_time_is_a_cine_of_one_plane(tmp_path, stack):
    path = write_old(tmp_path / "a", stack, FrameIncrementPointer=0x00181063, FrameTime="40")
    headers = read_headers(path)
    assert [h.trigger_ms for h in headers] == [0.0, 40.0, 80.0]
    assert len({h.position for h in headers}) == 1
    pixels = np.empty((3, 20, 16), pixel_dtype(headers))
    assert read_into(pixels, [Place(h, (n,)) for n, h in enumerate(headers)]) == []
    np.testing.assert_array_equal(pixels, stack.pixels[:, 0])


def test_one_header_with_a_vector_of_times_is_a_cine_of_one_plane(tmp_path, stack):
    path = write_old(tmp_path / "a", stack, FrameIncrementPointer=0x00181065, FrameTimeVector=["0", "30", "50"])
    assert [h.trigger_ms for h in read_headers(path)] == [0.0, 30.0, 80.0]


def test_one_header_with_locations_is_a_stack_of_planes(tmp_path, stack):
    path = write_old(tmp_path / "a", stack, SliceLocationVector=["5", "13", "21"])
    headers = read_headers(path)
    normal = np.cross(stack.geometry.row_direction, stack.geometry.col_direction)
    for header, along in zip(headers, (0, 8, 16), strict=True):
        expected = np.asarray(stack.geometry.positions_mm[0]) + along * normal
        np.testing.assert_allclose(header.position, expected, atol=1e-3)


@pytest.mark.parametrize("elements", [{}, {"FrameIncrementPointer": 0x00181063}, {"FrameTime": "40"}])
def test_one_header_that_does_not_say_where_its_frames_are_is_refused(tmp_path, stack, elements):
    assert read_headers(write_old(tmp_path / "a", stack, **elements)) == WITHOUT_PLACES


def test_a_secondary_capture_of_many_frames_without_any_place_is_refused(tmp_path, stack):
    def bare(data):
        del data.ImagePositionPatient, data.ImageOrientationPatient

    path = write_single(tmp_path / "a", stack, change=bare)
    assert "position" in read_headers(path)


def test_the_class_of_a_file_is_read(tmp_path, stack):
    assert base_dataset(stack, CLASSIC_MR).SOPClassUID == read_headers(write_single(tmp_path / "a", stack))[0].class_uid


def _in_group(item, sequence, **values):
    group = Dataset()
    for keyword, value in values.items():
        setattr(group, keyword, value)
    setattr(item, sequence, [group])


def test_what_weighted_each_frame_of_enhanced_mr_is_read(tmp_path, stack):
    def weighted(data):
        for number, item in enumerate(data.PerFrameFunctionalGroupsSequence):
            _in_group(item, "MREchoSequence", EffectiveEchoTime=1.5 + number)
            _in_group(item, "MRModifierSequence", InversionTimes=[100.0 + number])
            _in_group(item, "MRTimingAndRelatedParametersSequence", FlipAngle="12")
            _in_group(item, "MRDiffusionSequence", DiffusionBValue=50.0 * number)
            _in_group(item, "ContrastBolusUsageSequence", ContrastBolusAgentAdministered="YES")

    write_enhanced(tmp_path / "a", stack, change=weighted)
    headers = read_headers(tmp_path / "a")
    assert [h.echo_ms for h in headers] == [1.5 + n for n in range(6)]
    assert [h.inversion_ms for h in headers] == [100.0 + n for n in range(6)]
    assert [h.b_value for h in headers] == [50.0 * n for n in range(6)]
    assert {(h.flip_deg, h.agent, h.thickness_mm) for h in headers} == {(12.0, "YES", 8.0)}
