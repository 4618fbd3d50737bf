"""The available models, the one in service for each role, and the training runs that make new ones.

Shipped models are in `<shipped>/<model_id>/` and `<shipped>/active.json` names the default of each role; retrained
ones are in `<workspace>/models/<model_id>/`. The promotions, which are append-only, decide what is in service.
"""

import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update

from cmr_viewer.domain.role import SPECIALISTS, Role
from cmr_viewer.errors import ModelError, StoreError
from cmr_viewer.store.atomic import sync_folder
from cmr_viewer.store.database import STAGING_PREFIX, Workspace
from cmr_viewer.store.events import What, write_event
from cmr_viewer.store.tables import now_text, promotions, training_runs

log = logging.getLogger(__name__)

PLAN_NAME = "plan.json"
WEIGHTS_NAME = "weights.safetensors"
ACTIVE_NAME = "active.json"
_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class ModelEntry:
    """A model that can be used.

    Attributes:
        model_id: Its name, and the name of its folder.
        role: What it is for.
        folder: plan.json, weights.safetensors, card.md.
        shipped: Whether it came with the program.
        active: Whether it is in service for its role.
        created_at: When it was made: "created_at" of its plan, else the time of the file.
    """

    model_id: str
    role: Role
    folder: Path
    shipped: bool
    active: bool
    created_at: datetime


@dataclass(frozen=True)
class PromotionRow:
    """One decision about a role.

    Attributes:
        id: Counts up.
        role: The role.
        kind: "promote", "keep" (the candidate stayed out of service) or "roll_back".
        model_id: The model promoted, the candidate not promoted, or the model gone back to.
        previous_model_id: The model in service before, or None where there was none.
        reason: Why, in words.
        who: The reader.
        at: When, with time zone.
    """

    id: int
    role: Role
    kind: str
    model_id: str
    previous_model_id: str | None
    reason: str
    who: str
    at: datetime


@dataclass(frozen=True)
class _Scan:
    """The content of the two model folders now; `default` is the shipped default of each role."""

    found: dict[str, ModelEntry]
    default: dict[Role, str]
    problems: list[str]


