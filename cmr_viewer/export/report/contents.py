"""The contents of a report. Built by `report.build`; written by `report.pdf`, `report.page` and `report.write`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.domain.measures.segments_aha import SegmentThickness
from cmr_viewer.domain.notes import Note
from cmr_viewer.domain.study import FrameIndex


@dataclass(frozen=True)
class MeasureLine:
    """One measured value.

    Attributes:
        name: Its key in measures.json, such as "lv_edv_ml".
        ventricle: "LV" or "RV".
        text: Its name, such as "End-diastolic volume".
        short: Its abbreviation, such as "EDV".
        unit: Such as "ml" or "ml/m²".
        value: None where it is not known.
        reason: Why it is not known; else empty.
        normal: (low, high) of healthy people, or None where there is no range for this person.
        source: The source of the range; empty where there is none.
        digits: Number of decimals.
    """

    name: str
    ventricle: str
    text: str
    short: str
    unit: str
    value: float | None
    reason: str = ""
    normal: tuple[float, float] | None = None
    source: str = ""
    digits: int = 0

    @property
    def abbreviation(self) -> str:
        """The abbreviation in brackets after the text; empty where the text contains it already."""
        return "" if "index" in self.short or self.short in self.text.lower() else self.short

    @property
    def shown(self) -> str:
        """The value with its decimals, or a dash."""
        return "–" if self.value is None else f"{self.value:.{self.digits}f}"  # noqa: RUF001 - an en dash is meant

    @property
    def shown_range(self) -> str:
        """The normal range, or empty."""
        if self.normal is None:
            return ""
        low, high = self.normal
        return f"{low:.{self.digits}f} – {high:.{self.digits}f}"  # noqa: RUF001 - an en dash is meant

    @property
    def verdict(self) -> str:
        """Where it is against the normal range: "below", "above", "within", or empty where either is not known."""
        if self.value is None or self.normal is None:
            return ""
        low, high = self.normal
        return "below" if self.value < low else "above" if self.value > high else "within"


@dataclass(frozen=True, eq=False)
class Curve:
    """Volumes through the cardiac cycle.

    Attributes:
        times_ms: (phase,) after the R wave, or None where they are not known.
        volumes: By ventricle ("LV", "RV"), each (phase,), NaN where a phase is not segmented.
        unit: "ml", or "pixels" where the spacing is not known.
        ed_phase: End-diastole, or None.
        es_phase: End-systole, or None.
        rates: Rates of filling and ejection, as (text, value with unit).
    """

    times_ms: tuple[float, ...] | None
    volumes: Mapping[str, NDArray[np.float64]]
    unit: str
    ed_phase: int | None
    es_phase: int | None
    rates: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class FramePicture:
    """A frame with its outlines.

    Attributes:
        frame: Which.
        grey: (row, col) uint8 of the part around the heart.
        labels: (row, col) label map of the same part; None where there is none.
        aspect: Height of a pixel over its width.
        caption: Its description for a reader.
    """

    frame: FrameIndex
    grey: NDArray[np.uint8]
    labels: LabelMap | None
    aspect: float
    caption: str


@dataclass(frozen=True)
class FrameLine:
    """What is known of one frame at end-diastole or end-systole.

    Attributes:
        frame: The frame.
        mark: "ED" or "ES".
        region: Its region, or None.
        by: Who set it: "reader", "predicted" or empty.
        probability: The classifier's of that region, 0 to 1, or None.
        model_id: The model whose prediction the label map started from; empty where there was none.
        drawn: How the label map was made, in words.
        status: "accepted", "not accepted" or "not reviewed".
        areas_mm2: LVBP, LVM and RVBP in mm², or None where the spacing or the label map is missing.
    """

    frame: FrameIndex
    mark: str
    region: Region | None
    by: str
    probability: float | None
    model_id: str
    drawn: str
    status: str
    areas_mm2: tuple[float, float, float] | None


@dataclass(frozen=True)
class FailedCheck:
    """Something that looks wrong.

    Attributes:
        where: Such as "Slice 3, ED" or "Whole study".
        text: What, in words.
        is_note: Whether it is for information only, and nothing is wrong by itself.
    """

    where: str
    text: str
    is_note: bool = False


@dataclass(frozen=True)
class LogLine:
    """Who changed what and when; several events of a kind, one after another, are one line.

    Attributes:
        first: When it began.
        last: When it ended.
        who: The reader.
        text: What, in words.
    """

    first: datetime
    last: datetime
    who: str
    text: str


@dataclass(frozen=True)
class Draft:
    """Why a report is a draft: a reader has not accepted all frames at ED and ES.

    Attributes:
        unreviewed: Frames at ED and ES that are not accepted.
        frames: Frames at ED and ES; 0 where these phases are not known.
        failing: Checks that fail, those of frames at other phases included.
    """

    unreviewed: int
    frames: int
    failing: int

    @property
    def text(self) -> str:
        """A line for every page."""
        fail = "1 check fails" if self.failing == 1 else f"{self.failing or 'no'} checks fail"
        if not self.frames:
            return f"DRAFT: ED and ES are not known, {fail}"
        return f"DRAFT: {self.unreviewed} of {self.frames} frames at ED and ES not reviewed, {fail}"


@dataclass(frozen=True, eq=False)
class Report:
    """The contents of a report.

    Attributes:
        title: The study's pseudonym or name.
        patient: The patient's name as the reader entered it; empty if not named.
        made_at: When it was made, in the local time zone, which the log uses too.
        made_by: The reader who asked for it; empty where that is not known.
        program: Name and version of the program.
        facts: (name, value) of the study and the patient: sizes, spacing, sex, age, body surface area.
        readers: Who changed or accepted something, with the numbers.
        models: (model id, number of frames of each region).
        measures: In the order in which they are shown.
        curve: Volumes through the cycle, or None.
        segments: Of the wall; empty where they are not measured.
        segments_note: How their positions were found, or why there are none.
        pictures: Of all slices at ED and ES: slice by slice, ED first.
        frames: Regions and label maps of all slices at ED and ES.
        checks: The checks that fail.
        log: Who changed what and when.
        log_left_out: Number of lines of the log that are left out because there are too many.
        notes: What a reader should know about the files and the results.
        draft: Why it is a draft, or None where all frames at ED and ES are reviewed.
        method: (name, text): how everything was measured.
        sources: Citations.
    """

    title: str
    patient: str
    made_at: datetime
    made_by: str
    program: str
    facts: tuple[tuple[str, str], ...]
    readers: tuple[str, ...]
    models: tuple[tuple[str, str], ...]
    measures: tuple[MeasureLine, ...]
    curve: Curve | None
    segments: tuple[SegmentThickness, ...]
    segments_note: str
    pictures: tuple[FramePicture, ...]
    frames: tuple[FrameLine, ...]
    checks: tuple[FailedCheck, ...]
    log: tuple[LogLine, ...]
    method: tuple[tuple[str, str], ...]
    sources: tuple[str, ...]
    log_left_out: int = 0
    notes: tuple[Note, ...] = ()
    draft: Draft | None = None

    @property
    def by_ventricle(self) -> list[tuple[MeasureLine, MeasureLine | None]]:
        """Each measure of the LV with that of the RV; indexed ones only where one is known."""
        has_indexed = any(line.value is not None for line in self.measures if "_per_m2" in line.name)
        lines = {line.name: line for line in self.measures}
        return [
            (line, lines.get(f"rv_{name[3:]}"))
            for name, line in lines.items()
            if name.startswith("lv_") and (has_indexed or "_per_m2" not in name)
        ]

    @property
    def reasons(self) -> list[str]:
        """Why measures are not known, each once."""
        return list(dict.fromkeys(line.reason for line in self.measures if line.reason))

    @property
    def normal_sources(self) -> list[str]:
        """Sources of the normal ranges, each once."""
        return list(dict.fromkeys(line.source for line in self.measures if line.source))


def frame_words(line: FrameLine) -> tuple[str, ...]:
    """A line of the table of frames: slice, ED or ES, region, who set it, label map, review, areas."""
    by = {"reader": "reader", "predicted": "classifier"}.get(line.by, line.by)
    if line.by == "predicted" and line.probability is not None:
        by += f", {100 * line.probability:.0f} %"
    areas = "" if line.areas_mm2 is None else ", ".join(f"{area:.0f}" for area in line.areas_mm2)
    return (
        str(line.frame.slice_index + 1),
        line.mark,
        "not known" if line.region is None else line.region.text.lower(),
        by,
        f"{line.drawn}: {line.model_id}" if line.model_id else line.drawn,
        line.status,
        areas,
    )


def made_words(report: Report) -> str:
    """When, for whom and by what the report was made."""
    by = f" for {report.made_by}" if report.made_by else ""
    return f"{report.made_at:%d %B %Y, %H:%M} {zone_words(report.made_at)}{by}, by {report.program}."


def zone_words(at: datetime) -> str:
    """The time zone of a time: its name and its difference from UTC, "CET (UTC+01:00)"; of UTC the name alone."""
    offset = at.strftime("%z")
    name, difference = at.strftime("%Z"), f"UTC{offset[:3]}:{offset[3:5]}"
    if offset in ("", "+0000"):
        return name or "UTC"
    return difference if name.startswith(("UTC", "+", "-")) or not name else f"{name} ({difference})"


def log_words(line: LogLine, zone: tzinfo | None) -> tuple[str, str, str]:
    """A line of the log: when, in a time zone; who; what."""
    first, last = line.first.astimezone(zone), line.last.astimezone(zone)
    when = f"{first:%Y-%m-%d %H:%M}"
    if last.date() != first.date():
        when += f" to {last:%Y-%m-%d %H:%M}"
    elif f"{last:%H:%M}" != f"{first:%H:%M}":
        when += f" to {last:%H:%M}"
    return when, line.who, line.text


def curve_words(curve: Curve) -> str:
    """A description of the curve, for those who cannot see it."""
    parts = []
    for name, volumes in curve.volumes.items():
        known = [float(volume) for volume in volumes if math.isfinite(volume)]
        if known:
            parts.append(f"{name} from {min(known):.0f} to {max(known):.0f} {curve.unit}")
    for mark, phase in (("end-diastole", curve.ed_phase), ("end-systole", curve.es_phase)):
        if phase is not None:
            parts.append(f"{mark} at phase {phase + 1}")
    return f"Volumes through the cardiac cycle: {'; '.join(parts)}."


def segment_words(segments: Sequence[SegmentThickness], name: str, unit: str) -> str:
    """A description of a bull's-eye, for those who cannot see it.

    Args:
        segments: Of the wall.
        name: "ed_mean_mm" or "thickening_percent".
        unit: "mm" or "%".
    """
    parts = []
    for one in segments:
        value = getattr(one, name)
        if value is not None:
            parts.append(f"{one.name} {value:.{1 if unit == 'mm' else 0}f}")
    return f"Bull's-eye, {unit} by segment: {', '.join(parts)}." if parts else "Bull's-eye without values."
