"""Make the demo study of the Sunnybrook Cardiac Data.

    python packaging/make_demo_study.py SCD_FOLDER [--patient SCD0000201] [--output resources/demo]

SCD_FOLDER holds `dicoms/<patient>/<n>.dcm` and `contours/<patient>/{i,o}-contours/*.txt`. The pixels are compressed
without loss (RLE Lossless, which pydicom decodes by itself) and compared with the originals; nothing else of a file
is changed but its transfer syntax. Private tags and the contours stay unchanged.
"""

import argparse
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import RLELossless

README = """# Demo study

Patient {patient} of the Sunnybrook Cardiac Data: a short-axis cine of {frames} images, and expert contours of the left
ventricle (`contours/`, i = endocardium, o = epicardium; points x y in pixels, the centre of the first pixel at 1 1).

Source: Radau P, Lu Y, Connelly K, Paul G, Dick AJ, Wright GA. Evaluation Framework for Algorithms Segmenting Short Axis
Cardiac MRI. The MIDAS Journal - Cardiac MR Left Ventricle Segmentation Challenge, 2009.
http://hdl.handle.net/10380/3070
Licence: CC0 1.0 Universal (public domain dedication).

Changed: the pixels of the DICOM files are compressed without loss (RLE Lossless); nothing was cropped or resampled.
The contours are unchanged. Made by `packaging/make_demo_study.py`.
"""


def compress(source: Path, target: Path) -> None:
    """Write one file compressed without loss, and check that its pixels are the same."""
    data = pydicom.dcmread(source)
    pixels = data.pixel_array.copy()
    data.compress(RLELossless, generate_instance_uid=False)
    data.save_as(target)
    if not np.array_equal(pydicom.dcmread(target).pixel_array, pixels):
        raise SystemExit(f"{target} does not decode to the same pixels as {source}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scd", type=Path, help="folder with dicoms/ and contours/")
    parser.add_argument("--patient", default="SCD0000201")
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parent.parent / "resources" / "demo")
    arguments = parser.parse_args()
    images = sorted((arguments.scd / "dicoms" / arguments.patient).glob("*.dcm"), key=lambda path: int(path.stem))
    contours = arguments.scd / "contours" / arguments.patient
    if not images or not contours.is_dir():
        sys.exit(f"{arguments.scd} has no images or no contours of {arguments.patient}.")
    arguments.output.mkdir(parents=True, exist_ok=True)
    # The files hold UIDs and dates that the standard does not allow; they stay unchanged.
    warnings.simplefilter("ignore")
    for path in images:
        compress(path, arguments.output / path.name)
    for folder in ("i-contours", "o-contours"):
        (arguments.output / "contours" / folder).mkdir(parents=True, exist_ok=True)
        for path in sorted((contours / folder).glob("*.txt")):
            shutil.copyfile(path, arguments.output / "contours" / folder / path.name)
    text = README.format(patient=arguments.patient, frames=len(images))
    (arguments.output / "README.md").write_text(text, encoding="utf-8")
    size = sum(path.stat().st_size for path in arguments.output.rglob("*") if path.is_file())
    print(f"{len(images)} images, {size / 1e6:.1f} MB in {arguments.output}")


if __name__ == "__main__":
    main()
