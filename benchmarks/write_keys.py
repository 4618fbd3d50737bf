"""The tables of keys in docs/keys.md, generated from the table of actions.

QT_QPA_PLATFORM=offscreen python benchmarks/write_keys.py docs/keys.md
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cmr_viewer.errors import StoreError
from cmr_viewer.store.atomic import write_atomically
from cmr_viewer.ui.features.keys.key_bindings import PRESETS, KeyBindings
from cmr_viewer.ui.features.table import ACTIONS
from cmr_viewer.ui.window.actions import Menu, mouse_of
from cmr_viewer.ui.window.widgets import DASH

BEGIN = "<!-- made by benchmarks/write_keys.py -->"
END = "<!-- end -->"


def tables() -> str:
    """Every action by menu with its keys in each preset, and the mouse, as Markdown."""
    presets = {}
    for preset in PRESETS:
        presets[preset.name] = KeyBindings({}, ACTIONS)
        presets[preset.name].use_preset(preset.name)
    lines = []
    for menu in Menu:
        specs = [spec for spec in ACTIONS if spec.menu is menu]
        if not specs:
            continue
        lines += [f"### {menu.value.replace('&', '')}", "", f"| action | {' | '.join(presets)} |"]
        lines.append("|---" * (len(presets) + 1) + "|")
        for spec in specs:
            cells = [_cell(bindings.keys(spec.id)) for bindings in presets.values()]
            lines.append(f"| {spec.plain_text} | {' | '.join(cells)} |")
        lines.append("")
    lines += ["### Mouse over the frame", "", "| mouse | action |", "|---|---|"]
    lines += [f"| {how} | {what} |" for how, what in mouse_of(ACTIONS)]
    return "\n".join(lines)


def _cell(keys: tuple[str, ...]) -> str:
    shown = ", ".join(f"`{key}`" if key != "`" else "`` ` ``" for key in keys)
    return shown.replace("|", "\\|") or DASH


def rewritten(text: str) -> str:
    """A document with its tables made anew.

    Raises:
        StoreError: It has no place for them.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise StoreError(f"The document has no place for the tables. Add {BEGIN} and {END} where they belong.")
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


def main(path: Path) -> None:
    """Make the tables of a document anew."""
    write_atomically(path, rewritten(path.read_text(encoding="utf-8")).encode("utf-8"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
