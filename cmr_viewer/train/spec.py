"""What is to be trained and how, in one JSON document that is kept with the model."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import TrainingError
from cmr_viewer.prepare.grid import Grid


@dataclass(frozen=True)
class TrainingSpec:
    """One training.

    Attributes:
        role: What the model is for.
        architecture: Name of the network in `networks.catalogue`.
        options: The network's options.
        spacing_mm: Spacing of the grid.
        rows: Rows of the grid.
        cols: Columns of the grid.
        iterations: Batches to learn from.
        batch: Samples in a batch.
        learning_rate: At the start; falls to 0 as (1 - done)^0.9.
        weight_decay: Of AdamW.
        focus_share: For a specialist: share of its own region in the batches.
        shift_px: Largest shift of the heart from the grid's centre that is trained on.
        seed: Of everything that is drawn.
    """

    role: Role
    architecture: str = "unet2d"
    options: Mapping[str, Any] = field(default_factory=dict)
    spacing_mm: float = 1.5
    rows: int = 160
    cols: int = 160
    iterations: int = 1500
    batch: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    focus_share: float = 0.8
    shift_px: float = 20.0
    seed: int = 1

    @property
    def grid(self) -> Grid:
        """The network's grid."""
        return Grid(self.spacing_mm, self.rows, self.cols)

    @property
    def focus(self) -> Region | None:
        """The region of a specialist; None for the baseline and the classifier."""
        return Region(self.role.value) if self.role in (Role.BASE, Role.MIDDLE, Role.APEX) else None

    def check(self) -> "TrainingSpec":
        """The spec itself if it can be trained.

        Raises:
            TrainingError: A number that cannot be.
        """
        for name in ("spacing_mm", "learning_rate", "weight_decay", "focus_share", "shift_px"):
            if not isinstance(getattr(self, name), int | float) or not isfinite(getattr(self, name)):
                raise TrainingError(f"{name} of a training must be a number, not {getattr(self, name)!r}.")
        for name in ("rows", "cols", "iterations", "batch", "seed"):
            if type(getattr(self, name)) is not int:
                raise TrainingError(f"{name} of a training must be a whole number, not {getattr(self, name)!r}.")
        if not isinstance(self.options, Mapping):
            raise TrainingError(f"options of a training must be named values, not {self.options!r}.")
        if self.weight_decay < 0 or self.shift_px < 0:
            raise TrainingError("weight_decay and shift_px of a training must not be negative.")
        if self.iterations < 1 or self.batch < 1 or self.learning_rate <= 0 or self.spacing_mm <= 0:
            raise TrainingError("Iterations, batch, learning rate and spacing of a training must be positive.")
        if not 0 < self.focus_share <= 1:
            raise TrainingError(f"focus_share must lie above 0 and up to 1, not {self.focus_share}.")
        if min(self.rows, self.cols) < 32 or self.rows % 16 or self.cols % 16:
            raise TrainingError(f"The grid must be a multiple of 16 from 32 up, not {self.rows} x {self.cols}.")
        return self

    def as_dict(self) -> dict[str, Any]:
        """The spec as JSON values."""
        return asdict(self)


_DEFAULTS: Mapping[Role, TrainingSpec] = {
    Role.CLASSIFIER: TrainingSpec(
        Role.CLASSIFIER,
        architecture="densenet121",
        spacing_mm=1.875,
        rows=128,
        cols=128,
        iterations=900,
        batch=24,
        learning_rate=5e-4,
        shift_px=12.0,
    ),
    Role.BASELINE: TrainingSpec(Role.BASELINE),
    Role.BASE: TrainingSpec(Role.BASE, iterations=400, learning_rate=4e-4),
    Role.MIDDLE: TrainingSpec(Role.MIDDLE, iterations=400, learning_rate=4e-4),
    Role.APEX: TrainingSpec(Role.APEX, iterations=400, learning_rate=4e-4),
}


def default_spec(role: Role, **changes: Any) -> TrainingSpec:
    """The spec of a role, with some values changed."""
    return replace(_DEFAULTS[role], **changes).check()


def read_spec(path: Path) -> TrainingSpec:
    """Read a spec from a JSON file; what it does not name has the role's default.

    Raises:
        TrainingError: The file cannot be read or names something unknown.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        role = Role(values.pop("role"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(f"The training spec {path} cannot be read: {error}.") from error
    unknown = set(values) - {f.name for f in fields(TrainingSpec)}
    if unknown:
        raise TrainingError(f"The training spec {path} names {', '.join(sorted(unknown))}, which is not known.")
    return default_spec(role, **values)
