"""Draw the bitmap icons from resources/icons/app.svg: `.venv/bin/python packaging/make_icons.py`; needs Pillow."""

import io
import os
from pathlib import Path

from PIL import Image

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QBuffer, QIODevice, Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

ICONS = Path(__file__).resolve().parent.parent / "resources" / "icons"
ICO_SIZES = (16, 24, 32, 48, 64, 128, 256)
ICNS_SIZES = (16, 32, 64, 128, 256, 512, 1024)


def draw(size: int) -> Image.Image:
    """The icon at a size in pixels, drawn anew from the vectors."""
    image = QImage(size, size, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    QSvgRenderer(str(ICONS / "app.svg")).render(painter)
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return Image.open(io.BytesIO(bytes(buffer.data().data()))).convert("RGBA")


def main() -> None:
    """Write app.png, .ico (Windows) and .icns (macOS)."""
    application = QGuiApplication([])
    draw(256).save(ICONS / "app.png", optimize=True)
    drawn = [draw(size) for size in ICO_SIZES]
    drawn[-1].save(ICONS / "app.ico", sizes=[(size, size) for size in ICO_SIZES], append_images=drawn[:-1])
    large = [draw(size) for size in ICNS_SIZES]
    large[-1].save(ICONS / "app.icns", append_images=large[:-1])
    application.quit()


if __name__ == "__main__":
    main()
