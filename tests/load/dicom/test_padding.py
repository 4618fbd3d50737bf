"""Padding outside of the field of view, as files name it (PS3.3, C.7.5.1.1.2)."""

from dataclasses import replace

import numpy as np
import pydicom
import pytest

from cmr_viewer.load.dicom.pixels import read_frame
from cmr_viewer.load.dicom.scan import read_headers
from cmr_viewer.load.stacks.dicom_study import read_dicom
from tests.phantom import sax_cine
from tests.phantom_dicom import write_frames
from tests.phantom_multiframe import LOSSLESS, write_enhanced, write_single

ROWS, COLS = 40, 36
PHANTOM = sax_cine(phases=2, slices=2, rows=ROWS, cols=COLS, pixel_spacing_mm=(4.0, 4.5), above=0, below=0).stack


def outside():
    """(row, col): outside of a round field of view, as scanners with gradient correction leave it."""
    row, col = np.mgrid[:ROWS, :COLS]
    return ((row - 19.5) / 19) ** 2 + ((col - 17.5) / 17) ** 2 > 1


def image(dtype):
    """The phantom with values 0 to 800, with 0 inside of the field of view as well as outside."""
    values = np.clip(PHANTOM.pixels.astype(float), 0, 800)
    values[..., 20, 18] = 0
    values[..., 18:22, 8:10] = 800
    values[..., outside()] = 0
    return values.astype(dtype)


def padded(values, padding):
    found = values.copy()
    found[..., outside()] = padding
    return found


def read(path):
    return np.stack([read_frame(h) for h in read_headers(path)])


def write(path, pixels, change, **options):
    return write_single(path, replace(PHANTOM, pixels=pixels), change=change, **options)


def named(value, vr, **others):
    def change(data):
        data.add_new(0x00280120, vr, value)
        for keyword, other in others.items():
            setattr(data, keyword, other)

    return change


@pytest.mark.parametrize(
    ("dtype", "stored", "written", "vr"),
    [
        ("i2", -32768, -32768, "SS"),
        ("i2", -32768, 32768, "US"),  # the same bits
        ("i2", -2000, 63536, "US"),
        ("i2", 32767, 32767, "SS"),
        ("u2", 65535, 65535, "US"),
        ("u2", 65535, -1, "SS"),
        ("u2", 4095, 4095, "US"),
        ("i4", -32768, -32768, "SS"),
        ("i1", -128, -128, "SS"),
    ],
)
def test_padding_reads_as_an_image_that_is_dark_there(tmp_path, dtype, stored, written, vr):
    plain = image("i2") // 8 if dtype == "i1" else image("i2")
    plain = plain.astype(dtype)
    path = write(tmp_path / "a", padded(plain, stored), named(written, vr))
    np.testing.assert_array_equal(read(path), plain[0, :1])


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"])
def test_padding_is_found_in_every_encoding(tmp_path, syntax):
    plain = image("i2")
    path = write(tmp_path / "a", padded(plain, -32768), named(-32768, "SS"), syntax=syntax)
    np.testing.assert_array_equal(read(path), plain[0, :1])


def test_padding_is_found_in_compressed_values(tmp_path):
    plain = image("u2")
    syntax, encode = LOSSLESS["JPEG-LS"]
    path = write(tmp_path / "a", padded(plain, 65535), named(65535, "US"), syntax=syntax, encode=encode)
    np.testing.assert_array_equal(read(path), plain[0, :1])


def test_padding_is_a_stored_value_and_not_a_scaled_one(tmp_path):
    plain = image("i2")

    def change(data):
        named(-1000, "SS")(data)
        data.RescaleSlope, data.RescaleIntercept = "2", "50"

    path = write(tmp_path / "a", padded(plain, -1000), change)
    np.testing.assert_array_equal(read(path), plain[0, :1] * 2.0 + 50.0)


def test_padding_of_an_inverted_image_is_dark(tmp_path):
    plain = image("u2")

    def change(data):
        named(0, "US")(data)
        data.PhotometricInterpretation = "MONOCHROME1"

    stored = 4000 - plain
    found = read(write(tmp_path / "a", padded(stored, 0), change))
    expected = 65535 - stored[0, :1].astype(int)
    np.testing.assert_array_equal(found[:, ~outside()], expected[:, ~outside()])
    assert (found[:, outside()] == expected[:, ~outside()].min()).all()


