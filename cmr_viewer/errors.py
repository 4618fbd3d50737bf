"""All exceptions of the program.

    CmrViewerError              anything the program says itself; its text is for a reader
    ├── LoadError               a file or folder cannot become a study
    │   └── NotAStudyError      there is nothing in it that could be one
    ├── GeometryError           spacings, positions or shapes that cannot be
    ├── LabelMapError           a label map with wrong codes, shape or type
    │   ├── UnknownCodesError   nothing tells what its numbers mean; a reader can say
    │   └── UnknownPhaseError   nothing tells which phase it belongs to; a reader can say
    ├── ModelError              a model folder that cannot be read or does not fit
    ├── StoreError              the workspace cannot be read or written
    │   └── WorkspaceInUseError another program holds it
    └── TrainingError           training cannot start or go on

A message says what happened, where (study, slice, file) and what to do. `Cancelled` is no error and
lives in `progress`.
"""

import os
from collections.abc import Mapping

from cmr_viewer.file_names import readable


class CmrViewerError(Exception):
    """Base of all errors that the program raises itself.

    Args:
        message: What happened, where and what to do; names of files in it become readable text.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(readable(message))


class LoadError(CmrViewerError):
    """A file or folder cannot become a study."""


class NotAStudyError(LoadError):
    """There is nothing in a file or folder that could be a study."""


class GeometryError(CmrViewerError):
    """Spacings, positions or shapes that cannot be."""


class LabelMapError(CmrViewerError):
    """A label map with wrong codes, shape or type."""


class UnknownCodesError(LabelMapError):
    """Nothing tells what the numbers in a label map mean; a reader can say.

    Attributes:
        codes: Each number that occurs but 0, and in how many pixels.
    """

    def __init__(self, message: str, codes: Mapping[int, int]) -> None:
        super().__init__(message)
        self.codes = dict(codes)


class UnknownPhaseError(LabelMapError):
    """Nothing tells which phase of the study label maps or contours of one phase belong to; a reader can say."""


class ModelError(CmrViewerError):
    """A model folder that cannot be read or does not fit."""


class StoreError(CmrViewerError):
    """The workspace cannot be read or written."""


class WorkspaceInUseError(StoreError):
    """Another running program holds the workspace."""


class TrainingError(CmrViewerError):
    """Training cannot start or go on."""


def in_one_line(error: BaseException) -> str:
    """What an error says, on one line for a reader; an error that nobody thought of says so."""
    text = " ".join(readable(str(error)).split())
    if isinstance(error, CmrViewerError):
        return text
    if isinstance(error, KeyboardInterrupt):
        return "stopped."
    if isinstance(error, MemoryError):
        return "there is not enough memory. Close other programs, or give fewer inputs at once."
    if isinstance(error, OSError) and error.strerror:
        where = f": {readable(os.fsdecode(error.filename))}" if isinstance(error.filename, str | bytes) else ""
        return f"{error.strerror}{where}."
    return f"unexpected {type(error).__name__}: {text}. Run again with --debug and report what it says."
