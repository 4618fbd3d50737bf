import json
from pathlib import Path
from typing import Any

import pytest

from cmr_viewer.__main__ import main
from cmr_viewer.commands.compare import names_of
from cmr_viewer.errors import LoadError
from cmr_viewer.evaluate import figures as pictures
from cmr_viewer.evaluate.runs import write_run
from tests.evaluate.made_runs import made_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of a baseline, a better run and one of fewer patients."""
    root = tmp_path_factory.mktemp("runs")
    made = {"baseline": made_run(), "better": made_run(0.02), "fewer": made_run(patients=2)}
    for name, run in made.items():
        (root / name).mkdir()
        write_run(root / name, run)
    return {name: root / name for name in made}


@pytest.fixture
def unpainted(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures, which take most of the time."""
    monkeypatch.setattr(pictures, "draw_comparison", lambda *_: [])


def compare(output: Path, baseline: Path, *runs: Path, names: str | None = None) -> int:
    given = ["compare", "--baseline", str(baseline), "--output", str(output), *(str(run) for run in runs)]
    return main([*given, *(["--names", names] if names else [])])


def figures_in(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "compare.json").read_text(encoding="utf-8"))
    return values


def test_figures_tables_and_pictures_are_written(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(tmp_path / "out", runs["baseline"], runs["better"]) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "compare.json", "curves.png", "curves.svg", "gains.png", "gains.svg", "tables.md",
        "volume-errors.png", "volume-errors.svg",
    ]  # fmt: skip
    figures = figures_in(tmp_path / "out")
    assert (figures["baseline"], figures["runs"]) == ("baseline", ["better"])
    assert figures["gains"]["all"]["better"]["LVBP"]["base"]["mean_gain"] == pytest.approx(0.04)
    printed = capsys.readouterr()
    assert printed.out.strip() == (tmp_path / "out" / "tables.md").read_text(encoding="utf-8").strip()
    assert printed.err == ""


@pytest.mark.usefixtures("unpainted")
def test_names_are_given_baseline_first(runs: dict[str, Path], tmp_path: Path) -> None:
    assert compare(tmp_path / "out", runs["baseline"], runs["better"], names="nnU-Net, Approach 2") == 0
    figures = figures_in(tmp_path / "out")
    assert (figures["baseline"], figures["runs"]) == ("nnU-Net", ["Approach 2"])


def test_runs_on_different_frames_are_refused_in_one_line(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(tmp_path / "out", runs["baseline"], runs["better"], runs["fewer"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "Frames of baseline that fewer lacks: 24, the first acdc2" in line
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_run_is_noted(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(tmp_path / "out", runs["baseline"], tmp_path / "nowhere") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "nowhere" in line
    assert "output folder of cmr-viewer evaluate" in line


def test_names_that_do_not_fit_are_refused() -> None:
    folders = [Path("a/run"), Path("b/run")]
    assert names_of(folders, "one, two") == ["one", "two"]
    for given in ("one", "one,two,three", "one,"):
        with pytest.raises(LoadError, match="Name the baseline first"):
            names_of(folders, given)
    for given in (None, "same,same"):
        with pytest.raises(LoadError, match="the same name"):
            names_of(folders, given)
