from collections.abc import Sequence

import numpy as np
import pytest
import torch

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import Stack
from cmr_viewer.prepare.grid import Grid, Placement, frame_centre
from cmr_viewer.prepare.neighbours import Slices
from cmr_viewer.prepare.plan import Plan
from cmr_viewer.segment.locate import heart_centre, wide_grid
from cmr_viewer.segment.segmenter import Segmenter
from tests.phantom import sax_cine
from tests.segment.threshold import Threshold


def thresholding(above: float, spacing_mm: float = 1.5) -> Segmenter:
    plan = Plan("model-1", Role.BASELINE, "threshold", {}, spacing_mm, 64, 64)
    return Segmenter(plan, Threshold(above, Label.LVBP), torch.device("cpu"))


def with_pixels(stack: Stack, pixels: np.ndarray) -> Stack:
    return Stack(pixels, stack.geometry)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("spacing", [(1.8, 1.8), (1.4, 2.0)])
def test_the_heart_of_the_phantom_is_found_within_the_blood_pool(seed: int, spacing: tuple[float, float]) -> None:
    phantom = sax_cine(phases=2, rows=110, cols=90, pixel_spacing_mm=spacing, seed=seed)
    # only the LV blood is bright, so that the threshold is a perfect baseline for it
    pixels = np.where(phantom.labels == Label.LVBP, 700, 100).astype(np.int16)
    row, col = heart_centre(with_pixels(phantom.stack, pixels), thresholding(1.0))
    # of nine slices those at 0.2, 0.35, 0.5 and 0.65 of the way from base to apex
    at = np.argwhere(pixels[0, 2:6] > 400)[:, 1:].mean(axis=0)
    assert abs(row - at[0]) * spacing[0] < 1.0
    assert abs(col - at[1]) * spacing[1] < 1.0


def test_a_heart_far_from_the_middle_of_the_frame_is_found() -> None:
    pixels = np.zeros((1, 5, 200, 180), np.uint16)
    pixels[:, :, 20:50, 130:160] = 900
    phantom = sax_cine(phases=1, slices=5, rows=200, cols=180)
    row, col = heart_centre(with_pixels(phantom.stack, pixels), thresholding(1.0))
    assert (row, col) == pytest.approx((34.5, 144.5), abs=0.5)


class MisledByTheWholeView(Segmenter):
    """A baseline that is off by 12 pixels where it sees more than its own grid."""

    def predict(self, frames: Sequence[tuple[Slices, Placement]]) -> list[LabelMap]:
        found = super().predict(frames)
        return [
            labels if place.grid == self.plan.grid else np.roll(labels, (12, -12), axis=(0, 1))
            for labels, (_, place) in zip(found, frames, strict=True)
        ]


def test_what_the_whole_view_misplaces_is_put_right_on_the_models_own_grid() -> None:
    pixels = np.zeros((1, 5, 120, 120), np.uint16)
    pixels[:, :, 40:70, 60:90] = 900
    phantom = sax_cine(phases=1, slices=5, rows=120, cols=120)
    right = thresholding(1.0)
    misled = MisledByTheWholeView(right.plan, Threshold(1.0, Label.LVBP), torch.device("cpu"))
    assert heart_centre(with_pixels(phantom.stack, pixels), misled) == pytest.approx((54.5, 74.5), abs=0.5)


def test_where_nothing_is_found_the_middle_of_the_frame_is_taken() -> None:
    stack = sax_cine(phases=1, slices=4).stack
    assert heart_centre(stack, thresholding(1000.0)) == frame_centre(96, 88)


def test_what_is_too_small_for_a_heart_is_passed_over() -> None:
    pixels = np.zeros((1, 4, 96, 88), np.uint16)
    pixels[:, :, 5:9, 5:9] = 900  # 16 pixels of 3.24 mm2
    stack = with_pixels(sax_cine(phases=1, slices=4).stack, pixels)
    assert heart_centre(stack, thresholding(1.0)) == frame_centre(96, 88)


def test_one_slice_is_enough() -> None:
    pixels = np.zeros((1, 1, 96, 88), np.uint16)
    pixels[..., 30:50, 40:60] = 900
    phantom = sax_cine(phases=1, slices=3, above=1, below=1)
    g = phantom.stack.geometry
    one = type(g)(g.rows, g.cols, g.pixel_spacing_mm, g.row_direction, g.col_direction, g.positions_mm[:1], 8.0)
    assert heart_centre(Stack(pixels, one), thresholding(1.0)) == pytest.approx((39.5, 49.5), abs=0.5)


def test_the_grid_to_look_on_has_the_models_own_spacing_and_covers_the_field_of_view() -> None:
    assert wide_grid(1.5) == Grid(1.5, 256, 256)
    assert wide_grid(4.0) == Grid(4.0, 96, 96)
    assert wide_grid(1.25) == Grid(1.25, 320, 320)
