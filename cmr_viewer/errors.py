"""All exceptions of the program.

    CmrViewerError              any error that the program reports itself; its text is for a reader
    ├── LoadError               a file or folder cannot become a study
    │   └── NotAStudyError      there is nothing in it that could be one
    ├── GeometryError           impossible spacings, positions or shapes
    ├── LabelMapError           a label map with wrong codes, shape or type
    │   ├── UnknownCodesError   nothing states what its numbers mean; a reader can state it
    │   └── UnknownPhaseError   nothing states which phase it belongs to; a reader can state it
    ├── ModelError              a model folder that cannot be read or does not fit
    │   └── UnusableModelError  the model of one role, which another one can stand in for
    ├── StoreError              the workspace cannot be read or written
    │   └── WorkspaceInUseError another program holds it
    └── TrainingError           training cannot start or go on

A message states what happened, where (study, slice, file) and what to do. `Cancelled` is no error and
is defined in `progress`.
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
    """Impossible spacings, positions or shapes."""


class LabelMapError(CmrViewerError):
    """A label map with wrong codes, shape or type."""


class UnknownCodesError(LabelMapError):
    """Nothing states what the numbers in a label map mean; a reader can state it.

    Attributes:
        codes: Each number that occurs but 0, and in how many pixels.
    """

    def __init__(self, message: str, codes: Mapping[int, int]) -> None:
        super().__init__(message)
        self.codes = dict(codes)


class UnknownPhaseError(LabelMapError):
    """Nothing states which phase of the study a label map or contours belong to; a reader can state it."""


class ModelError(CmrViewerError):
    """A model folder that cannot be read or does not fit."""


class UnusableModelError(ModelError):
    """The model of one role cannot be loaded; another one can stand in for it.

    Attributes:
        role: The value of the role.
    """

    def __init__(self, message: str, role: str) -> None:
        super().__init__(message)
        self.role = role


class StoreError(CmrViewerError):
    """The workspace cannot be read or written."""


class WorkspaceInUseError(StoreError):
    """Another running program holds the workspace."""


class TrainingError(CmrViewerError):
    """Training cannot start or go on."""


def in_one_line(error: BaseException) -> str:
    """The text of an error, on one line for a reader; an unexpected error is named as such."""
    text = " ".join(readable(str(error)).split())
    if isinstance(error, CmrViewerError):
        return text
    if isinstance(error, KeyboardInterrupt):
        return "stopped."
    if isinstance(error, MemoryError):
        return "not enough memory. Close other programs, or process fewer inputs at once."
    if isinstance(error, OSError) and error.strerror:
        where = f": {readable(os.fsdecode(error.filename))}" if isinstance(error.filename, str | bytes) else ""
        return f"{error.strerror}{where}."
    return f"unexpected {type(error).__name__}: {text}. Run again with --debug and report the output."
