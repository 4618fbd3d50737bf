import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.notes import Code
from cmr_viewer.domain.study import FrameIndex
from cmr_viewer.errors import CmrViewerError, LabelMapError, LoadError
from cmr_viewer.load.labels.files import read_labels
from cmr_viewer.load.study import open_study
from cmr_viewer.progress import Cancelled
from tests.phantom import MR_IMAGE_STORAGE, ras_affine, sax_cine, voxels_of, write_nifti
from tests.phantom_contours import LV, circle, identified, square, uid_of, write_cvi42, write_rtstruct, write_seg


@pytest.fixture(scope="module")
def phantom():
    return sax_cine(phases=2, slices=5, rows=40, cols=44, pixel_spacing_mm=(4.0, 4.0))


@pytest.fixture(scope="module")
def study(phantom):
    return identified(phantom.stack)


def disc(shape=(40, 44)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.hypot(y - 20, x - 22) < 6.25


def sunnybrook(tmp_path):
    folder = tmp_path / "contours" / "i-contours"
    folder.mkdir(parents=True)
    # Image 8 is phase 1 of slice 3; files count the first centre as 1.
    text = "".join(f"{x + 1} {y + 1}\n" for x, y in circle(22, 20, 6.25))
    (folder / "IM-0001-0008-icontour-manual.txt").write_text(text)
    return folder.parent


def written(kind, tmp_path, phantom, study):
    """The same disc, the LV blood pool of phase 1 in slice 3, as each program keeps it."""
    if kind == "sunnybrook":
        return sunnybrook(tmp_path)
    if kind == "cvi42":
        return write_cvi42(tmp_path / "a.cvi42wsx", {uid_of(1, 3): {LV: circle(22, 20, 6.25)}})
    if kind == "rtstruct":
        return write_rtstruct(tmp_path / "a.dcm", study, [("LV endocardium", 1, 3, circle(22, 20, 6.25))])
    if kind == "seg":
        return write_seg(tmp_path / "a", study, {(1, 1, 3): disc()}, names=("LV",))
    labels = np.zeros_like(phantom.labels)
    labels[1, 3][disc()] = 1
    return write_nifti(tmp_path / "a.nii.gz", voxels_of(labels), ras_affine(phantom.stack))


@pytest.mark.parametrize("kind", ["sunnybrook", "cvi42", "rtstruct", "seg", "label map"])
def test_the_same_disc_is_read_from_every_kind_of_file(tmp_path, phantom, study, kind):
    path = written(kind, tmp_path, phantom, study)
    imported = read_labels(path, study, "own")
    assert np.argwhere(imported.labels.any(axis=(2, 3))).tolist() == [[1, 3]]
    np.testing.assert_array_equal(imported.labels[1, 3], disc())
    assert FrameIndex(1, 3) in imported.structures
    assert imported.provenance.startswith({"sunnybrook": "Sunny", "seg": "DICOM SEG", "rtstruct": "RTS"}.get(kind, ""))
    if path.is_file():
        assert read_labels(path.parent, study, "own").labels.sum() == disc().sum()


@pytest.mark.parametrize("kind", ["sunnybrook", "cvi42", "rtstruct", "seg", "label map"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_kind_of_file_is_found_in_folders_inside_a_folder_or_an_archive(tmp_path, phantom, study, kind, packed):
    inside = tmp_path / "all" / "patient" / "labels"
    inside.mkdir(parents=True)
    (tmp_path / "all" / "notes.xml").write_text("<notes/>")
    (tmp_path / "all" / "patient" / "readme.txt").write_text("words")
    written(kind, inside, phantom, study)
    path = tmp_path / "all"
    if packed:
        path = Path(shutil.make_archive(str(tmp_path / "all"), "zip", path))
    assert read_labels(path, study, "own").labels.sum() == disc().sum()


@pytest.mark.parametrize("name", ["workspace.xml", "ws.XML", "a.cvi42wsx", "a.cvi42wsx.xml", "workspace", "a.cvi42ws"])
@pytest.mark.parametrize("where", ["itself", "folder", "zip", "zipped itself"])
def test_a_workspace_is_read_by_what_is_in_it_wherever_it_lies(tmp_path, study, name, where):
    folder = tmp_path / "f"
    folder.mkdir()
    path = write_cvi42(folder / name, {uid_of(1, 3): {LV: circle(22, 20, 6.25)}})
    if where == "zip":
        if name == "workspace":
            pytest.skip("files without an ending are not taken out of an archive")
        path = Path(shutil.make_archive(str(tmp_path / "a"), "zip", folder))
    elif where == "zipped itself":
        packed = Path(shutil.make_archive(str(tmp_path / "a"), "zip", folder))
        if name == "workspace":
            pytest.skip("files without an ending are not taken out of an archive")
        path.write_bytes(packed.read_bytes())
    elif where == "folder":
        path = folder
    assert read_labels(path, study).labels.sum() == disc().sum()


def test_an_archive_that_holds_another_one_alone_states_so(tmp_path, study):
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as archive:
        archive.writestr("work.xml", "<a/>")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(tmp_path / "inner.zip", "in/inner.zip")
    for read in (lambda path: read_labels(path, study), open_study):
        with pytest.raises(CmrViewerError, match=r"outer.zip .* no .*such as inner.zip"):
            read(tmp_path / "outer.zip")


def test_what_an_archive_holds_besides_is_noted(tmp_path, study):
    write_cvi42(tmp_path / "a.xml", {uid_of(1, 3): {LV: circle(22, 20, 6.25)}})
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.xml", "a.xml")
        archive.writestr("more.7z", b"7z")
    assert "left out 1 file (nested archives)" in read_labels(tmp_path / "a.zip", study).warnings[0]


def test_a_structure_without_any_pixel_is_stated_nowhere(tmp_path, phantom, study):
    masks = {(1, 1, 3): disc(), (2, 1, 3): np.zeros((40, 44), bool), (3, 0, 0): np.zeros((40, 44), bool)}
    read = read_labels(write_seg(tmp_path / "a.dcm", study, masks), study)
    assert dict(read.structures) == dict.fromkeys([FrameIndex(0, 0), FrameIndex(1, 3)], frozenset({Label.LVBP}))
    assert [(note.code, "no pixel of LVM and RVBP" in note) for note in read.warnings] == [
        (Code.STRUCTURES_EMPTY, True)
    ]
    labels = np.zeros_like(phantom.labels)
    labels[1, 3][disc()] = 1
    volume = write_nifti(tmp_path / "a.nii.gz", voxels_of(labels), ras_affine(phantom.stack))
    read = read_labels(volume, study, "own")
    assert set(read.structures.values()) == {frozenset({Label.LVBP})}


@pytest.mark.parametrize("kind", ["seg", "fractional", "rtstruct", "cvi42"])
def test_labels_that_all_come_out_empty_are_refused(tmp_path, study, kind):
    nothing, dot = np.zeros((40, 44), bool), circle(22.5, 20.5, 0.2)
    if kind == "cvi42":
        path = write_cvi42(tmp_path / "a.cvi42wsx", {uid_of(1, 3): {LV: dot}})
    elif kind == "rtstruct":
        path = write_rtstruct(tmp_path / "a.dcm", study, [("LV endocardium", 1, 3, dot)])
    else:
        form = "FRACTIONAL" if kind == "fractional" else "BINARY"
        path = write_seg(tmp_path / "a.dcm", study, {(1, 1, 3): nothing}, kind=form)
    with pytest.raises(LabelMapError, match=r"No label in a\.\w+ falls on a pixel .* Nothing was changed"):
        read_labels(path, study)


def test_a_contour_file_stands_for_its_folder(tmp_path, study):
    folder = sunnybrook(tmp_path) / "i-contours"
    assert read_labels(next(folder.iterdir()), study).labels.sum() == disc().sum()


def test_a_folder_of_several_is_asked_about(tmp_path, phantom, study):
    for kind in ("cvi42", "rtstruct"):
        written(kind, tmp_path, phantom, study)
    with pytest.raises(LabelMapError, match="contains 2 files or folders of labels"):
        read_labels(tmp_path, study)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"words", "not supported"),
        ("a.cvi42ws", b"\0\1", "Export it from cvi42 as XML"),
        ("a.pdf", b"%PDF", "not supported"),
        ("a.dcm", b"\0" * 200, "DICOM file without supported segments"),
        ("a.nii.gz", b"", "a.nii.gz"),
        ("a.zip", b"PK\x05\x06" + b"\0" * 18, "a.zip contains no label maps or contours"),
        ("a.xml", b"<html>words</html>", "not a cvi42 workspace"),
    ],
)
def test_files_of_no_known_kind_are_refused_with_what_is_known(tmp_path, study, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(LoadError, match=said):
        read_labels(tmp_path / name, study)


def test_what_is_not_there_or_empty_is_named(tmp_path, study):
    with pytest.raises(LoadError, match=r"Could not find none.nii"):
        read_labels(tmp_path / "none.nii", study)
    with pytest.raises(LoadError, match="contains no label maps or contours"):
        read_labels(tmp_path, study)


def test_images_are_no_labels(tmp_path, study):
    path = write_seg(tmp_path / "a.dcm", study, {(1, 0, 0): disc()}, changes={"SOPClassUID": MR_IMAGE_STORAGE})
    with pytest.raises(LoadError, match="without supported segments or contours"):
        read_labels(path, study)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=600), name=st.sampled_from(["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.dcm", "a.zip"])
)
def test_any_bytes_give_labels_or_say_why_not(tmp_path, study, content, name):
    prefix = {"a.nrrd": b"NRRD0004\n", "a.dcm": b"\0" * 128 + b"DICM", "a.zip": b"PK\3\4"}.get(name, b"")
    (tmp_path / name).write_bytes(prefix + content)
    with pytest.raises((LoadError, LabelMapError)):
        read_labels(tmp_path / name, study)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.text("0123456789.- e\tnaif", max_size=12), max_size=8))
