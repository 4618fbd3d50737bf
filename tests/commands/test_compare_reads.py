"""The command that compares two reads, on a phantom in a workspace."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from cmr_viewer.__main__ import main
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.study import Study
from cmr_viewer.load.study import open_study
from cmr_viewer.store.annotations import AnnotationStore, Work
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.frame_pixels import Pixels
from cmr_viewer.store.reads import ReadKind, ReadStore
from cmr_viewer.store.versions import Version
from tests.phantom import Phantom, ras_affine, sax_cine, voxels_of, write_nifti


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return sax_cine(phases=2, slices=4, rows=48, cols=40, pixel_spacing_mm=(2.0, 1.5))


@pytest.fixture(scope="module")
def path(phantom: Phantom, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("study") / "phantom.nii.gz"
    return write_nifti(place, voxels_of(phantom.stack.pixels), ras_affine(phantom.stack))


def save(store: AnnotationStore, study: Study, labels: np.ndarray, read_id: int | None) -> None:
    stack = study.stack
    saved = [
        Version(
            frame,
            labels[frame],
            Region.MIDDLE,
            Provenance.MANUAL,
            ReviewStatus.ACCEPTED,
        )
        for frame in stack.frame_indices
    ]
    pixels = Pixels({frame: stack.frame(frame) for frame in stack.frame_indices}, stack.geometry.pixel_spacing_mm)
    store.save(stack.stack_id, Work(saved), read_id=read_id, pixels=pixels)


@pytest.fixture
def workspace(tmp_path: Path, phantom: Phantom, path: Path) -> Path:
    """Two reads: in the second, one column of one frame is LV blood pool that is not in the first."""
    study = open_study(path)
    second = phantom.labels.copy()
    assert not second[0, 1, 38:48, 39].any()
    second[0, 1, 38:48, 39] = Label.LVBP
    with open_workspace(tmp_path / "workspace", reader="A. First") as opened:
        store, stack = AnnotationStore(opened), study.stack
        known = {"name": "phantom", "source": str(path), "patient_key": ""}
        store.save_study(stack.stack_id, **known, geometry_json="{}", phases=stack.phases, slices=stack.slices)
        save(store, study, phantom.labels, None)
        opened.reader = "B. Second"
        read = ReadStore(opened).begin(stack.stack_id, ReadKind.SECOND, blinded=True)
        save(store, study, second, read.id)
        ReadStore(opened).finish(read.id)
    return tmp_path / "workspace"


def compare(path: Path, workspace: Path, output: Path, *more: str) -> int:
    return main(["compare-reads", str(path), "--workspace", str(workspace), "--output", str(output), *more])


def test_the_frame_that_differs_comes_first_with_its_millilitres(
    path: Path, workspace: Path, tmp_path: Path, phantom: Phantom, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reads.json"
    assert compare(path, workspace, out) == 0 and capsys.readouterr().out.strip() == str(out)
    written = json.loads(out.read_text())
    ml = 10 * 2.0 * 1.5 * phantom.stack.geometry.slice_spacing_mm / 1000
    (first, *others) = written["frames"]
    assert (first["phase_number"], first["slice_number"], first["marks"]) == (1, 2, "ED")
    assert first["at_stake"] == pytest.approx(ml) and first["lvbp_difference_ml"] == pytest.approx(ml)
    assert first["lvbp_area_difference_mm2"] == pytest.approx(30.0)
    assert all(one["at_stake"] == 0 and one["agree"] for one in others) and len(written["frames"]) == 8
    assert written["measures"]["lv_edv_ml"]["difference"] == pytest.approx(ml)
    assert (written["first"]["name"], written["second"]["name"]) == (
        "First read by A. First",
        "Second read by B. Second, blinded",
    )


def test_the_table_has_the_measures_above_the_frames(path: Path, workspace: Path, tmp_path: Path) -> None:
    assert compare(path, workspace, tmp_path / "reads.csv", "--second", "1") == 0
    lines = list(csv.reader((tmp_path / "reads.csv").read_text().splitlines()))
    head = [line for line in lines if line[0] == "#"]
    assert any(line[1] == "lv_ef_percent" for line in head)
    table = lines[len(head) :]
    assert table[0][:3] == ["phase_number", "slice_number", "marks"] and len(table) == 9


@pytest.mark.parametrize(("more", "message"), [(("--second", "9"), "no read 9"), ((), "ends in .csv or .json")])
def test_what_cannot_be_done_is_said_in_a_line(
    path: Path, workspace: Path, tmp_path: Path, more: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(path, workspace, tmp_path / ("a.csv" if more else "a.txt"), *more) == 1
    assert message in capsys.readouterr().err and not (tmp_path / "a.txt").exists()


def test_export_and_report_are_of_the_finished_adjudication_and_say_so(
    path: Path, workspace: Path, tmp_path: Path, phantom: Phantom
) -> None:
    study = open_study(path)
    decided = np.zeros_like(phantom.labels)
    decided[:, :, 4:12, 4:12] = Label.LVBP
    with open_workspace(workspace, reader="C. Hief") as opened:
        read = ReadStore(opened).begin(study.stack.stack_id, ReadKind.ADJUDICATION, blinded=False)
        save(AnnotationStore(opened), study, decided, read.id)
        first = export(path, workspace, tmp_path / "before")
        ReadStore(opened).finish(read.id)
    after = export(path, workspace, tmp_path / "after")
    volume = 4 * 64 * 2.0 * 1.5 * phantom.stack.geometry.slice_spacing_mm / 1000
    assert (first["read"], after["read"]) == ("first read", "adjudication of two reads")
    assert after["lv_edv_ml"] == pytest.approx(volume) and first["lv_edv_ml"] != pytest.approx(volume)
    out = tmp_path / "report.html"
    assert main(["report", str(path), "--workspace", str(workspace), "--output", str(out)]) == 0
    assert "Adjudication by C. Hief" in out.read_text()


def export(path: Path, workspace: Path, folder: Path) -> dict[str, object]:
    command = ["export", str(path), "--workspace", str(workspace), "--output", str(folder), "--formats", "measures"]
    assert main(command) == 0
    return dict(json.loads((folder / "measures.json").read_text()))
