"""What readers reviewed is read stack by stack, in the read that counts, with what learning needs."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Provenance, RegionPrediction, ReviewStatus
from cmr_viewer.domain.geometry import geometry_to_json
from cmr_viewer.domain.opening import StackChange
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.store import reviewed
from cmr_viewer.store.annotations import AnnotationStore, RegionSet, Work
from cmr_viewer.store.database import Workspace, open_workspace_readonly
from cmr_viewer.store.openings import StackChangeStore
from cmr_viewer.store.reads import ReadKind, ReadStore
from cmr_viewer.store.reviewed import ReviewedStack, corrections_of, read_reviewed
from cmr_viewer.store.versions import Version
from tests.store.saving import (
    GEOMETRY,
    SLICES,
    SPACING_MM,
    STACK_ID,
    labels_of,
    pixels,
    pixels_of,
    save,
    save_study,
)

DRAFT, ACCEPTED = ReviewStatus.DRAFT, ReviewStatus.ACCEPTED
BASAL, MIDDLE, APICAL = FrameIndex(1, 0), FrameIndex(1, 1), FrameIndex(1, 3)
PHASE = tuple(FrameIndex(1, s) for s in range(SLICES))


@pytest.fixture
def store(workspace: Workspace) -> AnnotationStore:
    store = AnnotationStore(workspace)
    save_study(store)
    return store


def only(workspace: Workspace, *, pixels: bool = True) -> ReviewedStack:
    (stack,) = read_reviewed(workspace, pixels=pixels)
    return stack


def set_region(
    store: AnnotationStore,
    frame: FrameIndex,
    region: Region | None,
    predicted: Region | None = None,
    *,
    read_id: int | None = None,
    stack_id: str = STACK_ID,
) -> None:
    work = Work(regions={frame: RegionSet(region, predicted)})
    store.save(stack_id, work, read_id=read_id, pixels=pixels(*PHASE))


def decoded_as(region: Region | None) -> RegionPrediction:
    posterior = None if region is None else (0.25, 0.25, 0.25, 0.25)
    return RegionPrediction((0.1, 0.7, 0.1, 0.1), "classifier-1", region, posterior)


def test_an_accepted_frame_is_read_with_its_stack(workspace: Workspace, store: AnnotationStore) -> None:
    number = 3
    save(store, BASAL, number, status=ACCEPTED, region=Region.BASE)
    stack = only(workspace)
    assert (stack.stack_id, stack.patient_key) == (STACK_ID, "patient")
    assert stack.geometry == GEOMETRY
    assert stack.pixel_spacing_mm == SPACING_MM
    assert list(stack.frames) == list(stack.pixels) == [BASAL]
    frame = stack.frames[BASAL]
    assert (frame.frame, frame.region, frame.predicted, frame.corrected) == (BASAL, Region.BASE, None, True)
    assert frame.labels is not None and np.array_equal(frame.labels, labels_of(number))
    assert np.array_equal(stack.pixels[BASAL], pixels_of(BASAL)) and stack.pixels[BASAL].dtype == np.int16
    assert not frame.labels.flags.writeable and not stack.pixels[BASAL].flags.writeable
    assert not frame.region_corrected and frame.region_number is None


def test_a_study_without_a_patient_is_its_own_patient(workspace: Workspace, store: AnnotationStore) -> None:
    save_study(store, patient_key="")
    save(store, BASAL, status=ACCEPTED)
    assert only(workspace).patient_key == STACK_ID


def test_a_frame_that_was_accepted_as_predicted_is_not_corrected(workspace: Workspace, store: AnnotationStore) -> None:
    save(store, BASAL, status=ACCEPTED, provenance=Provenance.AUTOMATIC)
    save(store, MIDDLE, status=ACCEPTED, provenance=Provenance.MANUAL)
    frames = only(workspace).frames
    assert [frames[one].corrected for one in (BASAL, MIDDLE)] == [False, True]


def test_a_draft_counts_for_nothing_also_after_an_acceptance(workspace: Workspace, store: AnnotationStore) -> None:
    save(store, BASAL, 1, status=DRAFT)
    assert list(read_reviewed(workspace)) == []
    save(store, BASAL, 2, status=ACCEPTED)
    save(store, BASAL, 3, status=DRAFT)
    assert list(read_reviewed(workspace)) == []
    set_region(store, BASAL, Region.APEX)
    frame = only(workspace).frames[BASAL]
    assert (frame.labels, frame.corrected, frame.region) == (None, False, Region.APEX)


def test_a_region_counts_until_it_is_withdrawn(workspace: Workspace, store: AnnotationStore) -> None:
    set_region(store, BASAL, Region.BASE, Region.MIDDLE)
    set_region(store, BASAL, Region.NON_CARDIAC, Region.MIDDLE)
    frame = only(workspace).frames[BASAL]
    assert (frame.region, frame.predicted, frame.region_corrected) == (Region.NON_CARDIAC, Region.MIDDLE, True)
    assert frame.number == frame.region_number
    set_region(store, BASAL, None)
    assert list(read_reviewed(workspace)) == []


def test_the_region_of_the_reader_stands_before_that_of_the_annotation(
    workspace: Workspace, store: AnnotationStore
) -> None:
    annotation = 1  # the first row of its table
    save(store, BASAL, status=ACCEPTED, region=Region.MIDDLE)
    set_region(store, MIDDLE, Region.APEX)
    set_region(store, BASAL, Region.BASE)
    frame = only(workspace).frames[BASAL]
    assert (frame.region, frame.number, frame.region_number) == (Region.BASE, annotation, 2)


def test_what_was_predicted_is_what_stood_there_when_the_region_was_set_else_the_last_in_the_stack(
    workspace: Workspace, store: AnnotationStore
) -> None:
    found = {BASAL: decoded_as(Region.BASE), MIDDLE: decoded_as(Region.BASE), APICAL: decoded_as(None)}
    store.save(STACK_ID, Work(region_predictions=found))
    set_region(store, BASAL, Region.BASE, Region.MIDDLE)
    for frame in (MIDDLE, APICAL):
        save(store, frame, status=ACCEPTED, region=Region.MIDDLE)
    frames = only(workspace).frames
    assert [frames[one].predicted for one in (BASAL, MIDDLE, APICAL)] == [Region.MIDDLE, Region.BASE, None]
    assert [frames[one].region_corrected for one in (BASAL, MIDDLE, APICAL)] == [True, True, False]


def test_a_finished_adjudication_counts_instead_of_the_first_read(workspace: Workspace, store: AnnotationStore) -> None:
    reads = ReadStore(workspace)
    save(store, BASAL, 1, status=ACCEPTED, region=Region.BASE)
    set_region(store, APICAL, Region.APEX)
    read = reads.begin(STACK_ID, ReadKind.ADJUDICATION, blinded=False)
    agreed = Version(MIDDLE, labels_of(2), Region.MIDDLE, Provenance.SEMIAUTOMATIC, ACCEPTED)
    store.save(STACK_ID, Work([agreed]), read_id=read.id, pixels=pixels(*PHASE))
    set_region(store, APICAL, Region.NON_CARDIAC, read_id=read.id)
    assert list(only(workspace).frames) == [BASAL, APICAL]  # it is not finished yet
    reads.finish(read.id)
    frames = only(workspace).frames
    assert list(frames) == [MIDDLE, APICAL]
    assert np.array_equal(frames[MIDDLE].labels, labels_of(2))
    assert frames[APICAL].region is Region.NON_CARDIAC


def test_a_second_read_counts_for_nothing(workspace: Workspace, store: AnnotationStore) -> None:
    read = ReadStore(workspace).begin(STACK_ID, ReadKind.SECOND, blinded=True)
    set_region(store, BASAL, Region.BASE, read_id=read.id)
    ReadStore(workspace).finish(read.id)
    assert list(read_reviewed(workspace)) == []


def test_slices_that_went_over_to_another_stack_count_there_alone(workspace: Workspace, store: AnnotationStore) -> None:
    save(store, BASAL, status=ACCEPTED)
    set_region(store, APICAL, Region.APEX)
    other = "b" * 32
    save_study(store, other)
    change = StackChange(STACK_ID, other, (3, 2, 1, None))
    StackChangeStore(workspace).carry_over(change, pixel_spacing_mm=SPACING_MM)
    first, second = read_reviewed(workspace)
    assert (first.stack_id, list(first.frames)) == (STACK_ID, [APICAL])
    assert (second.stack_id, list(second.frames)) == (other, [FrameIndex(1, 3)])
    assert np.array_equal(second.pixels[FrameIndex(1, 3)], pixels_of(BASAL))


def test_without_pixels_nothing_is_decoded(
    workspace: Workspace, store: AnnotationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(store, BASAL, status=ACCEPTED)
    monkeypatch.setattr(reviewed, "decode_pixels", lambda _data: pytest.fail("decoded"))
    monkeypatch.setattr(reviewed, "decode_label_map", lambda _data: pytest.fail("decoded"))
    stack = only(workspace, pixels=False)
    assert (stack.pixels, stack.frames[BASAL].labels, stack.served(1)) == ({}, None, None)
    assert stack.frames[BASAL].corrected and stack.pixel_spacing_mm == SPACING_MM


def test_a_region_whose_frame_has_no_pixels_cannot_be_learnt_from(workspace: Workspace, store: AnnotationStore) -> None:
    store.save(STACK_ID, Work(regions={BASAL: RegionSet(Region.BASE, Region.MIDDLE)}))
    assert list(read_reviewed(workspace)) == []


def test_stacks_are_read_one_at_a_time_in_the_order_of_their_ids(
    workspace: Workspace, store: AnnotationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = ["c" * 32, STACK_ID, "b" * 32]
    for stack_id in ids:
        save_study(store, stack_id)
        save(store, BASAL, status=ACCEPTED, stack_id=stack_id)
    decoded = []
    decode = reviewed.decode_pixels
    monkeypatch.setattr(reviewed, "decode_pixels", lambda data: decoded.append(data) or decode(data))
    seen = [(stack.stack_id, len(decoded)) for stack in read_reviewed(workspace)]
    assert seen == [(one, number) for number, one in enumerate(sorted(ids), start=1)]


def test_a_workspace_that_another_program_holds_is_read(workspace: Workspace, store: AnnotationStore) -> None:
    save(store, BASAL, status=ACCEPTED)
    with open_workspace_readonly(workspace.folder) as other:
        assert list(only(other).frames) == [BASAL]


def test_a_study_whose_geometry_is_damaged_is_named(workspace: Workspace, store: AnnotationStore) -> None:
    save(store, BASAL, status=ACCEPTED)
    about = {"name": "Study 7", "source": "study", "patient_key": "", "phases": 3, "slices": SLICES}
    store.save_study(STACK_ID, **about, geometry_json="{}")
    with pytest.raises(StoreError, match=r"Study 7.*cannot be learnt from.*geometry is damaged"):
        next(read_reviewed(workspace))


# -- one phase as a stack ----------------------------------------------------------------------------------------------


def test_a_phase_is_a_stack_of_its_own_with_all_its_slices(workspace: Workspace, store: AnnotationStore) -> None:
    set_region(store, MIDDLE, Region.BASE)
    stack, slices = served(only(workspace), 1)
    assert slices == (0, 1, 2, 3)
    assert (stack.phases, stack.geometry.positions_mm) == (1, GEOMETRY.positions_mm)
    for s in slices:
        assert np.array_equal(stack.frame(FrameIndex(0, s)), pixels_of(FrameIndex(1, s)))
    assert only(workspace).served(0) is None


def served(stack: ReviewedStack, phase: int) -> tuple:
    made = stack.served(phase)
    assert made is not None
    return made


def test_where_slices_are_missing_the_longest_run_with_a_reviewed_frame_is_served(
    workspace: Workspace,
) -> None:
    store = AnnotationStore(workspace)
    about = {"name": "Study 1", "source": "study", "patient_key": "p", "phases": 3, "slices": 9}
    nine = replace(GEOMETRY, positions_mm=tuple((0.0, 0.0, 8.0 * s) for s in range(9)))
    store.save_study(STACK_ID, **about, geometry_json=geometry_to_json(nine))
    held = [0, 2, 3, 5, 6, 7, 8]  # runs: 0 | 2 3 | 5 6 7 8
    accepted = [Version(FrameIndex(0, s), labels_of(s), Region.BASE, Provenance.MANUAL, ACCEPTED) for s in (0, 3)]
    store.save(STACK_ID, Work(accepted), pixels=pixels(*(FrameIndex(0, s) for s in held)))
    stack, slices = served(only(workspace), 0)
    assert slices == (2, 3)
    assert stack.geometry.positions_mm == ((0.0, 0.0, 16.0), (0.0, 0.0, 24.0))
    assert np.array_equal(stack.frame(FrameIndex(0, 1)), pixels_of(FrameIndex(0, 3)))


def test_a_single_slice_keeps_the_slice_spacing_of_its_stack(workspace: Workspace, store: AnnotationStore) -> None:
    save(store, BASAL, status=ACCEPTED)
    stack, slices = served(only(workspace), 1)
    assert (slices, stack.slices, stack.geometry.slice_spacing_mm) == ((0,), 1, 8.0)


def test_the_phases_of_a_stack_are_not_taken_for_one_another(workspace: Workspace, store: AnnotationStore) -> None:
    for phase in (0, 1):
        save(store, FrameIndex(phase, 0), status=ACCEPTED)
    found = only(workspace)
    assert served(found, 0)[0].stack_id != served(found, 1)[0].stack_id


# -- corrections -------------------------------------------------------------------------------------------------------


@pytest.fixture
def two_patients(workspace: Workspace, store: AnnotationStore) -> Iterator[list[ReviewedStack]]:
    """Patient one has two stacks; annotations are rows 1 to 5, regions rows 1 and 2, in this order."""
    save_study(store, "b" * 32, patient_key="one")
    save_study(store, "c" * 32, patient_key="one")
    save_study(store, "d" * 32, patient_key="two")
    save(store, BASAL, status=ACCEPTED, region=Region.BASE, stack_id="b" * 32)
    save(store, APICAL, status=ACCEPTED, region=Region.APEX, stack_id="b" * 32)
    save(store, BASAL, status=ACCEPTED, region=Region.BASE, stack_id="c" * 32)
    save(store, MIDDLE, status=ACCEPTED, region=Region.NON_CARDIAC, stack_id="d" * 32)
    save(store, BASAL, status=ACCEPTED, region=Region.BASE, stack_id="d" * 32, provenance=Provenance.AUTOMATIC)
    set_region(store, FrameIndex(1, 2), Region.BASE, Region.MIDDLE, stack_id="b" * 32)
    set_region(store, FrameIndex(1, 2), Region.BASE, Region.MIDDLE, stack_id="d" * 32)
    yield list(read_reviewed(workspace, pixels=False))


def test_a_specialist_has_the_corrections_of_its_region(two_patients: list[ReviewedStack]) -> None:
    assert corrections_of(two_patients, Role.BASE) == {"one": [1, 3]}
    assert corrections_of(two_patients, Role.APEX) == {"one": [2]}
    assert corrections_of(two_patients, Role.MIDDLE) == {}


def test_the_baseline_has_the_corrections_of_all_regions(two_patients: list[ReviewedStack]) -> None:
    assert corrections_of(two_patients, Role.BASELINE) == {"one": [1, 2, 3], "two": [4]}


def test_a_patient_without_a_region_that_was_right_does_not_judge_a_classifier(
    workspace: Workspace, store: AnnotationStore, two_patients: list[ReviewedStack]
) -> None:
    assert corrections_of(two_patients, Role.CLASSIFIER) == {}  # what was predicted of the others is not known
    store.save("c" * 32, Work(region_predictions={BASAL: decoded_as(Region.BASE)}))
    stacks = list(read_reviewed(workspace, pixels=False))
    assert corrections_of(stacks, Role.CLASSIFIER) == {"one": [1]}
    store.save("c" * 32, Work(region_predictions={BASAL: decoded_as(Region.MIDDLE)}))
    store.save("d" * 32, Work(region_predictions={BASAL: decoded_as(Region.BASE)}))
    store.save("d" * 32, Work(region_predictions={MIDDLE: decoded_as(Region.BASE)}))
    stacks = list(read_reviewed(workspace, pixels=False))
    assert corrections_of(stacks, Role.CLASSIFIER) == {"two": [-4, 2]}  # row 4 of the annotations, row 2 of the regions
