"""Region of the frame: four buttons with the classifier's probabilities and the change in ml that each would make."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QColor,
    QEnterEvent,
    QFocusEvent,
    QFont,
    QFontMetrics,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QSpinBox, QWidget

from cmr_viewer.domain.anatomy import REGIONS, Region
from cmr_viewer.domain.annotation import RegionPrediction
from cmr_viewer.review.what_if import Candidate, signed
from cmr_viewer.ui.window.theme import REGION_COLOURS, colour, readable_on
from cmr_viewer.ui.window.widgets import action_button, column, label, row

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

    def show_card(self, card: "BaseCard | None", papillary: str, *, ring_is_shown: bool = False) -> None:
        """Show what is known; None hides the card.

        Args:
            card: The card.
            papillary: Where papillary muscles are counted, in words.
            ring_is_shown: Whether the text on the ring is shown already, beside the checks.
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
            (self._ring, "" if ring_is_shown else card.ring_text),
            (self._descent, card.descent_text),
            (self._lines, card.lines_text),
            (self._papillary, f"Measures with {papillary}." if papillary else ""),
        )
        for place, text in texts:
            place.setText(text)
            place.setVisible(bool(text))


_HEIGHT = 44
_LINE_HEIGHT, _LINE_LEFT, _LINE_RIGHT = 16, 29, 8


