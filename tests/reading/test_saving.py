"""What is saved of the open study gives the same study again, without files."""

from datetime import UTC, datetime

import numpy as np

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import Annotation
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.saving import Saved, acceptances_of, joined_work, put_back, work_of, works_of_acceptance
from cmr_viewer.store.annotations import Work
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
