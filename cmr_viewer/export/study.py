"""Export a study to one folder, in the chosen formats of `export.formats`, for other programs.

about.json states what was written, what was replaced in it, and that this is research software. The folder is complete
or absent, and it replaces nothing that exists unless the caller asks for it. For window and command line; no Qt.
"""

import json
import os
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cmr_viewer.domain.annotation import Provenance
from cmr_viewer.domain.label_map import as_label_map
from cmr_viewer.domain.notes import Note
from cmr_viewer.domain.result_notes import not_segmented
from cmr_viewer.domain.study import COUNTING, FrameIndex, Study
from cmr_viewer.errors import StoreError
from cmr_viewer.export import formats as table
from cmr_viewer.export.formats import Anonymity, Job, RegionRow, Results
from cmr_viewer.progress import Progress, part, silent
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.store.atomic import sync_folder, write_atomically
from cmr_viewer.store.effort import EffortRow

ABOUT_FILE = "about.json"


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: Where.
        files: Files and folders in it.
        notes: What a reader should know about the results and the files written; notes on the source files are in
            `Study.warnings`.
    """

    folder: Path
    files: tuple[str, ...]
    notes: tuple[Note, ...]


def results_of(
    reading: OpenStudy, *, reader: str, effort: tuple[EffortRow, ...] = (), about: Mapping[str, Any] | None = None
) -> Results:
    """Everything that is known of a study as it is read now.

    Args:
        reading: The study.
        reader: Who corrected it.
        effort: Readers' time and changes.
        about: Further keys for the JSON files, as of `Results`.
    """
    stack = reading.stack
    labels = np.zeros(stack.pixels.shape, dtype=np.uint8)
    provenances: dict[FrameIndex, Provenance] = {}
    models: dict[FrameIndex, str] = {}
    regions: list[RegionRow] = []
    for frame in stack.frame_indices:
        state, origin = reading.frames.state(frame), reading.frames[frame].origin
        if state.labels is not None and state.provenance is not None:
            labels[frame], provenances[frame] = state.labels, state.provenance
            if origin:
                models[frame] = origin
        if state.region is not None:
            predicted = state.region_prediction
            probability = None if predicted is None else predicted.of(state.region)
            source_slice = stack.source_slices[frame.slice_index]
            regions.append(RegionRow(*frame, source_slice, state.region, probability, state.model_id))
    return Results(
        labels,
        provenances,
        tuple(regions),
        reading.measures(),
        models,
        reader,
        about=about or {},
        effort=effort,
        notes=reading.notes(),
    )


def export_study(
    folder: Path,
    study: Study,
    results: Results,
    formats: Collection[str],
    progress: Progress = silent,
    *,
    anonymity: Anonymity | None = None,
    replace: bool = False,
) -> Exported:
    """Write a study's first stack and its results.

    Args:
        folder: Where to; made if missing.
        study: The study.
        results: Its results.
        formats: Names of `FORMATS` to write; regions.csv is always written.
        progress: Called as the work goes on; raises `Cancelled` to stop, and then nothing is left behind.
        anonymity: How to de-identify; None leaves headers unchanged.
        replace: Whether files of an earlier export in the folder may be replaced.

    Returns:
        What was written, with notes for the reader.

    Raises:
        StoreError: A file exists already or cannot be written, or a format does not go with this study; the folder is
            as it was.
        LabelMapError: The label maps do not fit the study.
        Cancelled: `progress` asked to stop; the folder is as it was.
    """
    wanted = [one for one in table.FORMATS if one.name in formats or one.is_always_written]
    if anonymity is None and any(one.only_deidentified for one in wanted):
        raise StoreError("Source images are exported only de-identified. Choose de-identification too.")
    as_label_map(results.labels, study.stack.pixels.shape)
    names = [*(name for one in wanted for name in one.files_of(one.files, study)), ABOUT_FILE]
    with new_files_in(folder, names, replace=replace) as place:
        notes = [*not_segmented(study.stack, results.provenances), *results.notes]
        job = Job(place, study, results, anonymity, notes)
        whole, done = sum(one.share for one in wanted), 0
        for one in wanted:
            one.write(job, part(progress, done / whole, (done + one.share) / whole))
            done += one.share
        _write_about(job, names)
        progress(1.0, "Moving the files into the folder")
    return Exported(folder, tuple(names), tuple(dict.fromkeys(job.notes)))


def _write_about(job: Job, names: Sequence[str]) -> None:
    anonymity, stack = job.anonymity, job.study.stack
    content = {
        **job.head,
        "files": names,
        "phases": stack.phases,
        "slices": stack.slices,
        "label_codes": {"LVBP": 1, "LVM": 2, "RVBP": 3},
        "deidentified": anonymity is not None,
        "dates": None if anonymity is None else "shifted" if anonymity.shift_dates else "removed",
        "counting": COUNTING,
        "notes": job.all_notes(),
        **job.results.about,
    }
    if anonymity is None:
        content["study"] = job.study.name
    text = json.dumps(content, indent=2, ensure_ascii=False, default=str)
    write_atomically(job.folder / ABOUT_FILE, f"{text}\n".encode())


@contextmanager
def new_files_in(folder: Path, names: Sequence[str], *, replace: bool) -> Iterator[Path]:
    """A place to write files and folders to that are moved into a folder when all of them are there.

    Other files in the folder stay as they are.

    Args:
        folder: Where they belong; made if missing.
        names: Of the files and folders that are to be written.
        replace: Whether existing ones may be replaced.

    Yields:
        An empty folder beside it, removed again if anything fails.

    Raises:
        StoreError: Some exist and may not be replaced, or they cannot be written or moved.
    """
    _refuse_existing(folder, names, replace=replace)
    staging = folder.with_name(f".part-{secrets.token_hex(4)}-{folder.name}")
    try:
        try:
            staging.mkdir(parents=True)
        except OSError as error:
            raise StoreError(
                f"Could not create the folder {folder}: {error.strerror or error}. Free some space, make the folder "
                "above it writable, or choose another one."
            ) from error
        yield staging
        _refuse_existing(folder, names, replace=replace)
        _move(staging, folder)
    except StoreError as error:
        # What failed was written beside the folder that the reader knows.
        raise StoreError(str(error).replace(str(staging), str(folder))) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _refuse_existing(folder: Path, names: Sequence[str], *, replace: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file. Choose a folder to export to.")
    there = [name for name in names if os.path.lexists(folder / name)]
    if there and not replace:
        raise StoreError(
            f"{folder} already contains {', '.join(there)}. Nothing was written. Choose another folder, or allow these "
            "files to be replaced."
        )


def _move(staging: Path, folder: Path) -> None:
    """Move everything over; each file and folder is the complete old or new one."""
    moved: list[str] = []
    try:
        if not folder.exists():
            staging.rename(folder)
        else:
            for path in sorted(staging.iterdir()):
                _take_place(path, folder / path.name)
                moved.append(path.name)
            sync_folder(folder)
        sync_folder(folder.parent)
    except OSError as error:
        done = f"New: {', '.join(moved)}. The rest is unchanged." if moved else "Nothing was changed."
        raise StoreError(
            f"The files could not be moved into {folder}: {error.strerror or error}. {done} Make the folder writable "
            "or choose another one, and export again."
        ) from error


def _take_place(path: Path, target: Path) -> None:
    if not target.is_dir() or target.is_symlink():
        path.replace(target)
        return
    aside = target.with_name(f".old-{secrets.token_hex(4)}-{target.name}")
    target.rename(aside)
    try:
        path.rename(target)
    except OSError:
        with suppress(OSError):
            aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)
