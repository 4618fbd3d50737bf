"""What to train and how: a TOML or JSON document that is saved with the model, and how it is derived from data."""

import json
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from math import inf, isfinite
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.role import SPECIALISTS, Role
from cmr_viewer.errors import GeometryError, LabelMapError, LoadError, TrainingError
from cmr_viewer.load.datasets import LabelledStack, find_labelled
from cmr_viewer.prepare.grid import Grid
from cmr_viewer.progress import Progress, silent
from cmr_viewer.train.split import Split


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
        start_share: Share of the weights that training started from in the model; the rest is what was learned. A model
            that learns from a few frames so forgets less.
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
    start_share: float = 0.0
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
        """The network's options, with the input channels that the context needs."""
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
        for name, (low, high) in _LIMITS.items():
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
_NUMBERS = tuple(one.name for one in fields(TrainingSpec) if one.type is float)
_WHOLE_NUMBERS = tuple(one.name for one in fields(TrainingSpec) if one.type is int)
_LIMITS: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("iterations", "batch", "validate_every", "ends_ratio"), (1, inf)),
    **dict.fromkeys(("rows", "cols"), (32, inf)),
    **dict.fromkeys(("context", "warm_up", "seed", "weight_decay", "shift_px"), (0, inf)),
    **dict.fromkeys(("momentum", "average", "start_share", "focus_share"), (0, 1)),
}

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
    **{role: TrainingSpec(role, iterations=400, learning_rate=4e-4) for role in SPECIALISTS},
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


Recipe = Literal["nnunet", "light"]

SMALLEST_FEATURE_MAP = 4
"""nnU-Net halves an axis as long as the feature map has this many pixels."""

FIRST_WIDTH, LARGEST_WIDTH = 32, 512
"""nnU-Net's channels: 32 at full resolution, doubled at each halving up to 512 in 2D."""

LIGHT_WIDTHS = (24, 48, 96, 192, 256)
"""Channels of the light network: 3.3 million parameters, a twelfth of a second per frame on two CPU cores at most."""

HEART_MARGIN_MM = 15.0
"""Added to the widest heart on each side: what the search for its centre may be off."""


@dataclass(frozen=True)
class Fingerprint:
    """Properties of a set of labelled stacks.

    Attributes:
        stacks: Number of stacks.
        frames: Number of labelled frames.
        spacing_mm: Median in-plane spacing over the stacks whose spacing is known; None where none is.
        shape: Median (rows, cols) of the frames.
        heart_mm: 99th percentile over the stacks of twice the largest distance, in rows or columns, from the heart's
            centre to a labelled pixel; None where no spacing is known.
    """

    stacks: int
    frames: int
    spacing_mm: float | None
    shape: tuple[int, int]
    heart_mm: float | None


def fingerprint_of(stacks: Iterable[LabelledStack]) -> Fingerprint:
    """The fingerprint of labelled stacks.

    Raises:
        TrainingError: There are none.
    """
    spacings: list[float] = []
    shapes: list[tuple[int, int]] = []
    hearts: list[float] = []
    frames = 0
    for labelled in stacks:
        geometry = labelled.study.stack.geometry
        shapes.append((geometry.rows, geometry.cols))
        frames += len(labelled.phases) * labelled.study.stack.slices
        labels = labelled.labels[list(labelled.phases)]
        if not geometry.spacing_known:
            continue
        where = np.nonzero(labels)
        spacings.append(math.sqrt(geometry.pixel_spacing_mm[0] * geometry.pixel_spacing_mm[1]))
        if where[0].size:
            hearts.append(max(_width_mm(w, s) for w, s in zip(where[2:], geometry.pixel_spacing_mm, strict=True)))
    if not shapes:
        raise TrainingError("There are no labelled stacks to derive a training from. Name others with --data.")
    rows, cols = np.median(np.asarray(shapes), axis=0)
    return Fingerprint(
        stacks=len(shapes),
        frames=frames,
        spacing_mm=float(np.median(spacings)) if spacings else None,
        shape=(int(rows), int(cols)),
        heart_mm=float(np.percentile(hearts, 99)) if hearts else None,
    )


def _width_mm(at: np.ndarray[Any, Any], spacing_mm: float) -> float:
    return 2 * float(np.abs(at - at.mean()).max()) * spacing_mm


