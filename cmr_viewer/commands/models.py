"""`cmr-viewer models`: list the models, put one in use, go back to the previous one, or import one of nnU-Net v2."""

import re
import shutil
from argparse import Namespace
from collections.abc import Mapping
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING

from cmr_viewer.commands.service import make_output_folder
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError
from cmr_viewer.prepare.plan import CARD_FILE, WEIGHTS_FILE, Plan
from cmr_viewer.store.database import open_workspace, open_workspace_readonly
from cmr_viewer.store.model_registry import ModelRegistry

if TYPE_CHECKING:
    from torch.nn import Module

_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def run(arguments: Namespace) -> int:
    """List, promote, roll back or import as the command line states.

    Returns:
        Exit code.

    Raises:
        CmrViewerError: It failed, with the reason.
    """
    if arguments.action == "import-nnunet":
        return import_nnunet(arguments)
    if not arguments.models.is_dir():
        raise ModelError(f"The models folder {arguments.models} does not exist. Name another one with --models.")
    if arguments.action == "list":
        return _list(arguments)
    with open_workspace(arguments.workspace, reader=getuser()) as workspace:
        registry = ModelRegistry(arguments.models, workspace)
        if arguments.action == "promote":
            entry = registry.promote(Role(arguments.role), arguments.model_id, arguments.reason)
        else:
            entry = registry.roll_back(Role(arguments.role), arguments.reason)
    print(f"{entry.model_id} is now in use as {entry.role.text.lower()}.")
    return 0


def _list(arguments: Namespace) -> int:
    if arguments.workspace is not None and (arguments.workspace / "workspace.db").exists():
        with open_workspace_readonly(arguments.workspace) as workspace:
            return _print(ModelRegistry(arguments.models, workspace))
    return _print(ModelRegistry(arguments.models, None))


def _print(registry: ModelRegistry) -> int:
    rows = [("role", "model", "in use", "made", "source")]
    for entry in registry.models():
        made = entry.created_at.strftime("%Y-%m-%d %H:%M")
        place = "shipped" if entry.shipped else "workspace"
        rows.append((entry.role.value, entry.model_id, "yes" if entry.active else "", made, place))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for problem in registry.problems():
        print(f"Note: {problem}")
    return 0


def import_nnunet(arguments: Namespace) -> int:
    """Import a model as the command line states.

    Returns:
        Exit code.

    Raises:
        CmrViewerError: The import failed, with the reason; no folder is left behind.
    """
    from cmr_viewer.segment.nnunet_import import convert  # noqa: PLC0415 - torch, when used
    from cmr_viewer.segment.nnunet_plans import parse_names  # noqa: PLC0415

    folder: Path = arguments.output.resolve()
    if not _MODEL_ID.fullmatch(folder.name):
        raise ModelError(
            f"{folder.name!r} is not a valid name of a model. Use letters, digits, dots, dashes and underscores."
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder} is not empty. Name a new folder with --output; the model gets its name.")
    plan, network = convert(
        arguments.folder,
        role=Role(arguments.role),
        model_id=folder.name,
        folds=arguments.fold,
        names=parse_names(arguments.labels),
        mirroring=not arguments.no_mirroring,
        checkpoint=arguments.checkpoint,
    )
    _write_model(folder, plan, network)
    print(f"Imported {plan.model_id} to {folder}: {_what(plan)}.")
    for name, label in plan.training["labels"].items():
        print(f"  {name} is {label}")
    if plan.training["not_used"]:
        print(f"Note: {', '.join(plan.training['not_used'])} became background. Name them with --labels to use them.")
    return 0


def _write_model(folder: Path, plan: Plan, network: "Module") -> None:
    from cmr_viewer.networks.weights import save_weights  # noqa: PLC0415 - torch, when used

    make_output_folder(folder)
    try:
        save_weights(network, folder / WEIGHTS_FILE, halve=False)  # halved weights move some borders
        (folder / CARD_FILE).write_text(card_text(plan), encoding="utf-8")
        plan.write(folder)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ModelError(f"Could not write the model to {folder}: {error}. Free some disk space.") from error


def _what(plan: Plan) -> str:
    kind = "residual encoder U-Net" if plan.options["residual"] else "plain U-Net"
    folds = ", ".join(plan.training["folds"])
    mirrored = "mirrored and averaged" if plan.preparation["mirror_axes"] else "not mirrored"
    return f"{plan.role.text.lower()}, {kind}, fold {folds}, {mirrored}"


def card_text(plan: Plan) -> str:
    """The card of an imported model, as Markdown."""
    about: Mapping[str, object] = plan.training
    labels = ", ".join(f"{name} is {label}" for name, label in plan.training["labels"].items())
    patch, spacing = plan.preparation["patch"], plan.preparation["spacing_mm"]
    return "\n".join(
        [
            f"# {plan.model_id}",
            "",
            f"{plan.role.text}. Imported from nnU-Net v2: {_what(plan)}.",
            "",
            "**Research software, not a medical device: not for diagnosis or treatment.**",
            "",
            "## Licence",
            "",
            "The licence of the original model and of its training data. Ask whoever trained it.",
            "",
            "## Data and training",
            "",
            f"- Data set {about['dataset']}, {about['cases'] or 'unknown number of'} cases, plans {about['plans']}, "
            f"configuration {about['configuration']}, trainer {about['trainer']}.",
            f"- Labels: {labels}; background: {', '.join(plan.training['not_used']) or 'nothing else'}.",
            f"- Patch {patch[0]} x {patch[1]} at {spacing[0]:g} x {spacing[1]:g} mm, {plan.preparation['scheme']} over "
            "each whole phase.",
            f"- Fingerprint of the weights: {about['weights_fingerprint']}; imported {plan.created_at}.",
            "",
            "## Figures on patients left out of training",
            "",
            "Not measured yet. Measure them with `cmr-viewer evaluate`.",
            "",
            "## Known failures",
            "",
            "Not known. The window cannot retrain it: a workspace stores frames, and nnU-Net needs whole phases.",
            "",
        ]
    )
