"""Label maps of one frame, drawn by formula: discs, rings and crescents, and random scribbles."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap

SPACINGS = st.sampled_from([(1.0, 1.0), (1.4, 1.4), (1.8, 2.4), (0.7, 0.7)])
SCRIBBLES = npst.arrays(np.uint8, (14, 12), elements=st.integers(0, 3))


def radius_mm(
    shape: tuple[int, int], middle: tuple[float, float], spacing: tuple[float, float] = (1, 1)
) -> NDArray[np.float64]:
    rows, cols = np.indices(shape)
    return np.hypot((rows - middle[0]) * spacing[0], (cols - middle[1]) * spacing[1])


def heart(
    endo: float = 10.0,
    epi: float = 16.0,
    rv: float = 12.0,
    shape: tuple[int, int] = (64, 72),
    middle: tuple[float, float] = (32.0, 42.0),
    spacing: tuple[float, float] = (1.0, 1.0),
) -> LabelMap:
    """Blood pool and myocardium as discs, the RV as what a disc to the left leaves beside them; lengths in mm."""
    labels = np.zeros(shape, np.uint8)
    labels[radius_mm(shape, (middle[0], middle[1] - epi / spacing[1]), spacing) < rv] = Label.RVBP
    labels[radius_mm(shape, middle, spacing) < epi] = Label.LVM
    labels[radius_mm(shape, middle, spacing) < endo] = Label.LVBP
    return labels


def disc(
    radius: float,
    label: Label = Label.LVBP,
    shape: tuple[int, int] = (64, 64),
    middle: tuple[float, float] = (32.0, 32.0),
    spacing: tuple[float, float] = (1.0, 1.0),
) -> LabelMap:
    return np.where(radius_mm(shape, middle, spacing) < radius, np.uint8(label), np.uint8(0))


def drawn(text: str) -> LabelMap:
    """A label map from a drawing, one character a pixel: . background, 1 LVBP, 2 LVM, 3 RVBP."""
    return np.array([[0 if sign == "." else int(sign) for sign in line] for line in text.split()], np.uint8)


HEARTS = st.builds(
    heart,
    endo=st.floats(4, 10),
    epi=st.floats(12, 17),
    rv=st.floats(6, 13),
    middle=st.tuples(st.floats(28, 36), st.floats(38, 46)),
)
"""Whole hearts with a closed ring."""


def areas(labels: LabelMap) -> list[int]:
    return np.bincount(labels.ravel(), minlength=4)[:4].tolist()


def roughened(labels: LabelMap, seed: int) -> LabelMap:
    """The borders of a label map jagged at random: each pixel may take the label of one of its neighbours."""
    random = np.random.default_rng(seed)
    rows, cols = np.indices(labels.shape)
    down, right = random.integers(-1, 2, (2, *labels.shape))
    return labels[np.clip(rows + down, 0, labels.shape[0] - 1), np.clip(cols + right, 0, labels.shape[1] - 1)].copy()
