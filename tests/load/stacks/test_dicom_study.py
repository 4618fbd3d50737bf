import dataclasses

import numpy as np
import pydicom
import pytest

from cmr_viewer.domain.notes import Code
from cmr_viewer.domain.opening import Opening
from cmr_viewer.domain.patient import Patient, Sex
from cmr_viewer.domain.patient_key import patient_key_of
from cmr_viewer.domain.study import Stack
from cmr_viewer.errors import LoadError, NotAStudyError
from cmr_viewer.load.stacks.dicom_study import read_dicom
from cmr_viewer.load.study import open_study
from cmr_viewer.progress import Cancelled
from tests.phantom import UID_ROOT, sax_cine, write_dicom_folder
from tests.phantom_dicom import (
    beat_by_beat,
    brighter,
    ge_study,
    long_axis_stack,
    part_of,
    perfusion_stack,
    philips_study,
    siemens_study,
    write_frames,
)

PHASES, SLICES = 4, 5
NORMAL = (-0.619292, 0.667988, 0.412616)


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


def test_a_missing_frame_is_replaced_by_its_neighbour_and_noted(tmp_path, phantom):
    write_dicom_folder(tmp_path, phantom.stack, skip=[(PHASES - 1, 2)])
    study = read_dicom(tmp_path)
    expected = phantom.stack.pixels.copy()
    expected[PHASES - 1, 2] = expected[PHASES - 2, 2]
    np.testing.assert_array_equal(study.stack.pixels, expected)
    assert study.warnings == ("Slice 3 has 3 of 4 phases; its frame nearest in time is shown at phase 4.",)
    assert study.stack.frame_sources[3][2] == study.stack.frame_sources[2][2]


def test_a_slice_with_few_phases_is_left_out_and_noted(tmp_path, phantom):
    write_dicom_folder(tmp_path, phantom.stack, skip=[(p, 4) for p in range(1, PHASES)])
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels[:, :4])
    assert study.warnings == ("Left out slice 5 of 5: it has too few phases (1 of 4).",)


@pytest.mark.parametrize("damage", ["truncate", "empty", "garbage"])
def test_a_damaged_file_is_named_and_the_rest_opens(tmp_path, phantom, damage):
    path = write_dicom_folder(tmp_path, phantom.stack)[PHASES - 1]
    whole = path.read_bytes()
    path.write_bytes({"truncate": whole[:-300], "empty": b"", "garbage": b"\0" * 128 + b"DICM" + b"\xff" * 90}[damage])
    study = read_dicom(tmp_path)
    expected = phantom.stack.pixels.copy()
    expected[PHASES - 1, 0] = expected[PHASES - 2, 0]
    np.testing.assert_array_equal(study.stack.pixels, expected)
    assert any(path.name in warning for warning in study.warnings)
    assert any("frame nearest in time" in warning for warning in study.warnings)


