"""Learning curves as a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CURVES_PICTURE = "curves.svg"
SMOOTHED_OVER = 50
"""Batches that the drawn line averages; single batches are drawn thin behind it."""


def running_mean(values: NDArray[np.float32], over: int) -> NDArray[np.float64]:
    """Mean of each value and those before it, `over` at most.

    Args:
        values: (batch,).
        over: Number of values, 1 or more.
    """
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - over)
    return np.asarray((sums[ends] - sums[starts]) / (ends - starts), dtype=np.float64)


def draw_curves(
    path: Path, losses: NDArray[np.float32], validation: Sequence[tuple[int, float]], *, title: str, score: str
) -> None:
    """Draw the loss of each batch and the score of each validation.

    Args:
        path: The picture; its suffix sets the format.
        losses: (batch,).
        validation: (batches done, score).
        title: Above the picture.
        score: Name of the score, for the axis.

    Raises:
        OSError: It cannot be written.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - heavy, and needed at the end of a training only

    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axes = figure.add_subplot()
    batches = np.arange(1, len(losses) + 1)
    axes.plot(batches, losses, color="#9db4c8", linewidth=0.5, label="loss per batch")
    smooth = running_mean(losses, SMOOTHED_OVER)
    axes.plot(batches, smooth, color="#1f5f8b", linewidth=1.6, label=f"mean of {SMOOTHED_OVER} batches")
    axes.set(xlabel="batches", ylabel="loss", title=title)
    axes.grid(alpha=0.25)
    lines, names = axes.get_legend_handles_labels()
    if validation:
        beside = axes.twinx()
        at, scores = zip(*validation, strict=True)
        beside.plot(at, scores, color="#c1440e", marker="o", markersize=3, linewidth=1.2, label=score)
        beside.set_ylabel(score, color="#c1440e")
        more_lines, more_names = beside.get_legend_handles_labels()
        lines, names = [*lines, *more_lines], [*names, *more_names]
    axes.legend(lines, names, loc="center right", frameon=False)
    figure.savefig(path)
