import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.opening import Opening
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.errors import ModelError, UnusableModelError
from cmr_viewer.progress import Progress
from cmr_viewer.reading.opening import Preview
from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.store.reviewed import read_reviewed
from tests.app.conftest import NO_TRAINING, make_session, write_model
from tests.phantom import sax_cine
from tests.phantom_dicom import brighter, write_frames
from tests.reading.small import PHASES, SLICES, FormulaFlow, model_labels

BASAL = FrameIndex(0, 0)
MIDDLE = FrameIndex(0, 1)


def open_whole(qtbot: Any, session: Session, name: str = "alpha") -> None:
    """Open a study and wait until everything is computed and kept."""
    with qtbot.waitSignal(session.study.analysed):
        session.start()
        session.opening.open_path(Path("/nowhere") / name)
    kept(qtbot, session)


def kept(qtbot: Any, session: Session) -> None:
    qtbot.waitUntil(lambda: not session.saving.is_busy and not session.jobs.is_busy())


def paint(session: Session, frame: FrameIndex, label: Label = Label.LVM, at: tuple[float, float] = (20, 15)) -> None:
    session.study.begin_stroke(frame, label, 1.5, at)
    session.study.extend_stroke((at[0], at[1] + 2))
    session.study.end_stroke()


def test_the_image_is_there_before_regions_and_masks(qtbot: Any, session: Session) -> None:
    order: list[str] = []
    session.study.opened.connect(lambda: order.append("opened"))
    session.study.restored.connect(lambda: order.append("restored"))
    session.models.changed.connect(lambda: order.append("models"))
    session.study.region_changed.connect(lambda frame: order.append("region"))
    session.study.labels_changed.connect(lambda frame: order.append("labels"))
    open_whole(qtbot, session)
    assert order[0] == "opened" and order.index("restored") < order.index("region") < order.index("labels")
    assert order.count("region") == order.count("labels") == PHASES * SLICES


