"""One known study in every form that is read: what comes back is what was written."""

import re
from pathlib import Path

import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import CmrViewerError
from cmr_viewer.load.labels.files import read_labels
from cmr_viewer.load.study import open_study
from tests.load.matrix.form import known, places_of
from tests.load.matrix.image_forms import IMAGE_FORMS
from tests.load.matrix.kind_forms import KIND_FORMS
from tests.load.matrix.label_forms import ALL, LABEL_FORMS, frames, write_images
from tests.load.matrix.order_forms import ORDER_FORMS
from tests.load.matrix.pixel_forms import PIXEL_FORMS
from tests.load.matrix.refused_forms import REFUSED, REFUSED_LABELS
from tests.load.matrix.vendor_forms import VENDOR_FORMS

FORMS = [*VENDOR_FORMS, *PIXEL_FORMS, *ORDER_FORMS, *KIND_FORMS, *IMAGE_FORMS]
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "loading" / "README.md"
PLACE_ERROR_MM = 2e-3
"""Files state directions with 6 to 8 digits, over frames of 160 mm."""


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_the_known_study_comes_back_from(tmp_path, form):
    path, truth = form.write(tmp_path / "study")
    study = open_study(path)
    stack = study.stack
    assert len(study.warnings) == len(truth.notes), study.warnings
    assert all(re.search(note, noted) for note, noted in zip(truth.notes, study.warnings, strict=True)), study.warnings
    assert (stack.pixels.shape, stack.pixels.dtype) == (truth.pixels.shape, truth.pixels.dtype)
    np.testing.assert_allclose(
        stack.pixels.astype(np.float64), truth.pixels.astype(np.float64), rtol=0, atol=truth.largest_error
    )
    np.testing.assert_allclose(places_of(stack.geometry), truth.places_mm, atol=PLACE_ERROR_MM)
    assert stack.geometry.spacing_known == truth.spacing_known
    assert stack.phase_times_ms == (None if truth.times_ms is None else pytest.approx(truth.times_ms, abs=1e-3))
    assert truth.source_slices in (None, stack.source_slices)
    assert (stack.ed_phase, stack.es_phase) == (truth.ed, truth.es)
    assert_reference(study, truth)
    assert len(study.long_axis) == len(truth.views)
    for view, pixels in zip(study.long_axis, truth.views, strict=True):
        np.testing.assert_array_equal(view.pixels, pixels)
    assert tuple(repeat.slice_index for repeat in study.repeats) == truth.repeats
    assert len(study.choices) == truth.choices


def assert_reference(study, truth):
    if truth.reference is None:
        assert study.reference is None
        return
    np.testing.assert_array_equal(study.reference, truth.reference)
    assert study.reference_phases == tuple(np.flatnonzero(truth.reference.any(axis=(1, 2, 3))))


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """The study as it is, and as stored with its rows and its columns the other way round."""
    return {
        stored: open_study(write_images(tmp_path_factory.mktemp(f"images{stored}"), stored=stored))
        for stored in ("", "rows", "cols")
    }


@pytest.mark.parametrize("form", LABEL_FORMS, ids=lambda form: form.name)
def test_the_known_label_maps_come_back_from(tmp_path, studies, form):
    study = studies[form.stored]
    imported = read_labels(form.write(tmp_path / "labels", study), study, form.codes)
    expected = np.where(np.isin(known().labels, form.labels), known().labels, Label.BACKGROUND)
    np.testing.assert_array_equal(imported.labels, expected)
    spoken = [f for f in frames() if form.everywhere or expected[f].any()]
    assert {tuple(frame) for frame in imported.structures} == set(spoken)
    if form.everywhere:
        assert set(imported.structures.values()) == {frozenset(ALL)}
    else:
        for frame in spoken:
            assert imported.structures[FrameIndex(*frame)] >= {Label(v) for v in np.unique(expected[frame]) if v}
    assert len(imported.warnings) == len(form.notes), imported.warnings
    assert all(re.search(note, noted) for note, noted in zip(form.notes, imported.warnings, strict=True))


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.name)
def test_it_is_stated_why_a_study_is_not_opened_from(tmp_path, refused):
    with pytest.raises(CmrViewerError, match=re.escape(refused.words)):
        open_study(refused.write(tmp_path / "study"))


@pytest.mark.parametrize(("form", "words"), REFUSED_LABELS, ids=lambda value: getattr(value, "name", ""))
def test_it_is_stated_why_labels_are_not_taken_from(tmp_path, studies, form, words):
    with pytest.raises(CmrViewerError, match=re.escape(words)):
        read_labels(form.write(tmp_path / "labels", studies[""]), studies[""])


def test_the_tables_of_the_documentation_name_these_forms_and_no_others():
    lines = DOCUMENTATION.read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")]
    refused = [(one.name, one.words) for one in REFUSED] + [(form.name, words) for form, words in REFUSED_LABELS]
    assert [row[0] for row in rows if len(row) == 3 and row[0] != "form"] == [
        form.name for form in (*FORMS, *LABEL_FORMS)
    ]
    assert [tuple(row) for row in rows if len(row) == 2 and row[0] != "what"] == refused
