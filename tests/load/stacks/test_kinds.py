import dataclasses

import pytest

from cmr_viewer.load.stacks.groups import group_headers
from cmr_viewer.load.stacks.kinds import (
    could_be_cine,
    differs_in,
    has_fixed_delays,
    image_kind,
    is_dynamic,
    is_magnitude,
    may_name_other_than_sax,
    names_long_axis,
    names_other_than_cine,
)
from tests.load.stacks.test_groups import header, of_series, series, shape


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


TRAITS = [
    ("echo_ms", (2.1, 4.3, 6.5, 8.7, 10.9, 13.1), "echo time"),
    ("inversion_ms", (80.0, 105.0, 130.0, 155.0, 180.0, 205.0), "inversion time"),
    ("b_value", (0.0, 50.0, 350.0, 500.0, 800.0, 1000.0), "b-value"),
    ("flip_deg", (3.0, 6.0, 9.0, 12.0, 15.0, 18.0), "flip angle"),
]


@pytest.mark.parametrize(("trait", "values", "name"), TRAITS)
def test_images_that_differ_one_by_one_in_something_else_than_time_are_no_phases(trait, values, name):
    images = [header("2", float(p), n, at=99.0, trigger_ms=500.0, **{trait: v})
              for p in (0, 10, 20) for n, v in enumerate(values)]  # fmt: skip
    groups = group_headers(images + series(1, [0, 10, 20]))
    assert [(of_series(g)[0], g.is_cine, g.differs_in) for g in groups] == [("1", True, ""), ("2", False, name)]


@pytest.mark.parametrize("b_values", [(0.0, *[350.0] * 6), (350.0,) * 6, (0.0, 0.0, *[350.0] * 6)])
def test_images_of_diffusion_in_several_directions_are_no_phases(b_values):
    images = [header("2", float(p), n, at=99.0, trigger_ms=500.0, b_value=b)
              for p in (0, 10, 20) for n, b in enumerate(b_values)]  # fmt: skip
    assert not any(group.is_cine for group in group_headers(images))


@pytest.mark.parametrize(("trait", "values", "name"), TRAITS)
def test_averages_of_each_weighting_are_no_phases(trait, values, name):
    images = [header("2", float(p), 2 * n + again, at=99.0, trigger_ms=500.0, **{trait: v})
              for p in (0, 10, 20) for n, v in enumerate(values) for again in (0, 1)]  # fmt: skip
    assert {group.why_no_phases for group in group_headers(images)} <= {
        f"differ in {name}, not in time", "differ in diffusion weighting, not in time"
    }  # fmt: skip


@pytest.mark.parametrize(("trait", "values", "name"), TRAITS)
def test_a_series_of_two_cines_is_two_stacks_and_the_first_is_suggested(trait, values, name):
    frames = [dataclasses.replace(h, **{trait: v}) for v in values[1::-1] for h in series(1, [0, 10, 20])]
    groups = group_headers(frames)
    assert [shape(g) for g in groups] == [(3, {10})] * 2
    assert [len(s.acquisitions) for g in groups for s in g.slices] == [1] * 6
    assert [getattr(g.first, trait) for g in groups] == list(values[:2])
    assert [w.name for g in groups for w in g.weighting] == [name] * 2
    assert len({g.key for g in groups}) == 2


def test_images_before_and_after_contrast_agent_in_one_series_are_two_stacks_the_first_acquired_first():
    before = series(1, [0, 10, 20], agent="")
    after = [dataclasses.replace(h, agent="Gd", instance_number=100 + h.instance_number) for h in before]
    groups = group_headers(after + before)
    assert [(shape(g), g.first.agent) for g in groups] == [((3, {10}), ""), ((3, {10}), "Gd")]
    assert [g.title for g in groups] == ["SAX cine, contrast agent none", "SAX cine, contrast agent Gd"]


@pytest.mark.parametrize("other", [("NORM",), ("FIL",), ("DIXON", "WATER")])
def test_two_reconstructions_of_the_same_moments_in_one_series_are_two_stacks(other):
    plain = series(1, [0, 10, 20], image_type=("ORIGINAL", "PRIMARY", "M"))
    again = [dataclasses.replace(h, image_type=(*h.image_type, *other), instance_number=50 + h.instance_number)
             for h in plain]  # fmt: skip
    groups = group_headers(plain + again)
    assert [(shape(g), g.first.image_type[3:]) for g in groups] == [((3, {10}), ()), ((3, {10}), other)]


def test_slices_that_were_reconstructed_differently_stay_one_stack():
    files = series(1, [0, 10], image_type=("ORIGINAL", "PRIMARY", "M")) + series(
        1, [20, 30], image_type=("ORIGINAL", "PRIMARY", "M", "NORM")
    )
    assert [shape(g) for g in group_headers(files)] == [(4, {10})]


@pytest.mark.parametrize(
    ("trait", "values"), [("echo_ms", (1.5, 1.53)), ("echo_ms", (1.5, 1.9)), ("agent", ("", "Gd"))]
)
def test_what_differs_from_slice_to_slice_does_not_part_a_stack(trait, values):
    files = series(1, [0, 10], **{trait: values[0]}) + series(1, [20, 30], **{trait: values[1]})
    (group,) = group_headers(files)
    assert (shape(group), group.weighting, group.differs_in) == ((4, {10}), (), "")


def test_echoes_that_are_series_of_their_own_acquired_together_are_two_stacks_the_first_echo_first():
    first = [h for n in range(3) for h in series(10 + n, [10 * n], at=60.0 * n, echo_ms=1.5)]
    second = [h for n in range(3) for h in series(20 + n, [10 * n], at=60.0 * n + 0.003, echo_ms=3.9)]
    groups = group_headers(first + second)
    assert [of_series(g) for g in groups] == [["10", "11", "12"], ["20", "21", "22"]]


def test_a_slice_that_was_acquired_again_with_another_echo_time_is_a_repeat_still():
    again = series(2, [10], at=100.0, echo_ms=1.9)
    (group,) = group_headers(series(1, [0, 10, 20], at=10.0, echo_ms=1.5) + again)
    assert of_series(group) == ["1", "2", "1"]


def test_frames_that_differ_in_nothing_but_time_differ_in_nothing():
    assert differs_in(series(1, [0], echo_ms=1.5, inversion_ms=0.0, flip_deg=50.0, b_value=0.0)) == ""
    assert differs_in(series(1, [0])) == ""
