"""What the names, codes and numbers of structures mean in the files of other programs, in several languages."""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.errors import LabelMapError, UnknownCodesError
from cmr_viewer.load.names import ACDC_CODES


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


Codes = Mapping[int, Label]
"""What each number means; 0 need not be named."""

CodeScheme = Literal["auto", "own", "mnms", "acdc"]
"""How a reader names the numbers: detected, this program's and M&Ms' (1 LVBP, 2 LVM, 3 RVBP), or ACDC's (1 RVBP,
2 LVM, 3 LVBP)."""

OWN_CODES: Codes = {1: Label.LVBP, 2: Label.LVM, 3: Label.RVBP}

_LARGEST_JSON = 1 << 20
_FRAMES_LOOKED_AT = 24
_MOSTLY, _CLEARLY = 0.6, 0.1

MOST_CODES = 12
"""A file with more numbers than these is not a label map of the heart; the program does not ask for their meaning."""


def parse_codes(text: str) -> CodeScheme | Codes:
    """What the numbers in a label file mean, as a command line gives it.

    Args:
        text: A scheme, or each number with its structure: "1=LVBP,2=LVM,3=RVBP,4=LVM". A structure may have several
            numbers and any name that is known here; "background" is none.

    Raises:
        ValueError: It is neither; the message lists what is possible.
    """
    for scheme in get_args(CodeScheme):
        if text.strip().lower() == scheme:
            return cast(CodeScheme, scheme)
    codes: dict[int, Label] = {}
    for pair in text.split(","):
        number, _, name = (one.strip() for one in pair.partition("="))
        label = label_of_name(name)
        if not re.fullmatch(r"\d{1,9}", number) or label is None:
            raise ValueError(
                f"'{pair.strip()}' is not a known code. Give {', '.join(get_args(CodeScheme))}, or assign each number "
                "to LVBP, LVM, RVBP or background, such as 1=LVBP,2=LVM,3=RVBP,4=background."
            )
        if codes.setdefault(int(number), label) != label:
            raise ValueError(f"{number} is assigned to two structures. Assign each number to one.")
    if not set(codes.values()) - {Label.BACKGROUND} or codes.get(0, Label.BACKGROUND) != Label.BACKGROUND:
        raise ValueError("Assign at least one number to LVBP, LVM or RVBP. 0 is always the background.")
    return codes


def codes_of(values: NDArray[np.int64], path: Path, scheme: CodeScheme | Codes = "auto") -> Codes:
    """What the numbers in a label file mean.

    Args:
        values: (phase, slice, row, col) numbers as in the file.
        path: The file; a `dataset.json` beside or above it names the numbers, as nnU-Net writes it.
        scheme: What the reader set; a mapping names every number; "auto" for the names beside the file, or
            else where the structures lie.

    Returns:
        The meaning of each number that may occur.

    Raises:
        UnknownCodesError: Their meaning is unknown, or the mapping does not name all; a complete mapping solves it.
        LabelMapError: They are not label codes.
    """
    if isinstance(scheme, Mapping):
        return _whole_mapping(scheme, values, path)
    if scheme != "auto":
        return ACDC_CODES if scheme == "acdc" else OWN_CODES
    present = {int(value) for value in np.unique(values)} - {0}
    if min(present, default=1) < 0:
        raise LabelMapError(
            f"{path.name} contains negative numbers, which are not label codes. Open the label map itself."
        )
    named = _named_codes(path)
    if named is not None and present <= set(named):
        return named
    return codes_by_place(values, path.name)


def _whole_mapping(codes: Codes, values: NDArray[np.int64], path: Path) -> Codes:
    counts = _counts(values)
    if unnamed := sorted(set(counts) - set(codes)):
        raise UnknownCodesError(
            f"{path.name} also contains the label codes {_some(unnamed)}. Set what they mean (LVBP, LVM, RVBP or "
            "background).",
            counts,
        )
    return codes


def _counts(values: NDArray[np.int64]) -> dict[int, int]:
    """Each number but 0, and in how many pixels it occurs."""
    return {int(v): int(n) for v, n in zip(*np.unique(values, return_counts=True), strict=True) if v}


def _some(codes: Sequence[int]) -> str:
    return ", ".join(map(str, codes[:6])) + (", ..." if len(codes) > 6 else "")


