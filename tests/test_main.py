import os
import subprocess
import sys
from pathlib import Path

import pytest

import start
from cmr_viewer import __main__ as program
from cmr_viewer import __version__
from cmr_viewer.__main__ import COMMANDS, main
from cmr_viewer.domain.role import TRAINING_ORDER, Role
from cmr_viewer.errors import LoadError


def ends_with(argv: list[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    "argv",
    [["--help"], ["models", "list", "--help"], *([command, "--help"] for command in COMMANDS)],
)
def test_every_command_has_a_help(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ends_with(argv) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("usage: cmr-viewer")
    assert shown.err == ""


def test_the_help_names_the_commands_and_states_that_it_is_no_medical_device(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ends_with(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "not a medical device" in text
    assert {"segment", "measure", "export", "train", "plan", "evaluate", "compare", "models"} <= set(COMMANDS)
    assert " | ".join(COMMANDS) in text


@pytest.mark.parametrize(
    ("name", "value", "other"), [("OMP_WAIT_POLICY", "PASSIVE", "ACTIVE"), ("OPENBLAS_NUM_THREADS", "1", "2")]
)
def test_threads_do_not_spin_unless_the_environment_sets_otherwise(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, other: str
) -> None:
    monkeypatch.delenv(name, raising=False)
    ends_with(["--version"])
    assert os.environ[name] == value
    monkeypatch.setenv(name, other)
    ends_with(["--version"])
    assert os.environ[name] == other


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends_with(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"CMR Viewer {__version__}"


@pytest.mark.parametrize(
    "argv",
    [
        ["--nonsense"],
        ["one", "two"],
        ["segment"],
        ["segment", "a.nii.gz"],
        ["segment", "a.nii.gz", "--output", "o", "--device", "tpu"],
        ["segment", "a.nii.gz", "--output", "o", "--routing", "random"],
        ["train", "--role", "captain", "--output", "o"],
        ["train", "--role", "base", "--output", "o", "--iterations", "many"],
        ["evaluate"],
        ["measure", "a.nii", "--output", "o.json", "--codes", "ukbb"],
        ["export", "a.nii", "--output", "o", "--labels", "b.nii", "--codes", "1=LVBP,2=liver"],
        ["compare"],
        ["learn"],
        ["learn", "--workspace", "w", "--roles", "base,captain"],
        ["plan", "--data", "x"],
        ["models"],
        ["models", "promote", "base"],
        ["models", "promote", "captain", "x"],
    ],
)
def test_wrong_usage_ends_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ends_with(argv) == 2
    assert capsys.readouterr().err.startswith("usage:")


def test_the_start_script_knows_the_commands() -> None:
    assert tuple(COMMANDS) == start.COMMANDS


def test_the_roles_of_the_command_line_are_those_of_the_program() -> None:
    assert tuple(role.value for role in Role) == program.ROLES
    assert tuple(role.value for role in TRAINING_ORDER) == program.LEARNING_ROLES


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(command: str, arguments: object) -> int:
        raise error

    monkeypatch.setattr(program, "_run", fail)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (LoadError("The file\nis broken."), "cmr-viewer: The file is broken."),
        (KeyboardInterrupt(), "cmr-viewer: stopped."),
        (
            MemoryError(),
            "cmr-viewer: not enough memory. Close other programs, or process fewer inputs at once.",
        ),
        (OSError(28, "No space left on device"), "cmr-viewer: No space left on device."),
        (PermissionError(13, "Permission denied", "/x"), "cmr-viewer: Permission denied: /x."),
        (
            ValueError("odd"),
            "cmr-viewer: unexpected ValueError: odd. Run again with --debug and report the output.",
        ),
    ],
)
def test_an_error_is_one_line_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, line: str
) -> None:
    failing(monkeypatch, error)
    assert main(["models", "list"]) == 1
    assert capsys.readouterr().err.splitlines() == [line]


def test_with_debug_an_error_shows_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, LoadError("broken"))
    with pytest.raises(LoadError, match="broken"):
        main(["models", "list", "--debug"])


def test_the_exit_code_is_that_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for code in (0, 1):
        monkeypatch.setattr(program, "_run", lambda command, arguments, code=code: code)
        assert main(["models", "list"]) == code


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        ([], "window"),
        (["study"], "window"),
        (["--demo"], "window"),
        (["segment", "x", "--output", "o"], "segment"),
        (["train", "--output", "o"], "train"),
        (["learn", "--workspace", "w"], "learn"),
        (["plan", "--data", "x", "--output", "o"], "plan"),
        (["evaluate", "x", "--output", "o"], "evaluate"),
        (["compare", "--baseline", "a", "b", "--output", "o"], "compare"),
        (["models", "list"], "models"),
    ],
)
def test_the_first_argument_names_the_command(monkeypatch: pytest.MonkeyPatch, argv: list[str], command: str) -> None:
    run_commands: list[str] = []

    def run(name: str, arguments: object) -> int:
        run_commands.append(name)
        return 0

    monkeypatch.setattr(program, "_run", run)
    assert main(argv) == 0
    assert run_commands == [command]


def test_help_in_a_process_of_its_own_imports_neither_torch_nor_qt() -> None:
    code = (
        "import sys\n"
        "from cmr_viewer.__main__ import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "late = ('torch', 'PySide6', 'SimpleITK', 'nibabel', 'scipy')\n"
        "print('imported:', [m for m in late if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported: []"


def test_the_program_runs_as_a_module_and_shows_errors_without_a_traceback(tmp_path: Path) -> None:
    given = [sys.executable, "-m", "cmr_viewer", "models", "list", "--models", str(tmp_path / "nowhere")]
    done = subprocess.run(given, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("cmr-viewer: The models folder ")


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_a_name_that_the_console_cannot_show_does_not_end_the_program(tmp_path: Path, encoding: str) -> None:
    """As a console of Windows with a Western code page does with the name of a Chinese folder."""
    code = (
        "import sys; from cmr_viewer import __main__ as program; program._run = lambda *_: print(sys.argv[1]) or 0;"
        "sys.exit(program.main(['models', 'list']))"
    )
    name = os.fsdecode(b"\xe5\xbf\x83 \xe9")  # a Chinese letter, and a byte that is no text
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, name],
        capture_output=True,
        env=environment,
        cwd=Path(__file__).parents[1],
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\udce9" in done.stdout
