import shutil
from pathlib import Path

import pytest

from cmr_viewer.__main__ import main
from cmr_viewer.domain.role import Role
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.model_registry import ModelRegistry


def models(action: list[str], workspace: Path, folder: Path) -> int:
    return main(["models", *action, "--workspace", str(workspace), "--models", str(folder)])


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


@pytest.fixture
def with_another(copy_of_models: Path) -> Path:
    """A models folder with a second model for the base."""
    other = copy_of_models / "other-base"
    shutil.copytree(copy_of_models / "tiny-base", other)
    plan = other / "plan.json"
    plan.write_text(plan.read_text(encoding="utf-8").replace('"tiny-base"', '"other-base"'), encoding="utf-8")
    return copy_of_models


def test_the_shipped_models_are_listed_without_a_workspace(
    models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert models(["list"], tmp_path / "none", models_folder) == 0
    listed = rows(capsys.readouterr().out)
    assert listed[0] == ["role", "model", "in", "use", "made", "source"]
    assert [row[:3] for row in listed[1:]] == [[r.value, f"tiny-{r.value}", "yes"] for r in Role]
    assert {row[-1] for row in listed[1:]} == {"shipped"}
    assert not (tmp_path / "none").exists()


def test_a_model_is_promoted_and_rolled_back(
    with_another: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = tmp_path / "workspace"
    assert models(["promote", "base", "other-base", "--reason", "Better."], workspace, with_another) == 0
    assert capsys.readouterr().out == "other-base is now in use as base specialist.\n"
    assert models(["list"], workspace, with_another) == 0
    in_service = {row[1] for row in rows(capsys.readouterr().out)[1:] if row[2] == "yes"}
    assert "other-base" in in_service
    assert "tiny-base" not in in_service

    assert models(["rollback", "base"], workspace, with_another) == 0
    assert capsys.readouterr().out == "tiny-base is now in use as base specialist.\n"
    with open_workspace(workspace, reader="r") as opened:
        history = ModelRegistry(with_another, opened).history(Role.BASE)
    assert [(row.kind, row.reason) for row in history] == [
        ("promote", "Better."),
        ("roll_back", "From the command line."),
    ]


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (["promote", "base", "nobody"], "nobody"),
        (["promote", "base", "tiny-apex"], "tiny-apex"),
        (["promote", "base", "tiny-base"], "already"),
        (["rollback", "apex"], "nothing to roll back to"),
    ],
)
def test_what_cannot_be_done_is_noted_in_one_line(
    models_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], action: list[str], message: str
) -> None:
    assert models(action, tmp_path / "workspace", models_folder) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_models_cannot_be_changed_while_a_window_holds_the_workspace(
    with_another: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_workspace(tmp_path / "workspace", reader="window"):
        assert models(["promote", "base", "other-base"], tmp_path / "workspace", with_another) == 1
        assert "open in another window" in capsys.readouterr().err
        assert models(["list"], tmp_path / "workspace", with_another) == 0


def test_a_broken_model_is_noted_below_the_list(
    copy_of_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy_of_models / "tiny-apex" / "plan.json").write_text("{", encoding="utf-8")
    assert models(["list"], tmp_path / "none", copy_of_models) == 0
    printed = capsys.readouterr().out
    assert "tiny-apex" in printed
    assert "Note: " in printed


def test_a_models_folder_that_is_missing_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert models(["list"], tmp_path / "none", tmp_path / "nowhere") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "nowhere") in line
