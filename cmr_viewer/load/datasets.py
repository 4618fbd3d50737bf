"""Labelled sets on disk as sources of samples: ACDC, M&Ms, Sunnybrook (SCD) and the Data Science Bowl (DSB2).

Of the Second National Data Science Bowl these are prepared short-axis slices: JPEG images, masks of the LV cavity, one
table. Frame 1 is at end-diastole and frame 12 about at end-systole. The labels mark the LV cavity alone. The base end
of the stack and the orientation are unknown.

slices.csv:    key, patient, frame, location_mm, ... one row for each image
images/KEY.jpg, masks/KEY.png    8 bit at 1.5 mm; the mask is not 0 in the cavity
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.domain.geometry import Geometry
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.notes import Code
from cmr_viewer.domain.patient_key import patient_key_of
from cmr_viewer.domain.study import Stack, Study
from cmr_viewer.errors import LoadError, NotAStudyError
from cmr_viewer.load.images.layouts import read_patient
from cmr_viewer.load.labels.sunnybrook import drawn_by_phase, find_contours, read_sunnybrook, with_contours
from cmr_viewer.load.names import recognise_patient
from cmr_viewer.load.stacks.dicom_study import read_dicom
from cmr_viewer.load.study import reversed_slices

TABLE = "slices.csv"
PHASES = ("1", "12")
"""The frames that every slice has: end-diastole, and about end-systole."""

SPACING_MM = 1.5

Keys = Mapping[float, Mapping[str, str]]
"""Location in mm -> frame -> key of the image; both of `PHASES` at each location."""


def _is_prepared(folder: Path) -> bool:
    """Whether a folder is such a set."""
    return all((folder / name).exists() for name in (TABLE, "images", "masks"))


def _prepared_patients(folder: Path) -> dict[str, Keys]:
    """The patients of a set by pseudonym, `DSB0001`, in order of their numbers.

    Where a location was acquired more than once, its last acquisition in order of the keys is used, for both phases.

    Raises:
        LoadError: The table cannot be read.
    """
    rows: dict[int, dict[float, dict[str, str]]] = {}
    try:
        with (folder / TABLE).open(encoding="utf-8", newline="") as opened:
            for row in sorted(csv.DictReader(opened), key=lambda row: row["key"]):
                if row["frame"] in PHASES:
                    at = rows.setdefault(int(row["patient"]), {}).setdefault(float(row["location_mm"]), {})
                    at[row["frame"]] = row["key"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LoadError(f"Could not read the table {folder / TABLE}: {error!r}.") from error
    return {
        f"DSB{number:04d}": {place: keys for place, keys in sorted(places.items()) if len(keys) == len(PHASES)}
        for number, places in sorted(rows.items())
    }


def _read_prepared(folder: Path, name: str, keys: Keys) -> Study:
    """A patient as a study of two phases with the masks as reference, slices in order of their location."""
    if not keys:
        raise LoadError(f"{name} in {folder} has no slice with both frames {' and '.join(PHASES)}.")

    def frames(inside: str, ending: str) -> NDArray[np.uint8]:
        paths = [[folder / inside / f"{at[phase]}{ending}" for at in keys.values()] for phase in PHASES]
        try:
            return np.stack([np.stack([_grey(path) for path in of_phase]) for of_phase in paths])
        except (OSError, UnidentifiedImageError, ValueError) as error:
            raise LoadError(f"Could not read the {inside} of {name} in {folder}: {error}.") from error

    pixels, masks = frames("images", ".jpg"), frames("masks", ".png")
    if masks.shape != pixels.shape:
        raise LoadError(f"The images of {name} in {folder} differ in size from their masks.")
    geometry = Geometry(
        pixels.shape[2],
        pixels.shape[3],
        (SPACING_MM, SPACING_MM),
        (1.0, 0.0, 0.0),
        (0.0, 1.0, 0.0),
        tuple((0.0, 0.0, place) for place in keys),
        single_slice_spacing_mm=10.0,
    )
    return Study(
        name=name,
        source=folder,
        stacks=(Stack(pixels, geometry, ed_phase=0, es_phase=1, description=name),),
        patient_key=patient_key_of(f"dsb2/{name}"),
        reference=np.where(masks > 0, np.uint8(Label.LVBP), np.uint8(0)),
        reference_phases=(0, 1),
        format_name="JPEG",
    )


def _grey(path: Path) -> NDArray[np.uint8]:
    """(row, col) uint8."""
    with Image.open(path) as opened:
        return np.asarray(opened.convert("L"), dtype=np.uint8)


Group = Literal["acdc", "mnms", "scd", "dsb2"]

_SUNNYBROOK = re.compile(r"SC-(HF-N?I|HYP|N)-\d+", re.IGNORECASE)
"""Pseudonyms of Sunnybrook patients (Radau et al. 2009), whatever layout their files are in."""


@dataclass(frozen=True, eq=False)
class LabelledStack:
    """A study with reference label maps at some of its phases.

    Attributes:
        study: The study; its slices run base to apex as the labels show.
        labels: (phase, slice, row, col) uint8 of `Label`; background at phases without labels.
        phases: Phases that have labels, ascending.
        structures: Structures that are labelled at every one of `phases`.
        phase_structures: Per labelled phase: structures that are labelled there. Where a structure is not among them,
            its absence from the label map means nothing.
        patient_key: As the study's.
        group: The set.
    """

    study: Study
    labels: LabelMap
    phases: tuple[int, ...]
    structures: frozenset[Label]
    phase_structures: Mapping[int, frozenset[Label]]
    patient_key: str
    group: Group


@dataclass(frozen=True)
class LabelledSource:
    """One patient of a labelled set, not yet read.

    Attributes:
        path: The patient's folder of images; the set's folder for DSB2.
        group: The set.
        name: The patient's pseudonym.
        contours: Folder of the patient's contour files, where that is how it is labelled, or None.
        keys: The patient's images in a set of JPEG files (DSB2 only), or None.
        mark: "ED" or "ES" where that alone of the patient's phases is read, because the slices of the other are not at
            the same places; empty for all.
    """

    path: Path
    group: Group
    name: str
    contours: Path | None = None
    keys: Keys | None = None
    mark: str = ""

    @property
    def first_phase(self) -> int:
        """Number of the first phase that is read among the patient's."""
        return 1 if self.mark == "ES" else 0

    def read(self) -> LabelledStack:
        """Read images and labels.

        Raises:
            LoadError: Files cannot be read or have no labels.
            LabelMapError: Labels do not fit the images.
        """
        study, structures = self._read_study()
        if study.reference is None or not study.reference_phases:
            raise LoadError(f"{self.path} has no label maps next to its images.")
        labels = study.reference
        if not labels_start_at_base(labels[list(study.reference_phases)]):
            study, labels = reversed_slices(study), labels[:, ::-1]
        study = replace(study, warnings=tuple(w for w in study.warnings if w.code is not Code.BASE_END_GUESSED))
        return LabelledStack(
            study=study,
            labels=labels,
            phases=study.reference_phases,
            structures=frozenset.intersection(*structures.values()),
            phase_structures=structures,
            patient_key=study.patient_key,
            group=self.group,
        )

    def _read_study(self) -> tuple[Study, Mapping[int, frozenset[Label]]]:
        """The study and the structures labelled at each labelled phase."""
        if self.contours is None:
            if self.keys is None:
                files = [marked for marked in recognise_patient(self.path) if self.mark in ("", marked.mark)]
                study = read_patient(self.path, files)
            else:
                study = _read_prepared(self.path, self.name, self.keys)
            return study, structures_drawn(study.reference, study.reference_phases)
        study = read_dicom(self.path)
        contours = read_sunnybrook(self.contours, study)
        return with_contours(study, contours), drawn_by_phase(contours)


