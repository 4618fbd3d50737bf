"""Learn from the frames that readers of a workspace reviewed: a candidate, and how it does beside the active model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any

from cmr_viewer.analyse import Models, load_models
from cmr_viewer.domain.anatomy import STRUCTURES, Label, Region
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.role import Role, role_of
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import ModelError, TrainingError, UnusableModelError
from cmr_viewer.networks.device import choose_device
from cmr_viewer.prepare.plan import read_plan
from cmr_viewer.progress import Follow, Progress, not_followed, part, silent
from cmr_viewer.promote.gate import Assessment, GuardScore
from cmr_viewer.promote.judge import (
    Key,
    Made,
    drawn_by,
    judged,
    judged_frames,
    judges,
    mean_score,
    write_changes,
)
from cmr_viewer.promote.records import learned_patients, serving
from cmr_viewer.store.database import open_workspace_readonly
from cmr_viewer.store.guard import GUARD_FILE, read_guard
from cmr_viewer.store.model_registry import ModelEntry, ModelRegistry, TrainingRuns
from cmr_viewer.store.reviewed import ReviewedStack, corrections_of, read_reviewed
from cmr_viewer.train.fit import plain_out_of_memory
from cmr_viewer.train.retrain import (
    GUARD_LOSS,
    START_SHARE,
    START_SHARES,
    known_structures,
    retraining_spec,
    samples_of_reviewed,
    teaches,
)
from cmr_viewer.train.samples import Sample, TrainingData
from cmr_viewer.train.spec import TrainingSpec
from cmr_viewer.train.split import hash_of
from cmr_viewer.train.train_model import Model, refine_model, trained_model

OTHER_SCANNERS = "other scanners"
"""What the guards are called that come with the program."""

FOLDS = 4
"""Folds of patients: each is judged by a model that learned from three quarters of the others."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a role learns from a workspace.

    Attributes:
        role: The role.
        active: The model that training starts from.
        in_use: The models in use.
        stacks: Those with a reviewed frame that teaches the role.
        guarding: Stacks that guard against forgetting, by what they are.
        judging: Patients with corrections that the active model has not learned from.
        learned: Patients that it has learned from.
    """

    role: Role
    active: ModelEntry
    in_use: dict[Role, ModelEntry]
    stacks: Sequence[ReviewedStack]
    guarding: Mapping[str, Sequence[ReviewedStack]]
    judging: frozenset[str]
    learned: frozenset[str]

    @cached_property
    def fold_of(self) -> dict[str, int]:
        """The fold of each patient that judges; the folds are of one size, and the same in every run."""
        return {patient: number % FOLDS for number, patient in enumerate(sorted(self.judging, key=hash_of))}

    @cached_property
    def structures(self) -> dict[str, dict[int, frozenset[Label]]]:
        """Structures that the reference includes, by stack and phase."""
        every = (*self.stacks, *chain.from_iterable(self.guarding.values()))
        return {s.stack_id: {phase: known_structures(s, phase) for phase in _phases(s)} for s in every}

    def made_by(self, models: Models, stacks: Sequence[ReviewedStack]) -> dict[Key, Made]:
        """What the role's model among `models` makes of the frames of some stacks that judge."""
        return {
            key: made for s in stacks for key, made in judged(self.role, models, s, self.structures[s.stack_id]).items()
        }

    def samples(self, spec: TrainingSpec, models: Models) -> list[Sample]:
        """All that it learns from, each phase around the heart's centre as it is found when the models serve."""
        samples: list[Sample] = []
        for stack in self.stacks:
            for phase in _phases(stack):
                served = stack.served(phase)
                if served is not None:
                    drawn = self._completing(stack, phase, *served, models)
                    samples += samples_of_reviewed(stack, phase, spec, models.heart_centre(served[0]), drawn)
        return samples

    def _completing(
        self, stack: ReviewedStack, phase: int, alone: Stack, slices: Sequence[int], models: Models
    ) -> dict[FrameIndex, LabelMap]:
        """Label maps of the active model, of the frames of a phase that teach and whose reference lacks structures."""
        if self.role is Role.CLASSIFIER or self.structures[stack.stack_id][phase] == frozenset(STRUCTURES):
            return {}
        every = {FrameIndex(0, n): stack.frames.get(FrameIndex(phase, s)) for n, s in enumerate(slices)}
        at = {alone_at: one.frame for alone_at, one in every.items() if one is not None and teaches(self.role, one)}
        return dict(zip(at.values(), drawn_by(self.role, models, alone, list(at)), strict=True))


