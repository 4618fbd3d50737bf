"""How long a study takes to open: to its first image, to its last, memory, and a scan of many headers.

    .venv/bin/python benchmarks/open_speed.py [--repeats 7] [--files 10000] [--frames 300]

Writes 300 frames of 256 x 256 (30 phases of 10 slices, the phantom with noise) and 10,000 small files into a temporary
folder. Each opening is a process of its own, one way after the other in turn, so that all meet the same load of the
machine; the disk cache is warm. Times are medians, once from the start of the process and once from when its imports
are done. Memory is what the process has at its most above what it has after its imports, by the size of the pixels.

The ways:

    program            open_study: the study with its geometry, slices and phases in order
    from the index     the same folder a second time, with an index of headers
    SimpleITK          GetGDCMSeriesFileNames and ImageSeriesReader; all frames as slices of one volume
    pydicom            dcmread of every file, sorted by position and trigger time, pixel_array of each into one array
    pydicom, headers   dcmread up to the pixels of every file, sorted, then dcmread and pixel_array of each in order

The first image of a way is the first that is known to belong to the series: SimpleITK has none before the last, and
pydicom none before it has read all headers.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
WAYS = ["program", "from the index", "SimpleITK", "pydicom", "pydicom, headers"]
SCANS = ["program", "from the index", "SimpleITK", "pydicom, headers"]
PHASES = 30


def peak_bytes() -> int:
    """What the process had at its most. Linux' ru_maxrss would begin with that of the process that started this one."""
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class Watch:
    """Moments since this process was started, and since its imports were done."""

    def __init__(self) -> None:
        self.ready = time.time()
        self.floor = peak_bytes()
        self.found: dict[str, float] = {}

    def mark(self, name: str) -> None:
        now = time.time()
        self.found[f"{name} cold"] = now - float(os.environ["STARTED"])
        self.found[f"{name} warm"] = now - self.ready

    def tell(self, pixels: int) -> None:
        self.found["memory"] = (peak_bytes() - self.floor) / pixels if pixels else 0.0
        print(json.dumps(self.found))


def open_with_program(folder: Path, index: Path | None) -> None:
    from cmr_viewer.load.study import open_study

    watch = Watch()
    study = open_study(folder, preview=lambda frame: watch.mark("first"), index=index)
    watch.mark("last")
    watch.tell(study.stack.pixels.nbytes)


def open_with_simpleitk(folder: Path) -> None:
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    watch = Watch()
    (series,) = SimpleITK.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series))
    pixels = SimpleITK.GetArrayViewFromImage(reader.Execute())
    watch.mark("first")
    watch.mark("last")
    watch.tell(pixels.nbytes)


def place_of(data) -> tuple[float, float]:
    orientation = np.asarray(data.ImageOrientationPatient, float)
    normal = np.cross(orientation[:3], orientation[3:])
    return float(normal @ np.asarray(data.ImagePositionPatient, float)), float(data.TriggerTime)


def open_with_pydicom(folder: Path) -> None:
    import pydicom

    watch = Watch()
    files = sorted((pydicom.dcmread(path) for path in folder.iterdir()), key=place_of)
    pixels = np.empty((len(files), files[0].Rows, files[0].Columns), np.int16)
    for number, data in enumerate(files):
        pixels[number] = data.pixel_array
        if not number:
            watch.mark("first")
    watch.mark("last")
    watch.tell(pixels.nbytes)


def open_with_pydicom_headers(folder: Path) -> None:
    import pydicom

    watch = Watch()
    headers = sorted((pydicom.dcmread(path, stop_before_pixels=True) for path in folder.iterdir()), key=place_of)
    pixels = np.empty((len(headers), headers[0].Rows, headers[0].Columns), np.int16)
    for number, header in enumerate(headers):
        pixels[number] = pydicom.dcmread(header.filename).pixel_array
        if not number:
            watch.mark("first")
    watch.mark("last")
    watch.tell(pixels.nbytes)


