"""The page about the scripted reader, made of what its runs wrote."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.scripted.reading import Record
from benchmarks.scripted.strategy import TARGETS


@dataclass(frozen=True)
class Read:
    """A reading, and what it left.

    Attributes:
        record: What happened.
        before: Figures of the predictions.
        after: Figures of what is on disk at the end.
        own: What the program itself counted.
        stalls: When, while it was read, the window's thread did not come round for longer than 100 ms.
    """

    record: Record
    before: Mapping[str, float | None]
    after: Mapping[str, float | None]
    own: Mapping[str, float]
    stalls: Sequence[Mapping[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        rest = {"before": self.before, "after": self.after, "own": self.own, "stalls": self.stalls}
        return {**self.record.as_json(), **rest}


def tables(told: Mapping[str, Any]) -> str:
    """The tables of one study."""
    reads = told["reads"]
    ways = [read["way"] for read in reads]
    lines = [f"| | {' | '.join(ways)} |", "|---|" + "---|" * len(ways)]
    for name, value in _EFFORT:
        lines.append(f"| {name} | " + " | ".join(value(read) for read in reads) + " |")
    lines += ["", "| | expert | models | " + " | ".join(ways) + " |", "|---|---|---|" + "---|" * len(ways)]
    for key, name, digits, scale in _FIGURES:
        cells = [told["expert"][key], reads[0]["before"][key], *(read["after"][key] for read in reads)]
        shown = [
            "" if key.startswith("rv") and n == 0 else _number(each, digits, scale) for n, each in enumerate(cells)
        ]
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    lines += ["", "| step | " + " | ".join(f"{way}: times (undone), pixels corrected" for way in ways) + " |"]
    lines.append("|---|" + "---|" * len(ways))
    for step in sorted({step for read in reads for step in read["steps"]}, key=_ORDER.index):
        cells = [
            f"{read['steps'][step]} ({read['taken_back'].get(step, 0)}), {read['gained_px'].get(step, 0)}"
            if step in read["steps"]
            else ""
            for read in reads
        ]
        lines.append(f"| {_STEP_TEXTS[step]} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def frame_table(told: Mapping[str, Any]) -> str:
    """Dice of each frame that the expert drew, in %, and a person's seconds."""
    reads = told["reads"]
    by_frame = [{(row["phase"], row["slice_index"]): row for row in read["frames"]} for read in reads]
    lines = ["| slice, phase | " + " | ".join(f"{r['way']}: at first | at the end | s" for r in reads) + " |"]
    lines.append("|---|" + "---|---|---|" * len(reads))
    for (phase, slice_index), first in by_frame[0].items():
        if all(each is None for each in first["dice_after"].values()):
            continue
        rows = [rows[phase, slice_index] for rows in by_frame]
        cells = [f"{_dice(r['dice_before'])} | {_dice(r['dice_after'])} | {r['modelled_s']:.0f}" for r in rows]
        lines.append(f"| {slice_index + 1}, {phase + 1} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def page(told: Sequence[Mapping[str, Any]], head: str) -> str:
    """The whole page: all runs in a line each, and one run of each study and beginning with its tables."""
    parts = [head.rstrip(), summary(told)]
    shown: set[tuple[str, str]] = set()
    for each in told:
        if (each["study"], each["begin"]) in shown:
            continue
        shown.add((each["study"], each["begin"]))
        parts.append(f"## {each['study']}, from {each['begin']}")
        parts.append(_ran(each))
        parts += [tables(each), "Dice of each frame, LVBP / LVM, %, and a person's seconds:", frame_table(each)]
    return "\n\n".join(parts) + "\n"


def summary(told: Sequence[Mapping[str, Any]]) -> str:
    """All runs, a line each."""
    lines = [
        "| study | from | seed | a person's seconds: tools | brush only | mean Dice: models | tools | brush only |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|")
    for each in told:
        by_way = {read["way"]: read for read in each["reads"]}
        seconds = [f"{by_way[way]['modelled_s']:.0f}" if way in by_way else "" for way in _WAYS]
        dice = [_mean_dice(each["reads"][0]["before"])]
        dice += [_mean_dice(by_way[way]["after"]) if way in by_way else "" for way in _WAYS]
        cells = [each["study"], each["begin"], str(each["reads"][0]["seed"]), *seconds, *dice]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _mean_dice(figures: Mapping[str, float]) -> str:
    found = [figures[key] for key in ("dice_lvbp_ed", "dice_lvm_ed", "dice_lvbp_es")]
    return f"{100 * sum(found) / len(found):.1f}"


def _ran(each: Mapping[str, Any]) -> str:
    load = "" if each["load"] is None else f", load {each['load']:.0f} with other work"
    own = "; ".join(
        f"{read['way']} {read['own']['strokes']:.0f} strokes, {read['own']['edits']:.0f} other edits, "
        f"{read['own']['undos']:.0f} undone"
        for read in each["reads"]
    )
    busy = [stall for read in each["reads"] for stall in read["stalls"] if stall["processor_ms"] > 100]
    return (
        f"Seed {each['reads'][0]['seed']}; {each['machine']}{load}. The program counted: {own}. During the reading, "
        f"the window's thread worked for longer than 100 ms at once {len(busy)} times, in processor time."
    )


def _number(value: float | None, digits: int, scale: float) -> str:
    return "" if value is None else f"{scale * value:.{digits}f}"


def _dice(found: Mapping[str, float | None]) -> str:
    return " / ".join("" if each is None else f"{100 * each:.1f}" for each in found.values())


def _minutes(seconds: float) -> str:
    return f"{int(seconds // 60)} min {seconds % 60:.0f} s"


def _reached(read: Mapping[str, Any]) -> str:
    targets = {label.name: target for label, target in TARGETS.items()}
    drawn = [row for row in read["frames"] if any(value is not None for value in row["dice_after"].values())]
    good = [
        row
        for row in drawn
        if all(value is None or value >= targets[name] for name, value in row["dice_after"].items())
    ]
    return f"{len(good)} of {len(drawn)}"


_EFFORT = (
    ("a person's seconds, modelled", lambda r: f"{r['modelled_s']:.0f} ({_minutes(r['modelled_s'])})"),
    ("of these: hand", lambda r: f"{r['effort']['hand_s']:.0f}"),
    ("of these: looking and deciding", lambda r: f"{r['effort']['mental_s']:.0f}"),
    ("of these: waiting for the program", lambda r: f"{r['waited_s']:.1f}"),
    ("seconds of the scripted run", lambda r: f"{r['machine_s']:.0f}"),
    ("strokes and drags", lambda r: f"{r['effort']['strokes']}"),
    ("clicks", lambda r: f"{r['effort']['clicks']}"),
    ("keys", lambda r: f"{r['effort']['keys']}"),
    ("mouse path, screen pixels", lambda r: f"{r['effort']['path_px']:.0f}"),
    ("steps undone", lambda r: f"{sum(r['taken_back'].values())}"),
    ("frames that reach the targets", _reached),
)

_FIGURES = (
    ("dice_lvbp_ed", "Dice LVBP at ED, %", 1, 100.0),
    ("dice_lvm_ed", "Dice LVM at ED, %", 1, 100.0),
    ("dice_lvbp_es", "Dice LVBP at ES, %", 1, 100.0),
    ("lv_edv_ml", "LV EDV, ml", 1, 1.0),
    ("lv_esv_ml", "LV ESV, ml", 1, 1.0),
    ("lv_ef_percent", "LVEF, %", 1, 1.0),
    ("lv_mass_g", "LV mass, g", 1, 1.0),
    ("rv_edv_ml", "RV at ED, ml (not drawn by the expert)", 1, 1.0),
    ("rv_esv_ml", "RV at ES, ml (not drawn by the expert)", 1, 1.0),
)

_STEP_TEXTS = {
    "grow": "Grow",
    "shrink": "Shrink",
    "nudge": "Nudge",
    "copy": "Copy from the neighbouring slice",
    "interpolate": "Interpolate slices",
    "pull": "Contour pulled or knot moved",
    "redraw": "Part of a contour redrawn",
    "draw": "Contour drawn",
    "click": "Click prompt",
    "remove": "Delete label",
    "stroke": "Brush stroke",
    "erase": "Erasing brush stroke",
}
_ORDER = list(_STEP_TEXTS)
_WAYS = ("tools", "brush only")
