from benchmarks.paper.published import APPROACHES, DATASETS, TABLE_1, TABLE_2, TABLE_3, table_1, table_3
from cmr_viewer.domain.anatomy import STRUCTURES, Label
from tests.evaluate.made_runs import A, B, M


def test_the_tables_are_whole() -> None:
    assert set(TABLE_1) == {(d, label) for d in DATASETS for label in STRUCTURES}
    assert all(set(cells) == {B, M, A} for cells in TABLE_1.values())
    assert set(TABLE_3) == {(d, a, label) for d in DATASETS for a in APPROACHES for label in STRUCTURES}
    assert all(set(cells) == {B, A} for cells in TABLE_3.values())
    assert len(TABLE_2) == 7


def test_what_the_paper_says_of_its_tables_holds() -> None:
    # Experiment 1: all ends differ from the middle but the basal blood pools of ACDC.
    unstarred = {(d, label, r) for (d, label), cells in TABLE_1.items() for r in (B, A) if not cells[r][2]}
    assert unstarred == {("ACDC", Label.LVBP, B), ("ACDC", Label.RVBP, B)}
    # Experiment 2: DenseNet121 is the best of the classifiers.
    assert max(TABLE_2, key=lambda name: TABLE_2[name]) == "DenseNet"
    # Facts told elsewhere: up to 7.6 points at the apex and 5.7 at the base.
    assert max(cells[A][0] for cells in TABLE_3.values()) == 7.60
    assert max(cells[B][0] for cells in TABLE_3.values()) == 5.71


def test_the_tables_are_printed_as_the_paper_prints_them() -> None:
    assert "| ACDC | LVBP | 94.42 (7.76) | 94.28 (6.87) | 82.86* (23.47) |" in table_1().splitlines()
    assert len(table_3().splitlines()) == 2 + 6
    assert "| NHS | Classification + segmentation | +1.33* (+3.35) | +0.78* (+1.91) |" in table_3()
