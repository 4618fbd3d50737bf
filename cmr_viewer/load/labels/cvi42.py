"""Contours of a cvi42 workspace exported as XML (.cvi42wsx, .xml).

The file nests keyed items: ... / "ImageStates" / SOP Instance UID / "Contours" / name of the contour / "Points" and
"SubpixelResolution". Points are those of the image enlarged by the subpixel resolution, so that a point divided by it
is in pixels, the centre of the first pixel being (0, 0): this is how published code reads the UK Biobank's
workspaces (Bai et al. 2018, J Cardiovasc Magn Reson 20:65, and its published code).

The program reads the short-axis contours of the endocardium and epicardium of the left ventricle and of the endocardium
of the right. Papillary muscles count as blood, as everywhere in this program, so their contours change nothing.
"""

from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

import numpy as np

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.notes import Code, Note, counted
from cmr_viewer.domain.polygons import Points
from cmr_viewer.domain.study import Study
from cmr_viewer.errors import LabelMapError, LoadError
from cmr_viewer.load.labels.imported import (
    MOST_POINTS,
    DrawnContours,
    FrameLookup,
    ImportedLabels,
    points_in_frame,
    require_match,
    source_of,
)
from cmr_viewer.progress import Progress, part, silent

PROVENANCE = "cvi42 workspace"
ENDING = ".cvi42wsx"

LABELS = {
    "saendocardialContour": Label.LVBP,
    "saendocardialOpenContour": Label.LVBP,
    "saepicardialContour": Label.LVM,
    "saepicardialOpenContour": Label.LVM,
    "sarvendocardialContour": Label.RVBP,
}
"""What the contours of a short-axis frame enclose."""

_IMAGES = b"ImageStates"
_OPEN = "OpenContour"
_DEEPEST = 200
_LONGEST_TEXT, _MOST_PIECES = 200, 20
_LARGEST_BYTES = 2 << 30
_CHUNK = 1 << 20


@dataclass(frozen=True, eq=False)
class Cvi42Contour:
    """One contour of a workspace.

    Attributes:
        instance_uid: SOP Instance UID of the image it was drawn on.
        name: As in the file, such as "saendocardialContour".
        points: (point, 2) x and y in pixels; the centre of the first pixel is (0, 0).
    """

    instance_uid: str
    name: str
    points: Points


def read_cvi42(path: Path, study: Study, progress: Progress = silent) -> ImportedLabels:
    """Label maps from the contours of a workspace.

    Args:
        path: The XML file.
        study: The study that the contours were drawn on, from its DICOM files.
        progress: Called with how far the work is.

    Raises:
        LoadError: The file cannot be read.
        LabelMapError: No contour in it belongs to a frame of the study.
    """
    lookup, outlines = FrameLookup(study.stack), DrawnContours(study.stack)
    found = missing = opened = 0
    for contour in contours_of(path, part(progress, 0.0, 0.7)):
        label = LABELS.get(contour.name)
        if label is None:
            continue
        frame = lookup.frame(contour.instance_uid)
        if frame is None:
            missing += 1
            continue
        found += 1
        opened += contour.name.endswith(_OPEN)
        outlines.add(frame, label, points_in_frame(contour.points, source_of(study.stack, frame)))
    notes = require_match(path.name, study, found=found, missing=missing, what="contours")
    if not outlines:
        raise LabelMapError(f"{path.name} contains no usable contour. " + " ".join(outlines.warnings))
    if opened:
        text = f"Closed {counted(opened, 'open contour')}, as drawn at the base, with a straight line."
        notes.append(Note(text, Code.LABELS_CHANGED))
    return outlines.painted(PROVENANCE, notes, part(progress, 0.7, 1.0))


