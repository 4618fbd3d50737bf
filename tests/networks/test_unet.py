import pytest
import torch

from cmr_viewer.networks.unet import UNet2d


def test_the_output_has_a_logit_for_each_label_and_pixel() -> None:
    network = UNet2d(widths=(4, 8, 12), outputs=4)
    assert network(torch.zeros(3, 1, 16, 32)).shape == (3, 4, 16, 32)


def test_supervised_outputs_halve_from_full_resolution_down() -> None:
    outputs = UNet2d(widths=(4, 8, 12, 16), outputs=4, supervised=3).forward_deep(torch.zeros(2, 1, 32, 48))
    assert [tuple(one.shape) for one in outputs] == [(2, 4, 32, 48), (2, 4, 16, 24), (2, 4, 8, 12)]


def test_there_are_no_more_supervised_outputs_than_steps_up() -> None:
    outputs = UNet2d(widths=(4, 8), supervised=3).forward_deep(torch.zeros(1, 1, 16, 16))
    assert [tuple(one.shape) for one in outputs] == [(1, 4, 16, 16)]


def test_the_output_is_the_supervised_one_at_full_resolution() -> None:
    network, image = UNet2d(widths=(4, 8, 12)).eval(), torch.randn(1, 1, 16, 16)
    assert torch.equal(network(image), network.forward_deep(image)[0])


@pytest.mark.parametrize(("stages", "multiple"), [(2, 2), (3, 4), (5, 16)])
def test_the_input_must_be_halved_once_for_each_stage_but_the_first(stages: int, multiple: int) -> None:
    assert UNet2d(widths=[2] * stages).multiple == multiple


def test_the_number_of_parameters_is_that_of_the_layers() -> None:
    def block(inputs: int, outputs: int) -> int:
        # two 3 x 3 convolutions with bias, each with an affine instance norm
        return (9 * inputs + 1) * outputs + (9 * outputs + 1) * outputs + 2 * 2 * outputs

    stages = block(1, 4) + block(4, 8) + block(8, 12)
    ups = (4 * 12 + 0) * 8 + 8 + 4 * 8 * 4 + 4
    merges = block(16, 8) + block(8, 4)
    heads = (4 + 1) * 4 + (8 + 1) * 4
    network = UNet2d(widths=(4, 8, 12), outputs=4, supervised=2)
    assert sum(p.numel() for p in network.parameters()) == stages + ups + merges + heads


def test_scale_and_offset_of_the_image_hardly_matter_behind_instance_norm() -> None:
    torch.manual_seed(0)
    network, image = UNet2d(widths=(4, 8)).eval(), torch.randn(1, 1, 16, 16)
    inner = network(image)[..., 4:12, 4:12]
    assert torch.allclose(inner, network(3 * image)[..., 4:12, 4:12], atol=1e-3)
