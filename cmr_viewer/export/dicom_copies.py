"""De-identified copies of the source images of a stack."""

from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import FileDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from cmr_viewer.domain.notes import counted
from cmr_viewer.domain.study import Stack
from cmr_viewer.errors import StoreError
from cmr_viewer.export.deidentify import Deidentifier
from cmr_viewer.export.source_files import (
    READ_ERRORS,
    SourceReader,
    paths_of,
    require_dicom_sources,
    tolerant,
)
from cmr_viewer.progress import Progress, silent
from cmr_viewer.store.atomic import write_file_atomically


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
        progress: Told after each file.

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
