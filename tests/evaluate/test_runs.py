import csv
from pathlib import Path

import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.errors import LoadError
from cmr_viewer.evaluate.runs import Run, read_run, write_run
from cmr_viewer.evaluate.volumes import VolumePair
from tests.evaluate.made_runs import made_run, place, score


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    run = made_run()
    write_run(tmp_path, run)
    assert read_run(tmp_path) == run


def test_what_is_not_known_is_an_empty_cell(tmp_path: Path) -> None:
    run = Run(
        scores=(score(place(), None, Label.RVBP, reference=0, predicted=0),),
        volumes=(VolumePair("acdc", "p", "lv_edv_ml", 80.0, None),),
    )
    write_run(tmp_path, run)
    with (tmp_path / "frames.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["dice"], row["hd95_mm"], row["assd_mm"], row["reference_px"]) == ("", "", "", "0")
    assert (tmp_path / "volumes.csv").read_text(encoding="utf-8").splitlines()[1] == "acdc,p,lv_edv_ml,80.0000,,"
    assert read_run(tmp_path) == run


def test_runs_add_up_and_come_apart_by_data_set() -> None:
    both = made_run(groups=("acdc",)) + made_run(groups=("mnms",), patients=2)
    assert dict(both.patients) == {"acdc": 3, "mnms": 2}
    assert both.of_group("mnms") == made_run(groups=("mnms",), patients=2)
    assert both.of_group("scd") == Run()


def test_a_folder_that_no_evaluation_wrote_is_told(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"Could not read .*frames.csv: No such file.*cmr-viewer evaluate"):
        read_run(tmp_path)


@pytest.mark.parametrize("name", ["frames.csv", "regions.csv", "stacks.csv", "volumes.csv"])
def test_a_table_of_another_kind_is_told(tmp_path: Path, name: str) -> None:
    write_run(tmp_path, made_run())
    (tmp_path / name).write_text("patient,dice\np,much\n", encoding="utf-8")
    with pytest.raises(LoadError, match=rf"Line 2 of .*{name}"):
        read_run(tmp_path)
