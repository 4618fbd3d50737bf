"""Learning from a workspace of phantoms: who teaches, who judges and what guards; with very small models."""

import json
import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cmr_viewer import learn
from cmr_viewer.analyse import load_models
from cmr_viewer.domain.anatomy import STRUCTURES, Label, Region
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.role import Role, role_of
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import TrainingError
from cmr_viewer.learn import FOLDS, read_lesson, retrain
from cmr_viewer.prepare.plan import WEIGHTS_FILE, read_plan
from cmr_viewer.progress import Follow, Progress, not_followed, silent
from cmr_viewer.promote.gate import Assessment
from cmr_viewer.promote.judge import read_changes
from cmr_viewer.segment.segmenter import load_segmenter
from cmr_viewer.store.annotations import AnnotationStore, Work
from cmr_viewer.store.database import open_workspace
from cmr_viewer.store.guard import GUARD_FILE, read_guard
from cmr_viewer.store.model_registry import ModelRegistry, TrainingRuns
from cmr_viewer.store.versions import Version
from cmr_viewer.train.retrain import START_SHARE
from cmr_viewer.train.samples import TrainingData
from tests.phantom import sax_cine
from tests.tiny_models import calm_torch, tiny_id, write_tiny_models
from tests.workspaces import PATIENTS, make_workspace, phantom_of, regions_of

BASAL = [sum(region is Region.BASE for region in regions_of(phantom_of(n)).values()) for n in range(len(PATIENTS))]
"""Basal frames of each patient."""

LV = (Label.LVBP, Label.LVM)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with calm_torch():
        yield


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shipped") / "models"
    write_tiny_models(folder)
    return folder


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five patients drawn by hand, basal frames of whom were taken for middle ones; only read."""
    return make_workspace(tmp_path_factory.mktemp("learn") / "workspace", PATIENTS, taken_for=Region.MIDDLE)


class Courses:
    """What was trained on, course by course, and with which spec."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patients: list[set[str]] = []
        self.specs: list[Any] = []
        self.data: list[TrainingData] = []
        for name in ("refine_model", "trained_model"):
            monkeypatch.setattr(learn, name, self._noted(getattr(learn, name)))

    def _noted(self, train: Any) -> Any:
        def noted(spec: Any, data: TrainingData, *args: Any, **options: Any) -> Any:
            self.specs.append(spec)
            self.data.append(data)
            self.patients.append({one.patient_key for one in data.samples})
            return train(spec, data, *args, **options)

        return noted


@pytest.fixture
def courses(monkeypatch: pytest.MonkeyPatch) -> Courses:
    return Courses(monkeypatch)


def learned(
    workspace: Path,
    shipped: Path,
    folder: Path,
    role: Role = Role.BASE,
    *,
    progress: Progress = silent,
    follow: Follow = not_followed,
    **options: Any,
) -> Assessment:
    changes = {"iterations": 2, "batch": 2, **options}
    named: dict[str, Any] = {"model_id": "new", "shipped": shipped, "device": "cpu"}
    return retrain(workspace, role, folder, **named, changes=changes, progress=progress, follow=follow)


def judged_stacks(assessment: Assessment) -> list[str]:
    return sorted({frame.stack_id for frame in assessment.frames})


def stacks_of(numbers: Collection[int]) -> list[str]:
    return sorted(phantom_of(number).stack.stack_id for number in numbers)


# -- who judges --------------------------------------------------------------------------------------------------------


def test_each_corrected_patient_is_judged_once_by_a_model_that_did_not_learn_from_it(
    workspace: Path, shipped: Path, tmp_path: Path, courses: Courses
) -> None:
    heard: list[tuple[str, int]] = []
    told: list[float] = []
    made = learned(
        workspace,
        shipped,
        tmp_path / "new",
        follow=lambda curve, batch, value: heard.append((curve, batch)),
        progress=lambda fraction, _text: told.append(fraction),
    )
    assert len(courses.patients) == FOLDS + 1 and courses.patients[0] == set(PATIENTS)
    left_out = [set(PATIENTS) - patients for patients in courses.patients[1:]]
    assert sorted(len(one) for one in left_out) == [1, 1, 1, 2]
    assert set().union(*left_out) == set(PATIENTS)
    assert len({spec.seed for spec in courses.specs}) == FOLDS + 1
    assert (made.role, made.candidate_id, made.active_id, made.measure) == (Role.BASE, "new", "tiny-base", "Dice")
    frames = [(frame.stack_id, frame.phase, frame.slice_index) for frame in made.frames]
    assert len(frames) == len(set(frames)) == sum(BASAL)
    assert made.patients == len(PATIENTS) and judged_stacks(made) == stacks_of(range(5))
    assert {frame.region for frame in made.frames} == {Region.BASE}
    assert all(frame.active.keys() == frame.candidate.keys() for frame in made.frames)
    assert made.guards == () and set(made.taught) == set(PATIENTS)

    plan = read_plan(tmp_path / "new")
    assert (plan.model_id, plan.role, plan.training["started_from"]) == ("new", Role.BASE, "tiny-base")
    assert (plan.training["samples"], plan.training["patients"]) == (sum(BASAL), len(PATIENTS))
    assert load_segmenter(tmp_path / "new", torch.device("cpu")).plan.model_id == "new"
    batches = [batch for curve, batch in heard if curve == "loss"]
    assert batches == sorted(batches) and batches[-1] == (FOLDS + 1) * 2
    assert told == sorted(told)


