import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmr_viewer.export.report.bulls_eye import CIVIDIS, SECTORS, THICKNESS, Scale, ink_on, segment_at


def test_the_segments_lie_where_the_aha_puts_them():
    assert segment_at(0.0, 0.85) == 1  # basal anterior: at the top of the outer ring
    assert segment_at(-0.75, 0.4) == 2  # basal anteroseptal: upper left
    assert segment_at(-0.75, -0.4) == 3
    assert segment_at(0.0, -0.85) == 4  # basal inferior: at the bottom
    assert segment_at(0.75, -0.4) == 5
    assert segment_at(0.75, 0.4) == 6
    assert segment_at(0.0, 0.55) == 7
    assert segment_at(0.0, 0.25) == 13
    assert segment_at(-0.25, 0.0) == 14  # apical septal: on the left
    assert segment_at(0.0, -0.25) == 15
    assert segment_at(0.25, 0.0) == 16


def test_the_centre_and_the_outside_belong_to_no_segment():
    assert segment_at(0.0, 0.0) is None
    assert segment_at(1.01, 0.0) is None


@pytest.mark.parametrize("sector", SECTORS)
def test_the_middle_of_a_segment_lies_in_it(sector):
    assert segment_at(*sector.middle) == sector.segment


@given(st.floats(0.1, 0.999), st.floats(-math.pi, math.pi))
def test_every_place_of_the_wall_belongs_to_one_segment(radius, angle):
    right, up = radius * math.cos(angle), radius * math.sin(angle)
    if 0.1 <= math.hypot(right, up) < 1.0:
        assert segment_at(right, up) in range(1, 17)


def test_the_ends_of_a_scale_have_the_first_and_the_last_colour():
    assert THICKNESS.colour(THICKNESS.low) == CIVIDIS[0]
    assert THICKNESS.colour(THICKNESS.high) == CIVIDIS[-1]
    assert THICKNESS.colour(-5.0) == CIVIDIS[0]
    assert THICKNESS.colour(99.0) == CIVIDIS[-1]


def test_between_two_colours_lies_their_mean():
    assert Scale(0.0, 1.0, "", ("#000000", "#ffffff")).colour(0.5) == "#808080"


@pytest.mark.parametrize(("ground", "ink"), [("#000000", "#ffffff"), ("#ffffff", "#0b0d10"), ("#fee838", "#0b0d10")])
def test_text_on_a_colour_can_be_read(ground, ink):
    assert ink_on(ground) == ink
