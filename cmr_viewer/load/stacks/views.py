"""Long-axis cines of a study: which they are, their names, and their pixels."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.notes import Code, Note, counted
from cmr_viewer.domain.study import LongAxisView
from cmr_viewer.load.dicom.headers import Header
from cmr_viewer.load.dicom.pixels import Place, pixel_dtype, read_into
from cmr_viewer.load.stacks.acquisitions import Acquisition
from cmr_viewer.load.stacks.groups import Group
from cmr_viewer.load.stacks.identity import patient_in
from cmr_viewer.load.stacks.kinds import could_be_cine, is_dynamic, is_magnitude, names_in, names_long_axis
from cmr_viewer.load.stacks.places import geometry_of, line_angle_deg, plane_of
from cmr_viewer.progress import Progress, part

LEAST_ANGLE_DEG = 60.0
"""Least angle of a long-axis plane to the short axis; a prescription is off by less than this allows."""

LEAST_NAMED_ANGLE_DEG = 30.0
"""A plane with the name of a long-axis view may be less steep, as that of the RV outflow tract is."""

FARTHEST_MM = 60.0
"""A view goes through the heart: its plane is not further from the middle of the stack."""

MOST_PARALLEL = 5
"""More parallel slices than this are a stack of their own (axial, coronal), and no view."""

MOST_VIEWS = 24
"""A study has no more views than this: a radial series has up to 18 planes."""

_LEAST_PHASES = 5
_NAMED_WITHIN_DEG = 25.0
_HEAD = np.array([0.0, 0.0, 1.0])
_NAMES = (
    ("4-chamber", r"4\W?ch|four\W?ch|\b4\W?kammer|\bhla\b|horizontal.?long"),
    ("3-chamber", r"3\W?ch|three\W?ch|\b3\W?kammer|aplax|\blvot"),
    ("2-chamber", r"2\W?ch|two\W?ch|\b2\W?kammer|\bvla\b|vertical.?long"),
    ("right ventricular outflow tract", r"rvot|rv.?outflow"),
)


@dataclass(frozen=True, eq=False)
class PlannedView:
    """A long-axis cine that is to be read.

    Attributes:
        acquisition: Its frames.
        description: For a reader.
    """

    acquisition: Acquisition
    description: str


def find_views(groups: Sequence[Group], opened: Group) -> list[PlannedView]:
    """Long-axis cines among all stacks of the files, of the patient and study of the opened one, in order of time."""
    normal, study = opened.reference.normal, opened.first.study_uid
    middle = np.mean([s.suggested.plane.centre for s in opened.slices], axis=0)
    flow = {(h.position, h.orientation) for g in groups if not is_magnitude(g.first) for h in g.headers}
    found: list[Acquisition] = []
    for group in groups:
        if group is opened or group.patient != opened.patient or len(group.slices) > MOST_PARALLEL:
            continue
        least = LEAST_NAMED_ANGLE_DEG if names_long_axis(group.first) else LEAST_ANGLE_DEG
        if line_angle_deg(group.reference.normal, normal) < least:
            continue
        found += [
            a
            for s in group.slices
            for a in s.acquisitions
            if _is_cine(a)
            and _same_study(a.first, opened.first, study)
            and abs(float((middle - a.plane.centre) @ a.plane.normal)) <= FARTHEST_MM
            and (a.first.position, a.first.orientation) not in flow
        ]
    found.sort(key=lambda a: a.start)
    return _with_different_names([PlannedView(a, describe(a.first, normal)) for a in found[-MOST_VIEWS:]])


def _with_different_names(views: list[PlannedView]) -> list[PlannedView]:
    """The views with names that differ: by their series, and by their order within one."""
    same: dict[str, list[PlannedView]] = defaultdict(list)
    for view in views:
        same[view.description].append(view)
    named = {}
    for description, alike in same.items():
        numbers = [view.acquisition.first.series_number for view in alike]
        for place, (view, number) in enumerate(zip(alike, numbers, strict=True)):
            words = [f"series {number}"] if len(set(numbers)) > 1 else []
            if numbers.count(number) > 1:
                words.append(f"{numbers[: place + 1].count(number)} of {numbers.count(number)}")
            named[id(view)] = f"{description} ({', '.join(words)})" if len(alike) > 1 else description
    return [replace(view, description=named[id(view)]) for view in views]


def _same_study(header: Header, opened: Header, study: str) -> bool:
    return header.study_uid == study or (header.acquired_date == opened.acquired_date and bool(patient_in(header)))


def _is_cine(acquisition: Acquisition) -> bool:
    headers = acquisition.headers
    return len(headers) >= _LEAST_PHASES and could_be_cine(headers[0]) and not is_dynamic(headers)


def describe(header: Header, short_axis: NDArray[np.float64]) -> str:
    """A view in words, by a frame of it: what its description states, or else its plane, and the description."""
    name = next((name for name, words in _NAMES if re.search(words, names_in(header), re.IGNORECASE)), "")
    if not name:
        name = _name_by_plane(plane_of(header).normal, short_axis)
    return f"{name}: {header.description}" if header.description else name


def _name_by_plane(normal: NDArray[np.float64], short_axis: NDArray[np.float64]) -> str:
    """4-chamber for a plane that is rather horizontal in the patient, 2-chamber for one that is vertical.

    Turned about the long axis, the horizontal long axis is the 4-chamber view and the vertical long axis the 2-chamber
    view (Schulz-Menger et al. 2020, J Cardiovasc Magn Reson 22:19); between them the plane gives no name.
    """
    up = _HEAD - short_axis * float(_HEAD @ short_axis)
    if float(np.linalg.norm(up)) < 0.3:
        return "long axis"
    angle = line_angle_deg(normal, up / np.linalg.norm(up))
    if angle <= _NAMED_WITHIN_DEG:
        return "4-chamber"
    return "2-chamber" if angle >= 90.0 - _NAMED_WITHIN_DEG else "long axis"


def read_views(planned: Sequence[PlannedView], progress: Progress) -> tuple[tuple[LongAxisView, ...], list[Note]]:
    """Decode long-axis cines, in the stored dtype.

    Returns:
        The views that can be decoded, and notes on the others.

    Raises:
        Cancelled: `progress` asked to stop.
    """
    views, notes = [], []
    for number, plan in enumerate(planned):
        step = part(progress, number / len(planned), (number + 1) / len(planned))
        size = plan.acquisition.first.rows, plan.acquisition.first.cols
        headers = [h for h in plan.acquisition.headers if (h.rows, h.cols) == size]
        pixels = np.zeros((len(headers), headers[0].rows, headers[0].cols), pixel_dtype(headers))
        damaged = {d.header.key for d in read_into(pixels, [Place(h, (p,)) for p, h in enumerate(headers)], step)}
        whole = [p for p, h in enumerate(headers) if h.key not in damaged]
        if len(whole) < len(headers):
            text = f"The view {plan.description} has {counted(len(headers) - len(whole), 'damaged image')}."
            notes.append(Note(text, Code.FRAMES_DAMAGED))
        if not whole:
            continue
        pixels = pixels if len(whole) == len(headers) else pixels[whole]
        times = plan.acquisition.timed.clock if len(headers) == len(plan.acquisition.headers) else ()
        by_trigger = plan.acquisition.timed.measure == "trigger" and not plan.acquisition.timed.ties and bool(times)
        geometry = geometry_of(headers[0], [headers[0].position])
        of_phases = tuple(times[p] for p in whole) if by_trigger else None
        views.append(LongAxisView(pixels, geometry, plan.description, of_phases))
    return tuple(views), notes
