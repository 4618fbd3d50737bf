import gzip
import tracemalloc

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cmr_viewer.errors import LoadError
from cmr_viewer.load.images.itk import checked_header
from cmr_viewer.load.images.layouts import read_image
from tests.phantom import sax_cine


@pytest.fixture(scope="module")
def phantom():
    return sax_cine(phases=3, slices=6, rows=40, cols=36, pixel_spacing_mm=(3.0, 2.5))


def image_of(stack, phase):
    """A 3D ITK image of one phase, in patient coordinates (LPS)."""
    g = stack.geometry
    image = sitk.GetImageFromArray(stack.pixels[phase])
    step = np.asarray(g.positions_mm[1]) - np.asarray(g.positions_mm[0])
    columns = [np.asarray(g.row_direction), np.asarray(g.col_direction), step / np.linalg.norm(step)]
    image.SetDirection(np.stack(columns, axis=1).ravel().tolist())
    image.SetOrigin(g.positions_mm[0])
    image.SetSpacing((g.pixel_spacing_mm[1], g.pixel_spacing_mm[0], g.slice_spacing_mm))
    return image


@pytest.mark.parametrize("ending", [".mha", ".mhd", ".nrrd"])
def test_a_3d_image_opens_with_its_geometry(tmp_path, phantom, ending):
    path = tmp_path / f"heart{ending}"
    sitk.WriteImage(image_of(phantom.stack, 0), str(path))
    study = read_image(path)
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels[:1])
    np.testing.assert_allclose(study.stack.geometry.positions_mm, phantom.stack.geometry.positions_mm, atol=1e-3)
    assert study.stack.geometry.pixel_spacing_mm == pytest.approx((3.0, 2.5))
    assert (study.name, study.format_name) == ("heart", ending[1:].upper())
    assert study.warnings == ()


def test_a_4d_image_has_phases_on_its_fourth_axis(tmp_path, phantom):
    joined = sitk.JoinSeries([image_of(phantom.stack, phase) for phase in range(3)])
    sitk.WriteImage(joined, str(tmp_path / "cine.mha"))
    study = read_image(tmp_path / "cine.mha")
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)


def test_many_channels_are_phases(tmp_path):
    phantom = sax_cine(phases=5, slices=6, rows=40, cols=36, pixel_spacing_mm=(3.0, 2.5))
    channels = sitk.Compose([image_of(phantom.stack, phase) for phase in range(5)])
    sitk.WriteImage(channels, str(tmp_path / "sequence.nrrd"))
    np.testing.assert_array_equal(read_image(tmp_path / "sequence.nrrd").stack.pixels, phantom.stack.pixels)


def test_colour_is_refused(tmp_path, phantom):
    image = sitk.Compose([image_of(phantom.stack, 0)] * 3)
    sitk.WriteImage(image, str(tmp_path / "rgb.mha"))
    with pytest.raises(LoadError, match=r"rgb.mha has 3 channels"):
        read_image(tmp_path / "rgb.mha")


@pytest.mark.parametrize("name", ["broken.mha", "broken.nrrd"])
def test_a_file_that_is_none_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"no image")
    with pytest.raises(LoadError, match=name):
        read_image(tmp_path / name)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_a_list_of_few_channels_is_a_sequence_of_3d_slicer(tmp_path, phantom, channels):
    sitk.WriteImage(sitk.Compose([image_of(phantom.stack, p % 3) for p in range(channels)]), str(tmp_path / "a.nrrd"))
    content = (tmp_path / "a.nrrd").read_bytes().replace(b"kinds: vector", b"kinds: list", 1)
    (tmp_path / "a.seq.nrrd").write_bytes(content)
    study = read_image(tmp_path / "a.seq.nrrd")
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels[[p % 3 for p in range(channels)]])


@pytest.mark.parametrize("time_at", [0, 1, 3])
@pytest.mark.parametrize("encoding", ["raw", "gzip"])
@pytest.mark.parametrize("apart", [False, True])
def test_a_time_beside_three_directions_of_space_is_the_axis_of_the_phases(tmp_path, phantom, time_at, encoding, apart):
    g = phantom.stack.geometry
    step = np.asarray(g.positions_mm[1]) - np.asarray(g.positions_mm[0])
    columns = [np.asarray(g.row_direction) * 2.5, np.asarray(g.col_direction) * 3.0, step]
    axes = [("domain", f"({','.join(f'{v:.9g}' for v in column)})") for column in columns]
    axes.insert(time_at, ("time", "none"))
    voxels = np.moveaxis(phantom.stack.pixels.transpose(3, 2, 1, 0), 3, time_at)
    data = voxels.astype("<i2").tobytes(order="F")
    data = gzip.compress(data) if encoding == "gzip" else data
    head = (
        "NRRD0005\n# by hand\ntype: short\ndimension: 4\nspace: left-posterior-superior\n"
        f"sizes: {' '.join(map(str, voxels.shape))}\nspace directions: {' '.join(vector for _, vector in axes)}\n"
        f'kinds: {" ".join(kind for kind, _ in axes)}\nspace units: "mm" "mm" "mm"\nendian: little\n'
        f"encoding: {encoding}\nspace origin: ({','.join(f'{v:.9g}' for v in g.positions_mm[0])})\n"
    )
    path = tmp_path / ("times.nhdr" if apart else "times.nrrd")
    if apart:
        (tmp_path / "voxels").write_bytes(data)
        path.write_text(f"{head}data file: voxels\n\n")
    else:
        path.write_bytes(f"{head}\n".encode() + data)
    study = read_image(path)
    np.testing.assert_array_equal(study.stack.pixels, phantom.stack.pixels)
    np.testing.assert_allclose(study.stack.geometry.positions_mm, g.positions_mm, atol=1e-3)
    path.write_bytes(path.read_bytes()[:-100] if not apart else path.read_bytes().replace(b"voxels", b"others"))
    with pytest.raises(LoadError, match=path.name):
        read_image(path)


