import pytest

from cmr_viewer.evaluate.summary import Summary, summarise


def test_mean_and_standard_deviation_of_the_sample() -> None:
    assert summarise([]) == Summary(None, None, 0)
    assert summarise([0.5]) == Summary(0.5, None, 1)
    assert summarise([0.2, 0.4, 0.6]) == Summary(pytest.approx(0.4), pytest.approx(0.2), 3)


def test_what_is_not_known_does_not_count() -> None:
    assert summarise([None, 1.0, None, 3.0]) == Summary(2.0, pytest.approx(2**0.5), 2)
    assert summarise([None]) == Summary(None, None, 0)
