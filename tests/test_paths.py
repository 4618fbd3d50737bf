import sys
from pathlib import Path

import platformdirs
import pytest

from cmr_viewer import paths


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """As in the PyInstaller build."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path / "inside"), raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "cmr-viewer"))
    return tmp_path


def test_in_a_checkout_data_lies_beside_the_package() -> None:
    checkout = Path(paths.__file__).resolve().parent.parent
    assert paths.resources_dir() == checkout / "resources"
    assert paths.shipped_models_dir() == checkout / "models"
    assert paths.demo_study_dir() == checkout / "resources" / "demo"
    assert not paths.is_frozen()


def test_in_an_installed_wheel_data_lies_in_the_data_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(paths, "__file__", str(tmp_path / "site-packages" / "cmr_viewer" / "paths.py"))
    assert paths.shipped_models_dir() == tmp_path.resolve() / "site-packages" / "cmr_viewer_data" / "models"


def test_in_the_frozen_program_data_lies_in_the_bundle(frozen: Path) -> None:
    assert paths.is_frozen()
    assert paths.shipped_models_dir() == frozen / "inside" / "models"
    assert paths.demo_study_dir() == frozen / "inside" / "resources" / "demo"


def test_the_frozen_program_is_started_again_by_itself(frozen: Path) -> None:
    assert paths.program_command() == [str(frozen / "cmr-viewer")]


def test_elsewhere_it_is_started_again_as_a_module() -> None:
    assert paths.program_command() == [sys.executable, "-m", "cmr_viewer"]


def test_what_a_reader_keeps_lies_where_the_platform_says() -> None:
    assert (
        paths.default_workspace_dir() == Path(platformdirs.user_data_dir("cmr-viewer", appauthor=False)) / "workspace"
    )
    assert paths.index_dir() == Path(platformdirs.user_cache_dir("cmr-viewer", appauthor=False)) / "headers"
    assert paths.log_dir() == Path(platformdirs.user_log_dir("cmr-viewer", appauthor=False))
