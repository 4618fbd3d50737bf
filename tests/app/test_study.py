"""What can be asked of a session."""

from typing import Any

import pytest

from cmr_viewer.app.session import Session
from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.review import checks
from tests.app.test_session import MIDDLE, kept, open_whole


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Label maps that were checked, in order."""
    seen: list[Any] = []
    check = checks.check_frame

    def noted(frame: Any, labels: Any, region: Any, **others: Any) -> Any:
        seen.append(labels)
        return check(frame, labels, region, **others)

    monkeypatch.setattr(checks, "check_frame", noted)
    return seen


def test_a_label_map_is_checked_once(qtbot: Any, session: Session, asked: list[Any]) -> None:
    open_whole(qtbot, session)
    asked.clear()
    first = session.study.findings(MIDDLE)
    assert "The myocardium is not closed: it surrounds 0 % of the LV blood pool." in [one.text for one in first]
    assert session.study.findings(MIDDLE) == first
    assert len(asked) == 1
    first.clear()  # the caller's own list
    assert session.study.findings(MIDDLE)


def test_it_is_checked_again_after_each_part_of_a_stroke_another_region_and_another_rule(
    qtbot: Any, session: Session, asked: list[Any]
) -> None:
    open_whole(qtbot, session)
    session.study.begin_stroke(MIDDLE, Label.LVBP, 0.5, (20.0, 2.0))
    islands = [one.text for one in session.study.findings(MIDDLE) if one.check is checks.Check.ISLANDS]
    assert islands == ["LV blood pool is in 2 pieces; the smaller ones have 1 pixels."]
    session.study.extend_stroke((20.0, 4.0))
    islands = [one.text for one in session.study.findings(MIDDLE) if one.check is checks.Check.ISLANDS]
    assert islands == ["LV blood pool is in 2 pieces; the smaller ones have 3 pixels."]
    session.study.end_stroke()
    session.study.set_region(MIDDLE, Region.BASE)
    kept(qtbot, session)
    asked.clear()
    assert checks.Check.BASE_RING in {one.check for one in session.study.findings(MIDDLE)}
    session.study.ring_fraction = 0.9
    assert any("(at least 90 %)" in one.text for one in session.study.findings(MIDDLE))
    assert len(asked) == 2
