import pytest

from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES, Label, Region, reference_regions

B, M, A, N = Region.BASE, Region.MIDDLE, Region.APEX, Region.NON_CARDIAC


def test_regions_are_in_the_order_of_the_classifier():
    assert REGIONS == (B, M, A, N)
    assert [region.text for region in REGIONS] == ["Base", "Middle", "Apex", "Non-cardiac"]


def test_label_codes_are_those_of_mnms():
    assert [int(label) for label in STRUCTURES] == [1, 2, 3]
    assert STRUCTURES == (Label.LVBP, Label.LVM, Label.RVBP)
    assert Label.RVBP.text == "RV blood pool"


@pytest.mark.parametrize(
    ("count", "base", "middle", "apex"),
    # 20 % of the count to the nearest whole slice, half upwards: 0.4, 0.6, 1, 1.4, 1.6, 2, 2.4, 2.6
    [(2, 0, 2, 0), (3, 1, 1, 1), (5, 1, 3, 1), (7, 1, 5, 1), (8, 2, 4, 2), (10, 2, 6, 2), (12, 2, 8, 2), (13, 3, 7, 3)],
)
def test_twenty_percent_at_each_end_are_base_and_apex(count, base, middle, apex):
    assert reference_regions([True] * count) == [B] * base + [M] * middle + [A] * apex


def test_slices_outside_the_labelled_ones_are_non_cardiac():
    assert reference_regions([False, False, True, True, True, True, True, False]) == [N, N, B, M, M, M, A, N]


def test_an_unlabelled_slice_inside_the_heart_counts_as_heart():
    assert reference_regions([True, True, False, True, True]) == [B, M, M, M, A]


def test_a_stack_without_labels_is_all_non_cardiac():
    assert reference_regions([False] * 3) == [N, N, N]
    assert reference_regions([]) == []


def test_a_single_labelled_slice_is_middle():
    assert reference_regions([False, True, False]) == [N, M, N]
