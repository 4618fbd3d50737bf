import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.errors import ModelError
from cmr_viewer.segment.nnunet_plans import parse_names, read_outputs

B, LVBP, LVM, RVBP = Label


def test_acdc_as_nnunet_names_it() -> None:
    outputs = read_outputs({"background": 0, "RV": 1, "MLV": 2, "LVC": 3})
    assert outputs.labels == (B, RVBP, LVM, LVBP)
    assert outputs.order == (0, 3, 2, 1)


@pytest.mark.parametrize(
    "names",
    [
        ("LV", "MYO", "RV"),
        ("LVBP", "LVM", "RVBP"),
        ("lv_cavity", "lv-myocardium", "rv cavity"),
        ("Left Ventricle", "Myocardium", "Right Ventricle"),
    ],
)
def test_known_names_are_found_whatever_their_case_and_signs(names: tuple[str, str, str]) -> None:
    labels = {"background": 0, names[0]: 1, names[1]: 2, names[2]: 3}
    assert read_outputs(labels).labels == (B, LVBP, LVM, RVBP)


def test_codes_may_be_text_or_lists_of_one_and_ignore_is_no_output() -> None:
    outputs = read_outputs({"background": "0", "LV": [1], "MYO": 2, "RV": 3, "ignore": 4})
    assert outputs.names == ("background", "LV", "MYO", "RV")


def test_labels_that_are_not_known_become_background_and_come_last() -> None:
    outputs = read_outputs({"background": 0, "atrium": 1, "RV": 2, "LV": 3, "MYO": 4})
    assert outputs.labels == (B, B, RVBP, LVBP, LVM)
    assert outputs.order == (0, 3, 4, 2, 1)


def test_given_names_come_before_the_known_ones() -> None:
    labels = {"background": 0, "LV": 1, "inner": 2, "RV": 3, "scar": 4}
    outputs = read_outputs(labels, parse_names("LVBP=inner, LVM=LV,lvm=Scar"))
    assert outputs.labels == (B, LVM, LVBP, RVBP, LVM)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ({"background": 0, "a": 1, "MYO": 2, "RV": 3}, r"a, MYO, RV; none is known as LVBP.*--labels \"LVBP=NAME\""),
        ({"background": 0, "LV": 1, "LVC": 2, "MYO": 3, "RV": 4}, "2 could be LVBP"),
        ({"background": 0, "whole": [1, 2], "LV": 1, "MYO": 2, "RV": 3}, "regions that overlap"),
        ({"background": 0, "LV": 1, "MYO": 2, "RV": 4}, "0 and 1, 2"),
        ({"LV": 0, "MYO": 1, "RV": 2}, "background = 0"),
        ({"0": "background", "1": "LV"}, "not a number"),
        ({}, "names no labels"),
        (None, "names no labels"),
    ],
)
def test_what_cannot_be_mapped_is_reported(labels: object, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        read_outputs(labels)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("LVBP=nothing", "no label 'nothing'; it has LV, MYO, RV"),
        ("LVBP=LV,LVM=LV", "cannot be both LVBP and LVM"),
    ],
)
def test_names_that_do_not_fit_are_reported(text: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        read_outputs({"background": 0, "LV": 1, "MYO": 2, "RV": 3}, parse_names(text))


def test_no_names_are_an_empty_mapping() -> None:
    assert parse_names("") == {}


@pytest.mark.parametrize("text", ["LV=left", "LVBP", "LVBP=", "background=x"])
def test_names_that_cannot_be_understood_are_reported(text: str) -> None:
    with pytest.raises(ModelError, match="LABEL=NAME"):
        parse_names(text)
