"""Log text without patients: names of studies and the paths they came from are taken out before anything is written."""

import logging
import threading
import traceback
from pathlib import Path

from cmr_viewer.errors import CmrViewerError
from cmr_viewer.file_names import readable

HIDDEN = "<study>"
_SHORTEST = 3

_words: set[str] = set()
_lock = threading.Lock()


def hide_from_log(what: Path | str) -> None:
    """From now on, no log holds this path or name.

    Args:
        what: The path of a study, of which the whole and the last part are hidden, or a name.
    """
    texts = {str(what)}
    if isinstance(what, Path):
        texts |= {what.name, what.stem, str(what.resolve())}
    texts |= {readable(text) for text in texts}
    with _lock:
        _words.update(text for text in texts if len(text) >= _SHORTEST)


def without_names(text: str) -> str:
    """The text with all hidden names replaced, the longest first."""
    with _lock:
        words = sorted(_words, key=len, reverse=True)
    for word in words:
        text = text.replace(word, HIDDEN)
    return text


class PrivateFormatter(logging.Formatter):
    """Formats a record, and takes out the names of studies.

    The text of the program's own errors is left out of tracebacks: it is shown to the reader and may name files.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, or lines, of a record."""
        return without_names(super().format(record))

    def formatException(self, ei: object) -> str:
        """The traceback; of the program's own errors the type alone."""
        if isinstance(ei, tuple) and len(ei) == 3 and isinstance(ei[1], CmrViewerError):
            frames = "".join(traceback.format_tb(ei[2]))
            return f"{frames}{type(ei[1]).__name__}"
        return super().formatException(ei)  # type: ignore[arg-type]
