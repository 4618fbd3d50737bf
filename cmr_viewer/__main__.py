"""The command line of the program. Each command imports what it needs only when it runs, so `--help` is quick.

cmr-viewer [PATH]                 open the window
cmr-viewer --demo                 open the window with the demo study
cmr-viewer segment INPUT...       segment studies: label maps, regions and measures
cmr-viewer measure IMAGE...       measure label maps: volumes, mass, curves and wall thickness
cmr-viewer export STUDY           export a corrected study as NIfTI, DICOM SEG, contours and measures
cmr-viewer report STUDY           write a report as PDF, HTML or CSV: measures, pictures, regions and log
cmr-viewer compare-reads STUDY    compare the first and a second read of a study, frame by frame
cmr-viewer train ...              train a model
cmr-viewer learn --workspace DIR  learn from the corrections of a workspace: train, judge, put better models in use
cmr-viewer plan --data DATA...    derive a training spec from labelled data
cmr-viewer evaluate DATA...       evaluate the models against reference label maps: Dice, distances, regions, volumes
cmr-viewer compare RUN...         compare runs of evaluate with a baseline
cmr-viewer models list|promote|rollback|import-nnunet
"""

import argparse
import io
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cmr_viewer import NOTICE, PROGRAM
from cmr_viewer.errors import in_one_line
from cmr_viewer.paths import default_workspace_dir, demo_study_dir, shipped_models_dir

