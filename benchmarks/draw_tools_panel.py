"""Draws the tools panel for the documents, twice as large as on the screen.

QT_QPA_PLATFORM=offscreen QT_SCALE_FACTOR=2 python benchmarks/draw_tools_panel.py docs/pictures/tools.png
"""

import sys
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFrame

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.ui.features.table import ACTIONS
from cmr_viewer.ui.features.tools.panel import ToolsPanel
from cmr_viewer.ui.window.actions import build_actions
from cmr_viewer.ui.window.run import application
from cmr_viewer.ui.window.theme import STRUCTURE_COLOURS
from cmr_viewer.ui.window.widgets import Section, column


def main() -> None:
    app = application([])
    owner = QObject()
    actions = build_actions(owner, ACTIONS)
    for name in ("reach_frame", "brush", "label_lvbp"):
        actions[name].setChecked(True)
    panel = ToolsPanel(actions)
    panel.set_colours({label: colour for label, colour in STRUCTURE_COLOURS.items() if label is not Label.BACKGROUND})
    panel.set_radius(4.0)
    side = QFrame()
    side.setObjectName("side")
    side.setLayout(column(Section("Tools", panel, panel.steps)))
    side.resize(300, side.sizeHint().height())
    side.show()
    side.setFocus()
    app.processEvents()
    side.grab().save(sys.argv[1])


if __name__ == "__main__":
    main()
