from dataclasses import replace

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from cmr_viewer.load.dicom.pixels import Place, pixel_dtype, read_frame, read_into
from cmr_viewer.load.dicom.scan import read_headers
from cmr_viewer.progress import Cancelled
from tests.phantom import sax_cine
from tests.phantom_multiframe import LOSSLESS, run_lengths, write_enhanced, write_single

ROWS, COLS = 40, 36


def stack_of(dtype="u2", phases=1, slices=1):
    phantom = sax_cine(
        phases=phases, slices=slices, rows=ROWS, cols=COLS, pixel_spacing_mm=(4.0, 4.5), above=0, below=0
    )
    return replace(phantom.stack, pixels=phantom.stack.pixels.astype(dtype))


def with_pixels(values):
    return replace(stack_of(), pixels=np.asarray(values)[None, None])


def read(path):
    (header,) = read_headers(path)
    return read_frame(header)


def full_range(dtype):
    """Every part of the dtype's range, both ends included."""
    info = np.iinfo(dtype)
    return np.linspace(info.min, info.max, ROWS * COLS).round().astype(dtype).reshape(ROWS, COLS)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4"])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"])
def test_uncompressed_and_deflated_values_come_back_over_their_whole_range(tmp_path, dtype, syntax):
    values = full_range(dtype)
    found = read(write_single(tmp_path / "a", with_pixels(values), syntax=syntax))
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("dtype", ["u2", "i2", "u4"])
def test_big_endian_values_come_back(tmp_path, dtype):
    values = full_range(dtype)
    found = read(write_single(tmp_path / "a", with_pixels(values), syntax=ExplicitVRBigEndian))
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, values)


def test_bytes_in_big_endian_words_are_reversed(tmp_path):
    values = np.arange(ROWS * COLS, dtype="u2").astype("u1").reshape(ROWS, COLS)
    swapped = values.reshape(-1, 2)[:, ::-1].tobytes()
    path = write_single(
        tmp_path / "a",
        with_pixels(values),
        syntax=ExplicitVRBigEndian,
        change=lambda d: setattr(d, "PixelData", swapped),
    )
    np.testing.assert_array_equal(read(path), values)


@pytest.mark.parametrize("name", LOSSLESS)
def test_losslessly_compressed_values_come_back(tmp_path, name):
    syntax, encode = LOSSLESS[name]
    stack = stack_of("u2")
    found = read(write_single(tmp_path / "a", stack, syntax=syntax, encode=encode))
    np.testing.assert_array_equal(found, stack.pixels[0, 0])


@pytest.mark.parametrize("name", ["JPEG lossless SV1", "JPEG-LS"])
def test_signed_values_keep_their_sign_where_the_compression_knows_none(tmp_path, name):
    syntax, encode = LOSSLESS[name]
    values = full_range("i2")
    path = write_single(tmp_path / "a", with_pixels(values), syntax=syntax, encode=lambda x: encode(x.view("u2")))
    np.testing.assert_array_equal(read(path), values)


def test_twelve_signed_bits_in_jpeg_lossless_keep_their_sign(tmp_path):
    values = np.linspace(-2048, 2047, ROWS * COLS).astype("i2").reshape(ROWS, COLS)
    syntax, encode = LOSSLESS["JPEG lossless SV1"]

    def twelve_bits(data):
        data.BitsStored, data.HighBit = 12, 11

    path = write_single(
        tmp_path / "a",
        with_pixels(values),
        syntax=syntax,
        encode=lambda x: encode(x.view("u2") & 0x0FFF),
        change=twelve_bits,
    )
    np.testing.assert_array_equal(read(path), values)


def test_signed_jpeg2000_comes_back(tmp_path):
    values = np.linspace(-2000, 2000, ROWS * COLS).astype("i2").reshape(ROWS, COLS)
    syntax, encode = LOSSLESS["JPEG 2000"]
    np.testing.assert_array_equal(
        read(write_single(tmp_path / "a", with_pixels(values), syntax=syntax, encode=encode)), values
    )


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "u4"])
def test_run_lengths_come_back(tmp_path, dtype):
    values = full_range(dtype) // 7 * 7
    values[5:9] = 3
    path = write_single(tmp_path / "a", with_pixels(values), syntax="1.2.840.10008.1.2.5", encode=run_lengths)
    np.testing.assert_array_equal(read(path), values)


