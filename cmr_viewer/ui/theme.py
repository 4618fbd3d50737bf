"""Colours, style sheet and icons of the window; nothing else in `ui` names a colour of its own."""

from collections.abc import Mapping
from functools import lru_cache

from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from cmr_viewer.app.settings import Settings
from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES, Label, Region
from cmr_viewer.paths import resources_dir

PALETTE: dict[str, str] = {
    "black": "#000000",
    "ground": "#14171b",
    "panel": "#1b1f24",
    "raised": "#252a31",
    "hover": "#2e343d",
    "pressed": "#20242a",
    "line": "#2b3138",
    "edge": "#3b434d",
    "text": "#dde2e8",
    "soft": "#9aa4b0",
    "faint": "#77818d",
    "accent": "#6c95ea",
    "accent_dark": "#2f4a7d",
    "good": "#58b88a",
    "warn": "#e0b04a",
    "bad": "#e8746c",
    "bright": "#ffffff",
}
"""The window's own colours by name; `dark.qss` refers to them as @name."""

_DEFAULTS = Settings(reader="reader")

STRUCTURE_COLOURS: dict[Label, str] = {label: _DEFAULTS.label_colour(label) for label in STRUCTURES}
"""Colours of the outlines where the reader has set no other."""

REGION_COLOURS: dict[Region, str] = {region: _DEFAULTS.region_colour(region) for region in REGIONS}
"""Colours of the regions where the reader has set no other."""

REGION_LETTERS: dict[Region, str] = {
    Region.BASE: "B",
    Region.MIDDLE: "M",
    Region.APEX: "A",
    Region.NON_CARDIAC: "N",
}

STRUCTURE_TEXTS: dict[Label, str] = {
    Label.LVBP: "LV endocardium",
    Label.LVM: "LV epicardium",
    Label.RVBP: "RV endocardium",
}
"""What the outline of each label is called: the epicardium bounds blood pool and myocardium together."""


def colour(name: str) -> QColor:
    """A colour of the palette."""
    return QColor(PALETTE[name])


def readable_on(ground: QColor) -> QColor:
    """Black or white, whichever is easier to read on a ground (WCAG 2.1 relative luminance)."""

    def linear(value: float) -> float:
        return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)

    luminance = 0.2126 * linear(ground.redF()) + 0.7152 * linear(ground.greenF()) + 0.0722 * linear(ground.blueF())
    return QColor("#0b0d10") if luminance > 0.22 else QColor("#ffffff")


def style_sheet(palette: Mapping[str, str] = PALETTE) -> str:
    """The style sheet with the palette's colours put in for @name."""
    text = (resources_dir() / "style" / "dark.qss").read_text(encoding="utf-8")
    icons = (resources_dir() / "icons").as_posix()
    text = text.replace("@icons", icons)
    for name in sorted(palette, key=len, reverse=True):
        text = text.replace(f"@{name}", palette[name])
    return text


def apply_theme(app: QApplication) -> None:
    """Give the whole program its look: style, palette, font and style sheet."""
    app.setStyle("Fusion")
    font = QFont()
    font.setFamilies(["Inter", "Segoe UI", "SF Pro Text", "Helvetica Neue", "Noto Sans", "Open Sans", "DejaVu Sans"])
    font.setPixelSize(13)
    app.setFont(font)
    roles = {
        QPalette.ColorRole.Window: "panel",
        QPalette.ColorRole.Base: "ground",
        QPalette.ColorRole.AlternateBase: "panel",
        QPalette.ColorRole.Button: "raised",
        QPalette.ColorRole.Text: "text",
        QPalette.ColorRole.WindowText: "text",
        QPalette.ColorRole.ButtonText: "text",
        QPalette.ColorRole.ToolTipBase: "raised",
        QPalette.ColorRole.ToolTipText: "text",
        QPalette.ColorRole.PlaceholderText: "faint",
        QPalette.ColorRole.Highlight: "accent_dark",
        QPalette.ColorRole.HighlightedText: "bright",
        QPalette.ColorRole.Link: "accent",
    }
    palette = QPalette()
    for role, name in roles.items():
        palette.setColor(role, colour(name))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, colour("faint"))
    app.setPalette(palette)
    app.setStyleSheet(style_sheet())


@lru_cache(maxsize=256)
def icon(name: str, tint: str = "text") -> QIcon:
    """An icon of `resources/icons`, drawn in a colour of the palette and fainter where it is disabled."""
    result = QIcon()
    result.addPixmap(icon_pixmap(name, PALETTE[tint], 64), QIcon.Mode.Normal)
    result.addPixmap(icon_pixmap(name, PALETTE["edge"], 64), QIcon.Mode.Disabled)
    return result


@lru_cache(maxsize=256)
def icon_pixmap(name: str, tint: str, size: int) -> QPixmap:
    """An icon as a square pixmap of `size` device pixels, in the colour `tint`."""
    drawing = (resources_dir() / "icons" / f"{name}.svg").read_bytes().replace(b"currentColor", tint.encode())
    renderer = QSvgRenderer(QByteArray(drawing))
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    renderer.render(painter, QRectF(0, 0, size, size))
    painter.end()
    return pixmap
