import threading
from typing import Any

import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Prediction
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.progress import Cancelled, silent
from cmr_viewer.reading.open_study import OpenStudy
from cmr_viewer.reading.opinions import Opinions, Question, ask, routes_of
from tests.reading.small import FormulaFlow, FormulaModels, model_labels, small_study

ALL = {role: f"{role.value}-1" for role in Role}
NO_MIDDLE = {role: name for role, name in ALL.items() if role is not Role.MIDDLE}
ONE = FrameIndex(0, 1)


@pytest.mark.parametrize("active", [ALL, NO_MIDDLE])
def test_each_model_can_be_asked_also_the_baseline_beside_all_specialists(active: dict[Role, str]) -> None:
    stack, formula = small_study().stack, FormulaFlow()
    names = [name for role, name in active.items() if role is not Role.CLASSIFIER]
    wanted = [Question(ONE, name) for name in names]
    asked_for: list[tuple[Region, Any]] = []

    def segment(stack: Any, regions: Any, models: Any, progress: Any, by: Any, certainty: Any) -> Any:
        from cmr_viewer.route.router import route

        for frame, region in regions.items():
            way = route(region, active=models.active, by=by[frame])
            asked_for.append((region, by[frame]))
            assert not way.empty
            yield frame, Prediction(model_labels(way.model_id, frame), way.model_id, region, "")

    flow = formula.flow()
    flow = type(flow)(flow.load_models, flow.analyse, segment)
    found = {k: v for made in ask(flow, stack, FormulaModels(dict(active)), wanted, silent) for k, v in made.items()}
    assert set(found) == set(wanted)
    for asked, labels in found.items():
        assert np.array_equal(labels, model_labels(asked.model_id, ONE))


def test_work_that_is_not_wanted_any_more_stops_between_batches() -> None:
    stack, formula, stop = small_study().stack, FormulaFlow(), threading.Event()

    def progress(fraction: float, text: str) -> None:
        if stop.is_set():
            raise Cancelled

    wanted = [Question(frame, "baseline-1") for frame in stack.frame_indices]
    steps = ask(formula.flow(), stack, FormulaModels(dict(ALL)), wanted, progress)
    assert len(next(steps)) == 4
    stop.set()
    with pytest.raises(Cancelled):
        next(steps)


def test_what_is_shown_is_known_without_asking_and_what_is_added_changes_nothing_on_show() -> None:
    reading = OpenStudy(small_study())
    shown = Prediction(model_labels("base-1", ONE), "base-1", Region.BASE, "")
    reading.frames[ONE].predictions["base-1"] = shown
    opinions = Opinions(reading)
    assert opinions.labels_of(Question(ONE, "base-1")) is shown.labels
    assert opinions.labels_of(Question(ONE, "apex-1")) is None
    opinions.add({Question(ONE, "apex-1"): model_labels("apex-1", ONE)})
    assert set(opinions.known([Question(ONE, "base-1"), Question(ONE, "apex-1"), Question(ONE, "middle-1")])) == {
        Question(ONE, "base-1"),
        Question(ONE, "apex-1"),
    }
    assert list(reading.frames[ONE].predictions) == ["base-1"] and reading.frames[ONE].labels is None


def test_without_a_baseline_no_frame_goes_anywhere() -> None:
    assert routes_of({Role.CLASSIFIER: "classifier-1"}) == {}
    assert routes_of(NO_MIDDLE)[Region.MIDDLE].model_id == "baseline-1"
    assert routes_of(ALL)[Region.NON_CARDIAC].empty
