"""What other programs, and readers of other languages, call the structures of the heart."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cmr_viewer.domain.anatomy import Label


@dataclass(frozen=True)
class Concept:
    """A coded concept (PS3.3, 8.8): Coding Scheme Designator (0008,0102), Code Value (0008,0100), Code Meaning."""

    scheme: str
    value: str
    meaning: str = ""


_MODIFIERS = ("SegmentedPropertyTypeModifierCodeSequence", "AnatomicRegionModifierSequence")
_CODE_WORDS = {
    ("SCT", "87878005"): "left ventricle",
    ("SRT", "T-32600"): "left ventricle",
    ("SCT", "53085002"): "right ventricle",
    ("SRT", "T-32500"): "right ventricle",
    ("SCT", "49848007"): "left ventricle myocardium",
    ("SCT", "74281007"): "myocardium",
    ("SRT", "T-32020"): "myocardium",
    ("SCT", "21814001"): "ventricle",
    ("SRT", "T-32400"): "ventricle",
    ("SCT", "6871001"): "epicardium",
    ("SCT", "7771000"): "left",
    ("SRT", "G-A101"): "left",
    ("SCT", "24028007"): "right",
    ("SRT", "G-A100"): "right",
    ("SCT", "87612001"): "blood",
    ("SCT", "35764002"): "brain",
    ("SCT", "66720007"): "lateral ventricle of the brain",
}
"""Ventricles, myocardium, sides and blood in SNOMED CT and its older identifiers (DICOM PS3.16)."""

_OTHER = re.compile(
    r"atri|aort|pulm|vein|\bven[ae]\b|arter|valv|klapp|scar|narbe|cicatri|infarct|fibro|oedema|edema|\bfat\b|adipos"
    r"|pericard|thromb|papil|trabec|append|auricul|oreillette|vorhof|boezem|formak|przedsion"
    r"|\bla\b|\bra\b|\bpa\b|\blax\b|enhanc|no.?reflow|insertion|landmark|extent|exclu|referen|sept"
    r"|out ?flow|in ?flow|vot\b|lvad|apex|\baxis\b|cent(er|re)|\baha\b"
    r"|lateral|anterior|inferior|posterior|free wall|third|fourth|\b3 ?rd|\b4 ?th|brain|cerebr|choroid"
    r"|\bprv|\bptv|\bctv|\bgtv|\bitv"
    r"|предсерд|аорт|клапан|心房|주동맥|심방|κολπ|اذين"
)
"""Structures that this program has no label for, parts of a wall, ventricles of the brain, and the enlarged targets of
radiotherapy (TG-263: PRV, PTV)."""

_LEFT_VENTRICLE = re.compile(r"\blv|\bmlv|лж|左心?室|左心(?!房)")
_RIGHT_VENTRICLE = re.compile(r"\brv|\bmrv|пж|右心?室|右心(?!房)")
_LEFT = re.compile(
    r"\bleft|\blt\b|\bl\b|\blventr|\blink|gauche|izquierd|\bizq\b|esquerd|sinist|\bsin\b|\bsx\b|vanster|venstre"
    r"|\blew[aey]|\bvasen|\bsol\b|лев|αριστερ|左|좌|ايسر"
)
_RIGHT = re.compile(
    r"\bright|\brt\b|\br\b|\brventr|\brecht|droit|derech|\bder\b|direit|destr|\bdx\b|dexter|\bh[oø][jyg]|\bpraw|\boike|\bsag\b"
    r"|прав|δεξι|右|우|ايمن"
)
_VENTRICLE = re.compile(r"ventri[ck]|\bvent\b|kammer|kammar|\bkamer|komor|kammio|желуд|κοιλι|心室|심실|بطين")
_SHORT_LEFT, _SHORT_RIGHT = re.compile(r"\b(vg|vi|ve|vs|vsx)\b"), re.compile(r"\b(vd|vdx)\b")
"""Ventricles in French, Spanish, Portuguese and Italian; they count beside a word for wall or inside."""

_SHORT_ALONE = re.compile(r"vg|vi|ve|vd|vsx|vdx")
_WALL = re.compile(
    r"\bm[yi]o\b|m[yi]o[ck]ard|\bepi\b|epi[ck]ard|\blvm\b|\bmlv\b|\bmrv\b|\brvm\b|(heart|cardiac) ?muscle|herzmuskel"
    r"|миокард|эпикард|心肌|心筋|心外膜|심근|심외막|μυοκαρδ|επικαρδ|عضله|عضلة"
)
_WALL_OF_SOMETHING = re.compile(
    r"\bwall|muscle|muskel|muscul|\bwand\b|\bpared\b|\bparede\b|paroi|parete|\blvw|стенк|壁|벽"
)
_INSIDE = re.compile(r"\bendo\b|endo[ck]ard|blood ?pool|blutpool|эндокард|심내막|心内膜|血池|ενδοκαρδ")
_INSIDE_OF_SOMETHING = re.compile(
    r"blood|\bpool|\bbp\b|cavi[td]|cavite|\bcav\b|lumen|hohle|holte|\bsang|полост|кров|腔|내강|[lr]vbp|[lr]vc\b|κοιλοτ"
)
_INSIDE_ALONE = re.compile(r"(blood )?cavity|cavidad|cavite|cavidade|cavita|pool|blood|bp")
_NOTHING = re.compile(r"background|bkg|bg|none|empty|clear.?label|exterior")

_GLUED = re.compile(
    r"\b(sax|sa|lax|la|ra|lv|rv)(?=(?:lv|rv)?(?:endo|epi|m[yi]o|wall|blood|cavity|pool|lumen|mask|contour))"
    r"|(?<=\bendo)(?=[lr]v\b)|(?<=\bepi)(?=[lr]v\b)|(?<=\bm[yi]o)(?=[lr]v\b)|(?<=\bbp)(?=[lr]v\b)"
)


def label_of_name(name: str) -> Label | None:
    """What a structure's name means here.

    Args:
        name: Such as "LV endocardium", "Left ventricular myocardium", "RVBP", "MLV", "Ventricle_L" (TG-263),
            "ventricule gauche", "左心室".

    Returns:
        The label; LVM also for the epicardium of the left ventricle, which encloses it and the blood pool; BACKGROUND
        for background; None for what this program has no label for, such as the wall of the right ventricle.

    Source:
        Mayo et al. 2018, Int J Radiat Oncol Biol Phys 100:1057 (AAPM TG-263), for the names of radiotherapy; the label
        lists that TotalSegmentator, MONAI, nnU-Net, cvi42, Segment and Medis publish or write.
    """
    return _meaning(name)[0]


def label_of_segment(names: Sequence[str], concepts: Sequence[Concept]) -> Label | None:
    """What a structure with names and coded concepts means here.

    The first name decides. Where it means nothing, all concepts together do: "myocardium" of "right
    ventricle" is nothing here, "blood" in "left ventricle" is LVBP. They also make a name of the ventricle as a whole
    more exact. The other names come last.

    Args:
        names: Segment Label or ROI Name first, then descriptions; they may be empty.
        concepts: Its type, its anatomic region and their modifiers; not its category.
    """
    coded, _ = _meaning(
        " ".join(_CODE_WORDS.get((c.scheme.strip().upper(), c.value.strip().upper()), c.meaning) for c in concepts)
    )
    named, exact = _meaning(names[0])
    if named is None and not exact:
        named, exact = (coded, True) if concepts and coded is not None else (None, False)
    for other in names[1:]:
        if named is None and not exact:
            named, exact = _meaning(other)
    return Label.LVM if named == Label.LVBP and not exact and coded == Label.LVM else named


def _meaning(name: str) -> tuple[Label | None, bool]:
    """A name's label, and whether the name is exact: of a part of a ventricle, or of something else altogether."""
    text = _words(name)
    if _NOTHING.fullmatch(text):
        return Label.BACKGROUND, True
    if _OTHER.search(text):
        return None, True
    wall, inside = bool(_WALL.search(text)), bool(_INSIDE.search(text))
    left, right = _side(text, wall=wall, inside=inside)
    if left or right:
        wall = wall or bool(_WALL_OF_SOMETHING.search(text))
        inside = inside or bool(_INSIDE_OF_SOMETHING.search(text))
    inside = inside or bool(_INSIDE_ALONE.fullmatch(text))
    exact = wall or inside
    if right:
        return (None if left or wall else Label.RVBP), exact
    if wall:
        return Label.LVM, exact
    return (Label.LVBP if left or inside else None), exact


