"""The figures of the paper, to stand beside those measured here.

Source:
    Mariscal-Harana, Kifle, Razavi, King, Ruijsink, Puyol-Antón: "Improved AI-based Segmentation of Apical and Basal
    Slices from Clinical Cine CMR", STACOM 2021, tables 1 to 3. All trained on a clinical set of two NHS hospitals and
    tested on 456 patients of it, on M&Ms (n = 321, all vendors) and on ACDC (n = 100).
"""

from collections.abc import Mapping

from cmr_viewer.domain.anatomy import STRUCTURES, Label, Region
from cmr_viewer.evaluate.report import HEART, grid

DATASETS = ("NHS", "M&Ms", "ACDC")
APPROACHES = ("Batch sampling", "Classification + segmentation")

Cell = tuple[float, float, bool]
"""Mean of the Dice of frames in percent, its SD (table 3: their improvement over the baseline), whether p < 0.01."""

_TABLE_1 = """
NHS  LVBP  87.53 23.29 *  94.93  5.62    81.08 24.86 *
NHS  LVM   79.82 19.34 *  87.22  6.04    70.18 24.96 *
NHS  RVBP  76.25 28.90 *  90.72  9.57    73.24 27.03 *
M&Ms LVBP  84.41 20.38 *  93.63  6.73    89.86 16.47 *
M&Ms LVM   70.23 29.13 *  86.46  8.08    75.25 25.84 *
M&Ms RVBP  76.60 26.56 *  90.11 11.84    81.62 25.36 *
ACDC LVBP  94.42  7.76    94.28  6.87    82.86 23.47 *
ACDC LVM   84.01 17.59 *  87.66  9.34    64.99 33.28 *
ACDC RVBP  90.23 16.02    88.54 16.22    67.42 33.97 *
"""

_TABLE_3 = """
NHS  0 LVBP  -0.06  0.01    -0.27 -0.29
NHS  0 LVM   -0.91 -1.53 *   0.09 -0.22
NHS  0 RVBP   0.89  0.67 *   1.03  1.82 *
NHS  1 LVBP   1.33  3.35 *   0.78  1.91 *
NHS  1 LVM    0.88  3.90 *   0.97  2.89
NHS  1 RVBP   1.04  1.74 *   1.58  3.21 *
M&Ms 0 LVBP   0.42  1.39    -0.21 -0.13
M&Ms 0 LVM    0.28  0.34    -1.33 -1.37 *
M&Ms 0 RVBP   1.61  3.30 *   0.76  2.38
M&Ms 1 LVBP   0.85  2.59 *   0.74  2.83 *
M&Ms 1 LVM    5.71  8.02 *   5.53  9.38 *
M&Ms 1 RVBP   2.44  4.57 *   0.02  2.58
ACDC 0 LVBP  -0.28 -0.00    -0.75 -0.46
ACDC 0 LVM   -0.88 -0.94     0.46  0.92
ACDC 0 RVBP  -0.61 -0.57     3.03  3.78 *
ACDC 1 LVBP  -0.46 -0.08     0.51  3.36
ACDC 1 LVM    1.88  9.34 *   7.60  9.19 *
ACDC 1 RVBP  -1.37 -0.78 *   5.74  6.87 *
"""


def _cells(numbers: str, regions: tuple[Region, ...]) -> dict[Region, Cell]:
    words = numbers.split()
    cells: list[Cell] = []
    while words:
        starred = words[2:3] == ["*"]
        cells.append((float(words[0]), float(words[1]), starred))
        del words[: 3 if starred else 2]
    return dict(zip(regions, cells, strict=True))


TABLE_1: Mapping[tuple[str, Label], Mapping[Region, Cell]] = {
    (dataset, Label[label]): _cells(numbers, HEART)
    for dataset, label, numbers in (line.split(None, 2) for line in _TABLE_1.strip().splitlines())
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

TABLE_3: Mapping[tuple[str, str, Label], Mapping[Region, Cell]] = {
    (dataset, APPROACHES[int(approach)], Label[label]): _cells(numbers, (Region.BASE, Region.APEX))
    for dataset, approach, label, numbers in (line.split(None, 3) for line in _TABLE_3.strip().splitlines())
}
"""Table 3: improvement of mean and SD over the baseline, in points of Dice; starred where the means differ."""


def table_1() -> str:
    """Table 1 as Markdown."""
    rows = ((dataset, label.name, *map(_text, cells.values())) for (dataset, label), cells in TABLE_1.items())
    return grid(("data set", "label", *(region.value for region in HEART)), rows)


def table_3() -> str:
    """Table 3 as Markdown."""
    rows = []
    for dataset in DATASETS:
        for approach in APPROACHES:
            cells = [cell for label in STRUCTURES for cell in TABLE_3[dataset, approach, label].values()]
            rows.append((dataset, approach, *(_text(cell, "+") for cell in cells)))
    columns = (f"{label.name} {region.value}" for label in STRUCTURES for region in (Region.BASE, Region.APEX))
    return grid(("data set", "approach", *columns), rows)


def _text(cell: Cell, sign: str = "") -> str:
    mean, sd, starred = cell
    return f"{mean:{sign}.2f}{'*' if starred else ''} ({sd:{sign}.2f})"
