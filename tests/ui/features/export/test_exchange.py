"""Import and export through the window."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PySide6.QtWidgets import QMessageBox, QPushButton

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import UnknownCodesError, UnknownPhaseError
from cmr_viewer.export.deidentify import saved_secret
from cmr_viewer.export.formats import FORMATS, Anonymity
from cmr_viewer.export.study import Exported
from cmr_viewer.ui.features.export import feature as export_feature
from cmr_viewer.ui.features.export.dialogs import ExportDialog, ImportDialog
from cmr_viewer.ui.features.export.feature import ExportFeature, results_now
from cmr_viewer.ui.window.main_window import MainWindow
from tests.ui.conftest import PATIENCE_MS, settle

FILE = Path("/nowhere/contours.cvi42wsx")
FRAMES = (FrameIndex(0, 3), FrameIndex(2, 3))


@dataclass
class Read:
    labels: np.ndarray
    structures: dict
    provenance: str = "cvi42 workspace"
    warnings: tuple[str, ...] = ("1 contour is of no frame of this study.",)
    made: Provenance | None = None


@dataclass
class LabelFile:
    """Stands for the reader of label files: row 20 of two frames is myocardium, all else background."""

    needs_phase: bool = False
    needs_codes: bool = False
    asked: list[int | None] = field(default_factory=list)
    codes: object = None

    def __call__(self, path, study, codes, phase, progress):
        self.asked.append(phase)
        self.codes = codes
        if self.needs_phase and phase is None:
            raise UnknownPhaseError("Nothing tells its phase.")
        if self.needs_codes and codes is None:
            raise UnknownCodesError("Nothing tells what 1 and 9 mean.", {1: 100, 9: 2000})
        labels = np.zeros(study.stack.pixels.shape, np.uint8)
        for frame in FRAMES:
            labels[frame.phase, frame.slice_index, 20] = Label.LVM
        return Read(labels, dict.fromkeys(FRAMES, frozenset(STRUCTURES)))


@pytest.fixture
def file(open_window: MainWindow) -> LabelFile:
    made = LabelFile()
    open_window.feature(ExportFeature).label_import._reader = made
    return made


def import_file(window: MainWindow, qtbot, signal: str = "imported") -> None:
    with qtbot.waitSignal(getattr(window.feature(ExportFeature).label_import, signal), timeout=PATIENCE_MS):
        window.feature(ExportFeature).import_from(FILE)
    settle(qtbot, window)


def question(window: MainWindow) -> QMessageBox:
    (box,) = [child for child in window.findChildren(QMessageBox) if child.isVisible()]
    return box


def visible(window: MainWindow, kind: type) -> list:
    return [child for child in window.findChildren(kind) if child.isVisible()]


def row_20(window: MainWindow, frame: FrameIndex) -> set[int]:
    return set(np.unique(window.session.study.frame_state(frame).labels[20]).tolist())


# Import


def test_label_maps_are_imported_and_told_with_what_was_left_out(open_window, file, qtbot):
    import_file(open_window, qtbot)
    assert row_20(open_window, FRAMES[0]) == {int(Label.LVM)}
    said = open_window.parts.bell.messages[-1]
    assert said.severity == "warning", "something was left out"
    assert said.text == (
        "Imported contours.cvi42wsx (cvi42 workspace): 2 frames (LV blood pool in 2, LV myocardium in 2, "
        "RV blood pool in 2). 1 contour is of no frame of this study."
    )
    assert open_window.actions_by_id["undo"].text() == "&Undo import contours.cvi42wsx"
    open_window.desk.go(FRAMES[1])
    assert open_window.parts.view._notes.state == "Imported from cvi42 workspace"


def test_accepted_frames_are_asked_about_before_they_are_replaced(open_window, file, qtbot):
    open_window.desk.go(FRAMES[0])
    open_window.actions_by_id["accept"].trigger()
    settle(qtbot, open_window)
    mine = open_window.session.study.frame_state(FRAMES[0]).labels.copy()
    import_file(open_window, qtbot, "offered")
    box = question(open_window)
    assert "replaces your work: 1 accepted" in box.text()
    box.findChild(QPushButton, "rest").click()
    settle(qtbot, open_window)
    assert np.array_equal(open_window.session.study.frame_state(FRAMES[0]).labels, mine)
    assert open_window.session.study.frame_state(FRAMES[0]).status is ReviewStatus.ACCEPTED
    assert row_20(open_window, FRAMES[1]) == {int(Label.LVM)}


def test_an_import_that_is_declined_changes_nothing(open_window, file, qtbot):
    open_window.desk.go(FRAMES[0])
    open_window.actions_by_id["accept"].trigger()
    settle(qtbot, open_window)
    import_file(open_window, qtbot, "offered")
    question(open_window).reject()
    assert open_window.session.study.undo_text == "accept"
    assert open_window.session.study.frame_state(FRAMES[1]).imported == ""


def test_a_file_that_does_not_say_its_phase_is_asked_about(open_window, file, qtbot):
    file.needs_phase = True
    open_window.desk.go(FrameIndex(2, 3))
    import_file(open_window, qtbot, "asked")
    (dialog,) = visible(open_window, ImportDialog)
    assert dialog._phase.currentText() == "Phase 3  (current)" or "current" in dialog._phase.currentText()
    dialog._phase.setCurrentIndex(1)
    with qtbot.waitSignal(open_window.feature(ExportFeature).label_import.imported, timeout=PATIENCE_MS):
        dialog._import.click()
    assert file.asked == [None, 1]
    settle(qtbot, open_window)


def test_numbers_that_do_not_say_what_they_mean_are_asked_about_one_by_one(open_window, file, qtbot):
    file.needs_codes = True
    import_file(open_window, qtbot, "asked")
    (dialog,) = visible(open_window, ImportDialog)
    assert not dialog._import.isEnabled()
    dialog._boxes[1].setCurrentIndex(dialog._boxes[1].findText("None of these"))
    dialog._boxes[9].setCurrentIndex(dialog._boxes[9].findText("None of these"))
    assert not dialog._import.isEnabled(), "nothing would be imported"
    dialog._boxes[9].setCurrentIndex(dialog._boxes[9].findText("LV myocardium"))
    with qtbot.waitSignal(open_window.feature(ExportFeature).label_import.imported, timeout=PATIENCE_MS):
        dialog._import.click()
    assert file.codes == {1: Label.BACKGROUND, 9: Label.LVM}
    settle(qtbot, open_window)


def test_a_question_that_is_not_answered_imports_nothing(open_window, file, qtbot):
    file.needs_codes = True
    import_file(open_window, qtbot, "asked")
    (dialog,) = visible(open_window, ImportDialog)
    dialog.reject()
    assert not open_window.session.study.can_undo


def test_a_file_that_cannot_be_read_is_said(open_window, qtbot, tmp_path):
    with qtbot.waitSignal(open_window.feature(ExportFeature).label_import.refused, timeout=PATIENCE_MS):
        open_window.feature(ExportFeature).import_from(tmp_path / "gone.nii.gz")
    assert "gone.nii.gz" in open_window.parts.messages.text
    settle(qtbot, open_window)


# Export


def export_dialog(window: MainWindow, folder: Path) -> ExportDialog:
    window.actions_by_id["export"].trigger()
    (dialog,) = [child for child in window.findChildren(ExportDialog) if child.isVisible()]
    dialog._folder.setText(str(folder))
    return dialog


def test_what_is_chosen_is_written_and_told(open_window, study_path, tmp_path, qtbot):
    dialog = export_dialog(open_window, tmp_path / "out")
    assert not dialog._formats["seg"].isEnabled(), "the study is no DICOM"
    assert not dialog._formats["images"].isEnabled()
    dialog._formats["contours"].setChecked(True)
    with qtbot.waitSignal(dialog.accepted, timeout=PATIENCE_MS):
        dialog._go.click()
    settle(qtbot, open_window)
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"labels.nii.gz", "images.nii.gz", "contours.json", "measures.json", "regions.csv"} <= written
    labels = nibabel.load(tmp_path / "out" / "labels.nii.gz")
    shown = sum(
        int((open_window.session.study.frame_state(f).labels > 0).sum())
        for f in open_window.session.study.stack.frame_indices
    )
    assert int((np.asarray(labels.dataobj) > 0).sum()) == shown
    measures = json.loads((tmp_path / "out" / "measures.json").read_text())
    assert measures["lv_edv_ml"] == pytest.approx(open_window.session.study.measures.values["lv_edv_ml"])
    assert f"Written to {tmp_path / 'out'}" in open_window.parts.bell.messages[-1].text


def test_files_that_exist_are_replaced_only_where_that_is_chosen(open_window, tmp_path, qtbot):
    dialog = export_dialog(open_window, tmp_path / "out")
    with qtbot.waitSignal(dialog.accepted, timeout=PATIENCE_MS):
        dialog._go.click()
    again = export_dialog(open_window, tmp_path / "out")
    again._go.click()
    qtbot.waitUntil(lambda: not again.is_running, timeout=PATIENCE_MS)
    assert again.problem
    assert again.isVisible()
    again._replace.setChecked(True)
    with qtbot.waitSignal(again.accepted, timeout=PATIENCE_MS):
        again._go.click()
    settle(qtbot, open_window)


def test_an_export_can_be_stopped_and_the_dialog_stays(open_window, tmp_path, qtbot):
    dialog = export_dialog(open_window, tmp_path / "out")
    dialog._go.click()
    assert dialog.is_running
    dialog._cancel.click()
    assert not dialog.is_running
    assert dialog.problem == "The export was stopped. No files were written."
    settle(qtbot, open_window)
    dialog.reject()
    assert not dialog.isVisible()


def test_what_is_exported_is_what_is_known_of_each_frame(open_window, qtbot):
    session = open_window.session
    frame = FRAMES[0]
    session.study.begin_stroke(frame, Label.RVBP, 1.0, (3.0, 3.0))
    session.study.end_stroke()
    results = results_now(session)
    assert len(results.regions) == len(results.provenances) == 42
    assert results.provenances[frame].name == "SEMIAUTOMATIC"
    assert results.reader == "R. Eader"
    state = session.study.frame_state(frame)
    row = next(one for one in results.regions if (one.phase, one.slice_index) == frame)
    assert (row.region, row.model_id) == (state.region, state.model_id)
    assert row.probability == pytest.approx(0.85)
    settle(qtbot, open_window)


def test_copies_of_dicom_images_are_offered_only_without_the_patient(app, qtbot, tmp_path):
    dialog = ExportDialog("study", [one.name for one in FORMATS], tmp_path)
    qtbot.addWidget(dialog)
    assert dialog._formats["seg"].isEnabled()
    assert not dialog._formats["images"].isEnabled()
    dialog._deidentify.setChecked(True)
    dialog._formats["images"].setChecked(True)
    dialog._shift.setChecked(True)
    assert "images" in dialog.choice.formats
    assert (dialog.choice.deidentify, dialog.choice.shift_dates) == (True, True)
    dialog._deidentify.setChecked(False)
    assert "images" not in dialog.choice.formats
    assert not dialog.choice.shift_dates
    assert "regions" in dialog.choice.formats, "always written"


def test_exports_without_the_patient_belong_together_by_the_secret_of_the_workspace(
    open_window, tmp_path, qtbot, monkeypatch
):
    taken = []

    def export(folder, *_args, anonymity, **_more):
        taken.append(anonymity)
        return Exported(folder, (), ())

    monkeypatch.setattr(export_feature, "export_study", export)
    for name in ("one", "two"):
        dialog = export_dialog(open_window, tmp_path / name)
        dialog._deidentify.setChecked(True)
        with qtbot.waitSignal(dialog.accepted, timeout=PATIENCE_MS):
            dialog._go.click()
        settle(qtbot, open_window)
    assert taken == [Anonymity(saved_secret(open_window.session.workspace.folder))] * 2
