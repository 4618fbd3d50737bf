"""What several of the classifiers are made of: convolutions with batch norm, and how their weights begin."""

from collections.abc import Iterable

from torch import nn

BEGINNING_OF_HEADS = 0.01
"""Standard deviation of the normal distribution that weights of fully connected layers are first drawn from."""


def conv_norm(inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution without bias that keeps the size but for its stride, and the batch norm that makes up for the bias.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Rows and columns of the kernel, odd.
        stride: In rows and columns.
        groups: Parts of the channels that are convolved apart; `inputs` of them make the convolution depthwise.
    """
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs)]


def begin_as_he(modules: Iterable[nn.Module]) -> None:
    """Draw the weights of convolutions so that gradients keep their size on the way back; biases begin as 0.

    Fully connected layers begin with small weights, so that all classes are about as likely at first.

    Source:
        He et al. 2015, Delving Deep into Rectifiers, section 2.2, equation 14.
    """
    for module in modules:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, BEGINNING_OF_HEADS)
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
