"""What there is to know about the base: a meter of the ring against the project's rule, and the descent in words."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QSpinBox, QWidget

from cmr_viewer.ui.window.theme import colour
from cmr_viewer.ui.window.widgets import column, label, row

if TYPE_CHECKING:
    from cmr_viewer.review.base_card import BaseCard


class RingMeter(QWidget):
    """A bar that fills with the share of the blood pool that myocardium surrounds; a mark at the rule."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Myocardium around the LV blood pool")
        self._share: float | None = None
        self._rule = 0.5

    def show_share(self, share: float | None, rule: float, text: str) -> None:
        """Show a share, 0.0 to 1.0, against the rule; None for nothing to be shown."""
        self._share, self._rule = share, rule
        self.setToolTip(text)
        self.setAccessibleDescription(text)
        self.update()

    def sizeHint(self) -> QSize:
        """Flat."""
        return QSize(160, 14)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the bar."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        groove = QRectF(self.rect()).adjusted(1, 3, -1, -3)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour("edge"))
        painter.drawRoundedRect(groove, 4, 4)
        if self._share is not None:
            filled = QRectF(groove)
            filled.setWidth(max(1.0, groove.width() * self._share))
            painter.setBrush(colour("good" if self._share >= self._rule else "warn"))
            painter.drawRoundedRect(filled, 4, 4)
        at = groove.left() + groove.width() * self._rule
        painter.setPen(QPen(colour("bright"), 2))
        painter.drawLine(int(at), 0, int(at), self.height())


class BaseCardView(QWidget):
    """The card; hidden where the base is far.

    Signals:
        rule_chosen(int): Share of the blood pool that myocardium must surround, in per cent.
    """

    rule_chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._meter = RingMeter()
        self._rule = QSpinBox()
        self._rule.setRange(5, 100)
        self._rule.setSingleStep(5)
        self._rule.setSuffix(" %")
        self._rule.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._rule.setKeyboardTracking(False)
        self._rule.setAccessibleName("Threshold for basal slices, per cent of the blood pool")
        self._rule.setToolTip(
            "A basal slice counts as left ventricle if myocardium surrounds at least this share of the blood pool"
        )
        self._rule.valueChanged.connect(self.rule_chosen)
        self._ring = label("", "small", wrap=True)
        self._descent = label("", "small", wrap=True)
        self._lines = label("", "small", wrap=True)
        self._papillary = label("", "small", wrap=True)
        texts = column(self._ring, self._descent, self._lines, self._papillary, spacing=2)
        head = row(label("Base", "soft"), None, label("Rule", "small"), self._rule)
        self.setLayout(column(head, self._meter, texts, spacing=4, margins=(0, 6, 0, 0)))
        self.show_card(None, "")

    def show_card(self, card: "BaseCard | None", papillary: str, *, ring_is_told: bool = False) -> None:
        """Show what is known; None hides the card.

        Args:
            card: The card.
            papillary: Where papillary muscles are counted, in words.
            ring_is_told: Whether what the ring says stands elsewhere already, beside the checks.
        """
        self.setVisible(card is not None)
        if card is None:
            self._meter.show_share(None, 0.5, "")
            for place in (self._ring, self._descent, self._lines, self._papillary):
                place.setText("")
            return
        self._rule.blockSignals(True)
        self._rule.setValue(round(100 * card.rule))
        self._rule.blockSignals(False)
        self._meter.show_share(card.enclosed, card.rule, card.ring_text)
        texts = (
            (self._ring, "" if ring_is_told else card.ring_text),
            (self._descent, card.descent_text),
            (self._lines, card.lines_text),
            (self._papillary, f"Measures with {papillary}." if papillary else ""),
        )
        for place, text in texts:
            place.setText(text)
            place.setVisible(bool(text))
