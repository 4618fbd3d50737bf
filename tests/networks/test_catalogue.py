import pytest

from cmr_viewer.errors import ModelError
from cmr_viewer.networks.catalogue import build
from cmr_viewer.networks.classifiers import DenseNet
from cmr_viewer.networks.unets import UNet2d


def test_networks_are_built_by_the_name_in_the_plan() -> None:
    assert isinstance(build("unet2d", {"widths": [2, 4]}), UNet2d)
    assert isinstance(build("densenet121", {"blocks": [1], "growth": 2}), DenseNet)


def test_a_name_that_is_not_known_is_reported_with_those_that_are() -> None:
    with pytest.raises(ModelError, match=r"'resnet'.*unet2d.*alexnet, densenet121"):
        build("resnet", {})


@pytest.mark.parametrize("options", [{"depth": 4}, {"widths": 3}, {"widths": ["a"]}, {"widths": [-4, 8]}])
def test_options_that_cannot_be_are_reported(options: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="Could not build the network 'unet2d'"):
        build("unet2d", options)


def test_an_empty_list_of_stages_cannot_be_built() -> None:
    with pytest.raises(ModelError, match="Could not build"):
        build("unet2d", {"widths": []})
