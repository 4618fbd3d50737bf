"""Is the review queue's order worth something: millilitres of error found in the frames that are looked at first.

    python benchmarks/queue_value.py look FOLDER --output FILE [--part validation|test] [--models models]
    python benchmarks/queue_value.py fit FILE
    python benchmarks/queue_value.py report FILE

`look` runs the shipped models over the ED and ES frames of labelled patients (ACDC_FOLDER: the sets without known
spacing have no millilitres) and writes down the label maps of every model, the regions and the expert's label maps.
`fit` prints the chances of `cmr_viewer/review/queue.py`: from the validation part, which the queue is not measured on.
`report` orders the frames of each patient as the program does, by certainty as before, and as they lie in the stack,
and prints how much of the error is in the first frames.

The error of a frame, in ml: what replacing its label map by the expert's would change in the volumes that count at its
phase (blood pools; at ED the myocardium too), added up.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cmr_viewer.analyse import Models
from cmr_viewer.classify.in_stack import frames_of_stack
from cmr_viewer.commands.service import models_in
from cmr_viewer.domain.anatomy import REGIONS, Region, reference_regions
from cmr_viewer.domain.annotation import RegionPrediction
from cmr_viewer.domain.measures.volumes import label_counts, voxel_volume_ml
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.load.datasets import find_labelled
from cmr_viewer.prepare.grid import working_spacing_mm
from cmr_viewer.review.queue import WRONG_ML, FrameReview, FrameStakes, Opinion, queue, stake_of
from cmr_viewer.review.stack_checks import StackChecks
from cmr_viewer.review.what_if import at_stake_ml
from cmr_viewer.route.router import route
from cmr_viewer.train.split import read_split

ROOT = Path(__file__).resolve().parents[1]
ROLES = (Role.BASELINE, Role.BASE, Role.APEX)


@dataclass(frozen=True, eq=False)
class Patient:
    """What the models and the expert say of a patient's ED and ES frames.

    Attributes:
        name: Pseudonym.
        maps: (model, phase, slice, row, col) label maps, models as `ROLES`; phases ED, ES.
        expert: (phase, slice, row, col).
        chances: (phase, slice, 4) of the classifier, the frame alone.
        pixel_mm2: Area of a pixel.
        voxel_ml: Volume of a voxel.
    """

    name: str
    maps: NDArray[np.uint8]
    expert: NDArray[np.uint8]
    chances: NDArray[np.float64]
    pixel_mm2: float
    voxel_ml: float

    def regions(self) -> dict[FrameIndex, RegionPrediction]:
        phases, slices = self.chances.shape[:2]
        alone = {
            FrameIndex(p, s): RegionPrediction(tuple(self.chances[p, s].tolist()), "classifier")
            for p in range(phases)
            for s in range(slices)
        }
        frames = frames_of_stack(alone, phases=phases, slices=slices)
        asked = {at: float(np.count_nonzero(self.maps[0][at]) * self.pixel_mm2) for at in frames.to_ask()}
        return frames.in_stack(asked)


def look(arguments: argparse.Namespace) -> None:
    models, split = models_in(arguments.models, "cpu"), read_split(arguments.split)
    arrays: dict[str, Any] = {}
    for source in (s for s in find_labelled(arguments.folder) if split.part_of(s.name) == arguments.part):
        labelled = source.read()
        stack, phases = labelled.study.stack, labelled.phases
        centre = models.heart_centre(stack)
        frames = [FrameIndex(p, s) for p in phases for s in range(stack.slices)]
        shape = (len(phases), stack.slices, stack.geometry.rows, stack.geometry.cols)
        said = models.classifier.predict_frames(stack, frames, centre)
        maps = [np.stack(_maps(models, role, labelled, frames, centre)).reshape(shape) for role in ROLES]
        name = source.name
        arrays[f"{name}.maps"], arrays[f"{name}.expert"] = np.stack(maps), labelled.labels[list(phases)]
        arrays[f"{name}.chances"] = np.array([p.probabilities for p in said]).reshape(*shape[:2], 4)
        arrays[f"{name}.spacing"] = np.array([np.prod(working_spacing_mm(stack.geometry)), _voxel_ml(stack.geometry)])
        print(name, file=sys.stderr, flush=True)
    np.savez_compressed(arguments.output, **arrays)


def _maps(models: Models, role: Role, labelled: Any, frames: Any, centre: Any) -> list[Any]:
    return models.segmenters[role].predict_frames(labelled.study.stack, frames, centre)


def _voxel_ml(geometry: Any) -> float:
    ml, why = voxel_volume_ml(geometry)
    if ml is None:
        raise SystemExit(why)
    return ml


def read(path: Path) -> list[Patient]:
    with np.load(path) as file:
        names = sorted({key.rsplit(".", 1)[0] for key in file.files})
        return [
            Patient(n, file[f"{n}.maps"], file[f"{n}.expert"], file[f"{n}.chances"], *file[f"{n}.spacing"].tolist())
            for n in names
        ]


@dataclass(frozen=True, eq=False)
class Judged:
    """A frame as the program shows it, what is at stake in it, and how far it is from the expert's."""

    frame: FrameIndex
    prediction: RegionPrediction
    review: FrameReview
    error_ml: float
    region_right: bool


