import pytest

from cmr_viewer.load.stacks.kinds import (
    could_be_cine,
    has_fixed_delays,
    image_kind,
    is_dynamic,
    is_magnitude,
    may_name_other_than_sax,
    names_long_axis,
    names_other_than_cine,
)
from tests.load.stacks.test_groups import header


@pytest.mark.parametrize(
    "image_type",
    [
        ("ORIGINAL", "PRIMARY", "M", "RETRO", "NORM", "DIS2D"),
        ("ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"),
        ("ORIGINAL", "PRIMARY", "OTHER"),
        ("ORIGINAL", "PRIMARY"),
        (),
    ],
)
def test_brightness_is_recognised_by_the_image_type_of_each_vendor(image_type):
    assert is_magnitude(header(image_type=image_type, kind=image_type[2] if len(image_type) > 2 else ""))


@pytest.mark.parametrize(
    "image_type",
    [
        ("ORIGINAL", "PRIMARY", "P", "RETRO", "DIS2D"),
        ("ORIGINAL", "PRIMARY", "PHASE MAP", "P", "PCA"),
        ("ORIGINAL", "PRIMARY", "VELOCITY MAP", "P", "PCA"),
        ("DERIVED", "PRIMARY", "T1 MAP", "MOCO"),
        ("ORIGINAL", "PRIMARY", "R_FFE"),
    ],
)
def test_phases_velocities_and_maps_are_no_brightness(image_type):
    assert not is_magnitude(header(image_type=image_type, kind=image_type[2]))


@pytest.mark.parametrize("name", ["SAX tagging", "perfusion rest", "Flow_AO", "LGE sax", "localizer", "T1map", "scout"])
def test_names_hint_at_other_images(name):
    assert names_other_than_cine(header(description=name))
    assert not could_be_cine(header(description=name))


@pytest.mark.parametrize(
    "name", ["SAX cine", "cine_sax_12", "SA FIESTA", "sBTFE_BH_SA", "tfi_cine_stack", "", "KURZE ACHSE"]
)
def test_names_of_short_axis_cines_hint_at_nothing_else(name):
    assert could_be_cine(header(description=name))
    assert not names_long_axis(header(description=name))


ORDINARY = [
    "CINE EJE CORTO DE VI",
    "cine eje corto de la base",
    "Cine petit axe de la base",
    "ciné coupe petit axe, dense",
    "CINE ASSE CORTO DI VS",
    "cine eixo curto do VE, perfil",
    "KURZE ACHSE Tag 2",
    "tfi cine SA de.facto",
    "korte as cine, dynamisch",
    "os krotka cine",
    "kisa eks sine",
    "SAX dynamic cine",
    "SA cine flow comp",
    "SA Cine FLOWCOMP",
    "sBTFE_SA_BH RT",
    "SA cine 32ch coil",
]


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_words_of_a_cine_in_any_language_do_not_say_that_it_is_something_else(name):
    assert could_be_cine(header(description=name))
    assert not names_long_axis(header(description=name))


@pytest.mark.parametrize("name", ["SAX dynamic cine", "grid sax", "SA 4D", "Tag sax", "cine 2ch"])
def test_a_word_of_two_meanings_is_a_lesser_hint(name):
    assert may_name_other_than_sax(header(description=name))
    assert could_be_cine(header(description=name))


@pytest.mark.parametrize(
    "name", ["perfusión de primer paso", "Perfusão", "perfuzja", "Perfüzyon", "Lokalisator", "localizador", "TI_Scout"]
)
def test_words_of_one_meaning_are_hints_in_other_languages_too(name):
    assert names_other_than_cine(header(description=name))


@pytest.mark.parametrize("name", ["cine 4CH", "2 ch", "LVOT cine", "RVOT", "cine_lax", "four chamber", "axial cine"])
def test_names_hint_at_long_axes(name):
    assert names_long_axis(header(description=name))


def test_the_number_in_a_sequence_name_does_not_make_another_kind():
    assert image_kind(header(sequence="*tfi2d1_15")) == image_kind(header(sequence="*tfi2d1_12"))
    assert image_kind(header(sequence="*tfi2d1_15")) != image_kind(header(sequence="*fl2d1"))


