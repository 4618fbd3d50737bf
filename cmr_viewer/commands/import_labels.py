"""Label maps that exist already, as accepted corrections of what the program predicts, in a workspace.

DIR/<case>/<case>_sa_ED.nii.gz with <case>_sa_ED_gt.nii.gz, the same of ES; or another layout of `load.datasets`. Each
case is a patient.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Literal

import numpy as np

from cmr_viewer.analyse import Models, analyse, by_frame
from cmr_viewer.domain.anatomy import Label, Region, reference_regions
from cmr_viewer.domain.annotation import Prediction, Provenance, ReviewStatus
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.patient_key import patient_key_of
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import CmrViewerError, LoadError, StoreError, in_one_line
from cmr_viewer.load.datasets import LabelledSource, LabelledStack, find_labelled
from cmr_viewer.load.names import recognise_patient
from cmr_viewer.pipeline import begin, open_study
from cmr_viewer.progress import Progress
from cmr_viewer.reading.opening import OpeningRequest
from cmr_viewer.reading.saving import SavedStudies
from cmr_viewer.store.annotations import RegionSet, Work
from cmr_viewer.store.database import Workspace
from cmr_viewer.store.versions import Version

Codes = Literal["own", "acdc", "mnms"]

_OTHER_WAY = np.array([Label.BACKGROUND, Label.RVBP, Label.LVM, Label.LVBP], np.uint8)
"""From the codes of ACDC to the program's own, which are those of M&Ms, and back."""


@dataclass(frozen=True)
class Imported:
    """What was imported.

    Attributes:
        patients: Cases with label maps.
        accepted: Frames that are as the program predicts them.
        corrected: Frames that are not.
        regions: Frames whose region is another one than predicted.
        known: Frames that had been imported before.
        problems: Cases that could not be read, with the reason.
    """

    patients: int = 0
    accepted: int = 0
    corrected: int = 0
    regions: int = 0
    known: int = 0
    problems: tuple[str, ...] = ()

    def __add__(self, more: "Imported") -> "Imported":
        return Imported(*(getattr(self, one.name) + getattr(more, one.name) for one in fields(Imported)))


def import_labels(workspace: Workspace, folder: Path, codes: Codes, models: Models, progress: Progress) -> Imported:
    """Analyse each case and accept its label maps and regions; a case that cannot be read is left out.

    Args:
        workspace: Where to.
        folder: The cases.
        codes: What the numbers in the label maps mean.
        models: The models in use.
        progress: 0 to 1.

    Raises:
        NotAStudyError: There are no label maps.
        StoreError: The workspace cannot be written.
    """
    sources = find_labelled(folder)
    done = Imported()
    for number, source in enumerate(sources):
        progress(number / len(sources), f"Importing {source.name}")
        try:
            for part in _parts(source):
                labels = _OTHER_WAY[part.labels] if (codes == "acdc") != (part.group == "acdc") else part.labels
                done += import_stack(workspace, replace(part, labels=labels), source.name, models)
        except StoreError:
            raise
        except CmrViewerError as error:
            done += Imported(problems=(f"{source.name}: {in_one_line(error)}",))
        else:
            done += Imported(patients=1)
    progress(1.0, "Imported")
    return done


def _parts(source: LabelledSource) -> Iterator[LabelledStack]:
    """The case as one stack; ED and ES apart where their slices are not at the same places."""
    try:
        yield source.read()
    except LoadError:
        marks = [file.mark for file in recognise_patient(source.path) if file.labels]
        if source.mark or source.contours is not None or source.keys is not None or len(marks) < 2:
            raise
        for mark in marks:
            yield replace(source, mark=mark).read()


def import_stack(
    workspace: Workspace,
    labelled: LabelledStack,
    name: str,
    models: Models,
    wanted: Collection[FrameIndex] | None = None,
) -> Imported:
    """Analyse a stack and accept its label maps and regions.

    Args:
        workspace: Where to.
        labelled: The stack with its label maps, in the program's own codes.
        name: The patient, where the study does not say who it is.
        models: The models in use.
        wanted: The frames to accept; None for all that are labelled.

    Raises:
        StoreError: The workspace cannot be written.
    """
    saved = SavedStudies(workspace)
    key = labelled.study.patient_key or patient_key_of(name)
    study = replace(labelled.study, reference=None, reference_phases=(), patient_key=key)
    loaded = open_study(saved, OpeningRequest(study.source, follow=False), opener=lambda *_: study)
    reading = begin(loaded)
    known = saved.open(loaded, reading).annotations
    regions, made = by_frame(analyse(study.stack, models))
    versions, changed, earlier_ones = [], {}, 0
    for phase in labelled.phases:
        has_label = [bool(labels.any()) for labels in labelled.labels[phase]]
        for s, region in enumerate(reference_regions(has_label)):
            frame, labels = FrameIndex(phase, s), labelled.labels[phase, s]
            if wanted is not None and frame not in wanted:
                continue
            earlier = known.get(frame)
            if earlier is not None and earlier.status is ReviewStatus.ACCEPTED and (earlier.labels == labels).all():
                earlier_ones += 1
                continue
            if regions[frame].region is not region:
                changed[frame] = RegionSet(region, regions[frame].region)
            versions.append(_accepted(frame, labels, labelled, made[frame], region))
    work = Work(versions=versions, regions=changed, region_predictions=regions, predictions=made)
    if versions:
        saved.save(reading, work)
    corrected = sum(one.provenance is not Provenance.AUTOMATIC for one in versions)
    return Imported(accepted=len(versions) - corrected, corrected=corrected, regions=len(changed), known=earlier_ones)


def _accepted(
    frame: FrameIndex,
    labels: LabelMap,
    labelled: LabelledStack,
    predicted: Prediction,
    region: Region,
) -> Version:
    """A frame as its reader would have accepted it."""
    structures = list(labelled.phase_structures[frame.phase])
    same = np.array_equal(np.where(np.isin(predicted.labels, structures), predicted.labels, 0), labels)
    return Version(
        frame=frame,
        labels=predicted.labels if same else np.ascontiguousarray(labels),
        region=region,
        provenance=Provenance.AUTOMATIC if same else Provenance.SEMIAUTOMATIC,
        status=ReviewStatus.ACCEPTED,
        model_id=predicted.model_id,
        imported_from="" if same else labelled.study.source.name,
    )
