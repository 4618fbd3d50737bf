import torch

from cmr_viewer.networks.densenet import DenseNet


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_densenet121_has_the_parameters_of_the_papers_table() -> None:
    # Huang et al. 2017, table 1: a 7 x 7 convolution of 64 channels (here from one channel), dense blocks of 6, 12, 24
    # and 16 layers that add 32 channels each through a bottleneck of 128, transitions that halve; every convolution
    # without bias, every batch norm with two parameters a channel.
    def layer(inputs: int) -> int:
        return 2 * inputs + inputs * 128 + 2 * 128 + 128 * 32 * 9

    total, channels = 64 * 49 + 2 * 64, 64
    for index, layers in enumerate((6, 12, 24, 16)):
        total += sum(layer(channels + 32 * i) for i in range(layers))
        channels += 32 * layers
        if index < 3:
            total += 2 * channels + channels * (channels // 2)
            channels //= 2
    assert channels == 1024
    total += 2 * 1024 + 1024 * 4 + 4

    assert count(DenseNet()) == total
    # the published network has 7,978,856 parameters with three input channels and 1000 classes
    assert total == 7_978_856 - 2 * 64 * 49 - (1024 + 1) * 1000 + (1024 + 1) * 4 == 6_951_684


def test_the_output_has_a_logit_for_each_region() -> None:
    network = DenseNet(blocks=(1, 1), growth=4).eval()
    assert network(torch.zeros(3, 1, 32, 48)).shape == (3, 4)


def test_what_is_left_out_in_training_is_not_left_out_in_use() -> None:
    torch.manual_seed(0)
    network, image = DenseNet(blocks=(1,), growth=4, dropout=0.5), torch.randn(2, 1, 32, 32)
    network.eval()
    assert torch.equal(network(image), network(image))
