"""Normal ranges of the measures, by sex and age, from a published table.

The table is that of the UK Biobank: S. E. Petersen et al., Reference ranges for cardiac structure and function using
cardiovascular magnetic resonance (CMR) in Caucasians from the UK Biobank population cohort, J Cardiovasc Magn Reson
19:18, 2017, doi 10.1186/s12968-017-0327-9. 368 men and 432 women of 45 to 74 years, healthy, 1.5 T, papillary muscles
in the blood pool. Given are its means and standard deviations by sex (Table 12; mass index and EF also in the abstract)
as mean +- 1.96 SD. The table's limits by decade of age, its other indexed volumes and its right ventricles are not in
here, since their numbers could not be held against a second source.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cmr_viewer.domain.papillary import PapillaryConvention
from cmr_viewer.domain.patient import Patient, Sex

SOURCE = "Petersen et al. 2017, J Cardiovasc Magn Reson 19:18, Table 12: mean ± 1.96 SD"
"""Stands beside each range."""

YOUNGEST, OLDEST = 45, 74
"""Ages that the table holds for, in whole years."""

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
        holds_for: Whom it holds for, in words.
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
        papillary: Where papillary muscles are counted; the table holds for the blood pool alone.

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
