import dataclasses

import pytest

from cmr_viewer.load.stacks.groups import group_headers
from cmr_viewer.load.stacks.weighting import differs_in
from tests.load.stacks.test_groups import header, of_series, series, shape

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
