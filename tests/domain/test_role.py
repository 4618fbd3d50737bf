from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.role import Role, role_of


def test_each_cardiac_region_has_its_specialist():
    assert [role_of(r) for r in (Region.BASE, Region.MIDDLE, Region.APEX)] == [Role.BASE, Role.MIDDLE, Role.APEX]


def test_non_cardiac_frames_go_to_the_baseline():
    assert role_of(Region.NON_CARDIAC) is Role.BASELINE


def test_every_role_has_a_name_for_readers():
    assert [role.text for role in Role] == [
        "Region classifier",
        "Baseline",
        "Base specialist",
        "Middle specialist",
        "Apex specialist",
    ]
