from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cmr_viewer.app.session import Session
from cmr_viewer.app.settings import Settings
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.measures.papillary import PapillaryConvention
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.ui.features.measures.measuring import Measuring
from tests.reading.small import PHASES, SLICES, FormulaFlow

FRAME = FrameIndex(0, 1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(path=tmp_path / "settings.json", papillary=PapillaryConvention.IN_MASS.value)


@pytest.fixture
def measuring(qtbot: Any, session: Session, settings: Settings) -> Measuring:
    made = Measuring(session, settings, session)
    with qtbot.waitSignal(session.study.analysed):
        session.start()
        session.opening.open_path(Path("/nowhere/alpha"))
    settled(qtbot, made)
    return made


def settled(qtbot: Any, measuring: Measuring) -> None:
    qtbot.waitUntil(lambda: not measuring.is_measuring)


def drawn(session: Session, phase: int) -> int:
    """Pixels of blood pool as they are shown; muscle is not drawn, so that no papillary muscle can be found."""
    shown = [session.study.frame_state(FrameIndex(phase, index)).labels for index in range(SLICES)]
    return sum(int((labels == Label.LVBP).sum()) for labels in shown if labels is not None)


def test_counts_by_the_other_convention_are_those_of_the_label_maps(measuring: Measuring, session: Session) -> None:
    assert measuring.counts[:, Label.LVBP].tolist() == [drawn(session, phase) for phase in range(PHASES)]
    assert measuring.measures.papillary is PapillaryConvention.IN_MASS


def test_they_follow_a_change_and_its_undo(qtbot: Any, measuring: Measuring, session: Session) -> None:
    before = drawn(session, FRAME.phase)
    labels = np.zeros((24, 20), np.uint8)
    labels[3:6, 3:6] = Label.LVBP
    session.study.change_labels({FRAME: labels}, "draw")
    settled(qtbot, measuring)
    assert measuring.counts[FRAME.phase, Label.LVBP] == drawn(session, FRAME.phase) != before
    session.study.undo()
    settled(qtbot, measuring)
    assert measuring.counts[FRAME.phase, Label.LVBP] == before


def test_a_frame_whose_first_label_map_is_taken_back_is_not_counted_any_more(
    qtbot: Any, session: Session, formula: FormulaFlow, settings: Settings
) -> None:
    formula.error = RuntimeError("no models")
    measuring = Measuring(session, settings, session)
    with qtbot.waitSignal(session.study.opened):
        session.start()
        session.opening.open_path(Path("/nowhere/alpha"))
    qtbot.waitUntil(lambda: not session.jobs.is_busy() and not session.saving.is_busy)
    labels = np.full((24, 20), Label.LVBP, np.uint8)
    session.study.change_labels({FrameIndex(0, index): labels for index in range(SLICES)}, "draw")
    settled(qtbot, measuring)
    assert measuring.counts[:, Label.LVBP].tolist() == [SLICES * 24 * 20, -1, -1]
    session.study.undo()
    settled(qtbot, measuring)
    assert measuring.counts[:, Label.LVBP].tolist() == [-1, -1, -1]


def test_before_anything_is_counted_the_curve_has_all_phases(qtbot: Any, session: Session, settings: Settings) -> None:
    measuring = Measuring(session, settings, session)
    with qtbot.waitSignal(session.study.opened):
        session.opening.open_path(Path("/nowhere/alpha"))
    assert measuring.counts.shape == (PHASES, len(Label))
    assert measuring.curves is not None
    assert np.isnan(measuring.curves.lv.volumes_ml).all()
    assert len(measuring.curves.lv.volumes_ml) == PHASES


def test_what_could_not_be_measured_is_measured_with_the_next_change(
    qtbot: Any, measuring: Measuring, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise ValueError("no")

    labels = np.zeros((24, 20), np.uint8)
    labels[3:6, 3:6] = Label.LVBP
    with monkeypatch.context() as patched:
        patched.setattr("cmr_viewer.ui.features.measures.measuring.counts_by_convention", fails)
        session.study.change_labels({FRAME: labels}, "draw")
        settled(qtbot, measuring)
    assert measuring.counts[FRAME.phase, Label.LVBP] != drawn(session, FRAME.phase)
    session.study.change_labels({FrameIndex(1, 1): labels}, "draw")
    settled(qtbot, measuring)
    assert measuring.counts[FRAME.phase, Label.LVBP] == drawn(session, FRAME.phase)
