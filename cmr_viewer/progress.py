"""How long work reports its progress, and how it is asked to stop."""

from typing import Protocol


class Cancelled(Exception):  # noqa: N818 - a request that was met, not an error
    """The work was asked to stop, and stopped; nothing half-made is left behind."""


class Progress(Protocol):
    """Called by long work at least every 100 ms or so, from the thread that does the work."""

    def __call__(self, fraction: float, text: str) -> None:
        """Report how far the work is.

        Args:
            fraction: 0.0 to 1.0.
            text: The present step, for a reader.

        Raises:
            Cancelled: The work was asked to stop.
        """


def silent(fraction: float, text: str) -> None:
    """Progress that no one watches."""


def part(progress: Progress, start: float, end: float) -> Progress:
    """Progress of a part of the work, given to a function that counts from 0 to 1."""

    def scaled(fraction: float, text: str) -> None:
        progress(start + (end - start) * fraction, text)

    return scaled
