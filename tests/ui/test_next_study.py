"""Opening the next study leaves nothing of the last one, whatever the reader was doing in it.

A window in which a study follows another must not differ from one in which it is the first: pictures, texts, tips and
messages are compared.
"""

import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QDialog,
    QLabel,
    QProgressBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from cmr_viewer.analyse import Flow, FrameResult
from cmr_viewer.app.settings import Settings
from cmr_viewer.app.startup import Program, open_program
from cmr_viewer.domain.anatomy import REGIONS, Region, reference_regions
from cmr_viewer.domain.annotation import Prediction, RegionPrediction
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.domain.opening import Opening
from cmr_viewer.domain.role import Role, role_of
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.errors import LoadError
from cmr_viewer.progress import Progress
from cmr_viewer.ui.features.effort.feature import EffortPanel
from cmr_viewer.ui.features.long_axis.feature import LongAxisFeature
from cmr_viewer.ui.features.measures.feature import MeasuresFeature
from cmr_viewer.ui.features.measures.patient_dialog import PatientDialog
from cmr_viewer.ui.features.queue.feature import QueueFeature
from cmr_viewer.ui.features.region.feature import RegionFeature
from cmr_viewer.ui.features.worklist.page import WorklistPage
from cmr_viewer.ui.features.worklist.panel import WorklistPanel
from cmr_viewer.ui.frame.stack_strip import StackStrip
from cmr_viewer.ui.window.layout import Page
from cmr_viewer.ui.window.main_window import MainWindow
from cmr_viewer.ui.window.messages import MessageBar
from tests.phantom import sax_cine
from tests.ui.conftest import PATIENCE_MS
from tests.ui.rich_study import long_axis_view

_TIME = re.compile(r"(?:, )?\d+ (?:s|min)\b")
NEVER_MS = 10**8
NAMES = ("Alfa", "Bravo", "Charlie")


@dataclass
class Hearts:
    """Studies by name, and models that know them; a study whose name is held waits before each label map."""

    labels: dict[str, LabelMap] = field(default_factory=dict)
    studies: dict[str, Study] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    held: dict[str, threading.Event] = field(default_factory=dict)
    reached: threading.Event = field(default_factory=threading.Event)

    def add(self, name: str, rng: random.Random) -> None:
        phases, slices = rng.choice((1, 2, 5)), rng.choice((1, 3, 6))
        rows, cols = rng.randrange(48, 90), rng.randrange(48, 90)
        made = sax_cine(phases=phases, slices=7, rows=rows, cols=cols, pixel_spacing_mm=(2.0, 2.2))
        some = slice(3, 3 + slices) if slices < 4 else slice(0, slices)
        geometry = replace(made.stack.geometry, positions_mm=made.stack.geometry.positions_mm[some])
        stack = replace(
            made.stack,
            pixels=made.stack.pixels[:, some],
            geometry=geometry,
            source_slices=(),
        )
        if rng.random() < 0.3:
            stack = replace(stack, geometry=replace(stack.geometry, spacing_known=False))
        if rng.random() < 0.4:
            stack = replace(stack, phase_times_ms=None)
        views = (long_axis_view(stack, 2, f"{name} 4CH"),) if rng.random() < 0.5 and slices > 1 else ()
        warnings = (Note(f"{name} was read with a warning.", Code.SLICE_GAP),) if rng.random() < 0.5 else ()
        self.labels[stack.stack_id] = made.labels[:, some]
        self.studies[name] = Study(
            name, Path("/nowhere") / name, (stack,), patient_key=name, long_axis=views, warnings=warnings
        )

    def open(self, path: Path, progress: Progress, opening: Opening, preview: object) -> Study:
        progress(0.5, f"Reading {path.name}")
        if path.name in self.failing:
            raise LoadError(f"{path.name} cannot be read.")
        return self.studies[path.name]

    def flow(self) -> Flow:
        return Flow(self.load_models, self.analyse, self.segment_frames)  # type: ignore[arg-type]

    def load_models(self, folders: Mapping[Role, Path], device: str) -> "Knowing":
        return Knowing({role: folder.name for role, folder in folders.items()})

    def _wait(self, stack: Stack) -> None:
        gate = self.held.get(stack.stack_id)
        if gate is not None:
            self.reached.set()
            assert gate.wait(20)

    def _region(self, stack: Stack, frame: FrameIndex) -> Region:
        labels = self.labels[stack.stack_id][frame.phase]
        return reference_regions(list(labels.any(axis=(1, 2))))[frame.slice_index]

    def _made(self, stack: Stack, models: "Knowing", frame: FrameIndex, region: Region) -> Prediction:
        labels = self.labels[stack.stack_id][frame.phase, frame.slice_index]
        labels = labels if region is Region.MIDDLE else np.roll(labels, 1, axis=0)
        return Prediction(labels, models.active[role_of(region)], region, "It knows.")

    def analyse(
        self,
        stack: Stack,
        models: "Knowing",
        progress: Progress,
        regions: Mapping[FrameIndex, Region],
        order: Sequence[FrameIndex],
    ) -> Iterator[FrameResult]:
        for frame in order:
            region = self._region(stack, frame)
            chances = tuple(0.85 if each is region else 0.05 for each in REGIONS)
            said = RegionPrediction(chances, models.active[Role.CLASSIFIER], region, chances)  # type: ignore[arg-type]
            yield FrameResult(frame, said, None)
        for frame in order:
            self._wait(stack)
            progress(0.5, "Segmenting")
            region = regions.get(frame) or self._region(stack, frame)
            yield FrameResult(frame, None, self._made(stack, models, frame, region))

    def segment_frames(
        self,
        stack: Stack,
        regions: Mapping[FrameIndex, Region],
        models: "Knowing",
        progress: Progress,
        by: object = None,
        certainty: object = None,
    ) -> Iterator[tuple[FrameIndex, Prediction]]:
        for frame, region in regions.items():
            self._wait(stack)
            progress(0.5, "Segmenting")
            yield frame, self._made(stack, models, frame, region)


