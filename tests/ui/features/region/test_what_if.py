from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import REGIONS, Label, Region
from cmr_viewer.domain.annotation import RegionPrediction
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.reading.what_if import WhatIfQuestion, followers
from cmr_viewer.review.what_if import Candidate
from cmr_viewer.ui.features.region.feature import WhatIf
from tests.reading.small import PHASES, SLICES, FormulaFlow, model_labels

ED, ES, BETWEEN = 0, 2, 1  # squares shrink with the phase
VOXEL_ML = 0.04
ALL = {role: f"{role.value}-1" for role in Role}


def side(model: str, phase: int) -> int:
    """As `model_labels`."""
    return 4 + 2 * (sum(model.encode()) % 5) - phase


@pytest.fixture
def opened(qtbot: Any, session: Session) -> WhatIf:
    with qtbot.waitSignal(session.study.analysed):
        session.start()
        session.opening.open_path(Path("/nowhere/alpha"))
    qtbot.waitUntil(lambda: not session.saving.is_busy and not session.jobs.is_busy())
    made = WhatIf(session, session)
    made.begin()
    return made


def asked(qtbot: Any, what_if: WhatIf, frame: FrameIndex) -> dict[Region, Candidate]:
    """The candidates of a frame once all is known."""
    what_if.look_at(frame)
    qtbot.waitUntil(lambda: all(one.chosen or one.together is not None for one in what_if.candidates))
    return {one.region: one for one in what_if.candidates}


def test_each_candidate_tells_its_model_its_masks_and_what_they_change(qtbot: Any, opened: WhatIf) -> None:
    found = asked(qtbot, opened, FrameIndex(ED, 0))
    assert [one.region for one in found.values() if one.chosen] == [Region.BASE]
    for region in (Region.MIDDLE, Region.APEX):
        one = found[region]
        model = f"{region.value}-1"
        assert one.model_id == model and one.alone is not None
        assert np.array_equal(one.labels, model_labels(model, FrameIndex(ED, 0)))
        change = (side(model, ED) ** 2 - side("base-1", ED) ** 2) * VOXEL_ML
        assert one.alone.by_name["lv_edv_ml"] == pytest.approx(change)
        assert one.alone.by_name["lv_esv_ml"] == 0.0
    none = found[Region.NON_CARDIAC]
    assert none.model_id == "" and not none.labels.any()
    assert none.alone.by_name["lv_edv_ml"] == pytest.approx(-(side("base-1", ED) ** 2) * VOXEL_ML)


def test_at_es_it_is_esv_that_changes_and_in_between_only_the_curve(qtbot: Any, opened: WhatIf) -> None:
    change = {p: (side("apex-1", p) ** 2 - side("base-1", p) ** 2) * VOXEL_ML for p in range(PHASES)}
    at_es = asked(qtbot, opened, FrameIndex(ES, 0))[Region.APEX]
    assert at_es.alone.by_name["lv_esv_ml"] == pytest.approx(change[ES])
    assert at_es.alone.by_name["lv_edv_ml"] == 0.0
    between = asked(qtbot, opened, FrameIndex(BETWEEN, 0))[Region.APEX]
    assert not between.alone
    assert between.curve_ml == pytest.approx(change[BETWEEN])


def test_nothing_on_show_changes_until_the_region_is_set(qtbot: Any, opened: WhatIf, session: Session) -> None:
    frame = FrameIndex(ED, 0)
    before = session.study.frame_state(frame)
    asked(qtbot, opened, frame)
    after = session.study.frame_state(frame)
    assert after.labels is before.labels and after.region is Region.BASE and after.status is None
    assert not session.study.can_undo


def test_what_was_promised_comes_true_when_the_region_is_set(qtbot: Any, opened: WhatIf, session: Session) -> None:
    frame = FrameIndex(ED, 0)
    session.study.set_ed(ED)  # what is promised holds for these phases; the largest volume may lie elsewhere afterwards
    session.study.set_es(ES)
    promised = asked(qtbot, opened, frame)[Region.APEX]
    before = session.study.measures.values
    session.study.set_region(frame, Region.APEX)
    qtbot.waitUntil(lambda: session.study.frame_state(frame).model_id == "apex-1" and not session.jobs.is_busy())
    qtbot.waitUntil(lambda: np.array_equal(session.study.frame_state(frame).labels, promised.labels))
    after = session.study.measures.values
    for name, change in promised.together.by_name.items():
        assert after[name] - before[name] == pytest.approx(change), name


