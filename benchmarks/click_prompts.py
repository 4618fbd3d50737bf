"""What clicks bring against dabs of the brush, on frames where a model is wrong.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/click_prompts.py --data ACDC_FOLDER --split docs/results/split.json
        [--patients 8] [--frames 40] [--clicks 8]

Frames are those of patients of the split's test part, at ED and ES, where the mean Dice of the model of the frame's
region against the expert is lowest; half a hundred frames or so that a reader would correct. A simulated reader sets
each click in the middle (the pixel farthest from the rim) of the largest connected piece that is still wrong: "inside"
of the label that the expert gave it, or "outside" of the label that is wrongly there where the expert drew background.
The dab of the brush that it is compared with is set at the same kind of place, with the right label and as large as
it may be without painting anything wrong, which is better than a hand can be.

Three ways: clicks with the model's probabilities, clicks on the image alone, dabs.
"""

import argparse
import json
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from cmr_viewer.analyse import frame_probabilities, load_models
from cmr_viewer.domain.anatomy import STRUCTURES, Label, reference_regions
from cmr_viewer.domain.label_map import dice
from cmr_viewer.domain.role import Role, role_of
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.load.datasets import find_labelled
from cmr_viewer.paths import shipped_models_dir
from cmr_viewer.review.click import segment_clicks
from cmr_viewer.review.correction import Click
from cmr_viewer.review.edit import paint_line
from cmr_viewer.segment.segmenter import clean

ASKED: list[float] = []
"""Milliseconds of one core to ask a model about a frame."""


@dataclass
class Frame:
    pixels: np.ndarray
    expert: np.ndarray
    drawn: np.ndarray
    probabilities: np.ndarray
    spacing_mm: tuple[float, float]


def mean_dice(labels: np.ndarray, expert: np.ndarray) -> float:
    found = [dice(labels, expert, label) for label in STRUCTURES]
    return float(np.mean([each for each in found if each is not None] or [1.0]))


def models():
    chosen = json.loads((shipped_models_dir() / "active.json").read_text())
    return load_models({Role(role): shipped_models_dir() / name for role, name in chosen.items() if name})


def frames_of(data: Path, names: set[str], patients: int, count: int) -> list[Frame]:
    loaded, found = models(), []
    for source in [each for each in find_labelled(data) if each.name in names][:patients]:
        case = source.read()
        stack = case.study.stack
        for phase in case.phases:
            regions = reference_regions([bool(each.any()) for each in case.labels[phase]])
            for number, region in enumerate(regions):
                frame, expert = FrameIndex(phase, number), case.labels[phase, number]
                role = role_of(region)
                role = role if role in loaded.segmenters else Role.BASELINE
                if not expert.any():
                    continue
                loaded.heart_centre(stack)
                began = time.process_time()
                chances = frame_probabilities(stack, frame, role, loaded)
                ASKED.append(1000 * (time.process_time() - began))
                drawn = clean(np.argmax(chances, axis=0).astype(np.uint8))
                found.append(Frame(stack.frame(frame), expert, drawn, chances, stack.geometry.pixel_spacing_mm))
    return sorted(found, key=lambda each: mean_dice(each.drawn, each.expert))[:count]


def worst(labels: np.ndarray, expert: np.ndarray):
    """Largest wrong piece: its deepest pixel, the label it is about, whether inside, and its depth in pixels."""
    best = (0, None)
    for label in STRUCTURES:
        missing = (expert == label) & (labels != label)
        extra = (labels == label) & (expert == Label.BACKGROUND)
        for wrong, inside in ((missing, True), (extra, False)):
            pieces, count = ndimage.label(wrong)
            if count:
                sizes = np.bincount(pieces.ravel())[1:]
                if sizes.max() > best[0]:
                    depth = ndimage.distance_transform_edt(np.pad(pieces == sizes.argmax() + 1, 1))[1:-1, 1:-1]
                    at = np.unravel_index(int(depth.argmax()), depth.shape)
                    best = (int(sizes.max()), (at, label, inside, float(depth.max())))
    return best[1]


def clicked(frame: Frame, clicks: int, *, with_model: bool) -> tuple[list[float], list[float]]:
    done, labels = [], frame.drawn
    scores, seconds = [mean_dice(labels, frame.expert)], []
    for _ in range(clicks):
        error = worst(labels, frame.expert)
        if error is not None:
            at, label, inside, _ = error
            done.append(Click((float(at[0]), float(at[1])), label, inside))
            began = time.process_time()
            labels = segment_clicks(
                frame.pixels,
                frame.drawn,
                done,
                frame.spacing_mm,
                probabilities=frame.probabilities if with_model else None,
            )
            seconds.append(time.process_time() - began)
        scores.append(mean_dice(labels, frame.expert))
    return scores, seconds


def dabbed(frame: Frame, dabs: int) -> list[float]:
    labels = frame.drawn.copy()
    scores = [mean_dice(labels, frame.expert)]
    for _ in range(dabs):
        error = worst(labels, frame.expert)
        if error is not None:
            at, label, inside, depth = error
            patch = paint_line(labels, at, at, max(0.5, depth - 0.5), label if inside else Label.BACKGROUND)
            patch.apply(labels)
        scores.append(mean_dice(labels, frame.expert))
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--patients", type=int, default=8)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--clicks", type=int, default=8)
    chosen = parser.parse_args()
    names = set(json.loads(chosen.split.read_text())["test"])
    frames = frames_of(chosen.data, names, chosen.patients, chosen.frames)
    with_model = [clicked(each, chosen.clicks, with_model=True) for each in frames]
    alone = [clicked(each, chosen.clicks, with_model=False) for each in frames]
    dabs = [dabbed(each, chosen.clicks) for each in frames]
    print(f"{len(frames)} frames. Mean Dice of LVBP, LVM and RVBP, %, after so many clicks or dabs:\n")
    print("| way | " + " | ".join(str(count) for count in range(chosen.clicks + 1)) + " |")
    print("|---|" + "---|" * (chosen.clicks + 1))
    for name, scores in (
        ("clicks, with the model", [each[0] for each in with_model]),
        ("clicks, image alone", [each[0] for each in alone]),
        ("dabs of the brush", dabs),
    ):
        print(f"| {name} | " + " | ".join(f"{100 * each:.1f}" for each in np.mean(scores, axis=0)) + " |")
    print(f"\nMilliseconds of one core to ask the model, once for a frame: median {statistics.median(ASKED):.0f}.")
    for name, runs in (("with the model", with_model), ("image alone", alone)):
        taken = sorted(1000 * second for run in runs for second in run[1])
        print(
            f"\nMilliseconds of one core for a click, {name}: median {statistics.median(taken):.0f}, "
            f"95th percentile {taken[int(0.95 * len(taken))]:.0f}, worst {taken[-1]:.0f}."
        )


if __name__ == "__main__":
    main()
