"""What is written down before and after a training; functions for the store thread, without Qt."""

import logging
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cmr_viewer.app.training_child import ChildResult
from cmr_viewer.domain.anatomy import REGIONS, Region
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import CmrViewerError, TrainingError
from cmr_viewer.promote.assess import Assessment
from cmr_viewer.promote.gate import NO_CHANGE, decide
from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.model_registry import ModelRegistry
from cmr_viewer.store.training_runs import TrainingRuns

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a retraining ended; exactly one of the five flags is set.

    Attributes:
        role: What was retrained.
        reason: Why, for a reader.
        promoted: The candidate is in service.
        kept: The candidate was not better, or it could not be told; the active model stays.
        cancelled: The reader cancelled.
        failed: It ended with an error; the active model stays.
        refused: Training was not begun.
        model_id: The candidate, or None.
    """

    role: Role
    reason: str
    promoted: bool = False
    kept: bool = False
    cancelled: bool = False
    failed: bool = False
    refused: bool = False
    model_id: str | None = None

    @property
    def word(self) -> str:
        """The outcome in one word, as it is written down."""
        for word in ("promoted", "kept", "cancelled", "refused"):
            if getattr(self, word):
                return word
        return "failed"


@dataclass(frozen=True)
class Run:
    """A training that was begun.

    Attributes:
        role: What is trained.
        run_id: Row of the run.
        staging: Folder that the child writes the candidate to.
    """

    role: Role
    run_id: int
    staging: Path


@dataclass(frozen=True)
class Records:
    """Where trainings are written down.

    Attributes:
        store: Accepted frames.
        registry: Models and promotions.
        runs: Training runs.
    """

    store: AnnotationStore
    registry: ModelRegistry
    runs: TrainingRuns

    def begin(self, role: Role, minimum: int) -> Run:
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
            region = region_of(role)
            where = "" if region is None else f" of region {region.text.lower()}"
            raise TrainingError(
                f"Too few accepted corrections{where} for retraining: {found}, and {minimum} are needed. Correct "
                "and accept more frames."
            )
        staging = self.registry.staging_folder()
        try:
            return Run(role, self.runs.start(role), staging)
        except CmrViewerError:
            shutil.rmtree(staging, ignore_errors=True)
            raise

    def conclude(self, run: Run, result: ChildResult) -> Outcome:
        """Promote or keep the candidate, or throw the remains of the run away; the run is finished in any case.

        Raises:
            StoreError: The end of the run cannot be written.
        """
        try:
            outcome = self._outcome(run, result)
        except CmrViewerError as error:
            log.exception("The candidate could not be registered.")
            outcome = Outcome(run.role, f"{error} {NO_CHANGE}", failed=True)
        finally:
            shutil.rmtree(run.staging, ignore_errors=True)
        self.runs.finish(run.run_id, outcome.word, {"reason": outcome.reason, "model_id": outcome.model_id})
        return outcome

    def _outcome(self, run: Run, result: ChildResult) -> Outcome:
        if result.cancelled:
            return Outcome(run.role, f"Training was cancelled. {NO_CHANGE}", cancelled=True)
        if result.done is None:
            return Outcome(run.role, f"{result.reason} {NO_CHANGE}", failed=True)
        assessment = Assessment.from_json(result.done.get("assessment") or {})
        if assessment.role is not run.role:
            raise TrainingError(f"The candidate is for the role {assessment.role.text}, not {run.role.text}.")
        decision = decide(assessment)
        model_id = self.registry.adopt(run.staging).model_id
        if decision.promote:
            self.registry.promote(run.role, model_id, decision.reason)
            return Outcome(run.role, decision.reason, promoted=True, model_id=model_id)
        self.registry.keep(run.role, model_id, decision.reason)
        return Outcome(run.role, decision.reason, kept=True, model_id=model_id)

    def corrections(self, role: Role, *, since: datetime | None = None) -> int:
        """Accepted frames, not as predicted, that a role learns from: a specialist from its region, others from all."""
        region = region_of(role)
        regions = REGIONS if region is None else (region,)
        return sum(self.store.count_corrections(one, since=since) for one in regions)

    def corrections_waiting(self) -> dict[Role, int]:
        """Per role: corrections that were accepted since its last training began.

        A training that was cancelled, failed or interrupted counts too, so that it is not begun again and again.
        """
        return {role: self.corrections(role, since=self._last_start(role)) for role in Role}

    def _last_start(self, role: Role) -> datetime | None:
        runs = self.runs.runs(role)
        return runs[-1].started_at if runs else None


def region_of(role: Role) -> Region | None:
    """The region whose corrections train a role; None for the roles that learn from all."""
    return {Role.BASE: Region.BASE, Role.MIDDLE: Region.MIDDLE, Role.APEX: Region.APEX}.get(role)