def test_a_folder_without_dicom_is_no_study(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(NotAStudyError, match="no DICOM images"):
        read_dicom(tmp_path)


def test_a_folder_of_damaged_files_only_names_one_of_them(tmp_path, phantom):
    for path in write_dicom_folder(tmp_path, phantom.stack):
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(LoadError, match=r"Could not open any DICOM image in .*: 20 .*\.dcm"):
        read_dicom(tmp_path)


def turned(stack, slices, phases, row_direction, col_direction, description):
    """Another stack of the same matrix and about the same middle, of other planes."""
    g = stack.geometry
    normal = np.cross(row_direction, col_direction)
    middle = g.to_patient_mm(2, (15.5, 13.5))
    corner = middle - np.asarray(row_direction) * 13.5 * 4.5 - np.asarray(col_direction) * 15.5 * 5.0
    positions = tuple(tuple((corner + normal * 8.0 * k).tolist()) for k in range(slices))
    geometry = dataclasses.replace(g, row_direction=row_direction, col_direction=col_direction, positions_mm=positions)
    pixels = np.full((phases, slices, g.rows, g.cols), 7, np.int16)
    return Stack(pixels, geometry, tuple(20.0 * p for p in range(phases)), description=description)


def test_of_many_series_the_short_axis_cine_is_opened_and_the_others_named(tmp_path, phantom):
    write_dicom_folder(tmp_path / "sax", phantom.stack)
    # More frames than the short-axis stack, but across the body; and a long-axis cine of one slice.
    axial = turned(phantom.stack, 9, 4, (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), "axial")
    long_axis = turned(phantom.stack, 1, 8, phantom.stack.geometry.row_direction, NORMAL, "4ch")
    write_dicom_folder(
        tmp_path / "ax", axial, series_uid=UID_ROOT + "8.1", series_description="AXIAL CINE", extra={"SeriesNumber": 5}
    )
    write_dicom_folder(tmp_path / "lax", long_axis, series_uid=UID_ROOT + "9.1", series_description="4CH")
    study = read_dicom(tmp_path)
    assert_is_phantom(study, phantom)
    assert study.warnings == ("Opened (slices x phases): SAX cine (5 x 4). Not opened: AXIAL CINE (9 x 4).",)
    (view,) = study.long_axis
    assert (view.description, view.pixels.shape) == ("4-chamber: 4CH", (8, 32, 28))


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
    assert study.warnings == ("More than one acquisition of slice 3; the later images are used.",)


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
    assert "More than one acquisition of slice 2;" in study.warnings[0]


def test_phase_images_are_separated_from_magnitude_images(tmp_path, phantom):
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
    assert "not a cine stack: 1 slice," in study.warnings[0]
    # Slice Thickness, for want of a second slice.
    assert study.stack.geometry.slice_spacing_mm == 8.0


def test_the_patient_is_known_by_a_hash_and_the_study_by_its_folder(tmp_path, phantom):
    write_dicom_folder(tmp_path / "case7", phantom.stack, patient_id="DOE^JANE")
    study = read_dicom(tmp_path / "case7")
    assert study.name == "case7"
    assert study.patient_key == patient_key_of("DOE^JANE")
    assert "DOE" not in repr(dataclasses.asdict(dataclasses.replace(study, stacks=(study.stack,))).keys())


def test_sex_age_and_body_size_come_from_the_headers_and_the_heart_rate_from_the_cine(tmp_path, phantom):
    noted = {"PatientSex": "M", "PatientAge": "047Y", "PatientSize": "1.8", "PatientWeight": "80", "HeartRate": 64}
    write_dicom_folder(tmp_path, phantom.stack, extra=noted)
    assert read_dicom(tmp_path).patient == Patient(Sex.MALE, 47.0, 180.0, 80.0, 64.0)


def test_every_frame_is_traced_to_its_file(tmp_path, phantom):
    files = write_dicom_folder(tmp_path, phantom.stack)
    sources = read_dicom(tmp_path).stack.frame_sources
    assert [sources[n % PHASES][n // PHASES].path for n in range(len(files))] == files


def test_progress_rises_to_the_end_and_a_stop_goes_through(tmp_path, phantom):
    write_dicom_folder(tmp_path, phantom.stack)
    noted = []
    read_dicom(tmp_path, lambda fraction, text: noted.append(fraction))
    assert noted == sorted(noted)
    assert 0 <= noted[0] < noted[-1] <= 1

    def stop(fraction, text):
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        read_dicom(tmp_path, stop)


@pytest.fixture(scope="module")
def visit():
    return sax_cine(phases=10, slices=7, rows=32, cols=28, pixel_spacing_mm=(5.0, 4.5)).stack


@pytest.mark.parametrize("write", [siemens_study, ge_study, philips_study])
def test_a_whole_visit_of_each_vendor_opens_the_short_axis_cine_and_the_long_axes(tmp_path, visit, write):
    write(tmp_path, visit)
    study = read_dicom(tmp_path)
    stack, g = study.stack, study.stack.geometry
    np.testing.assert_array_equal(stack.pixels, visit.pixels)
    np.testing.assert_allclose(g.positions_mm, visit.geometry.positions_mm, atol=1e-5)
    np.testing.assert_allclose((g.row_direction, g.col_direction), directions(visit), atol=1e-7)
    np.testing.assert_allclose(stack.phase_times_ms, visit.phase_times_ms)
    assert [view.description for view in study.long_axis] == [
        "4-chamber: cine_4CH",
        "2-chamber: cine_2CH",
        "3-chamber: cine_3CH",
    ]
    assert study.warnings == ()
    assert study.repeats == ()


def directions(stack):
    return stack.geometry.row_direction, stack.geometry.col_direction


@pytest.mark.parametrize("seed", range(3))
def test_one_series_per_slice_in_any_order_of_acquisition_and_any_names(tmp_path, visit, seed):
    order = np.random.default_rng(seed).permutation(visit.slices)
    for n, s in enumerate(order):
        text = ["cine sax", "SAX", "kurze achse", f"{n}"][seed]
        write_frames(tmp_path, part_of(visit, [s]), series=f"{n}.1", number=n, description=text, time=f"10{n:02d}00")
    np.testing.assert_array_equal(read_dicom(tmp_path).stack.pixels, visit.pixels)


def test_several_breath_holds_of_a_few_slices_with_rounded_directions_are_one_stack(tmp_path, visit):
    for n, slices in enumerate(([0, 1, 2], [3, 4], [5, 6])):
        one = part_of(visit, slices)
        row = tuple(round(v, 2 + n) for v in one.geometry.row_direction)
        one = dataclasses.replace(one, geometry=dataclasses.replace(one.geometry, row_direction=row))
        write_frames(tmp_path, one, series=f"{n}.1", number=n, time=f"10{n:02d}00")
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, visit.pixels)
    assert study.warnings == ()


def test_the_reader_chooses_the_acquisition_of_a_repeated_slice(tmp_path, visit):
    write_frames(tmp_path, visit, series="1", time="100000")
    write_frames(tmp_path, brighter(part_of(visit, [2]), 1), series="2", number=301, time="101000")
    write_frames(tmp_path, brighter(part_of(visit, [2]), 2), series="3", number=302, time="101100")
    study = read_dicom(tmp_path)
    (repeat,) = study.repeats
    assert repeat.slice_index == 2
    assert [choice.opened for choice in repeat.acquisitions] == [False, False, True]
    assert repeat.acquisitions[1].text == "series 301, 10 phases, 10:10:00, 32 x 28"
    np.testing.assert_array_equal(study.stack.pixels[:, 2], visit.pixels[:, 2] + 2)
    for number, choice in enumerate(repeat.acquisitions):
        opened = read_dicom(tmp_path, opening=Opening(repeats={repeat.key: choice.key}))
        np.testing.assert_array_equal(opened.stack.pixels[:, 2], visit.pixels[:, 2] + number)
        np.testing.assert_array_equal(opened.stack.pixels[:, 3], visit.pixels[:, 3])
        assert opened.warnings == ()
        assert [c.opened for c in opened.repeats[0].acquisitions] == [number == n for n in range(3)]


def test_a_slice_acquired_twice_in_one_series_with_equal_trigger_times_is_a_repeat(tmp_path, visit):
    write_frames(tmp_path, visit, series="1")
    again = brighter(part_of(visit, [4]), 3)
    write_frames(tmp_path, again, series="1", first_instance=500, time="101500")
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels[:, 4], again.pixels[:, 0])
    assert [r.slice_index for r in study.repeats] == [4]


def test_two_stacks_before_and_after_contrast_are_choices_and_the_later_is_suggested(tmp_path, visit):
    after = brighter(visit, 100)
    for n in range(visit.slices):
        write_frames(tmp_path, part_of(visit, [n]), series=f"1.{n}", number=n, time=f"10{n:02d}00")
        write_frames(tmp_path, part_of(after, [n]), series=f"2.{n}", number=50 + n, time=f"11{n:02d}00")
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, after.pixels)
    assert study.repeats == ()
    assert [choice.opened for choice in study.choices] == [True, False]
    assert study.choices[1].text == "SAX cine, 7 x 10, 10:06:00, 32 x 28"
    opened = read_dicom(tmp_path, opening=Opening(stack=study.choices[1].key))
    np.testing.assert_array_equal(opened.stack.pixels, visit.pixels)
    assert [choice.opened for choice in opened.choices] == [False, True]
    assert [choice.key for choice in opened.choices] == [choice.key for choice in study.choices]
    assert opened.warnings == ()


