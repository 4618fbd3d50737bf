import threading

import pytest

from cmr_viewer.load.file_work import in_order
from cmr_viewer.progress import Cancelled, silent


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 100, 1000])
@pytest.mark.parametrize("slow_s", [0.0, 1000.0])
def test_results_come_in_the_order_of_the_items(count, slow_s):
    reports = []
    done = in_order(str, range(count), lambda *report: reports.append(report), "{} of {}", slow_s=slow_s)
    assert list(done) == [str(n) for n in range(count)]
    assert reports == sorted(reports, key=lambda report: report[0])
    assert reports[0] == (0.0, f"0 of {count}")
    assert reports[-1] == (1.0 if count else 0.0, f"{count} of {count}")


def test_quick_work_stays_in_the_thread_of_the_caller_and_slow_work_leaves_it():
    here = threading.get_ident()
    quick = set(in_order(lambda _: threading.get_ident(), range(50), silent, "{} of {}", slow_s=1000.0))
    slow = list(in_order(lambda _: threading.get_ident(), range(50), silent, "{} of {}", slow_s=0.0))
    assert quick == {here}
    assert here not in slow[8:]


@pytest.mark.parametrize("slow_s", [0.0, 1000.0])
def test_an_error_goes_through(slow_s):
    def work(number):
        if number == 30:
            raise TimeoutError("of the work's own")
        return number

    with pytest.raises(TimeoutError, match="own"):
        list(in_order(work, range(50), silent, "{} of {}", slow_s=slow_s))


def test_a_stop_ends_the_work(monkeypatch):
    monkeypatch.setattr("cmr_viewer.progress.REPORT_EVERY_S", 0.0)
    done = []

    def stop(fraction, text):
        if fraction > 0.002:
            raise Cancelled

    with pytest.raises(Cancelled):
        list(in_order(done.append, range(10_000), stop, "{} of {}", slow_s=0.0))
    assert len(done) < 200
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("load")]
