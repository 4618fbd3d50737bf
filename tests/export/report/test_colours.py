import pytest

from cmr_viewer.export.report.colours import CIVIDIS, THICKNESS, Scale, ink_on


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
