"""What is fuzzed: each reader, the whole files that its fuzzing starts from, and what was found to reach something new.

Nothing of the program is imported here before a reader is made, so that a fuzzer can instrument it first.
"""

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

KEPT = Path(__file__).parent / "load" / "corpus"
"""One archive for each reader: all inputs of its corpus."""

FILES = {
    "dicom": ("frame.dcm", "dicom"),
    "multiframe": ("frames.dcm", "multiframe"),
    "dicomdir": ("DICOMDIR", "dicomdir"),
    "zip": ("study.zip", "zipped"),
    "nifti": ("cine.nii", "nifti"),
    "nifti_gz": ("cine.nii.gz", "nifti_gz"),
    "nrrd": ("cine.nrrd", "nrrd"),
    "mha": ("cine.mha", "mha"),
    "seg": ("labels.dcm", "seg"),
    "rtstruct": ("contours.dcm", "rtstruct"),
    "cvi42": ("study.cvi42wsx", "cvi42"),
    "labels": ("labels.nii", "label_map"),
    "sunnybrook": ("IM-0001-0001-icontour-manual.txt", "sunnybrook"),
}
"""Per reader: the name that inputs get, and what writes the seeds in tests/fuzz_seeds.py."""

LABELS = ("seg", "rtstruct", "cvi42", "labels")


@dataclass(frozen=True)
class Reader:
    """What is fuzzed.

    Attributes:
        file_name: Name that the input gets.
        seeds: Writes whole files into a folder; each becomes an input.
        read: Opens the file.
        beside: Writes what lies beside the input into its folder, or None.
    """

    file_name: str
    seeds: Callable[[Path], None]
    read: Callable[[Path], object]
    beside: Callable[[Path], None] | None = None


def open_image(path: Path) -> object:
    from cmr_viewer.load.study import open_study

    return open_study(path)


class LabelReader:
    """Reads label files for one study, which is opened once."""

    def __init__(self) -> None:
        self.study: Any = None

    def __call__(self, path: Path) -> object:
        from cmr_viewer.load.labels.files import read_labels
        from tests.fuzz_seeds import label_study

        self.study = self.study or label_study()
        return read_labels(path, self.study)


def reader_of(name: str) -> Reader:
    """The reader of a name; imports what it needs, so that what is to be instrumented must have been imported."""
    from tests import fuzz_seeds

    file_name, seeds = FILES[name]
    read: Callable[[Path], object] = LabelReader() if name in LABELS else open_image
    if name == "sunnybrook":
        read = fuzz_seeds.read_sunnybrook
    beside = fuzz_seeds.file_set if name == "dicomdir" else None
    return Reader(file_name, getattr(fuzz_seeds, seeds), read, beside)


def place_for(reader: Reader, folder: Path) -> Path:
    """Put what the reader's inputs need beside them into a folder; the folder."""
    if reader.beside is not None:
        reader.beside(folder)
    return folder


def open_once(reader: Reader, folder: Path, data: bytes) -> str:
    """Let the reader open an input; "opened" or "refused"."""
    from cmr_viewer.errors import CmrViewerError

    path = folder / reader.file_name
    path.write_bytes(data)
    try:
        reader.read(path)
    except CmrViewerError:
        return "refused"
    finally:
        path.unlink(missing_ok=True)
    return "opened"


def kept_inputs(name: str) -> Iterator[tuple[str, bytes]]:
    """The kept corpus of a reader: (name, content) of each input; none where none is kept."""
    archive = KEPT / f"{name}.tar.xz"
    if not archive.is_file():
        return
    with tarfile.open(archive, "r:xz") as opened:
        for member in opened:
            content = opened.extractfile(member)
            if content is not None:
                yield Path(member.name).name, content.read()


def keep_inputs(name: str, corpus: Path) -> Path:
    """Write the corpus of a reader into its archive, without times and owners; the archive."""
    archive = KEPT / f"{name}.tar.xz"
    archive.parent.mkdir(exist_ok=True)
    with tarfile.open(archive, "w:xz") as opened:
        for path in sorted(corpus.iterdir()):
            data = path.read_bytes()
            member = tarfile.TarInfo(path.name)
            member.size = len(data)
            opened.addfile(member, BytesIO(data))
    return archive
