"""What to train and how, in one TOML or JSON document that is saved with the model."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from math import inf, isfinite
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
        context: Neighbouring slices to either side that the network sees beside the frame.
        iterations: Batches to learn from.
        batch: Samples in a batch.
        optimizer: "adamw", "adam" (as the paper's classifiers), or "sgd" with Nesterov momentum (as nnU-Net).
        learning_rate: At the start; falls to 0 as (1 - done)^0.9.
        warm_up: Batches over which the rate rises to that course from 0.
        weight_decay: Of the optimizer.
        momentum: Of "sgd".
        average: Largest decay of the running average of the weights, which becomes the model; 0 for the last weights.
        focus_share: For a specialist: share of its own region in the batches.
        ends_ratio: How much more often the ends of the heart are drawn than its middle; 1 for equal. For the baseline.
        non_cardiac_share: Share of non-cardiac frames in what is drawn from each set that has some; None for as many as
            there are. Fewer of them make a segmentation model that draws what it is shown.
        set_shares: Share of the batches for each named set, with the names of `load.datasets.Group`; the others
            share the rest.
        weighted_loss: For a classifier: whether regions weigh in the loss by the inverse of their number.
        shift_px: Largest shift of the heart from the grid's centre that is trained on.
        augmentation: Values of `augment.Augmentation` that differ from its defaults, by name.
        validate_every: Batches between two validations, if there is a validation part.
        seed: Seed of the random numbers.
    """

    role: Role
    architecture: str = "unet2d"
    options: Mapping[str, Any] = field(default_factory=dict)
    spacing_mm: float = 1.5
    rows: int = 160
    cols: int = 160
    context: int = 0
    iterations: int = 1500
    batch: int = 16
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    warm_up: int = 0
    weight_decay: float = 1e-4
    momentum: float = 0.99
    average: float = 0.0
    focus_share: float = 0.8
    ends_ratio: float = 1.0
    non_cardiac_share: float | None = None
    set_shares: Mapping[str, float] = field(default_factory=dict)
    weighted_loss: bool = False
    shift_px: float = 20.0
    augmentation: Mapping[str, Any] = field(default_factory=dict)
    validate_every: int = 250
    seed: int = 1

    @property
    def grid(self) -> Grid:
        """The network's grid."""
        return Grid(self.spacing_mm, self.rows, self.cols)

    @property
    def network_options(self) -> Mapping[str, Any]:
        """The network's options, with as many input channels as the context asks for."""
        return {**self.options, "inputs": 1 + 2 * self.context} if self.context else self.options

    @property
    def focus(self) -> Region | None:
        """The region of a specialist; None for the baseline and the classifier."""
        return self.role.region

    def check(self) -> "TrainingSpec":
        """The spec itself if it can be trained.

        Raises:
            TrainingError: A value is impossible.
        """
        self._check_kinds()
        self._check_shares()
        if self.optimizer not in OPTIMIZERS:
            raise TrainingError(f"The optimizer {self.optimizer!r} is not known. Choose from {', '.join(OPTIMIZERS)}.")
        for name, low, high in _LIMITS:
            if not low <= getattr(self, name) <= high:
                upper = "" if high == inf else f" and at most {high:g}"
                raise TrainingError(f"{name} of a training must be at least {low:g}{upper}, not {getattr(self, name)}.")
        if self.learning_rate <= 0 or self.spacing_mm <= 0 or self.focus_share <= 0:
            raise TrainingError("learning_rate, spacing_mm and focus_share of a training must be positive.")
        if self.momentum == 1 or self.average == 1:
            raise TrainingError("momentum and average of a training must be below 1.")
        if self.rows % 16 or self.cols % 16:
            raise TrainingError(f"The grid must be a multiple of 16, at least 32, not {self.rows} x {self.cols}.")
        return self

    def _check_kinds(self) -> None:
        for name in _NUMBERS:
            if not isinstance(getattr(self, name), int | float) or not isfinite(getattr(self, name)):
                raise TrainingError(f"{name} of a training must be a number, not {getattr(self, name)!r}.")
        for name in _WHOLE_NUMBERS:
            if type(getattr(self, name)) is not int:
                raise TrainingError(f"{name} of a training must be a whole number, not {getattr(self, name)!r}.")
        for name in ("options", "augmentation", "set_shares"):
            if not isinstance(getattr(self, name), Mapping):
                raise TrainingError(f"{name} of a training must be named values, not {getattr(self, name)!r}.")

    def _check_shares(self) -> None:
        given = [*self.set_shares.values(), *([] if self.non_cardiac_share is None else [self.non_cardiac_share])]
        if not all(isinstance(share, int | float) and 0 <= share <= 1 for share in given):
            raise TrainingError("non_cardiac_share and the set_shares of a training must be numbers from 0 to 1.")
        if sum(self.set_shares.values()) > 1 + 1e-9:
            raise TrainingError(f"The set_shares of a training must add up to at most 1, not {self.set_shares}.")

    def as_dict(self) -> dict[str, Any]:
        """The spec as JSON values."""
        return asdict(self)


OPTIMIZERS = ("adamw", "adam", "sgd")
_NUMBERS = (
    "spacing_mm", "learning_rate", "weight_decay", "momentum", "average", "focus_share", "ends_ratio", "shift_px",
)  # fmt: skip
_WHOLE_NUMBERS = ("rows", "cols", "context", "iterations", "batch", "warm_up", "validate_every", "seed")
_LIMITS: tuple[tuple[str, float, float], ...] = (
    ("iterations", 1, inf),
    ("batch", 1, inf),
    ("validate_every", 1, inf),
    ("rows", 32, inf),
    ("cols", 32, inf),
    ("context", 0, inf),
    ("warm_up", 0, inf),
    ("seed", 0, inf),
    ("weight_decay", 0, inf),
    ("shift_px", 0, inf),
    ("momentum", 0, 1),
    ("average", 0, 1),
    ("focus_share", 0, 1),
    ("ends_ratio", 1, inf),
)

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
    """Read a spec from a TOML or JSON file; other values are the defaults of the role.

    Raises:
        TrainingError: The file cannot be read or names something unknown.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
        role = Role(values.pop("role"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(f"Could not read the training spec {path}: {error}.") from error
    unknown = set(values) - {f.name for f in fields(TrainingSpec)}
    if unknown:
        raise TrainingError(f"The training spec {path} has unknown names: {', '.join(sorted(unknown))}.")
    return default_spec(role, **values)