@pytest.mark.parametrize(
    ("syntax", "encode", "bits", "error"),
    [
        ("1.2.840.10008.1.2.4.50", lambda x: imagecodecs.jpeg8_encode(x, level=98), 8, 6),
        ("1.2.840.10008.1.2.4.51", lambda x: imagecodecs.jpeg8_encode(x, level=98, bitspersample=12), 12, 60),
        ("1.2.840.10008.1.2.4.81", lambda x: imagecodecs.jpegls_encode(x, level=2), 16, 2),
        ("1.2.840.10008.1.2.4.91", lambda x: imagecodecs.jpeg2k_encode(x, level=80, codecformat="j2k"), 16, 60),
    ],
)
def test_lossy_compression_stays_near_the_values(tmp_path, syntax, encode, bits, error):
    rows, cols = np.mgrid[:ROWS, :COLS]
    top = 250 if bits == 8 else 4000
    values = (top / 2 + top / 2 * np.sin(rows / 9) * np.cos(cols / 7)).astype("u1" if bits == 8 else "u2")

    def stored(data):
        data.BitsStored, data.HighBit = bits, bits - 1

    path = write_single(tmp_path / "a", with_pixels(values), syntax=syntax, encode=encode, change=stored)
    assert np.abs(read(path).astype(int) - values).max() <= error


def test_float_values_are_kept_and_what_is_no_number_becomes_zero(tmp_path):
    values = np.linspace(-1.5, 2.5, ROWS * COLS, dtype="f4").reshape(ROWS, COLS)
    values[0, 0] = np.nan
    expected = np.nan_to_num(values)

    def floating(data):
        data.FloatPixelData = values.tobytes()
        data.BitsAllocated = 32
        del data.PixelData, data.BitsStored, data.HighBit, data.PixelRepresentation

    found = read(write_single(tmp_path / "a", stack_of(), change=floating))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_monochrome1_is_reversed_so_that_high_is_bright(tmp_path):
    stack = stack_of("u2")

    def inverted(data):
        data.PhotometricInterpretation, data.BitsStored, data.HighBit = "MONOCHROME1", 12, 11
        data.PixelData = (4095 - stack.pixels[0, 0]).astype("<u2").tobytes()

    np.testing.assert_array_equal(read(write_single(tmp_path / "a", stack, change=inverted)), stack.pixels[0, 0])


@pytest.mark.parametrize(
    ("stored", "high", "raw", "value"),
    [
        (12, 11, 0xF123, 0x123),  # an overlay above the value
        (12, 15, 0x1230, 0x123),  # the value in the upper bits
        (12, 15, 0x0123, 0x123),  # a High Bit that the values contradict
        (12, 3, 0x0123, 0x123),  # a High Bit that cannot be
        (99, 98, 0xF123, 0xF123),  # Bits Stored that cannot be
    ],
)
def test_values_are_found_among_the_bits(tmp_path, stored, high, raw, value):
    values = np.full((ROWS, COLS), raw, "u2")

    def bits(data):
        data.BitsStored, data.HighBit = stored, high

    assert set(read(write_single(tmp_path / "a", with_pixels(values), change=bits)).flat) == {value}


def test_a_short_signed_value_keeps_its_sign(tmp_path):
    values = np.linspace(-2048, 2047, ROWS * COLS).astype("i2").reshape(ROWS, COLS)

    def bits(data):
        data.BitsStored, data.HighBit = 12, 11
        data.PixelData = (values.view("u2") & 0x0FFF).astype("<u2").tobytes()

    np.testing.assert_array_equal(read(write_single(tmp_path / "a", with_pixels(values), change=bits)), values)


def test_rescaled_values_are_float32(tmp_path):
    stack = stack_of("i2")

    def scaled(data):
        data.RescaleSlope, data.RescaleIntercept = "2.5", "-3"

    found = read(write_single(tmp_path / "a", stack, change=scaled))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, stack.pixels[0, 0] * np.float32(2.5) - np.float32(3))