def test_keys_are_the_same_elsewhere_and_hold_no_identifier(tmp_path, visit):
    for folder in ("here", "there"):
        write_frames(tmp_path / folder, visit, series="1", patient="DOE^JANE")
        write_frames(tmp_path / folder, brighter(visit, 5), series="2", number=301, time="120000", patient="DOE^JANE")
    here, there = (read_dicom(tmp_path / folder) for folder in ("here", "there"))
    assert here.choices == there.choices
    assert all("DOE" not in repr(choice) and UID_ROOT not in repr(choice) for choice in here.choices)


def test_a_choice_that_is_gone_is_noted(tmp_path, visit):
    write_frames(tmp_path, visit, series="1")
    study = read_dicom(tmp_path, opening=Opening(stack="gone"))
    assert "not among the files" in study.warnings[0]
    np.testing.assert_array_equal(study.stack.pixels, visit.pixels)


def test_patients_in_one_folder_are_never_mixed(tmp_path, visit):
    for n in range(3):
        write_frames(
            tmp_path / f"p{n}",
            brighter(visit, n),
            series=f"{n}.1",
            patient=f"P{n}",
            study=UID_ROOT + f"7{n}",
            time=f"1{n}0000",
            description="SAX cine",
        )
        write_frames(
            tmp_path / f"p{n}",
            long_axis_stack(visit, 30.0 * n),
            series=f"{n}.2",
            patient=f"P{n}",
            study=UID_ROOT + f"7{n}",
        )
    study = read_dicom(tmp_path)
    assert study.choices == ()
    assert study.warnings[0].code is Code.MANY_PATIENTS
    assert study.warnings[0].endswith("contains 3 patients. Opened: p0. Open the others separately: p1, p2.")
    assert (study.name, study.source, study.others) == ("p0", tmp_path / "p0", (tmp_path / "p1", tmp_path / "p2"))
    for number, place in enumerate((study.source, *study.others)):
        opened = read_dicom(place) if number else study
        assert opened.patient_key == patient_key_of(f"P{number}")
        np.testing.assert_array_equal(opened.stack.pixels, brighter(visit, number).pixels)
        (view,) = opened.long_axis
        np.testing.assert_array_equal(view.pixels, long_axis_stack(visit, 30.0 * number).pixels[:, 0])
        assert all(source.path.parent.name == f"p{number}" for row in opened.stack.frame_sources for source in row)


