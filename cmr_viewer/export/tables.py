"""Tables for other programs, as CSV and JSON: measures, regions, effort, compared reads; each file whole or absent."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cmr_viewer import NOTICE, PROGRAM
from cmr_viewer.domain.measures.volumes import MEASURE_NAMES, Measures
from cmr_viewer.domain.study import COUNTING
from cmr_viewer.errors import StoreError
from cmr_viewer.export.formats import Job, RegionRow
from cmr_viewer.progress import Progress
from cmr_viewer.review.compare_reads import AGREEMENT_DICE, COLUMNS, Comparison, frame_rows
from cmr_viewer.store.atomic import write_atomically
from cmr_viewer.store.effort import EffortRow

UNITS = {"_ml": "millilitres", "_g": "grams", "_percent": "percent"}
MEASURE_COLUMNS = ("name", "value", "unit", "reason")
EFFORT_COLUMNS = (
    "phase_number",
    "slice_number",
    "reader",
    "session",
    "begun_at",
    "active_s",
    "strokes",
    "edits",
    "undos",
)
REGION_COLUMNS = ("phase_number", "slice_number", "source_slice_index", "region", "probability", "model_id")


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as comma separated values with line feeds; None is empty."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def number_of(phase: int | None) -> int | None:
    """A phase as a reader counts it, from 1; None where there is none."""
    return None if phase is None else phase + 1


def write_regions_csv(path: Path, rows: Iterable[RegionRow]) -> None:
    """Write the region of every frame, ordered by phase and slice.

    Columns: phase_number and slice_number (from 1), source_slice_index (from 0), region (base, middle, apex,
    non_cardiac), probability (6 decimals, empty if unknown), model_id (empty if none). UTF-8, comma, line feed.

    Raises:
        StoreError: The file cannot be written.
    """
    ordered = sorted(rows, key=lambda one: (one.phase, one.slice_index))
    lines = (
        (
            *(row.phase + 1, row.slice_index + 1, row.source_slice, str(row.region)),
            *("" if row.probability is None else f"{row.probability:.6f}", row.model_id),
        )
        for row in ordered
    )
    write_atomically(path, csv_text([REGION_COLUMNS, *lines]).encode())


def write_effort_csv(path: Path, rows: Iterable[EffortRow], *, name_readers: bool = True) -> None:
    """Write what readers spent on each frame, ordered by phase, slice, reader and session.

    Columns: phase_number and slice_number (from 1), reader, session (counting up in the workspace), begun_at (ISO 8601
    UTC), active_s (s, 1 decimal), strokes, edits, undos. UTF-8, comma, line feed.

    Args:
        path: The file.
        rows: What to write.
        name_readers: Whether readers and times are written; else readers are numbered and times left out.

    Raises:
        StoreError: The file cannot be written.
    """
    ordered = sorted(rows, key=lambda one: (one.frame, one.reader, one.session))
    numbers = {reader: f"reader {number}" for number, reader in enumerate(sorted({r.reader for r in ordered}), 1)}
    lines: list[Sequence[object]] = [EFFORT_COLUMNS]
    for row in ordered:
        who = (row.reader, row.session, row.begun_at) if name_readers else (numbers[row.reader], row.session, "")
        spent = row.effort
        lines.append((*row.frame.numbers, *who, f"{spent.active_s:.1f}", spent.strokes, spent.edits, spent.undos))
    write_atomically(path, csv_text(lines).encode())


def write_measures_json(path: Path, measures: Measures, *, about: Mapping[str, Any] | None = None) -> None:
    """Write volumes (ml), ejection fractions (percent) and mass (g).

    One JSON object: "ed_phase_number", "es_phase_number" (from 1), each of `MEASURE_NAMES` with a number or null,
    "reasons", with the reason for each null, "papillary", which states where papillary muscles count, and "counting",
    which states how phases and slices are counted.

    Args:
        path: The file.
        measures: What to write.
        about: Further keys on how it was measured (model ids, warnings); may not take one of the names above.

    Raises:
        StoreError: The file cannot be written, or `about` does not fit.
    """
    content: dict[str, Any] = {
        "ed_phase_number": number_of(measures.ed_phase),
        "es_phase_number": number_of(measures.es_phase),
    }
    for name in MEASURE_NAMES:
        value = measures.values.get(name)
        content[name] = value if value is not None and math.isfinite(value) else None
    otherwise = next(iter(measures.reasons.values()), "It was not measured.")
    reasons = {name: measures.reasons.get(name, otherwise) for name, value in content.items() if value is None}
    content["reasons"] = reasons
    content["papillary"] = measures.papillary.text
    content["counting"] = COUNTING
    taken = sorted(content.keys() & (about or {}).keys())
    if taken:
        raise StoreError(f"The measures could not be written to {path}: {', '.join(taken)} would be written twice.")
    try:
        text = json.dumps({**content, **(about or {})}, indent=2, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise StoreError(f"The measures could not be written to {path}: {error}.") from error
    write_atomically(path, f"{text}\n".encode())


def write_measures_csv(path: Path, measures: Measures) -> None:
    """Write what `write_measures_json` writes as a table: a line for ED, ES and each of `MEASURE_NAMES`.

    Columns: name, value (empty where it is not known), unit (ml, g, percent, or "phase, from 1"), reason (why it is not
    known). The last three lines are `papillary` (where papillary muscles are counted), `program` and `notice`. UTF-8,
    comma, line feed.

    Args:
        path: The file.
        measures: What to write.

    Raises:
        StoreError: The file cannot be written.
    """
    lines: list[Sequence[object]] = [MEASURE_COLUMNS]
    for name, phase in (("ed_phase_number", measures.ed_phase), ("es_phase_number", measures.es_phase)):
        lines.append((name, number_of(phase), "phase, from 1", ""))
    for name in MEASURE_NAMES:
        value = measures.values.get(name)
        known = value is not None and math.isfinite(value)
        reason = "" if known else measures.reasons.get(name, "It was not measured.")
        lines.append((name, value if known else None, name.rpartition("_")[2], reason))
    last = (("papillary", measures.papillary.text), ("program", PROGRAM), ("notice", NOTICE))
    lines += [(name, value, "", "") for name, value in last]
    write_atomically(path, csv_text(lines).encode())


def write_comparison(path: Path, comparison: Comparison) -> Path:
    """Write a comparison: JSON holds all of it, CSV the frames with the measures above them.

    Phases and slices count from 1 (`COUNTING`); differences are the second read minus the first. The CSV begins with
    lines whose first field is `#`: reads, threshold of agreement, and each measure with its unit, first, second,
    difference, and how much of that comes from another choice of ED or ES. UTF-8, comma, line feed.

    Args:
        path: The file; its ending, .csv or .json, names the type. One that is there is replaced, whole.
        comparison: What to write.

    Returns:
        The file.

    Raises:
        StoreError: The ending is neither, or the file cannot be written.
    """
    if path.suffix.lower() == ".json":
        text = f"{json.dumps(_as_json(comparison), indent=2, ensure_ascii=False, allow_nan=False)}\n"
    elif path.suffix.lower() == ".csv":
        text = _as_csv(comparison)
    else:
        raise StoreError(f"Could not write {path.name}: unknown file type. Use a name that ends in .csv or .json.")
    write_atomically(path, text.encode())
    return path


def _as_json(comparison: Comparison) -> dict[str, Any]:
    (ed1, es1), (ed2, es2) = comparison.phases
    return {
        "program": PROGRAM,
        "notice": NOTICE,
        "first": {"name": comparison.names[0], "ed_phase_number": number_of(ed1), "es_phase_number": number_of(es1)},
        "second": {"name": comparison.names[1], "ed_phase_number": number_of(ed2), "es_phase_number": number_of(es2)},
        "agreement_dice": AGREEMENT_DICE,
        "counting": COUNTING,
        "at_stake_unit": "ml" if comparison.ml_known else "thousand pixels",
        "measures": {
            name: {
                "first": one.first,
                "second": one.second,
                "difference": one.difference,
                "difference_by_phase": one.by_phase,
            }
            for name, one in comparison.measures.items()
        },
        "frames": frame_rows(comparison.frames),
    }


def _as_csv(comparison: Comparison) -> str:
    lines: list[Sequence[object]] = []
    for which, name, (ed, es) in zip(("first", "second"), comparison.names, comparison.phases, strict=True):
        lines.append(("#", which, name, "ed_phase_number", number_of(ed), "es_phase_number", number_of(es)))
    lines += [
        ("#", "agreement_dice", AGREEMENT_DICE),
        ("#", "at_stake_unit", "ml" if comparison.ml_known else "thousand pixels"),
        ("#", "program", PROGRAM, NOTICE),
        ("#", "measure", "first", "second", "difference", "difference_by_phase"),
    ]
    for name, one in comparison.measures.items():
        lines.append(("#", name, *map(_cell, (one.first, one.second, one.difference, one.by_phase))))
    lines.append(COLUMNS)
    lines += [[_cell(row[name]) for name in COLUMNS] for row in frame_rows(comparison.frames)]
    return csv_text(lines)


def _cell(value: object) -> object:
    return f"{value:.4f}" if isinstance(value, float) else value


def write_measures(job: Job, progress: Progress) -> None:
    """The measures of an export."""
    progress(0.0, "Writing measures")
    about = {"units": UNITS, **job.head, "notes": job.all_notes(), **job.results.about}
    write_measures_json(job.folder / "measures.json", job.results.measures, about=about)
    write_measures_csv(job.folder / "measures.csv", job.results.measures)


def write_regions(job: Job, progress: Progress) -> None:
    """The regions of an export."""
    progress(0.0, "Writing regions")
    write_regions_csv(job.folder / "regions.csv", job.results.regions)


def write_effort(job: Job, progress: Progress) -> None:
    """The readers' effort of an export."""
    progress(0.0, "Writing reading times")
    write_effort_csv(job.folder / "effort.csv", job.results.effort, name_readers=job.anonymity is None)
