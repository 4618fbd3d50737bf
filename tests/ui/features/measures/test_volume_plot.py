import pytest
from PySide6.QtCore import QPoint, Qt

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.ui.features.measures.volume_plot import VolumePlot


@pytest.fixture
def curve(app, qtbot):
    made = VolumePlot()
    qtbot.addWidget(made)
    made.resize(276, 164)
    made.show_volumes([100.0, 80.0, None, 60.0, 90.0], "ml", [110.0, 95.0, 85.0, 80.0, 100.0])
    made.set_times((0.0, 150.0, 300.0, 450.0, 600.0))
    made.set_marks(0, 3)
    made.show()
    qtbot.waitExposed(made)
    qtbot.waitUntil(lambda: made.area().width() > 150)
    return made


def test_a_phase_is_told_with_its_time_and_volumes(curve):
    assert curve.words_of(1) == "Phase 2   150 ms   LV 80   RV 95 ml"
    assert "LV \N{EN DASH}" in curve.words_of(2)


def test_the_marks_are_described_for_those_who_do_not_see_the_curve(curve):
    assert "ED Phase 1" in curve.accessibleDescription()
    assert "LV 60" in curve.accessibleDescription()


def test_a_mark_is_dragged_and_only_let_go_of_at_the_end(curve, qtbot):
    told = []
    curve.mark_moved.connect(lambda mark, phase: told.append((mark, phase)))
    grip = curve.grip("ED").center().toPoint()
    qtbot.mousePress(curve, Qt.MouseButton.LeftButton, pos=grip)
    qtbot.mouseMove(curve, QPoint(round(curve.x_of(4)), grip.y()))
    curve.set_marks(0, 3)  # what is measured meanwhile does not take the mark out of the hand
    assert told == []
    qtbot.mouseRelease(curve, Qt.MouseButton.LeftButton, pos=QPoint(round(curve.x_of(4)), grip.y()))
    assert told == [("ED", 4)]


def test_a_click_beside_the_marks_chooses_the_nearest_phase(curve, qtbot):
    told = []
    curve.phase_chosen.connect(told.append)
    middle = round(curve.area().center().y())
    for phase in range(5):
        qtbot.mouseClick(curve, Qt.MouseButton.LeftButton, pos=QPoint(round(curve.x_of(phase)), middle))
    assert told == [0, 1, 2, 3, 4]


def test_marks_outside_the_study_are_not_drawn(curve):
    curve.set_marks(9, None)
    assert curve.grip("ED").isEmpty()
    assert curve.grip("ES").isEmpty()
    curve.grab()


def test_a_study_without_volumes_is_drawn_as_a_sentence(curve):
    curve.show_volumes((), "ml")
    assert curve.phases == 0
    curve.grab()


def test_other_colours_are_taken(curve):
    curve.set_colours({Label.LVBP: "#112233", Label.LVM: "#000000", Label.RVBP: "#445566"})
    assert curve._colours["LV"].name() == "#112233"
