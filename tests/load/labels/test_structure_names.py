import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.load.labels.structure_names import label_of_code, label_of_name

NAMES = {
    Label.LVBP: "LV|LVBP|lv_bp|LVC|LV blood pool|Left ventricle|left_ventricle|LV cavity|LV endo|LV Endocardium"
    "|Endocardium|heart_ventricle_left|blood pool|saendocardialContour",
    Label.LVM: "MYO|LVM|MLV|LV myocardium|Left ventricular myocardium|LV wall|LV epicardium|LV-EPI|Epicardium"
    "|myocardium|heart_myocardium|saepicardialContour",
    Label.RVBP: "RV|RVBP|RVC|Right ventricle|RV endo|RV cavity|right ventricular blood pool|heart_ventricle_right"
    "|sarvendocardialContour",
    Label.BACKGROUND: "background|BG|Clear Label",
    None: "|Left atrium|LA|RA|Aorta|RV wall|RV myocardium|RV epicardium|right atrium|scar|LV scar|tumour"
    "|papillary muscle|LV papillary muscles|liver|PA",
}


@pytest.mark.parametrize(
    ("label", "name"), [(label, name) for label, text in NAMES.items() for name in text.split("|")]
)
def test_names_of_other_programs_mean_what_they_say(label, name):
    assert label_of_name(name) == label


def test_codes_of_snomed_are_known():
    assert label_of_code("SCT", "87878005") == Label.LVBP
    assert label_of_code("sct ", " 49848007") == Label.LVM
    assert label_of_code("SRT", "T-32500") == Label.RVBP
    assert label_of_code("SCT", "10200004") is None
