"""The parts that every window has, and the places where features put theirs."""

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

from cmr_viewer.ui.frame.frame_view import FrameView
from cmr_viewer.ui.frame.navigator import Navigator
from cmr_viewer.ui.frame.stack_strip import StackStrip
from cmr_viewer.ui.layouts.places import FramePlaces
from cmr_viewer.ui.window.messages import Bell, MessageBar, ProposalBar, WorkLine
from cmr_viewer.ui.window.pages import OpeningPage, Welcome
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
    """Parts of the window, made once; they do not know one another.

    Args:
        actions: What a reader can do, by id.
    """

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        self.view = FrameView()
        self.welcome = Welcome(actions)
        self.messages = MessageBar()
        self.bell = Bell()
        self.proposal = ProposalBar(actions)
        self.navigator = Navigator(actions)
        self.strip = StackStrip()
        self.left = QFrame()
        self.left.setObjectName("side")
        self.side = Side()
        self.work = WorkLine("Ready")
        self.opening = OpeningPage()
        self.places = FramePlaces(self.view)
        self._beside = QSplitter(Qt.Orientation.Horizontal)
        self._beside.addWidget(self.places)
        self._beside.setChildrenCollapsible(False)
        self._desk_column = column(self._beside, self.navigator, self.strip, spacing=0)
        self._desk_column.setStretch(0, 1)
        self.desk_page = QWidget()
        self.desk_page.setLayout(self._desk_column)
        self.middle = QStackedWidget()
        for page in (self.welcome, self.opening, self.desk_page):
            self.middle.addWidget(page)

    def arranged(self) -> QWidget:
        """The parts in their places: study left, frame in the middle, tools right."""
        right = QFrame()
        right.setObjectName("side")
        right.setLayout(column(self.side))
        across = QSplitter(Qt.Orientation.Horizontal)
        for widget, width in ((self.left, LEFT_WIDTH), (self._centre(), 0), (right, RIGHT_WIDTH)):
            across.addWidget(widget)
            if width:
                widget.setMinimumWidth(width)
                widget.setMaximumWidth(round(width * 1.6))
        across.setStretchFactor(1, 1)
        across.setSizes([LEFT_WIDTH, 1000, RIGHT_WIDTH])
        across.setChildrenCollapsible(False)
        self.left.setVisible(self.left.layout() is not None)
        whole = QWidget()
        whole.setLayout(column(across))
        return whole

    def _centre(self) -> QWidget:
        return UnderBars(self.middle, (self.messages, self.proposal), (self.proposal,), self.places)

    def add_banner(self, banner: QWidget) -> None:
        """Put a banner above the frames."""
        self._desk_column.insertWidget(0, banner)

    def add_beside(self, panel: QWidget) -> None:
        """Put a panel to the right of the frames; the reader can change its share of the room."""
        self._beside.addWidget(panel)
        self._beside.setStretchFactor(0, 3)
        self._beside.setStretchFactor(1, 2)
        self._beside.setSizes([620, 380])

    def fill_left(self, panel: QWidget) -> None:
        """Put a panel into the left side."""
        self.left.setLayout(column(panel))


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
        self._pages: dict[Page, QVBoxLayout] = {}
        self._sections: dict[tuple[Page, str], Section] = {}
        for page in Page:
            index = self.addTab(self._page(page), page.value)
            self.setTabToolTip(index, PAGE_TIPS[page])

    def add_section(self, page: Page, title: str, widget: QWidget, extra: QWidget | None = None) -> None:
        """Put a section below the others of a page; below its content where it is there already.

        Args:
            page: The page.
            title: Heading of the section.
            widget: The content.
            extra: Goes to the end of the heading, where the section is new.
        """
        for control in widget.findChildren(QWidget):
            if isinstance(control, _TURNED_BY_WHEEL) and not isinstance(control, QScrollBar):
                control.installEventFilter(self)
                if control.focusPolicy() == Qt.FocusPolicy.WheelFocus:
                    control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        known = self._sections.get((page, title))
        if known is not None:
            known.add(widget)
            return
        section = self._sections[page, title] = Section(title, widget, extra)
        for part in (section, rule()):
            self._pages[page].insertWidget(self._pages[page].count() - 1, part)

    def section(self, page: Page, title: str) -> QWidget | None:
        """A section by its heading, or None."""
        return self._sections.get((page, title))

    def has_sections(self, page: Page) -> bool:
        """Whether a page shows anything."""
        return any(at is page for at, _ in self._sections)

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
        self._pages[page] = sections
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
        places: Where the frames are, whose notes make room.
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
