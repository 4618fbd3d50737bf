import io
import zlib

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from cmr_viewer.domain.patient_key import patient_key_of
from cmr_viewer.load.dicom.headers import NO_PLACE
from cmr_viewer.load.dicom.layout import WITHOUT_IMAGE
from cmr_viewer.load.dicom.pixels import Place, pixel_dtype, read_frame, read_into
from cmr_viewer.load.dicom.scan import looks_like_dicom, read_headers, scan
from cmr_viewer.load.dicom.with_pydicom import tolerant
from cmr_viewer.progress import Cancelled, silent
from tests.phantom import sax_cine, write_dicom_folder
from tests.phantom_multiframe import LOSSLESS, write_enhanced, write_single

ENCODINGS = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]


@pytest.fixture(scope="module")
def stack():
    return sax_cine(phases=2, slices=2, rows=20, cols=16, pixel_spacing_mm=(4.0, 4.5), above=0, below=0).stack


@pytest.fixture
def one_file(tmp_path):
    """A single frame: its file and its pixels."""
    phantom = sax_cine(phases=1, slices=1, rows=40, cols=36, pixel_spacing_mm=(4.0, 4.5), above=0, below=0)
    return write_dicom_folder(tmp_path, phantom.stack)[0], phantom.stack.pixels[0, 0]


def rewrite(path, **changes):
    with tolerant():
        data = pydicom.dcmread(path)
        for keyword, value in changes.items():
            if value is None:
                delattr(data, keyword)
            else:
                setattr(data, keyword, value)
        data.save_as(path)


def header_in(path):
    (header,) = read_headers(path)
    return header


def test_a_header_holds_what_the_file_says(one_file):
    path, _ = one_file
    rewrite(
        path,
        AcquisitionTime="010203.5",
        AcquisitionDate="20120000",
        ImageType=["ORIGINAL", "PRIMARY", "M", "ND"],
        ProtocolName="cine_sax",
        SequenceName="*tfi2d1_15",
    )
    header = header_in(path)
    assert header.key == (path, 1)
    assert (header.rows, header.cols, header.spacing) == (40, 36, (4.0, 4.5))
    assert (header.acquired_at, header.acquired_date) == (3723.5, "20120000")
    assert (header.kind, header.image_type) == ("M", ("ORIGINAL", "PRIMARY", "M", "ND"))
    assert (header.protocol, header.sequence, header.modality) == ("cine_sax", "*tfi2d1_15", "MR")
    assert (header.heart_rate_bpm, header.trigger_ms, header.patient_id) == (75.0, 0.0, "PHANTOM01")
    assert header.patient_key == patient_key_of("PHANTOM01")
    assert header.class_uid == "1.2.840.10008.5.1.4.1.1.4"
    assert header.slice_spacing_mm == 8.0


def test_what_weighted_an_image_is_read(one_file):
    path, _ = one_file
    rewrite(path, EchoTime="1.5", InversionTime="280", FlipAngle="50", ContrastBolusAgent="Gd", DiffusionBValue=350.0)
    found = header_in(path)
    assert (found.echo_ms, found.inversion_ms, found.flip_deg, found.b_value) == (1.5, 280.0, 50.0, 350.0)
    assert (found.agent, found.thickness_mm) == ("Gd", 8.0)


@pytest.mark.parametrize(
    ("group", "creator", "element", "form", "value"),
    [
        (0x0019, "SIEMENS MR HEADER", 0x0C, "IS", "350"),
        (0x0043, "GEMS_PARM_01", 0x39, "IS", ["350", "8", "0", "0"]),
        (0x2001, "Philips Imaging DD 001", 0x03, "FL", 350.0),
    ],
)
def test_a_vendor_writes_the_b_value_in_an_element_of_its_own(one_file, group, creator, element, form, value):
    path, _ = one_file
    data = pydicom.dcmread(path)
    data.private_block(group, creator, create=True).add_new(element, form, value)
    data.save_as(path)
    assert header_in(path).b_value == 350.0


