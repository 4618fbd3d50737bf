"""What the numbers in a label file of another program mean."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.errors import LabelMapError, UnknownCodesError
from cmr_viewer.load.labels.structure_names import label_of_name
from cmr_viewer.load.names import ACDC_CODES

Codes = Mapping[int, Label]
"""What each number means; 0 need not be named."""

CodeScheme = Literal["auto", "own", "mnms", "acdc"]
"""How a reader names the numbers: detected, this program's and M&Ms' (1 LVBP, 2 LVM, 3 RVBP), or ACDC's (1 RVBP,
2 LVM, 3 LVBP)."""

OWN_CODES: Codes = {1: Label.LVBP, 2: Label.LVM, 3: Label.RVBP}

_LARGEST_JSON = 1 << 20
_FRAMES_LOOKED_AT = 24
_MOSTLY, _CLEARLY = 0.6, 0.1

MOST_CODES = 12
"""A file with more numbers than these is not a label map of the heart; the program does not ask for their meaning."""


def parse_codes(text: str) -> CodeScheme | Codes:
    """What the numbers in a label file mean, as a command line gives it.

    Args:
        text: A scheme, or each number with its structure: "1=LVBP,2=LVM,3=RVBP,4=LVM". A structure may have several
            numbers and any name that is known here; "background" is none.

    Raises:
        ValueError: It is neither; the message lists what is possible.
    """
    for scheme in get_args(CodeScheme):
        if text.strip().lower() == scheme:
            return cast(CodeScheme, scheme)
    codes: dict[int, Label] = {}
    for pair in text.split(","):
        number, _, name = (one.strip() for one in pair.partition("="))
        label = label_of_name(name)
        if not re.fullmatch(r"\d{1,9}", number) or label is None:
            raise ValueError(
                f"'{pair.strip()}' is not a known code. Give {', '.join(get_args(CodeScheme))}, or assign each number "
                "to LVBP, LVM, RVBP or background, such as 1=LVBP,2=LVM,3=RVBP,4=background."
            )
        if codes.setdefault(int(number), label) != label:
            raise ValueError(f"{number} is assigned to two structures. Assign each number to one.")
    if not set(codes.values()) - {Label.BACKGROUND} or codes.get(0, Label.BACKGROUND) != Label.BACKGROUND:
        raise ValueError("Assign at least one number to LVBP, LVM or RVBP. 0 is always the background.")
    return codes


def codes_of(values: NDArray[np.int64], path: Path, scheme: CodeScheme | Codes = "auto") -> Codes:
    """What the numbers in a label file mean.

    Args:
        values: (phase, slice, row, col) numbers as in the file.
        path: The file; a `dataset.json` beside or above it names the numbers, as nnU-Net writes it.
        scheme: What the reader set; a mapping names every number; "auto" for the names beside the file, or
            else where the structures lie.

    Returns:
        The meaning of each number that may occur.

    Raises:
        UnknownCodesError: Their meaning is unknown, or the mapping does not name all; a complete mapping solves it.
        LabelMapError: They are not label codes.
    """
    if isinstance(scheme, Mapping):
        return _whole_mapping(scheme, values, path)
    if scheme != "auto":
        return ACDC_CODES if scheme == "acdc" else OWN_CODES
    present = {int(value) for value in np.unique(values)} - {0}
    if min(present, default=1) < 0:
        raise LabelMapError(
            f"{path.name} contains negative numbers, which are not label codes. Open the label map itself."
        )
    named = _named_codes(path)
    if named is not None and present <= set(named):
        return named
    return codes_by_place(values, path.name)


def _whole_mapping(codes: Codes, values: NDArray[np.int64], path: Path) -> Codes:
    counts = _counts(values)
    if unnamed := sorted(set(counts) - set(codes)):
        raise UnknownCodesError(
            f"{path.name} also contains the label codes {_some(unnamed)}. Set what they mean (LVBP, LVM, RVBP or "
            "background).",
            counts,
        )
    return codes


def _counts(values: NDArray[np.int64]) -> dict[int, int]:
    """Each number but 0, and in how many pixels it occurs."""
    return {int(v): int(n) for v, n in zip(*np.unique(values, return_counts=True), strict=True) if v}


def _some(codes: Sequence[int]) -> str:
    return ", ".join(map(str, codes[:6])) + (", ..." if len(codes) > 6 else "")


def _named_codes(path: Path) -> Codes | None:
    """Codes from the `dataset.json` of nnU-Net beside a file or one folder above; None without any."""
    for folder in (path.parent, path.parent.parent):
        found = folder / "dataset.json"
        try:
            if not found.is_file() or found.stat().st_size > _LARGEST_JSON:
                continue
            labels = json.loads(found.read_text(encoding="utf-8"))["labels"]
            return _codes_of_names(labels)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return None


def _codes_of_names(labels: Mapping[str, Any]) -> Codes | None:
    """Both forms of nnU-Net: {"LV": 1} of version 2 and {"1": "LV"} of version 1."""
    codes: dict[int, Label] = {}
    for key, value in labels.items():
        name, number = (value, int(key)) if isinstance(value, str) else (key, value)
        label = label_of_name(str(name))
        if isinstance(number, bool) or not isinstance(number, int) or label is None:
            return None
        codes[number] = label
    meant = [label for label in codes.values() if label != Label.BACKGROUND]
    return codes if meant and len(set(meant)) == len(meant) else None


def codes_by_place(values: NDArray[np.int64], name: str) -> Codes:
    """Recognise structures by what they touch: LVBP borders mostly on one other, LVM; RVBP is the third.

    The myocardium and the right ventricle border on what has no label with half of their outline and more, while the
    blood pool of the left ventricle does so only at the outflow tract.

    Args:
        values: (phase, slice, row, col) numbers.
        name: The file's name, for messages.

    Raises:
        UnknownCodesError: Fewer than two or more than three structures, or none that is clearly enclosed by another.
        LabelMapError: No structure, or more than any label map has.

    Source:
        Held against all 310 label maps of ACDC and M&Ms vendor A: all are recognised; the smallest share of a blood
        pool's border is 0.94, and it is at least 0.54 above that of any other structure.
    """
    counts = _counts(values)
    present = list(counts)
    if not present:
        raise LabelMapError(f"{name} contains no labels.")
    if not 2 <= len(present) <= 3:
        if len(present) > MOST_CODES:
            raise LabelMapError(
                f"{name} contains {len(present)} different numbers ({_some(present)}), more than a label map has. Open "
                "the label map itself, not the image."
            )
        raise UnknownCodesError(
            f"{name} contains the label codes {_some(present)}. Set what they mean (LVBP, LVM, RVBP).", counts
        )
    shares = _border_shares(values, present)
    (inner, outer), share = max(shares.items(), key=lambda item: item[1])
    others = [value for pair, value in shares.items() if pair[0] != inner]
    if share < _MOSTLY or max(others) > share - _CLEARLY:
        raise UnknownCodesError(
            f"The positions of the label codes in {name} do not show which is LVBP, LVM or RVBP. Set what "
            f"{_some(present)} mean.",
            counts,
        )
    codes = {inner: Label.LVBP, outer: Label.LVM}
    codes.update((code, Label.RVBP) for code in present if code not in codes)
    return codes


def _border_shares(values: NDArray[np.int64], present: list[int]) -> dict[tuple[int, int], float]:
    """Per pair of codes: the share of the first one's border, in frames with both, that is with the second one."""
    frames = values.reshape(-1, *values.shape[2:])
    several = np.flatnonzero([np.count_nonzero(np.unique(frame)) > 1 for frame in frames])
    if several.size > _FRAMES_LOOKED_AT:
        several = several[np.linspace(0, several.size - 1, _FRAMES_LOOKED_AT).round().astype(int)]
    counted = np.searchsorted([0, *present], np.pad(frames[several], ((0, 0), (1, 1), (1, 1))))
    border = np.zeros((len(present) + 1, len(present) + 1), dtype=np.int64)
    for one, other in ((counted[:, 1:], counted[:, :-1]), (counted[:, :, 1:], counted[:, :, :-1])):
        np.add.at(border, (one.ravel(), other.ravel()), 1)
    border = border + border.T
    np.fill_diagonal(border, 0)
    whole = np.maximum(border.sum(axis=1), 1)
    index = {code: place for place, code in enumerate(present, start=1)}
    return {(a, b): float(border[index[a], index[b]] / whole[index[a]]) for a in present for b in present if a != b}
