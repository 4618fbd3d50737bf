import json
from pathlib import Path

import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.paths import shipped_models_dir
from cmr_viewer.store.guard import GUARD_FILE, read_guard


def write(path: Path) -> Path:
    """Two patients of five slices of 8 x 6 pixels; a cavity in all slices but the last."""
    arrays = {}
    for number in range(2):
        labels = np.zeros((5, 8, 6), np.uint8)
        labels[:4, 2:4, 2:4] = Label.LVBP
        arrays[f"pixels_{number}"] = np.full((5, 8, 6), 10 + number, np.uint8)
        arrays[f"labels_{number}"] = labels
    about = [{"name": f"P{n}-ED", "patient": f"P{n}", "spacing_mm": [1.25, 1.5, 8.0]} for n in range(2)]
    np.savez_compressed(path, about=np.array(json.dumps(about)), **arrays)
    return path


def test_each_patient_has_pixels_of_its_own(tmp_path: Path) -> None:
    first, second = read_guard(write(tmp_path / "guard.npz"))
    assert (first.patient_key, second.patient_key) == ("guard-P0", "guard-P1")
    assert first.stack_id != second.stack_id
    assert int(first.pixels[FrameIndex(0, 0)][0, 0]) == 10 and int(second.pixels[FrameIndex(0, 0)][0, 0]) == 11


def test_a_stack_has_its_geometry_and_the_regions_of_its_labels(tmp_path: Path) -> None:
    stack, _ = read_guard(write(tmp_path / "guard.npz"))
    assert (stack.geometry.rows, stack.geometry.cols, stack.geometry.slices) == (8, 6, 5)
    assert stack.pixel_spacing_mm == (1.25, 1.5) and stack.geometry.slice_spacing_mm == pytest.approx(8.0)
    # 20 %, 60 % and 20 % of four labelled slices
    regions = [stack.frames[FrameIndex(0, s)].region for s in range(5)]
    assert regions == [Region.BASE, Region.MIDDLE, Region.MIDDLE, Region.APEX, Region.NON_CARDIAC]
    assert all(one.corrected for one in stack.frames.values())
    served = stack.served(0)
    assert served is not None and served[1] == (0, 1, 2, 3, 4)


def test_without_the_file_nothing_guards(tmp_path: Path) -> None:
    assert read_guard(tmp_path / "none.npz") == []


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "guard.npz").write_bytes(content)
    with pytest.raises(StoreError, match=r"guard\.npz"):
        read_guard(tmp_path / "guard.npz")


def test_the_frames_that_come_with_the_program_are_of_patients_that_no_model_learned_from() -> None:
    names = {one.patient_key.removeprefix("guard-") for one in read_guard(shipped_models_dir() / GUARD_FILE)}
    assert len(names) == 12
    active = json.loads((shipped_models_dir() / "active.json").read_text(encoding="utf-8"))
    for model_id in filter(None, active.values()):
        plan = json.loads((shipped_models_dir() / model_id / "plan.json").read_text(encoding="utf-8"))
        assert not names & set(plan["training"]["patients"])
