"""The DICOM files that the frames of a stack were read from, opened again: on disk, or inside an archive.

An object that refers to the frames needs their headers (`read_source_study`); copies need the files.

Files hold values that the standard does not allow: dates such as 20120000, UIDs whose numbers begin with zeros. They
are not passed on: each is replaced or left empty, with a note.
"""

import math
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, BinaryIO, NoReturn, cast

import pydicom
import pydicom.config
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.valuerep import validate_value

from cmr_viewer.domain.dicom_uid import is_valid_uid, valid_uid
from cmr_viewer.domain.geometry import Vector
from cmr_viewer.domain.study import FrameSource, Stack
from cmr_viewer.errors import StoreError
from cmr_viewer.load.dicom.elements import READ_ERRORS as DECODING_ERRORS
from cmr_viewer.load.dicom.with_pydicom import tolerant
from cmr_viewer.progress import Progress, silent

MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"

_ABOUT = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
    "LongitudinalTemporalInformationModified",
    "PositionReferenceIndicator",
)
"""Attributes of patient and study that are the same in all objects of a study: DICOM PS3.3, C.7.1.1, C.7.2, C.7.4.1."""

_FRAME_KEYWORDS = [
    "SpecificCharacterSet",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "SliceThickness",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    "DeidentificationMethodCodeSequence",
    *_ABOUT,
]
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?")
_MOST_NOTES = 6


@dataclass(frozen=True)
class SourceFrame:
    """One frame of a stack as its file describes it.

    Attributes:
        class_uid: SOP Class UID, valid.
        instance_uid: SOP Instance UID, valid.
        series_uid: Series Instance UID, valid.
        frame_number: Frame of a multi-frame file, from 1; None for a single-frame file.
        rows: Rows of the frame; None where the header does not state them.
        cols: Columns likewise.
        spacing_mm: (row, col); None where it does not state it.
        orientation: (row direction, column direction) of Image Orientation (0020,0037); None likewise.
        position_mm: Image Position (0020,0032); None likewise.
    """

    class_uid: str
    instance_uid: str
    series_uid: str
    frame_number: int | None
    rows: int | None
    cols: int | None
    spacing_mm: tuple[float, float] | None
    orientation: tuple[Vector, Vector] | None
    position_mm: Vector | None


@dataclass(frozen=True, eq=False)
class SourceStudy:
    """What the files of a stack state.

    Attributes:
        frames: (phase)(slice).
        about: Patient and study, each value as the standard allows it.
        study_uid: Study Instance UID, valid.
        frame_of_reference_uid: Frame of Reference UID, valid.
        slice_thickness_mm: Slice Thickness (0018,0050), or None.
        notes: What was replaced, in words.
    """

    frames: tuple[tuple[SourceFrame, ...], ...]
    about: Dataset
    study_uid: str
    frame_of_reference_uid: str
    slice_thickness_mm: float | None
    notes: tuple[str, ...]


def read_source_study(
    stack: Stack, progress: Progress = silent, *, change: Callable[[Dataset], object] | None = None
) -> SourceStudy:
    """Read the headers of a stack's files, each file once.

    Args:
        stack: Its frames come from DICOM files.
        progress: Called after each file.
        change: Called with each header before it is used, to de-identify it.

    Raises:
        StoreError: Its frames come from elsewhere, or a file cannot be read.
    """
    require_dicom_sources(stack)
    paths = paths_of(stack)
    headers: dict[Path, Dataset] = {}
    with tolerant(), SourceReader() as reader:
        for number, path in enumerate(paths):
            progress(number / len(paths), "Reading headers")
            headers[path] = reader.read(path, _FRAME_KEYWORDS)
            if change is not None:
                change(headers[path])
        notes = _Notes()
        frames = tuple(
            tuple(
                _frame(source, headers[source.path], f"{stack.stack_id}/{phase}/{index}", notes, changed=bool(change))
                for index, source in enumerate(row)
            )
            for phase, row in enumerate(stack.frame_sources)
        )
        first = headers[paths[0]]
        return SourceStudy(
            frames=frames,
            about=_about(first, notes),
            study_uid=notes.uid(first, "StudyInstanceUID", f"study of {stack.stack_id}"),
            frame_of_reference_uid=notes.uid(first, "FrameOfReferenceUID", f"frame of reference of {stack.stack_id}"),
            slice_thickness_mm=_positive(_shared_or_own(first, 0, "PixelMeasuresSequence").get("SliceThickness")),
            notes=notes.texts,
        )