@pytest.mark.parametrize(("number", "kind"), [(0, "OTHER"), (1, "P"), (2, "R"), (3, "I")])
def test_what_a_ge_image_shows_of_the_signal_is_in_an_element_of_its_own(one_file, number, kind):
    path, _ = one_file
    data = pydicom.dcmread(path)
    data.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    data.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x2F, "SS", number)
    data.save_as(path)
    assert header_in(path).kind == kind


def test_a_complex_component_says_what_an_image_shows_of_the_signal(one_file):
    path, _ = one_file
    rewrite(path, ImageType=["ORIGINAL", "PRIMARY", "CARDIAC", "NONE"], ComplexImageComponent="IMAGINARY")
    assert header_in(path).kind == "I"


def test_the_heart_rate_follows_from_the_interval_where_it_is_absent(one_file):
    path, _ = one_file
    rewrite(path, HeartRate=0, NominalInterval=800)
    assert header_in(path).heart_rate_bpm == 75.0


def test_a_date_with_time_serves_where_there_is_no_other(one_file):
    path, _ = one_file
    rewrite(path, AcquisitionDateTime="20190304010203.5+0100")
    assert (header_in(path).acquired_at, header_in(path).acquired_date) == (3723.5, "20190304")


def test_numbers_with_a_decimal_comma_are_understood(one_file):
    path, _ = one_file
    path.write_bytes(path.read_bytes().replace(b"4.000000\\4.500000", b"4,000000\\4,500000"))
    assert header_in(path).spacing == (4.0, 4.5)


def test_a_description_in_another_character_set_is_read(one_file):
    path, _ = one_file
    rewrite(path, SpecificCharacterSet="ISO_IR 192", SeriesDescription="Kurzachse Ö 心")
    assert header_in(path).description == "Kurzachse Ö 心"


@pytest.mark.parametrize("written", ENCODINGS)
@pytest.mark.parametrize("claimed", ENCODINGS)
def test_the_bytes_show_how_a_file_is_encoded_and_not_its_syntax(tmp_path, stack, written, claimed):
    path = write_single(tmp_path / "a", stack, syntax=written)
    raw = path.read_bytes()
    head = raw.index(b"\x02\x00\x10\x00UI") + 6
    length = int.from_bytes(raw[head : head + 2], "little")
    value = (claimed + "\0" * (len(claimed) % 2)).encode()
    path.write_bytes(raw[:head] + len(value).to_bytes(2, "little") + value + raw[head + 2 + length :])
    np.testing.assert_array_equal(read_frame(header_in(path)), stack.pixels[0, 0])


@pytest.mark.parametrize("syntax", ENCODINGS[:3])
@pytest.mark.parametrize("skipped", ["preamble", "preamble and meta information"])
def test_a_file_without_preamble_or_extension_is_read(tmp_path, stack, syntax, skipped):
    path = write_single(tmp_path / "image", stack, syntax=syntax)
    raw = path.read_bytes()
    start = 132 if skipped == "preamble" else 144 + int.from_bytes(raw[140:144], "little")
    path.write_bytes(raw[start:])
    assert looks_like_dicom(path)
    np.testing.assert_array_equal(read_frame(header_in(path)), stack.pixels[0, 0])


def test_sequences_of_any_length_are_skipped(tmp_path, stack):
    inner = pydicom.Dataset()
    inner.Rows, inner.PixelSpacing = 999, ["9", "9"]
    outer = pydicom.Dataset()
    outer.ReferencedImageSequence = [inner, inner]

    def sequences(data):
        data.ReferencedStudySequence = [outer, outer]
        data.ReferencedStudySequence.is_undefined_length = True
        data["ReferencedStudySequence"].is_undefined_length = True
        for item in data.ReferencedStudySequence:
            item.is_undefined_length_sequence_item = True
        data.ReferencedImageSequence = [inner]

    for number, syntax in enumerate(ENCODINGS):
        header = header_in(write_single(tmp_path / str(number), stack, syntax=syntax, change=sequences))
        assert (header.rows, header.spacing) == (20, (4.0, 4.5))


def test_a_header_longer_than_what_is_read_at_once_is_read_on(tmp_path, stack):
    def private(data):
        block = data.private_block(0x0019, "MAKER", create=True)
        block.add_new(0x10, "OB", b"\1" * 100_000)

    header = header_in(write_single(tmp_path / "a", stack, change=private))
    np.testing.assert_array_equal(read_frame(header), stack.pixels[0, 0])


