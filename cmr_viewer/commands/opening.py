"""Decisions about how a study is opened, from a command line."""

from argparse import Namespace

from cmr_viewer.domain.opening import Opening


def opening_of(arguments: Namespace) -> Opening:
    """What `--slice-axis`, `--spacing` and `--any-size` decide; axes count from 1 there."""
    spacing, axis = arguments.spacing, arguments.slice_axis
    return Opening(
        spacing_mm=None if spacing is None else (spacing[0], spacing[1], spacing[2]),
        slice_axis=None if axis is None else axis - 1,
        any_size=arguments.any_size,
    )
