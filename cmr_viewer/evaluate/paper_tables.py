"""The figures of the paper, to stand beside those measured here.

Source:
    Mariscal-Harana, Kifle, Razavi, King, Ruijsink, Puyol-Antón: "Improved AI-based Segmentation of Apical and Basal
    Slices from Clinical Cine CMR", STACOM 2021, tables 1 to 3. All trained on a clinical set of two NHS hospitals and
    tested on 456 patients of it, on M&Ms (n = 321, all vendors) and on ACDC (n = 100).
"""

from collections.abc import Mapping
from typing import NamedTuple

from cmr_viewer.domain.anatomy import Label, Region

DATASETS = ("NHS", "M&Ms", "ACDC")


class Cell(NamedTuple):
    """Mean and SD in percent (table 1), or their improvement over the baseline (table 3).

    Attributes:
        mean: Mean of the Dice of frames.
        sd: Its standard deviation.
        starred: Whether p < 0.01.
    """

    mean: float
    sd: float
    starred: bool


_BASE, _MIDDLE, _APEX = Region.BASE, Region.MIDDLE, Region.APEX

TABLE_1: Mapping[tuple[str, Label], Mapping[Region, Cell]] = {
    ("NHS", Label.LVBP): {
        _BASE: Cell(87.53, 23.29, True),
        _MIDDLE: Cell(94.93, 5.62, False),
        _APEX: Cell(81.08, 24.86, True),
    },
    ("NHS", Label.LVM): {
        _BASE: Cell(79.82, 19.34, True),
        _MIDDLE: Cell(87.22, 6.04, False),
        _APEX: Cell(70.18, 24.96, True),
    },
    ("NHS", Label.RVBP): {
        _BASE: Cell(76.25, 28.90, True),
        _MIDDLE: Cell(90.72, 9.57, False),
        _APEX: Cell(73.24, 27.03, True),
    },
    ("M&Ms", Label.LVBP): {
        _BASE: Cell(84.41, 20.38, True),
        _MIDDLE: Cell(93.63, 6.73, False),
        _APEX: Cell(89.86, 16.47, True),
    },
    ("M&Ms", Label.LVM): {
        _BASE: Cell(70.23, 29.13, True),
        _MIDDLE: Cell(86.46, 8.08, False),
        _APEX: Cell(75.25, 25.84, True),
    },
    ("M&Ms", Label.RVBP): {
        _BASE: Cell(76.60, 26.56, True),
        _MIDDLE: Cell(90.11, 11.84, False),
        _APEX: Cell(81.62, 25.36, True),
    },
    ("ACDC", Label.LVBP): {
        _BASE: Cell(94.42, 7.76, False),
        _MIDDLE: Cell(94.28, 6.87, False),
        _APEX: Cell(82.86, 23.47, True),
    },
    ("ACDC", Label.LVM): {
        _BASE: Cell(84.01, 17.59, True),
        _MIDDLE: Cell(87.66, 9.34, False),
        _APEX: Cell(64.99, 33.28, True),
    },
    ("ACDC", Label.RVBP): {
        _BASE: Cell(90.23, 16.02, False),
        _MIDDLE: Cell(88.54, 16.22, False),
        _APEX: Cell(67.42, 33.97, True),
    },
}
"""Table 1: Dice of the baseline in percent; starred where the mean differs from the middle's."""

TABLE_2: Mapping[str, tuple[float, float]] = {
    "AlexNet": (87.54, 87.56),
    "DenseNet": (91.72, 91.50),
    "MobileNet": (89.56, 89.50),
    "ResNet": (90.94, 90.94),
    "ShuffleNet": (90.33, 90.25),
    "SqueezeNet": (87.62, 87.56),
    "VGG": (91.02, 91.06),
}
"""Table 2: weighted-average precision and recall in percent of seven classifiers, on the NHS set."""

APPROACHES = ("Batch sampling", "Classification + segmentation")

TABLE_3: Mapping[tuple[str, str, Label], Mapping[Region, Cell]] = {
    ("NHS", APPROACHES[0], Label.LVBP): {_BASE: Cell(-0.06, 0.01, False), _APEX: Cell(-0.27, -0.29, False)},
    ("NHS", APPROACHES[0], Label.LVM): {_BASE: Cell(-0.91, -1.53, True), _APEX: Cell(0.09, -0.22, False)},
    ("NHS", APPROACHES[0], Label.RVBP): {_BASE: Cell(0.89, 0.67, True), _APEX: Cell(1.03, 1.82, True)},
    ("NHS", APPROACHES[1], Label.LVBP): {_BASE: Cell(1.33, 3.35, True), _APEX: Cell(0.78, 1.91, True)},
    ("NHS", APPROACHES[1], Label.LVM): {_BASE: Cell(0.88, 3.90, True), _APEX: Cell(0.97, 2.89, False)},
    ("NHS", APPROACHES[1], Label.RVBP): {_BASE: Cell(1.04, 1.74, True), _APEX: Cell(1.58, 3.21, True)},
    ("M&Ms", APPROACHES[0], Label.LVBP): {_BASE: Cell(0.42, 1.39, False), _APEX: Cell(-0.21, -0.13, False)},
    ("M&Ms", APPROACHES[0], Label.LVM): {_BASE: Cell(0.28, 0.34, False), _APEX: Cell(-1.33, -1.37, True)},
    ("M&Ms", APPROACHES[0], Label.RVBP): {_BASE: Cell(1.61, 3.30, True), _APEX: Cell(0.76, 2.38, False)},
    ("M&Ms", APPROACHES[1], Label.LVBP): {_BASE: Cell(0.85, 2.59, True), _APEX: Cell(0.74, 2.83, True)},
    ("M&Ms", APPROACHES[1], Label.LVM): {_BASE: Cell(5.71, 8.02, True), _APEX: Cell(5.53, 9.38, True)},
    ("M&Ms", APPROACHES[1], Label.RVBP): {_BASE: Cell(2.44, 4.57, True), _APEX: Cell(0.02, 2.58, False)},
    ("ACDC", APPROACHES[0], Label.LVBP): {_BASE: Cell(-0.28, -0.00, False), _APEX: Cell(-0.75, -0.46, False)},
    ("ACDC", APPROACHES[0], Label.LVM): {_BASE: Cell(-0.88, -0.94, False), _APEX: Cell(0.46, 0.92, False)},
    ("ACDC", APPROACHES[0], Label.RVBP): {_BASE: Cell(-0.61, -0.57, False), _APEX: Cell(3.03, 3.78, True)},
    ("ACDC", APPROACHES[1], Label.LVBP): {_BASE: Cell(-0.46, -0.08, False), _APEX: Cell(0.51, 3.36, False)},
    ("ACDC", APPROACHES[1], Label.LVM): {_BASE: Cell(1.88, 9.34, True), _APEX: Cell(7.60, 9.19, True)},
    ("ACDC", APPROACHES[1], Label.RVBP): {_BASE: Cell(-1.37, -0.78, True), _APEX: Cell(5.74, 6.87, True)},
}
"""Table 3: improvement of mean and SD over the baseline, in points of Dice; starred where the means differ."""

DATASET_OF_GROUP: Mapping[str, str] = {"acdc": "ACDC", "mnms": "M&Ms"}
"""The paper's data set by the program's group; the paper has no Sunnybrook."""