def test_patients_whose_files_share_a_folder_open_by_a_file_of_each(tmp_path, visit):
    folder = tmp_path / "mixed"
    for n in range(3):
        write_frames(folder, brighter(visit, n), series=f"{n}", patient=f"P{n}", study=UID_ROOT + f"7{n}")
    study = open_study(folder)
    assert [place.parent for place in (study.source, *study.others)] == [folder] * 3
    found = [study, *map(open_study, study.others)]
    assert [one.name for one in found] == ["mixed 1", "mixed 2", "mixed 3"]
    assert len({one.source for one in found}) == 3
    for n, one in enumerate(found):
        np.testing.assert_array_equal(one.stack.pixels, brighter(visit, n).pixels)
        assert open_study(one.source).stack.stack_id == one.stack.stack_id
        assert n == 0 or one.warnings == ()


def test_the_first_patient_with_a_short_axis_cine_is_opened(tmp_path, visit):
    still = dataclasses.replace(visit, pixels=visit.pixels[:1], phase_times_ms=(0.0,))
    write_frames(tmp_path / "a", still, series="1", patient="A", study=UID_ROOT + "71")
    write_frames(tmp_path / "b", visit, series="2", patient="B", study=UID_ROOT + "72")
    study = open_study(tmp_path)
    assert (study.source, study.others) == (tmp_path / "b", (tmp_path / "a",))


