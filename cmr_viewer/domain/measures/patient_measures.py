"""Measures that need the patient as well: cardiac output, what is indexed to body surface area, and normal ranges.

The normal ranges are those of the UK Biobank: S. E. Petersen et al., Reference ranges for cardiac structure and
function using cardiovascular magnetic resonance (CMR) in Caucasians from the UK Biobank population cohort, J Cardiovasc
Magn Reson 19:18, 2017, doi 10.1186/s12968-017-0327-9. 368 men and 432 women of 45 to 74 years, healthy, 1.5 T,
papillary muscles in the blood pool. Given are its means and standard deviations by sex (Table 12; mass index and EF
also in the abstract) as mean +- 1.96 SD. The table's limits by decade of age, its other indexed volumes and its right
ventricles are left out, because their numbers could not be checked against a second source.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from cmr_viewer.domain.measures.papillary import PapillaryConvention
from cmr_viewer.domain.measures.volumes import MEASURE_NAMES, Measures
from cmr_viewer.domain.patient import UNKNOWN_PATIENT, Patient, Sex
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


OUTPUT_NAMES = ("lv_co_l_per_min", "rv_co_l_per_min")

INDEXED: Mapping[str, str] = {
    "lv_edv_index_ml_per_m2": "lv_edv_ml",
    "lv_esv_index_ml_per_m2": "lv_esv_ml",
    "lv_sv_index_ml_per_m2": "lv_sv_ml",
    "lv_ci_l_per_min_per_m2": "lv_co_l_per_min",
    "lv_mass_index_g_per_m2": "lv_mass_g",
    "rv_edv_index_ml_per_m2": "rv_edv_ml",
    "rv_esv_index_ml_per_m2": "rv_esv_ml",
    "rv_sv_index_ml_per_m2": "rv_sv_ml",
    "rv_ci_l_per_min_per_m2": "rv_co_l_per_min",
}
"""By name of an indexed measure: what is divided by body surface area."""

ALL_MEASURE_NAMES: tuple[str, ...] = (*MEASURE_NAMES, *OUTPUT_NAMES, *INDEXED)
"""Every measure of the ventricles' label maps."""

_UNITS = (
    ("_l_per_min_per_m2", "l/min/m²"),
    ("_ml_per_m2", "ml/m²"),
    ("_g_per_m2", "g/m²"),
    ("_l_per_min", "l/min"),
    ("_percent", "%"),
    ("_ml", "ml"),
    ("_g", "g"),
)
_WORDS = {
    "edv": "EDV",
    "esv": "ESV",
    "sv": "SV",
    "ef": "EF",
    "mass": "mass",
    "co": "CO",
    "ci": "cardiac index",
    "edv_index": "EDV index",
    "esv_index": "ESV index",
    "sv_index": "SV index",
    "mass_index": "mass index",
}


def unit_of(name: str) -> str:
    """Unit of a measure as it is printed: "ml", "%", "l/min/m²"."""
    return next(unit for ending, unit in _UNITS if name.endswith(ending))


def text_of(name: str) -> str:
    """A measure's name as it is printed: "LV EDV", "RV cardiac index"."""
    ending = next(ending for ending, _ in _UNITS if name.endswith(ending))
    side, _, what = name.removesuffix(ending).partition("_")
    return f"{side.upper()} {_WORDS[what]}"


@dataclass(frozen=True)
class PatientMeasures:
    """All measures of a stack and its patient; None where it cannot be known, with the reason in `reasons`.

    Attributes:
        ed_phase: End-diastole.
        es_phase: End-systole.
        values: By name (`ALL_MEASURE_NAMES`), in the unit that the name ends in.
        reasons: By name: why a value is None.
        papillary: Where papillary muscles are counted; to be printed with every figure.
        patient: Whose they are.
        bsa_m2: Body surface area, or None.
        bsa_formula: How it was worked out.
    """

    ed_phase: int | None
    es_phase: int | None
    values: Mapping[str, float | None]
    reasons: Mapping[str, str]
    papillary: PapillaryConvention
    patient: Patient
    bsa_m2: float | None
    bsa_formula: BsaFormula


