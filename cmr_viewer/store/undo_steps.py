"""Undo steps as they are saved: each frame before and after, and as rows of the database."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from sqlalchemy import Connection, RowMapping, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Prediction, Provenance, ReviewStatus
from cmr_viewer.domain.ed_es import PhasePair
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.marks import Marks
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError
from cmr_viewer.store.label_codec import decode_label_map, encode_label_map
from cmr_viewer.store.tables import undo_changes, undo_predictions

PATCH_LEVEL = 1
"""Patches are packed where the reader waits; level 6 takes three times as long for some per cent."""


class StepKind(StrEnum):
    """What kind of step it was."""

    STROKE = "stroke"
    EDIT = "edit"
    REGION = "region"
    PROPOSAL = "proposal"
    OFFER = "offer"
    IMPORT = "import"
    PHASE_MARKS = "phase_marks"
    ACCEPT = "accept"
    FACT = "fact"


@dataclass(frozen=True)
class PackedPatch:
    """A change of a box of a label map, compressed.

    Attributes:
        row0: First row of the box.
        col0: First column of the box.
        data: Label map (2, row, col) before and after, as `store.label_codec` writes it.
    """

    row0: int
    col0: int
    data: bytes

    def unpacked(self) -> tuple[LabelMap, LabelMap]:
        """Label maps (row, col) of the box before and after, not writable.

        Raises:
            StoreError: The bytes are not whole.
        """
        both = decode_label_map(self.data)
        if both.ndim != 3 or both.shape[0] != 2:
            raise StoreError(f"A stored step is damaged: its patch has the shape {both.shape}.")
        return both[0], both[1]


def packed(row0: int, col0: int, before: LabelMap, after: LabelMap) -> PackedPatch:
    """Compress a change of a box.

    Args:
        row0: First row of the box.
        col0: First column of the box.
        before: (row, col).
        after: (row, col), of the same shape.
    """
    return PackedPatch(row0, col0, encode_label_map(np.stack((before, after)), level=PATCH_LEVEL))


@dataclass(frozen=True, eq=False)
class FramePart:
    """A frame's label map, region, or what the label map is.

    Attributes:
        frame: The frame.
        before: Its marks before the step.
        after: Its marks after it.
        patch: From the label map shown before to the one after; None if that did not change.
    """

    frame: FrameIndex
    before: Marks
    after: Marks
    patch: PackedPatch | None


@dataclass(frozen=True)
class StatusPart:
    """A frame was accepted.

    Attributes:
        frame: The frame.
        before: How far the reader was before.
        digest: `label_digest` of what was accepted.
    """

    frame: FrameIndex
    before: ReviewStatus | None
    digest: str


@dataclass(frozen=True)
class PhaseMarksPart:
    """ED and ES were marked.

    Attributes:
        before: Before the step.
        after: After it.
    """

    before: PhasePair
    after: PhasePair


@dataclass(frozen=True)
class FactPart:
    """A fact about the study was set.

    Attributes:
        key: Which.
        before: As JSON can hold it, before the step; None for nothing.
        after: Likewise after it.
    """

    key: str
    before: Any
    after: Any


StepPart = FramePart | StatusPart | PhaseMarksPart | FactPart


@dataclass(frozen=True, eq=False)
class KeptStep:
    """One step that can be undone.

    Attributes:
        key: What it is known by; the same in every stack that it is carried over to.
        kind: What kind of step.
        text: What was done, in words.
        parts: What of what; at least one.
    """

    key: str
    kind: StepKind
    text: str
    parts: tuple[StepPart, ...]

    @property
    def frames(self) -> tuple[FrameIndex, ...]:
        """The frames that it is about."""
        return tuple(one.frame for one in self.parts if isinstance(one, FramePart | StatusPart))


def label_digest(labels: LabelMap) -> str:
    """What a label map (row, col) is recognised by: 32 hex digits over its shape and the box that holds all labels."""
    rows, cols = np.flatnonzero(labels.any(axis=1)), np.flatnonzero(labels.any(axis=0))
    box = (int(rows[0]), int(rows[-1]) + 1, int(cols[0]), int(cols[-1]) + 1) if rows.size else (0, 0, 0, 0)
    digest = hashlib.blake2b(repr((labels.shape, box)).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(labels[box[0] : box[1], box[2] : box[3]]).data)
    return digest.hexdigest()


def add_parts(connection: Connection, stack_id: str, step_id: int, parts: tuple[StepPart, ...]) -> None:
    """Add the parts of a step, and the predictions that they start from, to an open transaction."""
    rows = [{"step_id": step_id, "place": place, **_row(connection, stack_id, one)} for place, one in enumerate(parts)]
    connection.execute(insert(undo_changes), rows)


_EMPTY: Mapping[str, Any] = dict.fromkeys(("phase", "slice_index", "row0", "col0", "patch"))


def _row(connection: Connection, stack_id: str, part: StepPart) -> dict[str, Any]:
    match part:
        case FramePart(frame, before, after, patch):
            box = {} if patch is None else {"row0": patch.row0, "col0": patch.col0, "patch": patch.data}
            start, end = (_marks_json(connection, stack_id, frame, marks) for marks in (before, after))
            return _values("frame", start, end, frame._asdict() | box)
        case StatusPart(frame, status, digest):
            now = {"status": str(ReviewStatus.ACCEPTED), "labels": digest}
            return _values("status", {"status": None if status is None else str(status)}, now, frame._asdict())
        case PhaseMarksPart(before_pair, after_pair):
            return _values("phase_marks", before_pair, after_pair, {})
        case FactPart(key, old, new):
            return _values("fact", {"key": key, "value": old}, {"key": key, "value": new}, {})


def _values(kind: str, before: Any, after: Any, other: Mapping[str, Any]) -> dict[str, Any]:
    try:
        sides = {"before": json.dumps(before, allow_nan=False), "after": json.dumps(after, allow_nan=False)}
    except (TypeError, ValueError) as error:
        raise StoreError(f"A step could not be saved as JSON: {error}.") from error
    return {**_EMPTY, "kind": kind, **sides, **other}


def _marks_json(connection: Connection, stack_id: str, frame: FrameIndex, marks: Marks) -> dict[str, Any]:
    return {
        "reader_region": None if marks.reader_region is None else str(marks.reader_region),
        "base": None if marks.base is None else _keep_prediction(connection, stack_id, frame, marks.base),
        "origin": marks.origin,
        "edited": marks.edited,
        "imported": marks.imported,
        "made": None if marks.made is None else str(marks.made),
    }


def _keep_prediction(connection: Connection, stack_id: str, frame: FrameIndex, base: Prediction) -> str:
    """Keep a prediction that a step starts from, once; its digest, by which it is found again.

    The predictions of the models are replaced when a model predicts again, and these stay.
    """
    said = f"{base.model_id}\n{base.region}\n{base.reason}\n{label_digest(base.labels)}"
    digest = hashlib.blake2b(said.encode(), digest_size=16).hexdigest()
    p = undo_predictions
    key = {"stack_id": stack_id, **frame._asdict(), "digest": digest}
    if connection.execute(select(p.c.id).filter_by(**key)).first() is None:
        values = {"model_id": base.model_id, "region": str(base.region), "reason": base.reason}
        connection.execute(
            upsert(p).values(**key, **values, labels=encode_label_map(base.labels)).on_conflict_do_nothing()
        )
    return digest


Bases = Mapping[tuple[FrameIndex, str], Prediction]
"""Predictions that steps of a stack start from, by frame and digest."""


def read_bases(connection: Connection, stack_id: str) -> Bases:
    """The predictions that steps of a stack start from.

    Raises:
        StoreError: A label map is damaged.
    """
    p = undo_predictions
    return {
        (FrameIndex(row["phase"], row["slice_index"]), row["digest"]): Prediction(
            decode_label_map(row["labels"]), row["model_id"], Region(row["region"]), row["reason"]
        )
        for row in connection.execute(select(p).where(p.c.stack_id == stack_id)).mappings()
    }


def part_of(row: RowMapping, bases: Bases) -> StepPart:
    """The part of a step that a row of `undo_changes` holds.

    Raises:
        StoreError: It is damaged.
    """
    before, after = json.loads(row["before"]), json.loads(row["after"])
    if row["kind"] == "phase_marks":
        return PhaseMarksPart((before[0], before[1]), (after[0], after[1]))
    if row["kind"] == "fact":
        return FactPart(before["key"], before["value"], after["value"])
    frame = FrameIndex(row["phase"], row["slice_index"])
    if row["kind"] == "status":
        status = before["status"]
        return StatusPart(frame, None if status is None else ReviewStatus(status), after["labels"])
    patch = None if row["patch"] is None else PackedPatch(row["row0"], row["col0"], row["patch"])
    return FramePart(frame, _marks(frame, before, bases), _marks(frame, after, bases), patch)


def _marks(frame: FrameIndex, values: Mapping[str, Any], bases: Bases) -> Marks:
    digest, region, made = values["base"], values["reader_region"], values["made"]
    if digest is not None and (frame, digest) not in bases:
        raise StoreError("A stored step is damaged: its starting prediction is missing.")
    return Marks(
        reader_region=None if region is None else Region(region),
        base=None if digest is None else bases[frame, digest],
        origin=values["origin"],
        edited=values["edited"],
        imported=values["imported"],
        made=None if made is None else Provenance(made),
    )
