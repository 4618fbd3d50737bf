"""Notes on a study, for the commands: lines on standard error, and values for JSON files."""

import sys
from collections.abc import Iterable
from typing import Any

from cmr_viewer.domain.notes import Note


def tell_notes(command: str, study: str, notes: Iterable[str]) -> None:
    """Print notes on standard error, each on a line of its own: "cmr-viewer segment: demo: The base end ...".

    Args:
        command: The command's name.
        study: The study's name.
        notes: What to tell; equal ones once.
    """
    for note in dict.fromkeys(notes):
        print(f"cmr-viewer {command}: {study}: {' '.join(note.split())}", file=sys.stderr, flush=True)


def notes_json(notes: Iterable[Note]) -> list[dict[str, Any]]:
    """Notes as files hold them, `Note.as_json`; equal ones once."""
    return [note.as_json for note in dict.fromkeys(notes)]
