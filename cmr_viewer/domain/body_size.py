"""Body surface area, which volumes and mass are indexed by."""

from enum import StrEnum

from cmr_viewer.domain.patient import Patient
from cmr_viewer.errors import GeometryError


class BsaFormula(StrEnum):
    """How body surface area follows from height and weight."""

    MOSTELLER = "mosteller"
    DU_BOIS = "du_bois"

    @property
    def text(self) -> str:
        """The words shown to a reader."""
        return {"mosteller": "Mosteller", "du_bois": "Du Bois"}[self.value]

    @property
    def source(self) -> str:
        """Where the formula was published."""
        return {
            "mosteller": "Mosteller 1987, N Engl J Med 317:1098",
            "du_bois": "Du Bois and Du Bois 1916, Arch Intern Med 17:863-871",
        }[self.value]


def body_surface_area_m2(height_cm: float, weight_kg: float, formula: BsaFormula = BsaFormula.MOSTELLER) -> float:
    """Body surface area.

    Args:
        height_cm: Height, > 0.
        weight_kg: Weight, > 0.
        formula: Mosteller: sqrt(height x weight / 3600). Du Bois: 0.007184 height^0.725 weight^0.425.

    Returns:
        Area in square metres.

    Raises:
        GeometryError: Height or weight is not positive.

    Source:
        R. D. Mosteller, Simplified calculation of body-surface area, N Engl J Med 317:1098, 1987.
        D. Du Bois, E. F. Du Bois, A formula to estimate the approximate surface area if height and weight be known,
        Arch Intern Med 17:863-871, 1916.
    """
    if not (height_cm > 0 and weight_kg > 0):
        raise GeometryError(f"Height and weight must be positive, not {height_cm} cm and {weight_kg} kg.")
    if formula is BsaFormula.DU_BOIS:
        return float(0.007184 * height_cm**0.725 * weight_kg**0.425)
    return float((height_cm * weight_kg / 3600.0) ** 0.5)


def bsa_of(patient: Patient, formula: BsaFormula = BsaFormula.MOSTELLER) -> tuple[float | None, str]:
    """Body surface area of a patient in square metres and an empty text; or None and the reason why it is not known."""
    missing = [
        word
        for word, value in (("height", patient.height_cm), ("weight", patient.weight_kg))
        if value is None or value <= 0
    ]
    if missing or patient.height_cm is None or patient.weight_kg is None:
        verb = "is" if len(missing) == 1 else "are"
        return (
            None,
            f"The patient's {' and '.join(missing)} {verb} not known. Enter {'it' if verb == 'is' else 'them'}.",
        )
    return body_surface_area_m2(patient.height_cm, patient.weight_kg, formula), ""
