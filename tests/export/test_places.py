"""All exports of one study put its labels where they are in the patient, and come back as they were."""

import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cmr_viewer.commands.service import measured
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.volumes import Measures
from cmr_viewer.domain.notes import Code
from cmr_viewer.domain.study import Stack, Study
from cmr_viewer.export.formats import Results, formats_of
from cmr_viewer.export.study import Exported, export_study
from cmr_viewer.load.labels.files import read_labels
from cmr_viewer.load.study import open_study
from tests.phantom_export import all_automatic
from tests.phantom_uneven import PIXEL_MM, SPOT, along_normal, spots_in_files, write_uneven

HALF_A_PIXEL_MM = PIXEL_MM / 2 + 0.01
Places = dict[tuple[int, int], NDArray[np.float64]]
"""Middle of the LV label in the patient (LPS, mm), by place along the normal in tenths of a millimetre and phase."""


def opened(folder: Path) -> tuple[Study, LabelMap, Measures]:
    """A study, the label map that marks its spots as LV, with a wall beside them, and its measures."""
    study = open_study(folder)
    labels = np.where(study.stack.pixels == SPOT, np.uint8(Label.LVBP), np.uint8(0))
    ring = np.zeros_like(labels, dtype=bool)
    for axis, by in ((2, 1), (2, -1), (3, 1), (3, -1)):
        ring |= np.roll(labels == Label.LVBP, by, axis=axis)
    labels[ring & (labels == 0)] = Label.LVM
    labels[:, :, 30:33, 20:24] = Label.RVBP
    return study, labels, measures_of(study.stack, labels)


def measures_of(stack: Stack, labels: LabelMap) -> Measures:
    """Of a heart that is smaller than a human one."""
    return measured(replace(stack, any_size=True), labels)[0]


def exported(folder: Path, study: Study, labels: LabelMap, measures: Measures) -> Exported:
    results = Results(labels, all_automatic(study.stack), (), measures)
    return export_study(folder, study, results, formats_of(study))


def spots_in_nifti(*paths: Path) -> Places:
    found = {}
    for path in paths:
        image = nibabel.load(path)
        voxels = np.asarray(image.dataobj)
        for k, phase in np.argwhere((voxels == Label.LVBP).any(axis=(0, 1))):
            i, j = np.argwhere(voxels[:, :, k, phase] == Label.LVBP).mean(axis=0)
            place = np.array([-1, -1, 1]) * (image.affine @ [i, j, k, 1])[:3]
            found[along_normal(place), int(phase)] = place
    return found


