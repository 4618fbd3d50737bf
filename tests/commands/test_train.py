import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from cmr_viewer.__main__ import main
from cmr_viewer.classify.region_classifier import load_classifier
from cmr_viewer.commands import train
from cmr_viewer.domain.role import Role
from cmr_viewer.prepare.plan import read_plan
from cmr_viewer.progress import Progress
from cmr_viewer.segment.segmenter import load_segmenter
from tests.phantom import sax_cine, write_acdc_patient
from tests.tiny_models import tiny_spec

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four small ACDC patients: patient001 is in the test part, patient003 in the validation part."""
    root = tmp_path_factory.mktemp("data") / "acdc"
    for number in (1, 2, 3, 4):
        phantom = sax_cine(phases=2, slices=6, rows=48, cols=44, seed=number)
        write_acdc_patient(root, phantom, patient=f"patient{number:03d}")
    return root


def spec_file(folder: Path, role: Role, **changes: Any) -> Path:
    path = folder / f"{role.value}.json"
    small = {"options": {"widths": [4, 8]}, "iterations": 3, "batch": 2}
    if role is Role.CLASSIFIER:
        small["options"] = {"blocks": [1], "growth": 2}
    path.write_text(json.dumps(tiny_spec(role, **{**small, **changes}).as_dict()), encoding="utf-8")
    return path


def test_training_on_a_data_set_writes_a_model_that_can_be_loaded(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "apex-7"
    spec = spec_file(tmp_path, Role.APEX)
    given = ["train", "--spec", str(spec), "--data", str(data), "--output", str(out), "--device", "cpu"]
    assert main([*given, "--iterations", "5", "--seed", "4", "--learning-rate", "0.01"]) == 0
    plan = load_segmenter(out, CPU).plan
    assert (plan.model_id, plan.role) == ("apex-7", Role.APEX)
    assert plan.training["patients"] == ["patient002", "patient004"]
    assert plan.training["samples"] == 24
    assert plan.training["validation_patients"] == ["patient003"]
    assert plan.training["validation"]["frames"] == 12
    assert plan.training["data"] == ["acdc"]
    assert (plan.training["spec"]["iterations"], plan.training["spec"]["seed"]) == (5, 4)
    assert plan.training["spec"]["learning_rate"] == 0.01
    assert sum(plan.training["regions"].values()) == 24
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [f"Model apex-7 saved in {out}."]
    assert "100 %  Model saved" in printed.err


def test_a_split_file_says_who_is_trained_on(data: Path, tmp_path: Path) -> None:
    split = tmp_path / "split.json"
    split.write_text(json.dumps({"train": ["patient001"], "test": ["patient002", "patient004"]}), encoding="utf-8")
    out = tmp_path / "m"
    given = ["train", "--spec", str(spec_file(tmp_path, Role.BASELINE)), "--data", str(data), "--output", str(out)]
    assert main([*given, "--device", "cpu", "--split-file", str(split)]) == 0
    training = read_plan(out).training
    assert (training["patients"], training["validation_patients"]) == (["patient001"], ["patient003"])
    assert training["split"] == "split.json"


def test_a_training_that_was_killed_goes_on_from_its_checkpoint(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "m"
    spec = spec_file(tmp_path, Role.BASELINE, iterations=4, validate_every=1)
    given = ["train", "--spec", str(spec), "--data", str(data), "--output", str(out), "--device", "cpu"]

    def killed() -> Progress:
        def report(fraction: float, text: str) -> None:
            if text.startswith("Training 75 %"):
                raise KeyboardInterrupt

        return report

    with monkeypatch.context() as patch:
        patch.setattr(train, "text_progress", killed)
        assert main(given) != 0
    assert [p.name for p in out.iterdir()] == ["checkpoint.safetensors"]
    best = tmp_path / "best"
    assert main([*given, "--snapshot", str(best), "--note", "Not in service yet."]) == 0
    assert [p.name for p in out.iterdir()] == ["checkpoint.safetensors"]
    plan = read_plan(best)
    assert (plan.model_id, plan.training["batches"]) == ("best", 3)
    assert load_segmenter(best, CPU).plan == plan
    assert "Not in service yet." in (best / "card.md").read_text(encoding="utf-8")
    assert main(given) == 0
    assert "Training 75 %" not in capsys.readouterr().err
    written = {"card.md", "curves.json", "curves.svg", "plan.json", "weights.safetensors"}
    assert {p.name for p in out.iterdir()} == written


def test_a_classifier_is_trained_the_same_way(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "regions"
    spec = spec_file(tmp_path, Role.CLASSIFIER)
    assert main(["train", "--spec", str(spec), "--data", str(data), "--output", str(out), "--device", "cpu"]) == 0
    assert load_classifier(out, CPU).plan.model_id == "regions"


def test_a_specialist_starts_from_the_baseline(data: Path, tmp_path: Path) -> None:
    for role, extra in ((Role.BASELINE, []), (Role.BASE, ["--start-from", str(tmp_path / "baseline")])):
        spec = spec_file(tmp_path, role)
        given = ["train", "--spec", str(spec), "--data", str(data), "--device", "cpu", "--output"]
        assert main([*given, str(tmp_path / role.value), *extra]) == 0
    assert read_plan(tmp_path / "base").training["started_from"] == "baseline"


def test_progress_can_be_printed_as_json(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = spec_file(tmp_path, Role.BASELINE)
    given = ["train", "--spec", str(spec), "--data", str(data), "--output", str(tmp_path / "m"), "--device", "cpu"]
    assert main([*given, "--progress", "json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1] == {"event": "done", "model_id": "m", "folder": str(tmp_path / "m")}
    assert lines[-2] == {"event": "progress", "fraction": 1.0, "text": "Model saved"}
    curves = [line for line in lines[:-1] if line["event"] == "curve"]
    assert {line["event"] for line in lines[:-1]} == {"progress", "curve"}
    assert [(line["curve"], line["batch"]) for line in curves] == [
        ("loss", 1),
        ("loss", 2),
        ("validation", 3),
        ("loss", 3),
    ]
    assert all(line["value"] >= 0.0 for line in curves)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--role", "base"], "--data"),
        (["--data", "DATA"], "--role or --spec"),
        (["--role", "base", "--data", "DATA", "--iterations", "0"], "must be at least 1"),
        (["--role", "base", "--data", "nowhere"], "nowhere"),
        (["--spec", "nowhere.json", "--data", "DATA"], "nowhere.json"),
        (["--workspace", "nowhere"], "--role"),
        (["--workspace", "nowhere", "--role", "base"], "no workspace in nowhere"),
        (["--role", "base", "--data", "DATA", "--start-from", "nowhere"], "not a model folder"),
    ],
)
def test_what_cannot_be_trained_is_noted_in_one_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str], message: str
) -> None:
    filled = [str(data) if one == "DATA" else one for one in given]
    assert main(["train", *filled, "--output", str(tmp_path / "m"), "--device", "cpu"]) == 1
    printed = [line for line in capsys.readouterr().err.splitlines() if not line.lstrip()[:1].isdigit()]
    assert len(printed) == 1
    assert message in printed[0]
    assert not (tmp_path / "m" / "plan.json").exists()


def test_a_folder_that_is_not_empty_is_left_alone(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "plan.json").write_text("mine", encoding="utf-8")
    given = ["train", "--role", "base", "--data", str(data), "--output", str(tmp_path / "m"), "--device", "cpu"]
    assert main(given) == 1
    assert "is not empty" in capsys.readouterr().err
    assert (tmp_path / "m" / "plan.json").read_text(encoding="utf-8") == "mine"


def test_an_output_that_is_a_file_is_noted_before_training(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m").write_text("in the way", encoding="utf-8")
    given = ["train", "--role", "base", "--data", str(data), "--output", str(tmp_path / "m"), "--device", "cpu"]
    assert main(given) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "--output" in line


def test_an_error_is_noted_as_json_where_json_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["train", "--workspace", str(tmp_path / "w"), "--role", "base", "--output", str(tmp_path / "m")]
    assert main([*given, "--progress", "json"]) == 1
    printed = capsys.readouterr()
    line = printed.out.splitlines()[-1]
    assert json.loads(line)["event"] == "error"
    assert "no workspace" in json.loads(line)["message"]
    assert printed.err == ""


def test_what_nobody_thought_of_is_noted_as_json_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(train, "retrain", fail)
    given = ["train", "--workspace", str(tmp_path / "w"), "--role", "base", "--output", str(tmp_path / "m")]
    assert main([*given, "--progress", "json"]) == 1
    assert "No space left on device" in json.loads(capsys.readouterr().out.splitlines()[-1])["message"]


def test_a_model_trained_now_is_named_by_role_and_time(tmp_path: Path) -> None:
    name = train.new_model_id(Role.MIDDLE, tmp_path)
    assert name.startswith("middle-2")
    assert len(name) == len("middle-20260102T030405")


def test_without_git_the_revision_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", missing)
    assert train.git_revision() is None


def test_training_ends_when_the_program_that_asked_for_it_is_gone(data: Path, tmp_path: Path) -> None:
    spec = spec_file(tmp_path, Role.BASELINE, iterations=1_000_000)
    command = [sys.executable, "-m", "cmr_viewer", "train", "--spec", str(spec), "--data", str(data), "--device", "cpu"]
    command += ["--output", str(tmp_path / "m"), "--progress", "json", "--end-with-input"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert any("Training 0 %" in line for line in iter(child.stdout.readline, ""))
        child.stdin.close()
        assert child.wait(timeout=60) == 1
    assert not (tmp_path / "m" / "plan.json").exists()


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel does not share time among sessions")
def test_a_child_in_a_session_of_its_own_gives_way_with_its_session() -> None:
    script = "from cmr_viewer.commands.train import give_way; give_way(7); print(open('/proc/self/autogroup').read())"
    made = subprocess.run(
        [sys.executable, "-c", script], start_new_session=True, capture_output=True, text=True, check=True
    )
    assert made.stdout.split()[1:] == ["nice", "7"]
