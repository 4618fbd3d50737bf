import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmr_viewer.analyse import Flow, own_flow
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.errors import ModelError
from cmr_viewer.learn import retrain
from cmr_viewer.load.study import open_study as load_study
from cmr_viewer.pipeline import analyse, begin, load_active_models, open_study
from cmr_viewer.prepare.plan import read_plan
from cmr_viewer.promote.gate import decide
from cmr_viewer.promote.records import End, Records, Trained
from cmr_viewer.reading.missing import missing_of
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.opening import OpeningRequest
from cmr_viewer.reading.saving import SavedStudies, acceptances_of, put_back, work_of, works_of_acceptance
from cmr_viewer.store.database import Workspace, open_workspace
from cmr_viewer.store.model_registry import ModelRegistry, TrainingRuns
from tests.phantom import Phantom, default_affine, sax_cine, voxels_of, write_nifti
from tests.tiny_models import calm_torch, write_tiny_models
from tests.workspaces import PATIENTS, make_workspace

LEARNT = Role.MIDDLE


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with calm_torch():
        yield


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shipped") / "models"
    write_tiny_models(folder)
    return folder


def of_the_last_patient(*given: Any) -> Study:
    """Loads a study; whose patient it is would else follow from its folder."""
    return replace(load_study(*given), patient_key=PATIENTS[4])


def opened(saved: SavedStudies, path: Path) -> OpenStudy:
    loaded = open_study(saved, OpeningRequest(path), opener=of_the_last_patient)
    reading = begin(loaded)
    put_back(reading, saved.open(loaded, reading))
    return reading


def save(saved: SavedStudies, reading: OpenStudy) -> None:
    saved.save(reading, work_of(reading, reading.take_effects(), {}))


def accept(saved: SavedStudies, reading: OpenStudy, frames: list[FrameIndex]) -> None:
    for work in works_of_acceptance(acceptances_of(reading, frames)):
        held = reading.hold(one.frame for one in work.versions)
        saved.save(reading, work)
        reading.release(held, accepted=True)


def corrected(reading: OpenStudy, phantom: Phantom) -> list[FrameIndex]:
    """Give the middle of ED the phantom's own label maps, and a region by hand; the frames."""
    frames = [FrameIndex(0, s) for s in (2, 3)]
    for frame in frames:
        reading.set_region(frame, Region.MIDDLE)
    drawn = {frame: np.where(phantom.labels[frame] == Label.LVM, Label.LVBP, phantom.labels[frame]) for frame in frames}
    reading.change_labels(drawn, "draw")
    reading.undo()
    reading.change_labels({frame: phantom.labels[frame] for frame in frames}, "draw the phantom")
    return frames


def test_the_whole_flow_from_a_file_to_a_model_in_service_or_not(tmp_path: Path, shipped: Path) -> None:
    phantom = sax_cine(phases=2, slices=6, rows=64, cols=60, seed=90)
    path = write_nifti(tmp_path / "cine.nii.gz", voxels_of(phantom.stack.pixels), default_affine(phantom.stack))
    with open_workspace(make_workspace(tmp_path / "workspace", PATIENTS[:4]), reader="R. Eader") as workspace:
        saved, registry = SavedStudies(workspace), ModelRegistry(shipped, workspace)
        reading = opened(saved, path)

        models = load_active_models(own_flow(), registry, "cpu")
        reading.frames.set_active(models.active)
        assert missing_of(reading, None).classify
        reading.receive(list(analyse(own_flow(), reading.stack, models, missing_of(reading, None))))
        assert not missing_of(reading, None)
        save(saved, reading)

        frames = corrected(reading, phantom)
        save(saved, reading)
        accept(saved, reading, frames)

        again = opened(saved, path)
        for frame in frames:
            assert again.frames[frame].region is Region.MIDDLE
            assert again.frames[frame].status is ReviewStatus.ACCEPTED
            assert again.frames[frame].provenance is not Provenance.AUTOMATIC
            np.testing.assert_array_equal(again.still(frame), phantom.labels[frame])

        retrained_and_judged(workspace, registry, shipped)


