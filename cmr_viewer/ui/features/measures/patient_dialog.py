"""Facts of the patient that measures need: sex, age, body size, heart rate; and how measures are worked out."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QDoubleSpinBox, QFormLayout, QPushButton, QWidget

from cmr_viewer.domain.measures.papillary import PapillaryConvention
from cmr_viewer.domain.measures.patient_measures import BsaFormula, bsa_of
from cmr_viewer.domain.patient import LIMITS, UNKNOWN_PATIENT, Patient, Sex
from cmr_viewer.ui.window.widgets import DASH, column, label, rule

_NUMBERS = (
    ("age_years", "Age", " years", 0),
    ("height_cm", "Height", " cm", 0),
    ("weight_kg", "Weight", " kg", 1),
    ("heart_rate_bpm", "Heart rate", " beats/min", 0),
)


class PatientDialog(QDialog):
    """Asks for the patient's data that the files lack or have wrong.

    Args:
        in_files: The files' values.
        typed: What was typed before.
        formula: Of body surface area.
        convention: Where papillary muscles are counted.
        parent: The window.

    Signals:
        typed(object): `Patient` with what differs from the files; the rest is None.
        method_chosen(object, object): `BsaFormula` and `PapillaryConvention`.
    """

    typed = Signal(object)
    method_chosen = Signal(object, object)

    def __init__(
        self,
        in_files: Patient,
        typed: Patient,
        formula: BsaFormula,
        convention: PapillaryConvention,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Patient and body size")
        self._in_files = in_files
        shown = in_files.with_typed(typed)
        self._sex = QComboBox()
        self._sex.setAccessibleName("Sex")
        self._sex.setToolTip("Sex as used in tables of normal values")
        for text, sex in (("Not known", None), *((sex.text, sex) for sex in Sex)):
            self._sex.addItem(text, sex)
        self._numbers = {name: _box(name, text, suffix, digits) for name, text, suffix, digits in _NUMBERS}
        self._formula = QComboBox()
        self._formula.setAccessibleName("Body surface area formula")
        for one in BsaFormula:
            self._formula.addItem(one.text, one)
            self._formula.setItemData(self._formula.count() - 1, one.source, Qt.ItemDataRole.ToolTipRole)
        self._convention = QComboBox()
        self._convention.setAccessibleName("Papillary muscles")
        for each in PapillaryConvention:
            self._convention.addItem(_CONVENTION_TEXTS[each], each)
            self._convention.setItemData(self._convention.count() - 1, each.method, Qt.ItemDataRole.ToolTipRole)
        self._bsa = label("", "soft", wrap=True)
        self._put(shown)
        self._formula.setCurrentIndex(self._formula.findData(formula))
        self._convention.setCurrentIndex(self._convention.findData(convention))
        for box in self._numbers.values():
            box.valueChanged.connect(self._show_bsa)
        self._formula.currentIndexChanged.connect(self._show_bsa)
        self._convention.currentIndexChanged.connect(self._show_bsa)
        self.setLayout(column(*self._parts(), spacing=12, margins=(18, 16, 18, 14)))
        self.setMinimumWidth(440)
        self._show_bsa()

    def _parts(self) -> list[QWidget | QFormLayout]:
        form = QFormLayout()
        form.setSpacing(10)
        form.addRow("Sex", self._sex)
        for (_, text, _, _), box in zip(_NUMBERS, self._numbers.values(), strict=True):
            form.addRow(text, box)
        form.addRow(rule())
        form.addRow("Body surface area", self._formula)
        form.addRow("", self._bsa)
        form.addRow("Papillary muscles", self._convention)
        known = "Values from the files are filled in. Enter what is missing or wrong."
        if self._in_files == UNKNOWN_PATIENT:
            known = "The files contain no patient data."
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        back = QPushButton("Reset to DICOM values")
        back.setToolTip("Discard your entries and use the values from the files")
        back.clicked.connect(self._use_the_files)
        buttons.addButton(back, QDialogButtonBox.ButtonRole.ResetRole)
        note = label(
            "Saved with this study. The formula and the papillary muscle setting apply to all studies and are printed "
            "with every value. Do not enter patient names or numbers: none are needed.",
            "small",
            wrap=True,
        )
        return [label(known, "soft", wrap=True), form, note, buttons]

    @property
    def entered(self) -> Patient:
        """The values in the boxes; None where a box is empty."""
        values = {name: box.value() if box.value() > box.minimum() else None for name, box in self._numbers.items()}
        sex = self._sex.currentData()  # Qt gives the text of an enumeration back
        return Patient(sex=None if sex is None else Sex(sex), **values)

    @property
    def formula(self) -> BsaFormula:
        """The formula that is chosen."""
        return BsaFormula(self._formula.currentData())

    @property
    def convention(self) -> PapillaryConvention:
        """The convention that is chosen."""
        return PapillaryConvention(self._convention.currentData())

    @property
    def bsa_text(self) -> str:
        """The text on the body surface area."""
        return self._bsa.text()

    def _put(self, patient: Patient) -> None:
        self._sex.setCurrentIndex(self._sex.findData(patient.sex))
        for name, box in self._numbers.items():
            value = getattr(patient, name)
            box.setValue(box.minimum() if value is None else value)

    def _use_the_files(self) -> None:
        self._put(self._in_files)

    def _show_bsa(self) -> None:
        area, why_not = bsa_of(self.entered, self.formula)
        self._bsa.setText(why_not if area is None else f"{area:.2f} m²")
        self._formula.setToolTip(self.formula.source)
        self._convention.setToolTip(self.convention.method)

    def accept(self) -> None:
        """Tell what was entered."""
        super().accept()
        entered = self.entered
        typed = {
            name: getattr(entered, name)
            for name, box in self._numbers.items()
            if not _shows(box, getattr(self._in_files, name))
        }
        sex = None if entered.sex is self._in_files.sex else entered.sex
        self.method_chosen.emit(self.formula, self.convention)
        self.typed.emit(Patient(sex=sex, **typed))


def _shows(box: QDoubleSpinBox, value: float | None) -> bool:
    """Whether a box shows a value, as far as its decimals go."""
    return value is not None and abs(value - box.value()) <= 0.5 * 10.0 ** -box.decimals()


_CONVENTION_TEXTS = {
    PapillaryConvention.IN_BLOOD_POOL: "In the blood pool, as drawn",
    PapillaryConvention.IN_MASS: "In the mass, by threshold",
}


def _box(name: str, text: str, suffix: str, digits: int) -> QDoubleSpinBox:
    low, high = LIMITS[name]
    step = 0.1 if digits else 1.0
    box = QDoubleSpinBox()
    box.setDecimals(digits)
    box.setRange(low - step, high)
    box.setSpecialValueText(f"{DASH} not known")
    box.setSingleStep(1.0)
    box.setSuffix(suffix)
    box.setAccessibleName(text)
    box.setToolTip(f"{text}, {low:g} to {high:g}{suffix}; the lowest value means not known")
    box.setAlignment(Qt.AlignmentFlag.AlignRight)
    return box
