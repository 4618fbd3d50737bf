"""`cmr-viewer compare`: compare runs of `cmr-viewer evaluate` with a baseline, on the same frames."""

import json
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from cmr_viewer.commands.service import make_output_folder
from cmr_viewer.errors import LoadError
from cmr_viewer.evaluate.comparison import NamedRun, comparison_markdown, comparison_of
from cmr_viewer.evaluate.runs import read_run

COMPARE_FILE = "compare.json"
TABLES_FILE = "tables.md"


def run(arguments: Namespace) -> int:
    """Compare runs with a baseline; write and draw the results, and print the tables.

    Returns:
        Exit code.

    Raises:
        CmrViewerError: A run cannot be read, or has other frames than the baseline; or the names do not match.
    """
    folders = [arguments.baseline, *arguments.runs]
    names = names_of(folders, arguments.names)
    runs = [NamedRun(name, read_run(folder)) for name, folder in zip(names, folders, strict=True)]
    figures = comparison_of(runs[0], runs[1:])
    text = comparison_markdown(figures)
    make_output_folder(arguments.output)
    (arguments.output / COMPARE_FILE).write_text(
        json.dumps(figures, indent=2, allow_nan=False) + "\n", encoding="utf-8"
    )
    (arguments.output / TABLES_FILE).write_text(text, encoding="utf-8")

    from cmr_viewer.evaluate.figures import draw_comparison  # noqa: PLC0415 - matplotlib is slow to import

    draw_comparison(arguments.output, runs, figures)
    print(text)
    return 0


def names_of(folders: Sequence[Path], given: str | None) -> list[str]:
    """The names of the runs.

    Args:
        folders: Of the baseline and of the runs.
        given: Names with commas between them, or None for the folders' own.

    Raises:
        LoadError: The number of names is wrong, or two are the same.
    """
    if given is None:
        names = [folder.resolve().name for folder in folders]
    else:
        names = [name.strip() for name in given.split(",")]
    if len(names) != len(folders) or not all(names):
        raise LoadError(
            f"--names has {len(names)} names for {len(folders)} runs. Name the baseline first, then each run."
        )
    if len(set(names)) != len(names):
        raise LoadError(
            f"Two runs have the same name ({', '.join(names)}). Give each run its own name with --names A,B,..."
        )
    return names
