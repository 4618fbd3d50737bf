"""De-identification of DICOM headers and source images: the Basic Application Level Confidentiality Profile.

The profile's own table (PS3.15, table E.1-1), as in the library dicom-anonymizer, states which attribute is removed,
emptied, replaced or mapped. It applies to the items of all sequences too. Private attributes, and those that no
dictionary knows, are removed.

UIDs, pseudonyms and shifts of dates follow from a secret, by HMAC-SHA-256: the same secret gives the same result, over
images, segmentations and the references between them, and without it nothing leads back. Whoever has the secret can
link exports; without it no one can try out identifiers.
"""

import base64
import hmac
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path

from pydicom.datadict import dictionary_has_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from cmr_viewer import PROGRAM
from cmr_viewer.domain.dicom_uid import uid_of_bytes
from cmr_viewer.domain.notes import Code, Note, counted
from cmr_viewer.domain.study import Stack
from cmr_viewer.errors import StoreError
from cmr_viewer.export.formats import Anonymity, Job
from cmr_viewer.export.sources import (
    READ_ERRORS,
    SourceReader,
    paths_of,
    require_dicom_sources,
)
from cmr_viewer.load.dicom.with_pydicom import tolerant
from cmr_viewer.progress import Progress, silent
from cmr_viewer.store.atomic import write_atomically, write_file_atomically

MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"
SECRET_FILE = "deidentification.key"
_SECRET_BYTES = 32
_LONGEST_SHIFT_DAYS = 3650
_METHOD = ("DICOM PS3.15 E.1 Basic Profile", PROGRAM)
_BASIC_PROFILE = ("113100", "Basic Application Confidentiality Profile")
_MODIFIED_DATES = ("113107", "Retain Longitudinal Temporal Information Modified Dates Option")
_NUMBERS = frozenset({"DS", "IS", "FD", "FL", "SS", "US", "SL", "UL", "SV", "UV"})
_TEXTS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_DUMMIES = {"DA": "19000101", "TM": "000000", "DT": "19000101000000", "AS": "000Y", "UR": "http://anonymized.invalid"}
_REFERENCES = frozenset({0x00081111, 0x00081140, 0x00082112})
"""Sequences of references that stay, with their UIDs mapped, where they may be required: performed procedure step,
referenced and source images."""

