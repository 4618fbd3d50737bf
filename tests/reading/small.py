"""A small study and what a model would make of it, by formula; without Qt."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cmr_viewer.analyse import Flow, FrameResult
from cmr_viewer.domain.anatomy import REGIONS, Label, Region
from cmr_viewer.domain.annotation import Prediction, RegionPrediction
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.role import Role, role_of
from cmr_viewer.domain.study import FrameIndex, Stack, Study
from cmr_viewer.progress import Progress

PHASES, SLICES, ROWS, COLS = 3, 4, 24, 20
REGION_OF_SLICE = (Region.BASE, Region.MIDDLE, Region.MIDDLE, Region.APEX)


def small_study(name: str = "pseudonym", seed: int = 0, patient_key: str = "") -> Study:
    """3 phases, 4 slices of 24 x 20 pixels; voxels of 2 x 2 x 10 mm, that is 0.04 ml."""
    pixels = np.random.default_rng(seed).integers(0, 1000, (PHASES, SLICES, ROWS, COLS)).astype(np.int16)
    positions = tuple((0.0, 0.0, 10.0 * number) for number in range(SLICES))
    geometry = Geometry(ROWS, COLS, (2.0, 2.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), positions)
    return Study(name, Path("/nowhere") / name, (Stack(pixels, geometry),), patient_key=patient_key or name)


def model_labels(model_id: str, frame: FrameIndex) -> Any:
    """A square of LV blood pool that tells the model: its side follows the name, and shrinks with the phase."""
    labels = np.zeros((ROWS, COLS), np.uint8)
    side = 4 + 2 * (sum(model_id.encode()) % 5) - frame.phase
    labels[4 : 4 + side, 4 : 4 + side] = Label.LVBP
    labels.setflags(write=False)
    return labels


def said(region: Region, model_id: str = "classifier-1") -> RegionPrediction:
    """A region prediction that is 70 % certain, alone and in its stack."""
    chances: Any = tuple(0.7 if one is region else 0.1 for one in REGIONS)
    return RegionPrediction(chances, model_id, region, chances)


@dataclass
class FormulaModels:
    """Stands for loaded models."""

    active: dict[Role, str]


@dataclass
class FormulaFlow:
    """Stands for the pipeline: the region follows the slice, the label map the model's name.

    `gate` is waited for before each frame of an analysis, so that a test decides how far it comes.
    """

    error: Exception | None = None
    gate: threading.Semaphore | None = None
    loads: int = 0
    analysed: list[tuple[FrameIndex, ...]] = field(default_factory=list)
    segmented: list[FrameIndex] = field(default_factory=list)
    reached: threading.Event = field(default_factory=threading.Event)

    def load_models(self, folders: Mapping[Role, Path], device: str) -> FormulaModels:
        self.loads += 1
        if self.error is not None:
            raise self.error
        return FormulaModels({role: folder.name for role, folder in folders.items()})

    def wait(self) -> None:
        self.reached.set()
        if self.gate is not None:
            assert self.gate.acquire(timeout=20)

    def analyse(
        self,
        stack: Stack,
        models: FormulaModels,
        progress: Progress,
        regions: Mapping[FrameIndex, Region],
        order: Sequence[FrameIndex],
    ) -> Iterator[FrameResult]:
        self.analysed.append(tuple(order))
        for frame in order:
            yield FrameResult(frame, said(REGION_OF_SLICE[frame.slice_index], models.active[Role.CLASSIFIER]), None)
        for number, frame in enumerate(order):
            self.wait()
            progress(number / len(order), "Segmenting")
            yield FrameResult(
                frame, None, self._predict(models, frame, regions.get(frame) or REGION_OF_SLICE[frame.slice_index])
            )

    def segment_frames(
        self,
        stack: Stack,
        regions: Mapping[FrameIndex, Region],
        models: FormulaModels,
        progress: Progress,
        by: Mapping[FrameIndex, str],
        certainty: Mapping[FrameIndex, float],
    ) -> Iterator[tuple[FrameIndex, Prediction]]:
        for frame, region in regions.items():
            progress(0.5, "Segmenting")
            yield frame, self._predict(models, frame, region)

    def _predict(self, models: FormulaModels, frame: FrameIndex, region: Region) -> Prediction:
        self.segmented.append(frame)
        model_id = models.active[role_of(region)]
        return Prediction(model_labels(model_id, frame), model_id, region, "By formula.")

    def flow(self) -> Flow:
        return Flow(self.load_models, self.analyse, self.segment_frames)  # type: ignore[arg-type]
