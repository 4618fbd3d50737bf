import uuid

import pytest

from cmr_viewer.domain.dicom_uid import is_valid_uid, uid_of_bytes, valid_uid


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2", "0.0", "2.25.0", "1." + "2" * 62])
def test_uids_of_the_standard_are_valid_and_stay(uid: str) -> None:
    assert is_valid_uid(uid)
    assert valid_uid(uid) == uid


@pytest.mark.parametrize("uid", ["", "1..2", "1.02", ".1", "1.", "1.a", "1.2 ", "1." + "2" * 63])
def test_other_texts_are_not_and_get_a_valid_one(uid: str) -> None:
    assert not is_valid_uid(uid)
    assert is_valid_uid(valid_uid(uid, "frame"))


def test_leading_zeros_are_left_out() -> None:
    assert valid_uid("2.16.099.08092.0.00") == "2.16.99.8092.0.0"


def test_what_cannot_be_mended_is_always_replaced_by_the_same() -> None:
    assert valid_uid("no uid") == valid_uid("no uid") != valid_uid("no uid either")
    assert valid_uid("", "frame 1") == valid_uid("", "frame 1") != valid_uid("", "frame 2")


def test_a_uid_of_bytes_is_a_uuid_of_version_8() -> None:
    made = uuid.UUID(int=int(uid_of_bytes(b"\xff" * 16).removeprefix("2.25.")))
    assert (made.version, made.variant) == (8, uuid.RFC_4122)
    assert str(made) == "ffffffff-ffff-8fff-bfff-ffffffffffff"
