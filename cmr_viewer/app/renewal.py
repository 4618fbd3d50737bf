"""Studies whose label maps come from models that are no longer in service: which they are, and making them anew."""

import logging
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from cmr_viewer.analyse import LoadedModels
from cmr_viewer.app.jobs import Jobs, Priority
from cmr_viewer.app.models import ModelsInUse
from cmr_viewer.app.opening import StudyOpening
from cmr_viewer.app.retraining import Retraining
from cmr_viewer.app.saving import Saving
from cmr_viewer.app.study import CurrentStudy
from cmr_viewer.app.worklist import StudyList
from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import CmrViewerError, ModelError
from cmr_viewer.pipeline import renew_study
from cmr_viewer.progress import Progress
from cmr_viewer.reading.opening import Opener
from cmr_viewer.route.router import route
from cmr_viewer.store.annotations import AnnotationStore, StudyRow

log = logging.getLogger(__name__)

RENEWAL_KEY = "renewal"
LOOK_KEY = "older"

IDLE_MS = 30_000
"""How long a reader must not have changed or opened anything before a study of the list is renewed."""


class Renewal(QObject):
    """Knows the studies of the list that older models have segmented, and lets the models in service do it again.

    One study at a time, while the reader rests; it stops at once when the reader opens a study. The open study is
    renewed by itself.

    Attributes:
        older: Stacks with unreviewed label maps or regions of models that are no longer in service; as of the last
            `changed`.

    Signals:
        changed(): `older` is new.
    """

    changed = Signal()

    def __init__(
        self,
        jobs: Jobs,
        saving: Saving,
        models: ModelsInUse,
        study: CurrentStudy,
        opening: StudyOpening,
        worklist: StudyList,
        retraining: Retraining,
        opener: Opener,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.older: frozenset[str] = frozenset()
        self._jobs, self._saving, self._models, self._study = jobs, saving, models, study
        self._opening, self._worklist, self._retraining, self._opener = opening, worklist, retraining, opener
        self._tried: set[str] = set()
        self._stopped = self._changed = self._closing = False
        self._idle = QTimer(self, singleShot=True, interval=IDLE_MS)
        self._idle.timeout.connect(self.renew_next)
        models.changed.connect(self._on_models_changed)
        study.analysed.connect(self._on_analysed)
        study.history_changed.connect(self.note_work)
        opening.started.connect(self._on_opening)
        jobs.cancelled.connect(self._on_cancelled)

    @Slot()
    def refresh(self) -> None:
        """Look again which studies older models have segmented."""
        if self._models.loaded is not None:  # all that is being saved must be there, and the look may take seconds
            self._saving.do("Finishing what is being saved", _nothing, on_done=self._look)

    def _look(self, _done: object) -> None:
        models = self._models.loaded
        if models is not None and not self._closing:
            self._jobs.submit(
                LOOK_KEY,
                "Looking for older label maps",
                partial(_older, self._saving.saved.annotations, dict(models.active)),
                priority=Priority.RENEWAL,
                outlives_study=True,
                on_finished=self._on_found,
            )

    def shutdown(self) -> None:
        """Look and renew no more; called before the session is shut down."""
        self._closing = True
        self._idle.stop()
        self._stop()

    @Slot()
    def note_work(self) -> None:
        """The reader works: the next study is renewed later."""
        if self._idle.isActive():
            self._idle.start()

    @Slot()
    def renew_next(self) -> None:
        """Renew the next study of the list, unless something else is to be done first."""
        models, row = self._models.loaded, self._next()
        if models is None or row is None or self._jobs.is_busy(RENEWAL_KEY):
            return
        if self._opening.is_busy or self._models.is_analysing or self._retraining.running:
            self._idle.start()
            return
        self._stopped = False
        self._jobs.submit(
            RENEWAL_KEY,
            f"Renewing label maps of {row.name}",
            partial(self._renew, row, models),
            priority=Priority.RENEWAL,
            outlives_study=True,
            on_finished=partial(self._on_renewed, row.stack_id),
            on_failed=partial(self._on_failed, row.stack_id),
        )

    def _renew(self, row: StudyRow, models: LoadedModels, progress: Progress) -> Iterator[None]:
        """On the job thread."""
        try:
            yield from renew_study(
                self._saving.saved,
                Path(row.source),
                row.stack_id,
                self._models.flow,
                models,
                progress,
                opener=self._opener,
            )
        except CmrViewerError as error:  # its files are gone, for instance; it is renewed when it is opened again
            log.warning("A study of the list could not be renewed: %s", type(error).__name__)

    def _next(self) -> StudyRow | None:
        stack = self._study.stack
        left = self.older - self._tried - {"" if stack is None else stack.stack_id}
        return next((row for row in self._worklist.studies if row.stack_id in left), None)

    @Slot()
    def _on_models_changed(self) -> None:
        self._stop()
        self._tried.clear()
        self._changed = True
        self.refresh()

    @Slot()
    def _on_analysed(self) -> None:
        stack = self._study.stack
        if stack is not None and (self._changed or stack.stack_id in self.older):
            self._changed = False
            self.refresh()

    def _on_found(self, older: frozenset[str]) -> None:
        if older != self.older:
            self.older = older
            self.changed.emit()
        if self._next() is not None and not self._idle.isActive():
            self._idle.start()

    def _on_renewed(self, stack_id: str, _nothing: object) -> None:
        self._tried.add(stack_id)
        self._worklist.refresh()
        self.refresh()
        self.renew_next()

    def _on_failed(self, stack_id: str, _message: str) -> None:
        self._tried.add(stack_id)
        self.renew_next()

    @Slot()
    def _on_opening(self) -> None:
        self._stop()
        if self.older - self._tried:
            self._idle.start()

    def _stop(self) -> None:
        self._stopped = True
        self._jobs.cancel(RENEWAL_KEY)

    @Slot(str)
    def _on_cancelled(self, key: str) -> None:
        if key == RENEWAL_KEY and not self._stopped:  # by the reader, who wants none of it; until the models change
            self._tried |= self.older


def _nothing() -> None:
    """Comes after all that was queued before it."""


def _older(store: AnnotationStore, active: Mapping[Role, str], _progress: Progress) -> frozenset[str]:
    return older_stacks(store.models_of_unreviewed(), active)


def older_stacks(
    shown: Mapping[str, Collection[tuple[Region | None, str]]], active: Mapping[Role, str]
) -> frozenset[str]:
    """Stacks that show something of a model that would not be asked now.

    Args:
        shown: As `AnnotationStore.models_of_unreviewed`.
        active: Models in service, by role.
    """
    return frozenset(
        stack_id
        for stack_id, made in shown.items()
        if any(model_id != _asked(region, active, model_id) for region, model_id in made)
    )


def _asked(region: Region | None, active: Mapping[Role, str], otherwise: str) -> str:
    """The model that is asked about a region now, or the classifier; `otherwise` where there is none."""
    if region is None:
        return active.get(Role.CLASSIFIER, otherwise)
    try:
        return route(region, active=active).model_id
    except ModelError:
        return otherwise
