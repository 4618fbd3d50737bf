"""Open a folder or a file as a study."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cmr_viewer.domain.notes import Code, Note, listed
from cmr_viewer.domain.opening import NO_CHOICES, Opening
from cmr_viewer.domain.patient_key import patient_key_at
from cmr_viewer.domain.study import FrameIndex, Study
from cmr_viewer.errors import CmrViewerError, GeometryError, LabelMapError, LoadError, NotAStudyError
from cmr_viewer.load.dicom.pixels import Preview
from cmr_viewer.load.dicom.scan import looks_like_dicom
from cmr_viewer.load.gather import IMAGE_ENDINGS, Gathered, archive_of, gather, image_studies
from cmr_viewer.load.labels.sunnybrook import find_contours, read_sunnybrook, with_contours
from cmr_viewer.load.names import name_of, recognise_file, recognise_patient
from cmr_viewer.load.spacing import with_spacing
from cmr_viewer.load.stacks.dicom_study import read_gathered
from cmr_viewer.load.stacks.stack import reversed_stack
from cmr_viewer.progress import Progress, part, silent

_DIRECTORY = "dicomdir"
_ANY_SIZE = Note("Volumes outside the human range are shown too, as a reader chose.", Code.HEART_ANY_SIZE)


def open_study(
    path: Path,
    progress: Progress = silent,
    opening: Opening = NO_CHOICES,
    preview: Preview | None = None,
    index: Path | None = None,
) -> Study:
    """Open a folder of DICOM files, an ACDC or M&Ms patient folder, an archive or an image file.

    Args:
        path: A folder, a `.zip`, a DICOMDIR, a DICOM file, or an image file of NIfTI, MetaImage or NRRD. A DICOM file
            opens its stack in its folder.
        progress: Called with how far the work is.
        opening: What the reader decided about how this study is opened.
        preview: Called once, as soon as a first frame is decoded, from the thread that calls this.
        index: Folder where the headers of DICOM files are saved, so that a folder seen before opens at once; None
            saves nothing.

    Returns:
        The study, its short-axis cine stack first, slices base to apex.

    Raises:
        NotAStudyError: Nothing there can be a study.
        LoadError: There is, and it cannot be read.
        Cancelled: `progress` asked to stop.
    """
    if not path.exists() and archive_of(path) is None:
        raise NotAStudyError(f"Could not find {path}: it was moved, renamed or deleted, or its drive is not connected.")
    if path.is_file() and path.name.lower().endswith(IMAGE_ENDINGS):
        # The readers' libraries take longer to import than a DICOM study to open.
        from cmr_viewer.load.images.layouts import read_image  # noqa: PLC0415

        study = _previewed(read_image(path, progress, opening.slice_axis), preview)
    else:
        below, source, file = _gathered_for(path)
        with gather(below, part(progress, 0.0, 0.1)) as gathered:
            if gathered.wanted not in (None, gathered.root):
                file = gathered.wanted
            study = _Folder(gathered, source, opening, preview, index, file).open(part(progress, 0.1, 1.0))
    if opening.spacing_mm is not None:
        study = with_spacing(study, opening.spacing_mm)
    if opening.any_size:
        stacks = tuple(replace(stack, any_size=True) for stack in study.stacks)
        study = replace(study, stacks=stacks, warnings=(*study.warnings, _ANY_SIZE))
    return reversed_slices(study) if opening.base_reversed else study


def _gathered_for(path: Path) -> tuple[Path, Path, Path | None]:
    """What is gathered for a path, where its study counts as coming from, and the file whose stack is wanted."""
    if archive_of(path) is not None or path.is_dir() or path.name.lower().endswith(".zip"):
        return path, path, None
    folder = path.resolve().parent
    if path.name.lower() == _DIRECTORY:
        return path, folder, None
    if looks_like_dicom(path):
        return folder, folder, path.resolve()
    raise NotAStudyError(
        f"{path.name} is not a DICOM, NIfTI, MHA or NRRD file. Open an image file or a folder of DICOM files."
    )


def _previewed(study: Study, preview: Preview | None) -> Study:
    if preview is not None:
        preview(study.stack.frame(FrameIndex(0, study.stack.slices // 2)))
    return study


class _Folder:
    """Files that were gathered, which become one study.

    Args:
        gathered: The files.
        source: What the reader opened.
        opening: What the reader decided.
        preview: Given a first frame.
        index: Where headers are saved, or None.
        file: The file whose stack is wanted, or None.
    """

    def __init__(
        self,
        gathered: Gathered,
        source: Path,
        opening: Opening,
        preview: Preview | None,
        index: Path | None,
        file: Path | None,
    ) -> None:
        self._gathered, self._source, self._opening = gathered, source, opening
        self._preview, self._index, self._file = preview, index, file
        self._images = [p for p in gathered.files if p.name.lower().endswith(IMAGE_ENDINGS)]

    def open(self, progress: Progress) -> Study:
        """The patient's folder of a known set, or the DICOM study, or the first of the image files."""
        if self._file is not None:
            is_image = self._file.name.lower().endswith(IMAGE_ENDINGS)
            return self._first_of([self._file], progress) if is_image else self.open_dicom(progress)
        if recognise_patient(self._gathered.root):
            return self._first_of([self._gathered.root], progress)
        try:
            return self.open_dicom(progress)
        except NotAStudyError as error:
            found = image_studies(self._gathered.files)
            if found:
                return self._first_of(found, progress)
            if self._images:
                raise NotAStudyError(
                    f"{self._source} contains label maps, such as {self._images[0].name}, but no images. Open the "
                    "folder of the images."
                ) from None
            # What was left out may be why nothing was found.
            raise NotAStudyError(" ".join([str(error), *self._gathered.notes])) from error

    def _first_of(self, found: Sequence[Path], progress: Progress) -> Study:
        """The first of several studies that can be read, with a note on where the others are."""
        failed: dict[Path, CmrViewerError] = {}
        for path in found:
            try:
                study = self._read(path, progress)
                break
            except (LoadError, LabelMapError, GeometryError) as error:
                failed[path] = error
        else:
            raise next(iter(failed.values()))
        notes = [Note(f"{path.name} was not opened. {error}", Code.FILES_NOT_USED) for path, error in failed.items()]
        others = [other for other in found if other != path and other not in failed]
        if others:
            notes.insert(0, self._gathered.others_note("studies", path, others))
        if self._gathered.archive is not None:
            source = self._gathered.source_of(path) if others else self._source
            study = replace(study, source=source, name=name_of(source), patient_key=self._key_inside(study, path))
        study = replace(study, others=tuple(map(self._gathered.source_of, others)))
        return _previewed(replace(study, warnings=(*notes, *study.warnings)), self._preview)

    def _key_inside(self, study: Study, path: Path) -> str:
        """The patient's key of a study that was unpacked: where its place counts, the place inside the archive does."""
        marked = recognise_patient(path)[0] if path.is_dir() else recognise_file(path)
        file, name = (path, name_of(path)) if marked is None else (marked.image, marked.patient)
        if study.patient_key != patient_key_at(file.resolve().parent, name):
            return study.patient_key
        return patient_key_at(self._gathered.source_of(file).absolute().parent, name)

    def _read(self, path: Path, progress: Progress) -> Study:
        from cmr_viewer.load.images.layouts import read_image, read_patient  # noqa: PLC0415 - as in `open_study`

        if not path.is_dir():
            return read_image(path, progress, self._opening.slice_axis)
        return read_patient(path, recognise_patient(path), progress, self._opening.slice_axis)

    def open_dicom(self, progress: Progress) -> Study:
        """The DICOM study, with the contours next to it."""
        study = read_gathered(
            self._gathered, self._source, progress, self._opening, self._preview, self._file, self._index
        )
        if self._images and self._file is None:
            names = listed([image.name for image in self._images], 1)
            text = f"Not opened: image files next to the DICOM images ({names})."
            study = replace(study, warnings=(*study.warnings, Note(text, Code.IMAGES_BESIDE)))
        # Of several patients each has its contours beside its own images.
        apart = bool(study.others) and self._gathered.archive is None and study.source.is_dir()
        contours = find_contours(study.source if apart else self._gathered.root)
        if contours is None:
            return study
        try:
            return with_contours(study, read_sunnybrook(contours, study))
        except (LoadError, LabelMapError) as error:
            note = Note(f"The contours next to the images are not used. {error}", Code.LABELS_LEFT_OUT)
            return replace(study, warnings=(*study.warnings, note))


def reversed_slices(study: Study) -> Study:
    """The study with the slice order of its first stack reversed; pixels are a reversed view, not a copy."""
    stack = study.stack
    last = stack.slices - 1
    repeats = [repeat._replace(slice_index=last - repeat.slice_index) for repeat in reversed(study.repeats)]
    return replace(
        study,
        stacks=(reversed_stack(stack), *study.stacks[1:]),
        reference=None if study.reference is None else np.asarray(study.reference[:, ::-1]),
        repeats=tuple(repeats),
    )