def test_the_stack_of_another_patient_that_was_chosen_before_is_opened(tmp_path, visit):
    for n in range(2):
        write_frames(tmp_path / f"p{n}", brighter(visit, n), series=f"{n}", patient=f"P{n}", study=UID_ROOT + f"7{n}")
        write_frames(tmp_path / f"p{n}", brighter(visit, 50 + n), series=f"{n}.9", number=900, patient=f"P{n}",
                     study=UID_ROOT + f"7{n}", time="110000")  # fmt: skip
    chosen = next(choice for choice in open_study(tmp_path / "p1").choices if not choice.opened)
    study = open_study(tmp_path, opening=Opening(stack=chosen.key))
    assert study.source == tmp_path / "p1"
    np.testing.assert_array_equal(study.stack.pixels, brighter(visit, 1).pixels)


def test_patients_that_share_all_uids_are_not_mixed(tmp_path, visit):
    write_frames(tmp_path / "a", part_of(visit, [0, 1, 2, 3]), series="1", patient="A")
    write_frames(tmp_path / "b", part_of(visit, [4, 5, 6]), series="1", patient="B", first_instance=41)
    assert read_dicom(tmp_path).stack.slices == 4


def test_uids_given_file_by_file_and_equal_uids_for_all_files_open_the_stack(tmp_path, visit):
    def own(data, phase, index):
        data.StudyInstanceUID, data.SeriesInstanceUID = f"1.2.{phase}.{index}", f"1.3.{phase}.{index}"

    def alike(data, phase, index):
        data.StudyInstanceUID = data.SeriesInstanceUID = data.SOPInstanceUID = "1.2.3"

    for name, change in (("own", own), ("alike", alike)):
        write_frames(tmp_path / name, visit, series="1", change=change)
        np.testing.assert_array_equal(read_dicom(tmp_path / name).stack.pixels, visit.pixels)


def test_files_without_any_time_or_number_that_differs_are_noted(tmp_path, visit):
    def nothing(data, phase, index):
        del data.TriggerTime
        data.InstanceNumber = 1

    write_frames(tmp_path, visit, series="1", change=nothing)
    study = read_dicom(tmp_path)
    assert study.stack.pixels.shape == visit.pixels.shape
    assert "Check the order of the phases" in study.warnings[0]


def test_a_single_phase_opens_with_a_warning(tmp_path, visit):
    still = dataclasses.replace(visit, pixels=visit.pixels[:1], phase_times_ms=(0.0,))
    write_frames(tmp_path, still, series="1")
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, still.pixels)
    assert study.warnings == ("This is not a cine stack: 7 slices, 1 phase.",)


def test_a_single_frame_opens_with_a_warning(tmp_path, visit):
    one = dataclasses.replace(part_of(visit, [3]), pixels=visit.pixels[:1, 3:4], phase_times_ms=None)
    write_frames(tmp_path, one, series="1")
    study = read_dicom(tmp_path)
    assert study.stack.pixels.shape == (1, 1, 32, 28)
    assert "not a cine stack" in study.warnings[-1]


def test_frames_all_at_one_place_are_one_slice(tmp_path, visit):
    place = visit.geometry.positions_mm[0]
    at_one = dataclasses.replace(visit, geometry=dataclasses.replace(visit.geometry, positions_mm=(place,) * 7))
    write_frames(tmp_path, at_one, series="1")
    study = read_dicom(tmp_path)
    assert study.stack.slices == 1
    assert any("not a cine stack" in warning for warning in study.warnings)


def test_places_that_are_no_numbers_leave_their_files_out(tmp_path, visit):
    def nan(data, phase, index):
        if index == 6:
            data["ImagePositionPatient"] = pydicom.DataElement(0x00200032, "LO", "nan\\nan\\nan")

    write_frames(tmp_path, visit, series="1", change=nan)
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, visit.pixels[:, :6])
    assert any("without position" in warning for warning in study.warnings)


