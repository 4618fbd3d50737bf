"""What is written is read back with pydicom alone, and with highdicom."""

import logging
from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from numpy.testing import assert_array_equal
from pydicom.dataset import Dataset

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.annotation import Provenance
from cmr_viewer.domain.dicom_uid import is_valid_uid
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.errors import LabelMapError, StoreError
from cmr_viewer.export.dicom_seg import SegmentOrigin, origin_of, write_segmentation
from cmr_viewer.export.sources import read_source_study
from cmr_viewer.progress import Cancelled
from tests.phantom import Phantom
from tests.phantom_export import PATIENT, dicom_study, enhanced_study, segmentation_labels, small_cine

AUTOMATIC = SegmentOrigin(Provenance.AUTOMATIC, ("base-1", "middle-2"))


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return small_cine()


def write(path: Path, labels: LabelMap, study: Study, origin: SegmentOrigin = AUTOMATIC) -> Dataset:
    write_segmentation(path, labels, study.stack, read_source_study(study.stack), origin)
    return pydicom.dcmread(path)


@pytest.mark.parametrize("form", ["one series", "series per slice", "multi-frame", "multi-frame per slice"])
@pytest.mark.parametrize("filled", [True, False])
def test_label_maps_come_back_frame_by_frame(tmp_path: Path, phantom: Phantom, form: str, filled: bool) -> None:
    if form.startswith("multi"):
        study = enhanced_study(tmp_path / "in", phantom, file_per_slice=form.endswith("slice"))
    else:
        study = dicom_study(tmp_path / "in", phantom, series_per_slice=form.startswith("series"))
    labels = phantom.labels if filled else np.zeros_like(phantom.labels)
    write(tmp_path / "seg.dcm", labels, study)
    assert_array_equal(segmentation_labels(tmp_path / "seg.dcm", study.stack.frame_sources, labels.shape), labels)


def test_any_pixels_come_back_where_frames_end_within_a_byte(tmp_path: Path) -> None:
    phantom = small_cine(rows=13, cols=11, phases=2)
    study = dicom_study(tmp_path / "in", phantom)
    labels = np.random.default_rng(5).integers(0, 4, phantom.labels.shape).astype(np.uint8)
    write(tmp_path / "seg.dcm", labels, study)
    assert_array_equal(segmentation_labels(tmp_path / "seg.dcm", study.stack.frame_sources, labels.shape), labels)


def test_highdicom_reads_each_frame_by_its_source(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path / "in", phantom, series_per_slice=True)
    write(tmp_path / "seg.dcm", phantom.labels, study)
    read = highdicom.seg.segread(tmp_path / "seg.dcm")
    uids = [source.instance_uid for row in study.stack.frame_sources for source in row]
    pixels = read.get_pixels_by_source_instance(uids, combine_segments=True, assert_missing_frames_are_empty=True)
    assert_array_equal(pixels.reshape(phantom.labels.shape), phantom.labels)
    multi = enhanced_study(tmp_path / "multi", phantom)
    write(tmp_path / "seg2.dcm", phantom.labels, multi)
    read = highdicom.seg.segread(tmp_path / "seg2.dcm")
    pixels = read.get_pixels_by_source_frame(
        multi.stack.frame_sources[0][0].instance_uid,
        list(range(1, 13)),
        combine_segments=True,
        assert_missing_frames_are_empty=True,
    )
    assert_array_equal(pixels.reshape(phantom.labels.shape), phantom.labels)


def test_segments_are_numbered_as_labels_and_coded(tmp_path: Path, phantom: Phantom) -> None:
    data = write(tmp_path / "seg.dcm", phantom.labels, dicom_study(tmp_path / "in", phantom))
    found = {
        int(item.SegmentNumber): (
            item.SegmentLabel,
            item.SegmentedPropertyTypeCodeSequence[0].CodingSchemeDesignator,
            item.SegmentedPropertyTypeCodeSequence[0].CodeValue,
        )
        for item in data.SegmentSequence
    }
    assert found == {
        1: ("LV blood pool", "SCT", "87878005"),
        2: ("LV myocardium", "SCT", "49848007"),
        3: ("RV blood pool", "SCT", "53085002"),
    }
    assert data.SegmentationType == "BINARY"
    assert (data.BitsAllocated, data.SegmentsOverlap) == (1, "NO")


def test_how_the_label_maps_came_to_be_is_said(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path / "in", phantom)
    automatic = write(tmp_path / "a.dcm", phantom.labels, study).SegmentSequence[0]
    assert automatic.SegmentAlgorithmType == "AUTOMATIC"
    assert automatic.SegmentAlgorithmName == "CMR Viewer"
    assert "base-1 middle-2" in automatic.SegmentationAlgorithmIdentificationSequence[0].AlgorithmParameters
    manual = write(tmp_path / "m.dcm", phantom.labels, study, SegmentOrigin(Provenance.MANUAL, reader="A^B=C\\D"))
    assert manual.SegmentSequence[0].SegmentAlgorithmType == "MANUAL"
    assert "SegmentAlgorithmName" not in manual.SegmentSequence[0]
    assert str(manual.ContentCreatorName) == "A B C D^"
    imported = write(tmp_path / "i.dcm", phantom.labels, study, SegmentOrigin(drawn_by="cvi42\\workspace " + "x" * 80))
    assert imported.SegmentSequence[0].SegmentAlgorithmName == "cvi42 workspace " + "x" * 48
    assert imported.SegmentSequence[0].SegmentAlgorithmType == "SEMIAUTOMATIC"


