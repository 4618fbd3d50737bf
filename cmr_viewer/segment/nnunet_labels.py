"""Which of a data set's labels are the three that this program knows, by their names."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.errors import ModelError

KNOWN_NAMES: Mapping[Label, tuple[str, ...]] = {
    Label.LVBP: (
        "LV",
        "LVC",
        "LVBP",
        "LV cavity",
        "LV cav",
        "LV endo",
        "LV blood",
        "LV blood pool",
        "left ventricle",
        "left ventricle cavity",
        "left ventricle blood pool",
        "left ventricular cavity",
        "left ventricular blood pool",
    ),
    Label.LVM: (
        "MYO",
        "MLV",
        "LVM",
        "LV myo",
        "LV myocardium",
        "LV wall",
        "myocardium",
        "left ventricle myocardium",
        "left ventricular myocardium",
    ),
    Label.RVBP: (
        "RV",
        "RVC",
        "RVBP",
        "RV cavity",
        "RV cav",
        "RV endo",
        "RV blood",
        "RV blood pool",
        "right ventricle",
        "right ventricle cavity",
        "right ventricle blood pool",
        "right ventricular cavity",
        "right ventricular blood pool",
    ),
}
"""Names that data sets give to the labels, ACDC's, M&Ms' and this program's among them; compared without case, spaces
and signs."""


@dataclass(frozen=True)
class Outputs:
    """What the outputs of an nnU-Net model mean.

    Attributes:
        names: Per output, in nnU-Net's order: its name in the data set.
        labels: Per output, in nnU-Net's order: the label it becomes; background for what this program does not know.
    """

    names: tuple[str, ...]
    labels: tuple[Label, ...]

    @property
    def order(self) -> tuple[int, ...]:
        """Outputs in the order of `Label`, then those that are left: background, LVBP, LVM, RVBP, rest."""
        first = [self.labels.index(label) for label in Label]
        return (*first, *(i for i in range(len(self.labels)) if i not in first))


def read_outputs(labels: object, given: Mapping[Label, Sequence[str]] | None = None) -> Outputs:
    """Map a data set's labels to this program's.

    Args:
        labels: "labels" of dataset.json: codes by name.
        given: Names that stand for a label, beside and before the known ones; several become one label.

    Raises:
        ModelError: They are regions, not 0 to n, or one of the three labels is not among them or not clear.
    """
    by_code = _by_code(labels)
    names = tuple(by_code[code] for code in range(len(by_code)))
    found = [Label.BACKGROUND] * len(names)
    told = given or {}
    for label in sorted(STRUCTURES, key=lambda one: one not in told):
        free = [index for index in range(1, len(names)) if label in told or found[index] is Label.BACKGROUND]
        for index in _matching(label, names, free, told.get(label, ())):
            if found[index] is not Label.BACKGROUND:
                raise ModelError(f"The label {names[index]!r} cannot be both {found[index].name} and {label.name}.")
            found[index] = label
    return Outputs(names, tuple(found))


def parse_names(text: str) -> dict[Label, tuple[str, ...]]:
    """Names given on the command line, as `LVBP=LV cavity,LVM=MYO,LVM=scar`.

    Raises:
        ModelError: It cannot be understood.
    """
    named: dict[Label, tuple[str, ...]] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        left, sign, name = (piece.strip() for piece in part.partition("="))
        label = next((one for one in STRUCTURES if one.name == left.upper()), None)
        if label is None or not sign or not name:
            known = ", ".join(one.name for one in STRUCTURES)
            raise ModelError(f"{part!r} names no label. Write LABEL=NAME with one of {known}, separated by commas.")
        named[label] = (*named.get(label, ()), name)
    return named


def _by_code(labels: object) -> dict[int, str]:
    if not isinstance(labels, dict) or not labels:
        raise ModelError("dataset.json names no labels.")
    by_code: dict[int, str] = {}
    for name, value in labels.items():
        code = value[0] if isinstance(value, list) and len(value) == 1 else value
        if isinstance(code, list):
            raise ModelError(
                f"The model was trained on regions that overlap ({name!r} is {value}); only models with one label for "
                "each pixel can be imported."
            )
        if str(name) == "ignore":
            continue
        try:
            by_code[int(code)] = str(name)
        except (TypeError, ValueError):
            raise ModelError(f"The label {name!r} in dataset.json has the code {value!r}, not a number.") from None
    if sorted(by_code) != list(range(len(by_code))) or by_code[0].lower() != "background":
        raise ModelError(f"The labels in dataset.json must be background = 0 and 1, 2, ... after it, not {labels}.")
    return by_code


def _matching(label: Label, names: Sequence[str], free: Sequence[int], given: Sequence[str]) -> list[int]:
    """Outputs that become a label, among those that are free."""
    wanted = {_plain(name) for name in given}
    strangers = [name for name in given if _plain(name) not in {_plain(one) for one in names}]
    if strangers:
        raise ModelError(f"The data set has no label {strangers[0]!r}; it has {', '.join(names[1:])}.")
    known = wanted or {_plain(name) for name in KNOWN_NAMES[label]}
    found = [index for index in free if _plain(names[index]) in known]
    if not found or (len(found) > 1 and not given):
        problem = f"none is known as {label.name}" if not found else f"{len(found)} could be {label.name}"
        raise ModelError(
            f"The model's labels are {', '.join(names[1:])}; {problem} ({label.text}). "
            f'Name them with --labels "{label.name}=NAME".'
        )
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())
