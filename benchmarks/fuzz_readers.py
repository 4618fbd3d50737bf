"""Feed damaged files to one reader, guided by what they reach in it, and keep what was found.

    pip install atheris
    python benchmarks/fuzz_readers.py READER --minutes 10 --corpus CORPUS_FOLDER

A reader may open a file or say why not (an error of `cmr_viewer.errors`). Any other exception, a hang of more than
`--hang-s` seconds, more memory than `--memory-mb`, or the death of the process is a finding: atheris writes the input
beside the corpus and ends. The corpus is begun from small whole files made with the phantom and from what earlier runs
kept in tests/load/corpus, and grows by every input that reached something new. `--keep` writes it there again, where a
test opens all of it; `--replay` opens what is in the corpus once.

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
from collections.abc import Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.fuzzed import FILES, Reader, keep_inputs, kept_inputs, open_once, place_for, reader_of  # noqa: E402

LARGEST_INPUT = 65536
PYDICOM = ("pydicom.filereader", "pydicom.fileutil", "pydicom.dataset", "pydicom.dataelem", "pydicom.values")
NIBABEL = ("nibabel.loadsave", "nibabel.nifti1", "nibabel.analyze", "nibabel.volumeutils", "nibabel.arrayproxy")

LIBRARIES = {
    **dict.fromkeys(("dicom", "multiframe", "dicomdir", "seg", "rtstruct"), PYDICOM),
    **dict.fromkeys(("nifti", "nifti_gz", "labels"), NIBABEL),
    "zip": ("zipfile",),
    "cvi42": ("zipfile",),
}
"""Modules of other libraries that decide what a reader reaches, per reader: they, and what they import, are
instrumented as our own are. SimpleITK and imagecodecs are compiled and cannot be."""


def begin_corpus(name: str, reader: Reader, corpus: Path) -> None:
    """Write the whole files that fuzzing starts from, and what earlier runs kept, unless they are there."""
    corpus.mkdir(parents=True, exist_ok=True)
    for file_name, data in kept_inputs(name):
        (corpus / file_name).write_bytes(data)
    with tempfile.TemporaryDirectory() as folder:
        reader.seeds(Path(folder))
        for path in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
            kept = corpus / f"seed-{path.name}"
            if not kept.exists():
                shutil.copy(path, kept)


def replay(reader: Reader, corpus: Path) -> None:
    """Open everything in a corpus once."""
    counts = {"opened": 0, "refused": 0}
    with tempfile.TemporaryDirectory() as folder:
        place = place_for(reader, Path(folder))
        for path in sorted(corpus.iterdir()):
            counts[open_once(reader, place, path.read_bytes())] += 1
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
    begin_corpus(options.reader, reader, corpus)
    folder = place_for(reader, Path(tempfile.mkdtemp(prefix="fuzz-", dir=options.scratch)))

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
    parser.add_argument("--keep", action="store_true", help="write the corpus into tests/load/corpus, without atheris")
    options = parser.parse_args(argv)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    if options.keep:
        print(keep_inputs(options.reader, options.corpus / options.reader))
        return
    if options.replay:
        replay(reader_of(options.reader), options.corpus / options.reader)
        return
    fuzz(options)


if __name__ == "__main__":
    main()
