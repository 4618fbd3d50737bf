"""A comparison of two reads as a file."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from cmr_viewer import __version__
from cmr_viewer.domain.study import COUNTING
from cmr_viewer.errors import StoreError
from cmr_viewer.export.tables import NOTICE, number_of
from cmr_viewer.review.compare_reads import AGREEMENT_DICE, COLUMNS, Comparison, frame_rows
from cmr_viewer.store.atomic import write_atomically

PROGRAM = f"CMR Viewer {__version__}"


def write_comparison(path: Path, comparison: Comparison) -> Path:
    """Write a comparison: JSON holds all of it, CSV the frames with the measures above them.

    Phases and slices count from 1 (`COUNTING`); differences are the second read minus the first. The CSV begins with
    lines whose first field is `#`: reads, threshold of agreement, and each measure with its unit, first, second,
    difference, and how much of that comes from another choice of ED or ES. UTF-8, comma, line feed.

    Args:
        path: The file; its ending, .csv or .json, says which. One that is there is replaced, whole.
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
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for which, name, (ed, es) in zip(("first", "second"), comparison.names, comparison.phases, strict=True):
        marks = ("ed_phase_number", _cell(number_of(ed)), "es_phase_number", _cell(number_of(es)))
        writer.writerow(["#", which, name, *marks])
    writer.writerow(["#", "agreement_dice", AGREEMENT_DICE])
    writer.writerow(["#", "at_stake_unit", "ml" if comparison.ml_known else "thousand pixels"])
    writer.writerow(["#", "program", PROGRAM, NOTICE])
    writer.writerow(["#", "measure", "first", "second", "difference", "difference_by_phase"])
    for name, one in comparison.measures.items():
        writer.writerow(["#", name, *map(_cell, (one.first, one.second, one.difference, one.by_phase))])
    writer.writerow(COLUMNS)
    for row in frame_rows(comparison.frames):
        writer.writerow([_cell(row[name]) for name in COLUMNS])
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else value
