"""Region of the frame: four buttons with the classifier's probabilities, who decided, and which model follows."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from cmr_viewer.domain.anatomy import REGIONS, Region
from cmr_viewer.domain.annotation import RegionPrediction
from cmr_viewer.ui.theme import REGION_COLOURS, colour, readable_on
from cmr_viewer.ui.widgets import action_button, column, label, row


class RegionButton(QAbstractButton):
    """One region: its colour, name, probability as bar and number, and its key.

    Args:
        region: The region.
        action: What a click does.
    """

    def __init__(self, region: Region, action: QAction) -> None:
        super().__init__()
        self.setText(region.text)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(action.toolTip())
        self.clicked.connect(action.trigger)
        self._action = action
        self._tint = QColor(REGION_COLOURS[region])
        self._probability: float | None = None

    def show_state(self, probability: float | None, *, chosen: bool, enabled: bool) -> None:
        """Show the probability, whether it is the frame's region, and whether it can be chosen."""
        self._probability = probability
        self.setChecked(chosen)
        self.setEnabled(enabled)
        said = "" if probability is None else f", {100 * probability:.0f} %"
        self.setAccessibleName(f"Region {self.text()}{said}")
        self.update()

    def set_colour(self, tint: str) -> None:
        """Colour of the region."""
        self._tint = QColor(tint)
        self.update()

    def sizeHint(self) -> QSize:
        """One line."""
        return QSize(200, 30)

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
            painter.drawRoundedRect(QRectF(area.left() + 9, area.center().y() - 6, 12, 12), 3, 3)
        font = self.font()
        font.setBold(chosen)
        painter.setFont(font)
        painter.setPen(text)
        name = QRectF(area.left() + (12 if chosen else 29), area.top(), 100, area.height())
        painter.drawText(name, Qt.AlignmentFlag.AlignVCenter, self.text())
        if self._probability is None:
            return
        said = QRectF(area.right() - 54, area.top(), 46, area.height())
        painter.drawText(
            said, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, f"{100 * self._probability:.0f} %"
        )
        groove = QRectF(area.left() + 118, area.center().y() - 3, area.width() - 176, 6)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 70) if chosen else colour("edge"))
        painter.drawRoundedRect(groove, 3, 3)
        groove.setWidth(max(groove.width() * self._probability, 1.0))
        painter.setBrush(text if chosen else tint)
        painter.drawRoundedRect(groove, 3, 3)


class RegionPanel(QWidget):
    """Region of the frame on show.

    Signals:
        region_chosen(object): A button was pressed; `Region`.
    """

    region_chosen = Signal(object)

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self._buttons = {region: RegionButton(region, actions[f"region_{region.value}"]) for region in REGIONS}
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
        self.setLayout(
            column(
                *self._buttons.values(),
                column(*texts, spacing=2, margins=(1, 4, 0, 4)),
                row(accept, follow),
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
        self._say("No study is open.", "", "")
        self.show_findings(())

    def show_region(
        self,
        region: Region | None,
        prediction: RegionPrediction | None,
        *,
        by_reader: bool,
        reason: str,
        model_id: str | None,
        accepted: bool,
    ) -> None:
        """Show what is known about the frame.

        Args:
            region: Its region, or None while it is not known.
            prediction: What the classifier said, or None.
            by_reader: Whether a reader decided.
            reason: Why the frame goes to its model.
            model_id: The model that segments it.
            accepted: Whether a reader accepted the frame.
        """
        for each, button in self._buttons.items():
            probability = None if prediction is None else prediction.of(each)
            button.show_state(probability, chosen=each is region, enabled=True)
        if region is None:
            self._say("The region is not known yet.", "", "")
        elif by_reader:
            self._say(decided_by_reader(region, prediction), reason, model_id or "")
        else:
            self._say(decided_by_classifier(prediction), reason, model_id or "")
        self._accept.defaultAction().setIconText("Accepted" if accepted else "Accept frame")

    def show_findings(self, texts: Sequence[str], notes: Sequence[str] = ()) -> None:
        """Say what looks wrong in the label map, and what is only to be known; hints, nothing is changed."""
        for place, lines in ((self._findings, texts), (self._notes, notes)):
            place.setText("\n".join(lines))
            place.setVisible(bool(lines))

    def _say(self, decided: str, reason: str, model: str) -> None:
        self._decided.setText(decided)
        self._reason.setText(reason)
        self._reason.setVisible(bool(reason))
        self._model.setText(f"Model {model}" if model else "")
        self._model.setVisible(bool(model))


def decided_by_classifier(prediction: RegionPrediction | None) -> str:
    """Who decided, where it was the classifier, and what it says of the frame by itself if its place changed that."""
    differs = "" if prediction is None else prediction.differs
    return f"Decided by the classifier. {differs}".rstrip()


def decided_by_reader(region: Region, prediction: RegionPrediction | None) -> str:
    """Who decided, where it was the reader, and what the classifier had said."""
    if prediction is None:
        return "Decided by you."
    if prediction.region is region:
        return "Decided by you, as the classifier said."
    return f"Decided by you; the classifier said {prediction.region.text.lower()}."
