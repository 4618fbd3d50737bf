import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.measures.papillary import PapillaryConvention
from cmr_viewer.domain.measures.volumes import (
    MEASURE_NAMES,
    believed,
    believed_voxel_ml,
    ejection_fraction_percent,
    impossible_heart,
    label_counts,
    measure,
    stack_volume_ml,
    voxel_volume_ml,
)
from cmr_viewer.errors import GeometryError
from tests.phantom import sax_cine

# Background, LVBP, LVM, RVBP at three phases: LV EF 60 %, RV EF 50 %.
COUNTS = np.array([[0, 100, 80, 120], [0, 40, 90, 60], [0, 70, 85, 90]])


def test_a_volume_is_pixels_times_area_times_slice_spacing():
    labels = np.zeros((2, 10, 10), np.uint8)
    labels[:, :5, :4] = Label.LVBP
    # 40 pixels x 1.5 mm x 2 mm x 10 mm = 1200 mm3
    assert stack_volume_ml(labels, Label.LVBP, pixel_spacing_mm=(1.5, 2.0), slice_spacing_mm=10.0) == pytest.approx(1.2)


def test_a_label_that_is_absent_has_no_volume():
    labels = np.zeros((1, 4, 4), np.uint8)
    assert stack_volume_ml(labels, Label.RVBP, pixel_spacing_mm=(1.0, 1.0), slice_spacing_mm=8.0) == 0.0


@pytest.mark.parametrize(("pixel", "slice_spacing"), [((0.0, 1.0), 8.0), ((1.0, 1.0), -8.0)])
def test_spacings_must_be_positive(pixel, slice_spacing):
    with pytest.raises(GeometryError, match="positive"):
        stack_volume_ml(
            np.zeros((1, 1, 1), np.uint8), Label.LVM, pixel_spacing_mm=pixel, slice_spacing_mm=slice_spacing
        )


LENGTHS = st.floats(0.1, 20.0)


@given(st.integers(0, 2**31), LENGTHS, LENGTHS, LENGTHS, st.floats(0.2, 5.0))
@settings(deadline=None, max_examples=60)
def test_the_spacings_scale_the_volume(seed, row, col, slice_spacing, factor):
    labels = np.random.default_rng(seed).integers(0, 4, (3, 9, 8)).astype(np.uint8)

    def volume(row, col, slice_spacing):
        return stack_volume_ml(labels, Label.LVM, pixel_spacing_mm=(row, col), slice_spacing_mm=slice_spacing)

    plain = volume(row, col, slice_spacing)
    assert volume(factor * row, col, slice_spacing) == pytest.approx(factor * plain)
    assert volume(row, factor * col, slice_spacing) == pytest.approx(factor * plain)
    assert volume(row, col, factor * slice_spacing) == pytest.approx(factor * plain)


def test_the_phantom_measures_as_its_formula_gives():
    phantom = sax_cine(rows=192, cols=176, pixel_spacing_mm=(0.9, 0.9), phases=3)
    g = phantom.stack.geometry
    for phase in (0, phantom.es_phase):
        for label in (Label.LVBP, Label.LVM, Label.RVBP):
            volume = stack_volume_ml(
                phantom.labels[phase],
                label,
                pixel_spacing_mm=g.pixel_spacing_mm,
                slice_spacing_mm=g.slice_spacing_mm,
            )
            assert volume == pytest.approx(phantom.volume_ml(phase, label), rel=0.01)


def test_ejection_fraction_is_stroke_volume_of_end_diastolic_volume():
    assert ejection_fraction_percent(100.0, 40.0) == pytest.approx(60.0)
    assert ejection_fraction_percent(0.0, 0.0) is None


