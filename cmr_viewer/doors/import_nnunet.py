"""`cmr-viewer models import-nnunet`: make a model folder from a trained model of nnU-Net v2."""

import re
import shutil
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from torch import nn

from cmr_viewer.domain.role import Role
from cmr_viewer.doors.service import make_output_folder
from cmr_viewer.errors import ModelError
from cmr_viewer.networks.weights import save_weights
from cmr_viewer.prepare.plan import CARD_FILE, WEIGHTS_FILE, Plan
from cmr_viewer.segment.nnunet_import import convert
from cmr_viewer.segment.nnunet_labels import parse_names

_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def run(arguments: Namespace) -> int:
    """Import as the command line says.

    Returns:
        Exit code.

    Raises:
        CmrViewerError: It cannot be done, and why; then no folder is left behind.
    """
    folder: Path = arguments.output.resolve()
    if not _MODEL_ID.fullmatch(folder.name):
        raise ModelError(f"{folder.name!r} cannot be a model's name: use letters, digits, dots, dashes, underscores.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder} is not empty. Name a new folder with --output; it gives the model its name.")
    plan, network = convert(
        arguments.folder,
        role=Role(arguments.role),
        model_id=folder.name,
        folds=arguments.fold,
        names=parse_names(arguments.labels),
        mirroring=not arguments.no_mirroring,
        checkpoint=arguments.checkpoint,
    )
    _write(folder, plan, network)
    print(f"{plan.model_id} is in {folder}: {_what(plan)}.")
    for name, label in plan.training["labels"].items():
        print(f"  {name} is {label}")
    if plan.training["not_used"]:
        print(f"Note: {', '.join(plan.training['not_used'])} became background. Name them with --labels to keep them.")
    return 0


def _write(folder: Path, plan: Plan, network: nn.Module) -> None:
    make_output_folder(folder)
    try:
        save_weights(network, folder / WEIGHTS_FILE, halve=False)  # halved weights move a border here and there
        (folder / CARD_FILE).write_text(card_text(plan), encoding="utf-8")
        plan.write(folder)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ModelError(f"The model cannot be written to {folder}: {error}. Free some space.") from error


def _what(plan: Plan) -> str:
    kind = "residual encoder U-Net" if plan.options["residual"] else "plain U-Net"
    folds = ", ".join(plan.training["folds"])
    mirrored = "mirrored and averaged" if plan.preparation["mirror_axes"] else "not mirrored"
    return f"{plan.role.text.lower()}, {kind} of fold {folds}, {mirrored}"


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
            "That of the model it was imported from, and of the data it was trained on; ask whoever trained it.",
            "",
            "## Data and training",
            "",
            f"- Data set {about['dataset']}, {about['cases'] or 'an untold number of'} cases, plans {about['plans']}, "
            f"configuration {about['configuration']}, trainer {about['trainer']}.",
            f"- Labels: {labels}; background: {', '.join(plan.training['not_used']) or 'nothing else'}.",
            f"- Patch {patch[0]} x {patch[1]} at {spacing[0]:g} x {spacing[1]:g} mm, {plan.preparation['scheme']} of "
            "each phase as a whole.",
            f"- Fingerprint of the weights: {about['weights_fingerprint']}; imported {plan.created_at}.",
            "",
            "## Figures on patients left out of training",
            "",
            "Not measured here. `cmr-viewer evaluate` measures it.",
            "",
            "## Known failures",
            "",
            "Not known here. It cannot be retrained in the window: that keeps frames, and nnU-Net sees whole phases.",
            "",
        ]
    )
