import logging
import threading
import warnings

import pydicom
import pytest
from pydicom.errors import BytesLengthException

from cmr_viewer.load.dicom.with_pydicom import tolerant


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
