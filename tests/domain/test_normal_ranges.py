import pytest

from cmr_viewer.domain.normal_ranges import NAMES, SOURCE, normal_range
from cmr_viewer.domain.papillary import PapillaryConvention
from cmr_viewer.domain.patient import Patient, Sex
from cmr_viewer.domain.patient_measures import ALL_MEASURE_NAMES

IN_POOL = PapillaryConvention.IN_BLOOD_POOL
MAN, WOMAN = Patient(sex=Sex.MALE, age_years=60.0), Patient(sex=Sex.FEMALE, age_years=60.0)


@pytest.mark.parametrize(
    ("name", "patient", "low", "high"),
    [
        ("lv_edv_ml", MAN, 166 - 1.96 * 32, 166 + 1.96 * 32),
        ("lv_edv_ml", WOMAN, 124 - 1.96 * 21, 124 + 1.96 * 21),
        ("lv_esv_ml", MAN, 69 - 1.96 * 16, 69 + 1.96 * 16),
        ("lv_sv_ml", WOMAN, 75 - 1.96 * 14, 75 + 1.96 * 14),
        ("lv_ef_percent", MAN, 58 - 1.96 * 5, 58 + 1.96 * 5),
        ("lv_ef_percent", WOMAN, 61 - 1.96 * 5, 61 + 1.96 * 5),
        ("lv_mass_index_g_per_m2", MAN, 53 - 1.96 * 9, 53 + 1.96 * 9),
        ("lv_mass_index_g_per_m2", WOMAN, 42 - 1.96 * 7, 42 + 1.96 * 7),
    ],
)
def test_ranges_are_mean_and_1_96_sd_of_the_table(name, patient, low, high):
    found, reason = normal_range(name, patient, IN_POOL)
    assert (found.low, found.high, reason) == (pytest.approx(low), pytest.approx(high), "")
    assert found.source == SOURCE
    assert "papillary muscles in the blood pool" in found.holds_for


def test_means_of_the_table_agree_with_one_another():
    """Stroke volume is EDV - ESV and EF their ratio, of means as of people, to within a rounding."""
    for patient in (MAN, WOMAN):
        mean = {name: normal_range(name, patient, IN_POOL)[0].mean for name in NAMES}
        assert mean["lv_edv_ml"] - mean["lv_esv_ml"] == pytest.approx(mean["lv_sv_ml"], abs=1.5)
        assert 100 * mean["lv_sv_ml"] / mean["lv_edv_ml"] == pytest.approx(mean["lv_ef_percent"], abs=1.0)


def test_a_value_lies_below_within_or_above():
    found, _ = normal_range("lv_ef_percent", MAN, IN_POOL)
    assert [found.place_of(v) for v in (40.0, found.low, 58.0, found.high, 80.0)] == [
        "below",
        "within",
        "within",
        "within",
        "above",
    ]


@pytest.mark.parametrize(
    ("name", "patient", "papillary", "reason"),
    [
        ("lv_edv_ml", Patient(sex=Sex.MALE), IN_POOL, "depend on the patient's age"),
        ("lv_edv_ml", Patient(), IN_POOL, "sex and age"),
        ("lv_edv_ml", Patient(sex=Sex.MALE, age_years=44.9), IN_POOL, "ages from 45 to 74"),
        ("lv_edv_ml", Patient(sex=Sex.MALE, age_years=75.0), IN_POOL, "ages from 45 to 74"),
        ("lv_edv_ml", MAN, PapillaryConvention.IN_MASS, "only with papillary muscles in the blood pool"),
        ("rv_edv_ml", MAN, IN_POOL, "no verified normal values"),
    ],
)
def test_where_the_table_does_not_hold_it_is_stated_why(name, patient, papillary, reason):
    found, why = normal_range(name, patient, papillary)
    assert found is None
    assert reason in why


def test_the_table_names_measures_that_there_are():
    assert set(NAMES) <= set(ALL_MEASURE_NAMES)
