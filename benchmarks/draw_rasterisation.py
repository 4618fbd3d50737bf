"""Draw which pixels a contour holds, for docs/loading/contours.md, with the rule that the program uses.

python benchmarks/draw_rasterisation.py docs/pictures/rasterisation.svg
"""

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cmr_viewer.domain.anatomy import Label  # noqa: E402
from cmr_viewer.domain.polygons import Points  # noqa: E402
from cmr_viewer.load.labels.imported import paint  # noqa: E402

PIXEL = 26
COLOURS = {0: "#ffffff", 1: "#f2b8b5", 2: "#b9dfb4", 3: "#b5c9f2"}
LINES = {Label.LVBP: "#b3261e", Label.LVM: "#2e7d32", Label.RVBP: "#1b4fb3"}
SHAPE = (11, 18)


def circle(x: float, y: float, radius: float) -> Points:
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1)


def main() -> None:
    contours = {
        Label.RVBP: [circle(4.3, 5.0, 3.4)],
        Label.LVM: [circle(10.0, 5.0, 4.2)],
        # A square whose sides run through pixel centres: left and upper side belong, right and lower do not.
        Label.LVBP: [np.array([(8.0, 3.0), (12.0, 3.0), (12.0, 7.0), (8.0, 7.0)])],
    }
    labels = paint(contours, SHAPE)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SHAPE[1] * PIXEL} {SHAPE[0] * PIXEL}" '
        f'width="{SHAPE[1] * PIXEL}" height="{SHAPE[0] * PIXEL}">'
    ]
    for (row, col), label in np.ndenumerate(labels):
        x, y = col * PIXEL, row * PIXEL
        parts.append(
            f'<rect x="{x}" y="{y}" width="{PIXEL}" height="{PIXEL}" fill="{COLOURS[int(label)]}" stroke="#d0d0d0"/>'
            f'<circle cx="{x + PIXEL / 2:g}" cy="{y + PIXEL / 2:g}" r="1.6" fill="#606060"/>'
        )
    for label, outlines in contours.items():
        for points in outlines:
            text = " ".join(f"{(x + 0.5) * PIXEL:.1f},{(y + 0.5) * PIXEL:.1f}" for x, y in points)
            parts.append(f'<polygon points="{text}" fill="none" stroke="{LINES[label]}" stroke-width="2"/>')
    Path(sys.argv[1]).write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