def read_fingerprint(folders: Iterable[Path], split: Split, progress: Progress = silent) -> Fingerprint:
    """The fingerprint of the training part of data sets.

    Args:
        folders: Data sets in the layouts that `load.datasets` knows.
        split: The part of each patient.
        progress: Called for each patient.

    Raises:
        TrainingError: The folders have no readable labelled data.
    """
    sources = [source for folder in folders for source in find_labelled(folder)]
    sources = [source for source in sources if split.part_of(source.name) == "train"]

    def read() -> Iterable[LabelledStack]:
        for count, source in enumerate(sources):
            progress(count / len(sources), f"Reading {source.name}")
            try:
                yield source.read()
            except (LoadError, LabelMapError, GeometryError):
                continue  # training reports which patient it leaves out, and why

    return fingerprint_of(read())


def halvings(size: int) -> int:
    """How often nnU-Net halves an axis of this many pixels."""
    count = 0
    while size // 2 >= SMALLEST_FEATURE_MAP * 2:
        size //= 2
        count += 1
    return count


def grid_size(width_mm: float, spacing_mm: float, multiple: int = 16) -> int:
    """Pixels of a square grid that covers a width, rounded up to a multiple."""
    return max(2 * multiple, multiple * math.ceil(width_mm / spacing_mm / multiple))


def derive_spec(found: Fingerprint, role: Role, recipe: Recipe) -> TrainingSpec:
    """The spec for a fingerprint.

    The spacing is the median of the data, as in nnU-Net. The patch covers the widest hearts with a margin and not the
    median image, because the program first locates the heart and centres the grid on it. nnU-Net's rules set depth and
    channels from the patch, and, with the recipe "nnunet", optimizer, loss and batch. The recipe "light" uses a network
    and a schedule for CPUs on the same grid.

    Args:
        found: Fingerprint of the training part.
        role: What the model is for; a segmentation role.
        recipe: "nnunet" as the paper trained, or "light".

    Raises:
        TrainingError: No spacing is known, or the role is the classifier's.

    Source:
        Isensee et al. 2021 (planning, batch 32, SGD 0.01 with Nesterov momentum 0.99, weight decay 3e-5, poly 0.9);
        Mariscal-Harana et al. 2021, section 3 (250,000 batches of 32).
    """
    if role is Role.CLASSIFIER:
        raise TrainingError("A spec can be derived for segmentation models only: classifiers have their own grid.")
    if found.spacing_mm is None or found.heart_mm is None:
        raise TrainingError(
            "No stack states its pixel spacing, so no grid can be derived. Add data with a known spacing."
        )
    spacing = round(found.spacing_mm, 3)
    size = grid_size(found.heart_mm + 2 * HEART_MARGIN_MM, spacing)
    if recipe == "light":
        return default_spec(role, spacing_mm=spacing, rows=size, cols=size, options={"widths": list(LIGHT_WIDTHS)})
    depth = halvings(size)
    while size % 2**depth:
        depth -= 1
    widths = [min(LARGEST_WIDTH, FIRST_WIDTH * 2**level) for level in range(depth + 1)]
    return default_spec(
        role,
        spacing_mm=spacing,
        rows=size,
        cols=size,
        options={"widths": widths, "supervised": max(1, depth - 1)},
        iterations=250_000,
        batch=32,
        optimizer="sgd",
        learning_rate=0.01,
        momentum=0.99,
        weight_decay=3e-5,
        augmentation=NNUNET_AUGMENTATION,
    )


NNUNET_AUGMENTATION: dict[str, Any] = {
    "any_rotation": 0.2,
    "rotation_deg": 0.0,
    "zoom": [0.7, 1.4],
    "gamma": [0.7, 1.5],
    "coarse": 0.25,
    "blur": 0.2,
    "noise": 0.3,
}
"""Ranges of nnU-Net's augmentation of 2D networks, without its mirroring."""


def as_toml(spec: TrainingSpec, about: Sequence[str] = ()) -> str:
    """A spec as TOML that `read_spec` reads back.

    Args:
        spec: The spec.
        about: Lines of a comment at the top.
    """
    tables: list[str] = []
    lines = [f"# {line}" for line in about]
    for name, value in spec.as_dict().items():
        if value is None:
            continue
        if isinstance(value, dict):
            tables += ["", f"[{name}]", *(f"{key} = {_toml(one)}" for key, one in value.items())] if value else []
        else:
            lines.append(f"{name} = {_toml(value)}")
    return "\n".join([*lines, *tables]) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(one) for one in value)}]"
    return f'"{value}"' if isinstance(value, str) else repr(value)
