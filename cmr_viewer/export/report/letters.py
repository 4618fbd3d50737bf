"""Fonts for the letters of a PDF; letters that no font has are transcribed and listed.

Helvetica, which every PDF reader has, sets Western European text. DejaVu Sans (part of matplotlib) sets Latin, Greek
and Cyrillic letters, and Droid Sans Fallback (resources/fonts) Chinese and Japanese ones; the file contains both.
Scripts that run from right to left or join their letters, and Korean, are transcribed into Latin letters.
"""

import itertools
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from cmr_viewer.paths import resources_dir

PLAIN_FONTS = ("Helvetica", "Helvetica-Bold")
WIDE_FONTS = ("DejaVuSans", "DejaVuSans-Bold")
EASTERN_FONT = "DroidSansFallback"
_RIGHT_TO_LEFT = ("R", "AL")


def fonts_for(texts: Iterable[str]) -> tuple[str, str]:
    """Plain and bold font for most of a report: the wide ones where a text has a letter that only they have."""
    strange = {letter for text in texts for letter in text if not _is_western(letter)}
    return WIDE_FONTS if any(_is_in(WIDE_FONTS[0], letter) for letter in strange) else PLAIN_FONTS


class Letters:
    """Puts texts into fonts.

    Attributes:
        transcribed: Transcriptions of letters that no font has, in their order in the text.

    Args:
        fonts: Plain and bold font for most of the report.
    """

    def __init__(self, fonts: tuple[str, str]) -> None:
        self.plain, self.bold = fonts
        self.transcribed: dict[str, None] = {}

    def runs(self, text: str, *, bold: bool = False) -> list[tuple[str, str]]:
        """(font, text) of parts in one font each."""
        own = self.bold if bold else self.plain
        found: list[tuple[str, str]] = []
        for font, group in itertools.groupby(text, lambda letter: _font_of(letter, own)):
            stretch = "".join(group)
            if not font:
                from anyascii import anyascii  # noqa: PLC0415 - 200 kB of tables that few reports need

                stretch = anyascii(stretch) or "?"
                self.transcribed[stretch.strip()] = None
            found.append((font or own, stretch))
        return found

    def marked(self, text: str, *, bold: bool = False) -> str:
        """The text for a paragraph of reportlab, whose own font is the plain or the bold one."""
        own = self.bold if bold else self.plain
        return "".join(
            escape(stretch) if font == own else f'<font name="{font}">{escape(stretch)}</font>'
            for font, stretch in self.runs(text, bold=bold)
        )

    def note(self) -> str:
        """A note that lists transcribed letters; empty where there are none."""
        if not self.transcribed:
            return ""
        listed = ", ".join(itertools.islice(self.transcribed, 20))
        return f"The fonts of this report lack some letters. They are transcribed into Latin letters: {listed}."


def _font_of(letter: str, own: str) -> str:
    """The font that sets a letter; empty for none."""
    if own in PLAIN_FONTS and _is_western(letter):
        return own
    wide = own if own in WIDE_FONTS else WIDE_FONTS[0]
    if _is_in(wide, letter):
        return wide
    return EASTERN_FONT if _is_in(EASTERN_FONT, letter) else ""


@cache
def _is_western(letter: str) -> bool:
    try:
        letter.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


@cache
def _is_in(font: str, letter: str) -> bool:
    if unicodedata.bidirectional(letter) in _RIGHT_TO_LEFT:
        return False
    return ord(letter) in _registered(font).face.charToGlyph


@cache
def _registered(name: str) -> TTFont:
    if name == EASTERN_FONT:
        path = resources_dir() / "fonts" / "DroidSansFallbackFull.ttf"
    else:
        import matplotlib  # noqa: PLC0415 - only where its fonts are needed

        path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"
    font = TTFont(name, str(path))
    pdfmetrics.registerFont(font)
    if name in WIDE_FONTS:
        pdfmetrics.registerFontFamily(WIDE_FONTS[0], normal=WIDE_FONTS[0], bold=WIDE_FONTS[1])
    return font
