"""What independent programs say of the DICOM Segmentations that this program writes.

python -m benchmarks.seg_conformance [STUDY...] [--output FOLDER]

Writes segmentations of the phantom in each form of source (one series, one series for each slice, multi-frame, invalid
UIDs and dates, without the patient, no label at all), and of the studies named, with label maps drawn at random; asks
what is installed, and prints a table. Asked are

    dciodvfy              Debian's dicom3tools: errors and warnings against the standard
    segimage2itkimage     dcmqi (pip install dcmqi, in an environment of its own): how many segments it reads. It knows
                          no time and puts phases of a slice into one; of a single phase, where each pixel lies in the
                          patient is compared
    highdicom             each pixel, by the SOP Instance UID and frame number of its source
    pydicom               each pixel likewise, decoded by pydicom alone

With PYDICOM_SEG naming a Python in whose environment pydicom-seg and pydicom < 3 are installed, pydicom-seg is asked
for the number of frames of each segment.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from pydicom.dataset import Dataset

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cmr_viewer.domain.annotation import Provenance
from cmr_viewer.domain.dicom_uid import valid_uid
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameSource, Study
from cmr_viewer.export.deidentify import Deidentifier, fresh_secret
from cmr_viewer.export.dicom_seg import SegmentOrigin, write_segmentation
from cmr_viewer.export.sources import read_source_study
from cmr_viewer.load.study import open_study
from tests.phantom_export import dicom_study, enhanced_study, segmentation_labels, small_cine

ORIGIN = SegmentOrigin(Provenance.SEMIAUTOMATIC, ("base-1", "middle-1"), "Reader One")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="*", type=Path)
    parser.add_argument("--output", type=Path, help="keep the segmentations here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = arguments.output or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        print("| source | frames | written in s | dciodvfy | dcmqi | highdicom | pydicom | pydicom-seg |")
        print("|---|---|---|---|---|---|---|---|")
        warnings: dict[str, int] = {}
        for name, study, labels, remover in cases(Path(made), arguments.studies):
            path = folder / f"{name}.dcm"
            start = time.perf_counter()
            source = read_source_study(study.stack, change=None if remover is None else remover.apply)
            write_segmentation(path, labels, study.stack, source, ORIGIN, deidentifier=remover)
            took = time.perf_counter() - start
            sources = referred(study, remover)
            cells = (dciodvfy(path, warnings), dcmqi(path, study, labels), highdicom_reads(path, sources, labels))
            same = bool((segmentation_labels(path, sources, labels.shape) == labels).all())
            frames = labels.shape[0] * labels.shape[1]
            print(f"| {name} | {frames} | {took:.2f} | {' | '.join(cells)} | {told(same)} | {pydicom_seg(path)} |")
        for text, count in sorted(warnings.items()):
            print(f"\n{count} x {text}")


def cases(place: Path, studies: list[Path]) -> Iterator[tuple[str, Study, LabelMap, Deidentifier | None]]:
    phantom = small_cine(phases=6, rows=60, cols=52)
    plain = dicom_study(place / "plain", phantom)
    yield "one series", plain, phantom.labels, None
    yield "series per slice", dicom_study(place / "slices", phantom, series_per_slice=True), phantom.labels, None
    yield "multi-frame", enhanced_study(place / "multi", phantom), phantom.labels, None
    yield "multi-frame per slice", enhanced_study(place / "some", phantom, file_per_slice=True), phantom.labels, None
    yield "invalid UIDs and dates", dicom_study(place / "bad", phantom, change=spoil), phantom.labels, None
    yield "without the patient", plain, phantom.labels, Deidentifier(fresh_secret())
    still = small_cine(phases=1, slices=9, rows=60, cols=52)
    yield "one phase", dicom_study(place / "still", still), still.labels, None
    yield "no label", plain, np.zeros_like(phantom.labels), None
    for path in studies:
        study = open_study(path)
        labels = np.random.default_rng(1).integers(0, 4, study.stack.pixels.shape).astype(np.uint8)
        yield path.name, study, labels, None


def spoil(data: Dataset) -> None:
    data.StudyDate, data.PatientBirthDate, data.PatientSex = "20120000", "00000000", "FEMALE"
    data.StudyInstanceUID = "2.16.124.113543.6006.99.08980635789900778171"
    data.SOPInstanceUID, data.SeriesInstanceUID = f"2.16.124.0{data.InstanceNumber}", ""


def referred(study: Study, remover: Deidentifier | None) -> tuple[tuple[FrameSource, ...], ...]:
    """Sources with the UIDs that the segmentation refers to them by."""
    uid_of = valid_uid if remover is None else remover.uid
    sources = study.stack.frame_sources
    return tuple(tuple(one._replace(instance_uid=uid_of(one.instance_uid)) for one in row) for row in sources)


def told(same: bool) -> str:
    return "equal" if same else "DIFFERENT"


def dciodvfy(path: Path, warnings: dict[str, int]) -> str:
    if shutil.which("dciodvfy") is None:
        return "not installed"
    done = subprocess.run(["dciodvfy", "-new", str(path)], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    for line in lines:
        if re.match(r"(Warning|Error)", line):
            warnings[line] = warnings.get(line, 0) + 1
    counts = [sum(line.startswith(kind) for line in lines) for kind in ("Error", "Warning")]
    return f"{counts[0]} errors, {counts[1]} warnings"


def dcmqi(path: Path, study: Study, labels: LabelMap) -> str:
    program = shutil.which("segimage2itkimage")
    if program is None:
        return "not installed"
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--inputDICOM", str(path), "--outputDirectory", folder, "-t", "nifti"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        made = sorted(Path(folder).glob("*.nii.gz"))
        if done.returncode != 0:
            return f"fails ({done.returncode})"
        if labels.shape[0] > 1:
            return f"{len(made)} segments"
        return told(all(np.allclose(places_of(one), expected(study, labels, one), atol=0.01) for one in made))


def places_of(path: Path) -> np.ndarray:
    """Where the voxels of a segment lie in the patient (LPS, mm), sorted."""
    image: Any = nibabel.load(path)
    voxels = np.argwhere(np.asarray(image.dataobj) > 0)
    return in_order((voxels @ image.affine[:3, :3].T + image.affine[:3, 3]) * (-1, -1, 1))


def expected(study: Study, labels: LabelMap, path: Path) -> np.ndarray:
    """Where the pixels of a label lie; files are named by the segment's number."""
    found = np.argwhere(labels[0] == int(path.name.split(".")[0]))
    return in_order(np.array([study.stack.geometry.to_patient_mm(s, (row, col)) for s, row, col in found]))