def test_all_measures_of_a_segmented_stack():
    result = measure(COUNTS, voxel_ml=0.5, ed_phase=0, es_phase=1)
    assert (result.ed_phase, result.es_phase) == (0, 1)
    expected = {
        "lv_edv_ml": 50.0,
        "lv_esv_ml": 20.0,
        "lv_sv_ml": 30.0,
        "lv_ef_percent": 60.0,
        "lv_mass_g": 80 * 0.5 * 1.05,
        "rv_edv_ml": 60.0,
        "rv_esv_ml": 30.0,
        "rv_sv_ml": 30.0,
        "rv_ef_percent": 50.0,
    }
    assert dict(result.values) == pytest.approx(expected)
    assert list(result.values) == list(MEASURE_NAMES)
    assert result.reasons == {}


def test_figures_state_where_papillary_muscles_are_counted():
    assert measure(COUNTS, voxel_ml=1.0, ed_phase=0, es_phase=1).papillary is PapillaryConvention.IN_BLOOD_POOL


def test_phases_set_by_a_reader_are_used():
    result = measure(COUNTS, voxel_ml=1.0, ed_phase=2, es_phase=1)
    assert (result.ed_phase, result.es_phase) == (2, 1)
    assert result.values["lv_sv_ml"] == pytest.approx(30.0)


def test_without_spacing_only_fractions_are_given_with_the_reason():
    result = measure(COUNTS, voxel_ml=None, ed_phase=0, es_phase=1, no_volume_reason="No spacing.")
    assert result.values["lv_ef_percent"] == pytest.approx(60.0)
    assert result.values["rv_ef_percent"] == pytest.approx(50.0)
    in_ml_or_g = [name for name in MEASURE_NAMES if not name.endswith("percent")]
    assert all(result.values[name] is None and result.reasons[name] == "No spacing." for name in in_ml_or_g)


def test_a_marked_phase_that_is_not_segmented_leaves_the_other():
    counts = COUNTS.copy()
    counts[0] = -1
    result = measure(counts, voxel_ml=1.0, ed_phase=0, es_phase=1)
    assert result.values["lv_esv_ml"] == 40.0
    missing = {"lv_edv_ml", "lv_sv_ml", "lv_ef_percent", "lv_mass_g", "rv_edv_ml", "rv_sv_ml", "rv_ef_percent"}
    assert set(result.reasons) == missing
    assert all(result.values[name] is None for name in missing)
    assert all("End-diastole" in reason for reason in result.reasons.values())


def test_where_ed_and_es_are_not_known_none_is_guessed():
    result = measure(COUNTS, voxel_ml=1.0, ed_phase=None, es_phase=None)
    assert (result.ed_phase, result.es_phase) == (None, None)
    assert set(result.reasons) == set(MEASURE_NAMES)


@pytest.mark.parametrize(
    ("counts", "es", "reason"),
    [(COUNTS[:1], None, "one phase"), (COUNTS[:1], 0, "one phase"), (COUNTS, 0, "same phase")],
)
def test_without_two_phases_there_is_no_esv_sv_or_ef(counts, es, reason):
    result = measure(counts, voxel_ml=1.0, ed_phase=0, es_phase=es)
    given = {name: value for name, value in result.values.items() if value is not None}
    assert given == pytest.approx({"lv_edv_ml": 100.0, "rv_edv_ml": 120.0, "lv_mass_g": 84.0})
    missing = {f"{side}_{name}" for side in ("lv", "rv") for name in ("esv_ml", "sv_ml", "ef_percent")}
    assert set(result.reasons) == missing and all(reason in text for text in result.reasons.values())


def test_one_phase_that_is_es_gives_end_systolic_volumes_alone():
    result = measure(COUNTS[1:2], voxel_ml=1.0, ed_phase=None, es_phase=0)
    assert {n: v for n, v in result.values.items() if v is not None} == {"lv_esv_ml": 40.0, "rv_esv_ml": 60.0}


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        (np.full((2, 4), -1), "No phase is fully segmented yet."),
        (np.array([[100, 0, 0, 0], [90, 0, 0, 10]]), "There is no LV blood pool in the label maps."),
    ],
)
def test_nothing_segmented_gives_one_reason_for_all(counts, reason):
    result = measure(counts, voxel_ml=1.0, ed_phase=None, es_phase=None)
    assert set(result.reasons.values()) == {reason}


