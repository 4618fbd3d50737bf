"""The foot of before and after: the version to compare with, and the difference in ml."""

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QFrame, QGridLayout, QLabel, QSizePolicy

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.reading.study_measures import VolumeChanges
from cmr_viewer.review.compare_reads import Difference
from cmr_viewer.ui.layouts.earlier_labels import Earlier
from cmr_viewer.ui.window.widgets import DASH, column, label, row, swatch

DIFFERENCE_COLOURS: dict[Difference, str] = {
    Difference.ADDED: "#56b4e9",
    Difference.REMOVED: "#d55e00",
    Difference.RELABELLED: "#f0f0f0",
}
"""Sky blue, vermilion and near white, which colour-blind readers tell apart (Okabe and Ito 2008)."""

_LEGEND = {Difference.ADDED: "added", Difference.REMOVED: "removed", Difference.RELABELLED: "other label"}
_FRAME = ((Label.LVBP, "LV pool"), (Label.LVM, "LV wall"), (Label.RVBP, "RV pool"))
_STUDY = (
    ("edv", Label.LVBP, "LV EDV"),
    ("esv", Label.LVBP, "LV ESV"),
    ("edv", Label.RVBP, "RV EDV"),
    ("esv", Label.RVBP, "RV ESV"),
)


class ComparisonFoot(QFrame):
    """Chooser, legend and figures.

    Signals:
        chosen(object Earlier): Version to compare with.
        shading_chosen(bool): Whether the difference is shaded.
    """

    chosen = Signal(object)
    shading_chosen = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("foot")
        self.chooser = QComboBox()
        for one in Earlier:
            self.chooser.addItem(one.text, one)
        self.chooser.setAccessibleName("Version to compare with")
        self.chooser.setToolTip("Version shown on the left")
        self.chooser.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.chooser.activated.connect(self._choose)
        self.shading = QCheckBox("Shade differences")
        self.shading.setChecked(True)
        self.shading.setToolTip("Colour the pixels that differ in the right image")
        self.shading.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.shading.toggled.connect(self.shading_chosen)
        self._why = label("", "small")
        self._why.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        legend = [self._legend_of(one) for one in DIFFERENCE_COLOURS]
        self._figures: dict[str, QLabel] = {}
        figures = QGridLayout()
        figures.setHorizontalSpacing(14)
        figures.setVerticalSpacing(1)
        self._add_group(figures, 0, "This frame", [text for _, text in _FRAME])
        figures.setColumnMinimumWidth(len(_FRAME) + 1, 10)
        self._add_group(figures, len(_FRAME) + 2, "Study", [text for _, _, text in _STUDY])
        figures.setColumnStretch(len(_FRAME) + len(_STUDY) + 3, 1)
        top = row(label("Before:", "soft"), self.chooser, self._why, self.shading, *legend, spacing=8)
        top.setStretch(2, 1)
        self.setLayout(column(top, figures, spacing=7, margins=(12, 7, 12, 8)))

    def _legend_of(self, difference: Difference) -> QFrame:
        whole, mark = QFrame(), QLabel()
        mark.setPixmap(swatch(DIFFERENCE_COLOURS[difference], 12).pixmap(12, 12))
        whole.setLayout(row(mark, label(_LEGEND[difference], "small"), spacing=4))
        return whole

    def _add_group(self, grid: QGridLayout, at: int, head: str, names: list[str]) -> None:
        grid.addWidget(label(f"{head}\nin ml", "small"), 0, at, 2, 1)
        for offset, name in enumerate(names, at + 1):
            figure = label(DASH, "figure")
            figure.setAccessibleName(f"{head}: change of {name}")
            figure.setMinimumWidth(figure.fontMetrics().horizontalAdvance("+888.8") + 8)
            grid.addWidget(label(name, "small"), 0, offset)
            grid.addWidget(figure, 1, offset)
            self._figures[name] = figure

    def show_choice(self, earlier: Earlier) -> None:
        """Show the version to compare with."""
        self.chooser.setCurrentIndex(list(Earlier).index(earlier))

    def show_changes(self, changes: VolumeChanges | None, now: Mapping[str, float | None]) -> None:
        """The difference in ml.

        Args:
            changes: Changes of the volumes; None without a study.
            now: Volumes as they are now by "lv_edv_ml" and so on; None where one is not known.
        """
        self._why.setText("" if changes is None else changes.why_not)
        self._why.setToolTip(self._why.text())
        for key, text in _FRAME:
            self._show(text, None if changes is None else changes.frame_ml.get(key), None)
        for mark, key, text in _STUDY:
            volumes = None if changes is None else (changes.edv_ml if mark == "edv" else changes.esv_ml)
            side = "lv" if key is Label.LVBP else "rv"
            self._show(text, None if volumes is None else volumes.get(key), now.get(f"{side}_{mark}_ml"))

    def _show(self, name: str, change_ml: float | None, now_ml: float | None) -> None:
        figure = self._figures[name]
        figure.setText(DASH if change_ml is None else signed(change_ml))
        tip = f"Change of {name}: after minus before"
        if change_ml is not None and now_ml is not None:
            tip = f"{name}: {now_ml - change_ml:.1f} ml before, {now_ml:.1f} ml after"
        figure.setToolTip(tip)

    def figure(self, name: str) -> str:
        """The figure for a volume, such as "LV EDV"."""
        return self._figures[name].text()

    def _choose(self, index: int) -> None:
        self.chosen.emit(self.chooser.itemData(index))


def signed(value: float) -> str:
    """A difference to a tenth, with its sign where it is not 0."""
    shown = f"{abs(value):.1f}"
    sign = "" if float(shown) == 0 else "+" if value > 0 else "\N{MINUS SIGN}"
    return sign + shown
