"""`cmr-viewer models`: list the models, put one in use, or go back to the previous one."""

from argparse import Namespace
from getpass import getuser

from cmr_viewer.domain.role import Role
from cmr_viewer.errors import ModelError
from cmr_viewer.store.database import open_workspace, open_workspace_readonly
from cmr_viewer.store.model_registry import ModelRegistry


def run(arguments: Namespace) -> int:
    """List, promote or roll back as the command line states.

    Returns:
        Exit code.

    Raises:
        CmrViewerError: It failed, with the reason.
    """
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