def read_lesson(workspace: Path, role: Role, shipped: Path) -> Lesson:
    """Read what a role learns from a workspace, which another program may have open.

    Raises:
        ModelError: No model serves the role.
        StoreError: The workspace cannot be read.
        TrainingError: Nothing is corrected.
    """
    with open_workspace_readonly(workspace) as opened:
        registry = ModelRegistry(shipped, opened)
        active, in_use = serving(registry, role), registry.active_all()
        learned = learned_patients(TrainingRuns(opened).runs(), active.model_id)
        stacks = [s for s in read_reviewed(opened) if any(teaches(role, one) for one in s.frames.values())]
    corrected = corrections_of(stacks, role)
    if not corrected:
        what = "corrected regions" if role is Role.CLASSIFIER else "corrected frames"
        where = "" if role.region is None else f" of the region {role.region.text.lower()}"
        raise TrainingError(f"There are no {what}{where} to train on. Correct and accept some frames first.")
    # Their slices end with the heart's, so they do not show where a classifier sees its ends.
    guarding = [] if role is Role.CLASSIFIER else read_guard(shipped / GUARD_FILE)
    earlier = [s for s in stacks if s.patient_key in learned and any(judges(role, one) for one in s.frames.values())]
    guards = {OTHER_SCANNERS: [_counting(role, in_use, s) for s in guarding], "earlier corrections": earlier}
    return Lesson(
        role,
        active,
        in_use,
        stacks,
        {name: of for name, of in guards.items() if any(one.frames for one in of)},
        frozenset(corrected) - learned,
        learned,
    )


def _counting(role: Role, in_use: Mapping[Role, ModelEntry], stack: ReviewedStack) -> ReviewedStack:
    """A stack with the frames that count for a role.

    For the baseline these are regions that no specialist serves, and the base, where the regions listen to it.
    """
    if role is not Role.BASELINE:
        return stack
    frames = {
        f: one for f, one in stack.frames.items() if one.region is Region.BASE or role_of(one.region) not in in_use
    }
    return replace(stack, frames=frames)


def retrain(
    workspace: Path,
    role: Role,
    folder: Path,
    *,
    model_id: str,
    shipped: Path,
    device: str = "auto",
    changes: Mapping[str, Any] | None = None,
    progress: Progress = silent,
    follow: Follow = not_followed,
) -> Assessment:
    """Train a candidate from the active model on reviewed frames, and judge both on the corrected ones.

    Every corrected patient both teaches and judges: patients are dealt into `FOLDS` folds, and the frames of each fold
    are judged by a model that learned from the other folds in the same way. The candidate itself learns from all.
    Patients that the active model has learned from teach, but they guard against forgetting and do not judge.

    It only reads the workspace; the window runs it in a child process, as `cmr-viewer train --workspace`.

    Args:
        workspace: The workspace; another program may have it open.
        role: Which model.
        folder: Where the candidate is written.
        model_id: Its name.
        shipped: Folder of the shipped models.
        device: "auto", "cpu" or "cuda".
        changes: Values of the `TrainingSpec` that differ from the recipe, by name.
        progress: 0 to 1 over the whole.
        follow: Called with values of the curves of the training; batches count through all folds.

    Raises:
        ModelError: A model in use cannot be loaded.
        TrainingError: Nothing is corrected to train on, the training failed, memory ran out, or the candidate could not
            be written.
    """
    try:
        with plain_out_of_memory():
            return _retrained(workspace, role, folder, model_id, shipped, device, changes or {}, progress, follow)
    except UnusableModelError as error:
        raise ModelError(
            f"The {Role(error.role).text.lower()} in use cannot be loaded, so nothing can be trained. {error} Or roll "
            "back to the model before it."
        ) from error
    except OSError as error:
        raise TrainingError(
            f"Could not write the trained model to {folder}: {error.strerror or error}. Free some disk space and train "
            "again."
        ) from error