def judge(patient: Patient) -> list[Judged]:
    regions, (phases, slices) = patient.regions(), patient.chances.shape[:2]
    active = {role: role.value for role in ROLES}
    checks, shown = StackChecks(phases, slices), {}
    for frame, said in regions.items():
        way = route(said.region, active=active, certainty=said.probability)
        shown[frame] = _pixels_of(patient, frame, None if way.empty else way.model_id), way
        model = None if way.empty else way.model_id
        labels = patient.maps[0][frame] * 0 if model is None else patient.maps[_number(model)][frame]
        checks.put(frame, labels, said.region)
    findings = checks.findings(0, phases - 1)
    found = []
    for frame, said in regions.items():
        pixels, way = shown[frame]
        ends = {"is_ed": frame.phase == 0, "is_es": frame.phase == phases - 1}
        if_region = {}
        for region in REGIONS:
            other = route(region, active=active, by="reader")
            if region is not said.region:
                if_region[region] = Opinion("", _pixels_of(patient, frame, None if other.empty else other.model_id))
        opinions = [Opinion(m, _pixels_of(patient, frame, m)) for m in active.values() if m != way.model_id]
        stake = stake_of(
            FrameStakes(
                region=said.region,
                by_reader=False,
                chances={region: said.of(region) for region in REGIONS},
                pixels=pixels,
                if_region=if_region,
                opinions=[] if said.region is Region.NON_CARDIAC else opinions,
                findings=findings.get(frame, ()),
                **ends,
            ),
            patient.voxel_ml,
        )
        expert = patient.expert[frame]
        error = at_stake_ml(pixels, label_counts(expert), voxel_ml=patient.voxel_ml, **ends)
        true = reference_regions(patient.expert[frame.phase].any(axis=(1, 2)).tolist())[frame.slice_index]
        review = FrameReview(said.region, said.probability, stake=stake)
        found.append(Judged(frame, said, review, error, true is said.region))
    return found


def _number(model: str) -> int:
    return [role.value for role in ROLES].index(model)


def _pixels_of(patient: Patient, frame: FrameIndex, model: str | None) -> NDArray[np.int64]:
    if model is None:
        return np.zeros(4, dtype=np.int64)
    return label_counts(patient.maps[_number(model)][frame])


def fit(arguments: argparse.Namespace) -> None:
    frames = [one for patient in read(arguments.file) for one in judge(patient)]
    print("| region | frames | masks wrong, % | region wrong, % | said by the classifier, % |")
    print("|---|---|---|---|---|")
    for region in REGIONS:
        of = [one for one in frames if one.prediction.region is region]
        if of:
            wrong = 100 * np.mean([one.error_ml > WRONG_ML for one in of])
            other = 100 * np.mean([not one.region_right for one in of])
            said = 100 * np.mean([1.0 - one.prediction.probability for one in of])
            print(f"| {region.text} | {len(of)} | {wrong:.0f} | {other:.1f} | {said:.1f} |")


