import tracemalloc

import pytest

from cmr_viewer.errors import LoadError
from cmr_viewer.load.images.itk import read_itk
from cmr_viewer.load.images.itk_header import checked_header

META = "ObjectType = Image\nNDims = 3\nBinaryData = True\nCompressedData = {zipped}\nElementSpacing = 1 1 8\n" + (
    "DimSize = {sizes}\nElementType = {type}\nElementDataFile = {data}\n"
)
NRRD = "NRRD0004\n# remark\ntype: {type}\ndimension: 3\nsizes: {sizes}\nkinds: {kinds}\nencoding: {encoding}\n{data}\n"


def meta(folder, *, sizes="4 4 3", data="a.raw", zipped="False", type="MET_SHORT", name="a.mhd"):  # noqa: A002
    path = folder / name
    path.write_text(META.format(sizes=sizes, data=data, zipped=zipped, type=type))
    return path


def nrrd(folder, *, sizes="4 4 3", data="data file: a.raw", encoding="raw", kinds="domain domain domain"):
    path = folder / "a.nhdr"
    path.write_text(NRRD.format(sizes=sizes, data=data, encoding=encoding, kinds=kinds, type="short"))
    return path


NAMES = [
    "../a.raw",
    "x/../../a.raw",
    "/etc/hostname",
    "C:\\a.raw",
    "C:a.raw",
    "\\\\host\\share\\a.raw",
    "..\\a.raw",
    "link.raw",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["meta", "meta list", "nrrd", "nrrd list"])
def test_data_outside_of_the_folder_are_refused(tmp_path, name, kind):
    folder = tmp_path / "inside"
    (folder / "x").mkdir(parents=True)
    (tmp_path / "a.raw").write_bytes(b"\0" * 96)
    try:
        (folder / "link.raw").symlink_to(tmp_path / "a.raw")
    except OSError:
        pytest.skip("links are not allowed here")
    if kind.startswith("meta"):
        path = meta(folder, data=f"LIST\n{name}" if "list" in kind else name)
    else:
        path = nrrd(folder, data=f"data file: LIST\n{name}" if "list" in kind else f"data file: {name}")
    with pytest.raises(LoadError, match="outside its folder"):
        read_itk(path)


def test_data_in_the_folder_or_below_it_are_read(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.raw").write_bytes(b"\1\0" * 48)
    for path in (meta(tmp_path, data="x/a.raw"), nrrd(tmp_path, data="data file: x/a.raw\nendian: little")):
        assert read_itk(path).stack.pixels.sum() == 48


@pytest.mark.parametrize("sizes", ["40000 40000 40000", "2000 2000 200", "4 4 4"])
@pytest.mark.parametrize("zipped", [False, True])
def test_more_voxels_than_the_data_hold_are_refused_before_memory_is_taken(tmp_path, sizes, zipped):
    (tmp_path / "a.raw").write_bytes(b"\0" * (96 if not zipped else 0))
    tracemalloc.start()
    for path in (
        meta(tmp_path, sizes=sizes, zipped=str(zipped)),
        nrrd(tmp_path, sizes=sizes, encoding="gzip" if zipped else "raw"),
    ):
        with pytest.raises(LoadError, match=r"states .*voxels"):
            checked_header(path)
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    "changes",
    [
        {"sizes": "4 4"},
        {"sizes": "4 4 -3"},
        {"sizes": "4 4 x"},
        {"type": "MET_STRING"},
        {"data": "a%03d.raw 1 3 1"},
        {"data": ""},
    ],
)
def test_headers_that_cannot_be_understood_are_named(tmp_path, changes):
    (tmp_path / "a.raw").write_bytes(b"\0" * 96)
    with pytest.raises(LoadError, match=r"a.mhd"):
        checked_header(meta(tmp_path, **changes))


@pytest.mark.parametrize(
    "line",
    [
        "TransformMatrix = 1 0 0 1e308 1 0 0 0 1",
        "TransformMatrix = 1 0 0 nan 1 0 0 0 1",
        "Offset = 0 inf 0",
        "ElementSpacing = 1 1 1e300",
    ],
)
def test_places_that_cannot_be_are_refused_before_itk_sees_them(tmp_path, line):
    # ITK does not come back from the first.
    (tmp_path / "a.raw").write_bytes(b"\0" * 96)
    path = meta(tmp_path)
    path.write_text(
        path.read_text().replace("NDims = 3\n", f"NDims = 3\n{line}\n").replace("ElementSpacing = 1 1 8\n", "")
    )
    with pytest.raises(LoadError, match=r"Could not read a.mhd"):
        read_itk(path)
    path = nrrd(tmp_path, data="space directions: (1,0,0) (1e308,1,0) (0,0,1)\ndata file: a.raw")
    with pytest.raises(LoadError, match=r"Could not read a.nhdr"):
        read_itk(path)


def test_what_channels_are_is_told_by_their_kind(tmp_path):
    (tmp_path / "a.raw").write_bytes(b"\0" * 96)
    assert checked_header(nrrd(tmp_path, kinds="list domain domain")).phases_as_channels
    assert checked_header(nrrd(tmp_path, kinds="domain domain time")).phases_as_channels
    assert checked_header(nrrd(tmp_path, kinds="RGB-color domain domain")).holds_matrices
    assert not checked_header(nrrd(tmp_path, kinds="vector domain domain")).phases_as_channels
