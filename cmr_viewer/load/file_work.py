"""The same work on many files: one after another where it is quick, in threads where it waits for a disk."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

TELL_EVERY_S = 0.05
SLOW_S = 0.004
"""From this time a file on, the work waits for a disk or a network, and threads make it quicker. Below, they only take
turns with one another: reading a header or an uncompressed frame takes a tenth of it, on a busy computer too."""

_TRIED = 8
_AHEAD = 4


def in_order(
    work: Callable[[Item], Result], items: Sequence[Item], tell: Callable[[int], None], *, slow_s: float = SLOW_S
) -> Iterator[Result]:
    """Do work on each item and give the results in the items' order.

    Args:
        work: May be called from several threads at once.
        items: What to work on.
        tell: Called at least every 100 ms, from the caller's thread, with the number of items that are done; what it
            raises ends the work.
        slow_s: Seconds an item from which the work is given to threads.
    """
    tell(0)
    told = began = time.monotonic()
    for number, item in enumerate(items):
        yield work(item)
        now = time.monotonic()
        if now - told >= TELL_EVERY_S:
            tell(number + 1)
            told = now
        if (number + 1) % _TRIED == 0:
            if now - began > slow_s * _TRIED:
                yield from _in_threads(work, items, number + 1, tell)
                return
            began = now
    tell(len(items))


def _in_threads(
    work: Callable[[Item], Result], items: Sequence[Item], first: int, tell: Callable[[int], None]
) -> Iterator[Result]:
    threads = min(8, (os.cpu_count() or 1) + 4)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="load")
    waiting: deque[Future[Result]] = deque()
    told = time.monotonic()
    try:
        for number in range(first, len(items)):
            if not waiting:
                waiting.extend(pool.submit(work, item) for item in items[number : number + threads * _AHEAD])
            elif number + len(waiting) < len(items):
                waiting.append(pool.submit(work, items[number + len(waiting)]))
            while True:
                now = time.monotonic()
                if now - told >= TELL_EVERY_S:
                    tell(number)
                    told = now
                try:
                    result = waiting[0].result(TELL_EVERY_S)
                except TimeoutError:
                    if waiting[0].done():
                        raise
                    continue
                break
            waiting.popleft()
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
    tell(len(items))
