from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Provenance, RegionPrediction, ReviewStatus


def test_the_predicted_region_is_the_most_probable():
    prediction = RegionPrediction((0.1, 0.2, 0.6, 0.1), "classifier-1")
    assert prediction.region is Region.APEX
    assert prediction.probability == 0.6


def test_of_equally_probable_regions_the_first_is_predicted():
    assert RegionPrediction((0.25, 0.25, 0.25, 0.25), "classifier-1").region is Region.BASE


def test_probabilities_are_in_the_order_of_the_regions():
    prediction = RegionPrediction((0.1, 0.2, 0.3, 0.4), "classifier-1")
    assert [prediction.of(region) for region in Region] == [0.1, 0.2, 0.3, 0.4]


def test_in_a_stack_its_region_and_probabilities_go_before_those_of_the_frame_alone():
    prediction = RegionPrediction((0.1, 0.2, 0.6, 0.1), "classifier-1", Region.MIDDLE, (0.0, 0.75, 0.25, 0.0))
    assert (prediction.region, prediction.probability) == (Region.MIDDLE, 0.75)
    assert prediction.argmax is Region.APEX
    assert prediction.of(Region.APEX) == 0.25


def test_what_the_frame_alone_looks_like_is_stated_where_its_place_differs():
    prediction = RegionPrediction((0.1, 0.2, 0.61, 0.09), "classifier-1", Region.MIDDLE, (0.0, 0.75, 0.25, 0.0))
    assert prediction.differs == "By itself the frame looks like apex (61 %); by its place in the stack it is middle."


def test_nothing_is_stated_where_frame_and_stack_agree():
    alone = RegionPrediction((0.1, 0.2, 0.6, 0.1), "classifier-1")
    assert alone.differs == ""
    assert RegionPrediction(alone.probabilities, "classifier-1", Region.APEX, (0.0, 0.1, 0.9, 0.0)).differs == ""


def test_provenance_is_written_as_in_dicom():
    assert [p.value for p in Provenance] == ["AUTOMATIC", "SEMIAUTOMATIC", "MANUAL"]


def test_a_frame_is_a_draft_or_accepted():
    assert [s.value for s in ReviewStatus] == ["draft", "accepted"]
