import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from cmr_viewer.ui.window.run import Collector


class Knot:
    """Refers to itself, so that only the collector can end it."""

    def __init__(self) -> None:
        self.myself = self


@pytest.fixture
def collector(qapp: Any) -> Iterator[Collector]:
    made = Collector()
    yield made
    made.stop()


def test_python_does_not_collect_by_itself_until_it_is_stopped(collector: Collector) -> None:
    assert not gc.isenabled()
    collector.stop()
    assert gc.isenabled()


def test_what_only_refers_to_itself_is_collected_when_enough_has_gathered(collector: Collector) -> None:
    gc.collect()
    dead = weakref.ref(Knot())
    collector.collect()
    assert dead() is not None
    gathered = [[] for _ in range(2 * gc.get_threshold()[0])]
    collector.collect()
    assert dead() is None
    assert gathered


def test_what_was_loaded_is_looked_at_again_only_after_the_end(collector: Collector) -> None:
    gc.collect()
    old = weakref.ref(Knot())
    collector.spare_what_is_loaded()
    young = weakref.ref(Knot())
    gc.collect()
    assert old() is not None
    assert young() is None
    collector.stop()
    gc.collect()
    assert old() is None
