"""`cmr-viewer evaluate`: evaluate label maps, regions and volumes of the models in use against a reference."""

import json
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cmr_viewer.analyse import Models, analyse, by_frame, classify_frames, segment_frames
from cmr_viewer.commands.service import make_output_folder, models_in, notes_json, print_notes
from cmr_viewer.domain.annotation import Prediction, RegionPrediction
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import GeometryError, LabelMapError, LoadError, in_one_line
from cmr_viewer.evaluate.report import markdown, report_of
from cmr_viewer.evaluate.runs import Run, measured, places_of, write_run
from cmr_viewer.evaluate.scores import FramePlace
from cmr_viewer.export.nifti import write_nifti_labels
from cmr_viewer.load.datasets import LabelledSource, LabelledStack, find_labelled
from cmr_viewer.train.split import Split, read_split

FIGURES_FILE = "figures.json"
TABLES_FILE = "tables.md"
LABELS_FOLDER = "labels"


def run(arguments: Namespace) -> int:
    """Evaluate the models in use on labelled patients, write and draw the results, and print the tables.

    Returns:
        Exit code: 1 if a patient could not be read.

    Raises:
        CmrViewerError: There are no labelled data, no patients in the part of the split, or no models.
    """
    sources = wanted_sources(arguments)
    make_output_folder(arguments.output)
    models = models_in(arguments.models, arguments.device)
    found = Run()
    failed = 0
    notes: dict[str, list[dict[str, Any]]] = {}
    for source in sources:
        try:
            labelled = source.read()
        except (LoadError, LabelMapError, GeometryError) as error:
            failed += 1
            print(f"cmr-viewer evaluate: {in_one_line(error)}", file=sys.stderr)
            continue
        print_notes("evaluate", source.name, labelled.study.warnings)
        notes[source.name] = notes_json(labelled.study.warnings)
        one, labels = evaluate_stack(labelled, source, models, arguments.routing)
        found += one
        if arguments.save_labels:
            make_output_folder(arguments.output / LABELS_FOLDER)
            stem = f"{source.name}_{source.mark}" if source.mark else source.name
            write_nifti_labels(arguments.output / LABELS_FOLDER / f"{stem}.nii.gz", labels, labelled.study)
        print(f"{source.name} done", file=sys.stderr, flush=True)
    about = {
        "split": arguments.split,
        "routing": arguments.routing,
        "models": {role.value: model_id for role, model_id in models.active.items()},
        "failed": failed,
        "notes": {name: known for name, known in notes.items() if known},
    }
    print(write_results(arguments.output, found, about))
    return 1 if failed else 0


def wanted_sources(arguments: Namespace) -> list[LabelledSource]:
    """The patients of the data sets in the chosen part of the split.

    Raises:
        LoadError: There are none, or two have the same name.
        TrainingError: The split cannot be read.
    """
    sources = [source for folder in arguments.data for source in find_labelled(folder)]
    split = read_split(arguments.split_file) if arguments.split_file else Split()
    wanted = "test" if arguments.split == "held-out" else arguments.split
    sources = [source for source in sources if wanted in ("all", split.part_of(source.name))]
    if not sources:
        raise LoadError(f"The {wanted} part of the split has no labelled patient of these data. Try --split all.")
    places: dict[tuple[str, str], Path] = {}
    for source in sources:
        if (source.name, source.mark) in places:
            raise LoadError(
                f"Two patients have the name {source.name}: {places[source.name, source.mark]} and {source.path}. "
                "Name each data set once, and evaluate data sets with the same names separately."
            )
        places[source.name, source.mark] = source.path
    return sources


def write_results(folder: Path, found: Run, about: Mapping[str, Any]) -> str:
    """Write tables, figures and pictures of a run.

    Args:
        folder: The output folder.
        found: The results.
        about: The settings, for figures.json.

    Returns:
        The text of tables.md.
    """
    from cmr_viewer.evaluate.figures import draw_run  # noqa: PLC0415 - matplotlib is slow to import

    figures = {**about, **report_of(found)}
    text = markdown(figures)
    write_run(folder, found)
    (folder / FIGURES_FILE).write_text(json.dumps(figures, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    (folder / TABLES_FILE).write_text(text, encoding="utf-8")
    draw_run(folder, found, figures)
    return text


def evaluate_stack(
    labelled: LabelledStack, source: LabelledSource, models: Models, routing: str
) -> tuple[Run, LabelMap]:
    """Measure the labelled phases of one stack.

    Args:
        labelled: The stack with its reference label maps.
        source: Names the patient.
        models: The models in use.
        routing: "predicted" as the program does it; or, with the baseline on non-cardiac frames as in the paper,
            "argmax" by the region of each frame alone, "reference" by the regions calculated from the labels (upper
            bound), or "baseline" on all frames; "none" to measure the regions alone.

    Returns:
        The results, and the predicted label maps, (phase, slice, row, col), background where nothing was segmented.
    """
    places = places_of(labelled, source)
    found, made = predict(labelled.study.stack, places, models, routing)
    predicted = np.zeros(labelled.labels.shape, dtype=np.uint8)
    for frame, prediction in made.items():
        predicted[frame] = prediction.labels
    model_ids = {frame: prediction.model_id for frame, prediction in made.items()}
    return measured(labelled, places, found, predicted, model_ids), predicted


def predict(
    stack: Stack, places: Mapping[FrameIndex, FramePlace], models: Models, routing: str
) -> tuple[dict[FrameIndex, RegionPrediction], dict[FrameIndex, Prediction]]:
    """Regions and label maps of the frames that are measured; `routing` as in `evaluate_stack`."""
    if routing == "predicted":
        return by_frame(analyse(stack, models, order=list(places)))
    found = classify_frames(stack, list(places), models)
    if routing == "none":
        return found, {}
    routed = {frame: place.region if routing == "reference" else found[frame].argmax for frame, place in places.items()}
    return found, dict(segment_frames(stack, routed, models, baseline_only=routing == "baseline"))
