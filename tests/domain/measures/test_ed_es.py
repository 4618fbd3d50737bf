from dataclasses import replace

import numpy as np
import pytest

from cmr_viewer.domain.measures.ed_es import EdEs, MarkedBy, choose_ed_es, disagreements, ed_es_by_volume
from cmr_viewer.domain.study import Stack
from tests.phantom import sax_cine

NAN = float("nan")


def stack(phases=8):
    still = sax_cine(phases=8, slices=6, rows=32, cols=32).stack
    return Stack(still.pixels[:phases], still.geometry)


@pytest.mark.parametrize(
    ("volumes", "expected"),
    [
        ([NAN, 90.0, 100.0, 35.0, NAN], (2, 3)),
        ([5.0, 5.0], (0, 0)),
        ([243.0], (0, None)),
        ([NAN, 100.0, NAN], (None, None)),
        ([NAN, NAN], (None, None)),
        ([0.0, 0.0], (None, None)),
    ],
)
def test_ed_and_es_are_the_largest_and_the_smallest_phase_that_is_measured(volumes, expected):
    assert ed_es_by_volume(np.array(volumes)) == expected


def test_a_reader_goes_before_the_files_and_these_before_the_volumes():
    stated = replace(stack(), ed_phase=2, ed_es_by="Info.cfg")
    found = choose_ed_es(stated, (0, 4), (None, 5))
    assert (found.ed, found.ed_by, found.es, found.es_by) == (2, MarkedBy.FILES, 5, MarkedBy.READER)
    assert (found.source_text("ED"), found.source_text("ES")) == ("by Info.cfg", "as set by the reader")
    found = choose_ed_es(stated, (0, 4))
    assert (found.phases, found.es_by) == ((2, 4), MarkedBy.VOLUMES)
    assert choose_ed_es(replace(stated, es_phase=4), (0, 4)).es_by is MarkedBy.FILES
    assert choose_ed_es(stack(), (None, None)) == EdEs()


@pytest.mark.parametrize(
    ("stated", "reader", "expected"),
    [
        ((None, None), (None, None), (0, None)),
        ((None, 0), (None, None), (None, 0)),
        ((0, None), (None, None), (0, None)),
        ((None, None), (None, 0), (None, 0)),
        ((None, 0), (0, None), (0, None)),
    ],
)
def test_one_phase_is_ed_or_es_but_not_both(stated, reader, expected):
    one = replace(stack(phases=1), ed_phase=stated[0], es_phase=stated[1])
    assert choose_ed_es(one, (0, None), reader).phases == expected


def test_two_phases_that_are_stated_are_taken_as_stated():
    two = replace(stack(phases=2), ed_phase=1, es_phase=0)
    assert choose_ed_es(two, (0, 1)).phases == (1, 0)


VOLUMES = np.array([261.0, 258.0, 200.0, 120.0, 90.0, 94.0, 180.0, 243.0])


def test_a_stated_ed_below_the_largest_volume_is_noted_with_the_phase_to_take_instead():
    stated = replace(stack(), ed_phase=7, es_phase=4, ed_es_by="the contour files")
    (found,) = disagreements(choose_ed_es(stated, (0, 4)), VOLUMES, "ml")
    assert (found.mark, found.phase, found.other) == ("ED", 7, 0)
    assert found.percent == pytest.approx(100 * 18 / 261)
    assert (
        "phase 8 by the contour files" in found.text and "243 against 261 ml" in found.text and "phase 1" in found.text
    )


def test_three_per_cent_is_the_limit_at_both_ends():
    def marks(ed, es):
        chosen = choose_ed_es(stack(), (0, 4), (ed, es))
        return [one.mark for one in disagreements(chosen, VOLUMES, "ml")]

    assert marks(1, 4) == []  # 258 of 261 ml: 1.1 %
    assert marks(0, 5) == ["ES"]  # 94 against 90 ml: 4.4 %
    assert marks(4, 0) == ["ED", "ES"]


def test_what_is_not_measured_disagrees_with_nothing():
    stated = choose_ed_es(replace(stack(), ed_phase=7, es_phase=4), (None, None))
    assert disagreements(stated, np.full(8, NAN), "ml") == ()
    at_both = np.full(8, NAN)
    at_both[[4, 7]] = 90.0, 243.0
    assert disagreements(stated, at_both, "ml") == ()


def test_an_empty_end_systole_elsewhere_is_noted_without_a_share():
    volumes = np.array([100.0, 50.0, 0.0])
    (found,) = disagreements(choose_ed_es(stack(phases=3), (0, 2), (0, 1)), volumes, "pixels")
    assert found.percent is None and "50 against 0 pixels" in found.text


def test_images_that_show_no_heart_cycle_have_ed_and_es_only_where_they_are_named():
    perfusion = replace(stack(), shows_cycle=False)
    assert choose_ed_es(perfusion, (0, 4)).phases == (None, None)
    assert choose_ed_es(perfusion, (0, 4), (2, 5)).phases == (2, 5)
