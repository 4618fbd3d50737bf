"""`cmr-viewer measure`: measure volumes, mass, curves and wall thickness of label maps, without window or models."""

import json
import logging
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cmr_viewer import NOTICE, PROGRAM
from cmr_viewer.commands.measure_inputs import Labelled, asked_for, join_phases, read_asked
from cmr_viewer.commands.measured import Choices, measured
from cmr_viewer.commands.service import print_notes
from cmr_viewer.domain.measures.papillary import PapillaryConvention
from cmr_viewer.domain.measures.patient_measures import ALL_MEASURE_NAMES, BsaFormula, unit_of
from cmr_viewer.domain.measures.volumes import MYOCARDIAL_DENSITY_G_PER_ML
from cmr_viewer.domain.measures.wall import METHOD as WALL_METHOD
from cmr_viewer.domain.patient import LIMITS, Patient, Sex, plausible
from cmr_viewer.domain.study import COUNTING
from cmr_viewer.errors import CmrViewerError, LoadError, StoreError, in_one_line
from cmr_viewer.export.tables import csv_text
from cmr_viewer.store.atomic import write_atomically

COLUMNS = ("study", "name", "value", "unit", "reason", "normal_low", "normal_high", "papillary_convention")

METHODS: Mapping[str, str] = {
    "volumes": "Summation of discs: pixels of a label times pixel area times the distance between slice centres.",
    "lv_mass": f"Volume of the LV myocardium at end-diastole times {MYOCARDIAL_DENSITY_G_PER_ML} g/ml.",
    "ed_es": "Phases as stated or set, else the labelled phases with the largest and the smallest LV blood pool.",
    "cardiac_output": "Stroke volume times heart rate.",
    "wall_thickness": WALL_METHOD,
    "segments": "AHA segments from the RV insertion points: two in the septum between the points, four in the rest; "
    "quarters in apical slices. The first 20 % of the labelled slices are basal, the last 20 % apical.",
}
"""Method of each measure; docs/measures.md has the details."""

_UNITS = {"years": "years", "cm": "cm", "kg": "kg", "bpm": "beats per minute"}

_log = logging.getLogger(__name__)


def run(arguments: Namespace) -> int:
    """Measure each study; report a failure on standard error and go on with the rest.

    Returns:
        Exit code: 0 if all were done, else 1.

    Raises:
        CmrViewerError: The arguments contradict one another, no study could be measured, or the result not written.
    """
    choices = choices_of(arguments)
    if arguments.output.is_dir():
        raise StoreError(f"{arguments.output} is a folder. Name a file for the measures with --output.")
    studies, failed = _read(arguments)
    studies = list(join_phases(studies))
    if len(studies) > 1 and (choices.marks != (None, None) or not choices.typed.is_unknown):
        raise LoadError(
            f"ED, ES, sex, age, height, weight and heart rate apply to one study, and there are {len(studies)}. "
            "Measure them one by one."
        )
    results = [measured(one, choices) for one in studies]
    for result in results:
        print_notes("measure", result["name"], [note["text"] for note in result["notes"]])
    if not results:
        raise LoadError("No study could be measured.")
    write_results(arguments.output, results, choices)
    print(arguments.output, flush=True)
    return 1 if failed else 0


def choices_of(arguments: Namespace) -> Choices:
    """The choices on the command line about the measures and the patient.

    Raises:
        LoadError: A value is impossible for a person.
    """
    typed = {name: getattr(arguments, name.rsplit("_", 1)[0]) for name in LIMITS}
    for name, value in typed.items():
        if value is not None and plausible(name, value) is None:
            option, unit = name.rsplit("_", 1)
            low, high = LIMITS[name]
            raise LoadError(
                f"--{option.replace('_', '-')} {value:g} is out of range. Use {_UNITS[unit]}, from {low:g} to {high:g}."
            )
    return Choices(
        papillary=PapillaryConvention(arguments.papillary),
        formula=BsaFormula(arguments.bsa),
        typed=Patient(
            sex=None if arguments.sex is None else Sex(arguments.sex),
            **typed,
        ),
        marks=(
            None if arguments.ed is None else arguments.ed - 1,
            None if arguments.es is None else arguments.es - 1,
        ),
    )