def _named_codes(path: Path) -> Codes | None:
    """Codes from the `dataset.json` of nnU-Net beside a file or one folder above; None without any."""
    for folder in (path.parent, path.parent.parent):
        found = folder / "dataset.json"
        try:
            if not found.is_file() or found.stat().st_size > _LARGEST_JSON:
                continue
            labels = json.loads(found.read_text(encoding="utf-8"))["labels"]
            return _codes_of_names(labels)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return None


def _codes_of_names(labels: Mapping[str, Any]) -> Codes | None:
    """Both forms of nnU-Net: {"LV": 1} of version 2 and {"1": "LV"} of version 1."""
    codes: dict[int, Label] = {}
    for key, value in labels.items():
        name, number = (value, int(key)) if isinstance(value, str) else (key, value)
        label = label_of_name(str(name))
        if isinstance(number, bool) or not isinstance(number, int) or label is None:
            return None
        codes[number] = label
    meant = [label for label in codes.values() if label != Label.BACKGROUND]
    return codes if meant and len(set(meant)) == len(meant) else None


def codes_by_place(values: NDArray[np.int64], name: str) -> Codes:
    """Recognise structures by what they touch: LVBP borders mostly on one other, LVM; RVBP is the third.

    The myocardium and the right ventricle border on what has no label with half of their outline and more, while the
    blood pool of the left ventricle does so only at the outflow tract.

    Args:
        values: (phase, slice, row, col) numbers.
        name: The file's name, for messages.

    Raises:
        UnknownCodesError: Fewer than two or more than three structures, or none that is clearly enclosed by another.
        LabelMapError: No structure, or more than any label map has.

    Source:
        Held against all 310 label maps of ACDC and M&Ms vendor A: all are recognised; the smallest share of a blood
        pool's border is 0.94, and it is at least 0.54 above that of any other structure.
    """
    counts = _counts(values)
    present = list(counts)
    if not present:
        raise LabelMapError(f"{name} contains no labels.")
    if not 2 <= len(present) <= 3:
        if len(present) > MOST_CODES:
            raise LabelMapError(
                f"{name} contains {len(present)} different numbers ({_some(present)}), more than a label map has. Open "
                "the label map itself, not the image."
            )
        raise UnknownCodesError(
            f"{name} contains the label codes {_some(present)}. Set what they mean (LVBP, LVM, RVBP).", counts
        )
    shares = _border_shares(values, present)
    (inner, outer), share = max(shares.items(), key=lambda item: item[1])
    others = [value for pair, value in shares.items() if pair[0] != inner]
    if share < _MOSTLY or max(others) > share - _CLEARLY:
        raise UnknownCodesError(
            f"The positions of the label codes in {name} do not show which is LVBP, LVM or RVBP. Set what "
            f"{_some(present)} mean.",
            counts,
        )
    codes = {inner: Label.LVBP, outer: Label.LVM}
    codes.update((code, Label.RVBP) for code in present if code not in codes)
    return codes


def _border_shares(values: NDArray[np.int64], present: list[int]) -> dict[tuple[int, int], float]:
    """Per pair of codes: the share of the first one's border, in frames with both, that is with the second one."""
    frames = values.reshape(-1, *values.shape[2:])
    several = np.flatnonzero([np.count_nonzero(np.unique(frame)) > 1 for frame in frames])
    if several.size > _FRAMES_LOOKED_AT:
        several = several[np.linspace(0, several.size - 1, _FRAMES_LOOKED_AT).round().astype(int)]
    counted = np.searchsorted([0, *present], np.pad(frames[several], ((0, 0), (1, 1), (1, 1))))
    border = np.zeros((len(present) + 1, len(present) + 1), dtype=np.int64)
    for one, other in ((counted[:, 1:], counted[:, :-1]), (counted[:, :, 1:], counted[:, :, :-1])):
        np.add.at(border, (one.ravel(), other.ravel()), 1)
    border = border + border.T
    np.fill_diagonal(border, 0)
    whole = np.maximum(border.sum(axis=1), 1)
    index = {code: place for place, code in enumerate(present, start=1)}
    return {(a, b): float(border[index[a], index[b]] / whole[index[a]]) for a in present for b in present if a != b}
