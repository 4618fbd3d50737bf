import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.testing import assert_allclose, assert_array_equal

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.polygons import fill_polygons
from cmr_viewer.domain.study import Stack
from cmr_viewer.export.contours import (
    CONTOUR_COLUMNS,
    contours_of,
    frame_outlines,
    outlines,
    write_contours_csv,
    write_contours_json,
)
from cmr_viewer.load.labels.imported import paint
from tests.phantom import Phantom, sax_cine
from tests.phantom_export import dicom_study, small_cine

LABEL_OF = {"lv_endocardium": Label.LVBP, "lv_epicardium": Label.LVM, "rv_endocardium": Label.RVBP}


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return small_cine()


def area(points: np.ndarray) -> float:
    """Shoelace formula."""
    row, col = points.T
    return abs(float((col * np.roll(row, -1) - np.roll(col, -1) * row).sum())) / 2


def painted(structures: dict[str, list[Any]], shape: tuple[int, int]) -> np.ndarray:
    return paint({LABEL_OF[name]: [one.points[:, ::-1] for one in found] for name, found in structures.items()}, shape)


def test_a_pixel_is_a_square_around_its_centre() -> None:
    mask = np.zeros((4, 5), bool)
    mask[2, 3] = True
    (one,) = outlines(mask)
    assert not one.hole
    corners = {(1.5, 2.5), (1.5, 3.5), (2.5, 3.5), (2.5, 2.5)}
    assert {tuple(point) for point in one.points.tolist()} == corners
    assert len(one.points) == 4


def test_straight_edges_have_no_points_between_their_ends() -> None:
    mask = np.zeros((9, 9), bool)
    mask[1:4, 2:8] = True
    (one,) = outlines(mask)
    assert len(one.points) == 4
    assert area(one.points) == 18.0


def test_a_ring_is_an_outline_and_a_hole() -> None:
    mask = np.ones((5, 5), bool)
    mask[2, 2] = False
    found = outlines(mask)
    assert sorted((one.hole, area(one.points)) for one in found) == [(False, 25.0), (True, 1.0)]


def test_pixels_that_touch_in_a_corner_are_two_polygons() -> None:
    assert [area(one.points) for one in outlines(np.eye(2, dtype=bool))] == [1.0, 1.0]


@settings(max_examples=150, deadline=None)
@given(npst.arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_any_mask_comes_back_by_the_rule_of_the_program_with_its_own_area(mask: np.ndarray) -> None:
    found = outlines(mask)
    assert_array_equal(fill_polygons([one.points[:, ::-1] for one in found], mask.shape), mask)
    assert sum(area(one.points) * (-1 if one.hole else 1) for one in found) == mask.sum()


@settings(max_examples=60, deadline=None)
@given(npst.arrays(np.uint8, (7, 8), elements=st.integers(0, 3)))
def test_any_label_map_comes_back_from_its_contours(labels: np.ndarray) -> None:
    assert_array_equal(painted(frame_outlines(labels), labels.shape), labels)


def test_the_epicardium_is_given_only_where_there_is_myocardium() -> None:
    labels = np.zeros((6, 6), np.uint8)
    labels[2:4, 2:4] = Label.LVBP
    assert list(frame_outlines(labels)) == ["lv_endocardium"]
    labels[1, 2:4] = Label.LVM
    assert list(frame_outlines(labels)) == ["lv_endocardium", "lv_epicardium"]


def test_the_heart_comes_back_from_the_json_file(tmp_path: Path, phantom: Phantom) -> None:
    study = dicom_study(tmp_path / "in", phantom)
    write_contours_json(tmp_path / "c.json", contours_of(phantom.labels, study.stack), study.stack, {"notice": "N"})
    content = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    assert (content["notice"], content["rows"], content["cols"]) == ("N", 40, 44)
    labels = np.zeros_like(phantom.labels)
    for frame in content["frames"]:
        found = {
            LABEL_OF[name]: [np.array(one["pixels"])[:, ::-1] for one in frame[name]]
            for name in LABEL_OF
            if name in frame
        }
        labels[frame["phase_number"] - 1, frame["slice_number"] - 1] = paint(found, labels.shape[2:])
        source = study.stack.frame_sources[frame["phase_number"] - 1][frame["slice_number"] - 1]
        of_image = {"sop_instance_uid": source.instance_uid, "frame_number": 1}
        assert frame["source"] == of_image | {"origin": [0.0, 0.0], "step": [1.0, 1.0]}
    assert_array_equal(labels, phantom.labels)


def test_points_lie_in_the_patient_where_the_geometry_says(tmp_path: Path, phantom: Phantom) -> None:
    stack = phantom.stack
    write_contours_json(tmp_path / "c.json", contours_of(phantom.labels, stack), stack, {})
    for frame in json.loads((tmp_path / "c.json").read_text())["frames"]:
        assert frame["source"] is None
        for polygon in frame.get("rv_endocardium", []):
            for (row, col), place in zip(polygon["pixels"], polygon["patient_mm"], strict=True):
                assert_allclose(place, stack.geometry.to_patient_mm(frame["slice_number"] - 1, (row, col)), atol=1e-4)


def test_the_csv_file_has_a_line_for_each_point(tmp_path: Path, phantom: Phantom) -> None:
    contours = contours_of(phantom.labels, phantom.stack)
    write_contours_csv(tmp_path / "c.csv", contours, phantom.stack)
    with (tmp_path / "c.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CONTOUR_COLUMNS
    assert len(rows) == sum(len(p.points) for one in contours for found in one.structures.values() for p in found)
    first = contours[0]
    name, polygons = next(iter(first.structures.items()))
    mm = phantom.stack.geometry.to_patient_mm(first.index.slice_index, tuple(polygons[0].points[0]))
    assert (rows[0]["structure"], float(rows[0]["row"]), float(rows[0]["col"])) == (name, *polygons[0].points[0])
    assert_allclose([float(rows[0][axis]) for axis in ("x_mm", "y_mm", "z_mm")], mm, atol=1e-4)


def test_nothing_is_given_in_mm_where_the_spacing_is_not_known(tmp_path: Path) -> None:
    phantom = sax_cine(phases=1, slices=3, rows=40, cols=40, pixel_spacing_mm=(3.6, 3.6), spacing_known=False)
    stack: Stack = phantom.stack
    contours = contours_of(phantom.labels, stack)
    write_contours_json(tmp_path / "c.json", contours, stack, {})
    write_contours_csv(tmp_path / "c.csv", contours, stack)
    content = json.loads((tmp_path / "c.json").read_text())
    assert content["pixel_spacing_mm"] is None
    assert content["frames"][0]["lv_endocardium"][0]["patient_mm"] is None
    assert (tmp_path / "c.csv").read_text().splitlines()[1].endswith(",,,")


def test_uids_can_be_written_otherwise(phantom: Phantom, tmp_path: Path) -> None:
    study = dicom_study(tmp_path, phantom)
    assert {one.source[0] for one in contours_of(phantom.labels, study.stack, uid_of=lambda uid: "1.2")} == {"1.2"}
