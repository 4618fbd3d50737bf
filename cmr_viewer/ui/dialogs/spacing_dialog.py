"""Corrects the spacing of a study whose file states none, or one that is not true."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QDoubleSpinBox, QFormLayout, QPushButton, QWidget

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.opening import Opening
from cmr_viewer.ui.window.widgets import column, label

SpacingMm = tuple[float, float, float]
"""(row, col, slice) distances in mm."""

_USUAL_MM: SpacingMm = (1.4, 1.4, 10.0)
"""Where nothing is known: what short-axis cine is usually acquired with (Kramer et al. 2020: 1.5-2 mm in plane
interpolated to less, 8-10 mm from slice to slice)."""

_LONGEST_MM = 100.0


class SpacingDialog(QDialog):
    """Asks for the distances of rows, columns and slices.

    Args:
        geometry: The grid of the open stack.
        opening: How the study was opened; a spacing in it was given by a reader.
        parent: The window.

    Signals:
        spacing_chosen(object): `SpacingMm`, or None for the file's own.
    """

    spacing_chosen = Signal(object)

    def __init__(self, geometry: Geometry, opening: Opening, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Correct spacing")
        self._known = geometry.spacing_known
        down, across = geometry.pixel_spacing_mm
        apart = geometry.single_slice_spacing_mm if geometry.slices == 1 else geometry.slice_spacing_mm
        self._now: SpacingMm = (down, across, apart or _USUAL_MM[2]) if self._known else _USUAL_MM
        self._boxes = tuple(
            _box(value, name) for value, name in zip(self._now, ("rows", "columns", "slices"), strict=True)
        )
        if opening.spacing_mm is not None:
            source = "A reader entered these distances; the file gives other values."
        elif self._known:
            source = "These distances come from the file."
        else:
            source = "The file does not give the spacing, so there are no ml, mm or g. The values below are typical."
        form = QFormLayout()
        form.setSpacing(10)
        for box, text in zip(self._boxes, ("Row to row", "Column to column", "Slice to slice"), strict=True):
            form.addRow(text, box)
            box.valueChanged.connect(self._show_volume)
        self._volume = label("", "soft")
        form.addRow("Voxel volume", self._volume)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        if opening.spacing_mm is not None:
            back = QPushButton("Reset to file values")
            back.setToolTip("Discard the correction and use the values from the file")
            back.clicked.connect(self._use_the_files)
            buttons.addButton(back, QDialogButtonBox.ButtonRole.ResetRole)
        note = label(
            "Distances between centres, not slice thickness. Saved with this study. Volumes are updated. Frames that "
            "you did not work on are segmented again.",
            "small",
            wrap=True,
        )
        self.setLayout(
            column(label(source, "soft", wrap=True), form, note, buttons, spacing=12, margins=(18, 16, 18, 14))
        )
        self.setMinimumWidth(420)
        self._show_volume()

    @property
    def spacing_mm(self) -> SpacingMm:
        """What is entered."""
        row, col, apart = (box.value() for box in self._boxes)
        return row, col, apart

    def _show_volume(self) -> None:
        row, col, apart = self.spacing_mm
        old = self._now[0] * self._now[1] * self._now[2]
        now = row * col * apart
        change = (
            f"; volumes change by a factor of {now / old:.2f}" if self._known and abs(now / old - 1) > 0.005 else ""
        )
        self._volume.setText(f"{now:.1f} mm\N{SUPERSCRIPT THREE}{change}")

    def _use_the_files(self) -> None:
        super().accept()
        self.spacing_chosen.emit(None)

    def accept(self) -> None:
        """Tell what was entered."""
        super().accept()
        self.spacing_chosen.emit(self.spacing_mm)


def _box(value: float, name: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setDecimals(4)
    box.setRange(0.01, _LONGEST_MM)
    box.setSingleStep(0.05)
    box.setSuffix(" mm")
    box.setValue(value)
    box.setAccessibleName(f"Distance between {name} in mm")
    box.setToolTip(f"Distance between the centres of neighbouring {name}")
    box.setAlignment(Qt.AlignmentFlag.AlignRight)
    return box
