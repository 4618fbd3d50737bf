"""Damaged files, the findings of fuzzing among them: a study or labels, or a message that says why not; never a crash.

The name of each says what is damaged. What lies in `labels` is read as label maps, all else as a study.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from cmr_viewer.errors import CmrViewerError
from cmr_viewer.load.labels.files import read_labels
from cmr_viewer.load.study import open_study
from tests.fuzz_seeds import label_study

DAMAGED = Path(__file__).parent / "damaged"
STUDIES = sorted(path for path in DAMAGED.iterdir() if path.name != "labels")
LABELS = sorted((DAMAGED / "labels").iterdir())


def alone(path: Path, folder: Path) -> Path:
    """A copy in a folder of its own, where no other file can stand in for it."""
    if path.is_dir():
        copied = Path(shutil.copytree(path, folder / path.name))
        return copied / "DICOMDIR" if (copied / "DICOMDIR").is_file() else copied
    return Path(shutil.copy(path, folder))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_a_damaged_file_opens_whole_or_is_refused_by_name(tmp_path, path):
    copy = alone(path, tmp_path)
    try:
        study = open_study(copy)
    except CmrViewerError as error:
        said = str(error)
        assert copy.name in said or str(copy.parent) in said
        return
    assert np.isfinite(study.stack.pixels).all()
    assert np.isfinite(study.stack.geometry.positions_mm).all()
    assert min(study.stack.geometry.pixel_spacing_mm) > 0


@pytest.fixture(scope="module")
def study():
    return label_study()


@pytest.mark.parametrize("path", LABELS, ids=lambda path: path.name)
def test_damaged_labels_are_read_or_refused_by_name(tmp_path, study, path):
    copy = alone(path, tmp_path)
    try:
        imported = read_labels(copy, study)
    except CmrViewerError as error:
        names = [copy.name, *(inside.name for inside in copy.glob("*"))]
        assert any(name in str(error) for name in names)
        return
    assert imported.labels.shape == study.stack.pixels.shape
    assert imported.labels.max() <= 3
