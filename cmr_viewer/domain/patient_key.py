"""What frames of one patient are recognised by across studies, without revealing who the patient is."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from cmr_viewer.file_names import readable

_IDS = "patient pat pt p subject subj sub case id participant volunteer proband person pid mrn"
_PHASES = "ed es end diastole systole diastolic systolic frame fr phase ph time t"
_FILES = (
    "cine sax sa short axis shortaxis lax la view stack series ser se slice slices sl image images img im vol volume "
    "data dataset dicom dcm nifti nii nrrd mha zip mr mri cmr cardiac heart study st exam examination scan session ses "
    "visit seg segmentation label labels mask masks gt contour contours raw orig original input output out export file "
    "files folder new copy final tmp temp test untitled unnamed default ssfp bssfp trufi fiesta bffe retro "
    "imagestr imagests labelstr patient subject case anon anonymous anonymized anonymised deidentified"
)
_NOBODY = (
    "anonymous anonymized anonymised anonym anon unknown none null na n/a removed deleted hidden deidentified "
    "de-identified patient subject test noid no_id id xxx xxxx xxxxx x - 0 00 000 0000 00000 000000 0000000 00000000 1 "
    "123 1234 12345 123456 12345678 99999999"
)

_ID_WORDS = frozenset(_IDS.split())
"""Words that make a number behind them a patient's."""

_PHASE_WORDS = frozenset(_PHASES.split())
"""Words for one phase of a study; they and their numbers never distinguish patients."""

_GENERIC = frozenset(_FILES.split())
"""Words that name a kind of file and not its patient."""

_PAIR = re.compile(r"([^\W\d_]*)(?:[\W_]?(\d+))?")
_DIMENSIONS = re.compile(r"(?<![^\W_])[234]d(?![^\W_])")
_CHANNEL = re.compile(r"(?<=.)_000\d$")
"""nnU-Net's number of a channel, at the end of a name."""

_DATE = re.compile(r"(19|20)\d\d((0[1-9]|1[0-2])([0-2]\d|3[01]))?")
_DIGITS_OF_AN_ID = 3


def patient_key_of(identifier: str) -> str:
    """What a patient is recognised by: 32 hex digits that do not give the identifier away to a reader."""
    # Names of files may hold bytes that are no text.
    data = identifier.strip().encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=16, person=b"cmr-patient").hexdigest()


def _keys_of(words: Iterable[str]) -> frozenset[str]:
    return frozenset(patient_key_of(form) for word in words for form in (word, word.upper(), word.title()))


_NO_ID_KEYS = _keys_of(_NOBODY.split())
"""Keys of Patient IDs that identify no one."""

_GENERIC_KEYS = _keys_of(_GENERIC | _PHASE_WORDS)


def identifies_no_one(key: str) -> bool:
    """Whether a key comes from a Patient ID that identifies no one, such as "ANONYMOUS" or "0000"."""
    return key in _NO_ID_KEYS


def is_of_generic_name(key: str, name: str) -> bool:
    """Whether a key was made of a name that files of many patients have, or of a study's own name alone.

    Args:
        key: The key.
        name: The study's name.
    """
    return key in _GENERIC_KEYS or key == patient_key_of(name)


def is_identifier(name: str) -> bool:
    """Whether a name looks like a patient's identifier by itself: `patient001`, `A1D0Q7`; neither `cine2` nor `p1`."""
    return _is_identifier(_distinguishing(_pairs(name), numbered=False))


def patient_key_at(folder: Path, name: str) -> str:
    """The key of a patient whom the files do not name, by the place of the files.

    A name that looks like an identifier counts alone, wherever it is, so `patient001_frame01` and `patient001_4d`
    are one patient. Else the folders around it count too, up to one that looks like an identifier: `p1/cine` and
    `p2/cine` are two patients, and so are `Smith/dicom` and `Jones/dicom`. Words for a phase and for a kind of file
    never count.

    Args:
        folder: The folder that holds the file or folder, as an absolute path.
        name: Its name without an image's ending.
    """
    parts = [*folder.parts, name]
    names: list[str] = []
    for at in range(len(parts) - 1, -1, -1):
        pairs = _pairs(parts[at])
        above = next(
            (found for part in reversed(parts[:at]) if (found := _distinguishing(_pairs(part), numbered=True))), []
        )
        distinguishing = _distinguishing(pairs, numbered=not _names_a_patient([*above, *pairs]))
        if distinguishing:
            names.append("".join(f"{word}{number} " for word, number in distinguishing).strip())
        if _is_identifier(distinguishing):
            break
    return patient_key_of("/".join(reversed(names)) or str(folder / name))


def _pairs(part: str) -> list[tuple[str, str]]:
    """Words of a name with the numbers behind them, in small letters; each may be empty."""
    text = _DIMENSIONS.sub(" ", unicodedata.normalize("NFKC", _CHANNEL.sub("", readable(part))).lower())
    return [(word, number) for word, number in _PAIR.findall(text) if word or number]


def _distinguishing(pairs: list[tuple[str, str]], *, numbered: bool) -> list[tuple[str, str]]:
    """Those of them that can distinguish patients.

    Args:
        pairs: Words and numbers.
        numbered: Whether a generic word with a number can: `study1` beside `study2` can, but not below `patient1`.
    """

    def counts(word: str, number: str) -> bool:
        return word not in _GENERIC or bool(number and (numbered or word in _ID_WORDS))

    return [(word, number) for word, number in pairs if word not in _PHASE_WORDS and counts(word, number)]


def _names_a_patient(distinguishing: list[tuple[str, str]]) -> bool:
    return any(word in _ID_WORDS and number for word, number in distinguishing)


def _is_identifier(distinguishing: list[tuple[str, str]]) -> bool:
    """Whether words and numbers are an identifier by themselves: with three digits and more that are no date."""
    digits = [number for word, number in distinguishing if word not in _GENERIC or word in _ID_WORDS]
    return sum(len(number) for number in digits if not _DATE.fullmatch(number)) >= _DIGITS_OF_AN_ID
