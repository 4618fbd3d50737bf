"""Test the commands of the frozen program: `python packaging/smoke_test.py dist/cmr-viewer/cmr-viewer`.

    --version     it starts
    segment       the demo study, with label maps of all three structures at the end
    window        on the demo study: a picture of it, under the display there is, else Xvfb, else offscreen
    train         as the child process of the window starts it, on a workspace made here, two iterations

It ends with status 0 if all went well. The built program runs by itself; the Python that runs this script makes the
workspace and reads the results. `--json` saves the sizes and times in a file.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel
import numpy as np
from PySide6.QtGui import QImage

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from cmr_viewer import __version__  # noqa: E402 - found through the line above
from cmr_viewer.domain.anatomy import STRUCTURES, Region  # noqa: E402
from cmr_viewer.domain.annotation import Provenance, ReviewStatus  # noqa: E402
from cmr_viewer.domain.geometry import Geometry, geometry_to_json  # noqa: E402
from cmr_viewer.domain.study import FrameIndex  # noqa: E402
from cmr_viewer.store.annotations import AnnotationStore, Work  # noqa: E402
from cmr_viewer.store.database import open_workspace  # noqa: E402
from cmr_viewer.store.frame_pixels import Pixels  # noqa: E402
from cmr_viewer.store.versions import Version  # noqa: E402

LIMIT_S = 900
WINDOW_S = 300
PATIENTS = 4


class SmokeTestError(Exception):
    """The built program failed a test; the text states which."""


def clean_environment(home: Path) -> dict[str, str]:
    """An environment without this Python's traces, whose home is an empty folder."""
    names = ("PYTHON", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "QT_", "XDG_")
    passed_on = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    return {**passed_on, "HOME": str(home), "LOCALAPPDATA": str(home), "APPDATA": str(home)}


def go(command: list[str], home: Path, **added: str) -> tuple[subprocess.CompletedProcess[str], float]:
    """Run a command to its end and time it; SmokeTestError unless it ends with status 0."""
    print("+", *command, flush=True)
    began = time.monotonic()
    done = subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env={**clean_environment(home), **added},
        cwd=home,
        timeout=LIMIT_S,
        check=False,
    )
    seconds = time.monotonic() - began
    print(f"  {seconds:.1f} s, status {done.returncode}", flush=True)
    if done.returncode:
        raise SmokeTestError(
            f"{command[:2]} ended with status {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        )
    return done, seconds


def try_version(program: Path, home: Path) -> float:
    """It starts and prints its version; the second start counts, as the first reads everything from disk."""
    go([str(program), "--version"], home)
    done, seconds = go([str(program), "--version"], home)
    if __version__ not in done.stdout:
        raise SmokeTestError(f"--version printed {done.stdout!r}, not {__version__}, the version built.")
    return seconds


def demo_study(program: Path) -> Path:
    """The demo study inside the built folder."""
    found = [path for path in program.parent.rglob("demo") if path.is_dir() and path.parent.name == "resources"]
    if not found:
        raise SmokeTestError(f"There is no demo study in {program.parent}.")
    return found[0]


def try_segment(program: Path, home: Path) -> float:
    """The demo study gets label maps with all structures, regions and measures."""
    output = home / "segmented"
    _, seconds = go([str(program), "segment", str(demo_study(program)), "--output", str(output)], home)
    folders = [path for path in output.iterdir() if path.is_dir()]
    if len(folders) != 1:
        raise SmokeTestError(f"There are {len(folders)} results for one study.")
    labels = np.asarray(nibabel.Nifti1Image.from_filename(folders[0] / "labels.nii.gz").dataobj)
    counts = {label.name: int(np.count_nonzero(labels == label)) for label in STRUCTURES}
    if min(counts.values()) == 0:
        raise SmokeTestError(f"The label maps lack a structure: {counts}.")
    for name in ("regions.csv", "measures.json"):
        if not (folders[0] / name).stat().st_size:
            raise SmokeTestError(f"{name} is empty.")
    print(f"  voxels {counts}", flush=True)
    return seconds


def try_window(program: Path, home: Path, picture: Path) -> tuple[float, str]:
    """The window opens the demo study and shows more than an empty background."""
    command = [str(program), "--demo", "--workspace", str(home / "window"), "--screenshot", str(picture)]
    command += ["--quit-after", str(WINDOW_S)]
    platform, added = "native", {}
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        xvfb = shutil.which("xvfb-run")
        platform = "xcb" if xvfb else "offscreen"
        added = {"QT_QPA_PLATFORM": platform}
        command = [xvfb, "-a", "-s", "-screen 0 1920x1080x24", *command] if xvfb else command
    _, seconds = go(command, home, **added)
    image = QImage(str(picture)).convertToFormat(QImage.Format.Format_RGB32)
    colours = len(np.unique(np.frombuffer(image.constBits(), dtype=np.uint32)))
    if colours < 200:
        raise SmokeTestError(f"The picture of the window has only {colours} colours, so it shows no frame.")
    return seconds, platform


def make_workspace(folder: Path) -> None:
    """A workspace with accepted basal frames of a few patients: a ring around a disc, and a crescent beside it."""
    rows, cols = np.mgrid[0:128, 0:128]
    rng = np.random.default_rng(0)
    with open_workspace(folder, reader="smoke test") as workspace:
        store = AnnotationStore(workspace)
        for patient in range(PATIENTS):
            distance = np.hypot(rows - 64, cols - 70 - patient)
            labels = np.zeros((128, 128), dtype=np.uint8)
            labels[np.hypot(rows - 60, cols - 50) < 24] = 3
            labels[distance < 26] = 2
            labels[distance < 17] = 1
            pixels = (np.array([40, 220, 90, 210])[labels] + rng.normal(0, 8, labels.shape)).astype(np.float32)
            stack_id = f"{patient:032x}"
            about = {"name": f"smoke-{patient}", "source": "smoke test", "patient_key": f"patient-{patient}"}
            geometry = Geometry(128, 128, (1.4, 1.4), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), ((0.0, 0.0, 0.0),), 8.0)
            store.save_study(stack_id, **about, geometry_json=geometry_to_json(geometry), phases=1, slices=1)
            version = Version(
                FrameIndex(0, 0),
                labels,
                region=Region.BASE,
                provenance=Provenance.MANUAL,
                status=ReviewStatus.ACCEPTED,
            )
            store.save(stack_id, Work([version]), pixels=Pixels({FrameIndex(0, 0): pixels}, (1.4, 1.4)))