class _Notes:
    """What was replaced, each kind once."""

    def __init__(self) -> None:
        self._seen: dict[str, None] = {}

    @property
    def texts(self) -> tuple[str, ...]:
        texts = list(self._seen)
        more = len(texts) - _MOST_NOTES
        return tuple(texts[:_MOST_NOTES] + ([f"And {more} more values."] if more > 0 else []))

    def add(self, text: str) -> None:
        self._seen[text] = None

    def uid(self, header: Dataset, keyword: str, stands_for: str, given: str = "") -> str:
        """A valid UID in the place of the header's; `given` is used where the header has none."""
        uid = _text(header.get(keyword)) or given
        if not is_valid_uid(uid):
            what = "missing" if not uid else "invalid"
            self.add(f"{keyword} is {what} in the source images. A valid one replaces it.")
        return valid_uid(uid, stands_for)


def _frame(source: FrameSource, header: Dataset, stands_for: str, notes: _Notes, *, changed: bool) -> SourceFrame:
    number = source.frame_number
    many = (_whole(header.get("NumberOfFrames")) or 1) > 1
    own = {name: _shared_or_own(header, number - 1, name) for name in _GROUPS}
    spacing = _numbers(own["PixelMeasuresSequence"].get("PixelSpacing"), 2)
    cosines = _numbers(own["PlaneOrientationSequence"].get("ImageOrientationPatient"), 6)
    position = _numbers(own["PlanePositionSequence"].get("ImagePositionPatient"), 3)
    class_uid = _text(header.get("SOPClassUID")) or source.class_uid
    if not is_valid_uid(class_uid):
        notes.add("SOPClassUID is missing or invalid in the source images. They are treated as MR images.")
        class_uid = MR_IMAGE_STORAGE
    return SourceFrame(
        class_uid=class_uid,
        instance_uid=notes.uid(header, "SOPInstanceUID", stands_for, "" if changed else source.instance_uid),
        series_uid=notes.uid(header, "SeriesInstanceUID", stands_for.partition("/")[0]),
        frame_number=number if many else None,
        rows=_whole(header.get("Rows")),
        cols=_whole(header.get("Columns")),
        spacing_mm=None if spacing is None or min(spacing) <= 0 else (spacing[0], spacing[1]),
        orientation=None if cosines is None else (_vector(cosines[:3]), _vector(cosines[3:])),
        position_mm=None if position is None else _vector(position),
    )


_GROUPS = ("PixelMeasuresSequence", "PlaneOrientationSequence", "PlanePositionSequence")


def _shared_or_own(header: Dataset, index: int, group: str) -> Dataset:
    """Where a frame's values of a functional group are: its own item, the shared one, or the header itself."""
    for sequence, item in (("PerFrameFunctionalGroupsSequence", index), ("SharedFunctionalGroupsSequence", 0)):
        items = header.get(sequence) or []
        if item < len(items) and items[item].get(group):
            found: Dataset = items[item][group].value[0]
            return found
    return header


def _about(header: Dataset, notes: _Notes) -> Dataset:
    about = Dataset()
    for keyword in _ABOUT:
        if keyword in header:
            value = _allowed(header, keyword)
            if value is None:
                notes.add(f"{keyword} of the source images is not a value that DICOM allows. It is left empty.")
            setattr(about, keyword, value)
    if "DeidentificationMethodCodeSequence" in header:
        about.DeidentificationMethodCodeSequence = header.DeidentificationMethodCodeSequence
    return about