def scan_with(way: str, folder: Path, index: Path) -> None:
    if way in ("program", "from the index"):
        from cmr_viewer.load.dicom.scan import scan_indexed
        from cmr_viewer.load.gather import gather
        from cmr_viewer.progress import silent

        watch = Watch()
        found = scan_indexed(gather(folder).files, folder, index if way == "from the index" else None, silent)
        count = len(found.headers)
    elif way == "SimpleITK":
        import SimpleITK

        SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
        watch = Watch()
        (series,) = SimpleITK.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
        count = len(SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series))
    else:
        import pydicom

        watch = Watch()
        count = len([pydicom.dcmread(path, stop_before_pixels=True) for path in folder.iterdir()])
    watch.mark("scan")
    assert count == len(list(folder.iterdir()))
    watch.tell(0)


def child(way: str, folder: Path, index: Path, scanning: bool) -> None:
    if scanning:
        scan_with(way, folder, index)
    elif way in ("program", "from the index"):
        open_with_program(folder, index if way == "from the index" else None)
    else:
        {
            "SimpleITK": open_with_simpleitk,
            "pydicom": open_with_pydicom,
            "pydicom, headers": open_with_pydicom_headers,
        }[way](folder)


def run_child(way: str, folder: Path, index: Path, scanning: bool) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", way, str(folder), str(index), str(int(scanning))]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "STARTED": str(time.time())}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(ways: list[str], folder: Path, index: Path, repeats: int, scanning: bool) -> dict[str, dict[str, float]]:
    """Medians of each way; the first round warms the disk cache and the index, and does not count."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for number in range(repeats + 1):
        for way in ways:
            result = run_child(way, folder, index, scanning)
            if number:
                found[way].append(result)
    return {way: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for way, runs in found.items()}


def print_table(found: dict[str, dict[str, float]], columns: list[str]) -> None:
    ours = found["program"]
    names = [name for name in columns if name != "memory"]
    memory = "memory" in columns
    print("| way | " + " | ".join(f"{name}, ms" for name in names) + (" | memory / pixels |" if memory else " |"))
    print("|" + "---|" * (len(columns) + 1))
    for way, values in found.items():
        cells = [f"{1000 * values[name]:.0f} ({values[name] / ours[name]:.2f} x)" for name in names]
        print(f"| {way} | " + " | ".join([*cells, *([f"{values['memory']:.2f}"] if memory else [])]) + " |")


def write_study(folder: Path, frames: int) -> None:
    from tests.phantom import sax_cine, write_dicom_folder

    stack = sax_cine(
        phases=PHASES, slices=max(2, frames // PHASES), rows=256, cols=256, pixel_spacing_mm=(1.4, 1.4)
    ).stack
    write_dicom_folder(folder, stack, shuffle=1)


def write_many(folder: Path, count: int) -> None:
    """Small files: one written whole, and copies with a number, UID and trigger time of their own."""
    from tests.phantom import sax_cine, write_dicom_folder

    stack = sax_cine(phases=2, slices=2, rows=32, cols=32, pixel_spacing_mm=(5.0, 5.0), above=0, below=0).stack
    (path, *_) = write_dicom_folder(folder / "one", stack, extra={"InstanceNumber": 100000, "TriggerTime": "100000"})
    data = path.read_bytes()
    path.unlink()
    for other in (folder / "one").iterdir():
        other.unlink()
    (folder / "one").rmdir()
    uid = b"7.1.1001"
    assert data.count(b"100000") == 2
    data = data.replace(uid, b"7.100000").replace(b"100000", b"%06d")
    for number in range(count):
        (folder / f"{number:06d}.dcm").write_bytes(data.replace(b"%06d", b"%06d" % (100000 + number)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        way, folder, index, scanning = options.child
        child(way, Path(folder), Path(index), scanning == "1")
        return
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as place:
        study, many, index = Path(place, "study"), Path(place, "many"), Path(place, "index")
        write_study(study, options.frames)
        many.mkdir()
        write_many(many, options.files)
        print(f"{len(list(study.iterdir()))} frames of 256 x 256, median of {options.repeats}\n")
        opened = measure(WAYS, study, index, options.repeats, scanning=False)
        print_table(opened, ["first cold", "last cold", "first warm", "last warm", "memory"])
        print(f"\nheaders of {options.files} files, median of {max(1, options.repeats // 2)}\n")
        scanned = measure(SCANS, many, index, max(1, options.repeats // 2), scanning=True)
        print_table(scanned, ["scan cold", "scan warm"])


if __name__ == "__main__":
    main()