@pytest.mark.parametrize("fragments", [1, 2, 7])
@pytest.mark.parametrize("name", ["JPEG 2000", "JPEG-LS"])
def test_a_frame_in_several_fragments_comes_back(tmp_path, name, fragments):
    syntax, encode = LOSSLESS[name]
    stack = stack_of("u2")
    path = write_single(tmp_path / "a", stack, syntax=syntax, encode=encode, fragment=fragments)
    np.testing.assert_array_equal(read(path), stack.pixels[0, 0])


@pytest.mark.parametrize("name", ["JPEG lossless", "HTJ2K"])
@pytest.mark.parametrize("claimed", ["1.2.840.10008.1.2.4.90", ImplicitVRLittleEndian, "1.2.3.4"])
def test_compressed_values_are_recognised_by_themselves_where_the_syntax_is_another(tmp_path, name, claimed):
    stack = stack_of("u2")
    syntax, encode = LOSSLESS[name]
    path = write_single(tmp_path / "a", stack, syntax=syntax, encode=encode)
    raw = path.read_bytes()
    value = (claimed + "\0" * (len(claimed) % 2)).encode()
    old = (syntax + "\0" * (len(syntax) % 2)).encode()
    head = raw.index(b"\x02\x00\x10\x00UI") + 6
    path.write_bytes(raw[:head] + len(value).to_bytes(2, "little") + value + raw[head + 2 + len(old) :])
    np.testing.assert_array_equal(read(path), stack.pixels[0, 0])


def test_a_compressed_image_larger_than_its_header_says_is_refused_before_it_is_decoded(tmp_path):
    large = np.zeros((4096, 4096), "u2")
    syntax, encode = LOSSLESS["JPEG 2000"]
    path = write_single(tmp_path / "a", stack_of("u2"), syntax=syntax, encode=lambda _: encode(large[:2048, :2048]))
    with pytest.raises(ValueError, match="2048 x 2048, but its header states 40 x 36"):
        read(path)


def test_a_compressed_image_in_colour_is_refused(tmp_path):
    colour = np.zeros((ROWS, COLS, 3), "u1")
    path = write_single(
        tmp_path / "a",
        stack_of("u1"),
        syntax="1.2.840.10008.1.2.4.50",
        encode=lambda _: imagecodecs.jpeg8_encode(colour),
    )
    with pytest.raises(ValueError, match="3 colour channels"):
        read(path)


def many(tmp_path, **options):
    stack = stack_of("u2", phases=3, slices=2)
    order = write_enhanced(tmp_path / "many.dcm", stack, **options)
    headers = read_headers(tmp_path / "many.dcm")
    pixels = np.full((3, 2, ROWS, COLS), 7, pixel_dtype(headers))
    return stack, pixels, [Place(header, index) for header, index in zip(headers, order, strict=True)]


@pytest.mark.parametrize("name", ["native", *LOSSLESS, "RLE"])
@pytest.mark.parametrize("extended", [False, True])
def test_the_frames_of_one_file_go_to_their_places(tmp_path, name, extended):
    syntaxes = {**LOSSLESS, "RLE": ("1.2.840.10008.1.2.5", run_lengths), "native": ("1.2.840.10008.1.2.1", None)}
    syntax, encode = syntaxes[name]
    stack, pixels, places = many(tmp_path, syntax=syntax, encode=encode, extended=extended and encode is not None)
    assert read_into(pixels, places[::-1]) == []
    np.testing.assert_array_equal(pixels, stack.pixels)


@pytest.mark.parametrize("table", [False, True])
def test_frames_of_several_fragments_are_distinguished(tmp_path, table):
    syntax, encode = LOSSLESS["JPEG 2000"]
    stack = stack_of("u2", phases=3, slices=2)
    frames = [bytes(encode(stack.pixels[p, s])) for s in range(2) for p in range(3)]

    def fragmented(data):
        data.PixelData = pydicom.encaps.encapsulate(frames, fragments_per_frame=3, has_bot=table)
        data["PixelData"].is_undefined_length = True

    _, pixels, places = many(tmp_path, syntax=syntax, encode=encode, change=fragmented)
    assert read_into(pixels, places) == []
    np.testing.assert_array_equal(pixels, stack.pixels)