def contours_of(path: Path, progress: Progress = silent) -> list[Cvi42Contour]:
    """All contours of a workspace, those of other views and sequences included; a later one replaces an earlier.

    Raises:
        LoadError: The file cannot be read, is not a workspace, or declares entities or a document type.
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.EntityDeclHandler = _refuse_doctype
    try:
        with path.open("rb") as file:
            size = 0
            while chunk := file.read(_CHUNK):
                size += len(chunk)
                progress(size / (size + 8 * _CHUNK), f"Reading {path.name}")  # how much more is in it is not known
                if size > _LARGEST_BYTES:
                    raise LoadError(f"{path.name} is larger than any cvi42 workspace and was not read.")
                parser.Parse(chunk, False)
            parser.Parse(b"", True)
    except _NotAllowedError as error:
        raise LoadError(f"{path.name} {error}, which no cvi42 workspace does. It was not read.") from None
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise LoadError(
            f"Could not read {path.name} as a cvi42 workspace ({error}). Export it again as XML (*{ENDING})."
        ) from error
    except OSError as error:
        raise LoadError(f"Could not read {path.name} ({error}). Check that the file is complete.") from error
    if not reader.any_states:
        raise LoadError(f"{path.name} is not a cvi42 workspace. Export the workspace as XML (*{ENDING}).")
    return list(reader.contours.values())


class _NotAllowedError(Exception):
    """Something that no workspace contains and that is dangerous to read."""


def _refuse_doctype(*_details: object) -> None:
    # Entities are how a small XML file grows to gigabytes, or fetches other files.
    raise _NotAllowedError("declares a document type or entities")


def is_workspace(path: Path) -> bool:
    """Whether a file is XML with the images of a workspace in it, whatever its name."""
    try:
        with path.open("rb") as file:
            if not file.read(64).lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n").startswith(b"<"):
                return False
            before = b""
            while chunk := file.read(_CHUNK):
                # In UTF-16 each letter of the key has a zero byte beside it.
                if _IMAGES in (before + chunk).replace(b"\0", b""):
                    return True
                before = chunk[-2 * len(_IMAGES) :]
    except OSError:
        pass
    return False


@dataclass
class _Reader:
    """Walks through the elements of the file and collects the contours."""

    contours: dict[tuple[str, str], Cvi42Contour] = field(default_factory=dict)
    any_states: bool = False
    _keys: list[str] = field(default_factory=list)
    _text: list[str] = field(default_factory=list)
    _x: list[float] = field(default_factory=list)
    _y: list[float] = field(default_factory=list)
    _resolution: float = 1.0
    _contour_depth: int = 0
    _in_points: bool = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._text.clear()
        if self._in_points and not attributes:
            self._keys.append(tag)
            if len(self._keys) > _DEEPEST:
                raise _NotAllowedError(f"nests elements more than {_DEEPEST} deep")
            return
        key = next((value for name, value in attributes.items() if name.rpartition(":")[2] == "key"), "")
        self._keys.append(key or tag.rpartition(":")[2])
        if len(self._keys) > _DEEPEST:
            raise _NotAllowedError(f"nests elements more than {_DEEPEST} deep")
        self.any_states = self.any_states or key == "ImageStates"
        # ... / ImageStates / uid / Contours / name
        if not self._contour_depth and self._keys[-4:-3] == ["ImageStates"] and self._keys[-2] == "Contours":
            self._contour_depth, self._resolution, self._x, self._y = len(self._keys), 1.0, [], []
        elif self._contour_depth and key == "Points" and len(self._keys) == self._contour_depth + 1:
            self._in_points = True

    def text(self, data: str) -> None:
        if self._contour_depth and len(self._text) < _MOST_PIECES:
            self._text.append(data[:_LONGEST_TEXT])

    def end(self, tag: str) -> None:
        if self._in_points and len(self._keys) > self._contour_depth + 1:
            self._coordinate(tag)
        elif self._contour_depth:
            key, depth = self._keys[-1], len(self._keys)
            if depth == self._contour_depth + 1:
                self._in_points = False
                if key == "SubpixelResolution":
                    self._resolution = self._number()
            elif depth == self._contour_depth:
                self._add()
                self._contour_depth = 0
        self._keys.pop()
        self._text.clear()

    def _coordinate(self, tag: str) -> None:
        axis = tag.rpartition(":")[2]
        if axis in ("x", "y"):
            (self._x if axis == "x" else self._y).append(self._number())
            if len(self._x) > MOST_POINTS:
                raise _NotAllowedError(f"contains a contour of more than {MOST_POINTS} points")

    def _number(self) -> float:
        """The text of an element as a number; NaN where it is not a number, so that the contour is left out."""
        try:
            return float("".join(self._text))
        except ValueError:
            return float("nan")

    def _add(self) -> None:
        uid, name = self._keys[-3], self._keys[-1]
        resolution = self._resolution if self._resolution > 0 else float("nan")
        count = min(len(self._x), len(self._y))
        points = np.array([self._x[:count], self._y[:count]], dtype=np.float64).T / resolution
        if len(self._x) != len(self._y):
            points = points[:0]
        if len(points) or (uid, name) not in self.contours:
            self.contours[uid, name] = Cvi42Contour(uid, name, points)
