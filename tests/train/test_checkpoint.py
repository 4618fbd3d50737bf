from pathlib import Path

import pytest
import torch

from cmr_viewer.errors import TrainingError
from cmr_viewer.train.checkpoint import CHECKPOINT_FILE, TrainingCheckpoint, read_checkpoint


def made(number: float) -> TrainingCheckpoint:
    tensors = {
        "network.a.weight": torch.full((2, 2), number),
        "network.b": torch.ones(3),
        "best.a.weight": torch.zeros(1),
    }
    return TrainingCheckpoint(tensors, {"losses": [1.5, number], "identity": "x"})


def test_a_checkpoint_is_read_back(tmp_path: Path) -> None:
    made(2.0).write(tmp_path / "new")
    found = read_checkpoint(tmp_path / "new")
    assert found is not None
    assert found.values == {"losses": [1.5, 2.0], "identity": "x"}
    assert set(found.under("network")) == {"a.weight", "b"}
    assert torch.equal(found.under("network")["a.weight"], torch.full((2, 2), 2.0))
    assert set(found.under("best")) == {"a.weight"}


def test_where_there_is_none_none_is_found(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path) is None


def test_the_next_takes_the_place_of_the_last_and_leaves_nothing_beside(tmp_path: Path) -> None:
    made(1.0).write(tmp_path)
    made(3.0).write(tmp_path)
    found = read_checkpoint(tmp_path)
    assert found is not None
    assert found.values["losses"] == [1.5, 3.0]
    assert [p.name for p in tmp_path.iterdir()] == [CHECKPOINT_FILE]


def test_a_checkpoint_that_was_cut_off_is_told(tmp_path: Path) -> None:
    made(1.0).write(tmp_path)
    path = tmp_path / CHECKPOINT_FILE
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(TrainingError, match="Remove it to train from the start"):
        read_checkpoint(tmp_path)


def test_a_folder_that_cannot_be_written_is_told_and_the_last_one_stays(tmp_path: Path) -> None:
    made(1.0).write(tmp_path)
    (tmp_path / f".{CHECKPOINT_FILE}.part").mkdir()
    with pytest.raises(TrainingError, match="Could not write the checkpoint"):
        made(2.0).write(tmp_path)
    found = read_checkpoint(tmp_path)
    assert found is not None
    assert found.values["losses"] == [1.5, 1.0]
