import numpy as np
import pytest

from cmr_viewer.domain.measures import MEASURE_NAMES, measure
from cmr_viewer.domain.plausible import believed, believed_voxel_ml, impossible_heart

COUNTS = np.array([[9000, 100, 120, 90], [9150, 50, 110, 60]])
"""(phase, 4): 100 voxels of LV blood pool at end-diastole."""


@pytest.mark.parametrize("ml", [5.0, 60.0, 180.0, 700.0, 1500.0])
def test_a_human_heart_is_believed(ml):
    assert impossible_heart(ml) == ""


@pytest.mark.parametrize("ml", [0.0, 0.05, 4.99, 1501.0, 2.9e10])
def test_a_heart_that_no_human_has_is_not(ml):
    assert "5 to 1500 ml" in impossible_heart(ml)


@pytest.mark.parametrize("voxel_ml", [0.049, 15.1])
def test_no_figure_of_an_impossible_heart_is_given_and_each_states_why(voxel_ml):
    found = measure(COUNTS, voxel_ml=voxel_ml, ed_phase=0, es_phase=1)
    kept = believed(found)
    assert set(kept.values.values()) == {None}
    assert set(kept.reasons) == set(MEASURE_NAMES)
    assert all("Check the spacing" in reason for reason in kept.reasons.values())
    assert (kept.ed_phase, kept.es_phase) == (0, 1)
    assert believed(found, any_size=True) is found


@pytest.mark.parametrize("voxel_ml", [0.05, 1.0, 15.0, None])
def test_figures_of_other_hearts_stay(voxel_ml):
    found = measure(COUNTS, voxel_ml=voxel_ml, ed_phase=0, es_phase=1)
    assert believed(found) is found


def test_a_voxel_that_makes_an_impossible_heart_has_no_volume():
    lv = COUNTS[:, 1]
    assert believed_voxel_ml(1.0, lv) == (1.0, "")
    ml, why_not = believed_voxel_ml(1e6, lv)
    assert ml is None
    assert "100,000,000 ml" in why_not
    assert believed_voxel_ml(1e6, lv, any_size=True) == (1e6, "")
    assert believed_voxel_ml(None, lv) == (None, "")
    assert believed_voxel_ml(1.0, np.array([-1, 0])) == (1.0, "")
