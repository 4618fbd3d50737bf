"""Colours, style sheet and icons of the window; nothing else in `ui` names a colour of its own."""

from collections.abc import Mapping
from functools import lru_cache

from PySide6.QtCore import QByteArray, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QIcon, QIconEngine, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from cmr_viewer.app.settings import Settings
from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES, Label, Region
from cmr_viewer.paths import resources_dir

DARK: dict[str, str] = {
    "black": "#000000",
    "ground": "#14171b",
    "panel": "#1b1f24",
    "raised": "#252a31",
    "hover": "#2e343d",
    "pressed": "#20242a",
    "field": "#14171b",
    "line": "#2b3138",
    "edge": "#3b434d",
    "text": "#dde2e8",
    "soft": "#9aa4b0",
    "faint": "#808a96",
    "accent": "#6c95ea",
    "accent_dark": "#2f4a7d",
    "accent_hover": "#3a5a96",
    "offer": "#26324a",
    "focus": "#8fb2ff",
    "good": "#58b88a",
    "warn": "#e0b04a",
    "bad": "#e8746c",
    "bright": "#ffffff",
}
"""Colours of the dark theme by name; `window.qss` refers to them as @name."""

LIGHT: dict[str, str] = {
    "black": "#000000",
    "ground": "#e6e9ed",
    "panel": "#f6f7f9",
    "raised": "#ffffff",
    "hover": "#e3e8ef",
    "pressed": "#d5dce6",
    "field": "#ffffff",
    "line": "#d9dde3",
    "edge": "#b7bfc9",
    "text": "#1c2229",
    "soft": "#4c5764",
    "faint": "#67717c",
    "accent": "#2f62c9",
    "accent_dark": "#cfdff9",
    "accent_hover": "#bad0f5",
    "offer": "#e2ecfc",
    "focus": "#1a4fc0",
    "good": "#1c7148",
    "warn": "#855a00",
    "bad": "#b3261e",
    "bright": "#0b0d10",
}
"""The same names in the light theme; "dark" and "bright" in a name mean what is less and more prominent."""

PALETTES: dict[str, dict[str, str]] = {"dark": DARK, "light": LIGHT}

THEMES = ("system", "light", "dark")
"""Themes to choose from; "system" follows the system, and is dark if the system states none."""

PALETTE: dict[str, str] = dict(DARK)
"""Colours of the current theme; `apply_theme` replaces them."""

_DEFAULTS = Settings(reader="reader")

STRUCTURE_COLOURS: dict[Label, str] = {label: _DEFAULTS.label_colour(label) for label in STRUCTURES}
"""Default colours of the outlines."""

REGION_COLOURS: dict[Region, str] = {region: _DEFAULTS.region_colour(region) for region in REGIONS}
"""Default colours of the regions."""

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
"""Name of the outline of each label: the epicardium bounds blood pool and myocardium together."""


def colour(name: str) -> QColor:
    """A colour of the current theme."""
    return QColor(PALETTE[name])


def image_colour(name: str) -> QColor:
    """A colour for what is over or beside images: it stays dark in every theme, so that the eye stays adapted."""
    return QColor(DARK[name])


def readable_on(ground: QColor) -> QColor:
    """Black or white, whichever is easier to read on a ground (WCAG 2.1 relative luminance)."""

    def linear(value: float) -> float:
        return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)

    luminance = 0.2126 * linear(ground.redF()) + 0.7152 * linear(ground.greenF()) + 0.0722 * linear(ground.blueF())
    return QColor("#0b0d10") if luminance > 0.22 else QColor("#ffffff")


def style_sheet(palette: Mapping[str, str] | None = None) -> str:
    """The style sheet with a palette's colours for each @name; None for the current palette."""
    palette = PALETTE if palette is None else palette
    text = (resources_dir() / "style" / "window.qss").read_text(encoding="utf-8")
    text = text.replace("@icons", (resources_dir() / "icons").as_posix())
    text = text.replace("@tint", "light" if palette["text"] == LIGHT["text"] else "dark")
    for name in sorted(palette, key=len, reverse=True):
        text = text.replace(f"@{name}", palette[name])
    return text


def shown_theme() -> str:
    """The current theme, "light" or "dark"."""
    return "light" if PALETTE["text"] == LIGHT["text"] else "dark"


def theme_of(app: QApplication, chosen: str) -> str:
    """The chosen theme, "light" or "dark": the reader's choice, or that of the system.

    Args:
        app: The application.
        chosen: One of `THEMES`.
    """
    if chosen in PALETTES:
        return chosen
    return "light" if app.styleHints().colorScheme() is Qt.ColorScheme.Light else "dark"


def apply_theme(app: QApplication, chosen: str = "system") -> None:
    """Give the whole program its look: style, palette, font and style sheet. It can be called again at any time.

    Args:
        app: The application.
        chosen: One of `THEMES`.
    """
    schemes = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
    app.styleHints().setColorScheme(schemes.get(chosen, Qt.ColorScheme.Unknown))  # title bars and the system's dialogs
    PALETTE.update(PALETTES[theme_of(app, chosen)])
    sheet = style_sheet()
    if app.styleSheet() == sheet:  # it has that look already; taking it on anew costs a third of a second
        return
    app.setStyle("Fusion")
    font = QFont()
    font.setFamilies(["Inter", "Segoe UI", "SF Pro Text", "Helvetica Neue", "Noto Sans", "Open Sans", "DejaVu Sans"])
    font.setPixelSize(13)
    app.setFont(font)
    app.setPalette(_qt_palette())
    app.setStyleSheet(sheet)


def _qt_palette() -> QPalette:
    """The palette for what no style sheet reaches."""
    roles = {
        QPalette.ColorRole.Window: "panel",
        QPalette.ColorRole.Base: "field",
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
    return palette


class _ThemeIcon(QIconEngine):
    """Draws an icon in the colours of the current theme when it is drawn.

    Args:
        name: Name in `resources/icons`.
        tint: Name of the palette's colour.
    """

    def __init__(self, name: str, tint: str) -> None:
        super().__init__()
        self._name, self._tint = name, tint

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        ratio = painter.device().devicePixelRatioF()
        painter.drawPixmap(rect, self._drawn(mode, round(max(rect.width(), rect.height()) * ratio)))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return self._drawn(mode, max(1, min(size.width(), size.height())))

    def clone(self) -> QIconEngine:
        return _ThemeIcon(self._name, self._tint)

    def _drawn(self, mode: QIcon.Mode, size: int) -> QPixmap:
        return icon_pixmap(self._name, PALETTE["edge" if mode is QIcon.Mode.Disabled else self._tint], size)


@lru_cache(maxsize=256)
def icon(name: str, tint: str = "text") -> QIcon:
    """An icon of `resources/icons`, drawn in a colour of the current theme, fainter where it is disabled."""
    return QIcon(_ThemeIcon(name, tint))


@lru_cache(maxsize=512)
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
