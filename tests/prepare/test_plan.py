import json
from pathlib import Path
from typing import Any

import pytest

from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError
from cmr_viewer.prepare.grid import Grid
from cmr_viewer.prepare.plan import PLAN_FILE, Plan, read_plan

PLAN = Plan(
    model_id="base-7",
    role=Role.BASE,
    architecture="unet2d",
    options={"widths": [8, 16]},
    spacing_mm=1.5,
    rows=160,
    cols=144,
    created_at="2026-01-02T03:04:05+00:00",
    training={"seed": 1},
    figures={"dice": 0.9},
)


def write(folder: Path, **changes: Any) -> Path:
    """Write the plan with some values changed; None leaves one out."""
    PLAN.write(folder)
    values = json.loads((folder / PLAN_FILE).read_text(encoding="utf-8"))
    values.update(changes)
    written = {name: value for name, value in values.items() if value is not None}
    (folder / PLAN_FILE).write_text(json.dumps(written), encoding="utf-8")
    return folder


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    PLAN.write(tmp_path)
    assert read_plan(tmp_path) == PLAN


def test_the_grid_is_that_of_the_plan() -> None:
    assert PLAN.grid == Grid(1.5, 160, 144)


def test_a_folder_without_a_plan_is_no_model_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"not a model folder.*plan\.json") as caught:
        read_plan(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b'"text"', b"\xff\xfe\x00", b'{"format": 99}', b"{}"])
def test_what_is_no_plan_is_reported_with_its_place(tmp_path: Path, content: bytes) -> None:
    (tmp_path / PLAN_FILE).write_bytes(content)
    with pytest.raises(ModelError) as caught:
        read_plan(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"role": "captain"},
        {"role": None},
        {"role": [1]},
        {"model_id": None},
        {"model_id": 7},
        {"architecture": ["unet2d"]},
        {"options": [1]},
        {"training": "much"},
        {"figures": 3},
        {"rows": 0},
        {"rows": "160"},
        {"rows": 160.5},
        {"cols": True},
        {"spacing_mm": 0},
        {"spacing_mm": -1.5},
        {"spacing_mm": "1.5"},
        {"spacing_mm": float("nan")},
        {"spacing_mm": float("inf")},
        {"spacing_mm": [1.5]},
        {"from_the_future": 1},
    ],
)
def test_a_value_of_the_wrong_kind_is_reported_with_its_place(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError) as caught:
        read_plan(write(tmp_path, **changes))
    assert str(tmp_path) in str(caught.value)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="it has no architecture, rows"):
        read_plan(write(tmp_path, architecture=None, rows=None))


def test_a_plan_folder_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("no folder", encoding="utf-8")
    with pytest.raises(ModelError, match="cannot be read"):
        read_plan(tmp_path / "model")
