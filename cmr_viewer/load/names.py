"""What a study is called and what its patient is recognised by."""

import hashlib
from pathlib import Path

NIFTI_ENDINGS = (".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz", ".img.gz")
META_ENDINGS = (".mha", ".mhd")
NRRD_ENDINGS = (".nrrd", ".nhdr")
ITK_ENDINGS = (*META_ENDINGS, *NRRD_ENDINGS)

_EXTENSIONS = (".nii.gz", ".nii", ".mha", ".mhd", ".nrrd", ".nhdr", ".dcm", ".ima", ".zip")


def name_of(path: Path) -> str:
    """Folder or file name without image extensions: `patient001_frame01.nii.gz` is `patient001_frame01`."""
    name = path.resolve().name
    for extension in _EXTENSIONS:
        if name.lower().endswith(extension) and len(name) > len(extension):
            return name[: -len(extension)]
    return name


def patient_key_of(identifier: str) -> str:
    """What a patient is recognised by: 32 hex digits that do not give the identifier away to a reader."""
    return hashlib.blake2b(identifier.strip().encode(), digest_size=16, person=b"cmr-patient").hexdigest()
