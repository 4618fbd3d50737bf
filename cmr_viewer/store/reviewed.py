"""Frames that readers reviewed, with all that learning needs, stack by stack and independent of the source files.

The read of a stack that counts is its finished adjudication, else its first read. In it, a frame is reviewed where its
latest version is accepted, or where its reader set its region. A draft counts for nothing. Neither does a region that
was set with an earlier version of the program, which did not save the pixels of such a frame.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.geometry import Geometry, geometry_from_json
from cmr_viewer.domain.label_codec import decode_label_map, decode_pixels
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.role import Role
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.errors import GeometryError, StoreError
from cmr_viewer.store import tables
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.frame_pixels import saved_frames
from cmr_viewer.store.openings import moved_slices
from cmr_viewer.store.reads import ReadStore
from cmr_viewer.store.tables import frame_of, latest_rows


@dataclass(frozen=True, eq=False)
class ReviewedFrame:
    """A frame that a reader accepted, or whose region a reader set.

    Attributes:
        frame: The frame.
        region: As the reader set it, else as it was accepted.
        predicted: The region that the classifier had found when the reader set it, else the last that it found in the
            order of the stack; None where that is not known.
        labels: (row, col) accepted label map, not writable; None where only the region was set, and where label maps
            were not asked for.
        corrected: Whether a label map is accepted and is not as predicted.
        number: Row of the annotation, or of the region where no label map is accepted.
        region_number: Row of the reader's region; None where the region was accepted as it was shown.
    """

    frame: FrameIndex
    region: Region
    predicted: Region | None
    labels: LabelMap | None
    corrected: bool
    number: int
    region_number: int | None = None

    @property
    def region_corrected(self) -> bool:
        """Whether the classifier is known to have found another region."""
        return self.predicted is not None and self.predicted is not self.region


@dataclass(frozen=True, eq=False)
class ReviewedStack:
    """A stack with reviewed frames.

    Attributes:
        stack_id: The stack.
        patient_key: What the patient is recognised by; the stack itself where the study has none.
        geometry: Of the whole stack.
        pixel_spacing_mm: (row, col) that its frames are prepared with; assumed where the true one is not known.
        frames: The reviewed frames, by phase and slice; at least one.
        pixels: (row, col) pixels as in the source, not writable: all that are saved of phases with a reviewed frame.
    """

    stack_id: str
    patient_key: str
    geometry: Geometry
    pixel_spacing_mm: tuple[float, float]
    frames: Mapping[FrameIndex, ReviewedFrame]
    pixels: Mapping[FrameIndex, NDArray[Any]]

    def served(self, phase: int) -> tuple[Stack, tuple[int, ...]] | None:
        """One phase as a stack of its own, on which models run as they do when they serve.

        Workspaces of earlier versions hold of a phase only the slices around accepted frames. Then it is the longest
        run of neighbouring slices that holds a reviewed frame.

        Args:
            phase: The phase.

        Returns:
            The stack, of phase 0 alone, and the slices of the true stack that it is made of, in order. None where
            no frame of the phase is reviewed, or pixels were not read.
        """
        held = sorted(frame.slice_index for frame in self.pixels if frame.phase == phase)
        runs = [tuple(s for _, s in run) for _, run in groupby(enumerate(held), key=lambda one: one[1] - one[0])]
        reviewed = [run for run in runs if any(FrameIndex(phase, s) in self.frames for s in run)]
        if not reviewed:
            return None
        slices = max(reviewed, key=len)
        pixels = np.stack([self.pixels[FrameIndex(phase, s)] for s in slices])[None]
        pixels.setflags(write=False)
        return Stack(pixels, _cut(self.geometry, slices)), slices


def _cut(geometry: Geometry, slices: tuple[int, ...]) -> Geometry:
    spacing = geometry.single_slice_spacing_mm
    if geometry.slices > 1:
        try:
            spacing = geometry.slice_spacing_mm
        except GeometryError:  # not known of the whole stack either
            spacing = None
    return replace(
        geometry, positions_mm=tuple(geometry.positions_mm[s] for s in slices), single_slice_spacing_mm=spacing
    )


def read_reviewed(workspace: Workspace, *, pixels: bool = True) -> Iterator[ReviewedStack]:
    """Stacks with reviewed frames, in the order of their ids; one at a time is in memory.

    Slices of a stack that is opened differently now are left out where they went over to the other.

    Args:
        workspace: The workspace; others may write to it meanwhile.
        pixels: Whether pixels and label maps are read; without them it takes a fraction of the time, to count.

    Raises:
        StoreError: The database, or a study in it, is damaged.
    """
    reads, a, r = ReadStore(workspace), tables.annotations, tables.regions
    accepted = select(a.c.stack_id).where(a.c.status == str(ReviewStatus.ACCEPTED))
    with workspace.read() as connection:
        moved = moved_slices(connection)
        ids = sorted(connection.execute(accepted.union(select(r.c.stack_id))).scalars())
    for stack_id in ids:
        result = reads.result(stack_id)
        with workspace.read() as connection:
            read_id, left = None if result is None else result.id, moved.get(stack_id, frozenset())
            found = _stack(connection, stack_id, read_id, left, pixels)
        if found is not None:
            yield found


def _stack(
    connection: Connection, stack_id: str, read_id: int | None, moved: frozenset[int], pixels: bool
) -> ReviewedStack | None:
    has_pixels = saved_frames(connection, stack_id)
    reviewed = _frames(connection, stack_id, read_id, pixels)
    frames = {one: reviewed[one] for one in sorted(reviewed.keys() & has_pixels) if one.slice_index not in moved}
    if not frames:
        return None
    s, p = tables.studies, tables.frame_pixels
    study = connection.execute(select(s).where(s.c.stack_id == stack_id)).mappings().one()
    try:
        geometry = geometry_from_json(study["geometry_json"])
    except GeometryError as error:
        raise StoreError(f"The study {study['name']}, stack {stack_id}, cannot be learnt from. {error}") from error
    wanted = (p.c.stack_id == stack_id) & p.c.phase.in_({frame.phase for frame in frames})
    columns = (p.c.phase, p.c.slice_index, p.c.row_spacing_mm, p.c.col_spacing_mm, *([p.c.pixels] if pixels else []))
    rows = connection.execute(select(*columns).where(wanted).order_by(p.c.phase, p.c.slice_index)).mappings().all()
    return ReviewedStack(
        stack_id=stack_id,
        patient_key=study["patient_key"] or stack_id,
        geometry=geometry,
        pixel_spacing_mm=(rows[0]["row_spacing_mm"], rows[0]["col_spacing_mm"]),
        frames=MappingProxyType(frames),
        pixels=MappingProxyType({frame_of(row): decode_pixels(row["pixels"]) for row in rows} if pixels else {}),
    )


def _frames(
    connection: Connection, stack_id: str, read_id: int | None, label_maps: bool
) -> dict[FrameIndex, ReviewedFrame]:
    a, r, t = tables.annotations, tables.regions, tables.region_predictions
    of_regions = latest_rows(r, "id", read_id).where(r.c.stack_id == stack_id, r.c.region.is_not(None))
    by_reader = {frame_of(row): row for row in connection.execute(of_regions).mappings()}
    decoded = t.c[tables.DECODED_COLUMN]
    of_classifier = latest_rows(t, "id").where(t.c.stack_id == stack_id)
    of_classifier = of_classifier.with_only_columns(t.c.phase, t.c.slice_index, decoded)
    by_classifier = {frame_of(row): row[decoded] for row in connection.execute(of_classifier).mappings()}
    of_labels = latest_rows(a, "version", read_id).where(
        a.c.stack_id == stack_id, a.c.status == str(ReviewStatus.ACCEPTED)
    )
    columns = (a.c.id, a.c.phase, a.c.slice_index, a.c.region, a.c.provenance, *([a.c.labels] if label_maps else []))
    accepted = {frame_of(row): row for row in connection.execute(of_labels.with_only_columns(*columns)).mappings()}
    frames = {}
    for frame in accepted.keys() | by_reader.keys():
        annotation, region = accepted.get(frame), by_reader.get(frame)
        predicted = (None if region is None else region["predicted"]) or by_classifier.get(frame)
        row = annotation if annotation is not None else by_reader[frame]
        frames[frame] = ReviewedFrame(
            frame=frame,
            region=Region((region if region is not None else row)["region"]),
            predicted=None if predicted is None else Region(predicted),
            labels=None if annotation is None or not label_maps else decode_label_map(annotation["labels"]),
            corrected=annotation is not None and annotation["provenance"] != str(Provenance.AUTOMATIC),
            number=row["id"],
            region_number=None if region is None else region["id"],
        )
    return frames


def corrections_of(stacks: Iterable[ReviewedStack], role: Role) -> dict[str, list[int]]:
    """The corrections that a role learns from and is judged on.

    A specialist has the corrected label maps of its region, the baseline those of all regions. The classifier has the
    corrected regions, of patients of whom a region was also right: where a reader looked at wrong frames alone, any
    other answer would look like a gain.

    Args:
        stacks: As from `read_reviewed`, with or without pixels.
        role: The role.

    Returns:
        By patient: numbers that identify the corrections, ascending. They are rows of annotations; for the classifier
        rows of regions, and the negative of a row of annotations where a region was accepted and never set.
    """
    found: dict[str, list[int]] = {}
    right: set[str] = set()
    for stack in stacks:
        for one in stack.frames.values():
            if role is not Role.CLASSIFIER:
                if one.corrected and role.region in (None, one.region):
                    found.setdefault(stack.patient_key, []).append(one.number)
            elif one.region_corrected:
                number = -one.number if one.region_number is None else one.region_number
                found.setdefault(stack.patient_key, []).append(number)
            elif one.predicted is not None:
                right.add(stack.patient_key)
    judges = found.keys() & right if role is Role.CLASSIFIER else found.keys()
    return {patient: sorted(found[patient]) for patient in sorted(judges)}
