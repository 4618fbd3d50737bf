import os
import stat
import sys
import zipfile
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from cmr_viewer.errors import LoadError
from cmr_viewer.load.dicom.scan import scan
from cmr_viewer.load.dicom.with_pydicom import tolerant
from cmr_viewer.load.gather import gather, is_dicomdir
from cmr_viewer.load.unzip import safe_parts
from cmr_viewer.progress import Cancelled, silent
from tests.phantom import sax_cine, write_dicom_folder


@pytest.fixture(scope="module")
def stack():
    return sax_cine(phases=2, slices=2, rows=20, cols=16, pixel_spacing_mm=(4.0, 4.5), above=0, below=0).stack


@pytest.fixture
def folder(tmp_path, stack):
    """Four images in `study/a`, without extension."""
    write_dicom_folder(tmp_path / "study" / "a", stack, extension="")
    return tmp_path / "study"


def names(gathered):
    return [path.relative_to(gathered.root).as_posix() for path in gathered.files]


def zipped(path, entries, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def images(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_gives_the_files_below_it_in_the_order_of_their_names(folder):
    (folder / "b").mkdir()
    (folder / "b" / "notes.txt").write_text("hello")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x").touch()
    (folder / "a" / ".DS_Store").touch()
    (folder / "0.dcm").touch()
    assert names(gather(folder)) == ["0.dcm", "a/1", "a/2", "a/3", "a/4", "b/notes.txt"]


def test_links_to_folders_are_not_followed_and_noted(folder):
    (folder / "a" / "loop").symlink_to(folder)
    (folder / "b").symlink_to(folder / "b")
    (folder / "c").symlink_to(folder / "a" / "1")
    found = gather(folder)
    assert names(found) == ["c", "a/1", "a/2", "a/3", "a/4"]
    assert found.notes == ("Not searched: links to folders (loop).",)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes are no files there")
def test_what_is_no_file_is_not_opened(folder):
    os.mkfifo(folder / "pipe")
    assert names(gather(folder)) == ["a/1", "a/2", "a/3", "a/4"]
    with pytest.raises(LoadError, match="device or a pipe"):
        gather(folder / "pipe")


def test_folders_that_cannot_be_read_are_noted(folder, monkeypatch):
    (folder / "locked").mkdir()
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "locked":
            raise PermissionError
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert gather(folder).notes == ("Not searched: folders that could not be read (locked).",)
    with pytest.raises(LoadError, match="Could not read"):
        gather(folder / "locked")


def test_a_path_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(LoadError, match="nothing"):
        gather(tmp_path / "nothing")


def test_a_stop_goes_through(folder):
    def stop(fraction, text):
        raise Cancelled

    with pytest.raises(Cancelled):
        gather(folder, stop)


def test_another_file_stands_for_itself(folder):
    path = folder / "a" / "1"
    assert gather(path).files == (path,)
    assert gather(path).source_of(path) == path


def make_dicomdir(folder, target):
    """A disc: the images as DICOM/IM1 and so on, and the DICOMDIR that names them."""
    (target / "DICOM").mkdir(parents=True)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    meta.MediaStorageSOPInstanceUID, meta.TransferSyntaxUID = UID("1.2.3"), ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    patient = Dataset()
    patient.DirectoryRecordType = "PATIENT"
    data.DirectoryRecordSequence = [patient]
    for number, path in enumerate(sorted((folder / "a").iterdir()), start=1):
        (target / "DICOM" / f"IM{number}").write_bytes(path.read_bytes())
        record = Dataset()
        record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", ["DICOM", f"IM{number}"]
        data.DirectoryRecordSequence.append(record)
    data.save_as(target / "DICOMDIR", enforce_file_format=True)
    return target / "DICOMDIR"


def test_a_dicomdir_gives_the_files_that_it_names(folder, tmp_path):
    path = make_dicomdir(folder, tmp_path / "disc")
    (path.parent / "foreign.dcm").touch()
    found = gather(path)
    assert len(found.files) == 4
    assert len(scan(found.files, silent).headers) == 4
    assert found.notes == ()


def test_names_of_a_dicomdir_are_looked_up_without_case_and_version(folder, tmp_path):
    path = make_dicomdir(folder, tmp_path / "disc")
    for inner in sorted(path.parent.rglob("*"), reverse=True):
        if inner != path:
            inner.rename(inner.with_name(inner.name.lower() + (";1" if inner.is_file() else "")))
    assert len(gather(path).files) == 4


def test_files_that_a_dicomdir_names_in_vain_are_counted(folder, tmp_path):
    path = make_dicomdir(folder, tmp_path / "disc")
    gather(path).files[0].unlink()
    found = gather(path)
    assert len(found.files) == 3
    assert found.notes == ("Missing: 1 of 4 files listed in DICOMDIR.",)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\0" * 128 + b"DICM"])
def test_beside_a_broken_dicomdir_the_folder_serves(folder, content):
    (folder / "DICOMDIR").write_bytes(content)
    found = gather(folder / "DICOMDIR")
    assert names(found) == ["DICOMDIR", "a/1", "a/2", "a/3", "a/4"]
    assert "DICOMDIR" in found.notes[0]
    assert "searched instead" in found.notes[0]


def test_a_dicomdir_that_leads_out_of_its_folder_is_not_followed(folder, tmp_path):
    path = make_dicomdir(folder, tmp_path / "disc")
    (tmp_path / "secret.dcm").write_bytes((folder / "a" / "1").read_bytes())
    with tolerant():
        data = pydicom.dcmread(path)
        data.DirectoryRecordSequence[1].ReferencedFileID = ["..", "secret.dcm"]
        pydicom.dcmwrite(path, data)
    found = gather(path)
    assert [file.name for file in found.files] == ["IM2", "IM3", "IM4"]
    assert found.notes == ("Left out 1 file that DICOMDIR lists outside its folder.",)


def test_a_dicomdir_is_known_by_its_class_under_another_name(folder, tmp_path):
    path = make_dicomdir(folder, tmp_path / "disc")
    assert is_dicomdir(path.rename(path.with_name("index")))


def test_an_archive_is_unpacked_for_as_long_as_it_is_open(folder, tmp_path):
    path = zipped(tmp_path / "study.zip", {**images(folder), "readme.pdf": b"%PDF", "thumbs.db": b"x"})
    with gather(path) as found:
        assert names(found) == ["a/1", "a/2", "a/3", "a/4"]
        assert len(scan(found.files, silent).headers) == 4
        assert found.source_of(found.files[0]) == path / "a" / "1"
        root = found.root
        if sys.platform != "win32":
            assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert not root.exists()


def test_an_archive_under_another_name_is_known(folder, tmp_path):
    with gather(zipped(tmp_path / "archive", images(folder))) as found:
        assert len(found.files) == 4


@pytest.mark.parametrize(
    "name", ["../out.dcm", "a/../../out.dcm", "/out.dcm", "C:/out.dcm", "..\\out.dcm", "\\\\host\\out.dcm", "C:out.dcm"]
)
def test_names_that_lead_outside_are_left_out(folder, tmp_path, name):
    inside = tmp_path / "zips"
    inside.mkdir()
    path = zipped(inside / "study.zip", {**images(folder), name: b"\0" * 128 + b"DICM"})
    with gather(path) as found:
        assert len(found.files) == 4
        assert found.notes == ("study.zip: left out 1 file (paths outside the archive), such as out.dcm.",) or (
            "paths outside the archive" in found.notes[0]
        )
    assert not list(tmp_path.rglob("*out.dcm"))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a/b.dcm", ["a", "b.dcm"]),
        ("a\\b.dcm", ["a", "b.dcm"]),
        ("./a//b", ["a", "b"]),
        ("con/aux.dcm", ["_con", "_aux.dcm"]),
        ("a?/b*.dcm. ", ["a_", "b_.dcm"]),
        ("x" * 300, ["x" * 40 + "~" + "x" * 40]),
        ("/a", None),
        ("a/..", None),
    ],
)
def test_names_become_what_every_system_allows(name, parts):
    assert safe_parts(name) == parts


