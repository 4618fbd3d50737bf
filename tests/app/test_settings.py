import json
from pathlib import Path

import pytest

from cmr_viewer.app.settings import RECENT_STUDIES, Settings, default_settings_path
from cmr_viewer.domain.anatomy import STRUCTURES, Region
from cmr_viewer.errors import StoreError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "settings.json"


def test_without_a_file_the_defaults_hold_and_nothing_is_written(path: Path) -> None:
    settings = Settings.load(path)
    assert settings.warning == "" and settings.reader and settings.auto_retrain
    assert not path.parent.exists()


def test_what_is_saved_comes_back(path: Path) -> None:
    settings = Settings.load(path)
    settings.reader, settings.overlay_opacity, settings.theme = "Ä. Reader", 0.5, "light"
    settings.key_bindings = {"brush": ["B", "Ctrl+B"]}
    settings.label_colours["LVM"] = "#00ff00"
    settings.remember_study(Path("/studies/one"))
    settings.save()
    again = Settings.load(path)
    assert again == settings and again.warning == ""


def test_neither_path_nor_warning_are_in_the_file(path: Path) -> None:
    Settings(path=path, warning="something").save()
    assert {"path", "warning"}.isdisjoint(json.loads(path.read_text("utf-8")))


@pytest.mark.parametrize("content", [b"{not json", b"[1, 2]", b"\xff\xfe\x00", b""])
def test_a_file_that_is_not_understood_is_set_aside_and_never_lost(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    settings = Settings.load(path)
    assert "settings.json.broken" in settings.warning
    assert path.with_name("settings.json.broken").read_bytes() == content
    settings.save()
    assert Settings.load(path).warning == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("overlay_opacity", 7),
        ("overlay_opacity", "dark"),
        ("brush_radius_px", 0),
        ("theme", "pink"),
        ("auto_retrain", 1),
        ("auto_retrain", "never"),
        ("recent_studies", [1]),
        ("key_bindings", {"brush": "B"}),
        ("label_colours", {"LVM": "green"}),
        ("reader", " "),
    ],
)
def test_a_value_that_does_not_fit_gives_its_default_and_keeps_the_others(path: Path, name: str, value: object) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({"outline_width_px": 2, name: value}), "utf-8")
    settings = Settings.load(path)
    assert getattr(settings, name) == getattr(Settings(path=path), name)
    assert settings.outline_width_px == 2.0 and name in settings.warning
    assert json.loads(path.with_name("settings.json.broken").read_text("utf-8"))[name] == value


@pytest.mark.parametrize(("after", "wanted"), [(0, False), (10, True)])
def test_never_to_retrain_is_taken_over_from_an_earlier_version(path: Path, after: int, wanted: bool) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({"auto_retrain_after": after, "retrain_minimum": 3}), "utf-8")
    settings = Settings.load(path)
    assert settings.auto_retrain is wanted and settings.warning == ""


def test_names_of_a_newer_program_are_passed_over(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"theme": "light", "telepathy": true}', "utf-8")
    settings = Settings.load(path)
    assert settings.theme == "light" and settings.warning == ""


def test_colours_that_a_file_lacks_are_the_defaults(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"region_colours": {"base": "#123456"}}', "utf-8")
    settings = Settings.load(path)
    assert settings.region_colour(Region.BASE) == "#123456"
    assert all(settings.region_colour(region).startswith("#") for region in Region)
    assert len({settings.label_colour(label) for label in STRUCTURES}) == 3


def test_the_last_opened_study_stands_first_once(path: Path) -> None:
    settings = Settings(path=path)
    for number in range(20):
        settings.remember_study(Path(f"/s/{number}"))
    settings.remember_study(Path("/s/15"))
    assert settings.recent_studies[:3] == [str(Path("/s/15")), str(Path("/s/19")), str(Path("/s/18"))]
    assert len(settings.recent_studies) == RECENT_STUDIES == len(set(settings.recent_studies))


def test_settings_that_cannot_be_written_say_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        Settings(path=tmp_path / "file" / "settings.json").save()


def test_without_a_path_the_usual_place_is_used() -> None:
    assert Settings().path == default_settings_path() and default_settings_path().name == "settings.json"