def test_a_whole_slice_that_is_missing_shows_in_the_places(tmp_path, visit):
    write_frames(tmp_path, part_of(visit, [0, 1, 2, 4, 5, 6]), series="1")
    study = read_dicom(tmp_path)
    assert study.stack.slices == 6
    (note,) = study.warnings
    assert note.startswith("Slices 3 and 4 are 20.0 mm apart instead of 10.0 mm: a slice may be missing. ")
    assert "(15.0 and 15.0 mm)" in note
    assert (note.code, note.slices) == (Code.SLICE_GAP, (2, 3))


def test_of_three_slices_the_gap_of_a_missing_one_is_noted(tmp_path, visit):
    write_frames(tmp_path, part_of(visit, [1, 2, 4]), series="1")
    (note,) = [note for note in read_dicom(tmp_path).warnings if note.code is Code.SLICE_GAP]
    assert note.slices == (1, 2)
    # Slices of the phantom are 10 mm apart; beyond the last one half of the stack's median distance, 15 mm, counts.
    assert "20.0 mm apart instead of 10.0 mm" in note
    assert "(15.0 and 17.5 mm)" in note


def test_slices_that_are_not_evenly_spaced_are_noted(tmp_path, visit):
    g = visit.geometry
    steps = np.array([0.0, 10.0, 20.0, 28.0, 36.0, 44.0, 52.0])
    first = np.asarray(g.positions_mm[0])
    positions = tuple(tuple(float(v) for v in first - g.normal * step) for step in steps)
    uneven = dataclasses.replace(visit, geometry=dataclasses.replace(g, positions_mm=positions))
    write_frames(tmp_path, uneven, series="1")
    (note,) = read_dicom(tmp_path).warnings
    assert note.startswith("Slices are not evenly spaced (8.0 to 10.0 mm).") and note.code is Code.SLICES_UNEVEN


def test_tagging_at_the_same_places_is_not_mixed_in(tmp_path, visit):
    write_frames(tmp_path, visit, series="1")
    three = brighter(part_of(visit, [1, 3, 5]), 50)
    write_frames(tmp_path, three, series="2", number=400, description="SAX tagging", time="110000")
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, visit.pixels)
    assert study.repeats == ()


@pytest.mark.parametrize(("thickness", "noted"), [("8", False), ("6", False), ("5", True), ("4", True)])
def test_a_gap_about_as_wide_as_the_slices_are_thick_is_noted(tmp_path, visit, thickness, noted):
    # Slices of the phantom are 10 mm apart.
    write_frames(tmp_path, visit, series="1", change=lambda data, *_: setattr(data, "SliceThickness", thickness))
    warnings = read_dicom(tmp_path).warnings
    assert [note.code for note in warnings] == [Code.SLICES_FAR_APART] * noted
    assert not noted or f"{10 - int(thickness)} mm between neighbouring slices" in warnings[0]


def test_perfusion_is_noted_to_be_no_cine_and_the_cine_beside_it_is(tmp_path, visit):
    write_frames(tmp_path / "p", perfusion_stack(visit), series="2", description="ep2d", change=beat_by_beat)
    alone = read_dicom(tmp_path)
    assert not alone.stack.shows_cycle
    assert [note.code for note in alone.warnings] == [Code.NOT_A_CINE]
    write_frames(tmp_path / "c", visit, series="1")
    beside = read_dicom(tmp_path)
    assert beside.stack.shows_cycle
    assert beside.warnings == ()


@pytest.mark.parametrize(("step_ms", "noted"), [(50.0, True), (20.0, False)])
def test_images_of_a_slice_that_last_longer_than_a_heart_beat_are_noted(tmp_path, step_ms, noted):
    heart = sax_cine(phases=40, slices=3, rows=24, cols=20, pixel_spacing_mm=(6.0, 6.0), above=0, below=0)
    stack = dataclasses.replace(heart.stack, phase_times_ms=tuple(step_ms * p for p in range(40)))
    write_frames(tmp_path, stack, series="1")
    study = read_dicom(tmp_path)
    np.testing.assert_array_equal(study.stack.pixels, heart.stack.pixels)
    assert [note.code for note in study.warnings] == [Code.CYCLE_NOT_STATED] * noted
