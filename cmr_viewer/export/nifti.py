"""NIfTI files of a study's label maps and frames, on the grid of its input; the same image gives the same bytes."""

import contextlib
import gzip
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from io import UnsupportedOperation
from pathlib import Path
from typing import Any, BinaryIO, cast

import nibabel
import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.label_map import LabelMap, as_label_map
from cmr_viewer.domain.notes import Code, Note, numbered
from cmr_viewer.domain.study import FileAxes, Study
from cmr_viewer.errors import GeometryError, LoadError
from cmr_viewer.export.formats import Job
from cmr_viewer.load.images.even_grids import EvenGrid, even_grids
from cmr_viewer.load.images.nifti import LABELS_WRITTEN, READ_ERRORS, open_checked, quiet, usable_matrix
from cmr_viewer.load.images.volume import IMAGES_WITH_EMPTY_WRITTEN
from cmr_viewer.progress import Progress, part, silent
from cmr_viewer.store.atomic import write_file_atomically

IMAGES_WRITTEN = "CMR Viewer images; research software, not a medical device"
"""Description in the header of image files that this program writes."""

_OFF_NOTED = 0.1
"""Share of a pixel by which slices of a file may miss their places before it is noted."""


def nifti_files(name: str, study: Study) -> dict[str, EvenGrid | None]:
    """Names of the files that a study is written to, each with the grid that it holds.

    One, with None for the grid, where the input was a volume itself: that is written on its own grid. A stack of single
    files has one for each of `even_grids`: `labels.nii.gz`, or `labels_1.nii.gz`, `labels_2.nii.gz` and so on.
    """
    if study.source_affine is not None:
        return {name: None}
    grids = even_grids(study.stack)
    if len(grids) == 1:
        return {name: grids[0]}
    stem, dot, ending = name.partition(".")
    return {f"{stem}_{number}{dot}{ending}": grid for number, grid in enumerate(grids, start=1)}


def nifti_notes(names: Sequence[str], study: Study) -> list[Note]:
    """What a reader of the files should know about the positions of slices in them.

    Args:
        names: What is written: "labels.nii.gz", "images.nii.gz".
        study: The study.
    """
    notes = []
    pixel_mm = min(study.stack.geometry.pixel_spacing_mm)
    files = [list(nifti_files(name, study).items()) for name in names]
    grids = [grid for _, grid in files[0] if grid is not None]
    if len(grids) > 1:
        parts = "; ".join(
            f"{' and '.join(each[number][0] for each in files)}: {_slices_text(grid.slices)}"
            for number, grid in enumerate(grids)
        )
        text = f"NIfTI needs evenly spaced slices. These are not, so they are split over several files. {parts}."
        notes.append(Note(text, Code.NIFTI_DIVIDED))
    for number, grid in enumerate(grids):
        if grid.empty:
            why = "are empty: these slices are" if len(grid.empty) > 1 else "is empty: this slice is"
            text = (
                f"{numbered('Slice', grid.empty)} of {grid.count} in {' and '.join(each[number][0] for each in files)} "
                f"{why} missing, and NIfTI needs evenly spaced slices."
            )
            notes.append(Note(text, Code.NIFTI_EMPTY_SLICES))
    off = max((mm for grid in grids for mm in grid.off_mm), default=0.0)
    if off > _OFF_NOTED * pixel_mm:
        text = (
            f"In {' and '.join(names)}, slices are up to {off:.1f} mm off their position in the patient, because NIfTI "
            "has one grid for all slices. Contours and the DICOM segmentation have the exact positions."
        )
        notes.append(Note(text, Code.NIFTI_PLACES_ROUNDED))
    return notes


def _slices_text(slices: Sequence[int]) -> str:
    first, last = min(slices) + 1, max(slices) + 1
    return f"slice {first}" if first == last else f"slices {first} to {last}"


def write_nifti_labels(
    path: Path, labels: LabelMap, study: Study, progress: Progress = silent, *, grid: EvenGrid | None = None
) -> None:
    """Write label maps as uint8 on the input's own grid.

    A 3D file gives a 3D file of the same shape, affine and qform/sform codes; a 4D file a 4D one. A study of DICOM
    files gives (i, j, k, t) on an evenly spaced grid, slices in the input's own order, empty where one is missing.

    Args:
        path: The file to write, `.nii.gz` or `.nii`.
        labels: (phase, slice, row, col) of the study's stack, in its order.
        study: Where they belong.
        progress: Called with how far the work is.
        grid: The grid of `nifti_files` that is written; None for the only one.

    Raises:
        LabelMapError: Wrong codes or shape.
        GeometryError: The slices need several files, and `grid` names none.
        OSError: The file cannot be written.
        Cancelled: `progress` asked to stop; the file is then incomplete.
    """
    _write_frames(path, as_label_map(labels, study.stack.pixels.shape), study, LABELS_WRITTEN, progress, grid)


def write_nifti_images(path: Path, study: Study, progress: Progress = silent, *, grid: EvenGrid | None = None) -> None:
    """Write the frames of a study's first stack, values and type as they are, on the grid of `write_nifti_labels`.

    Args:
        path: The file to write, `.nii.gz` or `.nii`.
        study: The study.
        progress: Called with how far the work is.
        grid: As of `write_nifti_labels`.

    Raises:
        GeometryError: The slices need several files, and `grid` names none.
        OSError: The file cannot be written.
        Cancelled: `progress` asked to stop; the file is then incomplete.
    """
    if study.source_affine is None:
        grid = grid or _only_grid(study)
        has_empty = bool(grid.empty)
    else:
        has_empty = bool(study.source_axes.empty)
    description = IMAGES_WITH_EMPTY_WRITTEN if has_empty else IMAGES_WRITTEN
    _write_frames(path, study.stack.pixels, study, description, progress, grid)


