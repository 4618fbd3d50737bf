"""The phantom as a study that leaves much to choose: stacks, repeated slices, long-axis views, warnings."""

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.domain.opening import Opening
from cmr_viewer.domain.study import LongAxisView, RepeatedSlice, Stack, StackChoice, Study
from cmr_viewer.errors import LoadError
from cmr_viewer.progress import Progress

ROWS, COLS, STEP_MM = 60, 50, 3.0
WARNINGS = (
    Note("Slice 3 has 5 phases; they were matched by time.", Code.PHASES_UNEQUAL, (2,)),
    Note("Base end detected from the images; check it.", Code.BASE_END_GUESSED),
)


def long_axis_view(stack: Stack, phases: int, text: str, times_ms: tuple[float, ...] | None = None) -> LongAxisView:
    """A plane through the middle of the slices: rows run from the first slice to the last, columns along their rows.

    The middle of slice s is at row 10 + s * spacing / 3 mm, column 25; each phase has its own grey value.
    """
    g = stack.geometry
    middle = ((g.rows - 1) / 2, (g.cols - 1) / 2)
    first, last = g.to_patient_mm(0, middle), g.to_patient_mm(g.slices - 1, middle)
    down = (last - first) / np.linalg.norm(last - first)
    across = np.asarray(g.row_direction)
    corner = first - 10 * STEP_MM * down - 25 * STEP_MM * across
    place = (float(corner[0]), float(corner[1]), float(corner[2]))
    directions = [(float(v[0]), float(v[1]), float(v[2])) for v in (across, down)]
    geometry = Geometry(ROWS, COLS, (STEP_MM, STEP_MM), directions[0], directions[1], (place,), 8.0)
    pixels = np.zeros((phases, ROWS, COLS), np.int16) + (10 * np.arange(phases, dtype=np.int16))[:, None, None]
    pixels[:, 5:20, 10:30] += 200
    return LongAxisView(pixels, geometry, text, times_ms)


@dataclass
class RichReader:
    """Stands for the readers.

    Attributes:
        study: What the files hold, without what it offers.
        gate: Waited for after a first frame was told, so that a test decides when the study is there.
        asked: How it was opened, time after time.
        spacing_known: Whether the files tell their spacing.
        error: Raised instead.
    """

    study: Study
    gate: threading.Event | None = None
    asked: list[Opening] = field(default_factory=list)
    spacing_known: bool = True
    error: LoadError | None = None

    def __call__(self, path: Path, progress: Progress, opening: Opening, preview: Any) -> Study:
        self.asked.append(opening)
        progress(0.42, "Reading 3 of 7 files")
        if preview is not None:
            preview(self.study.stack.pixels[0, 0])
        if self.gate is not None:
            assert self.gate.wait(20)
        if self.error is not None:
            raise self.error
        stack = self._stack(opening)
        second = opening.stack == "B"
        early = opening.repeats.get("place") == "early"
        views = (long_axis_view(stack, 3, "cine 2CH"), long_axis_view(stack, stack.phases, "cine 4CH"))
        return replace(
            self.study,
            source=path,
            stacks=(stack,),
            warnings=WARNINGS,
            long_axis=() if opening.stack == "B" else views,
            choices=(StackChoice("A", "SAX, 10:21", not second), StackChoice("B", "SAX, 09:58", second)),
            repeats=(
                RepeatedSlice(
                    2, "place", (StackChoice("early", "10:03", early), StackChoice("late", "10:09", not early))
                ),
            ),
        )

    def _stack(self, opening: Opening) -> Stack:
        stack = self.study.stack
        geometry, pixels = replace(stack.geometry, spacing_known=self.spacing_known), stack.pixels
        if opening.stack == "B":
            pixels = pixels + 1
        if opening.repeats.get("place") == "early":
            pixels = pixels.copy()
            pixels[:, 2] += 5
        if opening.spacing_mm is not None:
            row, col, _ = opening.spacing_mm
            geometry = replace(geometry, pixel_spacing_mm=(row, col), spacing_known=True)
        order = stack.source_slices
        if opening.base_reversed:
            pixels, order = pixels[:, ::-1], order[::-1]
            geometry = replace(geometry, positions_mm=geometry.positions_mm[::-1])
        return replace(stack, pixels=pixels, geometry=geometry, source_slices=order)