def spots_in_seg(path: Path) -> Places:
    data = pydicom.dcmread(path)
    shared = data.SharedFunctionalGroupsSequence[0]
    row_mm, col_mm = shared.PixelMeasuresSequence[0].PixelSpacing
    o = np.asarray(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    found = {}
    for bits, item in zip(data.pixel_array, data.PerFrameFunctionalGroupsSequence, strict=True):
        if item.SegmentIdentificationSequence[0].ReferencedSegmentNumber != Label.LVBP:
            continue
        row, col = np.argwhere(bits).mean(axis=0)
        place = np.asarray(item.PlanePositionSequence[0].ImagePositionPatient, float)
        place = place + o[3:] * row * float(row_mm) + o[:3] * col * float(col_mm)
        found[along_normal(place), item.FrameContentSequence[0].TemporalPositionIndex - 1] = place
    return found


def spots_in_contours(path: Path) -> Places:
    """The spots are rectangles, whose middle is that of their corners' box."""
    found = {}
    for frame in json.loads(path.read_text())["frames"]:
        corners = np.asarray(frame["lv_endocardium"][0]["patient_mm"])
        place = (corners[0] + corners[2]) / 2
        found[along_normal(place), frame["phase_number"] - 1] = place
    return found


def assert_same_places(found: Places, truth: Places, limit_mm: float) -> None:
    """Each spot lies where it is, along each axis of the slices; places along the normal may differ by as much."""
    assert len(found) == len(truth)
    left = dict(found)
    for (along, phase), place in truth.items():
        nearest = min((key for key in left if key[1] == phase), key=lambda key: abs(key[0] - along))
        away = np.abs(left.pop(nearest) - place)
        assert np.linalg.norm(away) <= np.sqrt(3) * limit_mm, (along, phase, away)


@dataclass(frozen=True)
class Case:
    """A stack, with what its NIfTI files are."""

    gaps_mm: tuple[float, ...]
    shifts: tuple[tuple[float, float], ...] = ()
    stored: str = ""
    apex_first: bool = False
    files: tuple[str, ...] = ("labels.nii.gz",)
    codes: tuple[Code, ...] = ()
    slices: int = 5


STILL = (0.0, 0.0)
CASES = {
    "even": Case((10, 10, 10, 10)),
    "a missing slice": Case((10, 10, 20, 10), codes=(Code.NIFTI_EMPTY_SLICES,), slices=6),
    "two missing slices, from the apex": Case(
        (9.5, 28.5, 9.5, 9.5), apex_first=True, codes=(Code.NIFTI_EMPTY_SLICES,), slices=7
    ),
    "one slice 8.2 mm beside the others": Case((10,) * 4, (STILL, STILL, (3.0, -3.0), STILL, STILL)),
    "parts of a pixel": Case(
        (10,) * 4, ((0.4, 0.3), (-0.4, -0.3), STILL, (0.2, 0.0), (0.0, 0.4)), codes=(Code.NIFTI_PLACES_ROUNDED,)
    ),
    "a lean of more than a pixel a slice": Case((8,) * 4, tuple((1.3 * s, 0.0) for s in range(5)), stored="cols"),
    "a wider distance in the middle": Case(
        (8, 8, 12, 8),
        stored="rows",
        files=("labels_1.nii.gz", "labels_2.nii.gz"),
        codes=(Code.NIFTI_DIVIDED,),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_nifti_segmentation_contours_and_measures_agree_in_place(tmp_path: Path, case: Case) -> None:
    folder = write_uneven(tmp_path / "in", case.gaps_mm, case.shifts, stored=case.stored, apex_first=case.apex_first)
    study, labels, measures = opened(folder)
    truth = spots_in_files(folder)
    out = tmp_path / "out"
    made = exported(out, study, labels, measures)
    assert set(case.files) <= set(made.files)
    assert_same_places(spots_in_nifti(*(out / name for name in case.files)), truth, HALF_A_PIXEL_MM)
    assert_same_places(spots_in_seg(out / "segmentation.dcm"), truth, 1e-3)
    assert_same_places(spots_in_contours(out / "contours.json"), truth, 1e-3)
    codes = {note.code for note in made.notes if note.code.startswith("nifti")}
    assert codes - {Code.NIFTI_PLACES_ROUNDED} == set(case.codes) - {Code.NIFTI_PLACES_ROUNDED}
    assert set(case.codes) <= codes
    about = json.loads((out / "about.json").read_text())
    assert codes <= {note["code"] for note in about["notes"]}
    if len(case.files) == 1:
        image = nibabel.load(out / "labels.nii.gz")
        assert image.shape[2] == case.slices
    # Half of the gap to either side, and half of the usual one beyond the ends.
    gaps = np.asarray([np.median(case.gaps_mm), *case.gaps_mm, np.median(case.gaps_mm)], float)
    weights_mm = (gaps[:-1] + gaps[1:]) / 2
    areas = np.array([[(frame == Label.LVBP).sum() for frame in phase] for phase in labels]) * PIXEL_MM**2
    volumes_ml = areas @ weights_mm / 1000
    written = json.loads((out / "measures.json").read_text())
    assert written["lv_edv_ml"] == pytest.approx(volumes_ml.max(), rel=1e-4)
    assert written["lv_esv_ml"] == pytest.approx(volumes_ml.min(), rel=1e-4)


def assert_labels_come_back(study: Study, labels: LabelMap, out: Path, files: tuple[str, ...]) -> None:
    """Labels and contours of an export are, on the study that they were made of, what they were."""
    for name in ("segmentation.dcm", "contours.json"):
        if (out / name).exists():
            np.testing.assert_array_equal(read_labels(out / name, study).labels, labels, err_msg=name)
    together = np.zeros_like(labels)
    for name in files:
        imported = read_labels(out / name, study)
        for frame in imported.structures:
            assert not together[frame].any()
            together[frame] = imported.labels[frame]
        assert not any(note.code is Code.LABELS_OFF_SLICES for note in imported.warnings)
    np.testing.assert_array_equal(together, labels)


@st.composite
def uneven(draw: st.DrawFn) -> Case:
    slices = draw(st.integers(4, 6))
    spacing = draw(st.sampled_from([6.0, 8.0, 9.6]))
    regular = draw(st.booleans())
    gap = st.sampled_from([1.0, 1.0, 1.0, 2.0]) if regular else st.sampled_from([1.0, 1.0, 1.3, 1.5])
    gaps = tuple(spacing * draw(gap) for _ in range(slices - 1))
    shift = st.one_of(st.just(0.0), st.floats(-3.4, 3.4).map(lambda v: round(v, 2)))
    shifts = tuple((draw(shift), draw(shift)) for _ in range(slices))
    return Case(gaps, shifts, stored=draw(st.sampled_from(["", "rows", "cols"])), apex_first=draw(st.booleans()))


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(uneven())
def test_the_export_of_any_stack_comes_back_as_it_was(case: Case) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = write_uneven(
            Path(place) / "in", case.gaps_mm, case.shifts, stored=case.stored, apex_first=case.apex_first
        )
        study, labels, measures = opened(folder)
        out = Path(place) / "out"
        made = exported(out, study, labels, measures)
        files = tuple(sorted(name for name in made.files if name.startswith("labels")))
        truth = spots_in_files(folder)
        assert_same_places(spots_in_nifti(*(out / name for name in files)), truth, HALF_A_PIXEL_MM)
        assert_same_places(spots_in_seg(out / "segmentation.dcm"), truth, 1e-3)
        assert_labels_come_back(study, labels, out, files)
        if files != ("labels.nii.gz",):
            return
        # The images as a study of their own: frames, places, labels and measures are the same.
        again = open_study(out / "images.nii.gz")
        np.testing.assert_array_equal(again.stack.pixels, study.stack.pixels)
        far = np.abs(np.subtract(again.stack.geometry.positions_mm, study.stack.geometry.positions_mm))
        assert far.max() <= np.sqrt(3) * HALF_A_PIXEL_MM
        imported = read_labels(out / "labels.nii.gz", again)
        np.testing.assert_array_equal(imported.labels, labels)
        assert measures_of(again.stack, labels).values["lv_edv_ml"] == pytest.approx(
            measures.values["lv_edv_ml"], rel=0.02
        )
        # And their export is once more the same.
        second = Path(place) / "second"
        exported(second, again, imported.labels, measures_of(again.stack, imported.labels))
        assert_labels_come_back(again, labels, second, files)
        for name in ("labels.nii.gz", "images.nii.gz"):
            one, other = (nibabel.load(where / name) for where in (out, second))
            np.testing.assert_array_equal(np.asarray(one.dataobj), np.asarray(other.dataobj))
            np.testing.assert_allclose(one.affine, other.affine, atol=1e-4)


def test_measures_of_a_reopened_export_with_a_missing_slice_are_those_of_the_study(tmp_path: Path) -> None:
    study, labels, measures = opened(write_uneven(tmp_path / "in", (10, 20, 10, 10)))
    exported(tmp_path / "out", study, labels, measures)
    again = open_study(tmp_path / "out" / "images.nii.gz")
    assert [(note.code, note.slices) for note in again.warnings] == [(Code.SLICE_GAP, (1, 2))]
    for name, value in measures_of(again.stack, labels).values.items():
        assert value == pytest.approx(measures.values[name], rel=1e-4)


def test_nifti_alone_is_written_of_an_uneven_stack_that_is_no_longer_dicom(tmp_path: Path) -> None:
    """A stack without files of its own has contours and NIfTI, in as many files as it needs."""
    study, labels, measures = opened(write_uneven(tmp_path / "in", (8, 8, 13, 8)))
    bare = replace(study, stacks=(replace(study.stack, frame_sources=()),))
    made = exported(tmp_path / "out", bare, labels, measures)
    assert {"labels_1.nii.gz", "labels_2.nii.gz", "images_1.nii.gz", "images_2.nii.gz"} <= set(made.files)
    assert "seg" not in formats_of(bare)


def test_labels_of_a_grid_that_spreads_slices_evenly_are_taken_and_noted(tmp_path: Path) -> None:
    """A program that knows one distance only wrote slices at 0, 10, 30 and 40 mm as if 13.3 mm apart."""
    study, labels, measures = opened(write_uneven(tmp_path / "in", (10, 20, 10)))
    exported(tmp_path / "out", study, labels, measures)
    image = nibabel.load(tmp_path / "out" / "labels.nii.gz")
    affine = image.affine.copy()
    affine[:3, 2] *= 40 / 3 / 10
    voxels = np.asarray(image.dataobj)[:, :, [0, 1, 3, 4]]
    nibabel.save(nibabel.Nifti1Image(voxels, affine), tmp_path / "spread.nii.gz")
    imported = read_labels(tmp_path / "spread.nii.gz", study, "own")
    np.testing.assert_array_equal(imported.labels, labels)
    (note,) = imported.warnings
    assert note.code is Code.LABELS_OFF_SLICES and "3.3 mm" in note
