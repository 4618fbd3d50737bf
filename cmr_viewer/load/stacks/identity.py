"""Patient and study of DICOM frames, also where identifiers are missing or wrong."""

from collections import defaultdict
from collections.abc import Sequence

from cmr_viewer.domain.patient import Patient, Sex
from cmr_viewer.domain.patient_key import is_everybodys, patient_key_of
from cmr_viewer.load.dicom.headers import Header

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

    Without a Patient ID, or with one that stands for nobody (ANONYMOUS), the Study UID stands for the patient. Where
    each file has a Study UID of its own, or where the studies of a patient hold one place each, all of one day, the
    UIDs were given file by file or slice by slice: they tell nothing, and all is one study.
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
        if patient and (single or not is_everybodys(patient)):
            found[patient, study] = (f"id {patient}", "" if single else study)
        else:
            found[patient, study] = ("", "") if of_files else (f"study {study}", study)
    return found
