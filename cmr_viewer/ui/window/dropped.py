"""Which studies several files and folders are that were dropped together."""

from collections.abc import Sequence
from pathlib import Path

_WHOLE = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr", ".zip")
"""Endings of files that are a study each."""


def studies_of(paths: Sequence[Path]) -> list[Path]:
    """What is to be opened, one after another, of the things that were dropped.

    A folder is a study, and so is an image file or an archive. Other files of one folder belong together, as the single
    frames of a DICOM series do: of them the folder is opened; but a file that comes alone is opened itself.

    Args:
        paths: Files and folders in the order in which they came.
    """
    frames: dict[Path, list[Path]] = {}
    for path in paths:
        if not _is_whole(path):
            frames.setdefault(path.parent, []).append(path)
    found: list[Path] = []
    for path in paths:
        beside = frames.get(path.parent, [])
        found.append(path.parent if len(beside) > 1 and path in beside else path)
    return list(dict.fromkeys(found))


def _is_whole(path: Path) -> bool:
    return path.is_dir() or path.name.lower().endswith(_WHOLE) or path.name.upper() == "DICOMDIR"