def in_order(places: np.ndarray) -> np.ndarray:
    rounded = np.round(places, 1)
    return places[np.lexsort((rounded[:, 2], rounded[:, 1], rounded[:, 0]))]


def highdicom_reads(path: Path, sources: tuple[tuple[FrameSource, ...], ...], labels: LabelMap) -> str:
    import highdicom

    read = highdicom.seg.segread(path)
    flat = [source for row in sources for source in row]
    uids = list(dict.fromkeys(source.instance_uid for source in flat))
    if len(uids) == len(flat):
        pixels = read.get_pixels_by_source_instance(uids, combine_segments=True, assert_missing_frames_are_empty=True)
        return told(bool((pixels.reshape(labels.shape) == labels).all()))
    same = True
    for uid in uids:
        places = [(p, s) for p, row in enumerate(sources) for s, one in enumerate(row) if one.instance_uid == uid]
        numbers = [sources[p][s].frame_number for p, s in places]
        pixels = read.get_pixels_by_source_frame(
            uid, numbers, combine_segments=True, assert_missing_frames_are_empty=True
        )
        same &= all(bool((found == labels[place]).all()) for found, place in zip(pixels, places, strict=True))
    return told(same)


def pydicom_seg(path: Path) -> str:
    python = os.environ.get("PYDICOM_SEG")
    if not python:
        return "not asked"
    code = (
        "import sys, pydicom, pydicom_seg; r = pydicom_seg.SegmentReader().read(pydicom.dcmread(sys.argv[1]));"
        "print(len(list(r.available_segments)), 'segments')"
    )
    done = subprocess.run([python, "-W", "ignore", "-c", code, str(path)], capture_output=True, text=True, check=False)
    last = (done.stdout or done.stderr).strip().splitlines()
    return last[-1] if last else "fails"


if __name__ == "__main__":
    main()
