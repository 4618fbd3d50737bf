"""What a study is called, and the endings of image files."""

from pathlib import Path

from cmr_viewer.file_names import readable

NIFTI_ENDINGS = (".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz")
META_ENDINGS = (".mha", ".mhd")
NRRD_ENDINGS = (".nrrd", ".nhdr")
ITK_ENDINGS = (*META_ENDINGS, *NRRD_ENDINGS)

_EXTENSIONS = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd", ".nhdr", ".dcm", ".ima", ".zip")


def name_of(path: Path) -> str:
    """Folder or file name without image extensions: `patient001_frame01.nii.gz` is `patient001_frame01`.

    It is printable text on one line; "study" where the path has no name.
    """
    name = " ".join(readable(path.resolve().name).split()) or "study"
    for extension in _EXTENSIONS:
        if name.lower().endswith(extension) and len(name) > len(extension):
            return name[: -len(extension)]
    return name