def try_training(program: Path, home: Path) -> float:
    """The training process does two iterations and ends with a model folder and its assessment."""
    workspace, folder = home / "workspace", home / "candidate"
    make_workspace(workspace)
    command = [str(program), "train", "--role", "base", "--workspace", str(workspace), "--output", str(folder)]
    done, seconds = go([*command, "--iterations", "2", "--progress", "json", "--device", "cpu"], home)
    last = json.loads(done.stdout.strip().splitlines()[-1])
    if last.get("event") != "done" or "assessment" not in last:
        raise SmokeTestError(f"The last line of the training process was {last}.")
    if not list(Path(last["folder"]).glob("*.safetensors")):
        raise SmokeTestError(f"There are no weights in {last['folder']}.")
    return seconds


def folder_mb(folder: Path) -> float:
    """Size of all files below a folder, links not followed."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


def main() -> None:
    """Test all commands; print and save what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path, help="the built executable")
    parser.add_argument("--json", type=Path, metavar="FILE", help="save what was measured")
    parser.add_argument("--picture", type=Path, metavar="FILE", default=ROOT / "artefacts" / "frozen.png")
    options = parser.parse_args()
    program = options.program.resolve()
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    measured: dict[str, object] = {"version": __version__, "platform": sys.platform}
    measured["folder_mb"] = round(folder_mb(program.parent))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        try:
            measured["version_s"] = round(try_version(program, home), 2)
            measured["segment_demo_s"] = round(try_segment(program, home), 1)
            seconds, measured["window_platform"] = try_window(program, home, options.picture.resolve())
            measured["window_with_all_masks_s"] = round(seconds, 1)
            measured["train_two_iterations_s"] = round(try_training(program, home), 1)
        except (SmokeTestError, subprocess.TimeoutExpired) as error:
            sys.exit(f"FAILED: {error}")
    print(json.dumps(measured, indent=2))
    if options.json:
        options.json.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    print("The built program passed.")


if __name__ == "__main__":
    main()
