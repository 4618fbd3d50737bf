import logging
from pathlib import Path

from cmr_viewer.app.private_log import HIDDEN, PrivateFormatter, hide_from_log, without_names
from cmr_viewer.errors import LoadError


def test_a_path_is_hidden_whole_and_by_its_last_part() -> None:
    hide_from_log(Path("/archive/Q^Zzyx.nii"))
    assert without_names("read /archive/Q^Zzyx.nii") == f"read {HIDDEN}"
    assert without_names("Q^Zzyx.nii is short, Q^Zzyx") == f"{HIDDEN} is short, {HIDDEN}"


def test_very_short_names_are_left_so_that_the_log_stays_readable() -> None:
    hide_from_log("a")
    assert without_names("a frame") == "a frame"


def test_of_the_programs_own_errors_the_type_alone_is_written() -> None:
    record = None
    try:
        raise LoadError("Somebody's file")
    except LoadError as error:
        record = logging.LogRecord("n", logging.ERROR, "", 0, "It failed.", None, (type(error), error, None))
    text = PrivateFormatter("%(message)s").format(record)
    assert text.endswith("LoadError") and "Somebody" not in text
