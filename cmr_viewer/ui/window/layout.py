"""Where the parts of the window stand."""

from collections.abc import Mapping
from enum import Enum

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, Slot
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QScrollArea,
    QScrollBar,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from cmr_viewer.ui.features.long_axis.panel import LongAxisPanel
from cmr_viewer.ui.features.measures.panel import MeasuresPanel
from cmr_viewer.ui.features.models.panel import ModelsPanel
from cmr_viewer.ui.features.region.panel import RegionPanel
from cmr_viewer.ui.features.tools.panel import ToolsPanel
from cmr_viewer.ui.features.worklist.panel import WorklistPanel
from cmr_viewer.ui.frame.frame_view import FrameView
from cmr_viewer.ui.frame.navigator import Navigator
from cmr_viewer.ui.frame.proposal_bar import ProposalBar
from cmr_viewer.ui.frame.stack_strip import StackStrip
from cmr_viewer.ui.layouts.places import FramePlaces
from cmr_viewer.ui.window.messages import Bell, MessageBar
from cmr_viewer.ui.window.opening_page import OpeningPage
from cmr_viewer.ui.window.status_line import WorkLine
from cmr_viewer.ui.window.welcome import Welcome
from cmr_viewer.ui.window.widgets import Section, column, rule

LEFT_WIDTH = 236
RIGHT_WIDTH = 300


class Page(Enum):
    """Pages of the right side, in their order."""

    FRAME = "Frame"
    MEASURES = "Measures"
    REVIEW = "Review"
    MODELS = "Models"


PAGE_TIPS = {
    Page.FRAME: "Region and tools for the current frame",
    Page.MEASURES: "Volumes, volume curve and wall of the study",
    Page.REVIEW: "Review queue, reads and effort",
    Page.MODELS: "Models in use and their retraining",
}


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
        self.side = Side()
        self.add_section(Page.FRAME, "Region of this frame", self.region)
        self.add_section(Page.FRAME, "Tools", self.tools, self.tools.steps)
        self.add_section(Page.MEASURES, "Measures", self.measures)
        self.add_section(Page.MODELS, "Models", self.models)
        self.work = WorkLine("Ready")
        self.training = WorkLine()
        self.middle = QStackedWidget()
        self.middle.addWidget(self.welcome)
        self.opening = OpeningPage()
        self.middle.addWidget(self.opening)
        self.long_axis = LongAxisPanel(actions)
        beside = QSplitter(Qt.Orientation.Horizontal)
        self.places = FramePlaces(self.view)
        beside.addWidget(self.places)
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
        across.addWidget(_side(self.side, RIGHT_WIDTH))
        across.setStretchFactor(0, 0)
        across.setStretchFactor(1, 1)
        across.setStretchFactor(2, 0)
        across.setSizes([LEFT_WIDTH, 1000, RIGHT_WIDTH])
        across.setChildrenCollapsible(False)
        layout.addWidget(across)
        return whole

    def _centre(self) -> QWidget:
        return UnderBars(self.middle, (self.messages, self.proposal), (self.proposal,), self.places)

    def add_section(self, page: Page, title: str, widget: QWidget, extra: QWidget | None = None) -> None:
        """Put a section below the others of a page of the right side; `extra` stands at the end of its heading."""
        self.side.add_section(page, title, widget, extra)


_TURNED_BY_WHEEL = (QAbstractSlider, QAbstractSpinBox, QComboBox)