_DATE = re.compile(r"\d{8}(?=$|\d{2,6}(\.\d{1,6})?$)")
_TIME = re.compile(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")
_PATIENT_GROUP = 0x0010
_PATIENT_ID = 0x00100020


class Dates(StrEnum):
    """What becomes of dates and times."""

    REMOVED = "removed"
    SHIFTED = "shifted"


class _Action(StrEnum):
    """What the profile does to an attribute; where it leaves a choice, the type in the object decides."""

    REMOVE = "X"
    EMPTY = "Z"
    REPLACE = "D"
    UID = "U"
    EMPTY_OR_REPLACE = "Z/D"
    REMOVE_OR_EMPTY = "X/Z"
    REMOVE_OR_REPLACE = "X/D"
    KEEP_REFERENCES = "X/Z/U*"


@dataclass(frozen=True)
class _Table:
    """The profile: actions by tag, and of repeating groups as (group, element, group mask, element mask)."""

    actions: dict[int, _Action]
    ranges: tuple[tuple[int, int, int, int], ...]

    def action(self, tag: BaseTag) -> _Action | None:
        """What is done to an attribute; None for one that the profile leaves as it is."""
        for group, element, group_mask, element_mask in self.ranges:
            if tag.group & group_mask == group & group_mask and tag.element & element_mask == element & element_mask:
                return _Action.REMOVE
        return self.actions.get(int(tag))


@cache
def _table() -> _Table:
    from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as profile  # noqa: PLC0415 - when used

    actions: dict[int, _Action] = {}
    for tags, action in (
        (profile.X_TAGS, _Action.REMOVE),
        (profile.Z_TAGS, _Action.EMPTY),
        (profile.D_TAGS, _Action.REPLACE),
        (profile.U_TAGS, _Action.UID),
        (profile.Z_D_TAGS, _Action.EMPTY_OR_REPLACE),
        (profile.X_Z_TAGS, _Action.REMOVE_OR_EMPTY),
        (profile.X_D_TAGS, _Action.REMOVE_OR_REPLACE),
        (profile.X_Z_D_TAGS, _Action.REMOVE_OR_REPLACE),
        (profile.X_Z_U_STAR_TAGS, _Action.KEEP_REFERENCES),
    ):
        actions.update({tag[0] << 16 | tag[1]: action for tag in tags if len(tag) == 2})
    return _Table(actions, tuple(tag for tag in profile.ALL_TAGS if len(tag) == 4))


def fresh_secret() -> bytes:
    """A new secret; once it is discarded after an export, nothing links that export to another."""
    return secrets.token_bytes(_SECRET_BYTES)


def saved_secret(folder: Path) -> bytes:
    """The secret of a workspace, created there the first time.

    Raises:
        StoreError: It cannot be read or written; a file that holds no secret is not written over.
    """
    path = folder / SECRET_FILE
    if not path.exists():
        secret = fresh_secret()
        write_atomically(path, secret.hex().encode())
        with suppress(OSError):
            path.chmod(0o600)
        return secret
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise StoreError(
            f"Could not read the secret {path}, from which pseudonyms are made. Restore a copy of it, or delete it to "
            "start again; earlier exports can then not be linked to later ones."
        ) from error
    if len(secret) != _SECRET_BYTES:
        raise StoreError(f"The secret {path} is incomplete. Restore a copy of it, or delete it to start again.")
    return secret


class Deidentifier:
    """Applies the profile to data sets, the same way for all that share a secret.

    Args:
        secret: At least 16 bytes that cannot be guessed.
        dates: Removed as in the basic profile, or shifted by a number of days that is the patient's own (the
            profile's option to retain longitudinal information with modified dates); times of day stay then.
    """

    def __init__(self, secret: bytes, dates: Dates = Dates.REMOVED) -> None:
        if len(secret) < 16:
            raise StoreError("A secret needs at least 16 bytes.")
        self._secret, self.dates = secret, dates

    def uid(self, uid: str) -> str:
        """The UID that replaces another."""
        return uid_of_bytes(self._digest("uid", uid.strip()))

    def pseudonym(self, patient: str) -> str:
        """What replaces a patient's identifier or name."""
        return f"P{base64.b32encode(self._digest('patient', patient.strip()))[:10].decode()}"

    def apply(self, data: Dataset) -> None:
        """De-identify a data set, and note this in it (PS3.15, E.1.1).

        Args:
            data: A data set or what was read of it; changed in place, with its file meta information. Within
                `tolerant`, since pydicom writes values that are not allowed to the log.
        """
        patient = _text(data, "PatientID") or _text(data, "PatientName") or _text(data, "StudyInstanceUID")
        classic = _text(data, "SOPClassUID") == MR_IMAGE_STORAGE
        self._clean(data, _Case(classic, self._days(patient) if self.dates is Dates.SHIFTED else None))
        data.PatientID = self.pseudonym(patient)
        data.PatientName = f"{data.PatientID}^"
        data.PatientBirthDate = ""
        self.note(data)
        if isinstance(data, FileDataset):
            data.preamble = b"\0" * 128
            data.file_meta = _own_meta(data)

    def apply_to_own(self, data: Dataset) -> None:
        """Apply the profile to an object that was made here from headers that it was applied to already.

        UIDs stay, since those that it refers to are mapped already and its own are new; when and by what it was made
        does not.
        """
        data.pop("ContributingEquipmentSequence", None)
        case = _Case(classic=False, days=None)
        for tag in list(data.keys()):
            action = _table().action(tag)
            if action is _Action.REMOVE:
                del data[tag]
            elif (
                action in (_Action.EMPTY_OR_REPLACE, _Action.REMOVE_OR_REPLACE, _Action.REPLACE) and tag != _PATIENT_ID
            ):
                self._change(data, data[tag], action, case)
        self.note(data)

    def note(self, data: Dataset) -> None:
        """Write into a data set by which method it was de-identified."""
        before = data.get("DeidentificationMethod") or []
        methods = [before] if isinstance(before, str) else list(before)
        data.PatientIdentityRemoved = "YES"
        data.DeidentificationMethod = [*methods, *(method for method in _METHOD if method not in methods)]
        shifted = self.dates is Dates.SHIFTED
        data.LongitudinalTemporalInformationModified = "MODIFIED" if shifted else "REMOVED"
        items = []
        for value, meaning in (_BASIC_PROFILE, _MODIFIED_DATES) if shifted else (_BASIC_PROFILE,):
            item = Dataset()
            item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
            items.append(item)
        data.DeidentificationMethodCodeSequence = items

    def _digest(self, what: str, value: str) -> bytes:
        return hmac.digest(self._secret, f"{what}:{value}".encode(), "sha256")

    def _days(self, patient: str) -> int:
        return 1 + int.from_bytes(self._digest("days", patient)[:4], "big") % _LONGEST_SHIFT_DAYS

    def _clean(self, data: Dataset, case: "_Case") -> None:
        for tag in list(data.keys()):
            if tag.is_private or tag.element == 0 or not dictionary_has_tag(tag):
                del data[tag]
                continue
            action = _table().action(tag)
            if action is _Action.REMOVE:
                del data[tag]
                continue
            try:
                element = data[tag]
            except (ValueError, TypeError, KeyError, NotImplementedError):  # it cannot even be read
                del data[tag]
                continue
            if element.VR == "SQ" and (action is None or (int(tag) in _REFERENCES and not case.classic)):
                for item in element.value:
                    self._clean(item, case)
            elif action is not None:
                self._change(data, element, action, case)

    def _change(self, data: Dataset, element: DataElement, action: _Action, case: "_Case") -> None:
        tag, vr = element.tag, element.VR
        days = case.days
        if days is not None and tag.group != _PATIENT_GROUP:
            if vr in ("DA", "DT") and _each(element, lambda text: _earlier(text, days)):
                return
            if vr == "TM" and _each(element, lambda text: text if _TIME.fullmatch(text.strip()) else None):
                return
        if vr == "SQ" or (case.classic and action in (_Action.REMOVE_OR_EMPTY, _Action.REMOVE_OR_REPLACE)):
            del data[tag]
        elif action is _Action.UID and vr == "UI":
            _each(element, self.uid)
        elif action in (_Action.EMPTY, _Action.REMOVE_OR_EMPTY):
            element.value = b"" if vr in ("OB", "OW", "UN") else None
        else:
            _replace(data, element)


def deidentifier_of(anonymity: Anonymity | None) -> Deidentifier | None:
    """What de-identifies the headers of an export; None where they stay as they are."""
    if anonymity is None:
        return None
    return Deidentifier(anonymity.secret, Dates.SHIFTED if anonymity.shift_dates else Dates.REMOVED)


@dataclass(frozen=True)
class _Case:
    """How the data set at hand is treated.

    Attributes:
        classic: Whether it is a classic MR image, in which nothing that may be removed is required.
        days: By how many days dates are shifted back, or None where they are removed.
    """

    classic: bool
    days: int | None


def _replace(data: Dataset, element: DataElement) -> None:
    """Put a dummy in the place of a value; an empty value stays."""
    if element.is_empty:
        return
    if element.VR in _TEXTS:
        element.value = "ANONYMIZED^" if element.VR == "PN" else "ANONYMIZED"
    elif element.VR in _NUMBERS:
        element.value = 0
    elif element.VR in _DUMMIES:
        element.value = _DUMMIES[element.VR]
    else:
        del data[element.tag]


def _each(element: DataElement, change: Callable[[str], str | None]) -> bool:
    """Change each text of an element; whether all of them could be."""
    values = list(element.value) if isinstance(element.value, MultiValue) else [element.value]
    changed = [change(str(value)) if value not in (None, "") else "" for value in values]
    if None in changed:
        return False
    element.value = changed if len(changed) > 1 else changed[0]
    return True


def _earlier(text: str, days: int) -> str | None:
    """A date, or a date with a time, as many days before; None where it is none."""
    if not _DATE.match(text):
        return None
    try:
        day = date(int(text[:4]), int(text[4:6]), int(text[6:8])) - timedelta(days)
    except (ValueError, OverflowError):
        return None
    return f"{day.year:04d}{day.month:02d}{day.day:02d}{text[8:]}"


def _own_meta(data: FileDataset) -> FileMetaDataset:
    """File meta information of a data set that was changed, without who sent or wrote it."""
    meta = FileMetaDataset()
    syntax = data.file_meta.get("TransferSyntaxUID")
    if syntax is not None:
        meta.TransferSyntaxUID = syntax
    if "SOPClassUID" in data and "SOPInstanceUID" in data:
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = data.SOPClassUID, data.SOPInstanceUID
    return meta


def _text(data: Dataset, keyword: str) -> str:
    value = data.get(keyword)
    return "" if value is None else str(value).strip()


@dataclass(frozen=True)
class Copies:
    """What was copied.

    Attributes:
        written: How many files.
        burned_in: Files that state that text is burned into their pixels; they were left out.
        doubtful: Files that are secondary captures or derived and do not rule out such text; they were copied and
            should be checked.
    """

    written: int
    burned_in: int
    doubtful: int

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know, in words."""
        notes = []
        if self.burned_in:
            notes.append(
                f"Left out {counted(self.burned_in, 'source image')} with text burned into the pixels (0028,0301), "
                "which may name the patient."
            )
        if self.doubtful:
            notes.append(
                f"Check {counted(self.doubtful, 'source image')} before you pass on the export. Secondary captures may "
                "have the patient's name burned into the pixels, and these do not state it."
            )
        return tuple(notes)


def write_deidentified_images(
    folder: Path, stack: Stack, deidentifier: Deidentifier, progress: Progress = silent
) -> Copies:
    """Copy the files of a stack as image_0001.dcm and so on, phase by phase and base to apex; pixels as they are.

    Args:
        folder: Where to; made if missing.
        stack: Its frames come from DICOM files.
        deidentifier: What is taken out.
        progress: Called after each file.

    Raises:
        StoreError: The frames come from elsewhere, or a file cannot be read or written.
        Cancelled: `progress` asked to stop; files that were written remain.
    """
    require_dicom_sources(stack)
    written = burned_in = doubtful = 0
    paths = paths_of(stack)
    with tolerant(), SourceReader() as reader:
        for number, path in enumerate(paths):
            progress(number / len(paths), "Copying images")
            data = reader.read(path)
            burned = str(data.get("BurnedInAnnotation") or "").strip().upper()
            if burned == "YES":
                burned_in += 1
                continue
            doubtful += burned != "NO" and _is_capture(data)
            written += 1
            _write(folder / f"image_{written:04d}.dcm", data, deidentifier, path)
    return Copies(written, burned_in, doubtful)


def _write(target: Path, data: FileDataset, deidentifier: Deidentifier, path: Path) -> None:
    try:
        deidentifier.apply(data)
        if "TransferSyntaxUID" not in data.file_meta:
            implicit, little = data.original_encoding
            data.file_meta.TransferSyntaxUID = (
                ImplicitVRLittleEndian
                if implicit or implicit is None
                else (ExplicitVRLittleEndian if little else ExplicitVRBigEndian)
            )
        write_file_atomically(target, lambda beside: data.save_as(beside, enforce_file_format=True))
    except StoreError:
        raise
    except READ_ERRORS as error:
        raise StoreError(
            f"Could not de-identify the source image {path.name} ({type(error).__name__}). Export without DICOM copies."
        ) from error


def _is_capture(data: FileDataset) -> bool:
    kinds = data.get("ImageType")
    values = [] if kinds is None else [kinds] if isinstance(kinds, str) else list(kinds)
    return "SECONDARY" in values or str(data.get("SOPClassUID", "")).startswith("1.2.840.10008.5.1.4.1.1.7")


def write_images(job: Job, progress: Progress) -> None:
    """The source images of an export, in a folder of their own."""
    remover = deidentifier_of(job.anonymity)
    if remover is not None:
        notes = write_deidentified_images(job.folder / "dicom", job.study.stack, remover, progress).notes
        job.notes.extend(Note(text, Code.EXPORT_CHANGED) for text in notes)
