from pathlib import Path

import numpy as np
import pytest

from cmr_viewer.train.curves import draw_curves, running_mean


def test_the_running_mean_is_of_the_values_so_far() -> None:
    found = running_mean(np.array([4.0, 2.0, 6.0, 0.0], np.float32), 3)
    assert found.tolist() == pytest.approx([4.0, 3.0, 4.0, 8 / 3])


@pytest.mark.parametrize("validation", [(), ((2, 0.5), (4, 0.75))])
def test_a_picture_is_drawn_with_and_without_validation(
    tmp_path: Path, validation: tuple[tuple[int, float], ...]
) -> None:
    path = tmp_path / "curves.svg"
    losses = np.linspace(1, -1, 5, dtype=np.float32)
    draw_curves(path, losses, validation, title="apex-1", score="Dice of the apex")
    text = path.read_text(encoding="utf-8")
    assert "apex-1" in text
    assert "batches" in text
    assert ("Dice of the apex" in text) is bool(validation)
