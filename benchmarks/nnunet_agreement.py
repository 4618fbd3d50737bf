"""Whether an imported nnU-Net model gives the label maps of nnU-Net's own predictor, and how long both take.

    python -m venv ENVIRONMENT
    ENVIRONMENT/bin/pip install torch
    ENVIRONMENT/bin/pip install -e ".[bench]"
    ENVIRONMENT/bin/python benchmarks/nnunet_model.py ACDC_FOLDER --output FOLDER     # unless a model is at hand
    ENVIRONMENT/bin/python benchmarks/nnunet_agreement.py MODEL_FOLDER ACDC_FOLDER [--patients 4] [--skip 10]

MODEL_FOLDER is a trained model of nnU-Net v2, configuration 2d. nnU-Net reads each file with its own reader and
predicts it with its own predictor; this program imports the model into a temporary folder, opens the same file,
predicts all its frames and puts the label maps back in the order of the file. Both are then compared voxel by voxel.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunet_model import LABELS  # before nnU-Net: this keeps packages away that it would fail to import
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from SimpleITK import GetArrayFromImage, ReadImage

from cmr_viewer.__main__ import main as cmr_viewer
from cmr_viewer.domain.anatomy import STRUCTURES
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.export.nifti import write_nifti_labels
from cmr_viewer.load.images.layouts import read_image
from cmr_viewer.segment.segmenter import FrameSegmenter, load_segmenter

ACDC_CODES = {"LVBP": LABELS["LVC"], "LVM": LABELS["MLV"], "RVBP": LABELS["RV"]}


def dice(a: np.ndarray, b: np.ndarray) -> float:
    total = int(a.sum()) + int(b.sum())
    return 2.0 * int((a & b).sum()) / total if total else float("nan")


def nnunet_predictor(folder: Path, folds: Sequence[str], mirroring: bool, device: torch.device) -> Any:
    predictor = nnUNetPredictor(use_mirroring=mirroring, device=device, allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(folder), tuple(folds))
    return predictor


def by_nnunet(predictor: Any, file: Path) -> np.ndarray:
    """(slice, row, col) in the data set's own codes, as nnU-Net's reader orders them."""
    reader = predictor.plans_manager.image_reader_writer_class()
    image, properties = reader.read_images([str(file)])
    return np.asarray(predictor.predict_single_npy_array(image, properties))


def by_us(segmenter: FrameSegmenter, file: Path, place: Path) -> np.ndarray:
    """(slice, row, col) in this program's codes, in the order of the file."""
    study = read_image(file)
    frames = [FrameIndex(0, s) for s in range(study.stack.slices)]
    maps = segmenter.predict_frames(study.stack, frames, (0.0, 0.0))
    write_nifti_labels(place, np.stack(maps)[None], study)
    labels = GetArrayFromImage(ReadImage(str(place)))
    return np.asarray(labels.reshape(labels.shape[-3:]))


def same_codes(labels: np.ndarray, predictor: Any, names: dict[str, str]) -> np.ndarray:
    """nnU-Net's label map in this program's codes."""
    codes = {predictor.dataset_json["labels"][name]: label for name, label in names.items()}
    made = np.zeros(labels.shape, np.uint8)
    for code, label in codes.items():
        made[labels == code] = next(one for one in STRUCTURES if one.name == label)
    return made


def compare(arguments: argparse.Namespace, mirroring: bool, device: torch.device) -> None:
    folds = arguments.fold
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "imported"
        options = [] if mirroring else ["--no-mirroring"]
        command = ["models", "import-nnunet", str(arguments.model), "--role", "baseline", "--output", str(folder)]
        if cmr_viewer([*command, "--fold", *folds, *options]) != 0:
            raise SystemExit(1)
        segmenter = load_segmenter(folder, device)
        predictor = nnunet_predictor(arguments.model, folds, mirroring, device)
        seconds = {"nnU-Net": 0.0, "imported": 0.0}
        pairs: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for patient in arguments.chosen:
            for reference in sorted(patient.glob("*_gt.nii.gz")):
                file = reference.with_name(reference.name.replace("_gt", ""))
                began = time.perf_counter()
                theirs = same_codes(by_nnunet(predictor, file), predictor, segmenter.plan.training["labels"])
                halfway = time.perf_counter()
                ours = by_us(segmenter, file, Path(temporary) / "labels.nii.gz")
                seconds["nnU-Net"] += halfway - began
                seconds["imported"] += time.perf_counter() - halfway
                true = by_reference(reference, ours.shape)
                pairs.append((theirs, ours, true))
                report(f"{reference.name.removesuffix('_gt.nii.gz'):24}", [pairs[-1]])
    report(f"{'all ' + str(len(pairs)) + ' stacks':24}", pairs)
    count = sum(ours.shape[0] for _, ours, _ in pairs)
    print("Seconds a frame: " + ", ".join(f"{name} {value / count:.2f}" for name, value in seconds.items()))


def by_reference(file: Path, shape: tuple[int, ...]) -> np.ndarray:
    codes = GetArrayFromImage(ReadImage(str(file))).reshape(shape)
    return np.select([codes == ACDC_CODES[one.name] for one in STRUCTURES], [int(one) for one in STRUCTURES])


def report(name: str, pairs: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
    theirs, ours, true = (np.concatenate([pair[i].ravel() for pair in pairs]) for i in range(3))
    both = "  ".join(f"{one.name} {dice(theirs == one, ours == one):.4f}" for one in STRUCTURES)
    right = [f"{dice(theirs == one, true == one):.3f}/{dice(ours == one, true == one):.3f}" for one in STRUCTURES]
    differ = int(np.count_nonzero(theirs != ours))
    share = 100 * (1 - differ / ours.size)
    print(f"{name} equal {share:8.4f} % ({differ} of {ours.size} not)  Dice {both}  to reference {' '.join(right)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("acdc", type=Path)
    parser.add_argument("--patients", type=int, default=4)
    parser.add_argument("--skip", type=int, default=10, help="patients to pass over: those the model was trained on")
    parser.add_argument("--fold", nargs="+", default=["0"])
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    everyone = sorted(p for p in arguments.acdc.iterdir() if p.is_dir())
    arguments.chosen = everyone[arguments.skip : arguments.skip + arguments.patients]
    os.environ.setdefault("nnUNet_def_n_proc", "1")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {arguments.device}")
    for mirroring in (True, False):
        print(f"\n{'With' if mirroring else 'Without'} mirroring")
        compare(arguments, mirroring, torch.device(arguments.device))


if __name__ == "__main__":
    main()