def _allowed(header: Dataset, keyword: str) -> Any:
    """A value if the standard allows it, "" where it is empty, and None where it does not."""
    vr, value = dictionary_VR(keyword), header.get(keyword)
    if isinstance(value, MultiValue):
        return [str(one) for one in value]
    text = _text(value)
    return text if not text or _is_allowed(keyword, vr, text) else None


def _is_allowed(keyword: str, vr: str, text: str) -> bool:
    if keyword == "PatientSex":
        return text in ("M", "F", "O")
    if vr == "DA":
        return _is_date(text)
    if vr == "TM":
        return _TIME.fullmatch(text) is not None
    try:
        validate_value(vr, text, pydicom.config.RAISE)
    except ValueError:
        return False
    return True


def _is_date(text: str) -> bool:
    if not re.fullmatch(r"\d{8}", text):
        return False
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return True


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    try:
        numbers = tuple(float(v) for v in value)
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) == count and all(map(math.isfinite, numbers)) else None


def _vector(values: tuple[float, ...]) -> Vector:
    return (values[0], values[1], values[2])


READ_ERRORS = (InvalidDicomError, zipfile.BadZipFile, *DECODING_ERRORS)
"""What pydicom and zipfile raise for files that are cut short, damaged or gone."""

NOT_DICOM = (
    "The frames of this study do not come from DICOM files, so a DICOM object has nothing to refer to. Export its "
    "label maps as NIfTI, or its contours."
)


def require_dicom_sources(stack: Stack) -> None:
    """Raise unless each frame of a stack is known to come from a DICOM file.

    Raises:
        StoreError: It is not.
    """
    sources = [source for phase in stack.frame_sources for source in phase]
    if not sources or not any(source.class_uid or source.instance_uid for source in sources):
        raise StoreError(NOT_DICOM)


def paths_of(stack: Stack) -> list[Path]:
    """The files of a stack, each once, phase by phase and base to apex."""
    return list(dict.fromkeys(source.path for phase in stack.frame_sources for source in phase))


class SourceReader:
    """Reads source files, within `tolerant`; a context manager that holds an archive open between its files."""

    def __init__(self) -> None:
        self._archive: tuple[Path, zipfile.ZipFile, dict[str, str]] | None = None

    def __enter__(self) -> "SourceReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._archive is not None:
            self._archive[1].close()
            self._archive = None

    def read(self, path: Path, keywords: list[str] | None = None) -> FileDataset:
        """Read a file.

        Args:
            path: The file; inside an archive, the archive's path followed by the name inside it.
            keywords: The elements that are needed, the pixels never among them; None for the whole file.

        Raises:
            StoreError: It cannot be read.
        """
        try:
            with self._opened(path) as file:
                return pydicom.dcmread(
                    file, force=True, stop_before_pixels=keywords is not None, specific_tags=keywords
                )
        except READ_ERRORS as error:
            _refuse(path, error)

    def _opened(self, path: Path) -> BinaryIO:
        archive = next((parent for parent in path.parents if parent.is_file()), None)
        if archive is None:
            return path.open("rb")
        if self._archive is None or self._archive[0] != archive:
            self.__exit__(None, None, None)
            opened = zipfile.ZipFile(archive)
            # Names are brought into the system's own form when an archive is unpacked.
            names = {str(PurePosixPath(n.replace("\\", "/").lstrip("/"))): n for n in opened.namelist()}
            self._archive = (archive, opened, names)
        _, opened, names = self._archive
        name = names.get(path.relative_to(archive).as_posix())
        if name is None:
            raise FileNotFoundError(path)
        return cast(BinaryIO, opened.open(name))


def _refuse(path: Path, error: BaseException) -> NoReturn:
    reason = "it is missing" if isinstance(error, FileNotFoundError) else f"it could not be read ({error})"
    raise StoreError(
        f"The source image {path.name} is needed for the export, but {reason}. Move the study back to where it "
        "was opened from, or export without DICOM."
    ) from error
