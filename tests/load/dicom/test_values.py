import struct

import pytest

from cmr_viewer.load.dicom import tags
from cmr_viewer.load.dicom.values import Values, seconds_of


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"1.5\\2 ", (1.5, 2.0)),
        (b"1,5\\2,25", (1.5, 2.25)),
        (b"1e-3\\2\0", (0.001, 2.0)),
        (b"1.5", None),
        (b"1\\two", None),
        (b"1\\nan", None),
        (b"1\\inf", None),
        (b"", None),
        (b"\xff\\1", None),
    ],
)
def test_numbers_that_are_written_as_text_are_read_or_refused(raw, expected):
    assert Values({tags.PIXEL_SPACING: raw}, "<").vector(tags.PIXEL_SPACING, 2) == expected


@pytest.mark.parametrize("order", ["<", ">"])
def test_binary_numbers_are_read_in_the_order_of_the_file(order):
    values = Values(
        {
            tags.ROWS: struct.pack(order + "H", 256),
            tags.COLUMNS: struct.pack(order + "I", 300),
            tags.NOMINAL_CARDIAC_TRIGGER_DELAY_TIME: struct.pack(order + "d", 12.5),
            tags.DIMENSION_INDEX_VALUES: struct.pack(order + "3I", 1, 2, 3),
            tags.FRAME_INCREMENT_POINTER: struct.pack(order + "2H", 0x0018, 0x1063),
        },
        order,
    )
    assert (values.number(tags.ROWS), values.number(tags.COLUMNS)) == (256, 300)
    assert values.number(tags.NOMINAL_CARDIAC_TRIGGER_DELAY_TIME) == 12.5
    assert values.numbers(tags.DIMENSION_INDEX_VALUES) == (1, 2, 3)
    assert values.pointers(tags.FRAME_INCREMENT_POINTER) == (tags.FRAME_TIME,)


def test_what_is_cut_short_or_no_number_is_absent():
    values = Values({tags.ROWS: b"\1", tags.NOMINAL_CARDIAC_TRIGGER_DELAY_TIME: struct.pack("<d", float("nan"))}, "<")
    assert values.number(tags.ROWS) is None
    assert values.number(tags.NOMINAL_CARDIAC_TRIGGER_DELAY_TIME) is None
    assert values.text(tags.SERIES_DESCRIPTION) == ""
    assert values.texts(tags.IMAGE_TYPE) == ()


@pytest.mark.parametrize(
    ("charset", "raw", "expected"),
    [
        (b"", b"SAX cine \0", "SAX cine"),
        (b"ISO_IR 100", "Höhe".encode("latin-1"), "Höhe"),
        (b"ISO_IR 192", "心臓".encode(), "心臓"),
        (b"nonsense", "Höhe".encode("latin-1"), "Höhe"),
        (b"", b"\x1b$B?4", None),
    ],
)
def test_texts_are_decoded_in_silence(charset, raw, expected):
    values = Values({tags.SPECIFIC_CHARACTER_SET: charset, tags.SERIES_DESCRIPTION: raw}, "<")
    found = values.text(tags.SERIES_DESCRIPTION)
    assert found == expected or (expected is None and isinstance(found, str))


@pytest.mark.parametrize(
    ("time", "expected"),
    [("010203.5", 3723.5), ("0102", 3720.0), ("01", 3600.0), ("", None), ("noon", None), ("0102nan", None)],
)
def test_times_are_seconds_since_midnight(time, expected):
    assert seconds_of(time) == expected
