"""Which of the image files below a folder are studies, and which are label maps of them.

Sets come in many layouts: a folder for each patient, images and labels in folders of their own (nnU-Net's imagesTr and
labelsTr), or image and label map side by side. A label map is recognised by its name, by that of its folder, or by a
few whole numbers as its only values.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from cmr_viewer.errors import LoadError
from cmr_viewer.load.names import (
    CINE,
    ITK_ENDINGS,
    LABEL_WORDS,
    NIFTI_ENDINGS,
    MarkedFile,
    names_labels,
    recognise_file,
    recognise_patient,
)

IMAGE_ENDINGS = (*NIFTI_ENDINGS, *ITK_ENDINGS)

_LABEL_FOLDER = re.compile(rf"({LABEL_WORDS})(Tr|Ts|Va)?", re.IGNORECASE)
_MOST_CODES = 16
_BYTES_OF_A_LABEL = 0.12
"""A gzipped image has more bytes a voxel: its noise cannot be compressed."""


def image_studies(files: Sequence[Path]) -> list[Path]:
    """The studies among files: folders of patients in a known layout, and image files that are a study each.

    They are in the order of the files, without label maps; files of other kinds are skipped.
    """
    by_folder: dict[Path, list[Path]] = {}
    for path in files:
        if path.name.lower().endswith(IMAGE_ENDINGS):
            by_folder.setdefault(path.parent, []).append(path)
    found: list[Path] = []
    for folder, inside in by_folder.items():
        if recognise_patient(folder):
            found.append(folder)
        elif not _LABEL_FOLDER.fullmatch(folder.name):
            found += [path for path in _one_of_each_patient(inside) if not _is_label_map(path)]
    return found


def _one_of_each_patient(files: Sequence[Path]) -> list[Path]:
    """Files without those that belong to another: ED and ES to the cine, voxels to their header."""
    marked: dict[str, MarkedFile] = {}
    for path in files:
        known = recognise_file(path)
        if known is not None and (known.patient not in marked or known.mark == CINE):
            marked[known.patient] = known
    names = {path.name.lower() for path in files}
    left = []
    for path in files:
        known = recognise_file(path)
        header = re.sub(r"\.img(\.gz)?$", r".hdr\1", path.name.lower())
        has_header = header != path.name.lower() and header in names
        if not has_header and (known is None or marked[known.patient].image == path):
            left.append(path)
    return left


def _is_label_map(path: Path) -> bool:
    """Whether an image file is a label map: by its name, or by its voxels where it is packed as no image can be."""
    if names_labels(path):
        return True
    if not path.name.lower().endswith(NIFTI_ENDINGS):
        return False
    # The library is slower to import than most folders to search.
    import numpy as np  # noqa: PLC0415

    from cmr_viewer.load.images.nifti import (  # noqa: PLC0415
        READ_ERRORS,
        open_checked,
        quiet,
        read_volume,
    )

    try:
        with quiet():
            image, _ = open_checked(path)
        if path.name.lower().endswith(".gz") and path.stat().st_size > _BYTES_OF_A_LABEL * np.prod(image.shape):
            return False
        voxels = np.unique(read_volume(path).voxels)
    except (LoadError, *READ_ERRORS):
        return False
    return 1 < len(voxels) <= _MOST_CODES and bool((voxels >= 0).all() and (voxels == np.rint(voxels)).all())
