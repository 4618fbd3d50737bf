"""Which model segments a frame, and why."""

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
        role: The role of the model.
        model_id: The model active in that role.
        region: The region that led to it.
        reason: Why, in words for a reader.
        empty: Whether the label map stays empty, without a model.
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
        active: Model in use, by role; a baseline is among them.
        by: Who set the region.
        certainty: How probable the region is, once the whole stack is known; None if not known.
        baseline_only: Whether the baseline segments all frames.

    Returns:
        The region's specialist; the baseline for non-cardiac frames and where no specialist is in use. A frame that is
        surely non-cardiac, or that a reader set as non-cardiac, gets an empty label map.

    Raises:
        ModelError: There is no baseline.

    Source:
        Mariscal-Harana et al. 2021, approach 2; there the baseline's marks in non-cardiac frames stay.
    """
    if Role.BASELINE not in active:
        raise ModelError("No baseline model is in use. Choose a models folder that has one.")
    who = "the reader" if by == "reader" else "the classifier"
    why = f"Region {region.text.lower()} by {who}"
    role = role_of(region)
    if baseline_only:
        return Route(Role.BASELINE, active[Role.BASELINE], region, f"{why}; the baseline segments all frames.")
    if role not in active:
        return Route(
            Role.BASELINE,
            active[Role.BASELINE],
            region,
            f"{why}; no {role.text.lower()} is in use, so the baseline segments it.",
        )
    if role is Role.BASELINE and by == "reader":
        return Route(role, active[role], region, f"{why}; the label map is empty.", empty=True)
    if role is Role.BASELINE and certainty is not None and certainty >= SURELY_NON_CARDIAC:
        reason = f"{why}, {100 * certainty:.0f} % certain by its place in the stack; the label map is empty."
        return Route(role, active[role], region, reason, empty=True)
    if role is Role.BASELINE:
        return Route(role, active[role], region, f"{why}; the baseline segments non-cardiac frames.")
    return Route(role, active[role], region, f"{why}; its specialist segments it.")
