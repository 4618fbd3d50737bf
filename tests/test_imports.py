"""What may import what, beyond the layers that import-linter holds."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "cmr_viewer"


def imports_of(file: Path) -> Iterator[tuple[str, int]]:
    """Names of all modules that a file imports, wherever in it, each with its line."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"), str(file))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((f"{module}.{alias.name}", node.lineno) for alias in node.names)


def loaded_by(module: str) -> set[str]:
    """Top-level names of all modules that a fresh Python has loaded after importing one."""
    code = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def offences(files: Iterator[Path], forbidden: tuple[str, ...], allowed: tuple[str, ...] = ()) -> list[str]:
    """Imports of forbidden packages, as `file:line name`."""
    return [
        f"{file.relative_to(ROOT)}:{line} {name}"
        for file in files
        for name, line in imports_of(file)
        if name.partition(".")[0] in forbidden and not any(f"{name}.".startswith(f"{start}.") for start in allowed)
    ]


@pytest.mark.parametrize(
    "module", ["cmr_viewer", "cmr_viewer.__main__", "cmr_viewer.pipeline", "cmr_viewer.app.session"]
)
def test_import_loads_neither_torch_nor_widgets(module: str) -> None:
    assert not loaded_by(module) & {"torch", "pyqtgraph", "monai"}


def test_the_window_is_imported_without_torch() -> None:
    loaded = loaded_by("cmr_viewer.ui.window.main_window")
    assert "PySide6" in loaded
    assert not loaded & {"torch", "monai", "SimpleITK"}


@pytest.mark.parametrize("module", ["cmr_viewer", "cmr_viewer.__main__"])
def test_the_command_line_starts_without_numpy_and_qt(module: str) -> None:
    assert not loaded_by(module) & {"numpy", "scipy", "skimage", "PySide6", "sqlalchemy"}


def circles(imports: Mapping[str, Set[str]]) -> list[set[str]]:
    """Modules that import one another, directly or through others: strongly connected components of two and more."""
    reached: dict[str, set[str]] = {}
    for module in imports:
        reached[module], waiting = set(), [module]
        while waiting:
            new = imports[waiting.pop()] - reached[module]
            reached[module] |= new
            waiting += new
    groups = {frozenset(o for o in reached[m] if m in reached[o]) | {m} for m in imports if m in reached[m]}
    return [set(group) for group in groups if len(group) > 1]


def test_no_modules_import_one_another_in_a_circle() -> None:
    files = {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in PACKAGE.rglob("*.py")}
    modules = {name.removesuffix(".__init__"): file for name, file in files.items()}

    def imported(file: Path) -> set[str]:
        names = (name if name in modules else name.rpartition(".")[0] for name, _ in imports_of(file))
        return {name for name in names if name in modules}

    assert circles({module: imported(file) for module, file in modules.items()}) == []


def test_circles_are_found_through_other_modules() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_app_uses_qtcore_only() -> None:
    assert offences((PACKAGE / "app").rglob("*.py"), ("PySide6", "pyqtgraph"), allowed=("PySide6.QtCore",)) == []


WITHOUT_QT = {
    "app/private_log.py": "the log is there before Qt is",
    "app/settings.py": "they are read before Qt starts",
    "app/training_child.py": "the child that trains has no Qt",
}
"""Modules of the window's layer that use nothing of Qt, each with the reason why it does not lie below."""


def test_what_needs_no_qt_lies_below_the_window() -> None:
    files = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts): file
        for folder in ("app", "ui")
        for file in (PACKAGE / folder).rglob("*.py")
        if file.name != "__init__.py"
    }
    names = {module: {name for name, _ in imports_of(file)} for module, file in files.items()}
    uses_qt = {module for module, found in names.items() if any(n.startswith(("PySide6", "pyqtgraph")) for n in found)}
    uses_qt |= {module for module, found in names.items() if {name.rpartition(".")[0] for name in found} & uses_qt}
    without = {str(files[module].relative_to(PACKAGE)) for module in files.keys() - uses_qt}
    assert without == set(WITHOUT_QT)


def test_nothing_pickles() -> None:
    forbidden = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve")
    # the name of what torch raises when it refuses a file runs nothing
    assert offences(PACKAGE.rglob("*.py"), forbidden, allowed=("pickle.UnpicklingError",)) == []


def test_packages_hold_a_docstring_and_no_reexports() -> None:
    for file in PACKAGE.glob("*/__init__.py"):
        body = ast.parse(file.read_text(encoding="utf-8")).body
        assert len(body) == 1, f"{file.relative_to(ROOT)} holds more than a docstring"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from PySide6 import QtWidgets", ["PySide6.QtWidgets"]),
        ("from PySide6.QtCore import QObject", ["PySide6.QtCore.QObject"]),
        ("def f():\n    import pickle as p, os", ["pickle", "os"]),
    ],
)
def test_imports_are_found_wherever_they_stand(tmp_path: Path, source: str, expected: list[str]) -> None:
    file = tmp_path / "module.py"
    file.write_text(source, encoding="utf-8")
    assert [name for name, _ in imports_of(file)] == expected
