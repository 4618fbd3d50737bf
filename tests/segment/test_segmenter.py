from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from torch import nn

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import ModelError
from cmr_viewer.networks import catalogue
from cmr_viewer.networks.unet import UNet2d
from cmr_viewer.networks.weights import save_weights
from cmr_viewer.prepare.grid import Grid, Placement
from cmr_viewer.prepare.plan import WEIGHTS_FILE, Plan
from cmr_viewer.segment.segmenter import Segmenter, load_segmenter
from tests.segment.threshold import Threshold

CPU = torch.device("cpu")


def plan(grid: Grid, role: Role = Role.BASELINE, architecture: str = "threshold") -> Plan:
    return Plan("model-1", role, architecture, {}, grid.spacing_mm, grid.rows, grid.cols)


def bright_disc(
    shape: tuple[int, int], spacing: tuple[float, float], at: tuple[float, float], radius_mm: float
) -> NDArray[np.bool_]:
    r, c = np.mgrid[: shape[0], : shape[1]]
    return np.hypot((r - at[0]) * spacing[0], (c - at[1]) * spacing[1]) < radius_mm


def test_labels_lie_on_the_pixels_they_were_seen_at_whatever_the_placement() -> None:
    shape, spacing, at = (120, 150), (1.4, 1.1), (31.0, 104.0)
    disc = bright_disc(shape, spacing, at, 20.0)
    frame = np.where(disc, 800, 50).astype(np.int16)
    for centre in ((31.0, 104.0), (38.3, 97.6), (25.2, 111.9)):
        place = Placement(Grid(1.5, 64, 64), shape, spacing, centre)
        (labels,) = Segmenter(plan(place.grid), Threshold(), CPU).predict([([frame], place)])
        assert labels.shape == shape
        assert labels.dtype == np.uint8
        r, c = np.nonzero(labels == 1)
        assert (r.mean() - at[0]) * spacing[0] == pytest.approx(0.0, abs=0.2)
        assert (c.mean() - at[1]) * spacing[1] == pytest.approx(0.0, abs=0.2)
        overlap = 2 * np.count_nonzero((labels == 1) & disc) / (np.count_nonzero(labels) + np.count_nonzero(disc))
        assert overlap > 0.96


def test_at_the_frames_own_spacing_every_pixel_is_right() -> None:
    frame = np.zeros((40, 48), np.uint16)
    frame[5:11, 30:41] = 700
    place = Placement(Grid(1.5, 32, 32), (40, 48), (1.5, 1.5), (15.5, 31.5))
    (labels,) = Segmenter(plan(place.grid), Threshold(), CPU).predict([([frame], place)])
    assert_array_equal(labels, (frame > 0).astype(np.uint8))


def test_frames_of_a_batch_keep_their_own_placements() -> None:
    frame = np.zeros((64, 64), np.uint16)
    frame[20:30, 20:30] = 700
    grid = Grid(1.5, 32, 32)
    near = Placement(grid, (64, 64), (1.5, 1.5), (24.5, 24.5))
    moved = Placement(grid, (64, 64), (1.5, 1.5), (30.5, 20.5))
    first, second = Segmenter(plan(grid), Threshold(), CPU).predict([([frame], near), ([frame], moved)])
    assert_array_equal(first, second)
    assert_array_equal(first, (frame > 0).astype(np.uint8))


def test_label_maps_are_cleaned() -> None:
    frame = np.zeros((32, 32), np.uint16)
    frame[8:20, 8:20] = 700
    frame[25:27, 25:27] = 700
    place = Placement(Grid(1.5, 32, 32), (32, 32), (1.5, 1.5), (15.5, 15.5))
    (labels,) = Segmenter(plan(place.grid), Threshold(), CPU).predict([([frame], place)])
    assert labels[8:20, 8:20].all()
    assert not labels[24:, 24:].any()


def test_probabilities_of_the_labels_add_up_to_one() -> None:
    torch.manual_seed(0)
    images = np.random.default_rng(0).normal(size=(3, 1, 16, 32)).astype(np.float32)
    made = Segmenter(plan(Grid(1.5, 16, 32)), UNet2d(widths=(4, 8)), CPU).probabilities(images)
    assert made.shape == (3, 4, 16, 32)
    assert made.dtype == np.float32
    assert_allclose(made.sum(axis=1), 1.0, atol=1e-5)


def write(folder: Path, what: Plan, network: nn.Module) -> Path:
    folder.mkdir()
    what.write(folder)
    save_weights(network, folder / WEIGHTS_FILE)
    return folder


def test_a_model_folder_is_read_with_the_network_of_its_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue.SEGMENTERS, "threshold", Threshold)  # type: ignore[arg-type]
    folder = write(tmp_path / "m", plan(Grid(1.5, 32, 32)), Threshold(0.25))
    segmenter = load_segmenter(folder, CPU)
    assert segmenter.plan == plan(Grid(1.5, 32, 32))
    (made,) = segmenter.probabilities(np.array([[[[0.24, 0.26]]]], np.float32))
    assert made[1, 0, 0] < made[0, 0, 0]
    assert made[1, 0, 1] > made[0, 0, 1]


def test_a_classifier_is_no_segmentation_model(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", plan(Grid(1.5, 32, 32), Role.CLASSIFIER, "densenet121"), nn.Linear(1, 1))
    with pytest.raises(ModelError, match="not a segmentation model but region classifier"):
        load_segmenter(folder, CPU)


def test_a_network_that_is_not_known_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", plan(Grid(1.5, 32, 32), architecture="mystery"), nn.Linear(1, 1))
    with pytest.raises(ModelError, match="mystery"):
        load_segmenter(folder, CPU)


def test_a_grid_that_the_network_cannot_halve_is_refused_when_it_is_read(tmp_path: Path) -> None:
    what = Plan("model-1", Role.BASELINE, "unet2d", {"widths": [4, 8, 8]}, 1.5, 34, 32)
    folder = write(tmp_path / "m", what, UNet2d(widths=(4, 8, 8)))
    with pytest.raises(ModelError, match="multiple of 4"):
        load_segmenter(folder, CPU)


def test_probabilities_of_a_frame_lie_on_its_own_pixels_and_are_background_where_the_grid_does_not_reach() -> None:
    pixels = np.zeros((1, 1, 48, 60), np.uint16)
    pixels[0, 0, 10:20, 12:24] = 700
    geometry = Geometry(48, 60, (1.5, 1.5), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), ((0.0, 0.0, 0.0),), 8.0)
    made = Segmenter(plan(Grid(1.5, 32, 32)), Threshold(), CPU).frame_probabilities(
        Stack(pixels, geometry), FrameIndex(0, 0), (15.5, 15.5)
    )
    assert made.shape == (4, 48, 60)
    assert made.dtype == np.float16
    assert_allclose(made.astype(np.float64).sum(axis=0), 1.0, atol=2e-3)
    assert_array_equal(made.argmax(axis=0), (pixels[0, 0] > 0).astype(np.uint8))
    assert (made[0, 34:] == 1.0).all() and (made[0, :, 34:] == 1.0).all()
