import csv
import json
from pathlib import Path

import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.measures.volumes import MEASURE_NAMES, Measures, measure
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.export.tables import (
    RegionRow,
    write_effort_csv,
    write_measures_csv,
    write_measures_json,
    write_regions_csv,
)
from cmr_viewer.store.effort import Effort, EffortRow


def test_regions_are_written_in_the_order_of_phase_and_slice(tmp_path: Path) -> None:
    rows = [
        RegionRow(1, 0, 2, Region.BASE, 0.5, "base-1"),
        RegionRow(0, 1, 1, Region.MIDDLE, None, None),
        RegionRow(0, 0, 2, Region.NON_CARDIAC, 1.0, "baseline-1"),
    ]
    write_regions_csv(tmp_path / "regions.csv", rows)
    assert (tmp_path / "regions.csv").read_bytes() == (
        b"phase_number,slice_number,source_slice_index,region,probability,model_id\n"
        b"1,1,2,non_cardiac,1.000000,baseline-1\n"
        b"1,2,1,middle,,\n"
        b"2,1,2,base,0.500000,base-1\n"
    )


def test_effort_is_written_by_frame_reader_and_session_and_without_names_where_that_is_asked(tmp_path: Path) -> None:
    rows = [
        EffortRow(FrameIndex(1, 0), "B", 4, "2026-01-02T03:04:05+00:00", Effort(2.25, 1, 2, 3)),
        EffortRow(FrameIndex(0, 2), "B", 4, "2026-01-02T03:04:06+00:00", Effort(0.0, 0, 1, 0)),
        EffortRow(FrameIndex(0, 2), "A", 5, "2026-01-03T00:00:00+00:00", Effort(60.0)),
    ]
    head = b"phase_number,slice_number,reader,session,begun_at,active_s,strokes,edits,undos\n"
    write_effort_csv(tmp_path / "effort.csv", rows)
    assert (tmp_path / "effort.csv").read_bytes() == (
        head + b"1,3,A,5,2026-01-03T00:00:00+00:00,60.0,0,0,0\n"
        b"1,3,B,4,2026-01-02T03:04:06+00:00,0.0,0,1,0\n"
        b"2,1,B,4,2026-01-02T03:04:05+00:00,2.2,1,2,3\n"
    )
    write_effort_csv(tmp_path / "effort.csv", rows, name_readers=False)
    assert (tmp_path / "effort.csv").read_bytes() == (
        head + b"1,3,reader 1,5,,60.0,0,0,0\n1,3,reader 2,4,,0.0,0,1,0\n2,1,reader 2,4,,2.2,1,2,3\n"
    )


def test_measures_are_written_with_a_reason_for_each_null(tmp_path: Path) -> None:
    # Per phase: background, LVBP, LVM, RVBP. 2000 ul voxels: EDV 200 ml, ESV 80 ml, EF 60 %, mass 50 * 2 * 1.05 g.
    counts = np.array([[900, 100, 50, 0], [900, 40, 60, 0]])
    measures = measure(counts, voxel_ml=2.0, ed_phase=0, es_phase=1)
    write_measures_json(tmp_path / "measures.json", measures, about={"models": {"base": "base-1"}})
    content = json.loads((tmp_path / "measures.json").read_text(encoding="utf-8"))
    assert (content["ed_phase_number"], content["es_phase_number"]) == (1, 2)
    assert content["lv_edv_ml"] == pytest.approx(200)
    assert content["lv_ef_percent"] == pytest.approx(60)
    assert content["lv_mass_g"] == pytest.approx(105)
    assert content["rv_ef_percent"] is None
    assert content["reasons"] == {"rv_ef_percent": "The ventricle is empty at end-diastole."}
    assert content["papillary"] == "papillary muscles in the blood pool"
    assert content["models"] == {"base": "base-1"}


def test_nothing_measured_is_all_null_with_reasons(tmp_path: Path) -> None:
    measures = measure(np.full((2, 4), -1), voxel_ml=1.0, ed_phase=None, es_phase=None)
    write_measures_json(tmp_path / "measures.json", measures)
    content = json.loads((tmp_path / "measures.json").read_text(encoding="utf-8"))
    names = {"ed_phase_number", "es_phase_number", *MEASURE_NAMES}
    assert {name for name, value in content.items() if value is None} == names
    assert set(content["reasons"]) == names
    assert set(content["reasons"].values()) == {"No phase is fully segmented yet."}


def test_a_value_that_is_no_number_is_null(tmp_path: Path) -> None:
    measures = Measures(0, 1, {**dict.fromkeys(MEASURE_NAMES, 1.0), "lv_mass_g": float("nan")}, {})
    write_measures_json(tmp_path / "measures.json", measures)
    content = json.loads((tmp_path / "measures.json").read_text(encoding="utf-8"))
    assert content["lv_mass_g"] is None
    assert content["reasons"] == {"lv_mass_g": "It was not measured."}


@pytest.mark.parametrize("about", [{"reasons": 1}, {"extra": object()}])
def test_more_that_does_not_fit_is_refused_and_nothing_is_written(tmp_path: Path, about: dict) -> None:
    measures = Measures(None, None, {}, {})
    with pytest.raises(StoreError, match="could not be written"):
        write_measures_json(tmp_path / "measures.json", measures, about=about)
    assert list(tmp_path.iterdir()) == []


def test_the_table_of_measures_has_units_and_reasons_and_says_what_it_is(tmp_path: Path) -> None:
    counts = np.array([[900, 100, 50, 0], [900, 40, 60, 0]])
    measures = measure(counts, voxel_ml=2.0, ed_phase=0, es_phase=1)
    write_measures_csv(tmp_path / "measures.csv", measures)
    with (tmp_path / "measures.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["ed_phase_number", "es_phase_number", *MEASURE_NAMES, "papillary", "program", "notice"]
    assert (rows["ed_phase_number"]["value"], rows["es_phase_number"]["value"]) == ("1", "2")
    assert (float(rows["lv_edv_ml"]["value"]), rows["lv_edv_ml"]["unit"]) == (pytest.approx(200), "ml")
    assert (float(rows["lv_mass_g"]["value"]), rows["lv_mass_g"]["unit"]) == (pytest.approx(105), "g")
    assert (rows["rv_ef_percent"]["value"], rows["rv_ef_percent"]["unit"]) == ("", "percent")
    assert rows["rv_ef_percent"]["reason"] == "The ventricle is empty at end-diastole."
    assert "not a medical device" in rows["notice"]["value"]
    assert rows["papillary"]["value"] == "papillary muscles in the blood pool"
