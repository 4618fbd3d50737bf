"""Volumes of every labelled frame of an ACDC-like set, against the millilitres that come with it.

    python benchmarks/measures_check.py ACDC_FOLDER [--conventions]

ACDC_FOLDER holds a folder for each patient and `volumes.csv` with the columns patient, frame, LV_ml, MYO_ml, RV_ml:
volumes that another program worked out from the same label files and rounded to 0.01 ml. Each file is opened, its label
map read and measured as `cmr-viewer measure` does it. The exit code is 1 where a volume differs by more than 0.1 %
(and by more than the table is rounded), or a frame is missing.

With --conventions, what counting papillary muscles and trabeculae as mass changes is printed too, over all patients.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

from cmr_viewer.commands.measure_inputs import Labelled
from cmr_viewer.commands.measured import Choices, measured
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.measures.papillary import PapillaryConvention
from cmr_viewer.domain.measures.volumes import label_counts, stack_volume_ml, voxel_volume_ml
from cmr_viewer.load.datasets import find_labelled
from cmr_viewer.load.labels.files import read_labels
from cmr_viewer.load.study import open_study

COLUMNS = {"LV_ml": Label.LVBP, "MYO_ml": Label.LVM, "RV_ml": Label.RVBP}
LIMIT_PERCENT = 0.1
ROUNDED_ML = 0.005


def volumes_of(image: Path, labels: Path) -> dict[str, float]:
    """Volumes of a frame by the column of the table, worked out in both ways that the program has."""
    study = open_study(image)
    geometry = study.stack.geometry
    found = read_labels(labels, study, "acdc", 0).labels[0]
    voxel_ml, _ = voxel_volume_ml(geometry)
    volumes = {}
    for column, label in COLUMNS.items():
        discs = stack_volume_ml(
            found,
            label,
            pixel_spacing_mm=geometry.pixel_spacing_mm,
            slice_spacing_mm=geometry.slice_spacing_mm,
        )
        assert voxel_ml is not None
        assert np.isclose(discs, label_counts(found)[label] * voxel_ml)
        volumes[column] = discs
    return volumes


def print_conventions(folder: Path) -> None:
    """Quartiles over the patients of the change from one papillary convention to the other."""
    changes: dict[str, list[float]] = {}
    for source in find_labelled(folder):
        found = source.read()
        one = Labelled(found.study, found.labels, found.phase_structures, ())
        drawn, moved = (measured(one, Choices(papillary=convention))["values"] for convention in PapillaryConvention)
        for name in ("lv_edv_ml", "lv_esv_ml", "lv_mass_g"):
            changes.setdefault(f"{name}, %", []).append(100.0 * (moved[name] / drawn[name] - 1.0))
        changes.setdefault("lv_ef_percent, points", []).append(moved["lv_ef_percent"] - drawn["lv_ef_percent"])
    print("papillary muscles in the mass instead of the blood pool, change: 25th percentile, median, 75th")
    for name, values in changes.items():
        low, median, high = np.percentile(values, [25, 50, 75])
        print(f"{name:24s} {low:6.1f} {median:6.1f} {high:6.1f}  ({len(values)} patients)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="ACDC_FOLDER")
    parser.add_argument("--conventions", action="store_true", help="what the papillary convention changes")
    arguments = parser.parse_args()
    folder = arguments.folder
    with (folder / "volumes.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    percent: dict[str, list[float]] = {column: [] for column in COLUMNS}
    worst, failed = (0.0, ""), []
    for row in rows:
        start = folder / row["patient"] / f"{row['patient']}_{row['frame']}"
        try:
            volumes = volumes_of(start.with_name(f"{start.name}.nii.gz"), start.with_name(f"{start.name}_gt.nii.gz"))
        except Exception as error:  # noqa: BLE001 - told, and the rest go on
            failed.append(f"{start.name}: {error}")
            continue
        for column, volume in volumes.items():
            told = float(row[column])
            difference = abs(volume - told)
            share = 100.0 * difference / told if told else (0.0 if difference <= ROUNDED_ML else 100.0)
            percent[column].append(share)
            worst = max(worst, (share, f"{start.name} {column}: {volume:.4f} against {told:.2f} ml"))
            if share > LIMIT_PERCENT and difference > ROUNDED_ML * 1.001:
                failed.append(f"{start.name} {column}: {volume:.4f} ml against {told:.2f} ml")
    print(f"{len(rows)} frames, {sum(map(len, percent.values()))} volumes")
    for column, shares in percent.items():
        print(f"{column:7s} largest difference {max(shares):.4f} %, mean {np.mean(shares):.4f} %")
    print(f"largest of all: {worst[1]} ({worst[0]:.4f} %)")
    for text in failed:
        print(f"FAILED {text}", file=sys.stderr)
    print(f"{len(failed)} failed (limit {LIMIT_PERCENT} %)")
    if arguments.conventions:
        print_conventions(folder)
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