@pytest.mark.parametrize("unit", ["µm", "μm", "um"])
def test_units_of_a_header_are_text_in_any_encoding(tmp_path, phantom, unit):
    image = image_of(phantom.stack, 0)
    image.SetSpacing([1000 * mm for mm in image.GetSpacing()])
    image.SetOrigin([1000 * mm for mm in image.GetOrigin()])
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"))
    named = f'space units: "{unit}" "{unit}" "{unit}"\nendian:'
    (tmp_path / "a.nrrd").write_bytes((tmp_path / "a.nrrd").read_bytes().replace(b"endian:", named.encode(), 1))
    assert read_image(tmp_path / "a.nrrd").stack.geometry.pixel_spacing_mm == pytest.approx((3.0, 2.5))


@pytest.mark.parametrize(("header", "data"), [("a.mhd", "a.raw"), ("a.mhd", "a.zraw"), ("a.nhdr", "a.raw")])
def test_a_header_and_its_data_open_and_data_that_are_missing_or_short_are_named(tmp_path, phantom, header, data):
    sitk.WriteImage(image_of(phantom.stack, 0), str(tmp_path / header), useCompression=data.endswith("zraw"))
    np.testing.assert_array_equal(read_image(tmp_path / header).stack.pixels, phantom.stack.pixels[:1])
    content = (tmp_path / data).read_bytes()
    (tmp_path / data).write_bytes(content[: len(content) // 2])
    with pytest.raises(LoadError, match=header):
        read_image(tmp_path / header)
    (tmp_path / data).unlink()
    with pytest.raises(LoadError, match=rf"{header} needs {data}"):
        read_image(tmp_path / header)


@pytest.mark.parametrize("ending", [".mha", ".nrrd"])
@pytest.mark.parametrize("compressed", [True, False])
def test_a_file_that_is_cut_short_is_named(tmp_path, phantom, ending, compressed):
    path = tmp_path / f"short{ending}"
    sitk.WriteImage(image_of(phantom.stack, 0), str(path), useCompression=compressed)
    path.write_bytes(path.read_bytes()[:-700])
    with pytest.raises(LoadError, match=path.name):
        read_image(path)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), ending=st.sampled_from([".mha", ".nrrd", ".mhd"]))
def test_a_damaged_file_opens_or_states_why_not(tmp_path, data, ending):
    whole = tmp_path / f"whole{ending}"
    if not whole.exists():
        image = sitk.GetImageFromArray(np.arange(48, dtype=np.int16).reshape(3, 4, 4))
        image.SetSpacing((1.5, 1.5, 8.0))
        sitk.WriteImage(image, str(whole))
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 6))] = data.draw(
            st.sampled_from([b"", b"9", b"-", b"999999999", b" ", b"\n", b"nan", b"../", b"%d", b"LIST", b"e9"])
        )
    path = tmp_path / f"damaged{ending}"
    path.write_bytes(bytes(content))
    try:
        assert np.isfinite(read_image(path).stack.pixels).all()
    except LoadError as error:
        assert path.name in str(error)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.replace(b"CompressedDataSize = ", b"CompressedDataSize = x"),
        lambda content: content.replace(b"CompressedDataSize = ", b"CompressedDataSize = 1\nA = "),
        lambda content: content[:-200] + b"\xa5" * 200,
        lambda content: content.replace(b"CompressedData = True", b"CompressedData = 1")[:-200],
    ],
)
def test_compressed_voxels_that_are_not_whole_never_reach_itk(tmp_path, phantom, monkeypatch, change):
    path = tmp_path / "a.mha"
    sitk.WriteImage(image_of(phantom.stack, 0), str(path), useCompression=True)
    read_image(path)
    path.write_bytes(change(path.read_bytes()))
    monkeypatch.setattr(sitk, "ReadImage", lambda name: pytest.fail("ITK was asked"))
    with pytest.raises(LoadError, match=r"a\.mha"):
        read_image(path)


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
        read_image(path)


def test_data_in_the_folder_or_below_it_are_read(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.raw").write_bytes(b"\1\0" * 48)
    for path in (meta(tmp_path, data="x/a.raw"), nrrd(tmp_path, data="data file: x/a.raw\nendian: little")):
        assert read_image(path).stack.pixels.sum() == 48


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
        read_image(path)
    path = nrrd(tmp_path, data="space directions: (1,0,0) (1e308,1,0) (0,0,1)\ndata file: a.raw")
    with pytest.raises(LoadError, match=r"Could not read a.nhdr"):
        read_image(path)


def test_what_channels_are_is_recognised_by_their_kind(tmp_path):
    (tmp_path / "a.raw").write_bytes(b"\0" * 96)
    assert checked_header(nrrd(tmp_path, kinds="list domain domain")).phases_as_channels
    assert checked_header(nrrd(tmp_path, kinds="domain domain time")).phases_as_channels
    assert checked_header(nrrd(tmp_path, kinds="RGB-color domain domain")).holds_matrices
    assert not checked_header(nrrd(tmp_path, kinds="vector domain domain")).phases_as_channels
