from pathlib import Path

from cmr_viewer.ui.window.drop_target import studies_of


def made(tmp_path: Path, *names: str) -> list[Path]:
    paths = []
    for name in names:
        path = tmp_path / name
        if name.endswith("/"):
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        paths.append(path)
    return paths


def test_one_thing_is_opened_itself(tmp_path: Path) -> None:
    for path in made(tmp_path, "folder/", "a.nii.gz", "frame.dcm", "DICOMDIR", "b.zip"):
        assert studies_of([path]) == [path]


def test_frames_of_one_folder_are_one_study(tmp_path: Path) -> None:
    frames = made(tmp_path, "series/IM1", "series/IM2", "series/IM3.dcm")
    assert studies_of(frames) == [tmp_path / "series"]


def test_image_files_and_folders_are_a_study_each_in_their_order(tmp_path: Path) -> None:
    paths = made(tmp_path, "b.nii", "patient/", "a.MHA", "c.zip")
    assert studies_of(paths) == paths


def test_frames_among_other_things_are_still_one_study(tmp_path: Path) -> None:
    first, whole, second = made(tmp_path, "one/1.dcm", "x.nrrd", "one/2.dcm")
    assert studies_of([first, whole, second]) == [tmp_path / "one", whole]
    alone = made(tmp_path, "two/1.dcm")
    assert studies_of([*alone, whole]) == [*alone, whole]


def test_nothing_dropped_is_nothing_to_open() -> None:
    assert studies_of([]) == []
