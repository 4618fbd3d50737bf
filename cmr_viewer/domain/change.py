"""What a reader did to a study: one `Change`, which is made, undone, redone and saved as it is.

A change has one or several parts, each with what was before it and what is after it: a frame's label map and region,
the acceptance of a frame, ED and ES, or a fact about the study. A part holds the values that the workspace stores, so
a change that was read from disk is the same as one that was just made.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Prediction, Provenance, ReviewStatus
from cmr_viewer.domain.label_codec import decode_label_map, encode_label_map
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.ed_es import PhasePair
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import LabelMapError, StoreError

PATCH_LEVEL = 1
"""Patches are packed while the reader waits; level 6 takes three times as long and saves a few per cent."""


class ChangeKind(StrEnum):
    """What kind of change it is."""

    STROKE = "stroke"
    EDIT = "edit"
    REGION = "region"
    PROPOSAL = "proposal"
    OFFER = "offer"
    IMPORT = "import"
    PHASE_MARKS = "phase_marks"
    ACCEPT = "accept"
    FACT = "fact"


class Verb(StrEnum):
    """What a reader does with a change; SET replaces all that can be undone, when a stack is opened differently."""

    DO = "do"
    UNDO = "undo"
    REDO = "redo"
    LEAVE = "leave"
    SET = "set"


# -- pixels ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Patch:
    """A change of a small box of a label map.

    Attributes:
        row0: First row of the box.
        col0: First column of the box.
        before: (row, col) label map of the box before the change; not writable.
        after: (row, col) label map of the box after the change, of the same shape; not writable.
    """

    row0: int
    col0: int
    before: LabelMap
    after: LabelMap

    @property
    def is_empty(self) -> bool:
        """Whether it changes nothing."""
        return self.before.size == 0

    @property
    def box(self) -> tuple[int, int, int, int] | None:
        """(first row, row after the last, first column, column after the last), or None where nothing changes."""
        if self.is_empty:
            return None
        rows, cols = self.before.shape
        return self.row0, self.row0 + rows, self.col0, self.col0 + cols

    def apply(self, labels: LabelMap) -> None:
        """Make the change, in place.

        Raises:
            LabelMapError: The label map is not as it was before the change; it is left as it is.
        """
        self._write(labels, self.before, self.after)

    def revert(self, labels: LabelMap) -> None:
        """Take the change back, in place.

        Raises:
            LabelMapError: The label map is not as it was after the change; it is left as it is.
        """
        self._write(labels, self.after, self.before)

    def packed(self) -> "PackedPatch | None":
        """The patch, compressed; None where it changes nothing."""
        if self.is_empty:
            return None
        both = np.stack((self.before, self.after))
        return PackedPatch(self.row0, self.col0, encode_label_map(both, level=PATCH_LEVEL))

    def _write(self, labels: LabelMap, old: LabelMap, new: LabelMap) -> None:
        rows, cols = old.shape
        box = labels[self.row0 : self.row0 + rows, self.col0 : self.col0 + cols]
        if not np.array_equal(box, old):
            raise LabelMapError("The label map has changed in the meantime, so this change no longer fits.")
        box[...] = new


@dataclass(frozen=True)
class PackedPatch:
    """A patch, compressed.

    Attributes:
        row0: First row of the box.
        col0: First column of the box.
        data: Label map (2, row, col) before and after, as `label_codec` writes it.
    """

    row0: int
    col0: int
    data: bytes

    def unpacked(self) -> Patch:
        """The patch.

        Raises:
            StoreError: The bytes are incomplete.
        """
        both = decode_label_map(self.data)
        if both.ndim != 3 or both.shape[0] != 2:
            raise StoreError(f"A stored step is damaged: its patch has the shape {both.shape}.")
        return Patch(self.row0, self.col0, both[0], both[1])


def label_digest(labels: LabelMap) -> str:
    """What a label map (row, col) is recognised by: 32 hex digits over its shape and the box that holds all labels."""
    rows, cols = np.flatnonzero(labels.any(axis=1)), np.flatnonzero(labels.any(axis=0))
    box = (int(rows[0]), int(rows[-1]) + 1, int(cols[0]), int(cols[-1]) + 1) if rows.size else (0, 0, 0, 0)
    digest = hashlib.blake2b(repr((labels.shape, box)).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(labels[box[0] : box[1], box[2] : box[3]]).data)
    return digest.hexdigest()


def prediction_digest(one: Prediction) -> str:
    """What a prediction is recognised by: 32 hex digits over its model, region, reason and label map."""
    text = f"{one.model_id}\n{one.region}\n{one.reason}\n{label_digest(one.labels)}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


Bases = Mapping[tuple[FrameIndex, str], Prediction]
"""Predictions that label maps started from, by frame and `prediction_digest`."""


# -- parts -------------------------------------------------------------------------------------------------------------


class ChangedStudy(Protocol):
    """What a change needs of the open study."""

    def still(self, frame: FrameIndex) -> LabelMap:
        """The label map that is shown of a frame, (row, col), not to be written to; background where there is none."""

    def go_to(self, frame: FrameIndex, marks: "Marks", labels: LabelMap | None) -> None:
        """Give a frame its marks and its label map; an edited label map becomes the frame's own."""

    def set_phase_marks(self, marks: PhasePair) -> None:
        """Set ED and ES as the reader marked them."""

    def set_fact_value(self, key: str, value: Any) -> None:
        """Set a fact about the study; None removes it."""

    def accept_again(self, frame: FrameIndex) -> None:
        """Ask for the acceptance of a frame."""

    def withdraw(self, frame: FrameIndex) -> None:
        """Withdraw the acceptance of a frame; nothing where it is not accepted."""