def test_folds_are_of_one_size_and_the_same_in_every_run(workspace: Path, shipped: Path) -> None:
    first, again = (read_lesson(workspace, Role.BASE, shipped).fold_of for _ in range(2))
    assert first == again
    assert sorted(first.values()) == [0, 0, 1, 2, 3]


def test_the_figures_of_the_active_model_are_those_of_what_it_serves(
    workspace: Path, shipped: Path, tmp_path: Path
) -> None:
    made = learned(workspace, shipped, tmp_path / "new", Role.BASELINE)
    (stack, phantom) = (phantom_of(0).stack, phantom_of(0))
    folders = {role: entry.folder for role, entry in ModelRegistry(shipped, None).active_all().items()}
    models = load_models(folders, "cpu")
    phase = stack.pixels[:1]
    alone = type(stack)(phase, stack.geometry)
    frame = FrameIndex(0, 3)
    (labels,) = models.segmenters[Role.BASELINE].predict_frames(alone, [frame], models.heart_centre(alone))
    wanted = {
        label.name: 2 * int(((labels == label) & (phantom.labels[frame] == label)).sum())
        / int((labels == label).sum() + (phantom.labels[frame] == label).sum())
        for label in (Label.LVBP, Label.LVM, Label.RVBP)
    }  # fmt: skip
    (found,) = [one for one in made.frames if (one.stack_id, one.phase, one.slice_index) == (stack.stack_id, *frame)]
    assert found.active == pytest.approx(wanted)


def test_frames_that_change_are_there_to_be_looked_at(workspace: Path, shipped: Path, tmp_path: Path) -> None:
    made = learned(workspace, shipped, tmp_path / "new", iterations=4, learning_rate=0.05)
    changes = read_changes(tmp_path / "new")
    assert changes and [one.gain for one in changes] == sorted(one.gain for one in changes)
    judged = {(one.stack_id, FrameIndex(one.phase, one.slice_index)) for one in made.frames}
    assert {(one.stack_id, one.frame) for one in changes} <= judged


def test_frames_accepted_as_predicted_teach_but_neither_judge_nor_count(
    shipped: Path, tmp_path: Path, courses: Courses
) -> None:
    folder = make_workspace(tmp_path / "workspace", PATIENTS, as_predicted=PATIENTS[4:])
    made = learned(folder, shipped, tmp_path / "new")
    assert made.patients == 4 and judged_stacks(made) == stacks_of(range(4))
    assert all(PATIENTS[4] in patients for patients in courses.patients)


def test_patients_that_the_active_model_learned_from_guard_and_do_not_judge(
    shipped: Path, tmp_path: Path, courses: Courses
) -> None:
    folder = make_workspace(tmp_path / "workspace", PATIENTS)
    promote_one_that_learned_from(folder, shipped, PATIENTS[:1])
    made = learned(folder, shipped, tmp_path / "new")
    assert made.active_id == "earlier"
    assert made.patients == 4 and judged_stacks(made) == stacks_of(range(1, 5))
    assert all(PATIENTS[0] in patients for patients in courses.patients)
    (guard,) = made.guards
    assert (guard.name, guard.patients, guard.frames) == ("earlier corrections", 1, BASAL[0])
    assert 0 < guard.active <= 1 and 0 <= guard.candidate <= 1


def with_guard(shipped: Path, folder: Path) -> Path:
    """The shipped models with a phantom that guards."""
    shutil.copytree(shipped, folder)
    phantom = sax_cine(phases=1, slices=6, rows=64, cols=60, seed=900)
    inside = [s for s in range(6) if phantom.labels[0, s].any()]
    spacing = [*phantom.stack.geometry.pixel_spacing_mm, phantom.stack.geometry.slice_spacing_mm]
    about = [{"name": "G-ED", "patient": "G", "spacing_mm": spacing}]
    np.savez_compressed(
        folder / GUARD_FILE,
        about=np.array(json.dumps(about)),
        pixels_0=phantom.stack.pixels[0, inside],
        labels_0=phantom.labels[0, inside],
    )
    return folder


