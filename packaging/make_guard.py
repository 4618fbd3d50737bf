"""Make the frames that come with the program to guard against forgetting, from Sunnybrook Cardiac Data (CC0).

    python packaging/make_guard.py SCD_NIFTI_FOLDER [--patients 12] [--output models/guard.npz]

Radau et al. 2009, http://hdl.handle.net/10380/3070. Labelled slices of ED and ES, around the heart, 8 bit.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cmr_viewer.load.datasets import LabelledStack, find_labelled
from cmr_viewer.prepare.grid import centre_of_labels
from cmr_viewer.train.split import hash_of

SIDE = 160
"""Rows and columns that are saved: some 22 cm."""


def cut(labelled: LabelledStack) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(slice, row, col) pixels and labels around the heart."""
    pixels, labels = labelled.study.stack.pixels[0].astype(np.float32), labelled.labels[0]
    centre = centre_of_labels(labels)
    assert centre is not None
    at = [slice(start, start + SIDE) for start in (_start(c, n) for c, n in zip(centre, labels.shape[1:], strict=True))]
    inside = pixels[:, at[0], at[1]]
    low, high = np.percentile(inside, (0.1, 99.8))
    shown = np.clip(np.round(255 * (inside - low) / max(1.0, float(high - low))), 0, 255).astype(np.uint8)
    return shown, np.ascontiguousarray(labels[:, at[0], at[1]])


def _start(centre: float, count: int) -> int:
    return int(np.clip(round(centre) - SIDE // 2, 0, max(0, count - SIDE)))


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patients", type=int, default=12)
    output = Path(__file__).resolve().parents[1] / "models" / "guard.npz"
    parser.add_argument("--output", type=Path, default=output)
    arguments = parser.parse_args()
    sources = find_labelled(arguments.folder)
    names = sorted({source.name for source in sources}, key=hash_of)
    chosen = names[: arguments.patients]
    about: list[dict[str, Any]] = []
    arrays: dict[str, NDArray[Any]] = {}
    for source in (one for one in sources if one.name in chosen):
        labelled = source.read()
        geometry = labelled.study.stack.geometry
        number = len(about)
        arrays[f"pixels_{number}"], arrays[f"labels_{number}"] = cut(labelled)
        about.append(
            {
                "name": f"{source.name}-{source.mark}",
                "patient": source.name,
                "spacing_mm": [*geometry.pixel_spacing_mm, geometry.slice_spacing_mm],
            }
        )
    np.savez_compressed(arguments.output, about=np.array(json.dumps(about)), **arrays)
    frames = sum(len(one) for name, one in arrays.items() if name.startswith("labels"))
    print(f"{frames} frames of {len(chosen)} patients, {arguments.output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
