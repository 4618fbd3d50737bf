"""The input of `cmr-viewer measure`: images and label maps of studies, in one or several files."""

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cmr_viewer.commands.service import opening_of
from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.notes import Code, Note
from cmr_viewer.domain.study import Study
from cmr_viewer.errors import LabelMapError, LoadError
from cmr_viewer.load.datasets import LabelledSource, find_labelled, labels_start_at_base, structures_drawn
from cmr_viewer.load.labels.files import read_labels
from cmr_viewer.load.study import open_study, reversed_slices


@dataclass(frozen=True, eq=False)
class Labelled:
    """A study with label maps.

    Attributes:
        study: The study.
        labels: (phase, slice, row, col) of its first stack; background where nothing is stated.
        structures: Per labelled phase: structures that the label maps state there. For other structures,
            their absence means nothing.
        files: Names of the files that the label maps came from, for a reader.
        notes: What a reader should know about them.
    """

    study: Study
    labels: LabelMap
    structures: Mapping[int, frozenset[Label]]
    files: tuple[str, ...]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Asked:
    """Files that belong together: images of one study, label maps for each of them or all of them.

    Attributes:
        images: One image or folder; or several of one phase each, which are phases of one study.
        labels: Label files, as many as images, or any number for one image; empty for the labels next to the images.
        source: A patient of a labelled data set, instead of both.
    """

    images: tuple[Path, ...]
    labels: tuple[Path, ...] = ()
    source: LabelledSource | None = None

    @property
    def text(self) -> str:
        """The names of the images, for a message."""
        return ", ".join(path.name for path in self.images)


def asked_for(arguments: Namespace) -> list[Asked]:
    """The images and labels of a command line, grouped by study.

    Raises:
        LoadError: Numbers of images and labels do not match, or codes or a phase are set without labels.
    """
    images, labels = list(arguments.images), list(arguments.labels or ())
    if not labels and (arguments.codes != "auto" or arguments.phase is not None):
        raise LoadError("--codes and --phase need label maps. Name them with --labels, or leave both options out.")
    if labels:
        if len(images) == 1:
            return [Asked((images[0],), tuple(labels))]
        if len(labels) != len(images):
            raise LoadError(
                f"There are {len(labels)} label files for {len(images)} images. Name one for each image, in the same "
                "order, or several for a single image."
            )
        if arguments.one_study:
            return [Asked(tuple(images), tuple(labels))]
        return [Asked((image,), (label,)) for image, label in zip(images, labels, strict=True)]
    if arguments.one_study:
        return [Asked(tuple(images))]
    found: list[Asked] = []
    for image in images:
        if image.is_dir():
            found += [Asked((source.path,), source=source) for source in find_labelled(image)]
        else:
            found.append(Asked((image,)))
    return found


def read_asked(asked: Asked, arguments: Namespace) -> Labelled:
    """Read one study with its label maps.

    Raises:
        LoadError: A file cannot be read, or has no label maps.
        LabelMapError: Label maps do not belong to their images.
    """
    if asked.source is not None:
        if not opening_of(arguments).is_plain:
            raise LoadError(
                "--slice-axis, --spacing and --any-size apply to single images, not to a folder of patients. Name the "
                "image."
            )
        found = asked.source.read()
        return Labelled(found.study, found.labels, found.phase_structures, (asked.source.name,))
    if len(asked.images) == 1:
        return _turned(_read_one(asked.images[0], asked.labels, arguments))
    labels: Sequence[tuple[Path, ...]] = [(path,) for path in asked.labels] or [()] * len(asked.images)
    return _joined([_read_one(i, at, arguments) for i, at in zip(asked.images, labels, strict=True)])


def join_phases(found: Sequence[Labelled]) -> Iterator[Labelled]:
    """Join one-phase studies of the same patient, on the same grid and next to one another, to one study.

    So ED and ES in separate files are measured together if their names show that they belong together.
    """
    waiting: list[Labelled] = []
    for one in found:
        if waiting and not _same_patient(waiting[0], one):
            yield _joined(waiting)
            waiting = []
        waiting.append(one)
    if waiting:
        yield _joined(waiting)


