import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import LoadError, TrainingError
from cmr_viewer.load.datasets import find_labelled
from cmr_viewer.prepare.grid import Grid
from cmr_viewer.prepare.network_input import normalise
from cmr_viewer.progress import Cancelled
from cmr_viewer.train.samples import (
    Sample,
    count_by_region,
    end_weights,
    fingerprint,
    make_sample,
    read_training_data,
    sample_grid,
    samples_of_stack,
    specialist_weights,
    with_non_cardiac,
    with_shares,
)
from cmr_viewer.train.spec import default_spec
from cmr_viewer.train.split import Split
from tests.phantom import sax_cine, write_acdc_patient

GRID = Grid(4.0, 32, 32)
SPEC = default_spec(Role.BASELINE, spacing_mm=4.0, rows=32, cols=32)
PATIENTS = ["patient001", "patient002", "patient003", "patient004", "patient005", "patient006", "patient007"]
HELD_OUT = ["patient001", "patient007"]
SPLIT = Split()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of seven small ACDC patients."""
    root = tmp_path_factory.mktemp("acdc")
    for seed, name in enumerate(PATIENTS):
        write_acdc_patient(root, sax_cine(phases=4, slices=6, rows=48, cols=44, seed=seed), patient=name)
    return root


def test_samples_are_kept_wider_than_the_networks_grid() -> None:
    assert sample_grid(Grid(1.5, 160, 128)) == Grid(1.5, 224, 179)


def test_a_sample_lies_around_the_heart_with_its_labels_on_its_pixels() -> None:
    pixels = np.full((60, 60), 100, np.int16)
    labels = np.zeros((60, 60), np.uint8)
    labels[10:17, 30:37] = 1
    pixels[labels > 0] = 900
    made = make_sample(
        pixels,
        labels,
        pixel_spacing_mm=(2.0, 2.0),
        grid=Grid(2.0, 32, 32),
        region=Region.APEX,
        patient_key="p",
        name="n",
    )
    assert made.image.shape == made.labels.shape == (44, 44)
    assert (made.region, made.patient_key, made.name) == (Region.APEX, "p", "n")
    # the heart's centre (13, 33) lies at the sample's centre (21.5, 21.5): half a pixel off the frame's own
    r, c = np.nonzero(made.labels)
    assert (r.mean(), c.mean()) == pytest.approx((21.5, 21.5), abs=0.51)
    assert made.image[made.labels > 0].mean() > made.image[made.labels == 0].mean() + 2


@pytest.mark.parametrize(("centre", "expected"), [(None, (22.5, 22.5)), ((10.0, 30.0), (34.5, 14.5))])
def test_without_labels_the_middle_of_the_frame_or_a_given_centre_is_taken(
    centre: tuple[float, float] | None, expected: tuple[float, float]
) -> None:
    pixels = np.zeros((45, 45), np.uint16)
    pixels[20:25, 20:25] = 100
    made = make_sample(
        pixels,
        np.zeros((45, 45), np.uint8),
        pixel_spacing_mm=(1.0, 1.0),
        grid=Grid(1.0, 33, 33),
        region=Region.NON_CARDIAC,
        patient_key="p",
        name="n",
        centre=centre,
    )
    assert made.image.shape == (46, 46)
    # the bright square's middle is pixel (22, 22); the sample's centre is (22.5, 22.5)
    assert np.argwhere(made.image > 0.2 * made.image.max()).mean(axis=0) == pytest.approx(expected)


def test_outside_the_frame_a_sample_is_zero_and_does_not_count() -> None:
    pixels = np.random.default_rng(0).integers(0, 900, (20, 20)).astype(np.uint16)
    made = make_sample(
        pixels,
        np.zeros((20, 20), np.uint8),
        pixel_spacing_mm=(1.0, 1.0),
        grid=Grid(1.0, 20, 20),
        region=Region.BASE,
        patient_key="p",
        name="n",
    )
    assert_array_equal(made.image[4:24, 4:24], normalise(pixels))
    outside = np.ones((28, 28), bool)
    outside[4:24, 4:24] = False
    assert not made.image[outside].any()


def test_regions_of_a_stack_follow_from_its_labels(data: Path) -> None:
    labelled = find_labelled(data / "patient001")[0].read()
    made = samples_of_stack(labelled, GRID)
    # six slices: one above, four cardiac at ED (20 % of 4 is 0.8, hence one base and one apex), one below
    n, b, m, a = Region.NON_CARDIAC, Region.BASE, Region.MIDDLE, Region.APEX
    assert [s.region for s in made[:6]] == [n, b, m, m, a, n]
    assert len(made) == 6 * len(labelled.phases)
    assert {s.patient_key for s in made} == {labelled.study.name}


def test_neighbours_are_the_images_of_the_slices_beside_a_frame(data: Path) -> None:
    labelled = find_labelled(data / "patient001")[0].read()
    made = samples_of_stack(labelled, GRID, context=1)
    assert [sorted(s.neighbours) for s in made[:6]] == [[1], [-1, 1], [-1, 1], [-1, 1], [-1, 1], [-1]]
    assert made[2].neighbours[-1] is made[1].image
    assert made[2].neighbours[1] is made[3].image
    assert_array_equal(made[0].channels(1), np.stack([np.zeros_like(made[0].image), made[0].image, made[1].image]))
    assert_array_equal(made[0].channels(0), made[0].image[None])


def test_the_position_runs_from_the_base_to_the_apex_of_the_heart(data: Path) -> None:
    labelled = find_labelled(data / "patient001")[0].read()
    made = samples_of_stack(labelled, GRID)
    assert [s.position for s in made[:6]] == [None, 0.0, pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0, None]


def test_phases_that_lack_a_structure_are_taken_only_where_that_is_asked_for(data: Path) -> None:
    labelled = find_labelled(data / "patient001")[0].read()
    ed, es = labelled.phases
    left = frozenset({Label.LVBP, Label.LVM})
    lacking = replace(labelled, phase_structures={ed: frozenset(Label) - {Label.BACKGROUND}, es: left})
    assert len(samples_of_stack(lacking, GRID)) == 6
    both = samples_of_stack(lacking, GRID, partial=True)
    assert [s.structures == left for s in both] == [False] * 6 + [True] * 6


def test_reading_splits_by_patient_and_leaves_the_test_part_alone(data: Path) -> None:
    read = read_training_data([data], SPEC, SPLIT)
    trained_on, validation = read.origin["patients"], read.origin["validation_patients"]
    assert validation == ["patient003"]
    assert sorted(trained_on + validation + HELD_OUT) == PATIENTS
    assert {s.patient_key for s in read.samples} == set(trained_on)
    assert {s.patient_key for s in read.validation} == set(validation)
    assert (len(read.samples), len(read.validation)) == (12 * len(trained_on), 12)


def test_a_split_that_names_patients_is_followed(data: Path) -> None:
    read = read_training_data([data], SPEC, Split({"patient001": "train", "patient002": "test"}))
    assert "patient001" in read.origin["patients"] and "patient002" not in read.origin["patients"]


def test_samples_are_counted_by_region(data: Path) -> None:
    samples = read_training_data([data], SPEC, SPLIT).samples
    counts = count_by_region(samples)
    assert set(counts) == {"base", "middle", "apex", "non_cardiac"}
    assert sum(counts.values()) == len(samples)


def test_a_patient_that_cannot_be_read_is_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for seed, name in enumerate(("patient002", "patient004")):
        write_acdc_patient(tmp_path, sax_cine(phases=2, slices=4, rows=32, cols=32, seed=seed), patient=name)
    broken = tmp_path / "patient002" / "patient002_frame01.nii.gz"
    broken.write_bytes(broken.read_bytes()[:300])
    with caplog.at_level(logging.WARNING):
        read = read_training_data([tmp_path], SPEC, SPLIT)
    assert read.origin["patients"] == ["patient004"]
    assert "left out of training" in caplog.text


def test_labels_that_do_not_fit_their_images_leave_the_patient_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    small = sax_cine(phases=2, slices=4, rows=32, cols=32)
    write_acdc_patient(tmp_path, small, patient="patient002")
    write_acdc_patient(tmp_path, small, patient="patient004")
    write_acdc_patient(tmp_path / "other", sax_cine(phases=2, slices=5, rows=32, cols=32), patient="patient002")
    gt = "patient002/patient002_frame01_gt.nii.gz"
    (tmp_path / gt).write_bytes((tmp_path / "other" / gt).read_bytes())
    with caplog.at_level(logging.WARNING):
        read = read_training_data([tmp_path], SPEC, SPLIT)
    assert read.origin["patients"] == ["patient004"]


def test_nothing_named_is_told() -> None:
    with pytest.raises(TrainingError, match="--data"):
        read_training_data([], SPEC, SPLIT)


def test_a_folder_without_labels_is_told(tmp_path: Path) -> None:
    with pytest.raises(LoadError):
        read_training_data([tmp_path], SPEC, SPLIT)


def test_reading_can_be_cancelled(data: Path) -> None:
    def stop(fraction: float, text: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        read_training_data([data], SPEC, SPLIT, stop)


def test_a_fingerprint_changes_with_everything_that_is_learnt_from(data: Path) -> None:
    samples = list(read_training_data([data], replace(SPEC, context=1), SPLIT).samples[:4])
    first = next(s for s in samples if s.neighbours)
    rest = [s for s in samples if s is not first]
    one_less = dict(list(first.neighbours.items())[1:])
    moved = {2 * offset: image for offset, image in first.neighbours.items()}
    others: list[list[Sample]] = [
        [replace(first, image=first.image + 1), *rest],
        [replace(first, labels=(first.labels + 1) % 4), *rest],
        [replace(first, region=Region.APEX), *rest],
        [replace(first, neighbours=one_less), *rest],
        [replace(first, neighbours=moved), *rest],
        [replace(first, structures=frozenset({Label.LVBP})), *rest],
        [replace(first, position=0.123), *rest],
        [*rest, first],
        rest,
    ]
    found = {fingerprint(one) for one in [[first, *rest], *others]}
    assert len(found) == len(others) + 1
    assert {len(one) for one in found} == {16}


B, M, A, N = Region.BASE, Region.MIDDLE, Region.APEX, Region.NON_CARDIAC


def test_without_a_focus_all_samples_are_alike() -> None:
    assert_allclose(specialist_weights([B, M, M, N], None), [0.25] * 4)


def test_the_focus_has_its_share_and_all_others_the_rest() -> None:
    # 0.8 over two of the base; 0.2 over four others
    weights = specialist_weights([B, M, A, N, B, M], B, 0.8)
    assert_allclose(weights, [0.4, 0.05, 0.05, 0.05, 0.4, 0.05])


def test_a_full_share_draws_the_focus_alone() -> None:
    assert_allclose(specialist_weights([B, M, B, N], B, 1.0), [0.5, 0.0, 0.5, 0.0])


def test_where_there_is_nothing_else_the_focus_has_all() -> None:
    assert_allclose(specialist_weights([A, A], A, 0.8), [0.5, 0.5])


def test_no_samples_of_the_region_are_told() -> None:
    with pytest.raises(TrainingError, match="apex"):
        specialist_weights([B, M], A)


def test_no_samples_at_all_are_told() -> None:
    with pytest.raises(TrainingError, match="no samples"):
        specialist_weights([], None)


def test_the_ends_of_the_heart_are_drawn_oftener_by_the_ratio() -> None:
    # 1 + 3 (2x - 1)^2 at 0, 1/4, 1/2, 1: 4, 1.75, 1, 4
    weights = end_weights([0.0, 0.25, 0.5, 1.0], 4.0)
    assert_allclose(weights, [4 / 10.75, 1.75 / 10.75, 1 / 10.75, 4 / 10.75])
    high = end_weights([0.0, 0.5, 1.0], 20.0)
    assert_allclose(high / high[1], [20.0, 1.0, 20.0])


def test_non_cardiac_frames_keep_their_chance() -> None:
    weights = end_weights([None, 0.0, 0.5, 1.0, None], 20.0)
    assert_allclose(weights[[0, 4]], [0.2, 0.2])
    assert_allclose(weights[1:4].sum(), 0.6)


def test_a_ratio_of_one_draws_all_alike() -> None:
    assert_allclose(end_weights([None, 0.0, 0.3, 1.0], 1.0), [0.25] * 4)


def test_only_non_cardiac_frames_are_drawn_alike() -> None:
    assert_allclose(end_weights([None, None], 4.0), [0.5, 0.5])


def test_a_ratio_below_one_and_no_samples_are_told() -> None:
    with pytest.raises(TrainingError, match="ratio"):
        end_weights([0.5], 0.5)
    with pytest.raises(TrainingError, match="no samples"):
        end_weights([], 4.0)


def test_a_named_set_has_its_share_and_the_others_the_rest_as_before() -> None:
    weights = np.array([0.1, 0.3, 0.4, 0.2])
    assert_allclose(with_shares(weights, ["a", "a", "b", "c"], {"a": 0.1}), [0.025, 0.075, 0.6, 0.3])
    assert_allclose(with_shares(weights, ["a", "a", "b", "c"], {"a": 0.5, "c": 0.5}), [0.125, 0.375, 0.0, 0.5])


def test_a_share_for_a_set_without_samples_is_told() -> None:
    with pytest.raises(TrainingError, match="no samples of dsb2"):
        with_shares(np.array([0.5, 0.5]), ["acdc", "acdc"], {"dsb2": 0.2})


def test_a_rest_that_nothing_is_there_for_is_told() -> None:
    with pytest.raises(TrainingError, match="the rest"):
        with_shares(np.array([0.5, 0.5]), ["acdc", "acdc"], {"acdc": 0.9})


def test_non_cardiac_frames_have_their_share_within_each_set() -> None:
    weights = np.array([0.1, 0.3, 0.1, 0.1, 0.4])
    made = with_non_cardiac(weights, [N, B, N, N, M], ["a", "a", "b", "b", "b"], 0.1)
    assert_allclose(made, [0.04, 0.36, 0.03, 0.03, 0.54])


def test_a_set_without_non_cardiac_frames_or_of_nothing_else_stays_as_it_is() -> None:
    weights = np.array([0.2, 0.2, 0.6])
    assert_allclose(with_non_cardiac(weights, [B, M, N], ["a", "a", "b"], 0.1), weights)