def test_frames_of_different_provenance_make_a_semiautomatic_segmentation() -> None:
    first, second = FrameIndex(0, 0), FrameIndex(0, 1)
    both = {first: Provenance.AUTOMATIC, second: Provenance.MANUAL}
    assert origin_of(both, {first: "b", second: "a"}) == SegmentOrigin(Provenance.SEMIAUTOMATIC, ("a", "b"))
    assert origin_of({first: Provenance.MANUAL}, {}).provenance is Provenance.MANUAL
    assert origin_of({}, {}).provenance is Provenance.SEMIAUTOMATIC


def test_patient_and_study_are_those_of_the_images(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path / "in", phantom)
    data = write(tmp_path / "seg.dcm", phantom.labels, study)
    image = pydicom.dcmread(tmp_path / "in" / "1.dcm")
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate"):
        assert data[keyword].value == image[keyword].value
    assert data.FrameOfReferenceUID == PATIENT["FrameOfReferenceUID"]
    assert data.SeriesInstanceUID != image.SeriesInstanceUID
    assert "Research software" in data.ContentDescription


def test_images_are_referred_to_series_by_series(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path / "in", phantom, series_per_slice=True)
    data = write(tmp_path / "seg.dcm", phantom.labels, study)
    found = {
        str(series.SeriesInstanceUID): {str(one.ReferencedSOPInstanceUID) for one in series.ReferencedInstanceSequence}
        for series in data.ReferencedSeriesSequence
    }
    images = [pydicom.dcmread(path, stop_before_pixels=True) for path in (tmp_path / "in").iterdir()]
    assert len(found) == 4
    for image in images:
        assert image.SOPInstanceUID in found[image.SeriesInstanceUID]


def test_dimensions_are_segment_position_and_phase_and_tell_frames_apart(tmp_path: Path, phantom: Phantom) -> None:
    data = write(tmp_path / "seg.dcm", phantom.labels, dicom_study(tmp_path / "in", phantom))
    pointers = [item.DimensionIndexPointer for item in data.DimensionIndexSequence]
    assert pointers == [0x0062000B, 0x00200032, 0x00209128]
    indices = [tuple(one.FrameContentSequence[0].DimensionIndexValues) for one in data.PerFrameFunctionalGroupsSequence]
    assert indices == sorted(set(indices))
    normal = phantom.stack.geometry.normal
    for item, (segment, position, phase) in zip(data.PerFrameFunctionalGroupsSequence, indices, strict=True):
        assert item.SegmentIdentificationSequence[0].ReferencedSegmentNumber == segment
        assert item.FrameContentSequence[0].TemporalPositionIndex == phase
        place = np.asarray(item.PlanePositionSequence[0].ImagePositionPatient, float) @ normal
        along = np.sort(np.asarray(phantom.stack.geometry.positions_mm) @ normal)
        assert place == pytest.approx(along[position - 1], abs=1e-3)


def test_only_frames_with_pixels_are_there_and_one_of_a_segment_without(tmp_path: Path, phantom: Phantom) -> None:
    labels = np.where(phantom.labels == Label.RVBP, 0, phantom.labels).astype(np.uint8)
    data = write(tmp_path / "seg.dcm", labels, dicom_study(tmp_path / "in", phantom))
    counts = dict.fromkeys(STRUCTURES, 0)
    for item in data.PerFrameFunctionalGroupsSequence:
        counts[Label(item.SegmentIdentificationSequence[0].ReferencedSegmentNumber)] += 1
    for label in (Label.LVBP, Label.LVM):
        assert counts[label] == (labels == label).any(axis=(2, 3)).sum()
    assert counts[Label.RVBP] == 1


def test_frames_that_were_turned_for_display_are_written_as_their_files_are(tmp_path: Path, phantom: Phantom) -> None:
    """The files hold the phantom upside down, as a loader that turns rows for display would meet it."""
    stack, g = phantom.stack, phantom.stack.geometry
    last_row = tuple(tuple(float(v) for v in g.to_patient_mm(s, (g.rows - 1, 0))) for s in range(g.slices))
    down = tuple(-v for v in g.col_direction)
    as_filed = replace(g, positions_mm=last_row, col_direction=down)
    flipped = replace(phantom, stack=replace(stack, pixels=stack.pixels[:, :, ::-1], geometry=as_filed))
    filed = dicom_study(tmp_path / "in", flipped)
    sources = tuple(
        tuple(one._replace(origin=(g.rows - 1.0, 0.0), step=(-1.0, 1.0)) for one in row)
        for row in filed.stack.frame_sources
    )
    shown = replace(filed, stacks=(replace(stack, frame_sources=sources),))
    data = write(tmp_path / "seg.dcm", phantom.labels, shown)
    found = segmentation_labels(tmp_path / "seg.dcm", sources, phantom.labels.shape)
    assert_array_equal(found, phantom.labels[:, :, ::-1])
    image = pydicom.dcmread(tmp_path / "in" / "1.dcm", stop_before_pixels=True)
    shared = data.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient
    assert np.asarray(shared, float) == pytest.approx(np.asarray(image.ImageOrientationPatient, float), abs=1e-6)


