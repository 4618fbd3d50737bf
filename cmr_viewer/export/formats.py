"""The table of export formats: to add one, write a module with a function like `Writer` and add an entry to `FORMATS`.

The export dialog and `cmr-viewer export` offer what the table lists; `export.study` writes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from cmr_viewer import NOTICE, PROGRAM
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Provenance
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.volumes import Measures
from cmr_viewer.domain.notes import Note
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.progress import Progress
from cmr_viewer.store.effort import EffortRow


@dataclass(frozen=True)
class RegionRow:
    """A line of regions.csv.

    Attributes:
        phase: Phase.
        slice_index: Slice, 0 = most basal.
        source_slice: The slice's index in the input's own order.
        region: Region of the frame.
        probability: The classifier's probability of that region, 0 to 1; None where it gave none.
        model_id: The segmentation model that the frame was routed to; None where it was routed to none.
    """

    phase: int
    slice_index: int
    source_slice: int
    region: Region
    probability: float | None
    model_id: str | None


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
class Anonymity:
    """How an export is de-identified: DICOM PS3.15, Basic Application Level Confidentiality Profile.

    Attributes:
        secret: The source of pseudonyms and UIDs: `export.deidentify.saved_secret` of a workspace, so that exports of
            one patient belong together, or `fresh_secret`, so that nothing links them.
        shift_dates: Whether dates are shifted by a number of days that belongs to the patient, instead of removed.
    """

    secret: bytes = field(repr=False)
    shift_dates: bool = False


@dataclass(eq=False)
class Job:
    """One export on its way into a folder: what a format writes, and where.

    Attributes:
        folder: Where the files go; nobody sees it before all of them are written.
        study: The study; its first stack is exported.
        results: Its results.
        anonymity: How to de-identify; None leaves headers unchanged.
        notes: What a reader should know about the results and the files; formats append theirs.
    """

    folder: Path
    study: Study
    results: Results
    anonymity: Anonymity | None
    notes: list[Note]

    @property
    def head(self) -> dict[str, Any]:
        """The first keys of each JSON file."""
        return {"program": PROGRAM, "notice": NOTICE}

    def all_notes(self) -> list[dict[str, object]]:
        """Notes on files, results and export; those on files without their texts where these may name a patient."""
        of_files = dict.fromkeys(self.study.warnings)
        known = [note.as_json if self.anonymity is None else note.without_text for note in of_files]
        return known + [note.as_json for note in dict.fromkeys(self.notes)]


Writer = Callable[[Job, Progress], None]
"""Writes the files of a format."""


@dataclass(frozen=True)
class Format:
    """What can be written of a study.

    Attributes:
        name: On the command line.
        title: In the dialog.
        about: What is written, for a reader.
        files: Files and folders that it writes.
        write: Writes them.
        files_of: The same for a study whose files depend on it: (names, study).
        share: How much of the time it takes, roughly.
        is_ticked: Whether the dialog proposes it.
        is_always_written: Whether it belongs to every export.
        from_dicom: Whether it needs frames that come from DICOM files.
        only_deidentified: Whether it is written only without the patient.
    """

    name: str
    title: str
    about: str
    files: tuple[str, ...]
    write: Writer
    files_of: Callable[[tuple[str, ...], Study], tuple[str, ...]] = lambda names, _study: names
    share: int = 1
    is_ticked: bool = False
    is_always_written: bool = False
    from_dicom: bool = False
    only_deidentified: bool = False


def _late(module: str, name: str) -> Callable[..., Any]:
    """A function of a module of this room that is imported when it is called, since nibabel and pydicom are slow."""

    def call(*given: Any) -> Any:
        return getattr(import_module(f"cmr_viewer.export.{module}"), name)(*given)

    return call


FORMATS = (
    Format(
        "nifti",
        "NIfTI",
        "Label maps and images, 4D, on the grid of the input",
        ("labels.nii.gz", "images.nii.gz"),
        _late("nifti", "write_nifti"),
        _late("nifti", "names_of_files"),
        share=6,
        is_ticked=True,
    ),
    Format(
        "seg",
        "DICOM SEG",
        "Segmentation linked to the source images, for a PACS",
        ("segmentation.dcm",),
        _late("dicom_seg", "write_seg"),
        share=4,
        from_dicom=True,
    ),
    Format(
        "contours",
        "Contours",
        "Polygons in pixels and mm, as JSON and CSV",
        ("contours.json", "contours.csv"),
        _late("contours", "write_contours"),
        share=3,
    ),
    Format(
        "measures",
        "Measures",
        "Volumes, ejection fractions and mass, as JSON and CSV",
        ("measures.json", "measures.csv"),
        _late("tables", "write_measures"),
        is_ticked=True,
    ),
    Format(
        "regions",
        "Regions",
        "Region and model of every frame, as CSV; always included",
        ("regions.csv",),
        _late("tables", "write_regions"),
        is_ticked=True,
        is_always_written=True,
    ),
    Format(
        "effort",
        "Effort",
        "Reading time and changes per frame, as CSV",
        ("effort.csv",),
        _late("tables", "write_effort"),
    ),
    Format(
        "images",
        "DICOM images",
        "De-identified source images",
        ("dicom",),
        _late("deidentify", "write_images"),
        share=6,
        from_dicom=True,
        only_deidentified=True,
    ),
)
"""In the order in which they are offered and written."""


def formats_of(study: Study, *, deidentified: bool = False) -> tuple[str, ...]:
    """Names of the formats that a study can be written in.

    Args:
        study: The study.
        deidentified: Whether those count that are only written without the patient.
    """
    sources = [source for row in study.stack.frame_sources for source in row]
    is_dicom = any(source.class_uid or source.instance_uid for source in sources)
    return tuple(
        one.name for one in FORMATS if (is_dicom or not one.from_dicom) and (deidentified or not one.only_deidentified)
    )
