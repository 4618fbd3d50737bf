"""Make a small real nnU-Net v2 model folder from ACDC, for nnunet_agreement.py: nnU-Net's own planning and training.

    python benchmarks/nnunet_model.py ACDC_FOLDER --output FOLDER [--patients 10] [--epochs 20] [--folds 0 1]

Runs where nnU-Net is installed (the extra `bench`; see nnunet_agreement.py for such an environment). Dataset, plans and
checkpoints are written by nnU-Net itself; only the network is made narrower, the patch smaller and the training shorter
than it plans, so that a CPU is enough. The model is in
FOLDER/nnUNet_results/Dataset501_ACDC/nnUNetTrainer__nnUNetPlans__2d.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

DATASET = 501
LABELS = {"background": 0, "RV": 1, "MLV": 2, "LVC": 3}
"""ACDC's codes under the names that nnU-Net's own conversion of ACDC gives them."""

PATCH = (160, 128)
"""Smaller than ACDC's frames, so that several tiles are laid over each."""

BATCH = 4
STAGES = 6


class Absent(ModuleType):
    """Stands for a package that nnU-Net imports for networks which are not used here.

    timm, and torchvision below it, do not import beside the CPU build of torch.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


for absent in ("timm", "timm.layers", "timm.models", "timm.models.eva", "torchvision"):
    sys.modules.setdefault(absent, Absent(absent))


def write_dataset(source: Path, folder: Path, patients: int) -> None:
    """ACDC's first patients as nnU-Net wants a data set."""
    images, labels = folder / "imagesTr", folder / "labelsTr"
    images.mkdir(parents=True)
    labels.mkdir()
    count = 0
    for patient in sorted(p for p in source.iterdir() if p.is_dir())[:patients]:
        for reference in sorted(patient.glob("*_gt.nii.gz")):
            case = reference.name.removesuffix("_gt.nii.gz")
            shutil.copyfile(patient / f"{case}.nii.gz", images / f"{case}_0000.nii.gz")
            shutil.copyfile(reference, labels / f"{case}.nii.gz")
            count += 1
    about = {"channel_names": {"0": "cineMRI"}, "labels": LABELS, "numTraining": count, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(about, indent=2), encoding="utf-8")


def write_splits(folder: Path, source: Path) -> None:
    """Five folds by patient; nnU-Net's own would part the two frames of a patient."""
    cases = sorted(p.name.removesuffix(".nii.gz") for p in (source / "labelsTr").glob("*.nii.gz"))
    patients = sorted({case.partition("_")[0] for case in cases})
    folds = [{p for index, p in enumerate(patients) if index % 5 == fold} for fold in range(5)]
    splits = [
        {
            "train": [case for case in cases if case.partition("_")[0] not in held],
            "val": [case for case in cases if case.partition("_")[0] in held],
        }
        for held in folds
    ]
    (folder / "splits_final.json").write_text(json.dumps(splits), encoding="utf-8")


def make_smaller(plans: Path, features: int) -> None:
    """A narrower network on a smaller patch than nnU-Net plans for a GPU."""
    values = json.loads(plans.read_text(encoding="utf-8"))
    configuration = values["configurations"]["2d"]
    configuration["patch_size"] = list(PATCH)
    configuration["batch_size"] = BATCH
    network = configuration["architecture"]["arch_kwargs"]
    network["n_stages"] = STAGES
    network["features_per_stage"] = [min(features * 2**stage, 8 * features) for stage in range(STAGES)]
    for name in ("kernel_sizes", "strides", "n_conv_per_stage", "n_blocks_per_stage"):
        if name in network:
            network[name] = network[name][:STAGES]
    if "n_blocks_per_stage" in network:
        network["n_blocks_per_stage"] = [1, 2, 2, 2, 2, 2]
    network["n_conv_per_stage_decoder"] = network["n_conv_per_stage_decoder"][: STAGES - 1]
    plans.write_text(json.dumps(values, indent=2), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("acdc", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--patients", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=60, help="batches in an epoch")
    parser.add_argument("--folds", type=int, nargs="+", default=[0])
    parser.add_argument("--features", type=int, default=12)
    parser.add_argument("--residual", action="store_true", help="nnU-Net's planner for residual encoders")
    arguments = parser.parse_args()
    places = {name: arguments.output / name for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")}
    for name, place in places.items():
        place.mkdir(parents=True, exist_ok=True)
        os.environ[name] = str(place)
    os.environ.update({"nnUNet_n_proc_DA": "1", "nnUNet_def_n_proc": "1", "nnUNet_compile": "f"})

    # nnU-Net reads the places above when it is imported
    import torch
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess,
    )
    from nnunetv2.run.run_training import get_trainer_from_args

    name = f"Dataset{DATASET}_ACDC"
    raw, prepared = places["nnUNet_raw"] / name, places["nnUNet_preprocessed"] / name
    plans_name = "nnUNetResEncUNetMPlans" if arguments.residual else "nnUNetPlans"
    if not raw.exists():
        write_dataset(arguments.acdc, raw, arguments.patients)
        extract_fingerprints([DATASET], num_processes=1)
    if not (prepared / f"{plans_name}.json").exists():
        plan_experiments([DATASET], "nnUNetPlannerResEncM" if arguments.residual else "ExperimentPlanner")
        make_smaller(prepared / f"{plans_name}.json", arguments.features)
        preprocess([DATASET], plans_name, ["2d"], [1])
        write_splits(prepared, raw)
    os.environ.update({"nnUNet_n_proc_DA": "0"})  # batches are made in this process; planning would refuse the number
    for fold in arguments.folds:
        torch.manual_seed(fold)
        trainer = get_trainer_from_args(
            str(DATASET), "2d", fold, "nnUNetTrainer", plans_name, device=torch.device("cpu")
        )
        trainer.num_epochs = arguments.epochs
        trainer.num_iterations_per_epoch = arguments.iterations
        trainer.num_val_iterations_per_epoch = 2
        trainer.run_training()
        print(f"The model is in {trainer.output_folder_base}, fold {fold}.")


if __name__ == "__main__":
    main()
