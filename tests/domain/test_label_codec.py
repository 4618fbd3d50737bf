import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from cmr_viewer.domain.label_codec import decode_label_map, decode_pixels, encode_label_map, encode_pixels
from cmr_viewer.errors import LabelMapError, StoreError

SHAPES = npst.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=12)
REAL = st.one_of(
    npst.boolean_dtypes(), npst.integer_dtypes(endianness="?"), npst.floating_dtypes(endianness="?", sizes=(16, 32, 64))
)


@settings(deadline=None)
@given(npst.arrays(np.uint8, SHAPES, elements=st.integers(0, 3)))
def test_a_label_map_comes_back_equal(labels: np.ndarray) -> None:
    back = decode_label_map(encode_label_map(labels))
    assert back.dtype == np.uint8
    assert back.shape == labels.shape
    assert np.array_equal(back, labels)


@settings(deadline=None)
@given(REAL.flatmap(lambda dtype: npst.arrays(dtype, SHAPES)))
def test_pixels_of_any_real_type_come_back_bit_for_bit(pixels: np.ndarray) -> None:
    back = decode_pixels(encode_pixels(pixels))
    native = pixels.dtype.newbyteorder("=")
    assert back.dtype == native
    assert back.shape == pixels.shape
    assert back.tobytes() == pixels.astype(native).tobytes()


@settings(deadline=None)
@given(npst.arrays(np.uint8, (6, 5), elements=st.integers(0, 3)), st.data())
def test_a_damaged_or_cut_label_map_is_refused_or_comes_back_equal(labels: np.ndarray, data: st.DataObject) -> None:
    whole = bytearray(encode_label_map(labels))
    if data.draw(st.booleans()):
        whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del whole[data.draw(st.integers(0, len(whole) - 1)) :]
    try:
        back = decode_label_map(bytes(whole))
    except StoreError:
        return
    assert np.array_equal(back, labels)  # zlib's header has a bit or two that change nothing


def test_what_is_decoded_cannot_be_written_to() -> None:
    back = decode_label_map(encode_label_map(np.ones((2, 3), np.uint8)))
    with pytest.raises(ValueError, match="read-only"):
        back[0, 0] = 2


def test_pixels_are_no_label_map() -> None:
    with pytest.raises(StoreError, match="another type"):
        decode_label_map(encode_pixels(np.ones((2, 3), np.uint8)))


def test_codes_outside_the_labels_are_refused() -> None:
    with pytest.raises(LabelMapError):
        encode_label_map(np.full((2, 2), 4, np.uint8))


def test_complex_pixels_are_refused() -> None:
    with pytest.raises(StoreError, match="complex"):
        encode_pixels(np.ones((2, 2), np.complex64))


def test_a_small_blob_that_claims_to_unpack_to_more_is_refused() -> None:
    whole = encode_label_map(np.zeros((4, 4), np.uint8))
    head = whole[: 4 + 4 + 3 * 4]
    with pytest.raises(StoreError, match="length"):
        decode_label_map(head + zlib.compress(bytes(10_000_000)))


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [(4, 9, "format 9 is unknown"), (5, 200, "header"), (6, 3, "number type"), (7, 255, "header"), (11, 255, "size")],
)
def test_a_header_that_cannot_be_is_refused(place: int, value: int, why: str) -> None:
    whole = bytearray(encode_pixels(np.zeros((4, 4), np.int16)))
    whole[place] = value
    with pytest.raises(StoreError, match=why):
        decode_pixels(bytes(whole))


def test_a_label_map_of_256_x_256_takes_less_than_a_tenth_of_its_size() -> None:
    rows, cols = np.mgrid[:256, :256]
    radius = np.hypot(rows - 128, cols - 120)
    labels = np.where(radius < 25, 1, np.where(radius < 35, 2, 0)).astype(np.uint8)
    assert len(encode_label_map(labels)) < labels.size / 10
