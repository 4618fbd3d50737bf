"""A retraining in the workspace's records: begun where it can be decided, and concluded by the gate."""

import hashlib
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from cmr_viewer.domain.role import SPECIALISTS, TRAINING_ORDER, Role
from cmr_viewer.errors import CmrViewerError, ModelError, StoreError, TrainingError
from cmr_viewer.promote.gate import NO_CHANGE, Assessment, Decision, decide, due_look, missing_patients
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.model_registry import INTERRUPTED, ModelEntry, ModelRegistry, TrainingRun, TrainingRuns
from cmr_viewer.store.reviewed import ReviewedStack, corrections_of, read_reviewed

log = logging.getLogger(__name__)

CANDIDATES_SAVED = 3
"""Candidates of a role that were never in service and stay on disk, to be looked at and used all the same."""


class End(StrEnum):
    """How a retraining ended, in the word that the workspace has for it."""

    PROMOTED = "promoted"
    """The candidate is in service."""
    NOT_PROMOTED = "kept"
    """The candidate was not better, or it could not be decided; the active model stays."""
    CANCELLED = "cancelled"
    FAILED = "failed"
    REFUSED = "refused"
    """Training was not begun."""


@dataclass(frozen=True)
class Outcome:
    """How a retraining ended.

    Attributes:
        role: What was retrained.
        end: How it ended.
        reason: Why, for a reader.
        model_id: The candidate, or None.
        decision: The figures that decided; None where there is no candidate.
    """

    role: Role
    end: End
    reason: str
    model_id: str | None = None
    decision: Decision | None = None


@dataclass(frozen=True)
class Trained:
    """What a training left.

    Attributes:
        assessment: `Assessment.as_json` of the candidate; None where there is no candidate.
        cancelled: Whether it was cancelled.
        reason: Why there is no candidate, for a reader; empty if there is one.
        curve: (batches done, loss) as it was trained, for the record.
        seconds: How long it took.
    """

    assessment: Mapping[str, Any] | None = None
    cancelled: bool = False
    reason: str = ""
    curve: Sequence[tuple[int, float]] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class RetrainingRun:
    """A retraining that was begun.

    Attributes:
        role: What is trained.
        run_id: Row of the run.
        staging: Folder for the candidate.
        readiness: What it learns from.
    """

    role: Role
    run_id: int
    staging: Path
    readiness: "Readiness"


@dataclass(frozen=True)
class Readiness:
    """What a role could learn from now, and what it lacks to be judged.

    Attributes:
        role: The role.
        active_id: The model that serves its frames; None where none does.
        patients: Patients with corrections that the active model has not learned from.
        corrections: Their corrected frames; for the classifier, corrected regions.
        earlier: Looks that were used against the active model.
        look: The look that is due, in patients; None if none is.
        missing: How many more patients the next look takes; None where no look is left.
        fingerprint: Of the corrections; changes with each of them.
        tried: Whether a run on these corrections ended without a promotion; one that was interrupted does not count.
    """

    role: Role
    active_id: str | None
    patients: int
    corrections: int
    earlier: tuple[int, ...]
    look: int | None
    missing: int | None
    fingerprint: str
    tried: bool = False

    @property
    def text(self) -> str:
        """What is missing, for a reader; empty where the role can be trained."""
        if self.active_id is None:
            return "No model serves these frames."
        if self.look is not None:
            return ""
        if self.missing is None:
            return f"Judged at {max(self.earlier)} patients for the last time; the model in use stays."
        more = "1 more patient" if self.missing == 1 else f"{self.missing} more patients"
        return f"{more} with {_corrected(self.role)}"


def _corrected(role: Role) -> str:
    if role is Role.CLASSIFIER:
        return "corrected regions, beside regions that you accepted as right"
    return "corrected frames" if role.region is None else f"corrected {_ADJECTIVES[role]} frames"


_ADJECTIVES = {Role.BASE: "basal", Role.MIDDLE: "mid-ventricular", Role.APEX: "apical"}


def serving(registry: ModelRegistry, role: Role) -> ModelEntry:
    """The model for a role's frames: the one in use, or the baseline where a region has no specialist.

    Raises:
        ModelError: There is none.
    """
    active = registry.active_all()
    if role not in active and role in SPECIALISTS and Role.BASELINE in active:
        return active[Role.BASELINE]
    return registry.active(role)


def learned_patients(runs: Sequence[TrainingRun], model_id: str | None) -> frozenset[str]:
    """Patients whose corrections a model has learned from, itself or as the model that it was grown from."""
    learned: set[str] = set()
    made = {run.detail.get("model_id"): run for run in runs if run.detail.get("model_id")}
    while model_id in made:
        run = made.pop(model_id)
        learned.update(run.detail.get("patients", ()))
        model_id = run.detail.get("parent")
    return frozenset(learned)