class ModelRegistry:
    """The models that come with the program and those of a workspace.

    Folders are read again at each call, so that new and removed models are noticed.
    """

    def __init__(self, shipped: Path, workspace: Workspace | None) -> None:
        """Look at models.

        Args:
            shipped: Folder of the models that come with the program; may be missing.
            workspace: Where retrained models and promotions are, or None for the shipped models alone.
        """
        self._shipped = Path(shipped)
        self._workspace = workspace

    def models(self) -> list[ModelEntry]:
        """All complete models, by role and then age."""
        scan, in_service = self._look()
        roles = list(Role)
        entries = [replace(one, active=in_service.get(one.role) == one.model_id) for one in scan.found.values()]
        return sorted(entries, key=lambda one: (roles.index(one.role), one.created_at, one.model_id))

    def active(self, role: Role) -> ModelEntry:
        """The model in service for a role.

        Raises:
            ModelError: There is none.
        """
        entry = self.active_all().get(role)
        if entry is None:
            raise ModelError(
                f"There is no model for the role {role.text} in {self._shipped}. Put one there, "
                "or train and promote one."
            )
        return entry

    def active_all(self, without: Collection[str] = ()) -> dict[Role, ModelEntry]:
        """The model in service of each role that has one.

        Args:
            without: Retrained models that could not be loaded. As for one that is missing, the model before it stands
                in, as far back as the shipped one.
        """
        scan, in_service = self._look(without)
        return {role: replace(scan.found[model_id], active=True) for role, model_id in in_service.items()}

    def problems(self) -> list[str]:
        """What is wrong with model folders and promotions, in words; empty if nothing is."""
        scan = self._scan()
        texts = list(scan.problems)
        for role, history in self._histories().items():
            wanted = _in_service(history)
            if wanted is not None and not _usable(scan, role, wanted):
                instead = _resolved(scan, role, history)
                shipped = "shipped model" if instead == scan.default.get(role) else "model before it,"
                texts.append(
                    f"The model {wanted}, in use as {role.text}, is missing or damaged; "
                    + (f"the {shipped} {instead} is used instead." if instead else "there is no other model.")
                )
        return texts

    def staging_folder(self) -> Path:
        """A new, empty folder for a model in the making; what is not adopted is removed at the next opening.

        Raises:
            StoreError: There is no workspace to write to, or it cannot be written.
        """
        workspace = self._writable()
        try:
            workspace.models_folder.mkdir(exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=workspace.models_folder))
        except OSError as error:
            raise StoreError(
                f"Could not create a folder for a new model in {workspace.models_folder}: {error}. Free some disk "
                "space, or make the folder writable, and train again."
            ) from error

    def adopt(self, staging: Path, expected: str | None = None) -> ModelEntry:
        """Add a finished model to the workspace: completely, under its own name, or not at all.

        Args:
            staging: Folder with plan.json and weights.safetensors, from `staging_folder` (then it is moved) or from
                anywhere else (then it is copied).
            expected: The name that it must have; None for any.

        Returns:
            The model, not in service yet.

        Raises:
            ModelError: The folder is not a complete model.
            StoreError: A model of that name exists, or it cannot be written.
        """
        workspace = self._writable()
        entry = _read_entry(Path(staging), shipped=False, own_name=False)
        if expected not in (None, entry.model_id):
            raise ModelError(f"The folder {staging} has the model {entry.model_id}, not {expected}. Train again.")
        target = workspace.models_folder / entry.model_id
        if target.exists() or entry.model_id in self._scan().found:
            raise StoreError(f"The model {entry.model_id} already exists. Give the new one another name.")
        try:
            source = Path(staging)
            if source.parent.resolve() != workspace.models_folder.resolve():
                source = self.staging_folder()
                shutil.copytree(staging, source, dirs_exist_ok=True)
            _sync_tree(source)
            source.replace(target)
            sync_folder(workspace.models_folder)
        except OSError as error:
            raise StoreError(
                f"The model {entry.model_id} could not be written to {target}: {error}. Free some disk space, or make "
                "the folder writable, and train again."
            ) from error
        with workspace.write() as connection:
            write_event(
                connection, workspace, What.MODEL_ADOPTED, model_id=entry.model_id, detail={"role": str(entry.role)}
            )
        return _read_entry(target, shipped=False)

    def promote(self, role: Role, model_id: str, reason: str) -> ModelEntry:
        """Put a model in service.

        Args:
            role: The role.
            model_id: A complete model of that role.
            reason: Why, in words.

        Returns:
            The model, now active.

        Raises:
            StoreError: There is no such model of that role, it is in service already, or it cannot be written.
        """
        workspace = self._writable()
        with workspace.write() as connection:
            scan = self._scan()
            if not _usable(scan, role, model_id):
                names = ", ".join(one.model_id for one in scan.found.values() if one.role is role) or "none"
                raise StoreError(f"There is no complete model {model_id} for the role {role.text}. Available: {names}.")
            previous = _resolved(scan, role, _history(connection, role))
            if previous == model_id:
                raise StoreError(f"The model {model_id} is already in use as {role.text}.")
            self._note(connection, role, "promote", model_id, previous, reason)
        return replace(scan.found[model_id], active=True)

    def decline(self, role: Role, candidate_id: str, reason: str) -> None:
        """Note that a candidate was not put in service."""
        workspace = self._writable()
        with workspace.write() as connection:
            previous = _resolved(self._scan(), role, _history(connection, role))
            self._note(connection, role, "keep", candidate_id, previous, reason)

    def roll_back(self, role: Role, reason: str = "Rolled back by the reader.") -> ModelEntry:
        """Go back to the model that was in service before the active one; further back each time.

        A model that is now missing is skipped. From the first specialist of a region it goes back to the baseline.

        Returns:
            The model that is in service now.

        Raises:
            StoreError: The shipped default is in service, or it cannot be written.
        """
        workspace = self._writable()
        with workspace.write() as connection:
            scan, history = self._scan(), _history(connection, role)
            earlier = _stack(history)
            if not earlier:
                raise StoreError(f"The shipped model is in use as {role.text}; there is nothing to roll back to.")
            while earlier and not _usable(scan, role, earlier[-1]):
                earlier.pop()  # one that is missing: the model before it stands in for it already
            target = next((one for one in reversed(earlier[:-1]) if _usable(scan, role, one)), scan.default.get(role))
            if target is None and role in SPECIALISTS:  # the first of its region: the baseline served it before
                target = _resolved(scan, Role.BASELINE, _history(connection, Role.BASELINE))
            if target is None:
                raise StoreError(f"There is no earlier model for the role {role.text} to roll back to.")
            self._note(connection, role, "roll_back", target, _resolved(scan, role, history), reason)
        return replace(scan.found[target], active=True)

    def clean_up(self, keep: int = 3) -> list[str]:
        """Remove candidates that were declined and never in service, all but the last of each role.

        A model that is or ever was in service stays, so that it can be gone back to; so does a model that was never
        declined, and a shipped one. A program that is killed meanwhile leaves no half model: the folder is renamed as
        those in the making are, which the next opening removes.

        Args:
            keep: How many declined candidates of each role stay, the last declined; >= 0.

        Returns:
            Names of the models that were removed. One that another program uses may stay until the next time.

        Raises:
            StoreError: There is no workspace to write to, or it cannot be written.
        """
        workspace = self._writable()
        removed: dict[str, Path] = {}
        with workspace.write() as connection:
            scan = self._scan()
            for role in Role:
                for model_id in _declined(_history(connection, role))[keep:]:
                    entry = scan.found.get(model_id)
                    if entry is None or entry.shipped or entry.role is not role:
                        continue
                    aside = entry.folder.with_name(f"{STAGING_PREFIX}removed-{model_id}")
                    try:
                        shutil.rmtree(aside, ignore_errors=True)
                        entry.folder.rename(aside)
                    except OSError as error:
                        log.warning("The candidate %s could not be removed: %s", model_id, error)
                        continue
                    removed[model_id] = aside
                    write_event(
                        connection, workspace, What.MODEL_REMOVED, model_id=model_id, detail={"role": str(role)}
                    )
        for aside in removed.values():
            shutil.rmtree(aside, ignore_errors=True)
        return list(removed)

    def discard(self, model_id: str) -> None:
        """Remove a model of the workspace of which nothing was decided; what cannot be deleted is left in the making.

        Args:
            model_id: Just adopted.
        """
        folder = self._writable().models_folder / model_id
        aside = folder.with_name(f"{STAGING_PREFIX}removed-{model_id}")
        with suppress(OSError):
            folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)

    def history(self, role: Role) -> list[PromotionRow]:
        """All decisions about a role, oldest first."""
        if self._workspace is None:
            return []
        with self._workspace.read() as connection:
            return _history(connection, role)

    def _note(
        self, connection: Connection, role: Role, kind: str, model_id: str, previous: str | None, reason: str
    ) -> None:
        workspace = self._writable()
        connection.execute(
            insert(promotions).values(
                role=str(role),
                kind=kind,
                model_id=model_id,
                previous_model_id=previous,
                reason=reason,
                who=workspace.reader,
                at=now_text(),
                session_id=workspace.session(),
            )
        )
        what = {"promote": What.MODEL_PROMOTED, "keep": What.MODEL_NOT_PROMOTED, "roll_back": What.MODEL_ROLLED_BACK}[
            kind
        ]
        detail = {"role": str(role), "previous_model_id": previous, "reason": reason}
        write_event(connection, workspace, what, model_id=model_id, detail=detail)

    def _writable(self) -> Workspace:
        if self._workspace is None:
            raise StoreError("Open a workspace to add or promote models.")
        return self._workspace

    def _look(self, without: Collection[str] = ()) -> tuple[_Scan, dict[Role, str]]:
        scan = self._scan()
        scan = replace(scan, found={name: one for name, one in scan.found.items() if name not in without})
        resolved = {role: _resolved(scan, role, history) for role, history in self._histories().items()}
        return scan, {role: model_id for role, model_id in resolved.items() if model_id is not None}

    def _histories(self) -> dict[Role, list[PromotionRow]]:
        if self._workspace is None:
            return {role: [] for role in Role}
        with self._workspace.read() as connection:
            return {role: _history(connection, role) for role in Role}

    def _scan(self) -> _Scan:
        found: dict[str, ModelEntry] = {}
        problems: list[str] = []
        places = [(self._shipped, True)]
        if self._workspace is not None:
            places.append((self._workspace.models_folder, False))
        for place, shipped in places:
            for folder in _model_folders(place):
                try:
                    entry = _read_entry(folder, shipped=shipped)
                except ModelError as error:
                    problems.append(str(error))
                    continue
                if entry.model_id in found:
                    problems.append(f"The model {folder} is not used: a shipped model has the same name.")
                else:
                    found[entry.model_id] = entry
        return _Scan(found, _defaults(self._shipped, found, problems), problems)


