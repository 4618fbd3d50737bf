import re
from itertools import combinations

import numpy as np
import pytest
from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from cmr_viewer.domain.anatomy import REGIONS
from cmr_viewer.ui.window.theme import (
    DARK,
    LIGHT,
    PALETTES,
    REGION_COLOURS,
    REGION_LETTERS,
    STRUCTURE_COLOURS,
    apply_theme,
    colour,
    icon,
    image_colour,
    readable_on,
    shown_theme,
    style_sheet,
    theme_of,
)

SIGHT = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB."""


def linear(tint: str):
    c = np.array([int(tint[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ np.clip(rgb, 0, 1)
    f = xyz / [0.9505, 1.0, 1.089]
    f = np.where(f > 0.008856, np.cbrt(f), 7.787 * f + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    weights = np.array([0.2126, 0.7152, 0.0722])
    a, b = sorted((float(weights @ linear(c)) for c in (one, other)), reverse=True)
    return (a + 0.05) / (b + 0.05)


@pytest.mark.parametrize("sight", SIGHT)
def test_the_colours_of_two_regions_are_far_apart_for_every_reader(sight):
    seen = {region: lab(np.asarray(SIGHT[sight]) @ linear(REGION_COLOURS[region])) for region in REGIONS}
    for one, other in combinations(REGIONS, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 20, (one, other)


def test_no_region_looks_like_an_outline():
    for region in REGION_COLOURS.values():
        for structure in STRUCTURE_COLOURS.values():
            assert np.linalg.norm(lab(linear(region)) - lab(linear(structure))) > 20


GROUNDS = ("ground", "panel", "raised", "field", "hover", "pressed", "offer")
"""Everything that text stands on: backgrounds of `window.qss` and of what is painted."""


@pytest.mark.parametrize("theme", PALETTES)
@pytest.mark.parametrize("ground", GROUNDS)
def test_text_is_readable_on_every_ground(theme, ground):
    palette = PALETTES[theme]
    assert contrast(palette["text"], palette[ground]) >= 7
    assert contrast(palette["bright"], palette[ground]) >= 7
    assert contrast(palette["soft"], palette[ground]) >= 4.5


@pytest.mark.parametrize("theme", PALETTES)
@pytest.mark.parametrize("tint", ["accent", "good", "warn", "bad"])
@pytest.mark.parametrize("ground", ["ground", "panel", "raised", "field"])
def test_coloured_text_is_readable_where_it_stands(theme, tint, ground):
    assert contrast(PALETTES[theme][tint], PALETTES[theme][ground]) >= 4.5


@pytest.mark.parametrize("theme", PALETTES)
def test_chosen_things_and_hints_are_readable(theme):
    palette = PALETTES[theme]
    for ground in ("accent_dark", "accent_hover"):
        assert contrast(palette["bright"], palette[ground]) >= 4.5
        assert contrast(palette["text"], palette[ground]) >= 4.5
    assert contrast(palette["faint"], palette["field"]) >= 4.5


def rules(theme):
    """(selector, colour, background) of each rule of the style sheet; None where it does not say."""
    text = re.sub(r"/\*.*?\*/", "", style_sheet(PALETTES[theme]), flags=re.DOTALL)
    for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", text):
        said = dict(re.findall(r"([a-z-]+)\s*:\s*([^;]+);", body))
        yield selector.strip(), said.get("color"), said.get("background")


@pytest.mark.parametrize("theme", PALETTES)
def test_every_rule_of_the_style_sheet_with_text_on_a_ground_is_readable(theme):
    pairs = [
        (selector, ink, ground)
        for selector, ink, ground in rules(theme)
        if ink and ground and ground.startswith("#") and "disabled" not in selector
    ]
    assert len(pairs) > 8
    assert [pair for pair in pairs if contrast(pair[1], pair[2]) < 4.5] == []


@pytest.mark.parametrize("theme", PALETTES)
def test_the_ring_of_what_has_the_keyboard_stands_out(theme):
    palette = PALETTES[theme]
    for ground in ("ground", "panel", "raised", "field", "accent_dark"):
        assert contrast(palette["focus"], palette[ground]) >= 3, "WCAG 2.1, 1.4.11"


def test_all_themes_name_the_same_colours():
    assert DARK.keys() == LIGHT.keys()


@pytest.mark.parametrize("chosen", ["light", "dark"])
def test_colours_and_icons_are_those_of_the_theme_on_show_and_images_stay_dark(app, chosen):
    kept = icon("bell")
    apply_theme(app, chosen)
    assert theme_of(app, chosen) == shown_theme() == chosen
    assert colour("text").name() == PALETTES[chosen]["text"]
    assert image_colour("text").name() == DARK["text"]
    image = kept.pixmap(32, 32).toImage()
    inked = {
        image.pixelColor(x, y).name() for x in range(32) for y in range(32) if image.pixelColor(x, y).alpha() == 255
    }
    assert inked == {PALETTES[chosen]["text"]}
    apply_theme(app, "system")


@pytest.mark.parametrize("tint", [*REGION_COLOURS.values(), "#ffffff", "#000000"])
def test_text_on_a_regions_colour_is_readable(tint):
    assert contrast(readable_on(QColor(tint)).name(), tint) >= 4.5


def test_regions_are_told_by_letter_too():
    assert len(set(REGION_LETTERS.values())) == len(REGIONS)


def test_no_name_of_the_palette_is_left_in_the_style_sheet():
    for palette in PALETTES.values():
        assert "@" not in style_sheet(palette).partition("*/")[2]


def test_a_look_that_is_on_show_is_not_taken_on_anew(app, qtbot):
    class Counting(QWidget):
        styled = 0

        def changeEvent(self, event):
            self.styled += event.type() == QEvent.Type.StyleChange

    widget = Counting()
    qtbot.addWidget(widget)
    widget.show()
    apply_theme(app, "light")
    before = widget.styled
    apply_theme(app, "light")
    after = widget.styled
    apply_theme(app, "system")
    assert (before > 0, after) == (True, before) and widget.styled > before
