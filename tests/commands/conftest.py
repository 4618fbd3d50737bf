"""Torch on one thread, tiny models, and small studies for every test of this package."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.phantom import Phantom, default_affine, sax_cine, voxels_of, write_nifti
from tests.tiny_models import calm_torch, write_tiny_models


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with calm_torch():
        yield


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder as it ships; not to be written to."""
    folder = tmp_path_factory.mktemp("shipped") / "models"
    write_tiny_models(folder)
    return folder


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    """Three phases of six slices."""
    return sax_cine(phases=3, slices=6, rows=72, cols=80, seed=31)


@pytest.fixture
def cine(tmp_path: Path, phantom: Phantom) -> Path:
    """A 4D NIfTI file, most basal slice first."""
    return write_nifti(tmp_path / "in" / "cine.nii.gz", voxels_of(phantom.stack.pixels), default_affine(phantom.stack))


@pytest.fixture
def copy_of_models(tmp_path: Path, models_folder: Path) -> Path:
    """A models folder to break."""
    return Path(shutil.copytree(models_folder, tmp_path / "models"))
