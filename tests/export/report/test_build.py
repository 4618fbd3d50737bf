from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from reportlab.graphics.shapes import Path

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.domain.annotation import ReviewStatus
from cmr_viewer.domain.patient import Patient, Sex
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.export.report.build import MARGIN_MM, MOST_LOG_LINES, box_of, build_report, frame_line, pictures_of
from cmr_viewer.export.report.contents import Curve
from cmr_viewer.export.report.figures import curve_drawing, frame_drawing, outlines
from cmr_viewer.progress import Cancelled
from cmr_viewer.store.effort import Effort, EffortRow
from cmr_viewer.store.events import What
from tests.export.report.made import event, material, phantom, reading_of, true_ml


@pytest.fixture(scope="module")
def heart():
    return phantom()


@pytest.fixture(scope="module")
def report(heart):
    person = Patient(sex=Sex.FEMALE, age_years=50, height_cm=180, weight_kg=80, heart_rate_bpm=60)
    return build_report(material(heart, patient=person))


def line(report, name):
    return next(one for one in report.measures if one.name == name)


def test_the_values_are_the_volumes_of_the_label_maps(report, heart):
    lv = [true_ml(heart, phase, Label.LVBP) for phase in range(8)]
    assert line(report, "lv_edv_ml").value == pytest.approx(max(lv))
    assert line(report, "lv_esv_ml").value == pytest.approx(min(lv))
    mass_ml = true_ml(heart, int(np.argmax(lv)), Label.LVM)
    assert line(report, "lv_mass_g").value == pytest.approx(1.05 * mass_ml)
    assert report.curve.volumes["LV"] == pytest.approx(lv)


def test_values_are_indexed_by_body_surface_area(report):
    assert line(report, "lv_edv_index_ml_per_m2").value == pytest.approx(line(report, "lv_edv_ml").value / 2.0)
    assert line(report, "lv_co_l_per_min").value == pytest.approx(line(report, "lv_sv_ml").value * 0.06)
    assert ("Body surface area", "2.00 m² (Mosteller)") in report.facts
    assert any("_per_m2" in one.name for one, _ in report.by_ventricle)


def test_a_value_is_held_against_the_normal_range_of_its_sex(report):
    ef = line(report, "lv_ef_percent")
    assert ef.normal == pytest.approx((61 - 1.96 * 5, 61 + 1.96 * 5))  # Petersen et al. 2017, women
    low, high = ef.normal
    verdicts = {low - 0.1: "below", low: "within", high: "within", high + 0.1: "above", None: ""}
    assert {value: replace(ef, value=value).verdict for value in verdicts} == verdicts
    assert any("Petersen" in source for source in report.sources)


def test_without_facts_of_the_patient_reasons_stand_in_place_of_values(heart):
    bare = build_report(material(heart))
    assert not any("_per_m2" in one.name for one, _ in bare.by_ventricle)
    assert "height" in line(bare, "lv_edv_index_ml_per_m2").reason
    assert line(bare, "lv_ef_percent").normal is None


def test_a_heart_rate_that_nobody_stated_is_named_so_and_gives_no_output(report, heart):
    bare = build_report(material(replace(heart, stack=replace(heart.stack, heart_rate_bpm=None))))
    assert ("Heart rate", "not stated") in bare.facts
    assert line(bare, "lv_co_l_per_min").value is None
    assert "The heart rate is not stated" in line(bare, "lv_co_l_per_min").reason
    assert ("Heart rate", "60 beats/min") in report.facts


def test_every_slice_is_shown_at_ed_and_es(report, heart):
    assert [picture.caption.rpartition(",")[0] for picture in report.pictures[:3]] == [
        "Slice 1, ED",
        "Slice 1, ES",
        "Slice 2, ED",
    ]
    assert len(report.pictures) == len(report.frames) == 2 * heart.stack.slices


def test_regions_say_who_decided_and_which_model_drew(report):
    first = report.frames[0]
    assert (first.by, first.probability, first.model_id) == ("predicted", pytest.approx(0.85), "middle-1")
    assert first.status == "not reviewed"
    assert report.models[0][0] == "middle-1"


def test_areas_of_a_frame_are_in_mm2(heart):
    labels = heart.labels[0, 2]
    one = frame_line(FrameIndex(0, 2), "ED", reading_of(heart).frames.state(FrameIndex(0, 2)), heart.stack)
    assert one.areas_mm2 == pytest.approx([4.0 * np.count_nonzero(labels == label) for label in (1, 2, 3)])


def test_an_accepted_frame_of_a_reader_says_so(heart):
    reading = reading_of(heart)
    reading.set_region(FrameIndex(0, 1), Region.BASE)
    made = material(reading=reading)
    facts = made.read.frames[FrameIndex(0, 1)]
    assert facts.region_by == "reader"
    accepted = replace(facts, status=ReviewStatus.ACCEPTED)
    assert frame_line(FrameIndex(0, 1), "ED", accepted, heart.stack).status == "accepted"


def test_nobody_is_named_unless_asked(heart):
    assert build_report(material(heart)).patient == ""
    assert build_report(material(heart, patient_name="Doe")).patient == "Doe"


def test_a_label_map_that_fails_a_check_is_noted_with_its_place(heart):
    reading = reading_of(heart)
    middle = FrameIndex(0, 2)
    broken = heart.labels[0, 2].copy()
    broken[broken == Label.LVM] = 0
    reading.frames[middle].labels = broken
    checks = build_report(material(reading=reading)).checks
    assert any(check.where == "Slice 3, ED" and "myocardium" in check.text.lower() for check in checks)


