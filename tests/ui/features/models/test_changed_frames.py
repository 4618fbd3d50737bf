import numpy as np

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.promote.judge import read_changes
from cmr_viewer.ui.features.models.changed_frames import ChangedFrames, box_of
from tests.promote.made_runs import write_changed_frames

COLOURS = {Label.LVBP: "#ff0000", Label.LVM: "#00ff00", Label.RVBP: "#0000ff"}


def shown(app, qtbot, folder):
    made = ChangedFrames(lambda: COLOURS)
    qtbot.addWidget(made)
    made.resize(600, 340)
    made.show_changes(read_changes(folder), {"stack": "Patient A"}, "No frame changes.")
    made.show()
    qtbot.waitExposed(made)
    return made


def test_the_worst_frame_comes_first_and_buttons_lead_through_them(app, qtbot, tmp_path):
    write_changed_frames(tmp_path, "stack", [-0.08, 0.31])
    made = shown(app, qtbot, tmp_path)
    assert made.where == "Frame 1 of 2. Patient A, slice 1, phase 1, base: \N{MINUS SIGN}8.0 points"
    made.show_previous()
    assert made.where.startswith("Frame 1 of 2.")
    made.show_next()
    made.show_next()
    assert made.where == "Frame 2 of 2. Patient A, slice 2, phase 1, base: +31.0 points"


def test_before_and_after_show_other_label_maps(app, qtbot, tmp_path):
    write_changed_frames(tmp_path, "stack", [-0.08])
    made = shown(app, qtbot, tmp_path)
    before, after = (picture.grab().toImage() for picture in made._pictures)
    assert before != after and made.captions == ("Before", "After")


def test_the_part_that_is_shown_holds_all_three_label_maps(tmp_path):
    write_changed_frames(tmp_path, "stack", [-0.08])
    (one,) = read_changes(tmp_path)
    top, bottom, left, right = box_of(one)
    for labels in (one.reference, one.before, one.after):
        inside = np.zeros_like(labels)
        inside[top:bottom, left:right] = labels[top:bottom, left:right]
        assert np.array_equal(inside, labels)


def test_regions_of_a_classifier_are_named_as_right_or_wrong(app, qtbot, tmp_path):
    write_changed_frames(tmp_path, "stack", [1.0], regions=[(Region.MIDDLE, Region.BASE)])
    made = shown(app, qtbot, tmp_path)
    assert made.captions == ("Before: Middle, wrong", "After: Base, right")


def test_without_changed_frames_a_sentence_stands_in(app, qtbot, tmp_path):
    made = shown(app, qtbot, tmp_path)
    assert made.text == "No frame changes." and made.where == ""
