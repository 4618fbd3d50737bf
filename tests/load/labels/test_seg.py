from dataclasses import replace

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.annotation import Provenance
from cmr_viewer.domain.notes import Code
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.errors import LabelMapError, LoadError, UnknownPhaseError
from cmr_viewer.load.labels.seg import read_dicom_seg
from cmr_viewer.load.spacing import with_spacing
from tests.phantom import sax_cine
from tests.phantom_contours import identified, write_seg


@pytest.fixture(scope="module")
def phantom():
    return sax_cine(phases=3, slices=5, rows=33, cols=37, pixel_spacing_mm=(4.5, 4.4), shortening_mm=0)


@pytest.fixture(scope="module")
def study(phantom):
    return identified(phantom.stack)


def masks_of(labels, segments=(1, 2, 3), **only):
    """Masks of the segments that are in a frame, as a Segmentation keeps them."""
    return {
        (segment, phase, index): labels[phase, index] == segment
        for phase in only.get("phases", range(labels.shape[0]))
        for index in range(labels.shape[1])
        for segment in segments
        if (labels[phase, index] == segment).any()
    }


@pytest.mark.parametrize("planes", [True, False])
def test_segments_fall_on_the_frames_that_they_name_pixel_by_pixel(tmp_path, phantom, study, planes):
    masks = masks_of(phantom.labels)
    path = write_seg(tmp_path / "a.dcm", study, masks, planes=planes)
    imported = read_dicom_seg(path, study)
    np.testing.assert_array_equal(imported.labels, phantom.labels)
    expected = {FrameIndex(p, s) for _, p, s in masks}
    assert dict(imported.structures) == dict.fromkeys(expected, frozenset(STRUCTURES))
    assert (imported.provenance, imported.warnings) == ("DICOM SEG: Net 7", ())


@pytest.mark.parametrize(
    ("stated", "inside", "outside", "least"),
    [
        (200, 100, 99, 100),  # half of the maximum
        (255, 128, 127, 128),
        (255, 1, 0, 1),  # masks under the usual maximum
        (255, 100, 49, 50),  # percent under the usual maximum
        (1, 255, 100, 128),  # more than the maximum
        (1, 1, 0, 1),
        (None, 200, 99, 100),
        (0, 7, 3, 4),
    ],
)
@pytest.mark.parametrize("kind", ["PROBABILITY", "OCCUPANCY", None])
def test_fractional_segments_become_masks_at_half_of_what_their_values_reach(
    tmp_path, phantom, study, stated, inside, outside, least, kind
):
    masks = {key: np.where(mask, inside, outside) for key, mask in masks_of(phantom.labels).items()}
    changes = {"MaximumFractionalValue": stated, "SegmentationFractionalType": kind}
    read = read_dicom_seg(write_seg(tmp_path / "a.dcm", study, masks, kind="FRACTIONAL", changes=changes), study)
    np.testing.assert_array_equal(read.labels, phantom.labels)
    (note,) = read.warnings
    assert note.code == Code.SEGMENT_THRESHOLD
    assert f"with a value of {least} or more" in note
    assert ("Review the label maps" in note) == (stated is None or not inside <= stated <= 2 * inside)
    assert kind is None or f"({kind.lower()})" in note


def test_a_label_map_object_is_read(tmp_path, phantom, study):
    masks = {(0, p, s): phantom.labels[p, s] for p in range(3) for s in range(5) if phantom.labels[p, s].any()}
    path = write_seg(tmp_path / "a.dcm", study, masks, kind="LABELMAP")
    np.testing.assert_array_equal(read_dicom_seg(path, study).labels, phantom.labels)


def test_segments_are_recognised_by_their_coded_type_where_their_label_means_nothing(tmp_path, phantom, study):
    codes = [("SCT", "53085002"), ("SCT", "49848007"), ("SRT", "T-32600")]
    path = write_seg(tmp_path / "a.dcm", study, masks_of(phantom.labels), names=("a", "b", "c"), codes=codes)
    expected = np.array([0, 3, 2, 1], np.uint8)[phantom.labels]
    np.testing.assert_array_equal(read_dicom_seg(path, study).labels, expected)


