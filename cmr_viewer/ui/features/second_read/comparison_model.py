"""The table of frames in which two reads differ."""

from collections.abc import Sequence
from enum import Enum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from cmr_viewer.domain.anatomy import STRUCTURES, Label, Region
from cmr_viewer.review.compare_reads import FrameDifference
from cmr_viewer.ui.window.theme import REGION_LETTERS, colour
from cmr_viewer.ui.window.widgets import DASH

SORTED_BY = Qt.ItemDataRole.UserRole
FRAME = Qt.ItemDataRole.UserRole + 1

_Index = QModelIndex | QPersistentModelIndex
_NOT_KNOWN = -1.0


class DifferenceColumn(Enum):
    """Columns, in their order: heading and what it is."""

    FRAME = ("Frame", "Slice and phase")
    ML = ("ml", "Millilitres by which the measures differ between the two reads")
    LVBP = ("LV", "Dice of the LV blood pool, %")
    LVM = ("Wall", "Dice of the LV myocardium, %")
    RVBP = ("RV", "Dice of the RV blood pool, %")
    HAUSDORFF = ("mm", "Largest Hausdorff distance of the three labels")
    REGION = ("Reg.", "Region in the first and in the second read, if they differ")


_DICE = {DifferenceColumn.LVBP: Label.LVBP, DifferenceColumn.LVM: Label.LVM, DifferenceColumn.RVBP: Label.RVBP}


def place_of(one: FrameDifference) -> str:
    """Slice and phase, short: "3 ED"."""
    return f"{one.frame.slice_index + 1} {one.marks or f'p{one.frame.phase + 1}'}"


def sentence_of(one: FrameDifference) -> str:
    """All that is known of a frame, in words."""
    lines = [
        f"Slice {one.frame.slice_index + 1}, phase {one.frame.phase + 1}" + (f" ({one.marks})" if one.marks else "")
    ]
    if one.lacking:
        who = "Neither read has" if one.lacking == "both" else f"The {one.lacking} read does not have"
        lines.append(f"{who} a label map of this frame.")
    if one.regions_differ:
        lines.append(f"Region: {_region(one.regions[0])} in the first read, {_region(one.regions[1])} in the second")
    for label in STRUCTURES:
        found = one.labels[label]
        if found.dice is None:
            continue
        parts = [f"Dice {found.dice:.3f}"]
        parts += [] if found.hausdorff_mm is None else [f"Hausdorff {found.hausdorff_mm:.1f} mm"]
        parts += [] if found.area_mm2 is None else [f"area {found.area_mm2:+.0f} mm²"]
        parts += [] if found.ml is None else [f"{found.ml:+.2f} ml"]
        lines.append(f"{_WHOLE[label]}: {', '.join(parts)}")
    return "\n".join(lines)


_WHOLE = {Label.LVBP: "LV blood pool", Label.LVM: "LV myocardium", Label.RVBP: "RV blood pool"}


def _region(region: Region | None) -> str:
    return "none" if region is None else region.text.lower()


class ComparisonModel(QAbstractTableModel):
    """Frames as rows; a proxy sorts them.

    Args:
        parent: Qt parent.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._frames: Sequence[FrameDifference] = ()

    def show(self, frames: Sequence[FrameDifference]) -> None:
        """Show other frames."""
        self.beginResetModel()
        self._frames = tuple(frames)
        self.endResetModel()

    def rowCount(self, parent: _Index | None = None) -> int:
        """How many frames."""
        return 0 if parent is not None and parent.isValid() else len(self._frames)

    def columnCount(self, parent: _Index | None = None) -> int:
        """How many columns."""
        return 0 if parent is not None and parent.isValid() else len(DifferenceColumn)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """What a column is called, and what it is."""
        if orientation is not Qt.Orientation.Horizontal or not 0 <= section < len(DifferenceColumn):
            return None
        heading, tip = list(DifferenceColumn)[section].value
        if list(DifferenceColumn)[section] is DifferenceColumn.ML and any(not one.in_ml for one in self._frames):
            heading, tip = "pixels", "Pixels by which the reads differ; the spacing is not known"
        if role == Qt.ItemDataRole.DisplayRole:
            return heading
        return f"{tip}. Click to sort" if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """What a cell shows, or with `FRAME` the whole difference."""
        if not index.isValid():
            return None
        one, column = self._frames[index.row()], list(DifferenceColumn)[index.column()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                shown: Any = _text(one, column)
            case Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleTextRole:
                shown = sentence_of(one)
            case Qt.ItemDataRole.TextAlignmentRole:
                side = Qt.AlignmentFlag.AlignLeft if column is DifferenceColumn.FRAME else Qt.AlignmentFlag.AlignRight
                shown = int(side | Qt.AlignmentFlag.AlignVCenter)
            case Qt.ItemDataRole.ForegroundRole:
                shown = colour("faint") if one.agrees() else None
            case _:
                shown = _order(one, column) if role == SORTED_BY else one if role == FRAME else None
        return shown


def _text(one: FrameDifference, column: DifferenceColumn) -> str:
    if column in _DICE:
        found = one.labels[_DICE[column]].dice
        return DASH if found is None else f"{100 * found:.0f}"
    if column is DifferenceColumn.FRAME:
        return place_of(one)
    if column is DifferenceColumn.ML:
        return f"{one.at_stake_ml:.1f}" if one.in_ml else f"{1000.0 * one.at_stake_ml:.0f}"
    if column is DifferenceColumn.HAUSDORFF:
        most = _hausdorff(one)
        return DASH if most < 0 else f"{most:.1f}"
    if not one.regions_differ:
        return ""
    return "/".join("?" if region is None else REGION_LETTERS[region] for region in one.regions)


def _order(one: FrameDifference, column: DifferenceColumn) -> Any:
    if column in _DICE:
        found = one.labels[_DICE[column]].dice
        return 2.0 if found is None else found
    if column is DifferenceColumn.FRAME:
        return one.frame.slice_index * 10_000 + one.frame.phase
    if column is DifferenceColumn.ML:
        return one.at_stake_ml
    return _hausdorff(one) if column is DifferenceColumn.HAUSDORFF else _text(one, column)


def _hausdorff(one: FrameDifference) -> float:
    known = [each.hausdorff_mm for each in one.labels.values() if each.hausdorff_mm is not None]
    return max(known, default=_NOT_KNOWN)
