"""Writes the label maps of the open study beside the window."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from cmr_viewer.app.session import Session
from cmr_viewer.domain.study import Study
from cmr_viewer.progress import Progress


def export_label_maps(session: Session, study: Study, path: Path, say: Callable[[str, str], None]) -> None:
    """Write what is shown of all frames as one NIfTI file, on the grid of the input; on the job thread.

    Args:
        session: The session; its label maps are taken as they are now.
        study: The open study.
        path: Where to write; replaced whole if it exists.
        say: Told severity and text when it is done.
    """
    stack = study.stack
    labels = np.zeros(stack.pixels.shape, dtype=np.uint8)
    missing = 0
    for frame in stack.frame_indices:
        shown = session.frame_state(frame).labels
        if shown is None:
            missing += 1
        else:
            labels[frame.phase, frame.slice_index] = shown

    def work(progress: Progress) -> None:
        from cmr_viewer.load.nifti import write_nifti_labels  # noqa: PLC0415 - nibabel is slow to import

        progress(0.0, f"Writing {path.name}")
        write_nifti_labels(path, labels, study)

    def done(_result: object) -> None:
        note = f" {missing} frames without a label map are empty in it." if missing else ""
        say("info", f"The label maps were written to {path}.{note}")

    session.jobs.submit(
        "export", f"Writing {path.name}", work, on_finished=done, on_failed=lambda text: say("error", text)
    )
