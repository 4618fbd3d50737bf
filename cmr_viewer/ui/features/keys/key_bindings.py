"""The keys of each action while a reader changes them, and as a file to transfer between computers."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtGui import QKeySequence

from cmr_viewer.errors import StoreError
from cmr_viewer.store.atomic import write_atomically
from cmr_viewer.ui.window.actions import ActionSpec

Keys = tuple[str, ...]
"""Keys as Qt's portable text, the one that is shown first."""

OWN = "CMR Viewer"
"""Name of the preset that is the table of actions itself."""


@dataclass(frozen=True)
class Preset:
    """Keys of another program.

    Attributes:
        name: What readers call it.
        taken: Its own keys for what this program can do too, by action id.
        moved: Keys of actions that make room for those, by action id.
    """

    name: str
    taken: Mapping[str, Keys]
    moved: Mapping[str, Keys]

    @property
    def keys(self) -> dict[str, Keys]:
        """Keys by action id, where they are not those of the table of actions."""
        return {**self.moved, **self.taken}


SEGMENT = Preset(
    "Segment",
    taken={
        "phase_previous": ("Left",),
        "phase_next": ("Right",),
        "slice_down": ("Down",),
        "slice_up": ("Up",),
        "go_ed": ("D",),
        "go_es": ("S",),
        "set_ed": ("Alt+D",),
        "set_es": ("Alt+S",),
        "play": ("P",),
        "hide_masks": ("H",),
        "zoom_heart": ("Shift+Z",),
        "window_auto": ("Ctrl+C",),
        "open_folder": ("Ctrl+O",),
        "close_study": ("Ctrl+W",),
        "quit": ("Ctrl+Q",),
        "worklist": ("Ctrl+P",),
        "next_unread": ("Ctrl+N",),
        "analyse": ("Ctrl+L",),
        "copy_to_next_slice": ("Ctrl+D",),
        "propagate": ("Ctrl+F",),
        "tool_grow": ("Ctrl+E",),
        "tool_shrink": ("Ctrl+K",),
        "nudge_up": ("Alt+W",),
        "nudge_down": ("Alt+Z",),
        "nudge_left": ("Alt+A",),
        "nudge_right": ("Alt+X",),
    },
    moved={"export_labels": ("Ctrl+Shift+S",), "command_palette": ("Ctrl+Shift+K",)},
)

ITK_SNAP = Preset(
    "ITK-SNAP",
    taken={
        "slice_up": ("PgUp", "Up"),
        "slice_down": ("PgDown", "Down"),
        "hide_masks": ("S",),
        "brush": ("4",),
        "zoom_fit": ("Ctrl+F",),
        "undo": ("Ctrl+Z",),
        "redo": ("Ctrl+Shift+Z",),
        "open_folder": ("Ctrl+G",),
        "import_labels": ("Ctrl+O",),
        "close_study": ("Ctrl+W",),
        "quit": ("Ctrl+Q",),
    },
    moved={"go_es": ("Shift+D",)},
)

SLICER = Preset(
    "Slicer",
    taken={
        "slice_up": ("Left", "Up"),
        "slice_down": ("Right", "Down"),
        "undo": ("Z", "Ctrl+Z"),
        "redo": ("Y", "Ctrl+Y"),
        "brush_smaller": ("-",),
        "brush_larger": ("+", "="),
        "hide_masks": ("G",),
        "zoom_fit": ("R",),
        "open_folder": ("Ctrl+O",),
        "close_study": ("Ctrl+W",),
        "command_palette": ("Ctrl+F",),
    },
    moved={
        "phase_previous": ("PgUp",),
        "phase_next": ("PgDown",),
        "grid": ("Shift+G",),
        "zoom_heart": ("Shift+Z",),
        "propagate": ("J",),
    },
)

PRESETS: tuple[Preset, ...] = (Preset(OWN, {}, {}), SEGMENT, ITK_SNAP, SLICER)
"""In the order in which they are offered."""


FORMAT = "cmr-viewer-keys"
VERSION = 1


def portable(key: str) -> str:
    """A key as Qt writes it on every platform; empty where it is none."""
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.PortableText)


def cleaned(keys: Iterable[str]) -> Keys:
    """The valid keys, each once, as Qt writes them."""
    return tuple(dict.fromkeys(key for key in map(portable, keys) if key))


