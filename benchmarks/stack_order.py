"""What the order of the stack makes of the regions: fit its weights, and report what it gains.

    python benchmarks/stack_order.py look FOLDER... --output FILE [--models models] [--part validation]
    python benchmarks/stack_order.py fit FILE...
    python benchmarks/stack_order.py report FILE...
    python benchmarks/stack_order.py time FOLDER [--models models]

`look` runs the classifier and the segmentation models of a models folder over labelled patients (ACDC_FOLDER,
MNMS_A_FOLDER, SCD_FOLDER; of SCD all patients, whatever the part) and writes down what `fit` and `report` need. `fit`
prints the weights of `cmr_viewer/classify/stack_order.py` that make the reference regions most probable: fit on the
validation part, with models that were not trained on it. `report` prints how many frames have the right region, how
many frames are wrongly marked or missed, and Dice. `time` analyses the first stack of a study with and without the
order of the stack.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cmr_viewer.analyse import Models, analyse, segment_frames
from cmr_viewer.classify.in_stack import StackFrames, frames_of_stack
from cmr_viewer.classify.stack_order import WEIGHTS, OrderWeights, decode, log_likelihoods
from cmr_viewer.commands.service import models_in
from cmr_viewer.domain.anatomy import REGIONS, STRUCTURES, Region, reference_regions
from cmr_viewer.domain.annotation import RegionPrediction
from cmr_viewer.domain.role import Role, role_of
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.load.datasets import LabelledStack, find_labelled
from cmr_viewer.load.study import open_study
from cmr_viewer.prepare.grid import working_spacing_mm
from cmr_viewer.route.router import SURELY_NON_CARDIAC
from cmr_viewer.train.split import Split, read_split

ROOT = Path(__file__).resolve().parents[1]
SEGMENTERS = (Role.BASELINE, Role.BASE, Role.MIDDLE, Role.APEX)
FITTED = (
    *("classifier", "shares", "heart_at_none", "heart_per_decade", "base_at_none", "base_per_decade", "heart_most"),
    *("move", "slack"),
)

START = OrderWeights(
    classifier=0.5,
    shares=0.4,
    heart_at_none=-1.5,
    heart_per_decade=1.3,
    base_at_none=-2.0,
    base_per_decade=1.3,
    heart_most=3.5,
    move=0.6,
    slack=4.0,
    nothing=WEIGHTS.nothing,
)
"""Where the fit starts, and what it is drawn to: a few frames must not give a weight an extreme value."""

DRAWN_TO_START = 2.0
"""Weight of that pull: a weight that has doubled costs as much as this many frames at a likelihood of 1/e."""

LEAST_POSTERIOR = 1e-6
"""One frame with an impossible region does not decide the fit."""


@dataclass(frozen=True, eq=False)
class Looked:
    """What the models say of a labelled stack.

    Attributes:
        probabilities: (phase, slice, 4) of the classifier.
        drawn_mm2: (phase, slice) area that the baseline draws.
        truth: Per labelled phase: (slice,) index into `REGIONS`.
        pixels: Per labelled phase: (slice, model, 3 structures, [overlap, predicted, reference]).
        printed: Per labelled phase: which structures the reference tells of.
    """

    name: str
    group: str
    probabilities: NDArray[np.float64]
    drawn_mm2: NDArray[np.float64]
    truth: dict[int, NDArray[np.int64]]
    pixels: dict[int, NDArray[np.int64]]
    printed: dict[int, list[bool]]

    def frames(self, weights: OrderWeights = WEIGHTS) -> StackFrames:
        phases, slices = self.drawn_mm2.shape
        alone = {
            FrameIndex(p, s): RegionPrediction(tuple(self.probabilities[p, s].tolist()), "")
            for p in range(phases)
            for s in range(slices)
        }
        return frames_of_stack(alone, phases=phases, slices=slices, weights=weights)


# ---------------------------------------------------------------------------------------------- look


def look(arguments: argparse.Namespace) -> None:
    models = models_in(arguments.models, "auto")
    split = read_split(arguments.split) if arguments.split.exists() else Split()
    sources = [source for folder in arguments.folders for source in find_labelled(folder)]
    chosen = [s for s in sources if s.group == "scd" or split.part_of(s.name) == arguments.part]
    with arguments.output.open("w", encoding="utf-8") as file:
        for source in chosen:
            labelled = source.read()
            file.write(json.dumps({"name": source.name, "group": source.group, **_looked_at(labelled, models)}) + "\n")
            print(source.name, file=sys.stderr, flush=True)


def _looked_at(labelled: LabelledStack, models: Models) -> dict[str, Any]:
    stack = labelled.study.stack
    centre = models.heart_centre(stack)
    pixel_mm2 = float(np.prod(working_spacing_mm(stack.geometry)))
    probabilities, drawn, pixels = [], [], {}
    for phase in range(stack.phases):
        frames = [FrameIndex(phase, s) for s in range(stack.slices)]
        probabilities.append([p.probabilities for p in models.classifier.predict_frames(stack, frames, centre)])
        roles = SEGMENTERS if phase in labelled.phases else SEGMENTERS[:1]
        serving = [models.segmenters.get(role, models.segmenters[Role.BASELINE]) for role in roles]
        maps = [segmenter.predict_frames(stack, frames, centre) for segmenter in serving]
        drawn.append([np.count_nonzero(labels) * pixel_mm2 for labels in maps[0]])
        if phase in labelled.phases:
            reference = labelled.labels[phase]
            pixels[phase] = [
                [[_pixels(of[s], reference[s], k) for k in STRUCTURES] for of in maps] for s in range(stack.slices)
            ]
    return {
        "probabilities": probabilities,
        "drawn_mm2": drawn,
        "pixels": pixels,
        "printed": {phase: [k in labelled.phase_structures[phase] for k in STRUCTURES] for phase in labelled.phases},
    }


def _pixels(found: Any, true: Any, label: int) -> list[int]:
    a, b = found == label, true == label
    return [int((a & b).sum()), int(a.sum()), int(b.sum())]


def read(paths: list[Path]) -> list[Looked]:
    stacks = []
    for line in (line for path in paths for line in path.read_text(encoding="utf-8").splitlines()):
        one = json.loads(line)
        pixels = {int(phase): np.array(of) for phase, of in one["pixels"].items()}
        truth = {}
        for phase, of in pixels.items():
            regions = reference_regions((of[:, 0, :, 2].sum(axis=1) > 0).tolist())
            truth[phase] = np.array([REGIONS.index(r) for r in regions])
        printed = {int(phase): of for phase, of in one["printed"].items()}
        probabilities, drawn = np.array(one["probabilities"]), np.array(one["drawn_mm2"])
        stacks.append(Looked(one["name"], one["group"], probabilities, drawn, truth, pixels, printed))
    return stacks


# ---------------------------------------------------------------------------------------------- fit


def surprise(stacks: list[Looked], weights: OrderWeights) -> tuple[float, int]:
    """Sum over frames of minus the log probability of the reference region, and the number of frames."""
    total, count = 0.0, 0
    for stack in stacks:
        printed = log_likelihoods(stack.probabilities, stack.drawn_mm2, weights)
        posterior = decode(printed, closed=len(printed) > 1, weights=weights).posterior
        for phase, regions in stack.truth.items():
            chances = posterior[phase, np.arange(len(regions)), regions]
            total -= float(np.log(np.maximum(chances, LEAST_POSTERIOR)).sum())
            count += len(regions)
    return total, count


def fit(arguments: argparse.Namespace) -> None:
    stacks = read(arguments.files)
    start = np.array([getattr(START, name) for name in FITTED])

    def weights_of(values: NDArray[np.float64]) -> OrderWeights:
        return replace(START, **{n: float(np.copysign(v, s)) for n, v, s in zip(FITTED, values, start, strict=True)})

    def cost(values: NDArray[np.float64]) -> float:
        return surprise(stacks, weights_of(values))[0] + DRAWN_TO_START * float(((values / start - 1.0) ** 2).sum())

    found = optimize.minimize(cost, start, method="Nelder-Mead", options={"maxiter": 600, "xatol": 0.02, "fatol": 0.02})
    weights = weights_of(found.x)
    for name, value in vars(weights).items():
        print(f"    {name}={value:.2f},")
    for text, of in (("start", START), ("in use", WEIGHTS), ("fitted", weights)):
        total, count = surprise(stacks, of)
        print(f"{text}: mean surprise {total / count:.4f} over {count} frames of {len(stacks)} patients")


# ---------------------------------------------------------------------------------------------- report


@dataclass(frozen=True, eq=False)
class Ways:
    """Regions of a stack, (phase, slice), found in several ways, and the certainty of the last."""

    alone: NDArray[np.int64]
    order: NDArray[np.int64]
    asked: NDArray[np.int64]
    all_asked: NDArray[np.int64]
    none: NDArray[np.float64]
    share_asked: float


def ways(stack: Looked) -> Ways:
    frames, shape = stack.frames(), stack.drawn_mm2.shape
    to_ask = frames.to_ask()
    everything = {FrameIndex(*at): float(area) for at, area in np.ndenumerate(stack.drawn_mm2)}

    def regions(found: dict[FrameIndex, RegionPrediction]) -> NDArray[np.int64]:
        return np.array([REGIONS.index(found[at].region) for at in sorted(found)]).reshape(shape)

    asked = frames.in_stack({at: everything[at] for at in to_ask})
    none = np.array([asked[at].of(Region.NON_CARDIAC) for at in sorted(asked)]).reshape(shape)
    return Ways(
        stack.probabilities.argmax(axis=2),
        regions(frames.in_stack({})),
        regions(asked),
        regions(frames.in_stack(everything)),
        none,
        len(to_ask) / stack.drawn_mm2.size,
    )


def report(arguments: argparse.Namespace) -> None:
    stacks = read(arguments.files)
    found = {stack.name: ways(stack) for stack in stacks}
    groups = {"all": stacks, **{g: [s for s in stacks if s.group == g] for g in sorted({s.group for s in stacks})}}
    for name, members in groups.items():
        frames = sum(len(regions) for stack in members for regions in stack.truth.values())
        print(f"\n{name}: {len(members)} patients, {frames} frames\n")
        print("| regions | right |\n|---|---|")
        texts = {
            "alone": "frame alone",
            "order": "order of the stack",
            "asked": "and the baseline, as the program asks it",
            "all_asked": "and the baseline, asked about every frame",
        }
        for way, text in texts.items():
            print(f"| {text} | {100 * _right(members, found, way) / frames:.1f} % |")
        print(f"\nThe baseline is asked about {100 * np.mean([found[s.name].share_asked for s in members]):.0f} %.\n")
        print("| routing | wrongly marked | missed | Dice of stacks: LVBP LVM RVBP | base | middle | apex |")
        print("|---|---|---|---|---|---|---|")
        for text, choose in routings(found).items():
            print(f"| {text} | {_scores(members, choose)} |")


def _right(stacks: list[Looked], found: dict[str, Ways], way: str) -> int:
    return sum(int((getattr(found[s.name], way)[p] == truth).sum()) for s in stacks for p, truth in s.truth.items())


Choose = Callable[[Looked, int], NDArray[np.int64]]
"""(stack, phase) -> (slice,) index into `SEGMENTERS`, or -1 where nothing is to be marked."""

OF_REGION = np.array([SEGMENTERS.index(role_of(region)) for region in REGIONS])
NONE = REGIONS.index(Region.NON_CARDIAC)


def routings(found: dict[str, Ways]) -> dict[str, Choose]:
    def by_order(bound: float, *, specialists: bool) -> Choose:
        def choose(stack: Looked, phase: int) -> NDArray[np.int64]:
            way = found[stack.name]
            model = OF_REGION[way.asked[phase]] if specialists else np.zeros(way.asked.shape[1], dtype=np.int64)
            return np.where((way.asked[phase] == NONE) & (way.none[phase] >= bound), -1, model)

        return choose

    bounds = sorted({SURELY_NON_CARDIAC, 0.6, 0.7, 0.9})
    return {
        "baseline": lambda stack, phase: np.zeros(stack.drawn_mm2.shape[1], dtype=np.int64),
        **{f"baseline, empty from {b:.2f}": by_order(b, specialists=False) for b in bounds},
        "specialists, frame alone": lambda stack, phase: OF_REGION[found[stack.name].alone[phase]],
        "specialists, order": by_order(2.0, specialists=True),
        **{f"specialists, order, empty from {b:.2f}": by_order(b, specialists=True) for b in bounds},
        "specialists, reference": lambda stack, phase: OF_REGION[stack.truth[phase]],
        "specialists, reference, empty": lambda stack, phase: np.where(
            stack.truth[phase] == NONE, -1, OF_REGION[stack.truth[phase]]
        ),
    }


def _scores(stacks: list[Looked], choose: Choose) -> str:
    wrong = outside = missed = heart = 0
    whole: dict[int, list[float]] = {k: [] for k in range(3)}
    by_region: dict[tuple[int, int], list[float]] = {}
    for stack in stacks:
        for phase, truth in stack.truth.items():
            chosen, of = choose(stack, phase), stack.pixels[phase]
            slices, printed = np.arange(len(truth)), np.array(stack.printed[phase])
            counts = (
                of[slices, np.maximum(chosen, 0)] * printed[:, None]
            )  # (slice, structure, [overlap, predicted, true])
            counts[chosen < 0, :, :2] = 0
            marked, true = counts[:, :, 1].any(axis=1), counts[:, :, 2].any(axis=1)
            wrong, outside = wrong + int((marked & (truth == NONE)).sum()), outside + int((truth == NONE).sum())
            missed, heart = missed + int((true & ~marked).sum()), heart + int(true.sum())
            for k in range(3):
                overlap, predicted, reference = counts[:, k].sum(axis=0)
                if reference:
                    whole[k].append(2 * overlap / (predicted + reference))
                for s in np.flatnonzero(counts[:, k, 2]):
                    dice = 2 * counts[s, k, 0] / counts[s, k, 1:].sum()
                    by_region.setdefault((int(truth[s]), k), []).append(dice)
    cells = [_means(list(whole.values()))]
    cells += [_means([by_region.get((region, k), []) for k in range(3)]) for region in range(3)]
    return f"{wrong}/{outside} | {missed}/{heart} | {' | '.join(cells)}"


def _means(groups: list[list[float]]) -> str:
    return " ".join(f"{100 * np.mean(values):.1f}" if values else "-" for values in groups)


# ---------------------------------------------------------------------------------------------- time


def measure_time(arguments: argparse.Namespace) -> None:
    models, stack = models_in(arguments.models, "auto"), open_study(arguments.folders[0]).stack
    frames = stack.frame_indices
    models.heart_centre(stack)
    list(segment_frames(stack, dict.fromkeys(frames[:8], Region.MIDDLE), models))  # the first batches are slower
    for turn in range(arguments.turns):
        start = time.perf_counter()
        batches = [frames[i : i + 8] for i in range(0, len(frames), 8)]
        centre = models.heart_centre(stack)
        said = {
            f: p for b in batches for f, p in zip(b, models.classifier.predict_frames(stack, b, centre), strict=True)
        }
        list(segment_frames(stack, {f: p.region for f, p in said.items()}, models))
        alone = time.perf_counter()
        empty = sum(
            r.prediction is not None and "nothing is marked" in r.prediction.reason for r in analyse(stack, models)
        )
        ended = time.perf_counter()
        asked = frames_of_stack(said, phases=stack.phases, slices=stack.slices).to_ask()
        print(
            f"{turn + 1}: {len(frames)} frames, {alone - start:.1f} s frame by frame; {ended - alone:.1f} s in the "
            f"order of the stack, the baseline asked about {len(asked)} frames and {empty} left empty",
            flush=True,
        )
    start = time.perf_counter()
    frames_of_stack(said, phases=stack.phases, slices=stack.slices).in_stack(dict.fromkeys(asked, 500.0))
    print(f"The order alone takes {1000 * (time.perf_counter() - start):.0f} ms.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("look")
    command.add_argument("folders", type=Path, nargs="+")
    command.add_argument("--output", type=Path, required=True)
    command.add_argument("--models", type=Path, default=ROOT / "models")
    command.add_argument("--part", choices=("train", "validation", "test"), default="validation")
    command.add_argument("--split", type=Path, default=ROOT / "docs" / "results" / "split.json")
    command.set_defaults(run=look)
    for name, run in (("fit", fit), ("report", report)):
        command = commands.add_parser(name)
        command.add_argument("files", type=Path, nargs="+")
        command.set_defaults(run=run)
    command = commands.add_parser("time")
    command.add_argument("folders", type=Path, nargs=1)
    command.add_argument("--models", type=Path, default=ROOT / "models")
    command.add_argument("--turns", type=int, default=2)
    command.set_defaults(run=measure_time)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
