"""Papillary muscles: which side of the figures they are on, and how many pixels of the blood pool they are."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap, Mask
from cmr_viewer.errors import LabelMapError

LEAST_MYOCARDIUM = 20
"""So many pixels of myocardium show how bright muscle is in a frame."""

LEAST_CONTRAST = 1.3
"""Blood must be this much brighter than muscle, else nothing is found."""


class PapillaryConvention(StrEnum):
    """Where papillary muscles and trabeculae are counted. Stands beside every figure.

    Source:
        Schulz-Menger et al. 2020, J Cardiovasc Magn Reson 22:19: either is accepted; a report must state which, and
        the normal values must be of the same.
    """

    IN_BLOOD_POOL = "in_blood_pool"
    IN_MASS = "in_mass"

    @property
    def text(self) -> str:
        """The words next to a figure."""
        return {
            "in_blood_pool": "papillary muscles in the blood pool",
            "in_mass": "papillary muscles and trabeculae in the mass, by threshold",
        }[self.value]

    @property
    def method(self) -> str:
        """The method of this convention, in a few sentences."""
        return {
            "in_blood_pool": "As drawn in the label maps: papillary muscles and trabeculae are part of the LV blood "
            "pool. The models learned this from the label maps of ACDC and M&Ms.",
            "in_mass": "The label maps count papillary muscles and trabeculae as blood. This measurement counts dark "
            "pixels of the LV blood pool as myocardium: those below the midpoint between the median of muscle and that "
            "of bright blood in the frame. These are papillary muscles, trabeculae, and the dark edge of the blood if "
            "the endocardium is drawn too wide. Frames without a clear contrast of blood and muscle stay as drawn.",
        }[self.value]


def papillary_mask(pixels: NDArray[Any], labels: LabelMap) -> Mask:
    """Pixels of the LV blood pool that are as dark as muscle: papillary muscles and trabeculae.

    The threshold is halfway between the median of the myocardium and that of the bright half of the blood pool of the
    same frame. The mask is empty if the frame has too little myocardium, or blood is not clearly brighter.

    Args:
        pixels: (row, col) of one frame.
        labels: (row, col) of the same frame.

    Returns:
        (row, col) mask within the LVBP.

    Raises:
        LabelMapError: The shapes differ.

    Source:
        The threshold half way between blood and muscle is this program's rule. How much to expect: M. L. Chuang et al.,
        JACC Cardiovasc Imaging 5:1115-1123, 2012: papillary muscles and trabeculae, found automatically, are 23 +- 3 %
        of the LV end-diastolic volume; counted as mass they lower volumes by 23 % and raise the mass by 28 %.
    """
    if pixels.shape != labels.shape:
        raise LabelMapError(f"A label map of shape {labels.shape} does not fit a frame of shape {pixels.shape}.")
    pool, muscle = labels == Label.LVBP, labels == Label.LVM
    nothing = np.zeros(labels.shape, dtype=np.bool_)
    if not pool.any() or np.count_nonzero(muscle) < LEAST_MYOCARDIUM:
        return nothing
    inside = pixels[pool].astype(np.float64)
    blood = float(np.median(inside[inside >= np.median(inside)]))
    dark = float(np.median(pixels[muscle].astype(np.float64)))
    if blood < LEAST_CONTRAST * dark or blood <= dark:  # the latter where intensities are negative
        return nothing
    return np.asarray(pool & (pixels < (blood + dark) / 2.0))


def labels_by_convention(pixels: NDArray[Any], labels: LabelMap, convention: PapillaryConvention) -> LabelMap:
    """Label maps with papillary muscles on the side that a convention puts them; for measuring, not for keeping.

    Args:
        pixels: (..., row, col).
        labels: The same shape; papillary muscles are in the LVBP.
        convention: Where they are to be.

    Returns:
        `labels` itself for IN_BLOOD_POOL; a copy in which they are LVM for IN_MASS.

    Raises:
        LabelMapError: The shapes differ.
    """
    if convention is PapillaryConvention.IN_BLOOD_POOL:
        return labels
    if pixels.shape != labels.shape:
        raise LabelMapError(f"Label maps of shape {labels.shape} do not fit pixels of shape {pixels.shape}.")
    result = labels.copy()
    shape: Sequence[int] = labels.shape[:-2]
    for index in np.ndindex(*shape):
        result[index][papillary_mask(pixels[index], labels[index])] = Label.LVM
    return result