def test_any_contour_file_gives_labels_or_states_why_not(tmp_path, study, lines):
    folder = tmp_path / "c"
    folder.mkdir(exist_ok=True)
    (folder / "IM-0001-0001-icontour-manual.txt").write_text("\n".join(lines))
    (folder / "IM-0001-0002-ocontour-manual.txt").write_text("".join(f"{x} {y}\n" for x, y in square(3, 9)))
    assert read_labels(folder, study).labels[1, 0].any()


def test_meta_information_of_a_wrong_length_is_named(tmp_path, phantom, study):
    content = bytearray(written("seg", tmp_path, phantom, study).read_bytes())
    # The length of the length of the file meta information (0002,0000): 10 bytes instead of 4.
    content[138:140] = b"\x0a\0"
    (tmp_path / "damaged.dcm").write_bytes(bytes(content))
    with pytest.raises(LoadError, match=r"damaged.dcm"):
        read_labels(tmp_path / "damaged.dcm", study)


@pytest.mark.parametrize("kind", ["sunnybrook", "cvi42", "rtstruct", "seg", "label map"])
def test_reading_shows_how_far_it_is_and_stops_when_asked(tmp_path, phantom, study, kind):
    path = written(kind, tmp_path, phantom, study)
    noted = []
    read_labels(path, study, "own", progress=lambda fraction, text: noted.append(fraction))
    assert len(noted) > 2 and noted == sorted(noted) and noted[0] >= 0 and noted[-1] <= 1

    def stop(fraction, text):
        if fraction >= noted[-1]:
            raise Cancelled

    with pytest.raises(Cancelled):
        read_labels(path, study, "own", progress=stop)