def test_names_that_differ_in_case_only_are_both_unpacked(folder, tmp_path):
    data = (folder / "a" / "1").read_bytes()
    with gather(zipped(tmp_path / "s.zip", {"A/x.dcm": data, "a/X.dcm": data})) as found:
        assert len({str(path).lower() for path in found.files}) == 2


def test_links_in_an_archive_are_left_out(folder, tmp_path):
    path = zipped(tmp_path / "s.zip", images(folder))
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("link.dcm")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with gather(path) as found:
        assert len(found.files) == 4
        assert "links" in found.notes[0]


def test_archives_inside_an_archive_are_noted(folder, tmp_path):
    inner = zipped(tmp_path / "inner.zip", images(folder)).read_bytes()
    with gather(zipped(tmp_path / "s.zip", {**images(folder), "inner.zip": inner})) as found:
        assert len(found.files) == 4
        assert found.notes == ("s.zip: left out 1 file (nested archives), such as inner.zip.",)


def test_a_locked_archive_is_refused(folder, tmp_path):
    path = zipped(tmp_path / "s.zip", images(folder))
    raw = bytearray(path.read_bytes())
    at = -1
    while (at := raw.find(b"PK\x01\x02", at + 1)) >= 0:
        raw[at + 8] |= 1
    path.write_bytes(bytes(raw))
    with pytest.raises(LoadError, match=r"s\.zip is protected by a password"):
        gather(path)


