"""Reviewed stacks of other scanners that come with the program: a model that learns from a site must not forget them.

`packaging/make_guard.py` makes the file from Sunnybrook Cardiac Data (CC0): the left ventricle in labelled slices of
ED and ES. It lies beside the shipped models, none of which was trained on these patients, and nothing learns from it.
"""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import reference_regions
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.store.reviewed import ReviewedFrame, ReviewedStack

GUARD_FILE = "guard.npz"
"""Its name in the folder of the shipped models."""


def read_guard(path: Path) -> list[ReviewedStack]:
    """The stacks, each of one phase, all of its slices labelled.

    Args:
        path: The file; where it does not exist there are none.

    Raises:
        StoreError: It cannot be read.
    """
    if not path.is_file():
        return []
    try:
        with np.load(path, allow_pickle=False) as saved:
            every = enumerate(json.loads(str(saved["about"])))
            return [_stack(about, saved[f"pixels_{n}"], saved[f"labels_{n}"]) for n, about in every]
    except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile, zlib.error) as error:
        raise StoreError(
            f"Could not read the frames of other scanners in {path}: {error!r}. Install the program again."
        ) from error


def _stack(about: Mapping[str, Any], pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> ReviewedStack:
    row_mm, col_mm, slice_mm = (float(value) for value in about["spacing_mm"])
    slices, rows, cols = pixels.shape
    positions = tuple((0.0, 0.0, -slice_mm * s) for s in range(slices))
    geometry = Geometry(
        rows, cols, (row_mm, col_mm), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), positions, single_slice_spacing_mm=slice_mm
    )
    regions = reference_regions([bool(one.any()) for one in labels])
    pixels.setflags(write=False)
    labels.setflags(write=False)
    frames = {
        FrameIndex(0, s): ReviewedFrame(FrameIndex(0, s), regions[s], None, labels[s], True, s) for s in range(slices)
    }
    return ReviewedStack(
        stack_id=f"guard-{about['name']}",
        patient_key=f"guard-{about['patient']}",
        geometry=geometry,
        pixel_spacing_mm=(row_mm, col_mm),
        frames=frames,
        pixels={frame: pixels[frame.slice_index] for frame in frames},
    )