class RegionButton(QAbstractButton):
    """One region: its colour, name, probability as bar and number, and below what it would change.

    Args:
        region: The region.
        action: What a click does.

    Signals:
        pointed(bool): The pointer came over it or the keyboard to it; False: it left.
    """

    pointed = Signal(bool)

    def __init__(self, region: Region, action: QAction) -> None:
        super().__init__()
        self.setText(region.text)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.clicked.connect(action.trigger)
        self._action = action
        self._tint = QColor(REGION_COLOURS[region])
        self._probability: float | None = None
        self._line = ""
        self.show_what_if("", "")

    def show_what_if(self, line: str, details: str) -> None:
        """Show in a line what the region would change, and all of it when the pointer rests here."""
        if line != self._line:
            self._line = line
            self._fit_height()
        self.setToolTip("\n".join(text for text in (self._action.toolTip(), details) if text))
        self.setAccessibleDescription(details or line)
        self.update()

    def enterEvent(self, event: QEnterEvent) -> None:
        """The pointer came."""
        super().enterEvent(event)
        self.pointed.emit(True)

    def leaveEvent(self, event: QEvent) -> None:
        """The pointer left."""
        super().leaveEvent(event)
        self.pointed.emit(False)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The keyboard came."""
        super().focusInEvent(event)
        self.pointed.emit(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The keyboard left."""
        super().focusOutEvent(event)
        self.pointed.emit(False)

    def show_state(self, probability: float | None, *, chosen: bool, enabled: bool) -> None:
        """Show the probability, whether it is the frame's region, and whether it can be chosen."""
        self._probability = probability
        self.setChecked(chosen)
        self.setEnabled(enabled)
        text = "" if probability is None else f", {100 * probability:.0f} %"
        self.setAccessibleName(f"Region {self.text()}{text}")
        self.update()

    def set_colour(self, tint: str) -> None:
        """Colour of the region."""
        self._tint = QColor(tint)
        self.update()

    def sizeHint(self) -> QSize:
        """Two lines."""
        return QSize(200, _HEIGHT)

    def heightForWidth(self, width: int) -> int:
        """As many lines as what the region would change takes."""
        return _HEIGHT + max(0, self._lines_height(width - 2 - _LINE_LEFT - _LINE_RIGHT) - _LINE_HEIGHT)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Another width takes another number of lines."""
        super().resizeEvent(event)
        self._fit_height()

    def _fit_height(self) -> None:
        self.setFixedHeight(self.heightForWidth(self.width()))

    def _lines_height(self, width: int) -> int:
        """Of what the region would change, as it is wrapped at a width."""
        room = QRect(0, 0, max(width, 40), 1000)
        return QFontMetrics(self._small()).boundingRect(room, Qt.TextFlag.TextWordWrap, self._line).height()

    def _small(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(12)
        return font

    def nextCheckState(self) -> None:
        """The session decides what is checked, not the click."""

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the line."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        chosen, tint = self.isChecked(), self._tint if self.isEnabled() else colour("edge")
        painter.setPen(QPen(colour("accent") if self.hasFocus() else tint if chosen else colour("line"), 1.5))
        painter.setBrush(tint if chosen else colour("hover" if self.underMouse() and self.isEnabled() else "raised"))
        painter.drawRoundedRect(area, 5, 5)
        text = readable_on(tint) if chosen else colour("text" if self.isEnabled() else "faint")
        if not chosen:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(tint)
            painter.drawRoundedRect(QRectF(area.left() + 9, area.top() + 7, 12, 12), 3, 3)
        font = self.font()
        font.setBold(chosen)
        painter.setFont(font)
        painter.setPen(text)
        below, area = area, QRectF(area.left(), area.top() + 2, area.width(), 22)
        left = 12 if chosen else _LINE_LEFT
        name = QRectF(area.left() + left, area.top(), 100, area.height())
        painter.drawText(name, Qt.AlignmentFlag.AlignVCenter, self.text())
        room = QRectF(name.left(), area.bottom() - 2, below.right() - name.left() - _LINE_RIGHT, below.bottom())
        room.setBottom(below.bottom())
        self._paint_line(painter, room, text)
        font.setPixelSize(13)
        painter.setFont(font)
        if self._probability is None:
            return
        place = QRectF(area.right() - 54, area.top(), 46, area.height())
        painter.drawText(
            place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, f"{100 * self._probability:.0f} %"
        )
        groove = QRectF(area.left() + 118, area.center().y() - 3, area.width() - 176, 6)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 70) if chosen else colour("edge"))
        painter.drawRoundedRect(groove, 3, 3)
        groove.setWidth(max(groove.width() * self._probability, 1.0))
        painter.setBrush(text if chosen else tint)
        painter.drawRoundedRect(groove, 3, 3)

    def _paint_line(self, painter: QPainter, area: QRectF, tint: QColor) -> None:
        painter.setFont(self._small())
        painter.setPen(tint if self.isChecked() or not self.isEnabled() else colour("soft"))
        how = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap
        painter.drawText(area, how, self._line)
        painter.setPen(tint)


class RegionPanel(QWidget):
    """Region of the displayed frame.

    Signals:
        candidate_pointed(object): The pointer or the keyboard is at a `Region`; None: at none.
        rule_chosen(int): Share of the blood pool that myocardium must surround in a basal slice, in per cent.
    """

    candidate_pointed = Signal(object)
    rule_chosen = Signal(int)

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self._buttons = {region: RegionButton(region, actions[f"region_{region.value}"]) for region in REGIONS}
        for region, button in self._buttons.items():
            button.pointed.connect(partial(self._on_pointed, region))
        self._hint = label("", "small", wrap=True)
        self._decided = label("", "", wrap=True)
        self._reason = label("", "small", wrap=True)
        self._model = label("", "small", wrap=True)
        self._model.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._findings = label("", "warn", wrap=True)
        self._notes = label("", "small", wrap=True)
        texts = (self._decided, self._reason, self._model, self._findings, self._notes)
        accept = action_button(actions["accept"])
        accept.setProperty("part", "primary")
        accept.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        follow = action_button(actions["next_review"])
        follow.setProperty("part", "boxed")
        self._accept = accept
        self._spread = action_button(actions["region_all_phases"])
        self._spread.setProperty("part", "boxed")
        self._spread.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._beside = label("", "warn", wrap=True)
        self.base_card = BaseCardView()
        self.base_card.rule_chosen.connect(self.rule_chosen)
        self.setLayout(
            column(
                *self._buttons.values(),
                self._hint,
                row(self._spread),
                column(*texts, self._beside, spacing=2, margins=(1, 4, 0, 4)),
                row(accept, follow),
                self.base_card,
                spacing=4,
            )
        )
        self.show_nothing()

    def set_colours(self, colours: Mapping[Region, str]) -> None:
        """Colours of the regions."""
        for region, button in self._buttons.items():
            button.set_colour(colours[region])

    def show_nothing(self) -> None:
        """No study is open."""
        for button in self._buttons.values():
            button.show_state(None, chosen=False, enabled=False)
        self._show_decision("No study is open.", "", "")
        self.show_findings(())
        self.show_beside(())
        self.show_what_if((), "", "")
        self.base_card.show_card(None, "")

    def show_region(
        self,
        region: Region | None,
        prediction: RegionPrediction | None,
        *,
        by_reader: bool,
        reason: str,
        model_id: str | None,
        accepted: bool,
        renewed: bool = False,
    ) -> None:
        """Show what is known about the frame.

        Args:
            region: Its region, or None while it is not known.
            prediction: The classifier's prediction, or None.
            by_reader: Whether a reader set it.
            reason: Why the frame goes to its model.
            model_id: The model that segments it.
            accepted: Whether a reader accepted the frame.
            renewed: Whether its label map is new, because another model is in use.
        """
        for each, button in self._buttons.items():
            probability = None if prediction is None else prediction.of(each)
            button.show_state(probability, chosen=each is region, enabled=True)
        if region is None:
            self._show_decision("Region not known yet.", "", "")
        elif by_reader:
            self._show_decision(decided_by_reader(region, prediction), reason, model_id or "")
        else:
            self._show_decision(decided_by_classifier(prediction), reason, model_id or "")
        if renewed:
            self._model.setText(f"{self._model.text()}. New label map: the model in use has changed.".lstrip(". "))
            self._model.show()
        self._accept.defaultAction().setIconText("Accepted" if accepted else "Accept frame")

    def show_what_if(self, candidates: Sequence[Candidate], at: str, hint: str) -> None:
        """Show how the measures would change with another region.

        Args:
            candidates: All regions, or none while nothing is known.
            at: "ED" or "ES" where the frame is at one; empty elsewhere, where no measure changes.
            hint: What is included, in words; empty for nothing.
        """
        found = {one.region: one for one in candidates}
        for region, button in self._buttons.items():
            one = found.get(region)
            button.show_what_if("" if one is None else line_of(one, at), "" if one is None else details_of(one, at))
        self._hint.setText(hint)
        self._hint.setVisible(bool(hint))

    def show_beside(self, texts: Sequence[str]) -> None:
        """Show what looks wrong compared with the other frames of the stack."""
        self._beside.setText("\n".join(texts))
        self._beside.setVisible(bool(texts))

    def _on_pointed(self, region: Region, on: bool) -> None:
        self.candidate_pointed.emit(region if on else None)

    def show_findings(self, texts: Sequence[str], notes: Sequence[str] = ()) -> None:
        """Show what looks wrong in the label map, and mere notes; nothing is changed."""
        for place, lines in ((self._findings, texts), (self._notes, notes)):
            place.setText("\n".join(lines))
            place.setVisible(bool(lines))

    def _show_decision(self, decided: str, reason: str, model: str) -> None:
        self._decided.setText(decided)
        self._reason.setText(reason)
        self._reason.setVisible(bool(reason))
        self._model.setText(f"Model {model}" if model else "")
        self._model.setVisible(bool(model))


def line_of(one: Candidate, at: str) -> str:
    """What a candidate would change, in one line."""
    if one.chosen:
        return one.model_text.rstrip(".")
    if one.alone is None:
        return "Comparing\N{HORIZONTAL ELLIPSIS}"
    shown = one.together if one.together is not None and one.together else one.alone
    if not shown and one.curve_ml is not None and not at:
        return f"LV {signed(one.curve_ml)} ml at this phase, measures unchanged"
    return shown.headline()


def details_of(one: Candidate, at: str) -> str:
    """Everything about a candidate, one fact per line."""
    lines = [one.model_text]
    if one.chosen:
        return one.model_text
    if one.stays:
        lines.append("Your label map stays; the new one appears as a suggestion.")
    if one.alone is not None:
        where = f"at {at}" if at else "not at ED or ES"
        lines.append(f"This frame, {where}: {one.alone.sentence()}.")
        if not at and one.curve_ml is not None:
            lines.append(f"The volume curve changes by {signed(one.curve_ml)} ml at this phase.")
    if one.followers:
        lines.append(one.followers_text)
        lines.append("With them: " + ("still calculating" if one.together is None else one.together.sentence()) + ".")
    return "\n".join(lines)


def decided_by_classifier(prediction: RegionPrediction | None) -> str:
    """That the classifier set the region, and what it predicts from the image alone if the place changed that."""
    differs = "" if prediction is None else prediction.differs
    return f"Set by the classifier. {differs}".rstrip()


def decided_by_reader(region: Region, prediction: RegionPrediction | None) -> str:
    """That the reader set the region, and what the classifier predicted."""
    if prediction is None:
        return "Set by you."
    if prediction.region is region:
        return "Set by you; the classifier agrees."
    return f"Set by you; the classifier predicted {prediction.region.text.lower()}."
