"""Torch on one thread for every test of this package."""

from collections.abc import Iterator

import pytest

from tests.tiny_models import calm_torch


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with calm_torch():
        yield
