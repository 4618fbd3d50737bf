"""The experiments of the paper on public data: every model trained, every run measured, every table written.

    python benchmarks/paper/experiments.py --data ACDC_FOLDER MNMS_A_FOLDER SCD_FOLDER --work WORK_FOLDER \
        --baseline models/BASELINE --results docs/results STEP...

Steps, in this order:

    classifiers   train the seven classifiers, and the best of the paper with the weighted loss
    approaches    continue the baseline with equal batches: as it was (control), by approach 1 low and high, and as the
                  three specialists of approach 2
    measure       measure all of them on the test part
    tables        write the results

What is there already is not done again, and a training that was stopped goes on from its checkpoint. Everything is
seeded. Trainings run one after the other on the number of threads that --threads names.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.paper import published  # noqa: E402
from cmr_viewer.classify.region_classifier import load_classifier  # noqa: E402
from cmr_viewer.commands import compare, evaluate  # noqa: E402
from cmr_viewer.domain.role import SPECIALISTS, Role  # noqa: E402
from cmr_viewer.domain.study import FrameIndex  # noqa: E402
from cmr_viewer.evaluate.regions import FrameRegions, classification  # noqa: E402
from cmr_viewer.evaluate.runs import places_of  # noqa: E402
from cmr_viewer.load.datasets import find_labelled  # noqa: E402
from cmr_viewer.networks.catalogue import CLASSIFIERS  # noqa: E402
from cmr_viewer.prepare.plan import read_plan  # noqa: E402
from cmr_viewer.segment.segmenter import heart_centre, load_segmenter  # noqa: E402
from cmr_viewer.train.spec import (  # noqa: E402
    TrainingSpec,
    as_toml,
    default_spec,
)
from cmr_viewer.train.split import Split  # noqa: E402

PAPERS_BEST = "densenet121"
WEIGHTED = f"{PAPERS_BEST}-weighted"
IN_THE_PAPER = {
    "alexnet": "AlexNet",
    "densenet121": "DenseNet",
    "mobilenet_v2": "MobileNet",
    "resnet18": "ResNet",
    "shufflenet_v2": "ShuffleNet",
    "squeezenet": "SqueezeNet",
    "vgg11_bn": "VGG",
}
SEED = 11
FAST_ALLOCATOR = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "100000000000"}


def classifier_specs(batches: int) -> dict[str, TrainingSpec]:
    """The paper's classifiers: Adam at 5e-4, unweighted loss; and its best with the weighted loss."""

    def spec(architecture: str, weighted: bool) -> TrainingSpec:
        return default_spec(
            Role.CLASSIFIER,
            architecture=architecture,
            spacing_mm=2.0,
            rows=96,
            cols=96,
            shift_px=8.0,
            iterations=batches,
            batch=24,
            optimizer="adam",
            weight_decay=0.0,
            learning_rate=5e-4,
            average=0.99,
            validate_every=max(1, batches // 10),
            weighted_loss=weighted,
            seed=SEED,
        )

    return {**{name: spec(name, False) for name in CLASSIFIERS}, WEIGHTED: spec(PAPERS_BEST, True)}


def approach_specs(baseline: TrainingSpec, batches: int) -> dict[str, TrainingSpec]:
    """The baseline continued in its own way, by approach 1 and by approach 2, all alike but for the frames they see."""
    shared = {
        **{name: value for name, value in baseline.as_dict().items() if name not in ("role", "seed")},
        "iterations": batches,
        "learning_rate": 3e-4,
        "average": 0.99,
        "focus_share": 1.0,
        "validate_every": max(1, batches // 7),
        "seed": SEED,
    }
    ways = {"control": 1.0, "low": 4.0, "high": 20.0}
    specs = {name: default_spec(Role.BASELINE, **{**shared, "ends_ratio": ratio}) for name, ratio in ways.items()}
    return {**specs, **{role.value: default_spec(role, **shared) for role in SPECIALISTS}}


def train(name: str, spec: TrainingSpec, options: Namespace, start_from: Path | None = None) -> None:
    """Train one model into the work folder, unless it is there."""
    folder = options.work / "models" / name
    if (folder / "plan.json").exists():
        return
    specs = options.work / "specs"
    specs.mkdir(parents=True, exist_ok=True)
    (specs / f"{name}.toml").write_text(as_toml(spec), encoding="utf-8")
    command = [sys.executable, "-m", "cmr_viewer", "train", "--spec", str(specs / f"{name}.toml"), "--data"]
    command += [*map(str, options.data), "--output", str(folder), "--threads", str(options.threads)]
    command += ["--start-from", str(start_from)] if start_from else []
    print(name, flush=True)
    environment = {**os.environ, **FAST_ALLOCATOR, "OMP_NUM_THREADS": str(options.threads)}
    subprocess.run(command, check=True, env=environment)


def models_folder(options: Namespace, name: str, roles: Mapping[Role, Path]) -> Path:
    """A models folder that puts these models in service."""
    folder: Path = options.work / "services" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in roles.values():
        shutil.copytree(path, folder / read_plan(path).model_id, dirs_exist_ok=True)
    active = {role.value: read_plan(path).model_id for role, path in roles.items()}
    (folder / "active.json").write_text(json.dumps(active), encoding="utf-8")
    return folder


def measure_classifiers(options: Namespace) -> None:
    """Regions of the test part by each classifier, every frame by itself, as in the paper."""
    path = options.work / "classifiers.json"
    names = [name for name in [*CLASSIFIERS, WEIGHTED] if (options.work / "models" / name / "plan.json").exists()]
    done: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    missing = [name for name in names if name not in done]
    if not missing:
        return
    cpu = torch.device("cpu")
    finder = load_segmenter(options.baseline, cpu)
    classifiers = {name: load_classifier(options.work / "models" / name, cpu) for name in missing}
    frames: dict[str, list[FrameRegions]] = {name: [] for name in missing}
    for source in (s for folder in options.data for s in find_labelled(folder)):
        if Split().part_of(source.name) != "test":
            continue
        labelled = source.read()
        stack = labelled.study.stack
        centre = heart_centre(stack, finder)
        places = places_of(labelled, source)
        wanted: list[FrameIndex] = list(places)
        for name, classifier in classifiers.items():
            predictions = classifier.predict_frames(stack, wanted, centre)
            frames[name] += [
                FrameRegions(places[f], {"predicted": made.argmax}, "")
                for f, made in zip(wanted, predictions, strict=True)
            ]
    for name, regions in frames.items():
        plan = read_plan(options.work / "models" / name)
        scores = classification(regions).as_json()
        done[name] = {**scores, "frames": len(regions), "batches": plan.training["spec"]["iterations"]}
    path.write_text(json.dumps(done, indent=2) + "\n", encoding="utf-8")


def measure_run(options: Namespace, name: str, models: Path, routing: str) -> None:
    """One run of `cmr-viewer evaluate` on the test part, unless it is there."""
    folder = options.work / "runs" / name
    if (folder / "figures.json").exists():
        return
    print(name, flush=True)
    given = {"data": options.data, "models": models, "output": folder, "routing": routing, "device": "cpu"}
    if evaluate.run(Namespace(**given, split="test", split_file=None, save_labels=False)):
        sys.exit("Not all patients could be read.")


def measure(options: Namespace) -> None:
    """All runs, and what differs between them."""
    measure_classifiers(options)
    models = options.work / "models"
    classifier = {Role.CLASSIFIER: options.classifier or models / PAPERS_BEST}
    for name in ("control", "low", "high"):
        folder = models_folder(options, name, {**classifier, Role.BASELINE: models / name})
        measure_run(options, name, folder, "baseline")
    specialists = {role: models / role.value for role in SPECIALISTS}
    folder = models_folder(options, "approach-2", {**classifier, Role.BASELINE: models / "control", **specialists})
    measure_run(options, "approach-2", folder, "predicted")
    measure_run(options, "upper-bound", folder, "reference")
    runs = options.work / "runs"
    compare.run(
        Namespace(
            baseline=runs / "control",
            runs=[runs / name for name in ("low", "high", "approach-2", "upper-bound")],
            names="baseline,approach 1 low,approach 1 high,approach 2,upper bound",
            output=options.work / "comparison",
        )
    )


def machine() -> str:
    """What this ran on, for the tables."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{os.cpu_count()} CPUs, {name}; torch {torch.__version__}"


def table_2(options: Namespace) -> list[str]:
    """The seven classifiers beside the paper's."""
    found: dict[str, Any] = json.loads((options.work / "classifiers.json").read_text(encoding="utf-8"))
    lines = [
        "| classifier | precision % | recall % | accuracy % | paper: precision % | recall % |",
        "|---|---|---|---|---|---|",
    ]
    for name, scores in found.items():
        paper = published.TABLE_2.get(IN_THE_PAPER.get(name, ""))
        theirs = f"{paper[0]:.2f} | {paper[1]:.2f}" if paper else "- | -"
        weighted = scores["weighted"]
        ours = f"{100 * weighted['precision']:.1f} | {100 * weighted['recall']:.1f} | {100 * scores['accuracy']:.1f}"
        lines.append(f"| {name} | {ours} | {theirs} |")
    counts = {(scores["frames"], scores["batches"]) for scores in found.values()}
    sizes = "; ".join(f"{frames} frames, {batches} batches of 24" for frames, batches in sorted(counts))
    return [
        "Precision and recall, weighted by the frames of each region. Each frame is classified alone.",
        "",
        *lines,
        "",
        sizes,
    ]


def tables(options: Namespace) -> None:
    """Write the results: what was measured, beside the paper, with its command."""
    results: Path = options.results
    results.mkdir(parents=True, exist_ok=True)
    command = "python benchmarks/paper/experiments.py --data ACDC_FOLDER MNMS_A_FOLDER SCD_FOLDER --work WORK_FOLDER"
    about = [
        f"Made with `{command} ...` (see its docstring), seed {SEED}; {machine()}.",
        "[split.json](split.json) lists the patients of each part. All figures here are from the test part.",
        "",
    ]
    (results / "classifiers.md").write_text(
        "\n".join(["# Table 2: the seven classifiers", "", *about, *table_2(options), ""]), encoding="utf-8"
    )
    spec = read_plan(options.work / "models" / "control").training["spec"]
    budget = (
        f"All runs, including the baseline of this table (`control`), continue `{options.baseline.name}` for "
        f"{spec['iterations']} batches of {spec['batch']} at {spec['learning_rate']:g}. They differ only in the frames "
        "that they see. Frames are routed by predicted regions, as in the program, and in the upper bound by reference "
        "regions."
    )
    comparison = options.work / "comparison"
    text = (comparison / "tables.md").read_text(encoding="utf-8")
    (results / "approaches.md").write_text(
        "\n".join(
            [
                "# Table 3 and figure 2: the approaches",
                "",
                *about,
                budget,
                "",
                text,
                "## Table 3 of the paper",
                "",
                published.table_3(),
                "",
            ]
        ),
        encoding="utf-8",
    )
    for picture in comparison.glob("*.svg"):
        shutil.copy(picture, results / f"approaches-{picture.name}")
    baseline = options.work / "runs" / "control"
    (results / "baseline.md").write_text(
        "\n".join(
            [
                *(
                    "# Table 1: the baseline by region",
                    "",
                    *about,
                    (baseline / "tables.md").read_text(encoding="utf-8"),
                ),
                *("## Table 1 of the paper", "", published.table_1(), ""),
            ]
        ),
        encoding="utf-8",
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Do the steps that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="+", choices=("classifiers", "approaches", "measure", "tables"))
    parser.add_argument("--data", nargs="+", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="models, runs and checkpoints")
    parser.add_argument("--baseline", type=Path, required=True, help="model folder that the approaches continue")
    parser.add_argument("--classifier", type=Path, help="classifier that routes approach 2; none for the paper's best")
    parser.add_argument("--classifier-batches", type=int, default=1000)
    parser.add_argument("--batches", type=int, default=700, help="of each approach")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--results", type=Path, default=Path("docs/results"))
    options = parser.parse_args(argv)
    if "classifiers" in options.steps:
        for name, spec in classifier_specs(options.classifier_batches).items():
            train(name, spec, options)
    if "approaches" in options.steps:
        values = dict(read_plan(options.baseline).training["spec"])
        baseline = default_spec(Role(values.pop("role")), **values)
        for name, spec in approach_specs(baseline, options.batches).items():
            train(name, spec, options, options.baseline)
    if "measure" in options.steps:
        measure(options)
    if "tables" in options.steps:
        tables(options)


if __name__ == "__main__":
    main()
