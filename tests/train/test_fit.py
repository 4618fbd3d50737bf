import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import TrainingError
from cmr_viewer.networks import catalogue
from cmr_viewer.networks.unets import UNet2d
from cmr_viewer.prepare.grid import Placement
from cmr_viewer.progress import Cancelled
from cmr_viewer.segment.segmenter import load_segmenter
from cmr_viewer.train.fit import (
    best_so_far,
    deep_supervision,
    dice_and_cross_entropy,
    fit,
    learning_rate,
    out_of_memory,
)
from cmr_viewer.train.samples import Sample
from cmr_viewer.train.spec import TrainingSpec
from tests.phantom import sax_cine
from tests.tiny_models import dice_3d, phantom_samples, tiny_spec, write_tiny_models

CPU = torch.device("cpu")


def small(role: Role = Role.BASELINE, **changes: object) -> TrainingSpec:
    """A spec that is trained in a moment."""
    options = {"blocks": [1], "growth": 2} if role is Role.CLASSIFIER else {"widths": [4, 8]}
    return tiny_spec(role, **{"options": options, "iterations": 4, "batch": 2, **changes})


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return phantom_samples(sax_cine(phases=2, slices=6, seed=5), small())


def test_training_lowers_the_loss_and_finds_the_left_ventricle_of_another_phantom(tmp_path: Path) -> None:
    places = write_tiny_models(tmp_path)
    losses = json.loads((places[Role.BASELINE] / "curves.json").read_text(encoding="utf-8"))["loss"]
    assert np.mean(losses[-20:]) < np.mean(losses[:20]) - 0.8

    phantom = sax_cine(seed=77)
    segmenter = load_segmenter(places[Role.BASELINE], CPU)
    place = Placement(segmenter.plan.grid, (96, 88), (1.8, 1.8), (47.5, 45.0))
    found = np.stack(segmenter.predict([([phantom.stack.pixels[0, s]], place) for s in range(9)]))
    assert dice_3d(found, phantom.labels[0], Label.LVBP) > 0.9
    assert dice_3d(found, phantom.labels[0], Label.LVM) > 0.8
    assert dice_3d(found, phantom.labels[0], Label.RVBP) > 0.8


