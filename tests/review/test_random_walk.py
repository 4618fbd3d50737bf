import numpy as np
import pytest

from cmr_viewer.review.random_walk import random_walk


def even(kinds, shape):
    return np.full((kinds, *shape), 1.0 / kinds, np.float32)


def walk(grey, marks, prior=None, belief=1e-6):
    prior = even(int(marks.max()) + 1, grey.shape) if prior is None else prior
    return random_walk(grey, marks, prior, edge=0.1, belief=np.full(grey.shape, belief, np.float32))


def test_between_two_marks_of_an_even_line_chances_fall_evenly():
    """The walk of a gambler: from place k of n the chance to come first to the far end is k / n."""
    grey, marks = np.zeros((1, 11), np.float32), np.full((1, 11), -1, np.int8)
    marks[0, 0], marks[0, 10] = 0, 1
    assert walk(grey, marks)[1, 0] == pytest.approx(np.arange(11) / 10, abs=1e-3)


def test_chances_add_up_to_one_and_marks_are_certain():
    rng = np.random.default_rng(1)
    grey, marks = rng.random((12, 9)).astype(np.float32), np.full((12, 9), -1, np.int8)
    marks[2, 2], marks[9, 3], marks[5, 7] = 0, 1, 2
    found = walk(grey, marks)
    assert found.sum(axis=0) == pytest.approx(np.ones((12, 9)), abs=1e-5)
    assert found[1, 9, 3] == 1.0 and found[2, 2, 2] == 0.0


def test_an_edge_keeps_the_marks_apart():
    grey = np.zeros((15, 15), np.float32)
    grey[:, 10:] = 1.0
    marks = np.full((15, 15), -1, np.int8)
    marks[7, 8], marks[7, 14] = 0, 1
    found = walk(grey, marks).argmax(axis=0)
    assert not found[:, :10].any() and found[:, 10:].all()


def test_with_much_belief_what_was_believed_remains():
    prior = np.stack([np.full((6, 6), 0.3), np.full((6, 6), 0.7)]).astype(np.float32)
    marks = np.full((6, 6), -1, np.int8)
    marks[0, 0] = 0
    found = walk(np.zeros((6, 6), np.float32), marks, prior, belief=1e4)
    assert found[1, 3, 3] == pytest.approx(0.7, abs=1e-3)
    assert found[1, 0, 0] == 0.0


def test_marks_everywhere_leave_nothing_to_decide():
    marks = np.zeros((3, 3), np.int8)
    assert walk(np.zeros((3, 3), np.float32), marks, even(2, (3, 3)))[0].min() == 1.0
