import pytest

from cmr_viewer.domain.role import Role
from cmr_viewer.store.annotations import AnnotationStore
from cmr_viewer.store.database import open_workspace_readonly
from cmr_viewer.store.versions import AcceptedSample
from cmr_viewer.train.retrain import LARGEST_BATCH, RETRAINING_ITERATIONS, retraining_spec, split_by_patient
from cmr_viewer.train.train_model import plan_of
from tests.tiny_models import tiny_spec
from tests.workspaces import HELD_OUT, TRAINED_ON, make_workspace


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> list[AcceptedSample]:
    folder = make_workspace(tmp_path_factory.mktemp("retrain") / "workspace", [*TRAINED_ON, *HELD_OUT])
    with open_workspace_readonly(folder) as opened:
        return AnnotationStore(opened).accepted_samples(None)


def test_patients_are_split_and_never_on_both_sides(accepted: list[AcceptedSample]) -> None:
    train, held = split_by_patient(accepted)
    assert {s.patient_key for s in train} == set(TRAINED_ON)
    assert {s.patient_key for s in held} == set(HELD_OUT)


def test_where_all_patients_would_be_held_out_all_are_trained_on(accepted: list[AcceptedSample]) -> None:
    only_held = [s for s in accepted if s.patient_key in HELD_OUT]
    assert split_by_patient(only_held) == (only_held, [])
    assert split_by_patient([]) == ([], [])


def test_a_model_is_refined_on_its_own_network_and_grid() -> None:
    plan = plan_of(tiny_spec(Role.BASE), "tiny-base", {})
    spec = retraining_spec(plan, frames=3)
    assert (spec.role, spec.architecture, dict(spec.options)) == (Role.BASE, "unet2d", {"widths": [12, 24, 32]})
    assert (spec.spacing_mm, spec.rows, spec.cols) == (4.0, 32, 32)
    assert (spec.iterations, spec.batch, spec.focus_share) == (RETRAINING_ITERATIONS, 3, 1.0)
    assert retraining_spec(plan, frames=1).batch == 2
    assert retraining_spec(plan, frames=99).batch == LARGEST_BATCH
    assert retraining_spec(plan, 5, iterations=7).iterations == 7
