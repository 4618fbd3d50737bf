import copy
import pickle

from cmr_viewer.domain.notes import Code, Note, counted, numbered


def test_a_note_is_its_text_and_has_a_code_and_slices():
    note = Note("Slice 3 was left out.", Code.SLICE_LEFT_OUT, [2])
    assert (note, note.code, note.slices) == ("Slice 3 was left out.", Code.SLICE_LEFT_OUT, (2,))


def test_a_copied_note_has_its_code_and_slices():
    note = Note("Slices 1 and 2.", Code.SLICE_GAP, (0, 1))
    for copied in (copy.copy(note), copy.deepcopy(note), pickle.loads(pickle.dumps(note))):
        assert (copied, copied.code, copied.slices) == (note, Code.SLICE_GAP, (0, 1))


def test_codes_are_words_with_hyphens_that_no_two_share():
    values = [code.value for code in Code]
    assert len(values) == len(set(values))
    assert all(value == value.lower() and " " not in value and "_" not in value for value in values)


def test_one_is_singular_and_indices_are_shown_from_1():
    assert (counted(1, "file"), counted(0, "file"), counted(3, "file")) == ("1 file", "0 files", "3 files")
    assert (numbered("slice", [2]), numbered("Slice", (0, 4))) == ("slice 3", "Slices 1, 5")
