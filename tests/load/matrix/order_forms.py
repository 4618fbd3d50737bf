"""Classic MR files in every kind of folder, and stacks that are not as regular as they should be."""

import gc
import shutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import FileDataset
from pydicom.fileset import FileSet

from cmr_viewer.domain.study import Stack
from tests.load.matrix.form import COLS, PHASES, ROWS, SLICES, Form, Written, known, truth_of
from tests.phantom import UID_ROOT
from tests.phantom_dicom import (
    Change,
    beside,
    brighter,
    cut,
    mirrored,
    part_of,
    tilted,
    unchanged,
    with_phases,
    write_frames,
)

Writer = Callable[[Path], Written]


def frames(change: Change = unchanged, truth: dict[str, Any] | None = None, **options: Any) -> Writer:
    """One series in one folder."""

    def written(folder: Path) -> Written:
        write_frames(folder, known().stack, series="1", change=change, **options)
        return folder, truth_of(known().stack, **(truth or {}))

    return written


def _nested(folder: Path) -> Written:
    """Files spread over folders below folders, without extensions, among files of other kinds."""
    files = write_frames(folder / "DICOM" / "S1", known().stack, series="1", extension="")
    for number, path in enumerate(files):
        place = folder / "DICOM" / f"{number % 3}" / f"{number % 4}"
        place.mkdir(parents=True, exist_ok=True)
        path.rename(place / f"IM{number * 7919 % 1009:04d}")
    (folder / "report.pdf").write_bytes(b"%PDF-1.4\n")
    (folder / "DICOM" / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" * 9)
    (folder / "DICOM" / "autorun.inf").write_text("[autorun]\n")
    return folder, truth_of(known().stack)


def _dicomdir(folder: Path) -> Written:
    """A disc: DICOMDIR and the files that it names."""

    def dated(data: FileDataset, phase: int, index: int) -> None:
        data.StudyDate, data.StudyTime, data.StudyID = "20200102", "100000", "1"

    paths = write_frames(folder / "source", known().stack, series="1", change=dated)
    with warnings.catch_warnings():
        # A file set leaves its temporary folder to the garbage collector, which complains.
        warnings.simplefilter("ignore", ResourceWarning)
        files = FileSet()
        for path in paths:
            files.add(path)
        files.write(folder / "disc")
        del files
        gc.collect()
    return folder / "disc" / "DICOMDIR", truth_of(known().stack)


def _zipped(folder: Path) -> Written:
    write_frames(folder / "export" / "series 1", known().stack, series="1")
    return Path(shutil.make_archive(str(folder / "export"), "zip", folder / "export")), truth_of(known().stack)


def three_patients(*, apart: bool) -> Writer:
    """The cines of three patients, in a folder for each or in one."""

    def written(folder: Path) -> Written:
        for n in range(3):
            stack = brighter(known().stack, 100 * n)
            place = folder / f"p{n}" if apart else folder
            write_frames(place, stack, series=f"{n + 1}", patient=f"P{n}", study=f"{UID_ROOT}7{n}")
        return folder, truth_of(known().stack, notes=("contains 3 patients",))

    return written


def _one_file(folder: Path) -> Written:
    """A frame that stands for its stack, of two that its folder holds."""
    files = write_frames(folder, known().stack, series="1", time="100000")
    write_frames(folder, brighter(known().stack, 9), series="2", number=400, time="110000")
    return files[11], truth_of(known().stack, choices=2, notes=("Not opened: SAX cine",))


def _shuffled(folder: Path) -> Written:
    """Names and instance numbers that tell nothing, slices from the apex in the middle of the cycle first."""
    order = [(p, s) for s in range(SLICES) for p in range(PHASES)]
    mixed = [order[n] for n in np.random.default_rng(3).permutation(len(order))]
    write_frames(folder, known().stack, series="1", order=mixed)
    return folder, truth_of(known().stack)


def _timed_by(keyword: str, value: Callable[[int], Any], **truth: Any) -> Writer:
    """No trigger times; phases stated by another element, against the instance numbers."""

    def change(data: FileDataset, phase: int, index: int) -> None:
        del data.TriggerTime
        setattr(data, keyword, value(phase))

    order = [(p, s) for s in range(SLICES) for p in reversed(range(PHASES))]
    return frames(change, {"times_ms": None, **truth}, order=order)


def _share_of_cycle(data: FileDataset, phase: int, index: int) -> None:
    del data.TriggerTime
    data.NominalPercentageOfCardiacPhase, data.NominalInterval = 100.0 * phase / PHASES, 800
    data.InstanceNumber = 1000 - data.InstanceNumber


def _delayed(data: FileDataset, phase: int, index: int) -> None:
    """A trigger time that was never filled in, before the time that tells."""
    data.NominalCardiacTriggerDelayTime, data.TriggerTime = float(data.TriggerTime), "0"
    data.InstanceNumber = 1000 - data.InstanceNumber


def _numbered_only(data: FileDataset, phase: int, index: int) -> None:
    del data.TriggerTime


def _in_seconds(data: FileDataset, phase: int, index: int) -> None:
    data.TriggerTime = f"{phase * 0.8 / PHASES:.6f}"


def _damaged_values(folder: Path) -> Written:
    """Dates and UIDs that are none, which no library writes: put in by the byte."""

    def marked(data: FileDataset, phase: int, index: int) -> None:
        data.StudyDate = data.AcquisitionDate = "20120102"

    valid, invalid = (UID_ROOT + "1").encode(), (UID_ROOT[:-3] + "0.01").encode()
    for path in write_frames(folder, known().stack, series="1", change=marked):
        content = path.read_bytes().replace(b"20120102", b"20120000").replace(valid, invalid)
        path.write_bytes(content)
    return folder, truth_of(known().stack)


def _same_uid(data: FileDataset, phase: int, index: int) -> None:
    data.StudyInstanceUID = data.SeriesInstanceUID = data.SOPInstanceUID = "1.2.3"


def _own_uids(data: FileDataset, phase: int, index: int) -> None:
    data.StudyInstanceUID, data.SeriesInstanceUID = f"1.2.{phase}.{index}", f"1.3.{phase}.{index}"


def _series_of_phases(folder: Path) -> Written:
    """One series for each phase, as some archives split a cine."""
    stack = known().stack
    for phase, time in enumerate(stack.phase_times_ms or ()):
        one = with_phases(stack, [phase], [time])
        write_frames(folder, one, series=f"5.{phase}", number=50 + phase, description=f"SAX phase {phase + 1}")
    return folder, truth_of(stack)


def _twice(folder: Path) -> Written:
    write_frames(folder / "a", known().stack, series="1")
    shutil.copytree(folder / "a", folder / "b")
    return folder, truth_of(known().stack, notes=("Left out 42 duplicate files; another file contains the same image",))


def _exported_again(folder: Path) -> Written:
    write_frames(folder, known().stack, series="1")
    write_frames(folder, known().stack, series="2", study=UID_ROOT + "8", number=900)
    return folder, truth_of(known().stack, notes=(f"Left out {PHASES * SLICES} duplicate images",))


def _repeated(folder: Path) -> Written:
    """Two slices acquired again; the later images are suggested."""
    stack = known().stack
    write_frames(folder, stack, series="1", time="100000")
    expected = stack.pixels.copy()
    for number, index in enumerate((2, 4)):
        again = brighter(part_of(stack, [index]), 11)
        write_frames(folder, again, series=f"2.{number}", number=400 + number, time=f"1100{number:02d}")
        expected[:, index] += 11
    return folder, truth_of(
        stack, pixels=expected, repeats=(2, 4), notes=("More than one acquisition of slices 3, 5;",)
    )


def _two_stacks(folder: Path) -> Written:
    """Before and after contrast, a series for each slice; the later is suggested."""
    after = brighter(known().stack, 100)
    for n in range(SLICES):
        write_frames(folder, part_of(known().stack, [n]), series=f"1.{n}", number=n, time=f"10{n:02d}00")
        write_frames(folder, part_of(after, [n]), series=f"2.{n}", number=50 + n, time=f"11{n:02d}00")
    return folder, truth_of(after, choices=2, notes=("Not opened: SAX cine \\(7 x 6\\)",))


def _breath_holds(folder: Path) -> Written:
    """Three breath-holds; the planes of the second are tilted by 2 degrees."""
    stack = known().stack
    for number, (slices, degrees) in enumerate((([0, 1, 2], 0.0), ([3, 4], 2.0), ([5, 6], 0.0))):
        part = part_of(stack, slices)
        part = tilted(part, degrees) if degrees else part
        write_frames(folder, part, series=f"{number}.1", number=number, time=f"10{number:02d}00")
    noted = "is tilted by 2.0 degrees relative to the others but shown as parallel"
    return folder, truth_of(stack, notes=(f"Slice 4 {noted}", f"Slice 5 {noted}"))


def _missing_frame(folder: Path) -> Written:
    stack = known().stack
    order = [(p, s) for s in range(SLICES) for p in range(PHASES) if (p, s) != (3, 2)]
    write_frames(folder, stack, series="1", order=order)
    expected = stack.pixels.copy()
    # Of two neighbours in time that are equally near, the earlier.
    expected[3, 2] = expected[2, 2]
    return folder, truth_of(
        stack, pixels=expected, notes=("Slice 3 has 5 of 6 phases; its frame nearest in time is shown at phase 4",)
    )


def _unequal_phases(folder: Path) -> Written:
    """One slice with twice the phases over the same cycle."""
    stack, index = known().stack, 4
    times = np.asarray(stack.phase_times_ms)
    write_frames(folder, part_of(stack, [s for s in range(SLICES) if s != index]), series="1")
    many = with_phases(part_of(stack, [index]), np.repeat(range(PHASES), 2).tolist(), _doubled(times))
    write_frames(folder, many, series="2", number=301, time="101000")
    return folder, truth_of(stack, notes=("Slice 5 has 12 phases and the others have 6; the frames nearest in time",))


def _doubled(times: Sequence[float] | np.ndarray[Any, Any]) -> list[float]:
    return [float(t + half) for t in times for half in (0.0, 800.0 / PHASES / 2)]


def _other_rate(folder: Path) -> Written:
    """One slice at a heart rate of 50 beats a minute instead of 75."""
    stack, index = known().stack, 4
    times = stack.phase_times_ms or ()
    write_frames(folder, part_of(stack, [s for s in range(SLICES) if s != index]), series="1")
    slow = with_phases(part_of(stack, [index]), range(PHASES), [1.5 * t for t in times])
    write_frames(folder, slow, series="2", number=301, time="101000")
    return folder, truth_of(stack, notes=(r"A phase lasts longer in some slices \(133 to 200 ms\)",))


def _stored_turned(axis: str) -> Writer:
    def written(folder: Path) -> Written:
        write_frames(folder, mirrored(known().stack, axis), series="1")
        noted = "The frames are stored as seen from the base"
        return folder, truth_of(known().stack, notes=(noted,))

    return written


def _one_slice_turned(folder: Path) -> Written:
    stack = known().stack
    write_frames(folder, part_of(stack, [s for s in range(SLICES) if s != 3]), series="1")
    write_frames(folder, mirrored(part_of(stack, [3]), "rows"), series="2", number=301, time="101000")
    return folder, truth_of(stack, notes=("Slice 4 is stored flipped and was flipped back",))


def _other_matrix(folder: Path) -> Written:
    """One slice with two rows and three columns less at each edge."""
    stack, index = known().stack, 3
    write_frames(folder, part_of(stack, [s for s in range(SLICES) if s != index]), series="1")
    small = cut(part_of(stack, [index]), slice(2, ROWS - 2), slice(3, COLS - 3))
    write_frames(folder, small, series="2", number=301, time="101000")
    expected = stack.pixels.copy()
    for phase in range(PHASES):
        expected[phase, index] = small.pixels[phase, 0].min()
    expected[:, index, 2:-2, 3:-3] = small.pixels[:, 0]
    noted = r"Slice 4 has a different matrix \(32 x 26\) and was cropped or padded at the edges"
    return folder, truth_of(stack, pixels=expected, notes=(noted,))


def _beside_in_the_plane(folder: Path) -> Written:
    """Slice 4 imaged from two rows further down and three columns further left."""
    stack, index = known().stack, 3
    write_frames(folder, part_of(stack, [s for s in range(SLICES) if s != index]), series="1")
    moved = beside(part_of(stack, [index]), 2, -3)
    write_frames(folder, moved, series="2", number=301, time="101000")
    expected = stack.pixels.copy()
    for phase in range(PHASES):
        lowest = moved.pixels[phase, 0].min()
        expected[phase, index, :2], expected[phase, index, :, -3:] = lowest, lowest
    row_mm, col_mm = stack.geometry.pixel_spacing_mm
    noted = f"Slice 4 is offset in-plane by {np.hypot(2 * row_mm, 3 * col_mm):.1f} mm from the others; its image was"
    return folder, truth_of(stack, pixels=expected, notes=(noted,))


def _one_phase(folder: Path) -> Written:
    still: Stack = replace(known().stack, pixels=known().stack.pixels[:1], phase_times_ms=(0.0,))
    write_frames(folder, still, series="1")
    return folder, truth_of(still, notes=("not a cine stack: 7 slices, 1 phase",))


def _room_for_another(folder: Path) -> Written:
    rest = part_of(known().stack, [0, 1, 2, 4, 5, 6])
    write_frames(folder, rest, series="1")
    return folder, truth_of(rest, notes=("Slices 3 and 4 are 19.0 mm apart instead of 9.5 mm: a slice may",))


def _half_a_millimetre(folder: Path) -> Written:
    """Slices and pixels of a small animal."""
    stack = known().stack
    g, first = stack.geometry, np.asarray(stack.geometry.positions_mm[0])
    positions = tuple(tuple((first + (np.asarray(p) - first) / 19.0).tolist()) for p in g.positions_mm)
    small = replace(stack, geometry=replace(g, positions_mm=positions, pixel_spacing_mm=(0.25, 0.225)))
    write_frames(folder, small, series="1")
    return folder, truth_of(small)


def _following_the_heart(folder: Path) -> Written:
    """Each slice moves by up to 10 mm, further than slices are apart, to the apex and back."""
    stack, normal = known().stack, known().stack.geometry.normal

    def change(data: FileDataset, phase: int, index: int) -> None:
        along = 10.0 * np.sin(np.pi * phase / PHASES)
        data.ImagePositionPatient = [
            f"{v:.6f}" for v in np.asarray(stack.geometry.positions_mm[index]) - along * normal
        ]

    write_frames(folder, stack, series="1", change=change)
    return folder, truth_of(stack, notes=(r"slices 1, 2, 3, 4, 5, 6, 7 changes with the phase by up to 10\.0 mm",))


_ONE_BEAT = "no file states that they are phases of one heart beat"

ORDER_FORMS = [
    Form("nested folders, no extensions, other files between", _nested),
    Form("DICOMDIR", _dicomdir),
    Form("zip archive", _zipped),
    Form("folders of three patients", three_patients(apart=True)),
    Form("files of three patients in one folder", three_patients(apart=False)),
    Form("one file of a stack, of two stacks in its folder", _one_file),
    Form("names and numbers in no order", _shuffled),
    Form("phases by temporal position", _timed_by(
        "TemporalPositionIdentifier", lambda phase: phase + 1, notes=(_ONE_BEAT,))),
    Form("phases by acquisition time", _timed_by("AcquisitionTime", lambda phase: f"100000.{130 * phase:03d}")),
    Form("phases by the share of the cycle", _timed_by(
        "NominalPercentageOfCardiacPhase", lambda phase: 100.0 * phase / PHASES)),
    Form("phases by the share of the cycle, with an RR interval", frames(_share_of_cycle)),
    Form("phases by trigger delay", frames(_delayed)),
    Form("phases by temporal position index", _timed_by(
        "TemporalPositionIndex", lambda phase: phase + 1, notes=(_ONE_BEAT,))),
    Form("phases by the time of the image", _timed_by(
        "ContentTime", lambda phase: f"10000{phase}.000", notes=("in which the images were created",))),
    Form("phases by instance number", frames(
        _numbered_only, {"times_ms": None, "notes": ("in the order of the image numbers",)})),
    Form("trigger times in seconds", frames(_in_seconds, {"notes": ("Trigger times are not in ms",)})),
    Form("invalid dates and UIDs", _damaged_values),
    Form("one UID for all", frames(_same_uid)),
    Form("a separate study and series UID for each file", frames(_own_uids)),
    Form("one series for each phase", _series_of_phases),
    Form("every file twice", _twice),
    Form("exported twice, under new UIDs", _exported_again),
    Form("repeated slices", _repeated),
    Form("two stacks, before and after contrast", _two_stacks),
    Form("several breath-holds, one tilted by 2 degrees", _breath_holds),
    Form("a missing frame", _missing_frame),
    Form("a slice with twice the phases", _unequal_phases),
    Form("a slice at another heart rate", _other_rate),
    Form("a missing slice", _room_for_another),
    Form("slices half a millimetre apart", _half_a_millimetre),
    Form("slices that follow the heart", _following_the_heart),
    Form("one phase", _one_phase),
    Form("rows stored reversed", _stored_turned("rows")),
    Form("columns stored reversed", _stored_turned("cols")),
    Form("one slice stored flipped", _one_slice_turned),
    Form("one slice of another matrix", _other_matrix),
    Form("one slice offset in-plane", _beside_in_the_plane),
]  # fmt: skip
