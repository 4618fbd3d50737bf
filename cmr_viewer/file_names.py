"""Names of files that are no text: shown as text, and held as text without loss.

On Linux a name is bytes. What is no UTF-8 in it stands in a `str` as lone surrogates, which cannot be written, printed,
given to SQLite or to Qt.
"""

import os
import re
from pathlib import Path

_NO_TEXT = "file-name-bytes:"
_STRAY = re.compile("[\ud800-\udfff]")
"""What stands in a `str` for bytes of a file's name that are no text in the system's encoding (PEP 383)."""


def readable(text: str) -> str:
    """A text that can be shown, written and printed: bytes of file names that are no text become letters.

    They are taken as Windows-1252, which most archives of another system that come without an encoding are in.
    """
    return _STRAY.sub(lambda found: _letter(ord(found[0])), text)


def _letter(code: int) -> str:
    byte = code - 0xDC00
    return bytes([byte]).decode("cp1252", errors="replace") if 0x80 <= byte <= 0xFF else "\ufffd"


def text_of_path(path: Path) -> str:
    """A path as a text that databases, settings and Qt hold as it is, whatever its bytes; `path_of_text` reads it."""
    text = str(path)
    return f"{_NO_TEXT}{os.fsencode(text).hex()}" if _STRAY.search(text) else text


def path_of_text(text: str) -> Path:
    """The path that `text_of_path` wrote."""
    if text.startswith(_NO_TEXT):
        return Path(os.fsdecode(bytes.fromhex(text.removeprefix(_NO_TEXT))))
    return Path(text)
