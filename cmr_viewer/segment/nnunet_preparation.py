"""How nnU-Net brings one phase of a stack to its network and label maps back.

Source:
    nnU-Net v2 (Apache License 2.0), release 2.8.1: DefaultPreprocessor, crop_to_nonzero, the normalisation schemes,
    resample_data_or_seg_to_shape and convert_predicted_logits_to_segmentation_with_correct_shape. Isensee et al. 2021.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cmr_viewer.domain.anatomy import Label
from cmr_viewer.domain.label_map import LabelMap
from cmr_viewer.errors import ModelError

Triple = tuple[float, float, float]

SCHEMES = ("ZScoreNormalization", "CTNormalization", "NoNormalization", "RescaleTo01Normalization")
SMALLEST_DEVIATION = 1e-8
UNKNOWN_SLICE_SPACING_MM = 999.0
"""Taken where a single slice has none; what nnU-Net's reader of 2D images takes."""


@dataclass(frozen=True)
class Resampling:
    """How one kind of array is resampled.

    Attributes:
        order: Of the splines, 0 to 5.
        order_z: Of the splines along an axis that is resampled by itself.
        separate: Whether the axis of the largest spacing is resampled by itself; None for where it is much larger.
        threshold: How much larger.
    """

    order: int
    order_z: int = 0
    separate: bool | None = None
    threshold: float = 3.0


@dataclass(frozen=True)
class Preparation:
    """How an imported model wants its input, and what its outputs mean.

    Attributes:
        spacing_mm: (row, col) of the network's input, after `transpose`.
        patch: (rows, cols) of a tile, after `transpose`.
        transpose: Order of the axes (slice, row, col); slices stay first.
        scheme: Normalisation, one of `SCHEMES`.
        masked: Whether only what is not zero is normalised.
        intensities: "mean", "std", "percentile_00_5" and "percentile_99_5" of the training data, for CTNormalization.
        image: Resampling of images.
        logits: Resampling of logits.
        mirror_axes: Axes of the patch over which predictions are mirrored and averaged; empty for none.
        outputs: Channel that was each of nnU-Net's outputs: of two equal logits nnU-Net takes its first.
        codes: Label of each channel of the network.
    """

    spacing_mm: tuple[float, float]
    patch: tuple[int, int]
    transpose: tuple[int, int, int] = (0, 1, 2)
    scheme: str = "ZScoreNormalization"
    masked: bool = False
    intensities: Mapping[str, float] = field(default_factory=dict)
    image: Resampling = field(default_factory=lambda: Resampling(3))
    logits: Resampling = field(default_factory=lambda: Resampling(1))
    mirror_axes: tuple[int, ...] = ()
    outputs: tuple[int, ...] = (0, 1, 2, 3)
    codes: tuple[int, ...] = (0, 1, 2, 3)

    def as_dict(self) -> dict[str, Any]:
        """The preparation as JSON values."""
        return asdict(self)


def read_preparation(values: Mapping[str, Any]) -> Preparation:
    """A preparation from a plan's JSON values.

    Raises:
        ModelError: They are not complete or make no sense.
    """
    try:
        given = dict(values)
        for name in ("spacing_mm", "patch", "transpose", "mirror_axes", "outputs", "codes"):
            given[name] = tuple(given[name])
        made = Preparation(**{**given, "image": Resampling(**given["image"]), "logits": Resampling(**given["logits"])})
        _check(made)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"The preparation of the imported model's input has an invalid value: {error!r}.") from error
    return made


def _check(made: Preparation) -> None:
    if len(made.spacing_mm) != 2 or len(made.patch) != 2 or min(*made.spacing_mm, *made.patch) <= 0:
        raise ValueError(f"spacing {made.spacing_mm} mm, patch {made.patch}")
    if made.transpose not in ((0, 1, 2), (0, 2, 1)):
        raise ValueError(f"axes in the order {made.transpose}")
    if made.scheme not in SCHEMES:
        raise ValueError(f"normalisation {made.scheme}")
    needed = ("mean", "std", "percentile_00_5", "percentile_99_5") if made.scheme == "CTNormalization" else ()
    if any(not isinstance(made.intensities.get(name), int | float) for name in needed):
        raise ValueError(f"intensities without {', '.join(needed)}")
    if sorted(made.outputs) != list(range(len(made.outputs))) or len(made.codes) != len(made.outputs):
        raise ValueError(f"outputs {made.outputs} for codes {made.codes}")
    if not set(made.codes) <= {0, 1, 2, 3} or not set(made.mirror_axes) <= {0, 1}:
        raise ValueError(f"codes {made.codes}, mirrored over {made.mirror_axes}")