def test_readers_are_named_with_what_they_did(heart):
    events = [
        event(1, What.DRAFT_SAVED, FrameIndex(0, 0)),
        event(2, What.ACCEPTED, FrameIndex(0, 0)),
        event(3, What.REGION_SET, FrameIndex(0, 0), who="B. Other", region="base"),
    ]
    effort = [
        EffortRow(FrameIndex(0, 0), "R. Eader", 1, "", Effort(active_s=90.0, strokes=2, edits=1)),
        EffortRow(FrameIndex(0, 1), "R. Eader", 1, "", Effort(active_s=60.0, strokes=1)),
    ]
    report = build_report(material(heart, events=events, effort=effort))
    assert report.readers == (
        "R. Eader: 2.5 min active, 3 strokes, 1 other change, 1 correction, 1 accepted frame",
        "B. Other: 1 region",
    )


def test_of_a_long_log_the_latest_lines_are_noted(heart):
    events = [event(n, What.CHANGED, FrameIndex(0, 0), text=f"step {n}") for n in range(MOST_LOG_LINES + 5)]
    report = build_report(material(heart, events=events))
    assert len(report.log) == MOST_LOG_LINES
    assert report.log_left_out == 5
    assert report.log[-1].text.startswith(f"Step {MOST_LOG_LINES + 4}")


def test_the_method_names_the_papillary_convention_and_the_notice_is_there(report):
    method = dict(report.method)
    assert "part of the LV blood pool" in method["Papillary muscles"]
    assert "1.05 g/ml" in method["Mass"]


def test_a_study_without_spacing_has_no_millilitres(heart):
    stack = replace(heart.stack, geometry=replace(heart.stack.geometry, spacing_known=False))
    report = build_report(material(replace(heart, stack=stack)))
    assert line(report, "lv_edv_ml").value is None
    assert line(report, "lv_ef_percent").value is not None
    assert report.curve.unit == "pixels"
    assert report.segments == ()
    assert "spacing" in report.segments_note


def test_it_stops_when_asked_to(heart):
    def stop(fraction, _text):
        if fraction > 0.05:
            raise Cancelled

    with pytest.raises(Cancelled):
        build_report(material(heart), stop)


def test_where_ed_and_es_are_the_same_phase_each_slice_is_shown_once(heart):
    reading = reading_of(heart)
    reading.mark_phases(2, 2)
    once = build_report(material(reading=reading))
    assert [picture.frame for picture in once.pictures] == [FrameIndex(2, index) for index in range(6)]
    assert {one.mark for one in once.frames} == {"ED"}


def test_slices_at_the_same_place_leave_their_distance_out(heart):
    geometry = replace(heart.stack.geometry, positions_mm=heart.stack.geometry.positions_mm[:1] * 6)
    flat = build_report(material(replace(heart, stack=replace(heart.stack, geometry=geometry))))
    assert ("Grid", "64 x 60, 2.00 x 2.00 mm") in flat.facts
    assert "same position" in line(flat, "lv_edv_ml").reason


def test_the_part_that_is_shown_holds_all_labels_with_a_margin():
    heart = phantom()
    row0, row1, col0, col1 = box_of(heart.stack, list(heart.labels[0]))
    rows, cols = np.nonzero(heart.labels[0].any(axis=0))
    margin = round(MARGIN_MM / 2.0)  # pixels of 2 mm
    assert (row0, col0) == (max(0, rows.min() - margin), max(0, cols.min() - margin))
    assert (row1, col1) == (min(64, rows.max() + 1 + margin), min(60, cols.max() + 1 + margin))


def test_without_labels_the_whole_frame_is_shown():
    heart = phantom()
    assert box_of(heart.stack, [None, None]) == (0, 64, 0, 60)


def test_pictures_are_cut_alike_and_keep_their_labels():
    heart = phantom()
    maps = {FrameIndex(p, s): heart.labels[p, s] for p in range(8) for s in range(6)}
    pictures = pictures_of(heart.stack, maps, {"ED": 0, "ES": 4}, {})
    row0, row1, col0, col1 = box_of(heart.stack, [heart.labels[p, s] for p in (0, 4) for s in range(6)])
    for picture in pictures:
        assert picture.grey.dtype == np.uint8
        assert_array_equal(picture.labels, maps[picture.frame][row0:row1, col0:col1])


def test_an_outline_runs_half_way_between_pixels():
    mask = np.zeros((5, 6), bool)
    mask[2, 3] = True
    (line,) = outlines(mask)
    assert sorted(map(tuple, line)) == [(1.5, 3.0), (2.0, 2.5), (2.0, 3.5), (2.5, 3.0)]


def test_a_drawing_has_the_shape_of_the_frame_in_mm():
    heart = phantom()
    (picture, *_) = pictures_of(heart.stack, {}, {"ED": 0}, {})
    drawing = frame_drawing(picture, 120.0)
    assert drawing.height / drawing.width == 64 / 60


@pytest.mark.parametrize("most", [0.0, 1e-9, 0.7, 100.0, 437.0])
def test_the_axis_of_volumes_begins_at_nothing_and_reaches_beyond_the_largest(most):
    volumes = np.array([most, most / 2, np.nan])
    drawing = curve_drawing(Curve(None, {"LV": volumes}, "ml", 0, 1), 500, 170)
    drawn = [part for part in drawing.contents if isinstance(part, Path)]
    assert drawn
    for path in drawn:
        assert 26.0 <= min(path.points[1::2]) <= max(path.points[1::2]) <= 150.0  # between the foot and the head
