"""What other programs call the structures of the heart."""

import re

from cmr_viewer.domain.anatomy import Label

_CODES = {
    ("SCT", "87878005"): Label.LVBP,
    ("SRT", "T-32600"): Label.LVBP,
    ("SCT", "53085002"): Label.RVBP,
    ("SRT", "T-32500"): Label.RVBP,
    ("SCT", "49848007"): Label.LVM,
    ("SCT", "74281007"): Label.LVM,
    ("SRT", "T-32020"): Label.LVM,
}
"""Left ventricle, right ventricle, and myocardium of the left ventricle or of the heart, in SNOMED CT and its older
identifiers (DICOM PS3.16)."""

_OTHER = re.compile(
    r"atri|aort|pulm|vein|arter|valve|scar|infarct|fibro|oedema|edema|fat|pericard|thromb|papil|trabec|appendage"
    r"|\bla\b|\bra\b|\bpa\b|enhanc|no.?reflow|insertion|landmark|extent|septum"
)
_RIGHT = re.compile(r"\brv|right.*ventric|ventric\w*[ _]right|\bsarv|rvbp|\brvc")
_LEFT = re.compile(r"\blv|left.*ventric|ventric\w*[ _]left|\bmlv|\bsa(endo|epi)")
_WALL = re.compile(r"myo|wall|epi|lvm\b|muscle|\bmlv")
_INSIDE = re.compile(r"endo|blood|cavity|pool|bp\b")
_NOTHING = re.compile(r"background|bkg|bg|none|empty|clear.?label|exterior")


def label_of_name(name: str) -> Label | None:
    """What a structure's name means here.

    Args:
        name: Such as "LV endocardium", "Left ventricular myocardium", "RVBP", "MLV".

    Returns:
        The label; LVM also for the epicardium of the left ventricle, whose inside it is less the blood pool;
        BACKGROUND for background; None for what this program has no label for, the wall of the right ventricle among
        it.
    """
    text = re.sub(r"[\s_\-.,;:/()\[\]]+", " ", name.strip().lower()).strip()
    if _NOTHING.fullmatch(text):
        return Label.BACKGROUND
    if not text or _OTHER.search(text):
        return None
    right, left = bool(_RIGHT.search(text)), bool(_LEFT.search(text))
    wall, inside = bool(_WALL.search(text)), bool(_INSIDE.search(text))
    if right:
        return None if left or wall else Label.RVBP
    if wall:
        return Label.LVM
    return Label.LVBP if left or inside else None


def label_of_code(scheme: str, value: str) -> Label | None:
    """What a coded concept (Coding Scheme Designator (0008,0102), Code Value (0008,0100)) means here, or None."""
    return _CODES.get((scheme.strip().upper(), value.strip().upper()))
