"""Scores made up by hand, for the tests of what is worked out from them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label, Region
from cmr_viewer.evaluate.regions import FrameRegions
from cmr_viewer.evaluate.runs import Run
from cmr_viewer.evaluate.scores import FramePlace, FrameScore, StackPlace, StackScore
from cmr_viewer.evaluate.volumes import VolumePair

B, M, A, N = Region.BASE, Region.MIDDLE, Region.APEX, Region.NON_CARDIAC

HEART_OF_SIX = (N, B, M, M, A, N)
"""Regions of six slices: one above the base, four of the heart, one below the apex."""


def row(text: str) -> NDArray[np.uint8]:
    """A label map of one row."""
    return np.array([[int(c) for c in text]], np.uint8)


def place(
    slice_index: int = 0,
    region: Region = M,
    *,
    patient: str = "p",
    phase: int = 0,
    phase_name: str = "ED",
    group: str = "acdc",
) -> FramePlace:
    """A frame."""
    return FramePlace(group, patient, phase, phase_name, slice_index, region)


def score(
    at: FramePlace,
    dice: float | None,
    label: Label = Label.LVBP,
    *,
    reference: int = 10,
    predicted: int = 10,
    hd95_mm: float | None = None,
    assd_mm: float | None = None,
) -> FrameScore:
    """One label in one frame."""
    return FrameScore(at, label, dice, hd95_mm, assd_mm, reference, predicted)


def heart_scores(
    patient: str, dices: Sequence[float], *, label: Label = Label.LVBP, group: str = "acdc", phase: int = 0
) -> list[FrameScore]:
    """Scores of the six slices of `HEART_OF_SIX`: four Dice, and nothing above and below."""
    name = ("ED", "ES")[phase]
    scores = []
    for index, region in enumerate(HEART_OF_SIX):
        at = place(index, region, patient=patient, group=group, phase=phase, phase_name=name)
        if region is N:
            scores.append(score(at, None, label, reference=0, predicted=0))
        else:
            scores.append(score(at, dices[index - 1], label, hd95_mm=2.0, assd_mm=1.0))
    return scores


def made_run(gain: float = 0.0, *, groups: Sequence[str] = ("acdc", "mnms"), patients: int = 3) -> Run:
    """A run of some patients in each of some data sets, all structures at ED and ES; `gain` is added to each Dice."""
    scores: list[FrameScore] = []
    regions: list[FrameRegions] = []
    stacks: list[StackScore] = []
    volumes: list[VolumePair] = []
    for group in groups:
        for number in range(patients):
            patient = f"{group}{number}"
            for phase, name in ((0, "ED"), (1, "ES")):
                for label in (Label.LVBP, Label.LVM, Label.RVBP):
                    # Differences between patients, so that there is something to test.
                    dices = [0.80, 0.90 + 0.01 * number, 0.91, 0.60 - 0.05 * number]
                    scores += heart_scores(
                        patient,
                        [round(d + gain * (1 + number), 6) for d in dices],
                        label=label,
                        group=group,
                        phase=phase,
                    )
                    stacks.append(
                        StackScore(StackPlace(group, patient, phase, name), label, 0.9 + gain, 6.0, 1.5, 1000, 990)
                    )
                for index, region in enumerate(HEART_OF_SIX):
                    at = place(index, region, patient=patient, group=group, phase=phase, phase_name=name)
                    found = {"predicted": region, "argmax": M if region is B else region}
                    regions.append(FrameRegions(at, found, f"model-{region}"))
            names = ("lv_ef_percent", "rv_ef_percent") if group == "mnms" else ("lv_edv_ml", "lv_ef_percent")
            for measure in names:
                error = round((10.0 + number) * (1.0 - 5 * gain), 4)
                volumes.append(VolumePair(group, patient, measure, 100.0 + 7 * number, 100.0 + 7 * number + error))
    return Run(tuple(scores), tuple(regions), tuple(stacks), tuple(volumes))
