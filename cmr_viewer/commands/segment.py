"""`cmr-viewer segment`: segment studies, with regions and measures, without a window."""

import logging
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cmr_viewer import NOTICE, PROGRAM
from cmr_viewer.analyse import Models, analyse, by_frame
from cmr_viewer.commands.service import (
    make_output_folder,
    measured,
    models_in,
    notes_json,
    opening_of,
    print_notes,
)
from cmr_viewer.domain.notes import Note
from cmr_viewer.domain.opening import NO_CHOICES, Opening
from cmr_viewer.domain.study import Study
from cmr_viewer.errors import CmrViewerError, LoadError, in_one_line
from cmr_viewer.export.formats import RegionRow
from cmr_viewer.export.nifti import nifti_notes, write_label_files
from cmr_viewer.export.tables import UNITS, write_measures_json, write_regions_csv
from cmr_viewer.load.names import name_of
from cmr_viewer.load.study import open_study

LABELS_FILE = "labels.nii.gz"
REGIONS_FILE = "regions.csv"
MEASURES_FILE = "measures.json"

_log = logging.getLogger(__name__)


def run(arguments: Namespace) -> int:
    """Segment each input; report a failure on standard error and go on with the rest.

    Returns:
        Exit code: 0 if all were done, else 1.

    Raises:
        CmrViewerError: The models cannot be loaded.
    """
    make_output_folder(arguments.output)
    models = models_in(arguments.models, arguments.device, arguments.workspace)
    baseline_only, opening = arguments.routing == "baseline", opening_of(arguments)
    failed = 0
    taken: dict[str, Path] = {}
    for path in arguments.input:
        try:
            name = name_of(path)
            if name in taken:
                raise LoadError(
                    f"{path} has the same name as {taken[name]}. Segment it to another folder with --output."
                )
            taken[name] = path
            folder = arguments.output / name
            notes = segment_one(path, folder, models, baseline_only=baseline_only, opening=opening)
        except Exception as error:  # noqa: BLE001 - each input is a job of its own, and the others go on
            failed += 1
            where = "" if isinstance(error, CmrViewerError) else f"{path}: "
            print(f"cmr-viewer segment: {where}{in_one_line(error)}", file=sys.stderr, flush=True)
            _log.debug("segment failed", exc_info=True)
        else:
            print_notes("segment", name, notes)
            print(folder, flush=True)
    return 1 if failed else 0


def segment_one(
    path: Path, folder: Path, models: Models, *, baseline_only: bool = False, opening: Opening = NO_CHOICES
) -> tuple[Note, ...]:
    """Segment one study into a folder of three files.

    Args:
        path: The study, a folder or a file.
        folder: Where labels.nii.gz, regions.csv and measures.json go; labels_1.nii.gz, labels_2.nii.gz and so on where
            the slices lie unevenly.
        models: The models in use.
        baseline_only: Whether the baseline segments all frames.
        opening: How the study is opened.

    Returns:
        What a reader should know about the study and its results.

    Raises:
        CmrViewerError: The study cannot be opened, or the result cannot be written.
    """
    study = open_study(path, opening=opening)
    stack = study.stack
    regions, made = by_frame(analyse(stack, models, baseline_only=baseline_only))
    labels = np.zeros(stack.pixels.shape, dtype=np.uint8)
    for frame, prediction in made.items():
        labels[frame] = prediction.labels
    rows = [
        RegionRow(*frame, stack.source_slices[frame.slice_index], one.region, one.probability, made[frame].model_id)
        for frame, one in regions.items()
    ]
    measures, notes = measured(stack, labels)
    folder.mkdir(parents=True, exist_ok=True)
    write_label_files(folder, LABELS_FILE, labels, study)
    write_regions_csv(folder / REGIONS_FILE, rows)
    notes = (*study.warnings, *notes, *nifti_notes((LABELS_FILE,), study))
    about = {**_about(study, models, baseline_only), "notes": notes_json(notes)}
    write_measures_json(folder / MEASURES_FILE, measures, about=about)
    return notes


def _about(study: Study, models: Models, baseline_only: bool) -> Mapping[str, Any]:
    return {
        "units": UNITS,
        "phases": study.stack.phases,
        "slices": study.stack.slices,
        "routing": "baseline" if baseline_only else "predicted",
        "models": {role.value: model_id for role, model_id in models.active.items()},
        "program": PROGRAM,
        "notice": NOTICE,
    }
