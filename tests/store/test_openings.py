import os

import pytest

from cmr_viewer.domain.opening import NO_CHOICES, Opening
from cmr_viewer.errors import StoreError
from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.database import Workspace, open_workspace
from cmr_viewer.store.events import EventLog
from cmr_viewer.store.openings import OpeningStore
from tests.store.saving import STACK_ID, save_study

OTHER_STACK = "b" * 32
TURNED = Opening(base_reversed=True)
OTHER = Opening(stack="1.2.3", repeats={"7": "late"}, spacing_mm=(1.5, 1.25, 8.0))


@pytest.fixture
def openings(workspace: Workspace) -> OpeningStore:
    store = AnnotationStore(workspace)
    save_study(store)
    save_study(store, OTHER_STACK)
    return OpeningStore(workspace)


def test_nothing_is_known_of_a_source_before_it_is_decided(openings: OpeningStore) -> None:
    assert openings.last("/studies/a") is None
    assert openings.of_stack(STACK_ID) is None


def test_the_last_decision_about_a_source_holds_also_after_the_program_ends(openings: OpeningStore) -> None:
    openings.save("/studies/a", STACK_ID, TURNED)
    openings.save("/studies/b", STACK_ID, NO_CHOICES)
    openings.save("/studies/a", OTHER_STACK, OTHER)
    folder = openings._workspace.folder
    openings._workspace.close()
    with open_workspace(folder, reader="reader") as again:
        assert OpeningStore(again).last("/studies/a") == OTHER
        assert OpeningStore(again).last("/studies/b") == NO_CHOICES


def test_a_source_whose_name_is_no_text_is_known_again(openings: OpeningStore) -> None:
    source = os.fsdecode(b"/studies/\xe9")
    openings.save(source, STACK_ID, TURNED)
    assert openings.last(source) == TURNED
    assert openings.last("/studies/é") is None


def test_each_stack_of_a_source_is_opened_again_as_it_was(openings: OpeningStore) -> None:
    openings.save("/studies/a", STACK_ID, TURNED)
    openings.save("/studies/a", OTHER_STACK, OTHER)
    assert openings.last("/studies/a", STACK_ID) == TURNED
    assert openings.last("/studies/a", OTHER_STACK) == OTHER
    assert openings.of_stack(STACK_ID) == TURNED


def test_a_decision_that_holds_already_is_not_added_again(openings: OpeningStore) -> None:
    for opening in (TURNED, TURNED, NO_CHOICES, TURNED):
        openings.save("/studies/a", STACK_ID, opening)
    said = [event.detail["base_reversed"] for event in EventLog(openings._workspace).events(what="opening_decided")]
    assert said == [True, False, True]


def test_a_decision_needs_a_stack_that_the_workspace_knows(openings: OpeningStore) -> None:
    with pytest.raises(StoreError):
        openings.save("/studies/a", "c" * 32, TURNED)
    assert openings.last("/studies/a") is None
