"""A small study and what a model would make of it, by formula; without Qt."""

from pathlib import Path
from typing import Any

import numpy as np

from cmr_viewer.domain.anatomy import REGIONS, Label, Region
from cmr_viewer.domain.annotation import RegionPrediction
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.study import FrameIndex, Stack, Study

PHASES, SLICES, ROWS, COLS = 3, 4, 24, 20
REGION_OF_SLICE = (Region.BASE, Region.MIDDLE, Region.MIDDLE, Region.APEX)


def small_study(name: str = "pseudonym", seed: int = 0, patient_key: str = "") -> Study:
    """3 phases, 4 slices of 24 x 20 pixels; voxels of 2 x 2 x 10 mm, that is 0.04 ml."""
    pixels = np.random.default_rng(seed).integers(0, 1000, (PHASES, SLICES, ROWS, COLS)).astype(np.int16)
    positions = tuple((0.0, 0.0, 10.0 * number) for number in range(SLICES))
    geometry = Geometry(ROWS, COLS, (2.0, 2.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), positions)
    return Study(name, Path("/nowhere") / name, (Stack(pixels, geometry),), patient_key=patient_key or name)


def model_labels(model_id: str, frame: FrameIndex) -> Any:
    """A square of LV blood pool that tells the model: its side follows the name, and shrinks with the phase."""
    labels = np.zeros((ROWS, COLS), np.uint8)
    side = 4 + 2 * (sum(model_id.encode()) % 5) - frame.phase
    labels[4 : 4 + side, 4 : 4 + side] = Label.LVBP
    labels.setflags(write=False)
    return labels


def said(region: Region, model_id: str = "classifier-1") -> RegionPrediction:
    """A region prediction that is 70 % certain, alone and in its stack."""
    chances: Any = tuple(0.7 if one is region else 0.1 for one in REGIONS)
    return RegionPrediction(chances, model_id, region, chances)