def _model_folders(place: Path) -> list[Path]:
    if not place.is_dir():
        return []
    return sorted(folder for folder in place.iterdir() if folder.is_dir() and not folder.name.startswith((".", "_")))


def _read_entry(folder: Path, *, shipped: bool, own_name: bool = True) -> ModelEntry:
    """Read a model folder.

    Args:
        folder: The folder.
        shipped: Whether it came with the program.
        own_name: Whether the folder must have the model's name.

    Raises:
        ModelError: It is not a complete model.
    """
    path = folder / PLAN_NAME
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"The model folder {folder} is not used: {PLAN_NAME} could not be read ({error}).") from error
    if not isinstance(plan, dict):
        raise ModelError(f"The model folder {folder} is not used: {PLAN_NAME} is not a JSON object.")
    model_id, role = plan.get("model_id"), plan.get("role")
    if not isinstance(model_id, str) or not _MODEL_ID.fullmatch(model_id):
        raise ModelError(
            f"The model folder {folder} is not used: its model_id {model_id!r:.100} is not a valid folder name."
        )
    if own_name and model_id != folder.name:
        raise ModelError(f"The model folder {folder} is not used: its plan belongs to another model, {model_id}.")
    if role not in list(Role):
        raise ModelError(f"The model folder {folder} is not used: its role {role!r} is not one of {', '.join(Role)}.")
    if not (folder / WEIGHTS_NAME).is_file():
        raise ModelError(f"The model folder {folder} is not used: {WEIGHTS_NAME} is missing.")
    return ModelEntry(model_id, Role(role), folder, shipped, False, _created_at(plan.get("created_at"), written))


