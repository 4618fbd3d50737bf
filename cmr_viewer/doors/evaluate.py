"""`cmr-viewer evaluate`: Dice per label and region against reference label maps, and how often the region is right."""

import csv
import json
import logging
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES, Region, reference_regions
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.doors.service import make_output_folder, models_in
from cmr_viewer.errors import GeometryError, LabelMapError, LoadError, in_one_line
from cmr_viewer.evaluate.by_region import (
    FrameScore,
    accuracy,
    confusion,
    dice_by_region,
    score_frame,
    stack_dice,
    summarise,
)
from cmr_viewer.load.datasets import LabelledSource, LabelledStack, find_labelled
from cmr_viewer.pipeline import Models, classify_frames, segment_frames
from cmr_viewer.train.samples import is_held_out

_log = logging.getLogger(__name__)


def run(arguments: Namespace) -> int:
    """Evaluate the models in service on labelled patients, and print the tables.

    Returns:
        Exit code: 1 if a patient could not be read.
    """
    sources = [source for folder in arguments.data for source in find_labelled(folder)]
    if arguments.split == "held-out":
        sources = [source for source in sources if is_held_out(source.name)]
    if not sources:
        raise LoadError("No labelled patients are left to evaluate on. Try --split all.")
    make_output_folder(arguments.output)
    models = models_in(arguments.models, arguments.device)
    scores: list[FrameScore] = []
    true_regions: list[Region] = []
    found_regions: list[Region] = []
    failed = 0
    for source in sources:
        try:
            labelled = source.read()
        except (LoadError, LabelMapError, GeometryError) as error:
            failed += 1
            print(f"cmr-viewer evaluate: {in_one_line(error)}", file=sys.stderr)
            continue
        truth, found, frames = evaluate_stack(labelled, source, models, arguments.routing)
        scores += frames
        true_regions += truth
        found_regions += found
        print(f"{source.name} done", file=sys.stderr, flush=True)
    figures = figures_of(scores, true_regions, found_regions)
    figures["patients"] = len(sources) - failed
    figures["routing"] = arguments.routing
    figures["models"] = {role.value: model_id for role, model_id in models.active.items()}
    write_frames(arguments.output / "frames.csv", scores)
    (arguments.output / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    table = markdown(figures)
    (arguments.output / "tables.md").write_text(table, encoding="utf-8")
    print(table)
    return 1 if failed else 0


def evaluate_stack(
    labelled: LabelledStack, source: LabelledSource, models: Models, routing: str
) -> tuple[list[Region], list[Region], list[FrameScore]]:
    """Score the labelled phases of one stack.

    Args:
        labelled: The stack with its reference label maps.
        source: Names the patient.
        models: The models in service.
        routing: "predicted", "baseline", or "reference" for the regions that follow from the labels.

    Returns:
        Reference regions, predicted regions, and the scores of the frames.
    """
    stack: Stack = labelled.study.stack
    frames = [FrameIndex(phase, s) for phase in labelled.phases for s in range(stack.slices)]
    predicted = {frame: made.region for frame, made in classify_frames(stack, frames, models).items()}
    truth: dict[FrameIndex, Region] = {}
    for phase in labelled.phases:
        regions = reference_regions([bool(labelled.labels[phase, s].any()) for s in range(stack.slices)])
        truth.update({FrameIndex(phase, s): region for s, region in enumerate(regions)})
    routed = truth if routing == "reference" else predicted
    made = dict(segment_frames(stack, routed, models, baseline_only=routing == "baseline"))
    scores: list[FrameScore] = []
    for frame in frames:
        scores += score_frame(
            source.name,
            frame.phase,
            frame.slice_index,
            truth[frame],
            reference=labelled.labels[frame.phase, frame.slice_index],
            predicted=made[frame].labels,
            structures=labelled.phase_structures[frame.phase],
        )
    return [truth[f] for f in frames], [predicted[f] for f in frames], scores


def figures_of(scores: Sequence[FrameScore], truth: Sequence[Region], found: Sequence[Region]) -> dict[str, Any]:
    """All figures as JSON values."""
    table = confusion(truth, found)
    by_region = dice_by_region(scores)
    stacks = stack_dice(scores)
    return {
        "frames": len(truth),
        "dice": {
            label.name: {region.value: asdict(by_region[label, region]) for region in REGIONS} for label in STRUCTURES
        },
        "stack_dice": {
            label.name: asdict(summarise([value for (_, _, of), value in stacks.items() if of is label]))
            for label in STRUCTURES
        },
        "region_accuracy": accuracy(table),
        "confusion": {r.value: {p.value: n for p, n in row.items()} for r, row in table.items()},
    }


def write_frames(path: Path, scores: Sequence[FrameScore]) -> None:
    """One line per frame and label."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["patient", "phase", "slice_index", "region", "label", "dice", "reference_px", "predicted_px"])
        for s in scores:
            dice = "" if s.dice is None else f"{s.dice:.5f}"
            writer.writerow(
                [
                    s.patient,
                    s.phase,
                    s.slice_index,
                    s.region,
                    s.label.name,
                    dice,
                    s.reference_pixels,
                    s.predicted_pixels,
                ]
            )


def markdown(figures: Mapping[str, Any]) -> str:
    """The headline tables as Markdown."""
    lines = [
        f"{figures['patients']} patients, {figures['frames']} frames, routing: {figures['routing']}",
        "",
        "Dice of frames, % mean (SD), n",
        "",
        "| label | base | middle | apex | whole stack |",
        "|---|---|---|---|---|",
    ]
    for label in STRUCTURES:
        cells = [_cell(figures["dice"][label.name][r.value]) for r in (Region.BASE, Region.MIDDLE, Region.APEX)]
        lines.append(f"| {label.name} | {' | '.join(cells)} | {_cell(figures['stack_dice'][label.name])} |")
    found = figures["region_accuracy"]
    lines += ["", f"Region found: {100 * found:.1f} % of frames" if found is not None else "", ""]
    lines += ["| reference \\ predicted | " + " | ".join(r.value for r in REGIONS) + " |", "|---|---|---|---|---|"]
    for r in REGIONS:
        row = figures["confusion"][r.value]
        lines.append(f"| {r.value} | {' | '.join(str(row[p.value]) for p in REGIONS)} |")
    return "\n".join(lines) + "\n"


def _cell(summary: Mapping[str, Any]) -> str:
    if summary["mean"] is None:
        return "-"
    sd = "-" if summary["sd"] is None else f"{100 * summary['sd']:.1f}"
    return f"{100 * summary['mean']:.1f} ({sd}), {summary['n']}"