def test_each_frame_of_a_file_has_its_own_scale(tmp_path):
    slopes = [1.0, 2.0, 0.5, 4.0, 1.0, 3.0]
    stack, pixels, places = many(tmp_path, slopes=slopes)
    read_into(pixels, places)
    for place, slope in zip(places, slopes, strict=True):
        np.testing.assert_array_equal(pixels[place.at], stack.pixels[place.at].astype("f4") * np.float32(slope))


def test_a_damaged_frame_is_noted_and_the_others_are_read(tmp_path):
    stack, pixels, places = many(tmp_path, syntax=LOSSLESS["JPEG-LS"][0], encode=LOSSLESS["JPEG-LS"][1])
    path = tmp_path / "many.dcm"
    raw = bytearray(path.read_bytes())
    last = raw.rindex(b"\xff\xd8\xff")
    raw[last : last + 3] = b"\0\0\0"
    path.write_bytes(bytes(raw))
    damaged = read_into(pixels, places)
    assert [d.header.frame_number for d in damaged] == [6]
    assert damaged[0].reason
    assert not pixels[places[5].at].any()
    np.testing.assert_array_equal(pixels[places[4].at], stack.pixels[places[4].at])


def test_frames_beyond_the_end_of_a_file_are_noted(tmp_path):
    _, pixels, places = many(tmp_path)
    path = tmp_path / "many.dcm"
    path.write_bytes(path.read_bytes()[: -2 * ROWS * COLS - 10])
    assert [d.header.frame_number for d in read_into(pixels, places)] == [5, 6]


def test_a_file_that_has_gone_is_noted(tmp_path):
    _, pixels, places = many(tmp_path)
    (tmp_path / "many.dcm").unlink()
    assert len(read_into(pixels, places)) == 6


def test_the_first_frame_is_shown_before_the_others_are_read(tmp_path):
    stack, pixels, places = many(tmp_path)
    shown = []
    read_into(pixels, places, preview=lambda frame: shown.append((frame.copy(), pixels.copy())))
    ((frame, then),) = shown
    np.testing.assert_array_equal(frame, stack.pixels[0, 0])
    assert (then[places[-1].at] == 7).all()


def test_a_stop_goes_through(tmp_path):
    _, pixels, places = many(tmp_path)

    def stop(fraction, text):
        raise Cancelled

    with pytest.raises(Cancelled):
        read_into(pixels, places, stop)


def test_the_dtype_holds_all_frames(tmp_path):
    one = read_headers(write_single(tmp_path / "a", stack_of("u1")))
    two = read_headers(write_single(tmp_path / "b", stack_of("i2")))
    assert pixel_dtype([*one, *two]) == np.int16
    pixels = np.empty((2, ROWS, COLS), np.int16)
    assert read_into(pixels, [Place(one[0], (0,)), Place(two[0], (1,))]) == []
    np.testing.assert_array_equal(pixels[1], stack_of("i2").pixels[0, 0])
    np.testing.assert_array_equal(pixels[0], stack_of("u1").pixels[0, 0])


@pytest.mark.parametrize("cut", [2, 10, 100])
@pytest.mark.parametrize("changed", [60, 200, 400, 600])
def test_a_damaged_jpeg_ls_image_without_its_end_is_refused_or_read(tmp_path, cut, changed):
    encode = LOSSLESS["JPEG-LS"][1]

    def damaged(frame):
        data = bytearray(encode(frame))[:-cut]
        data[changed] ^= 0x55
        return bytes(data)

    path = write_single(tmp_path / "a", stack_of("u2"), syntax=LOSSLESS["JPEG-LS"][0], encode=damaged)
    (header,) = read_headers(path)
    pixels = np.empty((1, ROWS, COLS), np.uint16)
    assert len(read_into(pixels, [Place(header, (0,))])) <= 1
