"""Derive a training from data: the fingerprint of the data, and the spec that rules derive from it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cmr_viewer.domain.role import Role
from cmr_viewer.errors import GeometryError, LabelMapError, LoadError, TrainingError
from cmr_viewer.load.datasets import LabelledStack, find_labelled
from cmr_viewer.progress import Progress, silent
from cmr_viewer.train.spec import TrainingSpec, default_spec
from cmr_viewer.train.split import Split

Recipe = Literal["nnunet", "light"]

SMALLEST_FEATURE_MAP = 4
"""nnU-Net halves an axis as long as the feature map keeps this many pixels."""

FIRST_WIDTH, LARGEST_WIDTH = 32, 512
"""nnU-Net's channels: 32 at full resolution, doubled at each halving up to 512 in 2D."""

LIGHT_WIDTHS = (24, 48, 96, 192, 256)
"""Channels of the light network: 3.3 million parameters, a twelfth of a second per frame on two CPU cores at most."""

HEART_MARGIN_MM = 15.0
"""Kept around the widest heart on each side: what the search for its centre may be off."""


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
        mean: Mean intensity of labelled pixels, over stacks brought to mean 0 and deviation 1; tells of the contrast.
    """

    stacks: int
    frames: int
    spacing_mm: float | None
    shape: tuple[int, int]
    heart_mm: float | None
    mean: float


def fingerprint_of(stacks: Iterable[LabelledStack]) -> Fingerprint:
    """The fingerprint of labelled stacks.

    Raises:
        TrainingError: There are none.
    """
    spacings: list[float] = []
    shapes: list[tuple[int, int]] = []
    hearts: list[float] = []
    means: list[float] = []
    frames = 0
    for labelled in stacks:
        geometry = labelled.study.stack.geometry
        shapes.append((geometry.rows, geometry.cols))
        frames += len(labelled.phases) * labelled.study.stack.slices
        labels = labelled.labels[list(labelled.phases)]
        pixels = labelled.study.stack.pixels[list(labelled.phases)].astype(np.float32)
        where = np.nonzero(labels)
        if where[0].size:
            means.append(float((pixels[where].mean() - pixels.mean()) / max(float(pixels.std()), 1e-6)))
        if not geometry.spacing_known:
            continue
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
        mean=float(np.mean(means)) if means else 0.0,
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