def test_all_values_up_to_the_limit_of_the_range_are_padding(tmp_path):
    plain = image("i2")
    stored = padded(plain, -2000)
    stored[..., 0, :] = -1500
    path = write(tmp_path / "a", stored, named(-2000, "SS", PixelPaddingRangeLimit=-1024))
    np.testing.assert_array_equal(read(path), plain[0, :1])
    path = write(tmp_path / "b", stored, named(-1024, "SS", PixelPaddingRangeLimit=-2000))
    np.testing.assert_array_equal(read(path), plain[0, :1])


def test_padding_in_the_bits_above_twelve_is_found(tmp_path):
    plain = image("u2")

    def change(data):
        named(63536, "US")(data)
        data.BitsStored, data.HighBit = 12, 11

    np.testing.assert_array_equal(read(write(tmp_path / "a", padded(plain, 63536), change)), plain[0, :1])


@pytest.mark.parametrize(("bits", "keywords"), [(32, "FloatPixel"), (64, "DoubleFloatPixel")])
def test_padding_of_floating_values_is_found(tmp_path, bits, keywords):
    plain = image("f4").astype(f"f{bits // 8}")

    def change(data):
        setattr(data, f"{keywords}Data", padded(plain, -3.0e8)[0, 0].tobytes())
        setattr(data, f"{keywords}PaddingValue", -3.0e8)
        setattr(data, f"{keywords}PaddingRangeLimit", -1.0e8)
        data.BitsAllocated = bits
        for absent in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
            delattr(data, absent)

    np.testing.assert_array_equal(read(write(tmp_path / "a", image("i2"), change)), plain[0, :1])


def test_padding_of_many_frames_in_one_file_is_found(tmp_path):
    plain = image("i2")
    write_enhanced(
        tmp_path / "a", replace(PHANTOM, pixels=padded(plain, -32768)), slopes=[1.0, 2.0, 3.0, 4.0],
        change=named(-32768, "SS"),
    )  # fmt: skip
    slopes = np.array([[1.0, 3.0], [2.0, 4.0]])[..., None, None]
    expected = (plain * slopes).transpose(1, 0, 2, 3).reshape(-1, ROWS, COLS)
    np.testing.assert_array_equal(read(tmp_path / "a"), expected)


@pytest.mark.parametrize("low", [0, 1, 30])
def test_zero_as_padding_leaves_a_dark_image_as_it_is(tmp_path, low):
    plain = np.maximum(image("i2"), low)
    stored = padded(plain, 0)
    stored[..., 20, 18] = 0
    np.testing.assert_array_equal(read(write(tmp_path / "a", stored, named(0, "SS"))), stored[0, :1])


@pytest.mark.parametrize("value", [255, 254, 120])
def test_padding_among_the_values_of_the_image_is_dark_outside_and_leaves_the_inside(tmp_path, value):
    plain = np.clip(image("i2") // 4, 0, 255).astype("u1")
    plain[..., 16:24, 12:20] = np.arange(192, 256).reshape(8, 8)
    plain[plain == value] -= 1
    plain[..., 10, 14], plain[..., 30, 18] = value, 0
    path = write(tmp_path / "a", padded(plain, value), named(value, "US"))
    np.testing.assert_array_equal(read(path), plain[0, :1])


def test_a_value_that_names_padding_and_occurs_nowhere_changes_nothing(tmp_path):
    plain = image("i2")
    np.testing.assert_array_equal(read(write(tmp_path / "a", plain, named(-2000, "SS"))), plain[0, :1])


def test_an_image_of_padding_alone_is_black(tmp_path):
    assert not read(write(tmp_path / "a", np.full_like(image("i2"), -2000), named(-2000, "SS"))).any()


def test_a_stack_with_padding_opens_as_the_one_that_is_dark_there(tmp_path):
    plain = image("i2")

    def change(data: pydicom.FileDataset, phase: int, index: int) -> None:
        named(-32768, "SS")(data)

    write_frames(tmp_path / "a", replace(PHANTOM, pixels=padded(plain, -32768)), series="1", change=change)
    study = read_dicom(tmp_path / "a")
    np.testing.assert_array_equal(study.stack.pixels, plain)
    assert study.stack.pixels.dtype == np.int16
