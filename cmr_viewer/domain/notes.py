"""Notes on a study: a sentence for readers, with a code and slices for programs."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from cmr_viewer.file_names import readable


class Code(StrEnum):
    """The subject of a note; files contain the values, so they do not change.

    The comment of each member says when the note appears.
    """

    # Files
    FILES_UNREADABLE = "files-unreadable"  # files cannot be read or decoded and were left out
    FILES_NOT_USED = "files-not-used"  # readable files that are no part of what was opened
    FILES_MISSING = "files-missing"  # files named in a directory file are absent or outside its folder
    FOLDERS_NOT_SEARCHED = "folders-not-searched"  # links and folders that may not be read
    COPIES_LEFT_OUT = "copies-left-out"  # the same image is there more than once
    IMAGES_BESIDE = "images-beside"  # there are image files of another form next to the opened ones
    # Which stack
    MANY_PATIENTS = "many-patients"  # the files are of several patients
    OTHER_STACKS = "other-stacks"  # other possible stacks were left out
    STACK_CHOICE_LOST = "stack-choice-lost"  # the stack that was chosen earlier is absent
    FILE_NOT_IN_STACK = "file-not-in-stack"  # the file that was opened belongs to no stack, or to another one
    NOT_A_CINE = "not-a-cine"  # the study does not show the heart over one cycle in several slices
    CYCLE_NOT_STATED = "cycle-not-stated"  # no file states that phases are of one heart beat, or they last longer
    NAME_DOUBTFUL = "name-doubtful"  # the name of the series suggests something other than a cine
    SLICES_REPEATED = "slices-repeated"  # slices were acquired more than once
    # Phases and time
    TIME_UNIT_GUESSED = "time-unit-guessed"  # times are not in the unit that the standard asks for
    PHASE_ORDER_GUESSED = "phase-order-guessed"  # no time of the heart orders the phases
    PHASE_TIMES_DIFFER = "phase-times-differ"  # slices are ordered by different kinds of time
    HEART_RATE_DIFFERS = "heart-rate-differs"  # slices were acquired at clearly different heart rates
    HEART_RATE_CONTRADICTED = (
        "heart-rate-contradicted"  # the phases last longer than a beat at the stated rate, or files state two
    )
    PHASES_UNEQUAL = "phases-unequal"  # a slice has more or fewer phases than the others
    FRAME_SUBSTITUTED = "frame-substituted"  # a damaged or absent frame is replaced by the nearest in time
    FRAMES_DAMAGED = "frames-damaged"  # images of the stack or of a view are damaged
    FRAMES_OF_OTHER_FILES = "frames-of-other-files"  # ED or ES in files of their own do not fit the cine
    SLICE_LEFT_OUT = "slice-left-out"  # a slice has too few usable frames
    # Geometry
    BASE_END_GUESSED = "base-end-guessed"  # the base end was found from the images
    SPACING_UNKNOWN = "spacing-unknown"  # the voxel size is absent or known to be wrong
    SPACING_CONVERTED = "spacing-converted"  # the voxel size is in another unit than mm, or read in another one
    SPACING_DISAGREES = "spacing-disagrees"  # the file gives two voxel sizes, one of which must be wrong
    HEART_ANY_SIZE = "heart-any-size"  # a reader allowed volumes that no human heart has
    SPACING_BY_READER = "spacing-by-reader"  # a reader set the spacing
    ORIENTATION_DISAGREES = "orientation-disagrees"  # the file gives two orientations
    ORIENTATION_TURNED = (
        "orientation-turned"  # the heart has an impossible position, so the stack was rotated by 180 degrees
    )
    SLICE_AXIS = "slice-axis"  # the slice axis is not the third axis of the file, or was chosen
    SLICE_AXIS_GUESSED = "slice-axis-guessed"  # the slice axis is not certain
    AXES_SKEWED = "axes-skewed"  # the axes are not perpendicular
    SLICE_FITTED = "slice-fitted"  # a slice was brought onto the grid of the others
    SLICES_SHIFTED = "slices-shifted"  # slices have another in-plane position and were shifted to it
    SLICE_GAP = "slice-gap"  # there is room for another slice
    SLICES_FAR_APART = "slices-far-apart"  # the gap between slices is about as wide as the slices are thick
    SLICES_MOVE = (
        "slices-move"  # slices have other positions at other phases, for example where they move with the heart
    )
    SLICES_UNEVEN = "slices-uneven"  # distances between slices differ
    FRAMES_MIRRORED = "frames-mirrored"  # frames were stored as seen from the base
    # Pixels
    VOXELS_NOT_FINITE = "voxels-not-finite"  # voxels that are no numbers
    # Files that are written
    NIFTI_DIVIDED = "nifti-divided"  # slices that are not evenly spaced were divided over several NIfTI files
    NIFTI_EMPTY_SLICES = "nifti-empty-slices"  # NIfTI files hold empty slices where slices are missing
    NIFTI_PLACES_ROUNDED = "nifti-places-rounded"  # slices of NIfTI files lie a part of a pixel off their places
    # Label maps and contours
    LABELS_LEFT_OUT = "labels-left-out"  # contours, segments or label maps that could not be used
    LABELS_PLACED_BY_SHAPE = "labels-placed-by-shape"  # a label map with a default place has the images' shape
    LABELS_OFF_SLICES = "labels-off-slices"  # slices of a label map lie above or below those of the images
    LABELS_CHANGED = "labels-changed"  # contours or label maps were completed or altered to be usable
    STRUCTURES_LEFT_OUT = "structures-left-out"  # structures with names of none of the three labels
    STRUCTURES_EMPTY = "structures-empty"  # structures of the file have no pixel in it, so nothing is replaced by them
    SEGMENT_THRESHOLD = "segment-threshold"  # fractional segments became masks at this value
    # Results
    ED_ES_GUESSED = "ed-es-guessed"  # neither files nor a reader name ED or ES
    ED_ES_DISAGREES = "ed-es-disagrees"  # ED or ES is stated where the LV volume is not the largest or smallest
    ONE_PHASE = "one-phase"  # one phase, or ED and ES at the same one: no ESV, SV and EF
    HEART_IMPOSSIBLE = "heart-impossible"  # no human heart has the volumes that were measured
    FRAMES_NOT_SEGMENTED = "frames-not-segmented"  # frames have no label map
    FRAMES_NOT_REVIEWED = "frames-not-reviewed"  # frames at ED and ES that no reader accepted
    EXPORT_CHANGED = "export-changed"  # an export differs from the study in a way that a reader should know


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 file", "3 files"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def numbered(noun: str, indices: Iterable[int]) -> str:
    """Slices or phases as a reader counts them, from 1: "slice 3", "slices 3, 5"."""
    numbers = [str(index + 1) for index in indices]
    return f"{noun}{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}"


def listed(names: Sequence[str], most: int = 3, separator: str = ", ") -> str:
    """The first few names, and how many more there are: "a, b, c and 2 more"."""
    more = len(names) - most
    return separator.join(names[:most]) + (f" and {more} more" if more > 0 else "")


class Note(str):
    """A sentence for a reader, with a code for programs.

    It is a `str` with that text; equal texts are equal notes.

    Attributes:
        code: Its subject.
        slices: Slices concerned, 0 = most basal; empty where it concerns the whole, or slices that are not shown.
        phases: Phases of these slices at which another frame than their own is shown; empty where there are none.
    """

    __slots__ = ("code", "phases", "slices")
    code: Code
    slices: tuple[int, ...]
    phases: tuple[int, ...]

    def __new__(cls, text: str, code: Code, slices: Iterable[int] = (), phases: Iterable[int] = ()) -> "Note":
        """A note with this text."""
        note = super().__new__(cls, readable(text))
        note.code = code
        note.slices = tuple(slices)
        note.phases = tuple(phases)
        return note

    def __getnewargs__(  # type: ignore[override]  # copied with its code
        self,
    ) -> tuple[str, Code, tuple[int, ...], tuple[int, ...]]:
        return str(self), self.code, self.slices, self.phases

    @property
    def as_json(self) -> dict[str, object]:
        """As files hold it: code, text, and numbers of the slices, 1 = most basal as a reader sees them."""
        return {"code": self.code.value, "text": str(self), "slices": [index + 1 for index in self.slices]}

    @property
    def without_text(self) -> dict[str, object]:
        """The same without its text, which may name files and thereby a patient."""
        return {**self.as_json, "text": ""}