@dataclass
class Knowing:
    active: dict[Role, str]


@dataclass(eq=False)
class Seat:
    """A window on a workspace of its own."""

    program: Program
    window: MainWindow

    def open(self, name: str) -> None:
        self.program.session.opening.open_path(Path("/nowhere") / name)


Make = Callable[[str], Seat]


@pytest.fixture
def hearts() -> Iterator[Hearts]:
    made = Hearts()
    yield made
    for gate in made.held.values():
        gate.set()


@pytest.fixture
def seat(app: QApplication, tmp_path: Path, shipped: Path, hearts: Hearts, qtbot: QtBot) -> Iterator[Make]:
    opened: list[Program] = []

    def make(name: str) -> Seat:
        settings = Settings(reader="R. Eader", path=tmp_path / f"{name}.json", auto_retrain=False)
        folder = tmp_path / f"workspace-{name}"
        program = open_program(settings, workspace_folder=folder, shipped_models=shipped, flow=hearts.flow())
        opened.append(program)
        program.session.opening._opener = hearts.open
        window = MainWindow(program.session, settings, str(folder))
        qtbot.addWidget(window)
        queue = window.feature(QueueFeature)
        queue._dwell.setInterval(NEVER_MS)  # how long a frame is on show depends on the computer
        window.resize(1280, 800)
        window.show()
        qtbot.waitExposed(window)
        program.start()
        qtbot.waitUntil(lambda: program.session.models.loaded is not None, timeout=PATIENCE_MS)
        return Seat(program, window)

    yield make
    for program in opened:
        program.close()


def settle(qtbot: QtBot, window: MainWindow) -> None:
    """Wait until nothing is computed, kept or about to be shown any more."""

    def rests() -> bool:
        session = window.session
        if session.jobs.is_busy() or session.saving.is_busy:
            return False
        timers = [*window.findChildren(QTimer), *session.findChildren(QTimer)]
        return not any(
            one.isSingleShot()
            and one.isActive()
            and one.interval() < NEVER_MS
            and not isinstance(one.parent(), MessageBar | StackStrip)
            for one in timers
        )

    qtbot.waitUntil(rests, timeout=PATIENCE_MS)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def settle_in(qtbot: QtBot, window: MainWindow) -> None:
    """The same, once more: what was waited for may have begun something."""
    for _ in range(3):
        settle(qtbot, window)
        qtbot.wait(1)


# What is seen