def test_a_frame_is_classified_routed_and_segmented_with_its_reason(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    state = session.study.frame_state(BASAL)
    assert (state.region, state.region_by, state.model_id) == (Region.BASE, "predicted", "base-1")
    assert (state.status, state.edited, state.provenance) == (None, False, Provenance.AUTOMATIC)
    assert state.reason == "Region base by the classifier; its specialist segments it."
    assert np.array_equal(state.labels, model_labels("base-1", BASAL))


def test_batches_of_results_are_told_together(qtbot: Any, session: Session) -> None:
    batches: list[tuple[FrameIndex, ...]] = []
    session.study.frames_changed.connect(batches.append)
    open_whole(qtbot, session)
    assert len({frame for batch in batches for frame in batch}) == PHASES * SLICES
    assert len(batches) < 2 * PHASES * SLICES


def test_the_shown_frame_and_its_phase_are_computed_first(qtbot: Any, session: Session, formula: FormulaFlow) -> None:
    session.study.opened.connect(lambda: session.study.look_at(FrameIndex(2, 3)))
    open_whole(qtbot, session)
    assert formula.analysed[0][:5] == ((2, 3), (2, 0), (2, 1), (2, 2), (0, 3))
    assert sorted(formula.analysed[0]) == sorted(session.study.stack.frame_indices)


def test_a_study_that_cannot_be_loaded_leaves_the_open_one(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    with qtbot.waitSignal(session.opening.failed) as told:
        session.opening.open_path(Path("/nowhere/broken"))
    assert "holds no images" in told.args[0] and session.study.data.name == "alpha"


def test_without_models_a_study_is_read_by_hand(qtbot: Any, session: Session, formula: FormulaFlow) -> None:
    formula.error = ModelError("No weights.")
    told: list[tuple[str, str]] = []
    session.message.connect(lambda *args: told.append(args))
    with qtbot.waitSignal(session.models.changed):
        session.start()
        session.opening.open_path(Path("/nowhere/alpha"))
    kept(qtbot, session)
    assert told == [("warning", "No weights. You can still read frames and correct them by hand.")]
    assert session.models.problem == "No weights." and session.models.loaded is None
    session.study.set_region(BASAL, Region.BASE)
    paint(session, BASAL)
    session.study.accept(BASAL)
    kept(qtbot, session)
    state = session.study.frame_state(BASAL)
    assert (state.status, state.provenance, state.model_id) == (ReviewStatus.ACCEPTED, Provenance.MANUAL, None)


def test_setting_a_region_routes_and_segments_the_frame_anew(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    session.study.set_region(BASAL, Region.MIDDLE)
    state = session.study.frame_state(BASAL)
    assert (state.region, state.region_by, state.model_id) == (Region.MIDDLE, "reader", "middle-1")
    assert np.array_equal(state.labels, model_labels("base-1", BASAL)), "shown until the new one is there"
    kept(qtbot, session)
    assert np.array_equal(session.study.frame_state(BASAL).labels, model_labels("middle-1", BASAL))
    assert session.saved.annotations.regions(session.study.stack.stack_id) == {BASAL: Region.MIDDLE}


def test_a_region_goes_before_the_running_analysis(qtbot: Any, session: Session, formula: FormulaFlow) -> None:
    formula.gate = threading.Semaphore(0)
    session.start()
    session.opening.open_path(Path("/nowhere/alpha"))
    qtbot.waitUntil(lambda: formula.reached.is_set() and session.study.frame_state(BASAL).region is not None)
    assert session.models.is_analysing and formula.segmented == []
    session.study.set_region(FrameIndex(2, 2), Region.APEX)
    qtbot.waitUntil(lambda: session.study.frame_state(FrameIndex(2, 2)).labels is not None)
    assert formula.segmented == [FrameIndex(2, 2)], "it does not wait for the frame that the analysis is at"
    formula.gate.release(1000)
    kept(qtbot, session)
    state = session.study.frame_state(FrameIndex(2, 2))
    assert state.prediction.model_id == "apex-1", "the analysis' result for the former region is not shown"


def test_undo_of_a_region_brings_the_former_prediction_back(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    session.study.set_region(BASAL, Region.MIDDLE)
    kept(qtbot, session)
    assert session.study.undo_text == "set region Middle" and session.study.undo() == BASAL
    state = session.study.frame_state(BASAL)
    assert (state.region, state.region_by) == (Region.BASE, "predicted")
    assert np.array_equal(state.labels, model_labels("base-1", BASAL))
    session.study.redo()
    assert np.array_equal(session.study.frame_state(BASAL).labels, model_labels("middle-1", BASAL))
    session.study.undo()
    kept(qtbot, session)
    assert session.saved.annotations.regions(session.study.stack.stack_id) == {}


def test_a_region_set_on_an_edited_frame_offers_the_new_prediction(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    paint(session, BASAL)
    mine = session.study.frame_state(BASAL).labels.copy()
    with qtbot.waitSignal(session.study.proposal_changed):
        session.study.set_region(BASAL, Region.MIDDLE)
    state = session.study.frame_state(BASAL)
    assert np.array_equal(state.labels, mine) and state.proposal.model_id == "middle-1" and state.edited
    session.study.take_proposal(BASAL)
    state = session.study.frame_state(BASAL)
    assert state.proposal is None and not state.edited and state.provenance is Provenance.AUTOMATIC
    assert np.array_equal(state.labels, model_labels("middle-1", BASAL))
    session.study.undo()
    state = session.study.frame_state(BASAL)
    assert np.array_equal(state.labels, mine) and state.edited and state.proposal is not None


def test_a_dismissed_proposal_is_not_offered_again(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    paint(session, BASAL)
    with qtbot.waitSignal(session.study.proposal_changed):
        session.study.set_region(BASAL, Region.MIDDLE)
    session.study.dismiss_proposal(BASAL)
    assert session.study.frame_state(BASAL).proposal is None
    session.models.load()
    with qtbot.waitSignal(session.models.changed):
        pass
    kept(qtbot, session)
    assert session.study.frame_state(BASAL).proposal is None


def test_an_edit_beats_a_prediction_that_comes_later(qtbot: Any, session: Session, formula: FormulaFlow) -> None:
    formula.gate = threading.Semaphore(0)
    session.start()
    session.opening.open_path(Path("/nowhere/alpha"))
    qtbot.waitUntil(lambda: formula.reached.is_set() and session.study.frame_state(BASAL).region is not None)
    paint(session, BASAL)
    mine = session.study.frame_state(BASAL).labels.copy()
    assert session.study.frame_state(BASAL).provenance is Provenance.MANUAL
    formula.gate.release(1000)
    kept(qtbot, session)
    state = session.study.frame_state(BASAL)
    assert np.array_equal(state.labels, mine) and state.proposal.model_id == "base-1"


def test_a_prediction_that_comes_during_a_stroke_does_not_touch_it(
    qtbot: Any, session: Session, formula: FormulaFlow
) -> None:
    formula.gate = threading.Semaphore(0)
    session.start()
    session.opening.open_path(Path("/nowhere/alpha"))
    qtbot.waitUntil(lambda: formula.reached.is_set() and session.study.frame_state(BASAL).region is not None)
    session.study.begin_stroke(BASAL, Label.RVBP, 1.0, (20.0, 15.0))
    formula.gate.release(1000)
    qtbot.waitUntil(lambda: session.study.frame_state(BASAL).proposal is not None)
    assert session.study.extend_stroke((20.0, 17.0)) == (19, 22, 16, 19)
    session.study.cancel_stroke()
    state = session.study.frame_state(BASAL)
    assert not state.edited and np.array_equal(state.labels, model_labels("base-1", BASAL)) and state.proposal is None
    kept(qtbot, session)


def test_a_stroke_paints_at_once_and_is_one_undo_step_and_one_draft(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    told: list[FrameIndex] = []
    session.study.labels_changed.connect(told.append)
    assert session.study.begin_stroke(BASAL, Label.LVM, 1.0, (20.0, 10.0)) == (19, 22, 9, 12)
    assert session.study.extend_stroke((20.0, 12.0)) == (19, 22, 11, 14)
    assert session.study.extend_stroke((20.0, 12.0)) is None
    session.study.end_stroke()
    assert told == [BASAL, BASAL] and session.study.undo_text == "paint LV myocardium"
    expected = model_labels("base-1", BASAL).copy()
    expected[20, 9:14] = Label.LVM
    expected[19, 10:13] = expected[21, 10:13] = Label.LVM
    state = session.study.frame_state(BASAL)
    assert np.array_equal(state.labels, expected)
    assert (state.status, state.provenance) == (ReviewStatus.DRAFT, Provenance.SEMIAUTOMATIC)
    kept(qtbot, session)
    (draft,) = session.saved.annotations.versions(session.study.stack.stack_id, BASAL)
    assert np.array_equal(draft.labels, expected) and draft.model_id == "base-1"
    assert (draft.status, draft.region) == (ReviewStatus.DRAFT, Region.BASE)


def test_a_stroke_that_changes_nothing_leaves_no_trace(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    session.study.begin_stroke(BASAL, Label.BACKGROUND, 1.0, (20.0, 15.0))
    session.study.end_stroke()
    state = session.study.frame_state(BASAL)
    assert not state.edited and state.status is None and not session.study.can_undo
    kept(qtbot, session)
    assert session.saved.annotations.latest(session.study.stack.stack_id) == {}


def test_undo_to_the_prediction_makes_the_frame_unedited_also_after_opening_again(
    qtbot: Any, session: Session, workspace: Workspace, shipped: Path, formula: FormulaFlow
) -> None:
    open_whole(qtbot, session)
    paint(session, BASAL)
    session.study.undo()
    state = session.study.frame_state(BASAL)
    assert not state.edited and state.status is None and np.array_equal(state.labels, model_labels("base-1", BASAL))
    session.study.redo()
    assert session.study.frame_state(BASAL).edited
    session.study.undo()
    session.shutdown()
    again = make_session(workspace, shipped, formula)
    open_whole(qtbot, again)
    state = again.study.frame_state(BASAL)
    again.shutdown()
    assert not state.edited and state.status is None and np.array_equal(state.labels, model_labels("base-1", BASAL))


def test_redo_of_a_stroke_starts_from_the_prediction_it_was_painted_on(
    qtbot: Any, session: Session, shipped: Path
) -> None:
    open_whole(qtbot, session)
    paint(session, BASAL)
    painted = session.study.frame_state(BASAL).labels.copy()
    session.study.undo()
    kept(qtbot, session)
    entry = session.models.registry.adopt(write_model(shipped.parent / "new", "base-22", Role.BASE))
    session.models.registry.promote(Role.BASE, entry.model_id, "better")
    session.models.load()
    with qtbot.waitSignal(session.study.analysed):
        pass
    assert np.array_equal(session.study.frame_state(BASAL).labels, model_labels("base-22", BASAL))
    session.study.redo()
    assert np.array_equal(session.study.frame_state(BASAL).labels, painted)
    session.study.undo()
    assert np.array_equal(session.study.frame_state(BASAL).labels, model_labels("base-22", BASAL))
    kept(qtbot, session)


def test_frames_of_unknown_spacing_are_kept_with_the_one_they_are_prepared_with(qtbot: Any, session: Session) -> None:
    whole = session.opening._opener

    def without_spacing(path: Path, progress: Progress, opening: Opening, preview: Preview | None) -> Study:
        study = whole(path, progress, opening, preview)
        geometry = replace(study.stack.geometry, spacing_known=False)
        return replace(study, stacks=(replace(study.stack, geometry=geometry),))

    session.opening._opener = without_spacing
    open_whole(qtbot, session)
    with qtbot.waitSignal(session.study.frames_accepted):
        session.study.accept(BASAL)
    (stack,) = read_reviewed(session.workspace)
    assert list(stack.frames) == [BASAL] and stack.pixel_spacing_mm == (1.3, 1.3)
    kept(qtbot, session)


def test_accepted_is_told_only_after_it_is_on_disk(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    session.study.accept(BASAL)
    assert session.study.frame_state(BASAL).status is None
    with qtbot.waitSignal(session.study.frames_accepted) as told:
        pass
    assert told.args[0] == (BASAL,) and session.study.frame_state(BASAL).status is ReviewStatus.ACCEPTED
    (stack,) = read_reviewed(session.workspace)
    assert np.array_equal(stack.pixels[BASAL], session.study.stack.frame(BASAL))
    assert stack.pixel_spacing_mm == (2.0, 2.0)
    assert [(frame, one.region, one.corrected) for frame, one in stack.frames.items()] == [(BASAL, Region.BASE, False)]
    kept(qtbot, session)


def test_a_failed_write_does_not_show_as_accepted(
    qtbot: Any, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_whole(qtbot, session)

    def full(*_args: Any, **_options: Any) -> None:
        raise ModelError("The disk is full.")

    monkeypatch.setattr(AnnotationStore, "save", full)
    with qtbot.waitSignal(session.message) as told:
        session.study.accept(BASAL)
    assert told.args == ["error", "The disk is full."] and session.study.frame_state(BASAL).status is None
    assert not session.study.can_undo, "what could not be kept is no step"
    kept(qtbot, session)


def test_a_stroke_after_accepting_makes_a_draft_again(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    session.study.accept(BASAL)
    paint(session, BASAL)
    kept(qtbot, session)
    assert session.study.frame_state(BASAL).status is ReviewStatus.DRAFT
    versions = session.saved.annotations.versions(session.study.stack.stack_id, BASAL)
    assert [v.status for v in versions] == [ReviewStatus.ACCEPTED, ReviewStatus.DRAFT]


def test_a_slice_and_the_study_are_accepted_at_once(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    session.study.accept_slice(1)
    kept(qtbot, session)
    accepted = [
        f for f in session.study.stack.frame_indices if session.study.frame_state(f).status is ReviewStatus.ACCEPTED
    ]
    assert accepted == [FrameIndex(p, 1) for p in range(PHASES)]
    session.study.accept_all()
    kept(qtbot, session)
    (stack,) = read_reviewed(session.workspace)
    assert len(stack.frames) == PHASES * SLICES
    assert all(
        len(session.saved.annotations.versions(session.study.stack.stack_id, f)) == 1
        for f in session.study.stack.frame_indices
    )
    assert session.study.next_review(BASAL) is None


def test_a_frame_without_masks_is_not_accepted(qtbot: Any, session: Session, formula: FormulaFlow) -> None:
    formula.error = ModelError("none")
    with qtbot.waitSignal(session.study.restored):
        session.opening.open_path(Path("/nowhere/alpha"))
    with qtbot.waitSignal(session.message) as told:
        session.study.accept(BASAL)
    assert told.args == ["warning", "Phase 1, slice 1 has no label map yet. Wait for the prediction, or draw one."]
    kept(qtbot, session)


def test_everything_is_there_when_the_study_is_opened_again(
    qtbot: Any, session: Session, workspace: Workspace, shipped: Path, formula: FormulaFlow
) -> None:
    open_whole(qtbot, session)
    session.study.set_region(BASAL, Region.MIDDLE)
    kept(qtbot, session)
    paint(session, BASAL)
    paint(session, MIDDLE, Label.RVBP)
    session.study.accept(MIDDLE)
    session.study.accept(FrameIndex(1, 3))
    session.study.set_ed(2)
    before = {f: session.study.frame_state(f) for f in session.study.stack.frame_indices}
    maps = {f: s.labels.copy() for f, s in before.items()}
    es = session.study.es_phase
    session.shutdown()
    computed = len(formula.segmented)

    again = make_session(workspace, shipped, formula)
    open_whole(qtbot, again)
    states = {f: again.study.frame_state(f) for f in again.study.stack.frame_indices}
    marks = (again.study.ed_phase, again.study.es_phase)
    again.shutdown()
    assert all(np.array_equal(states[f].labels, maps[f]) for f in maps)
    assert all(
        (states[f].region, states[f].region_by, states[f].edited, states[f].provenance)
        == (before[f].region, before[f].region_by, before[f].edited, before[f].provenance)
        for f in maps
    )
    accepted = {f for f, s in states.items() if s.status is ReviewStatus.ACCEPTED}
    assert accepted == {MIDDLE, FrameIndex(1, 3)} and states[BASAL].status is ReviewStatus.DRAFT
    assert all(s.proposal is None for s in states.values())
    assert es is not None and marks == (2, es), "ED as marked, ES by volume"
    assert len(formula.segmented) == computed, "nothing is computed anew"


def test_an_analysis_that_was_cut_short_goes_on_where_it_was(
    qtbot: Any, session: Session, workspace: Workspace, shipped: Path, formula: FormulaFlow
) -> None:
    formula.gate = threading.Semaphore(3)
    session.start()
    session.opening.open_path(Path("/nowhere/alpha"))
    qtbot.waitUntil(lambda: len(formula.segmented) == 3)
    qtbot.waitUntil(lambda: len(session.saved.annotations.predictions(session.study.stack.stack_id)) == 3)
    formula.gate.release(1)
    session.close_study()
    session.shutdown()
    formula.gate = None
    done = set(formula.segmented[:3])
    formula.segmented.clear()
    again = make_session(workspace, shipped, formula)
    open_whole(qtbot, again)
    again.shutdown()
    assert len(formula.analysed) == 1 and done.isdisjoint(formula.segmented)
    assert len(done) + len(formula.segmented) >= PHASES * SLICES


def test_measures_follow_each_stroke(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    qtbot.waitUntil(lambda: session.study.ed_phase is not None)
    counts = [
        sum(int((model_labels(m, FrameIndex(p, 0)) == 1).sum()) for m in ("base-1", "middle-1", "middle-1", "apex-1"))
        for p in range(PHASES)
    ]
    values = session.study.measures.values
    assert (session.study.ed_phase, session.study.es_phase) == (0, 2)
    assert values["lv_edv_ml"] == pytest.approx(counts[0] * 0.04)
    assert values["lv_esv_ml"] == pytest.approx(counts[2] * 0.04)
    with qtbot.waitSignal(session.study.measures_changed):
        session.study.begin_stroke(BASAL, Label.LVBP, 0.4, (23.0, 19.0))
    assert session.study.measures.values["lv_edv_ml"] == pytest.approx((counts[0] + 1) * 0.04)
    session.study.end_stroke()
    session.study.undo()
    assert session.study.measures.values["lv_edv_ml"] == pytest.approx(counts[0] * 0.04)
    kept(qtbot, session)


def test_marked_phases_are_kept_and_told(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    with qtbot.waitSignal(session.study.phase_marks_changed):
        session.study.set_ed(1)
    session.study.set_es(0)
    kept(qtbot, session)
    assert (
        (session.study.ed_phase, session.study.es_phase)
        == (1, 0)
        == session.saved.annotations.phase_marks(session.study.stack.stack_id)
    )
    with qtbot.waitSignal(session.message) as told:
        session.study.set_es(7)
    assert told.args == ["error", "There is no phase 8: this study has 3 phases."]
    session.study.set_ed(None)
    assert session.study.ed_phase == 0
    kept(qtbot, session)


def test_masks_are_copied_towards_the_apex(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    assert session.study.copy_to_next_slice(BASAL) == MIDDLE
    state = session.study.frame_state(MIDDLE)
    assert np.array_equal(state.labels, model_labels("base-1", BASAL)) and state.edited
    assert session.study.undo_text == "copy from slice 1" and session.study.undo() == MIDDLE
    assert np.array_equal(session.study.frame_state(MIDDLE).labels, model_labels("middle-1", MIDDLE))
    assert session.study.copy_to_next_slice(FrameIndex(0, SLICES - 1)) is None
    kept(qtbot, session)


def test_a_label_is_cleared_and_comes_back(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    session.study.clear_label(BASAL, Label.LVBP)
    assert not session.study.frame_state(BASAL).labels.any()
    session.study.undo()
    assert np.array_equal(session.study.frame_state(BASAL).labels, model_labels("base-1", BASAL))
    kept(qtbot, session)


def test_a_promoted_specialist_segments_unedited_frames_of_its_region_anew(
    qtbot: Any, session: Session, shipped: Path, formula: FormulaFlow
) -> None:
    open_whole(qtbot, session)
    paint(session, BASAL)
    session.study.accept(FrameIndex(1, 0))
    kept(qtbot, session)
    mine = session.study.frame_state(BASAL).labels.copy()
    entry = session.models.registry.adopt(write_model(shipped.parent / "new", "base-22", Role.BASE))
    session.models.registry.promote(Role.BASE, entry.model_id, "better")
    formula.segmented.clear()
    with qtbot.waitSignal(session.study.analysed):
        session.models.load()
    kept(qtbot, session)
    assert formula.segmented == [FrameIndex(2, 0)]
    assert session.study.frame_state(FrameIndex(2, 0)).prediction.model_id == "base-22"
    assert np.array_equal(session.study.frame_state(BASAL).labels, mine)
    assert session.study.frame_state(FrameIndex(1, 0)).status is ReviewStatus.ACCEPTED
    assert session.study.frame_state(FrameIndex(1, 0)).prediction.model_id == "base-1"


def test_a_retrained_model_that_cannot_be_loaded_is_replaced_and_the_reader_is_told(
    qtbot: Any, session: Session, shipped: Path
) -> None:
    open_whole(qtbot, session)
    entry = session.models.registry.adopt(write_model(shipped.parent / "new", "base-22", Role.BASE))
    session.models.registry.promote(Role.BASE, entry.model_id, "better")
    told: list[tuple[Any, ...]] = []
    session.message.connect(lambda *args: told.append(args))
    load = session.models.flow.load_models

    def damaged(folders: Any, device: str) -> Any:
        if folders[Role.BASE].name == "base-22":
            raise UnusableModelError("Its weights cannot be read.", Role.BASE)
        return load(folders, device)

    session.models.flow = replace(session.models.flow, load_models=damaged)
    with qtbot.waitSignal(session.models.changed):
        session.models.load()
    assert session.models.loaded is not None and session.models.loaded.active[Role.BASE] == "base-1"
    text = "The base specialist base-22 is not used. Its weights cannot be read. The model base-1 is used instead."
    assert told == [("warning", text)]
    kept(qtbot, session)


def test_models_that_cannot_be_loaded_anew_leave_the_old_ones(
    qtbot: Any, session: Session, formula: FormulaFlow
) -> None:
    open_whole(qtbot, session)
    formula.error = ModelError("Damaged.")
    with qtbot.waitSignal(session.message) as told:
        session.models.load()
    assert told.args == ["warning", "Damaged."] and session.models.loaded is not None
    session.study.set_region(BASAL, Region.APEX)
    kept(qtbot, session)
    assert session.study.frame_state(BASAL).prediction.model_id == "apex-1"


def test_another_study_is_opened_in_place_of_the_first(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session, "alpha")
    paint(session, BASAL)
    with qtbot.waitSignal(session.study.analysed):
        session.opening.open_path(Path("/nowhere/beta"))
    assert (
        session.study.data.name == "beta" and not session.study.can_undo and not session.study.frame_state(BASAL).edited
    )
    kept(qtbot, session)
    assert [row.name for row in session.worklist.studies] == ["beta", "alpha"]
    assert [row.drafts for row in session.worklist.studies] == [0, 1]
    with qtbot.waitSignal(session.study.closed):
        session.close_study()
    assert session.study.data is None and session.study.measures.values["lv_edv_ml"] is None


def test_a_stroke_that_was_not_ended_is_kept_when_the_study_closes(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    stack_id = session.study.stack.stack_id
    session.study.begin_stroke(BASAL, Label.LVM, 1.0, (20.0, 15.0))
    session.close_study()
    kept(qtbot, session)
    assert session.saved.annotations.latest(stack_id)[BASAL].status is ReviewStatus.DRAFT


def test_the_next_frame_is_the_least_certain_of_ed_and_es(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    assert session.study.next_review().frame == FrameIndex(0, 0)
    assert session.study.next_review(FrameIndex(0, 0)).frame == FrameIndex(2, 0)
    assert "70 % certain" in session.study.next_review().why


def test_opening_can_be_cancelled(qtbot: Any, session: Session) -> None:
    with qtbot.waitSignal(session.opening.cancelled):
        session.opening.open_path(Path("/nowhere/alpha"))
        session.opening.cancel()
    assert session.study.data is None and not session.opening.is_busy


def test_names_of_studies_stay_out_of_the_log(qtbot: Any, session: Session, caplog: pytest.LogCaptureFixture) -> None:
    from cmr_viewer.app.private_log import PrivateFormatter

    with qtbot.waitSignal(session.opening.failed):
        session.opening.open_path(Path("/nowhere/Doe^Jane/broken"))
    open_whole(qtbot, session, "Doe^John")
    text = "\n".join(PrivateFormatter("%(message)s").format(record) for record in caplog.records)
    assert "failed" in text and "Doe" not in text


def test_other_frames_follow_a_region_at_once_by_what_the_classifier_said_before(
    qtbot: Any, session: Session, formula: FormulaFlow
) -> None:
    open_whole(qtbot, session)
    apical = [FrameIndex(phase, 3) for phase in range(PHASES)]
    followed: list[tuple[FrameIndex, ...]] = []
    session.study.regions_followed.connect(followed.append)
    segmented = len(formula.segmented)
    # The heart ends with slice 2 at two phases of three, and so its last slice is apex there.
    session.study.set_region(FrameIndex(0, 3), Region.NON_CARDIAC)
    session.study.set_region(FrameIndex(1, 3), Region.NON_CARDIAC)
    state = session.study.frame_state(FrameIndex(0, 2))
    assert (state.region, state.region_by) == (Region.APEX, "predicted"), "the last slice with a heart"
    assert FrameIndex(0, 2) in followed[0] and FrameIndex(0, 3) not in followed[0]
    kept(qtbot, session)
    assert np.array_equal(session.study.frame_state(FrameIndex(0, 2)).labels, model_labels("apex-1", FrameIndex(0, 2)))
    assert len(formula.analysed) == 1, "no frame was classified again"
    again = {f for f in session.study.stack.frame_indices if formula.segmented.count(f) > 1}
    assert again and set(formula.segmented[segmented:]) == again, "only frames that moved were segmented again"
    stored = session.saved.annotations.region_predictions(session.study.stack.stack_id)
    assert stored[FrameIndex(0, 2)] == session.study.frame_state(FrameIndex(0, 2)).region_prediction
    assert stored[FrameIndex(0, 2)].decoded is Region.APEX
    session.study.undo()
    session.study.undo()
    kept(qtbot, session)
    assert [session.study.frame_state(f).region for f in apical] == [Region.APEX] * PHASES
    assert session.study.frame_state(FrameIndex(0, 2)).region is Region.MIDDLE
    last = session.saved.annotations.predictions(session.study.stack.stack_id)
    shown = {f: session.study.frame_state(f) for f in session.study.stack.frame_indices}
    assert {f: last[f].model_id for f in shown} == {f: state.prediction.model_id for f, state in shown.items()}
    assert all(np.array_equal(last[f].labels, state.labels) for f, state in shown.items()), "what is put back is shown"


def test_a_region_that_is_set_while_regions_are_being_found_leads_once_they_are_there(
    qtbot: Any, session: Session, formula: FormulaFlow
) -> None:
    session.study.restored.connect(lambda: session.study.set_region(FrameIndex(0, 3), Region.NON_CARDIAC))
    open_whole(qtbot, session)
    assert session.study.frame_state(FrameIndex(0, 3)).region is Region.NON_CARDIAC
    assert session.study.frame_state(FrameIndex(0, 2)).region is Region.APEX
    assert np.array_equal(session.study.frame_state(FrameIndex(0, 2)).labels, model_labels("apex-1", FrameIndex(0, 2)))


def test_a_study_seen_before_opens_from_its_index_until_that_is_deleted(
    qtbot: Any,
    workspace: Workspace,
    shipped: Path,
    formula: FormulaFlow,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from cmr_viewer.load.dicom import scan as index

    write_frames(tmp_path / "study", sax_cine(phases=3, slices=4, rows=24, cols=20).stack, series="1")
    formula.error = ModelError("No weights.")
    remembered = tmp_path / "cache" / "headers"
    session = Session(workspace, ModelRegistry(shipped, workspace), NO_TRAINING, flow=formula.flow(), index=remembered)
    scanned: list[int] = []
    scan = index.scan
    monkeypatch.setattr(index, "scan", lambda files, progress: scanned.append(len(files)) or scan(files, progress))
    try:
        for delete, scans in ((False, 1), (False, 1), (True, 2)):
            if delete:
                shutil.rmtree(remembered)
            with qtbot.waitSignal(session.study.restored):
                session.opening.open_path(tmp_path / "study")
            assert len(scanned) == scans
            assert session.study.stack.pixels.shape == (3, 4, 24, 20)
        assert len(list(remembered.iterdir())) == 1
    finally:
        session.shutdown()


def test_studies_wait_in_the_worklist_over_a_restart_until_they_are_opened(
    qtbot: Any, workspace: Workspace, shipped: Path, formula: FormulaFlow
) -> None:
    one, two = Path("/nowhere/alpha"), Path("/nowhere/beta")
    first = make_session(workspace, shipped, formula)
    first.worklist.add([one, two])
    qtbot.waitUntil(lambda: first.worklist.waiting == (one, two))
    first.shutdown()
    second = make_session(workspace, shipped, formula)
    try:
        second.start()
        qtbot.waitUntil(lambda: second.worklist.waiting == (one, two))
        open_whole(qtbot, second, "alpha")
        qtbot.waitUntil(lambda: second.worklist.waiting == (two,))
        assert [row.name for row in second.worklist.studies] == ["alpha"]
        second.worklist.remove([two])
        qtbot.waitUntil(lambda: second.worklist.waiting == ())
    finally:
        second.shutdown()


def test_the_other_patients_of_a_folder_wait_in_the_worklist_until_they_are_opened(
    qtbot: Any, tmp_path: Path, workspace: Workspace, shipped: Path, formula: FormulaFlow
) -> None:
    stack = sax_cine(phases=2, slices=3, rows=24, cols=20, pixel_spacing_mm=(6.0, 6.0), above=0, below=0).stack
    folders = [tmp_path / "all" / f"p{n}" for n in range(3)]
    for n, folder in enumerate(folders):
        write_frames(folder, brighter(stack, n), series=f"{n}", patient=f"P{n}", study=f"1.2.{n}")
    formula.error = ModelError("No weights.")
    session = Session(workspace, ModelRegistry(shipped, workspace), NO_TRAINING, flow=formula.flow())

    def opened(path: Path) -> list[str]:
        with qtbot.waitSignal(session.study.restored):
            session.opening.open_path(path)
        qtbot.waitUntil(lambda: not session.saving.is_busy)
        return sorted(row.name for row in session.worklist.studies)

    try:
        assert opened(tmp_path / "all") == ["p0"]
        qtbot.waitUntil(lambda: session.worklist.waiting == tuple(folders[1:]))
        assert opened(folders[2]) == ["p0", "p2"]
        qtbot.waitUntil(lambda: session.worklist.waiting == (folders[1],))
        # Opened again, the folder lets only those wait that were never opened.
        assert opened(tmp_path / "all") == ["p0", "p2"]
        qtbot.waitUntil(lambda: session.worklist.waiting == (folders[1],))
    finally:
        session.shutdown()


def test_label_maps_of_several_frames_change_as_one_step_of_the_readers_hand(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    frames = [FrameIndex(0, 0), FrameIndex(1, 0)]
    before = {frame: labels_of(session, frame) for frame in frames}
    drawn = {frame: np.full_like(before[frame], Label.LVM) for frame in frames}
    same = FrameIndex(0, 1)
    changed = session.study.change_labels({**drawn, same: labels_of(session, same)}, "make it whole")
    assert changed == tuple(frames)
    for frame in frames:
        state = session.study.frame_state(frame)
        assert (state.labels == Label.LVM).all()
        assert (state.edited, state.provenance, state.status) == (True, Provenance.SEMIAUTOMATIC, ReviewStatus.DRAFT)
    assert not session.study.frame_state(same).edited
    assert session.study.undo_text == "make it whole"
    session.study.undo()
    assert not session.study.can_undo
    for frame in frames:
        assert (session.study.frame_state(frame).labels == before[frame]).all()
        assert not session.study.frame_state(frame).edited
    session.study.redo()
    assert all((session.study.frame_state(frame).labels == Label.LVM).all() for frame in frames)


def test_an_offer_leaves_label_maps_alone_until_it_is_taken(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    frame, same = FrameIndex(0, 0), FrameIndex(0, 1)
    before = labels_of(session, frame)
    drawn = np.full_like(before, Label.RVBP)
    session.study.offer_labels({frame: drawn, same: labels_of(session, same)}, "propagate")
    assert session.study.offer is not None
    assert set(session.study.offer.label_maps) == {frame}
    assert (session.study.frame_state(frame).labels == before).all()
    with qtbot.waitSignal(session.study.offer_changed):
        assert session.study.take_offer() == (frame,)
    assert session.study.offer is None
    assert (session.study.frame_state(frame).labels == Label.RVBP).all()
    assert session.study.undo_text == "propagate"


def test_an_offer_goes_when_its_frame_changes_and_when_the_study_closes(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    frame = FrameIndex(0, 0)
    drawn = np.full_like(labels_of(session, frame), Label.RVBP)
    session.study.offer_labels({frame: drawn}, "propagate")
    paint(session, FrameIndex(0, 1))
    assert session.study.offer is not None
    paint(session, frame)
    assert session.study.offer is None
    session.study.offer_labels({frame: drawn}, "propagate")
    session.study.drop_offer()
    assert session.study.offer is None
    session.study.offer_labels({frame: drawn}, "propagate")
    session.close_study()
    assert session.study.offer is None


def labels_of(session: Session, frame: FrameIndex) -> LabelMap:
    labels = session.study.frame_state(frame).labels
    assert labels is not None
    return labels.copy()


def test_undoing_a_stroke_on_an_accepted_frame_leaves_it_accepted_as_it_was(qtbot: Any, session: Session) -> None:
    open_whole(qtbot, session)
    frame = FrameIndex(0, 1)
    with qtbot.waitSignal(session.study.frames_accepted):
        session.study.accept(frame)
    kept(qtbot, session)
    before = labels_of(session, frame)
    paint(session, frame)
    assert session.study.frame_state(frame).status is ReviewStatus.DRAFT
    with qtbot.waitSignal(session.study.frames_accepted):
        session.study.undo()
    kept(qtbot, session)
    state = session.study.frame_state(frame)
    assert state.status is ReviewStatus.ACCEPTED
    assert not state.edited
    assert (state.labels == before).all()
    session.study.undo()
    assert session.study.frame_state(frame).status is None
