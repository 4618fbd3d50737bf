"""A folder of classic single-frame DICOM files to a study.

Files are grouped into stacks by patient plane, matrix and spacing, over all series of a study, since some scanners
export one series per slice. Of the stacks the short-axis cine is taken: several slices, several phases, a plane
across the long axis of the heart, and the most frames. Slices follow from positions along the normal, never from
numbers or names of files.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.errors import LoadError, NotAStudyError
from cmr_viewer.load.base_end import points_to_apex
from cmr_viewer.load.dicom_groups import Group, group_headers
from cmr_viewer.load.dicom_headers import READ_ERRORS, WITHOUT_IMAGE, Header, Scan, read_pixels, scan_folder, tolerant
from cmr_viewer.load.names import name_of, patient_key_of
from cmr_viewer.progress import Progress, part, silent

_MOST_NAMES = 3


@dataclass(frozen=True, eq=False)
class DicomStudy:
    """A study and which file each of its frames came from."""

    study: Study
    files: dict[Path, FrameIndex]


def read_dicom(folder: Path, progress: Progress = silent) -> Study:
    """Open a folder of DICOM files, folders inside it included.

    Args:
        folder: The folder; its name becomes the study's.
        progress: Told how far the work is.

    Returns:
        A study of the short-axis cine, slices base to apex, phases in time order.

    Raises:
        NotAStudyError: No DICOM image is there.
        LoadError: There are, and none can be read or placed.
        Cancelled: `progress` asked to stop.
    """
    return read_dicom_files(folder, progress).study


def read_dicom_files(folder: Path, progress: Progress = silent) -> DicomStudy:
    """As `read_dicom`, and which file each frame came from."""
    with tolerant():
        scan = scan_folder(folder, part(progress, 0.0, 0.4))
        _require_images(folder, scan)
        groups = group_headers(scan.headers)
        notes = [*_scan_notes(scan), *_other_notes(groups)]
        return _read_group(folder, groups[0], notes, part(progress, 0.4, 1.0))


def _require_images(folder: Path, scan: Scan) -> None:
    if scan.headers:
        return
    if not scan.any_dicom:
        raise NotAStudyError(f"{folder} holds no DICOM images. Open a folder of a short-axis cine series.")
    reasons = [f"{len(paths)} {reason}" for reason, paths in scan.other.items()]
    if scan.unreadable:
        reasons.append(f"{len(scan.unreadable)} that cannot be read, such as {_names(scan.unreadable)}")
    raise LoadError(f"{folder} holds no DICOM image that can be opened: {'; '.join(reasons)}.")


def _scan_notes(scan: Scan) -> list[str]:
    notes = []
    if scan.unreadable:
        notes.append(f"Files that cannot be read were left out: {_names(scan.unreadable)}.")
    for reason, paths in scan.other.items():
        if reason != WITHOUT_IMAGE:
            notes.append(f"{len(paths)} DICOM files {reason} were left out.")
    return notes


def _names(paths: Sequence[Path]) -> str:
    more = len(paths) - _MOST_NAMES
    return ", ".join(p.name for p in paths[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _other_notes(groups: list[Group]) -> list[str]:
    if len(groups) < 2:
        return []
    texts = [group.text for group in groups[1:]]
    more = len(texts) - 6
    listed = ", ".join(texts[:6]) + (f" and {more} more" if more > 0 else "")
    return [f"Opened {groups[0].text}, slices x phases; left out: {listed}."]


def _read_group(folder: Path, group: Group, notes: list[str], progress: Progress) -> DicomStudy:
    frames, unreadable = _read_frames(group.headers, progress)
    if not frames:
        raise LoadError(f"The images in {folder} cannot be decoded, for example {_names(unreadable)}.")
    if unreadable:
        notes.append(f"Files whose image is damaged were left out: {_names(unreadable)}.")
    if group.replaced:
        notes.append(f"{group.replaced} slices were acquired more than once; the later ones are used.")
    slices = [[h for h in files if h.path in frames] for files in group.slices]
    slices = _order(_base_first([files for files in slices if files]), notes)
    slices, times = _same_phases(slices, notes)
    stack = _stack(slices, times, frames)
    if stack.slices < 2 or stack.phases < 2:
        notes.append(f"This is no cine stack: {stack.slices} slices, {stack.phases} phases.")
    name = name_of(folder)
    study = Study(
        name=name,
        source=folder,
        stacks=(stack,),
        patient_key=patient_key_of(slices[0][0].patient_id or name),
        warnings=tuple(notes),
        format_name="DICOM",
    )
    files = {h.path: FrameIndex(p, s) for s, row in enumerate(slices) for p, h in enumerate(row)}
    return DicomStudy(study, files)


def _read_frames(headers: list[Header], progress: Progress) -> tuple[dict[Path, NDArray[Any]], list[Path]]:
    """Pixels by file, of one dtype, and the files that cannot be decoded."""
    raw: dict[Path, tuple[NDArray[Any], float, float]] = {}
    unreadable = []
    for number, header in enumerate(headers):
        if number % 8 == 0:
            progress(number / len(headers), "Reading images")
        try:
            raw[header.path] = read_pixels(header.path)
        except READ_ERRORS:
            unreadable.append(header.path)
    plain = all(slope == 1 and intercept == 0 for _, slope, intercept in raw.values())
    if plain:
        return {path: pixels for path, (pixels, _, _) in raw.items()}, unreadable
    scaled = {path: v * np.float32(slope) + np.float32(intercept) for path, (v, slope, intercept) in raw.items()}
    return scaled, unreadable


def _base_first(slices: list[list[Header]]) -> list[list[Header]]:
    """Slices that ascend along the normal, turned so that the first is the most basal."""
    step = np.asarray(slices[-1][0].position) - np.asarray(slices[0][0].position)
    return slices if points_to_apex(step) else slices[::-1]


def _order(slices: list[list[Header]], notes: list[str]) -> list[list[Header]]:
    """Files of each slice in time order; of a slice that was acquired again within its series, the later files."""
    typical = Counter(len(files) for files in slices).most_common(1)[0][0]
    ordered, repeated = [], []
    for index, files in enumerate(slices):
        if typical > 1 and len(files) > typical and len(files) % typical == 0:
            later = sorted(files, key=lambda h: (h.acquired_at or 0.0, h.series_number, h.instance_number))[-typical:]
            ordered.append(_in_time(later))
            repeated.append(str(index + 1))
        else:
            ordered.append(_in_time(files))
    if repeated:
        notes.append(f"Slices {', '.join(repeated)} were acquired more than once; the later images are used.")
    return ordered


def _in_time(files: list[Header]) -> list[Header]:
    """Sort by the first of TriggerTime, TemporalPositionIdentifier, AcquisitionTime that tells all files apart.

    InstanceNumber is what remains.
    """
    for attribute in ("trigger_ms", "temporal_position", "acquired_at"):
        values = [getattr(h, attribute) for h in files]
        if None not in values and len(set(values)) == len(values):
            return sorted(files, key=lambda h: float(getattr(h, attribute)))
    return sorted(files, key=lambda h: (h.series_number, h.instance_number))


def _same_phases(slices: list[list[Header]], notes: list[str]) -> tuple[list[list[Header]], tuple[float, ...] | None]:
    """Bring all slices to one number of phases, by leaving files out evenly.

    A slice with less than half of the usual number is left out itself.
    """
    counts = [len(files) for files in slices]
    typical = Counter(counts).most_common(1)[0][0]
    if dropped := [str(i + 1) for i, n in enumerate(counts) if 2 * n < typical]:
        notes.append(f"Slices {', '.join(dropped)} have too few phases and were left out.")
    kept = [files for files in slices if 2 * len(files) >= typical]
    phases = min(len(files) for files in kept)
    if len({len(files) for files in kept}) > 1:
        odd = [f"{i + 1} ({n})" for i, n in enumerate(counts) if n != typical and 2 * n >= typical]
        notes.append(f"Slices have different numbers of phases ({typical}; slice {', '.join(odd)}); {phases} are used.")
    even = [[files[i] for i in np.linspace(0, len(files) - 1, phases).round().astype(int)] for files in kept]
    triggers = [[h.trigger_ms for h in files] for files in even]
    if any(t is None for row in triggers for t in row):
        return even, None
    times = np.median(np.asarray(triggers, dtype=np.float64), axis=0)
    if phases > 1 and not (np.diff(times) > 0).all():
        return even, None
    return even, tuple(float(t) for t in times)


def _stack(slices: list[list[Header]], times: tuple[float, ...] | None, frames: dict[Path, NDArray[Any]]) -> Stack:
    first = slices[0][0]
    shape = (len(slices[0]), len(slices), first.rows, first.cols)
    pixels = np.empty(shape, np.result_type(*{frames[h.path].dtype for row in slices for h in row}))
    for s, row in enumerate(slices):
        for p, header in enumerate(row):
            pixels[p, s] = frames[header.path]
    o = first.orientation
    geometry = Geometry(
        rows=first.rows,
        cols=first.cols,
        pixel_spacing_mm=first.spacing,
        row_direction=(o[0], o[1], o[2]),
        col_direction=(o[3], o[4], o[5]),
        positions_mm=tuple(row[0].position for row in slices),
        single_slice_spacing_mm=first.slice_spacing_mm,
    )
    return Stack(
        pixels,
        geometry,
        phase_times_ms=times,
        source_slices=_source_slices(slices),
        heart_rate_bpm=_heart_rate(slices, times),
        description=first.description,
    )


def _source_slices(slices: list[list[Header]]) -> tuple[int, ...]:
    """The input's own order: along the normal, from the end that was numbered first."""
    numbers = [(row[0].series_number, min(h.instance_number for h in row)) for row in slices]
    count = len(slices)
    return tuple(range(count)) if numbers[0] <= numbers[-1] else tuple(reversed(range(count)))


def _heart_rate(slices: list[list[Header]], times: tuple[float, ...] | None) -> float | None:
    """Median of the headers', or from the phase times where these cover a whole cycle."""
    rates = [h.heart_rate_bpm for row in slices for h in row if h.heart_rate_bpm is not None]
    if rates:
        return float(np.median(rates))
    if times is None or len(times) < 10:
        return None
    rate = 60000.0 / ((times[-1] - times[0]) * len(times) / (len(times) - 1))
    return float(rate) if 30 <= rate <= 200 else None
