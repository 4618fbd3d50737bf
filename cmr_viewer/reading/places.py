"""Where a reader was in each study, so that it is opened there again. Without Qt."""

import logging

from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import StoreError
from cmr_viewer.store.study_facts import ReaderSettings

log = logging.getLogger(__name__)


class Places:
    """The frame on show when a stack was left, by reader; use from any thread.

    Args:
        settings: Where it is kept.
    """

    def __init__(self, settings: ReaderSettings) -> None:
        self._settings = settings

    def keep(self, stack_id: str, frame: FrameIndex) -> None:
        """Keep where the reader is.

        Raises:
            StoreError: It cannot be written.
        """
        self._settings.set(_key(stack_id), [frame.phase, frame.slice_index])

    def last(self, stack: Stack) -> FrameIndex | None:
        """Where the reader was; None where that is not known, or not in the stack."""
        try:
            kept = self._settings.get(_key(stack.stack_id))
        except StoreError as error:  # the study can be read all the same
            log.warning("Could not read where the reader was: %s", error)
            return None
        if not (isinstance(kept, list) and len(kept) == 2 and all(isinstance(each, int) for each in kept)):
            return None
        frame = FrameIndex(*kept)
        inside = 0 <= frame.phase < stack.phases and 0 <= frame.slice_index < stack.slices
        return frame if inside else None


def _key(stack_id: str) -> str:
    return f"place.{stack_id}"
