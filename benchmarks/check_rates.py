"""How often experts' own label maps fail the checks of `cmr_viewer.review`.

    python benchmarks/check_rates.py FOLDER...
    python benchmarks/check_rates.py --study STUDY [--models models]

FOLDER holds labelled patients (ACDC_FOLDER, MNMS_A_FOLDER). Regions are those of the paper's rule, by the experts'
label maps, so the order of the regions always holds; ED and ES are the experts'. Prints the share of frames and of
patients with a finding of each check that is not a note. Jumps in time need all phases, and neither set has them: with
--study, the models' label maps of a whole cine are checked instead, which are no experts', and the frames are printed.
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from cmr_viewer.domain.anatomy import Region, reference_regions
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.load.datasets import find_labelled
from cmr_viewer.review.stack_checks import StackChecks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--study", type=Path)
    parser.add_argument("--models", type=Path, default=Path(__file__).resolve().parents[1] / "models")
    arguments = parser.parse_args()
    if arguments.study is not None:
        check_study(arguments.study, arguments.models)
    if arguments.folders:
        check_experts(arguments.folders)


def check_study(path: Path, models: Path) -> None:
    from cmr_viewer.analyse import analyse, by_frame
    from cmr_viewer.commands.service import measured, models_in
    from cmr_viewer.load.study import open_study
    from cmr_viewer.progress import silent

    stack = open_study(path, silent).stack
    regions, made = by_frame(analyse(stack, models_in(models, "cpu")))
    labels = np.stack([[made[FrameIndex(p, s)].labels for s in range(stack.slices)] for p in range(stack.phases)])
    measures, _ = measured(stack, labels)
    checks = StackChecks(stack.phases, stack.slices)
    for frame in stack.frame_indices:
        checks.put(frame, labels[frame], regions[frame].region)
    found = checks.findings(measures.ed_phase, measures.es_phase)
    texts = [(frame, each) for frame, several in found.items() for each in several if not each.is_note]
    print(f"{stack.phases * stack.slices} frames, {len({frame for frame, _ in texts})} with a finding\n")
    for frame, each in texts:
        print(f"phase {frame.phase + 1}, slice {frame.slice_index + 1}: {each.check.value}: {each.text}")


def check_experts(folders: list[Path]) -> None:
    failed_frames: dict[str, set[tuple[str, FrameIndex]]] = defaultdict(set)
    by_region: dict[str, set[tuple[str, FrameIndex]]] = defaultdict(set)
    frames: dict[Region, int] = defaultdict(int)
    patients = 0
    for source in (s for folder in folders for s in find_labelled(folder)):
        labelled = source.read()
        patients += 1
        maps = labelled.labels[list(labelled.phases)]
        checks = StackChecks(len(maps), maps.shape[1])
        regions = {}
        for phase, of_phase in enumerate(maps):
            for s, region in enumerate(reference_regions(of_phase.any(axis=(1, 2)).tolist())):
                regions[FrameIndex(phase, s)] = region
                frames[region] += 1
                checks.put(FrameIndex(phase, s), of_phase[s], region)
        for frame, found in checks.findings(0, len(maps) - 1).items():
            for each in found:
                if not each.is_note:
                    failed_frames[each.check.value].add((source.name, frame))
                    by_region[f"{each.check.value} {regions[frame].value}"].add((source.name, frame))
    total = sum(frames.values())
    print(f"{patients} patients, {total} frames\n")
    print("| check | frames, % | of these base / middle / apex / non-cardiac | patients, % |")
    print("|---|---|---|---|")
    for check, failed in sorted(failed_frames.items()):
        parts = " / ".join(str(len(by_region[f"{check} {region.value}"])) for region in Region)
        several = {name for name, _ in failed}
        print(f"| {check} | {100 * len(failed) / total:.1f} | {parts} | {100 * len(several) / patients:.0f} |")
    any_frame = set().union(*failed_frames.values()) if failed_frames else set()
    names = {name for name, _ in any_frame}
    print(f"| any | {100 * len(any_frame) / total:.1f} | | {100 * len(names) / patients:.0f} |")


if __name__ == "__main__":
    main()
