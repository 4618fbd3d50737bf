"""Retrainings in a workspace: what is missing, how a run begins and ends, and what is known after a fault."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import ModelError, StoreError, TrainingError
from cmr_viewer.promote.gate import Assessment, GuardScore, JudgedFrame
from cmr_viewer.promote.records import (
    CANDIDATES_SAVED,
    End,
    Outcome,
    Records,
    RetrainingRun,
    Trained,
    learned_patients,
    serving,
)
from cmr_viewer.store.annotations import AnnotationStore, RegionSet, Work
from cmr_viewer.store.database import Workspace, open_workspace
from cmr_viewer.store.model_registry import INTERRUPTED, ModelRegistry, TrainingRuns
from tests.store.saving import abandon, pixels, save, save_study

BASAL = FrameIndex(0, 0)


def make_model(folder: Path, model_id: str, role: Role = Role.BASE) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plan.json").write_text(json.dumps({"model_id": model_id, "role": role.value}), encoding="utf-8")
    (folder / "weights.safetensors").write_bytes(b"0")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with open_workspace(tmp_path / "workspace", reader="R. Eader") as opened:
        yield opened


def records_in(workspace: Workspace) -> Records:
    shipped = workspace.folder.parent / "shipped"
    for role in Role:
        make_model(shipped / f"{role.value}-1", f"{role.value}-1", role)
    return Records(workspace, ModelRegistry(shipped, workspace))


@pytest.fixture
def records(workspace: Workspace) -> Records:
    """One shipped model of each role."""
    return records_in(workspace)


def correct(workspace: Workspace, patients: Sequence[str], region: Region = Region.BASE, frame: Any = BASAL) -> None:
    """Accept a corrected frame of each patient."""
    store = AnnotationStore(workspace)
    for patient in patients:
        stack_id = patient.ljust(32, "0")
        save_study(store, stack_id, patient)
        save(store, frame, status=ReviewStatus.ACCEPTED, region=region, stack_id=stack_id)


def some(count: int, first: int = 0) -> list[str]:
    return [f"p{number:02d}" for number in range(first, first + count)]


def assessment(
    gain: float, patients: int = 4, *, model_id: str = "base-2", active_id: str = "base-1", forgotten: float = 0.0
) -> Assessment:
    frames = tuple(
        JudgedFrame(f"{n}", "s", 0, 0, Region.BASE, {"LVBP": 0.8}, {"LVBP": 0.8 + gain}, {}, {})
        for n in range(patients)
    )
    guard = GuardScore("earlier corrections", 3, 6, 0.9, 0.9 - forgotten)
    return Assessment(Role.BASE, model_id, active_id, "Dice", frames, (guard,), tuple(some(patients)))


def begun(records: Records, model_id: str = "base-2") -> RetrainingRun:
    """A run whose child has written the candidate."""
    run = records.begin(Role.BASE)
    make_model(run.staging, model_id)
    return run


def ended(records: Records, gain: float, **given: Any) -> Outcome:
    made = assessment(gain, **given)
    return records.conclude(begun(records, made.candidate_id), Trained(made.as_json()))


# -- what is missing ---------------------------------------------------------------------------------------------------


def test_each_role_counts_the_patients_that_it_could_be_judged_on(workspace: Workspace, records: Records) -> None:
    correct(workspace, some(3))
    correct(workspace, ["p00"], Region.BASE, FrameIndex(0, 1))
    correct(workspace, some(4, first=2), Region.APEX, FrameIndex(0, 3))
    found = records.readiness()
    counted = {role: (one.patients, one.corrections, one.look, one.missing) for role, one in found.items()}
    assert counted == {
        Role.BASE: (3, 4, None, 1),
        Role.MIDDLE: (0, 0, None, 4),
        Role.APEX: (4, 4, 4, 0),
        Role.BASELINE: (6, 8, 4, 0),
        Role.CLASSIFIER: (0, 0, None, 4),
    }
    assert list(found) == [Role.BASE, Role.MIDDLE, Role.APEX, Role.BASELINE, Role.CLASSIFIER], "as they are trained"
    assert found[Role.BASE].text == "1 more patient with corrected basal frames"
    assert found[Role.MIDDLE].text == "4 more patients with corrected mid-ventricular frames"
    assert found[Role.CLASSIFIER].text.startswith("4 more patients with corrected regions")
    assert found[Role.APEX].text == found[Role.BASELINE].text == ""
    assert {role: one.active_id for role, one in found.items()} == {role: f"{role.value}-1" for role in Role}


def test_frames_accepted_as_predicted_are_no_corrections(workspace: Workspace, records: Records) -> None:
    store = AnnotationStore(workspace)
    save_study(store)
    save(store, BASAL, status=ReviewStatus.ACCEPTED, provenance=Provenance.AUTOMATIC)
    assert {one.corrections for one in records.readiness().values()} == {0}


def test_corrected_regions_count_for_the_classifier_where_a_region_was_also_right(
    workspace: Workspace, records: Records
) -> None:
    store = AnnotationStore(workspace)
    for patient, also_right in (("p0", True), ("p1", False)):
        stack_id = patient.ljust(32, "0")
        save_study(store, stack_id, patient)
        regions = {BASAL: RegionSet(Region.NON_CARDIAC, Region.BASE)}
        if also_right:
            regions[FrameIndex(0, 1)] = RegionSet(Region.MIDDLE, Region.MIDDLE)
        store.save(stack_id, Work(regions=regions), pixels=pixels(BASAL, FrameIndex(0, 1)))
    found = records.readiness()[Role.CLASSIFIER]
    assert (found.patients, found.corrections) == (1, 1)


def test_the_fingerprint_changes_with_each_correction_and_else_stays(workspace: Workspace, records: Records) -> None:
    correct(workspace, some(1))
    first = records.readiness()[Role.BASE].fingerprint
    assert records.readiness()[Role.BASE].fingerprint == first
    correct(workspace, some(1))
    assert records.readiness()[Role.BASE].fingerprint != first


def test_without_any_model_nothing_can_be_trained(workspace: Workspace) -> None:
    correct(workspace, some(4))
    records = Records(workspace, ModelRegistry(workspace.folder / "none", workspace))
    found = records.readiness()[Role.BASE]
    assert (found.active_id, found.look) == (None, None)
    assert found.text == "No model serves these frames."
    with pytest.raises(TrainingError, match="No model serves these frames"):
        records.begin(Role.BASE)


def test_a_region_without_a_specialist_is_served_by_the_baseline(tmp_path: Path) -> None:
    make_model(tmp_path / "baseline-1", "baseline-1", Role.BASELINE)
    registry = ModelRegistry(tmp_path, None)
    assert serving(registry, Role.APEX).model_id == "baseline-1"
    with pytest.raises(ModelError):
        serving(registry, Role.CLASSIFIER)


# -- a run -------------------------------------------------------------------------------------------------------------


def test_a_run_that_could_not_be_judged_does_not_begin(workspace: Workspace, records: Records) -> None:
    correct(workspace, some(3))
    with pytest.raises(TrainingError) as told:
        records.begin(Role.BASE)
    assert str(told.value) == (
        "The base specialist is not trained now. Needed: 1 more patient with corrected basal frames."
    )
    assert records.runs.runs() == [] and not list(workspace.models_folder.glob(".staging-*"))


def test_a_run_notes_what_it_begins_with(workspace: Workspace, records: Records) -> None:
    correct(workspace, some(4))
    run = records.begin(Role.BASE)
    (row,) = records.runs.runs()
    assert (row.role, row.outcome) == (Role.BASE, None)
    assert row.detail == {
        "parent": "base-1",
        "corrections": 4,
        "corrected_patients": 4,
        "fingerprint": run.readiness.fingerprint,
    }


def test_a_better_candidate_is_put_in_service(workspace: Workspace, records: Records) -> None:
    correct(workspace, some(4))
    run, made = begun(records), assessment(0.05)
    trained = Trained(made.as_json(), curve=((20, 0.51239), (40, 0.4)), seconds=61.26)
    outcome = records.conclude(run, trained)
    assert (outcome.end, outcome.model_id) == (End.PROMOTED, "base-2")
    assert outcome.reason.startswith("Promoted: Dice 80.0 to 85.0, +5.0 points")
    assert records.registry.active(Role.BASE).model_id == "base-2" and not run.staging.exists()
    (row,) = records.runs.runs()
    assert (row.outcome, row.detail["model_id"], row.detail["parent"]) == ("promoted", "base-2", "base-1")
    assert (row.detail["reason"], row.detail["seconds"]) == (outcome.reason, 61.3)
    assert row.detail["curve"] == [[20, 0.5124], [40, 0.4]]
    assert row.detail["decision"]["look"] == 4 and row.detail["decision"]["total"]["gain"] == pytest.approx(0.05)
    assert row.detail["guards"] == [
        {"name": "earlier corrections", "patients": 3, "frames": 6, "active": 0.9, "candidate": 0.9}
    ]


def test_patients_who_taught_without_a_correction_count_as_learned_from(workspace: Workspace, records: Records) -> None:
    correct(workspace, some(4))
    made = replace(assessment(0.05), taught=("accepted-only", *some(4)))
    assert records.conclude(begun(records), Trained(made.as_json())).end is End.PROMOTED
    assert learned_patients(records.runs.runs(), "base-2") == {"accepted-only", *some(4)}
    correct(workspace, ["accepted-only", *some(1, first=9)])
    assert records.readiness()[Role.BASE].patients == 1, "only the patient that the model has not seen judges it"


def test_a_candidate_that_is_not_better_is_recorded_and_the_active_model_stays(
    workspace: Workspace, records: Records
) -> None:
    correct(workspace, some(4))
    outcome = ended(records, 0.0)
    assert outcome.end is End.NOT_PROMOTED and "not measurably better" in outcome.reason
    assert records.registry.active(Role.BASE).model_id == "base-1"
    (row,) = records.registry.history(Role.BASE)
    assert (row.kind, row.model_id, row.reason) == ("keep", "base-2", outcome.reason)
    assert [one.outcome for one in records.runs.runs()] == ["kept"]


def test_a_candidate_that_forgets_is_not_promoted(workspace: Workspace, records: Records) -> None:
    correct(workspace, some(4))
    outcome = ended(records, 0.05, forgotten=0.02)
    assert outcome.end is End.NOT_PROMOTED and "forgets" in outcome.reason


@pytest.mark.parametrize(
    ("trained", "end", "reason"),
    [
        (Trained(cancelled=True), End.CANCELLED, "Training was cancelled."),
        (Trained(reason="The child crashed."), End.FAILED, "The child crashed."),
        (Trained({}), End.FAILED, "Could not read the figures of the new model"),
        (
            Trained(replace(assessment(0.05), role=Role.APEX).as_json()),
            End.FAILED,
            "for the role Apex specialist, not Base",
        ),
    ],
)
def test_without_a_candidate_the_active_model_stays(
    workspace: Workspace, records: Records, trained: Trained, end: End, reason: str
) -> None:
    correct(workspace, some(4))
    run = begun(records)
    outcome = records.conclude(run, trained)
    assert outcome.end is end and reason in outcome.reason
    assert outcome.reason.endswith("No change: the current model stays.")
    assert records.registry.active(Role.BASE).model_id == "base-1" and not run.staging.exists()
    assert [one.outcome for one in records.runs.runs()] == [str(end)]


@pytest.mark.parametrize("missing", ["plan.json", "weights.safetensors"])
def test_a_candidate_that_is_half_written_is_not_used(workspace: Workspace, records: Records, missing: str) -> None:
    correct(workspace, some(4))
    run = begun(records)
    (run.staging / missing).unlink()
    outcome = records.conclude(run, Trained(assessment(0.05).as_json()))
    assert outcome.end is End.FAILED and missing in outcome.reason
    assert records.registry.active(Role.BASE).model_id == "base-1" and not run.staging.exists()
    assert not list(workspace.models_folder.iterdir())


def test_a_model_that_was_changed_while_the_new_one_was_trained_is_not_replaced(
    workspace: Workspace, records: Records
) -> None:
    correct(workspace, some(4))
    assert ended(records, 0.05).end is End.PROMOTED
    correct(workspace, some(4, first=4))
    run = begun(records, "base-3")
    records.registry.roll_back(Role.BASE)
    outcome = records.conclude(run, Trained(assessment(0.05, model_id="base-3", active_id="base-2").as_json()))
    assert outcome.end is End.FAILED
    assert "The model in use changed from base-2 to base-1 while the new one was trained" in outcome.reason
    assert records.registry.active(Role.BASE).model_id == "base-1"


# -- looks and what was learned ----------------------------------------------------------------------------------------


def test_a_look_is_used_up_and_counts_only_against_the_same_model(workspace: Workspace, records: Records) -> None:
    correct(workspace, some(4))
    ended(records, 0.0)
    found = records.readiness()[Role.BASE]
    assert (found.patients, found.earlier, found.look, found.missing, found.tried) == (4, (4,), None, 4, True)
    correct(workspace, some(4, first=4))
    found = records.readiness()[Role.BASE]
    assert (found.patients, found.look, found.tried) == (8, 8, False)
    assert ended(records, 0.05, patients=8, model_id="base-3").end is End.PROMOTED
    found = records.readiness()[Role.BASE]
    assert (found.active_id, found.patients, found.earlier, found.missing) == ("base-3", 0, (), 4)


def test_after_the_last_look_the_text_says_so(workspace: Workspace, records: Records) -> None:
    correct(workspace, some(32))
    ended(records, 0.0, patients=32)
    assert records.readiness()[Role.BASE].text == "Judged at 32 patients for the last time; the model in use stays."
    with pytest.raises(TrainingError, match=r"not trained now\. Judged at 32 patients for the last time"):
        records.begin(Role.BASE)


def test_what_was_learned_is_that_of_the_model_and_of_those_it_was_grown_from(
    workspace: Workspace, records: Records
) -> None:
    correct(workspace, some(4))
    ended(records, 0.05)
    correct(workspace, some(4, first=4))
    made = replace(assessment(0.05, model_id="base-3", active_id="base-2"), taught=tuple(some(8)))
    records.conclude(begun(records, "base-3"), Trained(made.as_json()))
    runs = records.runs.runs()
    assert learned_patients(runs, "base-2") == set(some(4))
    assert learned_patients(runs, "base-3") == set(some(8))
    assert learned_patients(runs, "base-1") == learned_patients(runs, None) == frozenset()
    # rolled back, the patients of the later model are new again, and the look at them stays used up
    records.registry.roll_back(Role.BASE)
    found = records.readiness()[Role.BASE]
    assert (found.active_id, found.patients, found.earlier, found.missing) == ("base-2", 4, (4,), 4)


@pytest.mark.parametrize("end", [Trained(cancelled=True), Trained(reason="The child crashed.")])
def test_corrections_are_not_trained_on_again_by_themselves(
    workspace: Workspace, records: Records, end: Trained
) -> None:
    correct(workspace, some(4))
    records.conclude(records.begin(Role.BASE), end)
    found = records.readiness()[Role.BASE]
    assert (found.look, found.tried) == (4, True), "the look is not used up, and the reader may begin"
    correct(workspace, ["p9"])
    assert not records.readiness()[Role.BASE].tried


# -- faults ------------------------------------------------------------------------------------------------------------


def test_a_run_that_was_cut_off_is_told_and_can_begin_again(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "workspace", reader="R. Eader")
    correct(workspace, some(4))
    staging = begun(records_in(workspace)).staging
    abandon(workspace)
    with open_workspace(tmp_path / "workspace", reader="R. Eader") as workspace:
        assert workspace.recovery.interrupted_training == (Role.BASE,) and not staging.exists()
        records = records_in(workspace)
        found = records.readiness()[Role.BASE]
        assert (found.look, found.tried) == (4, False)
        assert records.registry.active(Role.BASE).model_id == "base-1"
        assert ended(records, 0.05).end is End.PROMOTED


def test_a_candidate_whose_end_could_not_be_written_is_not_in_service_and_the_look_is_not_used_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise StoreError("The disk is full.")

    workspace = open_workspace(tmp_path / "workspace", reader="R. Eader")
    correct(workspace, some(4))
    records = records_in(workspace)
    with monkeypatch.context() as patch:
        patch.setattr(TrainingRuns, "finish", full)
        with pytest.raises(StoreError, match="disk is full"):
            ended(records, 0.05)
    assert records.registry.history(Role.BASE) == [] and not list(workspace.models_folder.iterdir())
    abandon(workspace)
    with open_workspace(tmp_path / "workspace", reader="R. Eader") as workspace:
        records = records_in(workspace)
        (row,) = records.runs.runs()
        assert row.outcome == INTERRUPTED
        assert records.registry.active(Role.BASE).model_id == "base-1"
        found = records.readiness()[Role.BASE]
        assert (found.patients, found.look, found.tried) == (4, 4, False)


def test_figures_that_are_not_numbers_end_the_run(workspace: Workspace, records: Records) -> None:
    correct(workspace, some(4))
    made = assessment(0.05).as_json()
    made["guards"][0]["candidate"] = float("nan")
    outcome = records.conclude(begun(records), Trained(made))
    assert outcome.end is End.FAILED and "Could not read the figures of the new model" in outcome.reason
    assert [one.outcome for one in records.runs.runs()] == ["failed"]


def test_a_candidate_under_another_name_than_that_which_was_judged_is_not_used(
    workspace: Workspace, records: Records
) -> None:
    correct(workspace, some(4))
    outcome = records.conclude(begun(records, "base-9"), Trained(assessment(0.05).as_json()))
    assert outcome.end is End.FAILED and "has the model base-9, not base-2" in outcome.reason
    assert not list(workspace.models_folder.iterdir())


def test_a_disk_that_is_full_when_the_candidate_is_registered_ends_the_run(
    workspace: Workspace, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise StoreError("The disk is full.")

    correct(workspace, some(4))
    run = begun(records)
    monkeypatch.setattr(ModelRegistry, "adopt", full)
    outcome = records.conclude(run, Trained(assessment(0.05).as_json()))
    assert outcome.end is End.FAILED and "The disk is full." in outcome.reason
    assert [one.outcome for one in records.runs.runs()] == ["failed"] and not run.staging.exists()


def test_candidates_that_cannot_be_cleaned_up_do_not_hide_the_outcome(
    workspace: Workspace, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise StoreError("The disk is full.")

    correct(workspace, some(4))
    monkeypatch.setattr(ModelRegistry, "clean_up", full)
    assert ended(records, 0.05).end is End.PROMOTED


def test_old_declined_candidates_are_removed(workspace: Workspace, records: Records) -> None:
    looks = (4, 8, 16, 32)
    for number, look in enumerate(looks):
        correct(workspace, some(look))
        assert ended(records, 0.0, patients=look, model_id=f"base-{number + 2}").end is End.NOT_PROMOTED
    left = sorted(folder.name for folder in workspace.models_folder.iterdir())
    assert left == ["base-3", "base-4", "base-5"] and len(left) == CANDIDATES_SAVED