@dataclass(frozen=True, eq=False)
class PreparedPhase:
    """One phase of a stack as a network sees it.

    Attributes:
        image: (slice, row, col) float32 at the network's spacing; the slices of the box alone.
        box: Slices of the three axes, after the transposition, that hold all that is not zero.
        shape: (slices, rows, cols) of the phase, after the transposition.
        spacing_mm: Of the phase, after the transposition.
    """

    image: NDArray[np.float32]
    box: tuple[slice, slice, slice]
    shape: tuple[int, int, int]
    spacing_mm: Triple

    @property
    def cropped(self) -> tuple[int, int]:
        """(rows, cols) of the box."""
        _, rows, cols = self.box
        return rows.stop - rows.start, cols.stop - cols.start


def prepare_phase(pixels: NDArray[Any], spacing_mm: Triple, how: Preparation) -> PreparedPhase:
    """Crop, normalise and resample one phase.

    Args:
        pixels: (slice, row, col), any real dtype.
        spacing_mm: Of slices, rows and columns.
        how: What the model wants.
    """
    data = np.ascontiguousarray(pixels.transpose(how.transpose), dtype=np.float32)
    slices, first, second = (spacing_mm[axis] for axis in how.transpose)
    there: Triple = (slices, first, second)
    mask = np.asarray(ndimage.binary_fill_holes(data != 0), dtype=bool)
    box = _box(mask)
    normalised = normalise_phase(data[box], mask[box], how)
    target: Triple = (there[0], how.spacing_mm[0], how.spacing_mm[1])
    count, rows, cols = (max(1, round(s / t * n)) for s, t, n in zip(there, target, normalised.shape, strict=True))
    image = resample(normalised, (count, rows, cols), there, target, how.image)
    return PreparedPhase(image, box, (data.shape[0], data.shape[1], data.shape[2]), there)


