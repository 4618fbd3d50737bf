import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRBigEndian, JPEG2000Lossless, RLELossless

from cmr_viewer.load.dicom_headers import WITHOUT_IMAGE, read_pixels, scan_folder, tolerant
from cmr_viewer.progress import silent
from tests.phantom import sax_cine, write_dicom_folder


@pytest.fixture
def one_file(tmp_path):
    """A single frame: its file and its pixels."""
    phantom = sax_cine(phases=1, slices=1, rows=40, cols=36, pixel_spacing_mm=(4.0, 4.5), above=0, below=0)
    return write_dicom_folder(tmp_path, phantom.stack)[0], phantom.stack.pixels[0, 0]


def rewrite(path, **changes):
    data = pydicom.dcmread(path)
    for keyword, value in changes.items():
        if value is None:
            delattr(data, keyword)
        else:
            setattr(data, keyword, value)
    data.save_as(path)


def scan(folder):
    with tolerant():
        return scan_folder(folder, silent)


def test_a_header_holds_what_the_file_says(one_file):
    path, _ = one_file
    rewrite(path, AcquisitionTime="010203.5", ImageType=["ORIGINAL", "PRIMARY", "M", "ND"])
    (header,) = scan(path.parent).headers
    assert header.path == path
    assert (header.rows, header.cols, header.spacing) == (40, 36, (4.0, 4.5))
    assert header.acquired_at == 3723.5
    assert header.kind == "M"
    assert (header.heart_rate_bpm, header.trigger_ms, header.patient_id) == (75.0, 0.0, "PHANTOM01")
    assert header.slice_spacing_mm == 8.0


def test_the_heart_rate_follows_from_the_interval_where_it_is_absent(one_file):
    path, _ = one_file
    rewrite(path, HeartRate=0, NominalInterval=800)
    assert scan(path.parent).headers[0].heart_rate_bpm == 75.0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ImagePositionPatient": None}, "without position"),
        ({"PixelSpacing": None}, "without position"),
        ({"ImageOrientationPatient": ["1", "0", "0", "1", "0", "0"]}, "without position"),
        ({"NumberOfFrames": 20}, "many frames"),
        ({"SamplesPerPixel": 3}, "colour"),
        ({"Rows": None}, WITHOUT_IMAGE),
    ],
)
def test_files_that_can_be_no_frame_are_sorted_by_reason(one_file, changes, reason):
    path, _ = one_file
    rewrite(path, **changes)
    found = scan(path.parent)
    assert found.headers == []
    assert found.any_dicom
    assert next(iter(found.other)).startswith(reason) or reason in next(iter(found.other))


def test_files_that_are_no_dicom_are_passed_over(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty").touch()
    assert not scan(tmp_path).any_dicom


def test_a_damaged_dicom_file_is_unreadable(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"garbage")
    (tmp_path / "b.dcm").touch()
    (tmp_path / "c").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    assert sorted(path.name for path in scan(tmp_path).unreadable) == ["a.dcm", "b.dcm", "c"]


def test_the_same_image_in_two_files_counts_once(one_file):
    path, _ = one_file
    (path.parent / "copy").mkdir()
    (path.parent / "copy" / "again.dcm").write_bytes(path.read_bytes())
    assert len(scan(path.parent).headers) == 1


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_pixels_are_decoded_without_loss(one_file, syntax):
    path, expected = one_file
    data = pydicom.dcmread(path)
    data.compress(syntax)
    data.save_as(path)
    np.testing.assert_array_equal(read_pixels(path)[0], expected)


def test_big_endian_pixels_are_read(one_file):
    path, expected = one_file
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    data.PixelData = expected.astype(">i2").tobytes()
    pydicom.dcmwrite(path, data, implicit_vr=False, little_endian=False, force_encoding=True)
    pixels, _, _ = read_pixels(path)
    np.testing.assert_array_equal(pixels, expected)
    assert pixels.dtype.isnative


def test_monochrome1_is_turned_round(one_file):
    path, expected = one_file
    stored = (4095 - expected).astype("<u2")
    rewrite(
        path,
        PhotometricInterpretation="MONOCHROME1",
        PixelRepresentation=0,
        BitsStored=12,
        HighBit=11,
        PixelData=stored.tobytes(),
    )
    np.testing.assert_array_equal(read_pixels(path)[0], expected)


def test_bits_above_the_stored_ones_are_no_part_of_the_value(one_file):
    path, _ = one_file
    values = np.arange(1440, dtype="<u2").reshape(40, 36)
    overlay = values | 0xF000
    rewrite(path, PixelRepresentation=0, BitsStored=12, HighBit=11, PixelData=overlay.tobytes())
    np.testing.assert_array_equal(read_pixels(path)[0], values)


def test_a_short_signed_value_keeps_its_sign(one_file):
    path, _ = one_file
    values = np.arange(-720, 720, dtype="<i2").reshape(40, 36)
    twelve_bits = values.view("<u2") & 0x0FFF
    rewrite(path, BitsStored=12, HighBit=11, PixelData=twelve_bits.tobytes())
    np.testing.assert_array_equal(read_pixels(path)[0], values)


def test_scaling_is_given_beside_the_stored_values(one_file):
    path, expected = one_file
    rewrite(path, RescaleSlope="2", RescaleIntercept="-3")
    pixels, slope, intercept = read_pixels(path)
    np.testing.assert_array_equal(pixels, expected)
    assert (slope, intercept) == (2.0, -3.0)


def test_eight_bit_pixels_are_read(one_file):
    path, _ = one_file
    values = (np.arange(1440) % 256).astype(np.uint8).reshape(40, 36)
    rewrite(path, PixelRepresentation=0, BitsAllocated=8, BitsStored=8, HighBit=7, PixelData=values.tobytes())
    np.testing.assert_array_equal(read_pixels(path)[0], values)