def test_slices_that_lean_a_little_have_their_own_orientation(tmp_path: Path, phantom: Phantom) -> None:
    def lean(data: Dataset) -> None:
        if data.InstanceNumber > 6:
            cosines = np.asarray(data.ImageOrientationPatient, float)
            cosines[:3] += 0.01 * cosines[3:]
            cosines[:3] /= np.linalg.norm(cosines[:3])
            data.ImageOrientationPatient = [f"{v:.6f}" for v in cosines]

    data = write(tmp_path / "seg.dcm", phantom.labels, dicom_study(tmp_path / "in", phantom, change=lean))
    assert "PlaneOrientationSequence" not in data.SharedFunctionalGroupsSequence[0]
    for item in data.PerFrameFunctionalGroupsSequence:
        uid = item.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        image = pydicom.dcmread(tmp_path / "in" / f"{int(uid.rsplit('.', 1)[1]) - 1000}.dcm", stop_before_pixels=True)
        assert item.PlaneOrientationSequence[0].ImageOrientationPatient == image.ImageOrientationPatient


def test_invalid_values_of_the_images_are_not_carried_on(tmp_path: Path, phantom: Phantom) -> None:
    """As in the Sunnybrook data: dates such as 20120000, UIDs whose numbers begin with zeros."""

    def spoil(data: Dataset) -> None:
        data.StudyDate, data.PatientBirthDate, data.PatientName = "20120000", "00000000", "SCD0000101"
        data.StudyInstanceUID = "2.16.124.113543.6006.99.08980635789900778171"
        data.SOPInstanceUID = f"2.16.124.0{data.InstanceNumber}"

    study = dicom_study(tmp_path / "in", phantom, change=spoil)
    data = write(tmp_path / "seg.dcm", phantom.labels, study)
    assert (data.StudyDate, data.PatientBirthDate) == ("", "")
    assert data.StudyInstanceUID == "2.16.124.113543.6006.99.8980635789900778171"
    for element in data.iterall():
        if element.VR == "UI":
            assert is_valid_uid(str(element.value)), element
    mended = tuple(
        tuple(one._replace(instance_uid=one.instance_uid.replace(".0", ".")) for one in row)
        for row in study.stack.frame_sources
    )
    assert_array_equal(segmentation_labels(tmp_path / "seg.dcm", mended, phantom.labels.shape), phantom.labels)


def test_headers_without_geometry_take_that_of_the_stack(tmp_path: Path, phantom: Phantom) -> None:
    def strip(data: Dataset) -> None:
        for keyword in ("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness"):
            delattr(data, keyword)

    data = write(tmp_path / "seg.dcm", phantom.labels, dicom_study(tmp_path / "in", phantom, change=strip))
    measures = data.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert [float(v) for v in measures.PixelSpacing] == [3.6, 3.6]
    assert float(measures.SpacingBetweenSlices) == pytest.approx(10.0)


def test_images_of_different_matrices_are_refused(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path / "in", phantom)
    source = read_source_study(study.stack)
    frames = list(source.frames)
    frames[0] = (replace(frames[0][0], rows=41), *frames[0][1:])
    with pytest.raises(StoreError, match="different matrices"):
        write_segmentation(
            tmp_path / "seg.dcm", phantom.labels, study.stack, replace(source, frames=tuple(frames)), AUTOMATIC
        )
    assert not (tmp_path / "seg.dcm").exists()


def test_label_maps_of_another_study_are_refused(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path / "in", phantom)
    with pytest.raises(LabelMapError):
        write(tmp_path / "seg.dcm", phantom.labels[:1], study)


def test_nothing_is_left_when_writing_is_stopped(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path / "in", phantom)
    source = read_source_study(study.stack)

    def stop(fraction: float, text: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        write_segmentation(tmp_path / "seg.dcm", phantom.labels, study.stack, source, AUTOMATIC, stop)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_the_patient_is_not_named_in_the_log(
    tmp_path: Path, phantom: Phantom, caplog: pytest.LogCaptureFixture
) -> None:
    def rename(data: Dataset) -> None:
        data.PatientName = "Janedoe"

    with caplog.at_level(logging.DEBUG):
        write(tmp_path / "seg.dcm", phantom.labels, dicom_study(tmp_path / "in", phantom, change=rename))
    assert "Janedoe" not in caplog.text
