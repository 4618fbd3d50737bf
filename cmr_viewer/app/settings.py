"""What a reader has set, in one JSON file."""

import contextlib
import getpass
import json
import os
import types
import typing
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import platformdirs

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.measures.papillary import PapillaryConvention
from cmr_viewer.domain.measures.patient_measures import BsaFormula
from cmr_viewer.file_names import text_of_path
from cmr_viewer.paths import APP_NAME
from cmr_viewer.store.atomic import write_atomically

RECENT_STUDIES = 12
RECENT_ACTIONS = 12
LAYOUTS = ("single", "ed_es", "before_after", "montage")
MONTAGE_COLUMNS = ("phases", "ed_es", "slices")
BEFORE = ("prediction", "accepted", "opening")


def default_settings_path() -> Path:
    """Where the settings lie when no path is named."""
    return Path(platformdirs.user_config_dir(APP_NAME, appauthor=False)) / "settings.json"


def login_name() -> str:
    """The name the reader is logged in with; "reader" where the system gives none."""
    with contextlib.suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return "reader"


def _label_colours() -> dict[str, str]:
    return {"LVBP": "#ff4d4d", "LVM": "#35d06a", "RVBP": "#ffd84d"}


def _region_colours() -> dict[str, str]:
    return {"base": "#e69f00", "middle": "#56b4e9", "apex": "#0072b2", "non_cardiac": "#999999"}


@dataclass
class Settings:
    """What a reader has set; change the fields and call `save`.

    Attributes:
        reader: Name that stands beside each change; the login name at first.
        theme: "system", "light" or "dark"; "system" follows the system.
        label_colours: `Label` name to #rrggbb. LV endocardium red, LV epicardium green, RV yellow, as readers
            know them.
        region_colours: `Region` value to #rrggbb. Orange, sky blue, blue and grey of the palette that
            colour-blind readers distinguish (Okabe and Ito 2008, Color Universal Design).
        overlay_opacity: Opacity of the fills, 0.0 to 1.0.
        outline_width_px: Width of the outlines on the screen.
        show_labels: Whether the masks are shown at the start.
        brush_radius_px: Radius of the brush, in pixels of the frame.
        base_ring_percent: Share of the LV blood pool that myocardium surrounds in a basal slice that counts as left
            ventricle; the project's rule.
        key_bindings: Action name to key sequences, where they differ from the table of actions.
        auto_retrain: Whether a model is retrained by itself as soon as its corrections can be judged.
        training_device: "auto", "cpu" or "cuda", for the models' training.
        device: "auto", "cpu" or "cuda", for the models' use.
        recent_studies: Folders and files that were opened, as `file_names.text_of_path` writes them, the last first.
        recent_actions: Ids of actions that were taken from the command palette, the last first.
        tour_seen: Whether the tour of the program was taken or declined.
        key_preset: Name of the preset of keys that was chosen last.
        layout: Name of the desk's layout: "single", "ed_es", "before_after" or "montage".
        montage_columns: What the montage shows: "phases", "ed_es" or "slices".
        before: What before and after compares with: "prediction", "accepted" or "opening".
        bsa_formula: Of body surface area: "mosteller" or "du_bois".
        papillary: Where papillary muscles are counted: "in_blood_pool" or "in_mass".
        workspace: Folder of the workspace; empty for the default one.
        cine_frames_per_second: Speed of the cine where the study gives none.
        window_geometry: Saved geometry of the main window, base64; empty at first.
        window_state: Saved layout of the main window, base64; empty at first.
        path: The file the settings are saved to; not part of the file.
        warning: What went wrong when the file was read, for a reader; empty if nothing. Not part of the file.
    """

    reader: str = field(default_factory=login_name)
    theme: str = "system"
    label_colours: dict[str, str] = field(default_factory=_label_colours)
    region_colours: dict[str, str] = field(default_factory=_region_colours)
    overlay_opacity: float = 0.25
    outline_width_px: float = 1.5
    show_labels: bool = True
    brush_radius_px: float = 4.0
    base_ring_percent: int = 50
    key_bindings: dict[str, list[str]] = field(default_factory=dict)
    auto_retrain: bool = True
    training_device: str = "auto"
    device: str = "auto"
    recent_studies: list[str] = field(default_factory=list)
    recent_actions: list[str] = field(default_factory=list)
    tour_seen: bool = False
    key_preset: str = "CMR Viewer"
    layout: str = "single"
    montage_columns: str = "phases"
    before: str = "prediction"
    bsa_formula: str = "mosteller"
    papillary: str = "in_blood_pool"
    workspace: str = ""
    cine_frames_per_second: float = 25.0
    window_geometry: str = ""
    window_state: str = ""
    path: Path = field(default_factory=default_settings_path, metadata={"saved": False})
    warning: str = field(default="", metadata={"saved": False})

    @classmethod
    def load(cls, path: Path | None = None) -> "Settings":
        """Read the settings.

        Args:
            path: The file; None for the default one.

        Returns:
            The settings of the file. Where the file is absent, the defaults. Where it cannot be understood, the
            defaults with `warning` set; the file is moved beside its place as `.broken`. Single values that do not fit
            are replaced by their default, with `warning` set; a copy of the file is left as `.broken` too.
        """
        path = default_settings_path() if path is None else path
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return cls(path=path)
        except (OSError, UnicodeDecodeError) as error:
            return cls(path=path, warning=_set_aside(path, f"cannot be read ({type(error).__name__})"))
        try:
            values = json.loads(text)
        except ValueError:
            return cls(path=path, warning=_set_aside(path, "are not valid JSON"))
        if not isinstance(values, dict):
            return cls(path=path, warning=_set_aside(path, "are not a JSON object"))
        return cls._from_values(values, path)

    @classmethod
    def _from_values(cls, values: dict[str, Any], path: Path) -> "Settings":
        settings = cls(path=path)
        hints = typing.get_type_hints(cls)
        wrong = []
        if values.get("auto_retrain_after") == 0:  # as earlier versions saved "never"
            settings.auto_retrain = False
        for name in settings._saved_names():
            if name not in values:
                continue
            try:
                value = _fitted(values[name], hints[name])
            except (TypeError, ValueError):
                wrong.append(name)
                continue
            if name in ("label_colours", "region_colours"):
                value = {**getattr(settings, name), **value}
            setattr(settings, name, value)
        wrong += settings._mend()
        if wrong:
            names = ", ".join(sorted(set(wrong)))
            settings.warning = _set_aside(path, f"contain invalid values ({names})", move=False)
        return settings

    def _saved_names(self) -> list[str]:
        return [f.name for f in fields(self) if f.metadata.get("saved", True)]

    def _mend(self) -> list[str]:
        """Put back defaults where a value is outside what the program can use; the names of those."""
        default = Settings(path=self.path)
        fits = {
            "reader": bool(self.reader.strip()),
            "theme": self.theme in ("system", "dark", "light"),
            "label_colours": all(_is_colour(c) for c in self.label_colours.values()),
            "region_colours": all(_is_colour(c) for c in self.region_colours.values()),
            "overlay_opacity": 0.0 <= self.overlay_opacity <= 1.0,
            "outline_width_px": 0.0 <= self.outline_width_px <= 20.0,
            "brush_radius_px": 0.0 < self.brush_radius_px <= 100.0,
            "base_ring_percent": 5 <= self.base_ring_percent <= 100,
            "training_device": self.training_device in ("auto", "cpu", "cuda"),
            "device": self.device in ("auto", "cpu", "cuda"),
            "layout": self.layout in LAYOUTS,
            "montage_columns": self.montage_columns in MONTAGE_COLUMNS,
            "before": self.before in BEFORE,
            "bsa_formula": self.bsa_formula in tuple(BsaFormula),
            "papillary": self.papillary in tuple(PapillaryConvention),
            "cine_frames_per_second": 0.0 < self.cine_frames_per_second <= 120.0,
        }
        wrong = [name for name, fit in fits.items() if not fit]
        for name in wrong:
            setattr(self, name, getattr(default, name))
        return wrong

    def save(self) -> None:
        """Write the settings; whole or not at all.

        Raises:
            StoreError: The file or its folder cannot be written.
        """
        values = asdict(self)
        saved = {name: values[name] for name in self._saved_names()}
        write_atomically(self.path, json.dumps(saved, indent=2, ensure_ascii=False).encode("utf-8"))

    def label_colour(self, label: Label) -> str:
        """#rrggbb of a label."""
        return self.label_colours[label.name]

    def region_colour(self, region: Region) -> str:
        """#rrggbb of a region."""
        return self.region_colours[region.value]

    def remember_study(self, path: Path) -> None:
        """Put a study at the head of the recent ones."""
        text = text_of_path(path)
        self.recent_studies = [text, *(p for p in self.recent_studies if p != text)][:RECENT_STUDIES]

    def forget_study(self, path: Path) -> None:
        """Take a study off the recent ones."""
        self.recent_studies = [text for text in self.recent_studies if text != text_of_path(path)]

    def remember_action(self, name: str) -> None:
        """Put an action at the head of those that were taken from the command palette."""
        self.recent_actions = [name, *(n for n in self.recent_actions if n != name)][:RECENT_ACTIONS]


