import numpy as np
import pytest

from cmr_viewer.domain.agreement import dice
from cmr_viewer.domain.anatomy import STRUCTURES
from cmr_viewer.errors import LabelMapError
from cmr_viewer.review.contours import has_closed_ring
from cmr_viewer.review.refine import refined_copy
from tests.phantom import sax_cine


def test_a_refined_copy_is_nearer_to_the_next_slice_than_a_plain_one():
    phantom = sax_cine(phases=1, slices=7, rows=72, cols=72, pixel_spacing_mm=(2.0, 2.0))
    labels, pixels = phantom.labels[0], phantom.stack.pixels[0]
    for source, target in ((2, 3), (4, 3)):
        found = refined_copy(labels[source], pixels[source], pixels[target], (2.0, 2.0))
        for label in STRUCTURES:
            plain, refined = (dice(each, labels[target], label) for each in (labels[source], found))
            assert plain is not None and refined is not None
            assert refined > plain, (source, label)
        assert has_closed_ring(found)


def test_a_copy_onto_the_same_picture_is_the_label_map_itself():
    phantom = sax_cine(phases=1, slices=7, rows=72, cols=72, pixel_spacing_mm=(2.0, 2.0))
    labels, pixels = phantom.labels[0, 3], phantom.stack.pixels[0, 3]
    assert np.array_equal(refined_copy(labels, pixels, pixels, (2.0, 2.0)), labels)


def test_nothing_is_copied_from_an_empty_label_map():
    empty, pixels = np.zeros((20, 20), np.uint8), np.zeros((20, 20))
    assert not refined_copy(empty, pixels, pixels, (1.0, 1.0)).any()


def test_other_shapes_are_refused():
    with pytest.raises(LabelMapError, match="shape"):
        refined_copy(np.zeros((20, 20), np.uint8), np.zeros((20, 20)), np.zeros((20, 21)), (1.0, 1.0))
