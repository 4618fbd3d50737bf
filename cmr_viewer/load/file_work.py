"""The same work on many files: one after another where it is quick, in threads where it waits for a disk."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from cmr_viewer.progress import REPORT_EVERY_S, Progress, paced

Item = TypeVar("Item")
Result = TypeVar("Result")

SLOW_S = 0.004
"""From this time a file on, the work waits for a disk or a network, and threads make it quicker. Below, they only take
turns with one another: reading a header or an uncompressed frame needs a tenth of it, on a busy computer too."""

_TRIED = 8
_AHEAD = 4


def in_order(
    work: Callable[[Item], Result], items: Sequence[Item], progress: Progress, text: str, *, slow_s: float = SLOW_S
) -> Iterator[Result]:
    """Do work on each item and give the results in the items' order.

    Args:
        work: May be called from several threads at once.
        items: What to work on.
        progress: Called at least every 100 ms, from the caller's thread.
        text: For a reader, with places for the number of items that are done and of all: "{} of {} files".
        slow_s: Seconds an item from which the work is given to threads.

    Raises:
        Cancelled: `progress` asked to stop.
    """

    def report(done: int) -> None:
        progress(done / max(1, len(items)), text.format(done, len(items)))

    report(0)
    report_now_and_then, began = paced(report), time.monotonic()
    for number, item in enumerate(items, start=1):
        yield work(item)
        report_now_and_then(number)
        if number % _TRIED == 0:
            now = time.monotonic()
            if now - began > slow_s * _TRIED:
                yield from _in_threads(work, items, number, report_now_and_then)
                break
            began = now
    report(len(items))


def _in_threads(
    work: Callable[[Item], Result], items: Sequence[Item], first: int, report: Callable[[int], None]
) -> Iterator[Result]:
    threads = min(8, (os.cpu_count() or 1) + 4)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="load")
    waiting: deque[Future[Result]] = deque()
    try:
        for number in range(first, len(items)):
            if not waiting:
                waiting.extend(pool.submit(work, item) for item in items[number : number + threads * _AHEAD])
            elif number + len(waiting) < len(items):
                waiting.append(pool.submit(work, items[number + len(waiting)]))
            while True:
                report(number)
                try:
                    result = waiting[0].result(REPORT_EVERY_S)
                except TimeoutError:
                    if waiting[0].done():
                        raise
                    continue
                break
            waiting.popleft()
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