def test_a_bomb_by_ratio_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("cmr_viewer.load.unzip._LARGE", 1 << 20)
    path = zipped(tmp_path / "s.zip", {"bomb.dcm": bytes(2 << 20)})
    with pytest.raises(LoadError, match="more than any study"):
        gather(path)


def test_a_bomb_by_size_is_refused_before_it_is_unpacked(tmp_path):
    path = zipped(tmp_path / "s.zip", {"a.dcm": b"x" * 100})
    raw = bytearray(path.read_bytes())
    at = raw.index(b"PK\x01\x02")
    raw[at + 24 : at + 28] = (4_000_000_000).to_bytes(4, "little")
    path.write_bytes(bytes(raw))
    with pytest.raises(LoadError, match="more than any study"):
        gather(path)


def test_a_file_that_becomes_larger_than_the_archive_says_is_left_out(folder, tmp_path):
    path = zipped(tmp_path / "s.zip", {**images(folder), "z.dcm": b"x" * 5000})
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"PK\x01\x02")
    raw[at + 24 : at + 28] = (200).to_bytes(4, "little")
    path.write_bytes(bytes(raw))
    with gather(path) as found:
        assert len(found.files) == 4
        assert "(damaged), such as z.dcm" in found.notes[0]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"garbage"])
def test_what_is_no_whole_archive_is_refused(tmp_path, content):
    (tmp_path / "s.zip").write_bytes(content)
    with pytest.raises(LoadError, match=r"Could not unpack s\.zip: it is incomplete or not a zip archive"):
        gather(tmp_path / "s.zip")


def test_an_archive_that_is_cut_short_is_refused(folder, tmp_path):
    path = zipped(tmp_path / "s.zip", images(folder))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(LoadError, match="incomplete"):
        gather(path)


def test_a_damaged_file_in_an_archive_is_noted_and_the_rest_is_unpacked(folder, tmp_path):
    path = zipped(tmp_path / "s.zip", images(folder))
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        first = archive.infolist()[0]
    raw[first.header_offset + 80 : first.header_offset + 120] = b"\xff" * 40
    path.write_bytes(bytes(raw))
    with gather(path) as found:
        assert len(found.files) == 3
        assert f"(damaged), such as {first.filename.rpartition('/')[2]}" in found.notes[0]


def test_nothing_is_left_behind_where_unpacking_is_stopped(folder, tmp_path, monkeypatch):
    made = []
    original = Path.mkdir

    def note(self, *args, **options):
        made.append(self)
        original(self, *args, **options)

    monkeypatch.setattr(Path, "mkdir", note)
    monkeypatch.setattr("cmr_viewer.progress.REPORT_EVERY_S", 0.0)
    path = zipped(tmp_path / "s.zip", images(folder))

    def stop(fraction, text):
        if text == "Unpacking the archive" and fraction > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        gather(path, stop)
    assert made
    assert not any(folder.exists() for folder in made)
