import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cmr_viewer.__main__ import main
from cmr_viewer.analyse import analyse, load_models
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import TrainingError
from cmr_viewer.prepare.plan import read_plan
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.train.fit import fit
from cmr_viewer.train.retrain import retraining_spec
from cmr_viewer.train.spec import default_spec
from tests.phantom import Phantom
from tests.segment.nnunet_folder import Model, pointwise_weights
from tests.tiny_models import phantom_samples


def bright_is_lvbp() -> Model:
    return Model({"0": pointwise_weights((0.0, 0.0, 0.0, 1.0), (0.0, -9.0, -9.0, -4.0))})


def bring_in(folder: Path, output: Path, *more: str, role: str = "baseline") -> int:
    return main(["models", "import-nnunet", str(folder), "--role", role, "--output", str(output), *more])


def test_a_model_folder_is_written_that_describes_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = {"background": 0, "inner": 1, "MYO": 2, "RV": 3}
    folder = Model(labels=labels, mirror_axes=(0, 1)).write(tmp_path / "nnunet")
    assert bring_in(folder, tmp_path / "mine", "--labels", "LVBP=inner", "--no-mirroring", role="apex") == 0
    printed = capsys.readouterr().out
    assert "Imported mine to" in printed
    assert "inner is LVBP" in printed
    plan = read_plan(tmp_path / "mine")
    assert (plan.model_id, plan.role) == ("mine", Role.APEX)
    assert plan.training["dataset"] == "Dataset501_Test"
    assert plan.training["folds"] == ["0"]
    card = (tmp_path / "mine" / "card.md").read_text(encoding="utf-8")
    assert card.startswith("# mine\n")
    assert "Dataset501_Test" in card
    assert "not mirrored" in card
    assert {p.name for p in (tmp_path / "mine").iterdir()} == {"plan.json", "weights.safetensors", "card.md"}


def test_weights_keep_their_precision(tmp_path: Path) -> None:
    assert bring_in(Model().write(tmp_path / "nnunet"), tmp_path / "m") == 0
    header = (tmp_path / "m" / "weights.safetensors").read_bytes()
    values = json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])
    assert {value["dtype"] for name, value in values.items() if name != "__metadata__"} == {"F32"}


@pytest.mark.parametrize("labels", [{"background": 0, "a": 1, "b": 2, "c": 3}, {"background": 0, "RV": [1, 2]}])
def test_what_cannot_be_imported_is_noted_in_one_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], labels: dict[str, object]
) -> None:
    folder = Model(labels=labels).write(tmp_path / "nnunet")
    assert bring_in(folder, tmp_path / "m") == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "m").exists()


def test_a_folder_in_use_or_without_a_name_is_not_written_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Model().write(tmp_path / "nnunet")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").write_text("saved", encoding="utf-8")
    assert bring_in(folder, tmp_path / "used") == 1
    assert "not empty" in capsys.readouterr().err
    assert bring_in(folder, tmp_path / "no name") == 1
    assert "is not a valid name of a model" in capsys.readouterr().err


def test_an_imported_model_is_promoted_in_a_workspace_and_cannot_be_retrained(
    models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = tmp_path / "workspace"
    with open_workspace(workspace, reader="r") as opened:
        place = opened.models_folder
    assert bring_in(Model().write(tmp_path / "n"), place / "mine") == 0
    where = ["--workspace", str(workspace), "--models", str(models_folder)]
    assert main(["models", "promote", "baseline", "mine", *where]) == 0
    assert "mine is now in use as baseline" in capsys.readouterr().out
    with open_workspace(workspace, reader="r") as opened:
        active = ModelRegistry(models_folder, opened).active(Role.BASELINE)
    with pytest.raises(TrainingError, match="mine comes from nnU-Net and cannot be retrained here"):
        retraining_spec(read_plan(active.folder), 10)


def test_training_an_imported_kind_of_network_is_refused(tmp_path: Path, phantom: Phantom) -> None:
    assert bring_in(Model().write(tmp_path / "n"), tmp_path / "m") == 0
    plan = read_plan(tmp_path / "m")
    spec = default_spec(Role.BASELINE, architecture=plan.architecture, options=plan.options, rows=32, cols=32)
    samples = phantom_samples(phantom, spec)
    with pytest.raises(TrainingError, match="can be imported but not trained here"):
        fit(spec, samples, device=torch.device("cpu"), start_from=tmp_path / "m")


def test_a_study_is_analysed_with_an_imported_baseline_beside_the_programs_own_models(
    models_folder: Path, tmp_path: Path, phantom: Phantom
) -> None:
    assert bring_in(bright_is_lvbp().write(tmp_path / "n"), tmp_path / "mine", "--no-mirroring") == 0
    own = {role: models_folder / f"tiny-{role.value}" for role in Role}
    models = load_models({**own, Role.BASELINE: tmp_path / "mine"}, "cpu")
    row, col = models.heart_centre(phantom.stack)
    found = [result.prediction for result in analyse(phantom.stack, models, baseline_only=True) if result.prediction]
    assert len(found) == len(phantom.stack.frame_indices)
    assert {prediction.model_id for prediction in found} == {"mine"}
    heart = np.argwhere(phantom.labels.any(axis=(0, 1)))
    assert (heart.min(axis=0) <= (row, col)).all()
    assert ((row, col) <= heart.max(axis=0)).all()
