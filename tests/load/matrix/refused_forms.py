"""What is refused, and the words in which it is."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import imagecodecs
import nibabel
import numpy as np
import SimpleITK as sitk  # noqa: N813
from pydicom.dataset import FileDataset

from cmr_viewer.domain.study import Study
from tests.load.matrix.form import known
from tests.load.matrix.label_forms import LabelForm
from tests.phantom import default_affine, ras_affine, voxels_of, write_acdc_patient, write_nifti
from tests.phantom_contours import uid_of, write_cvi42, write_seg
from tests.phantom_dicom import Change, part_of, write_frames
from tests.phantom_multiframe import write_enhanced, write_single


@dataclass(frozen=True)
class Refused:
    """Something that is not opened.

    Attributes:
        name: As in the table of docs/loading/README.md.
        write: Writes it into a folder; what to open.
        words: What must be said, as in the table; of the name of a file only its ending is there.
    """

    name: str
    write: Callable[[Path], Path]
    words: str


def _bytes(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        return folder / name

    return write


def _folder(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _frames(change: Change = lambda data, phase, index: None, *, cut: int = 0) -> Callable[[Path], Path]:
    """A folder of classic files, each changed or cut short."""

    def write(folder: Path) -> Path:
        one = part_of(known().stack, [2])
        for path in write_frames(folder, replace(one, pixels=one.pixels[:2], phase_times_ms=(0.0, 40.0)), series="1",
                                 change=change):  # fmt: skip
            if cut:
                path.write_bytes(path.read_bytes()[:-cut])
        return folder

    return write


def _without(*keywords: str) -> Change:
    def change(data: FileDataset, phase: int, index: int) -> None:
        for keyword in keywords:
            del data[keyword]

    return change


def _with(**values: Any) -> Change:
    def change(data: FileDataset, phase: int, index: int) -> None:
        for keyword, value in values.items():
            setattr(data, keyword, value)

    return change


def _colour(data: FileDataset, phase: int, index: int) -> None:
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    data.PixelData = b"\0" * (3 * data.Rows * data.Columns)


def _placeless(folder: Path) -> Path:
    def change(data: FileDataset) -> None:
        data.NumberOfFrames = 2
        data.PixelData = data.PixelData * 2

    return write_single(folder / "frames.dcm", known().stack, change=change)


def _half_placed(folder: Path) -> Path:
    def change(data: FileDataset) -> None:
        del data.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence

    write_enhanced(folder / "frames.dcm", known().stack, change=change)
    return folder / "frames.dcm"


def _nifti_folder(folder: Path) -> Path:
    write_nifti(folder / "cine_gt.nii.gz", voxels_of(known().labels), default_affine(known().stack))
    return folder


def _nifti(voxels: Any, name: str = "cine.nii", *, cut: int = 0) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = write_nifti(folder / name, voxels, np.diag([2.0, 2.0, 8.0, 1.0]))
        path.write_bytes(path.read_bytes()[: -cut or None])
        return path

    return write


def _analyze(folder: Path) -> Path:
    folder.mkdir()
    image = nibabel.AnalyzeImage(known().stack.pixels[0].astype(np.int16).transpose(), np.eye(4))
    nibabel.save(image, folder / "cine.img")
    return folder / "cine.img"


def _jpeg_xl(folder: Path) -> Path:
    """A frame of JPEG XL; that it is none of the compressions that are read its own bytes show."""

    def encode(frame: Any) -> bytes:
        return bytes(imagecodecs.jpegxl_encode(frame, lossless=True))

    return write_single(folder / "a.dcm", known().stack, syntax="1.2.840.10008.1.2.4.90", encode=encode)


def _itk_colour(folder: Path) -> Path:
    folder.mkdir()
    image = sitk.GetImageFromArray(known().stack.pixels[0])
    sitk.WriteImage(sitk.Compose([image] * 3), str(folder / "colour.nrrd"))
    return folder / "colour.nrrd"


def _data_elsewhere(folder: Path) -> Path:
    (folder / "study").mkdir(parents=True)
    sitk.WriteImage(sitk.GetImageFromArray(known().stack.pixels[0]), str(folder / "study" / "a.mhd"))
    header = folder / "study" / "a.mhd"
    (folder / "study" / "a.raw").rename(folder / "a.raw")
    header.write_text(header.read_text().replace("a.raw", "../a.raw"))
    return header


def _other_grids(folder: Path) -> Path:
    written = write_acdc_patient(folder, known())
    es = next(path for path in written.glob("*frame0?.nii.gz") if "frame01" not in path.name)
    write_nifti(es, voxels_of(known().stack.pixels[:1, :6])[..., 0], default_affine(known().stack))
    return written


def _locked(folder: Path) -> Path:
    """An archive whose flags say that it is encrypted (APPNOTE 4.4.4, bit 0)."""
    folder.mkdir()
    path = folder / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.dcm", b"\0" * 200)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    content[6] |= 1
    path.write_bytes(bytes(content))
    return path


def _bomb(folder: Path) -> Path:
    folder.mkdir()
    packed = zipfile.ZipFile(folder / "export.zip", "w", zipfile.ZIP_DEFLATED)
    with packed as archive, archive.open("1.dcm", "w") as member:
        for _ in range(300):
            member.write(b"\0" * (1 << 20))
    return folder / "export.zip"


REFUSED = [
    Refused("a missing path", lambda folder: folder / "none",
        "it was moved, renamed or deleted, or its drive is not connected."),
    Refused("an empty folder", _folder, "contains no DICOM images. Open a folder with a short-axis cine series."),
    Refused("a file of another format", _bytes("report.pdf", b"%PDF"), "is not a DICOM, NIfTI, MHA or NRRD file."),
    Refused("a folder of label maps alone", _nifti_folder, "but no images. Open the folder of the images."),
    Refused("incomplete DICOM files", _frames(cut=100),
            "2 files with an incomplete image"),
    Refused("DICOM files without position", _frames(_without("ImagePositionPatient")), "without position"),
    Refused("DICOM files without pixel spacing", _frames(_without("PixelSpacing")), "pixel spacing"),
    Refused("DICOM files in colour", _frames(_colour), "in colour"),
    Refused("DICOM files with too large a size in the header", _frames(_with(Rows=65535, Columns=65535)),
            "with an impossible image size in the header"),
    Refused("DICOM files with 12 bits packed, or 1 bit", _frames(_with(BitsAllocated=12)), "with 12 bits per pixel"),
    Refused("DICOM files of JPEG XL or video", _jpeg_xl, "Could not decode the images, for example a.dcm."),
    Refused("several frames in one file, without positions", _placeless,
            "with several frames but no position for each"),
    Refused("several frames in one file, some without positions", _half_placed,
            "with several frames but positions for only some of them"),
    Refused("NIfTI in colour", _nifti(np.zeros((4, 4, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")])), "no grey values"),
    Refused("NIfTI with five axes", _nifti(np.zeros((4, 4, 2, 2, 2), np.int16)), "has 5 axes"),
    Refused("incomplete NIfTI", _nifti(np.ones((8, 8, 2), np.int16), cut=9),
            "as NIfTI: it is incomplete"),
    Refused("incomplete NIfTI, gzipped",
            _nifti(np.ones((8, 8, 2), np.int16), "cine.nii.gz", cut=9),
            "as NIfTI: it is incomplete"),
    Refused("empty NIfTI", _bytes("cine.nii", b""), "cine.nii"),
    Refused("Analyze 7.5", _analyze, "which does not distinguish left from right. Convert it to NIfTI."),
    Refused("NRRD in colour", _itk_colour, "has 3 channels. Open a greyscale image."),
    Refused("MHD with its data outside its folder", _data_elsewhere, "outside"),
    Refused("ACDC patient, ED and ES on different grids", _other_grids, "different grids"),
    Refused("zip archive with a password", _locked, "password"),
    Refused("incomplete zip archive", _bytes("export.zip", b"PK\3\4" + b"\0" * 40), "export.zip"),
    Refused("zip archive that inflates too much", _bomb, "was not unpacked: it would grow from"),
]  # fmt: skip


def _other_study(folder: Path, study: Study) -> Path:
    folder.mkdir()
    points = [(3.0, 3.0), (9.0, 3.0), (9.0, 9.0)]
    return write_cvi42(folder / "other.cvi42wsx", {f"{uid_of(0, 0)}.99": {"saendocardialContour": points}})


def _other_segments(folder: Path, study: Study) -> Path:
    folder.mkdir()
    return write_seg(folder / "labels.dcm", study, {(1, 0, 2): np.ones((36, 32))}, names=("Liver",))


def _other_grid(folder: Path, study: Study) -> Path:
    folder.mkdir()
    finer = replace(study.stack.geometry, pixel_spacing_mm=(2.5, 2.25))
    finer_study = replace(study, stacks=(replace(study.stack, geometry=finer),))
    return write_seg(
        folder / "labels.dcm", finer_study, {(1, 0, 2): np.ones((36, 32))}, names=("LV",), references=False
    )


def _content(name: str, content: bytes) -> Callable[[Path, Study], Path]:
    return lambda folder, study: _bytes(name, content)(folder)


def _five_codes(folder: Path, study: Study) -> Path:
    """Codes that no set is known to use, and no names beside them."""
    codes = known().labels + (np.arange(known().stack.geometry.cols) % 2 * (known().labels > 0) * 3).astype(np.uint8)
    return write_nifti(folder / "labels.nii.gz", voxels_of(codes), ras_affine(known().stack))


_ENTITIES = b'<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY b "c">]>\n<Workspace>&b;</Workspace>\n'

REFUSED_LABELS = [
    (LabelForm("contours of another study", _other_study), "belong"),
    (LabelForm("DICOM SEG without a ventricle", _other_segments), "has no segment of the left or right ventricle"),
    (LabelForm("DICOM SEG of another grid", _other_grid), "grid"),
    (LabelForm("a label map of unknown codes", _five_codes), "Set what they mean"),
    (LabelForm("a binary cvi42 workspace", _content("a.cvi42ws", b"\0\1")), "Export it from cvi42 as XML"),
    (LabelForm("a cvi42 workspace with entities", _content("a.cvi42wsx", _ENTITIES)), "entit"),
    (LabelForm("a label file of an unknown format", _content("a.txt", b"words")), "is not supported."),
]
