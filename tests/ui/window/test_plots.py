import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from cmr_viewer.ui.window.plots import PlotPlace, Table


class Line:
    """A plot of two points."""

    def make(self, place, pg):
        self.line = place.axes(0, bottom="Time", unit="s", left="Volume").plot()

    def draw(self):
        self.line.setData([0.0, 1.0], [2.0, 3.0])

    def table(self):
        return Table(["time (s)", "volume (ml)"], [[0.0, 2.0], [1.0, None]])


@pytest.fixture
def place(app, qtbot):
    made = PlotPlace("Two points", Line(), height=120, mouse=False)
    qtbot.addWidget(made)
    made.resize(240, 120)
    made.show()
    qtbot.waitExposed(made)
    assert made.draw_now()
    return made


def test_a_plot_is_saved_as_picture_drawing_and_values(place, tmp_path):
    reports = []
    place.message.connect(lambda severity, text: reports.append((severity, text)))
    for ending, content in (("png", place.as_png()), ("svg", place.as_svg()), ("csv", place.as_csv())):
        place.write(tmp_path / f"plot.{ending}", content)
    assert [severity for severity, _ in reports] == ["info"] * 3
    picture = QImage(str(tmp_path / "plot.png"))
    assert (picture.width(), picture.height()) == (3 * place.layout_widget.width(), 3 * place.layout_widget.height())
    assert (tmp_path / "plot.svg").read_text().lstrip().startswith("<?xml")
    assert (tmp_path / "plot.csv").read_text().splitlines() == ["time (s),volume (ml)", "0.0,2.0", "1.0,"]


def test_a_saved_picture_looks_like_the_plot_on_the_screen(place):
    shown = place.layout_widget.grab().toImage().scaled(60, 30)
    saved = QImage.fromData(place.as_png()).scaled(60, 30, mode=Qt.TransformationMode.SmoothTransformation)
    pixels = [(x, y) for x in range(60) for y in range(30)]
    apart = [abs(shown.pixelColor(*at).lightness() - saved.pixelColor(*at).lightness()) for at in pixels]
    assert sum(apart) / len(apart) < 8


def test_axes_keep_their_names_when_the_theme_is_applied(place):
    axes = [place._axes[0].getAxis(side) for side in ("left", "bottom")]
    place._dress()
    assert ["Volume" in axes[0].label.toPlainText(), "Time" in axes[1].label.toPlainText()] == [True, True]
    assert axes[1].labelUnits == "s"


def test_a_file_that_cannot_be_written_is_reported_with_what_to_do(place, tmp_path):
    reports = []
    place.message.connect(lambda severity, text: reports.append((severity, text)))
    (tmp_path / "file").write_text("not a folder")
    place.write(tmp_path / "file" / "plot.csv", b"")
    ((severity, text),) = reports
    assert severity == "error" and "choose another one" in text


def test_values_are_copied_as_a_table(place):
    place._copy()
    assert QApplication.clipboard().text().splitlines()[1] == "0.0\t2.0"


def test_the_menu_is_in_the_programs_own_words(place):
    menu = place.menu()
    assert [action.text() for action in menu.actions()] == [
        "Save as PNG picture…",
        "Save as SVG drawing…",
        "Save values as CSV table…",
        "Copy values",
    ]
    menu.deleteLater()


def test_a_sentence_takes_the_place_of_a_plot_without_values(place):
    place.show_text("Nothing yet")
    assert not place.layout_widget.isVisible() and not place.draw_now()
