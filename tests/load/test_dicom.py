import dataclasses

import numpy as np
import pydicom
import pytest

from cmr_viewer.domain.study import Stack
from cmr_viewer.errors import LoadError, NotAStudyError
from cmr_viewer.load.dicom import read_dicom, read_dicom_files
from cmr_viewer.load.names import patient_key_of
from cmr_viewer.progress import Cancelled
from tests.phantom import UID_ROOT, sax_cine, write_dicom_folder

PHASES, SLICES = 4, 5


@pytest.fixture(scope="module")
def phantom():
    return sax_cine(phases=PHASES, slices=SLICES, rows=32, cols=28, pixel_spacing_mm=(5.0, 4.5))


def assert_is_phantom(study, phantom):
    stack, g, expected = study.stack, study.stack.geometry, phantom.stack.geometry
    np.testing.assert_array_equal(stack.pixels, phantom.stack.pixels)
    np.testing.assert_allclose(g.positions_mm, expected.positions_mm, atol=1e-3)
    assert g.pixel_spacing_mm == (5.0, 4.5)
    assert g.slice_spacing_mm == pytest.approx(10.0, abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_files_come_base_to_apex_in_time_order(tmp_path, phantom, seed):
    write_dicom_folder(tmp_path, phantom.stack, shuffle=seed)
    study = read_dicom(tmp_path)
    assert_is_phantom(study, phantom)
    assert study.stack.pixels.dtype == np.int16
    assert study.stack.phase_times_ms == (0.0, 200.0, 400.0, 600.0)
    assert study.stack.heart_rate_bpm == 75.0
    assert study.warnings == ()
    assert (study.format_name, study.stack.description) == ("DICOM", "SAX cine")


def test_a_series_per_slice_is_one_stack(tmp_path, phantom):
    write_dicom_folder(tmp_path, phantom.stack, series_per_slice=True, shuffle=1)
    study = read_dicom(tmp_path)
    assert_is_phantom(study, phantom)
    assert study.warnings == ()


def test_files_in_nested_folders_without_extension_beside_other_files(tmp_path, phantom):
    files = write_dicom_folder(tmp_path / "a", phantom.stack, extension="")
    (tmp_path / "b" / "c").mkdir(parents=True)
    for path in files[::2]:
        path.rename(tmp_path / "b" / "c" / path.name)
    (tmp_path / "notes.txt").write_text("nothing")
    assert_is_phantom(read_dicom(tmp_path), phantom)


def test_source_slices_count_from_the_end_that_was_numbered_first(tmp_path, phantom):
    write_dicom_folder(tmp_path, phantom.stack, positions_reversed=True)
    study = read_dicom(tmp_path)
    assert_is_phantom(study, phantom)
    assert study.stack.source_slices == (4, 3, 2, 1, 0)


def test_without_trigger_times_the_instance_number_orders_the_phases(tmp_path, phantom):
    write_dicom_folder(tmp_path, phantom.stack, trigger_times=False, shuffle=2)
    study = read_dicom(tmp_path)
    assert_is_phantom(study, phantom)
    assert study.stack.phase_times_ms is None


@pytest.mark.parametrize("keyword", ["TemporalPositionIdentifier", "AcquisitionTime"])
def test_temporal_position_or_acquisition_time_order_phases_against_the_instance_number(tmp_path, phantom, keyword):
    for number, path in enumerate(write_dicom_folder(tmp_path, phantom.stack, trigger_times=False)):
        phase = number % PHASES
        data = pydicom.dcmread(path)
        setattr(data, keyword, phase + 1 if keyword.startswith("T") else f"10000{phase}.000")
        data.InstanceNumber = 1000 - number
        data.save_as(path)
    np.testing.assert_array_equal(read_dicom(tmp_path).stack.pixels, phantom.stack.pixels)


def test_a_missing_file_costs_one_phase_and_is_told(tmp_path, phantom):
    write_dicom_folder(tmp_path, phantom.stack, skip=[(PHASES - 1, 2)])
    study = read_dicom(tmp_path)
    assert study.stack.pixels.shape[:2] == (PHASES - 1, SLICES)
    np.testing.assert_array_equal(study.stack.pixels[:, 2], phantom.stack.pixels[:3, 2])
    assert "slice 3 (3)" in study.warnings[0]
    assert "3 are used" in study.warnings[0]


def test_a_slice_with_few_phases_is_left_out_and_told(tmp_path, phantom):
    write_dicom_folder(tmp_path, phantom.stack, skip=[(p, 4) for p in range(1, PHASES)])
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels[:, :4])
    assert study.warnings == ("Slices 5 have too few phases and were left out.",)