Order = Callable[[list[Judged]], list[FrameIndex]]


def by_stake(frames: list[Judged]) -> list[FrameIndex]:
    return [one.frame for one in queue({each.frame: each.review for each in frames})]


def by_certainty(frames: list[Judged]) -> list[FrameIndex]:
    without = {e.frame: FrameReview(e.review.region, e.review.probability) for e in frames}
    return [one.frame for one in queue(without)]


def by_stack(frames: list[Judged]) -> list[FrameIndex]:
    return sorted(one.frame for one in frames)


def by_error(frames: list[Judged]) -> list[FrameIndex]:
    return [one.frame for one in sorted(frames, key=lambda one: -one.error_ml)]


FIRST = (1, 2, 3, 5, 8, 12)


def report(arguments: argparse.Namespace) -> None:
    patients = [judge(patient) for patient in read(arguments.file)]
    total = [sum(one.error_ml for one in frames) for frames in patients]
    frames = sum(len(one) for one in patients)
    print(f"{len(patients)} patients, {frames} frames at ED and ES, {np.mean(total):.1f} ml of error a patient.\n")
    print(
        "Share of a patient's error, in %, that is in the first frames that are looked at (mean over patients, and in"
    )
    print("brackets the standard error):\n")
    print("| order | " + " | ".join(f"first {k}" for k in FIRST) + " |\n|---|" + "---|" * len(FIRST))
    ways: dict[str, Order] = {
        "millilitres at stake": by_stake,
        "certainty of the region": by_certainty,
        "order of the stack": by_stack,
        "best possible": by_error,
    }
    shares = {name: np.array([_shares(of, order(of)) for of in patients]) for name, order in ways.items()}
    for name, share in shares.items():
        spread = share.std(axis=0, ddof=1) / np.sqrt(len(share))
        print(
            f"| {name} | " + " | ".join(f"{m:.0f} ({s:.0f})" for m, s in zip(share.mean(0), spread, strict=True)) + " |"
        )
    stake = shares["millilitres at stake"]
    for other in ("certainty of the region", "order of the stack"):
        difference = stake - shares[other]
        better = [(difference[:, k] > 1e-9).sum() for k in range(len(FIRST))]
        worse = [(difference[:, k] < -1e-9).sum() for k in range(len(FIRST))]
        pairs = ", ".join(f"{b} and {w}" for b, w in zip(better, worse, strict=True))
        print(f"\nAgainst {other}, patients with more and with less found: {pairs}.")
    errors = np.array([one.error_ml for of in patients for one in of])
    said = np.array([one.review.stake.ml if one.review.stake else 0.0 for of in patients for one in of])
    print(f"\nAt stake and found, over all frames: correlation {np.corrcoef(errors, said)[0, 1]:.2f}.")


def _shares(frames: list[Judged], order: list[FrameIndex]) -> list[float]:
    error = {one.frame: one.error_ml for one in frames}
    total = sum(error.values())
    return [100.0 * sum(error[frame] for frame in order[:k]) / total for k in FIRST]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ways = parser.add_subparsers(required=True)
    one = ways.add_parser("look")
    one.add_argument("folder", type=Path)
    one.add_argument("--output", type=Path, required=True)
    one.add_argument("--part", default="test")
    one.add_argument("--models", type=Path, default=ROOT / "models")
    one.add_argument("--split", type=Path, default=ROOT / "docs" / "results" / "split.json")
    one.set_defaults(run=look)
    for name, run in (("fit", fit), ("report", report)):
        other = ways.add_parser(name)
        other.add_argument("file", type=Path)
        other.set_defaults(run=run)
    chosen = parser.parse_args()
    chosen.run(chosen)
