"""Where resources, models, workspaces and logs are; the same from a checkout, an installed wheel and frozen."""

import sys
from pathlib import Path

import platformdirs

APP_NAME = "cmr-viewer"


def is_frozen() -> bool:
    """Whether this is the PyInstaller build."""
    return bool(getattr(sys, "frozen", False))


def _data_root() -> Path:
    if is_frozen():
        return Path(getattr(sys, "_MEIPASS", Path(sys.executable).parent))
    checkout = Path(__file__).resolve().parent.parent
    if (checkout / "resources").is_dir():
        return checkout
    return checkout / "cmr_viewer_data"


def resources_dir() -> Path:
    """Icons, style sheet and demo study; read-only."""
    return _data_root() / "resources"


def demo_study_dir() -> Path:
    """The demo study, a folder of DICOM files."""
    return resources_dir() / "demo"


def shipped_models_dir() -> Path:
    """The models that come with the program; read-only."""
    return _data_root() / "models"


def default_workspace_dir() -> Path:
    """The default workspace."""
    return Path(platformdirs.user_data_dir(APP_NAME, appauthor=False)) / "workspace"


def log_dir() -> Path:
    """The folder of the logs, one for each run."""
    return Path(platformdirs.user_log_dir(APP_NAME, appauthor=False))


def index_dir() -> Path:
    """The cache of headers of DICOM folders; old ones make room for new ones, and all are safe to delete."""
    return Path(platformdirs.user_cache_dir(APP_NAME, appauthor=False)) / "headers"


def program_command() -> list[str]:
    """The command that starts this program again; a frozen program cannot be called with `-m`."""
    if is_frozen():
        return [sys.executable]
    return [sys.executable, "-m", "cmr_viewer"]
