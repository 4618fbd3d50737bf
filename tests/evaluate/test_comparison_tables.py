import pytest

from cmr_viewer.evaluate.comparison import NamedRun, comparison_of
from cmr_viewer.evaluate.comparison_tables import comparison_markdown, paper_table_3, table_3
from tests.evaluate.made_runs import made_run

BASELINE, BETTER, WORSE = (NamedRun(n, made_run(g)) for n, g in (("Baseline", 0.0), ("Better", 0.02), ("Worse", -0.02)))


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return comparison_markdown(comparison_of(BASELINE, [BETTER, WORSE])).splitlines()


def test_the_first_line_names_the_runs(lines: list[str]) -> None:
    assert lines[0] == "Baseline: Baseline. Compared with it: Better, Worse. 6 patients (ACDC 3, M&Ms 3), 72 frames."


@pytest.mark.parametrize(
    "start",
    [
        "| all | Baseline | 80.0 (0.0) | 91.0 (0.6) | 55.0 (4.3) |",
        "| all | Better | 92.0 (0.0), 6 | 92.0 (0.0), 6 |",  # 3D
        "| all | Better | **+4.00**\\*° (-1.71) |",
        "| all | Worse | -4.00\\*° (-1.71) |",
        "| Better | LVBP | base | 12 | +4.00 (+2.92 to +5.08) | < 0.0001 | 6 | +4.00 (+2.12 to +5.88) | 0.0028 |",
        "| Better | argmax | ",
        "| DenseNet, paper (NHS) | argmax | 91.7 | 91.5 |",
        "| ACDC | Worse | 0.0 % (0/6) | 0.0 % (0/6) | 0.0 % (0/12) | 0.0 % (0/24) |",
        "| ACDC | LV EDV, ml | Baseline | 11.0 | 11.0 | 1.0 | - | 3 |",
        "| ACDC | LV EDV, ml | Better | 9.9 | 9.9 | 0.9 | +1.10* | 3 |",
        "| NHS | Classification + segmentation | +1.33* (+3.35) | +0.78* (+1.91) |",
    ],
)
def test_tables_show_what_was_found(lines: list[str], start: str) -> None:
    assert any(line.startswith(start) for line in lines)


def test_one_data_set_is_told_once() -> None:
    runs = [NamedRun(n, made_run(g, groups=("acdc",))) for n, g in (("Baseline", 0.0), ("Better", 0.02))]
    rows = table_3(comparison_of(runs[0], runs[1:])).splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == ["| ACDC"]


def test_a_run_that_changes_nothing_has_no_marks() -> None:
    (row, *_) = table_3(comparison_of(BASELINE, [NamedRun("Same", BASELINE.run)])).splitlines()[2:]
    assert row == "| all | Same | " + " | ".join(["+0.00 (+0.00)"] * 9) + " |"


def test_the_papers_table_is_shown_whole() -> None:
    assert len(paper_table_3().splitlines()) == 2 + 6
