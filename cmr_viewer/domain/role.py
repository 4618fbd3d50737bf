"""What a model is for."""

from enum import StrEnum

from cmr_viewer.domain.anatomy import Region


class Role(StrEnum):
    """The places in the program that a model can fill, one active model each."""

    CLASSIFIER = "classifier"
    BASELINE = "baseline"
    BASE = "base"
    MIDDLE = "middle"
    APEX = "apex"

    @property
    def text(self) -> str:
        """The words shown to a reader."""
        return {
            "classifier": "Region classifier",
            "baseline": "Baseline",
            "base": "Base specialist",
            "middle": "Middle specialist",
            "apex": "Apex specialist",
        }[self.value]

    @property
    def region(self) -> Region | None:
        """The region of a specialist; None for the roles that serve all regions."""
        return Region(self.value) if self in SPECIALISTS else None


SPECIALISTS: tuple[Role, ...] = (Role.BASE, Role.MIDDLE, Role.APEX)
"""Roles of one region each."""

TRAINING_ORDER: tuple[Role, ...] = (*SPECIALISTS, Role.BASELINE, Role.CLASSIFIER)
"""The order in which roles are trained where several can be. A first middle specialist is judged beside the baseline,
so it goes before it; the classifier listens to the baseline, so it goes after it."""


def role_of(region: Region) -> Role:
    """The role that segments a region: its specialist, and the baseline for non-cardiac frames.

    Source:
        Mariscal-Harana et al. 2021, section 2: frames classified as non-cardiac are segmented by the baseline.
    """
    return Role.BASELINE if region is Region.NON_CARDIAC else Role(region.value)
