import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.errors import LabelMapError
from cmr_viewer.load.labels.imported import checked_points, paint
from tests.phantom_contours import square


def test_the_myocardium_is_the_epicardium_less_the_endocardium_and_the_right_ventricle_what_is_left():
    labels = paint(
        {
            Label.LVBP: [np.array(square(4.5, 7.5))],
            Label.LVM: [np.array(square(2.5, 9.5))],
            Label.RVBP: [np.array(square(-0.5, 5.5))],
        },
        (12, 12),
    )
    assert np.bincount(labels.ravel(), minlength=4).tolist() == [144 - 49 - 27, 9, 40, 36 - 9]


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([(1, 1)], "1 point;"),
        ([(1, 1), (2, 2)], "2 points"),
        ([(1, 1), (2, 2), (np.nan, 1)], "not numbers"),
        ([(1, 1), (2, 2), (np.inf, 1)], "not numbers"),
        ([(1, 1), (2, 2), (1e300, 1)], "far outside"),
    ],
)
def test_what_cannot_be_a_contour_is_refused(points, said):
    with pytest.raises(LabelMapError, match=said):
        checked_points(np.array(points, dtype=float), "It")
