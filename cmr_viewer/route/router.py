"""Which segmentation model serves a frame, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.role import Role, role_of
from cmr_viewer.errors import ModelError

DecidedBy = Literal["predicted", "reader"]


@dataclass(frozen=True)
class Route:
    """The choice of a model, with its reason.

    Attributes:
        role: The role that serves the frame.
        model_id: The model active in that role.
        region: The region that led to it.
        reason: Why, in words for a reader.
    """

    role: Role
    model_id: str
    region: Region
    reason: str


def route(
    region: Region, *, active: Mapping[Role, str], by: DecidedBy = "predicted", baseline_only: bool = False
) -> Route:
    """Choose the model for a frame.

    Args:
        region: Region of the frame.
        active: Model in service, by role; a baseline is among them.
        by: Who says that it is that region.
        baseline_only: Whether the baseline is to serve all frames.

    Returns:
        The region's specialist; the baseline for non-cardiac frames and where no specialist is in service.

    Raises:
        ModelError: There is no baseline.

    Source:
        Mariscal-Harana et al. 2021, approach 2.
    """
    if Role.BASELINE not in active:
        raise ModelError("No baseline segmentation model is in service. Choose a models folder that has one.")
    who = "The reader says" if by == "reader" else "The classifier says"
    said = f"{who} {region.text.lower()}"
    role = role_of(region)
    if baseline_only:
        return Route(Role.BASELINE, active[Role.BASELINE], region, f"{said}; the baseline was asked for on all frames.")
    if role not in active:
        return Route(
            Role.BASELINE,
            active[Role.BASELINE],
            region,
            f"{said}; no {role.text.lower()} is in service, so the baseline.",
        )
    if role is Role.BASELINE:
        return Route(role, active[role], region, f"{said}; non-cardiac frames go to the baseline.")
    return Route(role, active[role], region, f"{said}; its specialist is in service.")