def test_what_is_encoded_in_an_unusual_way_is_left_to_pydicom(tmp_path, stack):
    path = write_single(tmp_path / "a.dcm", stack)
    raw = path.read_bytes()
    # A private element without a value representation inside an explicit data set, as some anonymisers leave them.
    at = raw.index(b"\x20\x00\x0d\x00UI")
    path.write_bytes(raw[:at] + b"\x19\x00\x10\x00\x04\x00\x00\x00MAKE" + raw[at:])
    header = header_in(path)
    assert header.layout.at == -1
    np.testing.assert_array_equal(read_frame(header), stack.pixels[0, 0])


def test_a_deflated_file_that_is_unusual_is_never_inflated_without_bound(tmp_path, stack, monkeypatch):
    path = write_single(tmp_path / "a.dcm", stack, syntax="1.2.840.10008.1.2.1.99")
    head = path.read_bytes()[: path.read_bytes().index(b"1.2.840.10008.1.2.1.99") + 22]
    at = 144 + int.from_bytes(head[140:144], "little")
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    path.write_bytes(path.read_bytes()[:at] + packer.compress(bytes(1 << 20)) + packer.flush())
    asked = []
    monkeypatch.setattr(pydicom, "dcmread", lambda *values, **options: asked.append(values))
    assert read_headers(path) == []
    assert asked == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ImagePositionPatient": None}, "does not say where"),
        ({"PixelSpacing": None}, NO_PLACE),
        ({"PixelSpacing": ["0", "1"]}, NO_PLACE),
        ({"ImageOrientationPatient": ["1", "0", "0", "1", "0", "0"]}, NO_PLACE),
        ({"NumberOfFrames": 20}, "an impossible image size"),
        ({"Rows": 65535, "Columns": 65535}, "an impossible image size"),
        ({"SamplesPerPixel": 3}, "in colour"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "in colour"),
        ({"BitsAllocated": 12}, "with 12 bits per pixel"),
        ({"PixelData": None}, "with no image data"),
        ({"Rows": None}, "with no image data"),
        ({"Rows": None, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11"}, WITHOUT_IMAGE),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4"}, WITHOUT_IMAGE),
    ],
)
def test_files_that_can_be_no_frame_are_sorted_by_reason(one_file, changes, reason):
    path, _ = one_file
    rewrite(path, **changes)
    found = scan([path], silent)
    assert found.headers == []
    assert found.any_dicom
    (said,) = found.other
    assert reason in said or (reason == "does not say where" and said == NO_PLACE)


def test_a_compressed_image_that_cannot_be_so_large_is_refused(tmp_path, stack):
    syntax, encode = LOSSLESS["JPEG-LS"]

    def huge(data):
        data.Rows = data.Columns = 65535

    path = write_single(tmp_path / "a", stack, syntax=syntax, encode=lambda x: encode(x.view("u2")), change=huge)
    assert read_headers(path) == "with an impossible image size in the header"


