"""Prepared short-axis slices of the Second National Data Science Bowl: JPEG images, masks of the LV cavity, one table.

slices.csv:    key, patient, frame, location_mm, ... one row for each image
images/KEY.jpg, masks/KEY.png    8 bit at 1.5 mm; the mask is not 0 in the cavity

Frame 1 is at end-diastole and frame 12 about at end-systole. The labels mark the LV cavity alone. The base end of
the stack and the orientation are unknown.
"""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.patient_key import patient_key_of
from cmr_viewer.domain.study import Stack, Study
from cmr_viewer.errors import LoadError

TABLE = "slices.csv"
PHASES = ("1", "12")
"""The frames that every slice has: end-diastole, and about end-systole."""

SPACING_MM = 1.5

Keys = Mapping[float, Mapping[str, str]]
"""Location in mm -> frame -> key of the image; both of `PHASES` at each location."""


def is_prepared(folder: Path) -> bool:
    """Whether a folder is such a set."""
    return all((folder / name).exists() for name in (TABLE, "images", "masks"))


def prepared_patients(folder: Path) -> dict[str, Keys]:
    """The patients of a set by pseudonym, `DSB0001`, in order of their numbers.

    Where a location was acquired more than once its last acquisition in order of the keys is taken, for both phases.

    Raises:
        LoadError: The table cannot be read.
    """
    rows: dict[int, dict[float, dict[str, str]]] = {}
    try:
        with (folder / TABLE).open(encoding="utf-8", newline="") as opened:
            for row in sorted(csv.DictReader(opened), key=lambda row: row["key"]):
                if row["frame"] in PHASES:
                    at = rows.setdefault(int(row["patient"]), {}).setdefault(float(row["location_mm"]), {})
                    at[row["frame"]] = row["key"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LoadError(f"Could not read the table {folder / TABLE}: {error!r}.") from error
    return {
        f"DSB{number:04d}": {place: keys for place, keys in sorted(places.items()) if len(keys) == len(PHASES)}
        for number, places in sorted(rows.items())
    }


def read_prepared(folder: Path, name: str, keys: Keys) -> Study:
    """A patient as a study of two phases with the masks as reference, slices in order of their location.

    Args:
        folder: The set.
        name: The patient's pseudonym.
        keys: The patient's images.

    Raises:
        LoadError: An image cannot be read, or they differ in size, or there are none.
    """
    if not keys:
        raise LoadError(f"{name} in {folder} has no slice with both frames {' and '.join(PHASES)}.")

    def frames(inside: str, ending: str) -> NDArray[np.uint8]:
        paths = [[folder / inside / f"{at[phase]}{ending}" for at in keys.values()] for phase in PHASES]
        try:
            return np.stack([np.stack([_grey(path) for path in of_phase]) for of_phase in paths])
        except (OSError, UnidentifiedImageError, ValueError) as error:
            raise LoadError(f"Could not read the {inside} of {name} in {folder}: {error}.") from error

    pixels, masks = frames("images", ".jpg"), frames("masks", ".png")
    if masks.shape != pixels.shape:
        raise LoadError(f"The images of {name} in {folder} differ in size from their masks.")
    geometry = Geometry(
        pixels.shape[2],
        pixels.shape[3],
        (SPACING_MM, SPACING_MM),
        (1.0, 0.0, 0.0),
        (0.0, 1.0, 0.0),
        tuple((0.0, 0.0, place) for place in keys),
        single_slice_spacing_mm=10.0,
    )
    return Study(
        name=name,
        source=folder,
        stacks=(Stack(pixels, geometry, ed_phase=0, es_phase=1, description=name),),
        patient_key=patient_key_of(f"dsb2/{name}"),
        reference=np.where(masks > 0, np.uint8(Label.LVBP), np.uint8(0)),
        reference_phases=(0, 1),
        format_name="JPEG",
    )


def _grey(path: Path) -> NDArray[np.uint8]:
    """(row, col) uint8."""
    with Image.open(path) as opened:
        return np.asarray(opened.convert("L"), dtype=np.uint8)
