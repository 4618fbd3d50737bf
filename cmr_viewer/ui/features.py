"""The parts of the window that stand for themselves."""

from cmr_viewer.ui.feature import Feature

FEATURES: tuple[type[Feature], ...] = ()
"""In the order in which they are made, which is the order of their sections on the right side."""
