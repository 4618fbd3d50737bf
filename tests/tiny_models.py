"""Very small models that know the phantom, trained in a few seconds and once per process.

`write_tiny_models` makes a models folder as it ships: five model folders and active.json. The segmentation models share
their weights, so that what differs between regions is the routing alone; the classifier is a DenseNet of two layers.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import reference_regions
from cmr_viewer.domain.role import Role
from cmr_viewer.networks import device
from cmr_viewer.prepare.grid import centre_of_labels, frame_centre
from cmr_viewer.prepare.network_input import offsets
from cmr_viewer.train.fit import Fitted, fit
from cmr_viewer.train.samples import Sample, make_sample
from cmr_viewer.train.spec import TrainingSpec, default_spec
from cmr_viewer.train.train_model import plan_of, write_model
from tests.phantom import Phantom, sax_cine

SEGMENTERS = (Role.BASELINE, Role.BASE, Role.MIDDLE, Role.APEX)


@contextmanager
def calm_torch() -> Iterator[None]:
    """One thread and single precision: quick for very small networks on a busy machine, and the same on every CPU."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "cpu_multiplies_bf16", lambda: False)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def tiny_spec(role: Role, **changes: Any) -> TrainingSpec:
    """A spec of a network that trains in seconds: 32 x 32 points of 4 mm."""
    small: dict[str, Any] = {"options": {"widths": [12, 24, 32]}, "iterations": 160, "batch": 8}
    if role is Role.CLASSIFIER:
        small = {"options": {"blocks": [2, 2], "growth": 8, "dropout": 0.0}, "iterations": 100, "batch": 16}
    shape = {"spacing_mm": 4.0, "rows": 32, "cols": 32, "shift_px": 3.0, "learning_rate": 1e-2}
    given: dict[str, Any] = {**shape, **small, **changes}
    return default_spec(role, **given)


def tiny_id(role: Role) -> str:
    """The id of the tiny model of a role."""
    return f"tiny-{role.value}"


def phantom_samples(phantom: Phantom, spec: TrainingSpec, patient: str = "phantom", context: int = 0) -> list[Sample]:
    """All frames of a phantom's ED and ES as training samples."""
    stack = phantom.stack
    phases = sorted({0, phantom.es_phase})
    centre = centre_of_labels(phantom.labels[phases]) or frame_centre(stack.geometry.rows, stack.geometry.cols)
    samples = []
    for phase in phases:
        regions = reference_regions([bool(phantom.labels[phase, s].any()) for s in range(stack.slices)])
        samples += [
            make_sample(
                stack.pixels[phase, s],
                phantom.labels[phase, s],
                pixel_spacing_mm=stack.geometry.pixel_spacing_mm,
                grid=spec.grid,
                region=regions[s],
                patient_key=patient,
                name=f"{patient}, phase {phase}, slice {s}",
                centre=centre,
                neighbours={o: stack.pixels[phase, s + o] for o in offsets(context) if o and 0 <= s + o < stack.slices},
            )
            for s in range(stack.slices)
        ]
    return samples


@cache
def _fitted(role: Role) -> Fitted:
    spec = tiny_spec(role)
    samples = [s for seed in (11, 12) for s in phantom_samples(sax_cine(seed=seed), spec, f"phantom{seed}")]
    with calm_torch():
        return fit(spec, samples, device=torch.device("cpu"))


def write_tiny_models(folder: Path) -> dict[Role, Path]:
    """Write a models folder with one model in service for each role.

    Args:
        folder: The new folder.

    Returns:
        Model folder by role.
    """
    places = {role: folder / tiny_id(role) for role in Role}
    for role, place in places.items():
        trained_as = Role.BASELINE if role in SEGMENTERS else role
        plan = replace(plan_of(tiny_spec(trained_as), tiny_id(role), {}), role=role)
        write_model(place, plan, _fitted(trained_as))
    active = {role.value: place.name for role, place in places.items()}
    (folder / "active.json").write_text(json.dumps(active), encoding="utf-8")
    return places


def dice_3d(found: NDArray[np.uint8], true: NDArray[np.uint8], label: int) -> float:
    """3D Dice of one label, 1.0 where neither has it."""
    a, b = found == label, true == label
    total = int(a.sum() + b.sum())
    return 2.0 * int((a & b).sum()) / total if total else 1.0
