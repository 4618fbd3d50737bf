"""How long work reports its progress, and how it is asked to stop."""

import time
from collections.abc import Callable
from typing import ParamSpec, Protocol

REPORT_EVERY_S = 0.05
"""How often `paced` reports."""

_Report = ParamSpec("_Report")


class Cancelled(Exception):  # noqa: N818 - a request that was met, not an error
    """The work was asked to stop, and stopped; nothing half-made is left behind."""


class Progress(Protocol):
    """Called by long work at least every 100 ms or so, from the thread that does the work; may raise `Cancelled`."""

    def __call__(self, fraction: float, text: str) -> None:
        """Report how far the work is.

        Args:
            fraction: 0.0 to 1.0.
            text: The present step, for a reader.

        Raises:
            Cancelled: The work was asked to stop.
        """


Follow = Callable[[str, int, float], None]
"""Called by a training, from the thread that trains, with values of its curves: ("loss", batches done, mean loss of the
last batches) and ("validation", batches done, score from 0 to 1)."""


def not_followed(curve: str, batch: int, value: float) -> None:
    """Curves that no one watches."""


def silent(fraction: float, text: str) -> None:
    """Progress that no one watches."""


def paced(report: Callable[_Report, object]) -> Callable[_Report, None]:
    """The same report at most every `REPORT_EVERY_S`, so that work may call it as often as it likes."""
    last = time.monotonic()

    def paced_report(*args: _Report.args, **kwargs: _Report.kwargs) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= REPORT_EVERY_S:
            last = now
            report(*args, **kwargs)

    return paced_report


def part(progress: Progress, start: float, end: float) -> Progress:
    """Progress of a part of the work, given to a function that counts from 0 to 1."""

    def scaled(fraction: float, text: str) -> None:
        progress(start + (end - start) * fraction, text)

    return scaled
