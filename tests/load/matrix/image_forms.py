"""Image files that are not DICOM, and the layouts of published sets."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from cmr_viewer.domain.study import Stack
from tests.load.matrix.form import PHASES, ROWS, SLICES, Form, Truth, Written, known, truth_of
from tests.phantom import (
    default_affine,
    ras_affine,
    voxels_of,
    write_acdc_patient,
    write_mnms_patient,
    write_nifti,
)
from tests.phantom_dicom import part_of

Writer = Callable[[Path], Written]
FORWARD, BACKWARD = tuple(range(SLICES)), tuple(range(SLICES))[::-1]
BASE_GUESSED = "Base end detected from the images"
IMAGES = {"times_ms": None, "source_slices": FORWARD}


def _phase() -> Stack:
    """The first phase alone."""
    return replace(known().stack, pixels=known().stack.pixels[:1], phase_times_ms=None)


def nifti(
    name: str,
    *,
    dimensions: int = 4,
    image: Callable[..., Any] = nibabel.Nifti1Image,
    codes: tuple[int, int] = (1, 1),
    dtype: Any = np.uint16,
    change: Callable[[Any], None] = lambda image: None,
    apex_first: bool = False,
    **truth: Any,
) -> Writer:
    """A NIfTI file.

    Args:
        name: Its file name.
        dimensions: 3 for the first phase, 4 for the cine.
        image: nibabel's class.
        codes: qform and sform code.
        dtype: Of the voxels.
        change: Called with the image before it is written.
        apex_first: Whether slice 0 of the file is the apex.
        truth: Changes of what must be read.
    """

    def written(folder: Path) -> Written:
        folder.mkdir(parents=True, exist_ok=True)
        stack = known().stack if dimensions == 4 else _phase()
        voxels = voxels_of(stack.pixels, apex_first=apex_first)[(...,) if dimensions == 4 else (..., 0)]
        affine = ras_affine(stack, apex_first=apex_first)
        made = image(voxels.astype(dtype), affine)
        made.set_qform(affine, codes[0])
        made.set_sform(affine, codes[1])
        change(made)
        nibabel.save(made, folder / name)
        found = truth_of(stack, pixels=stack.pixels.astype(np.dtype(dtype).newbyteorder("=")), **IMAGES)
        if apex_first:
            found = replace(found, source_slices=BACKWARD)
        return folder / name, replace(found, **truth)

    return written


def _timed(image: Any) -> None:
    image.header.set_xyzt_units("mm", "msec")
    image.header["pixdim"][4] = 800.0 / PHASES


def _scaled(image: Any) -> None:
    image.header.set_slope_inter(0.5, 10.0)


def _big_endian(voxels: NDArray[Any], affine: NDArray[np.float64]) -> Any:
    made = nibabel.Nifti1Image(voxels, affine, nibabel.Nifti1Header(endianness=">"))
    made.set_data_dtype(voxels.dtype)
    return made


def _mirrored(axis: int) -> Writer:
    """Rows (axis 1) or columns (axis 0) stored the other way round, as the affine tells.

    Rows are turned round in both cases, so that frames whose columns were stored so come turned by 180 degrees.
    """

    def written(folder: Path) -> Written:
        stack = known().stack
        voxels, affine = np.flip(voxels_of(stack.pixels), axis), ras_affine(stack)
        affine[:3, 3] += affine[:3, axis] * (voxels.shape[axis] - 1)
        affine[:3, axis] *= -1
        path = write_nifti(folder / "cine.nii.gz", np.ascontiguousarray(voxels), affine)
        found = truth_of(stack, **IMAGES)
        if axis == 1:
            return path, found
        return path, replace(found, pixels=found.pixels[..., ::-1, ::-1], places_mm=found.places_mm[:, ::-1, ::-1])

    return written


def _skewed(folder: Path) -> Written:
    """Direction cosines that are 0.5 degrees from perpendicular, which ITK refuses."""
    stack, angle = known().stack, np.deg2rad(0.5)
    affine = ras_affine(stack)
    across, along = affine[:3, 0] / np.linalg.norm(affine[:3, 0]), affine[:3, 2]
    affine[:3, 2] = along * np.cos(angle) + across * np.linalg.norm(along) * np.sin(angle)
    path = write_nifti(folder / "cine.nii.gz", voxels_of(stack.pixels), affine, qform_code=0)
    return path, truth_of(stack, places_mm=_places_by(affine), **IMAGES)


def _places_by(affine: NDArray[np.float64], apex_first: bool = False) -> NDArray[np.float64]:
    """(slice, row, col, 3) places, LPS, of the voxels of a file in the order of the stack."""
    shape = known().stack.pixels.shape[1:]
    k, j, i = np.indices(shape, dtype=np.float64)
    ras = np.stack([i, j, k, np.ones(shape)], axis=-1) @ affine.T
    places = ras[..., :3] * (-1.0, -1.0, 1.0)
    return np.asarray(places[::-1] if apex_first else places)


def _without_orientation(folder: Path) -> Written:
    stack = known().stack
    affine = default_affine(stack)
    path = write_nifti(folder / "cine.nii.gz", voxels_of(stack.pixels, apex_first=True), affine)
    expected = truth_of(stack, places_mm=_places_by(affine, True), times_ms=None, source_slices=BACKWARD)
    return path, replace(expected, notes=(BASE_GUESSED,))


def _by_axes(*order: int) -> Writer:
    """The axes of the file in another order, as tools store it that reorient to RAS, or to anything else."""

    def written(folder: Path) -> Written:
        stack = known().stack
        voxels, affine = voxels_of(stack.pixels).transpose(*order, 3), ras_affine(stack)[:, [*order, 3]]
        path = write_nifti(folder / "cine.nii.gz", np.ascontiguousarray(voxels), affine)
        axis = order.index(2) + 1
        found = replace(truth_of(stack, **IMAGES), notes=(f"along axis {axis} of the file",))
        # Columns run to the left and rows to the feet: the frames of the phantom, turned by 20 degrees, do so already.
        return path, found

    return written


def _resized(sizes: str, unit: int = 0, scale: float = 1.0) -> Callable[[Any], None]:
    """What the header says of the size of voxels: in its affine, in its own field, or in another unit."""

    def change(image: Any) -> None:
        affine, pixdim = image.affine.copy(), image.header["pixdim"][1:4].copy()
        affine[:3] *= scale
        if sizes == "unit sform":
            affine[:3, :3] /= np.linalg.norm(affine[:3, :3], axis=0)
        image.set_sform(affine, 1)
        image.header["pixdim"][1:4] = pixdim * scale * (1.1 if sizes == "two" else 1.0)
        image.header["xyzt_units"] = unit

    return change


def _half_turned(folder: Path) -> Written:
    """The numbers of LPS in a file of RAS."""
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ ras_affine(known().stack)
    path = write_nifti(folder / "cine.nii.gz", voxels_of(known().stack.pixels), affine)
    return path, truth_of(known().stack, **IMAGES, notes=("right and back",))


def _nrrd(folder: Path, *, order: tuple[int, ...], space: str, steps: float, fields: str, **truth: Any) -> Written:
    """A NRRD file written by hand: ITK writes neither units nor times."""
    folder.mkdir(parents=True)
    stack = known().stack if len(order) == 4 else _phase()
    g = stack.geometry
    right, down = np.asarray(g.row_direction), np.asarray(g.col_direction)
    columns = [right * g.pixel_spacing_mm[1], down * g.pixel_spacing_mm[0], -g.normal * g.slice_spacing_mm]
    vectors = [f"({','.join(f'{v * steps:.12g}' for v in each)}{',0' * (len(order) - 3)})" for each in columns]
    if len(order) == 4:
        vectors.append("(0,0,0,40)")
    voxels = stack.pixels.transpose(3, 2, 1, 0)[(...,) if len(order) == 4 else (..., 0)].transpose(order)
    origin = ",".join(f"{v * steps:.12g}" for v in g.positions_mm[0]) + ",0" * (len(order) - 3)
    head = (
        f"NRRD0005\ntype: uint16\ndimension: {len(order)}\nspace: {space}\nsizes: {' '.join(map(str, voxels.shape))}\n"
        f"space directions: {' '.join(vectors[axis] for axis in order)}\nspace origin: ({origin})\n"
        f"{fields}\nendian: little\nencoding: raw\n\n"
    )
    (folder / "cine.nrrd").write_bytes(head.encode() + voxels.astype("<u2").tobytes(order="F"))
    return folder / "cine.nrrd", truth_of(stack, **{**IMAGES, **truth})


def _itk_image(stack: Stack, phase: int) -> sitk.Image:
    g = stack.geometry
    image = sitk.GetImageFromArray(stack.pixels[phase])
    step = np.asarray(g.positions_mm[1]) - np.asarray(g.positions_mm[0])
    columns = [np.asarray(g.row_direction), np.asarray(g.col_direction), step / np.linalg.norm(step)]
    image.SetDirection(np.stack(columns, axis=1).ravel().tolist())
    image.SetOrigin(g.positions_mm[0])
    image.SetSpacing((g.pixel_spacing_mm[1], g.pixel_spacing_mm[0], g.slice_spacing_mm))
    return image


def itk(name: str, *, dimensions: int = 4, compressed: bool = False) -> Writer:
    """A file written by ITK."""

    def written(folder: Path) -> Written:
        folder.mkdir(parents=True, exist_ok=True)
        stack = known().stack if dimensions == 4 else _phase()
        phases = [_itk_image(stack, phase) for phase in range(stack.phases)]
        image = phases[0] if dimensions == 3 else sitk.JoinSeries(phases)
        sitk.WriteImage(image, str(folder / name), useCompression=compressed)
        return folder / name, truth_of(stack, **IMAGES)

    return written


def _slicer_sequence(folder: Path) -> Written:
    """A sequence of 3D Slicer: the phases as a list of values in each voxel."""
    folder.mkdir(parents=True)
    stack, path = known().stack, folder / "cine.seq.nrrd"
    sitk.WriteImage(sitk.Compose([_itk_image(stack, phase) for phase in range(PHASES)]), str(path))
    path.write_bytes(path.read_bytes().replace(b"kinds: vector", b"kinds: list", 1))
    return path, truth_of(stack, **IMAGES)


def marked(phases: list[int], affine: NDArray[np.float64], *, apex_first: bool, **truth: Any) -> Truth:
    """What a published layout gives: some phases, ED and ES among them, and label maps."""
    stack, es = known().stack, known().es_phase
    reference = np.zeros_like(known().labels)
    reference[[0, es]] = known().labels[[0, es]]
    found = truth_of(
        replace(stack, pixels=stack.pixels[phases], phase_times_ms=None),
        places_mm=_places_by(affine, apex_first),
        source_slices=BACKWARD if apex_first else FORWARD,
        ed=phases.index(0),
        es=phases.index(es),
        reference=reference[phases],
        notes=(BASE_GUESSED,),
    )
    return replace(found, **truth)


def _acdc(folder: Path) -> Written:
    written = write_acdc_patient(folder, known(), apex_first=True)
    return written, marked([0, known().es_phase], default_affine(known().stack), apex_first=True)


def _acdc_cine(folder: Path) -> Written:
    stack, written = known().stack, write_acdc_patient(folder, known(), apex_first=True)
    affine = default_affine(stack)
    write_nifti(written / "patient001_4d.nii.gz", voxels_of(stack.pixels, apex_first=True), affine)
    return written, marked(list(range(PHASES)), affine, apex_first=True)


def _acdc_zipped(folder: Path) -> Written:
    written, truth = _acdc(folder / "set")
    return Path(shutil.make_archive(str(folder / "patient001"), "zip", written.parent)), truth


def _mnms(folder: Path) -> Written:
    written = write_mnms_patient(folder, known())
    truth = marked([0, known().es_phase], np.diag([-1.0, -1.0, 1.0, 1.0]), apex_first=True)
    return written, replace(truth, spacing_known=False, notes=("1 x 1 x 1 mm", *truth.notes))


def _mnms_cine(folder: Path) -> Written:
    """The original layout: a cine, and label maps of the same grid, drawn at ED and ES alone."""
    affine = default_affine(known().stack)
    truth = marked(list(range(PHASES)), affine, apex_first=False)
    write_nifti(folder / "A0B1C2" / "A0B1C2_sa.nii.gz", voxels_of(known().stack.pixels), affine)
    write_nifti(folder / "A0B1C2" / "A0B1C2_sa_gt.nii.gz", voxels_of(_drawn(truth)), affine)
    return folder / "A0B1C2", truth


def _drawn(truth: Truth) -> NDArray[np.uint8]:
    if truth.reference is None:
        raise ValueError("The form has no label maps.")
    return truth.reference


def _mnms_2(folder: Path) -> Written:
    """A cine with ED, ES and their label maps beside it, and the long-axis view."""
    stack, es, affine, place = known().stack, known().es_phase, default_affine(known().stack), folder / "001"
    write_nifti(place / "001_SA_CINE.nii.gz", voxels_of(stack.pixels), affine)
    for mark, phase in (("ED", 0), ("ES", es)):
        write_nifti(place / f"001_SA_{mark}.nii.gz", voxels_of(stack.pixels[[phase]])[..., 0], affine)
        write_nifti(place / f"001_SA_{mark}_gt.nii.gz", voxels_of(known().labels[[phase]])[..., 0], affine)
    view = stack.pixels[:, 3:4, : ROWS // 2]
    write_nifti(place / "001_LA_CINE.nii.gz", voxels_of(view), affine)
    return place, marked(list(range(PHASES)), affine, apex_first=False, views=(view[:, 0],))


_TIMES = known().stack.phase_times_ms


def _exported_with_a_gap(folder: Path) -> Written:
    """As this program exports a stack whose slice 4 is missing: an empty slice stands for it."""
    rest = part_of(known().stack, [0, 1, 2, 4, 5, 6])
    voxels = voxels_of(known().stack.pixels)
    voxels[:, :, 3] = 0
    image = nibabel.Nifti1Image(voxels, ras_affine(known().stack))
    image.header["descrip"] = b"CMR Viewer images, empty slices for missing ones; research software"
    folder.mkdir()
    nibabel.save(image, folder / "images.nii.gz")
    noted = "Slices 3 and 4 are 19.0 mm apart instead of 9.5 mm: a slice may"
    return folder / "images.nii.gz", truth_of(rest, times_ms=None, notes=(noted,))


IMAGE_FORMS = [
    Form("NIfTI, 4D, .nii.gz", nifti("cine.nii.gz")),
    Form("NIfTI, 4D, .nii, with the time of its phases", nifti("cine.nii", change=_timed, times_ms=_TIMES)),
    Form("NIfTI, 3D", nifti("ed.nii.gz", dimensions=3)),
    Form("NIfTI, .hdr and .img", nifti("cine.hdr", image=nibabel.Nifti1Pair)),
    Form("NIfTI-2", nifti("cine.nii.gz", image=nibabel.Nifti2Image)),
    Form("NIfTI, qform only", nifti("cine.nii", codes=(1, 0))),
    Form("NIfTI, sform only", nifti("cine.nii", codes=(0, 2))),
    Form("NIfTI, big endian", nifti("cine.nii", image=_big_endian, dtype=">i2")),
    Form("NIfTI, single precision", nifti("cine.nii.gz", dtype=np.float32)),
    Form("NIfTI, scaled values", nifti(
        "cine.nii.gz", change=_scaled, pixels=known().stack.pixels * np.float32(0.5) + np.float32(10))),
    Form("NIfTI, slices from the apex", nifti("cine.nii.gz", apex_first=True)),
    Form("NIfTI, rows from bottom to top", _mirrored(1)),
    Form("NIfTI, columns from right to left", _mirrored(0)),
    Form("NIfTI, directions not quite perpendicular", _skewed),
    Form("NIfTI, without orientation, slices from the apex", _without_orientation),
    Form("NIfTI of this program's export, with an empty slice", _exported_with_a_gap),
    Form("NIfTI, slices on the second axis", _by_axes(0, 2, 1)),
    Form("NIfTI, slices on the first axis", _by_axes(2, 1, 0)),
    Form("NIfTI, sizes in micron", nifti(
        "cine.nii.gz", codes=(0, 2), change=_resized("", unit=3, scale=1000.0), notes=("5 x 9.5 mm",))),
    Form("NIfTI, sizes in metres", nifti(
        "cine.nii.gz", codes=(0, 2), change=_resized("", unit=1, scale=0.001), notes=("5 x 9.5 mm",))),
    Form("NIfTI, an sform of unit size", nifti(
        "cine.nii.gz", codes=(0, 2), change=_resized("unit sform"), notes=("The first is a default",))),
    Form("NIfTI, two voxel sizes", nifti(
        "cine.nii.gz", codes=(0, 2), change=_resized("two"), spacing_known=False,
        notes=("two voxel sizes", BASE_GUESSED))),
    Form("NIfTI, exchanged axis conventions", _half_turned),
    Form("MHA, 3D", itk("ed.mha", dimensions=3)),
    Form("MHA, 4D", itk("cine.mha")),
    Form("MHD, 4D, data in a second file", itk("cine.mhd")),
    Form("MHD, 3D, compressed", itk("ed.mhd", dimensions=3, compressed=True)),
    Form("NRRD, 3D", itk("ed.nrrd", dimensions=3)),
    Form("NRRD, 4D, compressed", itk("cine.nrrd", compressed=True)),
    Form("NRRD, 3D, sizes in cm", partial(
        _nrrd, order=(0, 1, 2), space="left-posterior-superior", steps=0.1,
        fields='space units: "cm" "cm" "cm"', notes=("in cm",))),
    Form("NRRD, 3D, slices on the first axis", partial(
        _nrrd, order=(2, 0, 1), space="left-posterior-superior", steps=1.0,
        fields="kinds: domain domain domain", notes=("along axis 1 of the file",))),
    Form("NRRD, 4D, time on the first axis", partial(
        _nrrd, order=(3, 0, 1, 2), space="left-posterior-superior-time", steps=1.0,
        fields="kinds: time domain domain domain")),
    Form("NHDR, 4D, data in a second file", itk("cine.nhdr")),
    Form("3D Slicer sequence", _slicer_sequence),
    Form("ACDC patient, ED and ES", _acdc),
    Form("ACDC patient, cine", _acdc_cine),
    Form("ACDC patient in a zip archive", _acdc_zipped),
    Form("M&Ms patient, ED and ES", _mnms),
    Form("M&Ms patient, cine", _mnms_cine),
    Form("M&Ms-2 patient, cine and long-axis view", _mnms_2),
]  # fmt: skip
