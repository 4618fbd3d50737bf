import pytest

from cmr_viewer.errors import CmrViewerError
from cmr_viewer.progress import Cancelled, part, silent


def test_a_part_counts_within_its_share_of_the_whole() -> None:
    told: list[tuple[float, str]] = []
    inner = part(lambda fraction, text: told.append((fraction, text)), 0.2, 0.6)
    inner(0.0, "first")
    inner(0.5, "middle")
    inner(1.0, "last")
    assert told == [(0.2, "first"), (pytest.approx(0.4), "middle"), (pytest.approx(0.6), "last")]


def test_parts_of_parts_multiply() -> None:
    told: list[float] = []
    part(part(lambda fraction, text: told.append(fraction), 0.5, 1.0), 0.0, 0.5)(1.0, "")
    assert told == [0.75]


def test_a_request_to_stop_passes_through_a_part() -> None:
    def stop(fraction: float, text: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        part(stop, 0.0, 1.0)(0.5, "")


def test_a_request_to_stop_is_no_error_of_the_program() -> None:
    assert not issubclass(Cancelled, CmrViewerError)


def test_nobody_is_told_silently() -> None:
    silent(0.5, "half")
