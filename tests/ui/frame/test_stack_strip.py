import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor

from cmr_viewer.domain.anatomy import REGIONS, Region
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.frame.stack_strip import StackStrip
from cmr_viewer.ui.frame.thumbnails import Cell, Thumbnails, moving_box, tip_of, usual_window
from cmr_viewer.ui.window.theme import REGION_COLOURS


@pytest.fixture
def strip(app, qtbot, phantom) -> StackStrip:
    made = StackStrip()
    qtbot.addWidget(made)
    made.resize(900, 200)
    stack = phantom.stack
    made.show_stack(None, stack.phases, stack.slices)
    made.show_thumbnails(Thumbnails(stack, moving_box(stack), usual_window(stack), lambda frame: None))
    made.show()
    qtbot.waitExposed(made)
    return made


def border(strip: StackStrip, frame: FrameIndex) -> str:
    rect = strip.cell_rect(frame)
    return strip.viewport().grab().toImage().pixelColor(rect.left() + 1, rect.center().y()).name()


@pytest.mark.parametrize("region", REGIONS)
def test_the_border_has_the_colour_of_the_region(strip, region):
    strip.set_current(FrameIndex(0, 0))
    strip.set_cell(FrameIndex(0, 3), Cell(region=region, probability=0.9))
    assert strip.border_colour(FrameIndex(0, 3)).name() == REGION_COLOURS[region]
    assert border(strip, FrameIndex(0, 3)) == REGION_COLOURS[region]


def test_a_frame_without_a_region_has_a_border_of_no_region(strip):
    assert strip.border_colour(FrameIndex(0, 2)).name() not in REGION_COLOURS.values()


def test_the_readers_own_colours_are_used(strip):
    strip.set_cell(FrameIndex(0, 1), Cell(region=Region.BASE))
    strip.set_colours({Region.BASE: "#123456"})
    assert strip.border_colour(FrameIndex(0, 1)) == QColor("#123456")


def test_a_click_on_the_strip_goes_to_the_slice_at_the_same_phase(strip, qtbot):
    strip.set_current(FrameIndex(2, 0))
    with qtbot.waitSignal(strip.frame_chosen) as told:
        at = strip.cell_rect(FrameIndex(2, 4)).center()
        qtbot.mousePress(strip.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert told.args == [FrameIndex(2, 4)]


def test_a_click_on_the_grid_goes_to_slice_and_phase(strip, qtbot):
    strip.set_grid(True)
    with qtbot.waitSignal(strip.frame_chosen) as told:
        at = strip.cell_rect(FrameIndex(5, 1)).center()
        qtbot.mousePress(strip.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert told.args == [FrameIndex(5, 1)]


def test_every_cell_is_found_where_it_is_drawn(strip, phantom):
    strip.set_grid(True)
    strip.verticalScrollBar().setValue(10)
    for frame in phantom.stack.frame_indices:
        assert strip.frame_at(strip.cell_rect(frame).center()) == frame


def test_beside_the_cells_there_is_no_frame(strip):
    assert strip.frame_at(QPoint(1, 1)) is None


def test_the_grid_scrolls_to_the_frame_on_show(strip):
    strip.resize(320, 200)
    strip.set_grid(True)
    strip.set_current(FrameIndex(5, 6))
    assert strip.viewport().rect().contains(strip.cell_rect(FrameIndex(5, 6)))


def test_only_thumbnails_that_are_seen_are_made(strip, phantom, qtbot):
    strip.set_grid(False)
    strip.set_current(FrameIndex(1, 0))
    made = strip._thumbnails
    assert made is not None
    qtbot.waitUntil(lambda: all(made.made(FrameIndex(1, s)) is not None for s in range(phantom.stack.slices)))
    assert made.made(FrameIndex(3, 0)) is None


def test_the_tip_says_who_decided(strip):
    strip.set_cell(FrameIndex(0, 1), Cell(region=Region.APEX, probability=0.734, accepted=True))
    assert (
        tip_of(FrameIndex(0, 1), strip.cell(FrameIndex(0, 1)))
        == "Slice 2, phase 1\nApex, 73 % by the classifier\nAccepted"
    )
    strip.set_cell(FrameIndex(0, 1), Cell(region=Region.APEX, edited=True))
    assert tip_of(FrameIndex(0, 1), strip.cell(FrameIndex(0, 1))) == "Slice 2, phase 1\nApex, set by you\nCorrected"


def test_the_tip_says_what_the_frame_alone_looks_like_where_its_place_says_otherwise(strip):
    frame, differs = (
        FrameIndex(0, 2),
        "By itself the frame looks like apex (61 %); by its place in the stack it is middle.",
    )
    strip.set_cell(frame, Cell(region=Region.MIDDLE, probability=0.75, differs=differs))
    assert tip_of(frame, strip.cell(frame)).splitlines() == [
        "Slice 3, phase 1",
        "Middle, 75 % by the classifier",
        differs,
    ]
    strip.set_cell(frame, Cell(region=Region.MIDDLE, probability=0.75))
    assert tip_of(frame, strip.cell(frame)).splitlines() == ["Slice 3, phase 1", "Middle, 75 % by the classifier"]