def patient_measures(
    measures: Measures, patient: Patient = UNKNOWN_PATIENT, formula: BsaFormula = BsaFormula.MOSTELLER
) -> PatientMeasures:
    """Add cardiac output and indexed measures to those of the label maps.

    Args:
        measures: From `measure`.
        patient: What is known of the patient; without heart rate no output, without height and weight nothing indexed.
        formula: Of body surface area.

    Returns:
        All of `ALL_MEASURE_NAMES`.

    Source:
        Cardiac output is stroke volume times heart rate; indexing by body surface area: Schulz-Menger et al. 2020,
        J Cardiovasc Magn Reson 22:19.
    """
    values: dict[str, float | None] = {name: measures.values.get(name) for name in MEASURE_NAMES}
    reasons = dict(measures.reasons)
    rate, (bsa, no_bsa) = patient.heart_rate_bpm, bsa_of(patient, formula)
    for name in OUTPUT_NAMES:
        stroke = f"{name[:2]}_sv_ml"
        volume = values[stroke]
        values[name] = None if volume is None or rate is None else volume * rate / 1000.0
        if volume is None:
            reasons[name] = reasons.get(stroke, "The stroke volume is not known.")
        elif rate is None:
            reasons[name] = "The heart rate is not stated. Enter it."
    for name, whole in INDEXED.items():
        value = values[whole]
        values[name] = None if value is None or bsa is None else value / bsa
        if value is None:
            reasons[name] = reasons.get(whole, "It was not measured.")
        elif bsa is None:
            reasons[name] = no_bsa
    return PatientMeasures(
        measures.ed_phase,
        measures.es_phase,
        {name: values[name] for name in ALL_MEASURE_NAMES},
        reasons,
        measures.papillary,
        patient,
        bsa,
        formula,
    )


SOURCE = "Petersen et al. 2017, J Cardiovasc Magn Reson 19:18, Table 12: mean ± 1.96 SD"
"""Stands beside each range."""

YOUNGEST, OLDEST = 45, 74
"""Ages that the table is valid for, in whole years."""

WITHIN_SD = 1.96
"""Standard deviations to either side of the mean within which 95 % of a normal distribution lie."""

_MEAN_AND_SD: Mapping[Sex, Mapping[str, tuple[float, float]]] = {
    Sex.MALE: {
        "lv_edv_ml": (166.0, 32.0),
        "lv_esv_ml": (69.0, 16.0),
        "lv_sv_ml": (96.0, 20.0),
        "lv_ef_percent": (58.0, 5.0),
        "lv_mass_index_g_per_m2": (53.0, 9.0),
    },
    Sex.FEMALE: {
        "lv_edv_ml": (124.0, 21.0),
        "lv_esv_ml": (49.0, 11.0),
        "lv_sv_ml": (75.0, 14.0),
        "lv_ef_percent": (61.0, 5.0),
        "lv_mass_index_g_per_m2": (42.0, 7.0),
    },
}

NAMES: tuple[str, ...] = tuple(_MEAN_AND_SD[Sex.MALE])
"""Measures that the table has."""


@dataclass(frozen=True)
class NormalRange:
    """The range of a measure in healthy people.

    Attributes:
        name: The measure (`ALL_MEASURE_NAMES`).
        low: Lower limit, in the unit of the measure.
        high: Upper limit.
        mean: Mean of the healthy people.
        source: The table, to be printed beside the range.
        holds_for: Whom it is valid for, in words.
    """

    name: str
    low: float
    high: float
    mean: float
    source: str
    holds_for: str

    def place_of(self, value: float) -> str:
        """Whether a value is "below", "within" or "above" the range; the limits are within."""
        if value < self.low:
            return "below"
        return "above" if value > self.high else "within"


def normal_range(name: str, patient: Patient, papillary: PapillaryConvention) -> tuple[NormalRange | None, str]:
    """The normal range of a measure for a patient and an empty text; or None and the reason why there is none.

    Args:
        name: The measure.
        patient: Sex and age are needed.
        papillary: Where papillary muscles are counted; the table is valid for the blood pool alone.

    Source:
        See the module.
    """
    if name not in NAMES:
        return None, "There are no verified normal values for this measure."
    if papillary is not PapillaryConvention.IN_BLOOD_POOL:
        return None, "The normal values apply only with papillary muscles in the blood pool."
    if patient.sex is None or patient.age_years is None:
        missing = [word for word, value in (("sex", patient.sex), ("age", patient.age_years)) if value is None]
        return None, f"Normal values depend on the patient's {' and '.join(missing)}."
    if not YOUNGEST <= patient.age_years < OLDEST + 1:
        return None, f"The normal values apply to ages from {YOUNGEST} to {OLDEST} years."
    mean, sd = _MEAN_AND_SD[patient.sex][name]
    whom = "women" if patient.sex is Sex.FEMALE else "men"
    holds_for = (
        f"healthy Caucasian {whom} of {YOUNGEST} to {OLDEST} years, {PapillaryConvention.IN_BLOOD_POOL.text}, 1.5 T"
    )
    return NormalRange(name, mean - WITHIN_SD * sd, mean + WITHIN_SD * sd, mean, SOURCE, holds_for), ""