class KeyBindings:
    """Keys of every action; changing them has no effect until a caller uses `chosen`.

    Args:
        chosen: Keys by action id where they differ from the table of actions, as `Settings.key_bindings`.
        specs: The table of actions.
    """

    def __init__(self, chosen: Mapping[str, Sequence[str]], specs: Sequence[ActionSpec]) -> None:
        self._own = {spec.id: cleaned(spec.keys) for spec in specs}
        self._keys = dict(self._own)
        self._keys.update({name: cleaned(keys) for name, keys in chosen.items() if name in self._own})

    @property
    def names(self) -> tuple[str, ...]:
        """Ids of all actions, in the order of the table."""
        return tuple(self._own)

    def keys(self, name: str) -> Keys:
        """Keys of an action.

        Raises:
            KeyError: There is no such action.
        """
        return self._keys[name]

    def set_keys(self, name: str, keys: Iterable[str]) -> None:
        """Set the keys of an action; other actions keep the same keys, and `conflicts` lists them.

        Raises:
            KeyError: There is no such action.
        """
        if name not in self._own:
            raise KeyError(name)
        self._keys[name] = cleaned(keys)

    def holders(self, key: str) -> tuple[str, ...]:
        """Actions that have a key."""
        key = portable(key)
        return tuple(name for name, keys in self._keys.items() if key in keys)

    def conflicts(self) -> dict[str, tuple[str, ...]]:
        """Keys that several actions have, with those actions."""
        holders: dict[str, list[str]] = {}
        for name, keys in self._keys.items():
            for key in keys:
                holders.setdefault(key, []).append(name)
        return {key: tuple(names) for key, names in holders.items() if len(names) > 1}

    def leave_to(self, key: str, name: str) -> None:
        """Remove a key from all actions but one."""
        key = portable(key)
        for other in self.holders(key):
            if other != name:
                self._keys[other] = tuple(own for own in self._keys[other] if own != key)

    def is_changed(self, name: str) -> bool:
        """Whether an action has other keys than in the table."""
        return self._keys[name] != self._own[name]

    def reset(self, name: str) -> None:
        """Set an action to the table's keys; another action that has one of them loses it."""
        self._keys[name] = self._own[name]
        for key in self._own[name]:
            self.leave_to(key, name)

    def use_preset(self, preset_name: str) -> None:
        """Set all actions to the keys of a preset; actions that it does not name get the table's.

        Raises:
            KeyError: There is no such preset.
        """
        self._keys = self._of_preset({each.name: each for each in PRESETS}[preset_name])

    @property
    def preset(self) -> str:
        """Name of the preset that these keys are, or empty."""
        return next((each.name for each in PRESETS if self._of_preset(each) == self._keys), "")

    def _of_preset(self, preset: Preset) -> dict[str, Keys]:
        given = {name: cleaned(keys) for name, keys in preset.keys.items() if name in self._own}
        taken = {key for keys in given.values() for key in keys}
        yielded = {name: tuple(key for key in own if key not in taken) for name, own in self._own.items()}
        return {**yielded, **given}

    def chosen(self) -> dict[str, list[str]]:
        """Keys by action id where they differ from the table, for `Settings.key_bindings`."""
        return {name: list(keys) for name, keys in self._keys.items() if self.is_changed(name)}

    def save(self, path: Path) -> None:
        """Write the keys of every action as JSON, whole or not at all.

        Raises:
            StoreError: The file could not be written.
        """
        held = {"format": FORMAT, "version": VERSION, "keys": {name: list(keys) for name, keys in self._keys.items()}}
        write_atomically(path, json.dumps(held, indent=2, ensure_ascii=False).encode("utf-8"))

    def load(self, path: Path) -> tuple[str, ...]:
        """Load the keys of a file; actions that it does not name keep theirs.

        Args:
            path: As `save` wrote it.

        Returns:
            Names in the file that are no actions of this program, such as those of a newer version; they are ignored.

        Raises:
            StoreError: It could not be read or is not a keys file; no key is changed.
        """
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise StoreError(
                f"Could not read {path.name}: {error.strerror}. Check the file, then import it again."
            ) from error
        except (ValueError, UnicodeDecodeError) as error:
            raise StoreError(
                f"{path.name} is not a keys file: it is not JSON. Choose a file exported with Change keys."
            ) from error
        keys = self._read(held, path.name)
        self._keys.update({name: own for name, own in keys.items() if name in self._own})
        return tuple(name for name in keys if name not in self._own)

    @staticmethod
    def _read(held: object, file: str) -> dict[str, Keys]:
        if not isinstance(held, dict) or held.get("format") != FORMAT or not isinstance(held.get("keys"), dict):
            raise StoreError(f"{file} is not a keys file. Choose a file exported with Change keys.")
        if held.get("version") != VERSION:
            version = held.get("version")
            raise StoreError(f"A newer program wrote {file} (format version {version}). Update this program.")
        found: dict[str, Keys] = {}
        for name, keys in held["keys"].items():
            if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
                raise StoreError(
                    f"{file} is damaged: the keys of {name} are not a list of strings. Export the keys again."
                )
            unknown = [key for key in keys if not portable(key)]
            if unknown:
                raise StoreError(
                    f"{file} gives {name} the key {unknown[0]!r}, which does not exist. Correct it in the file."
                )
            found[name] = cleaned(keys)
        return found
