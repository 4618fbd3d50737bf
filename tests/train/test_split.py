import json
from pathlib import Path

import pytest

from cmr_viewer.errors import TrainingError
from cmr_viewer.train.split import Split, hash_of, read_split

PATIENTS = [f"patient{n:03d}" for n in range(1, 41)]
TEST = [1, 7, 8, 12, 16, 27, 29, 30, 34]


def test_the_part_of_a_patient_never_changes() -> None:
    split = Split()
    assert [n for n, name in enumerate(PATIENTS, 1) if split.part_of(name) == "test"] == TEST
    assert {split.part_of(name) for name in PATIENTS} == {"train", "validation", "test"}


def test_the_hash_is_blake2b_of_eight_bytes_big_endian() -> None:
    # printf patient001 | b2sum -l 64
    assert f"{hash_of('patient001'):016x}" == "dff1ba770c38f1ca"


def test_parts_have_about_the_shares_that_they_should() -> None:
    parts = [Split().part_of(f"p{n}") for n in range(4000)]
    assert parts.count("test") == pytest.approx(800, abs=90)
    assert parts.count("validation") == pytest.approx(400, abs=70)


def test_a_named_patient_has_the_part_that_is_named() -> None:
    split = Split({"patient001": "train"})
    assert split.part_of("patient001") == "train"
    assert split.part_of("patient007") == "test"


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    Split().write(path, PATIENTS)
    again = read_split(path)
    assert set(again.named) == set(PATIENTS)
    assert all(again.part_of(name) == Split().part_of(name) for name in PATIENTS)


@pytest.mark.parametrize("text", ["", "[]", "7", '{"train": 3}'])
def test_what_is_no_split_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "split.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TrainingError, match=r"Could not read the split .*split\.json"):
        read_split(path)


def test_a_patient_in_two_parts_is_told(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"train": ["a"], "test": ["a"]}), encoding="utf-8")
    with pytest.raises(TrainingError, match="names a twice"):
        read_split(path)


def test_an_unknown_part_is_told(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"train": ["a"], "exam": ["b"]}), encoding="utf-8")
    with pytest.raises(TrainingError, match="exam"):
        read_split(path)
