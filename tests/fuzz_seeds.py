"""Small whole files of every kind that is read: what fuzzing of the readers starts from."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813
from pydicom.fileset import FileSet
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from cmr_viewer.domain.study import Study
from cmr_viewer.load.labels.sunnybrook import read_points
from tests.phantom import Phantom, ras_affine, sax_cine, voxels_of, write_dicom_folder, write_nifti
from tests.phantom_contours import circle, identified, square, uid_of, write_cvi42, write_rtstruct, write_seg
from tests.phantom_multiframe import LOSSLESS, write_enhanced, write_single


def small() -> Phantom:
    """A phantom of 2 phases x 3 slices of 24 x 20 pixels."""
    return sax_cine(
        phases=2,
        slices=3,
        rows=24,
        cols=20,
        pixel_spacing_mm=(6.0, 6.0),
        slice_spacing_mm=20.0,
        above=0,
        below=0,
        shortening_mm=4.0,
        dtype=np.uint16,
    )


def label_study() -> Study:
    """The study that label files are read for."""
    return identified(small().stack)


def dicom(folder: Path) -> None:
    """One classic frame in each transfer syntax."""
    stack = small().stack
    plain = {
        "implicit": ImplicitVRLittleEndian,
        "big": ExplicitVRBigEndian,
        "deflated": DeflatedExplicitVRLittleEndian,
    }
    write_single(folder / "explicit.dcm", stack)
    for name, syntax in plain.items():
        write_single(folder / f"{name}.dcm", stack, syntax=syntax)
    for name, (uid, encode) in LOSSLESS.items():
        write_single(folder / f"{name.replace(' ', '-').lower()}.dcm", stack, syntax=uid, encode=encode)


def multiframe(folder: Path) -> None:
    """Enhanced MR: trigger delays, temporal indices, dimension index alone, one compressed."""
    stack = small().stack
    for times in ("trigger", "index", "dimension"):
        write_enhanced(folder / f"{times}.dcm", stack, times=times)
    syntax, encode = LOSSLESS["JPEG-LS"]
    write_enhanced(folder / "jpeg-ls.dcm", stack, syntax=syntax, encode=encode)


def file_set(folder: Path) -> None:
    """A directory, with the files that it names."""
    source = folder / "source"
    paths = write_dicom_folder(
        source, small().stack, extra={"StudyDate": "20200102", "StudyTime": "100000", "StudyID": "1"}
    )
    files = FileSet()
    for path in paths:
        files.add(path)
    files.write(folder / "set")
    for path in sorted(source.iterdir()):
        path.unlink()
    source.rmdir()
    for path in sorted((folder / "set").iterdir()):
        path.rename(folder / path.name)
    (folder / "set").rmdir()


def dicomdir(folder: Path) -> None:
    """A directory of a few files, without them."""
    file_set(folder)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        elif path.name != "DICOMDIR":
            path.unlink()


def zipped(folder: Path) -> None:
    """A folder of frames, stored and deflated."""
    paths = write_dicom_folder(folder / "frames", small().stack)
    for name, kind in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(folder / f"{name}.zip", "w", kind) as archive:
            for path in paths:
                archive.write(path, f"study/{path.name}")
    for path in paths:
        path.unlink()


def nifti(folder: Path) -> None:
    """A cine, and one phase with another affine."""
    stack = small().stack
    write_nifti(folder / "cine.nii", voxels_of(stack.pixels), ras_affine(stack))
    write_nifti(folder / "phase.nii", voxels_of(stack.pixels)[..., 0], np.eye(4))


def nifti_gz(folder: Path) -> None:
    """A cine, compressed."""
    stack = small().stack
    write_nifti(folder / "cine.nii.gz", voxels_of(stack.pixels), ras_affine(stack))


def _itk(path: Path, compressed: bool) -> None:
    frames = small().stack.pixels
    sitk.WriteImage(sitk.GetImageFromArray(frames[0].astype(np.int16)), str(path), useCompression=compressed)


def nrrd(folder: Path) -> None:
    """One phase, raw and compressed."""
    _itk(folder / "raw.nrrd", False)
    _itk(folder / "compressed.nrrd", True)


def mha(folder: Path) -> None:
    """One phase, raw and compressed."""
    _itk(folder / "raw.mha", False)
    _itk(folder / "compressed.mha", True)


def seg(folder: Path) -> None:
    """Binary with references, fractional by place, label map."""
    study = label_study()
    masks = {(1, 0, 0): np.eye(24, 20), (2, 1, 2): np.ones((24, 20))}
    write_seg(folder / "binary.dcm", study, masks)
    write_seg(folder / "fractional.dcm", study, masks, kind="FRACTIONAL", references=False, temporal=True)
    write_seg(folder / "labelmap.dcm", study, {(0, 0, 1): np.eye(24, 20)}, kind="LABELMAP")


def rtstruct(folder: Path) -> None:
    """Contours with references and by place."""
    contours = [("LV endocardium", 0, 1, circle(10, 12, 4, 12)), ("LV epicardium", 0, 1, square(3, 17))]
    write_rtstruct(folder / "referenced.dcm", label_study(), contours)
    write_rtstruct(folder / "placed.dcm", label_study(), contours, references=False)


def cvi42(folder: Path) -> None:
    """A workspace of two frames."""
    drawn: Mapping[str, list[tuple[float, float]]] = {
        "saendocardialContour": circle(10, 12, 4, 12),
        "saepicardialContour": circle(10, 12, 7, 12),
        "sarvendocardialContour": square(1, 4),
    }
    write_cvi42(folder / "study.cvi42wsx", {uid_of(0, 0): drawn, uid_of(1, 2): drawn})


def label_map(folder: Path) -> None:
    """A label map of all phases, and of one."""
    phantom = small()
    voxels = voxels_of(phantom.labels)
    write_nifti(folder / "cine.nii", voxels, ras_affine(phantom.stack))
    write_nifti(folder / "phase.nii", voxels[..., 0], ras_affine(phantom.stack))


def sunnybrook(folder: Path) -> None:
    """A contour as text."""
    points = circle(10.25, 12.5, 4, 16)
    folder.joinpath("contour.txt").write_text("".join(f"{x:.2f} {y:.2f}\n" for x, y in points), encoding="ascii")


def read_sunnybrook(path: Path) -> object:
    """The points of a contour file."""
    return read_points(path)