@pytest.mark.parametrize("damage", ["truncate", "empty", "garbage"])
def test_a_damaged_file_is_named_and_the_rest_opens(tmp_path, phantom, damage):
    path = write_dicom_folder(tmp_path, phantom.stack)[PHASES - 1]
    whole = path.read_bytes()
    path.write_bytes({"truncate": whole[:-300], "empty": b"", "garbage": b"\0" * 128 + b"DICM" + b"\xff" * 90}[damage])
    study = read_dicom(tmp_path)
    assert study.stack.pixels.shape[:2] == (PHASES - 1, SLICES)
    assert any(path.name in warning for warning in study.warnings)


def test_a_folder_without_dicom_is_no_study(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(NotAStudyError, match="no DICOM images"):
        read_dicom(tmp_path)


def test_a_folder_of_damaged_files_only_names_them(tmp_path, phantom):
    for path in write_dicom_folder(tmp_path, phantom.stack):
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(LoadError, match=r"cannot be decoded, for example .*\.dcm"):
        read_dicom(tmp_path)


def test_enhanced_files_are_refused_in_words(tmp_path, phantom):
    for path in write_dicom_folder(tmp_path, phantom.stack):
        data = pydicom.dcmread(path)
        data.NumberOfFrames = 30
        data.save_as(path)
    with pytest.raises(LoadError, match="enhanced"):
        read_dicom(tmp_path)


def turned(stack, slices, phases, row_direction, col_direction, description):
    """Another stack of the same matrix, of other planes."""
    g = stack.geometry
    normal = np.cross(row_direction, col_direction)
    positions = tuple(tuple((normal * 8.0 * k).tolist()) for k in range(slices))
    geometry = dataclasses.replace(g, row_direction=row_direction, col_direction=col_direction, positions_mm=positions)
    pixels = np.full((phases, slices, g.rows, g.cols), 7, np.int16)
    return Stack(pixels, geometry, tuple(20.0 * p for p in range(phases)), description=description)


def test_of_many_series_the_short_axis_cine_is_opened_and_the_others_named(tmp_path, phantom):
    write_dicom_folder(tmp_path / "sax", phantom.stack)
    # More frames than the short-axis stack, but across the body; and a long-axis cine of one slice.
    axial = turned(phantom.stack, 9, 4, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), "axial")
    long_axis = turned(phantom.stack, 1, 8, (0.6, 0.0, -0.8), (0.0, 1.0, 0.0), "4ch")
    write_dicom_folder(
        tmp_path / "ax", axial, series_uid=UID_ROOT + "8.1", series_description="AXIAL CINE", extra={"SeriesNumber": 5}
    )
    write_dicom_folder(tmp_path / "lax", long_axis, series_uid=UID_ROOT + "9.1", series_description="4CH")
    study = read_dicom(tmp_path)
    assert_is_phantom(study, phantom)
    assert "AXIAL CINE (9 x 4)" in study.warnings[0]
    assert "4CH (1 x 8)" in study.warnings[0]


def test_of_two_series_of_one_slice_the_later_is_used(tmp_path, phantom):
    write_dicom_folder(tmp_path / "all", phantom.stack, series_per_slice=True, extra={"AcquisitionTime": "100000"})
    again = Stack(
        phantom.stack.pixels[:, 2:3] + 1,
        dataclasses.replace(phantom.stack.geometry, positions_mm=phantom.stack.geometry.positions_mm[2:3]),
        phantom.stack.phase_times_ms,
    )
    write_dicom_folder(
        tmp_path / "again", again, series_uid=UID_ROOT + "8.1", extra={"AcquisitionTime": "110000", "SeriesNumber": 400}
    )
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels[:, 2], phantom.stack.pixels[:, 2] + 1)
    np.testing.assert_array_equal(study.stack.pixels[:, 3], phantom.stack.pixels[:, 3])
    assert study.warnings == ("1 slices were acquired more than once; the later ones are used.",)