def test_frames_that_come_with_the_models_guard_and_do_not_teach(
    shipped: Path, tmp_path: Path, workspace: Path, courses: Courses
) -> None:
    made = learned(workspace, with_guard(shipped, tmp_path / "models"), tmp_path / "new")
    assert all(patients <= set(PATIENTS) for patients in courses.patients)
    (guard,) = made.guards
    assert (guard.name, guard.patients) == ("other scanners", 1) and guard.frames > 0
    assert guard.active > 0.5, "the tiny models know phantoms"
    assert made.patients == len(PATIENTS) and judged_stacks(made) == stacks_of(range(5))


def test_a_model_holds_the_least_share_of_the_active_one_with_which_the_guard_loses_little(
    shipped: Path, tmp_path: Path, workspace: Path, courses: Courses, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.9, 0.89, 0.894, 0.8951, 0.8951])  # of the active model, with 0, 0.2 and 0.4 of it, and as written
    real = learn.mean_score
    monkeypatch.setattr(learn, "mean_score", lambda made, patients: (next(scores), *real(made, patients)[1:]))
    made = learned(workspace, with_guard(shipped, tmp_path / "models"), tmp_path / "new")
    assert read_plan(tmp_path / "new").training["spec"]["start_share"] == 0.4
    assert [spec.start_share for spec in courses.specs[1:]] == [0.4] * FOLDS, "as judged, so used"
    (guard,) = made.guards
    assert (guard.active, guard.candidate) == (0.9, 0.8951)


def test_a_share_that_is_asked_for_goes_before_the_guards(shipped: Path, tmp_path: Path, workspace: Path) -> None:
    learned(workspace, with_guard(shipped, tmp_path / "models"), tmp_path / "new", start_share=0.7)
    assert read_plan(tmp_path / "new").training["spec"]["start_share"] == 0.7


def test_the_weights_of_the_new_model_lie_between_those_trained_and_the_active_ones(
    shipped: Path, tmp_path: Path, workspace: Path
) -> None:
    weights = {}
    for share in (0.0, 0.25, 1.0):
        learned(workspace, shipped, tmp_path / str(share), start_share=share)
        weights[share] = load_file(tmp_path / str(share) / WEIGHTS_FILE)
    for name, found in weights[0.25].items():
        trained, active = weights[0.0][name].float(), weights[1.0][name].float()
        assert torch.allclose(found.float(), 0.75 * trained + 0.25 * active, atol=1e-3)
    start = load_file(shipped / tiny_id(Role.BASE) / WEIGHTS_FILE)
    assert all(torch.allclose(start[name].float(), one.float(), atol=1e-3) for name, one in weights[1.0].items())


@pytest.mark.parametrize(
    ("served", "guarding"), [((), [Region.BASE]), ((Region.MIDDLE,), [Region.BASE, Region.MIDDLE])]
)
def test_the_baseline_is_guarded_at_the_base_and_where_it_serves(
    shipped: Path,
    tmp_path: Path,
    workspace: Path,
    courses: Courses,
    served: Sequence[Region],
    guarding: Sequence[Region],
) -> None:
    models = with_guard(shipped, tmp_path / "models")
    active = json.loads((models / "active.json").read_text(encoding="utf-8"))
    for region in served:
        shutil.rmtree(models / active.pop(role_of(region).value))
    (models / "active.json").write_text(json.dumps(active), encoding="utf-8")
    made = learned(workspace, models, tmp_path / "new", Role.BASELINE)
    (stack,) = read_guard(models / GUARD_FILE)
    (guard,) = made.guards
    assert guard.frames == sum(one.region in guarding for one in stack.frames.values())


def test_no_frames_of_other_scanners_guard_a_classifier(shipped: Path, tmp_path: Path, workspace: Path) -> None:
    made = learned(workspace, with_guard(shipped, tmp_path / "models"), tmp_path / "new", Role.CLASSIFIER)
    assert made.guards == () and read_plan(tmp_path / "new").training["spec"]["start_share"] == START_SHARE


def promote_one_that_learned_from(folder: Path, shipped: Path, patients: Sequence[str]) -> None:
    """Put a copy of the shipped base specialist in service, as if it had learned from some patients."""
    with open_workspace(folder, reader="reader") as opened:
        registry, runs = ModelRegistry(shipped, opened), TrainingRuns(opened)
        staging = registry.staging_folder()
        shutil.copytree(shipped / tiny_id(Role.BASE), staging, dirs_exist_ok=True)
        plan = json.loads((staging / "plan.json").read_text(encoding="utf-8"))
        (staging / "plan.json").write_text(json.dumps({**plan, "model_id": "earlier"}), encoding="utf-8")
        registry.adopt(staging)
        registry.promote(Role.BASE, "earlier", "better")
        run = runs.start(Role.BASE, {"parent": tiny_id(Role.BASE), "patients": list(patients)})
        runs.finish(run, "promoted", {"model_id": "earlier"})


