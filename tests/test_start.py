"""The set-up script and the script of checks, without installing anything."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

ROOT = Path(__file__).resolve().parent.parent


def load_script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Installed:
    """Replaces venv and pip: notes what was asked for and makes what the script looks for."""

    def __init__(self, start: Any) -> None:
        self.start = start
        self.asked: list[list[str]] = []
        self.refused: dict[str, Exception] = {}

    def make_environment(self) -> None:
        self.start.PYTHON.parent.mkdir(parents=True, exist_ok=True)
        self.start.PYTHON.touch()
        version = ".".join(map(str, sys.version_info[:3]))
        (self.start.VENV / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n")

    def pip(self, arguments: list[str]) -> None:
        self.asked.append(arguments)
        for word, error in self.refused.items():
            if any(argument.endswith(word) for argument in arguments):
                raise error


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The set-up script, at home in an empty folder."""
    module = load_script(ROOT / "start.py")
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text(encoding="utf-8"), encoding="utf-8")
    for name, value in vars(module).items():
        if isinstance(value, Path) and value.is_relative_to(ROOT):
            monkeypatch.setattr(module, name, tmp_path / value.relative_to(ROOT))
    return module


@pytest.fixture
def installed(start: Any, monkeypatch: pytest.MonkeyPatch) -> Installed:
    fake = Installed(start)
    monkeypatch.setattr(start, "make_environment", fake.make_environment)
    monkeypatch.setattr(start, "pip", fake.pip)
    monkeypatch.setattr(start, "installed_version", lambda package: "")
    monkeypatch.setattr(start, "wants_cpu_build", lambda: True)
    monkeypatch.setattr(start, "check_space", lambda needed_gb: None)
    return fake


@pytest.fixture(scope="module")
def checks() -> Any:
    return load_script(ROOT / ".ci" / "checks.py")


def asked_for(fake: Installed) -> list[str]:
    return [next((word for word in words if word.startswith("torch==")), words[-1]) for words in fake.asked]


class TestSetUp:
    def test_the_second_start_installs_nothing(self, start: Any, installed: Installed) -> None:
        start.ensure(dev=False)
        assert asked_for(installed) == [f"torch=={start.TORCH}+cpu", str(start.ROOT)]
        installed.asked.clear()
        start.ensure(dev=False)
        assert installed.asked == []

    def test_checking_adds_its_tools_and_a_later_start_keeps_them(self, start: Any, installed: Installed) -> None:
        start.ensure(dev=False)
        assert not start.is_ready(dev=True)
        start.ensure(dev=True)
        assert asked_for(installed)[-1] == f"{start.ROOT}[dev]"
        assert start.is_ready(dev=False)
        project = start.ROOT / "pyproject.toml"
        project.write_text(project.read_text(encoding="utf-8").replace('"numpy>=', '"numpy >='), encoding="utf-8")
        start.ensure(dev=False)
        assert asked_for(installed)[-1] == f"{start.ROOT}[dev]"

    def test_an_interrupted_set_up_is_made_anew(self, start: Any, installed: Installed) -> None:
        installed.refused[str(start.ROOT)] = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            start.ensure(dev=False)
        left = start.VENV / "lib" / "half-installed"
        left.mkdir(parents=True)
        assert not start.is_ready(dev=False)
        installed.refused.clear()
        start.ensure(dev=False)
        assert not left.exists()
        assert start.is_ready(dev=False)

    def test_an_update_that_changed_nothing_leaves_the_environment_alone(
        self, start: Any, installed: Installed
    ) -> None:
        start.ensure(dev=False)
        there = start.VENV / "there"
        there.touch()
        installed.refused["[dev]"] = start.SetupError("no network", harmless=True, offline=True)
        with pytest.raises(start.SetupError):
            start.ensure(dev=True)
        installed.refused.clear()
        start.ensure(dev=True)
        assert there.exists()

    def test_an_environment_of_another_python_is_made_anew(self, start: Any, installed: Installed) -> None:
        start.ensure(dev=False)
        (start.VENV / "pyvenv.cfg").write_text("version = 3.9.1\n")
        (start.VENV / "old").touch()
        start.STAMP.write_text(json.dumps({"key": "of another", "dev": False, "root": str(start.ROOT)}))
        start.ensure(dev=False)
        assert not (start.VENV / "old").exists()

    def test_an_environment_that_was_moved_is_made_anew(self, start: Any, installed: Installed) -> None:
        start.ensure(dev=False)
        (start.VENV / "old").touch()
        start.STAMP.write_text(json.dumps({"key": "of another", "dev": False, "root": "/elsewhere"}))
        start.ensure(dev=False)
        assert not (start.VENV / "old").exists()

    def test_a_stamp_that_cannot_be_read_counts_as_none(self, start: Any, installed: Installed) -> None:
        start.ensure(dev=False)
        start.STAMP.write_text('{"key": ')
        assert not start.is_ready(dev=False)
        start.ensure(dev=False)
        assert start.is_ready(dev=False)