def texts(window: MainWindow) -> Counter[tuple[object, ...]]:
    """All that is written anywhere in the window, also on pages that are not on show.

    Left out: the worklist and the menu of recent studies, which name all studies, and times.
    """
    found: Counter[tuple[object, ...]] = Counter()
    for widget in window.findChildren(QWidget):
        if _belongs_to(widget, (WorklistPage, EffortPanel, MessageBar)):
            continue
        if isinstance(widget, QAbstractItemView) and _belongs_to(widget, (WorklistPanel,)):
            continue
        if isinstance(widget, QWidget) and widget.accessibleName() in ("Worklist", "Recent studies"):
            continue
        written: list[object] = [type(widget).__name__, widget.accessibleName(), widget.toolTip()]
        written.append(widget.accessibleDescription())
        if isinstance(widget, QLabel | QAbstractButton):
            written.append(widget.text())
        if isinstance(widget, QProgressBar):
            written += [widget.value(), widget.maximum()]
        if isinstance(widget, QAbstractItemView) and widget.model() is not None:
            model = widget.model()
            for row in range(model.rowCount()):
                index = model.index(row, 0)
                written += [index.data(), index.data(Qt.ItemDataRole.ToolTipRole)]
        found[tuple(_TIME.sub("", one) if isinstance(one, str) else one for one in written)] += 1
    for name, action in window.actions_by_id.items():
        found["action", name, action.text(), action.isEnabled()] += 1
    return found


def _belongs_to(widget: QWidget, kinds: tuple[type[QWidget], ...]) -> bool:
    at: QWidget | None = widget
    while at is not None:
        if isinstance(at, kinds):
            return True
        at = at.parentWidget()
    return False


def messages(window: MainWindow) -> list[tuple[str, str, str]]:
    return [(one.severity, one.study, one.text) for one in window.parts.bell.messages]


def pictures(window: MainWindow) -> dict[str, QImage]:
    parts = window.parts
    shown = {
        "frame": parts.view,
        "second frame": parts.places.second,
        "strip": parts.strip,
        "time": parts.navigator,
        "long axis": window.feature(LongAxisFeature).panel.view,
    }
    wall = window.feature(MeasuresFeature).wall_panel
    shown |= {"wall": wall}
    return {name: widget.grab().toImage() for name, widget in shown.items()}


def curve_of(window: MainWindow) -> tuple[object, ...]:
    """All that the volume curve shows; its lines may differ by a fraction of a pixel."""
    curve = window.feature(MeasuresFeature).panel.curve
    values = curve.place.as_csv() if curve.phases else b""
    return values, curve.marks, curve.pointer_text, curve.place.text, curve.accessibleDescription(), curve.size()


def assert_same(window: MainWindow, fresh: MainWindow) -> None:
    here, there = texts(window), texts(fresh)
    assert (sorted(here - there, key=str), sorted(there - here, key=str)) == ([], [])
    assert messages(window) == messages(fresh)
    assert window.windowTitle() == fresh.windowTitle()
    assert curve_of(window) == curve_of(fresh)
    ours, theirs = pictures(window), pictures(fresh)
    assert [name for name, picture in ours.items() if picture != theirs[name]] == []


# What the reader is doing


def _go(window: MainWindow, qtbot: QtBot, rng: random.Random) -> None:
    stack = window.session.study.stack
    assert stack is not None
    window.desk.go(FrameIndex(rng.randrange(stack.phases), rng.randrange(stack.slices)))


def _go_last(window: MainWindow, qtbot: QtBot, rng: random.Random) -> None:
    stack = window.session.study.stack
    assert stack is not None
    window.desk.go(FrameIndex(stack.phases - 1, stack.slices - 1))


def _paint(window: MainWindow, qtbot: QtBot, rng: random.Random) -> None:
    window.actions_by_id["label_rvbp"].trigger()
    window.desk.begin_stroke(rng.randrange(10, 30), rng.randrange(10, 30), False)
    window.desk.extend_stroke(rng.randrange(10, 30), rng.randrange(10, 30))
    if rng.random() < 0.5:
        window.desk.end_stroke()


def _click(window: MainWindow, qtbot: QtBot, rng: random.Random) -> None:
    window.actions_by_id["click"].trigger()
    at = window.parts.view.to_widget((25.0, 25.0)).toPoint()
    qtbot.mouseClick(window.parts.view, Qt.MouseButton.LeftButton, pos=at)


def _contour(window: MainWindow, qtbot: QtBot, rng: random.Random) -> None:
    window.actions_by_id["contour"].trigger()
    view = window.parts.view
    at = view.to_widget((20.0, 20.0)).toPoint()
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseMove(view, at + QPoint(30, 12))
    if rng.random() < 0.5:
        qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=at + QPoint(30, 12))