def _side(text: str, *, wall: bool, inside: bool) -> tuple[bool, bool]:
    """Whether a name means the left ventricle, and whether the right; a whole word outranks a letter."""
    left, right = bool(_LEFT_VENTRICLE.search(text)), bool(_RIGHT_VENTRICLE.search(text))
    if left or right:
        return left, right
    if wall or inside or _VENTRICLE.search(text):
        left, right = bool(_LEFT.search(text)), bool(_RIGHT.search(text))
    if not (left or right):
        beside = wall or inside or _WALL_OF_SOMETHING.search(text) or _INSIDE_OF_SOMETHING.search(text)
        if beside or _SHORT_ALONE.fullmatch(text):
            left, right = bool(_SHORT_LEFT.search(text)), bool(_SHORT_RIGHT.search(text))
    return left, right


def _words(name: str) -> str:
    """A name in small letters without accents, its words apart: "sarvEndocardial" is "sa rv endocardial"."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.strip())
    # Accents go; what was one letter of another script before is one again.
    plain = "".join(c for c in unicodedata.normalize("NFKD", apart) if not unicodedata.combining(c))
    text = unicodedata.normalize("NFC", plain).lower()
    text = re.sub(r"[\W_]+", " ", text)
    text = re.sub(r"(?<=[^\W\d])(?=\d)", " ", text).strip()
    return _GLUED.sub(lambda found: found[0] + " ", _GLUED.sub(lambda found: found[0] + " ", text))


def concepts_of(item: Any, keywords: Sequence[str]) -> list[Concept]:
    """Coded concepts of a segment or an observation (pydicom's `Dataset`), in the sequences with these keywords.

    Each comes behind the concepts that modify it (laterality among them).
    """
    found = []
    for code in (code for keyword in keywords for code in item.get(keyword) or []):
        for one in (*(c for keyword in _MODIFIERS for c in code.get(keyword) or []), code):
            value = one.get("CodeValue") or one.get("LongCodeValue") or one.get("URNCodeValue") or ""
            scheme, meaning = one.get("CodingSchemeDesignator", ""), one.get("CodeMeaning", "")
            found.append(Concept(str(scheme or ""), str(value), str(meaning or "")))
    return found