ROLES = ("classifier", "baseline", "base", "middle", "apex")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the command line names.

    Args:
        argv: Arguments without the program's name; None for the process's own.

    Returns:
        Exit code: 0 done, 1 an error, printed as one line, 2 wrong usage.
    """
    # Before torch is imported: threads that wait for one another sleep instead of spinning. Beside another busy program
    # networks take more than twice as long otherwise; on a quiet machine it makes no difference.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Before NumPy is imported, likewise: one thread brings a frame to a network's grid in 0.3 ms; two take 60 ms
    # where another program keeps a core busy (docs/decisions/0021-libraries.md).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):
        # Letters that a console's code page lacks are escaped; a name must not end the program.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    given = list(sys.argv[1:] if argv is None else argv)
    command = given[0] if given and given[0] in COMMANDS else "window"
    if command == "window":
        arguments = _window_parser().parse_args(given)
    else:
        parser = argparse.ArgumentParser(prog=f"cmr-viewer {command}")
        COMMANDS[command](parser)
        arguments = parser.parse_args(given[1:])
    logging.basicConfig(level=logging.DEBUG if arguments.debug else logging.WARNING, format="%(levelname)s %(message)s")
    logging.getLogger("pydicom").setLevel(logging.ERROR)
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # with --debug it logs every font
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)  # its errors are raised as well; they are shown once
    try:
        return _run(command, arguments)
    except (Exception, KeyboardInterrupt) as error:  # the outermost boundary: one line for people, all with --debug
        if arguments.debug:
            raise
        print(f"cmr-viewer: {in_one_line(error)}", file=sys.stderr)
        return 1


def _run(command: str, arguments: argparse.Namespace) -> int:
    if command == "window":
        from cmr_viewer.ui.window.run import run as window

        return window(
            demo_study_dir() if arguments.demo else arguments.path,
            demo=arguments.demo,
            workspace=arguments.workspace,
            models=arguments.models,
            screenshot=arguments.screenshot,
            quit_after_s=arguments.quit_after,
        )
    if command == "segment":
        from cmr_viewer.commands.segment import run
    elif command == "measure":
        from cmr_viewer.commands.measure import run
    elif command == "export":
        from cmr_viewer.commands.export import run
    elif command == "report":
        from cmr_viewer.commands.report import run
    elif command == "compare-reads":
        from cmr_viewer.commands.compare_reads import run
    elif command == "train":
        from cmr_viewer.commands.train import run
    elif command == "learn":
        from cmr_viewer.commands.learn import run
    elif command == "plan":
        from cmr_viewer.commands.plan import run
    elif command == "evaluate":
        from cmr_viewer.commands.evaluate import run
    elif command == "compare":
        from cmr_viewer.commands.compare import run
    else:
        from cmr_viewer.commands.models import run
    return run(arguments)


def _path(parser: argparse._ActionsContainer, name: str, metavar: str, text: str, **more: Any) -> None:
    """An argument that is a file or folder."""
    parser.add_argument(name, type=Path, metavar=metavar, help=text, **more)


def _window_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cmr-viewer",
        description=f"Annotate and review short-axis cine cardiac MR, region by region. {NOTICE}",
        epilog=f"Commands without a window: cmr-viewer {' | '.join(COMMANDS)}. Each has its own --help.",
    )
    _path(parser, "path", "PATH", "DICOM folder or image file to open", nargs="?")
    parser.add_argument("--demo", action="store_true", help="open the demo study")
    _path(parser, "--workspace", "DIR", "folder where corrections are saved")
    _path(parser, "--models", "DIR", "folder of models", default=shipped_models_dir())
    _path(parser, "--screenshot", "FILE", "save a picture of the window, then quit")
    parser.add_argument("--quit-after", type=float, metavar="SECONDS", help="quit after this time")
    _debug_option(parser)
    parser.add_argument("--version", action="version", version=PROGRAM)
    return parser


def _debug_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--debug", action="store_true", help="show the full traceback of an error")


def _codes_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--codes",
        type=_codes,
        default="auto",
        metavar="CODES",
        help="what the numbers in label maps mean: auto (detect), own or mnms (1 LVBP, 2 LVM, 3 RVBP), acdc "
        "(1 RVBP, 2 LVM, 3 LVBP), or name each number: 1=LVBP,2=LVM,3=RVBP,4=background",
    )


def _codes(text: str) -> object:
    from cmr_viewer.load.labels.meaning import parse_codes

    if text == "auto":  # the default: numpy is not imported for it
        return text
    try:
        return parse_codes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _network_options(parser: argparse.ArgumentParser) -> None:
    _path(parser, "--models", "DIR", "folder of models", default=shipped_models_dir())
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="device that runs the networks"
    )
    _debug_option(parser)


def _opening_options(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--slice-axis",
        type=int,
        choices=(1, 2, 3),
        metavar="N",
        help="slice axis of a volume file, 1 to 3, if the program detects the wrong one",
    )
    parser.add_argument(
        "--spacing",
        type=float,
        nargs=3,
        metavar="MM",
        help="spacing of rows, columns and slices in mm, if the file has none or a wrong one",
    )
    parser.add_argument(
        "--any-size", action="store_true", help="report volumes outside the human range, for example of a small animal"
    )


def _split_file_option(parser: argparse.ArgumentParser) -> None:
    _path(parser, "--split-file", "FILE", "JSON that assigns patients to train, validation, test")


def _convention_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--papillary",
        choices=("in_blood_pool", "in_mass"),
        default="in_blood_pool",
        help="papillary muscles: as drawn, in the blood pool (default), or detected by threshold and counted as mass",
    )
    parser.add_argument(
        "--bsa", choices=("mosteller", "du_bois"), default="mosteller", help="formula for body surface area"
    )


def _segment_options(parser: argparse.ArgumentParser) -> None:
    _path(parser, "input", "INPUT", "DICOM folder or image file", nargs="+")
    _path(parser, "--output", "DIR", "write results to DIR/<name>/", required=True)
    parser.add_argument(
        "--routing",
        choices=("predicted", "baseline"),
        default="predicted",
        help="segment each frame with the specialist of its region (default), or all frames with the baseline",
    )
    _path(parser, "--workspace", "DIR", "workspace whose models in use segment; default: those of --models")
    _opening_options(parser)
    _network_options(parser)


def _train_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--role", choices=ROLES, help="role of the model to train")
    _path(parser, "--spec", "FILE", "training spec, TOML or JSON")
    _path(parser, "--data", "DIR", "labelled data sets", nargs="+", default=[])
    _split_file_option(parser)
    _path(parser, "--workspace", "DIR", "retrain on the accepted frames of this workspace")
    _path(parser, "--output", "FOLDER", "new model folder", required=True)
    _path(parser, "--start-from", "FOLDER", "model folder with the starting weights")
    _path(
        parser,
        "--snapshot",
        "FOLDER",
        "do not train: write the best model of the stopped training in --output to this folder",
    )
    parser.add_argument("--note", metavar="TEXT", help="sentence to add to the model card")
    parser.add_argument("--iterations", type=int, metavar="N", help="number of batches")
    parser.add_argument("--batch", type=int, metavar="N", help="frames per batch")
    parser.add_argument("--learning-rate", type=float, metavar="X", help="initial learning rate")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the random numbers")
    parser.add_argument("--progress", choices=("text", "json"), default="text", help="format of progress messages")
    parser.add_argument("--end-with-input", action="store_true", help="stop training when standard input ends")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads; fewer leave the window responsive")
    parser.add_argument("--nice", type=int, default=0, metavar="N", help="lower the priority by N")
    _network_options(parser)


def _learn_options(parser: argparse.ArgumentParser) -> None:
    _path(parser, "--workspace", "DIR", "workspace with the corrections; made if it does not exist", required=True)
    _path(
        parser,
        "--import-labels",
        "DIR",
        "before that, accept the label maps of DIR/<case>/<case>_sa_{ED,ES}_gt.nii.gz as corrections",
    )
    parser.add_argument(
        "--codes",
        choices=("own", "acdc", "mnms"),
        default="own",
        help="numbers in those label maps: own or mnms (1 LVBP, 2 LVM, 3 RVBP), acdc (1 RVBP, 2 LVM, 3 LVBP)",
    )
    parser.add_argument(
        "--roles",
        type=_roles,
        default=LEARNING_ROLES,
        metavar="A,B,...",
        help=f"models to train, in this order; default: {','.join(LEARNING_ROLES)}",
    )
    _path(parser, "--report", "FILE", "page of what was learned, in Markdown")
    _path(parser, "--json", "FILE", "the same as JSON")
    parser.add_argument("--iterations", type=int, metavar="N", help="number of batches; default: the recipe's")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads")
    _network_options(parser)


LEARNING_ROLES = ("base", "middle", "apex", "baseline", "classifier")
"""A first middle specialist is held beside the baseline, so it goes before it; the classifier listens to the baseline,
so it goes after it."""


def _roles(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in names if name not in LEARNING_ROLES]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"{', '.join(unknown)} is not a model; choose from {', '.join(LEARNING_ROLES)}"
        )
    return names


def _measure_options(parser: argparse.ArgumentParser) -> None:
    _path(parser, "images", "IMAGE", "image, DICOM folder, or folder of patients", nargs="+")
    _path(
        parser,
        "--labels",
        "LABELMAP",
        "label maps or contours, one for each IMAGE, or several for one IMAGE; default: those next to the images",
        nargs="+",
    )
    _codes_option(parser)
    _opening_options(parser)
    parser.add_argument("--one-study", action="store_true", help="treat the IMAGEs as phases (ED and ES) of one study")
    parser.add_argument("--phase", type=int, metavar="N", help="phase of LABELMAP, counted from 1")
    parser.add_argument("--ed", type=int, metavar="N", help="ED phase, counted from 1; default: stated, or the largest")
    parser.add_argument(
        "--es", type=int, metavar="N", help="ES phase, counted from 1; default: stated, or the smallest"
    )
    _convention_options(parser)
    parser.add_argument("--sex", choices=("female", "male"), help="for normal ranges; default: from the header")
    parser.add_argument("--age", type=float, metavar="YEARS", help="for normal ranges; default: from the header")
    parser.add_argument("--height", type=float, metavar="CM", help="for indexed measures; default: from the header")
    parser.add_argument("--weight", type=float, metavar="KG", help="for indexed measures; default: from the header")
    parser.add_argument("--heart-rate", type=float, metavar="BPM", help="for cardiac output; default: from the header")
    _path(parser, "--output", "FILE", "FILE.json, or FILE.csv, which also writes FILE.json", required=True)
    _debug_option(parser)


def _export_options(parser: argparse.ArgumentParser) -> None:
    from cmr_viewer.export import formats

    names = ", ".join(one.name for one in formats.FORMATS)
    _path(parser, "study", "STUDY", "DICOM folder or image file")
    what = parser.add_mutually_exclusive_group()
    _path(what, "--workspace", "DIR", "workspace with the corrections; default: the usual one")
    _path(what, "--labels", "FILE", "label maps or contours to use instead of a workspace")
    _codes_option(parser)
    parser.add_argument("--phase", type=int, metavar="N", help="phase of FILE, counted from 1")
    _opening_options(parser.add_argument_group("with --labels; a workspace has the choices of its reader"))
    _path(parser, "--output", "DIR", "folder to write to", required=True)
    parser.add_argument(
        "--formats",
        type=_export_formats,
        default=(),
        metavar="A,B,...",
        help=f"{names}; default: all except images, which are de-identified DICOM files",
    )
    parser.add_argument("--deidentify", action="store_true", help="de-identify the export, by DICOM PS3.15")
    parser.add_argument(
        "--dates", choices=("removed", "shifted"), default="removed", help="how --deidentify treats dates"
    )
    parser.add_argument("--replace", action="store_true", help="replace files of an earlier export in DIR")
    _incomplete(parser)
    _debug_option(parser)


def _report_options(parser: argparse.ArgumentParser) -> None:
    _path(parser, "study", "STUDY", "DICOM folder or image file")
    _path(parser, "--workspace", "DIR", "workspace with the corrections; default: the usual one")
    _path(parser, "--output", "FILE", "FILE.pdf, FILE.html or FILE.csv", required=True)
    parser.add_argument("--reader", default="", metavar="NAME", help="name of the reader on the report")
    parser.add_argument(
        "--patient", default="", metavar="TEXT", help="name of the patient on the report; default: not named"
    )
    _convention_options(parser)
    _incomplete(parser)
    _debug_option(parser)


def _incomplete(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--incomplete", action="store_true", help="write it even if some frames are not analysed yet")


def _compare_reads_options(parser: argparse.ArgumentParser) -> None:
    _path(parser, "study", "STUDY", "DICOM folder or image file")
    _path(parser, "--workspace", "DIR", "workspace with the reads; default: the usual one")
    parser.add_argument(
        "--second", type=int, metavar="ID", help="ID of the second read; default: the last finished one"
    )
    _path(parser, "--output", "FILE", "FILE.csv or FILE.json", required=True)
    _debug_option(parser)


def _export_formats(text: str) -> tuple[str, ...]:
    from cmr_viewer.export import formats

    known = [one.name for one in formats.FORMATS]
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if unknown := [one for one in names if one not in known]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is not a known format; choose from {', '.join(known)}")
    return names


def _plan_options(parser: argparse.ArgumentParser) -> None:
    roles = [role for role in ROLES if role != "classifier"]
    _path(parser, "--data", "DIR", "labelled data sets", nargs="+", required=True)
    _split_file_option(parser)
    parser.add_argument("--role", choices=roles, default="baseline", help="role of the model to train")
    parser.add_argument(
        "--recipe",
        choices=("nnunet", "light"),
        default="nnunet",
        help="training as in the paper, or light enough for CPUs",
    )
    _path(parser, "--output", "FILE", "TOML file for the spec", required=True)
    _debug_option(parser)


def _evaluate_options(parser: argparse.ArgumentParser) -> None:
    _path(parser, "data", "DATA", "labelled data sets or patients", nargs="+")
    _path(parser, "--output", "DIR", "folder for tables, figures and pictures", required=True)
    parser.add_argument(
        "--split",
        choices=("train", "validation", "test", "all", "held-out"),
        default="test",
        help="part of the patients to evaluate: test (default; also called held-out), validation, train or all",
    )
    _split_file_option(parser)
    parser.add_argument(
        "--routing",
        choices=("predicted", "argmax", "baseline", "reference", "none"),
        default="predicted",
        help="predicted: as the program does it (default); argmax: by the classifier on each frame alone; baseline: "
        "all frames; reference: by the reference regions (upper bound); none: evaluate only the regions",
    )
    parser.add_argument("--save-labels", action="store_true", help="also save the label maps, in DIR/labels")
    _network_options(parser)


def _compare_options(parser: argparse.ArgumentParser) -> None:
    _path(parser, "runs", "RUN_DIR", "output of evaluate on the same frames", nargs="+")
    _path(parser, "--baseline", "RUN_DIR", "run to compare with", required=True)
    parser.add_argument(
        "--names", metavar="A,B,...", help="names of the baseline and the runs, in order; default: folder names"
    )
    _path(parser, "--output", "DIR", "compare.json, tables.md, pictures", required=True)
    _debug_option(parser)


def _models_options(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    for action, text in (
        ("list", "list the models"),
        ("promote", "put a model in use"),
        ("rollback", "go back to the previous model"),
    ):
        one = actions.add_parser(action, help=text)
        if action != "list":
            one.add_argument("role", choices=ROLES, help="role of the model")
            one.add_argument("--reason", default="From the command line.", help="reason for the log")
        if action == "promote":
            one.add_argument("model_id", help="ID of the model")
        _path(one, "--workspace", "DIR", "workspace", default=default_workspace_dir())
        _path(one, "--models", "DIR", "folder of models", default=shipped_models_dir())
        _debug_option(one)
    _import_options(actions.add_parser("import-nnunet", help="make a model folder from a trained nnU-Net v2 model"))


def _import_options(parser: argparse.ArgumentParser) -> None:
    roles = [role for role in ROLES if role != "classifier"]
    _path(parser, "folder", "FOLDER", "folder with plans.json, dataset.json and fold_*")
    parser.add_argument("--role", choices=roles, required=True, help="role of the model")
    _path(parser, "--output", "FOLDER", "new model folder", required=True)
    parser.add_argument("--fold", nargs="+", default=[], metavar="N", help="folds to average; default: all")
    parser.add_argument(
        "--labels",
        default="",
        metavar="LABEL=NAME,...",
        help='names of the labels, for example "LVBP=LV cavity,LVM=MYO,RVBP=RV"',
    )
    parser.add_argument(
        "--no-mirroring", action="store_true", help="do not average over mirrored images: 4 times faster"
    )
    parser.add_argument(
        "--checkpoint", default="checkpoint_final.pth", metavar="NAME", help="checkpoint file in each fold"
    )
    _debug_option(parser)


COMMANDS: Mapping[str, Callable[[argparse.ArgumentParser], None]] = {
    "segment": _segment_options,
    "measure": _measure_options,
    "export": _export_options,
    "report": _report_options,
    "compare-reads": _compare_reads_options,
    "train": _train_options,
    "learn": _learn_options,
    "plan": _plan_options,
    "evaluate": _evaluate_options,
    "compare": _compare_options,
    "models": _models_options,
}
"""What the program does without a window, each with the options of its command line."""


if __name__ == "__main__":
    sys.exit(main())
