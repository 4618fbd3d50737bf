import json
import shutil
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from cmr_viewer.__main__ import main
from cmr_viewer.domain.role import Role
from cmr_viewer.store.database import open_workspace, open_workspace_readonly
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.store.reviewed import ReviewedStack, read_reviewed
from tests.phantom import Phantom, sax_cine, write_mnms_patient, write_nifti

CASES = ("A1B2C3", "D4E5F6", "G7H8I9", "J1K2L3")


def make_cases(folder: Path, cases: tuple[str, ...] = CASES) -> dict[str, Phantom]:
    """Cases in the layout of M&Ms, codes as the program's own."""
    phantoms = {name: sax_cine(phases=3, slices=6, rows=64, cols=60, seed=50 + n) for n, name in enumerate(cases)}
    for name, phantom in phantoms.items():
        write_mnms_patient(folder, phantom, patient=name)
    return phantoms


def learn(workspace: Path, models: Path, *more: object) -> int:
    given = ["learn", "--workspace", workspace, "--models", models, "--device", "cpu", "--iterations", 2, *more]
    return main([str(one) for one in given])


def read(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Voxels and affine of a label file."""
    image: Any = nibabel.load(path)
    return np.asarray(image.dataobj).astype(np.uint8), image.affine


def reviewed(workspace: Path) -> list[ReviewedStack]:
    with open_workspace_readonly(workspace) as opened:
        return list(read_reviewed(opened))


def at_ed(stack: ReviewedStack, label: int) -> int:
    """Pixels of a label at ED."""
    maps = [one.labels for frame, one in stack.frames.items() if frame.phase == 0 and one.labels is not None]
    return sum(int(np.count_nonzero(labels == label)) for labels in maps)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learn") / "cases"
    make_cases(folder)
    return folder


@pytest.fixture(scope="module")
def learned(
    tmp_path_factory: pytest.TempPathFactory, cases: Path, models_folder: Path
) -> tuple[Path, dict[str, Any], str]:
    """A workspace after a first night, its JSON file and its page."""
    place = tmp_path_factory.mktemp("learned")
    options = ("--roles", "baseline", "--json", place / "l.json", "--report", place / "l.md")
    assert learn(place / "workspace", models_folder, "--import-labels", cases, *options) == 0
    values: dict[str, Any] = json.loads((place / "l.json").read_text(encoding="utf-8"))
    return place / "workspace", values, (place / "l.md").read_text(encoding="utf-8")


def test_imported_label_maps_are_accepted_as_they_are(learned: tuple[Path, dict[str, Any], str]) -> None:
    workspace, values, _ = learned
    stacks = reviewed(workspace)
    assert values["imported"]["patients"] == len(stacks) == len(CASES)
    assert values["imported"]["corrected"] + values["imported"]["accepted"] == 4 * 2 * 6  # ED and ES of six slices
    for n, stack in enumerate(sorted(stacks, key=lambda one: one.patient_key)):
        assert {frame.phase for frame in stack.frames} == {0, 1} and n < len(CASES)
    expected = sorted(int((p.labels[0] == 1).sum()) for p in make_cases(workspace.parent / "again").values())
    found = [at_ed(stack, 1) for stack in stacks]
    assert sorted(found) == expected


def test_each_role_is_reported_with_its_figures(learned: tuple[Path, dict[str, Any], str]) -> None:
    _, values, page = learned
    assert list(values["roles"]) == ["baseline"]
    one = values["roles"]["baseline"]
    assert one["patients"] == 4 and one["frames"] == values["imported"]["corrected"]
    assert one["interval"][0] <= one["gain"] <= one["interval"][1]
    assert 0 <= one["p"] <= 1 and one["look"] == 4 and one["seconds"] > 0
    assert one["verdict"] in ("promoted", "not promoted")
    assert set(one["by_label"]) == {"LVBP", "LVM", "RVBP"}
    assert "not a medical device" in page and one["reason"] in page


def test_a_second_night_imports_nothing_and_trains_nothing_twice(
    learned: tuple[Path, dict[str, Any], str],
    cases: Path,
    models_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    workspace = tmp_path / "workspace"
    shutil.copytree(learned[0], workspace)
    options = ("--roles", "baseline,middle", "--json", tmp_path / "l.json")
    assert learn(workspace, models_folder, "--import-labels", cases, *options) == 0
    values = json.loads((tmp_path / "l.json").read_text(encoding="utf-8"))
    assert values["imported"]["known"] == 48 and values["imported"]["corrected"] == 0
    assert values["roles"]["baseline"]["verdict"] == "not trained"
    assert "4 more patients with corrected frames" in values["roles"]["baseline"]["reason"]
    assert values["roles"]["middle"]["verdict"] in ("promoted", "not promoted")
    assert "not trained" in capsys.readouterr().out


def test_acdc_codes_are_translated(models_folder: Path, tmp_path: Path) -> None:
    phantom = make_cases(tmp_path / "cases", CASES[:1])[CASES[0]]
    for path in (tmp_path / "cases").rglob("*_gt.nii.gz"):
        voxels, affine = read(path)
        write_nifti(path, np.array([0, 3, 2, 1], np.uint8)[voxels], affine)
    options = ("--import-labels", tmp_path / "cases", "--codes", "acdc", "--roles", "base")
    assert learn(tmp_path / "workspace", models_folder, *options) == 0
    (stack,) = reviewed(tmp_path / "workspace")
    for label in (1, 2, 3):
        assert at_ed(stack, label) == int((phantom.labels[0] == label).sum())


def test_frames_that_are_as_predicted_are_accepted_and_are_no_corrections(models_folder: Path, tmp_path: Path) -> None:
    make_cases(tmp_path / "cases", CASES[:1])
    segment = ["segment", str(tmp_path / "cases" / CASES[0]), "--output", str(tmp_path / "made")]
    assert main([*segment, "--models", str(models_folder), "--device", "cpu"]) == 0
    made, _ = read(next((tmp_path / "made").rglob("labels.nii.gz")))
    for phase, mark in enumerate(("ED", "ES")):
        path = next((tmp_path / "cases").rglob(f"*_{mark}_gt.nii.gz"))
        write_nifti(path, made[..., phase], read(path)[1])
    options = ("--import-labels", tmp_path / "cases", "--roles", "base", "--json", tmp_path / "l.json")
    assert learn(tmp_path / "workspace", models_folder, *options) == 0
    imported = json.loads((tmp_path / "l.json").read_text(encoding="utf-8"))["imported"]
    assert (imported["accepted"], imported["corrected"]) == (12, 0)
    assert not any(one.corrected for stack in reviewed(tmp_path / "workspace") for one in stack.frames.values())


def test_a_case_that_cannot_be_read_is_named_and_the_others_are_imported(
    models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_cases(tmp_path / "cases", CASES[:2])
    next((tmp_path / "cases" / CASES[0]).glob("*_ED.nii.gz")).write_bytes(b"no image")
    options = ("--import-labels", tmp_path / "cases", "--roles", "base", "--json", tmp_path / "l.json")
    assert learn(tmp_path / "workspace", models_folder, *options) == 1
    imported = json.loads((tmp_path / "l.json").read_text(encoding="utf-8"))["imported"]
    assert imported["patients"] == 1 and CASES[0] in imported["problems"][0]
    assert CASES[0] in capsys.readouterr().err


def test_a_workspace_in_use_is_left_alone(
    models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_workspace(tmp_path / "workspace", reader="window"):
        assert learn(tmp_path / "workspace", models_folder) == 1
    assert "is open in another window" in capsys.readouterr().err


def test_without_corrections_nothing_is_trained_and_the_exit_code_is_0(models_folder: Path, tmp_path: Path) -> None:
    assert learn(tmp_path / "workspace", models_folder, "--json", tmp_path / "l.json") == 0
    roles = json.loads((tmp_path / "l.json").read_text(encoding="utf-8"))["roles"]
    assert {one["verdict"] for one in roles.values()} == {"not trained"}
    assert "4 more patients with corrected basal frames" in roles["base"]["reason"]


def test_segment_uses_the_models_in_use_in_a_workspace(
    learned: tuple[Path, dict[str, Any], str], cases: Path, models_folder: Path, tmp_path: Path
) -> None:
    workspace = tmp_path / "workspace"
    shutil.copytree(learned[0], workspace)
    model_id = learned[1]["roles"]["baseline"]["model_id"]
    with open_workspace(workspace, reader="reader") as opened:
        registry = ModelRegistry(models_folder, opened)
        if registry.active(Role.BASELINE).model_id != model_id:
            registry.promote(Role.BASELINE, model_id, "For the test.")
    given = ["segment", cases / CASES[0], "--output", tmp_path / "made", "--workspace", workspace]
    assert main([str(one) for one in [*given, "--models", models_folder, "--device", "cpu"]]) == 0
    measures = json.loads(next((tmp_path / "made").rglob("measures.json")).read_text(encoding="utf-8"))
    assert measures["models"]["baseline"] == model_id
    assert measures["models"]["base"] == "tiny-base"


def test_unknown_roles_are_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["learn", "--workspace", str(tmp_path), "--roles", "base,valve"])