def _only_grid(study: Study) -> EvenGrid:
    grids = even_grids(study.stack)
    if len(grids) > 1:
        raise GeometryError(f"The slices of {study.name} are not evenly spaced: they need {len(grids)} NIfTI files.")
    return grids[0]


def _write_frames(
    path: Path,
    frames: NDArray[Any],
    study: Study,
    description: str,
    progress: Progress,
    grid: EvenGrid | None,
) -> None:
    """Write (phase, slice, row, col) of a study's stack on the input's own grid, or on one of its even ones."""
    stack = study.stack
    if study.source_affine is None:
        grid = grid or _only_grid(study)
        affine = grid.affine(stack.geometry)
        voxels = FileAxes(empty=grid.empty).voxels_of(frames[:, list(grid.slices)])
    else:
        in_source_order = np.empty_like(frames)
        in_source_order[:, list(stack.source_slices)] = frames
        affine, voxels = study.source_affine, study.source_axes.voxels_of(in_source_order)
    header = _source_header(study)
    if header is not None and len(header.get_data_shape()) < 4:
        voxels = voxels.reshape(header.get_data_shape())
    elif header is None and study.source_affine is not None and stack.phases == 1:
        voxels = voxels[..., 0]
    voxels = np.ascontiguousarray(voxels)
    image: Any = nibabel.Nifti1Image(voxels, affine, dtype=voxels.dtype)  # type: ignore[no-untyped-call]
    image.header.set_xyzt_units("mm", "msec")
    if header is not None:
        _copy_orientation(header, image)
        image.header["pixdim"][1 : 1 + voxels.ndim] = header["pixdim"][1 : 1 + voxels.ndim]
    elif stack.phase_times_ms is not None and stack.phases > 1:
        image.header["pixdim"][4] = float(np.median(np.diff(stack.phase_times_ms)))
    image.header["descrip"] = description.encode("ascii")
    write_image(path, image, progress)


def _copy_orientation(header: Any, image: Any) -> None:
    """Units, qform and sform with their codes; one that is damaged in the source is left out."""
    with quiet(), contextlib.suppress(*READ_ERRORS):
        image.header.set_xyzt_units(*header.get_xyzt_units())
    for form in ("qform", "sform"):
        with quiet(), contextlib.suppress(*READ_ERRORS):
            matrix = usable_matrix(getattr(header, f"get_{form}"))
            getattr(image, f"set_{form}")(matrix, 0 if matrix is None else int(header[f"{form}_code"]))


def _source_header(study: Study) -> Any | None:
    """Header of the NIfTI file that the study came from, or None."""
    if study.format_name != "NIfTI" or not study.source.is_file():
        return None
    try:
        with quiet():
            header: Any = open_checked(study.source)[0].header
    except (LoadError, *READ_ERRORS):
        return None
    return header if hasattr(header, "get_sform") else None


_LEVEL = 1
"""Of gzip, as nibabel has it: pixels are noise to it, and label maps are small at any level."""


class _Watched:
    """A file that reports how much of it is written; nibabel accepts any object with `read` and `write` as a file."""

    def __init__(self, file: BinaryIO, size: int, progress: Progress) -> None:
        self._file, self._size, self._progress = file, size, progress

    def write(self, data: bytes) -> int:
        self._progress(min(1.0, self.tell() / self._size), "Writing NIfTI")
        return self._file.write(data)

    def read(self, size: int = -1) -> bytes:
        raise UnsupportedOperation("not readable")

    def seek(self, place: int, whence: int = 0) -> int:
        return self._file.seek(place, whence)

    def tell(self) -> int:
        return self._file.tell()


def write_image(path: Path, image: Any, progress: Progress) -> None:
    """Write an image of nibabel.

    Args:
        path: The file; gzipped where it ends in `.gz`. Neither its name nor the time is written into it.
        image: A single-file NIfTI image.
        progress: Called after each piece of it.

    Raises:
        OSError: The file cannot be written.
        Cancelled: `progress` asked to stop; the file is then incomplete.
    """
    with ExitStack() as stack:
        file: BinaryIO = stack.enter_context(path.open("wb"))
        if path.name.lower().endswith(".gz"):
            zipped = gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=file, mtime=0)
            file = cast(BinaryIO, stack.enter_context(zipped))
        image.to_stream(_Watched(file, max(1, image.dataobj.nbytes), progress))


def names_of_files(names: Sequence[str], study: Study) -> tuple[str, ...]:
    """Names of all files that a study is written to: several for each of `names` where its slices lie unevenly."""
    return tuple(file for name in names for file in nifti_files(name, study))


def write_label_files(folder: Path, name: str, labels: LabelMap, study: Study, progress: Progress = silent) -> None:
    """Write label maps as all the files of `nifti_files`, each completely or not at all."""
    files = nifti_files(name, study)
    for number, (file, grid) in enumerate(files.items()):
        step = part(progress, number / len(files), (number + 1) / len(files))
        write = partial(write_nifti_labels, labels=labels, study=study, progress=step, grid=grid)
        write_file_atomically(folder / file, write)


def write_nifti(job: Job, progress: Progress) -> None:
    """Label maps and frames of an export."""
    study, (labels, images) = job.study, ("labels.nii.gz", "images.nii.gz")
    write_label_files(job.folder, labels, job.results.labels, study, part(progress, 0.0, 0.2))
    files, second = nifti_files(images, study), part(progress, 0.2, 1.0)
    for number, (name, grid) in enumerate(files.items()):
        step = part(second, number / len(files), (number + 1) / len(files))
        write_file_atomically(job.folder / name, partial(write_nifti_images, study=study, progress=step, grid=grid))
    job.notes.extend(nifti_notes((labels, images), study))
