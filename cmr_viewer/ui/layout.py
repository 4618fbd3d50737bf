"""Where the parts of the window stand."""

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from cmr_viewer.ui.frame_view import FrameView
from cmr_viewer.ui.messages import Bell, MessageBar
from cmr_viewer.ui.navigator import Navigator
from cmr_viewer.ui.opening_page import OpeningPage
from cmr_viewer.ui.panels.long_axis_panel import LongAxisPanel
from cmr_viewer.ui.panels.measures_panel import MeasuresPanel
from cmr_viewer.ui.panels.models_panel import ModelsPanel
from cmr_viewer.ui.panels.region_panel import RegionPanel
from cmr_viewer.ui.panels.tools_panel import ToolsPanel
from cmr_viewer.ui.panels.worklist_panel import WorklistPanel
from cmr_viewer.ui.proposal_bar import ProposalBar
from cmr_viewer.ui.stack_strip import StackStrip
from cmr_viewer.ui.status_line import WorkLine
from cmr_viewer.ui.welcome import Welcome
from cmr_viewer.ui.widgets import Section, column, rule

LEFT_WIDTH = 236
RIGHT_WIDTH = 300


class Parts:
    """All parts of the window, made once; they do not know one another.

    Args:
        actions: What a reader can do, by id.
    """

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        self.worklist = WorklistPanel(actions)
        self.view = FrameView()
        self.welcome = Welcome(actions)
        self.messages = MessageBar()
        self.bell = Bell()
        self.proposal = ProposalBar(actions)
        self.navigator = Navigator(actions)
        self.strip = StackStrip()
        self.tools = ToolsPanel(actions)
        self.region = RegionPanel(actions)
        self.measures = MeasuresPanel()
        self.models = ModelsPanel(actions)
        self.work = WorkLine("Ready")
        self.training = WorkLine()
        self.middle = QStackedWidget()
        self.middle.addWidget(self.welcome)
        self.opening = OpeningPage()
        self.middle.addWidget(self.opening)
        self.long_axis = LongAxisPanel(actions)
        beside = QSplitter(Qt.Orientation.Horizontal)
        beside.addWidget(self.view)
        beside.addWidget(self.long_axis)
        beside.setStretchFactor(0, 3)
        beside.setStretchFactor(1, 2)
        beside.setChildrenCollapsible(False)
        beside.setSizes([620, 380])
        self.desk_page = QWidget()
        page = column(beside, self.navigator, self.strip, spacing=0)
        page.setStretch(0, 1)
        self.desk_page.setLayout(page)
        self.middle.addWidget(self.desk_page)

    def arranged(self) -> QWidget:
        """The parts in their places: study left, frame in the middle, tools right."""
        whole = QWidget()
        layout = QVBoxLayout(whole)
        layout.setContentsMargins(0, 0, 0, 0)
        across = QSplitter(Qt.Orientation.Horizontal)
        across.addWidget(_side(self.worklist, LEFT_WIDTH))
        across.addWidget(self._centre())
        across.addWidget(self._right())
        across.setStretchFactor(0, 0)
        across.setStretchFactor(1, 1)
        across.setStretchFactor(2, 0)
        across.setSizes([LEFT_WIDTH, 1000, RIGHT_WIDTH])
        across.setChildrenCollapsible(False)
        layout.addWidget(across)
        return whole

    def _centre(self) -> QWidget:
        return UnderBars(self.middle, (self.messages, self.proposal), self.view)

    def _right(self) -> QWidget:
        sections = column(spacing=0)
        for title, panel in (
            ("Region of this frame", self.region),
            ("Tools", self.tools),
            ("Measures", self.measures),
            ("Models", self.models),
        ):
            sections.addWidget(Section(title, panel))
            sections.addWidget(rule())
        sections.addStretch(1)
        content = QWidget()
        content.setLayout(sections)
        area = QScrollArea()
        area.setWidget(content)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return _side(area, RIGHT_WIDTH)


class UnderBars(QFrame):
    """Bars that lie over the upper edge of what is below, so that nothing moves under the brush when one comes.

    Args:
        below: What fills the place.
        bars: From above.
        view: The frame, whose notes make room.
    """

    def __init__(self, below: QWidget, bars: tuple[QWidget, ...], view: FrameView) -> None:
        super().__init__()
        self.setObjectName("viewport")
        self._bars, self._view = bars, view
        self.setLayout(column(below))
        for bar in bars:
            bar.setParent(self)
            bar.installEventFilter(self)
            bar.hide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the bars as wide as the place."""
        super().resizeEvent(event)
        self._arrange()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A bar came, went or changed its text."""
        if event.type() in (QEvent.Type.Show, QEvent.Type.Hide, QEvent.Type.LayoutRequest):
            self._arrange()
        return False

    def _arrange(self) -> None:
        top = 0
        for bar in self._bars:
            if bar.isHidden():
                continue
            height = bar.heightForWidth(self.width()) if bar.hasHeightForWidth() else bar.sizeHint().height()
            bar.setGeometry(0, top, self.width(), max(height, bar.minimumSizeHint().height()))
            bar.raise_()
            top += bar.height()
        self._view.set_covered(top)


def _side(content: QWidget, width: int) -> QFrame:
    frame = QFrame()
    frame.setObjectName("side")
    frame.setLayout(column(content))
    frame.setMinimumWidth(width)
    frame.setMaximumWidth(round(width * 1.6))
    return frame
