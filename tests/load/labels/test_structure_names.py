import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.load.labels.structure_names import Concept, label_of_name, label_of_segment

NAMES = {
    Label.LVBP: "LV|LVBP|lv_bp|LVC|LV blood pool|Left ventricle|left_ventricle|LV cavity|LV endo|LV Endocardium|"
    "Endocardium|heart_ventricle_left|blood pool|saendocardialContour|Ventricle_L|Heart_Ventricle_L|"
    "L Ventricle|LVentricle|Lt_Ventricle|Left Ventricular Cavity|LVEndo|LVendo|EndoLV|lvEndo|Endo|"
    "ENDO_LV|ventricule gauche|endocarde VG|VG|cavité VG|linker Ventrikel|linke Herzkammer|"
    "ventrículo izquierdo|VI endocardio|VI|ventricolo sinistro|ventrículo esquerdo|linkerventrikel|"
    "vänster kammare|venstre ventrikkel|lewa komora|левый желудочек|ЛЖ|полость ЛЖ|左心室|左室|左室内腔|左室腔|"
    "左心室血池|좌심실|αριστερή κοιλία|البطين الأيسر|left ventricular pool|LV pool|"
    "sol ventrikül|left ventricle blood cavity|cavity|Left Ventricle (LV)|LV_1|LV ED|lvendocardium|"
    "Structure of left ventricle|Left cardiac ventricle|LVBloodPool|lv-lumen",
    Label.LVM: "MYO|LVM|MLV|LV myocardium|Left ventricular myocardium|LV wall|LV epicardium|LV-EPI|Epicardium|"
    "myocardium|heart_myocardium|saepicardialContour|Myocardium_L|Myocardium_LV|MyocardiumLV|"
    "Myocardium|lvMyo|LVMyo|MyoLV|LVepi|EpiLV|Epi|myocarde|myocarde VG|épicarde VG|Myokard|"
    "Herzmuskel|Myokard LV|miocardio|miocardio VI|paroi VG|pared VI|миокард|миокард ЛЖ|左心室心肌|心肌|左室心筋|"
    "심근|좌심실 심근|μυοκάρδιο|LV_Myo|wall of the left ventricle|left ventricle wall|normal myocardium|"
    "Heart_Myocardium_L|myocardium of the left ventricle|Ventricle_L_Wall",
    Label.RVBP: "RV|RVBP|RVC|Right ventricle|RV endo|RV cavity|right ventricular blood pool|"
    "heart_ventricle_right|sarvendocardialContour|Ventricle_R|R Ventricle|Rt Ventricle|RVentricle|"
    "RVEndo|VD|ventricule droit|rechter Ventrikel|ventrículo derecho|ventricolo destro|"
    "sağ ventrikül|høyre ventrikkel|höger kammare|prawa komora|правый желудочек|ПЖ|右心室|右室|우심실|δεξιά κοιλία|"
    "البطين الأيمن|Heart_Ventricle_R|right ventricular pool|endocarde VD|RV_2|Endo_R",
    Label.BACKGROUND: "background|BG|Clear Label",
    None: "|Left atrium|LA|RA|Aorta|RV wall|RV myocardium|RV epicardium|right atrium|scar|LV scar|tumour|"
    "papillary muscle|LV papillary muscles|liver|PA|Atrium_L|Oral cavity|Cavity_Oral|Chest wall|"
    "Abdominal wall|Skeletal muscle|Muscle_psoas|Epiglottis|Endometrium|Endotracheal tube|"
    "lateral ventricle left|Left-Lateral-Ventricle|Third ventricle|LVOT|LV outflow tract|Heart|heart|"
    "Ventricles|LV and RV|Ventricle_L_PRV05|LV_PRV|PTV|Pericardium|laendocardialContour|"
    "larvendocardialContour|sarvepicardialContour|Myocardium_R|Myocardium_RV|A_LAD|Valve_Mitral|"
    "LV apex|AHA 3|interventricular septum|Segment_1|Segment VI|Kidney_L|Lung_L|Breast_L|"
    "Bladder_Wall|左心房|右心房|левое предсердие|좌심방|oreillette gauche|aurícula izquierda|linker Vorhof|"
    "LV long axis|Blood vessel|epicardial fat|saReferenceMyoContour|left lung|Femur_Head_L|"
    "LV lateral wall|RVEpi|Stomach wall|Esophagus lumen|sapapilMuscContour|VS|BrachialPlex_L|"
    "Musc_Constrict|Endovascular stent",
}


@pytest.mark.parametrize(
    ("label", "name"), [(label, name) for label, text in NAMES.items() for name in text.split("|")]
)
def test_names_of_other_programs_and_languages_mean_what_they_say(label, name):
    assert label_of_name(name) == label


LV, RV, MYO = ("SCT", "87878005"), ("SCT", "53085002"), ("SCT", "74281007")
LEFT, RIGHT, VENTRICLE, BLOOD = ("SCT", "7771000"), ("SCT", "24028007"), ("SCT", "21814001"), ("SCT", "87612001")


@pytest.mark.parametrize(
    ("name", "codes", "label"),
    [
        ("", [LV], Label.LVBP),
        ("", [("sct ", " 49848007")], Label.LVM),
        ("a", [("SRT", "T-32500")], Label.RVBP),
        ("Segment_1", [("SCT", "10200004")], None),
        ("Segment_1", [VENTRICLE, LEFT], Label.LVBP),
        ("Segment_2", [VENTRICLE, RIGHT], Label.RVBP),
        ("Segment_3", [BLOOD, LV], Label.LVBP),
        # The wall of the right ventricle is none of the labels; "LV" with the code of its muscle is the muscle.
        ("", [MYO, RV], None),
        ("LV", [MYO, LV], Label.LVM),
        ("LV blood pool", [MYO, LV], Label.LVBP),
        ("Left atrium", [LV], None),
        ("RV", [], Label.RVBP),
        ("", [], None),
    ],
)
def test_codes_of_snomed_are_taken_together_and_stand_behind_the_name(name, codes, label):
    assert label_of_segment((name,), [Concept(*code) for code in codes]) == label


def test_codes_of_other_schemes_are_read_by_their_meaning_and_descriptions_come_last():
    assert label_of_segment(("1",), [Concept("FMA", "7101", "Left ventricle")]) == Label.LVBP
    assert label_of_segment(("1", "RV blood pool"), [Concept("99X", "1", "Tissue")]) == Label.RVBP
    assert label_of_segment(("Left atrium", "LV blood pool"), []) is None
