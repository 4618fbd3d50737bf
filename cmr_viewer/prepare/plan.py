"""The description of a model in its folder: plan.json.

A model folder holds `plan.json` (this), `weights.safetensors` and `card.md` (for people). Nothing outside the folder is
needed to run the model.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError
from cmr_viewer.prepare.grid import Grid

PLAN_FILE = "plan.json"
WEIGHTS_FILE = "weights.safetensors"
CARD_FILE = "card.md"
PLAN_FORMAT = 1
LARGEST_GRID = 2048
SMALLEST_SPACING_MM, LARGEST_SPACING_MM = 0.1, 50.0
"""A plan beyond these limits is damaged or made to harm: a single frame would take all memory."""
_NEEDED = ("model_id", "role", "architecture", "options", "spacing_mm", "rows", "cols")


@dataclass(frozen=True)
class Plan:
    """How to run a model, and where it comes from.

    Attributes:
        model_id: The folder's name.
        role: What the model is for.
        architecture: Name of the network, as `networks.catalogue` knows it.
        options: The network's options, by name.
        spacing_mm: Spacing of the grid.
        rows: Rows of the grid.
        cols: Columns of the grid.
        created_at: ISO 8601 with time zone.
        training: How it was trained: spec, seed, data fingerprint, split.
        figures: What was measured on patients left out.
        preparation: How an imported model wants its input, where that is not the program's own way; empty for its own.
    """

    model_id: str
    role: Role
    architecture: str
    options: Mapping[str, Any]
    spacing_mm: float
    rows: int
    cols: int
    created_at: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    preparation: Mapping[str, Any] = field(default_factory=dict)

    @property
    def context(self) -> int:
        """Neighbouring slices to either side that the network sees beside the frame."""
        inputs = self.options.get("inputs", 1)
        return (inputs - 1) // 2 if isinstance(inputs, int) else 0

    @property
    def grid(self) -> Grid:
        """The grid that the network works on."""
        return Grid(self.spacing_mm, self.rows, self.cols)

    def write(self, folder: Path) -> None:
        """Write plan.json into a folder that is not in use yet."""
        text = json.dumps({"format": PLAN_FORMAT, **asdict(self)}, indent=2)
        (folder / PLAN_FILE).write_text(text + "\n", encoding="utf-8")


def read_plan(folder: Path) -> Plan:
    """Read the plan of a model folder.

    Raises:
        ModelError: There is none, or it cannot be read.
    """
    path = folder / PLAN_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{folder} is not a model folder: it has no {PLAN_FILE}.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"The plan of the model in {folder} cannot be read: {error}.") from error
    if not isinstance(values, dict) or values.pop("format", None) != PLAN_FORMAT:
        raise ModelError(f"The plan in {path} has a format that this version does not know. Update CMR Viewer.")
    missing = [name for name in _NEEDED if name not in values]
    if missing:
        raise ModelError(f"The plan in {path} is not complete: it has no {', '.join(missing)}.")
    try:
        plan = Plan(**{**values, "role": Role(values["role"])})
    except (TypeError, ValueError) as error:
        raise ModelError(f"The plan in {path} has an invalid value: {error}.") from error
    _check(plan, path)
    return plan


def _check(plan: Plan, path: Path) -> None:
    """Raise ModelError unless the values of a plan have the right types; JSON may have anything under any name."""
    texts = (plan.model_id, plan.architecture, plan.created_at)
    mappings = (plan.options, plan.training, plan.figures, plan.preparation)
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(one, dict) for one in mappings):
        raise ModelError(f"The plan in {path} has a value of the wrong type. Copy the model folder again.")
    spacing = plan.spacing_mm
    whole = all(type(count) is int and 1 <= count <= LARGEST_GRID for count in (plan.rows, plan.cols))
    if not whole or not isinstance(spacing, int | float) or not SMALLEST_SPACING_MM <= spacing <= LARGEST_SPACING_MM:
        raise ModelError(f"The plan in {path} has no usable grid: {plan.rows} x {plan.cols} of {spacing} mm.")
