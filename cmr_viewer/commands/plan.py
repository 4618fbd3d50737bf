"""`cmr-viewer plan`: derive a training spec from labelled data."""

from argparse import Namespace

from cmr_viewer.commands.train import text_progress
from cmr_viewer.domain.role import Role
from cmr_viewer.errors import TrainingError
from cmr_viewer.train.spec import as_toml, derive_spec, read_fingerprint
from cmr_viewer.train.split import Split, read_split


def run(arguments: Namespace) -> int:
    """Read the training part of the data, and write the spec derived from it.

    Returns:
        Exit code.

    Raises:
        CmrViewerError: There is nothing to derive from, or the file cannot be written.
    """
    split = read_split(arguments.split_file) if arguments.split_file else Split()
    found = read_fingerprint(arguments.data, split, text_progress())
    spec = derive_spec(found, Role(arguments.role), arguments.recipe)
    about = (
        f"Derived from {found.stacks} stacks ({found.frames} labelled frames) by the recipe {arguments.recipe}:",
        f"median spacing {found.spacing_mm:.3f} mm, median frame {found.shape[0]} x {found.shape[1]}, "
        f"widest heart {found.heart_mm:.0f} mm.",
    )
    try:
        arguments.output.write_text(as_toml(spec, about), encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"Could not write the spec to {arguments.output}: {error}.") from error
    print(f"{arguments.output}: {spec.rows} x {spec.cols} at {spec.spacing_mm:g} mm, {dict(spec.options)}")
    return 0
