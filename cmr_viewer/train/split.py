"""The split of patients: for training, for the choice between models, and for the final test only."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from cmr_viewer.errors import TrainingError

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = get_args(Part)

TEST_FOLD = 5
"""One patient in this many is in the test part."""

VALIDATION_FOLD = 8
"""Of the others, one in this many is in the validation part."""


def hash_of(patient: str) -> int:
    """A hash of a patient's name, the same on every machine and in every run: blake2b-64."""
    digest = hashlib.blake2b(patient.encode("utf-8"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


@dataclass(frozen=True)
class Split:
    """The part of each patient; all of a patient's frames are in one part.

    Attributes:
        named: Part by patient; for other patients the hash of the name decides the part.
    """

    named: Mapping[str, Part] = field(default_factory=dict)

    def part_of(self, patient: str) -> Part:
        """The part of a patient.

        Args:
            patient: Pseudonym of a published set.
        """
        if patient in self.named:
            return self.named[patient]
        number = hash_of(patient)
        if number % TEST_FOLD == 0:
            return "test"
        return "validation" if number // TEST_FOLD % VALIDATION_FOLD == 0 else "train"

    def write(self, path: Path, patients: list[str]) -> None:
        """State the parts of patients in a JSON file: part -> names."""
        lists = {part: sorted(p for p in patients if self.part_of(p) == part) for part in PARTS}
        path.write_text(json.dumps(lists, indent=1) + "\n", encoding="utf-8")


def read_split(path: Path) -> Split:
    """Read a split from a JSON file of three lists of names.

    Raises:
        TrainingError: It cannot be read, or names a patient twice.
    """
    try:
        lists = json.loads(path.read_text(encoding="utf-8"))
        named: dict[str, Part] = {}
        for part in PARTS:
            for patient in lists.get(part, []):
                if patient in named:
                    raise TrainingError(f"The split {path} names {patient} twice. A patient belongs to one part only.")
                named[str(patient)] = part
        unknown = set(lists) - set(PARTS)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise TrainingError(f"Could not read the split {path}: {error}.") from error
    if unknown:
        raise TrainingError(
            f"The split {path} has unknown parts: {', '.join(sorted(unknown))}. Use {', '.join(PARTS)}."
        )
    return Split(named)
