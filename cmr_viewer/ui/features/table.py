"""The features of the window, one line each: deleting a feature's folder and its line here removes it."""

from cmr_viewer.ui.features.clicks.feature import ClickFeature
from cmr_viewer.ui.features.contours.feature import ContourFeature
from cmr_viewer.ui.features.effort.feature import EffortFeature
from cmr_viewer.ui.features.export.feature import ExportFeature
from cmr_viewer.ui.features.keys.feature import KeysFeature
from cmr_viewer.ui.features.long_axis.feature import LongAxisFeature
from cmr_viewer.ui.features.measures.feature import MeasuresFeature
from cmr_viewer.ui.features.models.feature import ModelsFeature
from cmr_viewer.ui.features.propagation.feature import PropagationFeature
from cmr_viewer.ui.features.queue.feature import QueueFeature
from cmr_viewer.ui.features.region.feature import RegionFeature
from cmr_viewer.ui.features.second_read.feature import SecondReadFeature
from cmr_viewer.ui.features.tools.feature import ToolsFeature
from cmr_viewer.ui.features.worklist.feature import WorklistFeature
from cmr_viewer.ui.frame.ahead import AheadFeature
from cmr_viewer.ui.frame.image import ImageFeature
from cmr_viewer.ui.layouts.feature import LayoutsFeature
from cmr_viewer.ui.window.actions import WINDOW_ACTIONS, in_order
from cmr_viewer.ui.window.feature import Feature
from cmr_viewer.ui.window.shell import ShellFeature

FEATURES: tuple[type[Feature], ...] = (
    WorklistFeature,
    RegionFeature,
    QueueFeature,
    ToolsFeature,
    ContourFeature,
    PropagationFeature,
    ClickFeature,
    ImageFeature,
    ShellFeature,
    MeasuresFeature,
    ExportFeature,
    SecondReadFeature,
    EffortFeature,
    ModelsFeature,
    LongAxisFeature,
    LayoutsFeature,
    AheadFeature,
    KeysFeature,
)
"""In the order in which they are made, which is the order of their sections on the right side."""

ACTIONS = in_order([*WINDOW_ACTIONS, *(spec for feature in FEATURES for spec in feature.specs)])
"""All actions, in the order of the menus."""
