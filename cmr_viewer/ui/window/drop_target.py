"""What is seen while files or folders are held over the window."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote_to_bytes

from PySide6.QtCore import QMimeData, QRectF, Qt, QUrl
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from cmr_viewer.file_names import readable
from cmr_viewer.ui.window.theme import colour, icon

_INSET = 18
_NAMED = 3


def dropped_paths(data: QMimeData) -> list[Path]:
    """The files and folders of this computer that are held."""
    return [_path_of(url) for url in data.urls() if url.isLocalFile()]


def _path_of(url: QUrl) -> Path:
    """The path of a file's URL. Qt's own way loses bytes that are no UTF-8, which names may hold on Linux."""
    if sys.platform != "linux":
        return Path(url.toLocalFile())
    return Path(os.fsdecode(unquote_to_bytes(url.path(QUrl.ComponentFormattingOption.FullyEncoded))))


def drop_text(studies: Sequence[Path]) -> tuple[str, str]:
    """What a drop would do: a headline, and the names."""
    names = ", ".join(readable(path.name) for path in studies[:_NAMED])
    if len(studies) <= 1:
        return "Drop to open", names
    more = f" and {len(studies) - _NAMED} more" if len(studies) > _NAMED else ""
    return f"Drop to open the first of {len(studies)} studies", f"{names}{more}"


class DropTarget(QWidget):
    """Lies over the whole window while something is held over it; takes neither mouse nor keyboard.

    Args:
        window: The window.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName("Drop here to open")
        self._head, self._names = "", ""
        self.hide()

    @property
    def text(self) -> str:
        """The text."""
        return f"{self._head}: {self._names}"

    def offer(self, studies: Sequence[Path]) -> None:
        """Show what a drop would open."""
        self._head, self._names = drop_text(studies)
        window = self.parentWidget()
        if window is not None:
            self.setGeometry(window.rect())
        self.raise_()
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Darken the window and frame it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QColor(colour("ground"))
        ground.setAlphaF(0.94)
        painter.fillRect(self.rect(), ground)
        area = QRectF(self.rect()).adjusted(_INSET, _INSET, -_INSET, -_INSET)
        painter.setPen(QPen(colour("accent"), 3, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(area, 14, 14)
        middle = area.center()
        icon("import", "accent").paint(painter, round(middle.x()) - 28, round(middle.y()) - 84, 56, 56)
        font = self.font()
        font.setPixelSize(22)
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(colour("text"))
        line = QRectF(area.left() + 20, middle.y() - 16, area.width() - 40, 34)
        painter.drawText(line, Qt.AlignmentFlag.AlignCenter, self._head)
        font.setPixelSize(14)
        font.setBold(False)
        painter.setFont(font)
        painter.setPen(colour("soft"))
        names = painter.fontMetrics().elidedText(self._names, Qt.TextElideMode.ElideMiddle, round(line.width()))
        painter.drawText(line.translated(0, 34), Qt.AlignmentFlag.AlignCenter, names)


_WHOLE = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr", ".zip")
"""Endings of files that are a study each."""


def studies_of(paths: Sequence[Path]) -> list[Path]:
    """What is to be opened, one after another, of the things that were dropped.

    A folder is a study, and so is an image file or an archive. Other files of one folder belong together, as the single
    frames of a DICOM series do: of them the folder is opened; but a file that comes alone is opened itself.

    Args:
        paths: Files and folders in the order in which they came.
    """
    frames: dict[Path, list[Path]] = {}
    for path in paths:
        if not _is_whole(path):
            frames.setdefault(path.parent, []).append(path)
    found: list[Path] = []
    for path in paths:
        beside = frames.get(path.parent, [])
        found.append(path.parent if len(beside) > 1 and path in beside else path)
    return list(dict.fromkeys(found))


def _is_whole(path: Path) -> bool:
    return path.is_dir() or path.name.lower().endswith(_WHOLE) or path.name.upper() == "DICOMDIR"
