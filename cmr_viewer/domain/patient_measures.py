"""Measures that need the patient as well: cardiac output, and what is indexed to body surface area."""

from collections.abc import Mapping
from dataclasses import dataclass

from cmr_viewer.domain.body_size import BsaFormula, bsa_of
from cmr_viewer.domain.measures import MEASURE_NAMES, Measures
from cmr_viewer.domain.papillary import PapillaryConvention
from cmr_viewer.domain.patient import UNKNOWN_PATIENT, Patient

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