def test_files_that_are_no_dicom_are_passed_over(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty").touch()
    assert not scan(sorted(tmp_path.iterdir()), silent).any_dicom


def test_a_damaged_dicom_file_is_unreadable(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"garbage")
    (tmp_path / "b.dcm").touch()
    (tmp_path / "c").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    found = scan(sorted(tmp_path.iterdir()), silent)
    assert [path.name for path in found.unreadable] == ["a.dcm", "b.dcm", "c"]


def test_the_same_image_in_two_files_counts_once(one_file):
    path, _ = one_file
    again = path.with_name("again.dcm")
    again.write_bytes(path.read_bytes())
    found = scan([path, again], silent)
    assert len(found.headers) == 1
    assert found.copies == [again]
    assert found.notes == ["Left out 1 duplicate file; another file contains the same image."]


def test_images_that_share_one_uid_are_separated(tmp_path, stack):
    for path in write_dicom_folder(tmp_path, stack):
        rewrite(path, SOPInstanceUID="1.2.3")
    assert len(scan(sorted(tmp_path.iterdir()), silent).headers) == 4


def test_a_stop_goes_through(one_file):
    def stop(fraction, text):
        raise Cancelled

    with pytest.raises(Cancelled):
        scan([one_file[0]], stop)


@pytest.mark.parametrize("where", ["preamble", "meta information", "header", "element", "pixels", "last byte"])
@pytest.mark.parametrize("syntax", ENCODINGS)
def test_a_file_that_is_cut_short_is_noted(tmp_path, stack, where, syntax):
    path = write_single(tmp_path / "a.dcm", stack, syntax=syntax)
    raw = path.read_bytes()
    header = 144 + int.from_bytes(raw[140:144], "little")
    cut = {"preamble": 60, "meta information": 150, "header": header + 5, "element": header + 50}
    path.write_bytes(raw[: cut.get(where, len(raw) - (100 if where == "pixels" else 1))])
    found = scan([path], silent)
    if found.headers:
        # What ends a deflated stream is no part of the image.
        assert (syntax, where) == (DeflatedExplicitVRLittleEndian, "last byte")
        np.testing.assert_array_equal(read_frame(found.headers[0]), stack.pixels[0, 0])
    else:
        assert found.unreadable == [path] or list(found.other) == ["with an incomplete image"]


class Seeds(list):
    """Whole files to damage; shown by their number only."""

    def __repr__(self):
        return f"{len(self)} files"


def _seeds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    phantom = sax_cine(
        phases=2, slices=1, rows=20, cols=16, pixel_spacing_mm=(4.0, 4.5), above=0, below=0, shortening_mm=0.0
    ).stack
    unsigned = type(phantom)(phantom.pixels.astype("u2"), phantom.geometry, phantom.phase_times_ms)
    files = [write_single(folder / f"n{i}", unsigned, syntax=s) for i, s in enumerate(ENCODINGS)]
    for i, (syntax, encode) in enumerate(LOSSLESS.values()):
        files.append(write_single(folder / f"c{i}", unsigned, syntax=syntax, encode=encode))
    write_enhanced(folder / "many", unsigned)
    syntax, encode = LOSSLESS["JPEG-LS"]
    write_enhanced(folder / "coded", unsigned, syntax=syntax, encode=encode)
    return Seeds([path.read_bytes() for path in [*files, folder / "many", folder / "coded"]])


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    return _seeds(tmp_path_factory)


@st.composite
def mutations(draw):
    kind = draw(st.sampled_from(["change", "cut", "remove", "double", "long"]))
    return kind, draw(st.floats(0, 1, exclude_max=True)), draw(st.integers(0, 255)), draw(st.integers(1, 40))


def mutated(raw, changes):
    data = bytearray(raw)
    for kind, where, value, count in changes:
        at = 128 + int(where * max(1, len(data) - 128))
        if kind == "change":
            data[at : at + 1] = bytes([value])
        elif kind == "cut":
            del data[at:]
        elif kind == "remove":
            del data[at : at + count]
        elif kind == "double":
            data[at:at] = data[at : at + count]
        else:
            data[at : at + 4] = b"\xff\xff\xff\xff" if value % 2 else b"\xfe\xff\xff\x7f"
    return bytes(data)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.integers(0, 100), changes=st.lists(mutations(), min_size=1, max_size=4))
def test_a_damaged_file_gives_pixels_or_a_reason_and_nothing_else(seeds, tmp_path, which, changes):
    path = tmp_path / "fuzzed.dcm"
    path.write_bytes(mutated(seeds[which % len(seeds)], changes))
    found = scan([path], silent)
    assert found.headers or found.other or found.unreadable
    for header in found.headers[:4]:
        assert header.rows * header.cols < 64 << 20
        pixels = np.empty((1, header.rows, header.cols), pixel_dtype([header]))
        damaged = read_into(pixels, [Place(header, (0,))])
        assert not damaged or damaged[0].reason


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=400), prefix=st.sampled_from([b"", b"\0" * 128 + b"DICM", b"\x08\x00\x05\x00CS"]))
def test_random_bytes_are_no_image(tmp_path, body, prefix):
    path = tmp_path / "random.dcm"
    path.write_bytes(io.BytesIO(prefix + body).getvalue())
    assert scan([path], silent).headers == []