def test_images_before_and_after_distortion_correction_are_of_two_kinds():
    corrected = header(image_type=("ORIGINAL", "PRIMARY", "M", "DIS2D"))
    assert image_kind(corrected) != image_kind(header(image_type=("ORIGINAL", "PRIMARY", "M", "ND")))


@pytest.mark.parametrize(
    ("step_s", "trigger_step_ms", "dynamic"),
    [
        (0.9, 0.0, True),  # perfusion: each beat, at one time after the R wave
        (0.9, 900.0, True),  # the same, trigger times counted on
        (0.03, 30.0, False),  # a cine, acquisition times by phase
        (0.0, 30.0, False),  # a cine, one acquisition time
        (0.5, 30.0, False),  # a cine acquired phase by phase
        (0.9, 4.0, True),  # perfusion whose delay drifts
        (None, 900.0, True),  # perfusion of which trigger times alone are known
        (None, 30_000.0, False),  # a cine, trigger times in microseconds
        (2.0, None, True),  # perfusion in every second beat, without trigger times
        (0.03, None, False),  # a cine without trigger times
    ],
)
def test_images_of_different_beats_are_distinguished_from_phases_of_one(step_s, trigger_step_ms, dynamic):
    headers = [
        header(
            phase=p,
            at=None if step_s is None else 100.0 + step_s * p,
            trigger_ms=None if trigger_step_ms is None else 200.0 + trigger_step_ms * p,
        )
        for p in range(12)
    ]
    assert is_dynamic(headers) == dynamic


@pytest.mark.parametrize(
    ("changes", "dynamic"),
    [
        ({"trigger_ms": None, "temporal_step_ms": 850.0}, True),  # Philips' perfusion: a number for each beat
        ({"trigger_ms": 300.0, "temporal_step_ms": 850.0}, True),
        ({"temporal_step_ms": 850.0}, False),  # a cine that states the length of its cycle
        ({"trigger_ms": None, "temporal_step_ms": 40.0}, False),
    ],
)
def test_a_temporal_resolution_of_a_beat_shows_images_of_different_beats(changes, dynamic):
    headers = [header(phase=p, at=9.0, temporal_position=p + 1.0, **changes) for p in range(8)]
    assert is_dynamic(headers) == dynamic


@pytest.mark.parametrize("acquired", [None, 50.0])
def test_images_of_a_cine_may_be_made_slowly(acquired):
    files = [header(phase=p, at=acquired, trigger_ms=None, made_at_s=60.0 + 1.2 * (p ^ 1)) for p in range(8)]
    assert not is_dynamic(files)


def test_beats_are_recognised_over_midnight():
    times = [86399.0, 86399.9, 0.8, 1.7, 2.6]
    assert is_dynamic([header(phase=p, at=at, trigger_ms=100.0) for p, at in enumerate(times)])


def test_trigger_times_that_jitter_from_beat_to_beat_are_of_different_beats():
    jitter = (0, 61, 12, 48, 77, 5, 33, 90, 21, 68, 40, 84)
    assert is_dynamic([header(phase=p, at=100.0 + 0.9 * p, trigger_ms=200.0 + t) for p, t in enumerate(jitter)])


@pytest.mark.parametrize(
    ("delays_ms", "fixed"),
    [((100.0, 250.0, 400.0), True), ((0.0, 0.0, 0.0), False), ((100.0, 120.0, 400.0), False), ((100.0,), False)],
)
def test_perfusion_has_one_time_after_the_r_wave_for_each_slice_and_another_for_the_next(delays_ms, fixed):
    slices = [
        [header(place=10.0 * n, phase=beat, trigger_ms=delay, temporal_position=beat + 1.0) for beat in range(20)]
        for n, delay in enumerate(delays_ms)
    ]
    assert has_fixed_delays(slices) is fixed


def test_phases_of_a_cycle_have_no_fixed_delays():
    assert not has_fixed_delays([[header(place=10.0 * n, phase=p) for p in range(10)] for n in range(3)])
