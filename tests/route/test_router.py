import pytest

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError
from cmr_viewer.route.router import SURELY_NON_CARDIAC, DecidedBy, Route, route

ALL = {Role.BASELINE: "all-1", Role.BASE: "base-1", Role.MIDDLE: "middle-1", Role.APEX: "apex-1"}


@pytest.mark.parametrize(
    ("region", "role", "model_id"),
    [
        (Region.BASE, Role.BASE, "base-1"),
        (Region.MIDDLE, Role.MIDDLE, "middle-1"),
        (Region.APEX, Role.APEX, "apex-1"),
        (Region.NON_CARDIAC, Role.BASELINE, "all-1"),
    ],
)
def test_each_region_goes_to_its_model(region: Region, role: Role, model_id: str) -> None:
    chosen = route(region, active=ALL)
    assert (chosen.role, chosen.model_id, chosen.region) == (role, model_id, region)


def test_the_reason_of_a_specialist_names_who_set_it_and_the_region() -> None:
    assert route(Region.APEX, active=ALL).reason == "Region apex by the classifier; its specialist segments it."
    assert (
        route(Region.APEX, active=ALL, by="reader").reason == "Region apex by the reader; its specialist segments it."
    )


def test_the_reason_of_a_non_cardiac_frame_states_why_the_baseline() -> None:
    chosen = route(Region.NON_CARDIAC, active=ALL)
    assert chosen.reason == "Region non-cardiac by the classifier; the baseline segments non-cardiac frames."
    assert not chosen.empty


def test_nothing_is_marked_in_a_frame_that_the_reader_calls_non_cardiac() -> None:
    chosen = route(Region.NON_CARDIAC, active=ALL, by="reader")
    assert chosen.reason == "Region non-cardiac by the reader; the label map is empty."
    assert chosen.empty


@pytest.mark.parametrize(("certainty", "empty"), [(SURELY_NON_CARDIAC - 0.01, False), (SURELY_NON_CARDIAC, True)])
def test_nothing_is_marked_in_a_frame_that_is_surely_non_cardiac(certainty: float, empty: bool) -> None:
    assert route(Region.NON_CARDIAC, active=ALL, certainty=certainty).empty is empty


def test_the_reason_of_an_empty_label_map_states_how_certain_that_is() -> None:
    reason = route(Region.NON_CARDIAC, active=ALL, certainty=0.93).reason
    assert reason == (
        "Region non-cardiac by the classifier, 93 % certain by its place in the stack; the label map is empty."
    )


@pytest.mark.parametrize("region", [Region.BASE, Region.MIDDLE, Region.APEX])
def test_a_frame_of_the_heart_is_marked_however_certain_its_region_is(region: Region) -> None:
    assert not route(region, active=ALL, certainty=1.0).empty


@pytest.mark.parametrize("by", ["reader", "predicted"])
def test_the_baseline_asked_for_on_all_frames_marks_non_cardiac_ones_too(by: DecidedBy) -> None:
    assert not route(Region.NON_CARDIAC, active=ALL, by=by, certainty=1.0, baseline_only=True).empty


@pytest.mark.parametrize("region", list(Region))
def test_where_there_is_no_specialist_the_baseline_serves(region: Region) -> None:
    chosen = route(region, active={Role.BASELINE: "all-1"})
    assert chosen == Route(Role.BASELINE, "all-1", region, chosen.reason)


def test_the_reason_names_the_specialist_that_is_missing() -> None:
    others = {role: model_id for role, model_id in ALL.items() if role is not Role.BASE}
    chosen = route(Region.BASE, active=others)
    assert chosen.model_id == "all-1"
    assert chosen.reason == "Region base by the classifier; no base specialist is in use, so the baseline segments it."


@pytest.mark.parametrize("region", list(Region))
def test_the_baseline_serves_all_frames_when_it_is_asked_to(region: Region) -> None:
    chosen = route(region, active=ALL, baseline_only=True)
    assert (chosen.role, chosen.model_id) == (Role.BASELINE, "all-1")
    assert "the baseline segments all frames" in chosen.reason
    assert region.text.lower() in chosen.reason


def test_without_a_baseline_nothing_is_routed() -> None:
    with pytest.raises(ModelError, match="No baseline"):
        route(Region.BASE, active={Role.BASE: "base-1"})
