"""Which segmentation model serves a frame, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.role import Role, role_of
from cmr_viewer.errors import ModelError

SURELY_NON_CARDIAC = 0.5
"""From this probability on nothing is marked in a non-cardiac frame. Of 47 frames without a heart, of 16 validation
patients that no model had seen, the baseline marked 8; with this bound 5 stayed marked, with 0.6 six and with 0.9 all
eight, and no bound lost a cardiac frame (`python benchmarks/stack_order.py report`)."""

DecidedBy = Literal["predicted", "reader"]


@dataclass(frozen=True)
class Route:
    """The choice of a model, with its reason.

    Attributes:
        role: The role that serves the frame.
        model_id: The model active in that role.
        region: The region that led to it.
        reason: Why, in words for a reader.
        empty: Whether the label map is left empty, and no model is asked.
    """

    role: Role
    model_id: str
    region: Region
    reason: str
    empty: bool = False


def route(
    region: Region,
    *,
    active: Mapping[Role, str],
    by: DecidedBy = "predicted",
    certainty: float | None = None,
    baseline_only: bool = False,
) -> Route:
    """Choose the model for a frame.

    Args:
        region: Region of the frame.
        active: Model in service, by role; a baseline is among them.
        by: Who says that it is that region.
        certainty: How probable the region is, once the whole stack is known; None where that was not asked.
        baseline_only: Whether the baseline is to serve all frames.

    Returns:
        The region's specialist; the baseline for non-cardiac frames and where no specialist is in service. A frame that
        is surely non-cardiac, or is so for the reader, keeps an empty label map.

    Raises:
        ModelError: There is no baseline.

    Source:
        Mariscal-Harana et al. 2021, approach 2; there the baseline's marks in non-cardiac frames stay.
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
    if role is Role.BASELINE and by == "reader":
        return Route(role, active[role], region, f"{said}; nothing is marked.", empty=True)
    if role is Role.BASELINE and certainty is not None and certainty >= SURELY_NON_CARDIAC:
        reason = f"{said}, which its place in the stack makes {100 * certainty:.0f} % certain; nothing is marked."
        return Route(role, active[role], region, reason, empty=True)
    if role is Role.BASELINE:
        return Route(role, active[role], region, f"{said}; non-cardiac frames go to the baseline.")
    return Route(role, active[role], region, f"{said}; its specialist is in service.")
