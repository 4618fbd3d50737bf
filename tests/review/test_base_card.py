from dataclasses import replace

import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.study import FrameIndex, LongAxisView
from cmr_viewer.review.base_card import base_card, belongs_on

B, M, A, N = Region.BASE, Region.MIDDLE, Region.APEX, Region.NON_CARDIAC
STACK = Geometry(12, 12, (2.0, 2.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), tuple((0.0, 0.0, 8.0 * s) for s in range(5)))


def regions(ed: list[Region], es: list[Region]) -> dict[FrameIndex, Region]:
    return {FrameIndex(p, s): region for p, row in enumerate((ed, es)) for s, region in enumerate(row)}


def half_ring() -> np.ndarray:
    """4 x 4 blood pool with myocardium on two of its four sides."""
    labels = np.zeros((12, 12), np.uint8)
    labels[3:7, 3:7] = Label.LVBP
    labels[2, 3:7] = labels[3:7, 2] = Label.LVM
    return labels


def test_the_ring_is_reported_against_the_rule() -> None:
    known = regions([B, B, M, A, N], [N, B, M, A, N])
    for rule, verdict in ((0.5, "counts as left ventricle"), (0.6, "does not count as left ventricle")):
        card = base_card(FrameIndex(0, 0), half_ring(), known, STACK, ed_phase=0, es_phase=1, rule=rule)
        assert card.enclosed == 0.5
        assert card.ring_text == (
            f"Myocardium surrounds 50 % of the LV blood pool: {verdict} (rule: at least {round(100 * rule)} %)."
        )


def test_the_descent_is_the_way_from_the_first_slice_at_ed_to_that_at_es() -> None:
    card = base_card(FrameIndex(0, 0), None, regions([B, B, M, A, N], [N, N, B, A, N]), STACK, ed_phase=0, es_phase=1)
    assert (card.ed_slices, card.es_slices) == ((0, 1), (2,))
    assert card.descent_mm == 16.0
    assert card.descent_text == "Base at ED: slices 1, 2; at ES: slice 3. The base is 16 mm lower at ES."
    assert card.ring_text == "No LV blood pool in this frame."


def test_the_descent_over_a_missing_slice_is_its_true_length() -> None:
    gap = replace(STACK, positions_mm=tuple((0.0, 0.0, z) for z in (0.0, 8.0, 24.0, 32.0, 40.0)))
    card = base_card(FrameIndex(0, 0), None, regions([B, B, M, A, N], [N, N, B, A, N]), gap, ed_phase=0, es_phase=1)
    assert card.descent_mm == 24.0


@pytest.mark.parametrize(
    ("es", "text"),
    [
        ([B, M, M, A, N], "The base is in the same slice at both: it descends by less than one slice."),
        ([N, B, M, A, N], "The base is 8 mm lower at ES."),
    ],
)
def test_the_descent_is_in_words(es: list[Region], text: str) -> None:
    card = base_card(FrameIndex(0, 0), None, regions([B, B, M, A, N], es), STACK, ed_phase=0, es_phase=1)
    assert card.descent_text.endswith(text)
    turned = base_card(FrameIndex(0, 0), None, regions([N, B, M, A, N], [B, B, M, A, N]), STACK, ed_phase=0, es_phase=1)
    assert "8 mm higher at ES, which is not possible in a beating heart" in turned.descent_text


def test_what_is_not_known_is_not_shown() -> None:
    card = base_card(FrameIndex(0, 0), None, {}, STACK, ed_phase=None, es_phase=None)
    assert (card.descent_mm, card.descent_text, card.lines_text) == (None, "", "")


def test_long_axis_views_that_the_slice_crosses_are_named() -> None:
    """A view in the plane y = 10 mm crosses the slices; one parallel to them does not."""
    across = Geometry(40, 40, (2.0, 2.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), ((0.0, 10.0, -20.0),))
    along = Geometry(40, 40, (2.0, 2.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), ((0.0, 0.0, 0.0),))
    pixels = np.zeros((1, 40, 40), np.int16)
    views = [LongAxisView(pixels, across, "4-chamber"), LongAxisView(pixels, along, "other")]
    card = base_card(FrameIndex(0, 1), None, {}, STACK, ed_phase=0, es_phase=1, views=views)
    assert card.lines == ("4-chamber",)
    assert card.lines_text == "See its line on 4-chamber for the position of the mitral valve."


def test_the_card_belongs_on_the_base_and_beside_it() -> None:
    known = regions([N, B, M, M, A], [B, M, M, M, A])
    assert [s for s in range(5) if belongs_on(FrameIndex(0, s), known)] == [0, 1, 2]
    assert [s for s in range(5) if belongs_on(FrameIndex(1, s), known)] == [0, 1]


def test_slices_at_the_same_place_have_no_descent() -> None:
    flat = Geometry(12, 12, (2.0, 2.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), ((0.0, 0.0, 0.0),) * 2)
    known = regions([B, M], [N, B])
    assert base_card(FrameIndex(0, 0), None, known, flat, ed_phase=0, es_phase=1).descent_mm is None