class TestTorch:
    def test_without_a_cpu_build_the_same_version_is_taken_from_where_pip_looks(
        self, start: Any, installed: Installed
    ) -> None:
        installed.refused["+cpu"] = start.SetupError("not offered", missing=True, offline=True)
        start.ensure(dev=False)
        assert asked_for(installed) == [f"torch=={start.TORCH}+cpu", f"torch=={start.TORCH}", str(start.ROOT)]

    def test_a_python_without_that_version_takes_what_the_project_requires(
        self, start: Any, installed: Installed
    ) -> None:
        installed.refused[start.TORCH] = installed.refused["+cpu"] = start.SetupError("not offered", missing=True)
        start.ensure(dev=False)
        assert asked_for(installed)[-1] == str(start.ROOT)

    def test_without_a_network_it_stops_at_once(self, start: Any, installed: Installed) -> None:
        installed.refused["+cpu"] = start.SetupError("not offered", missing=True, offline=True)
        installed.refused[start.TORCH] = start.SetupError("no network", missing=True, offline=True)
        with pytest.raises(start.SetupError, match="no network"):
            start.ensure(dev=False)
        assert len(installed.asked) == 2

    def test_the_rest_is_installed_under_the_torch_that_is_there(
        self, start: Any, installed: Installed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(start, "installed_version", lambda package: "2.13.0+cpu")
        start.ensure(dev=False)
        assert asked_for(installed) == [str(start.ROOT)]
        constraints = installed.asked[0][installed.asked[0].index("--constraint") + 1]
        assert Path(constraints).read_text() == "torch==2.13.0+cpu\n"

    def test_a_gpu_keeps_the_plain_build(self, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(start, "LINUX", True)
        monkeypatch.setattr(start.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
        assert not start.wants_cpu_build()


class TestExplain:
    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("ERROR: Could not install: [Errno 28] No space left on device", "disk is full"),
            ("WARNING: Retrying after connection broken by 'NewConnectionError(...)'", "does not answer"),
            ("ERROR: No matching distribution found for torch>=2.4", "no torch>=2.4 for Python"),
            ("SSLError(SSLCertVerificationError(1, 'CERTIFICATE_VERIFY_FAILED'))", "certificate"),
            ("The virtual environment was not created because ensurepip is not available.", "python3-venv"),
            ("ERROR: something of its own", "pip failed: ERROR: something of its own"),
            ("", "pip failed"),
        ],
    )
    def test_every_failure_becomes_one_line(self, start: Any, line: str, words: str) -> None:
        text = str(start.explain([line], "pip"))
        assert words in text
        assert "\n" not in text

    def test_a_failure_before_installing_began_did_no_harm(self, start: Any) -> None:
        assert start.explain(["ERROR: No matching distribution found for x"], "pip").harmless
        assert not start.explain(["Installing collected packages: x", "Errno 28"], "pip").harmless

    def test_a_folder_that_cannot_be_written_is_said(self, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*, dev: bool) -> None:
            raise PermissionError(13, "Permission denied", str(start.VENV))

        monkeypatch.setattr(start, "set_up", fail)
        with pytest.raises(start.SetupError, match=r"The set-up failed: .*Permission denied"):
            start.ensure(dev=False)

    def test_too_little_space_is_an_error_before_anything_is_made(self, start: Any) -> None:
        with pytest.raises(start.SetupError, match="Not enough space"):
            start.check_space(1e9)


class TestKey:
    PROJECT: ClassVar[dict[str, Any]] = {"project": {"dependencies": ["a>=1"], "optional-dependencies": {"dev": ["b"]}}}

    def test_requirements_python_and_place_change_it(self, start: Any) -> None:
        key = start.setup_key(self.PROJECT, Path("/here"), (3, 11))
        other: dict[str, Any] = {"project": {"dependencies": ["a>=2"], "optional-dependencies": {"dev": ["b"]}}}
        assert start.setup_key(other, Path("/here"), (3, 11)) != key
        assert start.setup_key(self.PROJECT, Path("/there"), (3, 11)) != key
        assert start.setup_key(self.PROJECT, Path("/here"), (3, 12)) != key

    def test_settings_of_tools_do_not_change_it(self, start: Any) -> None:
        with_tools = {**self.PROJECT, "tool": {"ruff": {"line-length": 100}}}
        assert start.setup_key(with_tools, Path("/here"), (3, 11)) == start.setup_key(
            self.PROJECT, Path("/here"), (3, 11)
        )


class TestDisplay:
    def test_missing_libraries_are_said_in_one_line_to_paste(self, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(start, "LINUX", True)
        monkeypatch.setattr(start, "can_load", lambda soname: soname not in ("libEGL.so.1", "libxcb-cursor.so.0"))
        monkeypatch.setattr(start.shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
        with pytest.raises(start.SetupError) as caught:
            start.check_libraries(start.window_libraries({"DISPLAY": ":0"}))
        assert str(caught.value).endswith(": sudo apt install libegl1 libxcb-cursor0")
        assert "\n" not in str(caught.value)

    def test_each_system_gets_its_own_command(self, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        missing = [library for library in start.XCB_LIBRARIES if "libxcb" in (library[1], library[2])]
        monkeypatch.setattr(start.shutil, "which", lambda name: "/usr/bin/dnf" if name == "dnf" else None)
        assert start.install_line(missing).endswith("sudo dnf install libxcb")
        monkeypatch.setattr(start.shutil, "which", lambda name: None)
        assert "libxcb-randr.so.0" in start.install_line(missing)

    def test_a_missing_display_is_an_error(self, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(start, "LINUX", True)
        with pytest.raises(start.SetupError, match="No display for the window"):
            start.window_libraries({})

    def test_a_platform_chosen_by_hand_needs_no_display(self, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(start, "LINUX", True)
        assert start.window_libraries({"QT_QPA_PLATFORM": "offscreen"}) == list(start.QT_LIBRARIES)

    def test_wayland_alone_does_not_ask_for_xcb(self, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(start, "LINUX", True)
        libraries = start.window_libraries({"WAYLAND_DISPLAY": "wayland-0"})
        assert set(start.WAYLAND_LIBRARIES) <= set(libraries)
        assert not set(start.XCB_LIBRARIES) & set(libraries)

    def test_wayland_whose_libraries_lack_falls_back_to_xcb(self, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(start, "LINUX", True)
        monkeypatch.setattr(start, "can_load", lambda soname: "wayland" not in soname)
        libraries = start.window_libraries({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"})
        assert set(start.XCB_LIBRARIES) <= set(libraries)


class TestDoors:
    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            ([], True),
            (["--demo"], True),
            ([str(ROOT)], True),
            (["segment", "a", "--output", "b"], False),
            (["--version"], False),
            (["models", "list"], False),
        ],
    )
    def test_only_a_study_or_nothing_opens_the_window(self, start: Any, arguments: list[str], expected: bool) -> None:
        assert start.opens_window(arguments) is expected

    @pytest.mark.parametrize(
        ("arguments", "passed_on"),
        [
            (["segment", "a"], ["segment", "a"]),
            (["--", "--help"], ["--help"]),
            (["run", "models", "list"], ["models", "list"]),
        ],
    )
    def test_arguments_are_passed_on(
        self, start: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str], passed_on: list[str]
    ) -> None:
        started: list[list[str]] = []
        monkeypatch.setattr(start, "ensure", lambda dev: None)
        monkeypatch.setattr(start, "start", lambda command: started.append(command) or 0)
        assert start.main(arguments) == 0
        assert started == [[str(start.PYTHON), "-P", "-m", "cmr_viewer", *passed_on]]

    def test_a_failed_set_up_is_one_line_and_status_one(
        self, start: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail(dev: bool) -> None:
            raise start.SetupError("Nothing works: mend it.")

        monkeypatch.setattr(start, "ensure", fail)
        assert start.main([]) == 1
        assert capsys.readouterr().err == "Nothing works: mend it.\n"


class TestChecks:
    @pytest.mark.parametrize(
        ("line", "closing"),
        [
            ("===== 12 passed, 1 skipped in 3.45s =====\n", "12 passed, 1 skipped in 3.45s"),
            ("1 failed, 2 passed, 1 warning in 75.00s (0:01:15)", "1 failed, 2 passed, 1 warning in 75.00s (0:01:15)"),
            ("tests/store/test_events.py ....  [ 50%]", ""),
            ("===== short test summary info =====", ""),
        ],
    )
    def test_the_closing_line_of_pytest_is_recognised(self, checks: Any, line: str, closing: str) -> None:
        assert checks.closing_of(line) == closing

    def test_all_runs_are_added_up_failures_first(self, checks: Any) -> None:
        outcomes = [
            checks.Outcome("a", 0, 2.0, "10 passed, 3 deselected in 1.90s"),
            checks.Outcome("b", 1, 3.0, "1 failed, 4 passed, 1 error in 2.90s"),
            checks.Outcome("mypy", 0, 9.0, ""),
        ]
        assert checks.total_of(outcomes) == "1 failed, 1 errors, 14 passed in 5.00s"

    def test_every_test_runs_in_exactly_one_of_the_processes(self, checks: Any) -> None:
        steps = {step.name: step.command for step in checks.testing_steps(ROOT / "tests", "xvfb-run")}
        without = {word for word in steps["tests without Qt"] if word.startswith(str(ROOT / "tests"))}
        ignored = {word.removeprefix("--ignore=") for word in steps["tests with Qt, offscreen"] if "--ignore=" in word}
        assert without == ignored
        assert "not xcb" in steps["tests with Qt, offscreen"]
        assert "xcb" in steps["tests with Qt, xcb"]

    def test_without_an_x_server_the_xcb_tests_are_left_out(self, checks: Any) -> None:
        assert "tests with Qt, xcb" not in [step.name for step in checks.testing_steps(ROOT / "tests", None)]

    def test_output_is_shown_and_the_status_returned(self, checks: Any, capsys: pytest.CaptureFixture[str]) -> None:
        code = "print('== 2 passed in 0.10s =='); raise SystemExit(3)"
        outcome = checks.run(checks.Step("a", [sys.executable, "-c", code], {}))
        assert (outcome.status, outcome.closing) == (3, "2 passed in 0.10s")
        assert "2 passed" in capsys.readouterr().out