def test_a_single_patient_teaches_and_judges_nothing(shipped: Path, tmp_path: Path, courses: Courses) -> None:
    folder = make_workspace(tmp_path / "workspace", PATIENTS[:1])
    made = learned(folder, shipped, tmp_path / "new")
    assert courses.patients == [{PATIENTS[0]}]
    assert (made.frames, made.guards) == ((), ())


# -- roles -------------------------------------------------------------------------------------------------------------


def test_the_classifier_learns_from_regions_and_is_judged_on_all_of_them(
    workspace: Path, shipped: Path, tmp_path: Path, courses: Courses
) -> None:
    made = learned(workspace, shipped, tmp_path / "new", Role.CLASSIFIER, batch=4)
    frames = len(PATIENTS) * 12
    assert (made.measure, made.patients, len(made.frames)) == ("accuracy", len(PATIENTS), frames)
    assert {name for frame in made.frames for name in frame.active} == {"region"}
    assert {score for frame in made.frames for score in frame.active.values()} <= {0.0, 1.0}
    assert len(courses.patients) == FOLDS + 1 and len(courses.data[0].samples) == frames


def test_a_region_without_a_specialist_gets_its_first_from_the_baseline(
    workspace: Path, shipped: Path, tmp_path: Path
) -> None:
    models = Path(shutil.copytree(shipped, tmp_path / "models"))
    active = json.loads((models / "active.json").read_text(encoding="utf-8"))
    (models / "active.json").write_text(json.dumps({**active, "apex": None}), encoding="utf-8")
    made = learned(workspace, models, tmp_path / "new", Role.APEX)
    plan = read_plan(tmp_path / "new")
    assert (plan.role, plan.training["started_from"], made.active_id) == (Role.APEX, "tiny-baseline", "tiny-baseline")


def test_structures_that_were_not_drawn_are_those_of_the_active_model_and_do_not_judge(
    shipped: Path, tmp_path: Path, courses: Courses
) -> None:
    folder = make_workspace(tmp_path / "workspace", PATIENTS[:2], structures=LV)
    made = learned(folder, shipped, tmp_path / "new", Role.MIDDLE)
    samples = courses.data[0].samples
    assert {one.structures for one in samples} == {frozenset(STRUCTURES)}
    assert all((one.labels == Label.RVBP).any() for one in samples)
    assert {name for one in made.frames for name in (*one.active, *one.active_ml)} == {"LVBP", "LVM"}


# -- what cannot be learned --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "what"),
    [
        (Role.BASE, "There are no corrected frames of the region base to train on."),
        (Role.BASELINE, "There are no corrected frames to train on."),
        (Role.CLASSIFIER, "There are no corrected regions to train on."),
    ],
)
def test_without_corrections_nothing_is_trained(shipped: Path, tmp_path: Path, role: Role, what: str) -> None:
    folder = make_workspace(tmp_path / "workspace", PATIENTS[:2], as_predicted=PATIENTS)
    with pytest.raises(TrainingError) as told:
        learned(folder, shipped, tmp_path / "new", role)
    assert str(told.value) == f"{what} Correct and accept some frames first."
    assert not (tmp_path / "new").exists()


def test_the_workspace_is_only_read_and_may_be_open_elsewhere(workspace: Path, shipped: Path, tmp_path: Path) -> None:
    with open_workspace(workspace, reader="window") as opened:
        learned(workspace, shipped, tmp_path / "new")
        assert TrainingRuns(opened).runs() == []
    assert not (workspace / "models").exists() or not list((workspace / "models").iterdir())


def test_what_is_accepted_while_it_trains_does_not_disturb(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_workspace(tmp_path / "workspace", PATIENTS[:4])
    stack = phantom_of(0).stack
    train = learn.refine_model

    def accept_and_train(*args: Any, **options: Any) -> Any:
        with open_workspace(folder, reader="window") as opened:
            blank = np.zeros((64, 60), np.uint8)
            version = Version(FrameIndex(0, 0), blank, Region.BASE, Provenance.MANUAL, ReviewStatus.ACCEPTED)
            AnnotationStore(opened).save(stack.stack_id, Work([version]))
        return train(*args, **options)

    monkeypatch.setattr(learn, "refine_model", accept_and_train)
    assert learned(folder, shipped, tmp_path / "new").patients == 4