def _region(window: MainWindow, qtbot: QtBot, rng: random.Random) -> None:
    window.desk.set_region(rng.choice(REGIONS))


def _accept(window: MainWindow, qtbot: QtBot, rng: random.Random) -> None:
    window.actions_by_id[rng.choice(("accept", "accept_slice", "accept_all"))].trigger()


def _play(window: MainWindow, qtbot: QtBot, rng: random.Random) -> None:
    window.actions_by_id["play"].trigger()


def _propagate(window: MainWindow, qtbot: QtBot, rng: random.Random) -> None:
    window.actions_by_id["propagate_over"].trigger()


def _patient(window: MainWindow, qtbot: QtBot, rng: random.Random) -> None:
    window.actions_by_id["patient"].trigger()


def _say(window: MainWindow, qtbot: QtBot, rng: random.Random) -> None:
    window.session.message.emit(rng.choice(("error", "warning", "info")), "Alfa was said something of.")


def _marks(window: MainWindow, qtbot: QtBot, rng: random.Random) -> None:
    window.desk.set_ed()
    window.desk.set_es()


def _second_read(window: MainWindow, qtbot: QtBot, rng: random.Random) -> None:
    window.session.reads.begin_second("S. Econd", blinded=rng.random() < 0.5)


def _point(window: MainWindow, qtbot: QtBot, rng: random.Random) -> None:
    window.feature(RegionFeature).panel.candidate_pointed.emit(Region.APEX)


def _light(window: MainWindow, qtbot: QtBot, rng: random.Random) -> None:
    _go(window, qtbot, rng)
    window.parts.strip.light([window.desk.frame])


def _reach(window: MainWindow, qtbot: QtBot, rng: random.Random) -> None:
    window.actions_by_id["reach_study"].trigger()
    window.actions_by_id["tool_smooth"].trigger()


ACTS = (
    _go, _go_last, _paint, _click, _contour, _region, _accept, _play, _propagate, _patient, _say, _marks, _second_read,
    _point, _light, _reach,
)  # fmt: skip


def choose(window: MainWindow, layout: str, page: Page) -> None:
    """What stays with the reader from study to study."""
    window.actions_by_id[f"layout_{layout}"].trigger()
    window.parts.side.show_page(page)


def hold_nothing(window: MainWindow) -> None:
    window.desk.hold("move")
    window.parts.view.show_cursor(None)


@pytest.mark.parametrize("seed", range(10))
def test_nothing_of_the_last_study_is_left(seed: int, seat: Make, hearts: Hearts, qtbot: QtBot) -> None:
    rng = random.Random(seed)
    for name in NAMES[:2]:
        hearts.add(name, rng)
    layout, page = rng.choice(("single", "ed_es", "before_after", "montage")), rng.choice(list(Page))
    one, fresh = seat("one"), seat("fresh")
    window = one.window
    choose(window, layout, page)
    first = hearts.studies["Alfa"].stack.stack_id
    if rng.random() < 0.5:
        hearts.held[first] = threading.Event()
    one.open("Alfa")
    qtbot.waitUntil(lambda: window.session.study.is_restored, timeout=PATIENCE_MS)
    if first in hearts.held:
        qtbot.waitUntil(hearts.reached.is_set, timeout=PATIENCE_MS)
    else:
        settle_in(qtbot, window)
    for act in rng.choices(ACTS, k=6):
        act(window, qtbot, rng)
    one.open("Bravo")
    qtbot.waitUntil(lambda: window.session.study.data is hearts.studies["Bravo"], timeout=PATIENCE_MS)
    if first in hearts.held:
        hearts.held[first].set()  # what was computed of the first comes late
    hold_nothing(window)
    settle_in(qtbot, window)
    choose(fresh.window, layout, page)
    fresh.window.desk.label = window.desk.label
    fresh.open("Bravo")
    qtbot.waitUntil(lambda: fresh.window.session.study.is_restored, timeout=PATIENCE_MS)
    hold_nothing(fresh.window)
    settle_in(qtbot, fresh.window)
    assert_same(window, fresh.window)
    assert not any(dialog.isVisible() for dialog in window.findChildren(QDialog))