def _is_colour(text: str) -> bool:
    return len(text) == 7 and text[0] == "#" and all(c in "0123456789abcdefABCDEF" for c in text[1:])


def _fitted(value: Any, hint: Any) -> Any:
    """The value if it is of the type; whole numbers fit where fractions are meant.

    Raises:
        TypeError: It is of another type.
    """
    origin = typing.get_origin(hint)
    if origin is dict and isinstance(value, dict):
        key_type, value_type = typing.get_args(hint)
        return {_fitted(k, key_type): _fitted(v, value_type) for k, v in value.items()}
    if origin is list and isinstance(value, list):
        (item_type,) = typing.get_args(hint)
        return [_fitted(v, item_type) for v in value]
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint is int and isinstance(value, bool):
        raise TypeError(hint)
    if not isinstance(origin, type | types.GenericAlias) and isinstance(value, hint):
        return value
    raise TypeError(hint)


def _set_aside(path: Path, why: str, *, move: bool = True) -> str:
    """Keep a file that is not understood beside its place; the warning for a reader."""
    broken = path.with_name(path.name + ".broken")
    try:
        if move:
            os.replace(path, broken)  # noqa: PTH105 - replaces on every platform
        else:
            broken.write_bytes(path.read_bytes())
    except OSError as error:
        return f"The settings in {path} {why}, and no backup could be saved ({error.strerror}). Defaults are used."
    return f"The settings in {path} {why}. Defaults are used instead. The old file was saved as {broken.name}."