def test_an_empty_right_ventricle_has_no_ejection_fraction():
    counts = COUNTS.copy()
    counts[:, Label.RVBP] = 0
    result = measure(counts, voxel_ml=1.0, ed_phase=0, es_phase=1)
    assert result.values["rv_ef_percent"] is None
    assert "empty" in result.reasons["rv_ef_percent"]


def test_label_counts_count_each_label():
    assert label_counts(np.array([[0, 1, 1], [3, 0, 0]], np.uint8)).tolist() == [3, 2, 0, 1]


def test_the_volume_of_a_voxel_is_spacing_times_spacing_times_spacing():
    grid = Geometry(4, 4, (1.5, 2.0), (1, 0, 0), (0, 1, 0), ((0, 0, 0), (0, 0, 10)))
    assert voxel_volume_ml(grid) == (pytest.approx(0.03), "")


def test_where_a_spacing_is_not_known_the_volume_of_a_voxel_is_not_and_it_is_stated_why():
    one_slice = Geometry(4, 4, (1.5, 2.0), (1, 0, 0), (0, 1, 0), ((0, 0, 0),))
    untrue = Geometry(4, 4, (1.0, 1.0), (1, 0, 0), (0, 1, 0), ((0, 0, 0), (0, 0, 1)), spacing_known=False)
    assert voxel_volume_ml(one_slice) == (None, "The spacing of a single slice is not known.")
    assert voxel_volume_ml(untrue) == (None, "The spacing of the study is not known.")


BELIEVABLE = np.array([[9000, 100, 120, 90], [9150, 50, 110, 60]])
"""(phase, 4): 100 voxels of LV blood pool at end-diastole."""


@pytest.mark.parametrize("ml", [5.0, 60.0, 180.0, 700.0, 1500.0])
def test_a_human_heart_is_believed(ml):
    assert impossible_heart(ml) == ""


@pytest.mark.parametrize("ml", [0.0, 0.05, 4.99, 1501.0, 2.9e10])
def test_a_heart_that_no_human_has_is_not(ml):
    assert "5 to 1500 ml" in impossible_heart(ml)


@pytest.mark.parametrize("voxel_ml", [0.049, 15.1])
def test_no_figure_of_an_impossible_heart_is_given_and_each_states_why(voxel_ml):
    found = measure(BELIEVABLE, voxel_ml=voxel_ml, ed_phase=0, es_phase=1)
    after = believed(found)
    assert set(after.values.values()) == {None}
    assert set(after.reasons) == set(MEASURE_NAMES)
    assert all("Check the spacing" in reason for reason in after.reasons.values())
    assert (after.ed_phase, after.es_phase) == (0, 1)
    assert believed(found, any_size=True) is found


@pytest.mark.parametrize("voxel_ml", [0.05, 1.0, 15.0, None])
def test_figures_of_other_hearts_stay(voxel_ml):
    found = measure(BELIEVABLE, voxel_ml=voxel_ml, ed_phase=0, es_phase=1)
    assert believed(found) is found


def test_a_voxel_that_makes_an_impossible_heart_has_no_volume():
    lv = BELIEVABLE[:, 1]
    assert believed_voxel_ml(1.0, lv) == (1.0, "")
    ml, why_not = believed_voxel_ml(1e6, lv)
    assert ml is None
    assert "100,000,000 ml" in why_not
    assert believed_voxel_ml(1e6, lv, any_size=True) == (1e6, "")
    assert believed_voxel_ml(None, lv) == (None, "")
    assert believed_voxel_ml(1.0, np.array([-1, 0])) == (1.0, "")
