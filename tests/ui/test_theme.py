from itertools import combinations

import numpy as np
import pytest
from PySide6.QtGui import QColor

from cmr_viewer.domain.anatomy import REGIONS
from cmr_viewer.ui.theme import PALETTE, REGION_COLOURS, REGION_LETTERS, STRUCTURE_COLOURS, readable_on, style_sheet

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


@pytest.mark.parametrize("ground", ["panel", "raised", "ground"])
def test_text_is_readable_on_every_ground(ground):
    assert contrast(PALETTE["text"], PALETTE[ground]) >= 7
    assert contrast(PALETTE["soft"], PALETTE[ground]) >= 4.5


@pytest.mark.parametrize("tint", [*REGION_COLOURS.values(), "#ffffff", "#000000"])
def test_text_on_a_regions_colour_is_readable(tint):
    assert contrast(readable_on(QColor(tint)).name(), tint) >= 4.5


def test_regions_are_told_by_letter_too():
    assert len(set(REGION_LETTERS.values())) == len(REGIONS)


def test_no_name_of_the_palette_is_left_in_the_style_sheet():
    assert "@" not in style_sheet().replace("@name", "").partition("*/")[2]
