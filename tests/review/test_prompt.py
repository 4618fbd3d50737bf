import dataclasses

import pytest

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.review.prompt import Click


def test_a_click_is_what_was_said_and_does_not_change():
    click = Click((3.0, 4.0), Label.LVM, False)
    assert click == Click((3.0, 4.0), Label.LVM, False)
    with pytest.raises(dataclasses.FrozenInstanceError):
        click.inside = True  # type: ignore[misc]
