from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.study import FrameIndex, FrameSource, Study
from cmr_viewer.errors import LabelMapError, LoadError
from cmr_viewer.load.labels.cvi42 import PROVENANCE, contours_of, is_workspace, read_cvi42
from tests.phantom import sax_cine
from tests.phantom_contours import LV, MYO, RV, circle, identified, square, uid_of, write_cvi42


@pytest.fixture(scope="module")
def study():
    return identified(sax_cine(phases=3, slices=4, rows=32, cols=36, pixel_spacing_mm=(5.0, 5.0)).stack)


def test_contours_fall_on_the_frames_that_they_name_pixel_by_pixel(tmp_path, study):
    path = write_cvi42(
        tmp_path / "a.cvi42wsx",
        {
            uid_of(1, 2): {LV: circle(20, 15, 4.25), MYO: circle(20, 15, 7.25), RV: circle(9.0, 15, 5.25)},
            uid_of(2, 0): {LV: square(3.5, 6.5)},
        },
    )
    imported = read_cvi42(path, study)
    y, x = np.mgrid[:32, :36]
    expected = np.zeros((3, 4, 32, 36), np.uint8)
    expected[1, 2][np.hypot(y - 15, x - 9) < 5.25] = 3
    expected[1, 2][np.hypot(y - 15, x - 20) < 7.25] = 2
    expected[1, 2][np.hypot(y - 15, x - 20) < 4.25] = 1
    expected[2, 0, 4:7, 4:7] = 1
    np.testing.assert_array_equal(imported.labels, expected)
    assert imported.structures == {
        FrameIndex(1, 2): {Label.LVBP, Label.LVM, Label.RVBP},
        FrameIndex(2, 0): {Label.LVBP},
    }
    assert (imported.provenance, imported.warnings) == (PROVENANCE, ())


@pytest.mark.parametrize("resolution", [1, 2, 4, 8])
def test_points_are_divided_by_the_subpixel_resolution(tmp_path, study, resolution):
    path = write_cvi42(tmp_path / "a.cvi42wsx", {uid_of(0, 0): {LV: square(2.5, 5.5)}}, resolution=resolution)
    assert np.argwhere(read_cvi42(path, study).labels[0, 0])[[0, -1]].tolist() == [[3, 3], [5, 5]]


def test_papillary_muscles_and_long_axis_contours_change_nothing(tmp_path, study):
    named = {LV: square(2.5, 9.5), "sapapilMuscContour": square(4, 6), "laendocardialContour": square(0, 30)}
    path = write_cvi42(tmp_path / "a.cvi42wsx", {uid_of(0, 0): named})
    imported = read_cvi42(path, study)
    assert imported.labels[0, 0].sum() == 49
    assert imported.structures == {FrameIndex(0, 0): {Label.LVBP}}


def test_open_contours_are_closed_by_a_straight_line_and_noted(tmp_path, study):
    path = write_cvi42(
        tmp_path / "a.cvi42wsx", {uid_of(0, 0): {"saepicardialOpenContour": [(2.5, 2.5), (9.5, 2.5), (9.5, 9.5)]}}
    )
    imported = read_cvi42(path, study)
    assert np.bincount(imported.labels[0, 0].ravel()).tolist()[2] == 7 * 8 // 2
    assert "Closed 1 open contour" in imported.warnings[0]


def test_contours_of_images_that_are_not_in_the_stack_are_counted(tmp_path, study):
    path = write_cvi42(
        tmp_path / "a.cvi42wsx", {uid_of(0, 0): {LV: square(2.5, 9.5)}, "1.2.3": {LV: square(2, 9), RV: square(2, 9)}}
    )
    assert "2 of 3 contours" in read_cvi42(path, study).warnings[0]


def test_contours_of_another_study_are_refused_with_what_to_do(tmp_path, study):
    path = write_cvi42(tmp_path / "a.cvi42wsx", {"1.2.3": {LV: square(2, 9)}})
    with pytest.raises(
        LabelMapError, match=r"None of the 1 contours in a.cvi42wsx .*Open the images that they were drawn on"
    ):
        read_cvi42(path, study)


