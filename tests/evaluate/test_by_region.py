import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES, Label, Region
from cmr_viewer.evaluate.by_region import (
    FrameScore,
    Summary,
    accuracy,
    confusion,
    dice_by_region,
    score_frame,
    stack_dice,
    summarise,
)


def row(text: str) -> NDArray[np.uint8]:
    """A label map of one row."""
    return np.array([[int(c) for c in text]], np.uint8)


def score(label: Label, region: Region, dice: float | None, reference: int = 10, predicted: int = 10) -> FrameScore:
    return FrameScore("p", 0, 0, region, label, dice, reference, predicted)


def test_a_frame_is_scored_for_each_structure() -> None:
    scores = score_frame("p1", 3, 2, Region.BASE, reference=row("1122000"), predicted=row("1222000"))
    assert scores == [
        FrameScore("p1", 3, 2, Region.BASE, Label.LVBP, pytest.approx(2 / 3), 2, 1),
        FrameScore("p1", 3, 2, Region.BASE, Label.LVM, pytest.approx(0.8), 2, 3),
        FrameScore("p1", 3, 2, Region.BASE, Label.RVBP, None, 0, 0),
    ]


def test_only_structures_that_the_reference_tells_about_are_scored() -> None:
    scores = score_frame(
        "p", 0, 0, Region.APEX, reference=row("1000"), predicted=row("1300"), structures=frozenset({Label.LVBP})
    )
    assert [s.label for s in scores] == [Label.LVBP]


def test_mean_and_standard_deviation_of_the_sample() -> None:
    assert summarise([]) == Summary(None, None, 0)
    assert summarise([0.5]) == Summary(0.5, None, 1)
    assert summarise([0.2, 0.4, 0.6]) == Summary(pytest.approx(0.4), pytest.approx(0.2), 3)


def test_scores_are_gathered_by_label_and_region_where_the_reference_has_the_label() -> None:
    table = dice_by_region(
        [
            score(Label.LVBP, Region.BASE, 0.8),
            score(Label.LVBP, Region.BASE, 0.6),
            score(Label.LVBP, Region.APEX, 0.5),
            score(Label.LVM, Region.BASE, 0.0, reference=5, predicted=0),
            score(Label.RVBP, Region.BASE, 0.0, reference=0, predicted=9),
            score(Label.RVBP, Region.APEX, None, reference=0, predicted=0),
        ]
    )
    assert set(table) == {(label, region) for label in STRUCTURES for region in REGIONS}
    assert table[Label.LVBP, Region.BASE] == Summary(pytest.approx(0.7), pytest.approx(np.sqrt(0.02)), 2)
    assert table[Label.LVBP, Region.APEX] == Summary(0.5, None, 1)
    assert table[Label.LVM, Region.BASE] == Summary(0.0, None, 1)
    assert table[Label.RVBP, Region.BASE] == Summary(None, None, 0)
    assert table[Label.RVBP, Region.APEX] == Summary(None, None, 0)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), empty=st.sampled_from([None, 1, 2, 3]))
def test_dice_of_a_stack_is_that_of_its_voxels(seed: int, empty: int | None) -> None:
    rng = np.random.default_rng(seed)
    reference, predicted = rng.integers(0, 4, (2, 2, 5, 4, 3)).astype(np.uint8)
    if empty is not None:
        reference[reference == empty] = 0
        predicted[predicted == empty] = 0
    scores = [
        one
        for phase in range(2)
        for s in range(5)
        for one in score_frame(
            "p", phase, s, Region.MIDDLE, reference=reference[phase, s], predicted=predicted[phase, s]
        )
    ]
    found = stack_dice(scores)
    for phase in range(2):
        for label in STRUCTURES:
            a, b = reference[phase] == label, predicted[phase] == label
            total = int(a.sum() + b.sum())
            if total == 0:
                assert ("p", phase, label) not in found
            else:
                assert found["p", phase, label] == pytest.approx(2 * int((a & b).sum()) / total, abs=1e-12)


def test_stacks_of_different_patients_are_kept_apart() -> None:
    scores = [
        *score_frame("p", 0, 0, Region.MIDDLE, reference=row("11"), predicted=row("11")),
        *score_frame("q", 0, 0, Region.MIDDLE, reference=row("11"), predicted=row("00")),
    ]
    assert stack_dice(scores) == {("p", 0, Label.LVBP): 1.0, ("q", 0, Label.LVBP): 0.0}


def test_confusion_counts_reference_against_prediction() -> None:
    b, m, n = Region.BASE, Region.MIDDLE, Region.NON_CARDIAC
    table = confusion([b, b, m, n], [b, m, m, b])
    assert table[b] == {Region.BASE: 1, Region.MIDDLE: 1, Region.APEX: 0, Region.NON_CARDIAC: 0}
    assert table[m][m] == 1
    assert table[n][b] == 1
    assert accuracy(table) == 0.5


def test_accuracy_of_nothing_is_not_known() -> None:
    assert accuracy(confusion([], [])) is None
