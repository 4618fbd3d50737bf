"""A format that is added to the table is offered and written by the dialog and by the command, without further code."""

from pathlib import Path

import pytest

from cmr_viewer.__main__ import main
from cmr_viewer.export import formats
from cmr_viewer.export.formats import Format, Job
from cmr_viewer.progress import Progress
from cmr_viewer.ui.features.export.dialogs import ExportDialog
from tests.phantom import default_affine, sax_cine, voxels_of, write_nifti


def write_sizes(job: Job, progress: Progress) -> None:
    progress(0.0, "Writing the size")
    (job.folder / "size.txt").write_text(f"{job.results.labels.shape}", encoding="utf-8")


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> Format:
    new = Format("size", "Size", "The number of phases, slices, rows and columns", ("size.txt",), write_sizes)
    monkeypatch.setattr(formats, "FORMATS", (*formats.FORMATS, new))
    return new


def test_the_export_dialog_offers_it(qtbot: object, tmp_path: Path, added: Format) -> None:
    dialog = ExportDialog("study", ["regions", added.name], tmp_path)
    box = dialog._formats[added.name]
    assert (box.text(), box.toolTip(), box.isEnabled()) == (added.title, added.about, True)
    box.setChecked(True)
    assert added.name in dialog.choice.formats
    dialog.deleteLater()


def test_the_command_offers_and_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    assert "size; default" in " ".join(capsys.readouterr().out.split())
    heart = sax_cine(phases=2, slices=6, rows=32, cols=40)
    images, labels = (
        write_nifti(tmp_path / f"{name}.nii", voxels_of(pixels), default_affine(heart.stack))
        for name, pixels in (("cine", heart.stack.pixels), ("labels", heart.labels))
    )
    given = [str(images), "--labels", str(labels), "--codes", "own", "--output", str(tmp_path / "out")]
    assert main(["export", *given, "--formats", "size"]) == 0
    assert (tmp_path / "out" / "size.txt").read_text(encoding="utf-8") == "(2, 6, 32, 40)"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"about.json", "regions.csv", "size.txt"}
