"""The parts of the window that stand for themselves."""

from cmr_viewer.ui.features.contours.feature import ContourFeature
from cmr_viewer.ui.features.export.report_feature import ReportFeature
from cmr_viewer.ui.features.measures.feature import MeasuresFeature
from cmr_viewer.ui.features.propagation.feature import ProposeFeature
from cmr_viewer.ui.features.queue.effort_feature import EffortFeature
from cmr_viewer.ui.features.queue.feature import QueueFeature
from cmr_viewer.ui.features.region.feature import RegionFeature
from cmr_viewer.ui.features.second_read.feature import SecondReadFeature
from cmr_viewer.ui.features.tools.feature import ToolsFeature
from cmr_viewer.ui.frame.ahead import AheadFeature
from cmr_viewer.ui.layouts.feature import LayoutsFeature
from cmr_viewer.ui.window.feature import Feature
from cmr_viewer.ui.window.shell import ShellFeature

FEATURES: tuple[type[Feature], ...] = (
    RegionFeature,
    QueueFeature,
    ToolsFeature,
    ContourFeature,
    ProposeFeature,
    ShellFeature,
    MeasuresFeature,
    ReportFeature,
    SecondReadFeature,
    EffortFeature,
    LayoutsFeature,
    AheadFeature,
)
"""In the order in which they are made, which is the order of their sections on the right side."""