@dataclass(frozen=True)
class Records:
    """Where retrainings are recorded.

    Attributes:
        workspace: Where corrections are saved.
        registry: Models and promotions.
    """

    workspace: Workspace
    registry: ModelRegistry

    @property
    def runs(self) -> TrainingRuns:
        """The training runs."""
        return TrainingRuns(self.workspace)

    def readiness(self) -> dict[Role, Readiness]:
        """What each role could learn from now, in `TRAINING_ORDER`."""
        stacks = list(read_reviewed(self.workspace, pixels=False))
        runs = self.runs.runs()
        return {role: self._readiness(role, stacks, runs) for role in TRAINING_ORDER}

    def _readiness(self, role: Role, stacks: Sequence[ReviewedStack], runs: Sequence[TrainingRun]) -> Readiness:
        found = corrections_of(stacks, role)
        try:
            active: str | None = serving(self.registry, role).model_id
        except ModelError:
            active = None
        learned = learned_patients(runs, active)
        new = {patient: numbers for patient, numbers in found.items() if patient not in learned}
        against = [run for run in runs if run.role is role and run.detail.get("parent") == active]
        looks = (run.detail.get("decision", {}).get("look") for run in against)
        earlier = tuple(sorted(look for look in looks if isinstance(look, int)))
        digest = hashlib.blake2b(repr(sorted(found.items())).encode(), digest_size=8).hexdigest()
        look = None if active is None else due_look(len(new), earlier)
        missing = missing_patients(len(new), earlier)
        corrections = sum(len(numbers) for numbers in new.values())
        ended = [run for run in against if run.outcome not in (None, INTERRUPTED)]
        tried = any(run.detail.get("fingerprint") == digest for run in ended)
        return Readiness(role, active, len(new), corrections, earlier, look, missing, digest, tried)

    def begin(self, role: Role) -> RetrainingRun:
        """Check that a candidate could be judged, and begin a run.

        Raises:
            TrainingError: It could not, with what is missing.
            StoreError: It cannot be written.
        """
        stacks = list(read_reviewed(self.workspace, pixels=False))
        readiness = self._readiness(role, stacks, self.runs.runs())
        if readiness.look is None:
            what = f"The {role.text.lower()} is not trained now."
            lacks = f"Needed: {readiness.text}." if readiness.missing else readiness.text
            raise TrainingError(f"{what} {lacks}")
        staging = self.registry.staging_folder()
        try:
            begun = {
                "parent": readiness.active_id,
                "corrections": readiness.corrections,
                "corrected_patients": readiness.patients,
                "fingerprint": readiness.fingerprint,
            }
            return RetrainingRun(role, self.runs.start(role, begun), staging, readiness)
        except CmrViewerError:
            shutil.rmtree(staging, ignore_errors=True)
            raise

    def conclude(self, run: RetrainingRun, trained: Trained) -> Outcome:
        """Put the candidate in service if the gate lets it, and record the end of the run; it is finished in any case.

        What is in service and what is known of the run change in one transaction: where it cannot be written, or the
        program ends before, the active model stays and the run counts as interrupted.

        Raises:
            StoreError: The end of the run cannot be written.
        """
        try:
            outcome = self._candidate_concluded(run, trained)
        except CmrViewerError as error:
            log.exception("The candidate could not be registered.")
            outcome = Outcome(run.role, End.FAILED, f"{error} {NO_CHANGE}")
            self._finish(run, trained, outcome)
        finally:
            shutil.rmtree(run.staging, ignore_errors=True)
        try:
            self.registry.clean_up(CANDIDATES_SAVED)
        except StoreError:  # of no consequence for this run; the next one cleans up
            log.exception("Old candidates could not be removed.")
        return outcome

    def _finish(self, run: RetrainingRun, trained: Trained, outcome: Outcome) -> None:
        decision, guards = outcome.decision, (trained.assessment or {}).get("guards", [])
        detail = {
            "reason": outcome.reason,
            "model_id": outcome.model_id,
            "seconds": round(trained.seconds, 1),
            "curve": [[batch, round(loss, 4)] for batch, loss in trained.curve],
            **({} if decision is None else {"decision": decision.as_json(), "guards": guards}),
        }
        self.runs.finish(run.run_id, outcome.end, detail)

    def _candidate_concluded(self, run: RetrainingRun, trained: Trained) -> Outcome:
        if trained.cancelled:
            outcome = Outcome(run.role, End.CANCELLED, f"Training was cancelled. {NO_CHANGE}")
        elif trained.assessment is None:
            outcome = Outcome(run.role, End.FAILED, f"{trained.reason} {NO_CHANGE}")
        else:
            return self._judged(run, trained, Assessment.from_json(trained.assessment))
        self._finish(run, trained, outcome)
        return outcome

    def _judged(self, run: RetrainingRun, trained: Trained, assessment: Assessment) -> Outcome:
        if assessment.role is not run.role:
            raise TrainingError(f"The candidate is for the role {assessment.role.text}, not {run.role.text}.")
        in_use = serving(self.registry, run.role).model_id
        for compared_with in (assessment.active_id, run.readiness.active_id):
            if compared_with != in_use:
                raise TrainingError(
                    f"The model in use changed from {compared_with} to {in_use} while the new one was trained. Train "
                    "again."
                )
        decision = decide(assessment, run.readiness.earlier)
        # Before the candidate is there: if the program ends before the decision is saved, it is known whose it was,
        # and the next opening removes it. Only the training knows whom it learned from: readers go on meanwhile.
        self.runs.note(run.run_id, {"model_id": assessment.candidate_id, "patients": list(assessment.taught)})
        model_id = self.registry.adopt(run.staging, assessment.candidate_id).model_id
        end = End.PROMOTED if decision.promote else End.NOT_PROMOTED
        outcome = Outcome(run.role, end, decision.reason, model_id, decision)
        try:
            with self.workspace.write():
                if decision.promote:
                    self.registry.promote(run.role, model_id, decision.reason)
                else:
                    self.registry.decline(run.role, model_id, decision.reason)
                self._finish(run, trained, outcome)
        except CmrViewerError:
            self.registry.discard(model_id)
            raise
        return outcome
