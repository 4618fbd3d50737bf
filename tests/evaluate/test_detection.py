from cmr_viewer.domain.anatomy import Label
from cmr_viewer.evaluate.detection import Detection, Share, detection
from tests.evaluate.made_runs import A, B, M, N, place, score


def test_frames_above_the_base_and_below_the_apex_are_counted_apart() -> None:
    scores = [
        score(place(0, N), 0.0, reference=0, predicted=3),
        score(place(1, N), None, reference=0, predicted=0),
        score(place(2, B), 0.9),
        score(place(3, M), 0.0, predicted=0),
        score(place(4, A), 0.9),
        score(place(5, N), 0.0, reference=0, predicted=1),
    ]
    assert detection(scores) == Detection(
        above_base=Share(1, 2), below_apex=Share(1, 1), wrongly_marked=Share(2, 3), missed=Share(1, 3)
    )


def test_a_frame_is_missed_only_if_no_label_is_found_in_it() -> None:
    at = place(0, M)
    scores = [score(at, 0.0, Label.LVBP, predicted=0), score(at, 0.0, Label.RVBP, reference=0, predicted=4)]
    assert detection(scores).missed == Share(0, 1)


def test_any_label_marks_a_frame() -> None:
    scores = [
        score(place(0, N), None, Label.LVBP, reference=0, predicted=0),
        score(place(0, N), 0.0, Label.RVBP, reference=0, predicted=4),
        score(place(1, M), 0.9, Label.LVBP),
    ]
    assert detection(scores).above_base == Share(1, 1)


def test_each_phase_has_its_own_heart() -> None:
    scores = [
        score(place(0, M), 0.9),
        score(place(1, N), 0.0, reference=0),
        score(place(0, N, phase=1), 0.0, reference=0),
        score(place(1, M, phase=1), 0.9),
    ]
    found = detection(scores)
    assert (found.above_base, found.below_apex) == (Share(1, 1), Share(1, 1))


def test_shares_of_nothing_are_not_known() -> None:
    assert detection([]).as_json()["missed"] == {"count": 0, "of": 0, "share": None}
    assert Share(1, 4).as_json() == {"count": 1, "of": 4, "share": 0.25}
