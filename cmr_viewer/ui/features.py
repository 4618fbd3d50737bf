"""The parts of the window that stand for themselves."""

from cmr_viewer.ui.ahead_feature import AheadFeature
from cmr_viewer.ui.contour_feature import ContourFeature
from cmr_viewer.ui.effort_feature import EffortFeature
from cmr_viewer.ui.feature import Feature
from cmr_viewer.ui.layouts_feature import LayoutsFeature
from cmr_viewer.ui.measures_feature import MeasuresFeature
from cmr_viewer.ui.propose_feature import ProposeFeature
from cmr_viewer.ui.queue_feature import QueueFeature
from cmr_viewer.ui.region_feature import RegionFeature
from cmr_viewer.ui.report_feature import ReportFeature
from cmr_viewer.ui.second_read_feature import SecondReadFeature
from cmr_viewer.ui.shell_feature import ShellFeature
from cmr_viewer.ui.tools_feature import ToolsFeature

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