def test_the_frame_on_show_need_not_exist_in_the_next_study(seat: Make, hearts: Hearts, qtbot: QtBot) -> None:
    for name, phases, slices in (("Alfa", 6, 8), ("Bravo", 2, 6)):
        made = sax_cine(phases=phases, slices=slices, rows=60, cols=60, pixel_spacing_mm=(2.0, 2.2))
        hearts.labels[made.stack.stack_id] = made.labels
        hearts.studies[name] = Study(name, Path("/nowhere") / name, (made.stack,), patient_key=name)
    one = seat("one")
    one.window.parts.side.show_page(Page.REVIEW)
    one.open("Alfa")
    with qtbot.waitSignal(one.program.session.study.analysed, timeout=PATIENCE_MS):
        pass
    settle_in(qtbot, one.window)
    one.window.desk.go(FrameIndex(5, 7))
    queue = one.window.feature(QueueFeature)
    shown: list[list[str]] = []
    one.program.session.study.opened.connect(lambda: shown.append(list(queue.panel.texts)))
    one.open("Bravo")
    with qtbot.waitSignal(one.program.session.study.analysed, timeout=PATIENCE_MS):
        pass
    assert shown == [[]], "the queue of the last study is gone at once"
    settle_in(qtbot, one.window)
    assert {entry.frame.phase for entry in queue.queue.entries()} <= {0, 1}


def test_a_study_that_cannot_be_opened_leaves_the_open_one_as_it_was_and_its_error_ends_with_it(
    seat: Make, hearts: Hearts, qtbot: QtBot
) -> None:
    rng = random.Random(1)
    for name in ("Alfa", "Charlie"):
        hearts.add(name, rng)
    hearts.failing.add("Bravo")
    one = seat("one")
    one.open("Alfa")
    qtbot.waitUntil(lambda: one.program.session.study.is_restored, timeout=PATIENCE_MS)
    settle_in(qtbot, one.window)
    one.open("Bravo")
    bar = one.window.parts.messages
    qtbot.waitUntil(lambda: bar.text == "Bravo cannot be read.", timeout=PATIENCE_MS)
    assert bar.study == "Bravo"
    assert one.window.session.study.data is hearts.studies["Alfa"]
    hearts.studies["Charlie"] = replace(
        hearts.studies["Charlie"], warnings=(Note("Charlie has a warning.", Code.SLICE_GAP),)
    )
    one.open("Charlie")
    qtbot.waitUntil(lambda: one.window.session.study.data is hearts.studies["Charlie"], timeout=PATIENCE_MS)
    assert (bar.study, bar.text) == ("Charlie", "Charlie has a warning.")


def test_a_dialog_about_the_last_study_does_nothing_to_the_next(seat: Make, hearts: Hearts, qtbot: QtBot) -> None:
    rng = random.Random(2)
    for name in NAMES[:2]:
        hearts.add(name, rng)
    one = seat("one")
    one.open("Alfa")
    qtbot.waitUntil(lambda: one.program.session.study.is_restored, timeout=PATIENCE_MS)
    one.window.actions_by_id["patient"].trigger()
    (dialog,) = one.window.findChildren(PatientDialog)
    typed: list[object] = []
    dialog.typed.connect(typed.append)
    one.open("Bravo")
    qtbot.waitUntil(lambda: one.window.session.study.data is hearts.studies["Bravo"], timeout=PATIENCE_MS)
    assert not typed
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert one.window.findChildren(PatientDialog) == []


def test_an_error_lies_over_the_frames_and_above_the_buttons_of_the_worklist(open_window: MainWindow) -> None:
    window = open_window
    before = window.parts.view.to_widget((10.0, 10.0))
    window.show_message("error", "Something went wrong.")
    QApplication.processEvents()
    bar, places = window.parts.messages, window.parts.places
    over = QPoint(bar.mapTo(window, QPoint(0, 0)))
    at = places.mapTo(window, QPoint(0, 0))
    assert (over, bar.width()) == (at, places.width())
    assert QPointF(window.parts.view.to_widget((10.0, 10.0))) == before, "the frame stays where it is"
    assert bar.study == "phantom"
    window.actions_by_id["worklist"].trigger()
    QApplication.processEvents()
    page = next(one for one in window.findChildren(WorklistPage))
    assert bar.mapTo(window, bar.rect().bottomLeft()).y() < page.mapTo(window, QPoint(0, 0)).y()
