"""A scripted reader at the real window: how long correcting a study takes, with the tools and with the brush only.

    python3 benchmarks/scripted_reader.py [STUDY] [--contours FOLDER] [--ways tools brush] [--seed 1]
        [--output FOLDER] [--page docs/scripted-reader.md]

Without STUDY, the demo study. The program runs in a process of its own on an X server (the one of DISPLAY, or an Xvfb
that is started for it), and gets mouse and keys from that server, through xdotool. The reader corrects the models'
label maps to the expert's contours, frame after frame, and accepts each; what they see is the label map on the screen
and the expert's contours (`scripted.program`, `scripted.strategy`). The seed makes the tremor of the hand.

Dice at the end are of the label maps that the workspace holds on disk after the window was closed.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from benchmarks.scripted.hand import TREMOR_PX, Hand, LostError, Program, environment_for  # noqa: E402
from benchmarks.scripted.page import Read, page  # noqa: E402
from benchmarks.scripted.reading import Wanted, read_study  # noqa: E402
from cmr_viewer.domain.anatomy import Label  # noqa: E402
from cmr_viewer.domain.geometry import Geometry  # noqa: E402
from cmr_viewer.domain.label_map import LabelMap  # noqa: E402
from cmr_viewer.domain.measures.volumes import ejection_fraction_percent, stack_volume_ml  # noqa: E402
from cmr_viewer.domain.study import FrameIndex  # noqa: E402
from cmr_viewer.load.labels.sunnybrook import find_contours, read_sunnybrook  # noqa: E402
from cmr_viewer.load.study import open_study  # noqa: E402
from cmr_viewer.paths import demo_study_dir  # noqa: E402
from cmr_viewer.store.annotations import AnnotationStore  # noqa: E402
from cmr_viewer.store.database import open_workspace_readonly  # noqa: E402

SCREEN = "1440x900x24"
HEAD = Path(__file__).with_name("scripted") / "head.md"


@contextmanager
def screen(named: str | None) -> Iterator[str]:
    """A display: the one that is named, that of the environment, or an Xvfb of its own."""
    found = named or os.environ.get("DISPLAY")
    if found:
        yield found
        return
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", SCREEN]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    try:
        number = os.read(read, 16).decode().strip()
        if not number:
            sys.exit("Xvfb did not start; give a display with --display.")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(10)


def wanted_of(study_path: Path, contours: Path) -> tuple[Wanted, Geometry]:
    """What the expert drew. All slices of a phase with contours are compared: those without are to be empty."""
    study = open_study(study_path)
    found = read_sunnybrook(contours, study)
    drawn: dict[int, set[Label]] = {}
    for frame, structures in found.structures.items():
        drawn.setdefault(frame.phase, set()).update(structures)
    ed = next(phase for phase, structures in drawn.items() if Label.LVM in structures)
    es = next(phase for phase, structures in drawn.items() if Label.LVM not in structures)
    frames = {
        FrameIndex(phase, index): frozenset(found.structures.get(FrameIndex(phase, index), frozenset()))
        for phase in (ed, es)
        for index in range(study.stack.slices)
    }
    return Wanted(found.labels, frames, ed, es), study.stack.geometry


def kept_label_maps(workspace: Path, shape: tuple[int, ...]) -> tuple[LabelMap, LabelMap, dict[str, float]]:
    """(phase, slice, row, col) predictions and what the reader left, from disk; and the program's own count."""
    kept = open_workspace_readonly(workspace)
    try:
        store = AnnotationStore(kept)
        (study,) = store.studies()
        before = np.zeros(shape, np.uint8)
        for frame, prediction in store.predictions(study.stack_id).items():
            before[frame.phase, frame.slice_index] = prediction.labels
        after = before.copy()
        for frame, annotation in store.latest(study.stack_id).items():
            after[frame.phase, frame.slice_index] = annotation.labels
        import sqlite3

        with sqlite3.connect(workspace / "workspace.db") as base:
            names = ("active_s", "strokes", "edits", "undos")
            totals = base.execute(f"SELECT {', '.join(f'SUM({name})' for name in names)} FROM effort").fetchone()
        base.close()
        return before, after, dict(zip(names, (float(each or 0) for each in totals), strict=True))
    finally:
        kept.close()


