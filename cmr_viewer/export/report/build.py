"""Build a report from a study and its results: measures, pictures, checks and log in words."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmr_viewer import PROGRAM
from cmr_viewer.domain.anatomy import STRUCTURES, Label, Region
from cmr_viewer.domain.annotation import Provenance, ReviewStatus
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.ed_es import Mark
from cmr_viewer.domain.measures.patient_measures import ALL_MEASURE_NAMES, normal_range, text_of, unit_of
from cmr_viewer.domain.measures.volumes import MYOCARDIAL_DENSITY_G_PER_ML, voxel_volume_ml
from cmr_viewer.domain.measures.wall import METHOD as WALL_METHOD
from cmr_viewer.domain.study import FrameIndex, Stack
from cmr_viewer.export.report.contents import (
    Curve,
    Draft,
    FailedCheck,
    FrameLine,
    FramePicture,
    MeasureLine,
    Report,
)
from cmr_viewer.export.report.log_lines import log_lines
from cmr_viewer.export.report.material import Material
from cmr_viewer.progress import Progress, silent
from cmr_viewer.reading.frames import FrameState
from cmr_viewer.review.checks import Finding
from cmr_viewer.review.stack_checks import StackChecks
from cmr_viewer.store.events import What

MOST_LOG_LINES = 60
"""Lines of the log in a report: the latest. The workspace has the whole log."""

_DRAWN = {
    Provenance.AUTOMATIC: "by the model",
    Provenance.SEMIAUTOMATIC: "by the model, corrected",
    Provenance.MANUAL: "by hand",
}

SOURCES = (
    "J. Schulz-Menger, D. A. Bluemke, J. Bremerich, et al. Standardized image interpretation and post-processing in "
    "cardiovascular magnetic resonance - 2020 update. J Cardiovasc Magn Reson 22:19, 2020.",
    "M. D. Cerqueira, N. J. Weissman, V. Dilsizian, et al. Standardized myocardial segmentation and nomenclature for "
    "tomographic imaging of the heart. Circulation 105:539-542, 2002.",
    "J. Mariscal-Harana, N. Kifle, R. Razavi, et al. Improved AI-based segmentation of apical and basal slices from "
    "clinical cine CMR. STACOM 2021.",
)


def build_report(material: Material, progress: Progress = silent) -> Report:
    """Build a report.

    Args:
        material: The contents of the report.
        progress: Called as the work goes on; raises `Cancelled` to stop.
    """
    progress(0.0, "Collecting measures")
    measures = measure_lines(material)
    progress(0.1, "Drawing slices")
    stack, marks = material.read.study.stack, _marks(material)
    pictures = pictures_of(
        stack,
        {frame: facts.labels for frame, facts in material.read.frames.items()},
        marks,
        {frame: facts.region for frame, facts in material.read.frames.items()},
    )
    progress(0.5, "Checking label maps")
    checks, failing = _checks(material, marks)
    progress(0.9, "Reading the log")
    log = log_lines(material.work.events)
    return Report(
        title=material.read.study.name,
        patient=material.patient_name,
        made_at=material.made_at,
        made_by=material.made_by,
        program=PROGRAM,
        facts=_facts(material),
        readers=_readers(material),
        models=_models(material),
        measures=measures,
        curve=_curve(material),
        segments=material.wall.segments,
        segments_note=material.wall.note,
        pictures=pictures,
        frames=tuple(
            frame_line(FrameIndex(phase, index), mark, material.read.frames[FrameIndex(phase, index)], stack)
            for index in range(stack.slices)
            for mark, phase in marks.items()
        ),
        checks=checks,
        log=tuple(log[-MOST_LOG_LINES:]),
        log_left_out=max(0, len(log) - MOST_LOG_LINES),
        notes=tuple(dict.fromkeys([*material.read.study.warnings, *material.read.notes])),
        draft=_draft(material, marks, failing),
        method=_method(material),
        sources=SOURCES + tuple(dict.fromkeys(line.source for line in measures if line.source)),
    )


def _marks(material: Material) -> dict[str, int]:
    """Phases of ED and ES that are known, by name; where they are the same, ED only."""
    measures = material.measures
    marks = {"ED": measures.ed_phase}
    if measures.es_phase != measures.ed_phase:
        marks["ES"] = measures.es_phase
    return {name: phase for name, phase in marks.items() if phase is not None}


def measure_lines(material: Material) -> tuple[MeasureLine, ...]:
    """All values with their normal ranges."""
    measures, lines = material.measures, []
    for name in ALL_MEASURE_NAMES:
        value = measures.values.get(name)
        normal, _ = normal_range(name, measures.patient, measures.papillary)
        side, _, short = text_of(name).partition(" ")
        lines.append(
            MeasureLine(
                name=name,
                ventricle=side,
                text=_WORDS.get(short, short),
                short=short,
                unit=unit_of(name),
                value=value,
                reason="" if value is not None else measures.reasons.get(name, "It was not measured."),
                normal=None if normal is None else (normal.low, normal.high),
                source="" if normal is None else f"{normal.source} ({normal.holds_for})",
                digits=1 if "_l_per_min" in name else 0,
            )
        )
    return tuple(lines)


_WORDS = {
    "EDV": "End-diastolic volume",
    "ESV": "End-systolic volume",
    "SV": "Stroke volume",
    "EF": "Ejection fraction",
    "CO": "Cardiac output",
    "mass": "Myocardial mass",
    "EDV index": "End-diastolic volume index",
    "ESV index": "End-systolic volume index",
    "SV index": "Stroke volume index",
    "mass index": "Myocardial mass index",
    "cardiac index": "Cardiac index",
}


def _curve(material: Material) -> Curve | None:
    curves = material.curves
    volumes = {"LV": curves.lv.volumes_ml, "RV": curves.rv.volumes_ml}
    if not any(np.isfinite(one).any() for one in volumes.values()):
        return None
    measures = material.measures
    return Curve(
        times_ms=material.read.study.stack.phase_times_ms,
        volumes=volumes,
        unit=curves.unit,
        ed_phase=measures.ed_phase,
        es_phase=measures.es_phase,
        rates=curves.rates,
    )


def _facts(material: Material) -> tuple[tuple[str, str], ...]:
    study, measures = material.read.study, material.measures
    stack, patient = study.stack, measures.patient
    geometry = stack.geometry
    facts = [("Images", f"{study.format_name or 'Images'}, {stack.slices} slices, {stack.phases} phases")]
    if material.work.read:
        facts.append(("Read", material.work.read))
    grid = f"{geometry.rows} x {geometry.cols}"
    if geometry.spacing_known:
        down, across = geometry.pixel_spacing_mm
        grid += f", {down:.2f} x {across:.2f} mm"
        if voxel_volume_ml(geometry)[0] is not None:
            grid += f", slices {geometry.slice_spacing_mm:.1f} mm apart"
    facts.append(("Grid", grid if geometry.spacing_known else f"{grid}, spacing not known"))
    ends: tuple[tuple[str, Mark], ...] = (("End-diastole", "ED"), ("End-systole", "ES"))
    for name, mark in ends:
        phase, times = material.read.ed_es.phase_of(mark), stack.phase_times_ms
        if phase is not None:
            time = "" if times is None else f", {times[phase]:.0f} ms"
            facts.append((name, f"phase {phase + 1}{time}, {material.read.ed_es.source_text(mark)}"))
    if patient.sex is not None:
        facts.append(("Sex", patient.sex.text.lower()))
    for name, value, form in (
        ("Age", patient.age_years, "{:.0f} years"),
        ("Height", patient.height_cm, "{:.0f} cm"),
        ("Weight", patient.weight_kg, "{:.0f} kg"),
        ("Heart rate", patient.heart_rate_bpm, "{:.0f} beats/min"),
    ):
        if value is not None:
            facts.append((name, form.format(value)))
    if patient.heart_rate_bpm is None:
        facts.append(("Heart rate", "not stated"))
    if measures.bsa_m2 is not None:
        facts.append(("Body surface area", f"{measures.bsa_m2:.2f} m² ({measures.bsa_formula.text})"))
    return tuple(facts)


def _readers(material: Material) -> tuple[str, ...]:
    """Who worked on the study: how long, and how many changes, regions and accepted frames."""
    names = dict.fromkeys([event.who for event in material.work.events if event.what in _COUNTED])
    names |= dict.fromkeys(row.reader for row in material.work.effort)
    return tuple(f"{name}: {', '.join(_work_of(name, material))}" for name in names)


_COUNTED: Mapping[str, str] = {
    str(What.DRAFT_SAVED): "correction",
    str(What.REGION_SET): "region",
    str(What.ACCEPTED): "accepted frame",
}


def _work_of(reader: str, material: Material) -> list[str]:
    rows = [row.effort for row in material.work.effort if row.reader == reader]
    words = [f"{sum(one.active_s for one in rows) / 60.0:.1f} min active"] if rows else []
    strokes, edits = sum(one.strokes for one in rows), sum(one.edits for one in rows)
    words += [_several(number, word) for number, word in ((strokes, "stroke"), (edits, "other change")) if number]
    counts = Counter(event.what for event in material.work.events if event.who == reader)
    return words + [_several(counts[what], word) for what, word in _COUNTED.items() if counts[what]]


def _several(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number != 1 else ''}"


def _models(material: Material) -> tuple[tuple[str, str], ...]:
    """Models whose predictions the label maps started from, with the number of frames of each region."""
    frames: dict[str, Counter[str]] = {}
    for state in material.read.frames.values():
        if model_id := _began_as(state):
            region = "no region" if state.region is None else state.region.text.lower()
            frames.setdefault(model_id, Counter())[region] += 1
    return tuple(
        (model, ", ".join(f"{number} {region}" for region, number in regions.most_common()))
        for model, regions in sorted(frames.items())
    )


def _began_as(state: FrameState) -> str:
    """The model whose prediction a label map started from; empty where there was none."""
    return "" if state.prediction is None or state.labels is None else state.prediction.model_id


def frame_line(frame: FrameIndex, mark: str, state: FrameState, stack: Stack) -> FrameLine:
    """What is known of one frame, for the table."""
    predicted, geometry = state.region_prediction, stack.geometry
    areas = None
    if state.labels is not None and geometry.spacing_known:
        pixel = geometry.pixel_spacing_mm[0] * geometry.pixel_spacing_mm[1]
        lv, wall, rv = (float(np.count_nonzero(state.labels == int(label)) * pixel) for label in STRUCTURES)
        areas = (lv, wall, rv)
    drawn = "" if state.provenance is None else _DRAWN[state.provenance]
    if state.imported:
        drawn = f"imported from {state.imported}"
    status = {ReviewStatus.ACCEPTED: "accepted", ReviewStatus.DRAFT: "not accepted"}
    return FrameLine(
        frame=frame,
        mark=mark,
        region=state.region,
        by=state.region_by or "",
        probability=None if predicted is None or state.region is None else predicted.of(state.region),
        model_id=_began_as(state),
        drawn=drawn or "no label map",
        status="not reviewed" if state.status is None else status[state.status],
        areas_mm2=areas,
    )


def _draft(material: Material, marks: Mapping[str, int], failing: int) -> Draft | None:
    """Why the report is a draft: some frames at `marks` are not accepted, or there are no frames."""
    frames = [facts for frame, facts in material.read.frames.items() if frame.phase in marks.values()]
    left = sum(facts.status is not ReviewStatus.ACCEPTED for facts in frames)
    return Draft(left, len(frames), failing) if left or not frames else None


def _checks(material: Material, marks: Mapping[str, int]) -> tuple[tuple[FailedCheck, ...], int]:
    """The checks that fail at ED and ES, how many frames of other phases fail, and the number of both."""
    stack = material.read.study.stack
    without = sum(facts.labels is None for facts in material.read.frames.values())
    if without == len(material.read.frames):
        return (FailedCheck("Whole study", "No frame has a label map yet, so no check was possible."),), 0
    checks = StackChecks(stack.phases, stack.slices)
    for frame, facts in material.read.frames.items():
        checks.put(frame, facts.labels, facts.region)
    found = checks.findings(material.measures.ed_phase, material.measures.es_phase)
    names = {phase: mark for mark, phase in reversed(list(marks.items()))}
    lines = [
        FailedCheck(f"Slice {frame.slice_index + 1}, {names[frame.phase]}", one.text)
        for frame, several in sorted(found.items(), key=lambda item: (item[0].slice_index, item[0].phase))
        for one in several
        if frame.phase in names and not one.is_note
    ]
    failing = len(lines)
    others = sum(1 for frame, several in found.items() if frame.phase not in names and _fails(several))
    if others:
        frames = f"{others} frame{'s' if others > 1 else ''}"
        fail = "fail" if others > 1 else "fails"
        lines.append(FailedCheck("Other phases", f"{frames} of other phases {fail} a check."))
    if without:
        text = f"{without} of {len(material.read.frames)} frames have no label map, so these were not checked."
        lines.append(FailedCheck("Whole study", text))
    return tuple(lines), failing + others


def _fails(several: tuple[Finding, ...]) -> bool:
    return any(not one.is_note for one in several)


def _method(material: Material) -> tuple[tuple[str, str], ...]:
    measures = material.measures
    lines = [
        (
            "Volumes",
            "Area of each label map times the distance between slice centres, summed over the slices (summation of "
            "discs). End-diastole and end-systole are the phases with the largest and the smallest LV blood pool, "
            "unless a reader or the source files set them.",
        ),
        ("Papillary muscles", measures.papillary.method),
        (
            "Mass",
            f"Volume of the LV myocardium at end-diastole times {MYOCARDIAL_DENSITY_G_PER_ML} g/ml.",
        ),
        (
            "Indexed values",
            f"Divided by body surface area, formula of {measures.bsa_formula.text} ({measures.bsa_formula.source}). "
            "Cardiac output is stroke volume times heart rate.",
        ),
    ]
    curves = material.curves
    if curves.rates and (method := curves.lv.method or curves.rv.method):
        lines.append(("Rates", f"{method[:1].upper()}{method[1:]}."))
    if material.wall.segments:
        lines.append(("Wall", f"{WALL_METHOD} {material.wall.note} Apical cap (segment 17) not measured."))
    lines.append(
        (
            "Label maps",
            "The program classifies each frame as base, middle, apex or non-cardiac and segments it with the model of "
            "its region. Readers correct both. Structures: "
            f"{', '.join(label.text for label in STRUCTURES)}.",
        )
    )
    return tuple(lines)


LABEL_WORDS: Mapping[Label, str] = {
    Label.LVBP: "LV endocardium",
    Label.LVM: "LV epicardium",
    Label.RVBP: "RV endocardium",
}
"""Names of the outlines in the pictures."""


MARGIN_MM = 15.0
"""Around the labels of the whole stack."""

MARGIN_PIXELS = 12
"""Likewise, where the spacing is not known."""

DARKEST, BRIGHTEST = 1.0, 98.0
"""Percentiles of the pixels that become black and white."""

Box = tuple[int, int, int, int]
"""(first row, row after the last, first column, column after the last)."""


def pictures_of(
    stack: Stack,
    label_maps: Mapping[FrameIndex, LabelMap | None],
    marks: Mapping[str, int],
    regions: Mapping[FrameIndex, Region | None],
) -> tuple[FramePicture, ...]:
    """All slices at ED and ES, slice by slice, all cut and lit alike.

    Args:
        stack: The stack.
        label_maps: (row, col) by frame; None where there is none.
        marks: Phases by name ("ED", "ES").
        regions: By frame, for the captions.
    """
    frames = [(FrameIndex(phase, index), mark) for index in range(stack.slices) for mark, phase in marks.items()]
    row0, row1, col0, col1 = box_of(stack, [label_maps.get(frame) for frame, _ in frames])
    shown = [np.asarray(stack.frame(frame)[row0:row1, col0:col1], dtype=np.float32) for frame, _ in frames]
    window = _window(shown)
    down, across = stack.geometry.pixel_spacing_mm
    pictures = []
    for (frame, mark), pixels in zip(frames, shown, strict=True):
        labels, region = label_maps.get(frame), regions.get(frame)
        where = f"Slice {frame.slice_index + 1}, {mark}"
        pictures.append(
            FramePicture(
                frame=frame,
                grey=_grey(pixels, window),
                labels=None if labels is None else labels[row0:row1, col0:col1].copy(),
                aspect=down / across,
                caption=where if region is None else f"{where}, {region.text.lower()}",
            )
        )
    return tuple(pictures)


def box_of(stack: Stack, label_maps: list[LabelMap | None]) -> Box:
    """What is cut out: the labels of all frames with a margin; the whole frame where there are none."""
    geometry = stack.geometry
    any_label = np.zeros((geometry.rows, geometry.cols), dtype=np.bool_)
    for labels in label_maps:
        if labels is not None:
            any_label |= labels > 0
    if not any_label.any():
        return 0, geometry.rows, 0, geometry.cols
    ends = []
    for axis, length, spacing in ((1, geometry.rows, 0), (0, geometry.cols, 1)):
        at = np.flatnonzero(any_label.any(axis=axis))
        margin = MARGIN_PIXELS
        if geometry.spacing_known:
            margin = round(MARGIN_MM / geometry.pixel_spacing_mm[spacing])
        ends += [max(0, int(at[0]) - margin), min(length, int(at[-1]) + 1 + margin)]
    return ends[0], ends[1], ends[2], ends[3]


def _window(shown: list[NDArray[np.float32]]) -> tuple[float, float]:
    values = np.concatenate([one.ravel() for one in shown]) if shown else np.zeros(1, np.float32)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, (DARKEST, BRIGHTEST)))
    return low, max(high, low + 1e-6)


def _grey(pixels: NDArray[Any], window: tuple[float, float]) -> NDArray[np.uint8]:
    low, high = window
    lit = np.clip((np.nan_to_num(pixels, nan=low) - low) * (255.0 / (high - low)), 0, 255)
    return np.asarray(lit, dtype=np.uint8)
