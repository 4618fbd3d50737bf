"""Set up and start CMR Viewer, or check it; needs nothing but Python 3.11 or newer.

    python3 start.py                 sets up .venv next to this file if needed and opens the window with the demo study
    python3 start.py check           sets up, then runs every check and test; the same as in continuous integration
    python3 start.py setup [--dev]   only sets up
    python3 start.py ARGUMENT...     sets up if needed and runs the program: segment, train, a folder to open, ...

Checking a set-up that is up to date takes a few milliseconds: its stamp in .venv states what it was made for. An
interrupted set-up leaves a mark, and the next start repeats it.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - old interpreters read this file too, and need the message
    _found = ".".join(str(part) for part in sys.version_info[:3])
    sys.exit("CMR Viewer needs Python 3.11 or newer; " + sys.executable + " is " + _found + ". See python.org.")

import contextlib
import ctypes
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

if sys.platform == "win32":
    import msvcrt

    def try_lock(file: IO[str]) -> None:
        """Take the lock of an open file; OSError if another process has it."""
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def try_lock(file: IO[str]) -> None:
        """Take the lock of an open file; OSError if another process has it."""
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


WINDOWS = os.name == "nt"
LINUX = platform.system() == "Linux"

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if WINDOWS else "bin")
PYTHON = BIN / ("python.exe" if WINDOWS else "python")
STAMP = VENV / ".cmr-viewer-ready.json"
UNFINISHED = VENV / ".cmr-viewer-unfinished"
LOCK = VENV / ".cmr-viewer-lock"
LOG = VENV / "setup.log"

SETUP_VERSION = 1
"""Goes up when the set-up changes, so that older environments are updated."""

TORCH = "2.13.0"
"""The torch for a Linux machine without an NVIDIA GPU. PyPI's Linux build of torch includes several gigabytes of CUDA;
a version with "+cpu" cannot resolve to it."""
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"

NEEDED_GB = 3.5
NEEDED_WITH_CUDA_GB = 12.0

COMMANDS = (
    *("segment", "measure", "export", "report", "compare-reads"),
    *("train", "learn", "plan", "evaluate", "compare", "models"),
)

NO_VENV = "Python's venv module is missing. Install it (Debian, Ubuntu: sudo apt install python3-venv)."

UNREACHABLE = re.compile(
    "NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|ProxyError|Network is unreachable|"
    "Temporary failure in name resolution"
)


class SetupError(Exception):
    """The set-up cannot go on; the text is one line for whoever started it.

    Attributes:
        harmless: Whether .venv is as whole as it was before, so that the next start can build on it.
        missing: Whether the reason is a package that does not exist for this Python and platform.
        offline: Whether the reason is that the package index cannot be reached.
    """

    def __init__(self, text: str, *, harmless: bool = False, missing: bool = False, offline: bool = False) -> None:
        super().__init__(text)
        self.harmless = harmless
        self.missing = missing
        self.offline = offline


def show(text: str) -> None:
    """Write a line for the person at the terminal, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


# ---------------------------------------------------------------------------------------------------- the stamp


