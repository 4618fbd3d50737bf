import json

import numpy as np
import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.errors import LabelMapError, UnknownCodesError
from cmr_viewer.load.labels.meaning import (
    MOST_CODES,
    OWN_CODES,
    Concept,
    codes_by_place,
    codes_of,
    label_of_name,
    label_of_segment,
    parse_codes,
)
from cmr_viewer.load.names import ACDC_CODES
from tests.phantom import clinical_cine


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("codes", [[0, 1, 2, 3], [0, 3, 2, 1], [0, 2, 1, 7], [0, 200, 100, 50]])
def test_structures_are_recognised_by_where_they_lie_even_with_an_open_outflow_tract(seed, codes):
    labels = clinical_cine(seed, phases=2, rows=64, cols=64).labels
    found = codes_by_place(np.array(codes, np.int64)[labels], "a.nii")
    assert found == {codes[1]: Label.LVBP, codes[2]: Label.LVM, codes[3]: Label.RVBP}


def test_a_ventricle_alone_is_noted(tmp_path):
    frame = np.zeros((1, 1, 9, 9), np.int64)
    frame[..., 2:7, 2:7], frame[..., 3:6, 3:6] = 5, 9
    assert codes_by_place(frame, "a") == {9: Label.LVBP, 5: Label.LVM}


@pytest.mark.parametrize(
    ("paint", "said"),
    [
        ([], "no labels"),
        ([(1, 0, 4)], r"codes 1\. Set what"),
        ([(1, 0, 4), (2, 4, 8)], "do not show which"),
        ([(1, 0, 2), (2, 2, 4), (3, 4, 6), (4, 6, 8)], "codes 1, 2, 3, 4"),
    ],
)
def test_what_is_unknown_is_asked_for(paint, said):
    frame = np.zeros((1, 1, 9, 9), np.int64)
    for code, first, last in paint:
        frame[..., first:last] = code
    with pytest.raises(LabelMapError, match=said):
        codes_by_place(frame, "a.nii")


def test_a_scheme_that_the_reader_names_is_used(tmp_path):
    values = np.zeros((1, 1, 2, 2), np.int64)
    assert codes_of(values, tmp_path / "a", "acdc") == ACDC_CODES
    assert codes_of(values, tmp_path / "a", "mnms") == OWN_CODES
    assert codes_of(values, tmp_path / "a", {4: Label.LVM}) == {4: Label.LVM}
    values[...] = [[4, 4], [5, 0]]
    with pytest.raises(UnknownCodesError, match="also contains the label codes 5") as caught:
        codes_of(values, tmp_path / "a", {4: Label.LVM})
    assert caught.value.codes == {4: 2, 5: 1}


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("auto", "auto"),
        ("ACDC", "acdc"),
        ("1=LVBP,2=LVM,3=RVBP", {1: Label.LVBP, 2: Label.LVM, 3: Label.RVBP}),
        (" 5 = rv , 9=MYO,12=LV", {5: Label.RVBP, 9: Label.LVM, 12: Label.LVBP}),
        ("500=LVBP,200=LVM,220=LVM,600=background", {500: Label.LVBP, 200: Label.LVM, 220: Label.LVM, 600: 0}),
        ("0=background,2=Ventricle_L", {0: 0, 2: Label.LVBP}),
        ("2=LVBP,2=lv blood pool", {2: Label.LVBP}),
    ],
)
def test_a_command_line_names_a_scheme_or_every_number(text, codes):
    assert parse_codes(text) == codes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is not a known code"),
        ("ukbb", "'ukbb' is not a known code"),
        ("1=LVBP,2", "'2' is not a known code"),
        ("1=LVBP,x=LVM", "'x=LVM' is not a known code"),
        ("-1=LVBP", "'-1=LVBP' is not a known code"),
        ("1=liver", "'1=liver' is not a known code. Give auto, own, mnms, acdc, or assign each number"),
        ("1=LVBP,1=LVM", "1 is assigned to two structures"),
        ("1=background", "Assign at least one number to"),
        ("0=LVBP,1=LVM", "0 is always the background"),
    ],
)
def test_what_a_command_line_cannot_mean_is_refused_with_what_it_can(text, said):
    with pytest.raises(ValueError, match=said):
        parse_codes(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "[]",
        "{}",
        json.dumps({"labels": []}),
        json.dumps({"labels": {"LV": [1, 2], "RV": 3}}),
        json.dumps({"labels": {"tumour": 9, "LV": 5, "MYO": 2}}),
        json.dumps({"labels": {"LV": 9, "LV blood pool": 5, "MYO": 2}}),
        "[" * 100_000,
    ],
)
def test_names_that_cannot_be_used_are_passed_over(tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    frame = np.zeros((1, 1, 9, 9), np.int64)
    frame[..., 2:7, 2:7], frame[..., 3:6, 3:6] = 5, 9
    assert codes_of(frame, tmp_path / "a.nii.gz") == {9: Label.LVBP, 5: Label.LVM}


@pytest.mark.parametrize("present", [(5,), (1, 2, 3, 4), (1, 4)])
def test_codes_that_a_reader_can_name_are_noted_with_their_pixels(present):
    frames = np.zeros((1, 1, 12, 12), np.int64)
    for number, code in enumerate(present):  # apart from one another, so that nothing encloses anything
        frames[0, 0, 3 * number, : number + 1] = code
    with pytest.raises(UnknownCodesError) as caught:
        codes_by_place(frames, "a.nii")
    assert caught.value.codes == {code: number + 1 for number, code in enumerate(present)}


def test_more_numbers_than_any_label_map_has_are_not_asked_about():
    frames = np.arange(MOST_CODES + 2).reshape(1, 1, 1, -1)
    with pytest.raises(LabelMapError, match="not the image") as caught:
        codes_by_place(frames, "a.nii")
    assert not isinstance(caught.value, UnknownCodesError)


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
