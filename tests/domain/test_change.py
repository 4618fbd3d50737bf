import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Prediction, Provenance, ReviewStatus
from cmr_viewer.domain.change import (
    AcceptPart,
    Change,
    ChangeKind,
    FactPart,
    FramePart,
    Marks,
    Patch,
    PhaseMarksPart,
    label_digest,
)
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import StoreError


def labels_of(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 4, (24, 20)).astype(np.uint8)


def test_a_change_comes_back_from_its_rows() -> None:
    base = Prediction(labels_of(1), "model-1", Region.BASE, "By number.")
    start, end = Marks(None, base, "model-1", False), Marks(Region.APEX, None, None, True, "a file", Provenance.MANUAL)
    patch = Patch(4, 2, labels_of(3)[4:9, 2:8], labels_of(4)[4:9, 2:8]).packed()
    frame = FrameIndex(2, 1)
    others = (AcceptPart(frame, None, "d" * 32), PhaseMarksPart((None, 1), (0, 1)), FactPart("height", None, 171.5))
    change = Change(ChangeKind.STROKE, "paint", (FramePart(frame, start, end, patch), *others))
    back = Change.from_rows(change.key, "stroke", "paint", change.rows(), change.bases)
    assert (back.key, back.kind, back.text, back.frames) == (change.key, ChangeKind.STROKE, "paint", (frame, frame))
    first, *rest = back.parts
    assert tuple(rest) == others
    assert isinstance(first, FramePart) and first.patch == patch
    assert first.before.base is base and (first.after.made, first.after.imported) == (Provenance.MANUAL, "a file")
    assert first.after.reader_region is Region.APEX


def test_a_change_whose_starting_prediction_is_missing_is_damaged() -> None:
    base = Prediction(labels_of(1), "model-1", Region.BASE, "By number.")
    marks = Marks(None, base, "model-1", True)
    change = Change(ChangeKind.EDIT, "paint", (FramePart(FrameIndex(0, 0), marks, marks, None),))
    with pytest.raises(StoreError, match="damaged"):
        Change.from_rows(change.key, "edit", "paint", change.rows(), {})


def test_a_fact_that_json_cannot_hold_is_refused() -> None:
    change = Change(ChangeKind.FACT, "enter", (FactPart("height", ReviewStatus.DRAFT, float("nan")),))
    with pytest.raises(StoreError, match="JSON"):
        change.rows()


def test_a_damaged_patch_is_refused() -> None:
    whole = Patch(0, 0, labels_of(1), labels_of(2)).packed()
    assert whole is not None
    damaged = type(whole)(0, 0, whole.data[:-3])
    with pytest.raises(StoreError, match="damaged"):
        damaged.unpacked()


def test_label_maps_are_told_apart_by_codes_and_shape() -> None:
    one = np.zeros((2, 6), np.uint8)
    assert label_digest(one) == label_digest(one.copy())
    assert len({label_digest(one), label_digest(one.reshape(3, 4)), label_digest(one + 1)}) == 3
    dots = [np.zeros((5, 5), np.uint8) for _ in range(3)]
    dots[1][1, 2] = dots[2][2, 1] = 3  # the same box elsewhere is another label map
    assert len({label_digest(each) for each in dots}) == 3
