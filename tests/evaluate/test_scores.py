import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.evaluate.scores import FrameScore, StackScore, known_spacing_mm, score_frame, score_stack
from tests.evaluate.made_runs import B, place, row
from tests.phantom import sax_cine


def test_a_frame_is_scored_for_each_structure() -> None:
    at = place(2, B)
    scores = score_frame(at, reference=row("1122000"), predicted=row("1222000"), pixel_spacing_mm=(1.0, 2.0))
    assert scores == [
        # LVBP: columns 0, 1 and column 0: distances 0, 2 and 0.
        FrameScore(at, Label.LVBP, pytest.approx(2 / 3), pytest.approx(1.9), pytest.approx(2 / 3), 2, 1),
        # LVM: columns 2, 3 and 1, 2, 3: 0, 0 and 2, 0, 0.
        FrameScore(at, Label.LVM, pytest.approx(0.8), pytest.approx(1.8), pytest.approx(2 / 5), 2, 3),
        FrameScore(at, Label.RVBP, None, None, None, 0, 0),
    ]


def test_without_a_known_spacing_there_are_no_distances() -> None:
    scores = score_frame(place(), reference=row("1122"), predicted=row("1122"), pixel_spacing_mm=None)
    assert [(s.dice, s.hd95_mm, s.assd_mm) for s in scores[:2]] == [(1.0, None, None)] * 2


def test_a_label_that_is_missed_has_dice_zero_and_no_distance() -> None:
    (score, *_) = score_frame(place(), reference=row("11"), predicted=row("00"), pixel_spacing_mm=(1.0, 1.0))
    assert (score.dice, score.hd95_mm, score.assd_mm) == (0.0, None, None)


def test_only_structures_that_the_reference_tells_about_are_scored() -> None:
    scores = score_frame(
        place(),
        reference=row("1000"),
        predicted=row("1300"),
        pixel_spacing_mm=None,
        structures=frozenset({Label.LVBP}),
    )
    assert [s.label for s in scores] == [Label.LVBP]


def test_a_stack_is_scored_over_all_its_slices() -> None:
    reference = np.stack([row("110"), row("100"), row("000")])
    predicted = np.stack([row("110"), row("110"), row("100")])
    (score, *_) = score_stack(
        place(patient="q", phase=1, phase_name="ES"),
        reference=reference,
        predicted=predicted,
        spacing_mm=(8.0, 1.0, 1.0),
    )
    # 3 and 5 voxels, 3 in common. Two predicted voxels are not in the reference: 1 mm and 8 mm from it.
    assert score == StackScore(
        "acdc", "q", 1, "ES", Label.LVBP, pytest.approx(6 / 8), pytest.approx(np.percentile([0, 0, 0, 1, 8], 95)),
        pytest.approx(9 / 8), 3, 5,
    )  # fmt: skip


def test_the_spacing_is_known_only_where_the_file_tells_the_truth() -> None:
    known = sax_cine(phases=1, slices=3, rows=32, cols=32, pixel_spacing_mm=(1.5, 1.4)).stack.geometry
    slice_mm, pixel_mm = known_spacing_mm(known)
    assert slice_mm == pytest.approx(10.0)
    assert pixel_mm == (1.5, 1.4)
    untrue = sax_cine(phases=1, slices=3, rows=32, cols=32, spacing_known=False).stack.geometry
    assert known_spacing_mm(untrue) == (None, None)


def test_a_single_slice_has_a_pixel_spacing_but_no_slice_spacing() -> None:
    from dataclasses import replace

    whole = sax_cine(phases=1, slices=3, rows=32, cols=32).stack.geometry
    single = replace(whole, positions_mm=whole.positions_mm[:1], single_slice_spacing_mm=None)
    assert known_spacing_mm(single) == (None, (1.8, 1.8))


def test_slices_that_lie_unevenly_have_no_one_spacing() -> None:
    from dataclasses import replace

    whole = sax_cine(phases=1, slices=4, rows=32, cols=32).stack.geometry
    gap = replace(whole, positions_mm=(*whole.positions_mm[:2], whole.positions_mm[3]))
    assert known_spacing_mm(gap) == (None, (1.8, 1.8))