@dataclass(frozen=True, eq=False)
class Marks:
    """What a change sets of a frame, beside the pixels.

    Attributes:
        reader_region: The reader's region, or None.
        base: The prediction that the label map is or started from.
        origin: Id of the model that the label map started from, or None.
        edited: Whether the label map differs from `base`.
        imported: Where the label map was imported from; empty where it was not.
        made: How the imported label map came to be, later corrections included; None where it was not imported, or
            its source does not state it.
    """

    reader_region: Region | None
    base: Prediction | None
    origin: str | None
    edited: bool
    imported: str = ""
    made: Provenance | None = None

    def corrected(self) -> "Marks":
        """The marks after the reader changed the label map by hand."""
        automatic = self.made is Provenance.AUTOMATIC
        return replace(self, edited=True, made=Provenance.SEMIAUTOMATIC if automatic else self.made)

    def _as_json(self) -> dict[str, Any]:
        return {
            "reader_region": None if self.reader_region is None else str(self.reader_region),
            "base": None if self.base is None else prediction_digest(self.base),
            "origin": self.origin,
            "edited": self.edited,
            "imported": self.imported,
            "made": None if self.made is None else str(self.made),
        }

    @staticmethod
    def _from_json(frame: FrameIndex, values: Mapping[str, Any], bases: Bases) -> "Marks":
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


@dataclass(frozen=True, eq=False)
class FramePart:
    """A frame's label map, its region, or what its label map is.

    A label map that is not edited is that of its prediction, so it comes from `Marks.base` and not from the patch, also
    where another prediction was shown in the meantime.

    Attributes:
        frame: The frame.
        before: Its marks before the change.
        after: Its marks after it.
        patch: From the label map shown before to the one after; None if that did not change.
    """

    frame: FrameIndex
    before: Marks
    after: Marks
    patch: PackedPatch | None

    def _ready(self, study: ChangedStudy, *, forward: bool) -> Callable[[], None]:
        start, end = (self.before, self.after) if forward else (self.after, self.before)
        shown = study.still(self.frame)
        labels = shown if start.edited else np.zeros_like(shown) if start.base is None else start.base.labels
        if self.patch is not None and (start.edited or end.edited):
            patch, labels = self.patch.unpacked(), labels.copy()
            (patch.apply if forward else patch.revert)(labels)
        elif end.edited:
            labels = labels.copy()
        if not end.edited:
            return partial(study.go_to, self.frame, end, None if end.base is None else end.base.labels)
        return partial(study.go_to, self.frame, end, labels)

    def _row(self) -> dict[str, Any]:
        box = {} if self.patch is None else {"row0": self.patch.row0, "col0": self.patch.col0, "patch": self.patch.data}
        return _values("frame", self.before._as_json(), self.after._as_json(), self.frame._asdict() | box)


@dataclass(frozen=True)
class AcceptPart:
    """A frame was accepted.

    Attributes:
        frame: The frame.
        before: How far the reader was before.
        digest: `label_digest` of what was accepted.
    """

    frame: FrameIndex
    before: ReviewStatus | None
    digest: str

    def _ready(self, study: ChangedStudy, *, forward: bool) -> Callable[[], None]:
        if not forward:
            return partial(study.withdraw, self.frame)  # a frame that was changed since is left as it is
        if label_digest(study.still(self.frame)) != self.digest:
            where = f"Phase {self.frame.phase + 1}, slice {self.frame.slice_index + 1}"
            raise LabelMapError(f"{where} has changed since it was accepted.")
        return partial(study.accept_again, self.frame)

    def _row(self) -> dict[str, Any]:
        before = {"status": None if self.before is None else str(self.before)}
        return _values(
            "status", before, {"status": str(ReviewStatus.ACCEPTED), "labels": self.digest}, self.frame._asdict()
        )


@dataclass(frozen=True)
class PhaseMarksPart:
    """ED and ES were marked.

    Attributes:
        before: (ED, ES) before the change.
        after: After it.
    """

    before: PhasePair
    after: PhasePair

    def _ready(self, study: ChangedStudy, *, forward: bool) -> Callable[[], None]:
        return partial(study.set_phase_marks, self.after if forward else self.before)

    def _row(self) -> dict[str, Any]:
        return _values("phase_marks", self.before, self.after, {})


