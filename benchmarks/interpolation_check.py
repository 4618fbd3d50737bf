"""How near interpolated slices come to a reader's: every second slice of reference label maps is left out and put back.

    OMP_NUM_THREADS=1 python benchmarks/interpolation_check.py ACDC_FOLDER [PATIENTS]

Of each ED and ES label map of the ACDC set, the slices 0, 2, 4... are kept and those between are interpolated. Against
it stands copying the slice before. Dice of each structure, %, mean over slices that have it in the reference.
"""

import sys
from pathlib import Path

import nibabel
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.label_map import translate_codes
from cmr_viewer.review.interpolate import interpolate_slices

ACDC_CODES = {1: Label.RVBP, 2: Label.LVM, 3: Label.LVBP}


def dice(found, truth, label):
    a, b = found == label, truth == label
    return 200.0 * (a & b).sum() / (a.sum() + b.sum())


def main() -> None:
    folder, most = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    scores = {name: {label: [] for label in STRUCTURES} for name in ("interpolated", "copied")}
    for patient in sorted(each for each in folder.iterdir() if each.is_dir())[:most]:
        for path in sorted(patient.glob("*_gt.nii.gz")):
            image = nibabel.load(path)
            stack = translate_codes(np.asarray(image.dataobj).astype(np.uint8), ACDC_CODES).transpose(2, 1, 0)
            across, down, apart = (float(each) for each in image.header.get_zooms())
            kept = {each: stack[each] for each in range(0, len(stack), 2)}
            found = interpolate_slices(kept, [apart * each for each in range(len(stack))], (down, across))
            for each, labels in found.items():
                for label in STRUCTURES:
                    if (stack[each] == label).any():
                        scores["interpolated"][label].append(dice(labels, stack[each], label))
                        scores["copied"][label].append(dice(stack[each - 1], stack[each], label))
    for name, by_label in scores.items():
        print(
            f"{name:14}"
            + "  ".join(f"{each.name} {np.mean(by_label[each]):.1f} ({len(by_label[each])})" for each in STRUCTURES)
        )


if __name__ == "__main__":
    main()