@pytest.mark.parametrize("role", [Role.BASELINE, Role.CLASSIFIER, Role.BASE])
def test_the_same_seed_gives_the_same_losses_and_weights(role: Role, samples: list[Sample]) -> None:
    first, second = (fit(small(role), samples, device=CPU) for _ in range(2))
    other = fit(small(role, seed=9), samples, device=CPU)
    assert first.losses.tolist() == second.losses.tolist()
    assert first.losses.tolist() != other.losses.tolist()
    for a, b in zip(first.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_fitted_network_is_ready_for_use(samples: list[Sample]) -> None:
    fitted = fit(small(), samples, device=CPU)
    assert not fitted.network.training
    assert fitted.losses.shape == (4,)
    assert fitted.losses.dtype == np.float32


def test_progress_is_reported_after_each_batch(samples: list[Sample]) -> None:
    told: list[tuple[float, str]] = []
    fit(small(), samples, device=CPU, progress=lambda fraction, text: told.append((fraction, text)))
    assert [fraction for fraction, _ in told] == [0.25, 0.5, 0.75, 1.0]
    assert told[1][1].startswith("Training 50 %")


def test_a_specialist_is_trained_on_its_region(samples: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    only_middle = [s for s in samples if s.region is Region.MIDDLE]
    with pytest.raises(TrainingError, match="base"):
        fit(small(Role.BASE), only_middle, device=CPU)
    assert fit(small(Role.MIDDLE), only_middle, device=CPU).losses.size == 4


def test_no_samples_are_told() -> None:
    with pytest.raises(TrainingError, match="no samples"):
        fit(small(), [], device=CPU)


def test_a_loss_that_is_no_number_ends_training(samples: list[Sample]) -> None:
    spoiled = [replace(s, image=np.full_like(s.image, np.nan)) for s in samples]
    with pytest.raises(TrainingError, match=r"batch 1 is not a number\. Try a lower learning rate"):
        fit(small(), spoiled, device=CPU)


class Greedy(UNet2d):
    """A network that asks for more memory than there is."""

    def __init__(self) -> None:
        super().__init__(widths=(4, 8))

    def forward_deep(self, images: Tensor, outputs: int | None = None) -> list[Tensor]:
        return [torch.empty(2**46) * self.heads[0].weight.sum()]


def test_memory_that_runs_out_is_told(samples: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue.SEGMENTERS, "greedy", Greedy)  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match="Not enough memory"):
        fit(small(architecture="greedy", options={}), samples, device=CPU)


def test_other_errors_of_torch_are_not_taken_for_lack_of_memory() -> None:
    assert out_of_memory(MemoryError())
    assert out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert not out_of_memory(RuntimeError("shape mismatch"))


def test_neighbours_and_validation_are_part_of_a_training(tmp_path: Path) -> None:
    phantom = sax_cine(phases=2, slices=6, seed=5)
    spec = small(context=1, iterations=6, validate_every=2, average=0.9)
    seen = phantom_samples(phantom, spec, context=1)
    fitted = fit(spec, seen, device=CPU, validation=seen[:6])
    assert [at for at, _ in fitted.validation] == [2, 4, 6]
    best = max(score for _, score in fitted.validation)
    assert dict(fitted.validation)[fitted.best_at] == best
    assert build_inputs(fitted.network) == 3


def build_inputs(network: nn.Module) -> int:
    return int(next(network.parameters()).shape[1])


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_a_training_that_was_killed_goes_on_as_if_it_had_not_been(
    samples: list[Sample], tmp_path: Path, optimizer: str
) -> None:
    role = Role.CLASSIFIER if optimizer == "adam" else Role.BASELINE
    spec = small(role, iterations=6, validate_every=2, average=0.9, optimizer=optimizer)
    whole = fit(spec, samples, device=CPU, validation=samples)

    def stop(fraction: float, text: str) -> None:
        if fraction > 0.8:
            raise Cancelled

    with pytest.raises(Cancelled):
        fit(spec, samples, device=CPU, validation=samples, checkpoints=tmp_path, progress=stop)
    assert (tmp_path / "checkpoint.safetensors").exists()
    told: list[float] = []
    resumed = fit(
        spec,
        samples,
        device=CPU,
        validation=samples,
        checkpoints=tmp_path,
        progress=lambda fraction, text: told.append(fraction),
    )
    assert told == pytest.approx([5 / 6, 1.0])
    assert resumed.losses.tolist() == whole.losses.tolist()
    assert resumed.validation == whole.validation
    for a, b in zip(resumed.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not (tmp_path / "checkpoint.safetensors").exists()


def test_a_checkpoint_of_another_training_is_not_gone_on_from(samples: list[Sample], tmp_path: Path) -> None:
    def stop(fraction: float, text: str) -> None:
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        fit(small(validate_every=1), samples, device=CPU, checkpoints=tmp_path, progress=stop)
    with pytest.raises(TrainingError, match="another spec or other data"):
        fit(small(validate_every=1, seed=7), samples, device=CPU, checkpoints=tmp_path)


def test_the_best_weights_so_far_of_a_stopped_training_are_given_and_it_goes_on(
    samples: list[Sample], tmp_path: Path
) -> None:
    spec = small(iterations=6, validate_every=2, average=0.9)
    whole = fit(spec, samples, device=CPU, validation=samples)

    def stop(fraction: float, text: str) -> None:
        if fraction > 0.8:
            raise Cancelled

    with pytest.raises(Cancelled):
        fit(spec, samples, device=CPU, validation=samples, checkpoints=tmp_path, progress=stop)
    found = best_so_far(spec, samples, tmp_path)
    assert found.validation == whole.validation[:2]
    assert found.best_at == max(found.validation, key=lambda look: (look[1], look[0]))[0]
    assert list(found.by_set) == [""]
    assert found.losses.tolist() == whole.losses.tolist()[:4]
    again = fit(spec, samples, device=CPU, validation=samples, checkpoints=tmp_path)
    assert again.losses.tolist() == whole.losses.tolist()


def test_a_training_that_was_not_begun_has_no_best_weights(samples: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no checkpoint"):
        best_so_far(small(), samples, tmp_path)


def test_the_rate_rises_over_the_warm_up_and_falls_to_the_end() -> None:
    spec = small(iterations=100, learning_rate=0.01, warm_up=4)
    rates = [learning_rate(spec, done) for done in range(100)]
    expected = [0.01 * min(1, (n + 1) / 5) * (1 - n / 100) ** 0.9 for n in range(100)]
    assert rates == pytest.approx(expected)
    assert rates.index(max(rates)) == 4


def test_sets_are_drawn_by_their_shares_and_with_few_non_cardiac_frames(samples: list[Sample]) -> None:
    mixed = [replace(s, group="dsb2" if i % 2 else "acdc") for i, s in enumerate(samples)]
    spec = small(set_shares={"dsb2": 1.0}, non_cardiac_share=0.0, iterations=8, batch=4)
    drawn: list[Sample] = []

    class Counted(list[Sample]):
        def __getitem__(self, index):  # type: ignore[no-untyped-def, override]
            drawn.append(super().__getitem__(index))
            return drawn[-1]

    fit(spec, Counted(mixed), device=CPU)
    assert len(drawn) == 8 * 4
    assert {s.group for s in drawn} == {"dsb2"}
    assert Region.NON_CARDIAC not in {s.region for s in drawn}


def test_the_running_average_follows_the_weights(samples: list[Sample]) -> None:
    # after one batch the decay is min(0.5, 2 / 11): average = start + 9/11 (last - start)
    spec = small(iterations=1, learning_rate=1e-2)
    torch.manual_seed(spec.seed)
    start = catalogue.build("unet2d", {"widths": [4, 8]}).state_dict()
    last = fit(spec, samples, device=CPU).network.state_dict()
    averaged = fit(replace(spec, average=0.5), samples, device=CPU).network.state_dict()
    for name, value in averaged.items():
        torch.testing.assert_close(value, start[name] + 9 / 11 * (last[name] - start[name]))


def test_a_weighted_loss_changes_what_a_classifier_learns(samples: list[Sample]) -> None:
    plain, weighted = (
        fit(small(Role.CLASSIFIER, weighted_loss=weighted), samples, device=CPU) for weighted in (False, True)
    )
    assert plain.losses.tolist() != weighted.losses.tolist()


def test_a_frame_that_lacks_a_structure_teaches_the_others(samples: list[Sample]) -> None:
    left = [replace(s, structures=frozenset({Label.LVBP, Label.LVM})) for s in samples]
    assert np.isfinite(fit(small(), left, device=CPU).losses).all()


def sure(labels: torch.Tensor, by: float = 50.0) -> torch.Tensor:
    """Logits that are sure of a label map."""
    return by * torch.nn.functional.one_hot(labels, 4).movedim(-1, 1).float()


LABELS = torch.tensor([[[0, 1, 1, 0], [2, 2, 3, 3], [0, 1, 2, 3], [0, 0, 0, 0]]])


def test_a_perfect_prediction_has_a_cross_entropy_of_zero_and_a_dice_of_one() -> None:
    assert float(dice_and_cross_entropy(sure(LABELS), LABELS)) == pytest.approx(-1.0, abs=1e-5)


def test_even_probabilities_give_the_formula() -> None:
    # each label has p = 1/4 everywhere: cross-entropy ln 4; of n = 3 pixels of 16 each, Dice 2 * 3/4 / (16/4 + 3)
    expected = math.log(4) - 2 * 0.75 / (4 + 3)
    assert float(dice_and_cross_entropy(torch.zeros(1, 4, 4, 4), LABELS)) == pytest.approx(expected, abs=1e-5)


def test_a_label_that_is_nowhere_and_not_predicted_counts_as_right() -> None:
    empty = torch.zeros(1, 4, 4, dtype=torch.int64)
    assert float(dice_and_cross_entropy(sure(empty), empty)) == pytest.approx(-1.0, abs=1e-4)


def test_a_prediction_that_is_all_wrong_has_a_dice_of_zero() -> None:
    wrong = (LABELS + 1) % 4
    value = float(dice_and_cross_entropy(sure(wrong, by=10.0), LABELS))
    assert value == pytest.approx(10.0, abs=0.01)


def test_dice_is_taken_over_the_batch_and_not_frame_by_frame() -> None:
    first, second = LABELS, torch.zeros_like(LABELS)
    together = dice_and_cross_entropy(sure(torch.cat([first, second])), torch.cat([first, first]))
    # of each label half is found and nothing is wrong: Dice 2 * 3 / (3 + 6); cross-entropy 50 at 9 of 32 pixels
    assert float(together) == pytest.approx(50 * 9 / 32 - 2 / 3, abs=1e-3)


def test_resolutions_weigh_half_of_the_finer_one_each_and_add_up_to_one() -> None:
    labels = torch.randint(0, 4, (2, 16, 16), generator=torch.Generator().manual_seed(0))
    outputs = [torch.randn(2, 4, 16 // s, 16 // s, generator=torch.Generator().manual_seed(s)) for s in (1, 2, 4)]
    single = [
        float(dice_and_cross_entropy(out, labels[:, ::s, ::s])) for out, s in zip(outputs, (1, 2, 4), strict=True)
    ]
    expected = (4 * single[0] + 2 * single[1] + single[2]) / 7
    assert float(deep_supervision(outputs, labels)) == pytest.approx(expected, abs=1e-5)


def test_one_resolution_alone_is_the_loss_itself() -> None:
    assert float(deep_supervision([sure(LABELS)], LABELS)) == pytest.approx(-1.0, abs=1e-5)


def test_half_precision_logits_are_counted_in_single_precision() -> None:
    assert dice_and_cross_entropy(sure(LABELS).bfloat16(), LABELS).dtype == torch.float32


ALL = torch.ones(1, 4, dtype=torch.bool)
LEFT_ONLY = torch.tensor([[True, True, True, False]])


def test_where_all_labels_are_known_nothing_changes() -> None:
    logits = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(1))
    plain, told = dice_and_cross_entropy(logits, LABELS), dice_and_cross_entropy(logits, LABELS, ALL)
    assert float(told) == pytest.approx(float(plain), abs=1e-6)


def test_a_label_that_the_reference_does_not_tell_about_is_not_punished_in_its_background() -> None:
    without_right = torch.where(LABELS == 3, 0, LABELS)
    # the network sees the right ventricle, the reference has background there
    assert float(dice_and_cross_entropy(sure(LABELS), without_right, LEFT_ONLY)) == pytest.approx(-1.0, abs=1e-4)
    # told about, it would cost 50 at 3 of 16 pixels, and its Dice of 0 one third
    assert float(dice_and_cross_entropy(sure(LABELS), without_right)) == pytest.approx(50 * 3 / 16 - 2 / 3, abs=1e-3)


def test_even_probabilities_without_one_label_give_the_formula() -> None:
    without_right = torch.where(LABELS == 3, 0, LABELS)
    # background 1/2 at 10 of 16 pixels, LVBP and LVM 1/4 at 3 each; Dice of each 2 * 3/4 / (4 + 3)
    expected = (10 * math.log(2) + 6 * math.log(4)) / 16 - 1.5 / 7
    found = float(dice_and_cross_entropy(torch.zeros(1, 4, 4, 4), without_right, LEFT_ONLY))
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_batch_of_both_kinds_takes_the_dice_of_a_label_from_those_that_tell() -> None:
    both = torch.cat([LABELS, torch.where(LABELS == 3, 0, LABELS)])
    logits = torch.cat([sure(LABELS), sure(LABELS)])
    assert float(dice_and_cross_entropy(logits, both, torch.cat([ALL, LEFT_ONLY]))) == pytest.approx(-1.0, abs=1e-4)
