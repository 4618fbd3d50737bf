"""Patient and study of DICOM frames, also where identifiers are missing or wrong; and images that exist twice."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from cmr_viewer.domain.notes import Code, Note, counted
from cmr_viewer.domain.patient import Patient, Sex
from cmr_viewer.domain.patient_key import identifies_no_one, patient_key_of
from cmr_viewer.load.dicom.elements import READ_ERRORS
from cmr_viewer.load.dicom.headers import Header
from cmr_viewer.load.dicom.pixels import read_frame

Identity = tuple[str, str]
"""Of a frame: whose it is, and of which study; for comparing alone."""


def patient_in(header: Header) -> str:
    """What the patient is recognised by, or empty where the file has no identifier."""
    return header.patient_key or (patient_key_of(header.patient_id) if header.patient_id else "")


def facts_in(headers: Sequence[Header]) -> Patient:
    """Sex, age and body size of the patient: each from the first frame that states it; without a heart rate."""

    def first(name: str) -> float | None:
        return next((value for header in headers if (value := getattr(header, name)) is not None), None)

    sex = next((header.sex for header in headers if header.sex), None)
    return Patient(
        sex=None if sex is None else Sex(sex),
        age_years=first("age_years"),
        height_cm=first("height_cm"),
        weight_kg=first("weight_kg"),
    )


def identities(headers: Sequence[Header]) -> dict[Identity, Identity]:
    """Per Patient ID and Study UID: whose frames they are and of which study; patients are never mixed.

    Without a Patient ID, or with one that names no one (ANONYMOUS), the Study UID identifies the patient. Where
    each file has a Study UID of its own, or where the studies of a patient hold one place each, all of one day, the
    UIDs were given file by file or slice by slice: they mean nothing, and all is one study.
    """
    places: dict[Identity, set[tuple[float, ...]]] = defaultdict(set)
    dates: dict[str, set[str]] = defaultdict(set)
    for header in headers:
        places[patient_in(header), header.study_uid].add((*header.orientation, *header.position))
        dates[patient_in(header)].add(header.acquired_date)
    found: dict[Identity, Identity] = {}
    for patient, study in sorted(places, reverse=True):
        known = [found[key] for key in found if key[1] == study and key[0]]
        if not patient and len(known) == 1 and study:
            # Some files of a study lack the identifier that the others have.
            found[patient, study] = known[0]
            continue
        own = [key for key in places if key[0] == patient]
        single = all(len(places[key]) == 1 for key in own) and len(dates[patient]) == 1
        of_files = len(headers) > 2 and len(own) == len(headers)
        if patient and (single or not identifies_no_one(patient)):
            found[patient, study] = (f"id {patient}", "" if single else study)
        else:
            found[patient, study] = ("", "") if of_files else (f"study {study}", study)
    return found


_FRAMES_COMPARED = 3


def without_copies(headers: Sequence[Header]) -> tuple[list[Header], list[Note]]:
    """The frames, in their order, without series whose images are all in another series of the same patient; and notes.

    Series count as copies if their frames have the same places and times, one by one, and three of them have the same
    pixels; the first by Series UID stays. Otherwise the reader would have to choose between identical repeats.
    """
    by_series: dict[tuple[str, str], list[Header]] = defaultdict(list)
    for header in headers:
        by_series[patient_in(header), header.series_uid].append(header)
    by_content: dict[object, list[list[Header]]] = defaultdict(list)
    for files in by_series.values():
        by_content[frozenset(_signature(h) for h in files)].append(files)
    dropped: set[int] = set()
    for alike in by_content.values():
        originals: list[list[Header]] = []
        for files in sorted(alike, key=lambda files: files[0].series_uid):
            if any(_same_pixels(files, other) for other in originals):
                dropped.update(id(h) for h in files)
            else:
                originals.append(files)
    left = [h for h in headers if id(h) not in dropped]
    if not dropped:
        return left, []
    text = f"Left out {counted(len(dropped), 'duplicate image')}, stored twice under different UIDs."
    return left, [Note(text, Code.COPIES_LEFT_OUT)]


def _signature(header: Header) -> tuple[object, ...]:
    """What a copy has in common with its original; numbers of series and UIDs are not."""
    return (
        patient_in(header),
        header.orientation,
        tuple(round(v, 2) for v in header.position),
        (header.rows, header.cols, header.spacing, header.kind),
        (header.trigger_ms, header.temporal_position, header.acquired_date, header.acquired_at),
        header.instance_number if header.trigger_ms is None else 0,
    )


def _same_pixels(one: list[Header], other: list[Header]) -> bool:
    if len(one) != len(other):
        return False
    pairs = list(zip(sorted(one, key=_order), sorted(other, key=_order), strict=True))
    chosen = sorted({round(i) for i in np.linspace(0, len(pairs) - 1, _FRAMES_COMPARED)})
    return all(_same_frame(*pairs[i]) for i in chosen)


def _order(header: Header) -> tuple[str, int]:
    return repr(_signature(header)), header.instance_number


def _same_frame(one: Header, other: Header) -> bool:
    try:
        return bool(np.array_equal(read_frame(one), read_frame(other)))
    except READ_ERRORS:
        return False