def _retrained(
    workspace: Path,
    role: Role,
    folder: Path,
    model_id: str,
    shipped: Path,
    device: str,
    changes: Mapping[str, Any],
    progress: Progress,
    follow: Follow,
) -> Assessment:
    progress(0.0, "Reading reviewed frames")
    lesson = read_lesson(workspace, role, shipped)
    folders = {each: entry.folder for each, entry in lesson.in_use.items()}
    models, where, start = load_models(folders, device), choose_device(device), lesson.active.folder
    plan = replace(read_plan(start), role=role)
    samples = lesson.samples(retraining_spec(plan, 0), models)
    spec = retraining_spec(plan, len(samples), **changes)
    guards = Guards(lesson, models, changes.get("start_share"))
    candidate: dict[Key, Made] = {}
    courses = [None, *sorted(set(lesson.fold_of.values()))]  # the first learns from all
    for step, fold in enumerate(courses):
        chosen = [one for one in samples if fold is None or lesson.fold_of.get(one.patient_key) != fold]
        if not chosen:
            continue
        patients = len({one.patient_key for one in chosen})
        data = TrainingData(chosen, origin={"data": ["reviewed frames of a workspace"], "patients": patients})
        span = part(progress, 0.05 + 0.9 * step / len(courses), 0.05 + 0.9 * (step + 1) / len(courses))
        heard = partial(_counted_on, follow, step * spec.iterations)
        if fold is None:
            plan = refine_model(
                spec,
                data,
                folder,
                model_id=model_id,
                device=where,
                start_from=start,
                weigh=guards.weigh,
                progress=span,
                follow=heard,
            )
            spec = replace(spec, start_share=plan.training["spec"]["start_share"])
        else:
            model = trained_model(
                replace(spec, seed=spec.seed + step),
                data,
                model_id=model_id,
                device=where,
                start_from=start,
                progress=span,
                follow=heard,
            )
            held = [s for s in lesson.stacks if lesson.fold_of.get(s.patient_key) == fold]
            candidate |= lesson.made_by(models.with_model(role, model), held)
    progress(0.96, "Comparing with the current model")
    judging = [s for s in lesson.stacks if s.patient_key in lesson.judging]
    before = lesson.made_by(models, judging)
    write_changes(folder, judging, before, candidate)
    try:
        written = load_models({**folders, role: folder}, device)
    except UnusableModelError as error:  # before it can be put in service
        raise TrainingError(f"The new model was written, but cannot be read back. Train again. {error}") from error
    return Assessment(
        role,
        model_id,
        lesson.active.model_id,
        "accuracy" if role is Role.CLASSIFIER else "Dice",
        judged_frames(judging, before, candidate),
        guards.of(written),
        tuple(sorted({one.patient_key for one in samples})),
    )


def _counted_on(follow: Follow, before: int, curve: str, batch: int, value: float) -> None:
    follow(curve, before + batch, value)


class Guards:
    """The active model and others on frames that must not be forgotten.

    Args:
        lesson: What is learned.
        models: The models in use.
        share: Of the active model's weights in the new one; None for one of `START_SHARES`.
    """

    def __init__(self, lesson: Lesson, models: Models, share: float | None = None) -> None:
        self._lesson, self._models = lesson, models
        unasked = START_SHARES if lesson.guarding else (START_SHARE,)
        self._shares = unasked if share is None else (share,)

    @cached_property
    def _active(self) -> dict[str, tuple[float, int, int]]:
        return self._scores(self._models)

    def _scores(self, models: Models) -> dict[str, tuple[float, int, int]]:
        return {
            name: mean_score(self._lesson.made_by(models, stacks), {s.stack_id: s.patient_key for s in stacks})
            for name, stacks in self._lesson.guarding.items()
        }

    def of(self, changed: Models) -> tuple[GuardScore, ...]:
        """How much models forget, on each set of frames that guards."""
        old, new = self._active, self._scores(changed)
        return tuple(GuardScore(name, *one[1:], one[0], new[name][0]) for name, one in old.items())

    def weigh(self, model_at: Callable[[float], Model]) -> float:
        """The least share of the active model's weights with which no guard loses more than `GUARD_LOSS`."""
        for share in self._shares[:-1]:
            scores = self.of(self._models.with_model(self._lesson.role, model_at(share)))
            if all(one.active - one.candidate <= GUARD_LOSS for one in scores):
                return share
        return self._shares[-1]


def _phases(stack: ReviewedStack) -> list[int]:
    return sorted({frame.phase for frame in stack.frames})
