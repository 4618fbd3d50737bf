"""Feed damaged files to one reader, guided by what they reach in it, and keep what was found.

    pip install atheris
    python benchmarks/fuzz_readers.py READER --minutes 10 --corpus CORPUS_FOLDER

A reader may open a file or say why not (an error of `cmr_viewer.errors`). Any other exception, a hang of more than
`--hang-s` seconds, more memory than `--memory-mb`, or the death of the process is a finding: atheris writes the input
beside the corpus and ends. The corpus is begun from small whole files made with the phantom, grows by every input that
reached something new, and is kept, so that a later run goes on from it. `--replay` opens what is in the corpus once.

A finding belongs, as small as it can be made, into tests/load/damaged, where a test opens all of them.
"""

import argparse
import importlib
import logging
import pkgutil
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

LARGEST_INPUT = 65536
PYDICOM = ("pydicom.filereader", "pydicom.fileutil", "pydicom.dataset", "pydicom.dataelem", "pydicom.values")
NIBABEL = ("nibabel.loadsave", "nibabel.nifti1", "nibabel.analyze", "nibabel.volumeutils", "nibabel.arrayproxy")

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
LIBRARIES = {
    **dict.fromkeys(("dicom", "multiframe", "dicomdir", "seg", "rtstruct"), PYDICOM),
    **dict.fromkeys(("nifti", "nifti_gz", "labels"), NIBABEL),
    "zip": ("zipfile",),
    "cvi42": ("zipfile",),
}
"""Modules of other libraries that decide what a reader reaches, per reader: they, and what they import, are
instrumented as our own are. SimpleITK and imagecodecs are compiled and cannot be."""


@dataclass(frozen=True)
class Reader:
    """What is fuzzed.

    Attributes:
        file_name: Name that the input gets.
        seeds: Writes whole files into a folder; each becomes an input.
        read: Opens the file.
    """

    file_name: str
    seeds: Callable[[Path], None]
    read: Callable[[Path], object]


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
    return Reader(file_name, getattr(fuzz_seeds, seeds), fuzz_seeds.read_sunnybrook if name == "sunnybrook" else read)


def begin_corpus(reader: Reader, corpus: Path) -> None:
    """Write the whole files that fuzzing starts from, unless they are there."""
    corpus.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        reader.seeds(Path(folder))
        for path in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
            kept = corpus / f"seed-{path.name}"
            if not kept.exists():
                shutil.copy(path, kept)


def open_once(reader: Reader, folder: Path, data: bytes) -> str:
    """Let the reader open an input; what came of it, in a word."""
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


def replay(reader: Reader, corpus: Path) -> None:
    """Open everything in a corpus once."""
    counts = {"opened": 0, "refused": 0}
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(corpus.iterdir()):
            counts[open_once(reader, Path(folder), path.read_bytes())] += 1
    print(", ".join(f"{count} {word}" for word, count in counts.items()))


def fuzz(options: argparse.Namespace) -> None:
    try:
        import atheris
    except ImportError:
        sys.exit("The fuzzer needs atheris: pip install atheris (Linux or macOS).")
    with atheris.instrument_imports(include=["cmr_viewer.load", *LIBRARIES.get(options.reader, ())]):
        import cmr_viewer.load

        for library in LIBRARIES.get(options.reader, ()):
            importlib.import_module(library)
        for module in pkgutil.walk_packages(cmr_viewer.load.__path__, "cmr_viewer.load."):
            importlib.import_module(module.name)
    reader = reader_of(options.reader)
    corpus = options.corpus / options.reader
    begin_corpus(reader, corpus)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir=options.scratch))

    def one(data: bytes) -> None:
        open_once(reader, folder, data)

    found = options.corpus / f"{options.reader}-found-"
    settings = [
        sys.argv[0],
        f"-max_total_time={round(60 * options.minutes)}",
        f"-max_len={LARGEST_INPUT}",
        f"-timeout={options.hang_s}",
        f"-rss_limit_mb={options.memory_mb}",
        f"-artifact_prefix={found}",
        f"-seed={options.seed}",
        "-print_final_stats=1",
        str(corpus),
    ]
    atheris.Setup(settings, one)
    atheris.Fuzz()


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", choices=list(FILES))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--corpus", type=Path, required=True, help="grows; a folder for each reader")
    parser.add_argument("--scratch", type=Path, help="where inputs are written to be read, best in memory")
    parser.add_argument("--hang-s", type=int, default=20)
    parser.add_argument("--memory-mb", type=int, default=2048)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay", action="store_true", help="open what is in the corpus once, without atheris")
    options = parser.parse_args(argv)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    if options.replay:
        replay(reader_of(options.reader), options.corpus / options.reader)
        return
    fuzz(options)


if __name__ == "__main__":
    main()