def test_a_study_without_identifiers_is_distinguished(tmp_path):
    stack = sax_cine(phases=1, slices=4, rows=32, cols=32).stack
    path = write_cvi42(tmp_path / "a.cvi42wsx", {"1.2.3": {LV: square(2, 9)}})
    with pytest.raises(LabelMapError, match="Open the DICOM files"):
        read_cvi42(path, Study("P", tmp_path, (stack,)))


def test_frames_that_were_reversed_take_their_contours_along(tmp_path, study):
    sources = [list(row) for row in study.stack.frame_sources]
    # Columns run against those of the file, whose last two were cut off: file column = 33 - frame column.
    sources[0][0] = FrameSource(*sources[0][0][:4], origin=(0.0, 33.0), step=(1.0, -1.0))
    turned = replace(study, stacks=(replace(study.stack, frame_sources=tuple(map(tuple, sources))),))
    corners = [(2.6, 4.6), (5.4, 4.6), (5.4, 9.4), (2.6, 9.4)]
    path = write_cvi42(tmp_path / "a.cvi42wsx", {uid_of(0, 0): {LV: corners}})
    where = np.argwhere(read_cvi42(path, turned).labels[0, 0])
    assert where.min(axis=0).tolist() == [5, 33 - 5]
    assert where.max(axis=0).tolist() == [9, 33 - 3]


def test_contours_that_cannot_be_are_left_out_and_counted(tmp_path, study):
    path = write_cvi42(
        tmp_path / "a.cvi42wsx",
        {
            uid_of(0, 0): {LV: square(2.5, 9.5), MYO: [(4, 4)]},
            uid_of(0, 1): {LV: [(1, 1), (2, float("nan")), (3, 3)]},
            uid_of(0, 2): {LV: square(100, 120)},
            uid_of(0, 3): {LV: square(-5, 4.5)},
        },
    )
    imported = read_cvi42(path, study)
    assert set(imported.structures) == {FrameIndex(0, 0), FrameIndex(0, 3)}
    said = " ".join(imported.warnings)
    for text in ("1 point;", "not numbers", "outside the frame", "Cropped 1"):
        assert text in said


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_workspace_is_known_by_what_is_in_it(tmp_path, encoding):
    path = write_cvi42(tmp_path / "a", {uid_of(0, 0): {LV: square(2.5, 9.5)}})
    text = path.read_text("utf-8")
    # The key lies across the border of two chunks that are read.
    far = text.replace("<Hash", f"<!-- {'x' * ((1 << 20) - 700)} --><Hash", 1).replace('"UTF-8"', f'"{encoding[:6]}"')
    path.write_text(far, encoding)
    assert is_workspace(path)
    path.write_text(text.replace("ImageStates", "Images"), encoding)
    assert not is_workspace(path)
    path.write_text("{ImageStates}")
    assert not is_workspace(path)


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><x>&c;</x>'
)
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><x>&a;</x>'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "entities"),
        (OUTSIDE, "entities"),
        ('<!DOCTYPE x SYSTEM "http://localhost/x.dtd"><x/>', "document type"),
        ("<a>" * 500, "deep"),
        ("", "cvi42 workspace"),
        ("<a/>", "not a cvi42 workspace"),
        ("<a><b></a>", "cvi42 workspace"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "cvi42 workspace"),
        ("PK\x03\x04 not an archive", "cvi42 workspace"),
    ],
)
def test_what_is_no_workspace_or_dangerous_is_refused(tmp_path, text, said):
    path = tmp_path / "a.cvi42wsx"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LoadError, match=said):
        contours_of(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_workspace_gives_labels_or_states_why_not(tmp_path, study, data):
    whole = write_cvi42(tmp_path / "whole.cvi42wsx", {uid_of(0, 0): {LV: square(2.5, 9.5), RV: square(12, 20)}})
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=8))
    path = tmp_path / "damaged.cvi42wsx"
    path.write_bytes(bytes(content))
    try:
        assert read_cvi42(path, study).labels.shape == study.stack.pixels.shape
    except (LoadError, LabelMapError) as error:
        assert "damaged.cvi42wsx" in str(error)
