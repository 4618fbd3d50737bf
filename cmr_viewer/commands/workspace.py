"""Studies as readers left them in a workspace, for the commands."""

from dataclasses import dataclass
from pathlib import Path

from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.study import Study
from cmr_viewer.errors import StoreError
from cmr_viewer.pipeline import open_study
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.opening import OpeningRequest
from cmr_viewer.reading.saving import SavedStudies, put_back
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.effort import EffortRow
from cmr_viewer.store.reads import Read


@dataclass(frozen=True, eq=False)
class SavedStudy:
    """A study as the window shows it, with the work of readers and models.

    Attributes:
        reading: The study.
        read: Which read of it this is; None for the first.
        readers: Who drew, changed or accepted the label maps.
        effort: What readers spent on it.
    """

    reading: OpenStudy
    read: Read | None
    readers: tuple[str, ...]
    effort: tuple[EffortRow, ...]


def study_as_decided(path: Path, workspace: Workspace) -> Study:
    """Open a study with the opening that its reader chose in a workspace.

    Raises:
        LoadError: It cannot be read.
    """
    return open_study(SavedStudies(workspace), OpeningRequest(path)).study


def saved_study(workspace: Workspace, study: Study, *, incomplete: bool, or_labels: bool = False) -> SavedStudy:
    """A study as it is saved: from the finished adjudication, if there is one; else from the first read.

    Args:
        workspace: The workspace in which the study was read.
        study: The study.
        incomplete: Whether to accept a study with frames that are not analysed yet.
        or_labels: Whether the command takes label maps of a file instead, for the message.

    Raises:
        StoreError: The workspace has nothing of the study, or cannot be read; or the analysis is not finished.
    """
    studies = SavedStudies(workspace)
    read = studies.reads.result(study.stack.stack_id)
    reading = OpenStudy(study, None if read is None else read.id)
    saved = studies.read(reading)
    if not saved.annotations and not saved.predictions:
        named = "name the workspace with the corrections with --workspace"
        ways = f"{named}, or name label maps with --labels" if or_labels else f"or {named}"
        raise StoreError(
            f"The workspace {workspace.folder} has no label maps of {study.name}. Open the study in the window first, "
            f"{ways}."
        )
    put_back(reading, saved)
    frames = reading.frames
    left = sum(one.labels is None for one in frames.values())
    if saved.predictions and left and not incomplete:
        raise StoreError(
            f"The analysis of {study.name} is not finished: {left} of {len(frames)} frames have no label map yet. "
            "Open the study in the window until the analysis is finished, or write it now with --incomplete."
        )
    by_hand = [f for f in frames if frames[f].edited or frames[f].status is ReviewStatus.ACCEPTED]
    readers = dict.fromkeys(saved.annotations[frame].reader for frame in by_hand)
    return SavedStudy(reading, read, tuple(readers), saved.effort)
