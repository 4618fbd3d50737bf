"""Unique identifiers of DICOM: which are valid, and the replacement of an invalid one.

A UID is at most 64 characters of numbers joined by points, none of which begins with a zero unless it is 0 (DICOM
PS3.5, section 9.1). Files that were made anonymous by other programs often break this.
"""

import hashlib
import re

_UID = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))*")
_MOST_CHARACTERS = 64


def is_valid_uid(uid: str) -> bool:
    """Whether a text is a UID by the standard."""
    return len(uid) <= _MOST_CHARACTERS and _UID.fullmatch(uid) is not None


def valid_uid(uid: str, stands_for: str = "") -> str:
    """A valid UID unchanged, or the constant replacement of an invalid one.

    Leading zeros of its numbers are left out; where that does not make it valid, a hash takes its place. So an object
    that refers to an invalid UID is found again from the file that holds it.

    Args:
        uid: As it is in the file; may be empty.
        stands_for: What an empty UID would name; the same text gives the same UID.
    """
    if is_valid_uid(uid):
        return uid
    shorter = ".".join(number.lstrip("0") or "0" for number in uid.split("."))
    if uid and is_valid_uid(shorter):
        return shorter
    return uid_of_bytes(hashlib.blake2b((uid or stands_for).encode(), digest_size=16).digest())


def uid_of_bytes(digest: bytes) -> str:
    """UID of 16 bytes that are as good as random.

    Source:
        DICOM PS3.5, annex B.2: 2.25 and a UUID as a decimal number; RFC 9562, section 5.8: UUIDs of version 8.
    """
    number = int.from_bytes(digest[:16], "big")
    number = number & ~(0xF << 76) | (8 << 76)
    number = number & ~(0x3 << 62) | (2 << 62)
    return f"2.25.{number}"
