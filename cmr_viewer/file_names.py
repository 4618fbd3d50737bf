"""File names that are not valid text: shown as text, and stored as text without loss.

On Linux a name is bytes. Bytes that are not UTF-8 become lone surrogates in a `str`, which cannot be written, printed
or passed to SQLite or Qt.
"""

import os
import re
from pathlib import Path

_NO_TEXT = "file-name-bytes:"
_STRAY = re.compile("[\ud800-\udfff]")
"""The characters of a `str` that represent bytes of a file name outside the system's encoding (PEP 383)."""


def readable(text: str) -> str:
    """A text that can be shown, written and printed: bytes of file names that are not valid text become letters.

    They are read as Windows-1252, the usual encoding of archives from other systems that state none.
    """
    return _STRAY.sub(lambda found: _letter(ord(found[0])), text)


def _letter(code: int) -> str:
    byte = code - 0xDC00
    return bytes([byte]).decode("cp1252", errors="replace") if 0x80 <= byte <= 0xFF else "\ufffd"


def text_of_path(path: Path) -> str:
    """A path as a text that databases, settings and Qt store unchanged, whatever its bytes; `path_of_text` reads it."""
    text = str(path)
    return f"{_NO_TEXT}{os.fsencode(text).hex()}" if _STRAY.search(text) else text


def path_of_text(text: str) -> Path:
    """The path that `text_of_path` wrote."""
    if text.startswith(_NO_TEXT):
        return Path(os.fsdecode(bytes.fromhex(text.removeprefix(_NO_TEXT))))
    return Path(text)