def retrained_and_judged(workspace: Workspace, registry: ModelRegistry, shipped: Path) -> None:
    records = Records(workspace, registry)
    run = records.begin(LEARNT)
    assert (run.readiness.patients, run.readiness.look) == (len(PATIENTS), 4)
    options: dict[str, Any] = {"model_id": "middle-2", "shipped": shipped, "device": "cpu"}
    assessment = retrain(workspace.folder, LEARNT, run.staging, changes={"iterations": 3}, **options)
    assert read_plan(run.staging).training["samples"] == run.readiness.corrections
    assert (assessment.candidate_id, assessment.patients) == ("middle-2", len(PATIENTS))

    outcome = records.conclude(run, Trained(assessment.as_json()))
    decision = decide(assessment, ())
    assert outcome.end is (End.PROMOTED if decision.promote else End.NOT_PROMOTED)
    assert outcome.reason == decision.reason
    assert "Too few" not in outcome.reason
    assert registry.active(LEARNT).model_id == ("middle-2" if decision.promote else "tiny-middle")
    assert [one.outcome for one in TrainingRuns(workspace).runs(LEARNT)] == [str(outcome.end)]
    assert not run.staging.exists()


def test_without_any_model_the_message_says_what_to_do(tmp_path: Path) -> None:
    nothing = Flow(load_models=lambda folders, device: pytest.fail("loaded"), analyse=iter, segment_frames=iter)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="--models"):
        load_active_models(nothing, ModelRegistry(tmp_path / "none", None))


@pytest.mark.parametrize("content", [b"", b"not weights", None])
def test_a_retrained_model_that_is_damaged_does_not_take_the_others_with_it(
    tmp_path: Path, shipped: Path, content: bytes | None
) -> None:
    with open_workspace(tmp_path / "workspace", reader="R. Eader") as workspace:
        registry = ModelRegistry(shipped, workspace)
        staging = registry.staging_folder()
        shutil.copytree(registry.active(Role.BASELINE).folder, staging, dirs_exist_ok=True)
        plan = json.loads((staging / "plan.json").read_text(encoding="utf-8"))
        (staging / "plan.json").write_text(json.dumps({**plan, "model_id": "mine"}), encoding="utf-8")
        whole = (staging / "weights.safetensors").read_bytes()
        registry.adopt(staging)
        registry.promote(Role.BASELINE, "mine", "better")
        assert load_active_models(own_flow(), registry, "cpu").active[Role.BASELINE] == "mine"
        damaged = whole[: len(whole) // 2] if content is None else content
        (workspace.models_folder / "mine" / "weights.safetensors").write_bytes(damaged)

        warnings: list[str] = []
        models = load_active_models(own_flow(), registry, "cpu", warn=warnings.append)
        assert models.active[Role.BASELINE] == "tiny-baseline"
        (text,) = warnings
        assert "The baseline mine is not used" in text and "Copy the model folder again" in text
        assert "The model tiny-baseline is used instead" in text


def test_a_shipped_model_that_is_damaged_is_an_error(tmp_path: Path, shipped: Path) -> None:
    folder = tmp_path / "models"
    shutil.copytree(shipped, folder)
    (ModelRegistry(folder, None).active(Role.BASELINE).folder / "weights.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="cannot be read"):
        load_active_models(own_flow(), ModelRegistry(folder, None), "cpu")


@pytest.mark.parametrize("module", ["cmr_viewer.pipeline", "cmr_viewer.__main__", "cmr_viewer"])
def test_importing_the_flow_imports_no_torch_and_no_qt(module: str) -> None:
    code = f"import sys, {module}; print(sorted(m for m in ('torch', 'PySide6', 'SimpleITK') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