def figures(labels: LabelMap, wanted: Wanted, geometry: Geometry) -> dict[str, float | None]:
    """Dice over all slices, volumes and EF, of label maps against the expert's."""
    ed, es = wanted.ed_phase, wanted.es_phase

    def dice(phase: int, label: Label) -> float:
        a, b = labels[phase] == int(label), wanted.labels[phase] == int(label)
        return 2.0 * int((a & b).sum()) / max(1, int(a.sum()) + int(b.sum()))

    def volume(phase: int, label: Label) -> float:
        spacing = {"pixel_spacing_mm": geometry.pixel_spacing_mm, "slice_spacing_mm": geometry.slice_spacing_mm}
        return stack_volume_ml(labels[phase], label, **spacing)

    edv, esv = volume(ed, Label.LVBP), volume(es, Label.LVBP)
    return {
        "dice_lvbp_ed": dice(ed, Label.LVBP),
        "dice_lvbp_es": dice(es, Label.LVBP),
        "dice_lvm_ed": dice(ed, Label.LVM),
        "lv_edv_ml": edv,
        "lv_esv_ml": esv,
        "lv_ef_percent": ejection_fraction_percent(edv, esv),
        "lv_mass_g": 1.05 * volume(ed, Label.LVM),
        "rv_edv_ml": volume(ed, Label.RVBP),
        "rv_esv_ml": volume(es, Label.RVBP),
    }


def read_once(asked: argparse.Namespace, wanted: Wanted, geometry: Geometry, display: str, way: str) -> Read:
    """One reading, in a workspace of its own."""
    from_models = asked.begin == "models"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = environment_for(folder, display)
        (folder / "none").mkdir()
        program = Program(asked.study, folder, environment, models=None if from_models else folder / "none")
        try:
            with Hand(program, environment, asked.seed, asked.tremor) as hand:
                hand.wait_for_study(600)
                earlier = len(program.ask("stalls")["stalls"])
                record = read_study(hand, wanted, with_tools=way == "tools", from_models=from_models, seed=asked.seed)
                print(f"{way}: {record.machine_s:.0f} s, of a person {record.modelled_s:.0f} s", flush=True)
            found = program.ask("stalls")["stalls"]
            stalls = [stall for stall in found[earlier:] if stall["processor_ms"] > 50]  # the rest: other programs
            program.close()
        except LostError as lost:
            program.kill()
            sys.exit(f"{lost}\n{(folder / 'program.log').read_text()}")
        before, after, own = kept_label_maps(folder / "workspace", wanted.labels.shape)
    return Read(record, figures(before, wanted, geometry), figures(after, wanted, geometry), own, stalls)


def machine() -> str:
    """What this runs on, in words."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        model = next((x.split(":")[1].strip() for x in info.read_text().splitlines() if "model name" in x), model)
    return f"{cores} cores, {model}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, nargs="?", default=demo_study_dir())
    parser.add_argument("--contours", type=Path)
    parser.add_argument("--ways", nargs="+", choices=("tools", "brush"), default=["tools", "brush"])
    parser.add_argument("--begin", choices=("models", "nothing"), default="models", help="what is there to correct")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tremor", type=float, default=TREMOR_PX, help="of the hand, in screen pixels")
    parser.add_argument("--display")
    parser.add_argument("--output", type=Path, help="folder for NAME.json")
    parser.add_argument("--name", help="what the study is called in the page")
    parser.add_argument("--page", type=Path, help="Markdown made of all that --output holds")
    asked = parser.parse_args()
    if not shutil.which("xdotool"):
        sys.exit("This needs xdotool.")
    contours = asked.contours or find_contours(asked.study)
    if contours is None:
        sys.exit(f"No contours are beside {asked.study}; name their folder with --contours.")
    wanted, geometry = wanted_of(asked.study, contours)
    name = asked.name or asked.study.name
    with screen(asked.display) as display:
        reads = [read_once(asked, wanted, geometry, display, way) for way in asked.ways]
    told: dict[str, Any] = {
        "study": name,
        "begin": asked.begin,
        "tremor_px": asked.tremor,
        "machine": machine(),
        "load": os.getloadavg()[1] if hasattr(os, "getloadavg") else None,
        "expert": figures(wanted.labels, wanted, geometry),
        "reads": [
            {
                **each.record.as_json(),
                "before": each.before,
                "after": each.after,
                "own": each.own,
                "stalls": each.stalls,
            }
            for each in reads
        ],
        "drawn": sum(bool(each) for each in wanted.structures.values()),
        "frames": len(wanted.structures),
        "pixel_mm": geometry.pixel_spacing_mm,
    }
    if asked.output:
        asked.output.mkdir(parents=True, exist_ok=True)
        (asked.output / f"{name}-{asked.begin}-{asked.seed}.json").write_text(json.dumps(told, indent=1) + "\n")
    if asked.page and asked.output:
        files = sorted(asked.output.glob("*.json"), key=lambda file: file.name.lower())
        runs = [json.loads(file.read_text()) for file in files]
        asked.page.write_text(page(runs, HEAD.read_text()))


if __name__ == "__main__":
    main()