def _box(mask: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    """Where a mask of three axes is; empty slices where it is nowhere."""
    found = []
    for axis in range(3):
        where = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        found.append(slice(int(where[0]), int(where[-1]) + 1) if where.size else slice(0, 0))
    slices, rows, cols = found
    return slices, rows, cols


def normalise_phase(data: NDArray[np.float32], mask: NDArray[np.bool_], how: Preparation) -> NDArray[np.float32]:
    """One of nnU-Net's normalisation schemes, over a whole phase.

    Args:
        data: (slice, row, col) in scanner units.
        mask: Where it is not zero, holes filled.
        how: Scheme, mask and intensities.

    Returns:
        A new array, float32.
    """
    image = np.array(data, dtype=np.float32)
    if not image.size or how.scheme == "NoNormalization":
        return image
    if how.scheme == "CTNormalization":
        known = how.intensities
        np.clip(image, known["percentile_00_5"], known["percentile_99_5"], out=image)
        return np.asarray((image - known["mean"]) / max(known["std"], SMALLEST_DEVIATION), dtype=np.float32)
    if how.scheme == "RescaleTo01Normalization":
        image -= image.min()
        return np.asarray(image / max(image.max(), SMALLEST_DEVIATION), dtype=np.float32)
    where: Any = mask if how.masked else ...
    inside = image[where]
    image[where] = (inside - inside.mean()) / max(inside.std(), SMALLEST_DEVIATION)
    return image


def resample(
    array: NDArray[Any], shape: tuple[int, int, int], spacing_mm: Triple, target_mm: Triple, how: Resampling
) -> NDArray[Any]:
    """Bring an array of three axes to another shape.

    Args:
        array: (slice, row, col), floating.
        shape: The wanted one.
        spacing_mm: Of the array.
        target_mm: Of the result.
        how: Orders, and whether an axis is resampled by itself.

    Returns:
        Of the array's dtype; the array itself where it has that shape already.
    """
    if array.shape == shape or 0 in array.shape:
        return array
    data = array.astype(np.float64)
    axis = _axis_by_itself(spacing_mm, target_mm, how)
    if axis is None:
        return np.asarray(_zoom(data, shape, how.order), dtype=array.dtype)
    flat = tuple(n for index, n in enumerate(shape) if index != axis)
    planes = [_zoom(plane, flat, how.order) for plane in np.moveaxis(data, axis, 0)]
    made = np.stack(planes, axis=axis)
    if made.shape != shape:
        made = _along(made, shape, how.order_z)
    return np.asarray(made, dtype=array.dtype)


def _axis_by_itself(spacing_mm: Triple, target_mm: Triple, how: Resampling) -> int | None:
    """The axis of by far the largest spacing, of the array or else of the result."""
    if how.separate is False:
        return None
    apart = [s for s in (spacing_mm, target_mm) if how.separate or max(s) / min(s) > how.threshold]
    if not apart:
        return None
    largest = [index for index, spacing in enumerate(apart[0]) if spacing == max(apart[0])]
    return largest[0] if len(largest) == 1 else None


def _zoom(array: NDArray[np.float64], shape: tuple[int, ...], order: int) -> NDArray[np.float64]:
    """Splines of an order, the borders continued, never beyond the array's own range; by nnU-Net's own function."""
    from skimage.transform import resize  # noqa: PLC0415 - slow to import, and only imported models need it

    return np.asarray(resize(array, shape, order, mode="edge", clip=True, anti_aliasing=False))


def _along(array: NDArray[np.float64], shape: tuple[int, int, int], order: int) -> NDArray[np.float64]:
    """Resample the one axis that differs; voxel centres of the ends are half a voxel inside."""
    at = [(old / new) * (np.arange(new) + 0.5) - 0.5 for old, new in zip(array.shape, shape, strict=True)]
    return np.asarray(
        ndimage.map_coordinates(array, np.meshgrid(*at, indexing="ij"), order=order, mode="nearest"), dtype=np.float64
    )


def frame_labels(logits: NDArray[np.float16], phase: PreparedPhase, how: Preparation) -> LabelMap:
    """The label map of one slice from its logits.

    Args:
        logits: (channel, row, col) on the network's grid, in half precision, in which nnU-Net compares them.
        phase: What was predicted from.
        how: Spacing, resampling, order and meaning of the channels.

    Returns:
        (row, col) on the frame's own pixels.
    """
    channels = np.asarray(how.outputs)[np.argmax(_on_frame(logits, phase, how), axis=0)]
    labels = np.zeros(phase.shape[1:], dtype=np.uint8)
    labels[phase.box[1:]] = np.asarray(how.codes, dtype=np.uint8)[channels]
    return labels if how.transpose == (0, 1, 2) else np.ascontiguousarray(labels.T)


def frame_probabilities(logits: NDArray[np.float16], phase: PreparedPhase, how: Preparation) -> NDArray[np.float16]:
    """How probable each label is in one slice, from its logits.

    Args:
        logits: As for `frame_labels`.
        phase: What was predicted from.
        how: As for `frame_labels`.

    Returns:
        (label, row, col) in the order of `Label`, on the frame's own pixels, adding up to 1: the softmax over all
        channels, those of a label added up; background outside what was predicted from.
    """
    on_frame = _on_frame(logits, phase, how).astype(np.float32)
    chances = np.exp(on_frame - on_frame.max(axis=0))
    chances /= chances.sum(axis=0)
    result = np.zeros((len(Label), *phase.shape[1:]), dtype=np.float32)
    inside = (slice(None), *phase.box[1:])
    for output, chance in zip(how.outputs, chances, strict=True):
        result[inside][how.codes[output]] += chance
    result[0] += 1.0 - result.sum(axis=0)
    found = result if how.transpose == (0, 1, 2) else result.transpose(0, 2, 1)
    return np.ascontiguousarray(found, dtype=np.float16)


def _on_frame(logits: NDArray[np.float16], phase: PreparedPhase, how: Preparation) -> NDArray[Any]:
    """Logits of `how.outputs`, (output, row, col), on the pixels that were predicted from."""
    here: Triple = (phase.spacing_mm[0], *how.spacing_mm)
    rows, cols = phase.cropped
    return np.stack(
        [resample(logits[o][None], (1, rows, cols), here, phase.spacing_mm, how.logits)[0] for o in how.outputs]
    )
