import pytest

from cmr_viewer.domain.patient import Patient, Sex
from cmr_viewer.load.dicom import tags
from cmr_viewer.load.dicom.headers import age_in_years, heart_rate, is_plane, patient_of
from cmr_viewer.load.dicom.layout import PixelLayout
from cmr_viewer.load.dicom.values import Values


@pytest.mark.parametrize(
    ("orientation", "plane"),
    [
        ((1.0, 0.0, 0.0, 0.0, 1.0, 0.0), True),
        ((0.999, 0.03, 0.0, -0.03, 0.999, 0.0), True),
        ((1.0, 0.0, 0.0, 1.0, 0.0, 0.0), False),
        ((0.0, 0.0, 0.0, 0.0, 1.0, 0.0), False),
        ((2.0, 0.0, 0.0, 0.0, 1.0, 0.0), False),
    ],
)
def test_a_plane_has_two_perpendicular_directions_of_unit_length(orientation, plane):
    assert is_plane(orientation) is plane


@pytest.mark.parametrize(
    ("rate", "interval_ms", "expected"),
    [
        (75.0, None, 75.0),
        (0.0, 800.0, 75.0),
        (None, 800.0, 75.0),
        (None, 0.0, None),
        (5.0, None, None),
        (None, None, None),
    ],
)
def test_the_heart_rate_is_stated_or_follows_from_the_interval(rate, interval_ms, expected):
    assert heart_rate(rate, interval_ms) == expected


def test_a_layout_is_plain_without_scale():
    assert PixelLayout().is_plain
    assert not PixelLayout(slope=2.0).is_plain
    assert not PixelLayout(intercept=-1.0).is_plain


WHOLE = {
    tags.PATIENT_SEX: b"F ",
    tags.PATIENT_AGE: b"061Y",
    tags.PATIENT_BIRTH_DATE: b"19600501",
    tags.PATIENT_SIZE: b"1.68",
    tags.PATIENT_WEIGHT: b"64.5",
}


def found(changes, acquired="20210304"):
    return patient_of(Values({**WHOLE, **changes}, "<"), acquired)


def test_a_whole_header_shows_sex_age_and_body_size():
    assert found({}) == Patient(Sex.FEMALE, 61.0, 168.0, 64.5)


def test_without_an_age_it_is_that_of_the_birth_date_at_the_acquisition():
    assert found({tags.PATIENT_AGE: b""}).age_years == 60.0
    assert found({tags.PATIENT_AGE: b""}, "20210501").age_years == 61.0
    assert found({tags.PATIENT_AGE: b"", tags.PATIENT_BIRTH_DATE: b"1960.05.01"}).age_years == 60.0


@pytest.mark.parametrize(
    ("born", "acquired"),
    [
        (b"00000000", "20210304"),
        (b"", "20210304"),
        (b"19600501", ""),
        (b"19600501", "20120000"),
        (b"20220101", "20210304"),
    ],
)
def test_dates_that_are_none_give_no_age(born, acquired):
    assert found({tags.PATIENT_AGE: b"", tags.PATIENT_BIRTH_DATE: born}, acquired).age_years is None


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("061Y", 61.0),
        ("018M", 1.5),
        ("052W", 52 * 7 / 365.25),
        ("010D", 10 / 365.25),
        ("61", 61.0),
        ("61y", 61.0),
        ("000Y", None),
        ("", None),
        ("ADULT", None),
    ],
)
def test_ages_are_strings_with_a_unit(text, years):
    assert age_in_years(text) == (None if years is None else pytest.approx(years))


@pytest.mark.parametrize("sex", [b"O", b"", b"X", b"\xff"])
def test_another_sex_is_unknown(sex):
    assert found({tags.PATIENT_SEX: sex}).sex is None


def test_a_size_in_centimetres_is_taken_as_such():
    assert found({tags.PATIENT_SIZE: b"168"}).height_cm == 168.0


@pytest.mark.parametrize("zero", [b"0", b"0.0", b"", b"many", b"-1"])
def test_zeros_and_words_are_unknown(zero):
    patient = found({tags.PATIENT_SIZE: zero, tags.PATIENT_WEIGHT: zero})
    assert (patient.height_cm, patient.weight_kg) == (None, None)
