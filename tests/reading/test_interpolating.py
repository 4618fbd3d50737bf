import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.progress import silent
from cmr_viewer.reading.offers import between_phases, between_slices, cycle_of
from tests.reading.small import small_study
from tests.review.hearts import disc


def test_slices_are_interpolated_by_their_distance_along_the_normal() -> None:
    positions = tuple((0.0, 0.0, -each) for each in (0.0, 4.0, 16.0))
    geometry = Geometry(64, 64, (1.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), positions)
    stack = Stack(np.zeros((1, 3, 64, 64), np.int16), geometry)
    found = between_slices(stack, {FrameIndex(0, 0): disc(8.0), FrameIndex(0, 2): disc(16.0)}, 0, silent)
    assert list(found) == [FrameIndex(0, 1)]
    assert math.sqrt((found[FrameIndex(0, 1)] > 0).sum() / math.pi) == pytest.approx(10.0, abs=0.3)


def test_phases_are_interpolated_by_their_times() -> None:
    geometry = Geometry(64, 64, (1.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), ((0.0, 0.0, 0.0),))
    stack = Stack(np.zeros((3, 1, 64, 64), np.int16), geometry, phase_times_ms=(0.0, 100.0, 400.0))
    found = between_phases(stack, {FrameIndex(0, 0): disc(8.0), FrameIndex(2, 0): disc(16.0)}, 0, silent)
    assert list(found) == [FrameIndex(1, 0)]
    assert math.sqrt((found[FrameIndex(1, 0)] > 0).sum() / math.pi) == pytest.approx(10.0, abs=0.3)


@pytest.mark.parametrize(
    ("times", "rate", "expected"),
    [
        (None, 60.0, ((0.0, 1.0, 2.0), 3.0)),
        ((0.0, 300.0, 600.0), None, ((0.0, 300.0, 600.0), 900.0)),
        ((10.0, 310.0, 610.0), 60.0, ((10.0, 310.0, 610.0), 1000.0)),
        ((0.0, 300.0, 600.0), 120.0, ((0.0, 300.0, 600.0), 900.0)),
        ((0.0, 0.0, 0.0), None, ((0.0, 1.0, 2.0), 3.0)),
    ],
)
def test_the_cycle_is_as_long_as_times_and_heart_rate_say(times: Any, rate: float | None, expected: Any) -> None:
    stack = replace(small_study().stack, phase_times_ms=times, heart_rate_bpm=rate)
    assert cycle_of(stack) == expected
