"""What names of files and folders mean: the name of a study, the format of an image, label maps, ACDC and M&Ms.

In the ACDC and M&Ms sets names show which file is the cine, which are ED and ES, and where the label maps are.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.patient import Patient
from cmr_viewer.file_names import readable

NIFTI_ENDINGS = (".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz")
META_ENDINGS = (".mha", ".mhd")
NRRD_ENDINGS = (".nrrd", ".nhdr")
ITK_ENDINGS = (*META_ENDINGS, *NRRD_ENDINGS)

_EXTENSIONS = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd", ".nhdr", ".dcm", ".ima", ".zip")


def name_of(path: Path) -> str:
    """Folder or file name without image extensions: `patient001_frame01.nii.gz` is `patient001_frame01`.

    It is printable text on one line; "study" where the path has no name.
    """
    name = " ".join(readable(path.resolve().name).split()) or "study"
    for extension in _EXTENSIONS:
        if name.lower().endswith(extension) and len(name) > len(extension):
            return name[: -len(extension)]
    return name


ACDC_CODES = {1: Label.RVBP, 2: Label.LVM, 3: Label.LVBP}
"""Label codes of ACDC (Bernard et al. 2018, IEEE TMI 37:2514)."""

CINE = "CINE"
"""Mark of a file of all phases."""

LABEL_WORDS = (
    r"gt|ground.?truth|segs?|segment[aei]\w*|labels?|lbl|etiquetas?|masks?|maske?r?|maska|masque|m[aá]scaras?|maschera|"
    r"annotations?|truth|predictions?|preds?|manual|contours?"
)
"""Words of names that label maps have, in several languages; a regular expression."""

_LABEL_NAME = re.compile(
    rf"(.*[\W_])?({LABEL_WORDS})([\W_]?\d*|[\W_](ed|es|sax?|lax?|lv|rv|\d+)([\W_].*)?)", re.IGNORECASE
)
_ACDC_CINE = re.compile(r"(?P<patient>patient\d+)_4d\.nii(\.gz)?", re.IGNORECASE)
_MNMS_CINE = re.compile(r"(?P<patient>[A-Za-z0-9-]+)_sa(_cine)?\.nii(\.gz)?", re.IGNORECASE)
_ACDC_FRAME = re.compile(r"(?P<patient>patient\d+)_frame(?P<frame>\d+)\.nii(\.gz)?", re.IGNORECASE)
_MNMS_FRAME = re.compile(r"(?P<patient>[A-Za-z0-9-]+)_sa_(?P<mark>ED|ES)\.nii(\.gz)?", re.IGNORECASE)


@dataclass(frozen=True)
class MarkedFile:
    """An image file of one phase, or of all.

    Attributes:
        image: The image.
        labels: The label file beside it, or None.
        mark: "ED", "ES", "CINE" for all phases, or "" where it is unknown.
        patient: The patient's pseudonym.
        layout: "acdc" or "mnms".
        frame: Which frame of the cine it is, from 1, where its name states it.
    """

    image: Path
    labels: Path | None
    mark: str
    patient: str
    layout: str
    frame: int | None = None


def names_labels(path: Path) -> bool:
    """Whether the name of an image file is that of a label map."""
    return _LABEL_NAME.fullmatch(name_of(path)) is not None


def recognise_file(path: Path) -> MarkedFile | None:
    """What an image file's name means, or None if it follows neither layout."""
    if names_labels(path):
        return None
    if match := _ACDC_FRAME.fullmatch(path.name):
        marks = acdc_marks(path.parent / "Info.cfg")
        frame = int(match["frame"])
        return MarkedFile(path, _labels_beside(path), marks.get(frame, ""), match["patient"], "acdc", frame)
    if match := _ACDC_CINE.fullmatch(path.name):
        return MarkedFile(path, None, CINE, match["patient"], "acdc")
    if match := _MNMS_CINE.fullmatch(path.name):
        return MarkedFile(path, _labels_beside(path), CINE, match["patient"], "mnms")
    if match := _MNMS_FRAME.fullmatch(path.name):
        return MarkedFile(path, _labels_beside(path), match["mark"].upper(), match["patient"], "mnms")
    return None


def recognise_patient(folder: Path) -> list[MarkedFile]:
    """The cine, and the ED and ES files, of a patient folder, in this order.

    Empty if the folder follows neither layout or holds several patients.
    """
    found = [marked for path in sorted(folder.glob("*.nii*")) if (marked := recognise_file(path)) is not None]
    found = [marked for marked in found if marked.mark]
    if len({(marked.patient, marked.layout) for marked in found}) != 1:
        return []
    found.sort(key=lambda marked: marked.mark)
    return found if len({marked.mark for marked in found}) == len(found) else []


def files_beside(marked: MarkedFile) -> list[MarkedFile]:
    """The other files of the patient of a file: cine, ED and ES, also where several patients share the folder.

    Empty where one of them is there twice.
    """
    known = (recognise_file(path) for path in sorted(marked.image.parent.glob("*.nii*")) if path != marked.image)
    same = (marked.patient, marked.layout)
    found = [other for other in known if other is not None and other.mark and (other.patient, other.layout) == same]
    marks = {other.mark for other in found}
    return found if len(marks) == len(found) and marked.mark not in marks else []


def _labels_beside(image: Path) -> Path | None:
    name = image.name
    stem = name[: -len("".join(Path(name).suffixes))] if name.lower().endswith(".nii") else name[: -len(".nii.gz")]
    for ending in (".nii.gz", ".nii"):
        if (candidate := image.with_name(f"{stem}_gt{ending}")).is_file():
            return candidate
    return None


def acdc_marks(info: Path) -> dict[int, str]:
    """Frame number to "ED" or "ES" from an `Info.cfg`; empty where it is not there or cannot be read."""
    found = re.findall(r"^\s*(ED|ES)\s*:\s*(\d+)\s*$", _text_of(info), re.MULTILINE)
    return {int(number): mark for mark, number in found}


def acdc_patient(info: Path) -> Patient:
    """Height (cm) and weight (kg) from an `Info.cfg` of ACDC; unknown where it does not state them.

    Source:
        Bernard et al. 2018, IEEE TMI 37:2514: the patient's weight, height and the phases of ED and ES.
    """
    found = re.findall(r"^\s*(Height|Weight)\s*:\s*(\d+(?:\.\d+)?)\s*$", _text_of(info), re.MULTILINE)
    stated = {name: float(number) for name, number in found}
    return Patient(height_cm=stated.get("Height"), weight_kg=stated.get("Weight"))


def _text_of(path: Path) -> str:
    """The text of a file; empty where it is not there or cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
