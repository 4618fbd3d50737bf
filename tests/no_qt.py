"""Pytest plugin that makes Qt look uninstalled: `python -m pytest -p tests.no_qt -p no:pytest-qt tests/store`."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

BLOCKED = frozenset({"PySide6", "shiboken6", "pyqtgraph"})


class WithoutQt(MetaPathFinder):
    """Finder that says of every module of Qt that there is none."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {fullname!r} (blocked for this run)", name=fullname)
        return None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Know the settings of pytest-qt, which is not loaded here."""
    parser.addini("qt_log_level_fail", "setting of pytest-qt, without meaning here")


def pytest_configure() -> None:
    loaded = sorted(BLOCKED & set(sys.modules))
    if loaded:
        raise pytest.UsageError(f"{', '.join(loaded)} was imported before it could be blocked; add '-p no:pytest-qt'.")
    sys.meta_path.insert(0, WithoutQt())
