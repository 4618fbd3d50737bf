"""A retraining in the workspace's records: begun where there is enough to learn from, and concluded by the gate."""

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from cmr_viewer.domain.anatomy import REGIONS
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import CmrViewerError, TrainingError
from cmr_viewer.promote.gate import NO_CHANGE, Assessment, decide
from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.model_registry import ModelRegistry, TrainingRuns

log = logging.getLogger(__name__)


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
    """

    role: Role
    end: End
    reason: str
    model_id: str | None = None


@dataclass(frozen=True)
class Trained:
    """What a training left.

    Attributes:
        assessment: `Assessment.as_json` of the candidate; None where there is no candidate.
        cancelled: Whether it was cancelled.
        reason: Why there is no candidate, for a reader; empty if there is one.
    """

    assessment: Mapping[str, Any] | None = None
    cancelled: bool = False
    reason: str = ""


@dataclass(frozen=True)
class RetrainingRun:
    """A retraining that was begun.

    Attributes:
        role: What is trained.
        run_id: Row of the run.
        staging: Folder for the candidate.
    """

    role: Role
    run_id: int
    staging: Path


@dataclass(frozen=True)
class Records:
    """Where retrainings are recorded.

    Attributes:
        store: Accepted frames.
        registry: Models and promotions.
        runs: Training runs.
    """

    store: AnnotationStore
    registry: ModelRegistry
    runs: TrainingRuns

    def begin(self, role: Role, minimum: int) -> RetrainingRun:
        """Check that there is something to learn from, and begin a run.

        Args:
            role: What is to be trained.
            minimum: Accepted corrections that it takes.

        Raises:
            TrainingError: There is too little.
            StoreError: It cannot be written.
        """
        found = self.corrections(role)
        if found < minimum:
            where = "" if role.region is None else f" of region {role.region.text.lower()}"
            raise TrainingError(
                f"Too few accepted corrections{where} for retraining: {found}, and {minimum} are needed. Correct "
                "and accept more frames."
            )
        staging = self.registry.staging_folder()
        try:
            return RetrainingRun(role, self.runs.start(role), staging)
        except CmrViewerError:
            shutil.rmtree(staging, ignore_errors=True)
            raise

    def conclude(self, run: RetrainingRun, trained: Trained) -> Outcome:
        """Put the candidate in service if the gate lets it, and record the end of the run; it is finished in any case.

        Raises:
            StoreError: The end of the run cannot be written.
        """
        try:
            outcome = self._outcome(run, trained)
        except CmrViewerError as error:
            log.exception("The candidate could not be registered.")
            outcome = Outcome(run.role, End.FAILED, f"{error} {NO_CHANGE}")
        finally:
            shutil.rmtree(run.staging, ignore_errors=True)
        self.runs.finish(run.run_id, outcome.end, {"reason": outcome.reason, "model_id": outcome.model_id})
        return outcome

    def _outcome(self, run: RetrainingRun, trained: Trained) -> Outcome:
        if trained.cancelled:
            return Outcome(run.role, End.CANCELLED, f"Training was cancelled. {NO_CHANGE}")
        if trained.assessment is None:
            return Outcome(run.role, End.FAILED, f"{trained.reason} {NO_CHANGE}")
        assessment = Assessment.from_json(trained.assessment)
        if assessment.role is not run.role:
            raise TrainingError(f"The candidate is for the role {assessment.role.text}, not {run.role.text}.")
        decision = decide(assessment)
        model_id = self.registry.adopt(run.staging).model_id
        if decision.promote:
            self.registry.promote(run.role, model_id, decision.reason)
            return Outcome(run.role, End.PROMOTED, decision.reason, model_id)
        self.registry.decline(run.role, model_id, decision.reason)
        return Outcome(run.role, End.NOT_PROMOTED, decision.reason, model_id)

    def corrections(self, role: Role, *, since: datetime | None = None) -> int:
        """Accepted frames, not as predicted, that a role learns from: a specialist from its region, others from all."""
        regions = REGIONS if role.region is None else (role.region,)
        return sum(self.store.count_corrections(one, since=since) for one in regions)

    def corrections_waiting(self) -> dict[Role, int]:
        """Per role: corrections that were accepted since its last training began.

        A training that was cancelled, failed or interrupted counts too, so that it is not begun again and again.
        """
        waiting = {}
        for role in Role:
            runs = self.runs.runs(role)
            waiting[role] = self.corrections(role, since=runs[-1].started_at if runs else None)
        return waiting