class Side(QTabWidget):
    """The right side: pages of sections that fold away."""

    def __init__(self) -> None:
        super().__init__()
        self.setDocumentMode(True)
        self.setUsesScrollButtons(False)
        self.tabBar().setExpanding(True)
        self.tabBar().setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.tabBar().setAccessibleName("Pages of the right side")
        self._sections: dict[Page, QVBoxLayout] = {}
        for page in Page:
            index = self.addTab(self._page(page), page.value)
            self.setTabToolTip(index, PAGE_TIPS[page])

    def add_section(self, page: Page, title: str, widget: QWidget, extra: QWidget | None = None) -> None:
        """Put a section below the others of a page; `extra` stands at the end of its heading."""
        sections = self._sections[page]
        for control in widget.findChildren(QWidget):
            if isinstance(control, _TURNED_BY_WHEEL) and not isinstance(control, QScrollBar):
                control.installEventFilter(self)
                if control.focusPolicy() == Qt.FocusPolicy.WheelFocus:
                    control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        sections.insertWidget(sections.count() - 1, Section(title, widget, extra))
        sections.insertWidget(sections.count() - 1, rule())

    def show_page(self, page: Page) -> None:
        """Bring a page to the front."""
        self.setCurrentIndex(list(Page).index(page))

    def shows(self, page: Page) -> bool:
        """Whether a page is at the front."""
        return self.currentIndex() == list(Page).index(page)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The wheel scrolls the page; it turns a control only where that has the keyboard."""
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False

    @Slot()
    def show_frame(self) -> None:
        """Bring the page of the frame to the front."""
        self.show_page(Page.FRAME)

    @Slot()
    def show_measures(self) -> None:
        """Bring the page of the measures to the front."""
        self.show_page(Page.MEASURES)

    @Slot()
    def show_review(self) -> None:
        """Bring the page of the review to the front."""
        self.show_page(Page.REVIEW)

    @Slot()
    def show_models(self) -> None:
        """Bring the page of the models to the front."""
        self.show_page(Page.MODELS)

    def _page(self, page: Page) -> QWidget:
        sections = column(spacing=0)
        sections.addStretch(1)
        self._sections[page] = sections
        content = QWidget()
        content.setLayout(sections)
        area = QScrollArea()
        area.setWidget(content)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return area


_MOVES_BARS = frozenset(
    {QEvent.Type.Show, QEvent.Type.Hide, QEvent.Type.LayoutRequest, QEvent.Type.Move, QEvent.Type.Resize}
)


class UnderBars(QFrame):
    """Bars over the frames, so that nothing moves under the brush when one comes; above a page that shows no frames.

    On such a page, as that of the worklist, a bar would lie over buttons.

    Args:
        below: What fills the place, a page at a time.
        bars: From above.
        of_frames: Those of them that have no place on a page without frames.
        places: Where the frames stand, whose notes make room.
    """

    def __init__(
        self, below: QStackedWidget, bars: tuple[QWidget, ...], of_frames: tuple[QWidget, ...], places: FramePlaces
    ) -> None:
        super().__init__()
        self.setObjectName("viewport")
        self._bars, self._of_frames, self._places = bars, of_frames, places
        self._above = column(below)
        self.setLayout(self._above)
        below.currentChanged.connect(self._arrange)
        places.installEventFilter(self)
        for bar in bars:
            bar.setParent(self)
            bar.installEventFilter(self)
            bar.hide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the bars as wide as the place."""
        super().resizeEvent(event)
        self._arrange()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A bar came, went or changed its text, or the frames moved."""
        if event.type() in _MOVES_BARS:
            self._arrange()
        return False

    @Slot()
    def _arrange(self) -> None:
        over_frames = self._places.isVisibleTo(self)
        area = QRect(self._places.mapTo(self, QPoint(0, 0)), self._places.size()) if over_frames else self.rect()
        top = area.top()
        for bar in self._bars:
            if bar.isHidden():
                continue
            if bar in self._of_frames and not over_frames:
                bar.setGeometry(QRect())
                continue
            height = bar.heightForWidth(area.width()) if bar.hasHeightForWidth() else bar.sizeHint().height()
            bar.setGeometry(area.left(), top, area.width(), max(height, bar.minimumSizeHint().height()))
            bar.raise_()
            top += bar.height()
        covered = top - area.top()
        self._places.set_covered(covered if over_frames else 0)
        self._above.setContentsMargins(0, 0 if over_frames else covered, 0, 0)


def _side(content: QWidget, width: int) -> QFrame:
    frame = QFrame()
    frame.setObjectName("side")
    frame.setLayout(column(content))
    frame.setMinimumWidth(width)
    frame.setMaximumWidth(round(width * 1.6))
    return frame