def _read(arguments: Namespace) -> tuple[list[Labelled], int]:
    found, failed = [], 0
    for asked in asked_for(arguments):
        try:
            found.append(read_asked(asked, arguments))
        except Exception as error:  # noqa: BLE001 - each study is a job of its own, and the others go on
            failed += 1
            where = "" if isinstance(error, CmrViewerError) else f"{asked.text}: "
            print(f"cmr-viewer measure: {where}{in_one_line(error)}", file=sys.stderr, flush=True)
            _log.debug("measure failed", exc_info=True)
    return found, failed


def write_results(path: Path, results: Sequence[Mapping[str, Any]], choices: Choices) -> None:
    """Write the results as JSON; if the file ends in .csv, write a table and the JSON next to it.

    Raises:
        StoreError: A file cannot be written.
    """
    content = {
        "program": PROGRAM,
        "notice": NOTICE,
        "papillary_convention": {
            "name": choices.papillary.value,
            "text": choices.papillary.text,
            "method": choices.papillary.method,
        },
        "methods": {**METHODS, "body_surface_area": f"{choices.formula.text}: {choices.formula.source}."},
        "units": {name: unit_of(name) for name in ALL_MEASURE_NAMES},
        "counting": COUNTING,
        "studies": list(results),
    }
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
    is_table = path.suffix.lower() == ".csv"
    write_atomically(path.with_suffix(".json") if is_table else path, f"{text}\n".encode())
    if is_table:
        write_atomically(path, table_of(results, choices).encode("utf-8"))


def table_of(results: Sequence[Mapping[str, Any]], choices: Choices) -> str:
    """The results as comma separated values: a line for each measure, rate, segment and phase of each study.

    Columns: `COLUMNS`; empty where unknown. The last two lines are the program and the notice. UTF-8, line feed.
    """
    convention = choices.papillary.value
    rows: list[Sequence[object]] = [COLUMNS]
    for result in results:
        for name, value, unit, reason in _lines(result):
            normal = result["normal_ranges"].get(name, {})
            rows.append((result["name"], name, value, unit, reason, normal.get("low"), normal.get("high"), convention))
    rows += [("", name, text, "", "", "", "", "") for name, text in (("program", PROGRAM), ("notice", NOTICE))]
    return csv_text(rows)


def _lines(result: Mapping[str, Any]) -> list[tuple[str, Any, str, str]]:
    """(name, value, unit, reason) of everything in a result that is a number."""
    lines = [(name, result[name], "phase, from 1", "") for name in ("ed_phase_number", "es_phase_number")]
    lines += [
        (name, result["values"][name], unit_of(name), result["reasons"].get(name, "")) for name in result["values"]
    ]
    lines.append(("bsa_m2", result["bsa_m2"], "m²", ""))
    for side, curve in result["curves"].items():
        for peak in ("peak_ejection", "peak_filling"):
            found = curve[peak] or {}
            lines.append((f"{side}_{peak}_ml_per_s", found.get("rate_ml_per_s"), "ml/s", curve["reason"]))
            lines.append((f"{side}_{peak}_after_ms", found.get("after_ms"), "ms", curve["reason"]))
    for segment in result["segments"]:
        start = f"segment_{segment['number']:02d}"
        for key in ("ed_mean_mm", "ed_max_mm", "es_mean_mm", "es_max_mm", "thickening_percent"):
            unit = "%" if key.endswith("percent") else "mm"
            lines.append((f"{start}_{key}", segment[key], unit, segment["reason"] if segment[key] is None else ""))
    for phase in result["phases"]:
        lines += [
            (f"phase_number_{phase['phase_number']}_{key}", phase[key], "ml", "")
            for key in ("lv_ml", "lvm_ml", "rv_ml")
        ]
    return lines
