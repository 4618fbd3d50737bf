"""What fuzzing found to reach something new in the readers: each input opens, or is refused in words."""

import pytest

from tests.fuzzed import FILES, kept_inputs, open_once, place_for, reader_of


@pytest.mark.parametrize("name", FILES)
@pytest.mark.filterwarnings("ignore")
def test_every_input_of_the_saved_corpus_opens_or_is_refused_in_words(tmp_path, name):
    reader = reader_of(name)
    place = place_for(reader, tmp_path)
    said = [open_once(reader, place, data) for _, data in kept_inputs(name)]
    assert "opened" in said
    # The files that lie beside a damaged directory are found without it.
    assert ("refused" in said) == (name != "dicomdir")