def test_a_model_is_asked_once_about_a_frame(qtbot: Any, opened: WhatIf, formula: FormulaFlow) -> None:
    frame = FrameIndex(ED, 0)
    asked(qtbot, opened, frame)
    times = formula.segmented.count(frame)
    asked(qtbot, opened, FrameIndex(ED, 1))
    asked(qtbot, opened, frame)
    assert formula.segmented.count(frame) == times


def test_a_frame_that_is_left_before_its_masks_are_there_gets_none_of_them(qtbot: Any, opened: WhatIf) -> None:
    opened.look_at(FrameIndex(ED, 0))
    found = asked(qtbot, opened, FrameIndex(ES, 3))
    assert found[Region.APEX].chosen
    assert np.array_equal(found[Region.BASE].labels, model_labels("base-1", FrameIndex(ES, 3)))


def test_a_reader_s_label_map_would_stay(qtbot: Any, opened: WhatIf, session: Session) -> None:
    frame = FrameIndex(ED, 0)
    session.study.begin_stroke(frame, Label.LVM, 1.5, (20.0, 15.0))
    session.study.end_stroke()
    opened.refresh()
    found = asked(qtbot, opened, frame)
    assert all(one.stays for one in found.values() if not one.chosen)


def test_a_model_that_serves_two_regions_is_named_so(opened: WhatIf, session: Session) -> None:
    session.models.loaded.active.pop(Role.MIDDLE)  # type: ignore[union-attr, attr-defined]
    session.models.loaded.active.pop(Role.APEX)  # type: ignore[union-attr, attr-defined]
    opened.look_at(FrameIndex(ED, 0))
    found = {one.region: one for one in opened.candidates}
    opened.look_at(None)
    assert found[Region.MIDDLE].same_as == (Region.APEX,)
    assert found[Region.MIDDLE].model_text == "Segmented by baseline, with the same label map as for apex."


def test_without_a_study_there_are_no_candidates(session: Session) -> None:
    what_if = WhatIf(session, session)
    what_if.begin()
    what_if.look_at(FrameIndex(0, 0))
    assert what_if.candidates == ()


def prediction(region: Region, sure: float) -> RegionPrediction:
    chances: Any = tuple(sure if one is region else (1 - sure) / 3 for one in REGIONS)
    return RegionPrediction(chances, "classifier-1", region, chances)


def test_neighbours_that_are_less_certain_follow_the_region_and_those_that_are_held_keep_their_masks() -> None:
    """Base, middle x 6, apex; slice 2 is hardly middle: with slice 3 set to base, it can only be base."""
    row = [Region.BASE, *[Region.MIDDLE] * 6, Region.APEX]
    sure = [0.9, 0.5, 0.5, 0.5, 0.9, 0.9, 0.9, 0.9]
    predictions = {FrameIndex(p, s): prediction(row[s], sure[s]) for p in range(PHASES) for s in range(len(row))}
    from cmr_viewer.classify.in_stack import frames_of_stack

    predictions = frames_of_stack(predictions, phases=PHASES, slices=len(row)).in_stack({})
    frame = FrameIndex(ED, 1)
    assert predictions[frame].region is Region.BASE or predictions[frame].region is Region.MIDDLE
    held = frozenset({FrameIndex(ED, 2)})
    question = WhatIfQuestion(frame, (), ALL, predictions, {}, frozenset(), (ED, ES), {}, ())
    other = Region.APEX
    free = followers(question, other, PHASES, len(row))
    assert free.frames and frame not in free.frames
    assert set(free.models) <= {f for f in free.frames if f.phase in (ED, ES)}
    kept = followers(WhatIfQuestion(frame, (), ALL, predictions, {}, held, (ED, ES), {}, ()), other, PHASES, len(row))
    assert kept.frames == free.frames
    assert set(kept.models) == set(free.models) - held


def test_a_stack_that_was_not_decided_as_a_whole_has_no_followers() -> None:
    question = WhatIfQuestion(
        FrameIndex(0, 0), (), ALL, {FrameIndex(0, 0): prediction(Region.BASE, 0.9)}, {}, frozenset(), (0,), {}, ()
    )
    assert followers(question, Region.APEX, PHASES, SLICES).frames == ()