def test_without_references_all_phases_fall_in_their_order_where_they_lie(tmp_path, phantom, study):
    everywhere = {(n, p, s): phantom.labels[p, s] == n for s in range(5) for n in (1, 2, 3) for p in range(3)}
    path = write_seg(tmp_path / "a.dcm", study, everywhere, references=False)
    np.testing.assert_array_equal(read_dicom_seg(path, study).labels, phantom.labels)


def test_without_references_the_temporal_position_shows_the_phase(tmp_path, phantom, study):
    path = write_seg(tmp_path / "a.dcm", study, masks_of(phantom.labels, phases=[2]), references=False, temporal=True)
    labels = read_dicom_seg(path, study).labels
    np.testing.assert_array_equal(labels[2], phantom.labels[2])
    assert not labels[:2].any()


def test_without_references_and_times_the_phase_is_asked_for(tmp_path, phantom, study):
    path = write_seg(tmp_path / "a.dcm", study, masks_of(phantom.labels, phases=[1]), references=False)
    with pytest.raises(UnknownPhaseError, match="Set the phase"):
        read_dicom_seg(path, study)
    np.testing.assert_array_equal(read_dicom_seg(path, study, phase=1).labels[1], phantom.labels[1])


def test_a_part_of_the_frame_falls_where_it_lies(tmp_path, phantom, study):
    # Rows from 4 and columns from 6 on: the object's own grid begins there.
    g = phantom.stack.geometry
    moved = tuple(tuple(g.to_patient_mm(index, (4, 6))) for index in range(5))
    cut = replace(study, stacks=(replace(study.stack, geometry=replace(g, positions_mm=moved)),))
    masks = {key: mask[4:, 6:] for key, mask in masks_of(phantom.labels).items()}
    expected = phantom.labels.copy()
    expected[:, :, :4], expected[:, :, :, :6] = 0, 0
    labels = read_dicom_seg(write_seg(tmp_path / "a.dcm", cut, masks), study).labels
    np.testing.assert_array_equal(labels, expected)


def test_a_mirrored_object_falls_where_it_lies(tmp_path, phantom, study):
    g = phantom.stack.geometry
    last = tuple(tuple(g.to_patient_mm(index, (0, 36))) for index in range(5))
    direction = tuple(-v for v in g.row_direction)
    flipped = replace(study.stack, geometry=replace(g, positions_mm=last, row_direction=direction))
    masks = {key: mask[:, ::-1] for key, mask in masks_of(phantom.labels).items()}
    path = write_seg(tmp_path / "a.dcm", replace(study, stacks=(flipped,)), masks)
    np.testing.assert_array_equal(read_dicom_seg(path, study).labels, phantom.labels)


def test_a_spacing_that_the_reader_corrected_does_not_part_an_object_from_its_images(tmp_path, phantom, study):
    path = write_seg(tmp_path / "a.dcm", study, masks_of(phantom.labels))
    labels = read_dicom_seg(path, with_spacing(study, (1.5, 1.5, 8.0))).labels
    np.testing.assert_array_equal(labels, phantom.labels)


@pytest.mark.parametrize("along_mm", [-8.0, 7.5])
def test_an_object_on_slices_that_follow_the_heart_falls_on_the_frames_that_it_names(
    tmp_path, phantom, study, along_mm
):
    g = phantom.stack.geometry
    moved = tuple(tuple((np.asarray(p) + along_mm * g.normal).tolist()) for p in g.positions_mm)
    elsewhere = replace(study, stacks=(replace(study.stack, geometry=replace(g, positions_mm=moved)),))
    path = write_seg(tmp_path / "a.dcm", elsewhere, masks_of(phantom.labels))
    np.testing.assert_array_equal(read_dicom_seg(path, study).labels, phantom.labels)


def test_another_grid_is_refused(tmp_path, phantom, study):
    g = phantom.stack.geometry
    half = tuple(tuple(g.to_patient_mm(index, (0.5, 0.0))) for index in range(5))
    other = replace(study, stacks=(replace(study.stack, geometry=replace(g, positions_mm=half)),))
    path = write_seg(tmp_path / "a.dcm", other, masks_of(phantom.labels))
    with pytest.raises(LabelMapError, match=r"The grid of a.dcm differs"):
        read_dicom_seg(path, study)
    small = {key: mask[2:] for key, mask in masks_of(phantom.labels).items()}
    with pytest.raises(LabelMapError, match=r"frames of 31 x 37 pixels, but the images have 33 x 37"):
        read_dicom_seg(write_seg(tmp_path / "b.dcm", study, small, planes=False), study)


