from pathlib import Path

import pytest

from cmr_viewer.__main__ import main
from cmr_viewer.train.spec import read_spec
from tests.phantom import sax_cine, write_acdc_patient


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "acdc"
    write_acdc_patient(root, sax_cine(phases=2, slices=5, rows=72, cols=64), patient="patient002")
    return root


def test_a_spec_that_can_be_trained_is_written(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "spec.toml"
    assert main(["plan", "--data", str(data), "--output", str(out)]) == 0
    spec = read_spec(out)
    assert (spec.spacing_mm, spec.optimizer) == (1.8, "sgd")
    assert capsys.readouterr().out.startswith(str(out))


def test_a_place_that_cannot_be_written_is_noted(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["plan", "--data", str(data), "--recipe", "light", "--output", str(tmp_path / "no" / "spec.toml")]
    assert main(given) == 1
    assert "Could not write the spec" in capsys.readouterr().err
