"""What is saved of the open study gives the same study again, without files."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import Annotation
from cmr_viewer.domain.geometry import geometry_to_json
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.saving import (
    Saved,
    SavedStudies,
    acceptances_of,
    joined_work,
    put_back,
    work_of,
    works_of_acceptance,
)
from cmr_viewer.store.annotations import Work
from cmr_viewer.store.database import Workspace, open_workspace, open_workspace_readonly
from cmr_viewer.store.frame_pixels import saved_frames
from cmr_viewer.store.reviewed import read_reviewed
from tests.reading.small import PHASES, SLICES, small_study
from tests.reading.test_open_study import ACTIVE, FRAMES, analysed_reading, picture


def saved_of(study: OpenStudy, work: Work) -> Saved:
    """What a workspace would hold of a study once some work is written."""
    annotations = {
        one.frame: Annotation(
            "stack",
            one.frame,
            1,
            one.labels,
            one.region,
            one.provenance,
            one.status,
            "reader",
            one.model_id,
            datetime.now(UTC),
            one.imported_from,
        )
        for one in work.versions
    }
    return Saved(
        regions={frame: new.region for frame, new in work.regions.items() if new.region is not None},
        region_predictions={f: r.region_prediction for f, r in study.frames.items() if r.region_prediction is not None},
        predictions={frame: record.base for frame, record in study.frames.items() if record.base is not None},
        annotations=annotations,
        phase_marks=work.phase_marks or (None, None),
        lines=study.history.lines,
        facts=work.facts,
    )


def test_a_study_that_is_put_back_is_as_it_was_left_and_can_be_undone() -> None:
    study = analysed_reading()
    before = picture(study)
    study.begin_stroke(FRAMES[0], Label.LVM, 3.0, (10.0, 10.0))
    study.end_stroke()
    study.set_region(FRAMES[1], Region.APEX)
    study.mark_phases(1, None)
    study.set_fact("patient.height_cm", 171, "enter the height")
    work = work_of(study, study.take_effects(), {})
    again = OpenStudy(small_study())
    put_back(again, saved_of(study, work))
    again.frames.set_active(ACTIVE)
    assert picture(again) == picture(study)
    assert (again.reader_ed, again.reader_es, again.facts) == (1, None, {"patient.height_cm": 171})
    for _ in range(4):
        again.undo()
    assert picture(again) == before
    assert (again.reader_ed, again.facts) == (None, {})


def test_accepted_frames_are_saved_a_few_at_once_with_the_moves_first() -> None:
    study = analysed_reading()

    versions = acceptances_of(study, study.stack.frame_indices)
    change = study.note_acceptance([one.frame for one in versions], "accept the study")
    works = works_of_acceptance(versions * 2, study.history.take_moves())
    assert [len(work.versions) for work in works] == [16, 2 * PHASES * SLICES - 16]
    assert [move.change for move in works[0].moves] == [change] and works[1].moves == ()


def test_what_could_not_be_saved_is_saved_as_it_is_shown_now() -> None:
    study = analysed_reading()
    works = []
    for row in (6.0, 16.0):
        study.begin_stroke(FRAMES[0], Label.RVBP, 2.0, (row, 10.0))
        study.end_stroke()
        works.append(work_of(study, study.take_effects(), {}))
    study.set_region(FrameIndex(0, 2), Region.BASE)
    now = work_of(study, study.take_effects(), {})
    joined = joined_work(study, [*works, now])
    (version,) = joined.versions
    assert np.array_equal(version.labels, study.still(FRAMES[0])) and FrameIndex(0, 2) in joined.regions
    assert [move.change.text for move in joined.moves] == ["paint RV blood pool"] * 2 + ["set region Base"]


# -- pixels to learn from ----------------------------------------------------------------------------------------------


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with open_workspace(tmp_path / "workspace", reader="reader") as opened:
        yield opened


def known_to(workspace: Workspace) -> tuple[SavedStudies, OpenStudy]:
    saved, study = SavedStudies(workspace), analysed_reading()
    stack = study.stack
    saved.annotations.save_study(
        stack.stack_id,
        name="pseudonym",
        source="study",
        patient_key="patient",
        geometry_json=geometry_to_json(stack.geometry),
        phases=stack.phases,
        slices=stack.slices,
    )
    return saved, study


def phases_with_pixels(workspace: Workspace, study: OpenStudy) -> dict[int, int]:
    """Number of slices by phase."""
    with workspace.read() as connection:
        phases = [frame.phase for frame in saved_frames(connection, study.stack.stack_id)]
    return {phase: phases.count(phase) for phase in sorted(set(phases))}


def test_all_slices_of_a_phase_are_saved_with_an_accepted_frame(workspace: Workspace) -> None:
    saved, study = known_to(workspace)
    (work,) = works_of_acceptance(acceptances_of(study, [FrameIndex(1, 2)]))
    saved.save(study, work)
    assert phases_with_pixels(workspace, study) == {1: SLICES}
    (stack,) = read_reviewed(workspace)
    assert all(np.array_equal(stack.pixels[one], study.stack.frame(one)) for one in stack.pixels)
    assert (stack.geometry, stack.pixel_spacing_mm) == (study.stack.geometry, (2.0, 2.0))


def test_all_slices_of_a_phase_are_saved_with_a_region_and_none_with_a_draft(workspace: Workspace) -> None:
    saved, study = known_to(workspace)
    study.begin_stroke(FRAMES[0], Label.LVM, 3.0, (10.0, 10.0))
    study.end_stroke()
    saved.save(study, work_of(study, study.take_effects(), {}))
    assert phases_with_pixels(workspace, study) == {}
    study.set_region(FrameIndex(2, 0), Region.NON_CARDIAC)
    saved.save(study, work_of(study, study.take_effects(), {}))
    assert phases_with_pixels(workspace, study) == {2: SLICES}
    (stack,) = read_reviewed(workspace)
    (frame,) = stack.frames.values()
    assert (frame.region, frame.predicted) == (Region.NON_CARDIAC, Region.BASE)
    study.undo()
    saved.save(study, work_of(study, study.take_effects(), {}))
    assert list(read_reviewed(workspace)) == []


def test_a_region_that_could_not_be_saved_is_saved_later_with_its_pixels(workspace: Workspace) -> None:
    saved, study = known_to(workspace)
    study.set_region(FrameIndex(2, 0), Region.NON_CARDIAC)
    failed = work_of(study, study.take_effects(), {})
    saved.save(study, joined_work(study, [failed, Work()]))
    assert phases_with_pixels(workspace, study) == {2: SLICES}


def test_what_could_not_be_saved_is_saved_elsewhere_with_its_pixels(workspace: Workspace, tmp_path: Path) -> None:
    saved, study = known_to(workspace)
    study.set_region(FrameIndex(0, 3), Region.NON_CARDIAC)
    folder = saved.save_elsewhere(tmp_path / "other", {study: work_of(study, study.take_effects(), {})})
    with open_workspace_readonly(folder) as other:
        assert phases_with_pixels(other, study) == {0: SLICES}
    assert phases_with_pixels(workspace, study) == {}


def test_an_acceptance_that_is_undone_counts_no_longer(workspace: Workspace) -> None:
    saved, study = known_to(workspace)
    versions = acceptances_of(study, [FRAMES[0]])
    study.note_acceptance([FRAMES[0]], "accept slice 1")
    (work,) = works_of_acceptance(versions, study.history.take_moves())
    held = study.hold([FRAMES[0]])
    saved.save(study, work)
    study.release(held, accepted=True)
    assert [list(stack.frames) for stack in read_reviewed(workspace)] == [[FRAMES[0]]]
    study.undo()
    saved.save(study, work_of(study, study.take_effects(), {}))
    assert list(read_reviewed(workspace)) == []
