from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.domain.study import Study
from cmr_viewer.errors import GeometryError
from cmr_viewer.load.images.voxels import SPACING_DEFAULT, SPACING_MISSING
from cmr_viewer.load.spacing import with_spacing
from tests.phantom import sax_cine


@pytest.fixture(scope="module")
def study():
    stack = sax_cine(phases=2, slices=5, rows=64, cols=60, spacing_known=False).stack
    return Study(
        "P", Path("P"), (stack,), warnings=(Note("Other.", Code.SLICE_FITTED), SPACING_DEFAULT, SPACING_MISSING)
    )


def test_distances_are_those_that_the_reader_gives_and_count_as_known(study):
    corrected = with_spacing(study, (1.5, 1.25, 8.0))
    g, before = corrected.stack.geometry, study.stack.geometry
    assert (g.pixel_spacing_mm, g.spacing_known) == ((1.5, 1.25), True)
    assert g.slice_spacing_mm == pytest.approx(8.0)
    assert g.positions_mm[0] == before.positions_mm[0]
    np.testing.assert_allclose(np.diff(np.asarray(g.positions_mm) @ g.normal), [-8.0] * 4)
    assert (g.row_direction, g.col_direction) == (before.row_direction, before.col_direction)
    assert corrected.stack.pixels is study.stack.pixels
    assert corrected.warnings == (
        "Other.",
        "A reader set the pixel spacing to 1.5 x 1.25 mm and the slice spacing to 8 mm.",
    )


def test_slices_keep_the_line_on_which_they_lay(study):
    g = study.stack.geometry
    leaning = tuple(tuple(np.asarray(p) + k * 0.5 * np.asarray(g.row_direction)) for k, p in enumerate(g.positions_mm))
    moved = replace(study, stacks=(replace(study.stack, geometry=replace(g, positions_mm=leaning)),))
    corrected = with_spacing(moved, (1.0, 1.0, 20.0)).stack.geometry
    step = np.asarray(corrected.positions_mm[1]) - np.asarray(corrected.positions_mm[0])
    assert corrected.slice_spacing_mm == pytest.approx(20.0)
    assert step @ np.asarray(g.row_direction) == pytest.approx(1.0)


def test_a_gap_stays_a_gap_at_the_new_distance(study):
    g, stack = study.stack.geometry, study.stack
    gap = tuple(tuple(np.asarray(g.positions_mm[0]) - k * 10.0 * g.normal) for k in (0, 1, 3, 4, 5))
    noted = (Note("20 mm instead of 10", Code.SLICE_GAP, (1, 2)),)
    moved = replace(study, stacks=(replace(stack, geometry=replace(g, positions_mm=gap)),), warnings=noted)
    corrected = with_spacing(moved, (1.0, 1.0, 6.0))
    found = corrected.stack.geometry
    assert found.slice_gaps_mm == pytest.approx([6.0, 12.0, 6.0, 6.0])
    assert found.slice_weights == pytest.approx([1.0, 1.5, 1.5, 1.0, 1.0])
    (note,) = (note for note in corrected.warnings if note.code is Code.SLICE_GAP)
    assert "12.0 mm apart instead of 6.0 mm" in note


def test_slices_at_one_place_are_laid_out_along_the_normal(study):
    g = study.stack.geometry
    same = replace(study.stack, geometry=replace(g, positions_mm=(g.positions_mm[0],) * 5))
    assert with_spacing(
        replace(study, stacks=(same,)), (1.0, 1.0, 7.0)
    ).stack.geometry.slice_spacing_mm == pytest.approx(7)


def test_a_single_slice_gets_a_slice_spacing():
    stack = sax_cine(phases=2, slices=5, rows=64, cols=60).stack
    g = replace(stack.geometry, positions_mm=stack.geometry.positions_mm[1:2], single_slice_spacing_mm=None)
    study = Study("P", Path("P"), (replace(stack, pixels=stack.pixels[:, 1:2], geometry=g, source_slices=(0,)),))
    assert with_spacing(study, (1.0, 1.0, 9.0)).stack.geometry.slice_spacing_mm == 9.0


@pytest.mark.parametrize("spacing", [(0.0, 1, 1), (1, -1, 1), (1, 1, float("nan")), (1, 1, 1e9), (1, 1)])
def test_distances_that_cannot_be_are_refused(study, spacing):
    with pytest.raises(GeometryError, match="Correct the spacing"):
        with_spacing(study, spacing)