def find_labelled(path: Path) -> list[LabelledSource]:
    """Find labelled patients.

    They are in a folder of patients in the layout of ACDC or M&Ms, an SCD folder (`dicoms`, `contours`), a DSB2 folder
    (`slices.csv`, `images`, `masks`), or a folder of one patient.

    Args:
        path: The folder.

    Returns:
        Sources in order of their names; at least one. Where ED and ES of a patient are apart, they are two of one name.

    Raises:
        NotAStudyError: Nothing labelled is there.
        LoadError: The table of a DSB2 folder cannot be read.
    """
    if not path.is_dir():
        raise NotAStudyError(f"{path} is not a folder. Give a folder of labelled patients.")
    if _is_prepared(path):
        return [LabelledSource(path, "dsb2", name, keys=keys) for name, keys in _prepared_patients(path).items()]
    inside = path / "dicoms" if (path / "dicoms").is_dir() else path
    folders = (path, *sorted(p for p in inside.iterdir() if p.is_dir()))
    found = [source for folder in folders for source in _patient(folder)]
    if not found:
        raise NotAStudyError(f"{path} contains no ACDC, M&Ms, Sunnybrook or DSB2 patients with label maps.")
    return found


def _patient(folder: Path) -> list[LabelledSource]:
    files = recognise_patient(folder)
    if any(marked.labels for marked in files):
        group: Group = "acdc" if files[0].layout == "acdc" else "mnms"
        if _SUNNYBROOK.fullmatch(files[0].patient):
            # Such files hold the slices that were labelled at their phase and nothing else, so that slices of the same
            # number lie at different places.
            return [LabelledSource(folder, "scd", file.patient, mark=file.mark) for file in files if file.labels]
        return [LabelledSource(folder, group, files[0].patient)]
    if (contours := find_contours(folder)) is not None:
        return [LabelledSource(folder, "scd", folder.name, contours)]
    return []


def structures_drawn(labels: LabelMap | None, phases: Sequence[int]) -> dict[int, frozenset[Label]]:
    """Per phase: the structures that were drawn in the label maps of a stack.

    Every heart has all three, so a structure that no slice of a phase holds was not drawn there, as the right ventricle
    in sets of the left one alone.

    Args:
        labels: (phase, slice, row, col), or None for none.
        phases: The labelled phases.
    """
    if labels is None:
        return {}
    return {phase: frozenset(s for s in STRUCTURES if (labels[phase] == s).any()) for phase in phases}


def labels_start_at_base(labels: LabelMap) -> bool:
    """Whether the first labelled slices are basal.

    The area of all structures falls from base to apex, and that of the right ventricle by itself as well: the sign of
    the sum of both least-squares slopes over the labelled slices, each phase by itself (the base leaves the heart's
    outermost slice at ES) and weighted alike. The right ventricle decides where an aneurysm widens the apex of the
    left, or where its labels stop at the valve while those of the left ventricle taper off at both ends.

    Args:
        labels: (phase, slice, row, col) of labelled phases.

    Returns:
        True where the labels do not show it.
    """
    areas = ((labels > 0).sum(axis=(2, 3)), (labels == Label.RVBP).sum(axis=(2, 3)))
    return sum(_slope(area.astype(np.float64)) for of_phases in areas for area in of_phases) <= 0


def _slope(area: NDArray[np.float64]) -> float:
    """Least-squares slope of an area over its own slices, both as shares of the whole; 0 for fewer than two slices."""
    where = np.flatnonzero(area)
    if where.size < 2:
        return 0.0
    return float(np.polyfit(where / where.size, area[where] / area.sum(), 1)[0])
