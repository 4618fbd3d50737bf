"""Build the frozen program and test it: `python3 packaging/build.py`; needs nothing but Python 3.11 or newer.

build/frozen/       an environment for the build alone; it stays, so that a second build is quicker
build/pyinstaller/  PyInstaller's working files
dist/cmr-viewer/    the program: one folder, to copy to any machine with the same system
dist/smoke_test.json  sizes and times that packaging/smoke_test.py measured
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import start  # noqa: E402 - found through the line above

ENVIRONMENT = ROOT / "build" / "frozen"
PYINSTALLER = "pyinstaller>=6.10"
PROGRAM = ROOT / "dist" / "cmr-viewer" / ("cmr-viewer.exe" if sys.platform == "win32" else "cmr-viewer")


def aim(script: ModuleType, environment: Path) -> None:
    """Have the set-up script make its environment in another folder than .venv."""
    places = {
        name: environment / value.relative_to(script.VENV)
        for name, value in vars(script).items()
        if isinstance(value, Path) and value.is_relative_to(script.VENV)
    }
    vars(script).update(places)


def run(*command: str | Path) -> None:
    """Run a command in the checkout; end with its status if it fails."""
    print("+", *command, flush=True)
    status = subprocess.run([str(word) for word in command], cwd=ROOT, check=False).returncode
    if status:
        sys.exit(status)


def main() -> None:
    """Environment, PyInstaller, smoke test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-smoke-test", action="store_true", help="build without testing")
    options = parser.parse_args()
    aim(start, ENVIRONMENT)
    ENVIRONMENT.parent.mkdir(exist_ok=True)
    try:
        start.ensure(dev=False)
        if not start.installed_version("pyinstaller"):
            start.pip(["install", PYINSTALLER])
    except start.SetupError as error:
        sys.exit(str(error))
    began = time.monotonic()
    recipe = ROOT / "packaging" / "cmr_viewer.spec"
    places = ("--distpath", ROOT / "dist", "--workpath", ROOT / "build" / "pyinstaller")
    run(start.PYTHON, "-m", "PyInstaller", recipe, "--noconfirm", "--log-level", "WARN", *places)
    print(f"Built in {time.monotonic() - began:.0f} s: {PROGRAM.parent}")
    if not options.no_smoke_test:
        run(start.PYTHON, ROOT / "packaging" / "smoke_test.py", PROGRAM, "--json", ROOT / "dist" / "smoke_test.json")


if __name__ == "__main__":
    main()