def _created_at(text: object, otherwise: datetime) -> datetime:
    try:
        made = datetime.fromisoformat(text) if isinstance(text, str) else otherwise
    except ValueError:
        return otherwise
    return made if made.tzinfo is not None else made.replace(tzinfo=UTC)


def _defaults(shipped: Path, found: dict[str, ModelEntry], problems: list[str]) -> dict[Role, str]:
    """Shipped default of each role; where active.json is silent, the only shipped model of the role.

    A role that active.json names with null has none: the model is shipped, but is no better than the baseline.
    """
    ours = [one for one in found.values() if one.shipped]
    named: object = {}
    path = shipped / ACTIVE_NAME
    if path.is_file():
        try:
            named = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            problems.append(f"Could not read {path}: {error}.")
    names = named if isinstance(named, dict) else {}
    defaults: dict[Role, str] = {}
    for role in Role:
        of_role = [one.model_id for one in ours if one.role is role]
        wanted = names.get(str(role))
        if wanted in of_role:
            defaults[role] = str(wanted)
        elif wanted is None and str(role) in names:
            continue
        elif wanted is not None:
            problems.append(f"{path} names {wanted} as {role.text}, but there is no such shipped model.")
        elif len(of_role) == 1:
            defaults[role] = of_role[0]
    return defaults


def _history(connection: Connection, role: Role) -> list[PromotionRow]:
    statement = select(promotions).where(promotions.c.role == str(role)).order_by(promotions.c.id)
    return [
        PromotionRow(
            id=row["id"],
            role=role,
            kind=row["kind"],
            model_id=row["model_id"],
            previous_model_id=row["previous_model_id"],
            reason=row["reason"],
            who=row["who"],
            at=datetime.fromisoformat(row["at"]),
        )
        for row in connection.execute(statement).mappings()
    ]


def _stack(history: Sequence[PromotionRow]) -> list[str]:
    """Promoted models that are not rolled back, the one in service last; empty at the shipped default."""
    stack: list[str] = []
    for row in history:
        if row.kind == "promote":
            stack.append(row.model_id)
        elif row.kind == "roll_back":
            stack.pop()
            while stack and stack[-1] != row.model_id:
                stack.pop()
    return stack


def _declined(history: Sequence[PromotionRow]) -> list[str]:
    """Candidates that were declined and never in service, the last declined first, whatever the clock showed."""
    served = {row.model_id for row in history if row.kind != "keep"} | {row.previous_model_id for row in history}
    declined = dict.fromkeys(row.model_id for row in reversed(history) if row.kind == "keep")
    return [one for one in declined if one not in served]


def _in_service(history: Sequence[PromotionRow]) -> str | None:
    stack = _stack(history)
    return stack[-1] if stack else None


def _usable(scan: _Scan, role: Role, model_id: str) -> bool:
    entry = scan.found.get(model_id)
    return entry is not None and entry.role is role


def _resolved(scan: _Scan, role: Role, history: Sequence[PromotionRow]) -> str | None:
    """The model in service: the promoted one, where that is gone the one before it, and at last the shipped default."""
    return next((one for one in reversed(_stack(history)) if _usable(scan, role, one)), scan.default.get(role))


