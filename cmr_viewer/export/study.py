"""Export a study to one folder, in the chosen formats, for other programs.

| format   | files                                    | holds                                                          |
|----------|------------------------------------------|----------------------------------------------------------------|
| nifti    | labels.nii.gz, images.nii.gz             | label maps and frames, 4D on the grid of the input; numbered   |
|          |                                          | files where slices lie unevenly                                |
| seg      | segmentation.dcm                         | a DICOM Segmentation that refers to the source images          |
| contours | contours.json, contours.csv              | polygons in pixels and in mm of the patient                    |
| measures | measures.json, measures.csv              | volumes, fractions and mass                                    |
| regions  | regions.csv                              | region and model of every frame; always written                |
| effort   | effort.csv                               | readers' time and changes by frame                             |
| images   | dicom/image_0001.dcm, ...                | the source images, de-identified only                          |

about.json states what was written, what was replaced in it, and that this is research software. The folder is complete
or absent, and it replaces nothing that exists unless the caller asks for it. For window and command line; no Qt.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmr_viewer import NOTICE, PROGRAM
from cmr_viewer.domain.annotation import Provenance
from cmr_viewer.domain.label_map import LabelMap, as_label_map
from cmr_viewer.domain.measures import Measures
from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.domain.result_notes import not_segmented
from cmr_viewer.domain.study import COUNTING, FrameIndex, Study
from cmr_viewer.errors import StoreError
from cmr_viewer.export.folder import new_files_in
from cmr_viewer.export.tables import (
    RegionRow,
    write_effort_csv,
    write_measures_csv,
    write_measures_json,
    write_regions_csv,
)
from cmr_viewer.progress import Progress, part, silent
from cmr_viewer.store.atomic import write_atomically, write_file_atomically
from cmr_viewer.store.effort import EffortRow

if TYPE_CHECKING:
    from cmr_viewer.export.deidentify import Deidentifier

ABOUT_FILE = "about.json"


class Format(StrEnum):
    """What can be written."""

    NIFTI = "nifti"
    SEG = "seg"
    CONTOURS = "contours"
    MEASURES = "measures"
    REGIONS = "regions"
    EFFORT = "effort"
    IMAGES = "images"


FILES: Mapping[Format, tuple[str, ...]] = {
    Format.NIFTI: ("labels.nii.gz", "images.nii.gz"),
    Format.SEG: ("segmentation.dcm",),
    Format.CONTOURS: ("contours.json", "contours.csv"),
    Format.MEASURES: ("measures.json", "measures.csv"),
    Format.REGIONS: ("regions.csv",),
    Format.EFFORT: ("effort.csv",),
    Format.IMAGES: ("dicom",),
}
"""Files and folders of each format; `files_of` has those of a study."""

_SHARES = {
    Format.NIFTI: 6,
    Format.SEG: 4,
    Format.CONTOURS: 3,
    Format.MEASURES: 1,
    Format.REGIONS: 1,
    Format.EFFORT: 1,
    Format.IMAGES: 6,
}
"""How much of the time each format takes, roughly."""


@dataclass(frozen=True, eq=False)
class Results:
    """The results of a study to export.

    Attributes:
        labels: (phase, slice, row, col) label maps of the first stack; background where a frame has none.
        provenances: How the label map of each frame was made; frames without a label map are absent.
        regions: Lines of regions.csv.
        measures: Volumes, fractions and mass.
        model_ids: The model that made the prediction from which a frame's label map started, if any.
        reader: Who corrected them; empty for no one. Not written to a de-identified export.
        drawn_by: What drew the label maps if it was not this program; else empty.
        about: Further keys for measures.json and about.json, such as the models in use; without names of people.
        effort: Readers' time and changes, by frame, reader and session.
        notes: What a reader should know about the results.
    """

    labels: LabelMap
    provenances: Mapping[FrameIndex, Provenance]
    regions: tuple[RegionRow, ...]
    measures: Measures
    model_ids: Mapping[FrameIndex, str] = field(default_factory=dict)
    reader: str = ""
    drawn_by: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)
    effort: tuple[EffortRow, ...] = ()
    notes: tuple[Note, ...] = ()


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


@dataclass(frozen=True)
class Anonymity:
    """How an export is de-identified: DICOM PS3.15, Basic Application Level Confidentiality Profile.

    Attributes:
        secret: The source of pseudonyms and UIDs: `export.deidentify.kept_secret` of a workspace, so that exports of
            one patient belong together, or `fresh_secret`, so that nothing links them.
        shift_dates: Whether dates are shifted by a number of days that belongs to the patient, instead of removed.
    """

    secret: bytes = field(repr=False)
    shift_dates: bool = False


def formats_of(study: Study) -> frozenset[Format]:
    """The formats for a study, apart from DICOM copies: DICOM SEG only if its frames are DICOM."""
    formats = frozenset(Format) - {Format.IMAGES}
    return formats if _is_dicom(study) else formats - {Format.SEG}


def files_of(one: Format, study: Study) -> tuple[str, ...]:
    """Files and folders that a format has for a study: several NIfTI files where its slices lie unevenly."""
    if one is not Format.NIFTI:
        return FILES[one]
    from cmr_viewer.export.nifti import nifti_files  # noqa: PLC0415 - slow to import

    return tuple(file for name in FILES[one] for file in nifti_files(name, study))


def _is_dicom(study: Study) -> bool:
    return any(source.class_uid or source.instance_uid for row in study.stack.frame_sources for source in row)


def export_study(
    folder: Path,
    study: Study,
    results: Results,
    formats: frozenset[Format],
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
        formats: What to write; regions.csv is always written.
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
    wanted = [one for one in Format if one in formats or one is Format.REGIONS]
    if Format.IMAGES in wanted and anonymity is None:
        raise StoreError("Source images are exported only de-identified. Choose de-identification too.")
    as_label_map(results.labels, study.stack.pixels.shape)
    names = [*(name for one in wanted for name in files_of(one, study)), ABOUT_FILE]
    with new_files_in(folder, names, replace=replace) as place:
        job = _Job(place, study, results, anonymity)
        whole, done = sum(_SHARES[one] for one in wanted), 0
        for one in wanted:
            job.write(one, part(progress, done / whole, (done + _SHARES[one]) / whole))
            done += _SHARES[one]
        job.write_about(names)
        progress(1.0, "Moving the files into the folder")
    return Exported(folder, tuple(names), tuple(dict.fromkeys(job.notes)))


class _Job:
    """One export on its way into a folder."""

    def __init__(self, place: Path, study: Study, results: Results, anonymity: Anonymity | None) -> None:
        self._place, self._study, self._results, self._anonymity = place, study, results, anonymity
        self.notes: list[Note] = [*not_segmented(study.stack, results.provenances), *results.notes]

    def write(self, one: Format, progress: Progress) -> None:
        """Write the files of one format."""
        writers: Mapping[Format, Callable[[Progress], None]] = {
            Format.NIFTI: self._nifti,
            Format.SEG: self._seg,
            Format.CONTOURS: self._contours,
            Format.MEASURES: self._measures,
            Format.REGIONS: self._regions,
            Format.EFFORT: self._effort,
            Format.IMAGES: self._images,
        }
        writers[one](progress)

    def write_about(self, names: list[str]) -> None:
        """Write about.json."""
        anonymity, stack = self._anonymity, self._study.stack
        content = {
            **self._head(),
            "files": names,
            "phases": stack.phases,
            "slices": stack.slices,
            "label_codes": {"LVBP": 1, "LVM": 2, "RVBP": 3},
            "deidentified": anonymity is not None,
            "dates": None if anonymity is None else "shifted" if anonymity.shift_dates else "removed",
            "counting": COUNTING,
            "notes": self._all_notes(),
            **self._results.about,
        }
        if anonymity is None:
            content["study"] = self._study.name
        text = json.dumps(content, indent=2, ensure_ascii=False, default=str)
        write_atomically(self._place / ABOUT_FILE, f"{text}\n".encode())

    def _all_notes(self) -> list[dict[str, object]]:
        """Notes on files, results and export; those on files without their texts where these may name a patient."""
        of_files = dict.fromkeys(self._study.warnings)
        known = [note.as_json if self._anonymity is None else note.without_text for note in of_files]
        return known + [note.as_json for note in dict.fromkeys(self.notes)]

    def _head(self) -> dict[str, Any]:
        return {"program": PROGRAM, "notice": NOTICE}

    def _nifti(self, progress: Progress) -> None:
        from cmr_viewer.export.nifti import nifti_files, nifti_notes, write_nifti_images, write_nifti_labels  # noqa: PLC0415

        study, maps = self._study, self._results.labels
        labels, images = (nifti_files(name, study).items() for name in FILES[Format.NIFTI])
        first, second = part(progress, 0.0, 0.2), part(progress, 0.2, 1.0)
        for number, (name, grid) in enumerate(labels):
            step = part(first, number / len(labels), (number + 1) / len(labels))
            write = partial(write_nifti_labels, labels=maps, study=study, progress=step, grid=grid)
            write_file_atomically(self._place / name, write)
        for number, (name, grid) in enumerate(images):
            step = part(second, number / len(images), (number + 1) / len(images))
            write_file_atomically(
                self._place / name, partial(write_nifti_images, study=study, progress=step, grid=grid)
            )
        self.notes.extend(nifti_notes(FILES[Format.NIFTI], study))

    def _seg(self, progress: Progress) -> None:
        from cmr_viewer.export.dicom_seg import origin_of, write_segmentation  # noqa: PLC0415 - slow to import
        from cmr_viewer.export.sources import read_source_study  # noqa: PLC0415

        results, stack, remover = self._results, self._study.stack, self._remover()
        reader = "" if remover is not None else results.reader
        source = read_source_study(stack, part(progress, 0.0, 0.4), change=None if remover is None else remover.apply)
        self.notes.extend(Note(text, Code.EXPORT_CHANGED) for text in source.notes)
        write_segmentation(
            self._place / FILES[Format.SEG][0],
            results.labels,
            stack,
            source,
            origin_of(results.provenances, results.model_ids, reader=reader, drawn_by=results.drawn_by),
            part(progress, 0.4, 1.0),
            deidentifier=remover,
        )

    def _contours(self, progress: Progress) -> None:
        from cmr_viewer.export.contours import (  # noqa: PLC0415 - when used
            contours_of,
            write_contours_csv,
            write_contours_json,
        )

        stack, remover = self._study.stack, self._remover()
        uid_of = str if remover is None else remover.uid
        contours = contours_of(self._results.labels, stack, part(progress, 0.0, 0.5), uid_of=uid_of)
        as_json, as_csv = (self._place / name for name in FILES[Format.CONTOURS])
        write_contours_json(as_json, contours, stack, self._head())
        progress(0.8, "Writing contours")
        write_contours_csv(as_csv, contours, stack)

    def _measures(self, progress: Progress) -> None:
        progress(0.0, "Writing measures")
        as_json, as_csv = (self._place / name for name in FILES[Format.MEASURES])
        about = {
            "units": {"_ml": "millilitres", "_g": "grams", "_percent": "percent"},
            **self._head(),
            "notes": self._all_notes(),
            **self._results.about,
        }
        write_measures_json(as_json, self._results.measures, about=about)
        write_measures_csv(as_csv, self._results.measures, program=PROGRAM)

    def _regions(self, progress: Progress) -> None:
        progress(0.0, "Writing regions")
        write_regions_csv(self._place / FILES[Format.REGIONS][0], self._results.regions)

    def _effort(self, progress: Progress) -> None:
        progress(0.0, "Writing reading times")
        path = self._place / FILES[Format.EFFORT][0]
        write_effort_csv(path, self._results.effort, name_readers=self._anonymity is None)

    def _images(self, progress: Progress) -> None:
        from cmr_viewer.export.deidentify import write_deidentified_images  # noqa: PLC0415 - when used

        remover = self._remover()
        if remover is not None:
            folder = self._place / FILES[Format.IMAGES][0]
            notes = write_deidentified_images(folder, self._study.stack, remover, progress).notes
            self.notes.extend(Note(text, Code.EXPORT_CHANGED) for text in notes)

    def _remover(self) -> "Deidentifier | None":
        from cmr_viewer.export.deidentify import Dates, Deidentifier  # noqa: PLC0415 - pydicom, when used

        if self._anonymity is None:
            return None
        return Deidentifier(self._anonymity.secret, Dates.SHIFTED if self._anonymity.shift_dates else Dates.REMOVED)