@dataclass(frozen=True)
class FactPart:
    """A fact about the study was set.

    Attributes:
        key: Which.
        before: As JSON can hold it, before the change; None for nothing.
        after: Likewise after it.
    """

    key: str
    before: Any
    after: Any

    def _ready(self, study: ChangedStudy, *, forward: bool) -> Callable[[], None]:
        return partial(study.set_fact_value, self.key, self.after if forward else self.before)

    def _row(self) -> dict[str, Any]:
        before, after = ({"key": self.key, "value": value} for value in (self.before, self.after))
        return _values("fact", before, after, {})


Part = FramePart | AcceptPart | PhaseMarksPart | FactPart

_EMPTY: Mapping[str, Any] = dict.fromkeys(("phase", "slice_index", "row0", "col0", "patch"))


def _values(kind: str, before: Any, after: Any, other: Mapping[str, Any]) -> dict[str, Any]:
    try:
        sides = {"before": json.dumps(before, allow_nan=False), "after": json.dumps(after, allow_nan=False)}
    except (TypeError, ValueError) as error:
        raise StoreError(f"A step could not be saved as JSON: {error}.") from error
    return {**_EMPTY, "kind": kind, **sides, **other}


def _part_of(row: Mapping[Any, Any], bases: Bases) -> Part:
    before, after = json.loads(row["before"]), json.loads(row["after"])
    if row["kind"] == "phase_marks":
        return PhaseMarksPart((before[0], before[1]), (after[0], after[1]))
    if row["kind"] == "fact":
        return FactPart(before["key"], before["value"], after["value"])
    frame = FrameIndex(row["phase"], row["slice_index"])
    if row["kind"] == "status":
        status = before["status"]
        return AcceptPart(frame, None if status is None else ReviewStatus(status), after["labels"])
    patch = None if row["patch"] is None else PackedPatch(row["row0"], row["col0"], row["patch"])
    return FramePart(frame, Marks._from_json(frame, before, bases), Marks._from_json(frame, after, bases), patch)


# -- the change --------------------------------------------------------------------------------------------------------


def _new_key() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, eq=False)
class Change:
    """One thing that a reader did; undo takes back all of its parts, or none.

    Attributes:
        kind: What kind of change.
        text: What was done, in words, for a menu: "paint LV myocardium".
        parts: What changed; at least one, no frame twice.
        key: Identifies it, on disk, after a restart and in every stack that it is carried over to.
    """

    kind: ChangeKind
    text: str
    parts: tuple[Part, ...]
    key: str = field(default_factory=_new_key)

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("A change needs at least one part.")

    @property
    def frames(self) -> tuple[FrameIndex, ...]:
        """The frames that it is about."""
        return tuple(one.frame for one in self.parts if isinstance(one, FramePart | AcceptPart))

    @property
    def frame(self) -> FrameIndex | None:
        """The first of them, to be shown when the change is undone; None where it is about no frame."""
        return next(iter(self.frames), None)

    def apply(self, study: ChangedStudy) -> None:
        """Make the change again.

        Raises:
            LabelMapError: The study is not as it was before the change; nothing is changed.
            StoreError: The change was damaged on disk; nothing is changed.
        """
        self._make([part._ready(study, forward=True) for part in self.parts])

    def undo(self, study: ChangedStudy) -> None:
        """Take the change back.

        Raises:
            LabelMapError: The study is not as it was after the change; nothing is changed.
            StoreError: The change was damaged on disk; nothing is changed.
        """
        self._make([part._ready(study, forward=False) for part in reversed(self.parts)])

    @staticmethod
    def _make(steps: Iterable[Callable[[], None]]) -> None:
        for step in steps:
            step()

    def rows(self) -> list[dict[str, Any]]:
        """The parts as rows of the table `undo_changes`, without the ids of the row and of the step.

        Raises:
            StoreError: JSON cannot hold a fact.
        """
        return [one._row() for one in self.parts]

    @property
    def bases(self) -> Bases:
        """The predictions that the rows name by their digest."""
        sides = [
            (one.frame, m.base) for one in self.parts if isinstance(one, FramePart) for m in (one.before, one.after)
        ]
        return {(frame, prediction_digest(base)): base for frame, base in sides if base is not None}

    @staticmethod
    def from_rows(key: str, kind: str, text: str, rows: Iterable[Mapping[Any, Any]], bases: Bases) -> "Change":
        """The change that was written as `rows`.

        Raises:
            StoreError: It is damaged.
        """
        return Change(ChangeKind(kind), text, tuple(_part_of(one, bases) for one in rows), key)


@dataclass(frozen=True, eq=False)
class Move:
    """What a reader did with a change.

    Attributes:
        verb: What; not SET.
        change: The change.
    """

    verb: Verb
    change: Change


class UndoLines(NamedTuple):
    """What can be undone and redone.

    Attributes:
        done: Changes that can be undone, the first first.
        undone: Changes that can be redone, the next to be redone last.
    """

    done: tuple[Change, ...] = ()
    undone: tuple[Change, ...] = ()