def _read_one(image: Path, labels: Sequence[Path], arguments: Namespace) -> Labelled:
    study = open_study(image, opening=opening_of(arguments))
    stack = study.stack
    if not labels:
        if study.reference is None or not study.reference_phases:
            raise LoadError(f"There are no label maps next to {image.name}. Name them with --labels.")
        stated = structures_drawn(study.reference, study.reference_phases)
        return Labelled(study, study.reference, stated, (image.name,))
    merged = np.zeros(stack.pixels.shape, dtype=np.uint8)
    structures: dict[int, frozenset[Label]] = {}
    notes: list[Note] = []
    phase = None if arguments.phase is None else arguments.phase - 1
    for path in labels:
        read = read_labels(path, study, arguments.codes, 0 if stack.phases == 1 and phase is None else phase)
        notes += read.warnings
        stated_at: dict[int, frozenset[Label]] = {}
        for frame, of_frame in read.structures.items():
            stated_at[frame.phase] = stated_at.get(frame.phase, frozenset()) | of_frame
        if again := sorted(stated_at.keys() & structures.keys()):
            raise LabelMapError(
                f"{path.name} has labels of phase {again[0] + 1}, and so does another file. Name only one of them."
            )
        for at in stated_at:
            merged[at] = read.labels[at]
        structures.update(stated_at)
    return Labelled(study, merged, structures, tuple(path.name for path in labels), tuple(dict.fromkeys(notes)))


def _turned(one: Labelled) -> Labelled:
    """Slices from base to apex by the label maps, if the images alone do not state the order."""
    if not any(note.code is Code.BASE_END_GUESSED for note in one.study.warnings):
        return one
    study, labels = one.study, one.labels
    if not labels_start_at_base(labels[sorted(one.structures)]):
        study, labels = reversed_slices(study), np.asarray(labels[:, ::-1])
    study = replace(study, warnings=tuple(w for w in study.warnings if w.code is not Code.BASE_END_GUESSED))
    return replace(one, study=study, labels=labels)


def _same_patient(first: Labelled, other: Labelled) -> bool:
    both = (first.study.stack, other.study.stack)
    return (
        first.study.patient_key == other.study.patient_key
        and all(stack.phases == 1 for stack in both)
        and both[0].geometry == both[1].geometry
    )


def _joined(found: Sequence[Labelled]) -> Labelled:
    """One-phase studies as phases of one study, in the given order.

    Raises:
        LabelMapError: Their grids differ, or one has several phases.
    """
    first = found[0]
    if len(found) == 1:
        return _turned(first)
    stacks = [one.study.stack for one in found]
    if any(stack.phases != 1 or stack.geometry != stacks[0].geometry for stack in stacks):
        raise LabelMapError(
            f"{first.study.name} and {found[-1].study.name} are not phases of one study: each must have one phase, and "
            "all the same grid."
        )
    marks = {
        name: next((at for at, stack in enumerate(stacks) if getattr(stack, name) is not None), None)
        for name in ("ed_phase", "es_phase")
    }
    stack = replace(
        stacks[0],
        pixels=np.concatenate([stack.pixels for stack in stacks]),
        phase_times_ms=None,
        frame_sources=(),
        description=", ".join(stack.description for stack in stacks),
        ed_phase=marks["ed_phase"],
        es_phase=marks["es_phase"],
    )
    # What lies beside each is what it is joined with.
    warnings = dict.fromkeys(n for one in found for n in one.study.warnings if n.code is not Code.IMAGES_BESIDE)
    study = replace(
        first.study,
        name=", ".join(one.study.name for one in found),
        stacks=(stack,),
        reference=None,
        reference_phases=(),
        warnings=tuple(warnings),
    )
    return _turned(
        Labelled(
            study,
            np.concatenate([one.labels for one in found]),
            {at: stated for at, one in enumerate(found) for stated in one.structures.values()},
            tuple(name for one in found for name in one.files),
            tuple(dict.fromkeys(note for one in found for note in one.notes)),
        )
    )