def test_another_study_is_refused_and_a_part_of_one_is_counted(tmp_path, phantom, study):
    masks = masks_of(phantom.labels)
    path = write_seg(tmp_path / "a.dcm", study, masks)
    blank = tuple(
        tuple(s._replace(instance_uid=s.instance_uid + "9") for s in row) for row in study.stack.frame_sources
    )
    other = Study("P2", study.source, (replace(study.stack, frame_sources=blank),))
    with pytest.raises(LabelMapError, match="None of the"):
        read_dicom_seg(path, other)
    half = (*study.stack.frame_sources[:1], *blank[1:])
    part = Study("P3", study.source, (replace(study.stack, frame_sources=half),))
    there = sum(phase == 0 for _, phase, _ in masks)
    imported = read_dicom_seg(path, part)
    assert f"{len(masks) - there} of {len(masks)} frames" in imported.warnings[0]
    np.testing.assert_array_equal(imported.labels[0], phantom.labels[0])


def test_segments_of_other_things_are_left_out_and_noted(tmp_path, phantom, study):
    names = ("LV blood pool", "Left atrium", "RV blood pool")
    imported = read_dicom_seg(write_seg(tmp_path / "a.dcm", study, masks_of(phantom.labels), names=names), study)
    np.testing.assert_array_equal(imported.labels, np.where(phantom.labels == 2, 0, phantom.labels))
    assert imported.warnings == ("Segments left out: Left atrium.",)
    assert set(imported.structures.values()) == {frozenset({Label.LVBP, Label.RVBP})}
    with pytest.raises(LabelMapError, match=r"no segment of the left or right ventricle .*Liver"):
        read_dicom_seg(write_seg(tmp_path / "b.dcm", study, masks_of(phantom.labels), names=("Liver", "", "")), study)


@pytest.mark.parametrize(
    "changes",
    [
        {"NumberOfFrames": 2_000_000_000},
        {"Rows": 60000},
        {"NumberOfFrames": 1},
        {"PixelData": b"\0\0"},
        {"BitsAllocated": 16},
        {"SegmentSequence": None},
        {"PerFrameFunctionalGroupsSequence": None},
    ],
)
def test_an_object_that_does_not_hold_what_it_states_is_refused(tmp_path, phantom, study, changes):
    path = write_seg(tmp_path / "a.dcm", study, masks_of(phantom.labels), changes=changes)
    with pytest.raises((LoadError, LabelMapError), match=r"a.dcm"):
        read_dicom_seg(path, study)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_object_gives_labels_or_states_why_not(tmp_path, phantom, study, data):
    whole = tmp_path / "whole.dcm"
    if not whole.exists():
        write_seg(whole, study, masks_of(phantom.labels, phases=[0]))
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(100, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=6))
    path = tmp_path / "damaged.dcm"
    path.write_bytes(bytes(content))
    try:
        assert read_dicom_seg(path, study).labels.shape == study.stack.pixels.shape
    except (LoadError, LabelMapError) as error:
        assert "damaged.dcm" in str(error)


@pytest.mark.parametrize(
    ("types", "made"),
    [
        (("AUTOMATIC", "AUTOMATIC", "MANUAL"), Provenance.AUTOMATIC),
        (("MANUAL", "MANUAL", "AUTOMATIC"), Provenance.MANUAL),
        (("SEMIAUTOMATIC", "SEMIAUTOMATIC", ""), Provenance.SEMIAUTOMATIC),
        (("AUTOMATIC", "MANUAL", "MANUAL"), Provenance.SEMIAUTOMATIC),
        (("", "AUTOMATIC", "AUTOMATIC"), None),
        (("BY A ROBOT", "MANUAL", "MANUAL"), None),
    ],
)
def test_how_segments_came_to_be_is_recognised_by_those_that_are_taken(tmp_path, phantom, study, types, made):
    masks = masks_of(phantom.labels, segments=(1, 2), phases=(0,))
    path = write_seg(tmp_path / "a.dcm", study, masks, names=("LV blood pool", "LV myocardium", "Aorta"))
    data = pydicom.dcmread(path)
    for segment, kind in zip(data.SegmentSequence, types, strict=True):
        segment.SegmentAlgorithmType = kind
    data.save_as(path)
    assert read_dicom_seg(path, study).made is made