def _sync_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        elif path.is_dir():
            sync_folder(path)
    sync_folder(folder)


INTERRUPTED = "interrupted"
"""Outcome of a run whose program ended before it did."""

LOGGED = ("reason", "model_id")
"""What the event log gets of the detail of a run; the rest, such as frames before and after, is with the run alone."""


@dataclass(frozen=True)
class TrainingRun:
    """One run.

    Attributes:
        id: Counts up.
        role: What was trained.
        started_at: When it began.
        finished_at: When it ended, or was found to have been interrupted; None while it runs.
        outcome: How it ended, in the caller's word ("promoted", "kept", "cancelled", "failed") or `INTERRUPTED`; None
            while it runs.
        detail: Anything more.
    """

    id: int
    role: Role
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None
    detail: Mapping[str, Any]


class TrainingRuns:
    """The training runs of a workspace; StoreError where it cannot be read or written."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def start(self, role: Role, detail: Mapping[str, Any] | None = None) -> int:
        """Note that a run begins.

        Args:
            role: What is trained.
            detail: What it learns from, as JSON can hold it; also there where the run is interrupted.

        Returns:
            The run's id, for `finish`.
        """
        workspace = self._workspace
        with workspace.write() as connection:
            values = {
                "role": str(role),
                "started_at": now_text(),
                "session_id": workspace.session(),
                "detail": json.dumps(dict(detail or {}), sort_keys=True),
            }
            run_id = int(
                connection.execute(insert(training_runs).values(values).returning(training_runs.c.id)).scalar_one()
            )
            write_event(
                connection, workspace, What.TRAINING_STARTED, detail={"training_run": run_id, "role": str(role)}
            )
        return run_id

    def finish(self, run_id: int, outcome: str, detail: Mapping[str, Any] | None = None) -> None:
        """Note how a run ended.

        Args:
            run_id: From `start`.
            outcome: "promoted", "kept", "cancelled", "failed" or the like.
            detail: Anything more, as JSON can hold it, beside that of `start`; the event log gets `LOGGED` of it.

        Raises:
            StoreError: There is no such run, it has ended already, `detail` is not what JSON can hold, or it cannot be
                written.
        """
        workspace = self._workspace
        content = _as_json(run_id, detail or {})
        logged = {name: content[name] for name in LOGGED if name in content}
        with workspace.write() as connection:
            write_event(
                connection,
                workspace,
                What.TRAINING_FINISHED,
                detail={**logged, "training_run": run_id, "outcome": outcome},
            )
            _add_to(connection, run_id, content, finished_at=now_text(), outcome=outcome)

    def note(self, run_id: int, detail: Mapping[str, Any]) -> None:
        """Add to the detail of a run that has not ended, so that it is there also if the program ends before the run.

        Raises:
            StoreError: As `finish`.
        """
        content = _as_json(run_id, detail)
        with self._workspace.write() as connection:
            _add_to(connection, run_id, content)

    def runs(self, role: Role | None = None) -> list[TrainingRun]:
        """All runs, or those of one role, oldest first."""
        statement = select(training_runs).order_by(training_runs.c.id)
        if role is not None:
            statement = statement.where(training_runs.c.role == str(role))
        with self._workspace.read() as connection:
            rows = connection.execute(statement).mappings().all()
        return [
            TrainingRun(
                id=row["id"],
                role=Role(row["role"]),
                started_at=datetime.fromisoformat(row["started_at"]),
                finished_at=None if row["finished_at"] is None else datetime.fromisoformat(row["finished_at"]),
                outcome=row["outcome"],
                detail=json.loads(row["detail"]),
            )
            for row in rows
        ]


def _as_json(run_id: int, detail: Mapping[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(content := dict(detail), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StoreError(f"The detail of training run {run_id} could not be saved as JSON: {error}.") from error
    return content


def _add_to(connection: Connection, run_id: int, detail: Mapping[str, Any], **columns: str) -> None:
    """Add to the detail of a run that has not ended, and set columns."""
    running = (training_runs.c.id == run_id) & training_runs.c.finished_at.is_(None)
    begun = connection.execute(select(training_runs.c.detail).where(running)).scalar_one_or_none()
    if begun is None:
        raise StoreError(f"Training run {run_id} is not running.")
    text = json.dumps({**json.loads(begun), **detail}, sort_keys=True)
    connection.execute(update(training_runs).where(running).values(detail=text, **columns))
