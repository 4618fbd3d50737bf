import logging
import threading
import warnings

import pydicom
import pytest
from pydicom.errors import BytesLengthException

from cmr_viewer.load.dicom.headers import PixelLayout, heart_rate, is_plane, tolerant


@pytest.mark.parametrize(
    ("orientation", "plane"),
    [
        ((1.0, 0.0, 0.0, 0.0, 1.0, 0.0), True),
        ((0.999, 0.03, 0.0, -0.03, 0.999, 0.0), True),
        ((1.0, 0.0, 0.0, 1.0, 0.0, 0.0), False),
        ((0.0, 0.0, 0.0, 0.0, 1.0, 0.0), False),
        ((2.0, 0.0, 0.0, 0.0, 1.0, 0.0), False),
    ],
)
def test_a_plane_has_two_perpendicular_directions_of_unit_length(orientation, plane):
    assert is_plane(orientation) is plane


@pytest.mark.parametrize(
    ("rate", "interval_ms", "expected"),
    [
        (75.0, None, 75.0),
        (0.0, 800.0, 75.0),
        (None, 800.0, 75.0),
        (None, 0.0, None),
        (5.0, None, None),
        (None, None, None),
    ],
)
def test_the_heart_rate_is_stated_or_follows_from_the_interval(rate, interval_ms, expected):
    assert heart_rate(rate, interval_ms) == expected


def test_a_layout_is_plain_without_scale():
    assert PixelLayout().is_plain
    assert not PixelLayout(slope=2.0).is_plain
    assert not PixelLayout(intercept=-1.0).is_plain


def test_remarks_about_values_are_off_while_any_thread_reads_and_on_afterwards():
    data = pydicom.Dataset()
    level, filters = logging.getLogger("pydicom").level, list(warnings.filters)
    inside, leave = threading.Event(), threading.Event()

    def other():
        with tolerant():
            inside.set()
            assert leave.wait(10)

    thread = threading.Thread(target=other)
    with tolerant():
        thread.start()
        assert inside.wait(10)
    data.StudyDate = "20120000"
    leave.set()
    thread.join()
    assert (logging.getLogger("pydicom").level, list(warnings.filters)) == (level, filters)


def test_exceptions_of_the_library_become_those_of_the_language():
    with pytest.raises(ValueError, match="pydicom"), tolerant():
        raise BytesLengthException("three bytes of four")
