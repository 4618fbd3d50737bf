from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.evaluate.volumes import VolumeAgreement, VolumePair, agreement_of, agreements, volume_pairs

ALL = frozenset(STRUCTURES)


def geometry(*, known: bool = True) -> Geometry:
    """Two slices of 20 x 20, voxels of 2 x 2 x 10 mm = 0.04 ml."""
    return Geometry(
        rows=20,
        cols=20,
        pixel_spacing_mm=(2.0, 2.0),
        row_direction=(1.0, 0.0, 0.0),
        col_direction=(0.0, 1.0, 0.0),
        positions_mm=((0.0, 0.0, 10.0), (0.0, 0.0, 0.0)),
        spacing_known=known,
    )


def maps(*phases: tuple[int, int, int]) -> Any:
    """(phase, slice, row, col) with so many voxels of LVBP, LVM and RVBP at each phase."""
    labels = np.zeros((len(phases), 2 * 20 * 20), np.uint8)
    for at, counts in enumerate(phases):
        labels[at, : sum(counts)] = np.repeat(np.array([1, 2, 3], np.uint8), counts)
    return labels.reshape(len(phases), 2, 20, 20)


def pairs_of(reference: Any, predicted: Any, **changes: Any) -> dict[str, tuple[float, float | None]]:
    given = {
        "structures": dict.fromkeys(range(len(reference)), ALL),
        "geometry": geometry(),
        "ed_phase": 0,
        "es_phase": 1,
        **changes,
    }
    found = volume_pairs("acdc", "p", reference=reference, predicted=predicted, **given)
    assert all((pair.group, pair.patient) == ("acdc", "p") for pair in found)
    return {pair.measure: (pair.reference, pair.predicted) for pair in found}


def test_slices_of_an_uneven_stack_count_by_half_the_gap_to_each_neighbour() -> None:
    """Gaps of 10 and 20 mm, 15 mm usual: 12.5, 15 and 17.5 mm for the slices."""
    uneven = replace(geometry(), positions_mm=((0.0, 0.0, 30.0), (0.0, 0.0, 20.0), (0.0, 0.0, 0.0)))
    labels = np.zeros((1, 3, 20, 20), np.uint8)
    labels[0, 0, 0, :10], labels[0, 2, 0, :10], labels[0, 2, 1, :4] = 1, 1, 2
    found = pairs_of(labels, labels[:, ::-1], geometry=uneven, es_phase=None)
    assert found["lv_edv_ml"] == (pytest.approx(10 * 4 * (12.5 + 17.5) / 1000), pytest.approx(1.2))
    assert found["lv_mass_g"] == (pytest.approx(4 * 4 * 17.5 / 1000 * 1.05), pytest.approx(4 * 4 * 12.5 / 1000 * 1.05))


def test_volumes_fractions_and_mass_of_both_label_maps() -> None:
    found = pairs_of(maps((200, 100, 150), (80, 100, 90)), maps((250, 90, 150), (100, 90, 60)))
    expected = {
        "lv_edv_ml": (8.0, 10.0),
        "lv_esv_ml": (3.2, 4.0),
        "lv_sv_ml": (4.8, 6.0),
        "lv_ef_percent": (60.0, 60.0),
        "lv_mass_g": (100 * 0.04 * 1.05, 90 * 0.04 * 1.05),
        "rv_edv_ml": (6.0, 6.0),
        "rv_esv_ml": (3.6, 2.4),
        "rv_sv_ml": (2.4, 3.6),
        "rv_ef_percent": (40.0, 60.0),
    }
    assert found == {name: (pytest.approx(a), pytest.approx(b)) for name, (a, b) in expected.items()}


def test_without_a_known_spacing_only_fractions_are_given() -> None:
    both = maps((200, 100, 150), (80, 100, 90))
    found = pairs_of(both, both, geometry=geometry(known=False))
    assert found == {"lv_ef_percent": (60.0, 60.0), "rv_ef_percent": (40.0, 40.0)}


def test_what_the_reference_does_not_label_is_not_measured() -> None:
    both = maps((200, 100, 150), (80, 100, 90))
    structures = {0: frozenset({Label.LVBP, Label.LVM}), 1: frozenset({Label.LVBP})}
    assert set(pairs_of(both, both, structures=structures)) == {
        "lv_edv_ml", "lv_esv_ml", "lv_sv_ml", "lv_ef_percent", "lv_mass_g",
    }  # fmt: skip


def test_a_structure_labelled_at_one_phase_gives_that_phases_volume_only() -> None:
    both = maps((200, 100, 150), (80, 100, 90))
    found = pairs_of(both, both, structures={0: ALL, 1: frozenset({Label.LVBP})})
    assert "rv_edv_ml" in found
    assert not {"rv_esv_ml", "rv_sv_ml", "rv_ef_percent"} & set(found)


def test_both_are_measured_at_the_phases_of_the_reference() -> None:
    # The prediction alone would take phase 1 for ED.
    found = pairs_of(maps((200, 9, 9), (80, 9, 9)), maps((50, 9, 9), (100, 9, 9)), ed_phase=None, es_phase=None)
    assert found["lv_edv_ml"] == (pytest.approx(8.0), pytest.approx(2.0))
    assert found["lv_esv_ml"] == (pytest.approx(3.2), pytest.approx(4.0))


def test_a_prediction_without_a_ventricle_is_a_failure_and_not_left_out() -> None:
    found = pairs_of(maps((200, 9, 9), (80, 9, 9)), maps((0, 0, 0), (0, 0, 0)))
    assert found["lv_edv_ml"] == (pytest.approx(8.0), None)
    pairs = [VolumePair("g", "p", "lv_edv_ml", 8.0, None), VolumePair("g", "q", "lv_edv_ml", 8.0, 9.0)]
    assert (agreement_of(pairs).n, agreement_of(pairs).failed) == (1, 1)


def test_bias_and_limits_of_agreement() -> None:
    # Errors 1, -2, 4: mean 1, SD 3, absolute 1, 2, 4.
    pairs = [VolumePair("g", n, "lv_edv_ml", r, r + e) for n, r, e in (("a", 10, 1.0), ("b", 20, -2.0), ("c", 30, 4.0))]
    found = agreement_of(pairs)
    assert found == VolumeAgreement(
        n=3,
        failed=0,
        mean_absolute_error=pytest.approx(7 / 3),
        median_absolute_error=2.0,
        bias=pytest.approx(1.0),
        sd=pytest.approx(3.0),
        lower=pytest.approx(1 - 1.96 * 3),
        upper=pytest.approx(1 + 1.96 * 3),
        # Centred references -10, 0, 10, predictions 11, 18, 34 about 21: (100 + 130) / (sqrt(200) sqrt(278)).
        correlation=pytest.approx(230 / np.sqrt(200 * 278)),
    )


def test_too_few_patients_have_no_spread_and_no_correlation() -> None:
    one = agreement_of([VolumePair("g", "a", "lv_edv_ml", 10.0, 12.0)])
    assert (one.n, one.bias, one.mean_absolute_error) == (1, 2.0, 2.0)
    assert (one.sd, one.lower, one.upper, one.correlation) == (None,) * 4
    assert agreement_of([]).bias is None


def test_measures_come_in_the_programs_order() -> None:
    pairs = [VolumePair("g", "a", name, 1.0, 1.0) for name in ("rv_edv_ml", "lv_ef_percent", "lv_edv_ml")]
    assert list(agreements(pairs)) == ["lv_edv_ml", "lv_ef_percent", "rv_edv_ml"]
