import math

import pytest

from cmr_viewer.domain.opening import StackChange
from cmr_viewer.errors import StoreError
from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.events import EventLog
from cmr_viewer.store.openings import StackChangeStore
from cmr_viewer.store.study_facts import ReaderSettings, StudyFacts
from tests.store.saving import STACK_ID, save_study

OTHER_ID = "b" * 32


def test_the_last_word_holds_and_can_be_taken_back(store: AnnotationStore) -> None:
    facts = StudyFacts(store._workspace)
    assert facts.get(STACK_ID, "patient.height_cm") is None
    facts.set(STACK_ID, "patient.height_cm", 170)
    facts.set(STACK_ID, "insertion_points", {"0,3": [[10.5, 12.0], [20.0, 12.5]]})
    facts.set(STACK_ID, "patient.height_cm", 172.5)
    assert facts.all(STACK_ID) == {
        "patient.height_cm": 172.5,
        "insertion_points": {"0,3": [[10.5, 12.0], [20.0, 12.5]]},
    }
    facts.set(STACK_ID, "patient.height_cm", None)
    assert set(facts.all(STACK_ID)) == {"insertion_points"}


def test_a_fact_is_in_the_log_without_its_value(store: AnnotationStore) -> None:
    StudyFacts(store._workspace).set(STACK_ID, "patient.height_cm", 170)
    (event,) = EventLog(store._workspace).events(what="fact_set")
    assert (event.stack_id, event.who, event.detail) == (STACK_ID, "reader", {"key": "patient.height_cm"})


def test_what_json_cannot_hold_and_studies_that_are_not_known_are_refused(store: AnnotationStore) -> None:
    facts = StudyFacts(store._workspace)
    with pytest.raises(StoreError, match="could not be saved as JSON"):
        facts.set(STACK_ID, "key", math.nan)
    with pytest.raises(StoreError, match="Open it first"):
        facts.set("c" * 32, "key", 1)


@pytest.mark.parametrize(
    ("slices", "saved"),
    [
        ((0, 1, None, 3), {"patient.sex", "worklist.flag", "points"}),
        ((3, 2, 1, 0), {"patient.sex", "worklist.flag"}),
    ],
)
def test_facts_follow_where_they_hold_in_the_new_stack(
    store: AnnotationStore, slices: tuple[int | None, ...], saved: set[str]
) -> None:
    save_study(store, OTHER_ID)
    facts = StudyFacts(store._workspace)
    facts.set(STACK_ID, "patient.sex", "F")
    facts.set(STACK_ID, "worklist.flag", "ask the chief")
    facts.set(STACK_ID, "points", [1, 2])
    change = StackChange(STACK_ID, OTHER_ID, slices)
    StackChangeStore(store._workspace).carry_over(change, pixel_spacing_mm=(1.0, 1.0))
    assert set(facts.all(OTHER_ID)) == saved
    facts.set(OTHER_ID, "patient.sex", "M")
    StackChangeStore(store._workspace).carry_over(change, pixel_spacing_mm=(1.0, 1.0))
    assert facts.get(OTHER_ID, "patient.sex") == "M", "the newer word holds"


def test_each_reader_has_settings_of_their_own_over_a_restart(store: AnnotationStore) -> None:
    workspace = store._workspace
    ReaderSettings(workspace).set("papillary", "blood")
    ReaderSettings(workspace).set("papillary", "myocardium")
    workspace.reader = "another"
    assert ReaderSettings(workspace).get("papillary", "blood") == "blood"
    workspace.close()
    with open_workspace(workspace.folder, reader="reader") as again:
        assert ReaderSettings(again).get("papillary") == "myocardium"
