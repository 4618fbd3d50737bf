"""What the scripted reader decides, on discs drawn by hand."""

import numpy as np
import pytest

from benchmarks.scripted.eyes import ANGLES, radii, runs, wrong_px
from benchmarks.scripted.pace import Effort, drawing_s, pointing_s, straight_pieces
from benchmarks.scripted.strategy import Sight, done, keys_before, next_step, possible_steps, radius_presses
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap

ZOOM = 6.0


def heart(pool: float, skin: float = 0.0, centre: tuple[float, float] = (32.0, 32.0)) -> LabelMap:
    """A blood pool of a radius, in myocardium out to another."""
    rows, cols = np.mgrid[0:64, 0:64]
    away = np.hypot(rows - centre[0], cols - centre[1])
    return np.where(away <= pool, 1, np.where(away <= skin, 2, 0)).astype(np.uint8)


def sight(labels: LabelMap, expert: LabelMap, *compared: Label, tool: str = "move") -> Sight:
    return Sight(labels, expert, frozenset(compared or {Label.LVBP}), ZOOM, tool, Label.LVBP, 4.0)


def test_radii_of_a_disc_are_its_radius_within_half_a_pixel() -> None:
    assert np.abs(radii(heart(12.0) == 1, (32.0, 32.0)) - 12.0).max() <= 0.5


def test_radii_of_nothing_are_zero() -> None:
    assert not radii(heart(0.0) == 2, (32.0, 32.0)).any()


def test_a_disc_that_is_moved_departs_to_both_sides() -> None:
    now, goal = radii(heart(12.0, centre=(32, 35)) == 1, (32, 32)), radii(heart(12.0) == 1, (32, 32))
    beyond, within = runs(now, goal, 0.5)[:2]
    assert {beyond.missing, within.missing} == {True, False}
    assert beyond.depth_px == pytest.approx(3.0, abs=0.6)


def test_wrong_pixels_are_those_between_the_outlines() -> None:
    expert, labels = heart(12.0), heart(10.0)
    assert wrong_px(labels, expert, frozenset({Label.LVBP})) == int((expert == 1).sum() - (labels == 1).sum())


def test_an_outline_that_is_too_small_all_round_is_grown() -> None:
    step = next_step(sight(heart(12.0), heart(14.0)), with_tools=True, tried=frozenset())
    assert step is not None
    assert (step.kind, step.label, step.times) == ("grow", Label.LVBP, 2)


def test_an_outline_that_is_off_to_one_side_is_nudged_there() -> None:
    shown = heart(14.0, centre=(32.0, 30.0))
    step = next_step(sight(shown, heart(14.0)), with_tools=True, tried=frozenset())
    assert step is not None
    assert (step.kind, step.keys, step.times) == ("nudge", "Alt+Right", 2)


def test_what_did_not_help_is_not_tried_again() -> None:
    seen = sight(heart(12.0), heart(14.0))
    first = next_step(seen, with_tools=True, tried=frozenset())
    assert first is not None
    again = next_step(seen, with_tools=True, tried={first.mark})
    assert again is None or again.mark != first.mark


def test_without_tools_there_are_strokes_alone() -> None:
    kinds = {step.kind for step in possible_steps(sight(heart(12.0), heart(16.0)), with_tools=False)}
    assert kinds == {"stroke"}


def test_a_stroke_lies_inside_what_it_paints() -> None:
    expert = heart(16.0)
    for step in possible_steps(sight(heart(12.0), expert), with_tools=False):
        away = [np.hypot(row - 32, col - 32) for row, col in step.line]
        assert step.radius_px is not None
        assert max(away) + step.radius_px <= 17.0


def test_a_frame_that_is_as_wanted_is_left() -> None:
    seen = sight(heart(14.0, 20.0), heart(14.0, 20.0), Label.LVBP, Label.LVM)
    assert done(seen)
    assert next_step(seen, with_tools=True, tried=frozenset()) is None


def test_a_slice_that_the_expert_left_out_is_emptied() -> None:
    step = next_step(sight(heart(12.0), np.zeros((64, 64), np.uint8)), with_tools=True, tried=frozenset())
    assert step is not None and step.kind == "remove"


def test_keys_before_a_step_are_those_of_tool_label_and_size() -> None:
    steps = possible_steps(sight(heart(12.0), heart(16.0), tool="contour"), with_tools=True)
    draw = next(step for step in steps if step.kind == "draw")
    assert keys_before(sight(heart(12.0), heart(16.0), tool="contour"), draw) == 1  # Shift
    assert keys_before(sight(heart(12.0), heart(16.0)), draw) == 2  # and O


@pytest.mark.parametrize(("now", "wanted", "presses"), [(4.0, 4.0, 0), (4.0, 6.0, 4), (4.0, 8.0, 6), (8.0, 5.5, -3)])
def test_brush_sizes_go_by_halves_below_six_and_by_ones_above(now: float, wanted: float, presses: int) -> None:
    assert radius_presses(now, wanted) == presses


def test_pointing_takes_what_fitts_law_says() -> None:
    assert pointing_s(0.0, 10.0) == 0.0
    assert pointing_s(75.0, 10.0) == pytest.approx(0.8 + 0.1 * 3.0)  # log2(7.5 + 0.5)


def test_drawing_takes_nine_tenths_of_a_second_a_piece_and_some_for_the_length() -> None:
    assert drawing_s(2, 96 / 2.54) == pytest.approx(1.8 + 0.16)


def test_a_corner_makes_two_pieces_and_a_straight_line_one() -> None:
    assert straight_pieces([(0.0, 0.0), (5.0, 0.1), (10.0, 0.0)], 1.0) == 1
    assert straight_pieces([(0.0, 0.0), (10.0, 0.0), (10.0, 10.0)], 1.0) == 2


def test_the_hand_goes_to_the_keyboard_and_back_once_each() -> None:
    effort = Effort()
    effort.press_keys(2)
    effort.press_keys(1)
    effort.point(75.0, 10.0)
    effort.click()
    assert (effort.keys, effort.clicks) == (3, 1)
    assert effort.hand_s == pytest.approx(2 * 0.4 + 3 * 0.2 + 1.1 + 0.2)


def test_rays_are_as_many_as_stated() -> None:
    assert len(radii(heart(12.0) == 1, (32.0, 32.0))) == ANGLES