def setup_key(pyproject: Mapping[str, Any], root: Path, python: tuple[int, int]) -> str:
    """A digest of what a set-up was made for: requirements, Python version, place and version of the set-up."""
    project = pyproject["project"]
    parts = [
        project.get("dependencies"),
        project.get("optional-dependencies", {}).get("dev"),
        project.get("scripts"),
        pyproject.get("build-system"),
        list(python),
        str(root),
        SETUP_VERSION,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def current_key() -> str:
    """The key of a set-up made now."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        return setup_key(tomllib.load(file), ROOT, sys.version_info[:2])


def read_stamp(stamp: Path) -> dict[str, Any]:
    """The stamp of the last finished set-up: `key`, `dev`, `root`; empty if there is none or it cannot be read."""
    try:
        content = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def is_ready(*, dev: bool) -> bool:
    """Whether .venv is complete and matches this checkout."""
    stamp = read_stamp(STAMP)
    if not stamp or UNFINISHED.exists() or not PYTHON.exists():
        return False
    return bool(stamp.get("key") == current_key() and (stamp.get("dev") or not dev))


def environment_python(venv: Path) -> tuple[int, int] | None:
    """(major, minor) of the Python that an environment was made with; None if not known."""
    try:
        config = (venv / "pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"^version(?:_info)?\s*=\s*(\d+)\.(\d+)", config, re.MULTILINE)
    return (int(found[1]), int(found[2])) if found else None


# ------------------------------------------------------------------------------------------------- setting up


def ensure(*, dev: bool) -> None:
    """Set up .venv unless it is ready.

    Args:
        dev: Whether the tools for checking are needed too.

    Raises:
        SetupError: The set-up failed; the text states why and what to do.
    """
    if is_ready(dev=dev):
        return
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise SetupError(NO_VENV)
    try:
        VENV.mkdir(exist_ok=True)
        with one_at_a_time():
            if not is_ready(dev=dev):
                set_up(dev=dev or bool(read_stamp(STAMP).get("dev")))
    except OSError as error:
        raise explain([str(error)], "The set-up") from error


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the set-up's lock; the system releases it when the process ends, however it ends."""
    with LOCK.open("a+") as file:
        try:
            try_lock(file)
        except OSError:
            show("Waiting for another set-up to finish.")
            wait_for_lock(file)
        yield


def wait_for_lock(file: IO[str]) -> None:
    """Take the lock of an open file as soon as it is free."""
    while True:
        with contextlib.suppress(OSError):
            try_lock(file)
            return
        time.sleep(0.3)


def set_up(*, dev: bool) -> None:
    """Make or update .venv; the caller holds the lock."""
    started = time.monotonic()
    cpu_build = wants_cpu_build()
    anew = must_be_made_anew()
    UNFINISHED.touch()
    try:
        if anew:
            empty_environment()
            check_space(NEEDED_GB if cpu_build or not LINUX else NEEDED_WITH_CUDA_GB)
        show(f"Setting up CMR Viewer in {VENV}. This happens once and takes a few minutes.")
        LOG.write_text("", encoding="utf-8")
        if anew:
            make_environment()
        if cpu_build:
            install_cpu_torch()
        install_program(dev=dev)
    except SetupError as error:
        if error.harmless and not anew:
            UNFINISHED.unlink()
        raise
    partial = STAMP.with_suffix(".part")
    partial.write_text(json.dumps({"key": current_key(), "dev": dev, "root": str(ROOT)}), encoding="utf-8")
    partial.replace(STAMP)
    UNFINISHED.unlink()
    show(f"Set-up finished in {time.monotonic() - started:.0f} s.")


def must_be_made_anew() -> bool:
    """Whether .venv must be made again: half made, for another Python, or moved here from elsewhere."""
    if UNFINISHED.exists():
        show("The last set-up did not finish. Starting again.")
        return True
    if not PYTHON.exists() or environment_python(VENV) != sys.version_info[:2]:
        return True
    return bool(read_stamp(STAMP).get("root", str(ROOT)) != str(ROOT))


def empty_environment() -> None:
    """Remove everything in .venv but the lock and the mark of being unfinished."""
    if Path(sys.prefix).resolve() == VENV.resolve():
        raise SetupError(f"{VENV} must be made again. Leave it (deactivate) and start with the system's Python.")
    for path in VENV.iterdir():
        if path in (LOCK, UNFINISHED):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def check_space(needed_gb: float) -> None:
    """Raise SetupError if there is too little room for a set-up that starts from nothing."""
    free_gb = shutil.disk_usage(ROOT).free / 1e9
    if free_gb < needed_gb:
        raise SetupError(
            f"Not enough space in {ROOT}: the set-up needs {needed_gb:.1f} GB, and {free_gb:.1f} GB are free."
        )


def make_environment() -> None:
    """Make an empty virtual environment with pip in it."""
    base = getattr(sys, "_base_executable", sys.executable) or sys.executable
    made = subprocess.run([base, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
    if made.returncode:
        raise explain((made.stdout + made.stderr).splitlines(), "python -m venv")


def wants_cpu_build() -> bool:
    """Whether torch's CPU build is to be asked for by name: on Linux, unless there is an NVIDIA GPU."""
    if not LINUX:
        return False  # PyPI's own builds for macOS and Windows carry no CUDA
    return not (Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi"))


def install_cpu_torch() -> None:
    """Install torch without CUDA; if there is no such build, the one of the index with the same version.

    pip's own settings (mirrors, folders of wheels) still apply: this only adds an index. The packages that torch needs
    are installed with the program, so that the set-up waits only once for an index that does not answer.
    """
    if installed_version("torch"):
        return
    show("Installing torch for computers without an NVIDIA GPU")
    quick = ["--extra-index-url", TORCH_CPU_INDEX, "--retries", "2", "--timeout", "15"]
    try:
        pip(["install", "--no-deps", f"torch=={TORCH}+cpu", *quick])
    except SetupError as error:
        if not error.missing:
            raise
    else:
        return
    try:
        pip(["install", "--no-deps", f"torch=={TORCH}"])
    except SetupError as error:
        if error.offline or not error.missing:
            raise  # otherwise the requirement in pyproject.toml decides


def install_program(*, dev: bool) -> None:
    """Install the checkout in place, with all that it needs."""
    show("Installing CMR Viewer and the packages it needs" + (", with the tools for tests and checks" if dev else ""))
    constraints = VENV / "constraints.txt"
    torch = installed_version("torch")
    constraints.write_text(f"torch=={torch}\n" if torch else "", encoding="utf-8")
    pip(["install", "--constraint", str(constraints), "--editable", f"{ROOT}[dev]" if dev else str(ROOT)])


def installed_version(package: str) -> str:
    """Version of a package in .venv; empty if it is not there."""
    code = f"import importlib.metadata as m; print(next((d.version for d in m.distributions(name={package!r})), ''))"
    return subprocess.run([str(PYTHON), "-c", code], capture_output=True, text=True, check=False).stdout.strip()


def pip(arguments: Sequence[str]) -> None:
    """Run pip of .venv, showing what it downloads; its whole output goes to setup.log.

    Raises:
        SetupError: It failed; why, in one line.
    """
    settings = ["--disable-pip-version-check", "--progress-bar", "off", "--retries", "3"]
    command = [str(PYTHON), "-m", "pip", arguments[0], *settings, *arguments[1:]]
    lines: list[str] = []
    piped: dict[str, Any] = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "encoding": "utf-8",
        "errors": "replace",
    }
    with LOG.open("a", encoding="utf-8") as log, subprocess.Popen(command, **piped) as process:
        for line in process.stdout or ():
            log.write(line)
            lines.append(line.rstrip())
            if line.lstrip().startswith(("Downloading", "Installing collected")):
                show("    " + line.strip()[:110])
    if process.returncode:
        raise explain(lines, "pip")


def explain(lines: Sequence[str], tool: str) -> SetupError:
    """The error for a failed set-up tool, from its output."""
    text = "\n".join(lines)
    harmless = "Installing collected" not in text
    offline = UNREACHABLE.search(text) is not None
    missing = re.search(r"No matching distribution found for (\S+)", text)
    if re.search(r"No space left on device|Errno 28|not enough space on the disk", text):
        reason = (
            f"The disk is full. Free {NEEDED_GB:.0f} GB in {ROOT} and some in {tempfile.gettempdir()}, then try again."
        )
    elif re.search(r"SSLError|CERTIFICATE_VERIFY_FAILED", text):
        reason = "The TLS certificate of the package index was not accepted. Check pip's cert and proxy settings."
    elif offline:
        reason = "The package index does not answer. Check the network and pip's proxy settings, then try again."
    elif missing:
        version = ".".join(str(part) for part in sys.version_info[:2])
        reason = f"There is no {missing[1]} for Python {version} on this computer. Try another Python, 3.11 or newer."
    elif "ensurepip" in text:
        reason = NO_VENV
    else:
        errors = (
            [line for line in lines if line.lower().startswith(("error", "fatal"))] or list(lines) or ["no message"]
        )
        reason = f"{tool} failed: {errors[-1].strip()} (full output in {LOG})"
    return SetupError(reason, harmless=harmless, missing=missing is not None, offline=offline)


# ----------------------------------------------------------------------------------- system libraries of Qt

# Soname, Debian's and Ubuntu's package, Fedora's package: what PySide6's libraries are linked with and do not bring.
QT_LIBRARIES = (
    ("libEGL.so.1", "libegl1", "libglvnd-egl"),
    ("libGL.so.1", "libgl1", "libglvnd-glx"),
    ("libgthread-2.0.so.0", "libglib2.0-0", "glib2"),
    ("libfontconfig.so.1", "libfontconfig1", "fontconfig"),
    ("libdbus-1.so.3", "libdbus-1-3", "dbus-libs"),
    ("libxkbcommon.so.0", "libxkbcommon0", "libxkbcommon"),
)
XCB_LIBRARIES = (
    ("libxkbcommon-x11.so.0", "libxkbcommon-x11-0", "libxkbcommon-x11"),
    ("libxcb-cursor.so.0", "libxcb-cursor0", "xcb-util-cursor"),
    ("libxcb-icccm.so.4", "libxcb-icccm4", "xcb-util-wm"),
    ("libxcb-image.so.0", "libxcb-image0", "xcb-util-image"),
    ("libxcb-keysyms.so.1", "libxcb-keysyms1", "xcb-util-keysyms"),
    ("libxcb-randr.so.0", "libxcb-randr0", "libxcb"),
    ("libxcb-render-util.so.0", "libxcb-render-util0", "xcb-util-renderutil"),
    ("libxcb-shape.so.0", "libxcb-shape0", "libxcb"),
    ("libxcb-sync.so.1", "libxcb-sync1", "libxcb"),
    ("libxcb-xfixes.so.0", "libxcb-xfixes0", "libxcb"),
    ("libxcb-xkb.so.1", "libxcb-xkb1", "libxcb"),
    ("libX11-xcb.so.1", "libx11-xcb1", "libX11-xcb"),
)
WAYLAND_LIBRARIES = (
    ("libwayland-client.so.0", "libwayland-client0", "libwayland-client"),
    ("libwayland-cursor.so.0", "libwayland-cursor0", "libwayland-cursor"),
)
Library = tuple[str, str, str]


def can_load(soname: str) -> bool:
    """Whether the dynamic linker finds a shared library and all that it needs."""
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def install_line(missing: Sequence[Library]) -> str:
    """One line that states how to get missing libraries on this system."""
    if shutil.which("apt-get"):
        how = "sudo apt install " + " ".join(dict.fromkeys(library[1] for library in missing))
    elif shutil.which("dnf"):
        how = "sudo dnf install " + " ".join(dict.fromkeys(library[2] for library in missing))
    else:
        how = "install the packages that hold " + " ".join(library[0] for library in missing)
    return f"System libraries of Qt are missing: {how}"


def check_libraries(libraries: Iterable[Library]) -> None:
    """Raise SetupError, in one line, if libraries are missing; Linux only, as elsewhere PySide6 brings them all."""
    missing = [library for library in libraries if not can_load(library[0])] if LINUX else []
    if missing:
        raise SetupError(install_line(missing))


def window_libraries(environment: Mapping[str, str]) -> list[Library]:
    """The libraries that a window needs under the display that the environment names.

    Raises:
        SetupError: No display is named, and no other platform of Qt was chosen by hand.
    """
    if environment.get("QT_QPA_PLATFORM") or not LINUX:
        return list(QT_LIBRARIES)
    x11, wayland = environment.get("DISPLAY"), environment.get("WAYLAND_DISPLAY")
    if not (x11 or wayland):
        raise SetupError(
            "No display for the window: neither DISPLAY nor WAYLAND_DISPLAY is set. To work without a window, use "
            "'python3 start.py segment INPUT --output FOLDER'."
        )
    if wayland and (not x11 or all(can_load(library[0]) for library in WAYLAND_LIBRARIES)):
        return [*QT_LIBRARIES, *WAYLAND_LIBRARIES]
    return [*QT_LIBRARIES, *XCB_LIBRARIES]


# -------------------------------------------------------------------------------------------------- the commands


def opens_window(arguments: Sequence[str]) -> bool:
    """Whether the program's arguments ask for the window: none, the demo study, or a study to open."""
    if not arguments or "--demo" in arguments:
        return True
    return arguments[0] not in COMMANDS and Path(arguments[0]).exists()


def start(command: list[str]) -> int:
    """Run a command in place of this process; on Windows, which cannot do that, as its child."""
    if not WINDOWS:
        os.execv(command[0], command)
    with contextlib.suppress(KeyboardInterrupt):
        return subprocess.call(command)
    return 130


def main(arguments: Sequence[str]) -> int:
    """Run the command line; returns the exit status."""
    command = arguments[0] if arguments else "--demo"
    try:
        if command in ("-h", "--help"):
            show((__doc__ or "").strip())
            return 0
        if command == "check":
            ensure(dev=True)
            check_libraries([*QT_LIBRARIES, *(XCB_LIBRARIES if shutil.which("xvfb-run") else ())])
            return start([str(PYTHON), str(ROOT / ".ci" / "checks.py")])
        ensure(dev=command == "setup" and "--dev" in arguments)
        if command == "setup":
            return 0
        passed_on = list(arguments[1:] if command in ("run", "--") else arguments) or ["--demo"]
        if opens_window(passed_on):
            check_libraries(window_libraries(os.environ))
        return start([str(PYTHON), "-P", "-m", "cmr_viewer", *passed_on])
    except SetupError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. Start again to continue.\n")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