def test_of_a_slice_acquired_twice_in_one_series_the_later_images_are_used(tmp_path, phantom):
    write_dicom_folder(tmp_path / "a", phantom.stack)
    again = Stack(
        phantom.stack.pixels[:, 1:2] + 5,
        dataclasses.replace(phantom.stack.geometry, positions_mm=phantom.stack.geometry.positions_mm[1:2]),
        phantom.stack.phase_times_ms,
    )
    for number, path in enumerate(write_dicom_folder(tmp_path / "b", again)):
        data = pydicom.dcmread(path)
        data.InstanceNumber, data.SOPInstanceUID = 100 + number, UID_ROOT + f"5.{number + 1}"
        data.save_as(path)
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels[:, 1], phantom.stack.pixels[:, 1] + 5)
    assert "Slices 2 were acquired more than once" in study.warnings[0]


def test_phase_images_are_kept_apart_from_magnitude_images(tmp_path, phantom):
    write_dicom_folder(tmp_path / "m", phantom.stack, extra={"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"]})
    flow = dataclasses.replace(phantom.stack, pixels=phantom.stack.pixels * 0)
    kind = {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}
    write_dicom_folder(tmp_path / "p", flow, series_uid=UID_ROOT + "6.1", skip=[(0, 0)], extra=kind)
    assert_is_phantom(read_dicom(tmp_path), phantom)


def test_invalid_dates_and_uids_are_tolerated_in_silence(tmp_path, phantom, recwarn):
    for path in write_dicom_folder(tmp_path, phantom.stack):
        content = path.read_bytes().replace(b"SAX cine", b"20120000")
        path.write_bytes(content.replace(UID_ROOT.encode() + b"7.1", UID_ROOT.encode() + b"7.0"))
    assert_is_phantom(read_dicom(tmp_path), phantom)
    assert not recwarn.list


def test_rescaled_values_are_float32(tmp_path, phantom):
    write_dicom_folder(tmp_path, phantom.stack, slope_intercept=(0.5, -10.0))
    stack = read_dicom(tmp_path).stack
    assert stack.pixels.dtype == np.float32
    np.testing.assert_allclose(stack.pixels, phantom.stack.pixels * 0.5 - 10.0)


def test_a_slope_of_one_leaves_the_stored_dtype(tmp_path, phantom):
    write_dicom_folder(tmp_path, phantom.stack, slope_intercept=(1.0, 0.0))
    assert read_dicom(tmp_path).stack.pixels.dtype == np.int16


def test_one_slice_of_a_cine_opens_with_a_warning(tmp_path, phantom):
    skip = [(p, s) for p in range(PHASES) for s in range(1, SLICES)]
    write_dicom_folder(tmp_path, phantom.stack, skip=skip)
    study = read_dicom(tmp_path)
    assert study.stack.pixels.shape[:2] == (PHASES, 1)
    assert "no cine stack: 1 slices" in study.warnings[0]
    # Slice Thickness, for want of a second slice.
    assert study.stack.geometry.slice_spacing_mm == 8.0


def test_the_patient_is_known_by_a_hash_and_the_study_by_its_folder(tmp_path, phantom):
    write_dicom_folder(tmp_path / "case7", phantom.stack, patient_id="DOE^JANE")
    study = read_dicom(tmp_path / "case7")
    assert study.name == "case7"
    assert study.patient_key == patient_key_of("DOE^JANE")
    assert "DOE" not in repr(dataclasses.asdict(dataclasses.replace(study, stacks=(study.stack,))).keys())


def test_the_heart_rate_follows_from_trigger_times_that_cover_the_cycle(tmp_path):
    phantom = sax_cine(phases=20, slices=2, rows=24, cols=20, pixel_spacing_mm=(6.0, 6.0), above=0, below=0)
    stack = dataclasses.replace(phantom.stack, heart_rate_bpm=None)
    write_dicom_folder(tmp_path, stack)
    # 20 phases at every 40 ms are a cycle of 800 ms.
    assert read_dicom(tmp_path).stack.heart_rate_bpm == pytest.approx(75.0)


def test_every_frame_is_traced_to_its_file(tmp_path, phantom):
    files = write_dicom_folder(tmp_path, phantom.stack)
    opened = read_dicom_files(tmp_path)
    assert opened.files == {path: (n % PHASES, n // PHASES) for n, path in enumerate(files)}


def test_progress_rises_to_the_end_and_a_stop_goes_through(tmp_path, phantom):
    write_dicom_folder(tmp_path, phantom.stack)
    told = []
    read_dicom(tmp_path, lambda fraction, text: told.append(fraction))
    assert told == sorted(told)
    assert 0 <= told[0] < told[-1] <= 1

    def stop(fraction, text):
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        read_dicom(tmp_path, stop)
