"""For all tests: no display needed, nothing of the user's own is touched, no thread outlives its test.

Nothing here imports Qt: the tests below `app` also run where it is not installed.
"""

import gc
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

THREAD_PATIENCE_S = 10.0


def pytest_configure(config: pytest.Config) -> None:
    """Let pass what the offscreen platform says of itself; every other warning of Qt fails its test."""
    if config.pluginmanager.hasplugin("pytest-qt"):
        config.addinivalue_line("qt_log_ignore", "This plugin does not support propagateSizeHints")


@pytest.fixture(autouse=True)
def collected_on_this_thread() -> Iterator[None]:
    """As in the program: no thread but this one ends Qt's objects (`cmr_viewer.ui.window.run`)."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True)
def own_places(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings, workspace and logs in a folder of the test's own, for this process and its children."""
    folder = tmp_path_factory.mktemp("places")
    for variable, name in (
        ("XDG_CONFIG_HOME", "config"),
        ("XDG_DATA_HOME", "data"),
        ("XDG_STATE_HOME", "state"),
        ("XDG_CACHE_HOME", "cache"),
    ):
        monkeypatch.setenv(variable, str(folder / name))
    for function, name in (
        ("user_config_dir", "config"),
        ("user_data_dir", "data"),
        ("user_log_dir", "log"),
        ("user_cache_dir", "cache"),
    ):
        monkeypatch.setattr(platformdirs, function, _place(folder / name))
    return folder


def _place(folder: Path) -> object:
    def place(*_args: object, **_kwargs: object) -> str:
        return str(folder)

    return place


@pytest.fixture(autouse=True)
def no_leaked_threads() -> Iterator[None]:
    """Fails a test that leaves a thread behind."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + THREAD_PATIENCE_S
    for thread in _new_threads(before):
        thread.join(max(0.0, deadline - time.monotonic()))
    leaked = [thread.name for thread in _new_threads(before)]
    assert not leaked, f"Threads outlived the test: {', '.join(leaked)}"


def _new_threads(before: set[threading.Thread]) -> list[threading.Thread]:
    """Threads of Python's own that were begun since; those that Qt made and Python only met are not its to end."""
    return [
        thread
        for thread in threading.enumerate()
        if thread not in before and not isinstance(thread, threading._DummyThread)
    ]
